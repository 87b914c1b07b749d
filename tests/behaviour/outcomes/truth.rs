//! The correct outcomes of a connection: exact if the monitor saw all of it, and never wrong if it did not.
//!
//! - All seen: the outcome and the bytes follow from what both sides did. If the wire leaves two possibilities (a byte,
//!   or a FIN lost before the monitor), the outcome is unknown.
//! - Some missed: `silent` and `spoke` are true, and bytes are at most those sent, plus one for a missed FIN.
//!   `refused`, `unanswered` and `half-open` are reported only if no answer, or no acknowledgment of it, was seen;
//!   `open` only if no end was seen.

use synwatch::engine::outcome::{ConnSummary, Outcome, Proof};

use super::endpoints::{End, Sent};
use super::lives::{Lived, Passed, SECOND};

/// How long an attempt waits, in ticks.
const PATIENCE: u64 = 30 * SECOND;

/// What the wire held, as far as ends go.
struct Wire<'a> {
    lived: &'a Lived,
    client_isn: u32,
    segments: Vec<Sent>,
}

impl<'a> Wire<'a> {
    fn new(lived: &'a Lived, is_wanted: impl Fn(&Passed) -> bool) -> Self {
        let told = lived.passed.iter().filter(|passed| passed.sent.tells() && is_wanted(passed));
        let segments = told.map(|passed| passed.sent);
        Self { lived, client_isn: lived.passed[0].sent.seq, segments: segments.collect() }
    }

    fn any(&self, is_it: impl Fn(&Sent) -> bool) -> bool {
        self.segments.iter().any(is_it)
    }

    fn is_answered(&self) -> bool {
        self.any(|sent| !sent.from_client && sent.syn)
    }

    /// The client went on after its SYN.
    fn client_goes_on(&self) -> bool {
        self.any(|sent| sent.from_client && !sent.syn && sent.ack.is_some())
    }

    /// The client acknowledged an answer that was seen, or what came after it.
    fn is_answer_acknowledged(&self) -> bool {
        let is_answer = |sent: &&Sent| !sent.from_client && sent.syn;
        let first = self.segments.iter().position(|sent| is_answer(&sent)).unwrap_or(0);
        let (early, rest) = self.segments.split_at(first);
        let mut numbers = self.segments.iter().filter(is_answer).map(|answer| answer.seq);
        numbers.any(|isn| {
            let knows = |ack: u32| ack != isn && ack.wrapping_sub(isn) <= 0xffff;
            // A reset of the SYN-ACK is none: whatever does not know the connection sends one. Nor is a probe, one
            // number back.
            let offset = |sent: &Sent| sent.seq.wrapping_sub(self.client_isn);
            let is_none = |sent: &Sent| offset(sent) == 0 || sent.rst && offset(sent) == 1;
            let is_it = |sent: &Sent| sent.from_client && !is_none(sent) && sent.ack.is_some_and(knows);
            // Before the answer, only the handshake's own ACK can be judged by it.
            rest.iter().any(is_it) || early.iter().any(|sent| offset(sent) == 1 && is_it(sent))
        })
    }

    /// Whether a segment resets the connection: not a refusal of a SYN that came late, unless its number happens to
    /// fit.
    fn resets(&self, sent: &Sent) -> bool {
        let fits = |isn: u32| sent.seq.wrapping_sub(isn).wrapping_sub(1) < 0xffff;
        let mut answers = self.segments.iter().filter(|sent| !sent.from_client && sent.syn);
        sent.rst && (!sent.refuses || answers.any(|answer| fits(answer.seq)))
    }

    /// The client's bare reset carries the number after its SYN's.
    fn is_reset_after_syn(&self) -> bool {
        let next = self.client_isn.wrapping_add(1);
        self.any(|sent| sent.from_client && sent.rst && sent.ack.is_none() && sent.seq == next)
    }

    fn is_reset(&self) -> bool {
        self.any(|sent| self.resets(sent))
    }

    /// The most bytes that the server acknowledges, or a client's bare reset tells.
    fn heard(&self) -> Option<u32> {
        let ends = self.segments.iter().filter_map(|sent| match (sent.from_client, sent.ack) {
            (false, Some(ack)) if !sent.rst || self.resets(sent) => Some(ack),
            (true, None) if sent.rst => Some(sent.seq),
            _ => None,
        });
        ends.map(|end| end.wrapping_sub(self.client_isn).wrapping_sub(1)).max()
    }

    /// Whether a SYN was waited for in vain, until the next one or the end. What was settled then stays. Waiting for
    /// the client's ACK begins with an answer.
    fn was_in_vain(&self) -> bool {
        let seen = |is_it: fn(&Sent) -> bool| {
            let passed = self.lived.passed.iter().filter(move |passed| !passed.missed && is_it(&passed.sent));
            passed.map(|passed| passed.time)
        };
        let syns: Vec<_> = seen(|sent| sent.from_client && sent.syn).collect();
        let answered = seen(|sent| !sent.from_client && sent.syn).next().unwrap_or(0);
        let ends = syns.iter().copied().skip(1).chain([self.lived.now]);
        syns.iter().zip(ends).any(|(syn, end)| end > syn + PATIENCE && end >= answered)
    }
}

