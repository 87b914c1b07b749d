//! Alerts: reports of an episode at its start, during it and at its end.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::base::time::Timestamp;
use crate::engine::attempt::Prover;
use crate::engine::clock::Ticks;
use crate::engine::episodes::{Addresses, Ports};
pub use crate::engine::event::Ended;
use crate::engine::fleet::Gateways;
use crate::engine::outcome::{Outcome, OutcomeCounts, Proof};
use crate::engine::rank::Rank;
use crate::engine::stats::Losses;
use crate::engine::subject::{Kind, Source};
use crate::engine::watch::Limit;
use crate::wire::packet::Origin;

/// One report of an episode. It has everything that a sink writes; a sink only formats it.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// The episode's number, which all of its reports share; unique in a run.
    pub episode: u64,
    /// The capture time of the event: of the attempt that met the limit for a start, the due time for an update or an
    /// end.
    pub time: Timestamp,
    /// Start, update or end.
    pub state: State,
    /// The watch's name.
    pub watch: Arc<str>,
    /// The signature id: stable for the watch and the kind.
    pub signature: u32,
    /// The common property of the attempts.
    pub kind: Kind,
    /// The source of the attempts: a host, or a network where the watch groups by networks. For a flood of one
    /// destination it is the destination.
    pub source: Source,
    /// Additional facts about the source.
    pub about: Enrichment,
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
    /// The destinations since the start.
    pub destinations: Addresses,
    /// The hosts since the start, if there can be several.
    pub hosts: Addresses,
    /// Estimated number of hosts; `None` if there can be only one. For networks and destinations it includes those of
    /// the window that met the limit; for a source that is a network, of these only the host that met it.
    pub hosts_estimate: Option<u64>,
    /// For a network, the sources in it with an episode of their own: their attempts are not counted here.
    pub within: Within,
    /// The attempts by outcome; the sum is `attempts`.
    pub outcomes: OutcomeCounts,
    /// Whether, and by which proofs, proven attempts alone have met a limit.
    pub verified: Proof,
    /// The basis of the proofs; `None` without proven attempts.
    pub basis: Option<Basis>,
    /// The hosts whose proven attempts met a limit, if recorded: for networks, and if pairs are blocked.
    pub provers: Arc<[Prover]>,
    /// Bytes from the clients of closed attempts.
    pub sent: u64,
    /// Bytes from the servers of closed attempts.
    pub received: u64,
    /// The duration of the source's block, if it is blocked.
    pub blocked: Option<Duration>,
    /// When that block ends.
    pub block_ends: Option<Timestamp>,
    /// The duration of the block that a dry run would have made.
    pub would_block: Option<Duration>,
    /// Attempts by gateway of the fleet, the most first, where all of them together met a limit.
    pub gateways: Gateways,
    /// Start time of the third newest attempt that a server answered with a SYN-ACK.
    pub answered: Option<Timestamp>,
    /// Packets and attempts lost during the episode, so that its counts are too low.
    pub losses: Losses,
}

impl Alert {
    /// Whether the source is verified: proven attempts alone have met a limit. Otherwise it may be forged.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.verified == Proof::Yes
    }

    /// Whether it is so by what other gateways of the fleet say: this one has too few proven attempts.
    #[must_use]
    pub(crate) fn is_verified_elsewhere(&self) -> bool {
        self.is_verified() && !self.gateways.is_empty() && self.outcomes.proofs < self.limit.attempts.into()
    }

    /// The same as text, with `wire` for proofs by link-layer addresses alone: `yes`, `wire` or `no`.
    #[must_use]
    pub(crate) fn verified_name(&self) -> &'static str {
        match self.verified {
            Proof::Yes => "yes",
            Proof::Wire => "wire",
            Proof::None => "no",
        }
    }

    /// The number of attempts proven by the report's basis or a better one.
    #[must_use]
    pub fn proven(&self) -> u64 {
        let OutcomeCounts { proofs, wire_proofs, .. } = self.outcomes;
        if self.verified == Proof::Yes { proofs } else { proofs + wire_proofs }
    }

    /// Whether it has priority where room is scarce: its source is verified, or at the start of its episode half the
    /// limit's number of attempts are proven. Later on an honest host could have that many.
    #[must_use]
    pub(crate) fn goes_first(&self) -> bool {
        let OutcomeCounts { proofs, wire_proofs, .. } = self.outcomes;
        let rank = Rank::new(self.verified, proofs + wire_proofs, self.attempts, self.limit.attempts);
        match self.state {
            State::Start => rank.is_mostly_proven(),
            State::Update | State::End(_) => self.verified != Proof::None,
        }
    }

    /// The severity from 1, the worst, to 3. It is 3 while the address may be forged; 1 if at least as many connections
    /// were silent, refused or half-open as spoke; otherwise 2, because most spoke or it is not known yet. If hosts on
    /// the same segment could forge it, it is 2.
    #[must_use]
    pub fn severity(&self) -> u8 {
        let count = |outcome| self.outcomes.count(outcome);
        let idle = count(Outcome::Silent) + count(Outcome::Refused) + count(Outcome::HalfOpen);
        match () {
            () if self.verified == Proof::None => 3,
            () if self.verified == Proof::Wire => 2,
            () if idle > 0 && idle >= count(Outcome::Spoke) => 1,
            () => 2,
        }
    }

    /// The time from the first attempt to the last.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.last_seen.since(self.first_seen)
    }

    /// Attempts per second from the first to the last; `None` if both are at the same time. The first one's time is
    /// rounded down to a tick.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        let duration = self.duration();
        #[expect(clippy::cast_precision_loss, reason = "a rate is shown with one decimal")]
        (duration >= Ticks::span(1)).then(|| self.attempts as f64 / duration.as_secs_f64())
    }
}

/// The basis of a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// The direction of packets, as the kernel reports it.
    Kernel,
    /// The contents of a capture.
    Capture,
    /// Link-layer addresses, which any host on the segment can forge.
    Mac,
}

impl Basis {
    /// Its name in JSON: `kernel`, `capture`, `mac`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Capture => "capture",
            Self::Mac => "mac",
        }
    }
}

/// The kind of report within an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The limit was met.
    Start,
    /// The episode continues.
    Update,
    /// The episode has ended.
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

impl Ended {
    /// Its name in text and JSON: `quiet`, `capture`, `clock`, `reload`, `room`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Capture => "capture",
            Self::Clock => "clock",
            Self::Reload => "reload",
            Self::Room => "room",
        }
    }
}

/// Facts about a source. Each may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Enrichment {
    /// The DNS name that the address' holder publishes: it proves nothing, and may contain any character.
    pub name: Option<Arc<str>>,
    /// The number of the autonomous system that announces its address.
    pub system: Option<u32>,
    /// The organisation that runs the autonomous system.
    pub organisation: Option<Arc<str>>,
    /// The country, by its two letters (ISO 3166-1).
    pub country: Option<Arc<str>>,
}

/// Sources with an episode of their own, of which the first few are listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Within {
    /// The first ones, in the order in which their episodes began.
    pub kept: Vec<Source>,
    /// The number of sources that are not listed.
    pub others: u64,
}

impl Within {
    /// Maximum number of listed sources.
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
    /// The place of its capture.
    pub origin: Origin,
}
