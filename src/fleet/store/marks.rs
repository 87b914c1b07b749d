//! Marks: what tells that two gateways saw the same SYN.
//!
//! A mark is 16 bits of a keyed hash of the client's port, the server's address and the initial sequence number. The
//! key is the fleet's, so that a sender cannot choose connections that pass for one. The fleet's servers and their
//! readers learn none of the three from it. A mark of 0 is none: a gateway has no key before a server has answered.

use std::fmt;
use std::hash::Hasher as _;
use std::net::IpAddr;

use siphasher::sip::SipHasher13;

/// The key of a fleet's marks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MarkKey([u8; 16]);

impl MarkKey {
    /// The key with these bytes.
    #[must_use]
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// A key that no other gateway has.
    pub(super) fn random() -> Self {
        // The standard library has no other source of random bits: each state has two words of the system's.
        use std::hash::{BuildHasher as _, RandomState};
        let half = |word: u64| {
            let mut hasher = RandomState::new().build_hasher();
            hasher.write_u64(word);
            hasher.finish()
        };
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&half(0).to_be_bytes());
        bytes[8..].copy_from_slice(&half(1).to_be_bytes());
        Self(bytes)
    }

    /// The key as `meta` holds it.
    pub(super) fn hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The key that `meta` holds.
    pub(super) fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 32 || !text.is_ascii() {
            return None;
        }
        u128::from_str_radix(text, 16).ok().map(|word| Self(word.to_be_bytes()))
    }

    /// The mark of a SYN, which is never 0. `isn` is its sequence number.
    #[must_use]
    pub fn mark(self, client_port: u16, server: IpAddr, isn: u32) -> u16 {
        let mut hasher = SipHasher13::new_with_key(&self.0);
        match server {
            IpAddr::V4(server) => hasher.write(&server.octets()),
            IpAddr::V6(server) => hasher.write(&server.octets()),
        }
        hasher.write_u16(client_port);
        hasher.write_u32(isn);
        #[expect(clippy::cast_possible_truncation, reason = "a mark is 16 bits of the hash")]
        let mark = hasher.finish() as u16;
        mark.max(1)
    }
}

impl fmt::Debug for MarkKey {
    /// It is a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MarkKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_follows_from_port_server_number_and_key() {
        let key = MarkKey::new([7; 16]);
        let server = "192.0.2.25".parse().unwrap();
        let mark = key.mark(40_000, server, 1);
        assert_eq!(key.mark(40_000, server, 1), mark);
        let others = [
            key.mark(40_001, server, 1),
            key.mark(40_000, "192.0.2.26".parse().unwrap(), 1),
            key.mark(40_000, "2001:db8::25".parse().unwrap(), 1),
            key.mark(40_000, server, 2),
            MarkKey::new([8; 16]).mark(40_000, server, 1),
        ];
        assert!(others.iter().all(|other| *other != mark), "{mark} {others:?}");
    }

    #[test]
    fn no_mark_is_that_of_an_attempt_without_one() {
        let (key, server) = (MarkKey::new([7; 16]), "192.0.2.25".parse().unwrap());
        // One of 65,536 hashes would be 0.
        assert!((0..500_000).all(|isn| key.mark(40_000, server, isn) != 0));
    }

    #[test]
    fn a_key_is_stored_and_read_as_text_and_never_shown() {
        let key = MarkKey::random();
        assert_ne!(key, MarkKey::random());
        assert_eq!(MarkKey::from_hex(&key.hex()), Some(key));
        for wrong in ["", "7", "+7777777777777777777777777777777x", &"g".repeat(32)] {
            assert_eq!(MarkKey::from_hex(wrong), None, "{wrong}");
        }
        assert_eq!(format!("{key:?}"), "MarkKey(…)");
    }
}
