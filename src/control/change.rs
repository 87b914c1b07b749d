//! A change that a client requests: blocks and allowances.
//!
//! The values come from outside. They are checked here, for the client's own command line as well as for the
//! service. The rights of a client are checked elsewhere ([`super::hands`]).

use std::fmt;
use std::time::Duration;

use ipnet::IpNet;

use super::request::{MOST_CAUSE, Raw, Refusal, cut};
use crate::base::units::{Span, duration};
use crate::engine::subject::Source;
use crate::engine::watch::Limit;
use crate::engine::watch::allow;

/// Valid durations of a block, as for `--block-time`.
const BLOCK: (Duration, Duration) = (Duration::from_secs(1), Limit::MAX_WINDOW);

/// Valid durations of an allowance.
const ALLOW: (Duration, Duration) = (Duration::from_secs(1), allow::LONGEST);

/// Maximum length of the reason of an allowance, in characters.
pub(super) const MOST_WHY: usize = 200;

/// A requested change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Block a network; without a duration, for that of `--block-time`.
    Block {
        /// The network.
        network: IpNet,
        /// The duration.
        time: Option<Duration>,
    },
    /// Unblock every target that overlaps a network; without a network, all targets.
    Unblock {
        /// The network.
        network: Option<IpNet>,
    },
    /// Allow a network; without a duration, until the run ends.
    Allow {
        /// The network.
        network: IpNet,
        /// The duration.
        time: Option<Duration>,
        /// The reason, for later readers.
        why: Option<String>,
    },
    /// Remove an allowance.
    Unallow {
        /// The network.
        network: IpNet,
    },
}

impl Change {
    /// Their names in requests.
    pub(super) const NAMES: [&'static str; 4] = ["block", "unblock", "allow", "unallow"];

    /// Its name in a request.
    #[must_use]
    pub fn name(&self) -> &'static str {
        let [block, unblock, allow, unallow] = Self::NAMES;
        match self {
            Self::Block { .. } => block,
            Self::Unblock { .. } => unblock,
            Self::Allow { .. } => allow,
            Self::Unallow { .. } => unallow,
        }
    }

    /// The change with this name, if there is one, with the values of a request.
    pub(super) fn parse(name: &str, raw: &Raw) -> Option<Result<Self, Refusal>> {
        let [block, unblock, allow, unallow] = Self::NAMES;
        Some(match name {
            name if name == block => Self::parse_block(raw),
            name if name == unblock => Self::parse_unblock(raw),
            name if name == allow => Self::parse_allow(raw),
            name if name == unallow => network(raw).map(|network| Self::Unallow { network }),
            _ => return None,
        })
    }

    fn parse_block(raw: &Raw) -> Result<Self, Refusal> {
        let time = raw.time.as_deref().map(|text| value("for", text, block_time)).transpose()?;
        Ok(Self::Block { network: network(raw)?, time })
    }

    fn parse_unblock(raw: &Raw) -> Result<Self, Refusal> {
        match (raw.all, &raw.network) {
            (Some(true), None) => Ok(Self::Unblock { network: None }),
            (Some(true), Some(_)) => {
                Err(invalid("network and \"all\":true exclude each other (leave one out)".to_owned()))
            }
            (None | Some(false), _) => Ok(Self::Unblock { network: Some(network(raw)?) }),
        }
    }

    fn parse_allow(raw: &Raw) -> Result<Self, Refusal> {
        let time = raw.time.as_deref().map(|text| value("for", text, allow_time)).transpose()?;
        let why = raw.why.as_deref().map(|text| value("why", text, reason)).transpose()?;
        Ok(Self::Allow { network: network(raw)?, time, why })
    }

    /// Fills in the keys of its request.
    pub(super) fn fill(&self, raw: &mut Raw) {
        let shown = |network: &IpNet| Some(network.to_string());
        let written = |time: &Option<Duration>| time.map(|time| Span(time).to_string());
        match self {
            Self::Block { network, time } => (raw.network, raw.time) = (shown(network), written(time)),
            Self::Unblock { network: None } => raw.all = Some(true),
            Self::Unblock { network: Some(network) } | Self::Unallow { network } => {
                raw.network = shown(network)
            }
            Self::Allow { network, time, why } => {
                (raw.network, raw.time, raw.why) = (shown(network), written(time), why.clone());
            }
        }
    }
}

