//! One interface of a live source: opens it, reads it, and reopens it after it was away.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::{Duration, Instant};

use super::change_over::Next;
use super::directed::{Directed, is_up};
use super::live::{Opening, said};
use super::mirror::MirrorCheck;
use super::socket::{self, Handle, Taken, is_readable, open, set_filter};
use super::{Received, Receiver};
use crate::base::time::Timestamp;
use crate::error::Error;
use crate::wire::packet::{Interface, InterfaceId, Interfaces, LinkType, Origin, Packet};

/// Maximum packets from one interface before the next one has its turn.
pub(super) const TURN: usize = 4096;
/// Minimum and maximum delay between two attempts to reopen an interface.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// One interface.
pub(super) struct Lane {
    name: String,
    id: InterfaceId,
    link: LinkType,
    state: State,
    /// The time since which it has been down while it is open.
    down_since: Option<Instant>,
    /// Packets received and lost, over all times that it was open.
    received: Received,
    /// The last counters of libpcap, which counts in 32 bits, from zero for each handle.
    stats: Option<pcap::Stat>,
    /// Whether it is a mirror port and therefore has a handle of its own.
    mirror: MirrorCheck,
    is_by_itself: bool,
    /// Whether it was down when its own handle was opened. Once it is up, the kernel may give directions.
    was_down: bool,
    /// The new handle, during a change of handles.
    next: Option<Next>,
    /// The cut of the last change: the handle before delivered the packets captured before this time.
    since: Option<Timestamp>,
    /// Packets of its own handle that the other one delivered, since the last query of libpcap's counters.
    skipped: u64,
    /// The time since which it was away, until its return is reported.
    came_back: Option<Instant>,
}

enum State {
    Open(Handle),
    /// Away since this time. Without a time, it only has to be reopened in another way.
    Down {
        since: Option<Instant>,
        retry_at: Instant,
        delay: Duration,
    },
}

