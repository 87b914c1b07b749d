//! From options to settings: each value read, each range held to, contradictions refused.

use std::fmt::Display;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use log::LevelFilter;

use super::files::{SystemServices, allow_file};
use super::{Input, LiveSettings, Output, ReplayInput, Settings, UsageError, WatchSettings, WriteSettings};
use crate::cli::{Cli, is_option};
use crate::units::{Bytes, Span, duration};
use crate::watch::{AllowList, Limit, Limits, PortSet, allow, services};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

/// At least Ethernet, IPv6 and TCP without options; at most what libpcap takes.
const SNAP_LENGTH: RangeInclusive<u32> = 64..=262_144;
/// Never zero, which can block for ever; reports lag by no more than this.
const READ_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(10);
/// libpcap takes an `i32`.
const BUFFER: RangeInclusive<Bytes> = Bytes(64 * KIB)..=Bytes(GIB);
const QUIET_TIME: RangeInclusive<Duration> = Duration::from_secs(1)..=Limit::MAX_WINDOW;
const UPDATE: RangeInclusive<Duration> = Duration::from_secs(1)..=Limit::MAX_WINDOW;
const STATS_INTERVAL: RangeInclusive<Duration> = Duration::from_secs(1)..=Limit::MAX_WINDOW;
const MEMORY: RangeInclusive<Bytes> = Bytes(MIB)..=Bytes(TIB);
const MAX_EPISODES: RangeInclusive<usize> = 1..=1_000_000;
const WRITE_MAX: RangeInclusive<Bytes> = Bytes(64 * KIB)..=Bytes(16 * TIB);
const PREFIX4: RangeInclusive<u8> = 1..=32;
const PREFIX6: RangeInclusive<u8> = 1..=128;

impl Settings {
    /// Reads and checks the options.
    ///
    /// # Errors
    /// A value is not one that its option takes, options contradict each other, or an allow file cannot be read.
    pub fn new(cli: Cli) -> Result<Self, UsageError> {
        let expression = expression(&cli)?;
        let input = input(&cli)?;
        let (json, write) = (json(&cli), write(&cli)?);
        refuse_overwriting(&input, json.as_ref(), write.as_ref())?;
        Ok(Self {
            input,
            expression,
            watches: vec![watch(&cli)?],
            allow: allow_list(&cli)?,
            allow_self: !cli.no_allow_self,
            tunnels: cli.tunnels,
            quiet_time: time("quiet-time", &cli.quiet_time, QUIET_TIME)?,
            update: time("update", &cli.update, UPDATE)?,
            memory: size("memory", &cli.memory, MEMORY)?,
            max_episodes: number("max-episodes", &cli.max_episodes, MAX_EPISODES)?,
            json,
            stats_interval: match &cli.stats_interval {
                Some(text) => Some(time("stats-interval", text, STATS_INTERVAL)?),
                None => None,
            },
            write,
            user: cli.user.clone(),
            metrics: metrics(&cli)?,
            log_format: read("log-format", &cli.log_format)?,
            allow_files: cli.allow_file.clone(),
            utc: cli.utc,
            fail_on_alert: cli.fail_on_alert,
            summary: !cli.quiet,
            verbosity: match (cli.quiet, cli.verbose) {
                (true, _) => LevelFilter::Error,
                (false, 0) => LevelFilter::Warn,
                (false, 1) => LevelFilter::Info,
                (false, 2) => LevelFilter::Debug,
                (false, _) => LevelFilter::Trace,
            },
        })
    }
}

/// The words after the options, joined. What was surely meant as something else is said here, since libpcap would
/// only say "syntax error".
fn expression(cli: &Cli) -> Result<Option<String>, UsageError> {
    /// How capture files are called, which nothing in an expression is.
    const CAPTURES: [&str; 5] = [".pcap", ".pcapng", ".cap", ".gz", ".zst"];
    for word in &cli.expression {
        if is_option(word) {
            return Err(wrong("expression", word, "an option (give options before the expression)"));
        }
        if cli.interface.is_empty() && CAPTURES.iter().any(|suffix| word.ends_with(suffix)) {
            return Err(wrong("expression", word, "a capture file (give each after an -r of its own)"));
        }
    }
    let joined = cli.expression.join(" ");
    let joined = joined.trim();
    Ok((!joined.is_empty()).then(|| joined.to_owned()))
}

