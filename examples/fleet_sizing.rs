//! Drives 2, 8, 50 and 200 gateways, as threads of this process, against a real server, and prints what that costs: how
//! fast a source over a limit is known, how much the server reads, writes and works, and what is missed.
//!
//! `cargo run --release --example fleet_sizing -- [SECONDS [GATEWAYS…]]`. The server is one that `.ci/run` unpacked, or
//! that of the path. The table in docs/fleet.md is from here.

#![allow(clippy::unwrap_used, reason = "an example that fails says where")]

mod server_load;

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use synwatch::base::time::Timestamp;
use synwatch::capture;
use synwatch::engine::subject::Source;
use synwatch::engine::watch::{Grouping, Limit, allow};
use synwatch::fleet::store::{
    Access, AccessFiles, Address, Attempt, LogEntry, LogReader, Report, Servers, Store, Tally, Verdict,
};
use synwatch_testkit::server::{Server, engine};

use server_load::Load;

/// How often a gateway publishes.
const PAUSE: Duration = Duration::from_millis(200);
/// Attackers, each of which makes five attempts a second, at any gateway.
const ATTACKERS: u64 = 10;
/// Honest sources, each with an attempt in half a minute.
const HONEST: u64 = 300;
/// Forged sources a second, each seen once.
const FORGED: u64 = 300;
/// One attempt in so many is seen by two gateways on its way.
const TWICE: u64 = 10;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>().unwrap());
    let seconds = arguments.next().unwrap_or(30);
    let mut gateways: Vec<usize> = arguments.collect();
    if gateways.is_empty() {
        gateways = vec![2, 8, 50, 200];
    }
    let Some(engine) = engine("fleet_sizing") else { return };
    let mut out = io::stdout();
    let _ = writeln!(out, "{}, {seconds} s each", engine.name);
    let _ = writeln!(
        out,
        "| gateways | found | missed | false | median | worst | published | in, per gateway | out, per gateway | server |"
    );
    let _ = writeln!(out, "|---|---|---|---|---|---|---|---|---|---|");
    for number in gateways {
        let server = Server::start(&engine, &["--maxclients", "2000"]);
        let line = run(&server, number, Duration::from_secs(seconds as u64));
        let _ = writeln!(out, "{line}");
    }
}

/// What a gateway holds of a source.
#[derive(Default)]
struct Held {
    attempts: VecDeque<Attempt>,
    candidate_until: Option<Instant>,
}

#[derive(Default)]
struct Table {
    sources: BTreeMap<Source, Held>,
    outbox: BTreeMap<Source, Vec<Attempt>>,
}

struct Gateway {
    table: Mutex<Table>,
    /// There is something that should not wait for the pause.
    is_due: Condvar,
    tally: Arc<Tally>,
    number: usize,
}

struct Run {
    gateways: Vec<Gateway>,
    is_over: AtomicBool,
    met: Mutex<BTreeMap<Source, Timestamp>>,
    published: AtomicU64,
}

fn run(server: &Server, number: usize, time: Duration) -> String {
    let limits: Vec<Limit> = ["30/10s", "60/1m"].map(|limit| limit.parse().unwrap()).into();
    let (tallies, _) = Tally::of_watch("mail", &limits, Duration::from_secs(60), &Grouping::HOSTS);
    let tally = Arc::new(tallies.into_iter().next().unwrap());
    let gateway =
        || Gateway { table: Mutex::default(), is_due: Condvar::new(), tally: Arc::clone(&tally), number };
    let run = Run {
        gateways: (0..number).map(|_| gateway()).collect(),
        is_over: AtomicBool::new(false),
        met: Mutex::default(),
        published: AtomicU64::new(0),
    };
    let mut stores: Vec<Store> = (0..number).map(|number| store(server, number)).collect();
    stores.iter_mut().for_each(|store| assert!(store.connect().is_empty()));
    let before = Load::of(server);
    let truth = thread::scope(|scope| {
        for (gateway, mut store) in run.gateways.iter().zip(stores) {
            let mut log = store.log_reader();
            let run = &run;
            scope.spawn(move || gateway.publish(&mut store, run));
            scope.spawn(move || gateway.read(&mut log, run));
        }
        let truth = traffic(&run, time);
        thread::sleep(Duration::from_secs(1));
        run.is_over.store(true, Ordering::Relaxed);
        truth
    });
    let after = Load::of(server);
    row(&run, &truth, &limits, since(&after, &before), time)
}

