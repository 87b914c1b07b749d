//! Allowances by hand: the main thread receives them from the control thread, puts them in force and stores
//! them.
//!
//! ```text
//!   control ──AllowAsked──▶ main ──allow list──▶ capture: counts by it from the next read on
//!                            │ ──file
//!                            └─────Asked───────▶ blocker ──▶ guard: frees what is allowed ──▶ answer to control
//! ```
//!
//! The log follows when the list is in force, the answer when what is blocked of it is freed, too. The end of an allowance is noticed within a second, even
//! after the machine has slept or its clock was set.

use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::act::{Allowed, Answer, Asked, Done, NotDone, Requester, Wish};
use crate::base::time::Timestamp;
use crate::base::units::Span;
use crate::capture;
use crate::config::Settings;
use crate::control::{AllowAsked, AllowDone, AllowWish, Allowance, Allowances, FOLDER, MOST_ASKED, Store};
use crate::engine::subject::Source;
use crate::engine::watch::AllowList;
use crate::error::{Cause, Error};
use crate::report::ActionCounts;

/// Interval between checks for allowances that have ended.
const LOOK: Duration = Duration::from_secs(1);

/// The allowances, and the parts of the program that need them.
pub(super) struct Allowing {
    allowances: Allowances,
    pub(super) asked: Receiver<AllowAsked>,
    /// The allow list of the blocker.
    allowed: Allowed,
    blocker: Option<Sender<Asked>>,
    counts: ActionCounts,
}

/// Whether the allow list has changed.
pub(super) enum Next {
    /// It has not. A request has its answer.
    Unchanged,
    /// It has. This logs and answers it, to be called when the list is in force.
    Changed(Box<dyn FnOnce() + Send>),
}

impl Allowing {
    /// Loads the allowances of earlier runs, if this run stores them. Also returns the channel for requests.
    ///
    /// # Errors
    ///
    /// The folder in the settings does not exist.
    pub(super) fn open(
        settings: &Settings,
        keeps: bool,
        allowed: Allowed,
        counts: ActionCounts,
    ) -> Result<(Self, Sender<AllowAsked>), Error> {
        let store = if keeps { store(settings)? } else { None };
        let (allowances, error) = Allowances::open(store, capture::now());
        if let Some(error) = error {
            log::warn!("what was allowed by hand is so no more: {error}");
        }
        for Allowance { network, .. } in allowances.all() {
            log::info!("{} is allowed by hand, as before", Source(*network));
        }
        let (asks, asked) = bounded(MOST_ASKED);
        let allowing = Self { allowances, asked, allowed, blocker: None, counts };
        allowing.allowed.set(allowing.list(settings));
        Ok((allowing, asks))
    }

    /// Makes this blocker free the allowed networks.
    pub(super) fn attach(&mut self, blocker: Option<Sender<Asked>>) {
        self.blocker = blocker;
    }

    /// The allow list of these settings, with the allowances by hand.
    pub(super) fn list(&self, settings: &Settings) -> AllowList {
        settings.allow.with(self.allowances.networks())
    }

    /// Sends the allow list to the blocker.
    pub(super) fn tell(&self, list: AllowList) {
        self.allowed.set(list);
    }