/// The outcomes that are right, and the client's bytes, when all was seen.
pub(crate) fn exact(lived: &Lived) -> (Vec<Outcome>, Option<u32>) {
    let wire = Wire::new(lived, |_| true);
    let over = |outcome| if wire.was_in_vain() { outcome } else { Outcome::Pending };
    if !wire.is_answered() {
        let refused = wire.any(|sent| sent.rst);
        return (vec![if refused { Outcome::Refused } else { over(Outcome::Unanswered) }], None);
    }
    if !lived.client.was_established {
        let mut right = vec![if wire.is_reset() { Outcome::HalfOpen } else { over(Outcome::HalfOpen) }];
        // It answered, was gone, and refused the SYN when that came again.
        if wire.any(|sent| sent.refuses) {
            right.extend([Outcome::HalfOpen, over(Outcome::HalfOpen)]);
        }
        // Data on the SYN cannot be distinguished from later data.
        right.extend((wire.is_reset() && lived.passed[0].sent.len > 0).then_some(Outcome::Unknown));
        return (right, None);
    }
    let said = |bytes| match bytes {
        0 => (vec![Outcome::Silent], Some(0)),
        _ => (vec![Outcome::Spoke], Some(bytes)),
    };
    let heard = |heard: Option<u32>| match heard {
        Some(bytes) if bytes > 1 => said(bytes),
        _ => (vec![Outcome::Unknown], None),
    };
    let client = |is_it: fn(&Sent) -> bool| wire.any(|sent| sent.from_client && is_it(sent));
    if client(|sent| sent.fin) {
        return said(lived.client.said);
    }
    if client(|sent| sent.rst && sent.ack.is_some()) {
        // One number after the SYN's is a byte, or a FIN that was lost on its way to the monitor.
        return if lived.client.said == 1 { heard(None) } else { said(lived.client.said) };
    }
    if client(|sent| sent.rst) {
        // The number after the SYN's: the server had heard nothing.
        return match wire.heard() {
            Some(0) => said(0),
            bytes => heard(bytes),
        };
    }
    if wire.is_reset() {
        // Its own reset tells what it took; one that answers, that something else was said.
        let seems_its_own = wire.any(|sent| sent.refuses && wire.resets(sent));
        let is_its_own =
            !lived.server.was_asked_when_gone && (lived.server.end != End::Gone || seems_its_own);
        return match wire.heard() {
            Some(0) if is_its_own => said(0),
            bytes => heard(bytes),
        };
    }
    match wire.heard() {
        Some(bytes) if bytes > 1 && wire.any(|sent| !sent.from_client && sent.fin) => said(bytes),
        _ => (vec![Outcome::Open], None),
    }
}

/// Whether the reported outcome is right if all segments were seen.
pub(crate) fn judge_all_seen(told: &ConnSummary, lived: &Lived) -> Result<(), String> {
    let (right, bytes) = exact(lived);
    check(right.contains(&told.outcome), || format!("{} instead of {right:?}", told.outcome))?;
    if let Some(bytes) = bytes {
        check(told.sent == bytes, || format!("{} bytes instead of {bytes}", told.sent))?;
    }
    let wire = Wire::new(lived, |_| true);
    check((told.proof == Proof::Yes) == lived.client.was_established, || "proven?".to_owned())?;
    let is_closed = matches!(told.outcome, Outcome::Silent | Outcome::Spoke);
    if is_closed && wire.any(|sent| !sent.from_client && sent.fin) {
        check(told.received == lived.server.said, || {
            format!("{} bytes received instead of {}", told.received, lived.server.said)
        })?;
    }
    judge_some_missed(told, lived)
}

/// Whether the reported outcome is not wrong, however many segments were missed.
pub(crate) fn judge_some_missed(told: &ConnSummary, lived: &Lived) -> Result<(), String> {
    let seen = Wire::new(lived, |passed| !passed.missed);
    let said = lived.client.said;
    let closed_by_server = seen.any(|sent| !sent.from_client && sent.rst && sent.ack.is_some());
    let is_right = match told.outcome {
        Outcome::Silent => {
            said == 0 || closed_by_server && lived.server.taken == 0 || seen.is_reset_after_syn()
        }
        Outcome::Spoke => said > 0,
        Outcome::Refused => !seen.is_answered() && !seen.client_goes_on() && seen.any(|sent| sent.rst),
        Outcome::Unanswered => !seen.is_answered() && !seen.client_goes_on() && seen.was_in_vain(),
        Outcome::HalfOpen => seen.is_answered() && !seen.is_answer_acknowledged(),
        Outcome::Open => {
            lived.client.was_established && !seen.any(|sent| sent.from_client && sent.fin) && !seen.is_reset()
        }
        Outcome::Pending | Outcome::Unknown => true,
    };
    check(is_right, || format!("{} is wrong", told.outcome))?;
    let fin = u32::from(lived.client.end == End::Fin && !seen.any(|sent| sent.from_client && sent.fin));
    check(told.sent <= said + fin, || format!("{} bytes of {said}", told.sent))?;
    let fin = u32::from(lived.server.end == End::Fin);
    check(told.received <= lived.server.said + fin, || {
        format!("{} bytes received of {}", told.received, lived.server.said)
    })?;
    check(!told.greeted || lived.server.said > 0, || "greeted although the server sent nothing".to_owned())?;
    check(told.proof == Proof::None || lived.client.was_established, || {
        "proven although the client was not established".to_owned()
    })
}

fn check(is_right: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if is_right { Ok(()) } else { Err(what()) }
}