fn store(server: &Server, number: usize) -> Store {
    let servers = Servers::new(vec![Address::parse(&server.url()).unwrap()]).unwrap();
    let gateway = format!("mx{number}").parse().unwrap();
    Store::new(Arc::new(
        Access::new(servers, "size".parse().unwrap(), gateway, &AccessFiles::default()).unwrap(),
    ))
}

impl Gateway {
    fn attempt(&self, source: Source, attempt: Attempt) {
        let mut table = self.table.lock().unwrap();
        let held = table.sources.entry(source).or_default();
        held.attempts.push_back(attempt);
        if held.attempts.len() > 60 {
            held.attempts.pop_front();
        }
        let reaches = |(attempts, window): (u16, Duration)| {
            let since = attempt.time.before(window);
            held.attempts.iter().filter(|other| other.time >= since).count() >= usize::from(attempts)
        };
        let is_candidate = self.tally.candidates_at(self.number).any(reaches);
        let was_candidate = held.candidate_until.is_some_and(|until| Instant::now() < until);
        if is_candidate {
            held.candidate_until = Some(Instant::now() + self.tally.candidate_time());
        }
        let published: Vec<Attempt> = match (was_candidate, is_candidate) {
            (true, _) => vec![attempt],
            (false, true) => held.attempts.iter().copied().collect(),
            (false, false) => return,
        };
        table.outbox.entry(source).or_default().extend(published);
    }

    fn publish(&self, store: &mut Store, run: &Run) {
        let mut beat = Instant::now();
        while !run.is_over.load(Ordering::Relaxed) {
            let mut table = self.table.lock().unwrap();
            if table.outbox.is_empty() {
                table = self.is_due.wait_timeout(table, PAUSE).unwrap().0;
            } else {
                drop(table);
                thread::sleep(PAUSE);
                table = self.table.lock().unwrap();
            }
            let outbox = std::mem::take(&mut table.outbox);
            drop(table);
            let reports: Vec<Report> = outbox
                .into_iter()
                .map(|(source, attempts)| Report {
                    tally: Arc::clone(&self.tally),
                    source,
                    attempts,
                    more: 0,
                    number: 0,
                })
                .collect();
            let published = reports.iter().map(|report| report.attempts.len() as u64).sum();
            run.published.fetch_add(published, Ordering::Relaxed);
            for (report, verdict) in reports.iter().zip(store.report(&reports)) {
                match verdict {
                    Verdict::Met(_) => _ = run.met.lock().unwrap().insert(report.source, capture::now()),
                    Verdict::Failed(error) => panic!("{error}"),
                    Verdict::Below | Verdict::Open(_) => {}
                }
            }
            if Instant::now() >= beat {
                store.beat(&Default::default());
                beat += Duration::from_secs(1);
            }
        }
    }

    fn read(&self, log: &mut LogReader, run: &Run) {
        while !run.is_over.load(Ordering::Relaxed) {
            for logged in log.read(Duration::from_millis(500)).value {
                let LogEntry::Candidate { source, .. } = logged.entry else { continue };
                let mut table = self.table.lock().unwrap();
                let held = table.sources.entry(source).or_default();
                let was_candidate = held.candidate_until.is_some_and(|until| Instant::now() < until);
                held.candidate_until = Some(Instant::now() + self.tally.candidate_time());
                let attempts: Vec<Attempt> = held.attempts.iter().copied().collect();
                if !was_candidate && !attempts.is_empty() {
                    table.outbox.entry(source).or_default().extend(attempts);
                    self.is_due.notify_one();
                }
            }
        }
    }
}

