//! Blocks of the fleet: those of other gateways are applied here, those of this one are announced.
//!
//! Both only where the gateway is configured to share blocks. What another gateway blocks is requested of the blocker as by a
//! person: never what is allowed or protected here, and not more than `--max-blocks`. An entry that was
//! unblocked leaves a tombstone at the server: a gateway that announces the same block later unblocks it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use ipnet::IpNet;

use super::facts::Facts;
use crate::act::{Asked, BlockReason, Done, NotDone, Person, Standing, Wish};
use crate::base::time::Timestamp;
use crate::capture;
use crate::fleet::store::{Changed, Listed, Store};
use crate::report::ActionCounts;

/// Maximum number of announcements that wait. What is left out comes with the next list of all.
const WAITING: usize = 4_096;
/// Maximum number of own blocks that are remembered as announced: the largest `--max-blocks`.
const MOST: usize = 65_536;
/// How long what is allowed or blocked without an end is asked for.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What carries out blocks here.
pub struct Firewall {
    /// To the blocker.
    pub(crate) asks: Sender<Asked>,
    /// Allows a network for a time, for this reason; without a time it is allowed no more.
    pub(crate) allow: Allow,
    /// The numbers of blocks.
    pub(crate) counts: ActionCounts,
}

/// Allows a network, or does so no more.
pub(crate) type Allow = Box<dyn Fn(IpNet, Option<(Duration, String)>) + Send>;

/// What was announced.
enum News {
    Block(Listed),
    Unblock(IpNet),
    Allow(Listed),
    Unallow(IpNet),
    /// Something may have been missed.
    Connected,
}

/// The listener's end.
pub(super) struct NewsSender {
    news: Option<Sender<News>>,
    has_episode: Arc<AtomicBool>,
}

/// The reporter's end.
pub(super) struct Blocks {
    firewall: Option<Firewall>,
    news: Receiver<News>,
    has_episode: Arc<AtomicBool>,
    /// The own blocks that were announced, with their ends.
    announced: BTreeMap<IpNet, Timestamp>,
    /// How many own blocks there were at the last look.
    looked: u64,
    /// What the blocker answered.
    listed: Arc<Mutex<Option<Vec<Standing>>>>,
}

/// Creates both ends. Blocks are shared if that is configured, and something blocks here.
pub(super) fn blocks(firewall: Option<Firewall>, is_shared: bool) -> (NewsSender, Blocks) {
    let (sender, news) = bounded(WAITING);
    let has_episode = Arc::new(AtomicBool::new(false));
    let firewall = firewall.filter(|_| is_shared);
    let sender =
        NewsSender { news: firewall.is_some().then_some(sender), has_episode: Arc::clone(&has_episode) };
    let (announced, listed) = (BTreeMap::new(), Arc::default());
    (sender, Blocks { firewall, news, has_episode, announced, looked: 0, listed })
}

impl NewsSender {
    /// An episode was opened or verified.
    pub(super) fn episode(&self) {
        self.has_episode.store(true, Ordering::Relaxed);
    }

    pub(super) fn connected(&self) {
        self.tell(News::Connected);
    }

    pub(super) fn block(&self, listed: Listed) {
        self.tell(News::Block(listed));
    }

    pub(super) fn unblock(&self, network: IpNet) {
        self.tell(News::Unblock(network));
    }

    pub(super) fn allow(&self, listed: Listed) {
        self.tell(News::Allow(listed));
    }

    pub(super) fn unallow(&self, network: IpNet) {
        self.tell(News::Unallow(network));
    }

    fn tell(&self, news: News) {
        if let Some(sender) = &self.news {
            let _ = sender.try_send(news);
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

    /// Executes what was announced.
    pub(super) fn execute(&mut self, store: &mut Store, own: &str, facts: &Facts) {
        while let Ok(news) = self.news.try_recv() {
            match news {
                News::Block(listed) => self.block(&listed, facts),
                News::Unblock(network) => self.unblock(network),
                News::Allow(listed) => self.allow(listed),
                News::Unallow(network) => {
                    self.firewall.iter().for_each(|firewall| (firewall.allow)(network, None));
                }
                News::Connected => {
                    let (blocked, allowed) = (store.blocked().value, store.allowed().value);
                    allowed.into_iter().for_each(|listed| self.allow(listed));
                    let others = blocked.iter().filter(|listed| listed.by != own);
                    others.for_each(|listed| self.block(listed, facts));
                }
            }
        }
    }

    /// Announces what this gateway has blocked since the last call.
    pub(super) fn announce(&mut self, store: &mut Store) {
        let Some(firewall) = &self.firewall else { return };
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
            match store.block(target.network, until, "an episode", false) {
                Ok(Changed::Done) => _ = self.announced.insert(target.network, until),
                Ok(Changed::Unblocked) => {
                    let wish = Wish::Unblock { network: Some(target.network), by: Person::FLEET };
                    ask(firewall, wish);
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

    fn block(&self, listed: &Listed, facts: &Facts) {
        let Some(firewall) = &self.firewall else { return };
        let left = listed.until.since(capture::now());
        if left >= Duration::from_secs(1) {
            facts.blocks.fetch_add(1, Ordering::Relaxed);
            let time = Duration::from_secs(left.as_secs()).min(LONGEST);
            let wish = Wish::Block { network: listed.network, time: Some(time), by: Person::FLEET };
            ask(firewall, wish);
        }
    }

    fn unblock(&mut self, network: IpNet) {
        self.announced.remove(&network);
        let Some(firewall) = &self.firewall else { return };
        ask(firewall, Wish::Unblock { network: Some(network), by: Person::FLEET });
    }

    fn allow(&self, listed: Listed) {
        let Some(firewall) = &self.firewall else { return };
        let left = listed.until.since(capture::now()).min(LONGEST);
        if !left.is_zero() {
            (firewall.allow)(listed.network, Some((left, listed.why)));
        }
    }
}

/// Asks the blocker. What it refuses, it says itself; what it has no room for comes with the next list.
fn ask(firewall: &Firewall, wish: Wish) {
    let answer = Box::new(|done: Result<Done, NotDone>| {
        if let Err(NotDone { why, .. }) = done {
            log::info!("fleet: {why}");
        }
    });
    let _ = firewall.asks.try_send(Asked { wish, answer });
}
