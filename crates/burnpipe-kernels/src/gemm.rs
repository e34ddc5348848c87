//! Matrix products: cutting them into parts for threads, and parts into [tiles](crate::tile).
//!
//! The result is cut into tiles of some rows by one panel of columns, each small enough to be summed in
//! registers. The order of the loops (after Goto and van de Geijn, *Anatomy of High-Performance Matrix
//! Multiplication*, 2008) keeps a part of a panel near while the rows of a block go by: in the first cache, or in the
//! second where vectors have eight numbers. The block is in the second.

use std::marker::PhantomData;

use rayon::prelude::*;
use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, SimdOp};

use crate::Activation;
use crate::isa::{apart, dispatch};
use crate::packed::{PackedMatrix, Panels, VECTORS};
use crate::tile::{Rows, Source, Step, Tile, Weight, as_bf16, as_f16, tile_rows};

/// Inputs that are multiplied before going on to the next tile: a panel's part of 32 kB.
const DEPTH: usize = 256;

/// Rows in a block: `ROWS * DEPTH` numbers are an eighth of a megabyte.
pub(crate) const ROWS: usize = 144;

/// [`DEPTH`] and [`ROWS`] where vectors have eight numbers. A panel's part of 48 kB lies in the second cache, but
/// most products then write every result once instead of three times: 93 GFLOP/s of 103 (AMD Milan), not 88.
const DEPTH_AND_ROWS_OF_8: (usize, usize) = (768, 72);

/// Products below this many multiplications are not worth a second thread.
const SERIAL: usize = 1 << 17;

/// Tiles of a block that ask for the weights of the next ones while they compute.
const AHEAD: usize = 4;

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
    /// Added after the activation: `[rows, outputs]`.
    pub residual: Option<&'a [f32]>,
    /// Applied last, to the sum.
    pub activation_of_sum: Option<Activation>,
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
        source: Rows {
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

/// A whole product, to be cut into parts.
pub(crate) trait Whole: Sync {
    fn panels(&self) -> usize;

    /// Multiplications of a row.
    fn work(&self) -> usize;

    /// Computes some rows of some panels, each from one to another.
    fn part(&self, rows: (usize, usize), panels: (usize, usize));
}

/// The product of rows and a weight.
struct Job<'a> {
    source: Rows<'a>,
    weight: &'a PackedMatrix,
    target: Target,
    finish: Finish<'a>,
}

impl Whole for Job<'_> {
    fn panels(&self) -> usize {
        self.weight.outputs().div_ceil(self.weight.width)
    }

    fn work(&self) -> usize {
        self.source.depth * self.weight.outputs()
    }

    fn part(&self, rows: (usize, usize), panels: (usize, usize)) {
        match &self.weight.panels {
            Panels::F32(numbers) => self.part_of(numbers, rows, panels),
            Panels::BF16(bits) => self.part_of(as_bf16(bits), rows, panels),
            Panels::F16(bits) => self.part_of(as_f16(bits), rows, panels),
        }
    }
}

impl Job<'_> {
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

/// Computes products of as many rows each, cut into parts for the threads.
pub(crate) fn run(jobs: &[impl Whole], count: usize) {
    let threads = rayon::current_num_threads();
    let work: usize = jobs.iter().map(|job| count * job.work()).sum();
    if threads == 1 || work <= SERIAL {
        return jobs.iter().for_each(|job| job.part((0, count), (0, job.panels())));
    }
    let row_parts = count.div_ceil(ROWS);
    let least = (PARTS * threads).div_ceil(row_parts * jobs.len());
    let most = jobs.iter().map(Whole::panels).max().unwrap_or(1);
    let column_parts = least.max(work / PART / (row_parts * jobs.len())).min(most);
    let parts = row_parts * column_parts;
    (0..jobs.len() * parts).into_par_iter().for_each(|index| {
        let (job, part) = (&jobs[index / parts], index % parts);
        let (row, column) = (part / column_parts, part % column_parts);
        let range =
            |part: usize, parts: usize, length: usize| (part * length / parts, (part + 1) * length / parts);
        job.part(range(row, row_parts, count), range(column, column_parts, job.panels()));
    });
}

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

/// A part of a product, for one thread.
pub(crate) struct Product<'a, W, S> {
    pub(crate) source: S,
    pub(crate) panels: &'a [W],
    /// Numbers from one panel to the next.
    pub(crate) panel_stride: usize,
    /// Numbers from one input of a panel to the next.
    pub(crate) row_stride: usize,
    pub(crate) target: Target,
    /// Its residual lies as the target does.
    pub(crate) finish: Finish<'a>,
    /// The rows of the part: from, to.
    pub(crate) rows: (usize, usize),
    /// The panels of the part: from, to.
    pub(crate) panel_range: (usize, usize),
}

impl<W: Weight, S: Source> SimdOp for Product<'_, W, S> {
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

