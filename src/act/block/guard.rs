//! The guard: a process whose only privilege is to change the firewall. It reads no packets.
//!
//! It takes only a few requests: to block targets for a time, to free targets, and to look at what is blocked. The main
//! process reads packets from strangers, so the guard does not trust it: it enforces [`super::never`], the protected
//! networks and the maximum number of blocks itself. An attacker that controls the main process can block that many
//! strangers, and free what is blocked, and do nothing else to the firewall.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::ruleset::Blocked;
use super::target::Target;
use crate::act::helper::Process;
use crate::act::shutdown::ShutdownDeadline;
use crate::engine::watch::AllowList;
use crate::error::Error;

mod serve;

pub(crate) use serve::serve_guard;

/// Error for requests after nft did not answer before the shutdown deadline.
const HANGS: &str = "nft hangs, and the run ends";

/// The largest `--max-blocks`.
const MOST: usize = 65_536;

/// The first line to the guard, from a main process that has read no packet yet.
#[derive(Debug, Serialize, Deserialize)]
struct Setup {
    /// The user to become, if any.
    user: Option<String>,
    /// Maximum number of blocked networks.
    #[serde(default = "most")]
    most: usize,
    /// Allowed networks, which are never blocked. The list is fixed: a compromised main process could ask to remove an
    /// entry.
    #[serde(default)]
    allow: AllowList,
}

fn most() -> usize {
    MOST
}

/// A request to the guard.
#[derive(Debug, Serialize, Deserialize)]
enum Request {
    /// Block these targets for these seconds, in one transaction.
    Block(Vec<(Target, u64)>),
    /// Unblock these targets, in one transaction.
    Free(Vec<Target>),
    /// Compare the kernel's table with the list of blocks, and make missing ones again. With `true`, do so
    /// even if the list is empty, and return all blocks.
    Look(bool),
    /// List all that is blocked.
    List,
}

impl Request {
    /// Maximum number of targets in one request.
    const TARGETS: usize = 4096;
    /// Maximum length of a request in bytes: a target, two addresses and a time, has fewer than 200.
    const MOST: u64 = 256 * Self::TARGETS as u64;
}

/// The guard's first answer, after it has dropped its privileges: the reason why it cannot block yet, if any. An error:
/// it cannot run at all.
type Ready = Result<Option<String>, String>;

/// The guard's answer to a request.
pub(super) type Reply<T = ()> = Result<T, String>;

/// The guard's findings in the kernel's table since the last request.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Looked {
    /// How many blocks were made again, if the table or a part of it had to be.
    pub(super) rebuilt: Option<usize>,
    /// Blocks that were removed by hand.
    pub(super) unblocked: Vec<Target>,
    /// Blocks that others have added.
    pub(super) found: Vec<Blocked>,
    /// Blocks that have expired, by the clock of the kernel.
    #[serde(default)]
    pub(super) over: Vec<Target>,
    /// All blocks, if the request asked for them.
    #[serde(default)]
    pub(super) all: Vec<Blocked>,
}

/// The main process' side. `None` after a request ran into the deadline: that closes the pipes, and the guard ends nft.
#[derive(Debug)]
pub(crate) struct Guard(Option<Process>);

impl Guard {
    /// The argument that makes the program run as the guard: [`serve_guard`].
    pub(crate) const ARGUMENT: &'static str = "--guard-firewall";

    /// Starts the guard and waits until it has made its table, or until the run is to stop. If nft fails, this warns: a
    /// later try may succeed. The guard blocks at most `most` networks, and none that overlaps an allowed one.
    ///
    /// # Errors
    ///
    /// The guard cannot be started, or has no privilege to change the firewall.
    pub(crate) fn start(
        user: Option<String>,
        most: usize,
        allow: AllowList,
        stop: &AtomicBool,
    ) -> Result<Self, Error> {
        let started = Process::start(Self::ARGUMENT).and_then(|mut process| {
            let is_awaited = || !stop.load(Ordering::Relaxed);
            match process.ask_while::<Ready>(&Setup { user, most, allow }, is_awaited)? {
                Some(ready) => Ok(ready.map(|hindrance| (Self(Some(process)), hindrance))),
                None => Ok(Ok((Self(None), Some(HANGS.to_owned())))),
            }
        });
        let started = started.unwrap_or_else(|error| Err(error.to_string()));
        let (guard, hindrance) = started.map_err(Error::Firewall)?;
        if let Some(why) = hindrance {
            log::warn!("nothing can be blocked for now: {why}; it is tried again for each source");
        }
        Ok(guard)
    }

