//! Who makes how many attempts: of each source, network or destination, the most in any window of a limit.
//!
//! What limits are chosen by. It is for captures alone: unlike the tables it takes memory for each source, up to a
//! budget. Attempts of those for whom there is none left are counted, not forgotten in silence. What is too much is
//! judged in `verdict.rs`.

mod suggestion;
mod verdict;
mod windows;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use ipnet::IpNet;

pub use suggestion::{Subject, Suggestion};
pub use verdict::{Suggested, Top, Verdict};
pub use windows::Most;
use windows::Windows;

use crate::alert::{Kind, Source};
use crate::clock::Ticks;
use crate::watch::Limit;

/// What a census counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Sources.
    Sources,
    /// Their networks.
    Networks,
    /// Where the attempts go.
    Destinations,
}

impl Of {
    /// One of them, as reports call its kind.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Sources => "source",
            Self::Networks => "network",
            Self::Destinations => "destination",
        }
    }

    /// The option that limits them.
    #[must_use]
    pub fn option(self) -> &'static str {
        match self {
            Self::Sources => "-l",
            Self::Networks => "--network-limit",
            Self::Destinations => "--destination-limit",
        }
    }
}

/// A source, a network or a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Party {
    address: IpNet,
    /// A destination has a port.
    port: Option<u16>,
}

impl Party {
    /// What an episode would be of.
    #[must_use]
    pub fn new(kind: Kind, source: Source) -> Self {
        let port = match kind {
            Kind::Source | Kind::Network => None,
            Kind::Destination(port) => Some(port),
        };
        Self { address: source.0, port }
    }

    /// Its network, or host, where it is no destination.
    #[must_use]
    pub fn source(&self) -> Option<IpNet> {
        self.port.is_none().then_some(self.address)
    }
}

impl fmt::Display for Party {
    /// `192.0.2.1`, `2001:db8::/64`, `192.0.2.25:25`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.address.addr(), port).fmt(f),
            None => Source(self.address).fmt(f),
        }
    }
}

/// Memory, in bytes, that several censuses take from.
#[derive(Debug, Clone, Copy)]
pub struct Budget(usize);

impl Budget {
    /// So many bytes.
    #[must_use]
    pub const fn of(bytes: usize) -> Self {
        Self(bytes)
    }

    /// Takes so many bytes, if they are there.
    fn take(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}

/// The most attempts that each of them made in any window of some limits.
#[derive(Debug)]
pub struct Census {
    of: Of,
    limits: Box<[Limit]>,
    /// The limits' windows, in ticks.
    lengths: Box<[u64]>,
    /// In order, so that what is told of them is the same each time.
    parties: BTreeMap<Party, Windows>,
    left_out: u64,
}

impl Census {
    /// One for these limits, which all count the same attempts.
    #[must_use]
    pub fn new(of: Of, limits: Vec<Limit>) -> Self {
        let lengths = limits.iter().map(|limit| Ticks::in_window(limit.window)).collect();
        Self { of, limits: limits.into(), lengths, parties: BTreeMap::new(), left_out: 0 }
    }

    /// Counts an attempt.
    pub fn count(&mut self, party: Party, time: Ticks, budget: &mut Budget) {
        if let Some(windows) = self.parties.get_mut(&party) {
            windows.count(time, &self.lengths, budget);
            return;
        }
        if !budget.take(self.size_of_one()) {
            self.left_out += 1;
            return;
        }
        let mut windows = Windows::new(self.lengths.len());
        windows.count(time, &self.lengths, budget);
        self.parties.insert(party, windows);
    }

    /// Takes this much from all times: the clock's range was used up.
    pub fn move_back(&mut self, ticks: u64) {
        self.parties.values_mut().for_each(|windows| windows.move_back(ticks));
    }

    /// What it counts.
    #[must_use]
    pub fn of(&self) -> Of {
        self.of
    }

    /// Attempts of those for whom there was no memory.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// What is to be said of each of its limits.
    pub fn verdicts(&self) -> impl Iterator<Item = Verdict> + '_ {
        self.limits.iter().enumerate().map(|(place, limit)| {
            let found = self.parties.iter().map(|(party, windows)| (*party, windows.most(place)));
            Verdict::new(self.of, *limit, found.collect())
        })
    }

    /// The bytes that one more takes: a node of the tree is half empty at the worst.
    fn size_of_one(&self) -> usize {
        2 * size_of::<(Party, Windows)>() + Windows::least_size(self.lengths.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(address: &str) -> Party {
        let address: IpNet = address.parse().unwrap();
        Party::new(Kind::Source, Source(address))
    }

    #[test]
    fn parties_are_shown_as_reports_show_them() {
        let network = Party::new(Kind::Network, Source("2001:db8::/48".parse().unwrap()));
        let to = |address: &str| Party::new(Kind::Destination(25), Source(address.parse().unwrap()));
        let all = [party("192.0.2.1/32"), network, to("192.0.2.25/32"), to("2001:db8::25/128")];
        let shown = all.map(|party| party.to_string());
        assert_eq!(shown, ["192.0.2.1", "2001:db8::/48", "192.0.2.25:25", "[2001:db8::25]:25"]);
    }

    #[test]
    fn who_comes_when_the_memory_is_used_up_is_counted_as_left_out() {
        let mut census = Census::new(Of::Sources, vec!["2/1s".parse().unwrap()]);
        let mut budget = Budget::of(census.size_of_one() * 2 + 100);
        for address in ["192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32", "192.0.2.1/32", "192.0.2.3/32"] {
            census.count(party(address), Ticks(20_000), &mut budget);
        }
        assert_eq!(census.left_out(), 2);
        let verdict = census.verdicts().next().unwrap();
        assert_eq!((verdict.counted, verdict.highest().attempts), (2, 2));
    }
}
