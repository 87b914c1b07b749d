//! nft's listing of synwatch's table.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use nftables::expr::{Expression, NamedExpression};
use serde::Deserialize;
use serde_json::Value;

use super::ruleset::{Blocked, CHAIN, SETS, TABLE, set_of};
use super::target::Target;

/// The contents of the table; empty without a table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    /// The sets that stand.
    pub(super) sets: Vec<&'static str>,
    /// The sets whose packets a rule drops.
    pub(super) dropped: Vec<&'static str>,
    /// The elements, in order.
    pub(super) blocked: Vec<Blocked>,
}

/// The output of `nft -j list table`. What else is in the table, and in whatever form, does not matter.
#[derive(Deserialize)]
struct Output {
    nftables: Vec<Value>,
}

impl Listing {
    /// Reads nft's output.
    pub(super) fn parse(output: &str) -> serde_json::Result<Self> {
        let output: Output = serde_json::from_str(output)?;
        let mut listing = Self::default();
        for object in &output.nftables {
            if let Some(set) = object.get("set") {
                listing.add_set(set)?;
            } else if let Some(rule) = object.get("rule") {
                listing.add_rule(rule);
            }
        }
        listing.blocked.sort_by_key(|blocked| blocked.target);
        Ok(listing)
    }

    /// Whether all that blocking needs stands.
    pub(super) fn is_whole(&self) -> bool {
        SETS.iter().all(|set| self.sets.contains(set) && self.dropped.contains(set))
    }

    /// Whether the set of a target stands.
    pub(super) fn has_set_of(&self, target: &Target) -> bool {
        self.sets.contains(&set_of(target))
    }

    fn add_set(&mut self, set: &Value) -> serde_json::Result<()> {
        let Some(name) = known(&set["name"]).filter(|_| set["table"] == TABLE) else { return Ok(()) };
        self.sets.push(name);
        for element in set["elem"].as_array().into_iter().flatten() {
            self.blocked.extend(blocked(&Expression::deserialize(element)?));
        }
        Ok(())
    }

    fn add_rule(&mut self, rule: &Value) {
        let statements = rule["expr"].as_array().map(Vec::as_slice).unwrap_or_default();
        let set = statements.iter().find_map(|statement| known_by_rule(&statement["match"]["right"]));
        let drops = statements.iter().any(|statement| statement.get("drop").is_some());
        if rule["chain"] == CHAIN && drops {
            self.dropped.extend(set);
        }
    }
}

fn known(name: &Value) -> Option<&'static str> {
    SETS.into_iter().find(|set| name == set)
}

/// A rule names a set after `@`.
fn known_by_rule(right: &Value) -> Option<&'static str> {
    let name = right.as_str()?.strip_prefix('@')?;
    SETS.into_iter().find(|set| name == *set)
}

/// Parses an element that nft lists. Elements of a form that synwatch does not add are left out.
fn blocked(element: &Expression<'_>) -> Option<Blocked> {
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

    use crate::act::block::ruleset::{Lifetime, elements};
    use nftables::schema::NfListObject;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn elements_come_back_as_they_went() {
        let sources = ["192.0.2.1/32", "192.0.2.0/24", "2001:db8::1/128", "2001:db8::/64"];
        let pairs = [("192.0.2.1/32", "192.0.2.25"), ("2001:db8::1/128", "2001:db8::25")];
        let all =
            sources.map(|from| (from, None)).into_iter().chain(pairs.map(|(from, to)| (from, Some(to))));
        for (from, to) in all {
            let to = to.map(|to| to.parse().unwrap());
            let target = Target { network: from.parse().unwrap(), to };
            for left in [None, Some(Duration::from_secs(60))] {
                let lifetime = Lifetime { time: HOUR, left: left.unwrap_or(HOUR) };
                let mut made = elements([(target, Some(lifetime))]);
                let Some(NfListObject::Element(made)) = made.next() else { panic!() };
                let expected = Blocked { target, time: Some(HOUR), left };
                assert_eq!(blocked(&made.elem[0]), Some(expected));
                let json = serde_json::to_string(&made.elem[0]).unwrap();
                assert_eq!(blocked(&serde_json::from_str(&json).unwrap()), Some(expected), "{json}");
            }
        }
        assert_eq!(blocked(&Expression::Number(7)), None);
    }

    /// A table as nft 1.0.6 lists it, with this set and this rule.
    fn listed(set: &str, rule: &str) -> Listing {
        let output = format!(
            r#"{{"nftables": [{{"metainfo": {{"version": "1.0.6"}}}}, {{"table": {{"family": "inet", "name": "synwatch"}}}},
            {{"set": {{"family": "inet", "name": "{set}", "table": "synwatch", "type": "ipv4_addr", "flags": ["timeout"],
            "elem": [{{"elem": {{"val": {{"prefix": {{"addr": "192.0.2.0", "len": 24}}}}, "timeout": 100, "expires": 90}}}},
            "203.0.113.1", {{"range": ["203.0.113.3", "203.0.113.4"]}}]}}}},
            {{"chain": {{"family": "inet", "table": "synwatch", "name": "prerouting", "hook": "prerouting"}}}},
            {{"rule": {{"family": "inet", "table": "synwatch", "chain": "prerouting", "expr": [{{"match": {{"op": "==",
            "left": {{"payload": {{"protocol": "ip", "field": "saddr"}}}}, "right": "{rule}"}}}},
            {{"counter": {{"packets": 0, "bytes": 0}}}}, {{"drop": null}}]}}}}]}}"#
        );
        Listing::parse(&output).unwrap()
    }

    #[test]
    fn sets_rules_and_elements_are_read_from_what_nft_lists() {
        let listing = listed("blocked4", "@blocked4");
        let block = |network: &str, time: Option<u64>, left: Option<u64>| Blocked {
            target: Target::source(network.parse().unwrap()),
            time: time.map(Duration::from_secs),
            left: left.map(Duration::from_secs),
        };
        let expected = vec![block("192.0.2.0/24", Some(100), Some(90)), block("203.0.113.1/32", None, None)];
        let (sets, dropped) = (vec!["blocked4"], vec!["blocked4"]);
        assert_eq!(listing, Listing { sets, dropped, blocked: expected }, "a range is none of ours");
        assert!(!listing.is_whole() && listing.has_set_of(&Target::source("192.0.2.1/32".parse().unwrap())));
        assert!(!listing.has_set_of(&Target::source("2001:db8::/64".parse().unwrap())));
        let foreign = listed("another", "@another");
        assert_eq!(foreign, Listing::default());
    }
}
