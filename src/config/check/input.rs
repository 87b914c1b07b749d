//! Where packets come from, and which of them are looked at.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::MIB;
use super::value::{number, size, time, wrong};
use crate::cli::{Cli, Written, is_option};
use crate::config::{Input, LiveSettings, Refused, ReplayInput, UsageError};
use crate::units::Bytes;

const KIB: u64 = 1 << 10;
const GIB: u64 = MIB << 10;

/// At least Ethernet, IPv6 and TCP without options; at most what libpcap takes.
const SNAP_LENGTH: RangeInclusive<u32> = 64..=262_144;
/// Never zero, which can block for ever; reports lag by no more than this.
const READ_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(10);
/// libpcap takes an `i32`.
const BUFFER: RangeInclusive<Bytes> = Bytes(64 * KIB)..=Bytes(GIB);
/// One thread counts: more than this have nobody to read for.
const THREADS: RangeInclusive<usize> = 1..=64;

pub(super) fn input(cli: &Cli, live: LiveSettings) -> Result<Input, UsageError> {
    match (cli.interface.is_empty(), cli.read.is_empty(), cli.list_interfaces) {
        (true, true, false) if cli.test_config => Ok(Input::Nothing),
        (true, true, false) => Err(cli.config.clone().map_or(UsageError::NoInput, UsageError::NoInputInFile)),
        (false, false, _) => Err(UsageError::TwoInputs("-i", "-r")),
        (false, true, true) => Err(UsageError::TwoInputs("-D", "-i")),
        (true, false, true) => Err(UsageError::TwoInputs("-D", "-r")),
        (true, true, true) => Ok(Input::ListInterfaces),
        (false, true, false) => Ok(Input::Live(live)),
        (true, false, false) => replay(&cli.read).map(Input::Replay),
    }
}

/// How interfaces are watched, if there are any.
pub(super) fn live(cli: &Cli, faults: &mut Refused) -> LiveSettings {
    for (index, interface) in cli.interface.iter().enumerate() {
        if interface.value.is_empty() {
            faults.add(wrong("interface", interface, "no name (-D lists interfaces)"));
        }
        if cli.interface[..index].iter().any(|other| other.value == interface.value) {
            faults.add(wrong("interface", interface, "given twice (once is enough)"));
        }
    }
    LiveSettings {
        interfaces: cli.interface.iter().map(|interface| interface.value.clone()).collect(),
        snap_length: faults.note(number("snap-length", &cli.snap_length, SNAP_LENGTH)),
        buffer: faults.note(size("buffer", &cli.buffer, BUFFER)),
        promisc: cli.promisc,
        read_timeout: faults.note(time("read-timeout", &cli.read_timeout, READ_TIMEOUT)),
        threads: faults.note(threads(cli)),
    }
}

/// How many threads read. A capture file is read by one.
fn threads(cli: &Cli) -> Result<usize, UsageError> {
    let threads = number("threads", &cli.threads, THREADS)?;
    if threads > 1 && !cli.read.is_empty() {
        return Err(wrong("threads", &cli.threads, "a replay is read by one thread (give it with -i)"));
    }
    Ok(threads)
}

fn replay(files: &[PathBuf]) -> Result<Vec<ReplayInput>, UsageError> {
    let is_stdin = |file: &Path| file == Path::new("-");
    if files.iter().filter(|file| is_stdin(file)).count() > 1 {
        let stdin = Written::from("-".to_owned());
        return Err(wrong("read", &stdin, "standard input can be read only once"));
    }
    let inputs = files
        .iter()
        .map(|file| if is_stdin(file) { ReplayInput::Stdin } else { ReplayInput::File(file.clone()) });
    Ok(inputs.collect())
}

/// The words after the options, joined. What was surely meant as something else is said here, since libpcap would
/// only say "syntax error".
pub(super) fn expression(cli: &Cli) -> Result<Option<Written>, UsageError> {
    /// How capture files are called, which nothing in an expression is.
    const CAPTURES: [&str; 5] = [".pcap", ".pcapng", ".cap", ".gz", ".zst"];
    for word in &cli.expression {
        if is_option(&word.value) {
            return Err(wrong("expression", word, "an option (give options before the expression)"));
        }
        if cli.interface.is_empty() && CAPTURES.iter().any(|suffix| word.value.ends_with(suffix)) {
            return Err(wrong("expression", word, "a capture file (give each after an -r of its own)"));
        }
    }
    let words: Vec<_> = cli.expression.iter().map(|word| word.value.as_str()).collect();
    let joined = words.join(" ");
    let joined = joined.trim();
    let first = cli.expression.first().filter(|_| !joined.is_empty());
    Ok(first.map(|first| Written { value: joined.to_owned(), place: first.place.clone() }))
}
