//! Blocks in the kernel's firewall, by way of the program nft(8).
//!
//! A table of its own, `inet synwatch`, holds two sets of networks that expire by themselves, and a chain that drops
//! what comes from them before anything else looks at it, connection tracking included. Nobody else's rules are
//! touched. Each change is one transaction: it is made whole or not at all.

use std::borrow::Cow;
use std::collections::HashSet;
use std::env;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use ipnet::IpNet;
use nftables::batch::Batch;
use nftables::expr::{Elem, Expression, NamedExpression, Payload, PayloadField, Prefix};
use nftables::schema::{
    Chain, Element, FlushObject, NfCmd, NfListObject, NfObject, Nftables, Rule, Set, SetFlag, SetType,
    SetTypeValue, Table,
};
use nftables::stmt::{Counter, Match, Operator, Statement};
use nftables::types::{NfChainPolicy, NfChainType, NfFamily, NfHook};
use serde::{Deserialize, Serialize};

use super::run::{Ran, run};
use crate::error::Cause;
use crate::units::Span;

/// The table's name; it is of the family `inet`.
pub(super) const TABLE: &str = "synwatch";
/// The set of IPv4 networks.
pub(super) const SET4: &str = "blocked4";
/// The set of IPv6 networks.
pub(super) const SET6: &str = "blocked6";
const CHAIN: &str = "prerouting";

/// Before the defragmentation of connection tracking (-400) nothing has a priority of its own.
const PRIORITY: i32 = -500;

/// More than may be blocked: an interval counts as two elements. A set's size cannot be changed later.
const SIZE: u32 = 1 << 18;

/// Where nft is when `PATH` does not say.
const USUAL: [&str; 3] = ["/usr/sbin/nft", "/sbin/nft", "/usr/local/sbin/nft"];

/// How long it may take. It does so little here that one that takes longer hangs; the kernel has it wait for others who
/// change the firewall.
const TIME: Duration = Duration::from_secs(10);

/// What is blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    /// Whose packets are dropped.
    pub network: IpNet,
    /// For how long it was blocked; `None`: until it is unblocked.
    pub time: Option<Duration>,
    /// How much of that is left.
    pub left: Option<Duration>,
}

/// Why nft did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NftError {
    /// There is no such program.
    #[error("nft is not there (apt-get install nftables)")]
    Missing,
    /// The right to is missing.
    #[error("the capability CAP_NET_ADMIN is missing (run as root)")]
    NotAllowed,
    /// What was to be removed is not there (any more), or what was to be added is.
    #[error("{0}")]
    Changed(String),
    /// It hangs.
    #[error("nft was not done within {}, and ended", Span(TIME))]
    Hangs,
    /// It says why, or cannot be run or understood.
    #[error("{0}")]
    Other(String),
}

/// The program.
#[derive(Debug, Clone)]
pub struct Nft {
    program: PathBuf,
}

