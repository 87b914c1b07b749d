//! Whom to block, and for how long: decided from reports alone.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use ipnet::IpNet;

use super::nft::Blocked;
use super::protected::Protected;
use crate::alert::{Alert, Kind, Source, State};
use crate::time::Timestamp;

/// The longest that doubling makes of a block.
const LONGEST: Duration = Duration::from_secs(86_400);

/// How long it is remembered, after a block's end, that there was one.
const REMEMBERED: Duration = LONGEST;

/// Longer than any run: a block that does not end by itself.
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);

/// How late a firewall may be with what was printed for it: its blocks end so much later.
const LATE: Duration = Duration::from_secs(60);

/// How many sources are remembered to have been blocked. The one whose block ended first makes room.
const MOST_REMEMBERED: usize = 4096;

/// What is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How long a source is blocked for the first time.
    pub time: Duration,
    /// Whether one is blocked that may be forged.
    pub unverified: bool,
    /// How many may be blocked at once.
    pub most: usize,
}

/// A source to block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) network: IpNet,
    pub(super) time: Duration,
    /// What may still be blocked and is in the way: its hosts; itself, or a network around it, from the last time.
    pub(super) replaces: Vec<IpNet>,
}

/// Why a source is not blocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is nothing to block: a destination, or an episode that is over.
    Nothing,
    /// It is blocked already, or a network that it is in.
    Blocked,
    /// Its address may be forged.
    Unverified,
    /// It is, or contains, something that must be reached.
    Protected(String),
    /// As many are blocked as may be.
    Full,
}

/// What has been blocked.
#[derive(Debug)]
pub(super) struct Policy {
    bounds: Bounds,
    /// Until when.
    blocked: BTreeMap<IpNet, Timestamp>,
    before: HashMap<IpNet, Before>,
}

/// That a source was blocked before.
#[derive(Debug, Clone, Copy)]
struct Before {
    times: u32,
    until: Timestamp,
}

