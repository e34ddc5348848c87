//! The keys and values of what a decoder has read.
//!
//! On the CPU they lie in blocks of some tokens. A block is written where it lies as long as one row has it; rows
//! that begin alike share the blocks of their beginning, and one that goes on by itself copies the last block
//! only. Elsewhere every row has a tensor that grows by doubling.

#[cfg(feature = "flex")]
use std::sync::Arc;

use burn::tensor::{Bool, DType, Device, Tensor, TensorData};

use crate::TokenStep;
use crate::ops::{self, AttentionScope};
#[cfg(feature = "flex")]
use burnpipe_kernels::{BLOCK_TOKENS, CachedAttention, CachedText};

/// The keys and values of some rows of tokens, for every layer of a decoder.
#[derive(Clone, Debug)]
pub struct KvCache {
    /// The tokens of every row.
    input_ids: Vec<Vec<i32>>,
    layers: Vec<Vec<Stored>>,
}

/// What a layer keeps of a row.
#[derive(Clone, Debug)]
pub(crate) enum Stored {
    Empty,
    #[cfg(feature = "flex")]
    Blocks(Vec<Arc<Block>>),
    /// `[1, key heads, capacity, size]` and `[1, key heads, capacity, value size]`
    Tensors(Box<(Tensor<4>, Tensor<4>)>),
}

/// Keys and values of [`BLOCK_TOKENS`] tokens: `[key heads, BLOCK_TOKENS, size]` each.
#[cfg(feature = "flex")]
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) keys: Vec<f32>,
    pub(crate) values: Vec<f32>,
}

/// What the attention of a decoder's layer looks at, besides that a token sees itself and what stands before it.
#[derive(Clone, Debug, Default)]
pub struct CachedScope<'a> {
    /// What scores are multiplied by; `1 / sqrt(size)` unless said.
    pub scale: Option<f64>,
    /// Scores go through `cap * tanh(score / cap)` after the scale.
    pub soft_cap: Option<f64>,
    /// A token sees so many: itself and those before it.
    pub window: Option<usize>,
    /// Added to the scores after that, by the place of the key in its text: `[heads, places]`, with as many
    /// places as the longest text has tokens.
    pub key_bias: Option<&'a [f32]>,
    /// What a token gives that could see padding only.
    pub blind: Blind,
}

/// What attention gives for a token that could see padding only: most often padding itself, before its text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Blind {
    /// Zeros, as torch's SDPA gives with a mask of booleans.
    #[default]
    Nothing,
    /// The mean of all values of the text, those of later tokens as well, as the least number for a mask gives.
    Everything,
    /// The mean of the values of itself and the tokens before it, in the window if there is one.
    Past,
}

/// Added to the scores of padding for [`Blind::Past`]: much less than any score, and more than the least number,
/// which hides later tokens.
const PADDING: f32 = f32::MIN / 2.0;

impl KvCache {
    /// A cache without rows for a decoder of so many layers.
    pub fn new(layers: usize) -> Self {
        Self { input_ids: Vec::new(), layers: vec![Vec::new(); layers] }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.input_ids.len()
    }

    /// How many tokens a row holds; none for a row that is not there.
    pub fn length(&self, row: usize) -> usize {
        self.input_ids(row).len()
    }

    /// The tokens that a row holds; none for a row that is not there.
    pub fn input_ids(&self, row: usize) -> &[i32] {
        self.input_ids.get(row).map_or(&[], Vec::as_slice)
    }

