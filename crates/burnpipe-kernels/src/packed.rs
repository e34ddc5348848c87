//! Weights, laid out once in the order that a matrix product reads them.

use half::slice::HalfFloatSliceExt as _;
use half::{bf16, f16};
use rayon::prelude::*;
use rten_simd::ops::BitOps;
use rten_simd::{Isa, SimdOp};

use crate::images::product;
use crate::isa::dispatch;
use crate::memory::{Numbers, Plain};

/// Vectors beside each other in a panel.
pub(crate) const VECTORS: usize = 2;

/// How many columns a panel has on this machine.
pub(crate) fn panel_width() -> usize {
    struct Width;
    impl SimdOp for Width {
        type Output = usize;
        #[inline(always)]
        fn eval<I: Isa>(self, isa: I) -> usize {
            VECTORS * isa.f32().len()
        }
    }
    dispatch(Width)
}

/// The right-hand side of matrix products: a weight of `[outputs, inputs]`, as linear layers store it.
///
/// It lies in panels of some outputs each; inside a panel, the weights of one input lie side by side.
/// The last panel is filled up with zeros.
#[derive(Clone, Debug)]
pub struct PackedMatrix {
    pub(crate) panels: Panels,
    pub(crate) width: usize,
    inputs: usize,
    outputs: usize,
}

/// The numbers of a [`PackedMatrix`]. Integers in blocks with scales will stand beside the floats.
#[derive(Clone, Debug)]
pub(crate) enum Panels {
    F32(Numbers<f32>),
    BF16(Numbers<u16>),
    F16(Numbers<u16>),
}

impl PackedMatrix {
    /// Packs a weight, in parallel. Products are summed in f32 whatever it is stored in.
    ///
    /// # Panics
    ///
    /// When there are not `outputs * inputs` weights.
    ///
    /// ```
    /// use burnpipe_kernels::{Finish, PackedMatrix};
    ///
    /// let weight = PackedMatrix::new(&[1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0], 3, 2);
    /// assert_eq!(weight.multiply(&[1.0, 10.0], &Finish::default()), [21.0, 43.0, 65.0]);
    /// ```
    pub fn new<N: Stored>(weights: &[N], outputs: usize, inputs: usize) -> Self {
        let mut packing = Packing::new(outputs, inputs, PackingOrder::ByOutput);
        packing.push(weights);
        packing.finish()
    }

    /// How many numbers a row that goes in has.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// How many numbers a row that comes out has.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// How many bytes it takes.
    pub fn size_in_bytes(&self) -> usize {
        match &self.panels {
            Panels::F32(panels) => 4 * panels.len(),
            Panels::BF16(panels) | Panels::F16(panels) => 2 * panels.len(),
        }
    }

    /// The weights of the outputs that `ids` name, as they were packed: `[ids, inputs]`, in parallel. A table of
    /// words that is the output layer as well is looked up so.
    ///
    /// # Panics
    ///
    /// When there is no such output.
    ///
    /// ```
    /// let table = burnpipe_kernels::PackedMatrix::new(&[1.0_f32, 2.0, 3.0, 4.0], 2, 2);
    /// assert_eq!(table.gather(&[1, 0]), [3.0, 4.0, 1.0, 2.0]);
    /// ```
    pub fn gather(&self, ids: &[i32]) -> Vec<f32> {
        match &self.panels {
            Panels::F32(panels) => self.gather_from::<f32>(panels, ids),
            Panels::BF16(panels) => self.gather_from::<bf16>(panels, ids),
            Panels::F16(panels) => self.gather_from::<f16>(panels, ids),
        }
    }

