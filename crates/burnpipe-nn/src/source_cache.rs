//! The keys and values of what an encoder has read, for the decoder that writes about it.
//!
//! They are made once for an input and looked at by all its rows, beams among them, at every step. On the CPU they lie in
//! blocks as those of a [`KvCache`](crate::KvCache) do, and the queries of an input's rows are answered in one
//! reading; elsewhere they are tensors.

#[cfg(feature = "flex")]
use std::sync::Arc;

use burn::tensor::{DType, Int, Tensor, TensorData};

use crate::TokenStep;
#[cfg(feature = "flex")]
use crate::kv_cache::{Block, append};
use crate::ops::{self, AttentionScope};
#[cfg(feature = "flex")]
use burnpipe_kernels::{BLOCK_TOKENS, CachedAttention, CachedText};

/// What an encoder has read of one input, as every layer of a decoder looks at it.
#[derive(Clone, Debug)]
pub struct SourceCache {
    layers: Vec<SourceLayer>,
}

/// The keys and values of a layer: unlike those of a [`KvCache`](crate::KvCache) they are there from the beginning.
#[derive(Clone, Debug)]
enum Stored {
    #[cfg(feature = "flex")]
    Blocks(Vec<Arc<Block>>),
    /// `[1, positions, key heads, size]` and `[1, positions, key heads, value size]`
    Tensors(Box<(Tensor<4>, Tensor<4>)>),
}

/// What a layer of a decoder looks at.
#[derive(Clone, Debug)]
struct SourceLayer {
    stored: Stored,
    positions: usize,
    key_heads: usize,
    size: usize,
    value_size: usize,
}

/// Rows of a step that come one after the other and look at the same source.
struct Group<'a> {
    layer: &'a SourceLayer,
    start: usize,
    tokens: usize,
}

impl SourceCache {
    /// Of keys and values for every layer, one source for each row of the batch.
    ///
    /// # Shapes
    ///
    /// - keys: `[sources, positions, key heads, size]`, values: `[sources, positions, key heads, value size]`
    pub fn each(layers: Vec<(Tensor<4>, Tensor<4>)>) -> Vec<Self> {
        let sources = layers.first().map_or(0, |(keys, _)| keys.dims()[0]);
        let source = |source: usize| {
            let part = |x: &Tensor<4>| x.clone().narrow(0, source, 1);
            let layers = layers.iter().map(|(keys, values)| SourceLayer::new(part(keys), part(values)));
            Self { layers: layers.collect() }
        };
        (0..sources).map(source).collect()
    }

    /// How many positions the encoder gave.
    pub fn positions(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.positions)
    }

    /// Answers the queries of new tokens: `sources` are what the texts of the step look at, one for each.
    ///
    /// # Shapes
    ///
    /// - `query`: `[1, tokens, heads, size]`, where the key heads divide the heads
    /// - result: `[1, tokens, heads, value size]`
    pub fn attend(
        sources: &[&Self],
        layer: usize,
        query: Tensor<4>,
        step: &TokenStep,
        scale: Option<f64>,
    ) -> Tensor<4> {
        let groups = groups(sources, layer, step);
        assert!(!groups.is_empty(), "a step has texts, and each of them a source");
        #[cfg(feature = "flex")]
        if ops::on_cpu(&query) {
            return attend_on_cpu(&groups, query, scale);
        }
        let answers = groups.iter().map(|group| {
            let by_head = |x: Tensor<4>| x.swap_dims(1, 2);
            let query = by_head(query.clone().narrow(1, group.start, group.tokens));
            let (keys, values) = group.layer.tensors(&query);
            let scope = AttentionScope { scale, ..AttentionScope::default() };
            by_head(ops::attention(query, by_head(keys), by_head(values), &scope))
        });
        Tensor::cat(answers.collect(), 1)
    }

    /// How much some heads look at each position for each query, in f32.
    ///
    /// # Shapes
    ///
    /// - `query`: `[1, tokens, heads, size]`
    /// - result: `[chosen heads, tokens, positions]`
    pub fn weights(
        &self,
        layer: usize,
        query: Tensor<4>,
        heads: &[usize],
        scale: Option<f64>,
    ) -> Option<Tensor<3>> {
        let layer = self.layers.get(layer)?;
        let [_, tokens, all, size] = query.dims();
        let (keys, _) = layer.tensors(&query);
        let chosen = |x: Tensor<4>, heads: Vec<i32>, length: usize| {
            let count = heads.len();
            let heads = TensorData::new(heads, [count]);
            let heads: Tensor<1, Int> = Tensor::from_data(heads, (&x.device(), DType::I32));
            x.select(2, heads).swap_dims(1, 2).reshape([count, length, size])
        };
        let of_queries = heads.iter().map(|&head| head as i32).collect();
        let of_keys = heads.iter().map(|&head| (head / (all / layer.key_heads)) as i32).collect();
        let scale = scale.unwrap_or_else(|| 1.0 / (size as f64).sqrt());
        let query = chosen(query, of_queries, tokens) * scale;
        let scores = query.matmul(chosen(keys, of_keys, layer.positions).swap_dims(1, 2));
        Some(ops::softmax(scores))
    }
}

