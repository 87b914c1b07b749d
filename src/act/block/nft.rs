//! Blocks in the kernel's firewall, made with nft(8).
//!
//! Each change is one transaction: nft carries out all of it or nothing. [`ruleset`](super::ruleset) builds the
//! changes.

use std::env;
use std::io;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use ipnet::IpNet;
use nftables::batch::Batch;

use super::listing::Listing;
use super::ruleset::{self, Blocked, TABLE};
use super::run::{Caller, Ran, run};
use super::target::Target;
use super::transaction::Transaction;
use crate::base::units::Span;
use crate::error::{Cause, NET_ADMIN_REMEDY};

/// Usual paths of nft outside `PATH`.
const USUAL: [&str; 3] = ["/usr/sbin/nft", "/sbin/nft", "/usr/local/sbin/nft"];

/// Timeout of one nft run, generous for such small changes. The kernel may delay nft while another program changes the
/// firewall.
const TIME: Duration = Duration::from_secs(10);

/// How long nft may continue after its caller has ended: the last request is completed unless nft hangs.
const ALONE: Duration = Duration::from_secs(2);

/// Why nft failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NftError {
    /// The program is missing.
    #[error("nft is not there (apt-get install nftables)")]
    Missing,
    /// The privilege is missing.
    #[error("the capability CAP_NET_ADMIN is missing ({})", NET_ADMIN_REMEDY)]
    NotAllowed,
    /// The element to remove is missing, or the element to add exists.
    #[error("{0}")]
    Changed(String),
    /// The maximum number of blocks is reached.
    #[error("{0} networks are blocked, as many as may be (--max-blocks)")]
    Full(usize),
    /// nft hangs.
    #[error("nft was not done within {}, and ended", Span(TIME))]
    Hangs,
    /// nft's own message, or nft cannot be run or its output not parsed.
    #[error("{0}")]
    Other(String),
}

/// The nft program.
#[derive(Debug, Clone)]
pub struct Nft {
    program: PathBuf,
    /// Whether nft is ended soon after the writer of standard input has ended.
    ends_with_caller: bool,
}

impl Nft {
    /// Finds nft in `PATH` or at its usual paths.
    ///
    /// # Errors
    ///
    /// nft is missing.
    pub fn find() -> Result<Self, NftError> {
        let path = env::var_os("PATH").unwrap_or_default();
        let places = env::split_paths(&path).filter(|folder| folder.is_absolute());
        let places = places.map(|folder| folder.join("nft")).chain(USUAL.map(PathBuf::from));
        let found = places.into_iter().find(|place| place.is_file());
        found.map(|program| Self { program, ends_with_caller: false }).ok_or(NftError::Missing)
    }

    /// The same for a process that reads requests from standard input: once the writer has ended, a hanging nft is
    /// ended.
    pub(super) fn for_caller() -> Result<Self, NftError> {
        Ok(Self { ends_with_caller: true, ..Self::find()? })
    }

    /// Makes the table if it is missing. Existing blocks stay.
    ///
    /// # Errors
    ///
    /// nft fails.
    pub fn set_up(&self) -> Result<(), NftError> {
        self.apply(ruleset::set_up())
    }

    /// Makes nft and the kernel check the table without creating it.
    pub(super) fn check(&self) -> Result<(), NftError> {
        let changes = serde_json::to_string(&ruleset::set_up().to_nftables());
        let changes = changes.map_err(|error| NftError::Other(error.to_string()))?;
        self.run(&["-c", "-f", "-"], &changes).map(drop)
    }

    /// The blocks, ordered by address. Empty if the table is missing.
    ///
    /// # Errors
    ///
    /// nft fails.
    pub fn blocked(&self) -> Result<Vec<Blocked>, NftError> {
        self.list().map(|listing| listing.blocked)
    }

    /// The contents of the table; empty if it is missing.
    pub(super) fn list(&self) -> Result<Listing, NftError> {
        match self.run(&["list", "table", "inet", TABLE], "") {
            Ok(listed) => Listing::parse(&listed)
                .map_err(|error| NftError::Other(format!("nft is not understood: {error}"))),
            Err(NftError::Changed(_)) => Ok(Listing::default()),
            Err(error) => Err(error),
        }
    }

