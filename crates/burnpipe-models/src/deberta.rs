//! DeBERTa (v1): as v2, with one projection for queries, keys and values, and heads that may talk.
//!
//! Paper: <https://arxiv.org/abs/2006.03654>. Reference: `modeling_deberta.py` of transformers 4.56.2.
//!
//! Heads: encoder, masked LM, question answerer, sequence classifier, token classifier.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burnpipe_nn::ops::{self, AttentionScope};
use burnpipe_nn::{Architecture, Heads, Linear, Placement};

use crate::deberta_v2::{
    DebertaSettings, DistanceVectors, Scope, Version, load_encoder, load_masked_lm, load_question_answerer,
    load_sequence_classifier, load_token_classifier, split_heads,
};

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "deberta",
    heads: Heads {
        encoder: Some(|context| Ok(Box::new(load_encoder(context, Version::One)?))),
        masked_lm: Some(|context| Ok(Box::new(load_masked_lm(context, Version::One)?))),
        question_answerer: Some(|context| Ok(Box::new(load_question_answerer(context, Version::One)?))),
        sequence_classifier: Some(|context| Ok(Box::new(load_sequence_classifier(context, Version::One)?))),
        token_classifier: Some(|context| Ok(Box::new(load_token_classifier(context, Version::One)?))),
    },
};

/// The attention of v1; what else it has is v2's.
#[derive(Module, Debug)]
pub(crate) struct DebertaSelfAttention {
    in_proj: Linear,
    q_bias: Param<Tensor<1>>,
    v_bias: Param<Tensor<1>>,
    pos_proj: Option<Linear>,
    pos_q_proj: Option<Linear>,
    head_logits_proj: Option<Linear>,
    head_weights_proj: Option<Linear>,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    pub(crate) scale: f64,
}

impl DebertaSelfAttention {
    pub(crate) fn new(settings: &DebertaSettings, placement: &Placement) -> Self {
        let (size, heads) = (settings.hidden_size, settings.heads);
        let relative = settings.relative.is_some();
        let of_heads = || settings.talking_head.then(|| Linear::with_bias(heads, heads, false, placement));
        Self {
            in_proj: Linear::with_bias(size, 3 * size, false, placement),
            q_bias: placement.parameter([size]),
            v_bias: placement.parameter([size]),
            pos_proj: (relative && settings.content_to_position)
                .then(|| Linear::with_bias(size, size, false, placement)),
            pos_q_proj: (relative && settings.position_to_content)
                .then(|| Linear::new(size, size, placement)),
            head_logits_proj: of_heads(),
            head_weights_proj: of_heads(),
            heads,
            scale: settings.scale,
        }
    }

    /// Queries, keys and values, which lie side by side for every head.
    pub(crate) fn project(&self, hidden: Tensor<3>) -> [Tensor<4>; 3] {
        let states = split_heads(self.in_proj.forward(hidden), self.heads);
        let size = states.dims()[3] / 3;
        let part = |index: usize| states.clone().narrow(3, index * size, size);
        let bias = |bias: &Param<Tensor<1>>| bias.val().reshape([1, self.heads, 1, size]);
        [part(0) + bias(&self.q_bias), part(1), part(2) + bias(&self.v_bias)]
    }

    pub(crate) fn distance_vectors(&self, embedded: Tensor<3>) -> DistanceVectors {
        let project = |layer: &Linear| split_heads(layer.forward(embedded.clone()), self.heads) * self.scale;
        DistanceVectors {
            keys: self.pos_proj.as_ref().map(project),
            queries: self.pos_q_proj.as_ref().map(project),
        }
    }

    /// Whether the heads mix their scores and their weights.
    pub(crate) fn talks(&self) -> bool {
        self.head_logits_proj.is_some()
    }

    /// Attention of heads that mix their scores before the softmax, and their weights after it.
    pub(crate) fn attend_talking(
        &self,
        query: Tensor<4>,
        key: Tensor<4>,
        value: Tensor<4>,
        attention: &AttentionScope,
        scope: &Scope,
    ) -> Tensor<4> {
        let mut scores = (query * self.scale).matmul(key.swap_dims(2, 3));
        if let Some(bias) = attention.distances.as_ref().and_then(ops::DistanceScores::bias) {
            scores = scores + bias;
        }
        scores = mix_heads(scores, self.head_logits_proj.as_ref());
        if let Some(hidden) = &attention.hidden {
            let shape = scores.dims();
            scores = scores.mask_fill(hidden.clone().expand(shape), f32::MIN);
        }
        let mut weights = ops::softmax(scores);
        if let Some(unseen) = &scope.unseen {
            weights = unseen.set_weights(weights);
        }
        mix_heads(weights, self.head_weights_proj.as_ref()).matmul(value)
    }
}

/// A linear layer over the heads: `[batch, heads, queries, keys]`.
fn mix_heads(scores: Tensor<4>, layer: Option<&Linear>) -> Tensor<4> {
    match layer {
        Some(layer) => layer.forward(scores.permute([0, 2, 3, 1])).permute([0, 3, 1, 2]),
        None => scores,
    }
}