    /// Maximum wait for a request; `None` means without a limit.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.allowances.has_ends().then_some(LOOK)
    }

    /// Removes the allowances that have ended.
    pub(super) fn expire(&mut self, now: Timestamp) -> Next {
        let is_set_back = self.allowances.set_clock(now);
        let over = self.allowances.expire(now);
        if is_set_back || !over.is_empty() {
            self.save();
        }
        if over.is_empty() {
            return Next::Unchanged;
        }
        Next::Changed(Box::new(move || {
            for Allowance { network, .. } in over {
                log::warn!("{} is allowed by hand no more: its time is over", Source(network));
            }
        }))
    }

    /// Handles a request, as far as this thread does it.
    pub(super) fn serve(&mut self, AllowAsked { wish, answer }: AllowAsked) -> Next {
        match wish {
            AllowWish::List => {
                answer(Ok(AllowDone::Listed(self.allowances.all().to_vec())));
                Next::Unchanged
            }
            AllowWish::Allow { network, since, time, why, by } => {
                let now = capture::now();
                self.allowances.set_clock(now);
                let lasts = time
                    .map_or_else(|| "until the run ends".to_owned(), |time| format!("for {}", Span(time)));
                let until = time.map(|time| now.after(time));
                let allowance = Allowance { network, since: since.unwrap_or(now).min(now), until, why };
                // The fleet lists all at each connection.
                if since.is_some() && self.allowances.stands(&allowance) {
                    answer(Ok(AllowDone::Allowed { allowance, kept: Ok(()), freed: Vec::new() }));
                    return Next::Unchanged;
                }
                self.allow(allowance, lasts, by, answer)
            }
            AllowWish::UnallowOlder { all, by } => {
                let taken = self.allowances.take_back_older(&all);
                let done = || answer(Ok(AllowDone::Listed(Vec::new())));
                if taken.is_empty() {
                    done();
                    return Next::Unchanged;
                }
                self.save();
                Next::Changed(Box::new(move || {
                    for network in taken {
                        log::warn!("{} is allowed no more {by}", Source(network));
                    }
                    done();
                }))
            }
            AllowWish::Unallow { network, by } => {
                let Some(saved) = self.allowances.take_back(network) else {
                    let network = Source(network);
                    let why = format!(
                        "{network} is not allowed by hand (synwatch allowed lists what is; the allow list of the \
                         configuration changes with a reload)"
                    );
                    answer(Err(NotDone::new(NotDone::NOTHING, why)));
                    return Next::Unchanged;
                };
                let saved = saved.map_err(|error| error.to_string());
                if let Err(error) = &saved {
                    log::warn!("{} is allowed again after a restart: {error}", Source(network));
                }
                self.count(&by);
                Next::Changed(Box::new(move || {
                    log::warn!("{} is allowed no more {by}", Source(network));
                    answer(Ok(AllowDone::Unallowed { network, saved }));
                }))
            }
        }
    }

    fn allow(
        &mut self,
        allowance: Allowance,
        lasts: String,
        by: Requester,
        answer: Answer<AllowDone>,
    ) -> Next {
        let kept = match self.allowances.allow(allowance.clone()) {
            Ok(kept) => kept,
            Err(full) => {
                answer(Err(NotDone::new(NotDone::FULL, full.to_string())));
                return Next::Unchanged;
            }
        };
        self.count(&by);
        let blocker = self.blocker.clone();
        Next::Changed(Box::new(move || {
            log::warn!("{} is allowed {lasts} {by}", Source(allowance.network));
            let answer = move |done: Result<Done, NotDone>| {
                answer(done.map(|done| {
                    let freed = if let Done::Unblocked(freed) = done { freed } else { Vec::new() };
                    AllowDone::Allowed { allowance, kept, freed }
                }));
            };
            free(blocker.as_ref(), Box::new(answer));
        }))
    }

    /// Counts a change by a person.
    fn count(&self, by: &Requester) {
        if by.is_person() {
            self.counts.allowed_by_hand.add(1);
        }
    }

    fn save(&self) {
        if let Err(error) = self.allowances.save() {
            // Allowances that have ended are dropped when the file is read.
            log::warn!("{error}");
        }
    }
}

/// Makes the blocker free the allowed networks. Without a blocker there are no blocks.
fn free(blocker: Option<&Sender<Asked>>, answer: Answer<Done>) {
    let Some(blocker) = blocker else { return answer(Ok(Done::Unblocked(Vec::new()))) };
    if let Err(error) = blocker.try_send(Asked { wish: Wish::HeedAllowed, answer }) {
        let busy = matches!(error, TrySendError::Full(_));
        let Asked { answer, .. } = error.into_inner();
        match busy {
            true => answer(Err(NotDone::new(
                "busy",
                "it is allowed, and what is blocked of it is freed within a second: too many changes wait",
            ))),
            false => answer(Err(NotDone::new(NotDone::ENDING, "the run ends"))),
        }
    }
}

/// The store of allowances. There is none if the default folder is missing, because only systemd and the
/// package make it.
fn store(settings: &Settings) -> Result<Option<Store>, Error> {
    let Some(folder) = &settings.state_dir else { return Ok(None) };
    match folder.metadata() {
        Ok(there) if there.is_dir() => Ok(Some(Store::new(folder.clone()))),
        Ok(_) => Err(Error::StateDir { path: folder.clone(), why: "not a folder".to_owned() }),
        Err(error) if folder.as_os_str() == FOLDER => {
            log::info!("what is allowed by hand is not kept over a restart: {folder:?}: {}", Cause(&error));
            Ok(None)
        }
        Err(error) => Err(Error::StateDir { path: folder.clone(), why: Cause(&error).to_string() }),
    }
}