    /// Blocks targets in one transaction for each 4,096 of them, unless the deadline passes first. Gives the result for
    /// each.
    pub(super) fn block(
        &mut self,
        wanted: &[(Target, Duration)],
        deadline: &mut ShutdownDeadline,
    ) -> Vec<Reply> {
        let mut results = Vec::with_capacity(wanted.len());
        for some in wanted.chunks(Request::TARGETS) {
            let request = some.iter().map(|(target, time)| (*target, time.as_secs().max(1))).collect();
            results.extend(match self.ask::<Vec<Reply>>(&Request::Block(request), deadline) {
                Ok(replies) => replies,
                Err(why) => vec![Err(why); some.len()],
            });
        }
        results
    }

    /// Unblocks targets. Those that are not blocked are passed over.
    pub(super) fn free(&mut self, targets: &[Target], deadline: &mut ShutdownDeadline) -> Reply {
        targets
            .chunks(Request::TARGETS)
            .try_for_each(|some| self.ask(&Request::Free(some.to_vec()), deadline))
    }

    /// Asks the guard to check the kernel's table, and to make it again if it is missing.
    pub(super) fn look(&mut self, deadline: &mut ShutdownDeadline) -> Reply<Looked> {
        self.ask(&Request::Look(false), deadline)
    }

    /// The same, even without a known block, and with all blocks in the answer.
    pub(super) fn survey(&mut self, deadline: &mut ShutdownDeadline) -> Reply<Looked> {
        self.ask(&Request::Look(true), deadline)
    }

    /// The blocks in the firewall, including those that others made.
    pub(super) fn blocked(&mut self, deadline: &mut ShutdownDeadline) -> Reply<Vec<Blocked>> {
        self.ask(&Request::List, deadline)
    }

    fn ask<T: DeserializeOwned>(&mut self, request: &Request, deadline: &mut ShutdownDeadline) -> Reply<T> {
        let Some(process) = &mut self.0 else { return Err(HANGS.to_owned()) };
        match process.ask_while(request, || !deadline.is_over()) {
            Ok(Some(reply)) => reply,
            Ok(None) => {
                self.0 = None;
                Err(HANGS.to_owned())
            }
            Err(_) => Err("the process that guards the firewall has ended (restart synwatch)".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use ipnet::IpNet;

    use crate::act::helper::line;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn a_setup_without_bounds_has_the_widest() {
        let setup: Setup = serde_json::from_str(r#"{"user":null}"#).unwrap();
        assert_eq!((setup.most, setup.allow), (MOST, AllowList::default()));
        let allow: AllowList = [net("192.0.2.0/24"), net("2001:db8::/32")].into_iter().collect();
        let setup = Setup { user: None, most: 7, allow: allow.clone() };
        let read: Setup = serde_json::from_slice(&line(&setup).unwrap()).unwrap();
        assert_eq!((read.most, read.allow), (7, allow));
    }

    #[test]
    fn the_longest_request_is_short_enough() {
        let target = Target {
            network: net("2001:db8:1111:2222:3333:4444:5555:6666/128"),
            to: Some("2001:db8:1111:2222:3333:4444:5555:6666".parse().unwrap()),
        };
        let block = line(&Request::Block(vec![(target, u64::MAX); Request::TARGETS])).unwrap();
        let free = line(&Request::Free(vec![target; Request::TARGETS])).unwrap();
        assert!(block.len().max(free.len()) as u64 * 5 / 4 < Request::MOST, "{}", block.len());
    }
}
