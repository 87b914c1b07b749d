//! Packets from interfaces, as they pass.
//!
//! One thread serves all interfaces: it waits until one of them has packets, then takes what each has. An interface
//! that goes away (a PPPoE link does) is reported, and opened again with back-off until it returns; the others go on
//! meanwhile. One that is taken down stays open, since the kernel goes on with it by itself when it is up again; that
//! is reported too. Whether interfaces are up, and what they and the kernel lost, is asked for once a second.
//!
//! Several threads each serve all interfaces in that way, by sockets of their own that share what passes.

use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pcap::Device;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use smallvec::SmallVec;

use super::address_watch::AddressWatch;
use super::lane::{Lane, Taken, now};
use super::wall_clock::WallClock;
use super::{Received, Receiver, Source, Step};
use crate::error::{Error, FilterError};
use crate::packet::{InterfaceId, Interfaces, LinkType};
use crate::source::filter::kernel_filter;

/// How long a read waits at most, so that a stop is noticed.
const PATIENCE: Duration = Duration::from_millis(100);
/// How often kernel and interfaces are asked what they lost, and whether they are up.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// How much later than the read time-out the kernel may hand a packet over: its timers are coarse.
pub(super) const SLACK: Duration = Duration::from_millis(20);

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
    /// How long a read waits at most.
    patience: Duration,
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
        let lanes = names.iter().map(|name| Lane::open(name, &opening, interfaces));
        Ok(Self::new(lanes.collect::<Result<_, _>>()?, opening, interfaces, stop))
    }

    /// Opens all interfaces so many times, for as many threads: each packet comes to one of them. The first one is told
    /// of the own addresses, and has all that is not the matter of one socket alone in what it received.
    ///
    /// # Errors
    ///
    /// The same, and when the kernel does not let several sockets share the packets of an interface.
    pub fn open_shared(
        threads: usize,
        names: &[String],
        opening: &Opening,
        interfaces: &Interfaces,
        stop: &Arc<AtomicBool>,
    ) -> Result<Vec<Self>, Error> {
        let first = names.iter().map(|name| Lane::open_first(name, opening, interfaces));
        let first: Vec<_> = first.collect::<Result<_, _>>()?;
        let mut all = Vec::new();
        for _ in 1..threads {
            let beside = first.iter().map(|lane| lane.open_beside(opening));
            let live =
                Self::new(beside.collect::<Result<_, _>>()?, opening.clone(), interfaces, Arc::clone(stop));
            all.push(Self { own_changed: false, address_watch: None, ..live });
        }
        all.insert(0, Self::new(first, opening.clone(), interfaces, Arc::clone(stop)));
        for live in &mut all {
            // Whoever puts their packets in order waits for a word of each.
            live.patience = PATIENCE.min(opening.read_timeout);
        }
        Ok(all)
    }

    fn new(lanes: Vec<Lane>, opening: Opening, interfaces: &Interfaces, stop: Arc<AtomicBool>) -> Self {
        Self {
            lanes,
            opening,
            interfaces: interfaces.clone(),
            stop,
            patience: PATIENCE,
            more: false,
            asked_at: Instant::now(),
            beat: false,
            clock: WallClock::new(now(), Instant::now()),
            own_changed: true,
            address_watch: AddressWatch::open(),
        }
    }

    /// How far behind is what it says of an interface that has no packets: the kernel may still hold some back.
    #[must_use]
    pub fn lag(&self) -> Duration {
        self.opening.read_timeout + SLACK
    }

    /// Takes what came before the stop: the kernel may hold it back for as long as the read time-out.
    fn take_rest(&mut self, receiver: &mut impl Receiver) {
        let until = Instant::now() + self.lag();
        loop {
            let rest = until.saturating_duration_since(Instant::now());
            self.wait(rest.min(self.patience));
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
        self.lanes.iter().filter_map(Lane::retry_at).fold(self.patience, |patience, retry_at| {
            patience.min(retry_at.saturating_duration_since(Instant::now()))
        })
    }

    /// Waits until an interface has packets, or addresses have changed. Says whether they may have.
    fn wait(&self, patience: Duration) -> bool {
        let watches = self.address_watch.iter().map(AsFd::as_fd);
        // Rarely more than these are waited for.
        let mut ready: SmallVec<[_; 8]> = self
            .lanes
            .iter()
            .filter_map(Lane::fd)
            .chain(watches)
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(patience.subsec_nanos()) };
        // An interrupted wait is a short one.
        let _ = poll(&mut ready, Some(&timeout));
        self.address_watch.is_some() && ready.last().is_some_and(|watch| !watch.revents().is_empty())
    }
}

impl Source for Live {
    /// Packets that were captured before are not lost. libpcap lets nothing pass for some microseconds while it
    /// exchanges the filter.
    fn refilter(&mut self, filter: Filter) {
        self.opening.filter = filter;
        self.lanes.iter_mut().for_each(|lane| lane.refilter(&self.opening.filter));
    }

    fn read(&mut self, receiver: &mut impl Receiver) -> Step {
        if self.stop.load(Ordering::Relaxed) {
            self.take_rest(receiver);
            self.lanes.iter_mut().for_each(Lane::ask);
            return Step::End;
        }
        for lane in &mut self.lanes {
            self.own_changed |= lane.reopen(&self.opening, &self.interfaces);
        }
        let is_told = self.more || self.wait(self.patience());
        if is_told && self.address_watch.as_ref().is_some_and(AddressWatch::take_changed) {
            // Packets from a new address must not be taken before it is known.
            self.own_changed = true;
            return Step::More;
        }
        // Whatever came before this has been handed over once an interface has no more.
        let now = now();
        let horizon = now.before(self.lag());
        self.more = false;
        for lane in &mut self.lanes {
            match lane.take(receiver) {
                Taken::All => receiver.idle(lane.id(), horizon),
                Taken::Some => self.more = true,
            }
        }
        // By then, what was captured before it was set has been handed over.
        if !self.more && self.clock.was_set_back(now, Instant::now(), self.lag()) {
            self.lanes.iter().for_each(|lane| receiver.set_back(lane.id(), horizon));
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
        self.lanes.iter().map(Lane::received).fold(Received::default(), Received::plus)
    }

    fn received_by_interface(&self) -> Vec<(InterfaceId, Received)> {
        self.lanes.iter().map(|lane| (lane.id(), lane.received())).collect()
    }

    fn own_addresses(&mut self) -> Option<Vec<IpAddr>> {
        if !std::mem::take(&mut self.own_changed) {
            return None;
        }
        let is_ours = |device: &Device| {
            self.lanes.iter().any(|lane| lane.name() == "any" || lane.name() == device.name)
        };
        let devices = Device::list().unwrap_or_default();
        Some(devices.iter().filter(|d| is_ours(d)).flat_map(|d| d.addresses.iter().map(|a| a.addr)).collect())
    }
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
pub(super) fn said(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(text) => text.replace('\n', " "),
        other => other.to_string(),
    }
}
