//! Traffic that the benches measure with: the same packets each time, on every machine.
//!
//! No clock and no system randomness: a kind of traffic is a function of its name. `mix` is what a gateway sees on an
//! ordinary day; `few`, `many`, `spoof` and `slow` are floods. What each of them leads to is known, see [`Kind::leads_to`], so
//! that a bench can tell a fast program from one that has stopped to look.

pub mod file;
pub mod floods;
pub mod frames;
pub mod memory;
pub mod mix;
pub mod random;

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use clap::ValueEnum;

use floods::{Few, Many, Spoof};
use mix::Mix;

/// A kind of traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// An ordinary day: nobody is over a limit.
    Mix,
    /// A thousand sources, at first below all limits, then far above.
    Few,
    /// 30,000 sources, many of them a little above a limit.
    Many,
    /// 100,000 SYNs a second from forged sources, and ten true attackers of 100 a second each.
    Spoof,
    /// The same with one true attacker, of 5 a second.
    Slow,
}

/// What the program has to report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leads {
    /// Just these sources, and whatever networks and destinations.
    ToSources(BTreeSet<IpAddr>),
    /// So many episodes. They begin faster than lines are written.
    ToEpisodes(u64),
    /// So many, or more.
    ToAtLeast(u64),
    /// Nothing can be said: the capture is too short.
    Nowhere,
}

/// Packets, one after the other.
pub trait Traffic {
    /// Writes the next packet's frame of Ethernet, and gives its time in microseconds since the first.
    fn next(&mut self, frame: &mut Vec<u8>) -> u64;
}

impl Kind {
    pub const ALL: [Self; 5] = [Self::Mix, Self::Few, Self::Many, Self::Spoof, Self::Slow];

    pub fn name(self) -> &'static str {
        match self {
            Self::Mix => "mix",
            Self::Few => "few",
            Self::Many => "many",
            Self::Spoof => "spoof",
            Self::Slow => "slow",
        }
    }

    /// Its traffic, of which so many packets are wanted.
    pub fn traffic(self, packets: u64) -> Box<dyn Traffic> {
        match self {
            Self::Mix => Box::new(Mix::new()),
            Self::Few => Box::new(Few::new(packets)),
            Self::Many => Box::new(Many::new()),
            Self::Spoof => Box::new(Spoof::ten()),
            Self::Slow => Box::new(Spoof::one()),
        }
    }

    /// What the program has to report of so many packets, with its default limits.
    pub fn leads_to(self, packets: u64) -> Leads {
        let sources = |sources: &[IpAddr]| Leads::ToSources(sources.iter().copied().collect());
        match self {
            Self::Mix => sources(&[]),
            Self::Few if packets >= floods::FEW_ENOUGH => Leads::ToEpisodes(floods::FEW_EPISODES),
            Self::Many if packets >= floods::MANY_ENOUGH => Leads::ToAtLeast(floods::MANY_EPISODES),
            Self::Spoof if packets >= floods::SPOOF_ENOUGH => sources(&floods::TEN),
            Self::Slow if packets >= floods::SLOW_ENOUGH => sources(&floods::ONE),
            Self::Few | Self::Many | Self::Spoof | Self::Slow => Leads::Nowhere,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
