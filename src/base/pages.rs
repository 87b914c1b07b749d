//! Zeroed memory directly from the system: whole pages, aligned, and resident only after a write.
//!
//! A boxed slice of a type with the alignment of a cache line is zeroed by writing to all of it, which makes
//! all of it resident at the start.

use std::marker::PhantomData;
use std::ops::{Index, IndexMut, Range};

use memmap2::{Advice, MmapMut};
use prefetch_index::prefetch_index;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::base::sync::OutOfMemory;

/// A slice in separate pages.
#[derive(Debug)]
pub(crate) struct Pages<T> {
    map: MmapMut,
    length: usize,
    of: PhantomData<T>,
}

impl<T: FromBytes + IntoBytes + Immutable + KnownLayout> Pages<T> {
    /// Allocates this many elements, at least one, all zero.
    ///
    /// # Errors
    ///
    /// When there is not that much memory.
    pub(crate) fn zeroed(length: usize) -> Result<Self, OutOfMemory> {
        // A page is a multiple of the alignment of every type that is used here.
        const { assert!(align_of::<T>() <= 4096 && size_of::<T>() > 0) };
        let length = length.max(1);
        let bytes = length.checked_mul(size_of::<T>()).ok_or(OutOfMemory)?;
        Ok(Self { map: MmapMut::map_anon(bytes).map_err(|_| OutOfMemory)?, length, of: PhantomData })
    }

    /// Prefers huge pages (Linux's `MADV_HUGEPAGE`): random accesses miss the TLB less often, more of it becomes
    /// resident at once, and a first touch takes longer. Without them in the kernel nothing changes.
    pub(crate) fn prefer_huge(&self) {
        let _ = self.map.advise(Advice::HugePage);
    }

    /// Number of elements.
    #[must_use]
    #[inline]
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// Prefetches an element, if there is one.
    #[inline]
    pub(crate) fn prefetch(&self, index: usize) {
        prefetch_index(&self.map, index.wrapping_mul(size_of::<T>()));
    }

    /// All elements, for writing.
    #[must_use]
    #[inline]
    pub(crate) fn all_mut(&mut self) -> &mut [T] {
        <[T]>::mut_from_bytes(&mut self.map).unwrap_or_default()
    }
}

/// The bytes of an element.
#[inline]
fn bytes_of<T>(index: usize) -> Option<Range<usize>> {
    let first = index.checked_mul(size_of::<T>())?;
    Some(first..first + size_of::<T>())
}

/// As a slice does. Without asking each time whether the bytes are whole elements: that divides.
impl<T: FromBytes + IntoBytes + Immutable + KnownLayout> Index<usize> for Pages<T> {
    type Output = T;

    #[inline]
    fn index(&self, index: usize) -> &T {
        let bytes = bytes_of::<T>(index).and_then(|range| self.map.get(range));
        let element = bytes.and_then(|bytes| T::ref_from_bytes(bytes).ok());
        element.unwrap_or_else(|| beyond(index, self.length))
    }
}

impl<T: FromBytes + IntoBytes + Immutable + KnownLayout> IndexMut<usize> for Pages<T> {
    #[inline]
    fn index_mut(&mut self, index: usize) -> &mut T {
        let bytes = bytes_of::<T>(index).and_then(|range| self.map.get_mut(range));
        let element = bytes.and_then(|bytes| T::mut_from_bytes(bytes).ok());
        element.unwrap_or_else(|| beyond(index, self.length))
    }
}

#[cold]
fn beyond(index: usize, length: usize) -> ! {
    panic!("element {index} of {length}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_elements_are_there_and_zero_and_keep_what_is_written() {
        for length in [1, 2, 1000, 100_000] {
            let mut pages = Pages::<[u64; 8]>::zeroed(length).unwrap();
            pages.prefer_huge();
            assert_eq!(pages.all_mut().len(), length);
            assert!(pages.all_mut().iter().all(|element| *element == [0; 8]));
            pages.all_mut()[length - 1][7] = 9;
            assert_eq!(pages.all_mut()[length - 1], [0, 0, 0, 0, 0, 0, 0, 9]);
            assert_eq!(
                (pages.length(), pages[length - 1], pages[0][0]),
                (length, [0, 0, 0, 0, 0, 0, 0, 9], 0)
            );
            pages[0][0] = 3;
            assert_eq!(pages.all_mut()[0][0], 3);
        }
        assert_eq!(Pages::<u64>::zeroed(0).unwrap().all_mut(), [0]);
        assert_eq!(Pages::<u64>::zeroed(usize::MAX).map(|_| ()), Err(OutOfMemory));
    }

    #[test]
    #[should_panic(expected = "element 2 of 2")]
    fn there_is_nothing_beyond_the_last_element() {
        let _ = Pages::<[u64; 8]>::zeroed(2).unwrap()[2];
    }
}
