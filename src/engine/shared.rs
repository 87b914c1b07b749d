//! The view of a watch's counters for other threads, which read them during writes.
//!
//! The tables are shared, and stay in memory while any thread reads them, even after a reload replaces them.

use std::net::IpAddr;
use std::sync::Arc;

use crate::base::hash::Key;
use crate::engine::counters::Table;
use crate::engine::counting::groups::Watching;
use crate::engine::subject::Source;
use crate::engine::watch::{Grouping, Limit};

/// A watch with the tables of its sources.
#[derive(Debug, Clone)]
pub(crate) struct SharedWatch {
    pub(crate) name: Arc<str>,
    /// The limits of its sources.
    pub(crate) limits: Vec<Limit>,
    /// The tables of sources, first the table of their attempts. A source has the same tag in all of them.
    pub(crate) tables: Vec<SharedTable>,
    grouping: Grouping,
    key: Key,
}

/// A table of sources.
#[derive(Debug, Clone)]
pub(crate) struct SharedTable {
    pub(crate) table: Arc<Table>,
    /// Its limits, as indexes among the watch's limits.
    pub(crate) limits: Vec<usize>,
}

impl SharedWatch {
    /// The source with this tag, if this is the address of one of its hosts. One of this host's own addresses
    /// has the tag of a host, even if the watch groups by networks.
    pub(crate) fn source(&self, tag: u64, address: IpAddr) -> Option<Source> {
        let group = self.grouping.group(address);
        match () {
            () if Table::is_tag_of(tag, self.key.address(address)) => Some(Source(address.into())),
            () if Table::is_tag_of(tag, self.key.group(group.addr())) => Some(Source(group)),
            () => None,
        }
    }
}

impl Watching {
    /// The view of it for other threads. The tags of its sources are made with this key.
    pub(crate) fn shared(&self, key: Key) -> SharedWatch {
        let Self { watch, limits, outcomes, groups, .. } = self;
        let sources = groups.first().map(|group| &group.counter).into_iter();
        let counters = sources.chain(outcomes.iter().map(|(_, counter)| counter));
        let tables = counters
            .map(|counter| SharedTable { table: Arc::clone(&counter.table), limits: counter.limits.clone() });
        let (name, grouping) = (Arc::clone(&watch.name), watch.grouping);
        SharedWatch { name, limits: limits.clone(), tables: tables.collect(), grouping, key }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_host_or_its_group_as_its_tag_tells() {
        let key = Key::fixed();
        let watch = SharedWatch {
            name: "mail".into(),
            limits: Vec::new(),
            tables: Vec::new(),
            grouping: Grouping::new(24, 64),
            key,
        };
        for (host, group) in [("198.51.100.66", "198.51.100.0/24"), ("2001:db8:1:2::3", "2001:db8:1:2::/64")]
        {
            let (host, group): (IpAddr, ipnet::IpNet) = (host.parse().unwrap(), group.parse().unwrap());
            assert_eq!(watch.source(key.address(host), host), Some(Source(host.into())));
            assert_eq!(watch.source(key.group(group.addr()), host), Some(Source(group)));
            assert_eq!(watch.source(0, host), None);
        }
        let translated = "64:ff9b::192.0.2.77".parse().unwrap();
        let source = watch.source(key.address(translated), translated).unwrap();
        assert_eq!(source.to_string(), "64:ff9b::c000:24d");
    }
}
