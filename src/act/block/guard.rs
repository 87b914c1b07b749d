//! The guard: a process whose only privilege is to change the firewall. It reads no packets.
//!
//! It takes only two requests, to block a network for a time and to list the blocks, and passes them to nft. The main
//! process reads packets from strangers, so the guard does not trust it: it enforces [`super::never`], the protected
//! networks and the maximum number of blocks itself. An attacker that controls the main process can block that many
//! strangers, and do nothing else to the firewall.

use std::io::{self, BufRead, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ipnet::IpNet;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::never::{Never, check_network, check_time, embedded};
use super::nft::{Nft, NftError};
use super::protected::{Allowed, Protected};
use super::ruleset::Blocked;
use super::target::Target;
use crate::act::helper::{ANY_LENGTH, Process, line, next_line, outlive_signals};
use crate::act::shutdown::ShutdownDeadline;
use crate::engine::watch::AllowList;
use crate::error::Error;

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
    Block { target: Target, seconds: u64 },
    List,
}

impl Request {
    /// Maximum length of a request in bytes: two addresses and a time have fewer than 200.
    const MOST: u64 = 1024;
}

/// The guard's first answer, after it has dropped its privileges: the reason why it cannot block yet, if any. An error:
/// it cannot run at all.
type Ready = Result<Option<String>, String>;

/// The guard's answer to a request.
type Reply<T = ()> = Result<T, String>;

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

    /// Blocks a target, unless the deadline passes first.
    pub(super) fn block(&mut self, target: Target, time: Duration, deadline: &mut ShutdownDeadline) -> Reply {
        let seconds = time.as_secs().max(1);
        self.ask(&Request::Block { target, seconds }, deadline)
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

/// Runs the guard until the main process has ended. `become_guard` drops all privileges but the one to change the
/// firewall.
///
/// # Errors
///
/// The pipes fail or carry invalid data: the main process is of another version, or has ended.
pub(crate) fn serve_guard(
    mut requests: impl BufRead,
    mut replies: impl Write,
    become_guard: impl FnOnce(Option<&str>) -> Result<(), String>,
) -> io::Result<()> {
    outlive_signals()?;
    let Some(setup) = next_line(&mut requests, ANY_LENGTH)? else { return Ok(()) };
    let setup: Setup = serde_json::from_slice(&setup)?;
    let ready: Ready =
        become_guard(setup.user.as_deref()).map(|()| set_up().err().map(|why| why.to_string()));
    replies.write_all(&line(&ready)?)?;
    if ready.is_err() {
        return Ok(());
    }
    let allowed = Allowed::default();
    allowed.set(setup.allow);
    while let Some(request) = next_line(&mut requests, Request::MOST)? {
        let reply = match serde_json::from_slice(&request)? {
            Request::Block { target, seconds } => {
                let target = Target { network: target.network.trunc(), ..target };
                let time = Duration::from_secs(seconds);
                // Reads the current gateways and name servers.
                let protected = Protected::of_this_host(allowed.clone());
                let checked = check(target.network, time, &protected);
                answer(checked.and_then(|()| Ok(block(target, time, setup.most)?)))?
            }
            Request::List => answer(Nft::for_caller().and_then(|nft| nft.blocked()))?,
        };
        replies.write_all(&reply)?;
    }
    Ok(())
}

/// Why the guard does not block.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Never(#[from] Never),
    #[error(
        "network {0}: it is, or holds, what must be reached ({1}; what is allowed no more, after a restart)"
    )]
    Protected(IpNet, String),
    #[error(transparent)]
    Nft(#[from] NftError),
}

/// Whether a network may be blocked for this time.
fn check(network: IpNet, time: Duration, protected: &Protected) -> Result<(), Refused> {
    check_network(network)?;
    check_time(time)?;
    let mut concerned = std::iter::once(network).chain(embedded(network));
    match concerned.find_map(|one| protected.overlaps(one)) {
        Some(what) => Err(Refused::Protected(network, what)),
        None => Ok(()),
    }
}

fn answer<T: Serialize>(done: Result<T, impl ToString>) -> serde_json::Result<Vec<u8>> {
    let reply: Reply<T> = done.map_err(|error| error.to_string());
    line(&reply)
}

fn set_up() -> Result<(), NftError> {
    Nft::for_caller()?.set_up()
}

/// Blocks a target, and makes the table if it is missing: nft may have been installed meanwhile, and loading a ruleset
/// often flushes the old one first.
fn block(target: Target, time: Duration, most: usize) -> Result<(), NftError> {
    let nft = Nft::for_caller()?;
    match nft.block_within(target, time, most) {
        Err(NftError::Changed(_)) => {
            nft.set_up()?;
            nft.block_within(target, time, most)
        }
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let request = line(&Request::Block { target, seconds: u64::MAX }).unwrap();
        assert!(request.len() as u64 * 2 < Request::MOST, "{}", request.len());
    }

    #[test]
    fn the_guard_refuses_what_must_not_be_blocked_by_itself() {
        const HOUR: Duration = Duration::from_secs(3_600);
        let allowed = Allowed::default();
        allowed.set([net("192.0.2.0/24")].into_iter().collect());
        let protected = Protected::of_this_host(allowed);
        let refused = |network: &str, time| check(net(network), time, &protected).err();
        for stranger in ["203.0.113.7/32", "203.0.113.0/24", "2001:db8::/64", "64:ff9b::cb00:7107/128"] {
            assert_eq!(refused(stranger, HOUR), None, "{stranger}");
        }
        for never in ["0.0.0.0/0", "::/0", "127.0.0.1/32", "::1/128"] {
            assert!(matches!(refused(never, HOUR), Some(Refused::Never(_))), "{never}");
        }
        assert_eq!(
            refused("203.0.113.7/32", Duration::from_secs(u64::MAX)),
            Some(Refused::Never(Never::TooLong(Duration::from_secs(u64::MAX))))
        );
        for allowed in ["192.0.2.7/32", "192.0.2.0/23", "64:ff9b::c000:207/128"] {
            assert!(matches!(refused(allowed, HOUR), Some(Refused::Protected(..))), "{allowed}");
        }
    }
}