impl Nft {
    /// Looks for it, in `PATH` and where it usually is.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub fn find() -> Result<Self, NftError> {
        let path = env::var_os("PATH").unwrap_or_default();
        let places = env::split_paths(&path).filter(|folder| folder.is_absolute());
        let places = places.map(|folder| folder.join("nft")).chain(USUAL.map(PathBuf::from));
        let found = places.into_iter().find(|place| place.is_file());
        found.map(|program| Self { program }).ok_or(NftError::Missing)
    }

    /// Makes the table, unless it is there. What is blocked stays blocked.
    ///
    /// # Errors
    ///
    /// When nft does not do it.
    pub fn set_up(&self) -> Result<(), NftError> {
        let mut batch = Batch::new();
        batch.add(NfListObject::Table(table()));
        batch.add(NfListObject::Set(Box::new(set(SET4, SetType::Ipv4Addr))));
        batch.add(NfListObject::Set(Box::new(set(SET6, SetType::Ipv6Addr))));
        batch.add(NfListObject::Chain(chain()));
        batch.add_cmd(NfCmd::Flush(FlushObject::Chain(chain())));
        batch.add(NfListObject::Rule(drops("ip", SET4)));
        batch.add(NfListObject::Rule(drops("ip6", SET6)));
        self.apply(batch)
    }

    /// What is blocked, in the order of the addresses. Nothing, where the table is not there.
    ///
    /// # Errors
    ///
    /// When nft does not tell.
    pub fn blocked(&self) -> Result<Vec<Blocked>, NftError> {
        let mut all = Vec::new();
        for name in [SET4, SET6] {
            match self.elements(name) {
                Ok(blocked) => all.extend(blocked),
                Err(NftError::Changed(_)) => {}
                Err(error) => return Err(error),
            }
        }
        all.sort_by_key(|blocked| blocked.network);
        Ok(all)
    }

    /// Blocks a network for this time, rounded up to seconds. What is blocked within it is replaced; where a network
    /// around it is blocked there is nothing to do.
    ///
    /// # Errors
    ///
    /// When nft does not do it.
    pub fn block(&self, network: IpNet, time: Duration) -> Result<(), NftError> {
        // What is there may expire before the transaction that removes it.
        self.retry(|| {
            let there = self.blocked()?;
            if there.iter().any(|blocked| blocked.network != network && blocked.network.contains(&network)) {
                return Ok(());
            }
            let mut batch = Batch::new();
            for blocked in there.iter().filter(|blocked| network.contains(&blocked.network)) {
                batch.delete(element(blocked.network, None));
            }
            batch.add(element(network, Some(time)));
            self.apply(batch)
        })
    }

    /// Unblocks all that has an address in common with this network, or everything, and gives what that was.
    ///
    /// # Errors
    ///
    /// When nft does not do it.
    pub fn unblock(&self, network: Option<IpNet>) -> Result<Vec<IpNet>, NftError> {
        self.retry(|| {
            let concerns = |blocked: &IpNet| {
                network.is_none_or(|network| network.contains(blocked) || blocked.contains(&network))
            };
            let there = self.blocked()?.into_iter().map(|blocked| blocked.network);
            let concerned: Vec<_> = there.filter(concerns).collect();
            let mut batch = Batch::new();
            concerned.iter().for_each(|network| batch.delete(element(*network, None)));
            if !concerned.is_empty() {
                self.apply(batch)?;
            }
            Ok(concerned)
        })
    }

    fn retry<T>(&self, change: impl Fn() -> Result<T, NftError>) -> Result<T, NftError> {
        match change() {
            Err(NftError::Changed(_)) => change(),
            result => result,
        }
    }

    fn elements(&self, name: &str) -> Result<Vec<Blocked>, NftError> {
        let arguments = ["list", "set", "inet", TABLE, name];
        let listed = self.run(&arguments, "")?;
        let listed: Nftables<'_> = serde_json::from_str(&listed)
            .map_err(|error| NftError::Other(format!("nft is not understood: {error}")))?;
        let sets = listed.objects.iter().filter_map(|object| match object {
            NfObject::ListObject(NfListObject::Set(set)) if set.name == name => set.elem.as_deref(),
            _ => None,
        });
        Ok(sets.flatten().filter_map(blocked).collect())
    }

    fn apply(&self, batch: Batch<'_>) -> Result<(), NftError> {
        let changes = serde_json::to_string(&batch.to_nftables());
        let changes = changes.map_err(|error| NftError::Other(error.to_string()))?;
        self.run(&["-f", "-"], &changes).map(drop)
    }

    /// Runs it, and gives what it prints.
    fn run(&self, arguments: &[&str], input: &str) -> Result<String, NftError> {
        let cannot =
            |error: io::Error| NftError::Other(format!("cannot run {:?}: {}", self.program, Cause(&error)));
        let mut nft = Command::new(&self.program);
        nft.arg("-j").args(arguments).env("LC_ALL", "C");
        match run(&mut nft, input, TIME).map_err(cannot)? {
            None => Err(NftError::Hangs),
            Some(Ran { status, out, .. }) if status.success() => Ok(out),
            Some(Ran { err, .. }) => Err(told(&err)),
        }
    }
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

