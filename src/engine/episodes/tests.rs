//! Episodes with limit hits and times made by hand.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::*;
use crate::engine::clock::Ticks;
use crate::engine::event::Attempt;
use crate::engine::outcome::{ConnSummary, Outcome, OutcomeCounts, Proof};
use crate::engine::subject::{Kind, Source};
use crate::wire::packet::InterfaceId;

/// Maximum expected reports. Episodes with more would report without end.
const TOO_MANY: usize = 100;

/// The reports of an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Start,
    Update,
    End(Ended),
}

/// Collects the reports of each episode with their times. While it is full, it accepts nothing.
#[derive(Default)]
struct Reports {
    all: RefCell<Vec<(u64, Timestamp, Told)>>,
    is_full: bool,
}

impl Reports {
    fn take(&self, event: Event) -> bool {
        if self.is_full {
            return false;
        }
        let (snapshot, told) = match event {
            Event::Opened(opening) => (opening.snapshot, Told::Start),
            Event::Updated(snapshot) => (snapshot, Told::Update),
            Event::Verified(verified) => (verified.snapshot, Told::Update),
            Event::Ended(snapshot, ended) => (snapshot, Told::End(ended)),
            other => panic!("{other:?}"),
        };
        self.all.borrow_mut().push((snapshot.episode, snapshot.time, told));
        true
    }

    fn told(&self) -> Vec<(Timestamp, Told)> {
        self.all.borrow().iter().map(|(_, time, told)| (*time, *told)).collect()
    }
}

/// Episodes under one limit.
fn episodes(limit: &str, max_episodes: usize) -> Episodes {
    let (update, quiet_time) = (Duration::from_secs(60), Duration::from_secs(60));
    let rules = Rules { is_live: false, update, max_episodes, stats_interval: None };
    let limits = vec![limit.parse().unwrap()];
    let watches = vec![Watched { number: 0, name: "mail".into(), signature: 1, limits, quiet_time }];
    Episodes::new(rules, watches).unwrap()
}

/// One attempt that met a limit at once.
fn limit_hit(time: Timestamp) -> LimitHit {
    let [src, dst] = [[192, 0, 2, 66], [192, 0, 2, 25]].map(IpAddr::from);
    let attempt = Attempt {
        key: Key { watch: 0, kind: Kind::Source, source: Source(src.into()), tag: 1 },
        src_hash: 1,
        dst_hash: 2,
        time,
        src,
        src_port: 40_000,
        dst,
        dst_port: 25,
        interface: InterfaceId::default(),
    };
    LimitHit {
        attempt,
        limit: 0,
        first: time,
        span: 0,
        ports: [25].into_iter().collect(),
        outcomes: OutcomeCounts::default(),
        verified: Proof::None,
        provers: Box::default(),
        bytes: (0, 0),
        hosts: None,
        since: Ticks(7),
        before: Box::default(),
        gateways: Default::default(),
    }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::default().after(Duration::from_secs(seconds))
}

/// The same of another source.
fn of(n: u8, time: Timestamp) -> LimitHit {
    let mut hit = limit_hit(time);
    let src = IpAddr::from([198, 51, 100, n]);
    (hit.attempt.src, hit.attempt.key.source) = (src, Source(src.into()));
    hit.attempt.key.tag = crate::base::hash::Key::fixed().address(src);
    hit
}

#[test]
fn what_an_episode_and_an_event_take_is_known() {
    assert!(size_of::<Episode>() <= 1472, "what docs/bounds.md says");
    assert!(size_of::<Event>() <= 1112, "the channel has room for 4,096: 4.6 MB");
}

#[test]
fn reports_at_the_end_of_time_come_to_an_end() {
    let last = Timestamp::MAX;
    for start in [last, last.before(Duration::from_secs(50))] {
        let reports = Reports::default();
        let send = |event| {
            assert!(reports.all.borrow().len() < TOO_MANY, "no end of reports");
            reports.take(event)
        };
        let mut episodes = episodes("1/1s", 8);
        assert_eq!(episodes.start(limit_hit(start), &send), Opened::Yes);
        episodes.tick(last, Losses::default(), &send);
        episodes.end(Some(last), Losses::default(), &send);
        assert_eq!(reports.told(), [(start, Told::Start), (last, Told::End(Ended::Capture))]);
    }
}

