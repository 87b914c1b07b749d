//! What is reported: an episode at its start, while it lasts, and at its end.

mod logged;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::clock::Ticks;
use crate::outcome::{Mix, Outcome};
use crate::packet::Origin;
use crate::time::Timestamp;
use crate::watch::Limit;

pub use logged::{Before, Logged};

/// One report of an episode. It holds all that a sink may say; a sink adds nothing but form.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// The episode's number: in all of its reports, and in those of no other one of the run.
    pub episode: u64,
    /// The capture time of the event: for a start, of the attempt that met the limit; for an update or an end, when
    /// it was due.
    pub time: Timestamp,
    /// Start, update or end.
    pub state: State,
    /// The watch's name.
    pub watch: Arc<str>,
    /// The signature id: stable for the watch and the kind.
    pub signature: u32,
    /// What the attempts have in common.
    pub kind: Kind,
    /// Whom the attempts are counted for: a host, or a network where the grouping is one. Of a flood of one destination
    /// it is the destination.
    pub source: Source,
    /// What is known of the source, beside what it did.
    pub about: About,
    /// The limit that was met.
    pub limit: Limit,
    /// The attempt that met it.
    pub trigger: Trigger,
    /// Attempts from the first of the window that met the limit until now.
    pub attempts: u64,
    /// Copies of attempts, not counted in `attempts`, since the start.
    pub copies: u64,
    /// Retransmissions of attempts, not counted in `attempts`, since the start.
    pub retransmissions: u64,
    /// The first attempt of the window that met the limit.
    pub first_seen: Timestamp,
    /// The last attempt.
    pub last_seen: Timestamp,
    /// The highest N / (t\[i\] - t\[i-N+1\]) so far, N being that of `limit`, in attempts per second.
    pub peak: f64,
    /// Attempts by destination port, most first.
    pub ports: Ports,
    /// The destinations seen from the start on.
    pub destinations: Addresses,
    /// The hosts seen from the start on, where there can be several.
    pub hosts: Addresses,
    /// How many hosts took part, estimated; `None` where there can be only one. Of networks and destinations those of
    /// the window that met the limit are among them; of a source that is a network only the one that met it.
    pub hosts_estimate: Option<u64>,
    /// Of a network, the sources in it that have an episode of their own: their attempts are not counted here.
    pub within: Within,
    /// What became of the attempts: it sums to `attempts`.
    pub outcomes: Mix,
    /// Bytes from the clients, of the attempts that closed.
    pub sent: u64,
    /// Bytes from the servers, of the attempts that closed.
    pub received: u64,
    /// For how long its source is blocked, if it is.
    pub blocked: Option<Duration>,
    /// Packets and attempts that were lost while the episode lasted, so that its counts are too low.
    pub losses: Losses,
}

impl Alert {
    /// How many connections of an episode must prove their client's address: one may be a lucky guess.
    pub const PROOFS: u64 = 3;

    /// Whether the source is real: so many of its connections have proven that it received the server's answers. The
    /// address may be forged otherwise. Where several sources take part, most of the connections must prove it.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        let proofs = self.outcomes.proofs;
        proofs >= Self::PROOFS && (self.kind == Kind::Source || proofs * 2 > self.attempts)
    }

    /// How bad it is, from 1, the worst, to 3: 3 while the address may be forged; 1 when no fewer connections were
    /// silent, refused or half-open than spoke, 2 otherwise: most spoke, or it does not show yet.
    #[must_use]
    pub fn severity(&self) -> u8 {
        let count = |outcome| self.outcomes.count(outcome);
        let idle = count(Outcome::Silent) + count(Outcome::Refused) + count(Outcome::HalfOpen);
        match () {
            () if !self.is_verified() => 3,
            () if idle > 0 && idle >= count(Outcome::Spoke) => 1,
            () => 2,
        }
    }

    /// From the first attempt to the last.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.last_seen.since(self.first_seen)
    }

    /// Attempts per second from the first to the last; `None` while they are at one and the same time, as far as that
    /// is known: the first one's is rounded down to a tick.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        let duration = self.duration();
        #[expect(clippy::cast_precision_loss, reason = "a rate is shown with one decimal")]
        (duration >= Ticks::span(1)).then(|| self.attempts as f64 / duration.as_secs_f64())
    }
}

