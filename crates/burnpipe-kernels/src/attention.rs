//! Attention: `softmax(query . key^T * scale + bias) . value`, over views of what linear layers give.
//!
//! Each head of each row is a task of its own, long rows in several; its scores are the only thing that
//! is stored, for some queries at a time. Keys that no query of a task may see are not multiplied. Many
//! queries go through matrix products; a few, as when a text is written token by token, read the keys and
//! values where they lie in their cache.

use std::marker::PhantomData;
use std::ops::Range;

use rayon::prelude::*;
use rten_simd::ops::{BitOps, IntOps, NumOps};
use rten_simd::{Isa, Simd, SimdOp, SimdUnaryOp};
use rten_vecmath::Tanh;

use crate::gemm::{Product, Target};
use crate::isa::dispatch;
use crate::packed::{pack_panel, panel_width};
use crate::tile::Rows;
use crate::{DistanceScores, Finish};

/// Queries of a task: their scores of a thousand keys are half a megabyte.
const QUERIES: usize = 128;

/// Up to this many queries, laying the keys out for a matrix product costs more than it saves.
const FEW: usize = 4;

/// What a hidden score is, as in transformers: where every key is hidden all get the same weight.
const HIDDEN: f32 = f32::MIN;

/// Vectors of a size for every `[batch, heads, tokens]`, each with its numbers side by side.
#[derive(Clone, Copy, Debug)]
pub struct Heads<'a> {
    /// The numbers.
    pub values: &'a [f32],
    /// Numbers from one batch to the next.
    pub batch_stride: usize,
    /// Numbers from one head to the next.
    pub head_stride: usize,
    /// Numbers from one token to the next.
    pub token_stride: usize,
}

/// The dimensions of an attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttentionShape {
    /// Rows of the batch.
    pub batch: usize,
    /// Heads of the queries.
    pub heads: usize,
    /// Heads of the keys and values: they divide `heads`, and each serves as many in a row.
    pub key_heads: usize,
    /// Queries.
    pub queries: usize,
    /// Keys.
    pub keys: usize,
    /// Numbers of a query and of a key.
    pub size: usize,
    /// Numbers of a value.
    pub value_size: usize,
}

/// Which scores are hidden: true where they are.
#[derive(Clone, Copy, Debug)]
pub struct HiddenKeys<'a> {
    /// A byte per score, not 0 where it is hidden.
    pub values: &'a [u8],
    /// Bytes from one batch to the next; 0 for the same in all.
    pub batch_stride: usize,
    /// Bytes from one query to the next; 0 for the same for all.
    pub query_stride: usize,
}

/// What is added to the scores.
#[derive(Clone, Copy, Debug)]
pub struct ScoreBias<'a> {
    /// The numbers; those of a query's keys lie side by side.
    pub values: &'a [f32],
    /// Numbers from one batch to the next; 0 for the same in all.
    pub batch_stride: usize,
    /// Numbers from one head to the next; 0 for the same in all.
    pub head_stride: usize,
    /// Numbers from one query to the next; 0 for the same for all.
    pub query_stride: usize,
}

/// What attention may look at, and how its scores are made.
#[derive(Clone, Copy, Debug)]
pub struct AttentionOptions<'a> {
    /// What scores are multiplied by.
    pub scale: f32,
    /// Scores go through `cap * tanh(score / cap)` after the scale.
    pub soft_cap: Option<f32>,
    /// Added after that.
    pub bias: Option<ScoreBias<'a>>,
    /// Added as well, by how far a key is from its query. Queries and keys are as many.
    pub distances: Option<DistanceScores<'a>>,
    /// Scores that are hidden.
    pub hidden: Option<HiddenKeys<'a>>,
    /// Whether a query sees no later key; the last query is beside the last key.
    pub causal: bool,
    /// A query sees no key that is this many tokens away or more: with `causal` that leaves it so many keys,
    /// itself and those before it. Where it would see none at all, it looks at everything alike.
    pub window: Option<usize>,
    /// Where each of several texts ends that lie in one row, the last at its end: tokens see their own
    /// text only. Queries and keys are as many.
    pub texts: Option<&'a [usize]>,
}

