//! The kernel of one tile of a matrix product: some rows by one panel, summed in registers.

use std::marker::PhantomData;

use rten_simd::Isa;
use rten_simd::Simd;
use rten_simd::ops::{BitOps, Extend, IntOps, NumOps};

use crate::packed::VECTORS;

/// How many weights of 16 bits ahead one or two rows ask for the next: 1.5 kB, the best of 0.5, 1, 1.5, 2 and 4 kB
/// on a Zen 3.
const STREAM_AHEAD: usize = 768;

/// Bytes that come from memory at once.
const CACHE_LINE: usize = 64;

/// Rows of a tile, so that it and what it reads fill the registers.
#[inline(always)]
pub(crate) fn tile_rows<I: Isa>(isa: I) -> usize {
    if isa.f32().len() >= 16 || cfg!(target_arch = "aarch64") { 12 } else { 6 }
}

/// Inputs of a row that are multiplied before going on to the next tile: runs of numbers side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Where in a row the first run starts.
    pub(crate) start: usize,
    pub(crate) runs: usize,
    /// Numbers of a run.
    pub(crate) length: usize,
    /// Numbers from the start of one run to that of the next.
    pub(crate) pitch: usize,
}

impl Step {
    /// Inputs of all runs.
    pub(crate) fn depth(self) -> usize {
        self.runs * self.length
    }
}

/// The left-hand side of a product.
pub(crate) trait Source: Copy + Send + Sync {
    /// What is known of the rows of a block.
    type Block;
    /// Where the rows of a tile start.
    type Tile<const R: usize>: Copy;

    /// How many rows there are.
    fn count(self) -> usize;

    /// Numbers of a row that are multiplied.
    fn depth(self) -> usize;

    /// The inputs from `first` on, a step's start; `most` of them if they do not lie apart anyway.
    fn step(self, first: usize, most: usize) -> Step;

    /// The rows from one to another.
    fn block(self, from: usize, to: usize) -> Self::Block;

    /// Some rows of a block.
    ///
    /// # Safety
    ///
    /// The block has `R` rows from `row` on.
    unsafe fn tile<const R: usize>(self, block: &Self::Block, row: usize) -> Self::Tile<R>;

    /// A number of a row.
    ///
    /// # Safety
    ///
    /// The tile has the row, and a step goes over the number.
    unsafe fn number<const R: usize>(tile: &Self::Tile<R>, row: usize, at: usize) -> f32;
}

/// Rows of numbers side by side, as far from each other as they may be.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) start: *const f32,
    /// Numbers from one row to the next.
    pub(crate) stride: usize,
    pub(crate) count: usize,
    /// Numbers of a row that are multiplied.
    pub(crate) depth: usize,
    pub(crate) life: PhantomData<&'a [f32]>,
}

// SAFETY: they stand for a shared slice.
unsafe impl Send for Rows<'_> {}
// SAFETY: as above.
unsafe impl Sync for Rows<'_> {}

impl Source for Rows<'_> {
    type Block = usize;
    type Tile<const R: usize> = (*const f32, usize);

    #[inline(always)]
    fn count(self) -> usize {
        self.count
    }

    #[inline(always)]
    fn depth(self) -> usize {
        self.depth
    }

    #[inline(always)]
    fn step(self, first: usize, most: usize) -> Step {
        Step { start: first, runs: 1, length: even_part(self.depth, most).min(self.depth - first), pitch: 0 }
    }

    #[inline(always)]
    fn block(self, from: usize, _to: usize) -> usize {
        from
    }

    #[inline(always)]
    unsafe fn tile<const R: usize>(self, block: &usize, row: usize) -> (*const f32, usize) {
        // SAFETY: the caller's promise.
        (unsafe { self.start.add((block + row) * self.stride) }, self.stride)
    }

    #[inline(always)]
    unsafe fn number<const R: usize>(tile: &(*const f32, usize), row: usize, at: usize) -> f32 {
        // SAFETY: the caller's promise.
        unsafe { *tile.0.add(row * tile.1 + at) }
    }
}

