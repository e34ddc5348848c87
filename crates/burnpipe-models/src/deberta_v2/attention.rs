//! The layers of DeBERTa: attention that looks at words and distances, and a feed-forward part.

use std::ops::Range;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Bool, DType, Int, Tensor, TensorData};
use burnpipe_nn::ops::{self, AttentionScope, DistanceScores, Distances};
use burnpipe_nn::{ActivationLayer, Embedding, LayerNorm, Linear, Placement, TokenBatch};

pub(crate) use super::relative_positions::DistanceVectors;
use super::relative_positions::{LayersVectors, RelativePositions, VectorCache};
use super::{ConvLayer, DebertaSettings, Version};
use crate::deberta::DebertaSelfAttention;

/// The layers, the vectors of distances that they share, and a convolution beside the first one.
#[derive(Module, Debug)]
pub(super) struct DebertaV2Encoder {
    layer: Vec<DebertaV2Layer>,
    rel_embeddings: Option<Embedding>,
    LayerNorm: Option<LayerNorm>,
    conv: Option<ConvLayer>,
    #[module(skip)]
    relative: Option<RelativePositions>,
    #[module(skip)]
    looks_at_distances: bool,
    #[module(skip)]
    vectors: VectorCache,
}

impl DebertaV2Encoder {
    pub(super) fn new(settings: &DebertaSettings, placement: &Placement) -> Self {
        let size = settings.hidden_size;
        let table = |relative: RelativePositions| Embedding::new(relative.count(), size, placement);
        Self {
            layer: (0..settings.layers).map(|_| DebertaV2Layer::new(settings, placement)).collect(),
            rel_embeddings: settings.relative.map(table),
            LayerNorm: settings.norm_rel_ebd.then(|| LayerNorm::new(size, settings.epsilon, placement)),
            conv: settings.convolution.map(|conv| ConvLayer::new(settings, conv, placement)),
            relative: settings.relative,
            looks_at_distances: settings.content_to_position || settings.position_to_content,
            vectors: VectorCache::default(),
        }
    }

    pub(super) fn forward(&self, embedded: Tensor<3>, batch: &TokenBatch) -> Tensor<3> {
        let scope = Scope::new(self, batch, &embedded);
        let mut states = embedded.clone();
        for (index, layer) in self.layer.iter().enumerate() {
            states = layer.forward(states, &scope, index);
            if let Some(conv) = self.conv.as_ref().filter(|_| index == 0) {
                states = conv.forward(embedded.clone(), states, batch);
            }
        }
        states
    }

    /// What the layers make of the vectors of distances in texts of up to this many tokens.
    fn vectors(&self, table: &Embedding, relative: RelativePositions, tokens: usize) -> Arc<LayersVectors> {
        self.vectors.get(tokens, |tokens| {
            let places = relative.places(tokens);
            let ids = places.clone().map(|place| place as i32).collect::<Vec<i32>>();
            let ids = TensorData::new(ids, [1, places.len()]);
            let ids: Tensor<2, Int> = Tensor::from_data(ids, (&table.device(), DType::I32));
            let embedded = table.forward(ids);
            let embedded = match &self.LayerNorm {
                Some(norm) => norm.forward(embedded),
                None => embedded,
            };
            let of_layer = |layer: &DebertaV2Layer| layer.attention.self_.distance_vectors(embedded.clone());
            LayersVectors { tokens, places, layers: self.layer.iter().map(of_layer).collect() }
        })
    }
}

/// What is the same for all layers.
pub(crate) struct Scope {
    pub(crate) attention: AttentionScope,
    pub(crate) unseen: Option<UnseenTokens>,
    distances: Option<ScopeOfDistances>,
}

struct ScopeOfDistances {
    distances: Distances,
    /// The places that this batch has, counted in those that `vectors` has.
    places: Range<usize>,
    vectors: Arc<LayersVectors>,
}

impl Scope {
    fn new(encoder: &DebertaV2Encoder, batch: &TokenBatch, embedded: &Tensor<3>) -> Self {
        let texts = batch.ends();
        let distances = match (encoder.relative, &encoder.rel_embeddings) {
            (Some(relative), Some(table)) if encoder.looks_at_distances => {
                let longest = match texts {
                    Some(_) => batch.texts().iter().map(Range::len).max().unwrap_or(0),
                    None => batch.dims()[1],
                };
                let vectors = encoder.vectors(table, relative, longest);
                let places = relative.places(longest);
                let distances = Distances::new(longest, |distance| relative.place(distance) - places.start);
                let start = vectors.places.start;
                Some(ScopeOfDistances {
                    distances,
                    places: places.start - start..places.end - start,
                    vectors,
                })
            }
            _ => None,
        };
        let hidden = batch.hidden(&embedded.device());
        Self {
            unseen: UnseenTokens::of(batch, embedded),
            attention: AttentionScope { hidden, texts, ..AttentionScope::default() },
            distances,
        }
    }

