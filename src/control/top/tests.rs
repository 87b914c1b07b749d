use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::control::speed::Speed;
use crate::detect::Sink as _;
use crate::engine::clock::Ticks;
use crate::engine::outcome::Proof;
use crate::engine::stats::{Losses, Stats, WatchStats};
use crate::engine::watch::Limit;
use crate::report::Deliveries;
use crate::report::sample::{at, end, start};
use crate::wire::packet::{Interface, Interfaces, LinkType};

fn limits() -> Vec<Limit> {
    vec![Limit::new(30, Duration::from_secs(10)), Limit::new(60, Duration::from_secs(60))]
}

fn found(source: &str, counts: [u32; 2]) -> FoundSource {
    let source = Source(source.parse().unwrap());
    FoundSource { source, counts: counts.to_vec(), rate: 1.234, is_flagged: false }
}

fn watch(sources: Vec<FoundSource>, live: u64) -> FoundWatch {
    FoundWatch { name: Arc::from("mail"), limits: limits(), sources, live }
}

fn rows(top: &TopWatch) -> Vec<(&str, bool, Vec<u32>)> {
    let counts = |source: &TopSource| source.counts.iter().map(|count| count.unwrap()).collect();
    top.sources.iter().map(|source| (source.source.as_str(), source.over, counts(source))).collect()
}

#[test]
fn sources_over_a_limit_come_first_and_then_those_closest_to_one() {
    let sources = vec![
        found("192.0.2.1/32", [2, 50]),
        found("192.0.2.2/32", [29, 29]),
        found("192.0.2.3/32", [30, 30]),
        found("2001:db8::/64", [2, 50]),
        found("192.0.2.5/32", [5, 60]),
    ];
    let top = top_watch(&watch(sources, 7), &OpenEpisodes::default(), at(0));
    let expected = [
        ("192.0.2.3", true, vec![30, 30]),
        ("192.0.2.5", true, vec![5, 60]),
        ("192.0.2.2", false, vec![29, 29]),
        ("192.0.2.1", false, vec![2, 50]),
        ("2001:db8::/64", false, vec![2, 50]),
    ];
    assert_eq!((rows(&top), top.other_sources), (expected.to_vec(), 2));
    assert_eq!(top.limits[1], TopLimit { name: "60/1m".to_owned(), attempts: 60 });
    assert_eq!((top.sources[0].rate, top.sources[0].verified.as_str()), (1.23, "no"));
}

#[test]
fn an_episode_tells_what_is_known_of_its_source_also_when_that_is_quiet() {
    let mut alert = start();
    alert.verified = Proof::Wire;
    (alert.blocked, alert.block_ends) =
        (Some(Duration::from_secs(60)), Some(at(0).after(Duration::from_secs(59))));
    alert.about.name = Some(Arc::from("host.example"));
    (alert.about.system, alert.about.organisation) = (Some(64_496), Some(Arc::from("Example")));
    let open = OpenEpisodes { reports: vec![alert], others: 0 };
    let top = top_watch(&watch(vec![found("192.0.2.1/32", [29, 29])], 1), &open, at(0));
    assert_eq!(rows(&top), [("49.212.10.42", true, vec![0, 0]), ("192.0.2.1", false, vec![29, 29])]);
    let TopSource { verified, blocked, host, asn, .. } = &top.sources[0];
    assert_eq!((verified.as_str(), *blocked), ("wire", Some(59)));
    assert_eq!((host.as_deref(), asn.as_deref()), (Some("host.example"), Some("AS64496 Example")));
    // Another watch of that source, and a network with the same name.
    let other = FoundWatch { name: Arc::from("web"), ..watch(vec![found("49.212.10.42/32", [1, 1])], 1) };
    assert_eq!(rows(&top_watch(&other, &open, at(0))), [("49.212.10.42", false, vec![1, 1])]);
}

#[test]
fn a_flag_counts_as_over_where_not_all_episodes_are_listed() {
    let flagged = FoundSource { is_flagged: true, ..found("192.0.2.1/32", [1, 1]) };
    for (others, over) in [(0, false), (1, true)] {
        let open = OpenEpisodes { reports: Vec::new(), others };
        let top = top_watch(&watch(vec![flagged.clone()], 1), &open, at(0));
        assert_eq!(rows(&top), [("192.0.2.1", over, vec![1, 1])]);
    }
}

