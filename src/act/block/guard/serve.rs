//! The guard's process: it serves the requests of the main process.

use std::io::{self, BufRead, Write};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use serde::Serialize;

use super::{Looked, Ready, Reply, Request, Setup};
use crate::act::block::generation::generation;
use crate::act::block::never::{Never, check_network, check_time, embedded};
use crate::act::block::nft::{Nft, NftError};
use crate::act::block::protected::{Allowed, Protected};
use crate::act::block::table::{Difference, Table};
use crate::act::block::target::Target;
use crate::act::block::transaction::Transaction;
use crate::act::helper::{ANY_LENGTH, line, next_line, outlive_signals};

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
    let mut keeper = Keeper { most: setup.most, ..Keeper::default() };
    while let Some(request) = next_line(&mut requests, Request::MOST)? {
        let reply = match serde_json::from_slice(&request)? {
            Request::Block(wanted) => {
                // Reads the current gateways and name servers.
                let protected = Protected::of_this_host(allowed.clone());
                answer(Ok(keeper.block_checked(&wanted, &protected)))?
            }
            Request::Free(targets) => answer(keeper.free(&targets))?,
            Request::Look(all) => answer(keeper.look(all))?,
            Request::List => answer(keeper.list())?,
        };
        replies.write_all(&reply)?;
    }
    Ok(())
}

/// Maximum number of transactions for one request.
const TRIES: usize = 64;

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

fn answer<T: Serialize>(done: Result<T, NftError>) -> serde_json::Result<Vec<u8>> {
    let reply: Reply<T> = done.map_err(|error| error.to_string());
    line(&reply)
}

fn set_up() -> Result<(), NftError> {
    Nft::for_caller()?.set_up()
}

/// When the kernel's table is listed.
#[derive(Debug, Clone, Copy)]
enum Relist {
    /// In any case.
    Always,
    /// If its rules may have changed since. A client that asks without end costs no more than a message each time.
    AfterChanges,
    /// If they may have, and anything is blocked.
    IfBlocked,
}

/// Keeps the kernel's table as it is to be.
#[derive(Debug, Default)]
struct Keeper {
    /// Maximum number of blocks.
    most: usize,
    table: Table,
    /// The generation of the rules that `table` is of; `None` if it has to be listed.
    seen: Option<u32>,
    /// The findings since the last request of the main process.
    news: Looked,
}

impl Keeper {
    /// Blocks those targets that may be, in one transaction. Gives the result for each.
    fn block_checked(&mut self, wanted: &[(Target, u64)], protected: &Protected) -> Vec<Reply> {
        let mut may_be = Vec::new();
        let checked: Vec<_> = wanted
            .iter()
            .map(|(target, seconds)| {
                let target = Target { network: target.network.trunc(), ..*target };
                let time = Duration::from_secs(*seconds);
                check(target.network, time, protected).map(|()| may_be.push((target, time)))
            })
            .collect();
        let mut done = self.block(&may_be, &mut { TRIES }).into_iter();
        let reply = |checked: Result<(), Refused>| match checked {
            Ok(()) => done.next().unwrap_or(Ok(())).map_err(|error| error.to_string()),
            Err(refused) => Err(refused.to_string()),
        };
        checked.into_iter().map(reply).collect()
    }

    /// Blocks targets in one transaction. If nft refuses it because of some of them, it tries the halves, up
    /// to a maximum number of transactions, so that these targets do not keep the others unblocked.
    fn block(&mut self, wanted: &[(Target, Duration)], tries: &mut usize) -> Vec<Result<(), NftError>> {
        let most = self.most;
        *tries = tries.saturating_sub(1);
        match self.change(|table| Transaction::block(&table.targets(), wanted, most)) {
            Ok(results) => results,
            Err(NftError::Changed(_) | NftError::Other(_)) if wanted.len() > 1 && *tries > 0 => {
                let (first, second) = wanted.split_at(wanted.len() / 2);
                let mut results = self.block(first, tries);
                results.extend(self.block(second, tries));
                results
            }
            Err(error) => vec![Err(error); wanted.len()],
        }
    }

