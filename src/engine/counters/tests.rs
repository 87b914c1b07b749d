use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

mod doorkeeper;

const MARKED: Make = Make { marks: true, doorkeeper: false, whole: false, named: false };

fn limit(attempts: u16, seconds: u64) -> Limit {
    Limit::new(attempts, Duration::from_secs(seconds))
}

fn table(limits: &[Limit], sources: usize) -> Table {
    let most = limits.iter().map(|limit| limit.attempts).max().unwrap();
    Table::new(limits, Table::memory_for(sources, most)).unwrap()
}

fn tag(n: u64) -> u64 {
    crate::base::hash::Key::fixed().address(std::net::Ipv6Addr::from_bits(n.into()).into())
}

fn met(table: &Table, n: u64, tick: u64, ties: &mut Ties) -> Option<usize> {
    let recorded = table.record(tag(n), Ticks(tick), 25, ties);
    table.met(&recorded)
}

#[test]
fn the_nth_attempt_within_the_window_meets_the_limit_and_the_one_before_does_not() {
    for attempts in [1, 2, 3, 30, 60, 4096] {
        let table = table(&[limit(attempts, 10)], 8);
        let mut ties = Ties::new(1);
        for n in 1..=2 * u64::from(attempts) + 3 {
            let expected = (n >= u64::from(attempts)).then_some(0);
            assert_eq!(met(&table, 7, 1000 + n, &mut ties), expected, "attempt {n} of {attempts}");
        }
    }
}

#[test]
fn both_ends_of_the_window_are_included() {
    for (span, expected) in [(99_999, Some(0)), (100_000, Some(0)), (100_001, None)] {
        let table = table(&[limit(3, 10)], 8);
        let mut ties = Ties::new(1);
        assert_eq!(met(&table, 7, 5000, &mut ties), None);
        assert_eq!(met(&table, 7, 5001, &mut ties), None);
        assert_eq!(met(&table, 7, 5000 + span, &mut ties), expected, "span of {span} ticks");
    }
}

#[test]
fn an_attempt_out_of_order_counts_at_the_newest_time_of_its_source() {
    let table = table(&[limit(3, 1)], 8);
    let mut ties = Ties::new(1);
    for tick in [20_000, 30_001, 24_000] {
        assert_eq!(met(&table, 7, tick, &mut ties), None, "counted at 30001, not at 24000");
    }
    assert_eq!(met(&table, 7, 40_001, &mut ties), Some(0));
}

#[test]
fn the_window_is_the_attempts_that_met_the_limit() {
    let table = table(&[limit(5, 10), limit(3, 1)], 8);
    let mut ties = Ties::new(1);
    for n in 0..20 {
        let recorded = table.record(tag(7), Ticks(1000 + n * 10), 100 + n as u16, &mut ties);
        if n < 4 {
            continue;
        }
        for (limit, attempts) in [(0, 5), (1, 3)] {
            let window: Vec<_> = table.window(&recorded, limit).map(|a| (a.time.0, a.port)).collect();
            let expected: Vec<_> = (n + 1 - attempts..=n).map(|i| (1000 + i * 10, 100 + i as u16)).collect();
            assert_eq!(window, expected);
            assert_eq!(table.span(&recorded, limit), Some((attempts - 1) * 10));
        }
    }
}

#[test]
fn an_idle_slot_is_taken_before_a_live_one_and_inherits_nothing() {
    let table = table(&[limit(3, 10)], 8);
    assert_eq!(table.slots(), 8);
    let mut ties = Ties::new(1);
    for n in 0..8 {
        let recorded = table.record(tag(n), Ticks(1), 25, &mut ties);
        assert_eq!(recorded.claimed, Some(Claim::Free));
    }
    // All but source 3 come again, much later: 3 is the one that is idle.
    let later = Ticks(14 * SECOND);
    for n in (0..8).filter(|n| *n != 3) {
        assert_eq!(table.record(tag(n), later, 25, &mut ties).claimed, None);
    }
    assert_eq!(table.record(tag(100), later, 25, &mut ties).claimed, Some(Claim::Free));
    assert_eq!(table.find(tag(3)), None);
    assert_eq!(table.record(tag(3), later, 25, &mut ties).claimed, Some(Claim::Evicted));
}

