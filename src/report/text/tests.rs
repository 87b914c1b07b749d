use super::*;

use crate::detect::Sink as _;
use crate::detect::alert::Within;
use crate::engine::outcome::{Outcome, OutcomeCounts, Proof};
use crate::engine::subject::Source;
use crate::report::console::tests::Paper;
use crate::report::sample::{at, end, full, start, tokyo};

fn line(alert: &Alert) -> String {
    Line { alert, zone: &tokyo(), colour: false }.to_string()
}

#[test]
fn the_line_of_each_report() {
    let limit = start().limit;
    for (alert, expected) in [
        (
            start(),
            format!(
                "2013-11-25T15:11:42.310+09:00 flood start src=49.212.10.42 watch=mail limit={limit} attempts=30 \
                 in=5.9s ports=25:15,110:15 dst=116.58.172.107 outcomes=silent:28,open:1,pending:1 greeted=28 \
                 sent=0 received=1400 proven=28 verified=yes severity=1"
            ),
        ),
        (
            end(),
            format!(
                "2013-11-25T15:18:33.470+09:00 flood end src=49.212.10.42 watch=mail limit={limit} attempts=1788 \
                 duration=5m57s rate=5.0/s peak=6.2/s ports=110:900,25:888 dst=116.58.172.107 \
                 outcomes=silent:1780,spoke:8 greeted=1788 sent=48 received=96000 proven=1788 verified=yes severity=1 ended=quiet"
            ),
        ),
        (
            full(),
            format!(
                "2013-11-25T15:12:38.000+09:00 flood update src=2001:db8:0:1::/64 name=a\\u{{20}}b.example as=64500 \
                 org=Example\\u{{20}}\\u{{1b}}Net country=JP watch=my\\u{{20}}mail \
                 limit={limit} attempts=330 duration=1m1s rate=5.4/s peak=5.1/s ports=25:200,110:120 \
                 ports-others=10 dst=2001:db8:2::25,2001:db8:2::26 dst-others=120 hosts=~19 \
                 outcomes=silent:28,open:1,pending:1 greeted=28 sent=0 received=1400 proven=28 verified=yes severity=1 copies=2 \
                 retransmissions=3 lost=kernel:12,interface:3,crossings:4,evictions:5"
            ),
        ),
    ] {
        assert_eq!(line(&alert), expected);
    }
}

#[test]
fn a_start_of_a_network_counts_its_hosts_and_names_one_destination() {
    let hosts = Addresses { kept: vec!["2001:db8:0:1::1".parse().unwrap()], others: 0 };
    let alert = Alert { hosts, state: State::Start, losses: Losses::default(), ..full() };
    assert!(line(&alert).contains(" dst=116.58.172.107 hosts=1 outcomes="));
}

#[test]
fn a_network_report_has_the_number_of_hosts_and_the_sources_with_their_own_episode() {
    let source = |n: u8| Source(std::net::IpAddr::from([192, 0, 2, n]).into());
    let network = |within: Within| Alert { kind: Kind::Network, state: State::Start, within, ..full() };
    assert!(line(&network(Within::default())).contains(" hosts=~19 outcomes="));
    let within = (1..=18).map(source).collect();
    let sixteen: Vec<_> = (1..=16).map(|n| source(n).to_string()).collect();
    let expected = format!(" hosts=~19 within={} within-others=2 outcomes=", sixteen.join(","));
    assert!(line(&network(within)).contains(&expected));
}

#[test]
fn severity_depends_on_proofs_and_outcomes() {
    let severity = |verified, counts: &[(Outcome, u64)]| {
        let mut outcomes = OutcomeCounts::default();
        counts.iter().for_each(|(outcome, count)| outcomes.set(*outcome, *count));
        Alert { outcomes, verified, attempts: outcomes.total(), ..start() }.severity()
    };
    for idle in [Outcome::Silent, Outcome::Refused, Outcome::HalfOpen] {
        assert_eq!(severity(Proof::None, &[(idle, 30)]), 3, "{idle}");
        assert_eq!(severity(Proof::Wire, &[(idle, 30)]), 2, "{idle}");
        assert_eq!(severity(Proof::Yes, &[(idle, 1), (Outcome::Open, 29)]), 1, "{idle}");
        assert_eq!(severity(Proof::Yes, &[(idle, 15), (Outcome::Spoke, 15)]), 1, "{idle}");
        assert_eq!(severity(Proof::Yes, &[(idle, 14), (Outcome::Spoke, 15)]), 2, "{idle}");
    }
    assert_eq!(
        severity(Proof::Yes, &[(Outcome::Open, 30)]),
        2,
        "whether they will say anything does not show yet"
    );
    assert_eq!(severity(Proof::Yes, &[(Outcome::Unanswered, 30)]), 2);
}

