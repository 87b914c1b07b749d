//! Which SYNs are attempts, and which repeat one.
//!
//! A table of fixed size with one small entry per recent attempt, found by the keyed hash of its identity: both
//! addresses, both ports and the sequence number. A SYN of the same identity as an entry is
//!
//! - a **copy** when it comes within 100 ms at another place (interface, VLAN, tunnel or direction), or within 1 ms with
//!   the same IPv4 identification: a forwarding gateway's `any` shows every packet twice, a mirror port may;
//! - a **retransmission** when it comes 0.2 s or more after the one before it, within 130 s of the first, as the 12th
//!   at most (Linux sends six in 127 s by default, `tcp_syn_retries`; RFC 6298 starts at 1 s, and older stacks at 3 s);
//! - an attempt of its own otherwise. The caps keep a sender from hiding a flood behind repeats.
//!
//! What is compared is the newest SYN of the identity that is no copy. Copies of one SYN are at most fifteen.
//!
//! The table belongs to one thread: all segments of one connection meet in it, whichever interface they were seen on.
//! So its entries are plain memory, two to a cache line, and nothing here is atomic. It allocates nothing after it was
//! made; in a full set the entry whose SYN is the oldest gives way. An entry that gives way while a retransmission
//! could still come is counted: that retransmission will be an attempt.

use zerocopy::{FromZeros, Immutable, KnownLayout};

use crate::clock::Ticks;
use crate::segment::{Direction, Place, Segment};
use crate::sync::{OutOfMemory, zeroed};

/// A copy at another place comes within this many ticks: 100 ms.
const COPY_ELSEWHERE: u64 = 1000;
/// A copy with the same IPv4 identification comes within this many ticks: 1 ms.
const COPY_SAME_ID: u64 = 10;
/// A retransmission comes this many ticks after the SYN before it, or later: 0.2 s.
const RETRANSMISSION_AFTER: u64 = 2000;
/// A retransmission comes within this many ticks of the first SYN: 130 s.
const RETRANSMISSION_WITHIN: u64 = 1_300_000;
/// The most retransmissions of one attempt.
const MOST_RETRANSMISSIONS: u8 = 12;
/// The most copies of one SYN: a packet that crosses bridges, VLANs and tunnels of a host shows up on each.
const MOST_COPIES: u8 = 15;

/// How far back an entry counts.
pub const LOOKS_BACK: std::time::Duration = std::time::Duration::from_secs(130);

/// Entries of a set: two cache lines.
const WAYS: usize = 4;

/// Recent attempts.
#[derive(Debug)]
pub struct Connections {
    sets: Box<[[Entry; WAYS]]>,
    evicted: u64,
}

/// What a SYN is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syn {
    /// A connection attempt.
    Attempt,
    /// A SYN that was seen already, at another place or mirrored.
    Copy,
    /// A SYN that its sender sent again.
    Retransmission,
}

/// One recent attempt.
#[derive(Debug, Clone, Copy, FromZeros, Immutable, KnownLayout)]
#[cfg_attr(loom, derive(Default))]
#[repr(C)]
struct Entry {
    /// The hash of its identity; 0 where there is none.
    identity: u64,
    /// When its newest SYN came that is no copy.
    newest: u64,
    /// Ticks from its first SYN to that one.
    age: u32,
    /// Where that one was seen, mixed to 32 bits.
    place: u32,
    /// That one's IPv4 identification.
    ip_id: u16,
    /// 1 when there is one: IPv6 has none.
    has_ip_id: u8,
    retransmissions: u8,
    /// Copies of the newest SYN.
    copies: u8,
    unused: [u8; 3],
}

impl Connections {
    /// A table that takes at most `memory` bytes; it has one set at least.
    ///
    /// # Errors
    ///
    /// When there is not that much memory.
    pub fn new(memory: usize) -> Result<Self, OutOfMemory> {
        Ok(Self { sets: zeroed((memory / size_of::<[Entry; WAYS]>()).max(1))?, evicted: 0 })
    }

    /// Entries that gave way although a retransmission of their attempt could still come.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Brings an identity's set into the cache. The result is of no use but to be kept from being optimised away.
    #[must_use]
    pub fn touch(&self, identity: u64) -> u64 {
        let set = &self.sets[self.set_of(identity)];
        set[0].identity ^ set[WAYS / 2].identity
    }

