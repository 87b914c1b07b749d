//! Numbers that one thread alone changes, and others may look at.
//!
//! With one writer a load and a store do what a locked instruction does, which takes twenty times as long. Each number
//! stands for itself and publishes nothing, so all is `Relaxed` but where it says otherwise.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// A count.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

/// A sum that can fall.
#[derive(Debug, Default)]
pub(super) struct Sum(AtomicI64);

/// The greatest of some times, in nanoseconds.
#[derive(Debug)]
pub(super) struct Latest(AtomicI64);

/// The least of some numbers.
#[derive(Debug)]
pub(super) struct Least(AtomicU64);

impl Count {
    /// Its writer's alone.
    #[inline]
    pub(super) fn add(&self, more: u64) {
        self.0.store(self.get().wrapping_add(more), Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Its writer's alone.
    #[inline]
    pub(super) fn set(&self, count: u64) {
        self.0.store(count, Ordering::Relaxed);
    }
}

impl Sum {
    pub(super) fn new(sum: i64) -> Self {
        Self(AtomicI64::new(sum))
    }

    /// Its writer's alone. `Release`, partner: the `Acquire` in [`Sum::get`]. Who sees this sees all that its writer
    /// wrote before.
    #[inline]
    pub(super) fn add(&self, more: i64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(more), Ordering::Release);
    }

    #[inline]
    pub(super) fn get(&self) -> i64 {
        self.0.load(Ordering::Acquire)
    }
}

impl Latest {
    pub(super) fn new(time: i64) -> Self {
        Self(AtomicI64::new(time))
    }

    /// Its writer's alone.
    #[inline]
    pub(super) fn raise(&self, time: i64) {
        if time > self.get() {
            self.0.store(time, Ordering::Relaxed);
        }
    }

    #[inline]
    pub(super) fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Default for Latest {
    /// Of none.
    fn default() -> Self {
        Self::new(i64::MIN)
    }
}

impl Least {
    pub(super) fn new(number: u64) -> Self {
        Self(AtomicU64::new(number))
    }

    /// Its writer's alone.
    #[inline]
    pub(super) fn lower(&self, number: u64) {
        if number < self.get() {
            self.0.store(number, Ordering::Relaxed);
        }
    }

    #[inline]
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Default for Least {
    /// Of none.
    fn default() -> Self {
        Self::new(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_sums_add_up_and_extremes_stay() {
        let (count, sum, latest, least) =
            (Count::default(), Sum::new(3), Latest::default(), Least::default());
        for number in [5, 2, 9, 4] {
            count.add(number);
            sum.add(-1);
            latest.raise(number as i64 - 20);
            least.lower(number);
        }
        assert_eq!((count.get(), sum.get(), latest.get(), least.get()), (20, -1, -11, 2));
        // What is told as a difference may be less than nothing: that wraps.
        count.add(7u64.wrapping_sub(9));
        assert_eq!(count.get(), 18);
    }
}
