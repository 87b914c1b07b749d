//! Selects what a report is a reason to block: the source itself, or hosts in it.
//!
//! A block drops no more than the proofs cover. A host is blocked as it is. Of a network, only the hosts that made many
//! of its proven attempts are blocked, so that a client with a few connections stays reachable whatever its neighbours
//! do.
//!
//! An IPv6 source is a /64 by default: one customer's network, who can use all of its addresses. It is blocked as a
//! whole if one host made all the proven attempts that met the limit, so that nothing shows a second user, and if
//! nothing in it is protected. docs/decisions/actions.md has the reasons.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::target::Target;
use crate::detect::alert::{Alert, State};
use crate::engine::attempt::Prover;
use crate::engine::outcome::Proof;
use crate::engine::subject::{Kind, Source};

/// The shortest IPv6 prefix of one customer (RFC 6177). It holds several customers only if a hoster shares it out.
const CUSTOMER6: u8 = 64;

/// Minimum number of proven attempts in a window for which a report on a network blocks a host.
const FEWEST_PROVEN: u32 = 3;

/// Upper bound of the number of hosts in the even share: with more hosts, each must still have made a share of this
/// many.
const MOST_SHARES: u32 = 16;

/// The user's settings for blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Duration of a source's first block.
    pub time: Duration,
    /// Whether to block unverified sources.
    pub unverified: bool,
    /// Whether to block sources that only link-layer addresses verify.
    pub wire: bool,
    /// Whether to block whole networks, and not only their hosts with proven attempts.
    pub networks: bool,
    /// Whether to block sources that other gateways of the fleet verify, and this one does not.
    pub fleet: bool,
    /// Which packets of a host to drop.
    pub scope: Scope,
    /// Maximum number of blocks at once.
    pub most: usize,
}

/// Which packets of a blocked source to drop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// All packets.
    #[default]
    Source,
    /// Packets to the destinations of its proven attempts.
    Destinations,
}

impl Bounds {
    /// Whether a report can be a reason for a block.
    pub(super) fn concern(self, alert: &Alert) -> bool {
        let has_source = !matches!(alert.kind, Kind::Destination(_));
        has_source
            && !matches!(alert.state, State::End(_))
            && self.trust(if alert.is_verified_elsewhere() && !self.fleet {
                Proof::None
            } else {
                alert.verified
            })
    }

    /// Whether this kind of proof is sufficient.
    fn trust(self, verified: Proof) -> bool {
        match verified {
            Proof::Yes => true,
            Proof::Wire => self.wire || self.unverified,
            Proof::None => self.unverified,
        }
    }

    /// The targets of a report that [concerns](Self::concern) blocking, in order. `is_free` returns whether a network
    /// may be blocked as a whole.
    pub(super) fn select(self, alert: &Alert, is_free: impl Fn(IpNet) -> bool) -> Vec<Target> {
        let Source(network) = alert.source;
        let is_host = alert.kind == Kind::Source && !alert.source.is_network();
        let is_whole = is_host || self.networks || (is_one_customer(alert) && is_free(network));
        let mut targets: Vec<_> = match self.scope {
            Scope::Source if is_whole => vec![Target::source(network)],
            scope => {
                let floods = |prover: &&Prover| is_host || floods_most(&prover.src, &alert.provers);
                let target = |prover: &Prover| match scope {
                    Scope::Source => Target::source(prover.src.into()),
                    Scope::Destinations => Target::pair(prover.src, prover.dst),
                };
                alert.provers.iter().filter(floods).map(target).collect()
            }
        };
        targets.sort_unstable();
        targets.dedup();
        targets
    }
}

