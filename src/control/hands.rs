//! Checks the right to make a change, and passes the change to the thread that carries it out.
//!
//! Every client that can connect may read. A change needs root or the service's own user, according to the
//! kernel's report at the connection. The control thread only passes a request on. The blocker or the main
//! thread answers when the change is in force, that of the fleet when its servers have it. The client waits
//! for that answer without delaying any other.

use std::fmt;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError, bounded};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use rustix::process::geteuid;

use super::allowances::{AllowAsked, AllowDone, AllowWish};
use super::change::Change;
use super::client::PATIENCE;
use super::fleet::{FleetAsked, FleetReply, FleetTopic};
use super::request::Refusal;
use crate::act::{Answer, Asked, Done, NotDone, Person, Requester, Wish};
use crate::base::warn::Throttle;
use crate::capture;
use crate::report::ActionCounts;

/// The channels to the threads that carry out changes.
#[derive(Default)]
pub(crate) struct Hands {
    /// To the blocker, if there is one.
    pub(crate) block: Option<Sender<Asked>>,
    /// To the main thread.
    pub(crate) allow: Option<Sender<AllowAsked>>,
    /// To the thread that asks the fleet's servers, in a fleet.
    pub(crate) fleet: Option<Sender<FleetAsked>>,
    pub(crate) counts: ActionCounts,
    pub(crate) denials: Throttle,
}

/// The result of a change, and the process that requested it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Handled {
    Block(Done),
    Allow(AllowDone),
    Fleet(FleetReply),
}

/// A pending answer.
pub(super) struct Pending(Receiver<Result<Handled, NotDone>>);

/// Ends the control thread's wait when it is dropped: after an answer, or when there will be none.
struct WakeOnDrop(Arc<OwnedFd>);

impl Drop for WakeOnDrop {
    fn drop(&mut self) {
        // It can only be full. Then the control thread wakes anyway.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }
}

/// The process at the other end; an unknown one has no rights.
pub(super) fn person(stream: &UnixStream) -> Option<Person> {
    // Not by rustix, whose ids are never 0: the kernel reports 0 for a process of another pid namespace.
    let peer = getsockopt(stream, PeerCredentials).ok()?;
    Some(Person { uid: peer.uid(), pid: peer.pid() })
}

impl Hands {
    /// Asks the blocker for the list of blocks.
    pub(super) fn list_blocked(&self, wake: &Arc<OwnedFd>) -> Result<Pending, Refusal> {
        self.ask_blocker(Wish::List, wake)
    }

    /// Asks the main thread for the list of allowances.
    pub(super) fn list_allowed(&self, wake: &Arc<OwnedFd>) -> Result<Pending, Refusal> {
        self.ask_main(AllowWish::List, wake)
    }

    /// Passes a change on, if this client has the right to request one.
    pub(super) fn change(
        &mut self,
        change: &Change,
        person: Option<Person>,
        wake: &Arc<OwnedFd>,
    ) -> Result<Pending, Refusal> {
        let by = Requester::Person(self.check(change, person)?);
        match change.clone() {
            Change::Block { network, time } => self.ask_blocker(Wish::Block { network, time, by }, wake),
            Change::Unblock { network } => self.ask_blocker(Wish::Unblock { network, by }, wake),
            Change::Allow { network, time, why } => {
                self.ask_main(AllowWish::Allow { network, since: None, time, why, by }, wake)
            }
            Change::Unallow { network } => self.ask_main(AllowWish::Unallow { network, by }, wake),
        }
    }

    /// Passes on what is for the fleet: a change, if this client has the right to request one.
    pub(super) fn ask_fleet(
        &mut self,
        topic: &FleetTopic,
        person: Option<Person>,
        now: Instant,
        wake: &Arc<OwnedFd>,
    ) -> Result<Pending, Refusal> {
        let by = match topic {
            FleetTopic::Change(change) => Some(self.check(&format_args!("{change} --fleet"), person)?),
            FleetTopic::Gateways | FleetTopic::Blocked | FleetTopic::Allowed => None,
        };
        let (pending, answer) = pending(wake, Handled::Fleet);
        let asked = FleetAsked { topic: topic.clone(), by, until: now + PATIENCE, answer };
        hand_on(self.fleet.as_ref(), asked, || Refusal {
            code: NotDone::OFF,
            error: "this run is in no fleet (--fleet)".to_owned(),
        })?;
        Ok(pending)
    }

    /// The process of the request, if it has the right to change something.
    fn check(&mut self, change: &dyn fmt::Display, person: Option<Person>) -> Result<Person, Refusal> {
        if let Some(person) = person.filter(|person| may_change(Some(*person))) {
            return Ok(person);
        }
        self.counts.denied.add(1);
        if let Some(times) = self.denials.count(capture::now(), 1) {
            let who = person.map_or_else(|| "an unknown process".to_owned(), |person| person.to_string());
            log::warn!("{change} is denied to {who}: only root may do that ({times} times)");
        }
        Err(Refusal { code: "denied", error: "only root may do that".to_owned() })
    }

    fn ask_blocker(&self, wish: Wish, wake: &Arc<OwnedFd>) -> Result<Pending, Refusal> {
        let (pending, answer) = pending(wake, Handled::Block);
        hand_on(self.block.as_ref(), Asked { wish, answer }, || Refusal {
            code: NotDone::OFF,
            error: "this run blocks nothing (start it with --block nft)".to_owned(),
        })?;
        Ok(pending)
    }

