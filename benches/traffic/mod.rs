//! Traffic that the benches measure with: the same packets each time, on every machine.
//!
//! No clock and no system randomness: a kind of traffic is a function of its name. `mix` is what a gateway sees on an
//! ordinary day; `few`, `spoof` and `slow` are floods. What each of them leads to is known, see [`Kind::leads_to`], so
//! that a bench can tell a fast program from one that has stopped to look.

#![allow(dead_code, reason = "each bench uses a part of it")]

pub(crate) mod file;
pub(crate) mod floods;
pub(crate) mod frames;
pub(crate) mod memory;
pub(crate) mod mix;
pub(crate) mod random;

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use clap::ValueEnum;

use floods::{Few, Spoof};
use mix::Mix;

/// A kind of traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// An ordinary day: nobody is over a limit.
    Mix,
    /// A thousand sources, at first below all limits, then far above.
    Few,
    /// 100,000 SYNs a second from forged sources, and ten true attackers of 100 a second each.
    Spoof,
    /// The same with one true attacker, of 5 a second.
    Slow,
}

/// What the program has to report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Leads {
    /// Just these sources, and whatever networks and destinations.
    ToSources(BTreeSet<IpAddr>),
    /// So many episodes. They begin faster than lines are written.
    ToEpisodes(u64),
    /// Nothing can be said: the capture is too short.
    Nowhere,
}

/// Packets, one after the other.
pub(crate) trait Traffic {
    /// Writes the next packet's frame of Ethernet, and gives its time in microseconds since the first.
    fn next(&mut self, frame: &mut Vec<u8>) -> u64;
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Mix, Self::Few, Self::Spoof, Self::Slow];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mix => "mix",
            Self::Few => "few",
            Self::Spoof => "spoof",
            Self::Slow => "slow",
        }
    }

    /// Its traffic, of which so many packets are wanted.
    pub(crate) fn traffic(self, packets: u64) -> Box<dyn Traffic> {
        match self {
            Self::Mix => Box::new(Mix::new()),
            Self::Few => Box::new(Few::new(packets)),
            Self::Spoof => Box::new(Spoof::ten()),
            Self::Slow => Box::new(Spoof::one()),
        }
    }

    /// What the program has to report of so many packets, with its default limits.
    pub(crate) fn leads_to(self, packets: u64) -> Leads {
        let sources = |sources: &[IpAddr]| Leads::ToSources(sources.iter().copied().collect());
        match self {
            Self::Mix => sources(&[]),
            Self::Few if packets >= floods::FEW_ENOUGH => Leads::ToEpisodes(floods::FEW_EPISODES),
            Self::Spoof if packets >= floods::SPOOF_ENOUGH => sources(&floods::TEN),
            Self::Slow if packets >= floods::SLOW_ENOUGH => sources(&floods::ONE),
            Self::Few | Self::Spoof | Self::Slow => Leads::Nowhere,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
