//! What people may ask of the blocker. What the firewall makes of it is in `tests/live`.

use super::*;

use std::sync::mpsc::channel;

use crate::act::block::by_hand::Person;
use crate::act::block::guard::Looked;
use crate::act::block::protected::{Allowed, Protected};
use crate::act::block::sample::{HOUR, bounds};
use crate::report::ActionCounts;

const BY: Requester = Requester::Person(Person { uid: 0, pid: 4321 });

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn held(network: &str) -> Blocked {
    Blocked { target: Target::source(net(network)), time: Some(HOUR), left: Some(HOUR) }
}

/// A blocker that may block two sources, and nothing in 198.51.100.0/24.
fn blocker() -> (Blocker, ActionCounts) {
    let counts = ActionCounts::default();
    let protected = Protected::new(vec![(net("198.51.100.1/32"), "a gateway of this host")]);
    let (_, blocker) = Blocker::dry(bounds(2), protected, counts.clone());
    (blocker, counts)
}

/// Why it is not blocked where these are.
fn refused(network: &str, time: Duration, all: &[Blocked]) -> Option<(&'static str, String)> {
    let (blocker, _) = blocker();
    let checked = blocker.check_by_hand(&Target::source(net(network)), time, all);
    checked.err().map(|NotDone { code, why }| (code, why))
}

#[test]
fn a_stranger_is_blocked_and_what_must_be_reached_is_not() {
    assert_eq!(refused("192.0.2.7/32", HOUR, &[]), None);
    assert_eq!(refused("2001:db8::/64", HOUR, &[]), None);
    for (network, time, why) in [
        (
            "198.51.100.1/32",
            HOUR,
            "198.51.100.1 is not blocked: it is, or holds, what must be reached (198.51.100.1, a gateway of this host)",
        ),
        (
            "198.51.100.0/24",
            HOUR,
            "198.51.100.0/24 is not blocked: it is, or holds, what must be reached (198.51.100.1, a gateway of this host)",
        ),
        (
            "127.0.0.1/32",
            HOUR,
            "127.0.0.1 is not blocked: network 127.0.0.1/32: loopback addresses (127.0.0.0/8) are never blocked",
        ),
        (
            "192.0.0.0/15",
            HOUR,
            "192.0.0.0/15 is not blocked: network 192.0.0.0/15: shorter than /16, the shortest prefix that is blocked",
        ),
        (
            "192.0.2.7/32",
            Duration::from_secs(604_801),
            "192.0.2.7 is not blocked: time 604801s: longer than 7d, the longest block",
        ),
    ] {
        assert_eq!(refused(network, time, &[]), Some((NotDone::REFUSED, why.to_owned())), "{network}");
    }
}

#[test]
fn as_many_are_blocked_as_may_be_and_what_is_replaced_makes_room() {
    let (one, other) = (held("192.0.2.1/32"), held("192.0.2.2/32"));
    assert_eq!(refused("192.0.2.7/32", HOUR, &[one]), None);
    let full = "192.0.2.7 is not blocked: as many are as may be (2; --max-blocks)".to_owned();
    assert_eq!(refused("192.0.2.7/32", HOUR, &[one, other]), Some((NotDone::FULL, full)));
    for replaced in ["192.0.2.1/32", "192.0.2.0/24"] {
        assert_eq!(refused(replaced, HOUR, &[one, other]), None, "{replaced}");
    }
    let around = held("192.0.2.0/24");
    let why =
        "192.0.2.7 is not blocked: it is in 192.0.2.0/24, which is blocked already (unblock that first)";
    assert_eq!(refused("192.0.2.7/32", HOUR, &[around]), Some((NotDone::REFUSED, why.to_owned())));
}

#[test]
fn refusals_are_counted_by_their_reasons() {
    use crate::report::Reason as Counted;
    let (blocker, counts) = blocker();
    let check = |network: &str, all: &[Blocked]| {
        let _ = blocker.check_by_hand(&Target::source(net(network)), HOUR, all);
    };
    check("198.51.100.1/32", &[]);
    check("127.0.0.1/32", &[]);
    check("192.0.2.7/32", &[held("192.0.2.1/32"), held("192.0.2.2/32")]);
    for reason in [Counted::Protected, Counted::Never, Counted::Full] {
        assert_eq!(counts.refused(reason).get(), 1, "{reason:?}");
    }
}

#[test]
fn a_run_that_blocks_nothing_says_so() {
    let (mut blocker, counts) = blocker();
    let network = net("192.0.2.7/32");
    for wish in [
        Wish::List,
        Wish::Block { network, time: None, by: BY },
        Wish::Unblock { network: Some(network), by: BY },
        Wish::Unblock { network: None, by: BY },
    ] {
        let (answers, answer) = channel();
        blocker.serve(Asked { wish, answer: Box::new(move |done| answers.send(done).unwrap()) });
        let off = NotDone::new(NotDone::OFF, "this run blocks nothing (--block dry-run)");
        assert_eq!(answer.recv().unwrap(), Err(off));
    }
    assert_eq!(counts.blocked_by_hand.get() + counts.unblocked_by_hand.get(), 0);
}