impl AttentionOptions<'_> {
    /// Attention to everything, with scores multiplied by `1 / sqrt(size)`.
    pub fn full(size: usize) -> Self {
        let scale = 1.0 / (size as f32).sqrt();
        Self {
            scale,
            soft_cap: None,
            bias: None,
            distances: None,
            hidden: None,
            causal: false,
            window: None,
            texts: None,
        }
    }
}

/// Attention of all queries: `[batch, queries, heads, value size]`.
///
/// # Panics
///
/// When a view is shorter than the shape says.
///
/// ```
/// use burnpipe_kernels::{AttentionOptions, AttentionShape, Heads, attention};
///
/// let shape =
///     AttentionShape { batch: 1, heads: 1, key_heads: 1, queries: 1, keys: 2, size: 1, value_size: 1 };
/// let view = |values| Heads { values, batch_stride: 2, head_stride: 1, token_stride: 1 };
/// let answer = attention(view(&[0.0]), view(&[5.0, 7.0]), view(&[1.0, 3.0]), shape, &AttentionOptions::full(1));
/// assert_eq!(answer, [2.0]);
/// ```
pub fn attention(
    query: Heads<'_>,
    key: Heads<'_>,
    value: Heads<'_>,
    shape: AttentionShape,
    options: &AttentionOptions<'_>,
) -> Vec<f32> {
    shape.check(&query, &key, &value, options);
    let length = shape.batch * shape.queries * shape.heads * shape.value_size;
    let mut result = Vec::with_capacity(length);
    let target = Target {
        start: result.as_mut_ptr(),
        stride: shape.heads * shape.value_size,
        columns: shape.value_size,
    };
    let tasks = tasks(shape, options);
    let run = |task: &Task| dispatch(Head { query, key, value, shape, options, target, task: task.clone() });
    let work = shape.batch * shape.heads * shape.queries * shape.keys * shape.size;
    if rayon::current_num_threads() == 1 || tasks.len() == 1 || work < 1 << 15 {
        tasks.iter().for_each(run);
    } else {
        tasks.par_iter().for_each(run);
    }
    // SAFETY: the tasks cover every query of every head, and each writes all numbers of its own.
    unsafe { result.set_len(length) };
    result
}

impl AttentionShape {
    fn check(&self, query: &Heads<'_>, key: &Heads<'_>, value: &Heads<'_>, options: &AttentionOptions<'_>) {
        assert!(self.key_heads > 0 && self.heads.is_multiple_of(self.key_heads), "heads in equal groups");
        assert!(query.holds(self.batch, self.heads, self.queries, self.size), "a query per token");
        assert!(key.holds(self.batch, self.key_heads, self.keys, self.size), "a key per token");
        assert!(value.holds(self.batch, self.key_heads, self.keys, self.value_size), "a value per token");
        let last = |stride: usize, count: usize| stride * count.saturating_sub(1);
        if let Some(hidden) = options.hidden {
            let end = last(hidden.batch_stride, self.batch) + last(hidden.query_stride, self.queries);
            assert!(hidden.values.len() >= end + self.keys, "a mask per key");
        }
        if let Some(bias) = options.bias {
            let end = last(bias.batch_stride, self.batch)
                + last(bias.head_stride, self.heads)
                + last(bias.query_stride, self.queries);
            assert!(bias.values.len() >= end + self.keys, "a bias per key");
        }
        if let Some(texts) = options.texts {
            assert!(self.queries == self.keys && texts.is_sorted(), "texts in order");
            assert_eq!(texts.last(), Some(&self.keys), "texts to the end of the row");
        }
        if let Some(distances) = options.distances {
            let ends = options.texts.unwrap_or(std::slice::from_ref(&self.keys));
            let starts = std::iter::once(&0).chain(ends);
            let longest = starts.zip(ends).map(|(start, end)| end - start).max().unwrap_or(0);
            assert!(self.queries == self.keys, "distances of a token to others like it");
            distances.check(self.batch, self.heads, self.keys, longest);
        }
    }
}