    /// What the distances add to a layer's scores.
    pub(crate) fn distance_scores(
        &self,
        layer: usize,
        query: &Tensor<4>,
        key: &Tensor<4>,
    ) -> Option<DistanceScores> {
        let ScopeOfDistances { distances, places, vectors } = self.distances.as_ref()?;
        let DistanceVectors { keys, queries } = vectors.layers.get(layer)?;
        let scores = |states: &Tensor<4>, vectors: &Option<Tensor<4>>| {
            let vectors = vectors.clone()?.narrow(2, places.start, places.len());
            Some(states.clone().matmul(vectors.swap_dims(2, 3)))
        };
        Some(DistanceScores {
            of_queries: scores(query, keys),
            of_keys: scores(key, queries),
            distances: distances.clone(),
        })
    }
}

/// Padding that a text brings along and that is in its results. It looks at its whole text alike, which no
/// text that is filled up with more padding may change.
pub(crate) struct UnseenTokens {
    /// How much each query looks at each key: `[rows, 1, tokens, tokens]`.
    average: Tensor<4>,
    /// True where a query is padding: `[rows, 1, tokens, 1]`.
    unseen: Tensor<4, Bool>,
}

impl UnseenTokens {
    fn of(batch: &TokenBatch, embedded: &Tensor<3>) -> Option<Self> {
        let seen = batch.seen();
        if batch.texts().iter().all(|text| seen[text.clone()].iter().all(|&seen| seen)) {
            return None;
        }
        let [rows, tokens] = batch.dims();
        let mut average = vec![0.0_f32; rows * tokens * tokens];
        for text in batch.texts() {
            let first = text.start % tokens;
            for query in text.clone().filter(|&query| !seen[query]) {
                average[query * tokens + first..][..text.len()].fill(1.0 / text.len() as f32);
            }
        }
        let unseen: Vec<bool> = seen.iter().map(|seen| !seen).collect();
        let device = embedded.device();
        let average = TensorData::new(average, [rows, 1, tokens, tokens]);
        Some(Self {
            average: Tensor::from_data(average, (&device, embedded.dtype())),
            unseen: Tensor::from_data(TensorData::new(unseen, [rows, 1, tokens, 1]), &device),
        })
    }

    /// Sets how much padding looks at each key: `[batch, heads, queries, keys]`.
    pub(crate) fn set_weights(&self, weights: Tensor<4>) -> Tensor<4> {
        let shape = weights.dims();
        weights.mask_where(self.unseen.clone().expand(shape), self.average.clone().expand(shape))
    }

    /// Sets what padding gets of the values: `[batch, heads, queries, size]`.
    fn set_context(&self, context: Tensor<4>, value: Tensor<4>) -> Tensor<4> {
        let shape = context.dims();
        context.mask_where(self.unseen.clone().expand(shape), self.average.clone().matmul(value))
    }
}

/// One layer: attention, then a feed-forward part, each added to its input and normed.
#[derive(Module, Debug)]
struct DebertaV2Layer {
    attention: DebertaV2Attention,
    intermediate: DebertaV2Intermediate,
    output: DebertaV2Output,
}

impl DebertaV2Layer {
    fn new(settings: &DebertaSettings, placement: &Placement) -> Self {
        let (hidden, inner) = (settings.hidden_size, settings.intermediate_size);
        let output = |inputs| DebertaV2Output {
            dense: Linear::new(inputs, hidden, placement),
            LayerNorm: LayerNorm::new(hidden, settings.epsilon, placement),
        };
        let self_ = match settings.version {
            Version::One => SelfAttention::One(DebertaSelfAttention::new(settings, placement)),
            Version::Two => SelfAttention::Two(DisentangledSelfAttention::new(settings, placement)),
        };
        Self {
            attention: DebertaV2Attention { self_, output: output(hidden) },
            intermediate: DebertaV2Intermediate {
                dense: Linear::new(hidden, inner, placement),
                intermediate_act_fn: ActivationLayer::new(settings.hidden_act, placement),
            },
            output: output(inner),
        }
    }

    fn forward(&self, hidden: Tensor<3>, scope: &Scope, index: usize) -> Tensor<3> {
        let context = self.attention.self_.forward(hidden.clone(), scope, index);
        let hidden = self.attention.output.forward(context, hidden);
        let intermediate = &self.intermediate;
        let inner = intermediate.dense.forward_activated(hidden.clone(), &intermediate.intermediate_act_fn);
        self.output.forward(inner, hidden)
    }
}