fn input(cli: &Cli) -> Result<Input, UsageError> {
    match (cli.interface.is_empty(), cli.read.is_empty(), cli.list_interfaces) {
        (true, true, false) => Err(UsageError::NoInput),
        (false, false, _) => Err(UsageError::TwoInputs("-i", "-r")),
        (false, true, true) => Err(UsageError::TwoInputs("-D", "-i")),
        (true, false, true) => Err(UsageError::TwoInputs("-D", "-r")),
        (true, true, true) => Ok(Input::ListInterfaces),
        (false, true, false) => live(cli).map(Input::Live),
        (true, false, false) => replay(&cli.read).map(Input::Replay),
    }
}

fn live(cli: &Cli) -> Result<LiveSettings, UsageError> {
    for (index, interface) in cli.interface.iter().enumerate() {
        if interface.is_empty() {
            return Err(wrong("interface", interface, "no name (-D lists interfaces)"));
        }
        if cli.interface[..index].contains(interface) {
            return Err(wrong("interface", interface, "given twice (once is enough)"));
        }
    }
    Ok(LiveSettings {
        interfaces: cli.interface.clone(),
        snap_length: number("snap-length", &cli.snap_length, SNAP_LENGTH)?,
        buffer: size("buffer", &cli.buffer, BUFFER)?,
        promisc: cli.promisc,
        read_timeout: time("read-timeout", &cli.read_timeout, READ_TIMEOUT)?,
    })
}

fn replay(files: &[PathBuf]) -> Result<Vec<ReplayInput>, UsageError> {
    let is_stdin = |file: &Path| file == Path::new("-");
    if files.iter().filter(|file| is_stdin(file)).count() > 1 {
        return Err(wrong("read", "-", "standard input can be read only once"));
    }
    let inputs = files
        .iter()
        .map(|file| if is_stdin(file) { ReplayInput::Stdin } else { ReplayInput::File(file.clone()) });
    Ok(inputs.collect())
}

fn json(cli: &Cli) -> Option<Output> {
    let path = cli.json.as_ref()?;
    Some(if path == Path::new("-") { Output::Stdout } else { Output::File(path.clone()) })
}

fn write(cli: &Cli) -> Result<Option<WriteSettings>, UsageError> {
    let max = size("write-max", &cli.write_max, WRITE_MAX)?;
    match &cli.write {
        Some(path) if path == Path::new("-") => {
            Err(wrong("write", "-", "standard output is not written to (name a file)"))
        }
        Some(path) => Ok(Some(WriteSettings { path: path.clone(), max })),
        None => Ok(None),
    }
}

/// Refuses names that would make one file's contents replace another's. Links that hide this are not followed.
fn refuse_overwriting(
    input: &Input,
    json: Option<&Output>,
    write: Option<&WriteSettings>,
) -> Result<(), UsageError> {
    let json = json.and_then(|json| match json {
        Output::File(path) => Some(path),
        Output::Stdout => None,
    });
    let write = write.map(|write| &write.path);
    let is_read = |path: &PathBuf| match input {
        Input::Replay(files) => files.contains(&ReplayInput::File(path.clone())),
        Input::Live(_) | Input::ListInterfaces => false,
    };
    for (option, path) in [("json", json), ("write", write)] {
        if let Some(path) = path.filter(|path| is_read(path)) {
            return Err(wrong(option, &path.to_string_lossy(), "the file that -r reads (name another)"));
        }
    }
    match write {
        Some(path) if json == Some(path) => {
            Err(wrong("write", &path.to_string_lossy(), "the file that --json writes (name another)"))
        }
        _ => Ok(()),
    }
}

