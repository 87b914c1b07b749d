use super::*;

use ipnet::IpNet;

use crate::act::block::history::MOST_REMEMBERED;
use crate::act::block::sample::{HOUR, bounds, proven, report};
use crate::detect::alert::{Ended, State};
use crate::engine::outcome::Proof;
use crate::engine::subject::Kind;
use crate::report::sample::at;

fn policy(most: usize) -> Policy {
    Policy::new(bounds(most))
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

/// Judges a report and records the block; returns its duration.
fn block(policy: &mut Policy, alert: &Alert) -> Result<Duration, Refusal> {
    let targets = policy.targets(alert, &Protected::default())?;
    let [target] = targets[..] else { panic!("one target of {targets:?}") };
    let order = policy.judge(&target, alert.time, &Protected::default())?;
    policy.note(&order, alert.time);
    Ok(order.time)
}

#[test]
fn a_verified_source_is_blocked_once_at_a_time() {
    let mut policy = policy(10);
    assert_eq!(block(&mut policy, &report("192.0.2.1/32", 0)), Ok(HOUR));
    assert_eq!(block(&mut policy, &report("192.0.2.1/32", 3_599)), Err(Refusal::Blocked));
    assert_eq!(block(&mut policy, &report("192.0.2.2/32", 0)), Ok(HOUR), "another one is another one");
}

#[test]
fn one_that_may_be_forged_is_not_blocked_unless_that_is_wanted() {
    let mut forged = report("192.0.2.1/32", 0);
    forged.verified = Proof::None;
    assert_eq!(block(&mut policy(10), &forged), Err(Refusal::Nothing));
    let mut careless = Policy::new(Bounds { unverified: true, ..bounds(10) });
    assert_eq!(block(&mut careless, &forged), Ok(HOUR));
}

#[test]
fn one_that_is_verified_by_link_layer_addresses_alone_is_blocked_only_if_that_is_wanted() {
    let alert = Alert { verified: Proof::Wire, ..report("192.0.2.1/32", 0) };
    assert_eq!(block(&mut policy(10), &alert), Err(Refusal::Nothing));
    assert_eq!(block(&mut Policy::new(Bounds { wire: true, ..bounds(10) }), &alert), Ok(HOUR));
}

#[test]
fn a_pair_is_blocked_beside_others_of_its_host_and_not_beside_all_that_it_sends() {
    let mut policy = policy(40);
    let judge = |policy: &mut Policy, target: Target| {
        let order = policy.judge(&target, at(0), &Protected::default())?;
        policy.note(&order, at(0));
        Ok::<_, Refusal>(())
    };
    let pair = |dst: &str| Target::pair("192.0.2.1".parse().unwrap(), dst.parse().unwrap());
    assert_eq!(judge(&mut policy, pair("192.0.2.25")), Ok(()));
    assert_eq!(judge(&mut policy, pair("192.0.2.25")), Err(Refusal::Blocked));
    assert_eq!(judge(&mut policy, pair("192.0.2.26")), Ok(()));
    assert_eq!(judge(&mut policy, Target::source(net("192.0.2.1/32"))), Ok(()));
    assert_eq!(judge(&mut policy, pair("192.0.2.27")), Err(Refusal::Blocked));
}

#[test]
fn one_neighbourhood_takes_a_quarter_of_what_may_be_blocked() {
    for (near, far) in [("192.0.2.", "198.51.100.1/32"), ("2001:db8::", "2001:db8:1::1/128")] {
        let mut policy = policy(12);
        let longest = if near.contains(':') { 128 } else { 32 };
        let blocked: Vec<_> = (1..=4)
            .map(|n| block(&mut policy, &report(&format!("{near}{n}/{longest}"), 0)).is_ok())
            .collect();
        assert_eq!(blocked, [true, true, true, false]);
        assert_eq!(block(&mut policy, &report(&format!("{near}9/{longest}"), 0)), Err(Refusal::Crowded));
        assert_eq!(block(&mut policy, &report(far, 0)), Ok(HOUR));
    }
}

#[test]
fn what_is_over_and_what_has_no_source_is_not_blocked() {
    let over = Alert { state: State::End(Ended::Quiet), ..report("192.0.2.1/32", 0) };
    let destination = Alert { kind: Kind::Destination(25), ..report("192.0.2.1/32", 0) };
    for alert in [over, destination] {
        assert_eq!(block(&mut policy(10), &alert), Err(Refusal::Nothing));
    }
}

#[test]
fn each_time_is_twice_as_long_up_to_a_day() {
    let mut policy = policy(10);
    let mut now = 0;
    for hours in [1, 2, 4, 8, 16, 24, 24] {
        assert_eq!(block(&mut policy, &report("192.0.2.1/32", now)), Ok(hours * HOUR));
        now += i64::from(hours) * 3_600;
    }
    assert_eq!(block(&mut policy, &report("192.0.2.1/32", now + 86_399)), Ok(24 * HOUR));
    now += 86_399 + 86_400;
    assert_eq!(block(&mut policy, &report("192.0.2.1/32", now + 86_400)), Ok(HOUR), "it is forgotten");
}

#[test]
fn a_longer_time_than_a_day_stays_what_it_is() {
    let mut policy = Policy::new(Bounds { time: 48 * HOUR, ..bounds(10) });
    assert_eq!(block(&mut policy, &report("192.0.2.1/32", 0)), Ok(48 * HOUR));
    assert_eq!(block(&mut policy, &report("192.0.2.1/32", 48 * 3_600)), Ok(48 * HOUR));
}

#[test]
fn a_network_replaces_its_hosts_and_covers_them() {
    let mut policy = Policy::new(Bounds { networks: true, ..bounds(8) });
    for host in ["192.0.2.1/32", "192.0.2.2/32"] {
        assert_eq!(block(&mut policy, &report(host, 0)), Ok(HOUR));
    }
    let network = Alert { kind: Kind::Network, ..report("192.0.2.0/24", 1) };
    assert_eq!(block(&mut policy, &network), Ok(HOUR), "it takes the room of two");
    assert_eq!(block(&mut policy, &report("192.0.2.3/32", 2)), Err(Refusal::Blocked));
    for other in 0..7 {
        assert_eq!(block(&mut policy, &report(&format!("198.51.{other}.1/32"), 2)), Ok(HOUR));
    }
    assert_eq!(block(&mut policy, &report("198.51.100.2/32", 2)), Err(Refusal::Full));
}

#[test]
fn overlapping_blocks_are_returned_until_a_firewall_has_forgotten_them() {
    let replaced = |policy: &mut Policy, source: &str, seconds: i64| {
        let (target, now) = (Target::source(net(source)), at(seconds * 1_000));
        let order = policy.judge(&target, now, &Protected::default()).unwrap();
        order.replaces.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let mut policy = Policy::new(Bounds { networks: true, ..bounds(10) });
    for (host, seconds) in [("192.0.2.9/32", 0), ("192.0.2.1/32", 1_800), ("198.51.100.1/32", 1_800)] {
        assert_eq!(replaced(&mut policy, host, seconds), Vec::<String>::new());
        assert_eq!(block(&mut policy, &report(host, seconds)), Ok(HOUR));
    }
    assert_eq!(replaced(&mut policy, "192.0.2.0/24", 3_599), ["192.0.2.1", "192.0.2.9"]);
    assert_eq!(replaced(&mut policy, "192.0.2.9/32", 3_600), ["192.0.2.9"], "it may be late");
    assert_eq!(replaced(&mut policy, "192.0.2.0/24", 3_660), ["192.0.2.1"]);
    assert_eq!(block(&mut policy, &report("192.0.2.0/24", 3_660)), Ok(HOUR));
    assert_eq!(replaced(&mut policy, "192.0.2.1/32", 7_260), ["192.0.2.0/24"]);
}

#[test]
fn a_slash64_of_which_a_host_is_blocked_is_not_blocked_as_a_whole() {
    let mut policy = policy(40);
    let report = |hosts: &[(&str, u32)], seconds| {
        let provers = hosts.iter().map(|(host, made)| proven(host, "2001:db8:25::25", *made));
        Alert { provers: provers.collect(), ..report("2001:db8:66::/64", seconds) }
    };
    let (attacker, client) = (("2001:db8:66::66", 28), ("2001:db8:66::10", 2));
    assert_eq!(block(&mut policy, &report(&[attacker, client], 0)), Ok(HOUR));
    assert_eq!(block(&mut policy, &report(&[attacker], 1)), Err(Refusal::Blocked), "the client is silent");
    let next = report(&[("2001:db8:66::67", 30)], 2);
    let host = [Target::source(net("2001:db8:66::67/128"))];
    assert_eq!(policy.targets(&next, &Protected::default()).as_deref(), Ok(&host[..]));
    let later = report(&[attacker], 3_600);
    let whole = [Target::source(net("2001:db8:66::/64"))];
    assert_eq!(policy.targets(&later, &Protected::default()).as_deref(), Ok(&whole[..]));
}

#[test]
fn room_comes_back_when_a_block_ends() {
    let mut policy = policy(1);
    assert_eq!(block(&mut policy, &report("192.0.2.1/32", 0)), Ok(HOUR));
    assert_eq!(block(&mut policy, &report("192.0.2.2/32", 3_599)), Err(Refusal::Full));
    assert_eq!(block(&mut policy, &report("192.0.2.2/32", 3_600)), Ok(HOUR));
}

#[test]
fn blocks_of_an_earlier_run_go_on_and_are_doubled() {
    let held = |network: &str, time: Option<u32>| Blocked {
        target: Target::source(net(network)),
        time: time.map(|hours| hours * HOUR),
        left: time.map(|_| Duration::from_secs(60)),
    };
    let mut policy = policy(8);
    for other in 0..5 {
        policy.adopt(&held(&format!("203.0.{other}.1/32"), None), at(0));
    }
    policy.adopt(&held("192.0.2.1/32", Some(4)), at(0));
    policy.adopt(&held("192.0.2.2/32", Some(24)), at(0));
    policy.adopt(&held("198.51.100.0/24", None), at(0));
    assert_eq!(block(&mut policy, &report("192.0.2.1/32", 59)), Err(Refusal::Blocked));
    assert_eq!(block(&mut policy, &report("192.0.2.3/32", 59)), Err(Refusal::Full));
    assert_eq!(block(&mut policy, &report("192.0.2.1/32", 60)), Ok(8 * HOUR));
    assert_eq!(block(&mut policy, &report("192.0.2.2/32", 60)), Ok(24 * HOUR));
    let years = 100 * 365 * 86_400;
    assert_eq!(block(&mut policy, &report("198.51.100.7/32", years)), Err(Refusal::Blocked), "for ever");
}

#[test]
fn a_block_that_failed_leaves_what_it_replaced_and_does_not_count() {
    let mut policy = Policy::new(Bounds { networks: true, ..bounds(8) });
    for (host, seconds) in [("192.0.2.1/32", 0), ("192.0.2.2/32", 1)] {
        assert_eq!(block(&mut policy, &report(host, seconds)), Ok(HOUR));
    }
    for source in ["192.0.2.0/24", "198.51.100.1/32"] {
        let order = policy.judge(&Target::source(net(source)), at(2_000), &Protected::default()).unwrap();
        let undo = policy.note(&order, at(2_000));
        assert_eq!(block(&mut policy, &report(source, 3)), Err(Refusal::Blocked), "it is under way");
        policy.undo(undo);
    }
    assert_eq!(policy.active(at(2_000)), 2);
    assert_eq!(policy.end(&Target::source(net("192.0.2.2/32"))), Some(at(3_601_000)));
    assert_eq!(block(&mut policy, &report("198.51.100.1/32", 3)), Ok(HOUR), "the first time still");
    // A source that was blocked before keeps its count.
    let again = Target::source(net("192.0.2.1/32"));
    let order = policy.judge(&again, at(3_600_000), &Protected::default()).unwrap();
    let undo = policy.note(&order, at(3_600_000));
    policy.undo(undo);
    assert_eq!(block(&mut policy, &report("192.0.2.1/32", 3_600)), Ok(2 * HOUR));
}

#[test]
fn what_is_allowed_is_freed_with_the_networks_around_it_and_may_be_blocked_again() {
    let mut policy = Policy::new(Bounds { networks: true, ..bounds(8) });
    for source in ["192.0.2.0/24", "198.51.100.1/32", "203.0.113.1/32", "64:ff9b::c612:1/128"] {
        assert_eq!(block(&mut policy, &report(source, 0)), Ok(HOUR));
    }
    let allowed = Allowed::default();
    let number = allowed.number();
    allowed.set(["192.0.2.7/32", "203.0.113.0/24", "198.18.0.1/32"].map(net).into_iter().collect());
    assert_ne!(allowed.number(), number);
    let targets = policy.allowed(&allowed);
    let shown: Vec<_> = targets.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["192.0.2.0/24", "203.0.113.1", "64:ff9b::c612:1"]);
    targets.iter().for_each(|target| policy.free(target));
    assert_eq!(policy.active(at(0)), 1);
    assert_eq!(block(&mut policy, &report("203.0.113.1/32", 1)), Ok(2 * HOUR));
}

#[test]
fn what_a_person_unblocks_stays_so_until_its_time_is_over_or_it_is_blocked_by_hand() {
    let mut policy = policy(10);
    let target = Target::source(net("192.0.2.1/32"));
    policy.unblock(&target);
    assert!(!policy.is_unblocked(&target), "it is not blocked");
    assert_eq!(block(&mut policy, &report("192.0.2.1/32", 0)), Ok(HOUR));
    policy.unblock(&target);
    assert!(policy.is_unblocked(&target));
    assert_eq!(block(&mut policy, &report("192.0.2.1/32", 3_599)), Err(Refusal::Blocked));
    policy.note(&Order { target, time: HOUR, replaces: Vec::new() }, at(3_599_000));
    assert!(!policy.is_unblocked(&target));
    policy.unblock(&target);
    assert_eq!(policy.active(at(2 * 3_600_000)), 0);
    assert!(!policy.is_unblocked(&target), "its time is over");
}

#[test]
fn what_is_protected_is_not_blocked_nor_a_network_with_it() {
    let protected = Protected::new(vec![(net("192.0.2.1/32"), "a gateway of this host")]);
    let why = Err(Refusal::Protected("192.0.2.1, a gateway of this host".to_owned()));
    let judge = |source| policy(10).judge(&Target::source(net(source)), at(0), &protected);
    for source in ["192.0.2.1/32", "192.0.2.0/24"] {
        assert_eq!(judge(source), why);
    }
    assert!(judge("192.0.2.2/32").is_ok());
}

#[test]
fn a_part_of_the_internet_is_not_blocked_however_proven() {
    for source in ["198.0.0.0/8", "64:ff9b::/64", "127.0.0.1/32"] {
        let target = Target::source(source.parse().unwrap());
        let verdict = policy(10).judge(&target, Timestamp::default(), &Protected::default());
        assert!(matches!(verdict, Err(Refusal::Never(_))), "{source}");
    }
}

#[test]
fn only_so_many_are_remembered() {
    let mut policy = policy(usize::MAX);
    let host = |n: u32| format!("{}/32", std::net::Ipv4Addr::from(0xc612_0000 + n));
    for n in 0..=MOST_REMEMBERED as u32 {
        assert_eq!(block(&mut policy, &report(&host(n), i64::from(n) * 3_600)), Ok(HOUR));
    }
    assert_eq!(policy.history.len(), MOST_REMEMBERED);
}

/// Blocks a host, and gives its target.
fn blocked(policy: &mut Policy, network: &str) -> Target {
    assert!(block(policy, &report(network, 0)).is_ok(), "{network}");
    Target::source(net(network))
}

#[test]
fn what_a_person_has_unblocked_takes_no_place_of_a_block() {
    let mut policy = policy(2);
    let all = ["192.0.2.1/32", "198.51.100.1/32"].map(|network| blocked(&mut policy, network));
    assert_eq!(block(&mut policy, &report("203.0.113.1/32", 0)), Err(Refusal::Full));
    all.iter().for_each(|target| policy.unblock(target));
    for target in ["203.0.113.1/32", "2001:db8::1/128"] {
        assert_eq!(block(&mut policy, &report(target, 0)), Ok(HOUR), "{target}");
    }
    assert_eq!(block(&mut policy, &report("198.18.0.1/32", 0)), Err(Refusal::Full));
    assert_eq!(block(&mut policy, &report("192.0.2.1/32", 0)), Err(Refusal::Blocked), "it stays unblocked");
}

#[test]
fn as_many_stay_unblocked_as_are_remembered() {
    for (unblocked, first) in [
        (MOST_REMEMBERED - 1, Err(Refusal::Blocked)),
        (MOST_REMEMBERED, Err(Refusal::Blocked)),
        (MOST_REMEMBERED + 1, Ok(())),
    ] {
        let mut policy = policy(10);
        for number in 0..unblocked as u32 {
            let network = IpNet::from(std::net::IpAddr::from(std::net::Ipv4Addr::from(0x0a00_0000 + number)));
            let time = HOUR + Duration::from_secs(number.into());
            let order = Order { target: Target::source(network), time, replaces: Vec::new() };
            policy.note(&order, at(0));
            policy.unblock(&order.target);
        }
        assert_eq!(block(&mut policy, &report("10.0.0.0/32", 0)).map(drop), first, "{unblocked}");
        assert_eq!(block(&mut policy, &report("10.0.0.1/32", 0)).map(drop), Err(Refusal::Blocked));
    }
}

#[test]
fn a_block_by_hand_that_fails_leaves_what_was_unblocked_so() {
    let mut policy = policy(2);
    let target = blocked(&mut policy, "192.0.2.1/32");
    policy.unblock(&target);
    let undo = policy.note(&Order { target, time: HOUR, replaces: Vec::new() }, at(1_000));
    assert!(!policy.is_unblocked(&target));
    policy.undo(undo);
    assert!(policy.is_unblocked(&target));
}

#[test]
fn a_source_may_be_blocked_again_when_the_firewalls_time_is_over_whatever_the_clock_says() {
    let mut policy = policy(2);
    let target = blocked(&mut policy, "192.0.2.1/32");
    assert_eq!(block(&mut policy, &report("192.0.2.1/32", -7_200)), Err(Refusal::Blocked), "it was set back");
    policy.expire(&target);
    assert!(block(&mut policy, &report("192.0.2.1/32", -7_200)).is_ok());
    policy.unblock(&target);
    policy.expire(&target);
    let again = block(&mut policy, &report("192.0.2.1/32", -7_100));
    assert_eq!(again, Err(Refusal::Blocked), "a person wants it so");
}
