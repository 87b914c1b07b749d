//! The table of a capture, in Markdown.

use std::io::{self, Write};

use crate::commands::Command;
use crate::measure::Sample;
use synwatch_testkit::traffic::Kind;

/// Writes the medians of all commands, and how each compares with libpcap's loop.
pub(crate) fn write(
    out: &mut impl Write,
    kind: Kind,
    packets: u64,
    size: u64,
    commands: &[Command],
    samples: &[Vec<Sample>],
) -> io::Result<()> {
    writeln!(
        out,
        "`{kind}`: {} million packets, {:.0} bytes each, {:.2} GB\n",
        packets as f64 / 1e6,
        (size.saturating_sub(24) as f64 / packets as f64) - 16.0,
        size as f64 / 1e9,
    )?;
    writeln!(out, "| command | wall time | to libpcap's loop | CPU time | a packet | peak memory |")?;
    writeln!(out, "| --- | --: | --: | --: | --: | --: |")?;
    let a_packet = |command: &Command, samples: &[Sample]| {
        median(samples, |sample| sample.wall).as_secs_f64()
            / command.packets.unwrap_or(packets).min(packets) as f64
    };
    let all = || commands.iter().zip(samples);
    let measure =
        all().find(|(command, _)| command.is_measure).map(|(command, samples)| a_packet(command, samples));
    for (command, samples) in all() {
        let each = a_packet(command, samples);
        let part = match command.packets.filter(|part| *part < packets) {
            Some(part) => format!(" (the first {} million)", part as f64 / 1e6),
            None => String::new(),
        };
        let wall = median(samples, |sample| sample.wall).as_secs_f64();
        let cpu = median(samples, |sample| sample.cpu).as_secs_f64();
        let memory = median(samples, |sample| sample.memory) as f64 / f64::from(1 << 20);
        let ratio = measure.map_or(f64::NAN, |measure| each / measure);
        writeln!(
            out,
            "| {}{part} | {wall:.3} s | {ratio:.2} | {cpu:.3} s | {:.1} ns | {memory:.1} MiB |",
            command.name,
            each * 1e9,
        )?;
    }
    writeln!(out)
}

/// The middle one; of an even number, the upper of the two in the middle.
fn median<T: Ord + Default + Copy>(samples: &[Sample], what: impl Fn(&Sample) -> T) -> T {
    let mut all: Vec<_> = samples.iter().map(what).collect();
    all.sort_unstable();
    all.get(all.len() / 2).copied().unwrap_or_default()
}