impl Heads<'_> {
    fn holds(&self, batch: usize, heads: usize, tokens: usize, size: usize) -> bool {
        let last = |stride: usize, count: usize| stride * count.saturating_sub(1);
        let end = last(self.batch_stride, batch) + last(self.head_stride, heads);
        batch * heads * tokens == 0 || self.values.len() >= end + last(self.token_stride, tokens) + size
    }

    fn start(&self, batch: usize, head: usize, token: usize) -> usize {
        batch * self.batch_stride + head * self.head_stride + token * self.token_stride
    }
}

/// Some queries of one head.
#[derive(Clone, Debug)]
struct Task {
    batch: usize,
    head: usize,
    queries: Range<usize>,
    /// The keys that any of the queries sees.
    keys: Range<usize>,
}

fn tasks(shape: AttentionShape, options: &AttentionOptions<'_>) -> Vec<Task> {
    let whole = [shape.queries];
    let ends = options.texts.unwrap_or(&whole);
    let mut tasks = Vec::new();
    for batch in 0..shape.batch {
        let mut start = 0;
        for &end in ends {
            let keys = if options.texts.is_some() { start..end } else { 0..shape.keys };
            // Where keys are hidden, a window may have none that is not, and the query then looks at all.
            let whole = !options.causal && options.window.is_some() && options.hidden.is_some();
            for head in 0..shape.heads {
                for first in (start..end).step_by(QUERIES) {
                    let queries = first..end.min(first + QUERIES);
                    let keys =
                        if whole { keys.clone() } else { seen(shape, options, &queries, keys.clone()) };
                    tasks.push(Task { batch, head, queries, keys });
                }
            }
            start = end;
        }
    }
    tasks
}

/// The keys among `keys` that some of the queries see.
fn seen(
    shape: AttentionShape,
    options: &AttentionOptions<'_>,
    queries: &Range<usize>,
    keys: Range<usize>,
) -> Range<usize> {
    let own = |query: usize| (query + shape.keys).saturating_sub(shape.queries);
    let window = options.window.map(|window| window.max(1));
    let start = window.map_or(0, |window| (own(queries.start) + 1).saturating_sub(window));
    let end = match (options.causal, window) {
        (true, _) => own(queries.end - 1) + 1,
        (false, Some(window)) => own(queries.end - 1).saturating_add(window),
        (false, None) => keys.end,
    };
    let start = start.clamp(keys.start, keys.end);
    start..end.clamp(start, keys.end)
}

struct Head<'a> {
    query: Heads<'a>,
    key: Heads<'a>,
    value: Heads<'a>,
    shape: AttentionShape,
    options: &'a AttentionOptions<'a>,
    target: Target,
    task: Task,
}

impl SimdOp for Head<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let Task { batch, head, queries, keys } = self.task.clone();
        let shape = self.shape;
        let key_head = head / (shape.heads / shape.key_heads);
        let mut scores = vec![0.0; queries.len() * keys.len()];
        if queries.len() <= FEW {
            return self.read_in_place(isa, key_head, &mut scores);
        }
        let packed = self.pack_keys(batch, key_head, &keys);
        let start = self.query.start(batch, head, queries.start);
        let source = Rows {
            start: self.query.values[start..].as_ptr(),
            stride: self.query.token_stride,
            count: queries.len(),
            depth: shape.size,
            life: PhantomData,
        };
        let target = Target { start: scores.as_mut_ptr(), stride: keys.len(), columns: keys.len() };
        product(isa, source, &packed, (shape.size * panel_width(), panel_width()), target);
        let mut factors = [0.0; QUERIES];
        let rows = scores.chunks_mut(keys.len().max(1)).zip(queries.clone());
        for ((row, query), factor) in rows.zip(&mut factors) {
            *factor = self.weigh(isa, row, query);
        }
        let source = Rows {
            start: scores.as_ptr(),
            stride: keys.len(),
            count: queries.len(),
            depth: keys.len(),
            life: PhantomData,
        };
        let at = (batch * shape.queries + queries.start) * self.target.stride + head * shape.value_size;
        // SAFETY: the head's part of the batch's and query's row lies inside the result.
        let target = Target { start: unsafe { self.target.start.add(at) }, ..self.target };
        let start = self.value.start(batch, key_head, keys.start);
        if shape.value_size.is_multiple_of(panel_width()) {
            let values = &self.value.values[start.min(self.value.values.len())..];
            product(isa, source, values, (panel_width(), self.value.token_stride), target);
        } else {
            let values = self.widen_values(start, keys.len());
            product(isa, source, &values, (keys.len() * panel_width(), panel_width()), target);
        }
        for (row, factor) in (0..queries.len()).zip(factors) {
            // SAFETY: the product has written the row, which is this task's alone.
            let answer = unsafe {
                std::slice::from_raw_parts_mut(target.start.add(row * target.stride), shape.value_size)
            };
            answer.iter_mut().for_each(|sum| *sum *= factor);
        }
    }
}