#[test]
fn what_an_earlier_source_left_in_the_ring_does_not_count() {
    let table = table(&[limit(3, 10)], 8);
    let mut ties = Ties::new(1);
    for round in 0..40 {
        for n in 0..8 {
            // Two attempts each: one more would meet the limit, and the next source finds these two in its ring.
            for _ in 0..2 {
                assert_eq!(met(&table, 100 + round * 8 + n, 50_000 + round, &mut ties), None);
            }
        }
    }
}

#[test]
fn a_flagged_source_gives_way_last_and_keeps_its_flag() {
    let table = table(&[limit(3, 10)], 8);
    let mut ties = Ties::new(1);
    let slot = table.record(tag(0), Ticks(1), 25, &mut ties).slot;
    table.flag(slot, true);
    for n in 1..1000 {
        table.record(tag(n), Ticks(1), 25, &mut ties);
    }
    assert_eq!(table.find(tag(0)), Some((slot, true)));
    assert!(table.record(tag(0), Ticks(2), 25, &mut ties).flagged);
    table.flag(slot, false);
    assert_eq!(table.find(tag(0)), Some((slot, false)));
}

#[test]
fn a_flag_for_an_earlier_claim_is_not_set() {
    let table = table(&[limit(3, 10)], 8);
    let mut ties = Ties::new(1);
    let old = table.record(tag(0), Ticks(1), 25, &mut ties).slot;
    for n in 1..1000 {
        table.record(tag(n), Ticks(1), 25, &mut ties);
        if table.find(tag(0)).is_none() {
            break;
        }
    }
    assert_eq!(table.find(tag(0)), None);
    table.flag(old, true);
    assert!((1..1000).filter_map(|n| table.find(tag(n))).all(|(_, flagged)| !flagged));
}

#[test]
fn hosts_that_keep_coming_rise_above_one_off_sources_that_send_twice() {
    // 64 slots; 20 one-off sources with two attempts each between two attempts of the one that keeps coming.
    let table = table(&[limit(30, 10)], 64);
    let mut ties = Ties::new(1);
    let mut one_off = 1000;
    let mut found = None;
    for n in 0..2000u64 {
        let now = 10_000 + n * 2000;
        if met(&table, 1, now, &mut ties).is_some() {
            found = Some(n);
            break;
        }
        for _ in 0..20 {
            one_off += 1;
            for _ in 0..2 {
                assert_eq!(
                    met(&table, one_off, now, &mut ties),
                    None,
                    "a one-off source is never over a limit"
                );
            }
        }
    }
    assert!(found.is_some_and(|n| n < 1000), "found after {found:?} attempts");
}

#[test]
fn a_table_that_was_cleared_counts_as_a_new_one_does() {
    let attempt = |tick| Attempt { time: Ticks(tick), port: 25, ..Attempt::default() };
    for doorkeeper in [false, true] {
        let tables =
            [(); 2].map(|()| Table::made(Make { doorkeeper, ..MARKED }, &[limit(3, 10)], 1 << 14).unwrap());
        let mut ties = Ties::new(1);
        for n in 0..500 {
            let taken =
                tables[0].record_attempt(tag(n / 3), Hint::default(), &attempt(1_000_000 + n), &mut ties);
            taken.recorded().into_iter().for_each(|recorded| tables[0].flag(recorded.slot, true));
        }
        tables[0].clear();
        assert!((0..500).all(|n| tables[0].find(tag(n)).is_none()));
        let mut ties = [Ties::new(1), Ties::new(1)];
        for n in 0..500 {
            let taken = [0, 1].map(|at| {
                tables[at].record_attempt(tag(n % 40), Hint::default(), &attempt(1000 + n), &mut ties[at])
            });
            assert_eq!(taken[0], taken[1]);
            let met = [0, 1].map(|at| taken[at].recorded().and_then(|recorded| tables[at].met(recorded)));
            assert_eq!(met[0], met[1]);
        }
    }
}