#[test]
fn what_is_allowed_is_freed_before_that_is_answered() {
    let allowed = Allowed::default();
    let (_, mut blocker) =
        Blocker::dry(bounds(2), Protected::of_this_host(allowed.clone()), ActionCounts::default());
    let target = Target::source(net("203.0.113.7/32"));
    let now = capture::now();
    blocker.policy.note(&Order { target, time: HOUR, replaces: Vec::new() }, now);
    blocker.blocks.add(target, Reason::Hand, (HOUR, HOUR), now);
    allowed.set([net("203.0.113.0/24")].into_iter().collect());
    for freed in [vec![target], vec![]] {
        assert_eq!(blocker.fulfil(Wish::HeedAllowed), Ok(Done::Unblocked(freed)));
        assert_eq!(blocker.blocks.known(&target), None);
    }
}

#[test]
fn what_a_person_has_unblocked_before_is_not_freed_again() {
    let allowed = Allowed::default();
    let (_, mut blocker) =
        Blocker::dry(bounds(2), Protected::of_this_host(allowed.clone()), ActionCounts::default());
    let (target, now) = (Target::source(net("203.0.113.7/32")), capture::now());
    blocker.policy.note(&Order { target, time: HOUR, replaces: Vec::new() }, now);
    blocker.policy.unblock(&target);
    allowed.set([net("203.0.113.0/24")].into_iter().collect());
    assert_eq!(blocker.fulfil(Wish::HeedAllowed), Ok(Done::Unblocked(Vec::new())));
    assert_eq!(blocker.policy.end(&target), None, "it may be blocked when it is allowed no more");
}

#[test]
fn a_block_is_told_as_it_began_and_a_strange_one_as_the_firewall_tells_it() {
    let (blocker, _) = blocker();
    let now = capture::now();
    let minute = Duration::from_secs(60);
    let one = Blocked { left: Some(HOUR - minute), ..held("192.0.2.1/32") };
    let began = now.before(minute);
    let known = began.after(Duration::from_millis(7));
    blocker.blocks.add(one.target, Reason::Hand, (HOUR, HOUR), known);
    let standing = blocker.standing(&one, now);
    assert_eq!((standing.since, standing.reason), (Some(known), Some(Reason::Hand)));
    assert_eq!((standing.left, standing.is_effective), (one.left, Some(true)));
    let other = Blocked { target: Target::source(net("192.0.2.2/32")), ..one };
    let standing = blocker.standing(&other, now);
    assert_eq!((standing.since, standing.reason), (Some(began), Some(Reason::Found)));
    assert_eq!(standing.is_effective, None);
}

#[test]
fn what_the_fleet_lists_again_stands_and_another_time_does_not() {
    let all = [held("192.0.2.1/32")];
    let seconds = Duration::from_secs;
    for (network, time, is_there) in [
        ("192.0.2.1/32", HOUR, true),
        ("192.0.2.1/32", HOUR - seconds(2), true),
        ("192.0.2.1/32", HOUR + seconds(3), false),
        ("192.0.2.1/32", seconds(600), false),
        ("192.0.2.0/24", HOUR, false),
    ] {
        assert_eq!(stands(&all, &Target::source(net(network)), time), is_there, "{network} {time:?}");
    }
}

#[test]
fn the_fleet_unblocks_what_was_blocked_before_and_nothing_else() {
    let (blocker, _) = blocker();
    let now = capture::now();
    let minutes = |minutes: u64| now.before(Duration::from_secs(60 * minutes));
    let one = Blocked { left: Some(HOUR - Duration::from_secs(600)), ..held("192.0.2.1/32") };
    let all = |network: &str, before| blocker.is_older(&one, &[(net(network), before)], now);
    for (network, before, is_older) in [
        ("192.0.2.1/32", minutes(9), true),
        ("192.0.2.1/32", minutes(11), false),
        ("0.0.0.0/0", minutes(9), true),
        ("0.0.0.0/0", minutes(11), false),
        ("192.0.2.2/32", minutes(9), false),
        ("::/0", minutes(9), false),
    ] {
        assert_eq!(all(network, before), is_older, "{network}");
    }
    assert!(!blocker.is_older(&Blocked { time: None, left: None, ..one }, &[(net("0.0.0.0/0"), now)], now));
}

#[test]
fn what_the_firewall_says_is_over_is_blocked_no_more() {
    let (mut blocker, _) = blocker();
    let (target, now) = (Target::source(net("192.0.2.7/32")), capture::now());
    // The clock was set back by a day since.
    let then = now.after(24 * HOUR);
    blocker.policy.note(&Order { target, time: HOUR, replaces: Vec::new() }, then);
    blocker.blocks.add(target, Reason::Hand, (HOUR, HOUR), then);
    let looked = Looked { over: vec![target], ..Looked::default() };
    blocker.note(&looked, &[], now);
    assert_eq!((blocker.policy.end(&target), blocker.blocks.known(&target)), (None, None));
}
