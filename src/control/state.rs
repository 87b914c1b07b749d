//! The state that the threads of a run leave for the control thread.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::history::History;
use super::snapshot::TopSnapshot;
use super::speed::Speed;
use super::surveyor::Found;
use super::top;
use crate::base::time::Timestamp;
use crate::base::zone::Zone;
use crate::capture;
use crate::detect::alert::{Alert, State as Stage};
use crate::detect::{OpenEpisodes, Sink};
use crate::engine::SharedWatch;
use crate::engine::clock::Ticks;
use crate::engine::stats::Heartbeat;
use crate::report::{ActionCounts, Delivered, Deliveries};
use crate::wire::packet::Interfaces;

/// The state that the threads of a run leave for the control thread. Clones share it.
#[derive(Clone)]
pub(crate) struct State(Arc<Shared>);

struct Shared {
    interfaces: Interfaces,
    /// The blocks of this run.
    blocks: Option<ActionCounts>,
    deliveries: Deliveries,
    started: Instant,
    /// The speed of a replay; `None` live.
    replay: Option<Speed>,
    latest: Mutex<Latest>,
    /// Set by the control thread, cleared by the capture thread. It publishes no other memory.
    wants_open: AtomicBool,
    /// Ends the control thread's wait, where there is one.
    wake: Option<Arc<OwnedFd>>,
}

/// The newest values.
#[derive(Clone)]
pub(super) struct Latest {
    pub(super) heartbeat: Heartbeat,
    /// The time of their arrival.
    pub(super) taken: Instant,
    /// The number of open episodes.
    pub(super) open: usize,
    pub(super) reload: Option<Reloaded>,
    /// The list of open episodes, and the number of earlier lists.
    picture: (u64, Arc<OpenEpisodes>),
    tables: Arc<[SharedWatch]>,
    history: History,
    /// In a replay, the episodes that ended last.
    ended: VecDeque<Arc<Alert>>,
    /// Whether a replay has ended.
    is_over: bool,
    /// The time of a replay's first packet.
    first: Option<Timestamp>,
    /// The state at the last packet of a replay.
    last: Option<Arc<TopSnapshot>>,
}

/// The result of a reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reloaded {
    pub(super) time: Timestamp,
    /// The new configuration in short, or why the old one stays.
    pub(super) result: Result<String, String>,
}

impl State {
    /// `wake` is that of the socket, if there is one; `replay` is the speed of a replay.
    pub(crate) fn new(
        interfaces: Interfaces,
        blocks: Option<ActionCounts>,
        deliveries: Deliveries,
        wake: Option<Arc<OwnedFd>>,
        replay: Option<Speed>,
    ) -> Self {
        let started = Instant::now();
        let latest = Latest {
            heartbeat: Heartbeat::default(),
            taken: started,
            open: 0,
            reload: None,
            picture: (0, Arc::default()),
            tables: Arc::new([]),
            history: History::default(),
            ended: VecDeque::new(),
            is_over: false,
            first: None,
            last: None,
        };
        Self(Arc::new(Shared {
            interfaces,
            blocks,
            deliveries,
            started,
            replay,
            latest: Mutex::new(latest),
            wants_open: AtomicBool::new(false),
            wake,
        }))
    }

    /// The sink that the detector drives.
    pub(crate) fn feed(&self) -> Feed {
        Feed(self.clone())
    }

    /// Records the result of a reload: the new configuration in short, or why the old one stays.
    pub(crate) fn reloaded(&self, result: Result<String, String>) {
        self.lock().reload = Some(Reloaded { time: capture::now(), result });
    }

    /// Open episodes, blocks, losses and a refused reload in one line.
    pub(crate) fn line(&self) -> String {
        let latest = self.latest();
        let losses = latest.heartbeat.stats.losses;
        let lost = losses.kernel + losses.interface + losses.crossings + losses.evictions;
        let mut line = format!("open episodes: {}", latest.open);
        if let Some(blocks) = self.blocks() {
            line += &format!(", blocks: {blocks}");
        }
        line += &format!(", losses: {lost}");
        match latest.reload.map(|reload| reload.result) {
            None => {}
            Some(Ok(_)) => line += ", last reload taken",
            Some(Err(_)) => line += ", last reload refused",
        }
        line
    }

