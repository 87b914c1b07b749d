//! One interface of a live source: opened, read, and opened again when it was away.

use std::fs;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use pcap::{Active, Capture};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::directed::Directed;
use super::live::{Opening, said};
use super::mirror::MirrorCheck;
use super::socket::{self, Handle, open, set_filter};
use super::{Received, Receiver};
use crate::error::Error;
use crate::wire::packet::{Interface, InterfaceId, Interfaces, LinkType, Origin, Packet};

/// The most packets taken from one interface before the next one has its turn.
pub(super) const TURN: usize = 4096;
/// The first and the longest time between two attempts to open an interface again.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// One interface.
pub(super) struct Lane {
    name: String,
    id: InterfaceId,
    link: LinkType,
    state: State,
    /// Since when it is down although it is open.
    down_since: Option<Instant>,
    /// What it has received and lost, over all times that it was open.
    received: Received,
    /// What libpcap said last: it counts in 32 bits, from zero each time.
    stats: Option<pcap::Stat>,
    /// Whether it is a mirror port, and whether it is opened by itself because of that.
    mirror: MirrorCheck,
    is_by_itself: bool,
    /// Whether it was down when its own handle was opened: the kernel may tell directions once it is up.
    was_down: bool,
    /// Since when it was away, until it is said that it is back.
    came_back: Option<Instant>,
}

enum State {
    Open(Handle),
    /// Away since then; without a time, it is only to be opened in another way.
    Down {
        since: Option<Instant>,
        retry_at: Instant,
        delay: Duration,
    },
}

/// How much of what an interface had was taken.
#[derive(Debug, Clone, Copy)]
pub(super) enum Taken {
    /// All that was there.
    All,
    /// As much as one turn allows.
    Some,
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

    /// Its index, while its packets come from the handle that it shares with others.
    pub(super) fn joint_index(&self) -> Option<u32> {
        match &self.state {
            State::Open(Handle::Joint(directed)) => Some(directed.index()),
            _ => None,
        }
    }

