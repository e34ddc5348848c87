//! Mixtral: Mistral, whose feed-forward part is a choice of experts for every token.
//!
//! Paper: <https://arxiv.org/abs/2401.04088>. Reference: `modeling_mixtral.py` of transformers 4.56.2. Only the
//! experts that tokens chose compute, and those for these tokens only: the choice is made on the host.
//!
//! Heads: causal LM, encoder, question answerer, sequence classifier, token classifier.

use burn::module::Module;
use burn::tensor::{Device, FloatDType, Int, Tensor, TensorData};
use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_nn::ops::{self, RotaryAngles};
use burnpipe_nn::{
    Activation, ActivationLayer, Architecture, Decoder, DecoderFamily, DecoderHeadConfig, Embedding, Heads,
    KvCache, Linear, LlamaAttention, LlamaAttentionConfig, LlamaLayerConfig, LoadContext, Placement, RmsNorm,
    Rope, RopeConfig, RopeScaling, TokenStep, load_causal_lm, load_encoder, load_question_answerer,
    load_sequence_classifier, load_token_classifier, read_back,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "mixtral",
    heads: Heads {
        causal_lm: Some(load_causal_lm::<Mixtral>),
        encoder: Some(load_encoder::<Mixtral>),
        question_answerer: Some(load_question_answerer::<Mixtral>),
        sequence_classifier: Some(load_sequence_classifier::<Mixtral>),
        token_classifier: Some(load_token_classifier::<Mixtral>),
        ..Heads::NONE
    },
};

struct Mixtral;

impl DecoderFamily for Mixtral {
    type Decoder = MixtralModel;

    fn from_config(context: &LoadContext<'_>) -> Result<(MixtralModel, DecoderHeadConfig)> {
        let config: MixtralConfig = context.checkpoint.config()?.parse()?;
        let heads = DecoderHeadConfig {
            hidden_size: config.hidden_size,
            vocab_size: config.vocab_size,
            pad_token_id: config.pad_token_id,
            tie_word_embeddings: config.tie_word_embeddings,
            final_logit_softcapping: None,
        };
        Ok((MixtralModel::new(&config, context.placement)?, heads))
    }
}

/// config.json, with the defaults of `MixtralConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct MixtralConfig {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    hidden_act: String,
    max_position_embeddings: usize,
    rms_norm_eps: f64,
    rope_theta: f64,
    rope_scaling: Option<RopeScaling>,
    sliding_window: Option<usize>,
    num_experts_per_tok: usize,
    num_local_experts: usize,
    pad_token_id: Option<u32>,
    tie_word_embeddings: bool,
}

impl Default for MixtralConfig {
    fn default() -> Self {
        Self {
            vocab_size: 32000,
            hidden_size: 4096,
            intermediate_size: 14336,
            num_hidden_layers: 32,
            num_attention_heads: 32,
            num_key_value_heads: Some(8),
            head_dim: None,
            hidden_act: "silu".into(),
            max_position_embeddings: 131_072,
            rms_norm_eps: 1e-5,
            rope_theta: 1e6,
            rope_scaling: None,
            sliding_window: None,
            num_experts_per_tok: 2,
            num_local_experts: 8,
            pad_token_id: None,
            tie_word_embeddings: false,
        }
    }
}

impl MixtralConfig {
    fn attention(&self) -> LlamaAttentionConfig {
        LlamaAttentionConfig {
            hidden_size: self.hidden_size,
            heads: self.num_attention_heads,
            key_heads: self.num_key_value_heads.unwrap_or(self.num_attention_heads),
            head_dim: self.head_dim.unwrap_or_else(|| self.hidden_size / self.num_attention_heads.max(1)),
            qkv_bias: false,
            output_bias: false,
            scale: None,
        }
    }
}

#[derive(Module, Debug)]
struct MixtralModel {
    embed_tokens: Embedding,
    layers: Vec<MixtralDecoderLayer>,
    norm: RmsNorm,
    #[module(skip)]
    rope: Rope,
    #[module(skip)]
    vocabulary: usize,
}