/// A whole product on this thread; `strides` are those between panels and between a panel's rows.
#[inline(always)]
fn product<I: Isa>(isa: I, source: Rows<'_>, panels: &[f32], strides: (usize, usize), target: Target) {
    let product = Product {
        source,
        panels,
        panel_stride: strides.0,
        row_stride: strides.1,
        target,
        finish: Finish::default(),
        rows: (0, source.count),
        panel_range: (0, target.columns.div_ceil(panel_width())),
    };
    product.eval(isa);
}

impl Head<'_> {
    /// Attention of a few queries, without copies of keys and values.
    #[inline(always)]
    fn read_in_place<I: Isa>(&self, isa: I, key_head: usize, scores: &mut [f32]) {
        let Task { batch, head, queries, keys } = &self.task;
        let shape = self.shape;
        for (index, row) in scores.chunks_mut(keys.len().max(1)).enumerate() {
            let token = queries.start + index;
            let query = &self.query.values[self.query.start(*batch, *head, token)..][..shape.size];
            for (score, token) in row.iter_mut().zip(keys.clone()) {
                let key = &self.key.values[self.key.start(*batch, key_head, token)..][..shape.size];
                *score = dot(isa, query, key);
            }
            let factor = self.weigh(isa, row, token);
            row.iter_mut().for_each(|weight| *weight *= factor);
        }
        for (index, token) in queries.clone().enumerate() {
            let at = (batch * shape.queries + token) * self.target.stride + head * shape.value_size;
            // SAFETY: the head's part of the query's row lies inside the result, is this task's alone, and
            // is written here before it is read.
            let answer = unsafe {
                let start = self.target.start.add(at);
                start.write_bytes(0, shape.value_size);
                std::slice::from_raw_parts_mut(start, shape.value_size)
            };
            let weights = &scores[index * keys.len()..(index + 1) * keys.len()];
            for (weight, token) in weights.iter().zip(keys.clone()) {
                let value =
                    &self.value.values[self.value.start(*batch, key_head, token)..][..shape.value_size];
                answer.iter_mut().zip(value).for_each(|(sum, value)| *sum += weight * value);
            }
        }
    }

    /// Keys as the panels of a product.
    #[inline(always)]
    fn pack_keys(&self, batch: usize, key_head: usize, keys: &Range<usize>) -> Vec<f32> {
        let (size, width) = (self.shape.size, panel_width());
        let mut panels = vec![0.0; keys.len().div_ceil(width) * width * size];
        let starts = keys.clone().step_by(width);
        for (first, panel) in starts.zip(panels.chunks_mut((width * size).max(1))) {
            let count = width.min(keys.end - first);
            let start = self.key.start(batch, key_head, first);
            let rows = &self.key.values[start..start + (count - 1) * self.key.token_stride + size];
            pack_panel(rows, (count, self.key.token_stride), size, width, panel, |column| column);
        }
        panels
    }

    /// Values whose size is not that of whole panels, filled up with zeros.
    #[inline(always)]
    fn widen_values(&self, start: usize, keys: usize) -> Vec<f32> {
        let (size, width) = (self.shape.value_size, panel_width());
        let mut panels = vec![0.0; size.div_ceil(width) * width * keys];
        for (panel, first) in panels.chunks_mut((width * keys).max(1)).zip((0..size).step_by(width)) {
            let count = width.min(size - first);
            for (key, row) in panel.chunks_mut(width).enumerate() {
                let at = start + key * self.value.token_stride + first;
                row[..count].copy_from_slice(&self.value.values[at..at + count]);
            }
        }
        panels
    }

    /// Scores of a query to weights, in place; what is left to multiply them by.
    #[inline(always)]
    fn weigh<I: Isa>(&self, isa: I, scores: &mut [f32], query: usize) -> f32 {
        let Task { batch, head, keys, .. } = &self.task;
        let bias = self.options.bias.map(|bias| {
            let at = batch * bias.batch_stride + head * bias.head_stride + query * bias.query_stride;
            &bias.values[at + keys.start..at + keys.end]
        });
        scale(isa, scores, self.options.scale, self.options.soft_cap, bias);
        if let Some(distances) = &self.options.distances {
            let first = (batch * self.shape.heads + head) * self.shape.keys;
            distances.add(scores, first, query, keys);
        }
        if let Some(hidden) = self.options.hidden {
            let at = batch * hidden.batch_stride + query * hidden.query_stride;
            let hidden = &hidden.values[at + keys.start..at + keys.end];
            for (score, &hidden) in scores.iter_mut().zip(hidden) {
                *score = if hidden == 0 { *score } else { HIDDEN };
            }
        }
        if self.options.causal || self.options.window.is_some() {
            let seen = seen(self.shape, self.options, &(query..query + 1), keys.clone());
            scores[..seen.start - keys.start].fill(HIDDEN);
            scores[seen.end - keys.start..].fill(HIDDEN);
        }
        exponentials(isa, scores)
    }
}

