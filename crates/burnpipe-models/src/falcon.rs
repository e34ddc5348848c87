//! Falcon: one key head for all heads or for a group of them, attention and feed-forward side by side or in turn,
//! rotary positions or scores that fall by distance (ALiBi).
//!
//! Paper: <https://arxiv.org/abs/2311.16867>. Reference: `modeling_falcon.py` of transformers 4.56.2.
//!
//! Heads: causal LM, encoder, question answerer, sequence classifier, token classifier.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_nn::ops::{RotaryAngles, rotary};
use burnpipe_nn::{
    Activation, ActivationLayer, Architecture, BatchLayout, Blind, CachedScope, CausalLm, Embedding, Encoder,
    Heads, KvCache, LayerNorm, Linear, LoadContext, Placement, QuestionAnswerer, Rope, RopeConfig,
    RopeScaling, SequenceClassifier, TokenBatch, TokenClassifier, TokenStep, WeightNames, alibi_in_bf16,
    alibi_slopes, head_size,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "falcon",
    heads: Heads {
        causal_lm: Some(|context| Ok(Box::new(load_causal_lm(context)?))),
        encoder: Some(|context| Ok(Box::new(load_encoder(context)?))),
        question_answerer: Some(|context| Ok(Box::new(load_question_answerer(context)?))),
        sequence_classifier: Some(|context| Ok(Box::new(load_sequence_classifier(context)?))),
        token_classifier: Some(|context| Ok(Box::new(load_token_classifier(context)?))),
        ..Heads::NONE
    },
};

/// config.json, with the defaults of `FalconConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct FalconConfig {
    vocab_size: usize,
    #[serde(alias = "n_embed")]
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_ln_in_parallel_attn: Option<usize>,
    layer_norm_epsilon: f64,
    num_kv_heads: Option<usize>,
    alibi: bool,
    new_decoder_architecture: bool,
    multi_query: bool,
    parallel_attn: bool,
    bias: bool,
    max_position_embeddings: usize,
    rope_theta: f64,
    rope_scaling: Option<RopeScaling>,
    ffn_hidden_size: Option<usize>,
    activation: String,
    pad_token_id: Option<u32>,
    tie_word_embeddings: bool,
}

impl Default for FalconConfig {
    fn default() -> Self {
        Self {
            vocab_size: 65024,
            hidden_size: 4544,
            num_hidden_layers: 32,
            num_attention_heads: 71,
            num_ln_in_parallel_attn: None,
            layer_norm_epsilon: 1e-5,
            num_kv_heads: None,
            alibi: false,
            new_decoder_architecture: false,
            multi_query: true,
            parallel_attn: true,
            bias: false,
            max_position_embeddings: 2048,
            rope_theta: 10000.0,
            rope_scaling: None,
            ffn_hidden_size: None,
            activation: "gelu".into(),
            pad_token_id: None,
            tie_word_embeddings: true,
        }
    }
}

impl FalconConfig {
    /// How many heads share a key head. `num_kv_heads` is of the new architecture only.
    fn heads_by_key(&self) -> Result<usize> {
        let heads = self.num_attention_heads;
        match (self.new_decoder_architecture, self.multi_query) {
            (true, _) => head_size(
                ("num_attention_heads", heads),
                ("num_kv_heads", self.num_kv_heads.unwrap_or(heads)),
            ),
            (false, true) => Ok(heads),
            (false, false) => Ok(1),
        }
    }

    fn norms(&self, placement: &Placement) -> Result<FalconNorms> {
        let norm = || LayerNorm::new(self.hidden_size, self.layer_norm_epsilon, placement);
        let one = || FalconNorms::One(OneNorm { input_layernorm: norm() });
        let count = self.num_ln_in_parallel_attn;
        match (self.new_decoder_architecture, self.parallel_attn, count) {
            (false, false, _) => Ok(FalconNorms::InTurn(NormsInTurn {
                input_layernorm: norm(),
                post_attention_layernorm: norm(),
            })),
            (true, true, None | Some(2)) => {
                Ok(FalconNorms::Two(TwoNorms { ln_attn: norm(), ln_mlp: norm() }))
            }
            (true, true, Some(1)) => Ok(one()),
            (false, true, count) if count != Some(2) => Ok(one()),
            (is_new, is_parallel, count) => {
                let count = count.map_or("null".to_string(), |count| count.to_string());
                let message = format!(
                    "`config.json` has `new_decoder_architecture` {is_new}, `parallel_attn` {is_parallel} and `num_ln_in_parallel_attn` {count}, which do not go together"
                );
                Err(Error::new(ErrorKind::Config, message))
            }
        }
    }
}