/// Whether a source is an IPv6 network of one customer as far as its proven attempts show: one host made them all, and
/// at least half the limit's number are still in the window. An unverified source has too few; it gets here only if the
/// user has unverified sources blocked.
fn is_one_customer(alert: &Alert) -> bool {
    let Source(network) = alert.source;
    let is_source = alert.kind == Kind::Source && network.addr().is_ipv6();
    let is_one_host = alert.provers.windows(2).all(|pair| pair[0].src == pair[1].src);
    let made: u64 = alert.provers.iter().map(|prover| u64::from(prover.attempts)).sum();
    let is_translated = alert.provers.iter().any(|prover| may_be_translated(prover.src));
    let is_proven = is_one_host && !is_translated && 2 * made >= alert.limit.attempts.into();
    is_source && network.prefix_len() >= CUSTOMER6 && (is_proven || alert.verified == Proof::None)
}

/// Whether an address may stand for an IPv4 host (RFC 6052, 2.2), by the form of its last 64 bits: a public IPv4
/// address after 32 zeros, or zeros around a possible part of one. Behind a translator whose prefix is not configured,
/// one /64 holds all of IPv4.
fn may_be_translated(address: IpAddr) -> bool {
    let IpAddr::V6(address) = address else { return false };
    let [.., a, b, c, d] = address.segments();
    let is_last = (a, b) == (0, 0) && (0x0100..0xe000).contains(&c);
    let is_around_zeros = a < 0x0100 && c & 0x00ff == 0 && d == 0;
    is_last || (is_around_zeros && (a, b, c) != (0, 0, 0))
}

