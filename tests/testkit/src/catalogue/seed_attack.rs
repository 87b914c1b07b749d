//! The attack for which synwatch was built: six minutes on 25 November 2013, as far as its log survives.
//!
//! The 36 lines of the log are kept to their seconds, ports and order. What was lost between them is filled in at the
//! same cadence: port 110 and port 25 in turn, five a second. The source's ports go on counting up, through the end
//! of Linux's range and around, from where the first lines leave off to where the last ones begin.

use std::net::SocketAddr;

use super::Capture;
use super::conversation::Conversation;
use super::packet::{MS, Nanos, SECOND};
use super::trace::Trace;

const ATTACKER: [u8; 4] = [49, 212, 10, 42];
const SERVER: [u8; 4] = [116, 58, 172, 107];

/// 2013-11-25 15:11:00 in Tokyo, from which the log's seconds are counted here.
const START: Nanos = 1_385_359_860 * SECOND;

/// "Accept TCP 49.212.10.42:59509 116.58.172.107:110": second, source port, destination port.
const FIRST_LINES: [(i64, u16, u16); 22] = [
    (36, 59509, 110),
    (37, 40195, 25),
    (37, 59545, 110),
    (37, 40239, 25),
    (37, 59594, 110),
    (37, 40281, 25),
    (38, 59636, 110),
    (38, 40325, 25),
    (38, 59681, 110),
    (38, 40373, 25),
    (38, 59723, 110),
    (39, 40409, 25),
    (39, 59762, 110),
    (39, 40448, 25),
    (39, 59799, 110),
    (39, 40481, 25),
    (39, 59843, 110),
    (39, 40528, 25),
    (40, 59882, 110),
    (40, 40568, 25),
    (40, 59934, 110),
    (40, 40618, 25),
];
const LAST_LINES: [(i64, u16, u16); 14] = [
    (391, 57998, 25),
    (391, 49125, 110),
    (392, 58046, 25),
    (392, 49168, 110),
    (392, 58089, 25),
    (392, 49209, 110),
    (392, 58127, 25),
    (392, 49254, 110),
    (393, 58172, 25),
    (393, 49295, 110),
    (393, 58223, 25),
    (393, 49354, 110),
    (393, 58271, 25),
    (393, 49400, 110),
];

/// How many lines were lost: five a second. Odd, because they begin and end with port 110.
const LOST: i64 = 1751;

/// Linux's range of client ports in 2013.
const LOWEST_PORT: i64 = 32_768;
const PORTS: i64 = 61_000 - LOWEST_PORT + 1;

pub(crate) fn capture() -> Capture {
    let mut trace = Trace::new(2013);
    for (time, source_port, port) in timeline(&mut trace) {
        session(&mut trace, time, source_port, port);
    }
    Capture::ethernet(
        "seed-attack.pcap",
        "The attack that synwatch was built for, 2013-11-25 15:11:36 to 15:17:33 in Tokyo, after the 36 lines of \
         firewall log that survive; the lines lost between them are filled in at the same cadence. One host connects \
         to ports 110 and 25 in turn, five times a second, reads the greeting, says nothing and leaves. Both directions.",
        &mut trace,
        &["49.212.10.42"],
    )
}

/// Every attempt in order: when, from which port, to which.
fn timeline(trace: &mut Trace) -> Vec<(Nanos, u16, u16)> {
    let mut timeline = within_their_seconds(trace, &FIRST_LINES);
    let last = within_their_seconds(trace, &LAST_LINES);
    let (from, to) = (timeline[timeline.len() - 1].0, last[0].0);
    let step = (to - from) / (LOST + 1);
    for i in 0..LOST {
        let time = from + (i + 1) * step + trace.random.between(-30 * MS, 30 * MS);
        // The port's own sessions so far, and those still to come, including the first line of the last block.
        let done = i / 2 + 1;
        if i % 2 == 0 {
            timeline.push((time, source_port(trace, 59_934, 49_125, done, LOST / 2 + 2), 110));
        } else {
            timeline.push((time, source_port(trace, 40_618, 57_998, done, LOST / 2 + 1), 25));
        }
    }
    timeline.extend(last);
    timeline
}

/// Spreads the lines of each second over it, in order. Where the log begins or ends within a second, its lines lie at
/// the side of what was kept.
fn within_their_seconds(trace: &mut Trace, lines: &[(i64, u16, u16)]) -> Vec<(Nanos, u16, u16)> {
    let place = |index: usize| {
        let second = lines[index].0;
        let before = lines[..index].iter().filter(|line| line.0 == second).count() as i64;
        let all = lines.iter().filter(|line| line.0 == second).count() as i64;
        let (start, width) = match second {
            36 => (820, 100),
            391 => (600, 390),
            _ => (20, 970),
        };
        (start + width * before / all) * MS
    };
    let mut spread = Vec::new();
    for (index, &(second, source_port, port)) in lines.iter().enumerate() {
        let jitter = trace.random.between(0, 40 * MS);
        spread.push((START + second * SECOND + place(index) + jitter, source_port, port));
    }
    spread
}

/// The source port after `done` of `steps` sessions on the way from one known port to the next, once around the range.
/// Other connections of the attacker take ports too, so that the steps differ.
fn source_port(trace: &mut Trace, from: i64, to: i64, done: i64, steps: i64) -> u16 {
    let way = (to - from).rem_euclid(PORTS) + PORTS;
    let port = from + way * done / steps + trace.random.between(-9, 10);
    (LOWEST_PORT + (port - LOWEST_PORT).rem_euclid(PORTS)) as u16
}

/// Accepted, greeted, nothing said, closed by the client.
fn session(trace: &mut Trace, time: Nanos, source_port: u16, port: u16) {
    let client = SocketAddr::from((ATTACKER, source_port));
    let server = SocketAddr::from((SERVER, port));
    let round_trip = trace.random.between(8 * MS, 11 * MS);
    let greeting_after = trace.random.between(2 * MS, 9 * MS);
    let patience = trace.random.between(100 * MS, 200 * MS);
    let mut session = Conversation::open(trace, time, round_trip, client, server);
    session.wait(greeting_after);
    session.server_says(greeting(time, port).as_bytes());
    session.wait(patience);
    session.client_closes();
}

fn greeting(time: Nanos, port: u16) -> String {
    if port == 110 {
        return "+OK POP3 server ready\r\n".to_owned();
    }
    let second = (time - START) / SECOND;
    let (minute, second) = (11 + second / 60, second % 60);
    format!(
        "220 tokyo.example ESMTP Sendmail 8.14.7/8.14.7; Mon, 25 Nov 2013 15:{minute:02}:{second:02} +0900 (JST)\r\n"
    )
}