#[test]
fn how_many_sources_a_window_has_is_told_where_marks_are_kept() {
    let limit = limit(500, 10);
    let group = Table::made(MARKED, &[limit], 1 << 20).unwrap();
    let mut ties = Ties::new(1);
    for n in 0..2000u64 {
        // The first thousand attempts are of many sources, the others of a hundred.
        let source = if n < 1000 { n } else { n % 100 };
        let attempt = Attempt { time: Ticks(n), port: 25, mark: Mark::of(tag(source)), ..Attempt::default() };
        let recorded =
            group.record_attempt(tag(7), Hint::default(), &attempt, &mut ties).recorded().copied().unwrap();
        if let Some(limit) = group.met(&recorded) {
            let estimate = group.sources(&recorded, limit).unwrap().count();
            match n {
                499..1000 => assert!((450..=550).contains(&estimate), "{estimate} at {n}"),
                1499.. => assert!((90..=110).contains(&estimate), "{estimate} at {n}"),
                _ => (),
            }
        }
    }
    let plain = table(&[limit], 8);
    let recorded = plain.record(tag(7), Ticks(1), 25, &mut ties);
    assert!(plain.sources(&recorded, 0).is_none());
}

/// Where the prefetch found a source.
fn hint(table: &Table, tag: u64) -> Hint {
    let mut hint = table.prefetch(tag);
    table.prefetch_attempt(tag, &mut hint);
    hint
}

#[test]
fn a_table_takes_no_more_memory_than_it_is_given() {
    for (memory, attempts) in [(1 << 20, 60), (1 << 20, 4096), (3_000_000, 1), (1_000_001, 2)] {
        let table = Table::new(&[limit(attempts, 10)], memory).unwrap();
        assert!(Table::memory_for(table.slots(), attempts) <= memory);
        assert!(Table::memory_for(table.slots() + 1, attempts) > memory);
        // With marks, a ring takes a quarter more.
        let marked = Table::made(MARKED, &[limit(attempts, 10)], memory).unwrap();
        let ring = usize::from(attempts).saturating_sub(1).max(1);
        assert!(Table::memory_for(marked.slots(), attempts) + marked.slots() * ring * 2 <= memory);
    }
}

proptest! {
    #[test]
    fn one_thread_finds_exactly_what_a_plain_map_finds(
        limits in prop::collection::vec((1u16..70, 1u64..30), 1..4),
        attempts in prop::collection::vec((0u64..6, 0u64..40_000), 1..600),
    ) {
        let limits: Vec<_> = limits.iter().map(|&(attempts, seconds)| limit(attempts, seconds)).collect();
        let table = table(&limits, 4096);
        let mut ties = Ties::new(1);
        let mut oracle: HashMap<u64, Vec<u64>> = HashMap::new();
        let mut now = 20_000;
        for (source, step) in attempts {
            now += step * step / 40_000;
            let times = oracle.entry(source).or_default();
            times.push(now);
            let expected = limits.iter().position(|limit| {
                let n = usize::from(limit.attempts);
                times.len() >= n
                    && times[times.len() - 1] - times[times.len() - n] <= limit.window.as_secs() * SECOND
            });
            prop_assert_eq!(met(&table, source, now, &mut ties), expected);
        }
    }
}

const SECOND: u64 = 10_000;

/// Notes what became of an attempt, by its place where that is known and it is still there.
fn resolve(table: &Table, source: u64, attempt: &Attempt, place: Place, code: Code) -> bool {
    let Attempt { time, port, code: before, .. } = *attempt;
    let at = table.resolve_at(place, attempt, &Attempt { code, ..*attempt });
    at.is_some()
        || match table.find(tag(source)) {
            Some((slot, _)) => table.resolve(slot, time, port, before, code),
            None => table.resolve_first(tag(source), time, port, before, code),
        }
}

