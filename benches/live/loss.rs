//! The highest rate of SYNs of which less than 0.1 % is lost.

use std::fmt::Write as _;
use std::time::Duration;

use crate::cable::{Cable, Tool};
use crate::load::{Sources, Syns};
use crate::say;
use crate::sender::{Sender, Sent};

/// Packets a second that are tried first, and how much more each time.
const FIRST: f64 = 100_000.0;
const STEP: f64 = 1.25;
/// More than any machine of today sends: the search has an end.
const LAST: f64 = 2e7;
/// The part that may be lost.
const ALLOWED: f64 = 0.001;
/// A sender that reaches less than this part of a rate is at its own limit.
const REACHED: f64 = 0.95;
/// A rate is too high when it fails as often as this, for the program or for the sender: the machine may have been busy
/// otherwise.
const TRIES: u32 = 2;

/// How far a program got.
#[derive(Debug, Clone, Copy, Default)]
struct Best {
    /// The highest rate without loss, in packets a second.
    rate: f64,
    /// Whether the sender could not do more.
    is_senders: bool,
    is_done: bool,
}

/// Tries rising rates, both programs by turns.
pub(crate) fn table(cable: &Cable, seconds: u64) -> String {
    let mut table = String::from(
        "Highest rate of which less than 0.1 % is lost, SYNs of 60 bytes:\n\n\
         | sources | synwatch | tcpdump, same filter |\n| --- | --: | --: |\n",
    );
    for (sources, name) in [(Sources::Random, "random"), (Sources::Few, "1,000")] {
        let tools = [Tool::Synwatch(""), Tool::Tcpdump];
        let mut best = [Best::default(); 2];
        let mut rate = FIRST;
        while best.iter().any(|best| !best.is_done) && rate < LAST {
            for (tool, best) in tools.iter().zip(&mut best).filter(|(_, best)| !best.is_done) {
                try_rate(cable, *tool, sources, rate, seconds, best);
            }
            rate *= STEP;
        }
        // A string takes all that is written.
        let _ = writeln!(table, "| {name} | {} | {} |", shown(best[0]), shown(best[1]));
    }
    table.push_str("\n≥: all that the sender could send.\n");
    table
}

fn try_rate(cable: &Cable, tool: Tool, sources: Sources, rate: f64, seconds: u64, best: &mut Best) {
    for _ in 0..TRIES {
        let (sent, lost) = send(cable, tool, sources, rate, seconds);
        say(&format_args!(
            "{sources:?} sources, {}: {:.0} packets/s, {:.3} % lost",
            tool.name(),
            sent.rate(),
            100.0 * lost
        ));
        if lost < ALLOWED {
            best.rate = best.rate.max(sent.rate());
            if sent.rate() >= REACHED * rate {
                return;
            }
            best.is_senders = true;
        }
    }
    best.is_done = true;
}

/// What was sent, and the part of it that the program has not seen.
fn send(cable: &Cable, tool: Tool, sources: Sources, rate: f64, seconds: u64) -> (Sent, f64) {
    let program = tool.start(cable);
    let sent = cable.sender.enter(|| {
        Sender::open().flood(&mut Syns::from(sources), rate, Duration::from_secs(seconds), || false)
    });
    let seen = tool.stop(program);
    (sent, sent.packets.saturating_sub(seen) as f64 / sent.packets as f64)
}

fn shown(best: Best) -> String {
    let at_least = if best.is_senders { "≥ " } else { "" };
    match best.rate {
        0.0 => format!("below {FIRST:.0}/s"),
        rate => format!("{at_least}{rate:.0}/s"),
    }
}
