//! One interface of a live source: opened, read, and opened again when it was away.
//!
//! With several threads each has a socket of its own on every interface, and those of one interface share its packets
//! (`fanout.rs`). What is true of the interface and not of the socket is then said, and counted, by the first of them.

use std::fs;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use pcap::{Active, Capture, Linktype};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::fanout::{Group, Membership};
use super::live::{Filter, Opening, SLACK, said};
use super::{Received, Receiver};
use crate::error::{Error, InterfaceFault};
use crate::packet::{Interface, InterfaceId, Interfaces, LinkType, Origin, Packet};
use crate::time::Timestamp;

/// The most packets taken from one interface before the next one has its turn.
const TURN: usize = 4096;
/// The first and the longest time between two attempts to open an interface again.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// What the firewall logs: `nflog`, or `nflog:5` for a group.
const LOG: &str = "nflog";
/// The kernel sends that in messages of many packets, and libpcap has room for a message of the snap length: what does
/// not fit is lost without a word. Messages are no longer than this; the rule may say how much of a packet goes into
/// it.
const LOG_SNAP_LENGTH: i32 = 0xffff;

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
    /// The other sockets on this interface, if there are any.
    group: Option<Arc<Group>>,
    /// Whether this is the first of them.
    is_first: bool,
}

enum State {
    Open(Socket),
    Down { since: Instant, retry_at: Instant, delay: Duration },
}

/// An open socket.
struct Socket {
    capture: Capture<Active>,
    /// What came before it was in the group, where the others have got that, too. `None` once that is past.
    before_group: Option<Before>,
    /// Left after the capture is closed: fields are dropped in order.
    _membership: Option<Membership>,
}

/// How much of what an interface had was taken.
pub(super) enum Taken {
    /// All that was there.
    All,
    /// As much as one turn allows.
    Some,
}

/// What a socket is not to hand over.
#[derive(Debug, Clone, Copy)]
struct Before {
    /// Packets from before this time.
    time: Timestamp,
    /// There are none any more after this moment, whatever the clock that stamps packets was set to meanwhile.
    until: Instant,
}

impl Lane {
    /// Opens an interface for the first time.
    ///
    /// # Errors
    ///
    /// See [`super::Live::open`].
    pub(super) fn open(name: &str, opening: &Opening, interfaces: &Interfaces) -> Result<Self, Error> {
        Self::start(name, opening, None, |link| {
            interfaces.add(Interface { origin: Origin::Interface(name.into()), link })
        })
    }

    /// The same for the first of several sockets, which share what passes.
    pub(super) fn open_first(name: &str, opening: &Opening, interfaces: &Interfaces) -> Result<Self, Error> {
        Self::start(name, opening, Some(Arc::default()), |link| {
            interfaces.add(Interface { origin: Origin::Interface(name.into()), link })
        })
    }

    /// Opens a further socket on the interface of this one.
    pub(super) fn open_beside(&self, opening: &Opening) -> Result<Self, Error> {
        let lane = Self::start(&self.name, opening, self.group.clone(), |_| self.id)?;
        Ok(Self { is_first: false, ..lane })
    }