proptest! {
    #[test]
    fn with_a_door_and_places_each_limit_is_met_with_what_it_is_met_with_without(
        attempts in prop::collection::vec((0..40u64, 0..20_000u64, 0..4u16), 1..400),
        most in 2..6u16,
    ) {
        let limits = [limit(most, 5), limit(2, 1)];
        let tables = [false, true].map(|doorkeeper| {
            Table::made(Make { doorkeeper, ..MARKED }, &limits, 2 * Table::memory_for(8192, most)).unwrap()
        });
        let mut ties = [Ties::new(1), Ties::new(1)];
        let mut unsettled = std::collections::VecDeque::new();
        let mut time = 10_000;
        // As a batch does, where to look is asked of several before the first of them is recorded.
        let sources: Vec<_> = attempts.iter().map(|(source, ..)| *source).collect();
        let mut hints = Vec::new();
        for (number, (source, later, port)) in attempts.into_iter().enumerate() {
            if number % 8 == 0 {
                let some = &sources[number..sources.len().min(number + 8)];
                hints = some.iter().map(|source| [0, 1].map(|n| hint(&tables[n], tag(*source)))).collect();
            }
            let hints = hints[number % 8];
            // No two attempts of a source at one tick, because they would be interchangeable.
            time += later + 1;
            let attempt = Attempt { time: Ticks(time), port, mark: Mark::of(tag(source)), ..Attempt::default() };
            let taken = [0, 1].map(|n| {
                tables[n].record_attempt(tag(source), hints[n], &attempt, &mut ties[n])
            });
            let recorded = taken.map(|taken| taken.recorded().copied());
            let met = [0, 1].map(|n| recorded[n].and_then(|recorded| tables[n].met(&recorded)));
            prop_assert_eq!(met[0], met[1]);
            if let Some(limit) = met[0] {
                let windows = [0, 1].map(|n| {
                    tables[n].window(&recorded[n].unwrap(), limit).collect::<Vec<_>>()
                });
                prop_assert_eq!(&windows[0], &windows[1]);
            }
            unsettled.push_back((source, attempt, taken[1].place()));
            // What becomes of it is noted, at once or later, wherever it is by then.
            if port == 3 {
                let (source, attempt, place) = if later % 2 == 0 { unsettled.pop_front() } else { unsettled.pop_back() }.unwrap();
                let code = Code::from_bits(later % 16);
                let searched = resolve(&tables[0], source, &attempt, Place::UNKNOWN, code);
                // At the doorkeeper the first attempt of a source that comes seldom gives way to its next one.
                prop_assert!(searched || !resolve(&tables[1], source, &attempt, place, code));
                prop_assert!(!searched || resolve(&tables[1], source, &attempt, place, code)
                    || time - attempt.time.0 > 5 * SECOND);
            }
        }
    }
}

#[test]
fn a_place_tells_where_it_is_and_nothing_of_what_came_there_since() {
    for doorkeeper in [false, true] {
        let table = Table::made(Make { doorkeeper, ..MARKED }, &[limit(3, 10)], 1 << 14).unwrap();
        let mut ties = Ties::new(1);
        let mut record = |tick: u64| {
            let attempt = Attempt { time: Ticks(tick), port: 25, ..Attempt::default() };
            (table.record_attempt(tag(7), Hint::default(), &attempt, &mut ties).place(), attempt)
        };
        let [first, second] = [20_000, 20_001].map(&mut record);
        let code = |attempt: Attempt| Attempt { code: Code::from_bits(5), ..attempt };
        let flag = |flagged: bool| table.find(tag(7)).map(|(slot, _)| Found::Slot(slot, flagged));
        assert_eq!(table.resolve_at(second.0, &second.1, &code(second.1)), flag(false));
        assert_eq!(table.resolve_at(second.0, &second.1, &code(second.1)), None, "it is noted already");
        // From the doorkeeper it has gone to a slot.
        let is_there = if doorkeeper { None } else { flag(false) };
        assert_eq!(table.resolve_at(first.0, &first.1, &code(first.1)), is_there);
        let third = record(20_002);
        table.flag(table.find(tag(7)).unwrap().0, true);
        assert_eq!(table.resolve_at(third.0, &third.1, &code(third.1)), flag(true));
        for tick in 20_003..20_005 {
            record(tick);
        }
        assert_eq!(table.resolve_at(third.0, &code(third.1), &third.1), None, "others have come there");
        for place in [Place::UNKNOWN, Place::of_number(1 << 30), Place::of_number(3 << 30)] {
            assert_eq!(table.resolve_at(place, &third.1, &third.1), None);
        }
    }
}
