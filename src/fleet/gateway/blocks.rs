//! What people change in the whole fleet, and the blocks of its gateways: those of others are applied here, those of this
//! one are announced.
//!
//! Blocks only where the gateway is configured to share them; what is allowed holds at each gateway, and what is unblocked
//! is unblocked wherever something blocks. What another gateway blocks, or a person in the whole fleet,
//! is requested of the blocker as by a person: never what is allowed or protected here, and not more than `--max-blocks`.
//! An entry that was unblocked leaves a tombstone at the server: a gateway that announces the same block later unblocks
//! it, and one that was away unblocks what it had blocked before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use ipnet::IpNet;

use super::facts::Facts;
use super::requests::{Allow, Request, Requests, whole};
use crate::act::{Asked, BlockReason, Done, Requester, Standing, Wish};
use crate::base::time::Timestamp;
use crate::capture;
use crate::engine::watch::Limit;
use crate::fleet::store::{Changed, Changes, Listed, Store, TakenBack};
use crate::report::{ActionCounts, Escaped};

/// Maximum number of announcements that wait. What is left out comes with the next list of all.
const WAITING: usize = 4_096;
/// Maximum number of own blocks that are remembered as announced: the largest `--max-blocks`.
const MOST: usize = 65_536;
/// How long a block without an end is announced for, and the longest one that is asked for.
const LONGEST: Duration = Limit::MAX_WINDOW;

/// What carries out blocks here.
pub struct Firewall {
    /// To the blocker.
    pub(crate) asks: Sender<Asked>,
    /// The numbers of blocks.
    pub(crate) counts: ActionCounts,
    /// Whether blocks are shared with the fleet.
    pub(crate) is_shared: bool,
}

/// What was announced, and by which gateway.
enum News {
    Block(Listed),
    Unblock(IpNet, String),
    Allow(Listed),
    Unallow(TakenBack, String),
    /// Something may have been missed of this server.
    Connected(usize),
}

/// The listener's end.
pub(super) struct NewsSender {
    news: Sender<News>,
    /// Whether blocks are of use here.
    is_shared: bool,
    /// Set where there was no room; the other end takes it back. It publishes nothing else.
    missed: Arc<AtomicBool>,
    has_episode: Arc<AtomicBool>,
}

/// The reporter's end.
pub(super) struct Blocks {
    /// Allows networks.
    allow: Allow,
    firewall: Option<Firewall>,
    news: Receiver<News>,
    /// Whether news were left out since the last look.
    missed: Arc<AtomicBool>,
    has_episode: Arc<AtomicBool>,
    /// The servers whose changes are to be read whole.
    unread: BTreeSet<usize>,
    requests: Requests,
    /// The own blocks that were announced, with their ends.
    announced: BTreeMap<IpNet, Timestamp>,
    /// How many own blocks there were at the last look.
    looked: u64,
    /// What the blocker answered.
    listed: Arc<Mutex<Option<Vec<Standing>>>>,
}

/// Creates both ends.
pub(super) fn blocks(allow: Allow, firewall: Option<Firewall>) -> (NewsSender, Blocks) {
    let (sender, news) = bounded(WAITING);
    let has_episode = Arc::new(AtomicBool::new(false));
    let missed = Arc::new(AtomicBool::new(false));
    let sender = NewsSender {
        news: sender,
        is_shared: shared(&firewall).is_some(),
        missed: Arc::clone(&missed),
        has_episode: Arc::clone(&has_episode),
    };
    let blocks = Blocks {
        allow,
        firewall,
        news,
        missed,
        has_episode,
        unread: BTreeSet::new(),
        requests: Requests::default(),
        announced: BTreeMap::new(),
        looked: 0,
        listed: Arc::default(),
    };
    (sender, blocks)
}

impl NewsSender {
    /// An episode was opened or verified.
    pub(super) fn episode(&self) {
        self.has_episode.store(true, Ordering::Relaxed);
    }

    pub(super) fn connected(&self, server: usize) {
        self.tell(News::Connected(server));
    }

    pub(super) fn block(&self, listed: Listed) {
        if self.is_shared {
            self.tell(News::Block(listed));
        }
    }

    pub(super) fn unblock(&self, network: IpNet, by: String) {
        self.tell(News::Unblock(network, by));
    }

    pub(super) fn allow(&self, listed: Listed) {
        self.tell(News::Allow(listed));
    }

    pub(super) fn unallow(&self, taken: TakenBack, by: String) {
        self.tell(News::Unallow(taken, by));
    }

    fn tell(&self, news: News) {
        if self.news.try_send(news).is_err() {
            self.missed.store(true, Ordering::Relaxed);
        }
    }
}

impl Blocks {
    /// Whether an episode was announced since the last call.
    pub(super) fn has_new_episode(&self) -> bool {
        self.has_episode.swap(false, Ordering::Relaxed)
    }

    /// How many blocks there are here.
    pub(super) fn active(&self) -> u64 {
        self.firewall.as_ref().map_or(0, |firewall| firewall.counts.blocks.get())
    }

