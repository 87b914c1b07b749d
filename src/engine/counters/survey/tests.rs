use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;

use crate::engine::clock::Ticks;
use crate::engine::counters::{Look, Make, Table, Ties};
use crate::engine::watch::Limit;

const NAMED: Make = Make { marks: false, doorkeeper: false, whole: false, named: true };
/// Longer after the table's beginning than any window.
const NOW: Ticks = Ticks(10_000_000);

fn later(ticks: u64) -> Ticks {
    Ticks(NOW.0 + ticks)
}

fn limits(of: &[(u16, u64)]) -> Vec<Limit> {
    of.iter().map(|(attempts, millis)| Limit::new(*attempts, Duration::from_millis(*millis))).collect()
}

fn table(limits: &[Limit]) -> Table {
    Table::made(NAMED, limits, 1 << 16).unwrap()
}

/// The tag of a source: they are spread over the sets.
fn tag(number: u64) -> u64 {
    number << 58
}

/// The address of the source with this tag.
fn address(tag: u64) -> IpAddr {
    IpAddr::from(tag.to_be_bytes().map(u16::from))
}

fn named(table: &Table, look: &Look) -> Option<IpAddr> {
    table.holder(look, |tag, found| (found == address(tag)).then_some(found))
}

fn all(table: &Table, now: Ticks) -> Vec<Look> {
    (0..=table.sets()).flat_map(|set| table.looks(set, now).collect::<Vec<_>>()).collect()
}

#[test]
fn live_slots_are_found_by_their_set_and_by_their_tag_and_named() {
    let table = table(&limits(&[(5, 1000)]));
    let ties = &mut Ties::new(1);
    for tag in (1..=20).map(tag) {
        let recorded = table.record(tag, NOW, 25, ties);
        assert_eq!(named(&table, &table.look_for(tag).unwrap()), None, "the claim is under way");
        table.name_holder(recorded.slot, address(tag));
        assert_eq!(named(&table, &table.look_for(tag).unwrap()), Some(address(tag)));
    }
    let mut found = all(&table, NOW);
    found.sort_by_key(|look| look.tag);
    assert_eq!(found.iter().map(|look| look.tag).collect::<Vec<_>>(), (1..=20).map(tag).collect::<Vec<_>>());
    assert!(found.iter().all(|look| table.look_for(look.tag) == Some(*look)));
    // A window and two seconds later they are idle.
    assert_eq!(all(&table, later(39_999)).len(), 20);
    assert_eq!(all(&table, later(40_000)).len(), 0);
    table.clear();
    assert_eq!((all(&table, NOW).len(), table.look_for(tag(1))), (0, None));
}

#[test]
fn both_kinds_of_addresses_come_back() {
    let table = table(&limits(&[(5, 1000)]));
    let recorded = table.record(7, NOW, 25, &mut Ties::new(1));
    let look = table.look_for(7).unwrap();
    for text in ["198.51.100.66", "2001:db8:66::66", "::ffff:198.51.100.66", "::", "0.0.0.0"] {
        let address: IpAddr = text.parse().unwrap();
        table.name_holder(recorded.slot, address);
        let same = |tag, found| (tag == 7 && found == address).then_some(());
        assert_eq!(table.holder(&look, same), Some(()), "{text}");
    }
}

#[test]
fn tables_that_name_nobody_have_no_memory_for_it() {
    let limits = limits(&[(5, 1000)]);
    let nameless = Table::made(Make { named: false, ..NAMED }, &limits, 1 << 16).unwrap();
    assert!(nameless.slots() > table(&limits).slots());
    let recorded = nameless.record(7, NOW, 25, &mut Ties::new(1));
    nameless.name_holder(recorded.slot, address(7));
    assert_eq!(named(&nameless, &nameless.look_for(7).unwrap()), None);
}