    /// Unblocks those targets that are blocked.
    fn free(&mut self, targets: &[Target]) -> Result<(), NftError> {
        self.change(|table| {
            let there = table.targets();
            let removed = targets.iter().copied().filter(|target| there.contains(target)).collect();
            (Transaction { removed, ..Transaction::default() }, ())
        })
    }

    /// Makes a transaction of ours. If the kernel's table is not what it was known to be, or elements have expired
    /// since, it is looked at, made again if need be, and the transaction is tried once more.
    fn change<T>(&mut self, make: impl Fn(&Table) -> (Transaction, T)) -> Result<T, NftError> {
        let nft = Nft::for_caller()?;
        self.refresh(&nft, Relist::IfBlocked)?;
        let (transaction, result) = make(&self.table);
        if transaction.is_empty() {
            return Ok(result);
        }
        let (transaction, result) = match nft.apply(transaction.batch()) {
            Err(NftError::Changed(_)) => {
                self.refresh(&nft, Relist::Always)?;
                let (transaction, result) = make(&self.table);
                if !transaction.is_empty() {
                    nft.apply(transaction.batch())?;
                }
                (transaction, result)
            }
            done => done.map(|()| (transaction, result))?,
        };
        self.table.note(&transaction, Instant::now());
        // The kernel has counted this transaction, and perhaps another one before it.
        self.seen = None;
        Ok(result)
    }

    /// Checks the kernel's table while there are blocks. With `all` it checks in any case, and returns the
    /// whole contents.
    fn look(&mut self, all: bool) -> Result<Looked, NftError> {
        if all || !self.table.is_empty() {
            self.refresh(&Nft::for_caller()?, if all { Relist::AfterChanges } else { Relist::IfBlocked })?;
        }
        Ok(self.tell(all))
    }

    /// The findings since the last request of the main process.
    fn tell(&mut self, all: bool) -> Looked {
        let mut looked = std::mem::take(&mut self.news);
        let there = self.table.targets();
        // A block that has ended may have been made again since.
        looked.over.retain(|target| !there.contains(target));
        if all {
            looked.all = self.table.blocked(Instant::now());
        }
        looked
    }

    /// All blocks, from the kernel's table.
    fn list(&mut self) -> Result<Vec<super::Blocked>, NftError> {
        self.refresh(&Nft::for_caller()?, Relist::Always)?;
        self.news = Looked::default();
        Ok(self.table.blocked(Instant::now()))
    }

    /// Takes over what the kernel's table holds, if it has changed or must be looked at, and makes again what is gone.
    fn refresh(&mut self, nft: &Nft, when: Relist) -> Result<(), NftError> {
        self.news.over.extend(self.table.expire(Instant::now()));
        // Asked before the list: a change that comes between the two shows the next time.
        let generation = generation().ok();
        let is_known = generation.is_some() && generation == self.seen;
        let can_wait = match when {
            Relist::Always => false,
            Relist::AfterChanges => is_known,
            Relist::IfBlocked => is_known || self.table.is_empty(),
        };
        if can_wait {
            return Ok(());
        }
        self.seen = None;
        let listing = nft.list()?;
        let Difference { restore, unblocked, found, over } = self.table.compare(&listing, Instant::now());
        self.news.over.extend(over);
        self.news.unblocked.extend(unblocked);
        self.news.found.extend(found);
        if listing.is_whole() {
            self.seen = generation;
            return Ok(());
        }
        nft.apply(restore.batch_with_table())?;
        if !self.table.is_empty() {
            *self.news.rebuilt.get_or_insert(0) += restore.added.len();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
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

    #[test]
    fn what_has_ended_and_is_blocked_again_is_not_told_as_over() {
        let [over, again] = ["192.0.2.1/32", "192.0.2.2/32"].map(|network| Target::source(net(network)));
        let mut keeper = Keeper::default();
        keeper.news.over = vec![over, again];
        keeper
            .table
            .note(&Transaction { added: vec![(again, None)], ..Transaction::default() }, Instant::now());
        assert_eq!(keeper.tell(false).over, [over]);
        assert_eq!(keeper.tell(false), Looked::default());
    }
}
