//! What is blocked and what is allowed in the whole fleet.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use super::clock::Reading;
use super::error::{StoreError, StoreFault};
use super::keys::Table;
use super::records::{Answer, Listed};
use super::scripts::Script;
use super::{Store, wire};
use crate::base::time::Timestamp;
use crate::engine::subject::Source;
use crate::engine::watch::{Limit, allow};

/// The most entries of a table, tombstones among them.
pub(super) const MOST_ENTRIES: usize = 10_000;
/// How long it is kept that a network was unblocked of which the fleet itself had no block: as long as the longest block of
/// a gateway lasts.
const LONGEST_BLOCK: Duration = Limit::MAX_WINDOW;
/// Maximum number of changes in one request.
const AT_ONCE: usize = 256;
/// The longest reason, in characters.
const LONGEST_WHY: usize = 200;

/// An entry as a server holds it. Times are in microseconds of its clock.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    until: u64,
    /// When it was made, or taken back.
    #[serde(default)]
    at: u64,
    by: String,
    why: String,
}

/// A change of a table.
struct Change {
    /// What the script does, and what the log calls it.
    how: &'static str,
    what: &'static str,
    network: IpNet,
    until: Timestamp,
    /// How long the entry or its tombstone is kept.
    kept: Timestamp,
}

/// What a server holds of blocks and of what is allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// What is blocked.
    pub blocked: Vec<Listed>,
    /// What was unblocked: a gateway that was away has not heard of it.
    pub unblocked: Vec<TakenBack>,
    /// What is allowed.
    pub allowed: Vec<Listed>,
    /// What is allowed no more.
    pub unallowed: Vec<TakenBack>,
}