    /// Executes what was announced, as far as the blocker takes it now.
    pub(super) fn execute(&mut self, store: &mut Store, own: &str, facts: &Facts) {
        while let Ok(news) = self.news.try_recv() {
            match news {
                News::Block(listed) => self.block(&listed, facts),
                News::Unblock(network, by) => self.unblock(network, by_hand_at(&by)),
                News::Allow(listed) => self.allow(listed),
                News::Unallow(TakenBack { network, at }, by) => {
                    self.requests.add(Request::Unallow { all: vec![(network, at)], by: by_hand_at(&by) });
                }
                News::Connected(server) => _ = self.unread.insert(server),
            }
        }
        if self.missed.swap(false, Ordering::Relaxed) {
            self.unread.extend(0..store.servers());
        }
        // A server that failed a moment ago is asked again as soon as it may be.
        let unread = std::mem::take(&mut self.unread);
        for server in unread {
            match store.changes_of(server) {
                Ok(changes) => self.catch_up(changes, own, facts),
                Err(_) => _ = self.unread.insert(server),
            }
        }
        self.requests.hand_on(self.firewall.as_ref().map(|firewall| &firewall.asks), &self.allow);
    }

    /// Does what this gateway may have missed.
    fn catch_up(&mut self, changes: Changes, own: &str, facts: &Facts) {
        let Changes { blocked, unblocked, allowed, unallowed } = changes;
        let by = Requester::Fleet("while this gateway was away".into());
        if !unblocked.is_empty() {
            let all: Vec<_> = unblocked.into_iter().map(|taken| (taken.network, taken.at)).collect();
            self.requests.add(Request::Block(Wish::UnblockOlder { all, by: by.clone() }));
        }
        if !unallowed.is_empty() {
            let all = unallowed.into_iter().map(|taken| (taken.network, taken.at)).collect();
            self.requests.add(Request::Unallow { all, by });
        }
        allowed.into_iter().for_each(|listed| self.allow(listed));
        let others = blocked.iter().filter(|listed| listed.by != own || listed.is_by_hand());
        others.for_each(|listed| self.block(listed, facts));
    }

    /// Announces what this gateway has blocked since the last call.
    pub(super) fn announce(&mut self, store: &mut Store) {
        let Some(firewall) = shared(&self.firewall) else { return };
        let now = capture::now();
        let listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner).take();
        for standing in listed.into_iter().flatten() {
            let Standing { target, left, reason, .. } = standing;
            if !matches!(reason, Some(BlockReason::Episode(_))) || target.to.is_some() {
                continue;
            }
            let until = now.after(left.unwrap_or(LONGEST).min(LONGEST));
            let is_known = self.announced.get(&target.network).is_some_and(|end| *end > now);
            if is_known || self.announced.len() >= MOST {
                continue;
            }
            match store.block(target.network, until, Listed::EPISODE, false) {
                Ok(Changed::Done) => _ = self.announced.insert(target.network, until),
                Ok(Changed::Unblocked) => {
                    let by = Requester::Fleet("it was unblocked there before".into());
                    self.requests.add(Request::Block(Wish::Unblock { network: Some(target.network), by }));
                }
                Err(_) => self.looked = 0,
            }
        }
        self.announced.retain(|_, end| *end > now);
        let made = firewall.counts.blocks_made.get();
        if made != self.looked {
            self.looked = made;
            let listed = Arc::clone(&self.listed);
            let answer = Box::new(move |done| {
                if let Ok(Done::Listed(all)) = done {
                    *listed.lock().unwrap_or_else(PoisonError::into_inner) = Some(all);
                }
            });
            let _ = firewall.asks.try_send(Asked { wish: Wish::List, answer });
        }
    }

    fn block(&mut self, listed: &Listed, facts: &Facts) {
        let left = listed.until.since(capture::now());
        if shared(&self.firewall).is_some() && left >= Duration::from_secs(1) {
            facts.blocks.fetch_add(1, Ordering::Relaxed);
            let time = whole(left).min(LONGEST);
            let by = match listed.is_by_hand() {
                true => by_hand_at(&listed.by),
                false => Requester::Fleet(format!("an episode at {}", Escaped::message(&listed.by)).into()),
            };
            self.requests.add(Request::Block(Wish::Block { network: listed.network, time: Some(time), by }));
        }
    }

    fn unblock(&mut self, network: IpNet, by: Requester) {
        self.announced.remove(&network);
        self.requests.add(Request::Block(Wish::Unblock { network: Some(network), by }));
    }

    fn allow(&mut self, Listed { network, at, until, by, why }: Listed) {
        let (why, by) = ((!why.is_empty()).then_some(why), by_hand_at(&by));
        self.requests.add(Request::Allow { network, since: at, until, why, by });
    }
}

/// What carries out blocks, where they are shared.
fn shared(firewall: &Option<Firewall>) -> Option<&Firewall> {
    firewall.as_ref().filter(|firewall| firewall.is_shared)
}

/// A person, at this gateway.
fn by_hand_at(gateway: &str) -> Requester {
    Requester::Fleet(format!("by hand at {}", Escaped::message(gateway)).into())
}
