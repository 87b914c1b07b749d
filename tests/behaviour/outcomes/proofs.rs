//! Verified: proven attempts alone meet a limit. Others may be there in any number; they neither help nor hinder.

use synwatch::detect::alert::Alert;
use synwatch::engine::outcome::Proof;

use crate::rig::tcp::{ACK, SYN, Talk, Tcp};
use crate::rig::{Found, Setup, Watch};

const HOST: &str = "198.51.100.7";

/// A connection that proves its client's address 1 ms after its SYN, or as much later as is said.
fn proven(second: f64, port: u16) -> Vec<Tcp> {
    Talk::new(second, (HOST, port)).silent()
}

fn proven_late(second: f64, port: u16, late: f64) -> Vec<Tcp> {
    let mut segments = Talk::new(second, (HOST, port)).server(0, 1, SYN | ACK, 0).segments();
    segments
        .extend(Talk::new(second + late, (HOST, port)).client(1, 1, ACK, 0).segments().into_iter().skip(1));
    segments
}

fn forged(second: f64, port: u16) -> Vec<Tcp> {
    Talk::new(second, (HOST, port)).half_open()
}

/// `n` attempts, the first at a second, each so many seconds after the one before.
fn some(of: fn(f64, u16) -> Vec<Tcp>, n: u16, from: f64, step: f64) -> Vec<Vec<Tcp>> {
    (0..n).map(|i| of(from + step * f64::from(i), (from * 1000.0) as u16 + i)).collect()
}

/// The states and verdicts of all reports of sources, in order.
fn verdicts(found: &Found) -> Vec<(&'static str, Proof, u64)> {
    let verdict = |alert: &Alert| (alert.state.name(), alert.verified, alert.proven());
    found.alerts.iter().map(verdict).collect()
}

#[test]
fn proven_attempts_alone_meet_a_limit_or_do_not() {
    for (honest, verified) in [(3, Proof::None), (4, Proof::None), (5, Proof::Yes)] {
        let talks = some(proven, honest, 1.0, 1.0).into_iter().chain(some(forged, 9, 2.05, 0.3));
        let found = Setup::with(&["5/10s"]).watch(talks);
        let end = found.only("end");
        assert_eq!((end.verified, end.proven()), (verified, honest.into()), "{honest} proven");
        assert_eq!(end.severity(), if verified == Proof::Yes { 1 } else { 3 });
    }
}

#[test]
fn forged_attempts_in_any_number_do_not_dilute_proven_ones() {
    let talks = some(proven, 5, 1.0, 1.9).into_iter().chain(some(forged, 900, 1.5, 0.009));
    let found = Setup::with(&["5/10s"]).watch(talks);
    assert!(found.only("end").is_verified());
    assert!(!found.only("start").is_verified(), "it was over the limit before");
}

#[test]
fn proven_attempts_at_another_time_do_not_make_forged_ones_theirs() {
    // One each 4 s, in whose name 30 are forged.
    let talks = some(proven, 20, 1.0, 4.0).into_iter().chain(some(forged, 30, 20.5, 0.05));
    let found = Setup::with(&["5/10s"]).watch(talks);
    assert!(found.alerts.iter().all(|alert| alert.verified == Proof::None), "{:?}", verdicts(&found));
}

#[test]
fn an_update_follows_at_the_moment_at_which_a_source_is_verified() {
    let found = Setup::with(&["3/10s"]).watch(some(proven, 4, 1.0, 1.0));
    let expected = [("start", Proof::None, 2), ("update", Proof::Yes, 3), ("end", Proof::Yes, 4)];
    assert_eq!(verdicts(&found), expected);
    let [start, update] = [0, 1].map(|n| found.alerts[n].time);
    assert!(update > start && update.since(start).as_millis() < 10, "{:?}", update.since(start));
    assert_eq!(found.alerts[0].episode, found.alerts[1].episode);
}