#[test]
fn verified_names_the_proof() {
    for (verified, name) in [(Proof::Yes, "yes"), (Proof::Wire, "wire"), (Proof::None, "no")] {
        let mut alert = Alert { verified, ..start() };
        (alert.outcomes.proofs, alert.outcomes.wire_proofs) = (20, 5);
        let proven = if verified == Proof::Yes { 20 } else { 25 };
        let expected = format!(" proven={proven} verified={name} severity={}", alert.severity());
        assert!(line(&alert).contains(&expected), "{}", line(&alert));
    }
}

#[test]
fn attempts_at_the_same_time_have_no_rate() {
    let alert = Alert { last_seen: at(370), peak: f64::INFINITY, ..end() };
    assert!(line(&alert).contains(" duration=0.000s ports="));
    // The first attempt's time is rounded down to 0.1 ms, so a shorter time between two attempts counts as none.
    let within_a_tick = Alert { last_seen: at(370).after(Duration::from_micros(99)), ..alert };
    assert!(line(&within_a_tick).contains(" duration=0.000s ports="));
}

#[test]
fn losses_of_zero_are_left_out() {
    let alert = Alert { losses: Losses { interface: 1, ..Losses::default() }, ..end() };
    assert!(line(&alert).contains(" lost=interface:1 "));
}

#[test]
fn colour_marks_the_state_and_nothing_else() {
    for (alert, marked) in [
        (start(), " \x1b[1;31mflood start\x1b[0m "),
        (full(), " \x1b[33mflood update\x1b[0m "),
        (end(), " \x1b[32mflood end\x1b[0m "),
    ] {
        let coloured = Line { alert: &alert, zone: &tokyo(), colour: true }.to_string();
        assert!(coloured.contains(marked));
        assert_eq!(coloured.matches('\x1b').count(), 2);
    }
}

#[test]
fn durations_are_rounded_down() {
    for (millis, shown) in [
        (0, "0.000s"),
        (3, "0.003s"),
        (999, "0.999s"),
        (1_000, "1.0s"),
        (9_999, "9.9s"),
        (59_999, "59.9s"),
        (60_000, "1m"),
        (61_999, "1m1s"),
        (3_600_000, "1h"),
        (3_605_000, "1h5s"),
        (86_399_000, "23h59m59s"),
        (90_000_000, "1d1h"),
    ] {
        assert_eq!(Elapsed(Duration::from_millis(millis)).to_string(), shown);
    }
}

#[test]
fn slow_rates_have_more_decimals() {
    for (rate, shown) in
        [(5.0, "5.0/s"), (1.0, "1.0/s"), (0.3333, "0.33/s"), (0.01, "0.010/s"), (0.0001, "0.00010/s")]
    {
        assert_eq!(Rate(rate).to_string(), shown);
    }
}

#[test]
fn lines_over_the_budget_are_held_back_and_counted() {
    let paper = Paper::default();
    let mut text = Text::new(Console::new(paper.clone(), false), tokyo(), LevelFilter::Warn);
    (0..101).for_each(|episode| text.alert(&Alert { episode, ..start() }));
    text.tick(at(6_999));
    assert_eq!(paper.text().lines().count(), 100);
    text.tick(at(7_000));
    assert!(paper.text().ends_with("\n2013-11-25T15:11:43.000+09:00 flood held-back reports=1\n"));
    assert_eq!((text.held_back(), text.lost()), (1, 0));
    (200..302).for_each(|episode| text.alert(&Alert { episode, time: at(7_000), ..start() }));
    text.finish(at(7_001));
    assert!(paper.text().ends_with("\n2013-11-25T15:11:43.001+09:00 flood held-back reports=2\n"));
    assert_eq!(text.held_back(), 3);
}

#[test]
fn lines_without_a_reader_are_counted() {
    let (end_of_pipe, other) = std::os::unix::net::UnixStream::pair().unwrap();
    drop(other);
    let mut text = Text::new(Console::new(end_of_pipe, false), tokyo(), LevelFilter::Warn);
    text.alert(&start());
    text.alert(&end());
    assert_eq!(text.lost(), 2);
}