/// Whether a host has made enough of its network's proven attempts: at least half an even share, and at least
/// [`FEWEST_PROVEN`].
fn floods_most(host: &IpAddr, provers: &[Prover]) -> bool {
    let mut hosts = BTreeMap::<IpAddr, u32>::new();
    for Prover { src, attempts, .. } in provers {
        let made = hosts.entry(*src).or_default();
        *made = made.saturating_add(*attempts);
    }
    let all = hosts.values().fold(0_u32, |sum, made| sum.saturating_add(*made));
    let shares = u32::try_from(hosts.len()).unwrap_or(u32::MAX).clamp(1, MOST_SHARES);
    hosts.get(host).is_some_and(|made| *made >= all.div_ceil(2 * shares).max(FEWEST_PROVEN))
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Arc;

    use crate::act::block::sample::{bounds, proven, report};
    use crate::detect::alert::Ended;

    /// All targets of a report if nothing is protected.
    fn targets(bounds: Bounds, alert: &Alert) -> Vec<String> {
        bounds.select(alert, |_| true).iter().map(ToString::to_string).collect()
    }

    /// A report on a /64 in which these hosts made the given numbers of proven attempts.
    fn slash64(made: &[(&str, u32)]) -> Alert {
        let provers = made.iter().map(|(host, made)| proven(host, "2001:db8:25::25", *made));
        Alert { provers: provers.collect(), ..report("2001:db8:66::/64", 0) }
    }

    #[test]
    fn a_slash64_is_blocked_as_a_whole_where_one_host_made_all_its_proven_attempts() {
        let [one, two, client] = [("2001:db8:66::66", 15), ("2001:db8:66::67", 15), ("2001:db8:66::10", 2)];
        for (made, blocked) in [
            (&[one][..], &["2001:db8:66::/64"][..]),
            (&[one, one], &["2001:db8:66::/64"]),
            (&[one, client], &["2001:db8:66::66"]),
            (&[one, two], &["2001:db8:66::66", "2001:db8:66::67"]),
            (&[("2001:db8:66::66", 14)], &["2001:db8:66::66"]),
            (&[client], &[]),
            (&[client, ("2001:db8:66::11", 2)], &[]),
            (&[], &[]),
        ] {
            assert_eq!(targets(bounds(10), &slash64(made)), blocked, "{made:?}");
        }
    }

    #[test]
    fn only_a_source_that_is_no_larger_than_a_slash64_is_one_customer() {
        for (kind, source, host, is_whole) in [
            (Kind::Source, "2001:db8:66::/64", "2001:db8:66::66", true),
            (Kind::Source, "2001:db8:66::/96", "2001:db8:66::66", true),
            (Kind::Source, "2001:db8:66::/63", "2001:db8:66::66", false),
            (Kind::Source, "2001:db8:66::/48", "2001:db8:66::66", false),
            (Kind::Network, "2001:db8:66::/64", "2001:db8:66::66", false),
            (Kind::Network, "2001:db8:66::/48", "2001:db8:66::66", false),
            (Kind::Source, "198.51.100.0/24", "198.51.100.66", false),
            (Kind::Source, "198.51.100.64/31", "198.51.100.65", false),
        ] {
            let provers = Arc::from([proven(host, "2001:db8:25::25", 30)]);
            let alert = Alert { kind, provers, ..report(source, 0) };
            let expected = if is_whole { source } else { host };
            assert_eq!(targets(bounds(10), &alert), [expected], "{kind:?} {source}");
        }
    }

    #[test]
    fn of_a_slash64_that_may_hold_ipv4_hosts_the_hosts_are_blocked() {
        for (host, is_whole) in [
            ("2001:db8:66::198.51.100.66", false),
            ("2001:db8:66:0:c6:3364:4200:0", false),
            ("2001:db8:66:0:42::", false),
            ("2001:db8:66:0:64:4200::", false),
            ("2001:db8:66::", true),
            ("2001:db8:66::66", true),
            ("2001:db8:66::1:66", true),
            ("2001:db8:66::ff02:1", true),
            ("2001:db8:66:0:211:22ff:fe33:4455", true),
            ("2001:db8:66:0:11:22ff:fe33:4455", true),
        ] {
            let expected = if is_whole { "2001:db8:66::/64" } else { host };
            let expected = expected.parse::<IpAddr>().map_or(expected.to_owned(), |host| host.to_string());
            assert_eq!(targets(bounds(10), &slash64(&[(host, 30)])), [expected], "{host}");
        }
    }

    #[test]
    fn of_a_slash64_in_which_something_is_protected_the_hosts_are_blocked() {
        let alert = slash64(&[("2001:db8:66::66", 30)]);
        let targets = bounds(10).select(&alert, |network| network.prefix_len() > 64);
        assert_eq!(targets.iter().map(ToString::to_string).collect::<Vec<_>>(), ["2001:db8:66::66"]);
    }

    #[test]
    fn an_unverified_slash64_is_blocked_where_that_is_wanted() {
        let alert = Alert { verified: Proof::None, ..slash64(&[]) };
        let careless = Bounds { unverified: true, ..bounds(10) };
        assert!(careless.concern(&alert) && !bounds(10).concern(&alert));
        assert_eq!(targets(careless, &alert), ["2001:db8:66::/64"]);
        let network = Alert { kind: Kind::Network, ..alert };
        assert!(targets(careless, &network).is_empty());
    }

    #[test]
    fn of_a_network_only_hosts_with_proven_attempts_are_blocked_unless_networks_are_to_be() {
        let provers: Arc<[_]> = [("2001:db8::2", "2001:db8:1::25"), ("2001:db8::1", "2001:db8:1::25")]
            .into_iter()
            .chain([("2001:db8::1", "2001:db8:1::26")])
            .map(|(src, dst)| proven(src, dst, 15))
            .collect();
        for kind in [Kind::Source, Kind::Network] {
            let network = Alert { kind, provers: provers.clone(), ..report("2001:db8::/64", 0) };
            assert_eq!(targets(bounds(10), &network), ["2001:db8::1", "2001:db8::2"]);
            let unproven = Alert { provers: Arc::default(), ..network.clone() };
            assert!(targets(bounds(10), &unproven).is_empty());
            let networks = Bounds { networks: true, ..bounds(10) };
            assert_eq!(targets(networks, &unproven), ["2001:db8::/64"]);
            let pairs = Bounds { scope: Scope::Destinations, ..bounds(10) };
            let expected = [
                "2001:db8::1 to 2001:db8:1::25",
                "2001:db8::1 to 2001:db8:1::26",
                "2001:db8::2 to 2001:db8:1::25",
            ];
            assert_eq!(targets(pairs, &network), expected);
        }
    }

    #[test]
    fn pairs_of_a_slash64_have_its_hosts() {
        let pairs = Bounds { scope: Scope::Destinations, ..bounds(10) };
        let alert = slash64(&[("2001:db8:66::66", 30)]);
        assert_eq!(targets(pairs, &alert), ["2001:db8:66::66 to 2001:db8:25::25"]);
    }

    /// The indices of the hosts that are blocked for these numbers of proven attempts.
    fn hosts_blocked(made: &[u32]) -> Vec<usize> {
        let host = |n: usize| format!("192.0.2.{}", n + 1);
        let provers: Arc<[_]> =
            made.iter().enumerate().map(|(n, &made)| proven(&host(n), "198.51.100.25", made)).collect();
        let network = Alert { kind: Kind::Network, provers, ..report("192.0.2.0/24", 0) };
        let targets = targets(bounds(100), &network);
        (0..made.len()).filter(|&n| targets.contains(&host(n))).collect()
    }

    #[test]
    fn a_client_with_a_few_connections_is_not_blocked_because_of_its_network() {
        // A flooding host and a client: half of an even share of 30 is 7.5.
        for (client, blocked) in [(1, &[0][..]), (6, &[0]), (7, &[0]), (8, &[0, 1]), (9, &[0, 1])] {
            assert_eq!(hosts_blocked(&[30 - client, client]), blocked, "{client} of 30");
        }
        // Many hosts that flood evenly: each needs at least three.
        for (each, count) in [(2, 0), (3, 20), (4, 20)] {
            assert_eq!(hosts_blocked(&[each; 20]).len(), count, "{each} each");
        }
        // With any number of hosts, each needs a thirty-second of all attempts.
        for (client, count) in [(9, 20), (10, 21), (11, 21)] {
            let mut made = vec![15; 20];
            made.push(client);
            assert_eq!(hosts_blocked(&made).len(), count, "{client} beside 20 times 15");
        }
        assert!(hosts_blocked(&[]).is_empty());
    }

    #[test]
    fn what_a_host_has_made_is_summed_over_its_destinations() {
        let to = |dst: &str, made| proven("192.0.2.1", dst, made);
        let others = proven("192.0.2.2", "198.51.100.25", 1);
        for (made, blocked) in [(1, 0), (2, 1)] {
            let provers = Arc::from([to("198.51.100.25", made), to("198.51.100.26", 1), others]);
            let network = Alert { kind: Kind::Network, provers, ..report("192.0.2.0/24", 0) };
            assert_eq!(targets(bounds(10), &network).len(), blocked);
        }
    }

    #[test]
    fn a_report_concerns_blocking_by_its_kind_its_state_and_its_proof() {
        let over = Alert { state: State::End(Ended::Quiet), ..report("192.0.2.1/32", 0) };
        let destination = Alert { kind: Kind::Destination(25), ..report("192.0.2.1/32", 0) };
        let forged = Alert { verified: Proof::None, ..report("192.0.2.1/32", 0) };
        let wire = Alert { verified: Proof::Wire, ..report("192.0.2.1/32", 0) };
        for (alert, expected) in [
            (&report("192.0.2.1/32", 0), [true, true, true]),
            (&over, [false, false, false]),
            (&destination, [false, false, false]),
            (&forged, [false, false, true]),
            (&wire, [false, true, true]),
        ] {
            let [plain, wire, unverified] =
                [bounds(1), Bounds { wire: true, ..bounds(1) }, Bounds { unverified: true, ..bounds(1) }];
            assert_eq!([plain, wire, unverified].map(|bounds| bounds.concern(alert)), expected);
        }
    }
}