#[test]
fn what_becomes_of_an_attempt_before_the_episode_is_not_told_to_it() {
    let mut episodes = episodes("1/1s", 8);
    let limit_hit = limit_hit(at(0));
    let (key, since) = (limit_hit.attempt.key, limit_hit.since.0);
    episodes.start(limit_hit, &|_| true);
    let refused = ConnSummary { outcome: Outcome::Refused, ..ConnSummary::default() };
    let episode = episodes.of(&key).unwrap();
    episode.change(Ticks(since), ConnSummary::default(), refused);
    episode.change(Ticks(since - 1), ConnSummary::default(), refused);
    let outcomes = episode.snapshot(at(0), &Losses::default()).outcomes;
    assert_eq!(outcomes.count(Outcome::Refused), 1);
}

#[test]
fn what_the_channel_has_no_room_for_is_told_at_the_next_second() {
    let mut reports = Reports::default();
    let mut episodes = episodes("1/1s", 8);
    assert_eq!(episodes.start(limit_hit(at(0)), &|event| reports.take(event)), Opened::Yes);
    let episode = episodes.get(1, |_| true).unwrap();
    episode.meet(at(30), None);
    episode.verify(Proof::Yes);
    reports.is_full = true;
    let key = limit_hit(at(0)).attempt.key;
    episodes.tell_verified(&key, at(31), Box::default(), &|event| reports.take(event));
    episodes.tick(at(61), Losses::default(), &|event| reports.take(event));
    assert_eq!(episodes.start(of(1, at(61)), &|event| reports.take(event)), Opened::Dropped);
    episodes.tick(at(120), Losses::default(), &|event| reports.take(event));
    assert_eq!((episodes.open(), episodes.opened()), (1, 1));
    reports.is_full = false;
    episodes.tick(at(121), Losses::default(), &|event| reports.take(event));
    let expected = [(at(0), Told::Start), (at(60), Told::Update), (at(90), Told::End(Ended::Quiet))];
    assert_eq!(reports.told(), expected);
    assert_eq!(episodes.open(), 0);
}

#[test]
fn a_place_that_is_used_again_is_that_of_the_new_episode_alone() {
    let reports = Reports::default();
    let send = |event| reports.take(event);
    let mut episodes = episodes("1/1s", 2);
    for n in 0..20 {
        let time = at(100 * u64::from(n));
        episodes.advance(time, &send);
        assert_eq!(episodes.start(of(n, time), &send), Opened::Yes);
        assert_eq!(episodes.open(), 1);
        assert_eq!(episodes.of(&of(n, time).attempt.key).map(|it| it.number()), Some(n.into()));
        assert!(n == 0 || episodes.of(&of(n - 1, time).attempt.key).is_none());
    }
    assert_eq!(episodes.all.len(), 1);
    episodes.end(Some(at(1_910)), Losses::default(), &send);
    let each =
        |n: u64| [Told::Start, if n < 19 { Told::End(Ended::Quiet) } else { Told::End(Ended::Capture) }];
    let of_each = |n: u64| {
        let all = reports.all.borrow();
        all.iter().filter(|(number, ..)| *number == n).map(|(.., told)| *told).collect::<Vec<_>>()
    };
    (0..20).for_each(|n| assert_eq!(of_each(n), each(n), "episode {n}"));
}

#[test]
fn more_episodes_may_be_open_after_a_reload_and_those_of_watches_that_are_gone_end() {
    let reports = Reports::default();
    let send = |event| reports.take(event);
    let mut episodes = episodes("1/1s", 2);
    (0..2).for_each(|n| assert_eq!(episodes.start(of(n, at(0)), &send), Opened::Yes));
    assert_eq!(episodes.start(of(2, at(0)), &send), Opened::Refused);
    let rules = Rules { max_episodes: 100, ..episodes.rules.clone() };
    episodes.reload(Some(at(1)), &Reload { rules, watches: episodes.watches.clone() }, &send);
    (2..100).for_each(|n| assert_eq!(episodes.start(of(n, at(1)), &send), Opened::Yes));
    assert!((0..100).all(|n| episodes.of(&of(n, at(1)).attempt.key).is_some()));
    assert_eq!(episodes.start(of(100, at(1)), &send), Opened::Refused);
    episodes.reload(Some(at(2)), &Reload { rules: episodes.rules.clone(), watches: Vec::new() }, &send);
    assert_eq!(episodes.open(), 0);
    let ended: Vec<_> = reports.all.borrow()[100..].iter().map(|(n, _, told)| (*n, *told)).collect();
    assert_eq!(ended, (0..100).map(|n| (n, Told::End(Ended::Reload))).collect::<Vec<_>>());
}

