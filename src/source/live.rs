//! Packets from interfaces, as they pass.
//!
//! One thread serves all interfaces: it waits until one of them has packets, then takes what each has. An interface
//! that goes away (a PPPoE link does) is reported, and opened again with back-off until it returns; the others go on
//! meanwhile. One that is taken down stays open, since the kernel goes on with it by itself when it is up again; that
//! is reported too. Whether interfaces are up, and what they and the kernel lost, is asked for once a second.

use std::fs;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use pcap::{Active, Capture, Device, Linktype};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::address_watch::AddressWatch;
use super::wall_clock::WallClock;
use super::{Received, Receiver, Source, Step};
use crate::error::{Error, FilterError, InterfaceFault};
use crate::packet::{Interface, InterfaceId, Interfaces, LinkType, Origin, Packet};
use crate::source::filter::kernel_filter;
use crate::time::Timestamp;

/// The most packets taken from one interface before the next one has its turn.
const TURN: usize = 4096;
/// How long a read waits at most, so that a stop is noticed.
const PATIENCE: Duration = Duration::from_millis(100);
/// How often kernel and interfaces are asked what they lost, and whether they are up.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// The first and the longest time between two attempts to open an interface again.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// How much later than the read time-out the kernel may hand a packet over: its timers are coarse.
const SLACK: Duration = Duration::from_millis(20);

/// What the firewall logs: `nflog`, or `nflog:5` for a group.
const LOG: &str = "nflog";
/// The kernel sends that in messages of many packets, and libpcap has room for a message of the snap length: what does
/// not fit is lost without a word. Messages are no longer than this; the rule may say how much of a packet goes into it.
const LOG_SNAP_LENGTH: i32 = 0xffff;

/// How interfaces are opened.
#[derive(Debug, Clone)]
pub struct Opening {
    /// How many bytes of each packet are captured.
    pub snap_length: i32,
    /// The kernel's buffer for each interface, in bytes.
    pub buffer: i32,
    /// Whether packets addressed to other hosts are seen.
    pub promisc: bool,
    /// How long the kernel may hold packets back.
    pub read_timeout: Duration,
    /// What the kernel passes, for a link type.
    pub filter: Filter,
}

/// What the kernel passes: what decode counts, narrowed by the user's expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The watched ports; none are any.
    pub ports: Vec<std::ops::RangeInclusive<u16>>,
    /// Whether tunnels pass.
    pub tunnels: bool,
    /// The user's expression.
    pub expression: Option<String>,
}

impl Filter {
    /// Its text for a link type; `None` where that cannot be filtered.
    ///
    /// # Errors
    ///
    /// When the user's expression does not compile.
    pub fn text(&self, link: LinkType) -> Result<Option<String>, FilterError> {
        kernel_filter(link, &self.ports, self.tunnels, self.expression.as_deref())
    }
}

/// Live interfaces.
pub struct Live {
    lanes: Vec<Lane>,
    opening: Opening,
    interfaces: Interfaces,
    stop: Arc<AtomicBool>,
    /// Whether an interface had more packets than its turn allowed: there is no need to wait.
    more: bool,
    asked_at: Instant,
    /// Whether they have been asked since [`Source::is_beat`] was.
    beat: bool,
    clock: WallClock,
    /// Whether the own addresses have to be looked up again, and who tells of it.
    own_changed: bool,
    address_watch: Option<AddressWatch>,
}

/// One interface.
struct Lane {
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
}

enum State {
    Open(Capture<Active>),
    Down { since: Instant, retry_at: Instant, delay: Duration },
}