#[test]
fn the_snapshot_has_the_counters_of_the_last_heartbeat() {
    let interfaces = Interfaces::default();
    for name in ["eth1", "eth0", "eth1"] {
        let origin = Origin::Interface(Arc::from(name));
        interfaces.add(Interface { origin, link: LinkType(1) });
    }
    let state = State::new(interfaces, None, Deliveries::default(), None, None);
    let mut feed = state.feed();
    let mut became = OutcomeCounts::default();
    for (outcome, attempts) in
        [(Outcome::Silent, 5), (Outcome::Spoke, 2), (Outcome::Unanswered, 1), (Outcome::Unknown, 9)]
    {
        became.set(outcome, attempts);
    }
    let losses = Losses { kernel: 1, interface: 2, crossings: 3, evictions: 4 };
    let stats = Stats { attempts: 42, episodes: 3, losses, ..Stats::default() };
    let watches = vec![("mail".into(), WatchStats { became, ..WatchStats::default() })];
    feed.heartbeat(&Heartbeat { stats, watches, now: Some((at(0), Ticks(1))), ..Heartbeat::default() });
    feed.open(&Arc::new(OpenEpisodes { reports: vec![start(), start()], others: 5 }));
    let top = snapshot(&state, &Found::at_once(&state), &state.episodes(), &Zone::utc());
    assert!(top.timestamp.starts_with("2013-11-25T06:11:3"), "{}", top.timestamp);
    assert_eq!(top.interfaces, ["eth1", "eth0"]);
    assert_eq!((top.attempts_per_second, top.history), (42, vec![42]));
    assert_eq!((top.answered, top.lost, top.episodes_opened), (Some(87.5), 10, 3));
    let outcomes: Vec<_> = top.outcomes.iter().map(|of| (of.outcome.as_str(), of.attempts)).collect();
    assert_eq!(outcomes, [("unknown", 9), ("silent", 5), ("spoke", 2), ("unanswered", 1)]);
    assert_eq!((top.episodes.len(), top.other_episodes), (2, 5));
    let TopEpisode { subject, watch, limit, ended, attempts, peak, .. } = &top.episodes[0];
    let told = (subject.as_str(), watch.as_str(), limit.as_str(), *ended, *attempts, *peak);
    assert_eq!(told, ("49.212.10.42", "mail", "30/10s", false, 30, 5.05));
}

#[test]
fn the_end_of_a_replay_keeps_the_episodes_that_ended_and_the_last_second() {
    let state = State::new(Interfaces::default(), None, Deliveries::default(), None, Some(Speed::new(1.0)));
    let mut feed = state.feed();
    state.begin(at(370));
    feed.alert(&start());
    feed.alert(&end());
    let heartbeat = |time, attempts| Heartbeat {
        stats: Stats { attempts, ..Stats::default() },
        now: Some((time, Ticks(1))),
        ..Heartbeat::default()
    };
    feed.heartbeat(&heartbeat(at(370), 3));
    feed.heartbeat(&heartbeat(at(2_370), 5));
    assert_eq!(state.history(), (vec![3, 0], 0));
    state.keep_last(&Zone::utc());
    let top = state.last().unwrap();
    assert_eq!((top.history.as_slice(), top.attempts_per_second), ([3, 0, 2].as_slice(), 0));
    assert_eq!((top.episodes.len(), top.episodes[0].ended), (1, true));
    assert!(top.uptime >= 2.0, "{}", top.uptime);
}

#[test]
fn a_client_gets_as_much_as_it_wants_and_the_number_of_the_rest() {
    let sources = (1..=3).map(|n| found(&format!("192.0.2.{n}/32"), [n, n])).collect();
    let open = OpenEpisodes::default();
    let episode = |ended| TopEpisode { ended, ..TopEpisode::default() };
    let top = TopSnapshot {
        watches: vec![top_watch(&watch(sources, 4), &open, at(0))],
        episodes: vec![episode(false), episode(false), episode(false), episode(true)],
        other_episodes: 1,
        ..TopSnapshot::default()
    };
    for (limit, sources, episodes) in
        [(1, (1, 3), (1, 3)), (2, (2, 2), (2, 2)), (3, (3, 1), (3, 1)), (4, (3, 1), (4, 1))]
    {
        let cut = cut(&top, Top { limit, every: None });
        assert_eq!((cut.watches[0].sources.len(), cut.watches[0].other_sources), sources, "{limit}");
        assert_eq!((cut.episodes.len(), cut.other_episodes), episodes, "{limit}");
    }
}
