//! What the threads of a run leave for the control thread.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::base::time::Timestamp;
use crate::capture;
use crate::detect::alert::{Alert, State as Stage};
use crate::detect::{OpenEpisodes, Sink};
use crate::engine::stats::Beat;
use crate::report::{ActionCounts, Delivered, Deliveries};
use crate::wire::packet::Interfaces;

/// What the threads of a run leave for the control thread. Clones share it.
#[derive(Clone)]
pub(crate) struct State(Arc<Shared>);

struct Shared {
    interfaces: Interfaces,
    /// Where sources are blocked by this run.
    blocks: Option<ActionCounts>,
    deliveries: Deliveries,
    started: Instant,
    latest: Mutex<Latest>,
    /// Set by the control thread, taken back by the capture thread; it publishes nothing.
    wants_open: AtomicBool,
    /// Ends the control thread's wait, where there is one.
    wake: Option<Arc<OwnedFd>>,
}

/// The newest of everything.
#[derive(Clone)]
pub(super) struct Latest {
    pub(super) beat: Beat,
    /// When that came.
    pub(super) taken: Instant,
    /// The number of open episodes.
    pub(super) open: usize,
    pub(super) reload: Option<Reloaded>,
    /// The picture of the open episodes, and how many there were before it.
    picture: (u64, Arc<OpenEpisodes>),
}

/// The result of a reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reloaded {
    pub(super) time: Timestamp,
    /// The new configuration in short, or why the old one stays.
    pub(super) result: Result<String, String>,
}

impl State {
    /// `wake` is that of the socket, where there is one.
    pub(crate) fn new(
        interfaces: Interfaces,
        blocks: Option<ActionCounts>,
        deliveries: Deliveries,
        wake: Option<Arc<OwnedFd>>,
    ) -> Self {
        let started = Instant::now();
        let latest = Latest {
            beat: Beat::default(),
            taken: started,
            open: 0,
            reload: None,
            picture: (0, Arc::default()),
        };
        Self(Arc::new(Shared {
            interfaces,
            blocks,
            deliveries,
            started,
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
        let losses = latest.beat.stats.losses;
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

    /// Has the open episodes listed if a client waits for them: for the capture thread at a heartbeat. `list` says whether
    /// there was room to tell the detector; where there was none, they are listed at the next heartbeat.
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

    /// What has become of the reports for each action.
    pub(super) fn deliveries(&self) -> Vec<Delivered> {
        self.0.deliveries.now()
    }

    /// Asks for a picture of the open episodes. Returns how many there have been.
    pub(super) fn ask_for_episodes(&self) -> u64 {
        let pictures = self.lock().picture.0;
        self.0.wants_open.store(true, Ordering::Relaxed);
        pictures
    }

    /// The newest picture, if there is one after so many.
    pub(super) fn episodes_after(&self, pictures: u64) -> Option<Arc<OpenEpisodes>> {
        let latest = self.lock();
        let (number, picture) = &latest.picture;
        (*number > pictures).then(|| Arc::clone(picture))
    }

    fn lock(&self) -> MutexGuard<'_, Latest> {
        self.0.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leaves what the detector tells.
pub(crate) struct Feed(State);

impl Sink for Feed {
    fn alert(&mut self, alert: &Alert) {
        let mut latest = self.0.lock();
        match alert.state {
            Stage::Start => latest.open += 1,
            Stage::Update => {}
            Stage::End(_) => latest.open = latest.open.saturating_sub(1),
        }
    }

    fn beat(&mut self, beat: &Beat) {
        let beat = beat.clone();
        let mut latest = self.0.lock();
        (latest.beat, latest.taken) = (beat, Instant::now());
    }

    fn open(&mut self, open: &Arc<OpenEpisodes>) {
        let mut latest = self.0.lock();
        latest.picture = (latest.picture.0 + 1, Arc::clone(open));
        drop(latest);
        if let Some(wake) = &self.0.0.wake {
            // It can only be full, and then the control thread wakes anyway.
            let _ = rustix::io::write(&**wake, &1_u64.to_ne_bytes());
        }
    }
}
