//! A limit: N attempts in any W.
//!
//! It is written `N/W`, as in `30/10s`. W needs a unit, because readers would assume different units in "30/10". With
//! an outcome, as in `10/60s:silent`, it counts attempts with that outcome when the outcome is known.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::base::units::{self, Span, UnitError};
use crate::engine::outcome::Outcome;

/// N attempts in any window of W: met when an attempt and the N-1 before it from the same source lie within W, both
/// ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// N, from 1 to [`Limit::MAX_ATTEMPTS`].
    pub attempts: u16,
    /// W, from [`Limit::MIN_WINDOW`] to [`Limit::MAX_WINDOW`].
    pub window: Duration,
    /// The outcome to count, at the time at which it is known; `None`: all attempts.
    pub outcome: Option<Outcome>,
}

impl Limit {
    /// A limit of attempts.
    #[must_use]
    pub const fn new(attempts: u16, window: Duration) -> Self {
        Self { attempts, window, outcome: None }
    }

    /// The largest N. A shorter window expresses a higher rate: each source has a ring of N-1 attempts.
    pub const MAX_ATTEMPTS: u16 = 4096;
    /// The smallest W: 1 ms, ten times the resolution of the times that are compared.
    pub const MIN_WINDOW: Duration = Duration::from_millis(1);
    /// The largest W: 7 days.
    pub const MAX_WINDOW: Duration = Duration::from_secs(7 * 24 * 60 * 60);

    /// The same rate with the smallest N that needs only whole attempts and milliseconds, if any.
    #[must_use]
    pub(crate) fn same_rate(attempts: u64, window: Duration) -> Option<Self> {
        /// Maximum divisor of a window, so that the result stays plausible.
        const MOST_PARTS: u64 = 10_000;
        let millis = u64::try_from(window.as_millis()).ok()?;
        let fewest = attempts.div_ceil(u64::from(Self::MAX_ATTEMPTS)).max(1);
        let divides = |parts: &u64| attempts % parts == 0 && millis % parts == 0;
        let parts = (fewest..=millis.min(MOST_PARTS)).find(divides)?;
        let attempts = u16::try_from(attempts / parts).ok().filter(|attempts| *attempts > 0)?;
        Some(Self::new(attempts, Duration::from_millis(millis / parts)))
    }
}

/// The limits of a watch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// For each source.
    pub sources: Vec<Limit>,
    /// For each network, if there is one.
    pub networks: Option<Limit>,
    /// For each destination, if there is one.
    pub destinations: Option<Limit>,
}

impl Limits {
    /// All limits, in the order of their numbers in reports.
    pub fn iter(&self) -> impl Iterator<Item = Limit> + '_ {
        self.sources.iter().copied().chain(self.networks).chain(self.destinations)
    }
}

impl fmt::Display for Limit {
    /// The form of the option, in the largest whole unit: `30/10s`, `60/1m`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.attempts, Span(self.window))?;
        self.outcome.map_or(Ok(()), |outcome| write!(f, ":{outcome}"))
    }
}

impl FromStr for Limit {
    type Err = LimitError;

    /// Parses `N/W` or `N/W:OUTCOME`: `30/10s`, `60/1m`, `500/1h`, `10/60s:silent`.
    fn from_str(text: &str) -> Result<Self, LimitError> {
        let (text, outcome) = match text.split_once(':') {
            Some((text, name)) => (text, Some(settled(name.trim())?)),
            None => (text, None),
        };
        let (attempts, window) = text.split_once('/').ok_or(LimitError::Form)?;
        let (attempts, window) = (attempts.trim(), window.trim());
        if attempts.is_empty() || !attempts.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(LimitError::Attempts(attempts.to_owned()));
        }
        let window = units::duration(window).map_err(|cause| match cause {
            UnitError::NoUnit { example, .. } => {
                LimitError::NoUnit { example: format!("{attempts}/{example}") }
            }
            cause => LimitError::Window { window: window.to_owned(), cause },
        })?;
        if window < Self::MIN_WINDOW || window > Self::MAX_WINDOW {
            return Err(LimitError::WindowRange);
        }
        // The text has digits only, so that a failure means that the number is too large.
        let many = attempts.parse().unwrap_or(u64::MAX);
        match u16::try_from(many) {
            Ok(0) => Err(LimitError::NoAttempts),
            Ok(attempts) if attempts <= Self::MAX_ATTEMPTS => Ok(Self { attempts, window, outcome }),
            _ => Err(LimitError::TooMany {
                instead: Self::same_rate(many, window).map(|limit| Self { outcome, ..limit }),
            }),
        }
    }
}

/// An outcome that a limit can count.
fn settled(name: &str) -> Result<Outcome, LimitError> {
    let outcome = name.parse().map_err(|()| LimitError::Outcome(name.to_owned()))?;
    if Outcome::is_final(outcome) { Ok(outcome) } else { Err(LimitError::Outcome(name.to_owned())) }
}

