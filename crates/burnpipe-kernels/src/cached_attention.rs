//! Attention of new tokens to all that stand before them, whose keys and values lie in blocks.
//!
//! A cache grows block by block and beams share the blocks of what they have in common, so that nothing is
//! copied when a text grows by a token. Every head of keys is a task of its own and serves its heads of queries
//! in one reading.

use rayon::prelude::*;
use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, Simd, SimdOp};

use crate::attention::{exponentials, scale};
use crate::isa::dispatch;

/// Tokens of a block.
pub const BLOCK_TOKENS: usize = 32;

/// The dimensions of attention over a cache, and how its scores are made.
#[derive(Clone, Copy, Debug)]
pub struct CachedAttention<'a> {
    /// Heads of the queries.
    pub heads: usize,
    /// Heads of the keys and values: they divide `heads`, and each serves as many in a row.
    pub key_heads: usize,
    /// Numbers of a query and of a key.
    pub size: usize,
    /// Numbers of a value.
    pub value_size: usize,
    /// What scores are multiplied by.
    pub scale: f32,
    /// Scores go through `cap * tanh(score / cap)` after the scale.
    pub soft_cap: Option<f32>,
    /// A query sees so many keys: its own and those before it.
    pub window: Option<usize>,
    /// Added after that, by the place of the key in its text: `[heads, places]`.
    pub key_bias: Option<&'a [f32]>,
}

/// The keys and values of one text, and how many of its tokens are new.
#[derive(Clone, Copy, Debug)]
pub struct CachedText<'a> {
    /// Blocks of keys, `[key heads, BLOCK_TOKENS, size]`, and of values, `[key heads, BLOCK_TOKENS, value size]`.
    pub blocks: &'a [(&'a [f32], &'a [f32])],
    /// Tokens that the text has, the new ones included.
    pub tokens: usize,
    /// The last tokens, whose queries are asked.
    pub queries: usize,
}

impl CachedAttention<'_> {
    /// Answers the queries of several texts, one text after the other: `[queries of all, heads, value size]` of
    /// `[queries of all, heads, size]`. A query sees its own token and those before it.
    ///
    /// # Panics
    ///
    /// When the lengths do not fit each other.
    ///
    /// ```
    /// use burnpipe_kernels::{BLOCK_TOKENS, CachedAttention, CachedText};
    ///
    /// let mut values = [0.0; BLOCK_TOKENS];
    /// (values[0], values[1]) = (1.0, 3.0);
    /// let blocks = [([0.0; BLOCK_TOKENS].as_slice(), values.as_slice())];
    /// let text = CachedText { blocks: &blocks, tokens: 2, queries: 1 };
    /// let attention = CachedAttention {
    ///     heads: 1, key_heads: 1, size: 1, value_size: 1, scale: 1.0, soft_cap: None, window: None, key_bias: None,
    /// };
    /// assert_eq!(attention.answer(&[5.0], &[text]), [2.0]);
    /// ```
    pub fn answer(&self, queries: &[f32], texts: &[CachedText<'_>]) -> Vec<f32> {
        let count: usize = texts.iter().map(|text| text.queries).sum();
        assert!(self.key_heads > 0 && self.heads.is_multiple_of(self.key_heads), "heads in equal groups");
        assert_eq!(queries.len(), count * self.heads * self.size, "a query per new token and head");
        texts.iter().for_each(|text| self.check(text));
        let mut result = vec![0.0; count * self.heads * self.value_size];
        let answers = Answers { start: result.as_mut_ptr(), count };
        let firsts = texts.iter().scan(0, |first, text| {
            let own = *first;
            *first += text.queries;
            Some(own)
        });
        let tasks: Vec<Task<'_>> = firsts
            .zip(texts)
            .flat_map(|(first, text)| (0..self.key_heads).map(move |key_head| Task { text, first, key_head }))
            .collect();
        let run = |task: &Task<'_>| dispatch(KeyHead { attention: self, queries, answers, task: *task });
        let work: usize = texts.iter().map(|text| text.queries * text.tokens).sum::<usize>();
        if work * self.heads * self.size < 1 << 16 || rayon::current_num_threads() == 1 {
            tasks.iter().for_each(run);
        } else {
            tasks.par_iter().for_each(run);
        }
        result
    }

    fn check(&self, text: &CachedText<'_>) {
        assert!(text.queries <= text.tokens, "new tokens are a part of the text");
        assert!(text.blocks.len() * BLOCK_TOKENS >= text.tokens, "a block for every token");
        for (keys, values) in text.blocks {
            assert!(keys.len() == self.key_heads * BLOCK_TOKENS * self.size, "whole blocks of keys");
            assert!(
                values.len() == self.key_heads * BLOCK_TOKENS * self.value_size,
                "whole blocks of values"
            );
        }
        if let Some(bias) = self.key_bias {
            assert!(bias.len().is_multiple_of(self.heads), "a bias per head");
            assert!(bias.len() / self.heads >= text.tokens, "a bias for every key");
        }
    }
}

/// One head of keys of one text.
#[derive(Clone, Copy)]
struct Task<'a> {
    text: &'a CachedText<'a>,
    /// Where the text's queries begin among all.
    first: usize,
    key_head: usize,
}

