//! The names of what a fleet stores. All begin with `synwatch:{NAME}:`: an ACL can hold a user to them, and a cluster
//! keeps them on one node.

use super::name::Name;
use super::tally::TallyId;
use crate::engine::subject::Source;

/// The keys of a fleet.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: Box<str>,
    /// What happened: candidates, limits that were met, blocks.
    pub(super) log: Box<str>,
    /// When each gateway was last seen.
    pub(super) gateways: Box<str>,
    /// What each gateway tells of itself.
    pub(super) status: Box<str>,
    /// The open episodes, by when they end.
    pub(super) episodes: Box<str>,
    /// The version of the data, and the key of marks.
    pub(super) meta: Box<str>,
    /// What is blocked.
    pub(super) blocks: Table,
    /// What is allowed.
    pub(super) allows: Table,
}

/// A table of networks: its entries, and when each ends.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) entries: Box<str>,
    pub(super) ends: Box<str>,
}

impl Keys {
    pub(super) fn new(fleet: &Name) -> Self {
        let prefix = format!("synwatch:{{{fleet}}}:");
        let key = |name: &str| format!("{prefix}{name}").into_boxed_str();
        let table = |name: &str| Table { entries: key(name), ends: key(&format!("{name}:ends")) };
        Self {
            log: key("log"),
            gateways: key("gateways"),
            status: key("status"),
            episodes: key("episodes"),
            meta: key("meta"),
            blocks: table("blocks"),
            allows: table("allows"),
            prefix: prefix.into(),
        }
    }

    /// The beginning of all of them.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The attempts of a source. The script derives the key of its episode: `e:` for `c:`.
    pub(super) fn attempts(&self, tally: &TallyId, source: Source) -> String {
        format!("{}c:{tally}:{source}", self.prefix)
    }
}

/// The tally and the source of such a key, without what all keys begin with.
pub(super) fn parse(rest: &str) -> Option<(TallyId, Source)> {
    let mut parts = rest.splitn(3, ':');
    let (digest, name, source) = (parts.next()?, parts.next()?, parts.next()?);
    let is_digest = digest.len() == 8 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    let network = crate::engine::watch::allow::network(source).ok()?;
    is_digest.then(|| (TallyId(rest[..digest.len() + 1 + name.len()].into()), Source(network)))
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::time::Duration;

    use crate::engine::watch::Grouping;
    use crate::fleet::store::Tally;

    #[test]
    fn a_key_holds_tally_and_source() {
        let keys = Keys::new(&"mx".parse().unwrap());
        let (tallies, _) = Tally::of_watch(
            "mail: all",
            &["30/10s".parse().unwrap()],
            Duration::from_secs(60),
            &Grouping::HOSTS,
        );
        for source in ["198.51.100.66", "2001:db8::7", "2001:db8::/64"] {
            let source = Source(crate::engine::watch::allow::network(source).unwrap());
            let key = keys.attempts(tallies[0].id(), source);
            let rest = key.strip_prefix("synwatch:{mx}:c:").unwrap();
            assert_eq!(parse(rest), Some((tallies[0].id().clone(), source)), "{key}");
        }
    }

    #[test]
    fn what_is_no_key_is_none() {
        for rest in ["", "a:b:c", "0123abcd:mail", "0123abcd:mail:x", "0123abcd:mail:192.0.2.1/33"] {
            assert_eq!(parse(rest), None, "{rest}");
        }
    }
}