    fn start(
        name: &str,
        opening: &Opening,
        group: Option<Arc<Group>>,
        id: impl FnOnce(LinkType) -> InterfaceId,
    ) -> Result<Self, Error> {
        let (socket, link) = open(name, opening, group.as_ref())?;
        Ok(Self {
            name: name.to_owned(),
            id: id(link),
            link,
            state: State::Open(socket),
            down_since: None,
            received: Received::default(),
            stats: None,
            group,
            is_first: true,
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

    /// What becomes readable when there are packets, while it is open.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.state {
            State::Open(socket) => Some(socket.capture.as_fd()),
            State::Down { .. } => None,
        }
    }

    /// When it is to be tried again, while it is away.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        match self.state {
            State::Open(_) => None,
            State::Down { retry_at, .. } => Some(retry_at),
        }
    }

    /// Hands over what is there, as far as one turn allows.
    pub(super) fn take(&mut self, receiver: &mut impl Receiver) -> Taken {
        let State::Open(Socket { capture, before_group, .. }) = &mut self.state else { return Taken::All };
        let (id, link) = (self.id, self.link);
        // There libpcap reads from a socket, a message at a time, and takes it for an error when there is none.
        let is_socket = link == LinkType::NFLOG;
        if is_socket && !is_readable(capture) {
            return Taken::All;
        }
        let taken = capture.dispatch(Some(TURN), |packet| {
            let time = &packet.header.ts;
            let time = Timestamp::new(time.tv_sec, time.tv_usec.saturating_mul(1000));
            if let Some(before) = *before_group {
                if time < before.time {
                    return;
                }
                *before_group = None;
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
            Ok(_) => Taken::All,
            Err(error) => {
                self.lose(&error);
                Taken::All
            }
        }
    }

    fn lose(&mut self, error: &pcap::Error) {
        self.ask();
        if self.is_first {
            log::warn!("interface {:?} went away: {}; trying to open it again", self.name, said(error));
        }
        self.stats = None;
        let now = Instant::now();
        let since = self.down_since.take().unwrap_or(now);
        self.state = State::Down { since, retry_at: now + BACK_OFF.0, delay: BACK_OFF.0 };
    }

    /// Tries to open it again where that is due, and says whether it is back.
    pub(super) fn reopen(&mut self, opening: &Opening, interfaces: &Interfaces) -> bool {
        let State::Down { since, retry_at, delay } = self.state else { return false };
        let now = Instant::now();
        if now < retry_at {
            return false;
        }
        match open(&self.name, opening, self.group.as_ref()) {
            Ok((socket, link)) => {
                self.say_back(since);
                let origin = Origin::Interface(self.name.as_str().into());
                interfaces.set(self.id, Interface { origin, link });
                self.link = link;
                self.state = State::Open(socket);
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

    /// Has the kernel pass what this filter says from now on.
    pub(super) fn refilter(&mut self, filter: &Filter) {
        let State::Open(socket) = &mut self.state else { return };
        if let Err(error) = set_filter(&mut socket.capture, &self.name, self.link, filter) {
            log::warn!("{error}; its old filter stays");
        }
    }

    /// Looks whether it is up while it is open, and says when that has changed.
    pub(super) fn look(&mut self) {
        let State::Open(_) = self.state else { return };
        match (self.down_since, is_up(&self.name)) {
            (None, Some(false)) => {
                if self.is_first {
                    log::warn!("interface {:?} is down; it is counted on when it is up again", self.name);
                }
                self.down_since = Some(Instant::now());
            }
            (Some(since), Some(true)) => {
                self.say_back(since);
                self.down_since = None;
            }
            _ => {}
        }
    }

    fn say_back(&self, since: Instant) {
        if self.is_first {
            log::warn!("interface {:?} is back after {:.1} s", self.name, since.elapsed().as_secs_f64());
        }
    }

    /// Asks what was received and lost. The counters are of 32 bits and wrap.
    pub(super) fn ask(&mut self) {
        let State::Open(socket) = &mut self.state else { return };
        socket.before_group = socket.before_group.filter(|before| Instant::now() < before.until);
        let Ok(stats) = socket.capture.stats() else { return };
        let last = self.stats.replace(stats);
        let grown = |value: fn(&pcap::Stat) -> u32| {
            u64::from(value(&stats).wrapping_sub(last.as_ref().map_or(0, value)))
        };
        self.received.packets += grown(|stats| stats.received);
        self.received.kernel_drops += grown(|stats| stats.dropped);
        // The interface's own counter: each socket is told the same.
        if self.is_first {
            self.received.interface_drops += grown(|stats| stats.if_dropped);
        }
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

/// The time that packets are stamped with.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::default().after(since)
}

fn open(name: &str, opening: &Opening, group: Option<&Arc<Group>>) -> Result<(Socket, LinkType), Error> {
    let fail = |cause| Error::Interface { name: name.to_owned(), cause };
    let libpcap = |error: pcap::Error| fail(InterfaceFault::from_text(&said(&error)));
    let timeout = i32::try_from(opening.read_timeout.as_millis()).unwrap_or(i32::MAX);
    let mut capture = Capture::from_device(name)
        .map_err(libpcap)?
        .snaplen(opening.snap_length.max(if name.starts_with(LOG) { LOG_SNAP_LENGTH } else { 0 }))
        .buffer_size(opening.buffer)
        .timeout(timeout)
        // libpcap warns that `any` cannot be promiscuous, which the crate takes for an error.
        .promisc(opening.promisc && name != "any")
        .open()
        .map_err(libpcap)?;
    // The second version of Linux's cooked header tells the interface, the first one does not.
    let cooked2 = Linktype(i32::from(LinkType::LINUX_SLL2.0));
    if capture.get_datalink() == Linktype::LINUX_SLL
        && capture.list_datalinks().is_ok_and(|links| links.contains(&cooked2))
    {
        capture.set_datalink(cooked2).map_err(libpcap)?;
    }
    let link = LinkType(u16::try_from(capture.get_datalink().0).unwrap_or(u16::MAX));
    if !link.is_supported() {
        return Err(fail(InterfaceFault::LinkType(link)));
    }
    // While libpcap sets a filter nothing gets through: in the group that would be lost, before it the others have it.
    set_filter(&mut capture, name, link, &opening.filter)?;
    // Until it is in the group it gets what the others get, too. What passes in the microseconds in which it joins
    // comes twice: a SYN over IPv4 is seen for a copy by its identification, and one over IPv6 counts twice.
    let membership = match group {
        Some(group) => {
            let joined = group.join(&capture, now);
            Some(joined.map_err(|error| fail(InterfaceFault::Fanout(error.into())))?)
        }
        None => None,
    };
    let before_group = membership
        .as_ref()
        .and_then(Membership::alone_until)
        .map(|time| Before { time, until: Instant::now() + opening.read_timeout + SLACK });
    let capture = capture.setnonblock().map_err(libpcap)?;
    Ok((Socket { capture, before_group, _membership: membership }, link))
}

/// Has the kernel pass what the filter says for this link type.
fn set_filter(
    capture: &mut Capture<Active>,
    name: &str,
    link: LinkType,
    filter: &Filter,
) -> Result<(), Error> {
    if let Some(text) = filter.text(link)? {
        log::debug!("filter on {name:?}: {text}");
        capture.filter(&text, true).map_err(|error| Error::Interface {
            name: name.to_owned(),
            cause: InterfaceFault::from_text(&said(&error)),
        })?;
    }
    Ok(())
}