/// The heads beside the one that is read, and the angles that old checkpoints hold as buffers.
const IGNORED: &[&str] = &["rotary_emb.inv_freq", "lm_head", "score", "classifier", "qa_outputs"];

/// Checkpoints have the norms beside the layer's other parts.
const NORMS: &[(&str, &str)] = &[("norms.", "")];

/// The output layer is the table of words unless the config unties them.
const NORMS_TIED: &[(&str, &str)] =
    &[("norms.", ""), ("lm_head.weight", "transformer.word_embeddings.weight")];

fn names(is_base_model: bool) -> WeightNames {
    WeightNames { base_model_prefix: "transformer", is_base_model, renames: NORMS, ignored: IGNORED }
}

fn load_causal_lm(context: &LoadContext<'_>) -> Result<FalconForCausalLM> {
    let config: FalconConfig = context.checkpoint.config()?.parse()?;
    let model = FalconForCausalLM {
        transformer: FalconModel::new(&config, context.placement)?,
        lm_head: Linear::with_bias(config.hidden_size, config.vocab_size, false, context.placement),
    };
    let renames = if config.tie_word_embeddings { NORMS_TIED } else { NORMS };
    context.fill(model, &WeightNames { renames, ..names(false) })
}

fn load_encoder(context: &LoadContext<'_>) -> Result<FalconModel> {
    let config = context.checkpoint.config()?.parse()?;
    context.fill(FalconModel::new(&config, context.placement)?, &names(true))
}

fn load_question_answerer(context: &LoadContext<'_>) -> Result<FalconForQuestionAnswering> {
    let config: FalconConfig = context.checkpoint.config()?.parse()?;
    let model = FalconForQuestionAnswering {
        transformer: FalconModel::new(&config, context.placement)?,
        qa_outputs: Linear::new(config.hidden_size, 2, context.placement),
    };
    context.fill(model, &names(false))
}

fn load_sequence_classifier(context: &LoadContext<'_>) -> Result<FalconForSequenceClassification> {
    let config: FalconConfig = context.checkpoint.config()?.parse()?;
    let model = FalconForSequenceClassification {
        transformer: FalconModel::new(&config, context.placement)?,
        score: Linear::with_bias(config.hidden_size, context.label_count()?, false, context.placement),
        pad_token_id: config.pad_token_id,
    };
    context.fill(model, &names(false))
}

fn load_token_classifier(context: &LoadContext<'_>) -> Result<FalconForTokenClassification> {
    let config: FalconConfig = context.checkpoint.config()?.parse()?;
    let model = FalconForTokenClassification {
        transformer: FalconModel::new(&config, context.placement)?,
        classifier: Linear::new(config.hidden_size, context.label_count()?, context.placement),
    };
    context.fill(model, &names(false))
}

/// The scores of what comes next.
#[derive(Module, Debug)]
struct FalconForCausalLM {
    transformer: FalconModel,
    lm_head: Linear,
}

impl CausalLm for FalconForCausalLM {
    fn cache(&self) -> KvCache {
        KvCache::new(self.transformer.h.len())
    }

    fn positions(&self) -> Option<usize> {
        None
    }

    fn vocabulary(&self) -> usize {
        self.transformer.vocabulary
    }

    fn forward(&self, step: &TokenStep, cache: &mut KvCache) -> Result<Tensor<3>> {
        self.transformer.forward(step, cache)
    }

    fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.lm_head.forward(hidden)
    }
}

/// The scores of every token as the start and the end of an answer.
#[derive(Module, Debug)]
struct FalconForQuestionAnswering {
    transformer: FalconModel,
    qa_outputs: Linear,
}

impl QuestionAnswerer for FalconForQuestionAnswering {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.qa_outputs.forward(self.transformer.read(batch)?))
    }
}

/// The scores of a whole text's labels, from its last token.
#[derive(Module, Debug)]
struct FalconForSequenceClassification {
    transformer: FalconModel,
    score: Linear,
    #[module(skip)]
    pad_token_id: Option<u32>,
}