impl Policy {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, blocked: BTreeMap::new(), before: HashMap::new() }
    }

    /// Whether a report is a reason to block its source now.
    pub(super) fn judge(&mut self, alert: &Alert, protected: &Protected) -> Result<Order, Refusal> {
        let now = alert.time;
        let Source(network) = alert.source;
        let network = network.trunc();
        if matches!(alert.kind, Kind::Destination(_)) || matches!(alert.state, State::End(_)) {
            return Err(Refusal::Nothing);
        }
        self.blocked.retain(|_, until| *until > now);
        if self.blocked.keys().any(|blocked| blocked.contains(&network)) {
            return Err(Refusal::Blocked);
        }
        if !alert.is_verified() && !self.bounds.unverified {
            return Err(Refusal::Unverified);
        }
        if let Some(what) = protected.overlaps(network) {
            return Err(Refusal::Protected(what));
        }
        let stay = self.blocked.keys().filter(|blocked| !network.contains(*blocked)).count();
        if stay >= self.bounds.most {
            return Err(Refusal::Full);
        }
        Ok(Order { network, time: self.time(network, now), replaces: self.in_the_way(network, now) })
    }

    /// Takes note that it was done: a network has replaced what lies in it.
    pub(super) fn note(&mut self, order: &Order, now: Timestamp) {
        let until = now.after(order.time);
        self.blocked.retain(|blocked, _| !order.network.contains(blocked));
        self.blocked.insert(order.network, until);
        let times = self.times(order.network, now) + 1;
        self.remember(order.network, Before { times, until });
    }

    /// Takes note of what a firewall holds from an earlier run, or from somebody else: it counts as blocked by this
    /// one, as often as its time says.
    pub(super) fn adopt(&mut self, held: &Blocked, now: Timestamp) {
        let until = now.after(held.left.unwrap_or(FOR_EVER));
        self.blocked.insert(held.network, until);
        if let Some(time) = held.time {
            let reaches = |times: &u32| self.bounds.time.saturating_mul(1 << (times - 1)) >= time;
            let times = (1..u32::BITS).find(reaches).unwrap_or(u32::BITS);
            self.remember(held.network, Before { times, until });
        }
    }

    fn remember(&mut self, network: IpNet, before: Before) {
        self.before.insert(network, before);
        if self.before.len() > MOST_REMEMBERED {
            let first = self.before.iter().min_by_key(|(network, before)| (before.until, **network));
            if let Some(first) = first.map(|(network, _)| *network) {
                self.before.remove(&first);
            }
        }
    }

    /// What has addresses in common with a network, and is blocked or may still be.
    fn in_the_way(&self, network: IpNet, now: Timestamp) -> Vec<IpNet> {
        let overlaps = |blocked: &IpNet| network.contains(blocked) || blocked.contains(&network);
        let lasts = |before: &Before| before.until.after(LATE) > now;
        let before = self.before.iter().filter(|(blocked, before)| overlaps(blocked) && lasts(before));
        let mut all: Vec<_> = before.map(|(blocked, _)| *blocked).collect();
        all.sort_unstable();
        all
    }

    /// Twice as long as the last time, up to [`LONGEST`].
    fn time(&self, network: IpNet, now: Timestamp) -> Duration {
        let first = self.bounds.time;
        let doubled = 2_u32.checked_pow(self.times(network, now)).and_then(|times| first.checked_mul(times));
        doubled.unwrap_or(LONGEST).min(LONGEST.max(first))
    }

    /// How often it was blocked before, as far as that is remembered.
    fn times(&self, network: IpNet, now: Timestamp) -> u32 {
        let before = self.before.get(&network).filter(|before| now.since(before.until) < REMEMBERED);
        before.map_or(0, |before| before.times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::alert::Ended;
    use crate::sink::sample::{at, start};

    const HOUR: Duration = Duration::from_secs(3_600);

    fn policy(most: usize) -> Policy {
        Policy::new(Bounds { time: HOUR, unverified: false, most })
    }

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn report(source: &str, seconds: i64) -> Alert {
        Alert { source: Source(net(source)), time: at(seconds * 1_000), ..start() }
    }

    /// Judges, and blocks if that is the verdict; gives for how long.
    fn block(policy: &mut Policy, alert: &Alert) -> Result<Duration, Refusal> {
        let order = policy.judge(alert, &Protected::default())?;
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
        forged.outcomes.proofs = 2;
        assert_eq!(block(&mut policy(10), &forged), Err(Refusal::Unverified));
        let mut careless = Policy::new(Bounds { time: HOUR, unverified: true, most: 10 });
        assert_eq!(block(&mut careless, &forged), Ok(HOUR));
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
        let mut policy = Policy::new(Bounds { time: 48 * HOUR, unverified: false, most: 10 });
        assert_eq!(block(&mut policy, &report("192.0.2.1/32", 0)), Ok(48 * HOUR));
        assert_eq!(block(&mut policy, &report("192.0.2.1/32", 48 * 3_600)), Ok(48 * HOUR));
    }

    #[test]
    fn a_network_replaces_its_hosts_and_covers_them() {
        let mut policy = policy(2);
        for host in ["192.0.2.1/32", "192.0.2.2/32"] {
            assert_eq!(block(&mut policy, &report(host, 0)), Ok(HOUR));
        }
        let network = Alert { kind: Kind::Network, ..report("192.0.2.0/24", 1) };
        assert_eq!(block(&mut policy, &network), Ok(HOUR), "it takes the room of two");
        assert_eq!(block(&mut policy, &report("192.0.2.3/32", 2)), Err(Refusal::Blocked));
        assert_eq!(block(&mut policy, &report("198.51.100.1/32", 2)), Ok(HOUR));
        assert_eq!(block(&mut policy, &report("198.51.100.2/32", 2)), Err(Refusal::Full));
    }

    #[test]
    fn what_is_in_the_way_is_told_until_a_firewall_has_forgotten_it() {
        let replaced = |policy: &mut Policy, source: &str, seconds: i64| {
            let order = policy.judge(&report(source, seconds), &Protected::default()).unwrap();
            order.replaces.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let mut policy = policy(10);
        for (host, seconds) in [("192.0.2.9/32", 0), ("192.0.2.1/32", 1_800), ("198.51.100.1/32", 1_800)] {
            assert_eq!(replaced(&mut policy, host, seconds), Vec::<String>::new());
            assert_eq!(block(&mut policy, &report(host, seconds)), Ok(HOUR));
        }
        assert_eq!(replaced(&mut policy, "192.0.2.0/24", 3_599), ["192.0.2.1/32", "192.0.2.9/32"]);
        assert_eq!(replaced(&mut policy, "192.0.2.9/32", 3_600), ["192.0.2.9/32"], "it may be late");
        assert_eq!(replaced(&mut policy, "192.0.2.0/24", 3_660), ["192.0.2.1/32"]);
        assert_eq!(block(&mut policy, &report("192.0.2.0/24", 3_660)), Ok(HOUR));
        assert_eq!(replaced(&mut policy, "192.0.2.1/32", 7_260), ["192.0.2.0/24"]);
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
        let held = |network, time: Option<u32>| Blocked {
            network: net(network),
            time: time.map(|hours| hours * HOUR),
            left: time.map(|_| Duration::from_secs(60)),
        };
        let mut policy = policy(3);
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
    fn what_is_protected_is_not_blocked_nor_a_network_with_it() {
        let protected = Protected::new(vec![(net("192.0.2.1/32"), "a gateway of this host")]);
        let why = Err(Refusal::Protected("192.0.2.1, a gateway of this host".to_owned()));
        for source in ["192.0.2.1/32", "192.0.2.0/24"] {
            assert_eq!(policy(10).judge(&report(source, 0), &protected), why);
        }
        assert!(policy(10).judge(&report("192.0.2.2/32", 0), &protected).is_ok());
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut policy = policy(usize::MAX);
        let host = |n: u32| format!("{}/32", std::net::Ipv4Addr::from(n));
        for n in 0..=MOST_REMEMBERED as u32 {
            assert_eq!(block(&mut policy, &report(&host(n), i64::from(n) * 3_600)), Ok(HOUR));
        }
        assert_eq!(policy.before.len(), MOST_REMEMBERED);
    }
}
