//! The encoder of BERT, which RoBERTa, XLM-RoBERTa and others use unchanged: post-norm layers with
//! full attention, and absolute or relative positions.
//!
//! Paper: <https://arxiv.org/abs/1810.04805>. Reference: `modeling_bert.py` of transformers 4.56.2.

use std::collections::{BTreeMap, BTreeSet};

use burn::module::Module;
use burn::tensor::{DType, Int, Tensor, TensorData};
use burnpipe_core::{Error, ErrorKind, Result};
use serde::Deserialize;

use crate::ops::{self, AttentionScope};
use crate::{Activation, ActivationLayer, BatchLayout, Embedding, LayerNorm, Linear, Placement};

/// What a config says of the encoder.
#[derive(Clone, Debug)]
pub struct BertEncoderConfig {
    /// Elements of a token's vector.
    pub hidden_size: usize,
    /// Layers.
    pub num_hidden_layers: usize,
    /// Heads of a layer's attention; they divide `hidden_size`.
    pub num_attention_heads: usize,
    /// Elements inside the feed-forward part.
    pub intermediate_size: usize,
    /// The activation inside the feed-forward part.
    pub hidden_act: Activation,
    /// The norms' epsilon.
    pub layer_norm_eps: f64,
    /// Where positions enter.
    pub positions: PositionEmbedding,
    /// The longest text; relative positions have a vector for every distance inside it.
    pub max_position_embeddings: usize,
    /// Heads that were cut out of a layer.
    pub pruned_heads: PrunedHeads,
}

impl BertEncoderConfig {
    /// How the encoder takes several texts: vectors of distances are made for one at a time.
    pub fn layout(&self, placement: &Placement) -> BatchLayout {
        match self.positions {
            PositionEmbedding::Absolute => BatchLayout::fastest(placement),
            PositionEmbedding::RelativeKey | PositionEmbedding::RelativeKeyQuery => BatchLayout::Padded,
        }
    }
}

/// Heads that were cut out, by layer: `pruned_heads` of a config.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct PrunedHeads(BTreeMap<String, BTreeSet<usize>>);

impl PrunedHeads {
    /// How many of a layer's heads are left.
    pub fn left(&self, layer: usize, heads: usize) -> usize {
        heads.saturating_sub(self.0.get(&layer.to_string()).map_or(0, BTreeSet::len))
    }
}

/// Where positions enter: `position_embedding_type` of a config.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PositionEmbedding {
    /// Added to the token embeddings.
    Absolute,
    /// A vector per distance, against the queries.
    RelativeKey,
    /// A vector per distance, against the queries and the keys.
    RelativeKeyQuery,
}

impl PositionEmbedding {
    /// The kind that a config calls by this name.
    ///
    /// # Errors
    ///
    /// When there is no such kind.
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "absolute" => Ok(Self::Absolute),
            "relative_key" => Ok(Self::RelativeKey),
            "relative_key_query" => Ok(Self::RelativeKeyQuery),
            _ => {
                let known = "`absolute`, `relative_key`, `relative_key_query`";
                let message = format!(
                    "`position_embedding_type` `{name}` in `config.json` is not supported; known: {known}"
                );
                Err(Error::new(ErrorKind::Config, message))
            }
        }
    }
}

/// The layers, one after the other.
#[derive(Module, Debug)]
pub struct BertEncoder {
    /// The layers.
    pub layer: Vec<BertLayer>,
}

impl BertEncoder {
    /// Checkpoint names that a Rust field cannot have.
    pub const RENAMES: &'static [(&'static str, &'static str)] = &[("attention.self_.", "attention.self.")];