#[test]
fn a_limit_of_one_is_verified_a_moment_after_its_start() {
    let found = Setup::with(&["1/10s"]).watch([proven(1.0, 1)]);
    assert_eq!(verdicts(&found)[..2], [("start", Proof::None, 0), ("update", Proof::Yes, 1)]);
}

#[test]
fn attempts_that_are_proven_late_count_at_the_times_at_which_they_were_made() {
    // Five within 10 s by when they were proven, and within 16 s by when they were made.
    let late = |i: u16| proven_late(1.0 + 4.0 * f64::from(i), i, 20.0 - 2.0 * f64::from(i));
    let others = some(forged, 20, 15.0, 0.1);
    let found = Setup::with(&["5/10s"]).watch((0..5).map(late).chain(others.clone()));
    assert_eq!(found.only("end").verified, Proof::None, "{:?}", verdicts(&found));
    // Made within 8 s, and proven in the reverse order.
    let late = |i: u16| proven_late(12.0 + 2.0 * f64::from(i), i, 12.0 - 2.5 * f64::from(i));
    let found = Setup::with(&["5/10s"]).watch((0..5).map(late).chain(others));
    assert_eq!(found.only("end").verified, Proof::Yes, "{:?}", verdicts(&found));
}

#[test]
fn a_limit_by_outcome_is_met_by_proven_ones_at_the_times_at_which_they_became_it() {
    let found = Setup::with(&["3/10s:silent"]).watch(some(proven, 3, 1.0, 1.0));
    assert_eq!(verdicts(&found)[0], ("start", Proof::Yes, 3), "all are known to be proven by then");
    for limit in ["3/10s:refused", "3/40s:unanswered", "3/40s:half-open"] {
        let talks = (0..3).flat_map(|i| {
            let talk = || Talk::new(1.0 + f64::from(i), (HOST, i));
            [
                talk().refused(),
                Talk::new(2.0 + f64::from(i), (HOST, 100 + i)).segments(),
                forged(3.0, 200 + i),
            ]
        });
        let later = Talk::new(60.0, ("192.0.2.99", 50_000)).segments();
        let found = Setup::with(&[limit]).watch(talks.chain([later]));
        assert_eq!(found.only("end").severity(), 3, "{limit}");
    }
}

#[test]
fn any_limit_of_the_watch_verifies() {
    // Over the one limit by forged ones, over the other by proven ones.
    let talks = some(forged, 20, 1.0, 0.1).into_iter().chain(some(proven, 4, 4.0, 1.0));
    let found = Setup::with(&["20/10s", "4/10s:silent"]).watch(talks.clone());
    assert_eq!(found.only("end").verified, Proof::Yes, "{:?}", verdicts(&found));
    let found = Setup::with(&["20/10s", "5/10s:silent"]).watch(talks);
    assert_eq!(found.only("end").verified, Proof::None);
}

#[test]
fn a_network_tells_its_hosts_with_proven_attempts_when_these_meet_its_limit() {
    let host = |n: u16| format!("203.0.113.{n}");
    let watch = || Watch::with(&["30/10s"]).networks("6/10s");
    let setup = || Setup { watches: vec![watch()], ..Setup::with(&[]) };
    let talks = |proven: u16| {
        let talk = move |n: u16| Talk::new(1.0 + f64::from(n) * 0.5, (&host(n), n));
        (0..10).map(move |n| if n < proven { talk(n).silent() } else { talk(n).half_open() })
    };
    let found = setup().watch(talks(5));
    assert_eq!(found.only("end").verified, Proof::None);
    assert!(found.alerts.iter().all(|alert| alert.provers.is_empty()));
    let found = setup().watch(talks(6));
    let end = found.only("end");
    let provers: Vec<_> = end.provers.iter().map(|prover| prover.src.to_string()).collect();
    assert_eq!((end.verified, provers), (Proof::Yes, (0..6).map(host).collect()));
}