impl fmt::Display for Change {
    /// As a command: `unblock 192.0.2.1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Block { network, .. }
            | Self::Allow { network, .. }
            | Self::Unallow { network }
            | Self::Unblock { network: Some(network) } => write!(f, " {}", Source(*network)),
            Self::Unblock { network: None } => f.write_str(" --all"),
        }
    }
}

/// Reads the time of a block.
///
/// # Errors
///
/// It is none, or out of bounds.
pub(crate) fn block_time(text: &str) -> Result<Duration, String> {
    time(text, BLOCK)
}

/// Reads the time of an allowance.
///
/// # Errors
///
/// It is none, or out of bounds.
pub(crate) fn allow_time(text: &str) -> Result<Duration, String> {
    time(text, ALLOW)
}

/// Reads the reason of an allowance.
///
/// # Errors
///
/// It is too long.
pub(crate) fn reason(text: &str) -> Result<String, String> {
    match text.chars().count() {
        0..=MOST_WHY => Ok(text.to_owned()),
        length => Err(format!("{length} characters, and {MOST_WHY} at most")),
    }
}

fn time(text: &str, (least, most): (Duration, Duration)) -> Result<Duration, String> {
    let time = duration(text).map_err(|error| error.to_string())?;
    // Whole seconds: the firewall knows no parts of them.
    match time.subsec_nanos() == 0 && (least..=most).contains(&time) {
        true => Ok(time),
        false => Err(format!("not from {} to {}, in whole seconds", Span(least), Span(most))),
    }
}

fn network(raw: &Raw) -> Result<IpNet, Refusal> {
    let text = raw.network.as_deref().ok_or_else(|| invalid("network is missing".to_owned()))?;
    value("network", text, |text| allow::network(text).map_err(|error| error.to_string()))
}

fn value<T>(key: &str, text: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<T, Refusal> {
    read(text).map_err(|cause| {
        invalid(format!("{key} {:?}: {}", cut(text), cause.chars().take(MOST_CAUSE).collect::<String>()))
    })
}

fn invalid(error: String) -> Refusal {
    Refusal { code: "value", error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_bounds_and_whole_seconds() {
        for (text, block, allow) in [
            ("999ms", false, false),
            ("1s", true, true),
            ("1500ms", false, false),
            ("2h", true, true),
            ("604799s", true, true),
            ("7d", true, true),
            ("604801s", false, true),
            ("90d", false, true),
            ("7776001s", false, false),
            ("60", false, false),
            ("soon", false, false),
            ("99999999999999999999d", false, false),
        ] {
            assert_eq!((block_time(text).is_ok(), allow_time(text).is_ok()), (block, allow), "{text}");
        }
        assert_eq!(block_time("8d").unwrap_err(), "not from 1s to 7d, in whole seconds");
    }

    #[test]
    fn a_reason_has_two_hundred_characters_at_most() {
        for (length, is_taken) in [(0, true), (199, true), (200, true), (201, false)] {
            assert_eq!(reason(&"é".repeat(length)).is_ok(), is_taken, "{length}");
        }
    }

    #[test]
    fn a_change_is_named_as_its_command() {
        let network = "192.0.2.1".parse().unwrap();
        let host = IpNet::new(network, 32).unwrap();
        for (change, shown) in [
            (Change::Block { network: host, time: None }, "block 192.0.2.1"),
            (Change::Unblock { network: None }, "unblock --all"),
            (Change::Unblock { network: Some("2001:db8::/32".parse().unwrap()) }, "unblock 2001:db8::/32"),
            (Change::Allow { network: host, time: None, why: None }, "allow 192.0.2.1"),
            (Change::Unallow { network: host }, "unallow 192.0.2.1"),
        ] {
            assert_eq!(change.to_string(), shown);
        }
    }
}
