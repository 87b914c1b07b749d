//! Several readers of one interface: what the kernel hands over in blocks is counted in order of time.

use std::time::Duration;

use proptest::prelude::*;
use synwatch::time::Timestamp;

use crate::rig::syn::{Syn, after, merged, syn_at};
use crate::rig::{Found, Setup};
use crate::{HOST, OTHER, THIRD};

/// How long a block of packets is held back, and how far behind is what a reader says while it has none: whole ticks,
/// as ticks begin with the first time that is told.
const BLOCK: Duration = Duration::from_millis(9);
const LAG: Duration = Duration::from_millis(12);

/// What readers find. Each SYN comes to the reader that `choose` says; each reader has its blocks at other moments.
fn find(setup: &Setup, readers: usize, syns: &[Syn], choose: impl Fn(usize) -> usize) -> Found {
    let mut shared = setup.share(readers, LAG);
    let numbered = (1..).zip(syns).enumerate().map(|(place, (number, syn))| (choose(place), number, syn));
    let mut handed: Vec<_> =
        numbered.map(|(reader, number, syn)| (end_of_block(syn.time, reader), reader, number, syn)).collect();
    handed.sort_by_key(|&(time, reader, number, _)| (time, reader, number));
    for block in handed.chunk_by(|one, other| (one.0, one.1) == (other.0, other.1)) {
        let (now, reader, ..) = block[0];
        // They have said so all the time, each after the time-out of its wait.
        shared.idle(now.before(LAG));
        block.iter().for_each(|&(_, _, number, syn)| shared.see(reader, syn, number));
        shared.idle(now.before(LAG));
    }
    if let Some(last) = syns.iter().map(|syn| syn.time).max() {
        shared.idle(last);
    }
    shared.finish()
}

/// When a reader is handed over the block that a packet of this time is in.
fn end_of_block(time: Timestamp, reader: usize) -> Timestamp {
    let block = BLOCK.as_nanos() as i64;
    let phase = reader as i64 * block / 3;
    Timestamp::from_nanos((time.nanos() - phase).div_euclid(block) * block + block + phase)
}

fn same(several: &Found, one: &Found) -> Result<(), TestCaseError> {
    // What happened at one moment has no order.
    let lines = |found: &Found| {
        let mut lines: Vec<_> = found.alerts.iter().map(crate::rig::line).collect();
        lines.sort();
        lines
    };
    prop_assert_eq!(lines(several), lines(one));
    let counted = |found: &Found| (found.stats.packets, found.stats.attempts, found.stats.clock_steps);
    prop_assert_eq!(counted(several), counted(one));
    Ok(())
}

/// Counted as they come, those of the one reader would all be as new as the newest of the other.
#[test]
fn a_window_shorter_than_a_block_is_exact() {
    let setup = Setup::with(&["3/1ms"]);
    for (millis, alerts) in [(0.5, 2), (0.6, 0)] {
        let syns: Vec<_> = (0..40)
            .map(|n| syn_at(after(1.0 + f64::from(n) * millis / 1000.0), HOST.parse().unwrap()))
            .collect();
        let found = find(&setup, 2, &syns, |place| place % 2);
        assert_eq!(found.alerts.len(), alerts, "one each {millis} ms");
        assert_eq!(found.stats.attempts, 40);
    }
}

/// They are counted when they come, and what they say when it is their turn.
#[test]
fn what_tells_nothing_new_is_told_of_at_the_end_although_its_packets_were_told_of_before() {
    let mut shared = Setup::with(&["3/1s"]).share(1, LAG);
    let syn = syn_at(after(1.0), HOST.parse().unwrap()).numbered(1);
    shared.see_refusal(0, &syn);
    let stats = shared.finish().stats;
    assert_eq!((stats.packets, stats.answers, stats.last_watched), (1, 1, Some(syn.time)));
}

/// An own address is counted alone, not with its network, and readers do not know it.
#[test]
fn own_addresses_are_known_where_readers_do_not_know_them() {
    let setup = Setup::with(&["30/10s"]).own("2001:db8::1");
    let hosts = ["2001:db8::1", "2001:db8::2"].map(|host| host.parse().unwrap());
    let syns: Vec<_> =
        (0..40).map(|n| syn_at(after(1.0 + f64::from(n) / 100.0), hosts[n as usize % 2])).collect();
    let found = find(&setup, 2, &syns, |place| place / 2 % 2);
    found.is(&[]);
    assert_eq!((found.stats.attempts, found.stats.allowed), (40, 20));
}

proptest! {
    #[test]
    fn several_readers_find_what_one_finds(
        readers in 1..5usize,
        gaps in proptest::collection::vec((0..3usize, prop_oneof![4 => 0..20u32, 1 => 0..20_000u32], any::<u8>()), 1..200),
    ) {
        let hosts = [HOST, OTHER, THIRD].map(|host| host.parse().unwrap());
        let mut tenths = 0;
        let mut syns = Vec::new();
        for &(host, gap, _) in &gaps {
            tenths += gap;
            syns.push(syn_at(after(1.0 + f64::from(tenths) / 1e4), hosts[host]));
        }
        // What is due is done when a second turns, which idle interfaces tell as well as packets: nothing is due here.
        let setup = Setup::with(&["3/1ms", "5/20ms", "20/1s"]).quiet_time(86_400).update(86_400);
        let syns = merged([syns]);
        let one = setup.run(syns.iter().copied());
        let several = find(&setup, readers, &syns, |place| usize::from(gaps[place].2) % readers);
        same(&several, &one)?;
    }
}