/// What the attempts of an episode have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Their source, as the watch groups sources.
    Source,
    /// The network that their source lies in, without the sources that have an episode of their own.
    Network,
    /// Their destination, at this port.
    Destination(u16),
}

impl Kind {
    /// What is added to a watch's signature id for it.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Source => 0,
            Self::Network => 1,
            Self::Destination(_) => 2,
        }
    }

    /// Its name in text and JSON: `source`, `network`, `destination`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Network => "network",
            Self::Destination(_) => "destination",
        }
    }
}

/// Which report of an episode this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The limit was met.
    Start,
    /// It lasts.
    Update,
    /// It is over.
    End(Ended),
}

impl State {
    /// Its name in text and JSON: `start`, `update`, `end`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Update => "update",
            Self::End(_) => "end",
        }
    }
}

/// Why an episode ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The quiet time passed since the last attempt that met a limit.
    Quiet,
    /// The capture's packets ran out, or synwatch was stopped.
    Capture,
    /// The capture's clock stepped back by more than a second.
    Clock,
    /// The configuration was read again, and its watch has changed or is no longer there.
    Reload,
}

impl Ended {
    /// Its name in text and JSON: `quiet`, `capture`, `clock`, `reload`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Capture => "capture",
            Self::Clock => "clock",
            Self::Reload => "reload",
        }
    }
}

/// Whom attempts are counted for: a host, or a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source(pub IpNet);

impl fmt::Display for Source {
    /// A host without a prefix length, a network with it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_network() { self.0.fmt(f) } else { self.0.addr().fmt(f) }
    }
}

impl Source {
    /// Whether it can hold more than one host.
    #[must_use]
    pub fn is_network(&self) -> bool {
        self.0.prefix_len() < self.0.max_prefix_len()
    }
}

/// Who a source is. Each of these may not be known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    /// Its name, as who holds the address has it in the DNS: no proof of anything. It may hold any character.
    pub name: Option<Arc<str>>,
    /// The number of the autonomous system that its address belongs to.
    pub system: Option<u32>,
    /// The organisation that runs that.
    pub organisation: Option<Arc<str>>,
    /// The country, by its two letters (ISO 3166-1).
    pub country: Option<Arc<str>>,
}

/// Sources with an episode of their own: the first few are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Within {
    /// The first ones, in the order in which their episodes began.
    pub kept: Vec<Source>,
    /// How many there are beyond those that are kept.
    pub others: u64,
}

impl Within {
    /// How many are kept.
    pub const KEPT: usize = 16;
}

impl FromIterator<Source> for Within {
    fn from_iter<I: IntoIterator<Item = Source>>(sources: I) -> Self {
        let mut sources = sources.into_iter();
        let kept = sources.by_ref().take(Self::KEPT).collect();
        Self { kept, others: sources.count() as u64 }
    }
}

/// The attempt that met the limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// Its source address.
    pub src: IpAddr,
    /// Its source port.
    pub src_port: u16,
    /// Its destination address.
    pub dst: IpAddr,
    /// Its destination port.
    pub dst_port: u16,
    /// Where it was captured.
    pub origin: Origin,
}

/// Attempts by destination port.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ports {
    /// Port and attempts: most attempts first, then the lower port.
    pub counts: Vec<(u16, u64)>,
    /// Attempts to ports beyond those that are kept.
    pub others: u64,
}

/// Addresses that were seen: the first few are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Addresses {
    /// The first ones, in the order in which they were seen.
    pub kept: Vec<IpAddr>,
    /// Attempts that concern an address beyond those that are kept. 0 means that `kept` is all there is.
    pub others: u64,
}

/// What went missing, so that counts are too low.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Losses {
    /// Packets dropped by the kernel: no room in the capture buffer.
    pub kernel: u64,
    /// Packets dropped by the interface or its driver.
    pub interface: u64,
    /// Crossings dropped because the detector's channel was full.
    pub crossings: u64,
    /// Sources forgotten although they were live, to make room.
    pub evictions: u64,
}

impl Losses {
    /// Whether nothing went missing.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// What went missing since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            kernel: self.kernel.saturating_sub(earlier.kernel),
            interface: self.interface.saturating_sub(earlier.interface),
            crossings: self.crossings.saturating_sub(earlier.crossings),
            evictions: self.evictions.saturating_sub(earlier.evictions),
        }
    }
}