/// The sum of the products of two vectors.
#[inline(always)]
fn dot<I: Isa>(isa: I, left: &[f32], right: &[f32]) -> f32 {
    let ops = isa.f32();
    let (lefts, rights) = (left.chunks_exact(ops.len()), right.chunks_exact(ops.len()));
    let rest: f32 = lefts.remainder().iter().zip(rights.remainder()).map(|(left, right)| left * right).sum();
    let sums = lefts
        .zip(rights)
        .fold(ops.zero(), |sums, (left, right)| ops.mul_add(ops.load(left), ops.load(right), sums));
    sums.to_array().into_iter().sum::<f32>() + rest
}

/// `score * scale`, capped, plus the bias.
#[inline(always)]
pub(crate) fn scale<I: Isa>(
    isa: I,
    scores: &mut [f32],
    scale: f32,
    soft_cap: Option<f32>,
    bias: Option<&[f32]>,
) {
    if let Some(cap) = soft_cap {
        let ops = isa.f32();
        let (inner, outer) = (ops.splat(scale / cap), ops.splat(cap));
        for_each_vector(
            isa,
            scores,
            #[inline(always)]
            |x| ops.mul(outer, Tanh {}.eval(isa, ops.mul(x, inner))),
        );
    } else {
        scores.iter_mut().for_each(|score| *score *= scale);
    }
    if let Some(bias) = bias {
        scores.iter_mut().zip(bias).for_each(|(score, bias)| *score += bias);
    }
}

/// `exp(x - max) / sum`, in place.
#[inline(always)]
pub(crate) fn softmax_row<I: Isa>(isa: I, row: &mut [f32]) {
    let factor = exponentials(isa, row);
    row.iter_mut().for_each(|weight| *weight *= factor);
}

/// `exp(x - max)`, in place; what is left to multiply is `1 / sum`.
#[inline(always)]
pub(crate) fn exponentials<I: Isa>(isa: I, row: &mut [f32]) -> f32 {
    let ops = isa.f32();
    let mut most = ops.splat(f32::MIN);
    let vectors = row.chunks_exact(ops.len());
    let rest = vectors.remainder().iter().copied().fold(f32::MIN, f32::max);
    for vector in vectors {
        most = ops.max(most, ops.load(vector));
    }
    let most = most.to_array().into_iter().fold(rest, f32::max);
    let most = ops.splat(most);
    let mut sums = ops.zero();
    let mut vectors = row.chunks_exact_mut(ops.len());
    for vector in &mut vectors {
        let power = exp_of_negative(isa, ops.sub(ops.load(vector), most));
        sums = ops.add(sums, power);
        ops.store(power, vector);
    }
    let mut sum: f32 = sums.to_array().into_iter().sum();
    let rest = vectors.into_remainder();
    let powers = exp_of_negative(isa, ops.sub(ops.load_pad(rest).0, most)).to_array();
    for (value, power) in rest.iter_mut().zip(powers) {
        *value = power;
        sum += power;
    }
    1.0 / sum
}