/// Where the answers go.
#[derive(Clone, Copy)]
struct Answers {
    start: *mut f32,
    count: usize,
}

// SAFETY: every task writes the answers of its own heads of its own text.
unsafe impl Send for Answers {}
// SAFETY: as above.
unsafe impl Sync for Answers {}

struct KeyHead<'a> {
    attention: &'a CachedAttention<'a>,
    queries: &'a [f32],
    answers: Answers,
    task: Task<'a>,
}

impl SimdOp for KeyHead<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let Task { text, first, key_head } = self.task;
        let CachedAttention { heads, key_heads, size, value_size, .. } = *self.attention;
        let group = heads / key_heads;
        let mut scores = vec![0.0; group * text.tokens];
        for index in 0..text.queries {
            let own = text.tokens - text.queries + index;
            let start = self.attention.window.map_or(0, |window| (own + 1).saturating_sub(window.max(1)));
            let keys = own + 1 - start;
            let query = (first + index) * heads + key_head * group;
            let queries = &self.queries[query * size..(query + group) * size];
            for_blocks(start, own + 1, |block, from, to, at| {
                let part = key_head * BLOCK_TOKENS;
                let block = &text.blocks[block].0[(part + from) * size..(part + to) * size];
                for (row, query) in queries.chunks_exact(size).enumerate() {
                    let scores = &mut scores[row * keys + at..row * keys + at + to - from];
                    products(isa, query, block, scores);
                }
            });
            for (row, scores) in scores[..group * keys].chunks_exact_mut(keys).enumerate() {
                let bias = self.attention.key_bias.map(|bias| {
                    let head = (key_head * group + row) * (bias.len() / heads);
                    &bias[head + start..head + own + 1]
                });
                scale(isa, scores, self.attention.scale, self.attention.soft_cap, bias);
                let factor = exponentials(isa, scores);
                scores.iter_mut().for_each(|weight| *weight *= factor);
            }
            debug_assert!(first + index < self.answers.count);
            // SAFETY: the heads of this group of the query's row lie inside the result, which is zeros, and are
            // this task's alone.
            let answers = unsafe {
                let start = self.answers.start.add(query * value_size);
                std::slice::from_raw_parts_mut(start, group * value_size)
            };
            for_blocks(start, own + 1, |block, from, to, at| {
                let part = key_head * BLOCK_TOKENS;
                let block = &text.blocks[block].1[(part + from) * value_size..(part + to) * value_size];
                for (row, answer) in answers.chunks_exact_mut(value_size).enumerate() {
                    let weights = &scores[row * keys + at..row * keys + at + to - from];
                    add_weighted(isa, weights, block, answer);
                }
            });
        }
    }
}

/// The blocks of the tokens from `start` to `end`: a block, the tokens in it (from, to), and how many of the
/// range stand before them.
#[inline(always)]
fn for_blocks(start: usize, end: usize, mut visit: impl FnMut(usize, usize, usize, usize)) {
    let mut at = start;
    while at < end {
        let (block, from) = (at / BLOCK_TOKENS, at % BLOCK_TOKENS);
        let to = BLOCK_TOKENS.min(from + end - at);
        visit(block, from, to, at - start);
        at += to - from;
    }
}

/// Keys that are multiplied at a time.
const KEYS_AT_ONCE: usize = 4;

/// The product of a query with each of the keys that lie one after the other.
#[inline(always)]
fn products<I: Isa>(isa: I, query: &[f32], keys: &[f32], scores: &mut [f32]) {
    let ops = isa.f32();
    let size = query.len();
    let whole = size - size % ops.len();
    let several = keys.chunks_exact(KEYS_AT_ONCE * size).zip(scores.chunks_exact_mut(KEYS_AT_ONCE));
    for (keys, scores) in several {
        let mut sums = [ops.zero(); KEYS_AT_ONCE];
        for at in (0..whole).step_by(ops.len()) {
            let part = ops.load(&query[at..]);
            for (key, sum) in sums.iter_mut().enumerate() {
                *sum = ops.mul_add(part, ops.load(&keys[key * size + at..]), *sum);
            }
        }
        for (key, sum) in sums.into_iter().enumerate() {
            let rest = rest_of_product(query, &keys[key * size..(key + 1) * size], whole);
            scores[key] = sum.to_array().into_iter().sum::<f32>() + rest;
        }
    }
    let done = scores.len() - scores.len() % KEYS_AT_ONCE;
    for (key, score) in keys.chunks_exact(size).zip(scores).skip(done) {
        let mut sum = ops.zero();
        for at in (0..whole).step_by(ops.len()) {
            sum = ops.mul_add(ops.load(&query[at..]), ops.load(&key[at..]), sum);
        }
        *score = sum.to_array().into_iter().sum::<f32>() + rest_of_product(query, key, whole);
    }
}

#[inline(always)]
fn rest_of_product(query: &[f32], key: &[f32], from: usize) -> f32 {
    query[from..].iter().zip(&key[from..]).map(|(query, key)| query * key).sum()
}

