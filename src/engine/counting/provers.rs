//! The addresses of the attempts that were proven last. A report needs them in order to block its hosts, or
//! the pairs of hosts and destinations.
//!
//! A ring entry has no room for addresses. A log of fixed size keeps those of proven attempts. The mark
//! beside an entry in a table of proven attempts is its index in the log. The oldest give way: an entry whose
//! record was overwritten has no addresses any more. Only completed handshakes get here, so forged attempts
//! evict nothing. The log belongs to one thread.

use std::net::{IpAddr, Ipv6Addr};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::base::hyperloglog::Mark;
use crate::base::pages::Pages;
use crate::base::sync::OutOfMemory;
use crate::engine::clock::Ticks;
use crate::engine::ingest::endpoints::Endpoints;

/// The log.
#[derive(Debug)]
pub struct Provers {
    records: Pages<Record>,
    next: usize,
}

/// One proven attempt. IPv4 addresses are mapped to IPv6 (RFC 4291, 2.5.5.2).
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Record {
    client: [u8; 16],
    server: [u8; 16],
    /// The time in the ring entry; 0 in an unused record.
    time: u64,
    port: u64,
}

impl Provers {
    /// As many records as a mark can address.
    const MOST: usize = 1 << u16::BITS;

    /// Makes a log of at most `memory` bytes, with at least one record.
    ///
    /// # Errors
    ///
    /// When there is not that much memory.
    pub fn new(memory: usize) -> Result<Self, OutOfMemory> {
        let records = Pages::zeroed((memory / size_of::<Record>()).min(Self::MOST))?;
        Ok(Self { records, next: 0 })
    }

    /// Adds an attempt that a ring holds at this time. Returns the mark for its entry.
    pub(in crate::engine) fn add(&mut self, endpoints: &Endpoints, time: Ticks) -> Mark {
        let place = self.next;
        self.next = (place + 1) % self.records.length();
        self.records[place] = Record {
            client: octets(endpoints.client.0),
            server: octets(endpoints.server.0),
            time: time.0,
            port: endpoints.server.1.into(),
        };
        Mark(u16::try_from(place).unwrap_or_default())
    }

    /// The client and the server of the attempt with this mark, time and port in a ring.
    pub(in crate::engine) fn get(&self, mark: Mark, time: Ticks, port: u16) -> Option<(IpAddr, IpAddr)> {
        let place = usize::from(mark.0);
        let record = (place < self.records.length()).then(|| &self.records[place])?;
        let is_it = record.time == time.0 && record.port == u64::from(port);
        is_it.then(|| (address(record.client), address(record.server)))
    }

    /// Clears the log, because the range of ticks starts again.
    pub(in crate::engine) fn clear(&mut self) {
        for record in self.records.all_mut() {
            // The loop only reads memory that was never written.
            if record.time != 0 {
                record.time = 0;
            }
        }
    }
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

fn address(octets: [u8; 16]) -> IpAddr {
    Ipv6Addr::from(octets).to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hash::Key;
    use crate::engine::ingest::endpoints::Hasher;

    #[test]
    fn the_oldest_give_way_and_are_not_taken_for_others() {
        let mut provers = Provers::new(2 * size_of::<Record>()).unwrap();
        let mut hasher = Hasher::new(Key::fixed());
        let server = ("2001:db8::25".parse().unwrap(), 25);
        let mut add = |client: &str, time| {
            let endpoints = hasher.endpoints((client.parse().unwrap(), 1), server, false);
            let mark = provers.add(&endpoints, Ticks(time));
            (mark, provers.get(mark, Ticks(time), 25).map(|(client, _)| client.to_string()))
        };
        let (first, found) = add("192.0.2.1", 100);
        assert_eq!(found.as_deref(), Some("192.0.2.1"));
        assert_eq!(add("2001:db8::1", 100).1.as_deref(), Some("2001:db8::1"));
        assert_eq!(add("192.0.2.3", 101).1.as_deref(), Some("192.0.2.3"));
        assert_eq!(provers.get(first, Ticks(100), 25), None, "another one has its place");
        assert_eq!(provers.get(first, Ticks(101), 110), None);
        assert_eq!(provers.get(Mark(9), Ticks(100), 25), None);
        provers.clear();
        assert_eq!(provers.get(first, Ticks(101), 25), None);
    }
}