#[test]
fn a_count_goes_to_n_where_a_limit_is_met() {
    // N-1, N, N+1 of the largest limit, and N-1 and N of a smaller one, which is counted as far as the ring reaches.
    for (attempts, flag, large, small) in
        [(29, false, 29, 29), (30, true, 30, 29), (31, true, 30, 29), (4, false, 4, 4), (5, true, 5, 5)]
    {
        let table = table(&limits(&[(30, 10_000), (5, 10_000)]));
        for n in 0..attempts {
            let recorded = table.record(7, later(n), 25, &mut Ties::new(1));
            table.flag(recorded.slot, flag);
        }
        let look = table.look_for(7).unwrap();
        assert_eq!(table.count(&look, 0, later(attempts)), Some(large), "{attempts}");
        assert_eq!(table.count(&look, 1, later(attempts)), Some(small), "{attempts}");
        assert_eq!(table.count(&look, 2, later(attempts)), None, "no such limit");
        assert_eq!(table.at_most(&look) >= 1.0, attempts >= 5, "{attempts}");
    }
}

#[test]
fn a_window_has_both_its_ends() {
    let table = table(&limits(&[(5, 1000)]));
    table.record(7, NOW, 25, &mut Ties::new(1));
    table.record(7, later(3), 25, &mut Ties::new(1));
    let look = table.look_for(7).unwrap();
    for (now, count) in [(3, 2), (10_000, 2), (10_001, 1), (10_003, 1), (10_004, 0)] {
        assert_eq!(table.count(&look, 0, later(now)), Some(count), "{now}");
    }
}

#[test]
fn a_look_at_a_slot_that_gives_way_counts_nothing() {
    let table = Table::made(NAMED, &limits(&[(3, 1000)]), 0).unwrap();
    let ties = &mut Ties::new(1);
    table.record(1, NOW, 25, ties);
    let look = table.look_for(1).unwrap();
    // Its set is full of others by then.
    for tag in 2..100 {
        (0..3).for_each(|n| _ = table.record(tag, later(n), 25, ties));
    }
    assert_eq!((table.look_for(1), table.count(&look, 0, NOW), table.rate(&look, NOW)), (None, None, None));
}

#[test]
fn a_rate_is_that_of_the_window_or_of_what_is_remembered_of_it() {
    let table = table(&limits(&[(5, 10_000)]));
    let rate = |ticks: u64| table.rate(&table.look_for(7).unwrap(), later(ticks)).unwrap();
    for n in 0..3 {
        table.record(7, later(n * 10_000), 25, &mut Ties::new(1));
    }
    assert!((rate(20_000) - 0.3).abs() < 1e-9, "three in ten seconds");
    for n in 0..100 {
        table.record(7, later(20_000 + n * 100), 25, &mut Ties::new(1));
    }
    // The last four came in 0.03 s, and that was 0.01 s ago.
    assert!((rate(30_000) - 100.0).abs() < 1e-9, "{}", rate(30_000));
}

proptest! {
    #[test]
    fn counts_are_those_of_a_list_of_all_attempts(
        steps in prop::collection::vec(0_u64..4000, 1..200),
        of in prop::collection::vec((1_u16..40, 1_u64..30_000), 1..4),
        wait in 0_u64..400_000,
    ) {
        let limits = limits(&of);
        let table = table(&limits);
        let mut times = Vec::new();
        let mut time = NOW.0;
        for step in steps {
            time += step * 10;
            times.push(time);
            table.record(7, Ticks(time), 25, &mut Ties::new(1));
        }
        let (now, look) = (Ticks(time + wait), table.look_for(7).unwrap());
        let most = usize::from(limits.iter().map(|limit| limit.attempts).max().unwrap()).saturating_sub(1).max(1);
        for (place, limit) in limits.iter().enumerate() {
            let window = Ticks::in_window(limit.window);
            let within = times.iter().filter(|time| now.0 - **time <= window).count();
            prop_assert_eq!(table.count(&look, place, now), Some(within.min(most) as u32));
        }
    }
}
