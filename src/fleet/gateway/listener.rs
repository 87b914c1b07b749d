//! The thread that receives what the other gateways announce: their candidates, shared episodes, blocks.

use std::time::Duration;

use crossbeam_channel::{Receiver, TryRecvError};

use super::Engine;
use super::blocks::NewsSender;
use crate::engine::fleet::Command;
use crate::fleet::store::{LogEntry, LogReader, Logged, Name};

/// How long to wait for an announcement, and so how long an end may take.
const WAIT: Duration = Duration::from_millis(500);
/// Pause after all servers failed: they are left alone for a while anyway.
const PAUSE: Duration = Duration::from_millis(100);

/// Reads the log.
pub struct Listener {
    reader: LogReader,
    name: Name,
    engine: Engine,
    news: NewsSender,
    stopped: Receiver<()>,
}

impl Listener {
    pub(super) fn new(
        reader: LogReader,
        name: Name,
        engine: Engine,
        news: NewsSender,
        stopped: Receiver<()>,
    ) -> Self {
        Self { reader, name, engine, news, stopped }
    }

    /// Runs until the other end of the stop channel is dropped.
    pub fn run(mut self) {
        while self.stopped.try_recv() == Err(TryRecvError::Empty) {
            let answer = self.reader.read(WAIT);
            let is_idle = answer.value.is_empty() && !answer.failed.is_empty();
            answer.value.into_iter().for_each(|logged| self.receive(logged));
            if is_idle {
                // The reporter says why.
                let _ = self.stopped.recv_timeout(PAUSE);
            }
        }
    }

    fn receive(&self, Logged { entry, by }: Logged) {
        let is_own = by == self.name.as_str();
        match entry {
            LogEntry::Candidate { tally, source } => {
                if let Some(tally) = self.engine.tallies.key(&tally).filter(|_| !is_own) {
                    self.engine.offer(Command::Candidate(tally, source));
                }
            }
            LogEntry::Met(episode) => {
                self.engine.open(&episode);
                self.news.episode();
            }
            LogEntry::Verified { .. } => self.news.episode(),
            LogEntry::Connected(server) => {
                self.engine.send(Command::Republish);
                self.news.connected(server);
            }
            // What this gateway has blocked by itself is blocked here.
            LogEntry::Block(listed) if !is_own || listed.is_by_hand() => self.news.block(listed),
            LogEntry::Unblock(network) => self.news.unblock(network, by),
            LogEntry::Allow(listed) => self.news.allow(listed),
            LogEntry::Unallow(taken) => self.news.unallow(taken, by),
            LogEntry::Block(_) | LogEntry::Join(_) => {}
        }
    }
}
