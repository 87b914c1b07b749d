//! What is blocked and what is allowed in the whole fleet.

use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use super::clock::Reading;
use super::error::{StoreError, StoreFault};
use super::keys::Table;
use super::records::{Answer, Listed};
use super::scripts::Script;
use super::{Store, wire};
use crate::base::time::Timestamp;
use crate::engine::watch::allow;

/// The most entries of a table, tombstones among them.
const MOST_ENTRIES: usize = 10_000;
/// The longest reason, in characters.
const LONGEST_WHY: usize = 200;

/// An entry as a server holds it. Times are in microseconds of its clock.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    until: u64,
    by: String,
    why: String,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// The servers have it, and the log tells all gateways.
    Done,
    /// It was unblocked before, and is not blocked again before its time would have been over.
    Unblocked,
}

impl Store {
    /// Blocks a network in the whole fleet, unless it was unblocked before and the time of that block is not over.
    /// `by_hand` blocks it all the same.
    ///
    /// # Errors
    /// The network's server does not take it.
    pub fn block(
        &mut self,
        network: IpNet,
        until: Timestamp,
        why: &str,
        by_hand: bool,
    ) -> Result<Changed, Arc<StoreError>> {
        let table = self.shared.keys.blocks.clone();
        self.change(&table, if by_hand { "force" } else { "set" }, "block", network, until, why)
    }

    /// Unblocks a network in the whole fleet, with what is blocked in or around it; without one everything. Until `until`
    /// no gateway blocks it again by itself. Returns what was blocked by the fleet.
    ///
    /// # Errors
    /// A server does not do it. Others may have done it.
    pub fn unblock(
        &mut self,
        network: Option<IpNet>,
        until: Timestamp,
        why: &str,
    ) -> Result<Vec<Listed>, Arc<StoreError>> {
        let table = self.shared.keys.blocks.clone();
        let blocked = self.blocked();
        if let Some(error) = blocked.failed.into_iter().next() {
            return Err(error);
        }
        let concerns = |listed: &Listed| {
            network
                .is_none_or(|network| network.contains(&listed.network) || listed.network.contains(&network))
        };
        let concerned: Vec<_> = blocked.value.into_iter().filter(concerns).collect();
        for listed in &concerned {
            self.change(&table, "unset", "unblock", listed.network, listed.until, why)?;
        }
        // Each gateway may have blocks of its own besides.
        let told = match network {
            Some(network) => vec![network],
            None => vec![Ipv4Net::default().into(), Ipv6Net::default().into()],
        };
        for network in told {
            if concerned.iter().all(|listed| listed.network != network) {
                self.change(&table, "unset", "unblock", network, until, why)?;
            }
        }
        Ok(concerned)
    }

    /// Allows a network in the whole fleet.
    ///
    /// # Errors
    /// The network's server does not take it.
    pub fn allow(&mut self, network: IpNet, until: Timestamp, why: &str) -> Result<(), Arc<StoreError>> {
        let table = self.shared.keys.allows.clone();
        self.change(&table, "force", "allow", network, until, why).map(|_| ())
    }

    /// Takes back what was allowed. Returns whether it was.
    ///
    /// # Errors
    /// A server does not do it.
    pub fn unallow(&mut self, network: IpNet) -> Result<bool, Arc<StoreError>> {
        let table = self.shared.keys.allows.clone();
        let allowed = self.allowed();
        if let Some(error) = allowed.failed.into_iter().next() {
            return Err(error);
        }
        let Some(listed) = allowed.value.into_iter().find(|listed| listed.network == network) else {
            return Ok(false);
        };
        self.change(&table, "unset", "unallow", network, listed.until, "").map(|_| true)
    }

    /// What is blocked in the whole fleet, by network.
    pub fn blocked(&mut self) -> Answer<Vec<Listed>> {
        let table = self.shared.keys.blocks.clone();
        self.listed(&table)
    }

    /// What is allowed in the whole fleet, by network.
    pub fn allowed(&mut self) -> Answer<Vec<Listed>> {
        let table = self.shared.keys.allows.clone();
        self.listed(&table)
    }

    fn change(
        &mut self,
        table: &Table,
        how: &str,
        what: &str,
        network: IpNet,
        until: Timestamp,
        why: &str,
    ) -> Result<Changed, Arc<StoreError>> {
        let name = crate::engine::subject::Source(network).to_string();
        let server = self.shared.access.servers.of(&name);
        let clock = self.ready(server)?;
        let shared = Arc::clone(&self.shared);
        let by = shared.access.gateway.as_str();
        let until = clock.to_server(until);
        let entry = Entry { until, by: by.to_owned(), why: why.chars().take(LONGEST_WHY).collect() };
        // The values are numbers and texts: they have a form in JSON.
        let entry = serde_json::to_string(&entry).unwrap_or_default();
        let (until, most) = (until.to_string(), MOST_ENTRIES.to_string());
        let arguments = [how, what, &name, &until, &entry, &most, by].map(str::as_bytes);
        let keys = [&*table.entries, &*table.ends, &*shared.keys.log];
        let answer = self.run(server, Script::Change, &keys, &arguments)?;
        let wrong = |fault| shared.error(server, fault);
        match wire::text(answer).map_err(wrong)?.as_str() {
            "done" => Ok(Changed::Done),
            "gone" => Ok(Changed::Unblocked),
            "full" => Err(wrong(StoreFault::Full(MOST_ENTRIES))),
            other => Err(wrong(wire::unexpected(other))),
        }
    }

    fn listed(&mut self, table: &Table) -> Answer<Vec<Listed>> {
        let mut answer = Answer { value: Vec::new(), failed: Vec::new() };
        for server in 0..self.links.len() {
            match self.listed_of(server, table) {
                Ok(mut listed) => answer.value.append(&mut listed),
                Err(error) => answer.failed.push(error),
            }
        }
        answer.value.sort_by_key(|listed| listed.network);
        answer
    }

    fn listed_of(&mut self, server: usize, table: &Table) -> Result<Vec<Listed>, Arc<StoreError>> {
        let clock = self.ready(server)?;
        let command = redis::cmd("HGETALL").arg(&*table.entries).to_owned();
        let link = &mut self.links[server];
        let pairs = link.ask(&command, std::time::Duration::ZERO).and_then(wire::pairs);
        let pairs = pairs.map_err(|fault| self.shared.error(server, fault))?;
        let now = self.shared.now();
        let listed = pairs.iter().filter_map(|(network, entry)| listed(network, entry, clock));
        Ok(listed.filter(|listed| listed.until > now).take(MOST_ENTRIES).collect())
    }
}

/// An entry that is no tombstone.
pub(super) fn listed(network: &str, entry: &str, clock: Reading) -> Option<Listed> {
    let network = allow::network(network).ok()?;
    let Entry { until, by, why } = serde_json::from_str(entry).ok()?;
    Some(Listed { network, until: clock.to_local(until), by: plain(&by), why: plain(&why) })
}

/// A text of another gateway's, without what a terminal would obey.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(LONGEST_WHY).collect()
}
