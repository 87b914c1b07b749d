//! Steady pollers and hosts that pause: under the limit they stay unreported, for ever.

use std::time::Duration;

use synwatch::base::time::Timestamp;

use super::{DEFAULTS, HOST, OTHER};
use crate::rig::Setup;
use crate::rig::syn::{Syn, after, every, merged, syn, syn_at};

const DAY: f64 = 86_400.0;

/// One host for each period in whole seconds, polling from `from` to `to`, in order of time.
fn pollers(periods: impl Iterator<Item = u32> + Clone, from: u64, to: u64) -> impl Iterator<Item = Syn> {
    (from..to).flat_map(move |second| {
        let due = periods.clone().filter(move |period| second % u64::from(*period) == 0);
        due.map(move |period| syn_at(at(second), (0x0a00_0000 + period).to_be_bytes().into()))
    })
}

fn at(second: u64) -> Timestamp {
    after(0.0).after(Duration::from_secs(second))
}

#[test]
fn of_all_periods_from_1_to_300_s_only_the_one_over_a_limit_is_reported() {
    // 60 attempts a second apart lie within 59 s: over 60/60s. Two seconds apart they lie within 118 s.
    let found = Setup::with(&DEFAULTS).run(pollers(1..=300, 0, 20_000));
    assert_eq!(found.stats.attempts, (1..=300).map(|period| 20_000_u64.div_ceil(period)).sum::<u64>());
    assert_eq!(found.only("start").source.to_string(), "10.0.0.1");
    assert_eq!(found.only("end").attempts, 20_000);
}

#[test]
fn pollers_stay_unreported_where_32_bits_of_ticks_end() {
    // 2^32 ticks are 4.97 days. The limit over seven days has the tables look back that far: no pause is cut short.
    let setup = Setup::with(&["30/10s", "60/60s", "4096/7d"]);
    let turn = (1 << 32) / 10_000;
    let late = pollers(2..=300, turn - 2000, turn + 2000);
    let found = setup.run(pollers(2..=300, 0, 2000).chain(late));
    assert!(found.alerts.is_empty());
    assert_eq!(found.stats.losses.evictions, 0);
}

#[test]
fn what_was_a_power_of_two_of_ticks_ago_does_not_count() {
    // A time cut to so many bits would take the attempts of before for attempts of now.
    let setup = Setup::with(&["30/5s", "4096/7d"]);
    for bits in 16..=36 {
        let now = 0.0001 * f64::from(bits).exp2();
        let syns = every(0.01, 29, 0.0, HOST).chain(every(0.01, 29, now, HOST));
        assert!(setup.run(syns).alerts.is_empty(), "{bits} bits");
    }
}

#[test]
fn a_poller_is_quiet_for_six_days() {
    let found = Setup::with(&DEFAULTS).run(pollers([17, 61, 299].into_iter(), 0, 6 * 86_400));
    assert!(found.alerts.is_empty());
    assert!(found.stats.attempts > 40_000);
}

#[test]
fn a_period_just_above_the_threshold_is_quiet_and_one_at_it_is_not() {
    for (limits, period, met) in [
        // 29 periods in 10 s; 59 periods in 60 s.
        (&["30/10s"][..], 0.3448, true),
        (&["30/10s"], 0.3449, false),
        (&["60/60s"], 1.0169, true),
        (&["60/60s"], 1.0170, false),
        (&DEFAULTS, 1.0, true),
        (&DEFAULTS, 1.0170, false),
        (&["2/1s"], 1.0, true),
        (&["2/1s"], 1.0001, false),
        (&["6/10s"], 2.0, true),
        (&["6/10s"], 2.0001, false),
        (&["4096/1h"], 0.8791, true),
        (&["4096/1h"], 0.8792, false),
    ] {
        let found = Setup::with(limits).run(every(period, 5000, 0.0, HOST));
        assert_eq!(!found.alerts.is_empty(), met, "{limits:?}, every {period} s");
    }
}

#[test]
fn bursts_of_one_less_than_the_limit_with_pauses_between_are_quiet() {
    let setup = Setup::with(&["30/10s"]);
    for pause in [10.0001, 11.0, 60.0, 3600.0, 5.0 * 3600.0, DAY, 100.0 * DAY] {
        // The pause lies between the first of one burst and the last but one of the next, as a window does.
        let bursts = (0..20).flat_map(|burst| every(0.05, 29, f64::from(burst) * (pause + 1.4), HOST));
        assert!(setup.run(bursts).alerts.is_empty(), "pauses of {pause} s");
    }
    let near = every(0.05, 29, 0.0, HOST).chain([syn(10.0, HOST)]);
    assert_eq!(setup.run(near).alerts.len(), 2, "one more within ten seconds of the first is one too many");
}

#[test]
fn a_poller_beside_a_flood_stays_unreported() {
    let found = Setup::with(&DEFAULTS)
        .run(merged([every(0.05, 2000, 100.0, HOST).collect(), every(2.0, 200, 0.0, OTHER).collect()]));
    assert_eq!(found.only("start").source.to_string(), HOST);
    assert_eq!(found.only("end").attempts, 2000);
}