    /// Puts other rows in the place of those that are there: each an earlier row, cut to a number of tokens if
    /// one is said, or an empty one.
    pub fn select(&mut self, rows: &[Option<(usize, Option<usize>)>]) {
        let unchanged =
            rows.len() == self.rows() && rows.iter().enumerate().all(|(at, row)| *row == Some((at, None)));
        if unchanged {
            return;
        }
        let kept_ids = |(row, kept): (usize, Option<usize>)| {
            let input_ids = self.input_ids(row);
            input_ids[..kept.unwrap_or(usize::MAX).min(input_ids.len())].to_vec()
        };
        let input_ids = rows.iter().map(|row| row.map_or_else(Vec::new, kept_ids)).collect();
        for layer in &mut self.layers {
            let uses = |row: usize| rows.iter().flatten().filter(|(other, _)| *other == row).count();
            let mut last: Vec<usize> = (0..layer.len()).map(uses).collect();
            *layer = rows
                .iter()
                .map(|row| {
                    let Some((row, kept)) = *row else { return Stored::Empty };
                    let Some(stored) = layer.get_mut(row) else { return Stored::Empty };
                    last[row] -= 1;
                    // The last use takes it, so that a row that goes on alone stays its own.
                    let stored = if last[row] == 0 {
                        std::mem::replace(stored, Stored::Empty)
                    } else {
                        stored.clone()
                    };
                    stored.cut(kept)
                })
                .collect();
        }
        self.input_ids = input_ids;
    }

    /// Counts the tokens of a step whose layers have all been run.
    pub fn extend(&mut self, step: &TokenStep) {
        for text in step.texts() {
            if let Some(input_ids) = self.input_ids.get_mut(text.row) {
                input_ids.truncate(text.past);
                input_ids.extend_from_slice(&step.ids()[text.new.clone()]);
            }
        }
    }

    /// Keeps the keys and values of the new tokens and answers their queries.
    ///
    /// # Shapes
    ///
    /// - `query`: `[1, tokens, heads, size]`
    /// - `key`, `value`: `[1, tokens, key heads, size]`, where the key heads divide the heads
    /// - result: `[1, tokens, heads, value size]`
    pub fn attend(
        &mut self,
        layer: usize,
        query: Tensor<4>,
        key: Tensor<4>,
        value: Tensor<4>,
        step: &TokenStep,
        scope: &CachedScope<'_>,
    ) -> Tensor<4> {
        let rows = self.rows();
        let Some(stored) = self.layers.get_mut(layer) else { return query };
        stored.resize(rows, Stored::Empty);
        #[cfg(feature = "flex")]
        if ops::on_cpu(&query) {
            return without_blind(attend_on_cpu(stored, query, key, value, step, scope), step, scope);
        }
        without_blind(attend_by_row(stored, &query, &key, &value, step, scope), step, scope)
    }
}

/// Zeros for tokens that see padding only, where that is what they give.
fn without_blind(answer: Tensor<4>, step: &TokenStep, scope: &CachedScope<'_>) -> Tensor<4> {
    let blind = if scope.blind == Blind::Nothing { step.blind(scope.window) } else { None };
    let Some(blind) = blind else { return answer };
    let (shape, tokens) = (answer.dims(), blind.len());
    let blind = TensorData::new(blind, [1, tokens, 1, 1]);
    let blind: Tensor<4, Bool> = Tensor::from_data(blind, &answer.device());
    answer.mask_fill(blind.expand(shape), 0.0)
}

impl Stored {
    #[cfg_attr(not(feature = "flex"), expect(unused_variables, reason = "blocks are the CPU's"))]
    fn cut(self, kept: Option<usize>) -> Self {
        match self {
            #[cfg(feature = "flex")]
            Self::Blocks(mut blocks) => {
                blocks.truncate(kept.map_or(usize::MAX, |kept| kept.div_ceil(BLOCK_TOKENS)));
                Self::Blocks(blocks)
            }
            other => other,
        }
    }
}