/// `exp(x)` for `x <= 0`, within two units in the last place; 0 where the result would be below the normal
/// numbers, and NaN for NaN.
///
/// `x = k ln 2 + r`, the exponential of `r` by a polynomial (Cephes' `expf`), and `2^k` by its bits.
#[inline(always)]
fn exp_of_negative<I: Isa>(isa: I, x: I::F32) -> I::F32 {
    const LEAST: f32 = -87.336_54;
    // Adding it leaves an integer in the low bits, rounded to the nearest.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let ops = isa.f32();
    let least = ops.splat(LEAST);
    let (is_normal, is_number) = (ops.ge(x, least), ops.eq(x, x));
    let given = x;
    let x = ops.max(x, least);
    let shifted = ops.mul_add(x, ops.splat(std::f32::consts::LOG2_E), ops.splat(ROUND));
    let k = ops.sub(shifted, ops.splat(ROUND));
    let r = ops.mul_add(k, ops.splat(-LN_2_HIGH), x);
    let r = ops.mul_add(k, ops.splat(-LN_2_LOW), r);
    let mut power = ops.splat(1.987_569_1e-4);
    for coefficient in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5, 1.0, 1.0] {
        power = ops.mul_add(power, r, ops.splat(coefficient));
    }
    // The exponent stands above the 23 bits of the fraction.
    let exponent = isa.i32().shift_left::<23>(shifted.reinterpret_cast::<I::I32>());
    let power = isa.i32().add(power.reinterpret_cast::<I::I32>(), exponent).reinterpret_cast::<I::F32>();
    ops.select(ops.select(power, ops.zero(), is_normal), given, is_number)
}

