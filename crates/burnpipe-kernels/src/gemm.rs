//! Matrix products: the loop over tiles, and the kernel of one tile.
//!
//! The result is cut into tiles of some rows by one panel of columns, each small enough to be summed in
//! registers. The order of the loops (after Goto and van de Geijn, *Anatomy of High-Performance Matrix
//! Multiplication*, 2008) keeps a part of a panel in the first cache while the rows of a block go by,
//! and the block in the second.

use std::marker::PhantomData;

use rayon::prelude::*;
use rten_simd::ops::{BitOps, Extend, IntOps, NumOps};
use rten_simd::{Isa, Simd, SimdOp};

use crate::Activation;
use crate::isa::{apart, dispatch};
use crate::packed::{PackedMatrix, Panels, VECTORS};

/// Inputs that are multiplied before going on to the next tile: a panel's part of 32 kB.
const DEPTH: usize = 256;

/// Rows in a block: `ROWS * DEPTH` numbers are an eighth of a megabyte.
const ROWS: usize = 144;

/// [`DEPTH`] and [`ROWS`] where vectors have eight numbers. A panel's part of 48 kB lies in the second cache, but
/// most products then write every result once instead of three times: 93 GFLOP/s of 103 (AMD Milan), not 88.
const DEPTH_AND_ROWS_OF_8: (usize, usize) = (768, 72);

/// Products below this many multiplications are not worth a second thread.
const SERIAL: usize = 1 << 17;

/// Tiles of a block that ask for the weights of the next ones while they compute.
const AHEAD: usize = 4;

/// How far ahead a row alone asks for weights of 16 bits: 1.5 kB, the best of 0.5, 1, 1.5, 2 and 4 on a Zen 3.
const STREAM_AHEAD: usize = 768;

/// Bytes that come from memory at once.
const CACHE_LINE: usize = 64;

/// The fewest parts of a product for each thread, so that an early one finds more to do.
const PARTS: usize = 12;

/// Multiplications of a part, unless it has few: some 40 microseconds, which is what a thread may wait for
/// another at the end.
const PART: usize = 1 << 22;

/// What is done to a product before it is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Finish<'a> {
    /// Added to every row: `[outputs]`.
    pub bias: Option<&'a [f32]>,
    /// Applied after the bias.
    pub activation: Option<Activation>,
    /// Added last: `[rows, outputs]`.
    pub residual: Option<&'a [f32]>,
}

impl PackedMatrix {
    /// `rows . weight^T`, finished: `[rows, outputs]` of `[rows, inputs]`.
    ///
    /// # Panics
    ///
    /// When the lengths do not fit each other.
    pub fn multiply(&self, rows: &[f32], finish: &Finish<'_>) -> Vec<f32> {
        let [result] = multiply_each(rows, [(self, *finish)]);
        result
    }
}