    fn gather_from<N: Stored>(&self, panels: &[N::Bits], ids: &[i32]) -> Vec<f32> {
        let Self { width, inputs, outputs, .. } = *self;
        let fill = |(row, id): (&mut [f32], &i32)| {
            let output = usize::try_from(*id).ok().filter(|output| *output < outputs);
            let output = output.unwrap_or_else(|| out_of_range(*id, outputs));
            let panel = &panels[output / width * width * inputs..][..width * inputs];
            let column = N::place(output % width, width);
            let numbers = panel.chunks_exact(width).map(|input| N::widen(input[column]));
            row.iter_mut().zip(numbers).for_each(|(to, number)| *to = number);
        };
        let mut rows = vec![0.0; ids.len() * inputs];
        if inputs == 0 {
            return rows;
        }
        if ids.len() <= GATHERED {
            rows.chunks_mut(inputs).zip(ids).for_each(fill);
        } else {
            let parts = rows.par_chunks_mut(GATHERED * inputs).zip(ids.par_chunks(GATHERED));
            parts.for_each(|(rows, ids)| rows.chunks_mut(inputs).zip(ids).for_each(fill));
        }
        rows
    }
}

/// Rows that a thread gathers at a time: a row lies across its whole panel.
const GATHERED: usize = 8;

#[expect(clippy::panic, reason = "callers check their ids")]
fn out_of_range(id: i32, outputs: usize) -> ! {
    panic!("row {id} of {outputs} is out of range")
}

/// A number type that a [`PackedMatrix`] keeps: `f32`, `bf16` or `f16`.
pub trait Stored: Copy + Send + Sync + sealed::Sealed {
    /// What lies in panels.
    #[doc(hidden)]
    type Bits: Plain;

    #[doc(hidden)]
    fn bits(numbers: &[Self]) -> &[Self::Bits];

    /// Where a column of a panel goes.
    #[doc(hidden)]
    fn place(column: usize, width: usize) -> usize;

    #[doc(hidden)]
    fn widen(bits: Self::Bits) -> f32;

    #[doc(hidden)]
    fn matrix(packing: Packing<Self>) -> PackedMatrix;
}

mod sealed {
    /// Keeps others from storing what no kernel multiplies.
    pub trait Sealed {}

    impl Sealed for f32 {}
    impl Sealed for half::bf16 {}
    impl Sealed for half::f16 {}
}

impl Stored for f32 {
    type Bits = Self;

    fn bits(numbers: &[Self]) -> &[Self] {
        numbers
    }

    fn place(column: usize, _width: usize) -> usize {
        column
    }

    fn widen(bits: Self) -> f32 {
        bits
    }

    fn matrix(packing: Packing<Self>) -> PackedMatrix {
        let Packing { panels, width, inputs, outputs, .. } = packing;
        PackedMatrix { panels: Panels::F32(panels), width, inputs, outputs }
    }
}

impl Stored for bf16 {
    type Bits = u16;

    fn bits(numbers: &[Self]) -> &[u16] {
        numbers.reinterpret_cast()
    }

    /// In pairs that are read at once: the columns of the left vector go into the lower halves of 32 bits, and
    /// those of the right one into the upper halves. Halves are taken apart without moving numbers across a
    /// vector.
    fn place(column: usize, width: usize) -> usize {
        let half = width / 2;
        2 * (column % half) + usize::from((column >= half) == cfg!(target_endian = "little"))
    }

    fn widen(bits: u16) -> f32 {
        Self::from_bits(bits).to_f32()
    }

    fn matrix(packing: Packing<Self>) -> PackedMatrix {
        let Packing { panels, width, inputs, outputs, .. } = packing;
        PackedMatrix { panels: Panels::BF16(panels), width, inputs, outputs }
    }
}

impl Stored for f16 {
    type Bits = u16;

    fn bits(numbers: &[Self]) -> &[u16] {
        numbers.reinterpret_cast()
    }

    fn place(column: usize, _width: usize) -> usize {
        column
    }

    fn widen(bits: u16) -> f32 {
        Self::from_bits(bits).to_f32()
    }