/// Why a text is not a limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// There is no slash.
    #[error("not N/W, so many attempts in a window (30/10s)")]
    Form,
    /// The text after the colon is not an outcome that a limit can count.
    #[error("{0:?} is no outcome to count (silent, spoke, refused, half-open, unanswered, unknown)")]
    Outcome(String),
    /// The text before the slash is not a number.
    #[error("{0:?} is no number of attempts (30/10s)")]
    Attempts(String),
    /// N is 0.
    #[error("0 attempts are met by everyone (1 is the least)")]
    NoAttempts,
    /// N is larger than [`Limit::MAX_ATTEMPTS`].
    #[error("more than {} attempts (say it with a shorter window{})", Limit::MAX_ATTEMPTS, or_not(.instead))]
    TooMany {
        /// The same rate with a shorter window, if there is one.
        instead: Option<Limit>,
    },
    /// W has no unit.
    #[error("the window has no unit: ms, s, m, h, d ({example})")]
    NoUnit {
        /// The limit with seconds.
        example: String,
    },
    /// W is not a duration.
    #[error("window {window:?}: {cause}")]
    Window {
        /// The text after the slash.
        window: String,
        /// The cause.
        cause: UnitError,
    },
    /// W is shorter than [`Limit::MIN_WINDOW`] or longer than [`Limit::MAX_WINDOW`].
    #[error("the window is not from {} to {}", Span(Limit::MIN_WINDOW), Span(Limit::MAX_WINDOW))]
    WindowRange,
}

fn or_not(instead: &Option<Limit>) -> String {
    instead.map(|limit| format!(": {limit}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limit(attempts: u16, millis: u64) -> Limit {
        Limit { attempts, window: Duration::from_millis(millis), outcome: None }
    }

    #[test]
    fn a_limit_is_attempts_in_a_window() {
        for (text, expected) in [
            ("30/10s", limit(30, 10_000)),
            ("60/60s", limit(60, 60_000)),
            (" 60 / 1m ", limit(60, 60_000)),
            ("500/1h", limit(500, 3_600_000)),
            ("1/1ms", limit(1, 1)),
            ("4096/7d", limit(4096, 604_800_000)),
            ("010/604800000ms", limit(10, 604_800_000)),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn an_invalid_limit_is_refused_with_cause_and_remedy() {
        let tried = |text: &str| text.parse::<Limit>().unwrap_err().to_string();
        for (text, cause) in [
            ("", "not N/W, so many attempts in a window (30/10s)"),
            ("30", "not N/W, so many attempts in a window (30/10s)"),
            ("/10s", r#""" is no number of attempts (30/10s)"#),
            ("many/10s", r#""many" is no number of attempts (30/10s)"#),
            ("-1/10s", r#""-1" is no number of attempts (30/10s)"#),
            ("+1/10s", r#""+1" is no number of attempts (30/10s)"#),
            ("30/10", "the window has no unit: ms, s, m, h, d (30/10s)"),
            ("30/", r#"window "": not one whole number and a unit: ms, s, m, h, d (60s)"#),
            ("30/10s/2", r#"window "10s/2": not one whole number and a unit: ms, s, m, h, d (60s)"#),
            ("30/10min", r#"window "10min": "min" is no unit: ms, s, m, h, d"#),
            ("0/10s", "0 attempts are met by everyone (1 is the least)"),
            ("30/0ms", "the window is not from 1ms to 7d"),
            ("30/8d", "the window is not from 1ms to 7d"),
            ("30/604800001ms", "the window is not from 1ms to 7d"),
            ("5000/10s", "more than 4096 attempts (say it with a shorter window: 2500/5s)"),
            ("4098/10s", "more than 4096 attempts (say it with a shorter window: 2049/5s)"),
            ("1000000/1m", "more than 4096 attempts (say it with a shorter window: 4000/240ms)"),
            ("4097/10s", "more than 4096 attempts (say it with a shorter window)"),
            ("70000/1ms", "more than 4096 attempts (say it with a shorter window)"),
            ("99999999999999999999/1s", "more than 4096 attempts (say it with a shorter window)"),
        ] {
            assert_eq!(tried(text), cause, "{text}");
        }
    }

    #[test]
    fn it_is_shown_as_it_would_be_given() {
        for (given, shown) in
            [("30/10s", "30/10s"), ("60/60s", "60/1m"), ("9/1500ms", "9/1500ms"), ("5/24h", "5/1d")]
        {
            assert_eq!(given.parse::<Limit>().unwrap().to_string(), shown);
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_the_same(
            attempts in 1..=Limit::MAX_ATTEMPTS,
            millis in 1..=604_800_000_u64,
        ) {
            let limit = limit(attempts, millis);
            prop_assert_eq!(limit.to_string().parse(), Ok(limit));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = text.parse::<Limit>();
        }

        #[test]
        fn what_is_suggested_is_the_same_rate_and_allowed(attempts in 4097..100_000_u64, seconds in 1..10_000_u64) {
            let refused = format!("{attempts}/{seconds}s").parse::<Limit>();
            let Err(LimitError::TooMany { instead }) = refused else { panic!("{refused:?}") };
            if let Some(instead) = instead {
                prop_assert_eq!(instead.to_string().parse(), Ok(instead));
                let millis = u64::try_from(instead.window.as_millis()).unwrap();
                prop_assert_eq!(u64::from(instead.attempts) * seconds * 1000, attempts * millis);
            }
        }
    }
}