/// Several products of the same rows, such as queries, keys and values: the threads meet once for all.
///
/// # Panics
///
/// When the lengths do not fit each other.
///
/// ```
/// use burnpipe_kernels::{Finish, PackedMatrix, multiply_each};
///
/// let (twice, thrice) = (PackedMatrix::new(&[2.0], 1, 1), PackedMatrix::new(&[3.0], 1, 1));
/// let products = multiply_each(&[5.0], [(&twice, Finish::default()), (&thrice, Finish::default())]);
/// assert_eq!(products, [vec![10.0], vec![15.0]]);
/// ```
pub fn multiply_each<const N: usize>(
    rows: &[f32],
    weights: [(&PackedMatrix, Finish<'_>); N],
) -> [Vec<f32>; N] {
    let count = weights.first().map_or(0, |(weight, _)| rows.len().checked_div(weight.inputs()).unwrap_or(0));
    let mut results = weights.map(|(weight, finish)| {
        let outputs = weight.outputs();
        assert_eq!(rows.len(), count * weight.inputs(), "whole rows of {} numbers", weight.inputs());
        assert!(finish.bias.is_none_or(|bias| bias.len() == outputs), "a bias for {outputs} outputs");
        assert!(finish.residual.is_none_or(|rest| rest.len() == count * outputs), "a residual per output");
        Vec::with_capacity(count * outputs)
    });
    let mut jobs = weights.iter().zip(&mut results).map(|((weight, finish), result)| Job {
        source: Source {
            start: rows.as_ptr(),
            stride: weight.inputs(),
            count,
            depth: weight.inputs(),
            life: PhantomData,
        },
        weight,
        target: Target { start: result.as_mut_ptr(), stride: weight.outputs(), columns: weight.outputs() },
        finish: *finish,
    });
    let jobs: [Job<'_>; N] =
        std::array::from_fn(|_| jobs.next().unwrap_or_else(|| unreachable!("N weights")));
    run(&jobs, count);
    for (result, (weight, _)) in results.iter_mut().zip(weights) {
        // SAFETY: `run` has written every one of the `count * outputs` numbers of the allocation.
        unsafe { result.set_len(count * weight.outputs()) };
    }
    results
}

fn as_bf16(bits: &[u16]) -> &[Brain] {
    // SAFETY: `Brain` is a transparent wrapper of `u16`.
    unsafe { std::slice::from_raw_parts(bits.as_ptr().cast(), bits.len()) }
}

fn as_f16(bits: &[u16]) -> &[Half] {
    // SAFETY: `Half` is a transparent wrapper of `u16`.
    unsafe { std::slice::from_raw_parts(bits.as_ptr().cast(), bits.len()) }
}

/// A whole product.
struct Job<'a> {
    source: Source<'a>,
    weight: &'a PackedMatrix,
    target: Target,
    finish: Finish<'a>,
}

impl Job<'_> {
    fn panels(&self) -> usize {
        self.weight.outputs().div_ceil(self.weight.width)
    }

    /// Computes some rows of some panels.
    fn part(&self, rows: (usize, usize), panels: (usize, usize)) {
        match &self.weight.panels {
            Panels::F32(numbers) => self.part_of(numbers, rows, panels),
            Panels::BF16(bits) => self.part_of(as_bf16(bits), rows, panels),
            Panels::F16(bits) => self.part_of(as_f16(bits), rows, panels),
        }
    }

    fn part_of<W: Weight>(&self, panels: &[W], rows: (usize, usize), panel_range: (usize, usize)) {
        dispatch(Product {
            source: self.source,
            panels,
            panel_stride: self.source.depth * self.weight.width,
            row_stride: self.weight.width,
            target: self.target,
            finish: self.finish,
            rows,
            panel_range,
        });
    }
}

/// Computes products, cut into parts for the threads.
fn run(jobs: &[Job<'_>], count: usize) {
    let threads = rayon::current_num_threads();
    let work: usize = jobs.iter().map(|job| count * job.source.depth * job.weight.outputs()).sum();
    if threads == 1 || work <= SERIAL {
        return jobs.iter().for_each(|job| job.part((0, count), (0, job.panels())));
    }
    let row_parts = count.div_ceil(ROWS);
    let least = (PARTS * threads).div_ceil(row_parts * jobs.len());
    let column_parts = least.max(work / PART / (row_parts * jobs.len()));
    let parts = row_parts * column_parts;
    (0..jobs.len() * parts).into_par_iter().for_each(|index| {
        let (job, part) = (&jobs[index / parts], index % parts);
        let (row, column) = (part / column_parts, part % column_parts);
        let range =
            |part: usize, parts: usize, length: usize| (part * length / parts, (part + 1) * length / parts);
        job.part(range(row, row_parts, count), range(column, column_parts, job.panels()));
    });
}

/// The left-hand side: rows of numbers.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) start: *const f32,
    /// Numbers from one row to the next.
    pub(crate) stride: usize,
    pub(crate) count: usize,
    /// Numbers of a row that are multiplied.
    pub(crate) depth: usize,
    pub(crate) life: PhantomData<&'a [f32]>,
}

// SAFETY: it stands for a shared slice.
unsafe impl Send for Source<'_> {}
// SAFETY: as above.
unsafe impl Sync for Source<'_> {}

/// Where the result goes.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) start: *mut f32,
    /// Numbers from one row to the next.
    pub(crate) stride: usize,
    /// Columns that the result has; the last panel may be wider.
    pub(crate) columns: usize,
}

