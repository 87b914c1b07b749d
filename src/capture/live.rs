//! Captures packets from live interfaces.
//!
//! One thread serves all interfaces. It waits until one of them has packets, then takes the packets of each.
//! Interfaces with the kernel's directions share one handle, so that their packets come in the kernel's order
//! (`joint.rs`). An interface that goes away (as a PPPoE link does) is reported, and reopened with back-off
//! until it returns. The others continue meanwhile. An interface that is taken down stays open, because the
//! kernel continues by itself when it is up again; that is reported too. Once a second, the thread checks
//! whether interfaces are up, and how many packets they and the kernel lost.

use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pcap::Device;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use smallvec::SmallVec;

use super::address_watch::AddressWatch;
use super::joint::Joint;
use super::lane::Lane;
use super::socket::{Taken, now};
use super::wall_clock::WallClock;
use super::{Received, Receiver, Source, Step};
use crate::capture::filter::kernel_filter;
use crate::error::{Error, FilterError};
use crate::wire::packet::{InterfaceId, Interfaces, LinkType};

/// Maximum wait of a read, so that it notices a stop.
const PATIENCE: Duration = Duration::from_millis(100);
/// Interval between queries of losses, and between checks whether interfaces are up.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Maximum delay of the kernel beyond the read time-out, because its timers are coarse.
const SLACK: Duration = Duration::from_millis(20);

/// Options for opening interfaces.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Captured bytes of each packet.
    pub snap_length: i32,
    /// The kernel's buffer for each interface, in bytes.
    pub buffer: i32,
    /// Whether to capture packets for other hosts.
    pub promisc: bool,
    /// Maximum time for which the kernel may hold packets back.
    pub read_timeout: Duration,
    /// The kernel's filter.
    pub filter: Filter,
}

/// The kernel's filter: the packets that the decoder counts, restricted by the user's expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The watched ports; an empty list means any.
    pub ports: Vec<std::ops::RangeInclusive<u16>>,
    /// The UDP ports of tunnels, if tunnels pass.
    pub tunnels: Option<Vec<u16>>,
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
        kernel_filter(link, &self.ports, self.tunnels.as_deref(), self.expression.as_deref())
    }
}

/// Live interfaces.
pub struct Live {
    lanes: Vec<Lane>,
    joint: Joint,
    opening: Opening,
    interfaces: Interfaces,
    stop: Arc<AtomicBool>,
    /// Whether an interface had more packets than its turn allowed: there is no need to wait.
    more: bool,
    asked_at: Instant,
    /// Whether the counters were queried since the last call of [`Source::is_heartbeat`].
    heartbeat: bool,
    clock: WallClock,
    /// Whether this host's own addresses must be looked up again, and the socket that reports changes.
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
        let mut lanes = lanes.collect::<Result<Vec<_>, _>>()?;
        let mut joint = Joint::default();
        joint.adapt(&mut lanes, &opening)?;
        Ok(Self::new(lanes, joint, opening, interfaces, stop))
    }

    fn new(
        lanes: Vec<Lane>,
        joint: Joint,
        opening: Opening,
        interfaces: &Interfaces,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self {
            lanes,
            joint,
            opening,
            interfaces: interfaces.clone(),
            stop,
            more: false,
            asked_at: Instant::now(),
            heartbeat: false,
            clock: WallClock::new(now(), Instant::now()),
            own_changed: true,
            address_watch: AddressWatch::open(),
        }
    }

    /// Lag of the time that it states for an interface without packets: the kernel may still hold some back.
    fn lag(&self) -> Duration {
        self.opening.read_timeout + SLACK
    }

    /// Takes the packets from before the stop: the kernel may hold them back for as long as the read
    /// time-out.
    fn take_rest(&mut self, receiver: &mut impl Receiver) {
        let until = Instant::now() + self.lag();
        loop {
            let rest = until.saturating_duration_since(Instant::now());
            self.wait(rest.min(self.patience()));
            self.lanes.iter_mut().for_each(|lane| lane.change_over(&self.interfaces));
            self.joint.take(&mut self.lanes, receiver);
            for lane in &mut self.lanes {
                lane.take(receiver);
            }
            if rest.is_zero() {
                break;
            }
        }
    }

    /// If the shared handle could not be opened or filtered, its interfaces have to be reopened.
    fn lose_joint(&mut self, changed: Result<(), Error>) {
        let Err(error) = changed else { return };
        let of_joint = self.lanes.iter_mut().filter(|lane| lane.joint_index().is_some());
        of_joint.for_each(|lane| {
            lane.lose(&error.to_string());
            lane.put_off();
        });
    }

    /// Queries the received and lost packets.
    fn ask(&mut self) {
        self.joint.ask(&mut self.lanes);
        self.lanes.iter_mut().for_each(Lane::ask);
    }

    /// Maximum wait for packets: until the next attempt to reopen an interface.
    fn patience(&self) -> Duration {
        self.lanes.iter().filter_map(Lane::retry_at).fold(PATIENCE, |patience, retry_at| {
            patience.min(retry_at.saturating_duration_since(Instant::now()))
        })
    }

    /// Waits until an interface has packets, or addresses have changed. Returns whether they may have
    /// changed.
    fn wait(&self, patience: Duration) -> bool {
        let watches = self.address_watch.iter().map(AsFd::as_fd);
        // There are rarely more descriptors than this.
        let mut ready: SmallVec<[_; 8]> = self
            .lanes
            .iter()
            .filter_map(Lane::fd)
            .chain(self.joint.fd())
            .chain(watches)
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(patience.subsec_nanos()) };
        // An interrupted wait is merely shorter.
        let _ = poll(&mut ready, Some(&timeout));
        self.address_watch.is_some() && ready.last().is_some_and(|watch| !watch.revents().is_empty())
    }
}

