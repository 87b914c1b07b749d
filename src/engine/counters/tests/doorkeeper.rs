//! Of a table where sources wait in the doorkeeper for their second attempt.

use super::*;

fn with_doorkeeper(limits: &[Limit], sources: usize) -> Table {
    let most = limits.iter().map(|limit| limit.attempts).max().unwrap();
    Table::made(
        Make { doorkeeper: true, marks: false, ..MARKED },
        limits,
        Table::memory_for(sources, most) * 17 / 16,
    )
    .unwrap()
}

#[test]
fn a_table_with_a_door_takes_no_more_memory_than_it_is_given_and_nearly_all_of_that() {
    for (memory, attempts) in [(1 << 20, 60), (8 << 20, 4096), (3_000_000, 3), (1_000_001, 2)] {
        for marks in [false, true] {
            let make = Make { marks, doorkeeper: true, whole: false, named: false };
            let table = Table::made(make, &[limit(attempts, 10)], memory).unwrap();
            let marks = if marks { table.rings.len() * size_of::<Mark>() } else { 0 };
            let sets = table.sets.len() * (size_of::<Set>() + fingerprints::EACH);
            let slots = sets + size_of_val(&*table.rings) + marks;
            let all = slots + table.doorkeeper.as_ref().unwrap().bytes();
            // What aligns the doorkeeper is more.
            assert!(all <= memory + 64, "{attempts}: {all} of {memory}");
            let (set, places) = table.set();
            assert!(all + set + memory / 1000 >= memory, "{attempts}: {all} of {memory}");
            // What it says of a set is rounded up.
            assert!((table.slots() / places * set).abs_diff(memory) <= set + memory / 200);
        }
    }
}

#[test]
fn what_is_brought_in_tells_whether_a_source_has_a_slot_and_whether_that_is_flagged() {
    let table = with_doorkeeper(&[limit(3, 10)], 64);
    let mut ties = Ties::new(1);
    let mut record = || {
        let attempt = Attempt { time: Ticks(10_000), port: 25, ..Attempt::default() };
        table.record_attempt(tag(1), hint(&table, tag(1)), &attempt, &mut ties)
    };
    assert_eq!(hint(&table, tag(1)), Hint::ABSENT);
    record();
    assert_eq!(hint(&table, tag(1)), Hint::ABSENT, "in the doorkeeper");
    let slot = record().recorded().unwrap().slot;
    assert_eq!(hint(&table, tag(1)), Hint::found(slot.way(), false));
    table.flag(slot, true);
    assert_eq!(hint(&table, tag(1)), Hint::found(slot.way(), true));
    assert_eq!(table.prefetch(tag(1)), Hint::candidate(0), "as far as a fingerprint tells");
}

#[test]
fn a_source_that_got_its_slot_after_it_was_looked_for_is_found_there() {
    let table = with_doorkeeper(&[limit(3, 10)], 64);
    let mut ties = Ties::new(1);
    let hint = hint(&table, tag(1));
    let counts = [0, 1, 2, 3].map(|n| {
        let attempt = Attempt { time: Ticks(10_000 + n), port: 25, ..Attempt::default() };
        table.record_attempt(tag(1), hint, &attempt, &mut ties).recorded().map(|recorded| recorded.count)
    });
    assert_eq!(counts, [None, Some(1), Some(2), Some(3)], "one slot, and no second one");
}

#[test]
fn what_waits_at_the_door_is_found_by_its_place() {
    let table = with_doorkeeper(&[limit(3, 10)], 64);
    let attempt = Attempt { time: Ticks(20_000), port: 25, ..Attempt::default() };
    let taken = table.record_attempt(tag(7), Hint::default(), &attempt, &mut Ties::new(1));
    let settled = Attempt { code: Code::from_bits(5), ..attempt };
    assert_eq!(table.resolve_at(taken.place(), &attempt, &settled), Some(Found::Waiting));
    assert_eq!(Place::of_number(taken.place().number()), taken.place());
    assert!(table.resolve_first(tag(7), Ticks(20_000), 25, settled.code, attempt.code));
}

#[test]
fn a_flood_of_sources_that_come_once_takes_no_slot() {
    let table = with_doorkeeper(&[limit(3, 10)], 64);
    let mut ties = Ties::new(1);
    let mut come = |n: u64, tick: u64| {
        let attempt = Attempt { time: Ticks(tick), port: 25, ..Attempt::default() };
        table.record_attempt(tag(n), Hint::default(), &attempt, &mut ties)
    };
    for n in 0..8 {
        assert!(matches!(come(n, 20_000), Taken::Waits { evicted: false, .. }));
        assert!(matches!(
            come(n, 20_000),
            Taken::Recorded(Recorded { claimed: Some(Claim::Free), count: 1, .. })
        ));
    }
    let evicted =
        (100..10_000).filter(|n| matches!(come(*n, 20_001), Taken::Waits { evicted: true, .. })).count();
    assert!(evicted > 9_000, "the doorkeeper is small: {evicted}");
    for n in 0..8 {
        let third = *come(n, 20_002).recorded().unwrap();
        assert_eq!((third.claimed, table.met(&third)), (None, Some(0)), "source {n}");
    }
}