#[derive(Module, Debug)]
struct DebertaV2Attention {
    self_: SelfAttention,
    output: DebertaV2Output,
}

#[derive(Module, Debug)]
struct DebertaV2Intermediate {
    dense: Linear,
    intermediate_act_fn: ActivationLayer,
}

/// A projection, added to what went in before and normed.
#[derive(Module, Debug)]
struct DebertaV2Output {
    dense: Linear,
    LayerNorm: LayerNorm,
}

impl DebertaV2Output {
    fn forward(&self, x: Tensor<3>, residual: Tensor<3>) -> Tensor<3> {
        self.LayerNorm.forward(self.dense.forward_added(x, residual))
    }
}

/// The attention of either version.
#[derive(Module, Debug)]
enum SelfAttention {
    One(DebertaSelfAttention),
    Two(DisentangledSelfAttention),
}

impl SelfAttention {
    fn forward(&self, hidden: Tensor<3>, scope: &Scope, index: usize) -> Tensor<3> {
        let (scale, [query, key, value]) = match self {
            Self::One(attention) => (attention.scale, attention.project(hidden)),
            Self::Two(attention) => (attention.scale, attention.project(hidden)),
        };
        let [batch, heads, tokens, size] = query.dims();
        let distances = scope.distance_scores(index, &query, &key);
        let attention = AttentionScope { scale: Some(scale), distances, ..scope.attention.clone() };
        let context = match self {
            Self::One(one) if one.talks() => one.attend_talking(query, key, value, &attention, scope),
            _ => {
                let context = ops::attention(query, key, value.clone(), &attention);
                match &scope.unseen {
                    Some(unseen) => unseen.set_context(context, value),
                    None => context,
                }
            }
        };
        context.swap_dims(1, 2).reshape([batch, tokens, heads * size])
    }

    fn distance_vectors(&self, embedded: Tensor<3>) -> DistanceVectors {
        match self {
            Self::One(attention) => attention.distance_vectors(embedded),
            Self::Two(attention) => attention.distance_vectors(embedded),
        }
    }
}

#[derive(Module, Debug)]
struct DisentangledSelfAttention {
    query_proj: Linear,
    key_proj: Linear,
    value_proj: Linear,
    pos_key_proj: Option<Linear>,
    pos_query_proj: Option<Linear>,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    scale: f64,
    /// Whether words and distances are compared by the same projections; which ones, if so.
    #[module(skip)]
    share_att_key: bool,
    #[module(skip)]
    content_to_position: bool,
    #[module(skip)]
    position_to_content: bool,
}

impl DisentangledSelfAttention {
    fn new(settings: &DebertaSettings, placement: &Placement) -> Self {
        let projection = || Linear::new(settings.hidden_size, settings.hidden_size, placement);
        let own = settings.relative.is_some() && !settings.share_att_key;
        Self {
            query_proj: projection(),
            key_proj: projection(),
            value_proj: projection(),
            pos_key_proj: (own && settings.content_to_position).then(projection),
            pos_query_proj: (own && settings.position_to_content).then(projection),
            heads: settings.heads,
            scale: settings.scale,
            share_att_key: settings.share_att_key,
            content_to_position: settings.content_to_position,
            position_to_content: settings.position_to_content,
        }
    }

    fn project(&self, hidden: Tensor<3>) -> [Tensor<4>; 3] {
        ops::linear_each(hidden, [&self.query_proj, &self.key_proj, &self.value_proj])
            .map(|states| split_heads(states, self.heads))
    }

    fn distance_vectors(&self, embedded: Tensor<3>) -> DistanceVectors {
        let (keys, queries) = match self.share_att_key {
            true => (
                self.content_to_position.then_some(&self.key_proj),
                self.position_to_content.then_some(&self.query_proj),
            ),
            false => (self.pos_key_proj.as_ref(), self.pos_query_proj.as_ref()),
        };
        let project = |layer: &Linear| split_heads(layer.forward(embedded.clone()), self.heads) * self.scale;
        DistanceVectors { keys: keys.map(project), queries: queries.map(project) }
    }
}

/// `[batch, heads, tokens, size]` of `[batch, tokens, heads * size]`.
pub(crate) fn split_heads(states: Tensor<3>, heads: usize) -> Tensor<4> {
    let [batch, tokens, size] = states.dims();
    states.reshape([batch, tokens, heads, size / heads]).swap_dims(1, 2)
}
