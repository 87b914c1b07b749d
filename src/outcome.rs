//! What became of a connection attempt.

use std::fmt;
use std::str::FromStr;

/// What became of an attempt, as far as the packets tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Outcome {
    /// Too early to say.
    #[default]
    Pending,
    /// No answer came within 30 s of the last SYN.
    Unanswered,
    /// The server answered the SYN with a reset.
    Refused,
    /// The server accepted, and the client did not go on: no ACK within 30 s, or a reset before one.
    HalfOpen,
    /// Established, and not closed yet.
    Open,
    /// Closed after no byte from the client.
    Silent,
    /// Closed after bytes from the client.
    Spoke,
    /// One direction was not seen, a number makes no sense, or there was no room to remember it.
    Unknown,
}

impl Outcome {
    /// Every outcome, in the order in which they are shown.
    pub const ALL: [Self; 8] = [
        Self::Silent,
        Self::Spoke,
        Self::Open,
        Self::Refused,
        Self::HalfOpen,
        Self::Unanswered,
        Self::Pending,
        Self::Unknown,
    ];

    /// Every outcome, in the order of their numbers.
    pub const BY_NUMBER: [Self; 8] = [
        Self::Pending,
        Self::Unanswered,
        Self::Refused,
        Self::HalfOpen,
        Self::Open,
        Self::Silent,
        Self::Spoke,
        Self::Unknown,
    ];

    /// Its name in options, text and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Unanswered => "unanswered",
            Self::Refused => "refused",
            Self::HalfOpen => "half-open",
            Self::Open => "open",
            Self::Silent => "silent",
            Self::Spoke => "spoke",
            Self::Unknown => "unknown",
        }
    }

    /// Whether it is final, short of news that correct it: what a limit by outcome can count.
    #[must_use]
    pub fn is_settled(self) -> bool {
        !matches!(self, Self::Pending | Self::Open)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Outcome {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name).ok_or(())
    }
}

/// What is known of a connection: its outcome, and what goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Life {
    /// What became of it.
    pub outcome: Outcome,
    /// Whether the server sent anything.
    pub greeted: bool,
    /// Whether the client has proven that it received the server's SYN-ACK: its address is not forged.
    pub proven: bool,
    /// Bytes from the client, once closed.
    pub sent: u32,
    /// Bytes from the server, once closed.
    pub received: u32,
}

/// A life without its bytes, in 4 bits: what a ring entry has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Code(u8);

impl Code {
    /// The lives that are told apart: what is proven has been open, and only what was silent tells of a greeting.
    const LIVES: [(Outcome, bool, bool); 14] = [
        (Outcome::Pending, false, false),
        (Outcome::Unanswered, false, false),
        (Outcome::Refused, false, false),
        (Outcome::HalfOpen, false, false),
        (Outcome::Unknown, false, false),
        (Outcome::Open, false, false),
        (Outcome::Open, false, true),
        (Outcome::Spoke, false, false),
        (Outcome::Spoke, false, true),
        (Outcome::Silent, false, false),
        (Outcome::Silent, false, true),
        (Outcome::Silent, true, false),
        (Outcome::Silent, true, true),
        (Outcome::Unknown, false, true),
    ];

    /// From its 4 bits; what no life has is pending.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        u8::try_from(bits).ok().filter(|bits| usize::from(*bits) < Self::LIVES.len()).map_or(Self(0), Self)
    }

    /// Its 4 bits.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0.into()
    }

    /// The outcome, whether the server greeted a client that said nothing, and whether the client's address is proven.
    #[must_use]
    pub fn life(self) -> (Outcome, bool, bool) {
        Self::LIVES.get(usize::from(self.0)).copied().unwrap_or_default()
    }
}

impl From<Life> for Code {
    fn from(life: Life) -> Self {
        let greeted = life.greeted && life.outcome == Outcome::Silent;
        let wanted = (life.outcome, greeted, life.proven);
        let plain = (life.outcome, false, false);
        let position = |life| Self::LIVES.iter().position(|known| *known == life);
        let code = position(wanted).or_else(|| position(plain)).unwrap_or_default();
        Self(u8::try_from(code).unwrap_or_default())
    }
}

/// How many attempts became what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mix {
    counts: [u64; Outcome::ALL.len()],
    /// Silent ones that the server had greeted.
    pub greeted: u64,
    /// Those that prove the client's address.
    pub proofs: u64,
}

impl Mix {
    /// How many attempts had this outcome.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.counts[outcome as usize]
    }

    /// Sets how many attempts had this outcome.
    pub fn set(&mut self, outcome: Outcome, attempts: u64) {
        self.counts[outcome as usize] = attempts;
    }

    /// Adds one attempt.
    pub fn add(&mut self, code: Code) {
        let (outcome, greeted, proven) = code.life();
        self.counts[outcome as usize] += 1;
        self.greeted += u64::from(greeted);
        self.proofs += u64::from(proven);
    }

    /// Every outcome with its count, in the order in which they are shown.
    pub fn iter(&self) -> impl Iterator<Item = (Outcome, u64)> + Clone + '_ {
        Outcome::ALL.into_iter().map(|outcome| (outcome, self.count(outcome)))
    }

    /// All attempts.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_four_bits_and_comes_back() {
        for bits in 0..16 {
            let code = Code::from_bits(bits);
            assert!(code.bits() < 16);
            let (outcome, greeted, proven) = code.life();
            assert_eq!(Code::from(Life { outcome, greeted, proven, ..Life::default() }), code);
        }
        assert_eq!(Code::from_bits(14).life().0, Outcome::Pending);
    }

    #[test]
    fn every_outcome_has_a_code_and_a_name_that_is_read_back() {
        for outcome in Outcome::ALL {
            for (greeted, proven) in [(false, false), (true, false), (false, true), (true, true)] {
                let code = Code::from(Life { outcome, greeted, proven, ..Life::default() });
                assert_eq!(code.life().0, outcome);
            }
            assert_eq!(outcome.name().parse(), Ok(outcome));
        }
    }
}