/// Tags that share a set of this doorkeeper.
fn rivals(table: &Table, number: usize) -> Vec<u64> {
    let doorkeeper = table.doorkeeper.as_ref().unwrap();
    let set = doorkeeper.set_of(tag(0));
    (0..).map(tag).filter(|tag| doorkeeper.set_of(*tag) == set).take(number).collect()
}

#[test]
fn sources_that_come_by_turns_get_slots_though_they_are_more_than_their_set_has_room_for() {
    let table = with_doorkeeper(&[limit(3, 3_600)], 4_096);
    for number in [4, 5, 8] {
        table.clear();
        let mut ties = Ties::new(1);
        let rivals = rivals(&table, number);
        let rounds = (1..100).find(|round| {
            for tag in &rivals {
                // A second apart, to the tick.
                let attempt = Attempt { time: Ticks(round * 10_000), port: 25, ..Attempt::default() };
                table.record_attempt(*tag, Hint::default(), &attempt, &mut ties);
            }
            rivals.iter().all(|tag| table.find(*tag).is_some())
        });
        assert!(rounds.is_some_and(|rounds| (number > 4) == (rounds > 2)), "{number}: {rounds:?}");
    }
}

#[test]
fn what_is_beyond_its_time_gives_way_before_what_is_not() {
    for newcomer in 0..200 {
        let table = with_doorkeeper(&[limit(3, 10)], 4_096);
        let rivals = rivals(&table, 5 + newcomer);
        let come = |place: usize, tick: u64| {
            let attempt = Attempt { time: Ticks(tick), port: 25, ..Attempt::default() };
            table.record_attempt(rivals[place], Hint::default(), &attempt, &mut Ties::new(1))
        };
        (0..3).for_each(|place| _ = come(place, 20_000));
        come(3, 110_000);
        // Of the four that are there three are beyond their time, whenever the newcomer is an exception.
        let taken = come(4 + newcomer, 130_000);
        assert!(matches!(taken, Taken::Waits { evicted: false, .. }), "{newcomer}: {taken:?}");
        assert!(come(3, 130_001).recorded().is_some(), "{newcomer}");
    }
}

#[test]
fn a_source_gets_a_slot_when_it_comes_again_within_the_longest_window() {
    for (later, is_let_in) in [(99_999, true), (100_000, true), (100_001, false)] {
        let table = with_doorkeeper(&[limit(3, 10), limit(2, 1)], 64);
        let mut ties = Ties::new(1);
        for (tick, expected) in [(20_000, false), (20_000 + later, is_let_in)] {
            let attempt = Attempt { time: Ticks(tick), port: 25, ..Attempt::default() };
            let taken = table.record_attempt(tag(7), Hint::default(), &attempt, &mut ties);
            assert_eq!(taken.recorded().is_some(), expected, "{later} ticks later");
            assert_eq!(table.find(tag(7)).is_some(), expected, "{later} ticks later");
        }
    }
}

#[test]
fn a_source_that_waits_is_let_in_with_what_is_known_of_its_attempt() {
    let table = with_doorkeeper(&[limit(3, 10)], 64);
    let mut ties = Ties::new(1);
    let attempt = Attempt { time: Ticks(20_000), port: 25, ..Attempt::default() };
    let _ = table.record_attempt(tag(7), Hint::default(), &attempt, &mut ties);
    assert_eq!(table.let_in(tag(8), Ticks(20_500), &mut ties), None);
    let code = Code::from_bits(5);
    for (port, before, is_it) in [
        (24, Code::default(), false),
        (25, code, false),
        (25, Code::default(), true),
        (25, Code::default(), false),
    ] {
        assert_eq!(table.resolve_first(tag(7), Ticks(20_000), port, before, code), is_it);
    }
    let (slot, _) = table.let_in(tag(7), Ticks(20_500), &mut ties).unwrap();
    assert_eq!(table.find(tag(7)), Some((slot, false)));
    assert!(table.resolve(slot, Ticks(20_000), 25, code, Code::default()));
    assert_eq!(table.let_in(tag(7), Ticks(20_500), &mut ties), None, "it waits no more");
}

#[test]
fn there_is_no_door_where_the_first_attempt_meets_a_limit() {
    let table = with_doorkeeper(&[limit(3, 10), limit(1, 1)], 64);
    let attempt = Attempt { time: Ticks(20_000), port: 25, ..Attempt::default() };
    let taken = table.record_attempt(tag(7), Hint::default(), &attempt, &mut Ties::new(1));
    assert_eq!(table.met(taken.recorded().unwrap()), Some(1));
}