    fn matrix(packing: Packing<Self>) -> PackedMatrix {
        let Packing { panels, width, inputs, outputs, .. } = packing;
        PackedMatrix { panels: Panels::F16(panels), width, inputs, outputs }
    }
}

/// How the lines of a weight come that is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackingOrder {
    /// A line has the weights of one output, as in `torch.nn.Linear`.
    ByOutput,
    /// A line has the weights of one input, as in GPT-2's `Conv1D`.
    ByInput,
}

/// A [`PackedMatrix`] in the making. The weight comes piece by piece, so that its source can let each go.
///
/// ```
/// use burnpipe_kernels::{Finish, Packing, PackingOrder};
///
/// let mut packing = Packing::new(3, 2, PackingOrder::ByInput);
/// packing.push(&[1.0_f32, 3.0, 5.0]);
/// packing.push(&[2.0, 4.0, 6.0]);
/// assert_eq!(packing.finish().multiply(&[1.0, 10.0], &Finish::default()), [21.0, 43.0, 65.0]);
/// ```
pub struct Packing<N: Stored> {
    panels: Numbers<N::Bits>,
    width: usize,
    inputs: usize,
    outputs: usize,
    order: PackingOrder,
    /// Lines that have come.
    lines: usize,
}

impl<N: Stored> Packing<N> {
    /// Room for a weight, of which nothing has come.
    ///
    /// # Panics
    ///
    /// When no memory holds it.
    pub fn new(outputs: usize, inputs: usize, order: PackingOrder) -> Self {
        let width = panel_width();
        let panels = product([outputs.div_ceil(width), width, inputs]);
        Self { panels: Numbers::zeros(panels), width, inputs, outputs, order, lines: 0 }
    }

    /// How long a line is, and how many there are.
    fn shape(&self) -> (usize, usize) {
        match self.order {
            PackingOrder::ByOutput => (self.inputs, self.outputs),
            PackingOrder::ByInput => (self.outputs, self.inputs),
        }
    }

    /// Packs the lines that come next, in parallel.
    ///
    /// # Panics
    ///
    /// When they are not whole lines, or too many.
    pub fn push(&mut self, lines: &[N]) {
        let (length, all) = self.shape();
        if length == 0 {
            return;
        }
        let (first, count) = (self.lines, lines.len() / length);
        assert!(count * length == lines.len() && first + count <= all, "{all} lines of {length} weights");
        match self.order {
            PackingOrder::ByOutput => self.push_outputs(N::bits(lines), first, count),
            PackingOrder::ByInput => self.push_inputs(N::bits(lines), first),
        }
        self.lines += count;
    }

    fn push_outputs(&mut self, lines: &[N::Bits], first: usize, count: usize) {
        let (width, inputs) = (self.width, self.inputs);
        let first_panel = first / width;
        let panels = self.panels.par_chunks_mut(width * inputs).enumerate();
        let panels = panels.skip(first_panel).take((first + count).div_ceil(width) - first_panel);
        panels.for_each(|(index, panel)| {
            let (from, to) = (first.max(index * width), (first + count).min((index + 1) * width));
            let rows = &lines[(from - first) * inputs..(to - first) * inputs];
            let place = |row: usize| N::place(from - index * width + row, width);
            pack_panel(rows, (to - from, inputs), inputs, width, panel, place);
        });
    }

    fn push_inputs(&mut self, lines: &[N::Bits], first: usize) {
        let (width, inputs, outputs) = (self.width, self.inputs, self.outputs);
        self.panels.par_chunks_mut((width * inputs).max(1)).enumerate().for_each(|(index, panel)| {
            let (from, to) = (index * width, outputs.min((index + 1) * width));
            let inputs = panel.chunks_exact_mut(width).skip(first);
            for (input, line) in inputs.zip(lines.chunks_exact(outputs)) {
                for (column, &weight) in line[from..to].iter().enumerate() {
                    input[N::place(column, width)] = weight;
                }
            }
        });
    }