/// The rows of a step by what they look at.
fn groups<'a>(sources: &[&'a SourceCache], layer: usize, step: &TokenStep) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for (source, text) in sources.iter().zip(step.texts()) {
        let layer = source.layers.get(layer);
        let layer = layer.unwrap_or_else(|| unreachable!("a source has keys for every layer of its decoder"));
        match groups.last_mut() {
            Some(group) if std::ptr::eq(group.layer, layer) => group.tokens += text.new.len(),
            _ => groups.push(Group { layer, start: text.new.start, tokens: text.new.len() }),
        }
    }
    groups
}

impl SourceLayer {
    /// Of `[1, positions, key heads, size]` and `[1, positions, key heads, value size]`.
    fn new(keys: Tensor<4>, values: Tensor<4>) -> Self {
        let ([_, positions, key_heads, size], value_size) = (keys.dims(), values.dims()[3]);
        #[cfg(feature = "flex")]
        let stored = if ops::on_cpu(&keys) {
            let (keys, values) = (ops::CpuNumbers::new(keys), ops::CpuNumbers::new(values));
            let mut blocks = Vec::new();
            append(&mut blocks, 0, key_heads, (&keys, size), (&values, value_size));
            Stored::Blocks(blocks)
        } else {
            Stored::Tensors(Box::new((keys, values)))
        };
        #[cfg(not(feature = "flex"))]
        let stored = Stored::Tensors(Box::new((keys, values)));
        Self { stored, positions, key_heads, size, value_size }
    }

    /// The keys and values as they came in, beside a tensor on their device.
    fn tensors(&self, beside: &Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        match &self.stored {
            Stored::Tensors(tensors) => (**tensors).clone(),
            #[cfg(feature = "flex")]
            Stored::Blocks(blocks) => {
                let tensor = |part: fn(&Block) -> &[f32], size: usize| {
                    let shape = [blocks.len(), self.key_heads, BLOCK_TOKENS, size];
                    let values: Vec<f32> =
                        blocks.iter().flat_map(|block| part(block).iter().copied()).collect();
                    let values = TensorData::new(values, shape);
                    let tensor: Tensor<4> = Tensor::from_data(values, (&beside.device(), beside.dtype()));
                    let whole = [1, blocks.len() * BLOCK_TOKENS, self.key_heads, size];
                    tensor.swap_dims(1, 2).reshape(whole).narrow(1, 0, self.positions)
                };
                (tensor(|block| &block.keys, self.size), tensor(|block| &block.values, self.value_size))
            }
        }
    }
}