impl Source for Live {
    /// Packets that were captured before are not lost. libpcap passes nothing for some microseconds while it
    /// exchanges the filter.
    fn refilter(&mut self, filter: Filter) {
        self.opening.filter = filter;
        self.lanes.iter_mut().for_each(|lane| lane.refilter(&self.opening));
        // Interfaces that are reopened in another way leave the handle with the next read.
        if self.opening.filter.text(LinkType::LINUX_SLL2).is_ok() {
            let changed = self.joint.refilter(&self.lanes, &self.opening);
            self.lose_joint(changed);
        }
    }

    fn read(&mut self, receiver: &mut impl Receiver) -> Step {
        if self.stop.load(Ordering::Relaxed) {
            self.take_rest(receiver);
            self.ask();
            return Step::End;
        }
        for lane in &mut self.lanes {
            self.own_changed |= lane.reopen(&self.opening, &self.interfaces);
        }
        let adapted = self.joint.adapt(&mut self.lanes, &self.opening);
        self.lose_joint(adapted);
        let lag = self.lag();
        self.lanes.iter_mut().for_each(|lane| {
            lane.cut(lag);
            lane.change_over(&self.interfaces);
            lane.say_it_is_back();
        });
        let is_told = self.more || self.wait(self.patience());
        if is_told && self.address_watch.as_ref().is_some_and(AddressWatch::take_changed) {
            // Packets from a new address must not be taken before the address is known.
            self.own_changed = true;
            self.lanes.iter_mut().for_each(Lane::look_for);
            return Step::More;
        }
        // Once an interface has no more packets, everything before this time has been delivered.
        let now = now();
        let horizon = now.before(self.lag());
        self.more = false;
        let of_joint = self.joint.take(&mut self.lanes, receiver);
        for lane in &mut self.lanes {
            let is_joint = lane.joint_index().is_some();
            match lane.take(receiver) {
                Taken::All if !is_joint || of_joint == Taken::All => receiver.idle(lane.id(), horizon),
                _ => self.more = true,
            }
            lane.check_mirror(&self.opening);
        }
        // By then, all packets from before the change of the clock have been delivered.
        if !self.more && self.clock.was_set_back(now, Instant::now(), self.lag()) {
            self.lanes.iter().for_each(|lane| receiver.set_back(lane.id(), horizon));
        }
        if self.asked_at.elapsed() >= ASK_EVERY {
            self.asked_at = Instant::now();
            self.heartbeat = true;
            self.ask();
            self.lanes.iter_mut().for_each(|lane| lane.look(&self.opening));
        }
        Step::More
    }

    /// Always 0: an interface that is away comes back, or the run continues without it.
    fn failures(&self) -> u64 {
        0
    }

    fn is_heartbeat(&mut self) -> bool {
        std::mem::take(&mut self.heartbeat)
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

/// The interfaces that can be opened, one per line: name, state, addresses, description.
///
/// # Errors
///
/// When libpcap cannot list them.
pub fn list_interfaces() -> Result<String, Error> {
    let devices = Device::list().map_err(|error| Error::List(said(&error)))?;
    let mut list = String::new();
    for Device { name, desc, addresses, flags } in devices {
        // Their link types contain no IP that could count.
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

/// The message of libpcap, without the crate's prefix.
pub(super) fn said(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(text) => text.replace('\n', " "),
        other => other.to_string(),
    }
}