/// Adds values, each times its weight.
#[inline(always)]
fn add_weighted<I: Isa>(isa: I, weights: &[f32], values: &[f32], answer: &mut [f32]) {
    let ops = isa.f32();
    let size = answer.len();
    let whole = size - size % ops.len();
    for at in (0..whole).step_by(ops.len()) {
        let mut sum = ops.load(&answer[at..]);
        for (weight, value) in weights.iter().zip(values.chunks_exact(size)) {
            sum = ops.mul_add(ops.splat(*weight), ops.load(&value[at..]), sum);
        }
        ops.store(sum, &mut answer[at..at + ops.len()]);
    }
    for (weight, value) in weights.iter().zip(values.chunks_exact(size)) {
        answer[whole..].iter_mut().zip(&value[whole..]).for_each(|(sum, value)| *sum += weight * value);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tests::numbers;

    /// Blocks of numbers for so many tokens.
    fn blocks(key_heads: usize, tokens: usize, size: usize, seed: u32) -> Vec<Vec<f32>> {
        let count = tokens.div_ceil(BLOCK_TOKENS);
        (0..count).map(|at| numbers(key_heads * BLOCK_TOKENS * size, seed + at as u32)).collect()
    }

    fn check(attention: &CachedAttention<'_>, lengths: &[(usize, usize)]) {
        let CachedAttention { heads, key_heads, size, value_size, .. } = *attention;
        let cached: Vec<_> = (100..)
            .step_by(50)
            .zip(lengths)
            .map(|(seed, &(tokens, _))| {
                (blocks(key_heads, tokens, size, seed), blocks(key_heads, tokens, value_size, seed + 20))
            })
            .collect();
        let pairs: Vec<Vec<(&[f32], &[f32])>> = cached
            .iter()
            .map(|(keys, values)| keys.iter().zip(values).map(|(k, v)| (&k[..], &v[..])).collect())
            .collect();
        let texts: Vec<CachedText<'_>> = pairs
            .iter()
            .zip(lengths)
            .map(|(blocks, &(tokens, queries))| CachedText { blocks, tokens, queries })
            .collect();
        let count: usize = lengths.iter().map(|(_, queries)| queries).sum();
        let queries = numbers(count * heads * size, 7);
        let answers = attention.answer(&queries, &texts);
        let mut expected = Vec::new();
        let mut first = 0;
        for text in &texts {
            for (index, head) in (0..text.queries).flat_map(|index| (0..heads).map(move |head| (index, head)))
            {
                let (own, key_head) = (text.tokens - text.queries + index, head / (heads / key_heads));
                let start = attention.window.map_or(0, |window| (own + 1).saturating_sub(window));
                let part = |values: &[f32], token: usize, size: usize, i: usize| {
                    f64::from(values[(key_head * BLOCK_TOKENS + token % BLOCK_TOKENS) * size + i])
                };
                let scores: Vec<f64> = (start..=own)
                    .map(|token| {
                        let query = &queries[((first + index) * heads + head) * size..][..size];
                        let keys = text.blocks[token / BLOCK_TOKENS].0;
                        let product: f64 =
                            (0..size).map(|i| f64::from(query[i]) * part(keys, token, size, i)).sum();
                        let score = product * f64::from(attention.scale);
                        let score = attention.soft_cap.map_or(score, |cap| {
                            let cap = f64::from(cap);
                            cap * (score / cap).tanh()
                        });
                        let bias = attention.key_bias;
                        score + bias.map_or(0.0, |bias| f64::from(bias[head * (bias.len() / heads) + token]))
                    })
                    .collect();
                let sum: f64 = scores.iter().map(|score| score.exp()).sum();
                expected.extend((0..value_size).map(|i| {
                    let values = (start..=own).zip(&scores);
                    values
                        .map(|(token, score)| {
                            let block = text.blocks[token / BLOCK_TOKENS].1;
                            score.exp() / sum * part(block, token, value_size, i)
                        })
                        .sum::<f64>()
                }));
            }
            first += text.queries;
        }
        assert_eq!(answers.len(), expected.len());
        for (answer, expected) in answers.iter().zip(expected) {
            assert!((f64::from(*answer) - expected).abs() < 1e-5, "{attention:?}: {answer}, not {expected}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 48 }))]

        #[test]
        fn answers_equal_f64(
            key_heads in 1_usize..3,
            group in 1_usize..4,
            size in 1_usize..40,
            value_size in 1_usize..40,
            lengths in prop::collection::vec((1_usize..100, 1_usize..4), 1..4),
            window in prop::option::of(1_usize..50),
        ) {
            let heads = key_heads * group;
            let lengths: Vec<(usize, usize)> =
                lengths.into_iter().map(|(tokens, queries)| (tokens, queries.min(tokens))).collect();
            let attention = CachedAttention {
                heads, key_heads, size, value_size, scale: 0.7, soft_cap: None, window, key_bias: None,
            };
            check(&attention, &lengths);
            let bias = numbers(heads * 100, 3);
            check(&CachedAttention { key_bias: Some(&bias), soft_cap: Some(1.5), ..attention }, &lengths);
        }
    }
}