impl Live {
    /// Opens all interfaces.
    ///
    /// # Errors
    ///
    /// When one of them cannot be opened: it does not exist, it is down, the right to capture is missing, its link
    /// type is not known, or the filter expression does not compile for it.
    pub fn open(
        names: &[String],
        opening: Opening,
        interfaces: &Interfaces,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, Error> {
        let mut lanes = Vec::new();
        for name in names {
            let (capture, link) = open(name, &opening)?;
            let origin = Origin::Interface(name.as_str().into());
            let id = interfaces.add(Interface { origin, link });
            let state = State::Open(capture);
            lanes.push(Lane {
                name: name.clone(),
                id,
                link,
                state,
                down_since: None,
                received: Received::default(),
                stats: None,
            });
        }
        Ok(Self {
            lanes,
            opening,
            interfaces: interfaces.clone(),
            stop,
            more: false,
            asked_at: Instant::now(),
            beat: false,
            clock: WallClock::new(now(), Instant::now()),
            own_changed: true,
            address_watch: AddressWatch::open(),
        })
    }

    /// Takes what came before the stop: the kernel may hold it back for as long as the read time-out.
    fn take_rest(&mut self, receiver: &mut impl Receiver) {
        let until = Instant::now() + self.opening.read_timeout + SLACK;
        loop {
            let rest = until.saturating_duration_since(Instant::now());
            self.wait(rest.min(PATIENCE));
            for lane in &mut self.lanes {
                lane.take(receiver);
            }
            if rest.is_zero() {
                break;
            }
        }
    }

    /// How long to wait for packets: until an interface that is down is to be tried again.
    fn patience(&self) -> Duration {
        self.lanes.iter().fold(PATIENCE, |patience, lane| match lane.state {
            State::Open(_) => patience,
            State::Down { retry_at, .. } => patience.min(retry_at.saturating_duration_since(Instant::now())),
        })
    }

    /// Waits until an interface has packets, or addresses have changed.
    fn wait(&self, patience: Duration) {
        let mut ready: Vec<_> = self
            .lanes
            .iter()
            .filter_map(|lane| match &lane.state {
                State::Open(capture) => Some(PollFd::from_borrowed_fd(capture.as_fd(), PollFlags::IN)),
                State::Down { .. } => None,
            })
            .chain(
                self.address_watch.iter().map(|watch| PollFd::from_borrowed_fd(watch.as_fd(), PollFlags::IN)),
            )
            .collect();
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(patience.subsec_nanos()) };
        // An interrupted wait is a short one.
        let _ = poll(&mut ready, Some(&timeout));
    }

    fn reopen(&mut self) {
        for lane in &mut self.lanes {
            let State::Down { since, retry_at, delay } = lane.state else { continue };
            let now = Instant::now();
            if now < retry_at {
                continue;
            }
            match open(&lane.name, &self.opening) {
                Ok((capture, link)) => {
                    lane.say_back(since);
                    let origin = Origin::Interface(lane.name.as_str().into());
                    self.interfaces.set(lane.id, Interface { origin, link });
                    lane.link = link;
                    lane.state = State::Open(capture);
                    self.own_changed = true;
                }
                Err(error) => {
                    log::debug!("{error}");
                    let delay = (delay * 2).min(BACK_OFF.1);
                    lane.state = State::Down { since, retry_at: now + delay, delay };
                }
            }
        }
    }
}

impl Source for Live {
    /// Packets that were captured before are not lost. libpcap lets nothing pass for some microseconds while it exchanges
    /// the filter.
    fn refilter(&mut self, filter: Filter) {
        self.opening.filter = filter;
        for lane in &mut self.lanes {
            let State::Open(capture) = &mut lane.state else { continue };
            if let Err(error) = set_filter(capture, &lane.name, lane.link, &self.opening.filter) {
                log::warn!("{error}; its old filter stays");
            }
        }
    }

    fn read(&mut self, receiver: &mut impl Receiver) -> Step {
        if self.stop.load(Ordering::Relaxed) {
            self.take_rest(receiver);
            self.lanes.iter_mut().for_each(Lane::ask);
            return Step::End;
        }
        self.reopen();
        if !self.more {
            self.wait(self.patience());
        }
        if self.address_watch.as_ref().is_some_and(AddressWatch::take_changed) {
            // Packets from a new address must not be taken before it is known.
            self.own_changed = true;
            return Step::More;
        }
        // Whatever came before this has been handed over once an interface has no more.
        let (now, late) = (now(), self.opening.read_timeout + SLACK);
        let horizon = now.before(late);
        self.more = false;
        for lane in &mut self.lanes {
            match lane.take(receiver) {
                Taken::All => receiver.idle(lane.id, horizon),
                Taken::Some => self.more = true,
            }
        }
        // By then, what was captured before it was set has been handed over.
        if !self.more && self.clock.was_set_back(now, Instant::now(), late) {
            self.lanes.iter().for_each(|lane| receiver.set_back(lane.id, horizon));
        }
        if self.asked_at.elapsed() >= ASK_EVERY {
            self.asked_at = Instant::now();
            self.beat = true;
            for lane in &mut self.lanes {
                lane.ask();
                lane.look();
            }
        }
        Step::More
    }

    /// None: an interface that is away comes back, or the run goes on without it.
    fn failures(&self) -> u64 {
        0
    }

    fn is_beat(&mut self) -> bool {
        std::mem::take(&mut self.beat)
    }