impl<W: Weight, S: Source> Product<'_, W, S> {
    /// All panels of a block of rows.
    #[inline(always)]
    fn block<I: Isa>(&self, isa: I, from: usize, to: usize) {
        let block = self.source.block(from, to);
        let tiles = (to - from).div_ceil(tile_rows(isa));
        // A panel that only one tile reads need not stay in the cache.
        let most = if tiles == 1 { usize::MAX } else { block_size(isa).0 };
        for panel in self.panel_range.0..self.panel_range.1 {
            let mut first = 0;
            loop {
                let step = self.source.step(first, most);
                let last = first + step.depth() == self.source.depth();
                for tile in 0..tiles {
                    let range = |at: usize| from + at * (to - from) / tiles;
                    let (start, end) = (range(tile), range(tile + 1));
                    let rows = (start - from, start, end - start);
                    self.tile(isa, panel, &block, rows, (first, step), (tile, tiles));
                    if last {
                        self.finish(isa, panel, start, end);
                    }
                }
                if last {
                    break;
                }
                first += step.depth();
            }
        }
    }

    /// One tile, by the kernel for its number of rows.
    #[inline(always)]
    fn tile<I: Isa>(
        &self,
        isa: I,
        panel: usize,
        block: &S::Block,
        (row, start, count): (usize, usize, usize),
        (first, step): (usize, Step),
        (tile, tiles): (usize, usize),
    ) {
        let depth = step.depth();
        let column = panel * VECTORS * isa.f32().len();
        let from = panel * self.panel_stride + first * self.row_stride;
        let width = VECTORS * isa.f32().len();
        // The last input needs no whole row after it, only a panel's width.
        assert!(depth == 0 || self.panels.len() >= from + (depth - 1) * self.row_stride + width);
        assert!(start + count <= self.source.count() && first + depth <= self.source.depth());
        // The weights that come next follow these in memory. Of several tiles all but the first read what is
        // near, and far memory would idle: the last ones ask for the next tiles' weights, each for its share.
        let packed = self.panel_stride == self.source.depth() * self.row_stride;
        let (ahead, ahead_step) = match tiles {
            // One tile alone reads on and on: processors foresee that, and for 16 bits a small tile asks for itself.
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
            source: self.source,
            block,
            row,
            step,
            panel: self.panels.as_ptr().wrapping_add(from),
            panel_stride: self.row_stride,
            // SAFETY: row `start` and the panel's first column lie inside the target.
            target: unsafe { self.target.start.add(start * self.target.stride + column) },
            target_stride: self.target.stride,
            columns: width.min(self.target.columns - column),
            add: first > 0,
            ahead: self.panels.as_ptr().wrapping_add(from + ahead),
            ahead_step,
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

    /// Bias, activations and residual, while the tile is in the cache.
    #[inline(always)]
    fn finish<I: Isa>(&self, isa: I, panel: usize, from: usize, to: usize) {
        if self.finish.is_empty() {
            return;
        }
        let width = VECTORS * isa.f32().len();
        let columns = (panel * width, self.target.columns.min((panel + 1) * width));
        // SAFETY: rows and columns lie inside the target, were written by `tile` and belong to this part.
        unsafe { self.finish.apply(self.target, (from, to), columns) };
    }
}

impl Finish<'_> {
    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { bias, activation, residual, activation_of_sum } = self;
        bias.is_none() && activation.is_none() && residual.is_none() && activation_of_sum.is_none()
    }

    /// Finishes some rows and columns of a target, each from one to another. The residual lies as the target does.
    ///
    /// # Safety
    ///
    /// They are there, initialised, and nobody else's.
    pub(crate) unsafe fn apply(&self, target: Target, rows: (usize, usize), columns: (usize, usize)) {
        let Self { bias, activation, residual, activation_of_sum } = *self;
        let pass = |bias, residual, activation| {
            dispatch(FinishPass { target, rows, columns, bias, residual, activation });
        };
        if activation.is_none() {
            return pass(bias, residual, activation_of_sum);
        }
        pass(bias, None, activation);
        if residual.is_some() || activation_of_sum.is_some() {
            pass(None, residual, activation_of_sum);
        }
    }
}

/// Adds a bias and a residual to a tile, and applies an activation to the sums: what is done to all products, whatever
/// they are of, and therefore compiled once.
struct FinishPass<'a> {
    target: Target,
    rows: (usize, usize),
    columns: (usize, usize),
    bias: Option<&'a [f32]>,
    residual: Option<&'a [f32]>,
    activation: Option<Activation>,
}

impl SimdOp for FinishPass<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let ops = isa.f32();
        let (start, end) = self.columns;
        for column in (start..end).step_by(ops.len()) {
            let count = ops.len().min(end - column);
            let bias = self.bias.map(
                #[inline(always)]
                |bias| load_some(isa, &bias[column..], count),
            );
            for row in self.rows.0..self.rows.1 {
                let at = row * self.target.stride + column;
                // SAFETY: the promise of whoever made the pass.
                let values = unsafe { std::slice::from_raw_parts_mut(self.target.start.add(at), count) };
                let mut x = load_some(isa, values, count);
                if let Some(bias) = bias {
                    x = ops.add(x, bias);
                }
                if let Some(residual) = self.residual {
                    x = ops.add(x, load_some(isa, &residual[at..], count));
                }
                if let Some(activation) = self.activation {
                    x = activation.apply_simd(isa, x);
                }
                if count == ops.len() {
                    ops.store(x, values);
                } else {
                    // SAFETY: the mask lets `count` numbers through.
                    unsafe { ops.store_ptr_mask(x, values.as_mut_ptr(), ops.first_n_mask(count)) };
                }
            }
        }
    }
}

/// A vector of the first `count` numbers, without a mask if it can be: masks are slow.
#[inline(always)]
fn load_some<I: Isa>(isa: I, values: &[f32], count: usize) -> I::F32 {
    let ops = isa.f32();
    if count == ops.len() { ops.load(values) } else { ops.load_pad(&values[..count]).0 }
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
            let finish =
                Finish { bias: Some(&bias), activation, residual: Some(&residual), ..Finish::default() };
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
