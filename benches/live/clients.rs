//! What clients at the control socket do to a run under flood: the same run without any and with eight, by turns.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::cable::{Cable, INTERFACE};
use crate::cpu::{cpu_time, cpu_time_of};
use crate::latency::{N, attack_once, millis_at};
use crate::load::{Sources, Syns};
use crate::say;
use crate::sender::{EndOfFlood, Sender};
use crate::viewers::{READERS, Viewers};
use synwatch_testkit::program::Program;
use synwatch_testkit::traffic::random::Random;

/// Forged SYNs a second, and what that is called: as in the captures, and more than any sender reaches.
const RATES: [(f64, &str); 2] = [(100_000.0, "100,000 SYN/s"), (1e9, "all that can be sent")];
/// Longer than any run.
const LONG: Duration = Duration::from_secs(3600);
/// How long it is flooded before it is measured: more sources than are ever listed.
const BEFORE: Duration = Duration::from_secs(2);
/// How long what was sent last may lie in the kernel's ring: many read time-outs.
const REST: Duration = Duration::from_millis(500);

/// What was measured in a run, in the order of [`MEASURED`].
type Run = [f64; MEASURED.len()];

/// What is measured, and with how many decimals it is shown.
const MEASURED: [(&str, usize); 8] = [
    ("SYN/s sent", 0),
    ("not seen, %", 3),
    ("drops", 0),
    ("attackers not reported", 0),
    ("median, ms", 1),
    ("99th percentile, ms", 1),
    ("CPU, % of one processor", 1),
    ("control thread's, %", 2),
];

/// Floods and attacks without clients and with them, at each rate.
pub(crate) fn table(cable: &Cable, pairs: u32, samples: u32) -> String {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("control");
    let mut table = format!(
        "{pairs} pairs of runs under flood, without clients and with {} at the control socket, one of which never \
         reads. From the attempt that meets the limit to the line on standard error, {samples} attackers in each \
         run:\n\n| flood | clients |",
        READERS + 1
    );
    // A string takes all that is written.
    MEASURED.iter().for_each(|(name, _)| {
        let _ = write!(table, " {name} |");
    });
    let _ = writeln!(table, "\n| --- | --- |{}", " --: |".repeat(MEASURED.len()));
    for (rate, flood) in RATES {
        let runs: Vec<_> = (0..pairs).map(|pair| both(cable, &socket, rate, pair, samples)).collect();
        let _ = writeln!(table, "| {flood} | none |{}", medians(&runs, 0));
        let _ = writeln!(table, "| {flood} | {} |{}", READERS + 1, medians(&runs, 1));
        let _ = writeln!(table, "| {flood} | difference |{}", differences(&runs));
    }
    table.push_str(
        "\nMedians of all runs; as difference the median, the least and the most of all pairs. Drops are those of \
         kernel and interface, and limit hits.\n",
    );
    table
}

/// The cells of the runs without clients, or with them.
fn medians(runs: &[[Run; 2]], kind: usize) -> String {
    let cells = MEASURED.iter().enumerate().map(|(index, &(_, decimals))| {
        let [_, median, _] = spread(runs.iter().map(|pair| pair[kind][index]));
        format!(" {median:.decimals$} |")
    });
    cells.collect()
}

/// The cells of what clients add.
fn differences(runs: &[[Run; 2]]) -> String {
    let cells = MEASURED.iter().enumerate().map(|(index, &(_, decimals))| {
        let [least, median, most] = spread(runs.iter().map(|[without, with]| with[index] - without[index]));
        format!(" {median:+.decimals$} ({least:+.decimals$} to {most:+.decimals$}) |")
    });
    cells.collect()
}

/// The least of these, the median and the most.
fn spread(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    [0, values.len() / 2, values.len() - 1].map(|index| values[index])
}

/// A run without clients, and one with them. Every other pair begins with the other one.
fn both(cable: &Cable, socket: &Path, rate: f64, pair: u32, samples: u32) -> [Run; 2] {
    let mut runs = [Run::default(); 2];
    for has_clients in [pair % 2 == 1, pair % 2 == 0] {
        let run = run(cable, socket, rate, has_clients, pair, samples);
        let cells =
            MEASURED.iter().zip(run).map(|((name, decimals), value)| format!("{name}: {value:.decimals$}"));
        say(&cells.collect::<Vec<_>>().join("; "));
        runs[usize::from(has_clients)] = run;
    }
    runs
}

fn run(cable: &Cable, socket: &Path, rate: f64, has_clients: bool, pair: u32, samples: u32) -> Run {
    let clients = if has_clients { READERS + 1 } else { 0 };
    say(&format_args!("clients: {clients}, {rate:.0} SYN/s or what can be sent, pair {}", pair + 1));
    let options = format!("-i {INTERFACE} --control {}", socket.display());
    let mut program = Program::watch(&cable.watcher, &options);
    let id = program.id();
    let viewers = Viewers::default();
    let [is_flood_over, is_done] = [const { AtomicBool::new(false) }; 2];
    thread::scope(|scope| {
        let end_of_clients = EndOfFlood(&is_done);
        let end_of_flood = EndOfFlood(&is_flood_over);
        let flood = scope.spawn(|| {
            let stop = || is_flood_over.load(Ordering::Relaxed);
            cable.sender.enter(|| Sender::open().flood(&mut Syns::from(Sources::Random), rate, LONG, stop))
        });
        program.err.wait_for(" kind=destination ");
        let attached = if has_clients { viewers.attach(scope, socket, &is_done) } else { Vec::new() };
        if has_clients {
            viewers.wait(&attached);
        }
        thread::sleep(BEFORE);

        let (start, before) = (Instant::now(), [cpu_time(id), cpu_time_of(id, "control")]);
        let served = viewers.fewest();
        let mut latencies: Vec<_> = cable.sender.enter(|| {
            let (mut sender, mut random) = (Sender::open(), Random::new(pair.into()));
            let attack = |number| attack_once(&mut sender, &mut program, number, &mut random);
            (0..samples).filter_map(attack).collect()
        });
        let took = start.elapsed().as_secs_f64();
        let cpu = [cpu_time(id) - before[0], cpu_time_of(id, "control") - before[1]];
        let cpu = cpu.map(|cpu| 100.0 * cpu.as_secs_f64() / took);
        // Clients that are not served cost nothing.
        assert!(!has_clients || viewers.fewest() > served, "a client gets no more snapshots: {viewers:?}");

        drop(end_of_flood);
        let sent = flood.join().unwrap();
        thread::sleep(REST);
        drop(end_of_clients);
        attached.into_iter().for_each(|client| client.join().unwrap());
        if has_clients {
            say(&format_args!(
                "clients: {} snapshots of {} bytes on average; the client that never reads was disconnected {} times",
                viewers.all(),
                viewers.bytes() / viewers.all().max(1),
                viewers.disconnected(),
            ));
        }
        let ended = program.stop(Signal::TERM);
        let all = sent.packets + u64::from(samples) * N as u64;
        let not_seen = all.saturating_sub(ended.summary("packets") as u64) as f64 / all as f64;
        let drops = ["kernel-drops", "interface-drops", "crossings-dropped"].map(|key| ended.summary(key));
        let not_reported = samples as usize - latencies.len();
        latencies.sort_unstable();
        let [median, late] = [0.5, 0.99].map(|part| millis_at(&latencies, part));
        [
            sent.rate(),
            100.0 * not_seen,
            drops.iter().sum::<usize>() as f64,
            not_reported as f64,
            median,
            late,
            cpu[0],
            cpu[1],
        ]
    })
}