/// Whole texts go through the products of [`ops::attention`]; what comes after others reads the blocks.
#[cfg(feature = "flex")]
fn attend_on_cpu(
    stored: &mut [Stored],
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    step: &TokenStep,
    scope: &CachedScope<'_>,
) -> Tensor<4> {
    let [_, _, heads, size] = query.dims();
    let [_, _, key_heads, value_size] = value.dims();
    let (keys, values) = (ops::CpuNumbers::new(key.clone()), ops::CpuNumbers::new(value.clone()));
    for text in step.texts() {
        let Some(row) = stored.get_mut(text.row) else { continue };
        if !matches!(row, Stored::Blocks(_)) {
            *row = Stored::Blocks(Vec::new());
        }
        let Stored::Blocks(blocks) = row else { continue };
        let new = text.new.clone();
        let part =
            |numbers: &ops::CpuNumbers, width: usize| new.start * width..(new.end * width).min(numbers.len());
        let (key_width, value_width) = (key_heads * size, key_heads * value_size);
        let keys = &keys[part(&keys, key_width)];
        let values = &values[part(&values, value_width)];
        append(blocks, text.past, key_heads, (keys, size), (values, value_size));
    }
    if let Some(ends) = step.ends_of_whole_texts() {
        let scope = AttentionScope {
            hidden: hidden_keys(scope, step.hidden(), &query.device()),
            bias: key_bias(scope, heads, &step.positions(), step.hidden(), &query.device()),
            causal: true,
            window: scope.window,
            scale: scope.scale,
            soft_cap: scope.soft_cap,
            texts: Some(ends),
            ..AttentionScope::default()
        };
        let by_head = |x: Tensor<4>| x.swap_dims(1, 2);
        return ops::attention(by_head(query), by_head(key), by_head(value), &scope).swap_dims(1, 2);
    }
    let attention = CachedAttention {
        heads,
        key_heads,
        size,
        value_size,
        scale: scope.scale.map_or_else(|| 1.0 / (size as f32).sqrt(), |scale| scale as f32),
        soft_cap: scope.soft_cap.map(|cap| cap as f32),
        window: scope.window,
        key_bias: scope.key_bias,
    };
    let blocks: Vec<Vec<(&[f32], &[f32])>> = step
        .texts()
        .iter()
        .map(|text| match stored.get(text.row) {
            Some(Stored::Blocks(blocks)) => {
                blocks.iter().map(|block| (block.keys.as_slice(), block.values.as_slice())).collect()
            }
            _ => Vec::new(),
        })
        .collect();
    let texts: Vec<CachedText<'_>> = blocks
        .iter()
        .zip(step.texts())
        .map(|(blocks, text)| CachedText { blocks, tokens: text.tokens(), queries: text.new.len() })
        .collect();
    ops::attend_cached(query, value_size, &attention, &texts)
}

/// True where a key is padding: `[1, 1, 1, keys]`.
fn hidden_keys(scope: &CachedScope<'_>, hidden: Option<&[bool]>, device: &Device) -> Option<Tensor<4, Bool>> {
    let hidden = hidden.filter(|_| scope.blind != Blind::Past)?;
    Some(Tensor::from_data(TensorData::new(hidden.to_vec(), [1, 1, 1, hidden.len()]), device))
}

/// The bias of keys by their places in their texts, with padding far below all others where it is not hidden:
/// `[1, heads, 1, keys]`.
fn key_bias(
    scope: &CachedScope<'_>,
    heads: usize,
    places: &[i32],
    hidden: Option<&[bool]>,
    device: &Device,
) -> Option<Tensor<4>> {
    let hidden = hidden.filter(|_| scope.blind == Blind::Past);
    if scope.key_bias.is_none() && hidden.is_none() {
        return None;
    }
    let of_places = scope.key_bias.unwrap_or(&[]);
    let longest = of_places.len() / heads.max(1);
    let bias = |head: usize, key: usize| {
        if hidden.is_some_and(|hidden| hidden.get(key) == Some(&true)) {
            return PADDING;
        }
        of_places.get(head * longest + places[key] as usize).copied().unwrap_or(0.0)
    };
    let values = (0..heads).flat_map(|head| (0..places.len()).map(move |key| (head, key)));
    let values: Vec<f32> = values.map(|(head, key)| bias(head, key)).collect();
    // In f32 whatever the model computes in: padding would pass the least number of f16.
    Some(Tensor::from_data(TensorData::new(values, [1, heads, 1, places.len()]), (device, DType::F32)))
}