impl SequenceClassifier for FalconForSequenceClassification {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<2>> {
        let hidden = batch.last_tokens_but(self.pad_token_id, self.transformer.read(batch)?);
        Ok(self.score.forward(hidden))
    }
}

/// The scores of every token's labels.
#[derive(Module, Debug)]
struct FalconForTokenClassification {
    transformer: FalconModel,
    classifier: Linear,
}

impl TokenClassifier for FalconForTokenClassification {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.classifier.forward(self.transformer.read(batch)?))
    }
}

#[derive(Module, Debug)]
struct FalconModel {
    word_embeddings: Embedding,
    h: Vec<FalconDecoderLayer>,
    ln_f: LayerNorm,
    #[module(skip)]
    positions: Positions,
    #[module(skip)]
    head_dim: usize,
    #[module(skip)]
    vocabulary: usize,
}

/// How a token knows where it is.
#[derive(Clone, Debug)]
enum Positions {
    Rotary(Rope),
    /// The slope of each head.
    Alibi(Vec<f32>),
}

impl FalconModel {
    fn new(config: &FalconConfig, placement: &Placement) -> Result<Self> {
        let (size, heads) = (config.hidden_size, config.num_attention_heads);
        let head_dim = head_size(("hidden_size", size), ("num_attention_heads", heads))?;
        let positions = match config.alibi {
            true => Positions::Alibi(alibi_slopes(heads)),
            false => Positions::Rotary(Rope::new(&RopeConfig {
                theta: config.rope_theta,
                size: head_dim,
                positions: config.max_position_embeddings,
                original_positions: None,
                scaling: config.rope_scaling.clone(),
            })?),
        };
        let layer = |_| FalconDecoderLayer::new(config, head_dim, placement);
        Ok(Self {
            word_embeddings: Embedding::new(config.vocab_size, size, placement),
            h: (0..config.num_hidden_layers).map(layer).collect::<Result<_>>()?,
            ln_f: LayerNorm::new(size, config.layer_norm_epsilon, placement),
            positions,
            head_dim,
            vocabulary: config.vocab_size,
        })
    }

    fn forward(&self, step: &TokenStep, cache: &mut KvCache) -> Result<Tensor<3>> {
        step.check(self.vocabulary, None)?;
        let device = self.word_embeddings.device();
        let (angles, alibi) = match &self.positions {
            Positions::Rotary(rope) => (Some(rope.angles(step, &device)), None),
            Positions::Alibi(slopes) => (None, Some(alibi_in_bf16(slopes, step.longest(), self.head_dim))),
        };
        let scope =
            CachedScope { key_bias: alibi.as_deref(), blind: Blind::Everything, ..CachedScope::default() };
        let words = self.word_embeddings.forward(step.input_ids(&device));
        let layers = self.h.iter().enumerate();
        let hidden = layers.fold(words, |hidden, (index, layer)| {
            layer.forward(hidden, (angles.as_ref(), &scope), step, (index, &mut *cache))
        });
        Ok(self.ln_f.forward(hidden))
    }

    /// Whole texts that lie one after the other.
    fn read(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        let (step, mut cache) = TokenStep::whole(batch, KvCache::new(self.h.len()));
        self.forward(&step, &mut cache)
    }
}

impl Encoder for FalconModel {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        self.read(batch)
    }
}

/// Attention and a feed-forward part, side by side or one after the other.
#[derive(Module, Debug)]
struct FalconDecoderLayer {
    norms: FalconNorms,
    self_attention: FalconAttention,
    mlp: FalconMLP,
}

/// What attention and feed-forward read.
#[derive(Module, Debug)]
enum FalconNorms {
    /// Each a norm of its own, the feed-forward part one of the attention's output.
    InTurn(NormsInTurn),
    /// The same norm.
    One(OneNorm),
    /// Each a norm of the layer's input.
    Two(TwoNorms),
}

#[derive(Module, Debug)]
struct NormsInTurn {
    input_layernorm: LayerNorm,
    post_attention_layernorm: LayerNorm,
}

#[derive(Module, Debug)]
struct OneNorm {
    input_layernorm: LayerNorm,
}

