//! Baselines: the highest number of attempts of each source, network or destination in any window of a limit.
//!
//! Limits are chosen from a baseline. It is for captures only: unlike the tables it uses memory for each source, up to
//! a budget. Attempts that find no memory are counted. `verdict.rs` selects outliers.

mod windows;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use ipnet::IpNet;

pub(crate) use windows::Most;
use windows::Windows;

use crate::engine::clock::Ticks;
use crate::engine::subject::{Kind, Source};
use crate::engine::watch::Limit;

/// The kind of party that a baseline counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Sources.
    Sources,
    /// Their networks.
    Networks,
    /// Destinations.
    Destinations,
}

impl Of {
    /// The kind in the singular, as in reports.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Sources => "source",
            Self::Networks => "network",
            Self::Destinations => "destination",
        }
    }

    /// The option for its limit.
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
    /// Only destinations have a port.
    port: Option<u16>,
}

impl Party {
    /// The kind of its episodes.
    #[must_use]
    pub fn new(kind: Kind, source: Source) -> Self {
        let port = match kind {
            Kind::Source | Kind::Network => None,
            Kind::Destination(port) => Some(port),
        };
        Self { address: source.0, port }
    }

    /// The network or host; `None` for a destination.
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

/// Memory in bytes that several baselines share.
#[derive(Debug, Clone, Copy)]
pub struct Budget(usize);

impl Budget {
    /// A budget of this many bytes.
    #[must_use]
    pub const fn of(bytes: usize) -> Self {
        Self(bytes)
    }

    /// Reserves memory, if there is enough.
    fn take(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}

/// The highest counts of each party in the windows of several limits.
#[derive(Debug)]
pub struct Baseline {
    of: Of,
    limits: Box<[Limit]>,
    /// The limits' windows, in ticks.
    lengths: Box<[u64]>,
    /// Sorted, so that the output is deterministic.
    parties: BTreeMap<Party, Windows>,
    left_out: u64,
}

impl Baseline {
    /// Creates a baseline for these limits, which all count the same attempts.
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

    /// Restarts all windows empty: the clock has stepped back.
    pub fn restart(&mut self) {
        self.parties.values_mut().for_each(|windows| windows.forget(u16::MAX));
    }

    /// The kind of party.
    #[must_use]
    pub fn of(&self) -> Of {
        self.of
    }

    /// Attempts that were not counted because the memory was used up.
    #[must_use]
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// For each of its limits, the most that each party had in any window of it.
    pub fn most(&self) -> impl Iterator<Item = (Limit, Vec<(Party, Most)>)> + '_ {
        self.limits.iter().enumerate().map(|(place, limit)| {
            let found = self.parties.iter().map(|(party, windows)| (*party, windows.most(place)));
            (*limit, found.collect())
        })
    }

    /// The bytes of one party: in the worst case a node of the tree is half empty.
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
    fn without_memory_a_new_party_is_counted_as_left_out() {
        let mut baseline = Baseline::new(Of::Sources, vec!["2/1s".parse().unwrap()]);
        let mut budget = Budget::of(baseline.size_of_one() * 2 + 100);
        for address in ["192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32", "192.0.2.1/32", "192.0.2.3/32"] {
            baseline.count(party(address), Ticks(20_000), &mut budget);
        }
        assert_eq!(baseline.left_out(), 2);
        let (_, found) = baseline.most().next().unwrap();
        assert_eq!(found.iter().map(|(_, most)| most.attempts).collect::<Vec<_>>(), [2, 1]);
    }
}
