//! Scales: the widths of bars, and the positions of the marks of an axis.

/// Widths of bars and distances of marks, in seconds.
const STEPS: [i64; 23] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400,
    172_800, 604_800, 1_814_400, 7_257_600, 29_030_400,
];

/// The smallest width that is a whole multiple of `unit` and of which at most `most` make up `length`, all in seconds.
pub(super) fn width(length: i64, unit: i64, most: i64) -> i64 {
    let fits = |step: &&i64| **step % unit.max(1) == 0 && (length + **step - 1) / **step <= most;
    STEPS.iter().find(fits).copied().unwrap_or(STEPS[STEPS.len() - 1])
}

/// The unit of a rate that makes its highest value readable: the seconds in it, and its name.
pub(super) fn unit(highest: f64) -> (f64, &'static str) {
    match highest {
        _ if highest >= 0.5 => (1.0, "second"),
        _ if highest * 60.0 >= 0.5 => (60.0, "minute"),
        _ => (3_600.0, "hour"),
    }
}

/// The distance of marks from 0 to at least `highest`: 1, 2 or 5 times a power of ten, so that there are three to six.
pub(super) fn marks(highest: f64) -> Vec<f64> {
    let highest = if highest > 0.0 && highest.is_finite() { highest } else { 1.0 };
    let power = 10_f64.powf((highest / 5.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|times| times * power);
    let step = step.into_iter().find(|step| highest / step <= 5.0).unwrap_or(power * 10.0);
    let last = (highest / step).ceil();
    (0..=super::words::whole(last)).map(|mark| step * float(mark)).collect()
}

/// A mark of an axis: `0`, `2`, `0.5`, `1,500`.
pub(super) fn mark(value: f64) -> String {
    if value >= 1.0 && (value - value.round()).abs() < 1e-9 {
        return super::words::number(super::words::whole(value));
    }
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[expect(clippy::cast_precision_loss, reason = "a picture has less than 53 bits of it")]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}

/// A place in a picture: with one decimal at most.
pub(super) fn place(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}
