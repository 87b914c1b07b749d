//! The process that has the right to change the firewall, and no other; it reads no packet.
//!
//! It is asked for two things only, to block a network for a time, and what is blocked, and makes of that what nft is
//! told: whoever has taken over the program can block, but do nothing else to the firewall.

use std::io::{self, BufRead, Write};
use std::time::Duration;

use ipnet::IpNet;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::nft::{Blocked, Nft, NftError};
use crate::error::Error;
use crate::respond::helper::{Process, line, outlive_signals};

/// The first line to it.
#[derive(Debug, Serialize, Deserialize)]
struct Setup {
    /// The user to be, where the program has one to become.
    user: Option<String>,
}

/// To it, once it is ready.
#[derive(Debug, Serialize, Deserialize)]
enum Request {
    Block { network: IpNet, seconds: u64 },
    List,
}

/// From it, once it may do nothing else: what keeps it from blocking for now, if anything does. An error: it cannot be
/// the guard.
type Ready = Result<Option<String>, String>;

/// From it: what was asked for, or why not.
type Reply<T = ()> = Result<T, String>;

/// The program's end.
#[derive(Debug)]
pub struct Guard(Process);

impl Guard {
    /// The argument by which the program knows that it is to be the guard: [`serve_guard`].
    pub const ARGUMENT: &'static str = "--guard-firewall";

    /// Starts it, and waits until it has made its table. That nft does not make it is warned of: it may do so later.
    ///
    /// # Errors
    ///
    /// When it cannot be started, or has not the right to change the firewall.
    pub fn start(user: Option<String>) -> Result<Self, Error> {
        let started = Process::start(Self::ARGUMENT).and_then(|mut process| {
            let ready: Ready = process.ask(&Setup { user })?;
            Ok(ready.map(|hindrance| (Self(process), hindrance)))
        });
        let started = started.unwrap_or_else(|error| Err(error.to_string()));
        let (guard, hindrance) = started.map_err(Error::Firewall)?;
        if let Some(why) = hindrance {
            log::warn!("nobody can be blocked for now: {why}; it is tried again for each source");
        }
        Ok(guard)
    }

    /// Has a network blocked.
    pub(super) fn block(&mut self, network: IpNet, time: Duration) -> Reply {
        let seconds = time.as_secs().max(1);
        self.ask(&Request::Block { network, seconds })
    }

    /// What is blocked, by whomever.
    pub(super) fn blocked(&mut self) -> Reply<Vec<Blocked>> {
        self.ask(&Request::List)
    }

    fn ask<T: DeserializeOwned>(&mut self, request: &Request) -> Reply<T> {
        self.0.ask(request).unwrap_or_else(|_| {
            Err("the process that guards the firewall has ended (restart synwatch)".to_owned())
        })
    }
}

/// The guard: blocks what it is told to, until there is nobody to tell it. `become_guard` gives up all but the right
/// to change the firewall.
///
/// # Errors
///
/// When the pipes fail, or hold something else: the program at the other end is another one, or gone.
pub fn serve_guard(
    requests: impl BufRead,
    mut replies: impl Write,
    become_guard: impl FnOnce(Option<&str>) -> Result<(), String>,
) -> io::Result<()> {
    outlive_signals()?;
    let mut lines = requests.lines();
    let Some(setup) = lines.next() else { return Ok(()) };
    let setup: Setup = serde_json::from_str(&setup?)?;
    let ready: Ready =
        become_guard(setup.user.as_deref()).map(|()| set_up().err().map(|why| why.to_string()));
    replies.write_all(&line(&ready)?)?;
    if ready.is_err() {
        return Ok(());
    }
    for request in lines {
        let reply = match serde_json::from_str(&request?)? {
            Request::Block { network, seconds } => {
                answer(block(network.trunc(), Duration::from_secs(seconds)))?
            }
            Request::List => answer(Nft::find().and_then(|nft| nft.blocked()))?,
        };
        replies.write_all(&reply)?;
    }
    Ok(())
}

fn answer<T: Serialize>(done: Result<T, NftError>) -> serde_json::Result<Vec<u8>> {
    let reply: Reply<T> = done.map_err(|error| error.to_string());
    line(&reply)
}

fn set_up() -> Result<(), NftError> {
    Nft::find()?.set_up()
}

/// Makes the table where it is not there (any more): nft may be installed by now, and who loads a ruleset anew mostly
/// empties the old one first.
fn block(network: IpNet, time: Duration) -> Result<(), NftError> {
    let nft = Nft::find()?;
    match nft.block(network, time) {
        Err(NftError::Changed(_)) => {
            nft.set_up()?;
            nft.block(network, time)
        }
        done => done,
    }
}