// SAFETY: whoever makes parts of a product gives each tile to one of them only.
unsafe impl Send for Target {}
// SAFETY: as above.
unsafe impl Sync for Target {}

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

/// A part of a product, for one thread.
pub(crate) struct Product<'a, W> {
    pub(crate) source: Source<'a>,
    pub(crate) panels: &'a [W],
    /// Numbers from one panel to the next.
    pub(crate) panel_stride: usize,
    /// Numbers from one input of a panel to the next.
    pub(crate) row_stride: usize,
    pub(crate) target: Target,
    pub(crate) finish: Finish<'a>,
    /// The rows of the part: from, to.
    pub(crate) rows: (usize, usize),
    /// The panels of the part: from, to.
    pub(crate) panel_range: (usize, usize),
}

impl<W: Weight> SimdOp for Product<'_, W> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let (_, rows) = block_size(isa);
        for start in (self.rows.0..self.rows.1).step_by(rows) {
            self.block(isa, start, self.rows.1.min(start + rows));
        }
    }
}

/// Inputs that are multiplied at a time, and rows of a block.
#[inline(always)]
fn block_size<I: Isa>(isa: I) -> (usize, usize) {
    if isa.f32().len() == 8 { DEPTH_AND_ROWS_OF_8 } else { (DEPTH, ROWS) }
}

/// Rows of a tile, so that it and what it reads fill the registers.
#[inline(always)]
fn tile_rows<I: Isa>(isa: I) -> usize {
    if isa.f32().len() >= 16 || cfg!(target_arch = "aarch64") { 12 } else { 6 }
}

