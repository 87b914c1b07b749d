//! The time from the attempt that meets the limit, as it is sent, to the line on standard error, as it is read.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::process::Signal;

use crate::cable::{Cable, INTERFACE};
use crate::load::{Sources, Syns, attack};
use crate::say;
use crate::sender::{EndOfFlood, Sender};
use synwatch_testkit::program::Program;
use synwatch_testkit::traffic::random::Random;

/// Read time-outs that are tried, in milliseconds.
const READ_TIMEOUTS: [u64; 5] = [1, 5, 10, 15, 20];
/// The N of the limit that is met: the default one, 30/10s.
pub(crate) const N: usize = 30;
/// SYNs a second from random sources, where there are such.
const RATE: f64 = 100_000.0;
/// The pause between two attacks, in milliseconds. It is drawn from a range that is a multiple of all read
/// time-outs, so that attacks come at any moment of the kernel's timer alike. No line is held back.
const PAUSE: std::ops::Range<u32> = 12..72;
/// A report that has not come by then never comes: an attempt was lost.
const REPORTED: Duration = Duration::from_secs(2);
/// Longer than any measurement.
const LONG: Duration = Duration::from_secs(3600);

/// Attacks hundreds of times for each read time-out, with and without other traffic.
pub(crate) fn table(cable: &Cable, samples: u32) -> String {
    let mut table = String::from(
        "From the attempt that meets the limit to the line on standard error:\n\n\
         | `--read-timeout` | other traffic | median | 99th percentile | longest |\n| --- | --- | --: | --: | --: |\n",
    );
    for timeout in READ_TIMEOUTS {
        for (traffic, is_flooded) in [("none", false), ("100,000 SYN/s", true)] {
            say(&format_args!("latency: read time-out {timeout} ms, other traffic: {traffic}"));
            let mut all = measure(cable, timeout, is_flooded, samples);
            all.sort_unstable();
            let at = |part| millis_at(&all, part);
            // A string takes all that is written.
            let _ = writeln!(
                table,
                "| {timeout} ms | {traffic} | {:.1} ms | {:.1} ms | {:.1} ms |",
                at(0.5),
                at(0.99),
                at(1.0)
            );
        }
    }
    table
}

fn measure(cable: &Cable, timeout: u64, is_flooded: bool, samples: u32) -> Vec<Duration> {
    let mut program = Program::watch(&cable.watcher, &format!("-i {INTERFACE} --read-timeout {timeout}ms"));
    let is_done = AtomicBool::new(false);
    let latencies = thread::scope(|scope| {
        if is_flooded {
            scope.spawn(|| {
                cable.sender.enter(|| {
                    let stop = || is_done.load(Ordering::Relaxed);
                    Sender::open().flood(&mut Syns::from(Sources::Random), RATE, LONG, stop)
                })
            });
        }
        cable.sender.enter(|| {
            let _end = EndOfFlood(&is_done);
            let mut sender = Sender::open();
            let mut random = Random::new(timeout);
            let attack = |number| {
                let latency = attack_once(&mut sender, &mut program, number, &mut random);
                latency.unwrap_or_else(|| panic!("attack {number} is not reported"))
            };
            (0..samples).map(attack).collect()
        })
    });
    program.stop(Signal::TERM);
    latencies
}

/// The latency below which this part of all lies, in milliseconds. They are sorted; of none it is not a number.
pub(crate) fn millis_at(sorted: &[Duration], part: f64) -> f64 {
    let index = (sorted.len().saturating_sub(1) as f64 * part).round() as usize;
    sorted.get(index).map_or(f64::NAN, |latency| 1000.0 * latency.as_secs_f64())
}

/// Attacks, waits for the report and a while more; `None` if no report comes.
pub(crate) fn attack_once(
    sender: &mut Sender,
    program: &mut Program,
    number: u32,
    random: &mut Random,
) -> Option<Duration> {
    let (source, syns) = attack(number, N, random);
    let (before, last) = syns.split_at(N - 1);
    sender.send(before);
    let sent = SystemTime::now();
    sender.send(last);
    let report = format!("flood start src={source} ");
    let line = program.err.comes_within(REPORTED, &report).then(|| program.err.wait_for(&report));
    let pause = PAUSE.start + random.below(PAUSE.end - PAUSE.start);
    thread::sleep(Duration::from_millis(pause.into()));
    line.map(|line| line.time.duration_since(sent).unwrap_or_default())
}
