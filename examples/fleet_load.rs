//! Publishes as much as a server takes for some seconds, and prints what an attempt costs it: time of its processor, bytes
//! each way, memory.
//!
//! `cargo run --release --example fleet_load -- [SECONDS]`. It tries each server that `.ci/run` unpacked, or that of the
//! path. The figures of docs/fleet.md are from here.

#![allow(clippy::unwrap_used, reason = "an example that fails says where")]

mod server_load;

use std::io::{self, Write as _};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use synwatch::capture;
use synwatch::engine::subject::Source;
use synwatch::engine::watch::{Grouping, Limit, allow};
use synwatch::fleet::store::{Access, AccessFiles, Address, Attempt, Report, Servers, Store, Tally, Verdict};
use synwatch_testkit::server::{Engine, Server, engines};

use server_load::Load;

/// Gateways that publish at the same time.
const GATEWAYS: u32 = 2;
/// Attempts of each request.
const REQUEST: u32 = 400;

/// What is published.
struct Shape {
    name: &'static str,
    /// Attempts of a source in a request.
    each: u32,
    /// Requests after which other sources come. They are few enough to meet no limit.
    requests: u32,
}

const SHAPES: [Shape; 3] = [
    Shape { name: "sources of two attempts, as of a forged flood", each: 2, requests: 1 },
    Shape { name: "sources of 20 attempts, one in each request", each: 1, requests: 20 },
    Shape { name: "sources of 200 attempts, 20 in each request", each: 20, requests: 10 },
];

fn main() {
    let seconds = std::env::args().nth(1).map_or(5, |seconds| seconds.parse().unwrap());
    let mut out = io::stdout();
    for engine in engines("fleet_load") {
        let _ = writeln!(out, "{}, {seconds} s each", engine.name);
        let _ =
            writeln!(out, "| published | attempts | server, an attempt | to the server | from it | memory |");
        let _ = writeln!(out, "|---|---|---|---|---|---|");
        for shape in &SHAPES {
            let _ = writeln!(out, "{}", measure(&engine, shape, Duration::from_secs(seconds)));
        }
    }
}

fn measure(engine: &Engine, shape: &Shape, time: Duration) -> String {
    let server = Server::start(engine, &[]);
    let mut stores: Vec<Store> = (0..GATEWAYS).map(|number| store(&server, number)).collect();
    stores.iter_mut().for_each(|store| assert!(store.connect().is_empty()));
    let before = Load::of(&server);
    let start = Instant::now();
    let published: u32 = thread::scope(|scope| {
        let all = (0..).zip(stores);
        let threads: Vec<_> =
            all.map(|(number, store)| scope.spawn(move || publish(store, number, shape, time))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let took = start.elapsed().as_secs_f64();
    let (after, attempts) = (Load::of(&server), f64::from(published));
    let each = |value: fn(&Load) -> f64| (value(&after) - value(&before)) / attempts;
    format!(
        "| {} | {:.0} a second | {:.1} µs | {:.0} bytes | {:.0} bytes | {:.0} bytes |",
        shape.name,
        attempts / took,
        each(|load| load.processor * 1e6),
        each(|load| load.input),
        each(|load| load.output),
        each(|load| load.memory),
    )
}

/// Publishes for so long. Returns how many attempts.
fn publish(mut store: Store, gateway: u32, shape: &Shape, time: Duration) -> u32 {
    let limit: Limit = "1000/10s".parse().unwrap();
    let (tallies, _) = Tally::of_watch("mail", &[limit], Duration::from_secs(60), &Grouping::HOSTS);
    let tally = Arc::new(tallies.into_iter().next().unwrap());
    let (start, mut published) = (Instant::now(), 0);
    for request in 0_u32.. {
        if start.elapsed() >= time {
            break;
        }
        let sources = REQUEST / shape.each;
        let first = request / shape.requests * sources;
        let now = capture::now();
        let report = |number| {
            let attempt = |index: u32| {
                let mark = (request * shape.each + index).wrapping_mul(40_503) as u16;
                let time = now.before(Duration::from_micros(index.into()));
                Attempt { time, mark, port: 25, proven: false, known: false }
            };
            let attempts = (0..shape.each).map(attempt).collect();
            Report {
                tally: Arc::clone(&tally),
                source: source(gateway, first + number),
                attempts,
                more: 0,
                number: 0,
            }
        };
        let reports: Vec<Report> = (0..sources).map(report).collect();
        let verdicts = store.report(&reports);
        assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Below), "{verdicts:?}");
        published += REQUEST;
    }
    published
}

fn source(gateway: u32, number: u32) -> Source {
    Source(allow::network(&format!("2001:db8:{gateway}::{:x}:{:x}", number >> 16, number & 0xffff)).unwrap())
}

fn store(server: &Server, number: u32) -> Store {
    let servers = Servers::new(vec![Address::parse(&server.url()).unwrap()]).unwrap();
    let gateway = format!("mx{number}").parse().unwrap();
    let access = Access::new(servers, "load".parse().unwrap(), gateway, &AccessFiles::default());
    Store::new(Arc::new(access.unwrap()))
}
