//! synwatch's part of the kernel's firewall, as nft(8) reads and writes it.
//!
//! The table `inet synwatch` holds sets of networks and of address pairs, whose elements expire, and a chain that drops
//! their packets before all other rules and before connection tracking. synwatch changes no other table.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use nftables::batch::Batch;
use nftables::expr::{Elem, Expression, NamedExpression, Payload, PayloadField, Prefix};
use nftables::schema::{
    Chain, Element, FlushObject, NfCmd, NfListObject, Rule, Set, SetFlag, SetType, SetTypeValue, Table,
};
use nftables::stmt::{Counter, Match, Operator, Statement};
use nftables::types::{NfChainPolicy, NfChainType, NfFamily, NfHook};
use serde::{Deserialize, Serialize};

use super::target::Target;

/// The table's name; its family is `inet`.
pub(super) const TABLE: &str = "synwatch";
/// The set of IPv4 networks.
pub(super) const SET4: &str = "blocked4";
/// The set of IPv6 networks.
pub(super) const SET6: &str = "blocked6";
/// The set of IPv4 pairs: source, destination.
pub(super) const PAIRS4: &str = "pairs4";
/// The set of IPv6 pairs.
pub(super) const PAIRS6: &str = "pairs6";
/// All sets.
pub(super) const SETS: [&str; 4] = [SET4, SET6, PAIRS4, PAIRS6];
/// The chain that drops their packets.
pub(super) const CHAIN: &str = "prerouting";

/// Runs before the defragmentation of connection tracking (-400), the earliest standard priority.
const PRIORITY: i32 = -500;

/// Twice the maximum number of blocks and more: an interval counts as two elements. A set's size cannot be changed
/// later.
const SIZE: u32 = 1 << 18;

/// An element of the firewall's sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    /// The dropped target.
    pub target: Target,
    /// The duration of the block; `None`: it does not expire.
    pub time: Option<Duration>,
    /// The time left.
    pub left: Option<Duration>,
}

/// Duration of an element: from its start, and from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lifetime {
    pub(super) time: Duration,
    pub(super) left: Duration,
}

impl Lifetime {
    /// The duration of a block that begins now.
    pub(super) fn new(time: Duration) -> Self {
        Self { time, left: time }
    }
}

/// Creates the parts of the firewall that blocking needs, if missing. Existing blocks stay.
pub(super) fn set_up() -> Batch<'static> {
    let mut batch = Batch::new();
    batch.add(NfListObject::Table(table()));
    batch.add(NfListObject::Set(Box::new(set(SET4, SetType::Ipv4Addr))));
    batch.add(NfListObject::Set(Box::new(set(SET6, SetType::Ipv6Addr))));
    batch.add(NfListObject::Set(Box::new(pairs(PAIRS4, SetType::Ipv4Addr))));
    batch.add(NfListObject::Set(Box::new(pairs(PAIRS6, SetType::Ipv6Addr))));
    batch.add(NfListObject::Chain(chain()));
    batch.add_cmd(NfCmd::Flush(FlushObject::Chain(chain())));
    for (protocol, set, pairs) in [("ip", SET4, PAIRS4), ("ip6", SET6, PAIRS6)] {
        let [from, to] = ["saddr", "daddr"].map(|field| payload(protocol, field));
        batch.add(NfListObject::Rule(drops(from.clone(), set)));
        let both = Expression::Named(NamedExpression::Concat(vec![from, to]));
        batch.add(NfListObject::Rule(drops(both, pairs)));
    }
    batch
}

fn table() -> Table<'static> {
    Table { family: NfFamily::INet, name: TABLE.into(), handle: None }
}

