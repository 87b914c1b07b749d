//! Names of a fleet and of its gateways, which become part of keys.

use std::fmt;
use std::hash::Hasher as _;
use std::str::FromStr;

use siphasher::sip::SipHasher13;

/// The name of a fleet or a gateway: letters, digits, `.`, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<str>);

impl Name {
    /// The most characters of a name: those of a host name on Linux.
    pub const LONGEST: usize = 64;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The four bytes that stand for a gateway in its attempts.
    pub(super) fn short(&self) -> [u8; 4] {
        let mut hasher = SipHasher13::new();
        hasher.write(self.0.as_bytes());
        let [a, b, c, d, ..] = hasher.finish().to_be_bytes();
        [a, b, c, d]
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
        if text.is_empty() || text.len() > Self::LONGEST || !text.chars().all(is_of_name) {
            return Err(NameError);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no name (1 to {} of a-z, A-Z, 0-9, \".\", \"_\", \"-\")", Name::LONGEST)]
pub struct NameError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_characters_that_need_no_quoting() {
        for name in ["mx", "mx1.example.net", "MX_2-b"] {
            assert_eq!(name.parse::<Name>().unwrap().to_string(), name);
        }
        for wrong in ["", "a b", "mx{1}", "mx:1", "ä", &"a".repeat(65)] {
            assert_eq!(wrong.parse::<Name>(), Err(NameError), "{wrong}");
        }
    }

    #[test]
    fn gateways_have_different_short_names() {
        let short: std::collections::BTreeSet<_> =
            (0..1_000).map(|number| format!("mx{number}").parse::<Name>().unwrap().short()).collect();
        assert_eq!(short.len(), 1_000);
    }
}