/// Writes the keys and values of new tokens after `past` others.
#[cfg(feature = "flex")]
pub(crate) fn append(
    blocks: &mut Vec<Arc<Block>>,
    past: usize,
    key_heads: usize,
    (keys, size): (&[f32], usize),
    (values, value_size): (&[f32], usize),
) {
    let count = keys.len() / (key_heads * size).max(1);
    for token in 0..count {
        let place = past + token;
        if place / BLOCK_TOKENS >= blocks.len() {
            let zeros = |size: usize| vec![0.0; key_heads * BLOCK_TOKENS * size];
            blocks.push(Arc::new(Block { keys: zeros(size), values: zeros(value_size) }));
        }
        let block = Arc::make_mut(&mut blocks[place / BLOCK_TOKENS]);
        for head in 0..key_heads {
            let to = head * BLOCK_TOKENS + place % BLOCK_TOKENS;
            let from = token * key_heads + head;
            block.keys[to * size..(to + 1) * size].copy_from_slice(&keys[from * size..(from + 1) * size]);
            block.values[to * value_size..(to + 1) * value_size]
                .copy_from_slice(&values[from * value_size..(from + 1) * value_size]);
        }
    }
}

/// Attention of one text at a time, over tensors.
fn attend_by_row(
    stored: &mut [Stored],
    query: &Tensor<4>,
    key: &Tensor<4>,
    value: &Tensor<4>,
    step: &TokenStep,
    scope: &CachedScope<'_>,
) -> Tensor<4> {
    let heads = query.dims()[2];
    let answers = step.texts().iter().map(|text| {
        let part = |x: &Tensor<4>| x.clone().narrow(1, text.new.start, text.new.len()).swap_dims(1, 2);
        let (keys, values) = match stored.get_mut(text.row) {
            Some(row) => row.append(text.past, part(key), part(value)),
            None => (part(key), part(value)),
        };
        let hidden = step.hidden().map(|hidden| &hidden[text.new.clone()]);
        let places: Vec<i32> = (0..text.tokens() as i32).collect();
        let bias = key_bias(scope, heads, &places, hidden, &query.device())
            // CubeCL's kernels take no bias that is broadcast.
            .map(|bias| bias.repeat_dim(2, text.new.len()));
        let hidden = hidden_keys(scope, hidden, &query.device());
        let scope = AttentionScope {
            hidden,
            bias,
            causal: true,
            window: scope.window,
            scale: scope.scale,
            soft_cap: scope.soft_cap,
            ..AttentionScope::default()
        };
        ops::attention(part(query), keys, values, &scope).swap_dims(1, 2)
    });
    Tensor::cat(answers.collect(), 1)
}