    fn ask_main(&self, wish: AllowWish, wake: &Arc<OwnedFd>) -> Result<Pending, Refusal> {
        let (pending, answer) = pending(wake, Handled::Allow);
        hand_on(self.allow.as_ref(), AllowAsked { wish, answer }, ending)?;
        Ok(pending)
    }
}

impl Pending {
    /// The answer, if it has arrived.
    pub(super) fn answer(&self) -> Option<Result<Handled, Refusal>> {
        match self.0.try_recv() {
            Ok(done) => Some(done.map_err(Refusal::from)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(ending())),
        }
    }
}

impl From<NotDone> for Refusal {
    fn from(NotDone { code, why }: NotDone) -> Self {
        Self { code, error: why }
    }
}

/// Whether this process may change something.
pub(super) fn may_change(person: Option<Person>) -> bool {
    person.is_some_and(|person| has_right(person.uid, geteuid().as_raw()))
}

fn has_right(uid: u32, own: u32) -> bool {
    uid == 0 || uid == own
}

fn pending<T: 'static>(wake: &Arc<OwnedFd>, handled: fn(T) -> Handled) -> (Pending, Answer<T>) {
    let (sender, receiver) = bounded(1);
    // The sender is dropped first: the end of the wait then shows that there will be no answer.
    let reply = (sender, WakeOnDrop(Arc::clone(wake)));
    let answer = Box::new(move |done: Result<T, NotDone>| {
        let (sender, wake) = reply;
        // A client that has given up no longer has a receiver.
        let _ = sender.send(done.map(handled));
        drop((sender, wake));
    });
    (Pending(receiver), answer)
}

fn hand_on<T>(to: Option<&Sender<T>>, asked: T, off: impl FnOnce() -> Refusal) -> Result<(), Refusal> {
    match to.map(|to| to.try_send(asked)) {
        None => Err(off()),
        Some(Ok(())) => Ok(()),
        Some(Err(TrySendError::Full(_))) => {
            Err(Refusal { code: "busy", error: "too many changes wait already (try again)".to_owned() })
        }
        Some(Err(TrySendError::Disconnected(_))) => Err(ending()),
    }
}

fn ending() -> Refusal {
    Refusal { code: NotDone::ENDING, error: "the run ends".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_the_services_own_user_may_change_something() {
        for (uid, own, may) in
            [(0, 64_901, true), (64_901, 64_901, true), (64_900, 64_901, false), (1, 0, false)]
        {
            assert_eq!(has_right(uid, own), may, "{uid} {own}");
        }
    }

    #[test]
    fn others_are_denied_changes_and_each_denial_counts() {
        let (block, asked) = bounded(16);
        let mut hands = Hands { block: Some(block), ..Hands::default() };
        let counts = hands.counts.clone();
        let wake = Arc::new(rustix::event::eventfd(0, rustix::event::EventfdFlags::empty()).unwrap());
        let change = Change::Unblock { network: None };
        let other = Person { uid: geteuid().as_raw() + 1, pid: 1 };
        for person in [Some(other), None] {
            let refusal = hands.change(&change, person, &wake).err().unwrap();
            assert_eq!((refusal.code, refusal.error.as_str()), ("denied", "only root may do that"));
        }
        assert_eq!((counts.denied.get(), asked.len()), (2, 0));
        assert!(hands.change(&change, Some(Person { uid: 0, pid: 1 }), &wake).is_ok());
        assert!(hands.list_blocked(&wake).is_ok(), "all that can connect may look");
        assert_eq!((counts.denied.get(), asked.len()), (2, 2));
    }

    #[test]
    fn the_fleet_is_read_by_all_and_changed_by_those_with_the_right() {
        let (fleet, asked) = bounded(16);
        let mut hands = Hands { fleet: Some(fleet), ..Hands::default() };
        let wake = Arc::new(rustix::event::eventfd(0, rustix::event::EventfdFlags::empty()).unwrap());
        let (now, own) = (Instant::now(), Person { uid: geteuid().as_raw(), pid: 7 });
        let other = Person { uid: own.uid + 1, pid: 1 };
        let unblock = FleetTopic::Change(Change::Unblock { network: None });
        for topic in [FleetTopic::Gateways, FleetTopic::Blocked, FleetTopic::Allowed] {
            assert!(hands.ask_fleet(&topic, Some(other), now, &wake).is_ok());
            assert_eq!(asked.recv().unwrap().by, None);
        }
        for person in [Some(other), None] {
            assert_eq!(hands.ask_fleet(&unblock, person, now, &wake).err().unwrap().code, "denied");
        }
        assert!(hands.ask_fleet(&unblock, Some(own), now, &wake).is_ok());
        assert_eq!((asked.recv().unwrap().by, hands.counts.denied.get()), (Some(own), 2));
        hands.fleet = None;
        let refusal = hands.ask_fleet(&unblock, Some(own), now, &wake).err().unwrap();
        assert_eq!((refusal.code, &*refusal.error), ("off", "this run is in no fleet (--fleet)"));
    }

    #[test]
    fn the_kernel_tells_who_is_at_the_other_end() {
        let (stream, _other) = UnixStream::pair().unwrap();
        let own = Person { uid: geteuid().as_raw(), pid: std::process::id() as i32 };
        assert_eq!(person(&stream), Some(own));
    }
}