fn set(name: &'static str, kind: SetType) -> Set<'static> {
    Set {
        family: NfFamily::INet,
        table: TABLE.into(),
        name: name.into(),
        set_type: SetTypeValue::Single(kind),
        flags: Some(HashSet::from([SetFlag::Interval, SetFlag::Timeout])),
        size: Some(SIZE),
        ..Set::default()
    }
}

/// A set of pairs of addresses.
fn pairs(name: &'static str, kind: SetType) -> Set<'static> {
    Set {
        set_type: SetTypeValue::Concatenated(vec![kind, kind].into()),
        flags: Some(HashSet::from([SetFlag::Timeout])),
        ..set(name, kind)
    }
}

fn chain() -> Chain<'static> {
    Chain {
        family: NfFamily::INet,
        table: TABLE.into(),
        name: CHAIN.into(),
        _type: Some(NfChainType::Filter),
        hook: Some(NfHook::Prerouting),
        prio: Some(PRIORITY),
        policy: Some(NfChainPolicy::Accept),
        ..Chain::default()
    }
}

/// An address field of a packet.
fn payload(protocol: &'static str, field: &'static str) -> Expression<'static> {
    let field = PayloadField { protocol: protocol.into(), field: field.into() };
    Expression::Named(NamedExpression::Payload(Payload::PayloadField(field)))
}

/// The rule that counts and drops packets that match a set.
fn drops(what: Expression<'static>, set: &'static str) -> Rule<'static> {
    let set = Expression::String(Cow::Owned(format!("@{set}")));
    let expr = vec![
        Statement::Match(Match { left: what, right: set, op: Operator::EQ }),
        Statement::Counter(Counter::Anonymous(None)),
        Statement::Drop(None),
    ];
    Rule {
        family: NfFamily::INet,
        table: TABLE.into(),
        chain: CHAIN.into(),
        expr: expr.into(),
        ..Rule::default()
    }
}

/// The set that holds a target.
pub(super) fn set_of(target: &Target) -> &'static str {
    match (target.network.addr().is_ipv4(), target.to.is_some()) {
        (true, false) => SET4,
        (false, false) => SET6,
        (true, true) => PAIRS4,
        (false, true) => PAIRS6,
    }
}

/// Targets as elements of their sets, with their times; without, for deletion.
pub(super) fn elements(
    all: impl IntoIterator<Item = (Target, Option<Lifetime>)>,
) -> impl Iterator<Item = NfListObject<'static>> {
    let mut sets = BTreeMap::<_, Vec<_>>::new();
    for (target, lifetime) in all {
        sets.entry(set_of(&target)).or_default().push(element(&target, lifetime));
    }
    sets.into_iter().map(|(set, elements)| {
        NfListObject::Element(Element {
            family: NfFamily::INet,
            table: TABLE.into(),
            name: set.into(),
            elem: elements.into(),
        })
    })
}

fn element(target: &Target, lifetime: Option<Lifetime>) -> Expression<'static> {
    let Target { network, to } = *target;
    let text = |address: IpAddr| Expression::String(Cow::Owned(address.to_string()));
    let address = text(network.network());
    let value = if let Some(to) = to {
        Expression::Named(NamedExpression::Concat(vec![address, text(to)]))
    } else if network.prefix_len() == network.max_prefix_len() {
        address
    } else {
        let prefix = Prefix { addr: Box::new(address), len: network.prefix_len().into() };
        Expression::Named(NamedExpression::Prefix(prefix))
    };
    match lifetime {
        Some(Lifetime { time, left }) => Expression::Named(NamedExpression::Elem(Elem {
            val: Box::new(value),
            timeout: Some(seconds(time)),
            expires: (left < time).then(|| seconds(left)),
            comment: None,
            counter: None,
        })),
        None => value,
    }
}

/// Whole seconds, at least one: 0 would mean no expiry.
pub(super) fn seconds(time: Duration) -> u32 {
    let up = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
    u32::try_from(up).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_never_becomes_permanent() {
        for (millis, shown) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (3_600_000, 3_600)] {
            assert_eq!(seconds(Duration::from_millis(millis)), shown);
        }
        assert_eq!(seconds(Duration::MAX), u32::MAX);
    }
}