    fn received(&self) -> Received {
        self.lanes.iter().map(|lane| lane.received).fold(Received::default(), sum)
    }

    fn received_by_interface(&self) -> Vec<(InterfaceId, Received)> {
        self.lanes.iter().map(|lane| (lane.id, lane.received)).collect()
    }

    fn own_addresses(&mut self) -> Option<Vec<IpAddr>> {
        if !std::mem::take(&mut self.own_changed) {
            return None;
        }
        let is_ours =
            |device: &Device| self.lanes.iter().any(|lane| lane.name == "any" || lane.name == device.name);
        let devices = Device::list().unwrap_or_default();
        Some(devices.iter().filter(|d| is_ours(d)).flat_map(|d| d.addresses.iter().map(|a| a.addr)).collect())
    }
}

/// How much of what an interface had was taken.
enum Taken {
    /// All that was there.
    All,
    /// As much as one turn allows.
    Some,
}

impl Lane {
    fn take(&mut self, receiver: &mut impl Receiver) -> Taken {
        let State::Open(capture) = &mut self.state else { return Taken::All };
        let (id, link) = (self.id, self.link);
        // There libpcap reads from a socket, a message at a time, and takes it for an error when there is none.
        let is_socket = link == LinkType::NFLOG;
        if is_socket && !is_readable(capture) {
            return Taken::All;
        }
        let taken = capture.dispatch(Some(TURN), |packet| {
            let time = &packet.header.ts;
            receiver.packet(&Packet {
                time: Timestamp::new(time.tv_sec, time.tv_usec.saturating_mul(1000)),
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
        log::warn!("interface {:?} went away: {}; trying to open it again", self.name, said(error));
        self.stats = None;
        let now = Instant::now();
        let since = self.down_since.take().unwrap_or(now);
        self.state = State::Down { since, retry_at: now + BACK_OFF.0, delay: BACK_OFF.0 };
    }

    /// Looks whether it is up while it is open, and says when that has changed.
    fn look(&mut self) {
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
    }

    fn say_back(&self, since: Instant) {
        log::warn!("interface {:?} is back after {:.1} s", self.name, since.elapsed().as_secs_f64());
    }

    /// Asks what was received and lost. The counters are of 32 bits and wrap.
    fn ask(&mut self) {
        let State::Open(capture) = &mut self.state else { return };
        let Ok(stats) = capture.stats() else { return };
        let last = self.stats.replace(stats);
        let grown = |value: fn(&pcap::Stat) -> u32| {
            u64::from(value(&stats).wrapping_sub(last.as_ref().map_or(0, value)))
        };
        self.received.packets += grown(|stats| stats.received);
        self.received.kernel_drops += grown(|stats| stats.dropped);
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

fn sum(a: Received, b: Received) -> Received {
    Received {
        packets: a.packets + b.packets,
        kernel_drops: a.kernel_drops + b.kernel_drops,
        interface_drops: a.interface_drops + b.interface_drops,
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::default().after(since)
}

fn open(name: &str, opening: &Opening) -> Result<(Capture<Active>, LinkType), Error> {
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
    set_filter(&mut capture, name, link, &opening.filter)?;
    Ok((capture.setnonblock().map_err(libpcap)?, link))
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

/// The interfaces that can be opened, a line each: name, state, addresses, description.
///
/// # Errors
///
/// When libpcap cannot list them.
pub fn list_interfaces() -> Result<String, Error> {
    let devices = Device::list().map_err(|error| Error::List(said(&error)))?;
    let mut list = String::new();
    for Device { name, desc, addresses, flags } in devices {
        // Their link types carry no IP that could be counted.
        if ["bluetooth", "dbus", "nfqueue", "usbmon"].iter().any(|kind| name.starts_with(kind)) {
            continue;
        }
        let is_network = name != "any" && std::path::Path::new("/sys/class/net").join(&name).exists();
        let state = match (is_network, flags.is_up(), flags.is_running()) {
            (false, ..) => "-",
            (true, true, true) => "up",
            (true, true, false) => "up, no link",
            (true, false, _) => "down",
        };
        let addresses: Vec<_> = addresses.iter().map(|address| address.addr.to_string()).collect();
        let line = format!("{name}\t{state}\t{}\t{}", addresses.join(" "), desc.unwrap_or_default());
        list.push_str(line.trim_end());
        list.push('\n');
    }
    Ok(list)
}

/// What libpcap says, without the crate's prefix.
fn said(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(text) => text.replace('\n', " "),
        other => other.to_string(),
    }
}