    /// Says what a SYN with this identity is, and remembers it.
    pub fn judge(&mut self, identity: u64, time: Ticks, segment: &Segment) -> Syn {
        let at = self.set_of(identity);
        let identity = identity.max(1);
        let set = &mut self.sets[at];
        let Some(entry) = set.iter_mut().find(|entry| entry.identity == identity) else {
            let oldest = oldest(set);
            let gives_way =
                oldest.identity != 0 && time.0.saturating_sub(oldest.newest) <= RETRANSMISSION_WITHIN;
            self.evicted += u64::from(gives_way);
            *oldest = Entry::attempt(identity, time, segment);
            return Syn::Attempt;
        };
        entry.judge(time, segment)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.sets.fill([Entry::NONE; WAYS]);
    }

    fn set_of(&self, identity: u64) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "below the number of sets")]
        let set = ((u128::from(identity) * self.sets.len() as u128) >> 64) as usize;
        set
    }
}

/// An empty entry, or the one whose newest SYN is the oldest.
fn oldest(set: &mut [Entry; WAYS]) -> &mut Entry {
    let mut oldest = 0;
    for way in 1..WAYS {
        // An empty entry has time 0.
        if set[way].newest < set[oldest].newest {
            oldest = way;
        }
    }
    &mut set[oldest]
}

impl Entry {
    const NONE: Self = Self {
        identity: 0,
        newest: 0,
        age: 0,
        place: 0,
        ip_id: 0,
        has_ip_id: 0,
        retransmissions: 0,
        copies: 0,
        unused: [0; 3],
    };

    fn attempt(identity: u64, time: Ticks, segment: &Segment) -> Self {
        Self {
            identity,
            newest: time.0,
            place: mix(segment.place),
            ip_id: segment.ip_id.unwrap_or(0),
            has_ip_id: u8::from(segment.ip_id.is_some()),
            ..Self::NONE
        }
    }

    /// What a SYN of this entry's identity is.
    fn judge(&mut self, time: Ticks, segment: &Segment) -> Syn {
        if self.copies < MOST_COPIES && self.is_copied_by(time, segment) {
            self.copies += 1;
            return Syn::Copy;
        }
        let since = time.0.saturating_sub(self.newest);
        let age = u64::from(self.age) + since;
        let again = Self::attempt(self.identity, time, segment);
        if since >= RETRANSMISSION_AFTER
            && age <= RETRANSMISSION_WITHIN
            && self.retransmissions < MOST_RETRANSMISSIONS
        {
            #[expect(clippy::cast_possible_truncation, reason = "at most 130 s of ticks")]
            let age = age as u32;
            *self = Self { age, retransmissions: self.retransmissions + 1, ..again };
            return Syn::Retransmission;
        }
        // A SYN a little older than the newest leaves the time of the newest as it is.
        *self = Self { newest: self.newest.max(time.0), ..again };
        Syn::Attempt
    }

    fn is_copied_by(&self, time: Ticks, segment: &Segment) -> bool {
        // Two interfaces deliver their packets when they please: a copy may be the earlier of the two.
        let apart = time.0.abs_diff(self.newest);
        let elsewhere = mix(segment.place) != self.place;
        let same_id = self.has_ip_id == 1 && segment.ip_id == Some(self.ip_id);
        (elsewhere && apart <= COPY_ELSEWHERE) || (same_id && apart <= COPY_SAME_ID)
    }
}

/// A place in 32 bits, so that an entry stays small. A host has few places; that two of them are mixed to the same
/// value is as good as impossible, and would count a copy as an attempt.
fn mix(place: Place) -> u32 {
    let direction = match place.direction {
        Direction::Unknown => 0,
        Direction::In => 1,
        Direction::Out => 2,
        Direction::Hook(hook) => 3 + u64::from(hook),
    };
    let interface = u64::from(place.interface.0) << 32 | u64::from(place.ifindex);
    let mut mixed = 0u64;
    for part in [interface, place.vlan, u64::from(place.tunnels) << 32 | direction] {
        // Odd constant of 2^64 over the golden ratio (Knuth, 6.4): spreads small numbers over all bits.
        mixed = (mixed ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
    #[expect(clippy::cast_possible_truncation, reason = "32 bits of it are wanted")]
    let mixed = (mixed >> 16) as u32;
    mixed
}

#[cfg(test)]
mod tests;