#[test]
fn a_flood_from_43_000_forged_sources_leaves_every_report_of_a_real_one_in_place() {
    const REAL: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 66));
    const HALF_OPEN: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 99));
    // 14 Mbit/s: 786 sources a second meet their limit of 30 and are silent from then on; 4,096 episodes may be open.
    let reports = Reports::default();
    let numbers = RefCell::new(Vec::new());
    let send = |event: Event| {
        if let Event::Opened(opening) = &event {
            if [REAL, HALF_OPEN].contains(&opening.attempt.src) {
                numbers.borrow_mut().push((opening.attempt.src, opening.snapshot.episode));
            }
        }
        reports.take(event)
    };
    let mut episodes = episodes("30/10s", 4_096);
    let by = |src: IpAddr, micros: u64, proofs: u64| {
        let mut limit_hit = limit_hit(Timestamp::default().after(Duration::from_micros(micros)));
        let tag = crate::base::hash::Key::fixed().address(src);
        limit_hit.attempt.key = Key { source: Source(src.into()), tag, ..limit_hit.attempt.key };
        limit_hit.attempt.src = src;
        limit_hit.outcomes.proofs = proofs;
        limit_hit
    };
    // As the counting stage does it.
    let meet = |episodes: &mut Episodes, limit_hit: LimitHit| {
        episodes.advance(limit_hit.attempt.time, &send);
        match episodes.of(&limit_hit.attempt.key) {
            Some(episode) => episode.count(&limit_hit.attempt.sight(), None, true),
            None => drop(episodes.start(limit_hit, &send)),
        }
    };
    let (mut verified, pause) = (false, 1_272);
    for n in 0..43_000_u64 {
        let micros = n * pause;
        let time = Timestamp::default().after(Duration::from_micros(micros));
        if n % 786 == 0 {
            episodes.tick(time, Losses::default(), &send);
        }
        let forged = Ipv6Addr::from(0x2001_0db8 << 96 | u128::from(n) << 80);
        meet(&mut episodes, by(forged.into(), micros, 0));
        // Five connections a second, and a hundred attempts a second that prove nothing.
        if micros > 20_000_000 && n % 157 == 0 {
            meet(&mut episodes, by(REAL, micros, 29));
            if !std::mem::replace(&mut verified, true) {
                let key = by(REAL, micros, 29).attempt.key;
                assert!(episodes.of(&key).unwrap().verify(Proof::Yes));
                episodes.tell_verified(&key, time, Box::default(), &send);
            }
        }
        if micros > 20_000_000 && n % 8 == 0 {
            meet(&mut episodes, by(HALF_OPEN, micros, 0));
        }
    }
    episodes.end(Some(at(55)), Losses::default(), &send);
    let of = |src| {
        let numbers = numbers.borrow();
        let is_its = |number: u64| numbers.contains(&(src, number));
        let all = reports.all.borrow();
        all.iter().filter(|(number, ..)| is_its(*number)).map(|(.., told)| *told).collect::<Vec<_>>()
    };
    assert_eq!(of(REAL), [Told::Start, Told::Update, Told::End(Ended::Capture)]);
    assert_eq!(of(HALF_OPEN), [Told::Start, Told::End(Ended::Capture)]);
}

#[test]
fn open_episodes_are_listed_in_the_order_in_which_they_began_and_the_rest_counted() {
    let (reports, mut episodes) = (Reports::default(), episodes("1/1s", 8));
    let at = |second| Timestamp::default().after(Duration::from_secs(second));
    let send = |event| reports.take(event);
    for number in 0..4_u8 {
        let mut limit_hit = limit_hit(at(u64::from(number) * 30));
        limit_hit.attempt.key.source = Source(IpAddr::from([192, 0, 2, number]).into());
        limit_hit.attempt.key.tag = number.into();
        assert_eq!(episodes.start(limit_hit, &send), Opened::Yes);
        episodes.tick(at(u64::from(number) * 30 + 1), Losses::default(), &send);
    }
    // The first two have ended by then, and the last one has the place of the first.
    let listed = |most| {
        let (listed, others) = episodes.list(most);
        (listed.iter().map(|snapshot| (snapshot.episode, snapshot.time)).collect::<Vec<_>>(), others)
    };
    assert_eq!(listed(8), ([2, 3].map(|episode| (episode, at(91))).to_vec(), 0));
    assert_eq!((listed(1).0.len(), listed(1).1), (1, 1));
    assert_eq!(listed(0), (Vec::new(), 2));
}
