//! What a flood does to others: forged sources, and among them a true attacker of 5 attempts a second.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::cable::{Cable, INTERFACE};
use crate::load::{Sources, Syns, attack};
use crate::say;
use crate::sender::{EndOfFlood, Sender, Sent};
use synwatch_testkit::program::Program;
use synwatch_testkit::traffic::random::Random;

/// Forged SYNs a second: as in the captures, and more than any sender reaches.
const RATES: [f64; 2] = [100_000.0, 1e9];
/// Longer than the bench takes.
const LONG: Duration = Duration::from_secs(3600);
/// How long it is flooded before: many times as many sources as there is room for.
const BEFORE: Duration = Duration::from_secs(2);
/// Between two attempts of the attacker.
const PAUSE: Duration = Duration::from_millis(200);
/// Attempts that the attacker has, some of which may be lost: 20 seconds of them.
const ATTEMPTS: usize = 100;

/// How a run went.
#[derive(Debug)]
struct Run {
    sent: Sent,
    seen: usize,
    dropped: usize,
    /// When the attacker was reported, if he was.
    reported: Option<Duration>,
    /// Its own memory before the attack, and after it, in bytes.
    memory: [u64; 2],
    answered: Duration,
    stopped: Duration,
}

/// Floods, attacks, asks and stops, at each rate.
pub(crate) fn table(cable: &Cable) -> String {
    let mut table = String::from(
        "A flood of forged sources, and an attacker of 5 attempts a second among them:\n\n\
         | SYN/s sent | seen | dropped by the kernel | attacker reported after | memory of its own before, after | \
         answer to SIGUSR1 | end after SIGTERM |\n| --: | --: | --: | --: | --: | --: | --: |\n",
    );
    for rate in RATES {
        let run = run(cable, rate);
        let [before, after] = run.memory.map(|bytes| bytes as f64 / f64::from(1 << 20));
        let reported = match run.reported {
            Some(reported) => format!("{:.1} s", reported.as_secs_f64()),
            None => format!("not within {} s", (PAUSE * ATTEMPTS as u32).as_secs()),
        };
        // A string takes all that is written.
        let _ = writeln!(
            table,
            "| {:.0} | {} | {} | {reported} | {before:.1} MiB, {after:.1} MiB | {:.0} ms | {:.0} ms |",
            run.sent.rate(),
            run.seen,
            run.dropped,
            1000.0 * run.answered.as_secs_f64(),
            1000.0 * run.stopped.as_secs_f64(),
        );
    }
    table
}

fn run(cable: &Cable, rate: f64) -> Run {
    say(&format_args!("flood: forged sources, {rate:.0} SYN/s or what can be sent; an attacker of 5 SYN/s"));
    let mut program = Program::watch(&cable.watcher, &format!("-i {INTERFACE}"));
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let end = EndOfFlood(&is_done);
        let flood = scope.spawn(|| {
            let stop = || is_done.load(Ordering::Relaxed);
            cable.sender.enter(|| Sender::open().flood(&mut Syns::from(Sources::Random), rate, LONG, stop))
        });
        program.err.wait_for(" kind=destination ");
        thread::sleep(BEFORE);
        let before = program.memory();
        let reported = attack_until_reported(cable, &mut program);
        let after = program.memory();

        let start = Instant::now();
        program.signal(Signal::USR1);
        program.err.wait_for("summary packets=");
        let answered = start.elapsed();
        let start = Instant::now();
        let ended = program.stop(Signal::TERM);
        let stopped = start.elapsed();
        drop(end);
        Run {
            sent: flood.join().unwrap(),
            seen: ended.summary("packets"),
            dropped: ended.summary("kernel-drops"),
            reported,
            memory: [before, after],
            answered,
            stopped,
        }
    })
}

/// How long it takes until the attacker is reported; `None` if he is not.
fn attack_until_reported(cable: &Cable, program: &mut Program) -> Option<Duration> {
    let start = Instant::now();
    cable.sender.enter(|| {
        let mut sender = Sender::open();
        let (source, syns) = attack(0, ATTEMPTS, &mut Random::new(0xa77ac));
        let reported = format!("flood start src={source} ");
        let is_reported = |syn| {
            sender.send(syn);
            program.err.comes_within(PAUSE, &reported)
        };
        syns.chunks(1).any(is_reported).then(|| start.elapsed())
    })
}