    /// What becomes readable when there are packets, while it has a handle of its own.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.state {
            State::Open(Handle::Own(capture)) => Some(capture.as_fd()),
            _ => None,
        }
    }

    /// When it is to be tried again, while it is away.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        match self.state {
            State::Open(_) => None,
            State::Down { retry_at, .. } => Some(retry_at),
        }
    }

    /// Hands over what its own handle has, as far as one turn allows.
    pub(super) fn take(&mut self, receiver: &mut impl Receiver) -> Taken {
        let State::Open(Handle::Own(capture)) = &mut self.state else { return Taken::All };
        let is_checked = self.is_by_itself && self.mirror.is_open();
        let mut mirror = is_checked.then_some(&mut self.mirror);
        let (id, link) = (self.id, self.link);
        // There libpcap reads from a socket, a message at a time, and takes it for an error when there is none.
        let is_socket = link == LinkType::NFLOG;
        if is_socket && !is_readable(capture) {
            return Taken::All;
        }
        let taken = capture.dispatch(Some(TURN), |packet| {
            if let Some(mirror) = &mut mirror {
                mirror.look(link, packet.data);
            }
            receiver.packet(&Packet {
                time: socket::time_of(packet.header),
                link,
                interface: id,
                bytes: packet.data,
                wire_length: packet.header.len,
            });
        });
        match taken {
            Ok(TURN) => Taken::Some,
            Ok(_) if is_socket => Taken::Some,
            Ok(_) => Taken::All,
            Err(error) => {
                self.lose(&said(&error));
                Taken::All
            }
        }
    }

    /// Looks at a packet of the shared handle, for what tells a mirror port.
    #[inline]
    pub(super) fn look_at(&mut self, bytes: &[u8]) {
        if self.mirror.is_open() {
            self.mirror.look(self.link, bytes);
        }
    }

    /// Adds what came of it through the shared handle, and what was lost there.
    pub(super) fn add_received(&mut self, taken: u64, dropped: u64) {
        // As libpcap counts: what was dropped had been received.
        self.received.packets += taken + dropped;
        self.received.kernel_drops += dropped;
    }

    /// Closes it where it turns out to be a mirror port, or none after all: it is to be opened in the other way.
    pub(super) fn check_mirror(&mut self, opening: &Opening) {
        let State::Open(handle) = &self.state else { return };
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
        self.change();
    }

    /// It went away, or cannot be read any more.
    pub(super) fn lose(&mut self, why: &str) {
        self.ask();
        log::warn!("interface {:?} went away: {why}; trying to open it again", self.name);
        self.go_down();
    }

    /// Waits with the next attempt to open it.
    pub(super) fn put_off(&mut self) {
        if let State::Down { retry_at, delay, .. } = &mut self.state {
            (*retry_at, *delay) = (Instant::now() + BACK_OFF.1, BACK_OFF.1);
        }
    }

    fn go_down(&mut self) {
        self.stats = None;
        let now = Instant::now();
        let since = self.came_back.take().or(self.down_since.take()).unwrap_or(now);
        self.state = State::Down { since: Some(since), retry_at: now + BACK_OFF.0, delay: BACK_OFF.0 };
    }

    /// Tries to open it again where that is due, and says whether it is back.
    pub(super) fn reopen(&mut self, opening: &Opening, interfaces: &Interfaces) -> bool {
        let State::Down { since, retry_at, delay } = self.state else { return false };
        let now = Instant::now();
        if now < retry_at {
            return false;
        }
        match open(&self.name, opening, &self.mirror) {
            Ok((handle, link)) => {
                self.came_back = since;
                let origin = Origin::Interface(self.name.as_str().into());
                interfaces.set(self.id, Interface { origin, link });
                self.link = link;
                self.state = State::Open(handle);
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

    /// Has the kernel pass what this filter says from now on, by its own handle. Where that needs an Ethernet header, or does no more, the
    /// interface is opened in the other way.
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

    /// Closes it, to be opened in another way at once.
    fn change(&mut self) {
        self.ask();
        self.stats = None;
        self.state = State::Down { since: None, retry_at: Instant::now(), delay: BACK_OFF.0 / 10 };
    }

    /// Looks whether it is still there, where libpcap does not tell that.
    pub(super) fn look_for(&mut self) {
        let State::Open(Handle::Joint(directed)) = &self.state else { return };
        if !directed.is_there(&self.name) {
            self.ask();
            log::warn!("interface {:?} went away; trying to open it again", self.name);
            self.go_down();
        }
    }

    /// Looks whether it is there and up while it is open, and says when that has changed.
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
                self.change();
            }
        }
    }

    /// Says that it is back, once its packets are handed over again.
    pub(super) fn say_it_is_back(&mut self) {
        if let Some(since) = self.came_back.take() {
            self.say_back(since);
        }
    }

    fn say_back(&self, since: Instant) {
        log::warn!("interface {:?} is back after {:.1} s", self.name, since.elapsed().as_secs_f64());
    }

    /// Asks what was received and lost. The counters are of 32 bits and wrap.
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
        self.received.packets += grown(|stats| stats.received);
        self.received.kernel_drops += grown(|stats| stats.dropped);
        // The interface's own counter.
        self.received.interface_drops += grown(|stats| stats.if_dropped);
    }
}

/// Whether the kernel has something to be read.
fn is_readable(capture: &Capture<Active>) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::from_borrowed_fd(capture.as_fd(), PollFlags::IN)], Some(&now))
        .is_ok_and(|ready| ready > 0)
}

/// Whether an interface is up; `None` where the system does not say: `any` is none, and one may just have gone.
fn is_up(name: &str) -> Option<bool> {
    const IFF_UP: u32 = 1;
    let flags = fs::read_to_string(Path::new("/sys/class/net").join(name).join("flags")).ok()?;
    let flags = u32::from_str_radix(flags.trim().strip_prefix("0x")?, 16).ok()?;
    Some(flags & IFF_UP != 0)
}
