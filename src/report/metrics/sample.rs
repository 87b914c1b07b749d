//! Metrics in the form of the library that writes Prometheus' text: families of labelled samples.

use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

/// Labels and a value.
pub(super) type Sample<'a> = (Vec<(&'static str, &'a str)>, u64);

/// A counter with one sample.
pub(super) fn counter(name: &str, help: &str, value: u64) -> MetricFamily {
    counters(name, help, [(vec![], value)])
}

/// A counter with several samples.
pub(super) fn counters<'a>(
    name: &str,
    help: &str,
    samples: impl IntoIterator<Item = Sample<'a>>,
) -> MetricFamily {
    family(MetricType::COUNTER, name, help, samples, |metric, value| {
        let mut counter = Counter::default();
        counter.set_value(value);
        metric.set_counter(counter);
    })
}

/// A gauge.
pub(super) fn gauge<'a>(
    name: &str,
    help: &str,
    samples: impl IntoIterator<Item = Sample<'a>>,
) -> MetricFamily {
    family(MetricType::GAUGE, name, help, samples, |metric, value| {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        metric.set_gauge(gauge);
    })
}

/// A gauge that is no whole number.
pub(super) fn exact(name: &str, help: &str, value: f64) -> MetricFamily {
    let mut family = gauge(name, help, [(vec![], 0)]);
    for metric in family.mut_metric() {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        metric.set_gauge(gauge);
    }
    family
}

fn family<'a>(
    kind: MetricType,
    name: &str,
    help: &str,
    samples: impl IntoIterator<Item = Sample<'a>>,
    set: fn(&mut Metric, f64),
) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    let metrics = samples.into_iter().map(|(labels, value)| {
        let mut metric = Metric::default();
        metric.set_label(labels.into_iter().map(label).collect());
        #[expect(clippy::cast_precision_loss, reason = "Prometheus' numbers are f64")]
        set(&mut metric, value as f64);
        metric
    });
    family.set_metric(metrics.collect());
    family
}

fn label((name, value): (&str, &str)) -> LabelPair {
    let mut label = LabelPair::default();
    label.set_name(name.to_owned());
    label.set_value(value.to_owned());
    label
}