/// The length of parts of `most` at most that are alike, but for the last.
#[inline(always)]
pub(crate) fn even_part(length: usize, most: usize) -> usize {
    length.div_ceil(length.div_ceil(most).max(1))
}

/// A number that weights are stored as.
pub(crate) trait Weight: Copy + Send + Sync {
    /// The next [`VECTORS`] vectors, in f32.
    ///
    /// # Safety
    ///
    /// A panel's width of numbers can be read from `at`.
    unsafe fn load<I: Isa>(isa: I, at: *const Self) -> [I::F32; VECTORS];
}

impl Weight for f32 {
    #[inline(always)]
    unsafe fn load<I: Isa>(isa: I, at: *const Self) -> [I::F32; VECTORS] {
        let ops = isa.f32();
        // SAFETY: the caller's promise.
        std::array::from_fn(|vector| unsafe { ops.load_ptr(at.add(vector * ops.len())) })
    }
}

/// bfloat16: the upper half of an f32. Panels hold them in pairs, each an f32 in size.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Brain(u16);

impl Weight for Brain {
    #[inline(always)]
    unsafe fn load<I: Isa>(isa: I, at: *const Self) -> [I::F32; VECTORS] {
        let ops = isa.i32();
        // SAFETY: the caller's promise; a panel is as wide as one vector of 16-bit numbers.
        let pairs = unsafe { isa.i16().load_ptr(at.cast()) }.reinterpret_cast::<I::I32>();
        let upper = ops.and(pairs, ops.splat(!0 << 16));
        [ops.shift_left::<16>(pairs).reinterpret_cast(), upper.reinterpret_cast()]
    }
}

/// float16.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Half(u16);

impl Weight for Half {
    #[inline(always)]
    unsafe fn load<I: Isa>(isa: I, at: *const Self) -> [I::F32; VECTORS] {
        // SAFETY: the caller's promise; rten's `f16` is a transparent wrapper of the bits.
        let halves = unsafe { isa.f16().load_ptr(at.cast()) };
        [isa.f16().extend_low(halves), isa.f16().extend_high(halves)]
    }
}

pub(crate) fn as_bf16(bits: &[u16]) -> &[Brain] {
    // SAFETY: `Brain` is a transparent wrapper of `u16`.
    unsafe { std::slice::from_raw_parts(bits.as_ptr().cast(), bits.len()) }
}

pub(crate) fn as_f16(bits: &[u16]) -> &[Half] {
    // SAFETY: `Half` is a transparent wrapper of `u16`.
    unsafe { std::slice::from_raw_parts(bits.as_ptr().cast(), bits.len()) }
}

/// Some rows by one panel.
pub(crate) struct Tile<'a, W, S: Source> {
    pub(crate) source: S,
    pub(crate) block: &'a S::Block,
    /// The first of the rows, counted from the block's.
    pub(crate) row: usize,
    pub(crate) step: Step,
    pub(crate) panel: *const W,
    /// Weights from one input of the panel to the next.
    pub(crate) panel_stride: usize,
    pub(crate) target: *mut f32,
    pub(crate) target_stride: usize,
    /// Columns of the panel that the target has.
    pub(crate) columns: usize,
    /// Whether to add to what is there.
    pub(crate) add: bool,
    /// Weights to ask for meanwhile.
    pub(crate) ahead: *const W,
    /// How many of them for every input; 0 for none.
    pub(crate) ahead_step: usize,
}

