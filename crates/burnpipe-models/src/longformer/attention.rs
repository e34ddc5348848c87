//! Attention in windows, and of the tokens that see everything.
//!
//! Texts are taken one by one, and of each a block of queries after the other, so that the memory grows with
//! the length of a text and not with its square.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Bool, Tensor, TensorData};
use burnpipe_nn::ops::{self, AttentionScope};
use burnpipe_nn::{Linear, Placement, TokenBatch};

/// How many queries go together at least, where the windows are small.
const SMALLEST_BLOCK: usize = 32;

/// A text of a batch as attention sees it, in tokens counted row after row.
#[derive(Clone, Debug)]
pub(super) struct AttendedText {
    /// Its tokens that are no padding.
    seen: Range<usize>,
    /// How many of them, from the first, see everything and are seen by all.
    global: usize,
}

impl AttendedText {
    /// The texts of a batch, of each of which as many of the first tokens see everything as `global` says.
    pub(super) fn of(batch: &TokenBatch, global: &[usize]) -> Vec<Self> {
        let text = |(text, &global): (&Range<usize>, &usize)| {
            let seen = &batch.seen()[text.clone()];
            // Tokenizers pad at one end.
            let first = seen.iter().take_while(|seen| !**seen).count();
            let count = seen.iter().filter(|seen| **seen).count();
            let start = text.start + first;
            Self { seen: start..start + count, global: global.saturating_sub(first).min(count) }
        };
        batch.texts().iter().zip(global).map(text).collect()
    }
}

#[derive(Module, Debug)]
pub(super) struct LongformerSelfAttention {
    query: Linear,
    key: Linear,
    value: Linear,
    query_global: Linear,
    key_global: Linear,
    value_global: Linear,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    head_size: usize,
    /// How far a token sees to either side.
    #[module(skip)]
    reach: usize,
}

impl LongformerSelfAttention {
    pub(super) fn new(hidden: usize, heads: usize, reach: usize, placement: &Placement) -> Self {
        let projection = || Linear::new(hidden, hidden, placement);
        Self {
            query: projection(),
            key: projection(),
            value: projection(),
            query_global: projection(),
            key_global: projection(),
            value_global: projection(),
            heads,
            head_size: hidden / heads,
            reach,
        }
    }

    /// # Shapes
    ///
    /// - `hidden`: `[rows, tokens, hidden]`
    pub(super) fn forward(&self, hidden: Tensor<3>, texts: &[AttendedText]) -> Tensor<3> {
        let [rows, tokens, size] = hidden.dims();
        let hidden = hidden.reshape([1, rows * tokens, size]);
        let local = ops::linear_each(hidden.clone(), [&self.query, &self.key, &self.value]);
        let [query, key, value] = local.map(|x| self.split(x));
        let zeros = |count: usize| {
            Tensor::zeros([1, count, self.heads, self.head_size], (&query.device(), query.dtype()))
        };
        // What padding attends to does not matter, and is nothing as in Python.
        let mut parts = Vec::new();
        let mut done = 0;
        for text in texts.iter().filter(|text| !text.seen.is_empty()) {
            let Range { start, end } = text.seen;
            if start > done {
                parts.push(zeros(start - done));
            }
            if text.global > 0 {
                parts.push(self.global_context(hidden.clone().narrow(1, start, end - start), text.global));
            }
            let [query, key, value] = [&query, &key, &value].map(|x| x.clone().narrow(2, start, end - start));
            self.push_local_contexts(&mut parts, &query, &key, &value, text.global);
            done = end;
        }
        if done < rows * tokens {
            parts.push(zeros(rows * tokens - done));
        }
        Tensor::cat(parts, 1).reshape([rows, tokens, size])
    }

    /// `[1, heads, tokens, size]` of `[1, tokens, hidden]`.
    fn split(&self, x: Tensor<3>) -> Tensor<4> {
        let [_, tokens, _] = x.dims();
        x.reshape([1, tokens, self.heads, self.head_size]).swap_dims(1, 2)
    }

    /// What the first tokens of a text see: all of it, by projections of their own.
    ///
    /// # Shapes
    ///
    /// - `text`: `[1, tokens, hidden]`
    /// - result: `[1, global, heads, size]`
    fn global_context(&self, text: Tensor<3>, global: usize) -> Tensor<4> {
        let query = self.split(self.query_global.forward(text.clone().narrow(1, 0, global)));
        let [key, value] =
            ops::linear_each(text, [&self.key_global, &self.value_global]).map(|x| self.split(x));
        ops::attention(query, key, value, &AttentionScope::default()).swap_dims(1, 2)
    }

    /// What the other tokens of a text see: their window, and the tokens that are seen by all.
    ///
    /// # Shapes
    ///
    /// - `query`, `key`, `value`: `[1, heads, tokens, size]`
    /// - `parts`: `[1, queries, heads, size]` each
    fn push_local_contexts(
        &self,
        parts: &mut Vec<Tensor<4>>,
        query: &Tensor<4>,
        key: &Tensor<4>,
        value: &Tensor<4>,
        global: usize,
    ) {
        let tokens = query.dims()[2];
        let block = self.reach.max(SMALLEST_BLOCK);
        for start in (global..tokens).step_by(block) {
            let end = (start + block).min(tokens);
            // Where the windows begin among or right behind the global tokens, one range holds both.
            let first = Some(start.saturating_sub(self.reach)).filter(|&first| first > global).unwrap_or(0);
            let last = end.saturating_add(self.reach).min(tokens);
            let keys = |x: &Tensor<4>| {
                let window = x.clone().narrow(2, first, last - first);
                if first > 0 && global > 0 {
                    Tensor::cat(vec![x.clone().narrow(2, 0, global), window], 2)
                } else {
                    window
                }
            };
            let global_keys = if first > 0 { 0..global } else { 0..0 };
            let places: Vec<usize> = global_keys.chain(first..last).collect();
            let is_hidden = |query: usize, key: usize| key >= global && query.abs_diff(key) > self.reach;
            let hidden = mask(start..end, &places, is_hidden, query);
            let scope = AttentionScope { hidden, ..AttentionScope::default() };
            let query = query.clone().narrow(2, start, end - start);
            parts.push(ops::attention(query, keys(key), keys(value), &scope).swap_dims(1, 2));
        }
    }
}

/// True where a query does not see a key: `[1, 1, queries, keys]`; `None` where each sees all.
fn mask(
    queries: Range<usize>,
    keys: &[usize],
    is_hidden: impl Fn(usize, usize) -> bool,
    like: &Tensor<4>,
) -> Option<Tensor<4, Bool>> {
    let shape = [1, 1, queries.len(), keys.len()];
    let hidden: Vec<bool> = queries
        .flat_map(|query| keys.iter().map(move |&key| (query, key)))
        .map(|(query, key)| is_hidden(query, key))
        .collect();
    let hides_some = hidden.contains(&true);
    hides_some.then(|| Tensor::from_data(TensorData::new(hidden, shape), &like.device()))
}