/// Applies a function to every element; a last, shorter vector is filled up with zeros.
#[inline(always)]
pub(crate) fn for_each_vector<I: Isa>(isa: I, values: &mut [f32], function: impl Fn(I::F32) -> I::F32) {
    let ops = isa.f32();
    let mut vectors = values.chunks_exact_mut(ops.len());
    for vector in &mut vectors {
        ops.store(function(ops.load(vector)), vector);
    }
    let rest = vectors.into_remainder();
    if !rest.is_empty() {
        let results = function(ops.load_pad(rest).0).to_array();
        rest.iter_mut().zip(results).for_each(|(value, result)| *value = result);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tests::numbers;

    /// Attention in f64 by loops.
    fn by_loops(
        [query, key, value]: [Heads<'_>; 3],
        shape: AttentionShape,
        options: &AttentionOptions<'_>,
    ) -> Vec<f64> {
        let mut result = vec![0.0; shape.batch * shape.queries * shape.heads * shape.value_size];
        for at in 0..shape.batch * shape.queries * shape.heads {
            let (batch, token, head) =
                (at / shape.heads / shape.queries, at / shape.heads % shape.queries, at % shape.heads);
            let key_head = head * shape.key_heads / shape.heads;
            let text =
                |token: usize| options.texts.map(|ends| ends.iter().filter(|&&end| end <= token).count());
            let own = token + shape.keys - shape.queries;
            let score = |other: usize| {
                let product: f64 = (0..shape.size)
                    .map(|i| {
                        f64::from(query.values[query.start(batch, head, token) + i])
                            * f64::from(key.values[key.start(batch, key_head, other) + i])
                    })
                    .sum();
                let mut score = product * f64::from(options.scale);
                if let Some(cap) = options.soft_cap {
                    score = f64::from(cap) * (score / f64::from(cap)).tanh();
                }
                if let Some(bias) = options.bias {
                    let at = batch * bias.batch_stride + head * bias.head_stride + token * bias.query_stride;
                    score += f64::from(bias.values[at + other]);
                }
                if let Some(distances) = options.distances {
                    let middle = distances.place_of.len() / 2;
                    let place = |from: usize, to: usize| distances.place_of[middle + to - from] as usize;
                    let at =
                        |token: usize| ((batch * shape.heads + head) * shape.keys + token) * distances.places;
                    let own = text(token) == text(other);
                    let of = |scores: Option<&[f32]>, own: usize, place: usize| {
                        scores.map_or(0.0, |scores| f64::from(scores[at(own) + place]))
                    };
                    if own {
                        score += of(distances.of_queries, token, place(token, other));
                        score += of(distances.of_keys, other, place(token, other));
                    }
                }
                let masked = options.hidden.is_some_and(|hidden| {
                    hidden.values[batch * hidden.batch_stride + token * hidden.query_stride + other] != 0
                });
                let later = options.causal && other > own;
                let passed = options.window.is_some_and(|window| own.abs_diff(other) >= window);
                let foreign = options.texts.is_some() && text(token) != text(other);
                if masked || later || passed || foreign { f64::NEG_INFINITY } else { score }
            };
            let scores: Vec<f64> = (0..shape.keys).map(score).collect();
            let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = scores.iter().map(|score| (score - most).exp()).sum();
            for i in 0..shape.value_size {
                result[at * shape.value_size + i] = (0..shape.keys)
                    .map(|other| {
                        (scores[other] - most).exp() / sum
                            * f64::from(value.values[value.start(batch, key_head, other) + i])
                    })
                    .sum();
            }
        }
        result
    }

    fn check(shape: AttentionShape, options: &AttentionOptions<'_>) {
        // As a linear layer gives them: the heads of a token side by side.
        let make = |heads: usize, tokens: usize, size: usize, seed: u32| {
            numbers(shape.batch * tokens * heads * size, seed)
        };
        let view = |values, heads: usize, tokens: usize, size: usize| Heads {
            values,
            batch_stride: tokens * heads * size,
            head_stride: size,
            token_stride: heads * size,
        };
        let query = make(shape.heads, shape.queries, shape.size, 1);
        let key = make(shape.key_heads, shape.keys, shape.size, 2);
        let value = make(shape.key_heads, shape.keys, shape.value_size, 3);
        let query = view(&query, shape.heads, shape.queries, shape.size);
        let key = view(&key, shape.key_heads, shape.keys, shape.size);
        let value = view(&value, shape.key_heads, shape.keys, shape.value_size);
        let answer = attention(query, key, value, shape, options);
        let expected = by_loops([query, key, value], shape, options);
        assert_eq!(answer.len(), expected.len());
        for (answer, expected) in answer.iter().zip(expected) {
            assert!((f64::from(*answer) - expected).abs() < 1e-5, "{shape:?}: {answer}, not {expected}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 48 }))]

        #[test]
        fn attention_equals_f64(
            batch in 1_usize..3,
            groups in 1_usize..3,
            key_heads in 1_usize..3,
            queries in 1_usize..20,
            past in 0_usize..10,
            size in 1_usize..40,
            value_size in prop::sample::select(vec![3, 16, 32, 33]),
        ) {
            let (heads, keys) = (groups * key_heads, queries + past);
            let shape = AttentionShape { batch, heads, key_heads, queries, keys, size, value_size };
            let full = AttentionOptions::full(size);
            check(shape, &full);
            check(shape, &AttentionOptions { causal: true, ..full });
            check(shape, &AttentionOptions { causal: true, window: Some(3), soft_cap: Some(2.0), ..full });
            check(shape, &AttentionOptions { window: Some(3), ..full });
            let values: Vec<u8> = (0..batch * keys).map(|at| u8::from(at % keys > 0 && at % 3 == 0)).collect();
            let hidden = HiddenKeys { values: &values, batch_stride: keys, query_stride: 0 };
            let values = numbers(batch * heads * queries * keys, 9);
            let bias = ScoreBias {
                values: &values,
                batch_stride: heads * queries * keys,
                head_stride: queries * keys,
                query_stride: keys,
            };
            check(shape, &AttentionOptions { hidden: Some(hidden), bias: Some(bias), scale: 0.3, ..full });
        }

        #[test]
        fn texts_in_one_row_do_not_see_each_other(lengths in prop::collection::vec(1_usize..30, 1..5)) {
            let ends: Vec<usize> =
                lengths.iter().scan(0, |end, length| { *end += length; Some(*end) }).collect();
            let tokens = *ends.last().unwrap_or(&0);
            let shape = AttentionShape {
                batch: 1, heads: 2, key_heads: 2, queries: tokens, keys: tokens, size: 8, value_size: 8,
            };
            let full = AttentionOptions { texts: Some(&ends), ..AttentionOptions::full(8) };
            check(shape, &full);
            // Distances over 4 take the place of 4; no text is longer than 30.
            let place_of: Vec<u32> = (-30_i32..31).map(|distance| (distance.clamp(-4, 4) + 4) as u32).collect();
            let (of_queries, of_keys) = (numbers(2 * tokens * 9, 4), numbers(2 * tokens * 9, 5));
            for (of_queries, of_keys) in
                [(Some(&of_queries), Some(&of_keys)), (Some(&of_queries), None), (None, Some(&of_keys))]
            {
                let distances = DistanceScores {
                    of_queries: of_queries.map(Vec::as_slice),
                    of_keys: of_keys.map(Vec::as_slice),
                    places: 9,
                    place_of: &place_of,
                };
                check(shape, &AttentionOptions { distances: Some(distances), ..full });
            }
            check(shape, &AttentionOptions { window: Some(4), ..full });
        }
    }

    #[test]
    fn exponentials_are_those_of_f64() {
        struct Powers<'a>(&'a [f32]);
        impl SimdOp for Powers<'_> {
            type Output = Vec<f32>;
            #[inline(always)]
            fn eval<I: Isa>(self, isa: I) -> Vec<f32> {
                let power = |&x: &f32| exp_of_negative(isa, isa.f32().splat(x)).to_array()[0];
                self.0.iter().map(power).collect()
            }
        }
        let values: Vec<f32> =
            (0..if cfg!(miri) { 50 } else { 200_000 }).map(|at| -at as f32 * 4.5e-4).collect();
        for (x, power) in values.iter().zip(dispatch(Powers(&values))) {
            let expected = f64::from(*x).exp();
            let error = (f64::from(power) - expected).abs();
            assert!(error <= expected * 2.4e-7 || (*x < -87.33 && power == 0.0), "exp({x}) = {power}");
        }
        assert_eq!(dispatch(Powers(&[f32::MIN, f32::NEG_INFINITY, 0.0])), [0.0, 0.0, 1.0]);
        assert!(dispatch(Powers(&[f32::NAN]))[0].is_nan());
    }

    #[test]
    fn rows_longer_than_a_task_are_covered() {
        let tokens = 2 * QUERIES + 7;
        let shape = AttentionShape {
            batch: 1,
            heads: 2,
            key_heads: 1,
            queries: tokens,
            keys: tokens,
            size: 32,
            value_size: 32,
        };
        check(shape, &AttentionOptions::full(32));
        check(shape, &AttentionOptions { causal: true, window: Some(50), ..AttentionOptions::full(32) });
        check(shape, &AttentionOptions { window: Some(50), ..AttentionOptions::full(32) });
    }

    #[test]
    fn a_query_that_sees_nothing_looks_at_everything_alike() {
        let shape =
            AttentionShape { batch: 1, heads: 1, key_heads: 1, queries: 1, keys: 2, size: 1, value_size: 1 };
        let view = |values| Heads { values, batch_stride: 0, head_stride: 0, token_stride: 1 };
        let hidden = HiddenKeys { values: &[1, 1], batch_stride: 0, query_stride: 0 };
        let options = AttentionOptions { hidden: Some(hidden), ..AttentionOptions::full(1) };
        assert_eq!(attention(view(&[1.0]), view(&[1.0, 2.0]), view(&[1.0, 3.0]), shape, &options), [2.0]);
        // Only the first key is there, and the second query's window ends before it.
        let shape = AttentionShape { queries: 2, ..shape };
        let hidden = HiddenKeys { values: &[0, 1], batch_stride: 0, query_stride: 0 };
        let options = AttentionOptions { hidden: Some(hidden), window: Some(1), ..AttentionOptions::full(1) };
        let answers = attention(view(&[1.0, 1.0]), view(&[1.0, 2.0]), view(&[1.0, 3.0]), shape, &options);
        assert_eq!(answers, [1.0, 2.0]);
    }
}