    /// Blocks a target for this time, rounded up to seconds. It replaces blocks of targets within it; if a network
    /// around it is blocked, nothing changes.
    ///
    /// # Errors
    ///
    /// nft fails.
    pub fn block(&self, target: Target, time: Duration) -> Result<(), NftError> {
        // Elements may expire before the transaction that removes them.
        self.retry(|| {
            let there = self.blocked()?.iter().map(|blocked| blocked.target).collect();
            let (transaction, _) = Transaction::block(&there, &[(target, time)], usize::MAX);
            if transaction.is_empty() { Ok(()) } else { self.apply(transaction.batch()) }
        })
    }

    /// Removes all blocks that overlap this network, or all blocks, and returns them.
    ///
    /// # Errors
    ///
    /// nft fails.
    pub fn unblock(&self, network: Option<IpNet>) -> Result<Vec<Target>, NftError> {
        self.retry(|| {
            let overlaps = |one: IpNet, other: IpNet| one.contains(&other) || other.contains(&one);
            let concerns =
                |blocked: &Target| network.is_none_or(|network| overlaps(network, blocked.network));
            let there = self.blocked()?.into_iter().map(|blocked| blocked.target);
            let concerned: Vec<_> = there.filter(concerns).collect();
            let transaction = Transaction { removed: concerned.clone(), ..Transaction::default() };
            if !transaction.is_empty() {
                self.apply(transaction.batch())?;
            }
            Ok(concerned)
        })
    }

    fn retry<T>(&self, change: impl Fn() -> Result<T, NftError>) -> Result<T, NftError> {
        match change() {
            Err(NftError::Changed(_)) => change(),
            result => result,
        }
    }

    /// Makes one transaction.
    pub(super) fn apply(&self, batch: Batch<'_>) -> Result<(), NftError> {
        let changes = serde_json::to_string(&batch.to_nftables());
        let changes = changes.map_err(|error| NftError::Other(error.to_string()))?;
        self.run(&["-f", "-"], &changes).map(drop)
    }

    /// Runs nft and returns its output.
    fn run(&self, arguments: &[&str], input: &str) -> Result<String, NftError> {
        let cannot =
            |error: io::Error| NftError::Other(format!("cannot run {:?}: {}", self.program, Cause(&error)));
        let mut nft = Command::new(&self.program);
        nft.arg("-j").args(arguments).env("LC_ALL", "C");
        let stdin = io::stdin();
        let caller = self.ends_with_caller.then(|| Caller { pipe: stdin.as_fd(), alone: ALONE });
        match run(&mut nft, input, TIME, caller).map_err(cannot)? {
            None => Err(NftError::Hangs),
            Some(Ran { status, out, .. }) if status.success() => Ok(out),
            Some(Ran { err, .. }) => Err(told(&err)),
        }
    }
}

/// Parses nft's error message: its first line, without the program's name.
fn told(stderr: &str) -> NftError {
    let line = stderr.lines().next().unwrap_or("nft says nothing").trim();
    let what = line.rsplit("rror: ").next().unwrap_or(line).to_owned();
    match () {
        () if what.contains("Operation not permitted") => NftError::NotAllowed,
        () if ["No such file", "File exists"].iter().any(|text| what.contains(text)) => {
            NftError::Changed(what)
        }
        () => NftError::Other(what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_nft_are_parsed() {
        let root = "Error: Could not process rule: Operation not permitted (you must be root)\nmore\n";
        assert_eq!(told(root), NftError::NotAllowed);
        let gone = "internal:0:0-0: Error: Could not process rule: No such file or directory\n";
        assert_eq!(
            told(gone),
            NftError::Changed("Could not process rule: No such file or directory".to_owned())
        );
        assert_eq!(told("Error: syntax error\n"), NftError::Other("syntax error".to_owned()));
        assert_eq!(told(""), NftError::Other("nft says nothing".to_owned()));
    }
}
