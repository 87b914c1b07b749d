//! What a fleet shares, on one or several servers of Redis or Valkey.
//!
//! A [`Store`] publishes: attempts of candidates, blocks, a beat each second. A [`LogReader`] hears what other gateways
//! published. Each has a connection of its own to each server, and belongs on a thread of its own: a reader waits for
//! news. Nothing here starts a thread, and nothing is asked of a server before the first call.
//!
//! All times are those of this gateway: the store knows how far each server's clock is from it ([`Store::beat`]
//! measures). Calls return within [`TIMEOUT`] for each server that does not answer; one that failed rests for a while
//! (up to [`LONGEST_REST`]), and answers [`StoreFault::Resting`] at once until then. So a caller needs no pace of its
//! own, and tries again with its next batch.
//!
//! What the servers hold is bounded: each key expires, and each has a cap, whatever a gateway sends.

mod access;
mod address;
mod answers;
mod changes;
mod clock;
mod connection;
mod error;
mod gateways;
mod keys;
mod log;
mod marks;
mod name;
mod probe;
mod records;
mod report;
mod scripts;
mod shared;
mod tally;
mod wire;

use std::sync::Arc;

use redis::Value;

use connection::Link;
use gateways::Others;
use scripts::Script;
use shared::Shared;

pub use access::{Access, AccessError, AccessFiles};
pub use address::{Address, AddressError, Servers};
#[doc(hidden)]
pub use answers::{Answers, Understood};
pub use changes::{Changed, Changes, TakenBack};
pub use connection::{LONGEST_REST, TIMEOUT};
pub use error::{StoreError, StoreFault};
pub use log::{LogEntry, LogReader, Logged};
pub use marks::MarkKey;
pub use name::{Name, NameError};
pub use records::{Answer, Attempt, Beat, Gateway, GatewayStatus, Listed, Report, SharedEpisode, Verdict};
pub use tally::{Tally, TallyId};

/// Publishes what a gateway knows, and asks what the fleet does.
pub struct Store {
    shared: Arc<Shared>,
    links: Box<[Link]>,
    others: Others,
}

impl Store {
    /// The servers of a fleet. Nothing is connected to yet.
    #[must_use]
    pub fn new(access: Arc<Access>) -> Self {
        let links: Box<[Link]> = access.links();
        Self { others: Others::new(links.len()), shared: Arc::new(Shared::new(access)), links }
    }

    /// The same fleet with connections of its own: it knows the gateways and the key of marks that this store knows.
    #[must_use]
    pub fn sibling(&self) -> Self {
        let links = self.shared.access.links();
        Self { others: Others::new(links.len()), shared: Arc::clone(&self.shared), links }
    }

    /// A reader of the log, for another thread. It knows the gateways and the key of marks that this store knows.
    #[must_use]
    pub fn log_reader(&self) -> LogReader {
        LogReader::new(Arc::clone(&self.shared))
    }

    /// The key of the fleet's marks, once a server told it, or took one from this gateway. A server that has lost its
    /// data gets the key back from the gateways.
    #[must_use]
    pub fn mark_key(&self) -> Option<MarkKey> {
        self.shared.mark_key()
    }

    /// The number of servers.
    pub(crate) fn servers(&self) -> usize {
        self.links.len()
    }

    /// Reaches each server, reads its clock and agrees with it on the key of marks.
    ///
    /// # Errors
    /// The servers that cannot be reached or used.
    pub fn connect(&mut self) -> Vec<Arc<StoreError>> {
        (0..self.links.len()).filter_map(|server| self.ready(server).err()).collect()
    }

    /// Opens the connection to a server, where there is none. All requests begin so.
    fn ready(&mut self, server: usize) -> Result<clock::Reading, Arc<StoreError>> {
        shared::ready(&self.shared, &mut self.links[server], server)
    }

    fn run(
        &mut self,
        server: usize,
        script: Script,
        keys: &[&str],
        arguments: &[&[u8]],
    ) -> Result<Value, Arc<StoreError>> {
        let answer = self.links[server].run(script, keys, arguments);
        answer.map_err(|fault| self.shared.error(server, fault))
    }
}
