//! What became of attempts: the outcomes against a model of two endpoints, and what is made of them.

mod endpoints;
mod evicted;
mod forged;
mod limits;
mod lives;
mod mixes;
mod observer;
mod paths;
mod proofs;
mod proxied;
mod reused;
mod talks;
mod translated;
mod truth;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use synwatch::engine::outcome::ConnSummary;
use synwatch::wire::segment::{Checksum, Flags, Hop, Place, Segment};

use endpoints::Sent;
use lives::{Lived, SECOND, any_life};
use observer::Observer;

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn a_life_that_was_seen_is_told_exactly(life in any_life(false)) {
        let lived = life.live();
        let told = watch(&lived)?;
        truth::judge_all_seen(&told, &lived).map_err(|wrong| TestCaseError::fail(explain(&wrong, &lived)))?;
    }

    #[test]
    fn a_life_that_was_missed_in_part_is_not_told_wrongly(life in any_life(true)) {
        let lived = life.live();
        let told = watch(&lived)?;
        truth::judge_some_missed(&told, &lived).map_err(|wrong| TestCaseError::fail(explain(&wrong, &lived)))?;
    }
}

/// So many lives in a debug build, or as many as `PROPTEST_CASES` says.
fn cases(cases: u32) -> ProptestConfig {
    let wanted = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok());
    // The same lives in each run; as many others as are asked for by number.
    let rng_seed = if wanted.is_some() { RngSeed::Random } else { RngSeed::Fixed(9293) };
    ProptestConfig {
        cases: wanted.unwrap_or(cases),
        rng_seed,
        max_shrink_iters: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// What is known of a connection at the end of its life.
fn watch(lived: &Lived) -> Result<ConnSummary, TestCaseError> {
    let mut observer = Observer::new(1 << 12);
    for passed in lived.passed.iter().filter(|passed| !passed.missed && passed.sent.tells()) {
        observer.see(passed.time, &segment(&passed.sent));
    }
    observer.wait_until(lived.now);
    prop_assert_eq!(observer.attempts.len(), 1, "one attempt");
    Ok(observer.attempts[0].life)
}

fn segment(sent: &Sent) -> Segment {
    let client = ("192.0.2.1".parse().unwrap(), 40_000);
    let server = ("198.51.100.25".parse().unwrap(), 25);
    let ((src, src_port), (dst, dst_port)) =
        if sent.from_client { (client, server) } else { (server, client) };
    let hop = if sent.from_client { Hop { from: 1, to: 2 } } else { Hop { from: 2, to: 1 } };
    let flag = |is_set: bool, flag: Flags| if is_set { flag.0 } else { 0 };
    Segment {
        src,
        dst,
        src_port,
        dst_port,
        seq: sent.seq,
        ack: sent.ack.unwrap_or(0),
        flags: Flags(
            flag(sent.syn, Flags::SYN)
                | flag(sent.fin, Flags::FIN)
                | flag(sent.rst, Flags::RST)
                | flag(sent.psh() && !sent.syn, Flags::PSH)
                | flag(sent.ack.is_some(), Flags::ACK),
        ),
        payload: Some(sent.len),
        ip_id: None,
        hop_limit: 64,
        checksum: Checksum::Unknown,
        fast_open: false,
        digest: 0,
        place: Place { hop, ..Place::default() },
    }
}

/// What is wrong, and the life as a monitor's log.
fn explain(wrong: &str, lived: &Lived) -> String {
    let Lived { client, server, passed, now } = lived;
    let mut text = format!("{wrong}; the client said {}, the server {}:", client.said, server.said);
    let (client_isn, seconds) = (passed[0].sent.seq, |time: u64| time as f64 / SECOND as f64);
    let server_isn = passed.iter().find(|p| !p.sent.from_client && p.sent.syn).map_or(0, |p| p.sent.seq);
    for passed in passed {
        let sent = passed.sent;
        let (own, other) = if sent.from_client { (client_isn, server_isn) } else { (server_isn, client_isn) };
        text += &format!(
            "\n  {:7.2} {}{} {}{}{} seq={} ack={:?} len={}{}",
            seconds(passed.time),
            if sent.from_client { "client ->" } else { "server <-" },
            if passed.missed { " (missed)" } else { "" },
            if sent.syn { "S" } else { "" },
            if sent.fin { "F" } else { "" },
            if sent.rst { "R" } else { "" },
            sent.seq.wrapping_sub(own) as i32,
            sent.ack.map(|ack| ack.wrapping_sub(other) as i32),
            sent.len,
            if sent.tells() { "" } else { " (not passed on)" },
        );
    }
    text + &format!("\n  {:7.2} the end", seconds(*now))
}