#[derive(Module, Debug)]
struct TwoNorms {
    ln_attn: LayerNorm,
    ln_mlp: LayerNorm,
}

impl FalconDecoderLayer {
    fn new(config: &FalconConfig, head_dim: usize, placement: &Placement) -> Result<Self> {
        let (size, bias) = (config.hidden_size, config.bias);
        let inner = config.ffn_hidden_size.unwrap_or(4 * size);
        let heads_by_key = config.heads_by_key()?;
        let key_heads = config.num_attention_heads / heads_by_key;
        let activation = Activation::from_name(&config.activation)?;
        let linear = |inputs: usize, outputs: usize| Linear::with_bias(inputs, outputs, bias, placement);
        Ok(Self {
            norms: config.norms(placement)?,
            self_attention: FalconAttention {
                query_key_value: linear(size, size + 2 * key_heads * head_dim),
                dense: linear(size, size),
                heads_by_key,
                head_dim,
            },
            mlp: FalconMLP {
                dense_h_to_4h: linear(size, inner),
                dense_4h_to_h: linear(inner, size),
                act: ActivationLayer::new(activation, placement),
            },
        })
    }

    fn forward(
        &self,
        hidden: Tensor<3>,
        positions: (Option<&RotaryAngles>, &CachedScope<'_>),
        step: &TokenStep,
        cache: (usize, &mut KvCache),
    ) -> Tensor<3> {
        let attend =
            |normed, hidden| self.self_attention.forward_added(normed, hidden, positions, step, cache);
        match &self.norms {
            FalconNorms::InTurn(norms) => {
                let attended = attend(norms.input_layernorm.forward(hidden.clone()), hidden);
                let normed = norms.post_attention_layernorm.forward(attended.clone());
                self.mlp.forward_added(normed, attended)
            }
            FalconNorms::One(norms) => {
                let normed = norms.input_layernorm.forward(hidden.clone());
                self.mlp.forward_added(normed.clone(), attend(normed, hidden))
            }
            FalconNorms::Two(norms) => {
                let normed = norms.ln_mlp.forward(hidden.clone());
                let attended = attend(norms.ln_attn.forward(hidden.clone()), hidden);
                self.mlp.forward_added(normed, attended)
            }
        }
    }
}

#[derive(Module, Debug)]
struct FalconAttention {
    /// The queries of the heads that share the first key head, that key and its value, then those of the second
    /// key head, and so on.
    query_key_value: Linear,
    dense: Linear,
    #[module(skip)]
    heads_by_key: usize,
    #[module(skip)]
    head_dim: usize,
}

impl FalconAttention {
    /// Attention of `x`, added to `residual`.
    fn forward_added(
        &self,
        x: Tensor<3>,
        residual: Tensor<3>,
        (angles, scope): (Option<&RotaryAngles>, &CachedScope<'_>),
        step: &TokenStep,
        (index, cache): (usize, &mut KvCache),
    ) -> Tensor<3> {
        let [rows, tokens, size] = x.dims();
        let group = (self.heads_by_key + 2) * self.head_dim;
        let joined = self.query_key_value.forward(x);
        let key_heads = joined.dims()[2] / group;
        let joined = joined.reshape([rows, tokens, key_heads, group]);
        let part = |at: usize, heads: usize| {
            let part = joined.clone().narrow(3, at * self.head_dim, heads * self.head_dim);
            part.reshape([rows, tokens, key_heads * heads, self.head_dim])
        };
        let turned = |x: Tensor<4>| match angles {
            Some(angles) => rotary(x, angles),
            None => x,
        };
        let query = turned(part(0, self.heads_by_key));
        let key = turned(part(self.heads_by_key, 1));
        let context = cache.attend(index, query, key, part(self.heads_by_key + 1, 1), step, scope);
        self.dense.forward_added(context.reshape([rows, tokens, size]), residual)
    }
}

#[derive(Module, Debug)]
struct FalconMLP {
    dense_h_to_4h: Linear,
    dense_4h_to_h: Linear,
    act: ActivationLayer,
}

impl FalconMLP {
    /// The part, added to `residual`.
    fn forward_added(&self, x: Tensor<3>, residual: Tensor<3>) -> Tensor<3> {
        self.dense_4h_to_h.forward_added(self.dense_h_to_4h.forward_activated(x, &self.act), residual)
    }
}