impl<W: Weight, S: Source> Tile<'_, W, S> {
    /// # Safety
    ///
    /// The block has `R` rows from `row` on and the step is one of the source's; the panel has a row for every
    /// input of the step; `R` rows of `columns` numbers of the target are there, are nobody else's, and are
    /// initialised if they are added to.
    #[inline(always)]
    pub(crate) unsafe fn multiply<I: Isa, const R: usize>(&self, isa: I) {
        let ops = isa.f32();
        // SAFETY: the caller's promise.
        let rows = unsafe { self.source.tile::<R>(self.block, self.row) };
        let mut sums = [[ops.zero(); VECTORS]; R];
        let mut others = sums;
        let Step { length, .. } = self.step;
        for run in 0..self.step.runs {
            let (start, above) = (self.step.start + run * self.step.pitch, run * length);
            let mut first = 0;
            if R <= 2 {
                // So few sums would wait for their last multiply-adds, which take four cycles: every other input
                // gets its own.
                first = length / 2 * 2;
                for input in (0..first).step_by(2) {
                    self.ask_for_two(above + input);
                    // SAFETY: the caller's promise.
                    unsafe {
                        self.add_input(isa, &rows, start + input, above + input, &mut sums);
                        self.add_input(isa, &rows, start + input + 1, above + input + 1, &mut others);
                    }
                }
            }
            for input in first..length {
                if self.ahead_step > 0 {
                    prefetch(self.ahead.wrapping_add((above + input) * self.ahead_step));
                }
                // SAFETY: the caller's promise.
                unsafe { self.add_input(isa, &rows, start + input, above + input, &mut sums) };
            }
        }
        if R <= 2 {
            for (sum, other) in sums.as_flattened_mut().iter_mut().zip(others.as_flattened()) {
                *sum = ops.add(*sum, *other);
            }
        }
        // SAFETY: the caller's promise.
        unsafe { self.write(isa, sums) };
    }

    /// Asks for the weights of two inputs that come a while after `input`, where they are of 16 bits: processors
    /// foresee them too late. Those of 32 bits come as fast as memory gives them.
    #[inline(always)]
    fn ask_for_two(&self, input: usize) {
        if size_of::<W>() == 2 {
            let next = self.panel.wrapping_add(input * self.panel_stride + STREAM_AHEAD);
            prefetch(next);
            if 2 * self.panel_stride * size_of::<W>() > CACHE_LINE {
                prefetch(next.wrapping_add(self.panel_stride));
            }
        }
    }

    /// Adds the products of one input to sums: number `at` of every row, and row `input` of the panel.
    ///
    /// # Safety
    ///
    /// As [`multiply`](Self::multiply); the input is one of the step.
    #[inline(always)]
    unsafe fn add_input<I: Isa, const R: usize>(
        &self,
        isa: I,
        rows: &S::Tile<R>,
        at: usize,
        input: usize,
        sums: &mut [[I::F32; VECTORS]; R],
    ) {
        let ops = isa.f32();
        // SAFETY: the caller's promise.
        unsafe {
            let weights = W::load(isa, self.panel.add(input * self.panel_stride));
            for (row, sums) in sums.iter_mut().enumerate() {
                let x = ops.splat(S::number::<R>(rows, row, at));
                for (sum, weight) in sums.iter_mut().zip(weights) {
                    *sum = ops.mul_add(x, weight, *sum);
                }
            }
        }
    }

    /// # Safety
    ///
    /// As [`multiply`](Self::multiply).
    #[inline(always)]
    unsafe fn write<I: Isa, const R: usize>(&self, isa: I, sums: [[I::F32; VECTORS]; R]) {
        let ops = isa.f32();
        for (row, sums) in sums.into_iter().enumerate() {
            for (vector, sum) in sums.into_iter().enumerate() {
                let column = vector * ops.len();
                // SAFETY: the caller's promise; the mask keeps to the columns that are there.
                unsafe {
                    let at = self.target.add(row * self.target_stride + column);
                    if column + ops.len() <= self.columns {
                        let sum = if self.add { ops.add(sum, ops.load_ptr(at)) } else { sum };
                        ops.store_ptr(sum, at);
                    } else if column < self.columns {
                        let mask = ops.first_n_mask(self.columns - column);
                        let sum = if self.add { ops.add(sum, ops.load_ptr_mask(at, mask)) } else { sum };
                        ops.store_ptr_mask(sum, at, mask);
                    }
                }
            }
        }
    }
}

/// Asks for what lies there to be brought near.
#[inline(always)]
fn prefetch<W>(at: *const W) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: every x86-64 has the instruction, and it does not fault wherever it points.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T1 }>(at.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = at;
}
