//! Replay side by side with what reads captures otherwise: `cargo bench --bench compare -- --help`.
//!
//! Makes the captures (see `traffic` in `tests/testkit`), runs this program, a bare libpcap loop, a bare read of the
//! file and the tools that are installed on each of them in turn, and prints medians of time and memory as Markdown.
//! It fails when this program does not report what it has to: a program that looks at nothing is fast, too.

mod check;
mod commands;
mod instructions;
mod measure;
mod table;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use commands::Command;
use measure::Sample;
use synwatch_testkit::traffic::{Kind, file};

/// A failure, as text for who started the bench.
type Failure = Box<dyn std::error::Error>;

/// Compares the replay of captures with what reads them otherwise.
#[derive(Debug, Parser)]
#[command(name = "compare", args_conflicts_with_subcommands = true)]
struct Arguments {
    /// The kinds of traffic to measure with [default: all]
    #[arg(value_enum)]
    kinds: Vec<Kind>,
    /// Where the captures are kept; all of 10 million packets take 7 GB [default: synwatch-bench in the system's
    /// directory for temporary files]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// How many packets each capture has
    #[arg(long, value_name = "N", default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    packets: u64,
    /// How many times each command runs
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Measure tshark and suricata too, which take minutes
    #[arg(long)]
    slow_tools: bool,
    #[command(subcommand)]
    mode: Option<Mode>,
    /// What cargo says to every bench
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Debug, Subcommand)]
enum Mode {
    /// Counts instructions, mispredicted branches and cache misses of a packet, by means of valgrind's callgrind
    Instructions {
        /// The kinds of traffic to measure with [default: all]
        #[arg(value_enum)]
        kinds: Vec<Kind>,
        /// How many packets each capture has
        #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
        packets: u64,
        /// Where the captures are kept
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// What this bench runs itself as, to be measured: libpcap's loop, which only counts
    #[command(hide = true)]
    LibpcapLoop { file: PathBuf },
    /// The same: a read of the file
    #[command(hide = true)]
    Read { file: PathBuf },
    /// The same: runs a command, and prints what it took
    #[command(hide = true)]
    Measure { stderr: PathBuf, program: OsString, arguments: Vec<OsString> },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.mode {
        None => compare(&arguments),
        Some(Mode::Instructions { kinds, packets, dir }) => {
            instructions::count(&directory(dir.as_deref()), *packets, chosen(kinds))
        }
        Some(Mode::LibpcapLoop { file }) => commands::libpcap_loop(file),
        Some(Mode::Read { file }) => commands::read(file),
        Some(Mode::Measure { stderr, program, arguments }) => measure::run_here(program, arguments, stderr),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format_args!("compare: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn compare(arguments: &Arguments) -> Result<(), Failure> {
    let directory = directory(arguments.dir.as_deref());
    let captures = chosen(&arguments.kinds)
        .iter()
        .map(|&kind| Ok((kind, made(&directory, kind, arguments.packets)?)))
        .collect::<Result<Vec<_>, Failure>>()?;
    let mut out = io::stdout().lock();
    for (kind, capture) in &captures {
        let commands = commands::all(capture, arguments.slow_tools)?;
        let samples = run(&commands, arguments, *kind, &directory)?;
        let size = capture.metadata()?.len();
        table::write(&mut out, *kind, arguments.packets, size, &commands, &samples)?;
        out.flush()?;
    }
    Ok(())
}

/// The kinds that were asked for, or all.
fn chosen(kinds: &[Kind]) -> &[Kind] {
    if kinds.is_empty() { &Kind::ALL } else { kinds }
}

/// Runs all commands so many times, by turns, each time beginning with another one. Gives what each run of each took.
fn run(
    commands: &[Command],
    arguments: &Arguments,
    kind: Kind,
    directory: &Path,
) -> Result<Vec<Vec<Sample>>, Failure> {
    let output = directory.join(format!("{kind}.{}.stderr", std::process::id()));
    let mut samples = vec![Vec::new(); commands.len()];
    // What has been read is in the page cache, for all of them.
    commands::warm(commands)?;
    for run in 0..arguments.runs as usize {
        for turn in 0..commands.len() {
            let at = (run + turn) % commands.len();
            let command = &commands[at];
            if command.is_slow && run > 0 {
                continue;
            }
            say(&format_args!("{kind}: run {} of {}: {}", run + 1, arguments.runs, command.name));
            let sample = measure::run(command, &output)?;
            if command.is_ours {
                check::reports(&output, kind, arguments.packets)?;
            }
            samples[at].push(sample);
        }
    }
    std::fs::remove_file(output)?;
    Ok(samples)
}

/// A capture, which is made unless it is there.
fn made(directory: &Path, kind: Kind, packets: u64) -> Result<PathBuf, Failure> {
    say(&format_args!("{kind}: capture of {packets} packets in {}", directory.display()));
    file::capture(directory, kind, packets).map_err(|error| {
        format!("cannot make a capture in {:?}: {error}; choose another --dir", directory).into()
    })
}

fn directory(chosen: Option<&Path>) -> PathBuf {
    chosen.map_or_else(|| std::env::temp_dir().join("synwatch-bench"), Path::to_owned)
}

/// Says how it goes on. Standard output is for the tables.
fn say(text: &dyn Display) {
    // Nobody is left to be told when standard error is closed.
    let _ = writeln!(io::stderr(), "{text}");
}