impl Lane {
    /// Opens an interface for the first time.
    ///
    /// # Errors
    ///
    /// See [`super::Live::open`].
    pub(super) fn open(name: &str, opening: &Opening, interfaces: &Interfaces) -> Result<Self, Error> {
        let mirror = MirrorCheck::of(name);
        let (handle, link) = open(name, opening, &mirror)?;
        let was_down = is_up(name) == Some(false);
        Ok(Self {
            name: name.to_owned(),
            id: interfaces.add(Interface { origin: Origin::Interface(name.into()), link }),
            link,
            state: State::Open(handle),
            down_since: None,
            received: Received::default(),
            stats: None,
            mirror,
            is_by_itself: false,
            was_down,
            next: None,
            since: None,
            skipped: 0,
            came_back: None,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn id(&self) -> InterfaceId {
        self.id
    }

    pub(super) fn received(&self) -> Received {
        self.received
    }

    /// Its index, while it uses or will use the handle that it shares with others.
    pub(super) fn joint_index(&self) -> Option<u32> {
        match (&self.state, self.next.as_ref().map(|next| &next.handle)) {
            (State::Open(Handle::Joint(directed)), _) | (_, Some(Handle::Joint(directed))) => {
                Some(directed.index())
            }
            _ => None,
        }
    }

    /// The descriptor that becomes readable when there are packets, if it has a handle of its own.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.state {
            State::Open(Handle::Own(capture)) => Some(capture.as_fd()),
            _ => None,
        }
    }

    /// Time of the next attempt to reopen it, or of the change of handles.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        match self.state {
            State::Open(_) => self.next.as_ref().map(|next| next.ready_at),
            State::Down { retry_at, .. } => Some(retry_at),
        }
    }

    /// Delivers the packets of its own handle, up to the maximum of one turn.
    pub(super) fn take(&mut self, receiver: &mut impl Receiver) -> Taken {
        let State::Open(Handle::Own(capture)) = &mut self.state else { return Taken::All };
        let is_checked = self.is_by_itself && self.mirror.is_open();
        let next = self.next.as_ref();
        let mut mirror = is_checked.then_some(&mut self.mirror);
        let (id, link, since, skipped) = (self.id, self.link, self.since, &mut self.skipped);
        // For NFLOG, libpcap reads one message at a time from a socket, and reports an error when there is
        // none.
        let is_socket = link == LinkType::NFLOG;
        if is_socket && !is_readable(capture) {
            return Taken::All;
        }
        let taken = capture.dispatch(Some(TURN), |packet| {
            if let Some(mirror) = &mut mirror {
                mirror.look(link, packet.data);
            }
            let time = socket::time_of(packet.header);
            if since.is_some_and(|since| time < since) || next.is_some_and(|next| !next.is_before(time)) {
                *skipped += 1;
                return;
            }
            receiver.packet(&Packet {
                time,
                link,
                interface: id,
                bytes: packet.data,
                wire_length: packet.header.len,
            });
        });
        match taken {
            Ok(TURN) => Taken::Some,
            Ok(_) if is_socket => Taken::Some,
            Ok(_) => {
                // The packets before the cut have been skipped. A clock that is set back must not hide more.
                self.since = None;
                Taken::All
            }
            Err(error) => {
                self.lose(&said(&error));
                Taken::All
            }
        }
    }

    /// Checks a packet of the shared handle for signs of a mirror port. Returns whether to deliver it.
    #[inline]
    pub(super) fn look_at(&mut self, time: Timestamp, bytes: &[u8]) -> bool {
        if self.mirror.is_open() {
            self.mirror.look(LinkType::LINUX_SLL2, bytes);
        }
        match (&self.state, &self.next) {
            (State::Open(Handle::Joint(_)), next) => next.as_ref().is_none_or(|next| next.is_before(time)),
            (_, next) => next.as_ref().and_then(|next| next.cut).is_some_and(|cut| time >= cut),
        }
    }

    /// Adds the packets from the shared handle, and those that were lost there.
    pub(super) fn add_received(&mut self, taken: u64, dropped: u64) {
        // As in libpcap, dropped packets count as received.
        self.received.packets += taken + dropped;
        self.received.kernel_drops += dropped;
    }

    /// Reopens it in the other way when it proves to be a mirror port, or not to be one.
    pub(super) fn check_mirror(&mut self, opening: &Opening) {
        let State::Open(handle) = &self.state else { return };
        if self.next.is_some() {
            return;
        }
        let is_mirror = self.mirror.is_mirror();
        let is_due = match (handle, is_mirror) {
            (Handle::Joint(_), true) => opening.filter.text(LinkType::ETHERNET).is_ok(),
            (Handle::Own(_), false) => self.is_by_itself && !self.mirror.is_open(),
            _ => false,
        };
        if !is_due {
            return;
        }
        if is_mirror {
            log::warn!(
                "interface {:?} shows both directions of other hosts, as a mirror port does: MAC addresses tell \
                 directions there, and verified=wire is the most that is said",
                self.name
            );
        } else {
            log::warn!(
                "interface {:?} is no mirror port after all, this host has connections there: the kernel tells \
                 directions again",
                self.name
            );
        }
        self.is_by_itself = is_mirror;
        self.open_next(opening);
    }

    /// Opens a new handle in another way, beside the present one.
    fn open_next(&mut self, opening: &Opening) {
        match open(&self.name, opening, &self.mirror) {
            Ok((handle, link)) => {
                self.next = Some(Next { handle, link, cut: None, ready_at: Instant::now() });
            }
            Err(error) => self.lose(&error.to_string()),
        }
    }

    /// Sets the cut after the new handle has begun to capture. Earlier packets have been delivered after
    /// `lag`.
    pub(super) fn cut(&mut self, lag: Duration) {
        if let Some(next) = self.next.as_mut().filter(|next| next.cut.is_none()) {
            (next.cut, next.ready_at) = (Some(socket::now()), Instant::now() + lag);
        }
    }

    /// Changes to the new handle when it is time.
    pub(super) fn change_over(&mut self, interfaces: &Interfaces) {
        let is_due = |next: &mut Next| next.cut.is_some() && Instant::now() >= next.ready_at;
        let Some(next) = self.next.take_if(is_due) else { return };
        self.ask();
        self.since = next.cut;
        self.set_open(next.handle, next.link, interfaces);
    }

    fn set_open(&mut self, handle: Handle, link: LinkType, interfaces: &Interfaces) {
        let origin = Origin::Interface(self.name.as_str().into());
        interfaces.set(self.id, Interface { origin, link });
        (self.state, self.link, self.stats) = (State::Open(handle), link, None);
    }

    /// Closes it, because it went away or cannot be read any more.
    pub(super) fn lose(&mut self, why: &str) {
        self.ask();
        log::warn!("interface {:?} went away: {why}; trying to open it again", self.name);
        self.go_down();
    }

    /// Delays the next attempt to open it.
    pub(super) fn put_off(&mut self) {
        if let State::Down { retry_at, delay, .. } = &mut self.state {
            (*retry_at, *delay) = (Instant::now() + BACK_OFF.1, BACK_OFF.1);
        }
    }

    fn go_down(&mut self) {
        (self.next, self.since) = (None, None);
        let now = Instant::now();
        let since = self.came_back.take().or(self.down_since.take()).unwrap_or(now);
        self.state = State::Down { since: Some(since), retry_at: now + BACK_OFF.0, delay: BACK_OFF.0 };
    }

    /// Tries to reopen it if that is due. Returns whether it is back.
    pub(super) fn reopen(&mut self, opening: &Opening, interfaces: &Interfaces) -> bool {
        let State::Down { since, retry_at, delay } = self.state else { return false };
        let now = Instant::now();
        if now < retry_at {
            return false;
        }
        match open(&self.name, opening, &self.mirror) {
            Ok((handle, link)) => {
                self.came_back = since;
                self.set_open(handle, link, interfaces);
                self.was_down = is_up(&self.name) == Some(false);
                true
            }
            Err(error) => {
                log::debug!("{error}");
                let delay = (delay * 2).min(BACK_OFF.1);
                self.state = State::Down { since, retry_at: now + delay, delay };
                false
            }
        }
    }

    /// Sets the kernel's filter of its own handle from now on. If the filter begins or ceases to need an
    /// Ethernet header, the interface is opened in the other way.
    pub(super) fn refilter(&mut self, opening: &Opening) {
        let State::Open(handle) = &mut self.state else { return };
        let filter = &opening.filter;
        let is_by_choice = opening.promisc || self.is_by_itself;
        let is_due = match handle {
            Handle::Joint(_) => filter.text(LinkType::LINUX_SLL2).is_err(),
            Handle::Own(_) => !is_by_choice && Directed::of(&self.name, opening).is_some(),
        };
        if is_due {
            self.change();
            return;
        }
        let Handle::Own(capture) = handle else { return };
        if let Err(error) = set_filter(capture, &self.name, self.link, &[], filter) {
            log::warn!("{error}; its old filter stays");
        }
    }

    /// Closes it, to reopen it in another way at once.
    fn change(&mut self) {
        self.ask();
        (self.next, self.since) = (None, None);
        self.state = State::Down { since: None, retry_at: Instant::now(), delay: BACK_OFF.0 / 10 };
    }

    /// Checks whether it still exists, where libpcap does not report that.
    pub(super) fn look_for(&mut self) {
        let State::Open(Handle::Joint(directed)) = &self.state else { return };
        if !directed.is_there(&self.name) {
            self.ask();
            log::warn!("interface {:?} went away; trying to open it again", self.name);
            self.go_down();
        }
    }

    /// Checks whether an open interface exists and is up, and reports a change.
    pub(super) fn look(&mut self, opening: &Opening) {
        self.look_for();
        let State::Open(_) = self.state else { return };
        match (self.down_since, is_up(&self.name)) {
            (None, Some(false)) => {
                log::warn!("interface {:?} is down; it is counted on when it is up again", self.name);
                self.down_since = Some(Instant::now());
            }
            (Some(since), Some(true)) => {
                self.say_back(since);
                self.down_since = None;
            }
            _ => {}
        }
        if self.was_down && is_up(&self.name) == Some(true) {
            self.was_down = false;
            let is_own = self.joint_index().is_none() && !self.is_by_itself;
            if is_own && Directed::of(&self.name, opening).is_some() {
                self.open_next(opening);
            }
        }
    }

    /// Reports its return, after its packets are delivered again.
    pub(super) fn say_it_is_back(&mut self) {
        if let Some(since) = self.came_back.take() {
            self.say_back(since);
        }
    }

    fn say_back(&self, since: Instant) {
        log::warn!("interface {:?} is back after {:.1} s", self.name, since.elapsed().as_secs_f64());
    }

    /// Queries the received and lost packets. The counters have 32 bits and wrap.
    pub(super) fn ask(&mut self) {
        let capture = match &mut self.state {
            State::Open(Handle::Own(capture)) => capture,
            State::Open(Handle::Joint(directed)) => {
                self.received.interface_drops += directed.dropped(&self.name);
                return;
            }
            State::Down { .. } => return,
        };
        let Ok(stats) = capture.stats() else { return };
        let last = self.stats.replace(stats);
        let grown = |value: fn(&pcap::Stat) -> u32| {
            u64::from(value(&stats).wrapping_sub(last.as_ref().map_or(0, value)))
        };
        let packets = grown(|stats| stats.received);
        self.received.packets += packets.saturating_sub(std::mem::take(&mut self.skipped));
        self.received.kernel_drops += grown(|stats| stats.dropped);
        // The interface's own counter.
        self.received.interface_drops += grown(|stats| stats.if_dropped);
    }
}