/// The queries of all rows of a source are heads that share its keys: the kernel answers them in one reading.
#[cfg(feature = "flex")]
fn attend_on_cpu(groups: &[Group<'_>], query: Tensor<4>, scale: Option<f64>) -> Tensor<4> {
    let alike = |left: &Group<'_>, right: &Group<'_>| {
        let sizes = |group: &Group<'_>| (group.tokens, group.layer.positions, group.layer.value_size);
        sizes(left) == sizes(right)
    };
    let answers = groups.chunk_by(alike).filter_map(|groups| {
        let first = groups.first()?;
        let [_, _, heads, size] = query.dims();
        let (tokens, key_heads, value_size) = (first.tokens, first.layer.key_heads, first.layer.value_size);
        let rows = query.clone().narrow(1, first.start, groups.len() * tokens);
        let rows = rows.reshape([groups.len(), tokens, heads, size]).swap_dims(1, 2);
        let rows = rows.reshape([1, groups.len(), heads * tokens, size]);
        let attention = CachedAttention {
            heads: heads * tokens,
            key_heads,
            size,
            value_size,
            scale: scale.map_or_else(|| 1.0 / (size as f32).sqrt(), |scale| scale as f32),
            soft_cap: None,
            window: None,
            key_bias: None,
        };
        let blocks: Vec<Vec<(&[f32], &[f32])>> = groups.iter().map(|group| group.layer.blocks()).collect();
        let texts = blocks.iter().zip(groups);
        let texts =
            texts.map(|(blocks, group)| CachedText { blocks, tokens: group.layer.positions, queries: 1 });
        let answer = ops::attend_cached(rows, value_size, &attention, &texts.collect::<Vec<_>>());
        let answer = answer.reshape([groups.len(), heads, tokens, value_size]).swap_dims(1, 2);
        Some(answer.reshape([1, groups.len() * tokens, heads, value_size]))
    });
    Tensor::cat(answers.collect(), 1)
}

#[cfg(feature = "flex")]
impl SourceLayer {
    fn blocks(&self) -> Vec<(&[f32], &[f32])> {
        match &self.stored {
            Stored::Blocks(blocks) => {
                blocks.iter().map(|block| (&block.keys[..], &block.values[..])).collect()
            }
            Stored::Tensors(_) => unreachable!("sources of the CPU lie in blocks"),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::KvCache;

    const HEADS: usize = 4;
    const KEY_HEADS: usize = 2;
    const SIZE: usize = 6;

    fn random(rows: usize, tokens: usize, heads: usize, seed: usize) -> Tensor<4> {
        let count = rows * tokens * heads * SIZE;
        let values: Vec<f32> =
            (0..count).map(|at| ((at * 37 + seed * 101) % 97) as f32 / 48.0 - 1.0).collect();
        let values = TensorData::new(values, [rows, tokens, heads, SIZE]);
        Tensor::from_data(values, (&Device::flex(), DType::F32))
    }

    fn numbers(x: Tensor<4>) -> Vec<f32> {
        x.into_data().try_to_vec().unwrap()
    }

    /// Sources of 40 positions, and rows of a step: which source each looks at and how many tokens it has.
    fn check(rows: &[(usize, usize)]) {
        let (keys, values) = (random(3, 40, KEY_HEADS, 1), random(3, 40, KEY_HEADS, 2));
        let sources = SourceCache::each(vec![(keys.clone(), values.clone())]);
        assert_eq!((sources.len(), sources[0].positions()), (3, 40));
        let mut cache = KvCache::new(1);
        cache.select(&vec![None; rows.len()]);
        let tokens: Vec<Vec<u32>> = rows.iter().map(|(_, count)| vec![1; *count]).collect();
        let step = TokenStep::new(tokens.iter().map(Vec::as_slice).enumerate(), &cache).unwrap();
        let query = random(1, step.tokens(), HEADS, 3);
        let looked_at: Vec<&SourceCache> = rows.iter().map(|(source, _)| &sources[*source]).collect();
        let answer = SourceCache::attend(&looked_at, 0, query.clone(), &step, Some(0.4));
        let by_head = |x: Tensor<4>| x.swap_dims(1, 2);
        for ((source, _), text) in rows.iter().zip(step.texts()) {
            let part = |x: &Tensor<4>| x.clone().narrow(1, text.new.start, text.new.len());
            let of_source = |x: &Tensor<4>| x.clone().narrow(0, *source, 1);
            let scope = AttentionScope { scale: Some(0.4), ..AttentionScope::default() };
            let (keys, values) = (of_source(&keys), of_source(&values));
            let expected = by_head(ops::attention(
                by_head(part(&query)),
                by_head(keys),
                by_head(values.clone()),
                &scope,
            ));
            let expected = numbers(expected);
            for (answer, expected) in numbers(part(&answer)).iter().zip(&expected) {
                assert!((answer - expected).abs() < 1e-5, "{answer}, not {expected}");
            }
            // The weights of two heads, and what they make of the values.
            let heads = [3, 0];
            let weights = sources[*source].weights(0, part(&query), &heads, Some(0.4)).unwrap();
            for (place, head) in heads.into_iter().enumerate() {
                let weights = weights.clone().narrow(0, place, 1).unsqueeze::<4>();
                let values = by_head(values.clone()).narrow(1, head / (HEADS / KEY_HEADS), 1);
                let summed = numbers(weights.matmul(values));
                for (at, summed) in summed.iter().enumerate() {
                    let expected = expected[(at / SIZE * HEADS + head) * SIZE + at % SIZE];
                    assert!((summed - expected).abs() < 1e-5, "{summed}, not {expected}");
                }
            }
        }
    }

    #[test]
    fn rows_look_at_their_own_sources() {
        check(&[(0, 1)]);
        check(&[(2, 4), (1, 1), (1, 1), (1, 1), (0, 1)]);
        check(&[(1, 1), (0, 1), (2, 1), (2, 1), (1, 3)]);
    }
}
