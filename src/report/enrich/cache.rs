//! A bounded cache of names, with the lookups in progress.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};

use super::resolver::{LookUp, Resolver};
use crate::base::time::Timestamp;
use crate::detect::alert::Alert;
use crate::engine::subject::Kind;

/// Maximum number of cached addresses. The oldest request makes room.
const CAPACITY: usize = 4096;
/// Maximum number of queued lookups. The next report requests an address again that found no room.
const QUEUE: usize = 256;
/// How long a result is valid, in capture time. This includes failures, which may be temporary.
const NAME_HOLDS: Duration = Duration::from_secs(3_600);
const NONE_HOLDS: Duration = Duration::from_secs(300);

/// The cache. Clones share it.
#[derive(Debug, Clone)]
pub struct Names {
    known: Arc<Known>,
    requests: Sender<IpAddr>,
}

/// State shared with the resolver threads: a mutex, held for one lookup or change, and a condition for waiting.
#[derive(Debug, Default)]
pub(super) struct Known {
    entries: Mutex<Entries>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Entries {
    by_address: HashMap<IpAddr, Entry>,
    /// In the order of their requests.
    order: VecDeque<IpAddr>,
}

#[derive(Debug, Clone)]
struct Entry {
    asked: Timestamp,
    /// `None` while the lookup runs.
    found: Option<Option<Arc<str>>>,
}

impl Names {
    /// Creates the cache and the resolvers, each of which needs a thread.
    #[must_use]
    pub fn new(threads: usize, look_up: LookUp) -> (Self, Vec<Resolver>) {
        let (requests, asked) = bounded(QUEUE);
        let known = Arc::new(Known::default());
        let resolver = || Resolver::new(asked.clone(), Arc::clone(&known), Arc::clone(&look_up));
        let resolvers = std::iter::repeat_with(resolver).take(threads).collect();
        (Self { known, requests }, resolvers)
    }

    /// Adds the source's name to a report that has none, if it is known within `patience`. For a source that is a
    /// network it is the name of the host that met the limit. Floods from a network or to a destination have no single
    /// host, and so no name.
    pub fn complete(&self, alert: &mut Alert, patience: Duration) {
        if alert.kind == Kind::Source && alert.about.name.is_none() {
            alert.about.name = self.find(alert.trigger.src, alert.time, patience);
        }
    }

    /// Waits until all lookups are done, for at most `patience`.
    pub(crate) fn settle(&self, patience: Duration) {
        let is_any_asked =
            |entries: &mut Entries| entries.by_address.values().any(|entry| entry.found.is_none());
        drop(self.known.changed.wait_timeout_while(self.known.lock(), patience, is_any_asked));
    }

