//! Live capture on a veth cable, side by side with tcpdump: `cargo bench --bench live -- --help`.
//!
//! Needs root, iproute2 and tcpdump. All packets stay in two network namespaces that the bench makes and removes; the
//! addresses in them are private, or reserved for documentation.
//!
//! The sender is a thread of this process. On a veth cable the sender's processor also does what an interrupt of a
//! network card does: it filters each packet and copies it into the ring of who captures. So with two processors one is
//! left for the capturing program, as on a gateway with one busy card.

#![allow(
    clippy::unwrap_used,
    reason = "a bench that cannot go on ends with what was in its way, as a test does"
)]

mod cable;
mod clients;
mod cpu;
mod flood;
mod latency;
mod load;
mod loss;
mod sender;
mod viewers;

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use cable::Cable;

/// Measures live capture, in network namespaces of its own.
#[derive(Debug, Parser)]
#[command(name = "live")]
struct Arguments {
    /// What to measure [default: all]
    #[arg(value_enum)]
    what: Vec<What>,
    /// How long each step of loss and CPU time lasts, in seconds
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// How many attackers each latency is measured with
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=4000))]
    samples: u32,
    /// How many pairs of runs, without clients and with them, at each rate
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pairs: u32,
    /// What cargo says to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// The highest rate of SYNs without loss, for this program and for tcpdump
    Loss,
    /// The CPU time for 97 % data packets, for this program and for tcpdump
    Cpu,
    /// The time from an attempt that meets the limit to its report
    Latency,
    /// What a flood of forged sources does to the rest
    Flood,
    /// What eight clients at the control socket, one of which never reads, do to a run under flood
    Clients,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let cable = match Cable::lay() {
        Ok(cable) => cable,
        Err(why) => {
            say(&format_args!("live: cannot measure: {why}"));
            return ExitCode::FAILURE;
        }
    };
    let wanted = |what| arguments.what.is_empty() || arguments.what.contains(&what);
    if wanted(What::Loss) {
        print(&loss::table(&cable, arguments.seconds));
    }
    if wanted(What::Cpu) {
        print(&cpu::table(&cable, arguments.seconds));
    }
    if wanted(What::Latency) {
        print(&latency::table(&cable, arguments.samples));
    }
    if wanted(What::Flood) {
        print(&flood::table(&cable));
    }
    if wanted(What::Clients) {
        print(&clients::table(&cable, arguments.pairs, arguments.samples));
    }
    ExitCode::SUCCESS
}

fn print(table: &str) {
    // Nobody is left to read it when standard output is closed.
    let _ = writeln!(io::stdout(), "{table}");
}

/// Says how it goes on.
fn say(text: &dyn Display) {
    let _ = writeln!(io::stderr(), "{text}");
}