/// The rule that drops, and counts, what comes from a network of this set.
fn drops(protocol: &'static str, set: &'static str) -> Rule<'static> {
    let field = PayloadField { protocol: protocol.into(), field: "saddr".into() };
    let source = Expression::Named(NamedExpression::Payload(Payload::PayloadField(field)));
    let set = Expression::String(Cow::Owned(format!("@{set}")));
    let expr = vec![
        Statement::Match(Match { left: source, right: set, op: Operator::EQ }),
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

fn element(network: IpNet, time: Option<Duration>) -> NfListObject<'static> {
    let address = Expression::String(Cow::Owned(network.network().to_string()));
    let value = if network.prefix_len() == network.max_prefix_len() {
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
        name: if network.addr().is_ipv4() { SET4 } else { SET6 }.into(),
        elem: vec![value].into(),
    })
}

/// Whole seconds, at least one: 0 would be for ever.
pub(super) fn seconds(time: Duration) -> u32 {
    let up = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
    u32::try_from(up).unwrap_or(u32::MAX).max(1)
}

/// What nft says of an element. One that somebody else made of something else is left out.
fn blocked(element: &Expression<'_>) -> Option<Blocked> {
    let (value, time, left) = match element {
        Expression::Named(NamedExpression::Elem(elem)) => (elem.val.as_ref(), elem.timeout, elem.expires),
        value => (value, None, None),
    };
    let duration = |seconds: Option<u32>| seconds.map(|seconds| Duration::from_secs(seconds.into()));
    Some(Blocked { network: network(value)?, time: duration(time), left: duration(left) })
}

fn network(value: &Expression<'_>) -> Option<IpNet> {
    match value {
        Expression::String(address) => address.parse().ok().map(|address: std::net::IpAddr| address.into()),
        Expression::Named(NamedExpression::Prefix(prefix)) => match prefix.addr.as_ref() {
            Expression::String(address) => {
                IpNet::new(address.parse().ok()?, prefix.len.try_into().ok()?).ok()
            }
            _ => None,
        },
        _ => None,
    }
}

/// What went wrong, from what nft says: the first line of it, without its own name.
fn told(stderr: &str) -> NftError {
    let line = stderr.lines().next().unwrap_or("nft says nothing").trim();
    let what = line.rsplit("rror: ").next().unwrap_or(line).to_owned();
    match () {
        () if what.contains("Operation not permitted") => NftError::NotAllowed,
        () if ["No such file", "File exists"].iter().any(|text| what.contains(text)) => {
            NftError::Changed(what)
        }
        () => NftError::Other(what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nft_says_is_understood() {
        let root = "Error: Could not process rule: Operation not permitted (you must be root)\nmore\n";
        assert_eq!(told(root), NftError::NotAllowed);
        let gone = "internal:0:0-0: Error: Could not process rule: No such file or directory\n";
        assert_eq!(
            told(gone),
            NftError::Changed("Could not process rule: No such file or directory".to_owned())
        );
        assert_eq!(told("Error: syntax error\n"), NftError::Other("syntax error".to_owned()));
        assert_eq!(told(""), NftError::Other("nft says nothing".to_owned()));
    }

    #[test]
    fn a_time_is_never_for_ever() {
        for (millis, shown) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (3_600_000, 3_600)] {
            assert_eq!(seconds(Duration::from_millis(millis)), shown);
        }
        assert_eq!(seconds(Duration::MAX), u32::MAX);
    }

    #[test]
    fn elements_come_back_as_they_went() {
        for text in ["192.0.2.1/32", "192.0.2.0/24", "2001:db8::1/128", "2001:db8::/64"] {
            let net: IpNet = text.parse().unwrap();
            let NfListObject::Element(made) = element(net, Some(Duration::from_secs(60))) else { panic!() };
            let expected = Blocked { network: net, time: Some(Duration::from_secs(60)), left: None };
            assert_eq!(blocked(&made.elem[0]), Some(expected));
            let json = serde_json::to_string(&made.elem[0]).unwrap();
            assert_eq!(blocked(&serde_json::from_str(&json).unwrap()), Some(expected), "{json}");
        }
        assert_eq!(blocked(&Expression::Number(7)), None);
    }
}
