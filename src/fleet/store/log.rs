//! The log of a fleet: what one gateway or a server's script announces to all.
//!
//! It is a stream of about 10,000 entries. A reader hears what is announced after it began. What it missed it need not
//! hear: candidates are announced again, blocks and what is allowed can be listed.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use redis::Value;

use super::changes::{TakenBack, listed, plain, taken};
use super::clock::Reading;
use super::connection::Link;
use super::error::{StoreError, StoreFault};
use super::keys;
use super::name::Name;
use super::records::{Answer, Listed, SharedEpisode};
use super::shared::{self, Shared};
use super::tally::TallyId;
use super::wire;
use crate::engine::subject::Source;
use crate::engine::watch::allow;

/// The most entries of one answer.
const MOST: usize = 1_000;

/// An announcement, and the gateway whose request led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// What is announced.
    pub entry: LogEntry,
    /// The gateway's name.
    pub by: String,
}

/// What is announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogEntry {
    /// A source is a candidate: publish what you hold of it, and each further attempt for [`super::Tally::candidate_time`].
    Candidate {
        /// What is counted.
        tally: TallyId,
        /// The source.
        source: Source,
    },
    /// A source met a limit.
    Met(SharedEpisode),
    /// Proven attempts alone meet a limit, in an open episode.
    Verified {
        /// What is counted.
        tally: TallyId,
        /// The source.
        source: Source,
    },
    /// A network is blocked.
    Block(Listed),
    /// A network is unblocked, with what is blocked in or around it.
    Unblock(IpNet),
    /// A network is allowed.
    Allow(Listed),
    /// A network is allowed no more.
    Unallow(TakenBack),
    /// A gateway has joined, or is back after ten minutes: block and allow what the fleet does.
    Join(Name),
    /// The connection is new: announcements may have been missed. Publish the candidates again, and list what is blocked
    /// and allowed at the server with this number.
    Connected(usize),
}

/// Reads the log of all servers.
pub struct LogReader {
    shared: Arc<Shared>,
    servers: Box<[Server]>,
}

struct Server {
    link: Link,
    /// The last entry that was read.
    last: Option<String>,
}

impl LogReader {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let links = shared.access.links().into_iter();
        let servers = links.map(|link| Server { link, last: None }).collect();
        Self { shared, servers }
    }

    /// The announcements since the last call. It waits for one, for so long at most; of several servers it asks one after
    /// the other, and shares the time out.
    ///
    /// It returns at once where all servers fail: wait before the next call.
    pub fn read(&mut self, wait: Duration) -> Answer<Vec<Logged>> {
        let mut answer = Answer { value: Vec::new(), failed: Vec::new() };
        let share = wait / u32::try_from(self.servers.len()).unwrap_or(1).max(1);
        for (number, server) in self.servers.iter_mut().enumerate() {
            match server.read(&self.shared, number, share, &mut answer.value) {
                Ok(()) => {}
                Err(error) => answer.failed.push(error),
            }
        }
        answer
    }
}

impl Server {
    fn read(
        &mut self,
        shared: &Shared,
        number: usize,
        wait: Duration,
        into: &mut Vec<Logged>,
    ) -> Result<(), Arc<StoreError>> {
        let is_new = self.link.is_closed();
        let clock = shared::ready(shared, &mut self.link, number)?;
        let wrong = |fault| shared.error(number, fault);
        if is_new {
            self.begin(&shared.keys.log).map_err(wrong)?;
            into.push(Logged { entry: LogEntry::Connected(number), by: shared.access.gateway.to_string() });
            return Ok(());
        }
        for (id, fields) in self.entries(&shared.keys.log, wait).map_err(wrong)? {
            self.last = Some(id);
            into.extend(logged(&fields, clock, shared));
        }
        Ok(())
    }

    /// Begins at the end of the log; or goes on where it was, unless the server has lost what came after that.
    fn begin(&mut self, log: &str) -> Result<(), StoreFault> {
        let mut command = redis::cmd("XREVRANGE");
        command.arg(log).arg("+").arg("-").arg("COUNT").arg(1);
        let newest = wire::array(self.link.ask(&command, Duration::ZERO)?)?.into_iter().next();
        let newest = newest.map(entry).transpose()?.map_or_else(|| "0-0".to_owned(), |(id, _)| id);
        let is_ahead = |last: &String| order(last) > order(&newest);
        if self.last.as_ref().is_none_or(is_ahead) {
            self.last = Some(newest);
        }
        Ok(())
    }

    fn entries(&mut self, log: &str, wait: Duration) -> Result<Vec<(String, Fields)>, StoreFault> {
        let mut command = redis::cmd("XREAD");
        command.arg("COUNT").arg(MOST);
        // To block for 0 would be without end.
        if wait.as_millis() > 0 {
            command.arg("BLOCK").arg(wait.as_millis().to_string());
        }
        command.arg("STREAMS").arg(log).arg(self.last.as_deref().unwrap_or("$"));
        entries(self.link.ask(&command, wait)?)
    }
}

pub(super) type Fields = Vec<(String, String)>;

/// The entries of all streams of an answer, as many as were asked for of each.
pub(super) fn entries(answer: Value) -> Result<Vec<(String, Fields)>, StoreFault> {
    let mut entries = Vec::new();
    for stream in wire::array(answer)? {
        let list = wire::array(stream)?.into_iter().nth(1).ok_or_else(|| wire::unexpected("no entries"))?;
        for value in wire::array(list)?.into_iter().take(MOST) {
            entries.push(entry(value)?);
        }
    }
    Ok(entries)
}

/// An entry of the stream: its id and its fields.
pub(super) fn entry(value: Value) -> Result<(String, Fields), StoreFault> {
    let mut parts = wire::array(value)?.into_iter();
    let (Some(id), Some(fields)) = (parts.next(), parts.next()) else {
        return Err(wire::unexpected("no entry of a stream"));
    };
    Ok((wire::text(id)?, wire::pairs(fields)?))
}

/// What orders ids of entries.
pub(super) fn order(id: &str) -> (u64, u64) {
    let (time, number) = id.split_once('-').unwrap_or((id, "0"));
    (time.parse().unwrap_or(0), number.parse().unwrap_or(0))
}

/// An entry, unless it is one that this version does not know, or damaged: other gateways may write anything.
pub(super) fn logged(fields: &Fields, clock: Reading, shared: &Shared) -> Option<Logged> {
    let field = |name: &str| fields.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
    let subject = || keys::parse(field("key")?);
    let network = || allow::network(field("network")?).ok();
    let listed = || listed(field("network")?, field("entry")?, clock);
    let entry = match field("what")? {
        "candidate" => subject().map(|(tally, source)| LogEntry::Candidate { tally, source })?,
        "met" => LogEntry::Met(wire::episode(field("key")?, field("episode")?, clock, shared)?),
        "verified" => subject().map(|(tally, source)| LogEntry::Verified { tally, source })?,
        "block" => LogEntry::Block(listed()?),
        "unblock" => LogEntry::Unblock(network()?),
        "allow" => LogEntry::Allow(listed()?),
        "unallow" => LogEntry::Unallow(taken(field("network")?, field("entry")?.strip_prefix('-')?, clock)?),
        "join" => {
            let name: Name = field("by")?.parse().ok()?;
            shared.learn([&name]);
            LogEntry::Join(name)
        }
        _ => return None,
    };
    Some(Logged { entry, by: plain(field("by").unwrap_or_default()) })
}