    /// Lists the open episodes if a client waits for them. The capture thread calls this at a heartbeat.
    /// `list` returns whether the channel to the detector had room. If it had none, the episodes are listed
    /// at the next heartbeat.
    pub(crate) fn serve_episodes(&self, list: impl FnOnce() -> bool) {
        let is_wanted = self.0.wants_open.load(Ordering::Relaxed);
        if is_wanted && self.0.wants_open.swap(false, Ordering::Relaxed) && !list() {
            self.0.wants_open.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn latest(&self) -> Latest {
        self.lock().clone()
    }

    pub(super) fn interfaces(&self) -> &Interfaces {
        &self.0.interfaces
    }

    pub(super) fn started(&self) -> Instant {
        self.0.started
    }

    /// The number of blocks in force, if this run blocks.
    pub(super) fn blocks(&self) -> Option<u64> {
        self.0.blocks.as_ref().map(|counts| counts.blocks.get())
    }

    /// The counts of each action.
    pub(super) fn deliveries(&self) -> Vec<Delivered> {
        self.0.deliveries.now()
    }

    /// Requests a list of the open episodes. Returns the number of lists so far.
    pub(super) fn ask_for_episodes(&self) -> u64 {
        let pictures = self.lock().picture.0;
        self.0.wants_open.store(true, Ordering::Relaxed);
        pictures
    }

    /// The newest list, if it is later than the given number.
    pub(super) fn episodes_after(&self, pictures: u64) -> Option<Arc<OpenEpisodes>> {
        let latest = self.lock();
        let (number, picture) = &latest.picture;
        (*number > pictures).then(|| Arc::clone(picture))
    }

    /// Shares these tables from now on.
    pub(crate) fn share(&self, tables: Arc<[SharedWatch]>) {
        self.lock().tables = tables;
    }

    /// Records the time of a replay's first packet.
    pub(crate) fn begin(&self, first: Timestamp) {
        self.lock().first = Some(first);
    }

    /// Freezes the state in a replay after its last packet: from now on clients get this one only.
    pub(crate) fn keep_last(&self, zone: &Zone) {
        // A second without a later packet is over.
        self.lock().is_over = true;
        let open = self.episodes();
        let last = top::snapshot(self, &Found::at_once(self), &open, zone);
        self.lock().last = Some(Arc::new(last));
    }

    pub(super) fn last(&self) -> Option<Arc<TopSnapshot>> {
        self.lock().last.clone()
    }

    pub(super) fn tables(&self) -> Arc<[SharedWatch]> {
        Arc::clone(&self.lock().tables)
    }

    /// The capture's time and tick: those of the last heartbeat, plus the time since.
    pub(super) fn now(&self) -> Option<(Timestamp, Ticks)> {
        let latest = self.lock();
        let (time, ticks) = latest.heartbeat.now?;
        let passed = match self.0.replay.as_ref().map(Speed::times) {
            None => latest.taken.elapsed(),
            Some(Speed::MAX) => Duration::ZERO,
            Some(times) => {
                Duration::try_from_secs_f64(latest.taken.elapsed().as_secs_f64() * times).unwrap_or_default()
            }
        };
        Some((time.after(passed), Ticks(ticks.0.saturating_add(Ticks::in_window(passed)))))
    }

    /// Duration of the run so far, or in a replay of the capture.
    pub(super) fn uptime(&self, time: Timestamp, now: Instant) -> Duration {
        match &self.0.replay {
            None => now.saturating_duration_since(self.0.started),
            Some(_) => self.lock().first.map(|first| time.since(first)).unwrap_or_default(),
        }
    }

    /// Attempts of each of the last seconds, the oldest first, and of the last whole second. The former
    /// include the second in which a replay ends.
    pub(super) fn history(&self) -> (Vec<u32>, u32) {
        let latest = self.lock();
        let (is_live, history) = (self.0.replay.is_none(), &latest.history);
        let (whole, all) = (history.seconds(is_live), history.seconds(is_live || latest.is_over));
        let last = whole.last().or(all.last()).copied().unwrap_or_default();
        (all, last)
    }

    /// The episodes that ended last, in a replay.
    pub(super) fn ended(&self) -> Vec<Arc<Alert>> {
        self.lock().ended.iter().cloned().collect()
    }

    /// The newest list of the open episodes.
    pub(super) fn episodes(&self) -> Arc<OpenEpisodes> {
        Arc::clone(&self.lock().picture.1)
    }

    fn lock(&self) -> MutexGuard<'_, Latest> {
        self.0.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A sink that stores the detector's events in the state.
pub(crate) struct Feed(State);

impl Sink for Feed {
    fn alert(&mut self, alert: &Alert) {
        let mut latest = self.0.lock();
        match alert.state {
            Stage::Start => latest.open += 1,
            Stage::Update => {}
            Stage::End(_) => latest.open = latest.open.saturating_sub(1),
        }
        if self.0.0.replay.is_some() && matches!(alert.state, Stage::End(_)) {
            if latest.ended.len() == OpenEpisodes::MOST {
                latest.ended.pop_front();
            }
            latest.ended.push_back(Arc::new(alert.clone()));
        }
    }

    fn heartbeat(&mut self, heartbeat: &Heartbeat) {
        let (heartbeat, now) = (heartbeat.clone(), Instant::now());
        let is_live = self.0.0.replay.is_none();
        let mut latest = self.0.lock();
        // Live, heartbeats come about once a second of machine time.
        let second = match (is_live, latest.history.last()) {
            (true, None) => Some(0),
            (true, Some(last)) => Some(last.saturating_add(seconds_between(latest.taken, now))),
            (false, _) => heartbeat.now.map(|(time, _)| time.second()),
        };
        if let Some(second) = second {
            latest.history.add(second, heartbeat.stats.attempts);
        }
        (latest.heartbeat, latest.taken) = (heartbeat, now);
    }

    fn open(&mut self, open: &Arc<OpenEpisodes>) {
        let mut latest = self.0.lock();
        latest.picture = (latest.picture.0 + 1, Arc::clone(open));
        drop(latest);
        if let Some(wake) = &self.0.0.wake {
            // It can only be full. Then the control thread wakes anyway.
            let _ = rustix::io::write(&**wake, &1_u64.to_ne_bytes());
        }
    }
}

/// The seconds between two heartbeats: at least one.
fn seconds_between(last: Instant, now: Instant) -> i64 {
    let passed = now.saturating_duration_since(last) + Duration::from_millis(500);
    i64::try_from(passed.as_secs()).unwrap_or(i64::MAX).max(1)
}