    /// An encoder without weights.
    ///
    /// # Errors
    ///
    /// When the heads do not divide the hidden size.
    pub fn new(config: &BertEncoderConfig, placement: &Placement) -> Result<Self> {
        let (hidden, heads) = (config.hidden_size, config.num_attention_heads);
        if heads == 0 || !hidden.is_multiple_of(heads) {
            let message = format!(
                "`hidden_size` {hidden} in `config.json` is no multiple of `num_attention_heads` {heads}"
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        let layer =
            (0..config.num_hidden_layers).map(|index| BertLayer::new(config, index, placement)).collect();
        Ok(Self { layer })
    }

    /// # Shapes
    ///
    /// - `hidden`: `[batch, tokens, hidden]`
    pub fn forward(&self, hidden: Tensor<3>, scope: &AttentionScope) -> Tensor<3> {
        self.layer.iter().fold(hidden, |hidden, layer| layer.forward(hidden, scope))
    }
}

/// One layer: attention, then a feed-forward part, each added to its input and normed.
#[derive(Module, Debug)]
pub struct BertLayer {
    attention: BertAttention,
    intermediate: BertIntermediate,
    output: BertOutput,
}

impl BertLayer {
    fn new(config: &BertEncoderConfig, index: usize, placement: &Placement) -> Self {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let heads = config.pruned_heads.left(index, config.num_attention_heads);
        let context = heads * (hidden / config.num_attention_heads);
        Self {
            attention: BertAttention {
                self_: BertSelfAttention::new(config, heads, placement),
                output: BertOutput::new(context, hidden, config.layer_norm_eps, placement),
            },
            intermediate: BertIntermediate {
                dense: Linear::new(hidden, inner, placement),
                intermediate_act_fn: ActivationLayer::new(config.hidden_act, placement),
            },
            output: BertOutput::new(inner, hidden, config.layer_norm_eps, placement),
        }
    }

    fn forward(&self, hidden: Tensor<3>, scope: &AttentionScope) -> Tensor<3> {
        let context = self.attention.self_.forward(hidden.clone(), scope);
        let hidden = self.attention.output.forward(context, hidden);
        let inner = self.intermediate.forward(hidden.clone());
        self.output.forward(inner, hidden)
    }
}

#[derive(Module, Debug)]
struct BertAttention {
    self_: BertSelfAttention,
    output: BertOutput,
}

#[derive(Module, Debug)]
struct BertIntermediate {
    dense: Linear,
    intermediate_act_fn: ActivationLayer,
}

impl BertIntermediate {
    fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        self.dense.forward_activated(hidden, &self.intermediate_act_fn)
    }
}

/// A projection, added to what went in before and normed.
#[derive(Module, Debug)]
struct BertOutput {
    dense: Linear,
    LayerNorm: LayerNorm,
}

impl BertOutput {
    fn new(inputs: usize, outputs: usize, epsilon: f64, placement: &Placement) -> Self {
        Self {
            dense: Linear::new(inputs, outputs, placement),
            LayerNorm: LayerNorm::new(outputs, epsilon, placement),
        }
    }

    fn forward(&self, x: Tensor<3>, residual: Tensor<3>) -> Tensor<3> {
        self.LayerNorm.forward(self.dense.forward_added(x, residual))
    }
}

#[derive(Module, Debug)]
struct BertSelfAttention {
    query: Linear,
    key: Linear,
    value: Linear,
    distance_embedding: Option<Embedding>,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    head_size: usize,
    #[module(skip)]
    positions: PositionEmbedding,
}

impl BertSelfAttention {
    fn new(config: &BertEncoderConfig, heads: usize, placement: &Placement) -> Self {
        let head_size = config.hidden_size / config.num_attention_heads;
        let projection = || Linear::new(config.hidden_size, heads * head_size, placement);
        let relative = config.positions != PositionEmbedding::Absolute;
        let distances = (2 * config.max_position_embeddings).saturating_sub(1);
        Self {
            query: projection(),
            key: projection(),
            value: projection(),
            distance_embedding: relative.then(|| Embedding::new(distances, head_size, placement)),
            heads,
            head_size,
            positions: config.positions,
        }
    }

    fn forward(&self, hidden: Tensor<3>, scope: &AttentionScope) -> Tensor<3> {
        let [batch, tokens, _] = hidden.dims();
        let split = |x: Tensor<3>| x.reshape([batch, tokens, self.heads, self.head_size]).swap_dims(1, 2);
        let [query, key, value] = ops::linear_each(hidden, [&self.query, &self.key, &self.value]).map(split);
        let bias = self.distance_embedding.as_ref().map(|table| {
            let both = self.positions == PositionEmbedding::RelativeKeyQuery;
            distance_scores(table, both, &query, &key) / (self.head_size as f64).sqrt()
        });
        let scope = AttentionScope { bias, ..scope.clone() };
        let context = ops::attention(query, key, value, &scope);
        context.swap_dims(1, 2).reshape([batch, tokens, self.heads * self.head_size])
    }
}

/// What the distance of two tokens adds to their score, not scaled: a vector of it against the query, and
/// against the key too if `both`.
///
/// # Shapes
///
/// - `table`: of a vector per distance, the distance 0 in its middle: `[2 * positions - 1, size]`
/// - `query`, `key`: `[batch, heads, tokens, size]`
/// - result: `[batch, heads, queries, keys]`
pub fn distance_scores(table: &Embedding, both: bool, query: &Tensor<4>, key: &Tensor<4>) -> Tensor<4> {
    let [batch, heads, tokens, size] = query.dims();
    let vectors = table.weight.outputs();
    let distances = (0..tokens * tokens).map(|at| (at / tokens + vectors / 2 - at % tokens) as i32);
    let distances = TensorData::new(distances.collect::<Vec<i32>>(), [tokens, tokens]);
    let distances: Tensor<2, Int> = Tensor::from_data(distances, (&query.device(), DType::I32));
    // [query, key, size]
    let vectors = table.forward(distances);
    let by_token = |x: &Tensor<4>| x.clone().permute([2, 0, 1, 3]).reshape([tokens, batch * heads, size]);
    // [query, batch * heads, key]
    let scores = by_token(query).matmul(vectors.clone().swap_dims(1, 2));
    let scores = scores.reshape([tokens, batch, heads, tokens]).permute([1, 2, 0, 3]);
    if !both {
        return scores;
    }
    // [key, batch * heads, query]
    let of_keys = by_token(key).matmul(vectors.permute([1, 2, 0]));
    scores + of_keys.reshape([tokens, batch, heads, tokens]).permute([1, 2, 3, 0])
}
