//! Some at a time: while some are counted, what the next ones need is brought into the cache.
//!
//! One segment alone waits for memory several times over; together they wait once, and mostly not at all.

use std::iter;
use std::ops::Range;

use crate::connections;

/// How many are brought in together: enough for the next ones to come while these are counted. So many segments wait to
/// be looked at, and findings to be counted, where one thread does all of it.
pub(super) const SIZE: usize = connections::AT_ONCE;
/// How many go to another thread together: so many that waking it is a small part of the work.
pub(super) const LARGE: usize = 4 * SIZE;

/// The places of so many, some at a time.
pub(super) fn some_at_a_time(all: usize) -> impl Iterator<Item = Range<usize>> + Clone {
    (0..all).step_by(SIZE).map(move |first| first..all.min(first + SIZE))
}

/// Each of these with the one that comes next, so that what that needs can be brought in before the one is counted: the
/// first one comes as the next one of none, and none after the last one.
pub(super) fn with_next<T>(
    all: impl Iterator<Item = T> + Clone,
) -> impl Iterator<Item = (Option<T>, Option<T>)> {
    let each = iter::once(None).chain(all.clone().map(Some));
    each.zip(all.map(Some).chain(iter::once(None)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_comes_after_it_was_the_next_one() {
        let with_next = |all: &[u8]| with_next(all.iter().copied()).collect::<Vec<_>>();
        assert_eq!(with_next(&[]), [(None, None)]);
        assert_eq!(with_next(&[1]), [(None, Some(1)), (Some(1), None)]);
        assert_eq!(with_next(&[1, 2]), [(None, Some(1)), (Some(1), Some(2)), (Some(2), None)]);
    }

    #[test]
    fn all_of_them_come_in_order_and_at_most_so_many_at_a_time() {
        for all in [0, 1, SIZE - 1, SIZE, SIZE + 1, 3 * SIZE + 2] {
            let some: Vec<_> = some_at_a_time(all).collect();
            assert!(some.iter().all(|some| (1..=SIZE).contains(&some.len())));
            assert_eq!(some.len(), all.div_ceil(SIZE));
            assert!(some.into_iter().flatten().eq(0..all));
        }
    }
}