impl Stored {
    /// Keeps new keys and values, `[1, key heads, new, size]`, and gives all that there are.
    fn append(&mut self, past: usize, key: Tensor<4>, value: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let end = past + key.dims()[2];
        let (keys, values) = match std::mem::replace(self, Self::Empty) {
            Self::Tensors(tensors) => *tensors,
            _ => (key.clone(), value.clone()),
        };
        let put = |all: Tensor<4>, new: Tensor<4>| {
            if past == 0 {
                return new;
            }
            let [rows, heads, capacity, size] = all.dims();
            let all = if capacity < end {
                let more = end.max(2 * capacity) - capacity;
                let room = Tensor::zeros([rows, heads, more, size], (&all.device(), all.dtype()));
                Tensor::cat(vec![all, room], 2)
            } else {
                all
            };
            all.slice_assign([0..rows, 0..heads, past..end, 0..size], new)
        };
        let (keys, values) = (put(keys, key), put(values, value));
        let filled = (keys.clone().narrow(2, 0, end), values.clone().narrow(2, 0, end));
        *self = Self::Tensors(Box::new((keys, values)));
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADS: usize = 4;
    const KEY_HEADS: usize = 2;
    const SIZE: usize = 6;

    fn random(tokens: usize, heads: usize, seed: usize) -> Tensor<4> {
        let values: Vec<f32> =
            (0..tokens * heads * SIZE).map(|at| ((at * 37 + seed * 101) % 97) as f32 / 48.0 - 1.0).collect();
        Tensor::from_data(TensorData::new(values, [1, tokens, heads, SIZE]), (&Device::flex(), DType::F32))
    }

    fn numbers(x: Tensor<4>) -> Vec<f32> {
        x.into_data().try_to_vec().unwrap()
    }

    fn assert_near(left: &[f32], right: &[f32]) {
        assert_eq!(left.len(), right.len());
        for (left, right) in left.iter().zip(right) {
            assert!((left - right).abs() < 1e-5, "{left}, not {right}");
        }
    }

    /// One layer over whole texts at once.
    fn whole(lengths: &[usize], scope: &CachedScope<'_>, by_row: bool) -> Vec<Vec<f32>> {
        let texts = lengths.iter().enumerate().map(|(seed, &tokens)| {
            let mut cache = KvCache::new(1);
            cache.select(&[None]);
            let step = TokenStep::new([(0, vec![1; tokens].as_slice())], &cache).unwrap();
            let (q, k, v) = (
                random(tokens, HEADS, seed),
                random(tokens, KEY_HEADS, seed + 9),
                random(tokens, KEY_HEADS, seed + 7),
            );
            numbers(if by_row {
                attend_by_row(&mut [Stored::Empty], &q, &k, &v, &step, scope)
            } else {
                cache.attend(0, q, k, v, &step, scope)
            })
        });
        texts.collect()
    }

    /// The same in pieces, the texts beside each other.
    fn in_pieces(
        lengths: &[usize],
        pieces: &[usize],
        scope: &CachedScope<'_>,
        by_row: bool,
    ) -> Vec<Vec<f32>> {
        let mut cache = KvCache::new(1);
        cache.select(&vec![None; lengths.len()]);
        let mut answers = vec![Vec::new(); lengths.len()];
        let mut stored = vec![Stored::Empty; lengths.len()];
        for &piece in pieces.iter().cycle() {
            let counts: Vec<usize> = lengths
                .iter()
                .enumerate()
                .map(|(row, length)| piece.min(length - cache.length(row)))
                .collect();
            if counts.iter().all(|&count| count == 0) {
                return answers;
            }
            let tokens: Vec<Vec<u32>> = counts.iter().map(|&count| vec![1; count]).collect();
            let step = TokenStep::new(tokens.iter().map(Vec::as_slice).enumerate(), &cache).unwrap();
            let parts = |heads: usize, seed: usize| {
                let parts = step.texts().iter().map(|text| {
                    random(lengths[text.row], heads, text.row + seed).narrow(1, text.past, text.new.len())
                });
                Tensor::cat(parts.collect(), 1)
            };
            let (q, k, v) = (parts(HEADS, 0), parts(KEY_HEADS, 9), parts(KEY_HEADS, 7));
            let answer = if by_row {
                attend_by_row(&mut stored, &q, &k, &v, &step, scope)
            } else {
                cache.attend(0, q, k, v, &step, scope)
            };
            cache.extend(&step);
            for text in step.texts() {
                answers[text.row].extend(numbers(answer.clone().narrow(1, text.new.start, text.new.len())));
            }
        }
        answers
    }

    #[test]
    fn pieces_give_what_whole_texts_give_on_both_ways() {
        let lengths = [70, 3, 41];
        let bias: Vec<f32> = (0..HEADS * 70).map(|at| (at % 13) as f32 / 7.0).collect();
        let scopes = [
            CachedScope::default(),
            CachedScope { window: Some(5), scale: Some(0.3), ..CachedScope::default() },
            CachedScope { soft_cap: Some(2.0), key_bias: Some(&bias), ..CachedScope::default() },
        ];
        for scope in &scopes {
            let expected = whole(&lengths, scope, false);
            for by_row in [false, true] {
                for answers in
                    [whole(&lengths, scope, by_row), in_pieces(&lengths, &[33, 1, 1, 2], scope, by_row)]
                {
                    expected
                        .iter()
                        .zip(&answers)
                        .for_each(|(expected, answer)| assert_near(expected, answer));
                }
            }
        }
    }

    #[test]
    fn rows_that_begin_alike_go_on_apart() {
        let scope = CachedScope::default();
        let run = |cache: &mut KvCache, row: usize, tokens: usize, seed: usize| {
            let step = TokenStep::new([(row, vec![1; tokens].as_slice())], cache).unwrap();
            let (q, k, v) = (
                random(tokens, HEADS, seed),
                random(tokens, KEY_HEADS, seed),
                random(tokens, KEY_HEADS, seed),
            );
            let answer = numbers(cache.attend(0, q, k, v, &step, &scope));
            cache.extend(&step);
            answer
        };
        let mut alone = KvCache::new(1);
        alone.select(&[None]);
        run(&mut alone, 0, 10, 1);
        let mut beams = alone.clone();
        let expected = run(&mut alone, 0, 1, 2);
        // Two rows continue the first; the other one's tokens must not show in ours.
        beams.select(&[Some((0, None)), Some((0, None))]);
        run(&mut beams, 1, 1, 3);
        assert_near(&run(&mut beams, 0, 1, 2), &expected);
        // Cut back by two tokens and written again.
        beams.select(&[Some((1, Some(10)))]);
        assert_eq!((beams.rows(), beams.length(0)), (1, 10));
        assert_near(&run(&mut beams, 0, 1, 2), &expected);
    }

    #[test]
    fn what_sees_padding_only_gives_what_the_scope_says() {
        use crate::{BatchLayout, Filling, TokenBatch, TokenRow};
        // Two tokens of padding, then three; a window that lets the last of the padding see itself alone.
        let mask = [false, false, true, true, true];
        let row = TokenRow { input_ids: vec![1; 5], attention_mask: mask.to_vec(), token_type_ids: None };
        let batch = TokenBatch::new(&[row], Filling::default(), BatchLayout::Joined).unwrap();
        let value = numbers(random(5, KEY_HEADS, 7));
        let mean = |tokens: std::ops::Range<usize>, head: usize, at: usize| {
            let of_token = |token: usize| value[(token * KEY_HEADS + head / 2) * SIZE + at];
            tokens.clone().map(of_token).sum::<f32>() / tokens.len() as f32
        };
        let attend = |blind: Blind, window: Option<usize>, by_row: bool| {
            let (step, mut cache) = TokenStep::whole(&batch, KvCache::new(1));
            let scope = CachedScope { blind, window, ..CachedScope::default() };
            let (q, k, v) = (random(5, HEADS, 1), random(5, KEY_HEADS, 2), random(5, KEY_HEADS, 7));
            if by_row {
                let answer = attend_by_row(&mut [Stored::Empty], &q, &k, &v, &step, &scope);
                numbers(without_blind(answer, &step, &scope))
            } else {
                numbers(cache.attend(0, q, k, v, &step, &scope))
            }
        };
        for by_row in [false, true] {
            for (blind, window, second) in [
                (Blind::Nothing, None, None),
                (Blind::Everything, None, Some(0..5)),
                (Blind::Past, None, Some(0..2)),
                (Blind::Past, Some(1), Some(1..2)),
            ] {
                let answer = attend(blind, window, by_row);
                let expected = (0..HEADS).flat_map(|head| (0..SIZE).map(move |at| (head, at)));
                let expected = expected.map(|(head, at)| second.clone().map_or(0.0, |t| mean(t, head, at)));
                let width = HEADS * SIZE;
                assert_near(&answer[width..2 * width], &expected.collect::<Vec<f32>>());
                // The text's own tokens are the same whatever padding gives.
                let others = attend(Blind::Nothing, window, false);
                assert_near(&answer[2 * width..], &others[2 * width..]);
            }
        }
    }
}