/// What was unblocked, or is allowed no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenBack {
    /// The network; of a block, with what is in or around it.
    pub network: IpNet,
    /// When. What was blocked or allowed later than that stays so.
    pub at: Timestamp,
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
        let how = if by_hand { "force" } else { "set" };
        self.change(&table, Change { how, what: "block", network, until, kept: until }, why)
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
        let now = self.shared.now();
        let unblocked = |network, until, kept| Change { how: "unset", what: "unblock", network, until, kept };
        let mut changes: Vec<_> =
            concerned.iter().map(|listed| unblocked(listed.network, listed.until, listed.until)).collect();
        // Each gateway may have blocks of its own besides, one that is away as well.
        let told = match network {
            Some(network) => vec![network],
            None => vec![Ipv4Net::default().into(), Ipv6Net::default().into()],
        };
        let others = told.into_iter().filter(|told| concerned.iter().all(|listed| listed.network != *told));
        changes.extend(others.map(|told| unblocked(told, until, now.after(LONGEST_BLOCK))));
        self.change_all(&table, &changes, why)?;
        Ok(concerned)
    }

    /// Allows a network in the whole fleet.
    ///
    /// # Errors
    /// The network's server does not take it.
    pub fn allow(&mut self, network: IpNet, until: Timestamp, why: &str) -> Result<(), Arc<StoreError>> {
        let table = self.shared.keys.allows.clone();
        let change = Change { how: "force", what: "allow", network, until, kept: until };
        self.change(&table, change, why).map(|_| ())
    }

    /// Takes back what was allowed. Returns whether a server listed it: a gateway may know of it all the same, because a
    /// server keeps nothing over a restart.
    ///
    /// # Errors
    /// A server does not do it.
    pub fn unallow(&mut self, network: IpNet) -> Result<bool, Arc<StoreError>> {
        let table = self.shared.keys.allows.clone();
        let allowed = self.allowed();
        if let Some(error) = allowed.failed.into_iter().next() {
            return Err(error);
        }
        let was_listed = allowed.value.iter().any(|listed| listed.network == network);
        let until = self.shared.now().after(allow::LONGEST);
        let change = Change { how: "unset", what: "unallow", network, until, kept: until };
        self.change(&table, change, "").map(|_| was_listed)
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

    /// What one server holds of blocks and of what is allowed. Of several servers each holds a part.
    ///
    /// # Errors
    /// The server does not tell.
    pub fn changes_of(&mut self, server: usize) -> Result<Changes, Arc<StoreError>> {
        let (blocks, allows) = (self.shared.keys.blocks.clone(), self.shared.keys.allows.clone());
        let (blocked, unblocked) = self.entries(server, &blocks)?;
        let (allowed, unallowed) = self.entries(server, &allows)?;
        Ok(Changes { blocked, unblocked, allowed, unallowed })
    }

    fn change(&mut self, table: &Table, change: Change, why: &str) -> Result<Changed, Arc<StoreError>> {
        Ok(self.change_all(table, &[change], why)?.pop().unwrap_or(Changed::Done))
    }

    /// Makes changes, many with one request to each server: a server may be far away.
    fn change_all(
        &mut self,
        table: &Table,
        changes: &[Change],
        why: &str,
    ) -> Result<Vec<Changed>, Arc<StoreError>> {
        let shared = Arc::clone(&self.shared);
        let (by, most) = (shared.access.gateway.as_str(), MOST_ENTRIES.to_string());
        let why: String = why.chars().take(LONGEST_WHY).collect();
        let mut by_server: BTreeMap<usize, Vec<&Change>> = BTreeMap::new();
        for change in changes {
            by_server.entry(shared.access.servers.of(&change.name())).or_default().push(change);
        }
        let mut changed = Vec::new();
        for (server, changes) in by_server {
            let clock = self.ready(server)?;
            let wrong = |fault| shared.error(server, fault);
            let keys = [&*table.entries, &*table.ends, &*shared.keys.log];
            for changes in changes.chunks(AT_ONCE) {
                let arguments = changes.iter().map(|change| {
                    let at = clock.to_server(shared.now());
                    let until = clock.to_server(change.until);
                    let entry = Entry { until, at, by: by.to_owned(), why: why.clone() };
                    // The values are numbers and texts: they have a form in JSON.
                    let entry = serde_json::to_string(&entry).unwrap_or_default();
                    let kept = clock.to_server(change.kept).to_string();
                    let (name, Change { how, what, .. }) = (change.name(), *change);
                    let words: [&str; 7] = [how, what, &name, &kept, &entry, &most, by];
                    words.map(|word| word.as_bytes().to_vec())
                });
                let arguments: Vec<_> = arguments.collect();
                let answers = self.links[server].run_each(Script::Change, &keys, &arguments);
                for answer in answers.map_err(wrong)? {
                    changed.push(match wire::text(answer).map_err(wrong)?.as_str() {
                        "done" => Changed::Done,
                        "gone" => Changed::Unblocked,
                        "full" => return Err(wrong(StoreFault::Full(MOST_ENTRIES))),
                        other => return Err(wrong(wire::unexpected(other))),
                    });
                }
            }
        }
        Ok(changed)
    }

    fn listed(&mut self, table: &Table) -> Answer<Vec<Listed>> {
        let mut answer = Answer { value: Vec::new(), failed: Vec::new() };
        for server in 0..self.links.len() {
            match self.entries(server, table) {
                Ok((mut listed, _)) => answer.value.append(&mut listed),
                Err(error) => answer.failed.push(error),
            }
        }
        answer.value.sort_by_key(|listed| listed.network);
        answer
    }

    /// The entries that a server holds, and what was taken back there.
    fn entries(
        &mut self,
        server: usize,
        table: &Table,
    ) -> Result<(Vec<Listed>, Vec<TakenBack>), Arc<StoreError>> {
        let clock = self.ready(server)?;
        let command = redis::cmd("HGETALL").arg(&*table.entries).to_owned();
        let link = &mut self.links[server];
        let pairs = link.ask(&command, Duration::ZERO).and_then(wire::pairs);
        let pairs = pairs.map_err(|fault| self.shared.error(server, fault))?;
        Ok(read_entries(&pairs, clock, self.shared.now()))
    }
}

/// The entries of a table, and what was taken back, as many as a table may have.
pub(super) fn read_entries(
    pairs: &[(String, String)],
    clock: Reading,
    now: Timestamp,
) -> (Vec<Listed>, Vec<TakenBack>) {
    let (mut all, mut taken_back) = (Vec::new(), Vec::new());
    for (network, entry) in pairs.iter().take(MOST_ENTRIES) {
        match entry.strip_prefix('-') {
            Some(entry) => taken_back.extend(taken(network, entry, clock)),
            None => all.extend(listed(network, entry, clock).filter(|listed| listed.until > now)),
        }
    }
    (all, taken_back)
}

impl Change {
    /// The network, as servers name it.
    fn name(&self) -> String {
        Source(self.network).to_string()
    }
}

/// An entry that is no tombstone.
pub(super) fn listed(network: &str, entry: &str, clock: Reading) -> Option<Listed> {
    let network = allow::network(network).ok()?;
    let Entry { until, at, by, why } = serde_json::from_str(entry).ok()?;
    let (at, until) = (clock.to_local(at), clock.to_local(until));
    Some(Listed { network, at, until, by: plain(&by), why: plain(&why) })
}

/// A tombstone, without its mark.
pub(super) fn taken(network: &str, entry: &str, clock: Reading) -> Option<TakenBack> {
    let network = allow::network(network).ok()?;
    let Entry { at, .. } = serde_json::from_str(entry).ok()?;
    Some(TakenBack { network, at: clock.to_local(at) })
}

/// A text of another gateway's, without what a terminal would obey.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(LONGEST_WHY).collect()
}
