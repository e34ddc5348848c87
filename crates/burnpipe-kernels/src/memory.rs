//! Memory of weights, in large pages where the system has them.
//!
//! A weight is read from its beginning to its end for every token. In pages of 4 kB the processor stops reading
//! ahead at the end of each and looks up where the next one lies; and the first write to each costs a call of the
//! system. Weights are therefore cut out of large pieces of memory, for which Linux is asked to use pages of 2 MB.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use memmap2::MmapMut;

/// What is asked of the system at a time: address space, which costs nothing until it is written to.
const PIECE: usize = 64 << 20;

/// The size of a large page, at which pieces begin.
const PAGE: usize = 2 << 20;

/// The most bytes of a weight: less than a slice may have, by the pages around it.
const MOST: usize = isize::MAX as usize - 2 * PAGE;

/// Where weights begin: at a line of the cache.
const LINE: usize = 64;

/// A number whose bits may be anything, zeros among them.
///
/// # Safety
///
/// That is so.
pub unsafe trait Plain: Copy + Send + Sync + 'static {}

// SAFETY: all bits are a float.
unsafe impl Plain for f32 {}
// SAFETY: all bits are an integer.
unsafe impl Plain for u16 {}

/// Numbers in memory that many of them share; let go with the last of its neighbours.
pub(crate) struct Numbers<T> {
    /// Keeps the memory.
    piece: Arc<Piece>,
    start: *mut T,
    length: usize,
}

// SAFETY: it owns its part of the piece, and numbers may be used from any thread.
unsafe impl<T: Plain> Send for Numbers<T> {}
// SAFETY: as above; shared access only reads.
unsafe impl<T: Plain> Sync for Numbers<T> {}

/// A piece of memory, all zeros when it comes.
struct Piece {
    _map: MmapMut,
    /// The first address that is used.
    start: *mut u8,
    length: usize,
}

// SAFETY: a piece is only ever reached through the parts that were cut from it, each once.
unsafe impl Send for Piece {}
// SAFETY: as above.
unsafe impl Sync for Piece {}

/// The piece that is being cut, and how much of it is given away.
static CURRENT: Mutex<(Weak<Piece>, usize)> = Mutex::new((Weak::new(), 0));

impl<T: Plain> Numbers<T> {
    /// So many zeros.
    ///
    /// # Panics
    ///
    /// When no memory holds them.
    pub(crate) fn zeros(length: usize) -> Self {
        let bytes = length.checked_mul(size_of::<T>()).filter(|bytes| *bytes <= MOST);
        #[expect(clippy::panic, reason = "as `Vec` does when no memory is so large")]
        let bytes = bytes.unwrap_or_else(|| panic!("no memory holds {length} numbers"));
        let (piece, offset) = cut(bytes.next_multiple_of(LINE));
        debug_assert!(offset + bytes <= piece.length);
        // SAFETY: the part lies inside the piece, and nobody else gets it.
        let start = unsafe { piece.start.add(offset) }.cast();
        Self { piece, start, length }
    }
}

/// A part of the current piece, or of a new one.
fn cut(bytes: usize) -> (Arc<Piece>, usize) {
    let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    let (piece, used) = &mut *current;
    if let Some(piece) = piece.upgrade()
        && piece.length - *used >= bytes
    {
        let offset = *used;
        *used += bytes;
        return (piece, offset);
    }
    let new = Arc::new(Piece::new(bytes.max(PIECE)));
    // A piece that is all used at once leaves the current one, which has room.
    if new.length > bytes {
        (*piece, *used) = (Arc::downgrade(&new), bytes);
    }
    (new, 0)
}

impl Piece {
    fn new(bytes: usize) -> Self {
        let length = bytes.next_multiple_of(PAGE);
        let map = MmapMut::map_anon(length + PAGE);
        #[expect(clippy::panic, reason = "as `Vec` does when there is no memory")]
        let mut map = map.unwrap_or_else(|error| panic!("no memory for {length} bytes of weights: {error}"));
        let skipped = map.as_ptr().align_offset(PAGE);
        // The system may know no large pages; then these are small.
        #[cfg(all(target_os = "linux", not(miri)))]
        let _ = map.advise_range(memmap2::Advice::HugePage, skipped, length);
        // SAFETY: there is a page more than the length, and less than a page is skipped.
        let start = unsafe { map.as_mut_ptr().add(skipped) };
        Self { _map: map, start, length }
    }
}

impl<T: Plain> Deref for Numbers<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the part was cut for so many numbers, begins at a line, holds numbers since it came, and lives
        // as long as the piece.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }
}

impl<T: Plain> DerefMut for Numbers<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and nobody else has the part.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.length) }
    }
}

impl<T: Plain> Clone for Numbers<T> {
    fn clone(&self) -> Self {
        let mut copy = Self::zeros(self.length);
        copy.copy_from_slice(self);
        copy
    }
}

impl<T> fmt::Debug for Numbers<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} numbers in a piece of {} bytes", self.length, self.piece.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_zeros_and_do_not_touch() {
        let sizes = [0, 1, 15, 16, 17, 1000, if cfg!(miri) { 2000 } else { PIECE / 4 + 1 }];
        let mut parts: Vec<Numbers<f32>> = sizes.map(Numbers::zeros).into();
        for (number, part) in parts.iter_mut().enumerate() {
            assert!(part.iter().all(|&zero| zero == 0.0));
            assert_eq!(part.as_ptr().align_offset(LINE), 0);
            part.fill(number as f32 + 1.0);
        }
        for (number, (part, size)) in parts.iter().zip(sizes).enumerate() {
            assert_eq!(part.len(), size);
            assert!(part.iter().all(|&value| value == number as f32 + 1.0));
            assert_eq!(*part.clone(), **part);
        }
    }
    #[test]
    #[should_panic(expected = "no memory holds")]
    fn more_than_memory_holds_is_refused() {
        // As bytes they are none: 2^64.
        Numbers::<f32>::zeros(1 << 62);
    }
}
