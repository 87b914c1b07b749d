//! The settings of input: the source of packets, and the filter.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::MIB;
use super::value::{number, size, time, wrong};
use crate::base::units::Bytes;
use crate::cli::{Cli, Located, command_like, is_option};
use crate::config::{Input, LiveSettings, Refused, ReplayInput, UsageError};
use crate::wire::decode::{Tunnels, VxlanPorts};

const KIB: u64 = 1 << 10;
const GIB: u64 = MIB << 10;

/// From Ethernet, IPv6 and TCP headers without options up to libpcap's maximum.
const SNAP_LENGTH: RangeInclusive<u32> = 64..=262_144;
/// Never zero, which can block forever. The maximum bounds the delay of reports.
const READ_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(10);
/// libpcap takes an `i32`.
const BUFFER: RangeInclusive<Bytes> = Bytes(64 * KIB)..=Bytes(GIB);

pub(super) fn input(cli: &Cli, live: LiveSettings) -> Result<Input, UsageError> {
    match (cli.interface.is_empty(), cli.read.is_empty(), cli.list_interfaces) {
        (true, true, false) if cli.test_config => Ok(Input::Nothing),
        (true, true, false) => Err(no_input(cli)),
        (false, false, _) => Err(UsageError::TwoInputs("-i", "-r")),
        (false, true, true) => Err(UsageError::TwoInputs("-D", "-i")),
        (true, false, true) => Err(UsageError::TwoInputs("-D", "-r")),
        (true, true, true) => Ok(Input::ListInterfaces),
        (false, true, false) => Ok(Input::Live(live)),
        (true, false, false) => replay(&cli.read).map(Input::Replay),
    }
}

fn no_input(cli: &Cli) -> UsageError {
    if let Some(config) = &cli.config {
        return UsageError::NoInputInFile(config.clone());
    }
    let word = cli.expression.first().map(|word| word.value.clone());
    let command = word.as_deref().and_then(command_like);
    word.zip(command).map_or(UsageError::NoInput, |(word, command)| UsageError::NoSuchCommand(word, command))
}

/// The settings of live capture, if there are interfaces.
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
    }
}

/// Whether to decode tunnels, and the ports of VXLAN.
pub(super) fn tunnels(cli: &Cli) -> Result<Tunnels, UsageError> {
    let wrong = || {
        let cause = format!("not 1 to {} port numbers, separated by commas (4789,8472)", VxlanPorts::MOST);
        wrong("vxlan-ports", &cli.vxlan_ports, cause)
    };
    let ports = cli.vxlan_ports.value.split(',').map(|port| port.trim().parse());
    let ports: Vec<u16> = ports.collect::<Result<_, _>>().map_err(|_| wrong())?;
    let ports = VxlanPorts::new(&ports).ok_or_else(wrong)?;
    Ok(if cli.tunnels { Tunnels::Enter(ports) } else { Tunnels::Skip })
}

fn replay(files: &[PathBuf]) -> Result<Vec<ReplayInput>, UsageError> {
    let is_stdin = |file: &Path| file == Path::new("-");
    if files.iter().filter(|file| is_stdin(file)).count() > 1 {
        let stdin = Located::from("-".to_owned());
        return Err(wrong("read", &stdin, "standard input can be read only once"));
    }
    let inputs = files
        .iter()
        .map(|file| if is_stdin(file) { ReplayInput::Stdin } else { ReplayInput::File(file.clone()) });
    Ok(inputs.collect())
}

/// Joins the words after the options. Words that are probably a mistake are refused here, because libpcap would only
/// report "syntax error".
pub(super) fn expression(cli: &Cli) -> Result<Option<Located>, UsageError> {
    /// Extensions of capture files, which occur in no expression.
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
    Ok(first.map(|first| Located { value: joined.to_owned(), place: first.place.clone() }))
}
