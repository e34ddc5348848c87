//! Weights, laid out once in the order that a matrix product reads them.

use half::{bf16, f16};
use rayon::prelude::*;
use rten_simd::ops::BitOps;
use rten_simd::{Isa, SimdOp};

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
    /// Packs an f32 weight, in parallel.
    ///
    /// # Panics
    ///
    /// When there are not `outputs * inputs` weights.
    ///
    /// ```
    /// use burnpipe_kernels::{Finish, PackedMatrix};
    ///
    /// let weight = PackedMatrix::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3, 2);
    /// assert_eq!(weight.multiply(&[1.0, 10.0], &Finish::default()), [21.0, 43.0, 65.0]);
    /// ```
    pub fn new(weights: &[f32], outputs: usize, inputs: usize) -> Self {
        let width = panel_width();
        let panels = Panels::F32(pack(weights, outputs, inputs, width, |column| column));
        Self { panels, width, inputs, outputs }
    }

    /// Packs a weight and keeps it in bfloat16; products are still summed in f32.
    ///
    /// # Panics
    ///
    /// When there are not `outputs * inputs` weights.
    pub fn from_bf16(weights: &[bf16], outputs: usize, inputs: usize) -> Self {
        let width = panel_width();
        let panels = Panels::BF16(pack(bits_of_bf16(weights), outputs, inputs, width, pairs(width)));
        Self { panels, width, inputs, outputs }
    }

    /// Packs a weight and keeps it in float16; products are still summed in f32.
    ///
    /// # Panics
    ///
    /// When there are not `outputs * inputs` weights.
    pub fn from_f16(weights: &[f16], outputs: usize, inputs: usize) -> Self {
        let width = panel_width();
        let panels = Panels::F16(pack(bits_of_f16(weights), outputs, inputs, width, |column| column));
        Self { panels, width, inputs, outputs }
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
}

fn bits_of_bf16(weights: &[bf16]) -> &[u16] {
    use half::slice::HalfFloatSliceExt as _;
    weights.reinterpret_cast()
}

fn bits_of_f16(weights: &[f16]) -> &[u16] {
    use half::slice::HalfFloatSliceExt as _;
    weights.reinterpret_cast()
}

/// Where a panel's columns go that are read two at a time: those of the left vector into the lower halves of
/// 32 bits, and those of the right one into the upper halves. Halves are taken apart without moving numbers
/// across a vector.
fn pairs(width: usize) -> impl Fn(usize) -> usize {
    let half = width / 2;
    move |column| 2 * (column % half) + usize::from((column >= half) == cfg!(target_endian = "little"))
}

fn pack<E: Plain>(
    weights: &[E],
    outputs: usize,
    inputs: usize,
    width: usize,
    place: impl Fn(usize) -> usize + Sync,
) -> Numbers<E> {
    assert_eq!(weights.len(), outputs * inputs, "{outputs} x {inputs} weights");
    let mut panels = Numbers::zeros(outputs.div_ceil(width) * width * inputs);
    if inputs == 0 {
        return panels;
    }
    let pairs = panels.par_chunks_mut(width * inputs).zip(weights.par_chunks(width * inputs));
    pairs.for_each(|(panel, rows)| {
        pack_panel(rows, (rows.len() / inputs, inputs), inputs, width, panel, &place);
    });
    panels
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