impl<W: Weight> Product<'_, W> {
    /// All panels of a block of rows.
    #[inline(always)]
    fn block<I: Isa>(&self, isa: I, from: usize, to: usize) {
        let tiles = (to - from).div_ceil(tile_rows(isa));
        // A panel that only one tile reads need not stay in the cache.
        let step = if tiles == 1 { self.source.depth.max(1) } else { block_size(isa).0 };
        for panel in self.panel_range.0..self.panel_range.1 {
            let mut first = 0;
            loop {
                let depth = step.min(self.source.depth - first);
                let last = first + depth == self.source.depth;
                for tile in 0..tiles {
                    let range = |at: usize| from + at * (to - from) / tiles;
                    let (start, end) = (range(tile), range(tile + 1));
                    self.tile(isa, panel, (start, end - start), (first, depth), (tile, tiles));
                    if last {
                        self.finish(isa, panel, start, end);
                    }
                }
                if last {
                    break;
                }
                first += depth;
            }
        }
    }

    /// One tile, by the kernel for its number of rows.
    #[inline(always)]
    fn tile<I: Isa>(
        &self,
        isa: I,
        panel: usize,
        rows: (usize, usize),
        depth: (usize, usize),
        (tile, tiles): (usize, usize),
    ) {
        let (start, count) = rows;
        let (first, depth) = depth;
        let column = panel * VECTORS * isa.f32().len();
        let from = panel * self.panel_stride + first * self.row_stride;
        let width = VECTORS * isa.f32().len();
        // The last input needs no whole row after it, only a panel's width.
        assert!(depth == 0 || self.panels.len() >= from + (depth - 1) * self.row_stride + width);
        assert!(start + count <= self.source.count && first + depth <= self.source.depth);
        // The weights that come next follow these in memory. Of several tiles all but the first read what is
        // near, and far memory would idle: the last ones ask for the next tiles' weights, each for its share.
        let packed = self.panel_stride == self.source.depth * self.row_stride;
        let (ahead, ahead_step) = match tiles {
            // One tile alone reads on and on, which processors foresee.
            1 => (0, 0),
            _ if !packed => (0, 0),
            _ => {
                let share = tiles.min(AHEAD);
                let step = self.row_stride / share;
                let part = (tile + share).checked_sub(tiles);
                part.map_or((0, 0), |part| (depth * (self.row_stride + part * step), step))
            }
        };
        let tile = Tile {
            ahead: self.panels.as_ptr().wrapping_add(from + ahead),
            ahead_step,
            // SAFETY: row `start`, input `first` lies inside the source, as was just checked.
            rows: unsafe { self.source.start.add(start * self.source.stride + first) },
            row_stride: self.source.stride,
            panel: self.panels.as_ptr().wrapping_add(from),
            panel_stride: self.row_stride,
            depth,
            // SAFETY: row `start` and the panel's first column lie inside the target.
            target: unsafe { self.target.start.add(start * self.target.stride + column) },
            target_stride: self.target.stride,
            columns: width.min(self.target.columns - column),
            add: first > 0,
        };
        macro_rules! by_rows {
            ($($rows:literal)*) => {
                match count {
                    $($rows if $rows <= tile_rows(isa) => apart(
                        isa,
                        #[inline(always)]
                        // SAFETY: `count` rows from `start` and the panel were checked above; this part
                        // owns the tile of the target.
                        || unsafe { tile.multiply::<I, $rows>(isa) },
                    ),)*
                    _ => unreachable!("tiles have at most {} rows", tile_rows(isa)),
                }
            };
        }
        by_rows!(1 2 3 4 5 6 7 8 9 10 11 12);
    }

    /// Bias, activation and residual, while the tile is in the cache.
    #[inline(always)]
    fn finish<I: Isa>(&self, isa: I, panel: usize, from: usize, to: usize) {
        let Finish { bias, activation, residual } = self.finish;
        if bias.is_none() && activation.is_none() && residual.is_none() {
            return;
        }
        let ops = isa.f32();
        let width = VECTORS * ops.len();
        let (start, end) = (panel * width, self.target.columns.min((panel + 1) * width));
        for row in from..to {
            for column in (start..end).step_by(ops.len()) {
                let count = ops.len().min(end - column);
                // SAFETY: `count` columns from here lie inside the target, were written by `tile` and
                // belong to this part.
                let values = unsafe {
                    let at = self.target.start.add(row * self.target.stride + column);
                    std::slice::from_raw_parts_mut(at, count)
                };
                let (mut x, mask) = ops.load_pad(values);
                if let Some(bias) = bias {
                    x = ops.add(x, ops.load_pad(&bias[column..end]).0);
                }
                if let Some(activation) = activation {
                    x = activation.apply_simd(isa, x);
                }
                if let Some(residual) = residual {
                    let at = row * self.target.columns;
                    x = ops.add(x, ops.load_pad(&residual[at + column..at + end]).0);
                }
                // SAFETY: the mask lets `count` numbers through.
                unsafe { ops.store_ptr_mask(x, values.as_mut_ptr(), mask) };
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

/// Some rows by one panel.
struct Tile<W> {
    rows: *const f32,
    row_stride: usize,
    panel: *const W,
    panel_stride: usize,
    depth: usize,
    target: *mut f32,
    target_stride: usize,
    /// Columns of the panel that the target has.
    columns: usize,
    /// Whether to add to what is there.
    add: bool,
    /// Weights to ask for meanwhile.
    ahead: *const W,
    /// How many of them for every input; 0 for none.
    ahead_step: usize,
}

impl<W: Weight> Tile<W> {
    /// Adds the products of one input to sums.
    ///
    /// # Safety
    ///
    /// As [`multiply`](Self::multiply); the input is one of `depth`.
    #[inline(always)]
    unsafe fn add_input<I: Isa, const R: usize>(
        &self,
        isa: I,
        input: usize,
        sums: &mut [[I::F32; VECTORS]; R],
    ) {
        let ops = isa.f32();
        // SAFETY: the caller's promise.
        unsafe {
            let weights = W::load(isa, self.panel.add(input * self.panel_stride));
            for (row, sums) in sums.iter_mut().enumerate() {
                let x = ops.splat(*self.rows.add(row * self.row_stride + input));
                for (sum, weight) in sums.iter_mut().zip(weights) {
                    *sum = ops.mul_add(x, weight, *sum);
                }
            }
        }
    }

    /// # Safety
    ///
    /// `R` rows of `depth` numbers, `depth` rows of a panel and `R` rows of `columns` numbers of the
    /// target are there; the target's are nobody else's, and initialised if they are added to.
    #[inline(always)]
    unsafe fn multiply<I: Isa, const R: usize>(&self, isa: I) {
        let ops = isa.f32();
        let mut sums = [[ops.zero(); VECTORS]; R];
        let mut first = 0;
        if R <= 2 {
            // So few sums would wait for their last multiply-adds, which take four cycles: every other input
            // gets its own.
            let mut others = sums;
            first = self.depth / 2 * 2;
            for input in (0..first).step_by(2) {
                // Weights of 32 bits come as fast as memory gives them; those of 16 are used up faster than
                // processors foresee, and asked for.
                if size_of::<W>() == 2 {
                    let next = self.panel.wrapping_add(input * self.panel_stride + STREAM_AHEAD);
                    prefetch(next);
                    if 2 * self.panel_stride * size_of::<W>() > CACHE_LINE {
                        prefetch(next.wrapping_add(self.panel_stride));
                    }
                }
                // SAFETY: the caller's promise.
                unsafe {
                    self.add_input(isa, input, &mut sums);
                    self.add_input(isa, input + 1, &mut others);
                }
            }
            for (sum, other) in sums.as_flattened_mut().iter_mut().zip(others.as_flattened()) {
                *sum = ops.add(*sum, *other);
            }
        }
        for input in first..self.depth {
            if self.ahead_step > 0 {
                prefetch(self.ahead.wrapping_add(input * self.ahead_step));
            }
            // SAFETY: the caller's promise.
            unsafe { self.add_input(isa, input, &mut sums) };
        }
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

#[cfg(test)]
mod tests {
    use half::{bf16, f16};
    use proptest::prelude::*;

    use super::*;
    use crate::tests::numbers;

    fn check(count: usize, inputs: usize, outputs: usize, activation: Option<Activation>) {
        let rows = numbers(count * inputs, 1);
        let weights = numbers(outputs * inputs, 2);
        let (bias, residual) = (numbers(outputs, 3), numbers(count * outputs, 4));
        let brain: Vec<bf16> = weights.iter().map(|&weight| bf16::from_f32(weight)).collect();
        let half: Vec<f16> = weights.iter().map(|&weight| f16::from_f32(weight)).collect();
        let stored = [
            (weights.clone(), PackedMatrix::new(&weights, outputs, inputs)),
            (
                brain.iter().map(|weight| weight.to_f32()).collect(),
                PackedMatrix::new(&brain, outputs, inputs),
            ),
            (half.iter().map(|weight| weight.to_f32()).collect(), PackedMatrix::new(&half, outputs, inputs)),
        ];
        for (weights, packed) in stored {
            let finish = Finish { bias: Some(&bias), activation, residual: Some(&residual) };
            let answer = packed.multiply(&rows, &finish);
            assert_eq!(answer.len(), count * outputs);
            for (at, answer) in answer.iter().enumerate() {
                let (row, output) = (at / outputs, at % outputs);
                let product: f64 = (0..inputs)
                    .map(|input| {
                        f64::from(rows[row * inputs + input]) * f64::from(weights[output * inputs + input])
                    })
                    .sum();
                let mut activated = [(product + f64::from(bias[output])) as f32];
                activation.into_iter().for_each(|activation| activation.apply(&mut activated));
                let expected = activated[0] + residual[at];
                assert!(
                    (answer - expected).abs() < 2e-4,
                    "{count}x{inputs}x{outputs}: {answer}, not {expected}"
                );
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 64 }))]

        #[test]
        fn products_equal_f64(count in 1_usize..40, inputs in 1_usize..70, outputs in 1_usize..100) {
            check(count, inputs, outputs, None);
            check(count, inputs, outputs, Some(Activation::Tanh));
        }
    }

    #[test]
    fn large_products_go_through_every_loop() {
        // More rows than a block, more inputs than one step, panels for several threads.
        check(2 * ROWS + 5, 2 * DEPTH + 3, 70, None);
        let (depth, rows) = DEPTH_AND_ROWS_OF_8;
        check(2 * rows + 5, depth + 3, 70, None);
        check(1, 2 * DEPTH + 3, 1000, Some(Activation::Relu));
    }

    #[test]
    fn nothing_in_nothing_out() {
        let packed = PackedMatrix::new(&[1.0, 2.0], 2, 1);
        assert!(packed.multiply(&[], &Finish::default()).is_empty());
    }
}
