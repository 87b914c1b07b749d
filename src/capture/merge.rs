//! Chooses the next file when several capture files are read as one: the file with the oldest next packet. Of
//! equal times, the file that was given first has its turn.
//!
//! Within a file nothing is sorted. A file keeps its turn while its packets come before those of all others,
//! so that files without overlap are read one after the other.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use crate::base::time::Timestamp;

/// The files with a next packet, by its time. The index of a file is its position in the given order.
#[derive(Debug, Default)]
pub(super) struct Turns(BinaryHeap<Reverse<(Timestamp, usize)>>);

impl Turns {
    /// Adds the time of a file's next packet.
    pub(super) fn wait(&mut self, next: Timestamp, file: usize) {
        self.0.push(Reverse((next, file)));
    }

    /// Removes the file whose turn it is. Returns it with the time up to which it keeps its turn.
    pub(super) fn take(&mut self) -> Option<(usize, Timestamp)> {
        let Reverse((_, file)) = self.0.pop()?;
        let through = match self.0.peek() {
            None => Timestamp::MAX,
            Some(Reverse((next, other))) if file < *other => *next,
            Some(Reverse((next, _))) => next.before(Duration::from_nanos(1)),
        };
        Some((file, through))
    }

    /// Removes all files.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Merges lists of times as files are merged.
    fn merged(files: &[Vec<i64>]) -> Vec<(i64, usize)> {
        let mut turns = Turns::default();
        let mut rest: Vec<_> = files.iter().map(|times| times.iter().copied().peekable()).collect();
        for (file, times) in rest.iter_mut().enumerate() {
            if let Some(&time) = times.peek() {
                turns.wait(Timestamp::from_nanos(time), file);
            }
        }
        let mut merged = Vec::new();
        while let Some((file, through)) = turns.take() {
            while let Some(time) = rest[file].next_if(|time| Timestamp::from_nanos(*time) <= through) {
                merged.push((time, file));
            }
            if let Some(&time) = rest[file].peek() {
                turns.wait(Timestamp::from_nanos(time), file);
            }
        }
        merged
    }

    #[test]
    fn ties_go_to_the_file_given_first() {
        let files = [vec![2, 3], vec![1, 2, 2, 3], vec![2]];
        assert_eq!(merged(&files), [(1, 1), (2, 0), (2, 1), (2, 1), (2, 2), (3, 0), (3, 1)]);
    }

    #[test]
    fn the_earliest_and_the_latest_time_there_are() {
        let files = [vec![i64::MIN, i64::MAX], vec![i64::MIN, i64::MIN, i64::MAX]];
        let [min, max] = [i64::MIN, i64::MAX];
        assert_eq!(merged(&files), [(min, 0), (min, 1), (min, 1), (max, 0), (max, 1)]);
    }

    #[test]
    fn a_file_is_not_sorted() {
        assert_eq!(merged(&[vec![5, 1, 6], vec![2]]), [(2, 1), (5, 0), (1, 0), (6, 0)]);
    }

    proptest! {
        #[test]
        fn is_the_plain_choice_of_the_oldest_next_packet(
            files in prop::collection::vec(prop::collection::vec(0_i64..8, 0..8), 0..6)
        ) {
            let mut at = vec![0; files.len()];
            let mut expected = Vec::new();
            while let Some((time, file)) =
                files.iter().enumerate().filter_map(|(i, f)| Some((*f.get(at[i])?, i))).min()
            {
                expected.push((time, file));
                at[file] += 1;
            }
            prop_assert_eq!(merged(&files), expected);
        }
    }
}
