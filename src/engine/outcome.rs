//! The outcome of a connection attempt.

use std::fmt;
use std::str::FromStr;

/// The outcome of an attempt, as far as the packets show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Outcome {
    /// It is too early to say.
    #[default]
    Pending,
    /// No answer came within 30 s of the last SYN.
    Unanswered,
    /// The server answered the SYN with a reset.
    Refused,
    /// The server accepted, and the client did not complete the handshake: no ACK within 30 s, or a reset
    /// before one.
    HalfOpen,
    /// Established, and not closed yet.
    Open,
    /// Closed after no byte from the client.
    Silent,
    /// Closed after bytes from the client.
    Spoke,
    /// One direction was not seen, a number makes no sense, or the attempt was evicted.
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

    /// Every outcome, in the order of its number.
    pub(crate) const BY_NUMBER: [Self; 8] = [
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

    /// Whether it is final, except for later corrections: a limit by outcome can count it.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Open)
    }

    /// Whether the server answered the SYN with a SYN-ACK.
    #[must_use]
    pub(crate) fn is_answered(self) -> bool {
        self == Self::HalfOpen || self.is_completed()
    }

    /// Whether the handshake was completed, as far as the numbers show.
    #[must_use]
    pub(crate) fn is_completed(self) -> bool {
        matches!(self, Self::Open | Self::Silent | Self::Spoke)
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

/// The evidence that the client received the server's SYN-ACK, so that its address is not forged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum Proof {
    /// No evidence: the address may be forged.
    #[default]
    None,
    /// From link-layer addresses, which any host on the segment can forge: at a mirror port, or on a router with one
    /// interface.
    Wire,
    /// Live, the packet type that the kernel gives; in a capture, any evidence in the capture.
    Yes,
}

impl Proof {
    /// Every proof, the weakest first.
    pub const ALL: [Self; 3] = [Self::None, Self::Wire, Self::Yes];
}

/// The summary of a connection: its outcome and related facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnSummary {
    /// Its outcome.
    pub outcome: Outcome,
    /// Whether the server sent anything.
    pub greeted: bool,
    /// Whether and how the client has proven that it received the server's SYN-ACK.
    pub proof: Proof,
    /// Bytes from the client, once closed.
    pub sent: u32,
    /// Bytes from the server, once closed.
    pub received: u32,
}

/// A summary without its bytes, in 5 bits, so that a ring entry has room for it.
///
/// It is the number of the proof times the number of kinds, plus the number of the outcome. Only silent
/// attempts show whether the server greeted: greeted ones have a number of their own after the outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Code(u8);

impl Code {
    /// Its size in bits.
    pub(crate) const BITS: u32 = 5;
    /// The outcomes, and silent attempts with a greeting.
    const KINDS: u8 = Outcome::ALL.len() as u8 + 1;
    const GREETED: u8 = Self::KINDS - 1;
    const LIVES: u8 = Self::KINDS * Proof::ALL.len() as u8;

    /// Converts bits to a code. Bits that no summary has mean pending.
    #[must_use]
    pub(crate) fn from_bits(bits: u64) -> Self {
        u8::try_from(bits).ok().filter(|bits| *bits < Self::LIVES).map_or(Self(0), Self)
    }

    /// Its bits.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0.into()
    }

    /// The outcome, whether the server greeted a silent client, and the proof of the client's address.
    #[must_use]
    pub fn life(self) -> (Outcome, bool, Proof) {
        let (proof, kind) = (self.0 / Self::KINDS, self.0 % Self::KINDS);
        let outcome = Outcome::BY_NUMBER.get(usize::from(kind)).copied().unwrap_or(Outcome::Silent);
        (outcome, kind == Self::GREETED, Proof::ALL.get(usize::from(proof)).copied().unwrap_or_default())
    }
}

impl From<ConnSummary> for Code {
    fn from(life: ConnSummary) -> Self {
        let is_greeted = life.greeted && life.outcome == Outcome::Silent;
        let kind = if is_greeted { Self::GREETED } else { life.outcome as u8 };
        Self(life.proof as u8 * Self::KINDS + kind)
    }
}

/// Attempts by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutcomeCounts {
    counts: [u64; Outcome::ALL.len()],
    /// Silent attempts with a greeting of the server.
    pub greeted: u64,
    /// Attempts that prove the client's address.
    pub proofs: u64,
    /// Attempts whose proof rests on link-layer addresses; not in `proofs`.
    pub wire_proofs: u64,
}

impl OutcomeCounts {
    /// The number of attempts with this outcome.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.counts[outcome as usize]
    }

    /// Sets the number of attempts with this outcome.
    pub fn set(&mut self, outcome: Outcome, attempts: u64) {
        self.counts[outcome as usize] = attempts;
    }

    /// Adds one attempt.
    pub fn add(&mut self, code: Code) {
        let (outcome, greeted, proof) = code.life();
        self.counts[outcome as usize] += 1;
        self.greeted += u64::from(greeted);
        self.proofs += u64::from(proof == Proof::Yes);
        self.wire_proofs += u64::from(proof == Proof::Wire);
    }

    /// Adds an attempt whose outcome is resolved now. If its outcome was unknown before, it no longer counts
    /// as unknown.
    pub(crate) fn resolve(&mut self, before: Option<Outcome>, code: Code) {
        if before == Some(Outcome::Unknown) {
            let unknown = &mut self.counts[Outcome::Unknown as usize];
            *unknown = unknown.saturating_sub(1);
        }
        self.add(code);
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
    fn a_code_fits_its_bits_and_comes_back() {
        assert!(u64::from(Code::LIVES) <= 1 << Code::BITS);
        for bits in 0..1 << Code::BITS {
            let code = Code::from_bits(bits);
            let (outcome, greeted, proof) = code.life();
            assert_eq!(Code::from(ConnSummary { outcome, greeted, proof, ..ConnSummary::default() }), code);
        }
        assert_eq!(Code::from_bits(Code::LIVES.into()), Code::default());
        assert_eq!(Code::default().life(), (Outcome::Pending, false, Proof::None));
    }

    #[test]
    fn every_outcome_and_proof_has_a_code_of_its_own() {
        for outcome in Outcome::ALL {
            for proof in Proof::ALL {
                for greeted in [false, true] {
                    let code = Code::from(ConnSummary { outcome, greeted, proof, ..ConnSummary::default() });
                    let is_greeted = greeted && outcome == Outcome::Silent;
                    assert_eq!(code.life(), (outcome, is_greeted, proof));
                }
            }
            assert_eq!(outcome.name().parse(), Ok(outcome));
        }
    }
}