    /// The name of an address, if known within `patience`. Starts a lookup if needed.
    #[must_use]
    pub fn find(&self, address: IpAddr, now: Timestamp, patience: Duration) -> Option<Arc<str>> {
        let mut entries = self.known.lock();
        if !entries.holds(address, now) {
            // The lock is held, so that the answer cannot arrive before its entry.
            self.requests.try_send(address).ok()?;
            entries.ask(address, now);
        }
        let is_asked = |entries: &mut Entries| {
            entries.by_address.get(&address).is_some_and(|entry| entry.found.is_none())
        };
        let waited = self.known.changed.wait_timeout_while(entries, patience, is_asked);
        let (entries, _) = waited.unwrap_or_else(PoisonError::into_inner);
        entries.by_address.get(&address)?.found.clone()?
    }
}

impl Known {
    /// Stores a result.
    pub(super) fn note(&self, address: IpAddr, name: Option<Arc<str>>) {
        if let Some(entry) = self.lock().by_address.get_mut(&address) {
            entry.found = Some(name);
        }
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    /// Whether the entry of an address, or its running lookup, is still valid.
    fn holds(&self, address: IpAddr, now: Timestamp) -> bool {
        self.by_address.get(&address).is_some_and(|entry| {
            let holds = match entry.found {
                Some(Some(_)) => NAME_HOLDS,
                Some(None) | None => NONE_HOLDS,
            };
            now.since(entry.asked) < holds
        })
    }

    fn ask(&mut self, address: IpAddr, now: Timestamp) {
        if self.by_address.insert(address, Entry { asked: now, found: None }).is_none() {
            self.order.push_back(address);
        }
        if self.by_address.len() > CAPACITY {
            if let Some(first) = self.order.pop_front() {
                self.by_address.remove(&first);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::mpsc::channel;
    use std::thread;

    use crate::engine::subject::Source;
    use crate::report::sample::{at, start};

    /// Longer than any lookup in these tests.
    const LONG: Duration = Duration::from_secs(300);

    /// A cache with this lookup function, and its resolver threads.
    fn names(look_up: impl Fn(IpAddr) -> Option<String> + Send + Sync + 'static) -> Names {
        let (names, resolvers) = Names::new(2, Arc::new(look_up));
        resolvers.into_iter().for_each(|resolver| drop(thread::spawn(move || resolver.run())));
        names
    }

    fn name_of(names: &Names, alert: Alert, patience: Duration) -> Option<String> {
        let mut alert = alert;
        names.complete(&mut alert, patience);
        alert.about.name.map(|name| name.to_string())
    }

    #[test]
    fn a_name_is_known_once_it_was_looked_up() {
        let (answer, answers) = channel::<()>();
        let answers = Mutex::new(answers);
        let names = names(move |address| {
            answers.lock().unwrap().recv().unwrap();
            Some(format!("host-{address}.example"))
        });
        assert_eq!(name_of(&names, start(), Duration::ZERO), None, "nothing waits for it");
        answer.send(()).unwrap();
        let name = Some("host-49.212.10.42.example".to_owned());
        assert_eq!(name_of(&names, start(), LONG), name);
        assert_eq!(name_of(&names, start(), Duration::ZERO), name, "it is not looked up again");
    }

    #[test]
    fn a_lookup_that_hangs_delays_no_other() {
        let hangs: IpAddr = start().trigger.src;
        let (release, released) = channel::<()>();
        let released = Mutex::new(released);
        let names = names(move |address| {
            if address == hangs {
                let _ = released.lock().unwrap().recv();
            }
            Some(address.to_string())
        });
        assert_eq!(name_of(&names, start(), Duration::ZERO), None);
        let mut other = start();
        other.trigger.src = "192.0.2.1".parse().unwrap();
        assert_eq!(name_of(&names, other, LONG).as_deref(), Some("192.0.2.1"));
        drop(release);
    }

    #[test]
    fn a_result_is_valid_for_a_while() {
        let (asked, times) = channel();
        let asked = Mutex::new(asked);
        let names = names(move |address| {
            asked.lock().unwrap().send(address).unwrap();
            (address == start().trigger.src).then(|| "a.example".to_owned())
        });
        let mut unknown = start();
        unknown.trigger.src = "192.0.2.1".parse().unwrap();
        for (seconds, looked_up) in [(0, 2), (299, 0), (300, 1), (3_599, 1), (3_600, 1)] {
            for alert in [start(), unknown.clone()] {
                let is_known = alert.trigger.src == start().trigger.src;
                let alert = Alert { time: at(seconds * 1_000), ..alert };
                assert_eq!(name_of(&names, alert, LONG).is_some(), is_known, "{seconds}");
            }
            assert_eq!(times.try_iter().count(), looked_up, "{seconds}");
        }
    }

    #[test]
    fn the_cache_is_bounded() {
        let mut entries = Entries::default();
        let address = |n: u32| IpAddr::V4(n.into());
        let more = 10;
        for n in 0..CAPACITY as u32 + more {
            entries.ask(address(n), at(0));
            entries.ask(address(n), at(1));
        }
        assert_eq!((entries.by_address.len(), entries.order.len()), (CAPACITY, CAPACITY));
        assert!(!entries.holds(address(more - 1), at(2)) && entries.holds(address(more), at(2)));
    }

    #[test]
    fn an_address_without_room_in_the_queue_is_requested_again() {
        let (names, resolvers) = Names::new(1, Arc::new(|address: IpAddr| Some(address.to_string())));
        for n in 0..QUEUE as u32 + 1 {
            assert_eq!(names.find(IpAddr::V4(n.into()), at(0), Duration::ZERO), None);
        }
        resolvers.into_iter().for_each(|resolver| drop(thread::spawn(move || resolver.run())));
        let last = IpAddr::V4((QUEUE as u32).into());
        let until = std::time::Instant::now() + LONG;
        while names.find(last, at(0), LONG).is_none() {
            assert!(std::time::Instant::now() < until);
        }
    }

    #[test]
    fn only_a_source_has_one_host_with_a_name() {
        let names = names(|address| Some(address.to_string()));
        for kind in [Kind::Network, Kind::Destination(25)] {
            assert_eq!(name_of(&names, Alert { kind, ..start() }, LONG), None);
        }
        let network = Alert { source: Source("49.212.10.0/24".parse().unwrap()), ..start() };
        assert_eq!(name_of(&names, network, LONG).as_deref(), Some("49.212.10.42"));
    }
}