/// An address and a port, or a port of this host alone.
fn metrics(cli: &Cli) -> Result<Option<SocketAddr>, UsageError> {
    let Some(text) = &cli.metrics else { return Ok(None) };
    if cli.interface.is_empty() {
        return Err(wrong("metrics", text, "a replay has none (give it with -i)"));
    }
    let text = text.trim();
    let port = text.parse().ok().map(|port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    match port.or_else(|| text.parse().ok()) {
        Some(address) => Ok(Some(address)),
        None => Err(wrong(
            "metrics",
            text,
            "not a port, nor an address with one (9925, 127.0.0.1:9925, [::1]:9925)",
        )),
    }
}

fn watch(cli: &Cli) -> Result<WatchSettings, UsageError> {
    let others = SystemServices::default();
    let service = |name: &str| services::well_known(name).or_else(|| others.port(name));
    let ports = PortSet::parse(&cli.ports, service).map_err(|cause| wrong("ports", &cli.ports, cause))?;
    let name = if ports == PortSet::mail() { "mail" } else { "custom" };
    let mut limits = Vec::new();
    for text in &cli.limit {
        let limit: Limit = read("limit", text)?;
        if !limits.contains(&limit) {
            limits.push(limit);
        }
    }
    Ok(WatchSettings {
        name: name.into(),
        ports,
        limits: Limits {
            sources: limits,
            networks: limit_or_off("network-limit", &cli.network_limit)?,
            destinations: limit_or_off("destination-limit", &cli.destination_limit)?,
        },
        prefix4: number("prefix4", &cli.prefix4, PREFIX4)?,
        prefix6: number("prefix6", &cli.prefix6, PREFIX6)?,
    })
}

/// A limit of attempts, or none.
fn limit_or_off(option: &'static str, text: &str) -> Result<Option<Limit>, UsageError> {
    if text == "off" {
        return Ok(None);
    }
    let limit: Limit = read(option, text)?;
    match limit.outcome {
        None => Ok(Some(limit)),
        Some(_) => Err(wrong(option, text, "counts attempts alone (--limit takes outcomes)")),
    }
}

fn allow_list(cli: &Cli) -> Result<AllowList, UsageError> {
    let mut networks = Vec::new();
    for text in &cli.allow {
        networks.push(allow::network(text).map_err(|cause| wrong("allow", text, cause))?);
    }
    for path in &cli.allow_file {
        networks.extend(allow_file(path)?);
    }
    Ok(networks.into_iter().collect())
}

fn time(option: &'static str, text: &str, range: RangeInclusive<Duration>) -> Result<Duration, UsageError> {
    let value = duration(text).map_err(|cause| wrong(option, text, cause))?;
    within(option, text, value, range, Span)
}

fn size(option: &'static str, text: &str, range: RangeInclusive<Bytes>) -> Result<Bytes, UsageError> {
    within(option, text, read(option, text)?, range, |size| size)
}

fn number<N>(option: &'static str, text: &str, range: RangeInclusive<N>) -> Result<N, UsageError>
where
    N: FromStr + PartialOrd + Copy + Display,
{
    let digits = text.trim();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong(option, text, format!("not a number from {} to {}", range.start(), range.end())));
    }
    let value = digits.parse().ok().filter(|value| range.contains(value));
    value.ok_or_else(|| wrong(option, text, format!("not from {} to {}", range.start(), range.end())))
}

fn read<T: FromStr<Err: Display>>(option: &'static str, text: &str) -> Result<T, UsageError> {
    text.parse().map_err(|cause| wrong(option, text, cause))
}

/// Holds a value to its range; `shown` is how its ends are displayed.
fn within<T: PartialOrd + Copy, D: Display>(
    option: &'static str,
    text: &str,
    value: T,
    range: RangeInclusive<T>,
    shown: impl Fn(T) -> D,
) -> Result<T, UsageError> {
    if range.contains(&value) {
        return Ok(value);
    }
    let (least, most) = (shown(*range.start()), shown(*range.end()));
    Err(wrong(option, text, format!("not from {least} to {most}")))
}

fn wrong(option: &'static str, value: &str, cause: impl Display) -> UsageError {
    UsageError::Value { option, value: value.to_owned(), cause: cause.to_string() }
}

#[cfg(test)]
mod tests;
