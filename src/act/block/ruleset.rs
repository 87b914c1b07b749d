//! synwatch's part of the kernel's firewall, as nft(8) reads and writes it.
//!
//! The table `inet synwatch` holds sets of networks and of address pairs, whose elements expire, and a chain that drops
//! their packets before all other rules and before connection tracking. synwatch changes no other table.

use std::borrow::Cow;
use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
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
const CHAIN: &str = "prerouting";

/// Runs before the defragmentation of connection tracking (-400), the earliest standard priority.
const PRIORITY: i32 = -500;

/// Twice the maximum number of blocks and more: an interval counts as two elements. A set's size cannot be changed
/// later.
const SIZE: u32 = 1 << 18;

/// An element of the firewall's sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    /// What is dropped.
    pub target: Target,
    /// The duration of the block; `None`: it does not expire.
    pub time: Option<Duration>,
    /// The time left.
    pub left: Option<Duration>,
}

/// Creates what blocking needs, if missing. Existing blocks stay.
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

/// A target as an element of its set; without a time for deletion.
pub(super) fn element(target: &Target, time: Option<Duration>) -> NfListObject<'static> {
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
    let value = match time {
        Some(time) => Expression::Named(NamedExpression::Elem(Elem {
            val: Box::new(value),
            timeout: Some(seconds(time)),
            expires: None,
            comment: None,
            counter: None,
        })),
        None => value,
    };
    NfListObject::Element(Element {
        family: NfFamily::INet,
        table: TABLE.into(),
        name: match (network.addr().is_ipv4(), to.is_some()) {
            (true, false) => SET4,
            (false, false) => SET6,
            (true, true) => PAIRS4,
            (false, true) => PAIRS6,
        }
        .into(),
        elem: vec![value].into(),
    })
}

/// Whole seconds, at least one: 0 would mean no expiry.
pub(super) fn seconds(time: Duration) -> u32 {
    let up = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
    u32::try_from(up).unwrap_or(u32::MAX).max(1)
}

/// Parses an element that nft lists. Elements of a form that synwatch does not add are left out.
pub(super) fn blocked(element: &Expression<'_>) -> Option<Blocked> {
    let (value, time, left) = match element {
        Expression::Named(NamedExpression::Elem(elem)) => (elem.val.as_ref(), elem.timeout, elem.expires),
        value => (value, None, None),
    };
    let duration = |seconds: Option<u32>| seconds.map(|seconds| Duration::from_secs(seconds.into()));
    let target = match value {
        Expression::Named(NamedExpression::Concat(both)) => {
            let [from, to] = &both[..] else { return None };
            Target { network: network(from)?, to: Some(network(to)?.addr()) }
        }
        value => Target::source(network(value)?),
    };
    Some(Blocked { target, time: duration(time), left: duration(left) })
}

fn network(value: &Expression<'_>) -> Option<IpNet> {
    match value {
        Expression::String(address) => address.parse().ok().map(|address: IpAddr| address.into()),
        Expression::Named(NamedExpression::Prefix(prefix)) => match prefix.addr.as_ref() {
            Expression::String(address) => {
                IpNet::new(address.parse().ok()?, prefix.len.try_into().ok()?).ok()
            }
            _ => None,
        },
        _ => None,
    }
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

    #[test]
    fn elements_come_back_as_they_went() {
        let sources = ["192.0.2.1/32", "192.0.2.0/24", "2001:db8::1/128", "2001:db8::/64"];
        let pairs = [("192.0.2.1/32", "192.0.2.25"), ("2001:db8::1/128", "2001:db8::25")];
        let all =
            sources.map(|from| (from, None)).into_iter().chain(pairs.map(|(from, to)| (from, Some(to))));
        for (from, to) in all {
            let to = to.map(|to| to.parse().unwrap());
            let target = Target { network: from.parse().unwrap(), to };
            let NfListObject::Element(made) = element(&target, Some(Duration::from_secs(60))) else {
                panic!()
            };
            let expected = Blocked { target, time: Some(Duration::from_secs(60)), left: None };
            assert_eq!(blocked(&made.elem[0]), Some(expected));
            let json = serde_json::to_string(&made.elem[0]).unwrap();
            assert_eq!(blocked(&serde_json::from_str(&json).unwrap()), Some(expected), "{json}");
        }
        assert_eq!(blocked(&Expression::Number(7)), None);
    }
}