    /// The whole weight.
    ///
    /// # Panics
    ///
    /// When lines are missing.
    pub fn finish(self) -> PackedMatrix {
        let (length, all) = self.shape();
        assert!(self.lines == all || length == 0, "{} of {all} lines came", self.lines);
        N::matrix(self)
    }
}

/// How many inputs of a panel are packed at a time: their part of every row stays in the cache.
const INPUTS_AT_ONCE: usize = 16;

/// Lays rows, `stride` apart, beside each other: `[inputs, width]`, each in the column that `place` says.
pub(crate) fn pack_panel<E: Copy>(
    rows: &[E],
    (count, stride): (usize, usize),
    inputs: usize,
    width: usize,
    panel: &mut [E],
    place: impl Fn(usize) -> usize,
) {
    for start in (0..inputs).step_by(INPUTS_AT_ONCE) {
        let end = inputs.min(start + INPUTS_AT_ONCE);
        for column in 0..count {
            let to = place(column);
            let row = &rows[column * stride + start..column * stride + end];
            for (input, &value) in row.iter().enumerate() {
                panel[(start + input) * width + to] = value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tests::numbers;

    /// Rows of a packed table against the table, which comes in pieces of some lines, in either order.
    fn check<N: Stored + PartialEq + std::fmt::Debug>(
        table: &[N],
        (outputs, inputs): (usize, usize),
        lines: usize,
        to_f32: fn(N) -> f32,
    ) {
        let by_input = (0..outputs * inputs).map(|at| table[at % outputs * inputs + at / outputs]);
        let by_input: Vec<N> = by_input.collect();
        let ids: Vec<i32> = (0..outputs as i32).rev().chain([0]).collect();
        let expected = ids.iter().flat_map(|&id| &table[id as usize * inputs..][..inputs]);
        let expected: Vec<f32> = expected.map(|&number| to_f32(number)).collect();
        let orders =
            [(PackingOrder::ByOutput, table, inputs), (PackingOrder::ByInput, by_input.as_slice(), outputs)];
        for (order, weights, length) in orders {
            let mut packing = Packing::new(outputs, inputs, order);
            weights.chunks(lines * length).for_each(|lines| packing.push(lines));
            assert_eq!(packing.finish().gather(&ids), expected, "{order:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 64 }))]

        #[test]
        fn rows_come_out_as_they_went_in(outputs in 1_usize..90, inputs in 1_usize..40, lines in 1_usize..50) {
            let table = numbers(outputs * inputs, 1);
            let shape = (outputs, inputs);
            check(&table, shape, lines, |number| number);
            let brain: Vec<bf16> = table.iter().map(|&number| bf16::from_f32(number)).collect();
            check(&brain, shape, lines, bf16::to_f32);
            let half: Vec<f16> = table.iter().map(|&number| f16::from_f32(number)).collect();
            check(&half, shape, lines, f16::to_f32);
        }
    }

    #[test]
    #[should_panic(expected = "out of range")]
    fn a_row_that_is_not_there_is_refused() {
        PackedMatrix::new(&[1.0_f32, 2.0], 2, 1).gather(&[2]);
    }

    #[test]
    #[should_panic(expected = "1 of 2 lines came")]
    fn a_weight_that_is_not_whole_is_refused() {
        let mut packing = Packing::new(2, 1, PackingOrder::ByOutput);
        packing.push(&[1.0_f32]);
        packing.finish();
    }
    #[test]
    fn a_weight_without_inputs_is_packed() {
        for order in [PackingOrder::ByOutput, PackingOrder::ByInput] {
            let mut packing = Packing::<f32>::new(3, 0, order);
            packing.push(&[]);
            assert_eq!(packing.finish().size_in_bytes(), 0);
        }
    }

    #[test]
    #[should_panic(expected = "no memory holds")]
    fn a_weight_larger_than_memory_is_refused() {
        Packing::<f32>::new(16, 1 << 58, PackingOrder::ByInput);
    }
}