/// Makes the attempts, each at its time. Returns those of each source.
fn traffic(run: &Run, time: Duration) -> BTreeMap<Source, Vec<Timestamp>> {
    let mut dice = Dice(7);
    let mut due: BTreeMap<(u64, u64), ()> = BTreeMap::new();
    let all = ATTACKERS + HONEST;
    let noise = all;
    (0..ATTACKERS).for_each(|number| _ = due.insert((number * 100_000, number), ()));
    (ATTACKERS..all).for_each(|number| _ = due.insert((dice.below(30_000_000), number), ()));
    due.insert((0, noise), ());
    let (start, mut truth, mut forged) = (Instant::now(), BTreeMap::<Source, Vec<Timestamp>>::new(), 1 << 32);
    while let Some(((at, number), ())) = due.pop_first() {
        let at_time = Duration::from_micros(at);
        if at_time > time {
            break;
        }
        thread::sleep((start + at_time).saturating_duration_since(Instant::now()));
        let source = if number == noise {
            forged += 1;
            numbered(forged)
        } else {
            numbered(number)
        };
        let attempt = Attempt {
            time: capture::now(),
            mark: u16::try_from(dice.below(1 << 16)).unwrap(),
            port: 25,
            proven: false,
            known: false,
        };
        truth.entry(source).or_default().push(attempt.time);
        let at_gateway = usize::try_from(dice.below(run.gateways.len() as u64)).unwrap();
        run.gateways[at_gateway].attempt(source, attempt);
        if dice.below(TWICE) == 0 {
            run.gateways[(at_gateway + 1) % run.gateways.len()].attempt(source, attempt);
        }
        let pause = match number {
            number if number < ATTACKERS => 180_000 + dice.below(40_000),
            number if number < all => 30_000_000,
            _ => 1_000_000 / FORGED,
        };
        due.insert((at + pause, number), ());
    }
    truth
}

fn row(
    run: &Run,
    truth: &BTreeMap<Source, Vec<Timestamp>>,
    limits: &[Limit],
    load: Load,
    time: Duration,
) -> String {
    let met = run.met.lock().unwrap();
    let mut delays: Vec<Duration> = Vec::new();
    let mut missed = 0;
    for (source, times) in truth {
        let over = |limit: &Limit| {
            let runs = times.windows(limit.attempts.into());
            runs.filter(|run| run[run.len() - 1].since(run[0]) <= limit.window)
                .map(|run| run[run.len() - 1])
                .next()
        };
        let Some(over) = limits.iter().filter_map(over).min() else { continue };
        match met.get(source) {
            Some(met) => delays.push(met.since(over)),
            None => missed += 1,
        }
    }
    delays.sort();
    let found = delays.len();
    let millis = |delay: Option<&Duration>| delay.map_or(0, Duration::as_millis);
    let all: usize = truth.values().map(Vec::len).sum();
    let gateways = run.gateways.len() as f64;
    let rate = |bytes: f64| bytes / 1_000.0 / time.as_secs_f64() / gateways;
    format!(
        "| {} | {found} | {missed} | {} | {} ms | {} ms | {} of {all} attempts | {:.1} kB/s | {:.1} kB/s | {:.1} % of a core, {:.1} MB |",
        run.gateways.len(),
        met.len() - found,
        millis(delays.get(found / 2)),
        millis(delays.last()),
        run.published.load(Ordering::Relaxed),
        rate(load.input),
        rate(load.output),
        load.processor * 100.0 / time.as_secs_f64(),
        load.memory / 1e6,
    )
}

/// What was added from one look to the next.
fn since(after: &Load, before: &Load) -> Load {
    Load {
        input: after.input - before.input,
        output: after.output - before.output,
        processor: after.processor - before.processor,
        memory: after.memory,
    }
}

fn numbered(number: u64) -> Source {
    Source(allow::network(&format!("2001:db8::{:x}:{:x}", number >> 16 & 0xffff, number & 0xffff)).unwrap())
}

/// Random numbers that are the same each time (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ word >> 31) % below
    }
}