impl MixtralModel {
    fn new(config: &MixtralConfig, placement: &Placement) -> Result<Self> {
        let (experts, chosen) = (config.num_local_experts, config.num_experts_per_tok);
        if chosen == 0 || chosen > experts {
            let message = format!(
                "`num_experts_per_tok` in `config.json` is {chosen}, and `num_local_experts` is {experts}"
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        let layers = (0..config.num_hidden_layers).map(|_| MixtralDecoderLayer::new(config, placement));
        Ok(Self {
            embed_tokens: Embedding::new(config.vocab_size, config.hidden_size, placement),
            layers: layers.collect::<Result<_>>()?,
            norm: RmsNorm::new(config.hidden_size, config.rms_norm_eps, placement),
            rope: Rope::new(&RopeConfig {
                theta: config.rope_theta,
                size: config.attention().head_dim,
                positions: config.max_position_embeddings,
                original_positions: None,
                scaling: config.rope_scaling.clone(),
            })?,
            vocabulary: config.vocab_size,
        })
    }
}

impl Decoder for MixtralModel {
    fn cache(&self) -> KvCache {
        KvCache::new(self.layers.len())
    }

    fn forward(&self, step: &TokenStep, cache: &mut KvCache) -> Result<Tensor<3>> {
        step.check(self.vocabulary, None)?;
        let device = self.embed_tokens.device();
        let angles = self.rope.angles(step, &device);
        let mut hidden = self.embed_tokens.forward(step.input_ids(&device));
        for (index, layer) in self.layers.iter().enumerate() {
            hidden = layer.forward(hidden, &angles, step, (index, &mut *cache))?;
        }
        Ok(self.norm.forward(hidden))
    }
}

/// Attention, then the experts, each of a norm of its input and added to it.
#[derive(Module, Debug)]
struct MixtralDecoderLayer {
    self_attn: LlamaAttention,
    block_sparse_moe: MixtralSparseMoeBlock,
    input_layernorm: RmsNorm,
    post_attention_layernorm: RmsNorm,
}

impl MixtralDecoderLayer {
    fn new(config: &MixtralConfig, placement: &Placement) -> Result<Self> {
        let norm = || RmsNorm::new(config.hidden_size, config.rms_norm_eps, placement);
        let layer = LlamaLayerConfig { window: config.sliding_window, rotates: true };
        Ok(Self {
            self_attn: LlamaAttention::new(&config.attention(), layer, placement)?,
            block_sparse_moe: MixtralSparseMoeBlock::new(config, placement)?,
            input_layernorm: norm(),
            post_attention_layernorm: norm(),
        })
    }

    fn forward(
        &self,
        hidden: Tensor<3>,
        angles: &RotaryAngles,
        step: &TokenStep,
        cache: (usize, &mut KvCache),
    ) -> Result<Tensor<3>> {
        let normed = self.input_layernorm.forward(hidden.clone());
        let hidden = self.self_attn.forward_added(normed, hidden, angles, step, cache);
        let normed = self.post_attention_layernorm.forward(hidden.clone());
        Ok(hidden + self.block_sparse_moe.forward(normed)?)
    }
}

/// The experts, and the layer that scores them for every token.
#[derive(Module, Debug)]
struct MixtralSparseMoeBlock {
    gate: Linear,
    experts: Vec<MixtralBlockSparseTop2MLP>,
    /// How many of them a token goes through.
    #[module(skip)]
    chosen: usize,
}

impl MixtralSparseMoeBlock {
    fn new(config: &MixtralConfig, placement: &Placement) -> Result<Self> {
        let (size, inner) = (config.hidden_size, config.intermediate_size);
        let activation = Activation::from_name(&config.hidden_act)?;
        let linear = |inputs, outputs| Linear::with_bias(inputs, outputs, false, placement);
        let expert = |_| MixtralBlockSparseTop2MLP {
            w1: linear(size, inner),
            w2: linear(inner, size),
            w3: linear(size, inner),
            act_fn: ActivationLayer::new(activation, placement),
        };
        Ok(Self {
            gate: linear(size, config.num_local_experts),
            experts: (0..config.num_local_experts).map(expert).collect(),
            chosen: config.num_experts_per_tok,
        })
    }

    fn forward(&self, x: Tensor<3>) -> Result<Tensor<3>> {
        let [rows, tokens, size] = x.dims();
        let device = x.device();
        let x = x.reshape([rows * tokens, size]);
        let scores = ops::softmax(self.gate.forward(x.clone()).cast(FloatDType::F32));
        let choices = Choices::of(&read_back(scores)?, self.experts.len(), self.chosen);
        let answers = self.experts.iter().zip(&choices.tokens).filter(|(_, tokens)| !tokens.is_empty());
        let answers = answers.map(|(expert, chosen)| {
            let tokens = chosen.iter().map(|&(token, _)| token).collect();
            let weights = chosen.iter().map(|&(_, weight)| weight).collect::<Vec<f32>>();
            let weights = TensorData::new(weights, [chosen.len(), 1]);
            let weights = Tensor::<2>::from_data(weights, (&device, x.dtype()));
            expert.forward(x.clone().select(0, indices(tokens, &device))) * weights
        });
        let answers = Tensor::cat(answers.collect(), 0);
        let by_token = answers.select(0, indices(choices.places, &device));
        Ok(by_token.reshape([rows * tokens, self.chosen, size]).sum_dim(1).reshape([rows, tokens, size]))
    }
}

fn indices(rows: Vec<i32>, device: &Device) -> Tensor<1, Int> {
    let shape = [rows.len()];
    Tensor::from_data(TensorData::new(rows, shape), (device, burn::tensor::DType::I32))
}

/// Which experts the tokens go through.
#[derive(Debug, PartialEq)]
struct Choices {
    /// By expert: tokens, and the weight of its answer for each.
    tokens: Vec<Vec<(i32, f32)>>,
    /// Where a token's answers are when those of all experts lie one after the other, token after token.
    places: Vec<i32>,
}

impl Choices {
    /// The experts of the best scores, whose weights add up to one.
    fn of(scores: &[f32], experts: usize, chosen: usize) -> Self {
        let mut tokens = vec![Vec::new(); experts];
        for (token, scores) in (0..).zip(scores.chunks_exact(experts)) {
            let mut best: Vec<(usize, f32)> = scores.iter().copied().enumerate().collect();
            best.sort_by(|left, right| right.1.total_cmp(&left.1));
            best.truncate(chosen);
            let sum: f32 = best.iter().map(|(_, score)| score).sum();
            best.iter().for_each(|&(expert, score)| tokens[expert].push((token, score / sum)));
        }
        let mut places = vec![Vec::new(); scores.len() / experts];
        let joined = tokens.iter().flatten();
        (0..).zip(joined).for_each(|(place, &(token, _))| places[token as usize].push(place));
        Self { tokens, places: places.concat() }
    }
}

/// `w2(act(w1(x)) * w3(x))`.
#[derive(Module, Debug)]
struct MixtralBlockSparseTop2MLP {
    w1: Linear,
    w2: Linear,
    w3: Linear,
    act_fn: ActivationLayer,
}

impl MixtralBlockSparseTop2MLP {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let [gate, up] = ops::linear_each(x, [&self.w1, &self.w3]);
        self.w2.forward(self.act_fn.forward(gate) * up)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_finds_the_answers_of_its_experts() {
        let scores = [0.1, 0.2, 0.7, 0.5, 0.25, 0.25, 0.0, 0.75, 0.25];
        let choices = Choices::of(&scores, 3, 2);
        let near = |tokens: &[(i32, f32)], expected: &[(i32, f32)]| {
            assert_eq!(tokens.len(), expected.len());
            for (token, expected) in tokens.iter().zip(expected) {
                assert!(token.0 == expected.0 && (token.1 - expected.1).abs() < 1e-6, "{token:?}");
            }
        };
        near(&choices.tokens[0], &[(1, 0.5 / 0.75)]);
        near(&choices.tokens[1], &[(0, 0.2 / 0.9), (1, 0.25 / 0.75), (2, 0.75)]);
        near(&choices.tokens[2], &[(0, 0.7 / 0.9), (2, 0.25)]);
        assert_eq!(choices.places, [1, 4, 0, 2, 3, 5]);
    }
}
