//! The atomics of the shared table: the standard library's, or loom's when a model is checked (`--cfg loom`).

#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU16, AtomicU64, Ordering};

/// There is not enough memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("out of memory")]
pub struct OutOfMemory;

/// A slice whose elements are zero. Where the system hands out zeroed pages, those never written are never resident.
///
/// # Errors
///
/// When there is not that much memory.
#[cfg(not(loom))]
pub(crate) fn zeroed<T: zerocopy::FromZeros>(length: usize) -> Result<Box<[T]>, OutOfMemory>
where
    [T]: zerocopy::KnownLayout<PointerMetadata = usize> + zerocopy::FromZeros,
{
    <[T] as zerocopy::FromZeros>::new_box_zeroed_with_elems(length).map_err(|_| OutOfMemory)
}

/// A slice whose elements are zero, built one by one: loom's atomics cannot be made of zeroed bytes.
///
/// # Errors
///
/// None.
#[cfg(loom)]
pub(crate) fn zeroed<T: Default>(length: usize) -> Result<Box<[T]>, OutOfMemory> {
    Ok(std::iter::repeat_with(T::default).take(length).collect())
}
