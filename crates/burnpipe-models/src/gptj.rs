//! GPT-J: attention and feed-forward side by side of one norm, and a part of each head rotated, pairs of neighbours.
//!
//! Reference: `modeling_gptj.py` of transformers 4.56.2, with its eager attention, the only one there is beside flash
//! attention.
//!
//! Heads: causal LM, encoder, question answerer, sequence classifier.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::Result;
use burnpipe_nn::ops::{self, RotaryAngles, RotaryPairs, rotary};
use burnpipe_nn::{
    Activation, ActivationLayer, Architecture, BatchLayout, Blind, CachedScope, CausalLm, Embedding, Encoder,
    Heads, KvCache, LayerNorm, Linear, LoadContext, Placement, QuestionAnswerer, Rope, RopeConfig,
    SequenceClassifier, TokenBatch, TokenStep, WeightNames, head_size, rotary_size,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "gptj",
    heads: Heads {
        causal_lm: Some(|context| Ok(Box::new(load_causal_lm(context)?))),
        encoder: Some(|context| Ok(Box::new(load_encoder(context)?))),
        question_answerer: Some(|context| Ok(Box::new(load_question_answerer(context)?))),
        sequence_classifier: Some(|context| Ok(Box::new(load_sequence_classifier(context)?))),
        ..Heads::NONE
    },
};

/// The base of the frequencies; no config changes it.
const ROPE_THETA: f64 = 10000.0;

/// config.json, with the defaults and the second names of `GPTJConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct GPTJConfig {
    vocab_size: usize,
    #[serde(alias = "max_position_embeddings")]
    n_positions: usize,
    #[serde(alias = "hidden_size")]
    n_embd: usize,
    #[serde(alias = "num_hidden_layers")]
    n_layer: usize,
    #[serde(alias = "num_attention_heads")]
    n_head: usize,
    /// Numbers of a head that are rotated; all of a single head if null.
    rotary_dim: Option<usize>,
    n_inner: Option<usize>,
    activation_function: String,
    layer_norm_epsilon: f64,
    pad_token_id: Option<u32>,
    tie_word_embeddings: bool,
}

impl Default for GPTJConfig {
    fn default() -> Self {
        Self {
            vocab_size: 50400,
            n_positions: 2048,
            n_embd: 4096,
            n_layer: 28,
            n_head: 16,
            rotary_dim: Some(64),
            n_inner: None,
            activation_function: "gelu_new".into(),
            layer_norm_epsilon: 1e-5,
            pad_token_id: None,
            tie_word_embeddings: false,
        }
    }
}

/// The causal masks and angles that old checkpoints hold as buffers, and the heads beside the one that is read.
const IGNORED: &[&str] =
    &["attn.bias", "attn.masked_bias", "attn.embed_positions", "lm_head", "score", "qa_outputs"];

fn names(is_base_model: bool) -> WeightNames {
    WeightNames { base_model_prefix: "transformer", is_base_model, renames: &[], ignored: IGNORED }
}

/// The output layer is the table of words if the config ties them; its bias is its own.
const TIED: &[(&str, &str)] = &[("lm_head.weight", "transformer.wte.weight")];

fn load_causal_lm(context: &LoadContext<'_>) -> Result<GPTJForCausalLM> {
    let config: GPTJConfig = context.checkpoint.config()?.parse()?;
    let model = GPTJForCausalLM {
        transformer: GPTJModel::new(&config, context.placement)?,
        lm_head: Linear::new(config.n_embd, config.vocab_size, context.placement),
    };
    let renames = if config.tie_word_embeddings { TIED } else { &[] };
    context.fill(model, &WeightNames { renames, ..names(false) })
}

fn load_encoder(context: &LoadContext<'_>) -> Result<GPTJModel> {
    let config = context.checkpoint.config()?.parse()?;
    context.fill(GPTJModel::new(&config, context.placement)?, &names(true))
}

fn load_question_answerer(context: &LoadContext<'_>) -> Result<GPTJForQuestionAnswering> {
    let config: GPTJConfig = context.checkpoint.config()?.parse()?;
    let model = GPTJForQuestionAnswering {
        transformer: GPTJModel::new(&config, context.placement)?,
        qa_outputs: Linear::new(config.n_embd, 2, context.placement),
    };
    context.fill(model, &names(false))
}

fn load_sequence_classifier(context: &LoadContext<'_>) -> Result<GPTJForSequenceClassification> {
    let config: GPTJConfig = context.checkpoint.config()?.parse()?;
    let model = GPTJForSequenceClassification {
        transformer: GPTJModel::new(&config, context.placement)?,
        score: Linear::with_bias(config.n_embd, context.label_count()?, false, context.placement),
        pad_token_id: config.pad_token_id,
    };
    context.fill(model, &names(false))
}

/// The scores of what comes next.
#[derive(Module, Debug)]
struct GPTJForCausalLM {
    transformer: GPTJModel,
    lm_head: Linear,
}

impl CausalLm for GPTJForCausalLM {
    fn cache(&self) -> KvCache {
        KvCache::new(self.transformer.h.len())
    }

    fn positions(&self) -> Option<usize> {
        Some(self.transformer.positions)
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
struct GPTJForQuestionAnswering {
    transformer: GPTJModel,
    qa_outputs: Linear,
}

impl QuestionAnswerer for GPTJForQuestionAnswering {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.qa_outputs.forward(self.transformer.read(batch)?))
    }
}

/// The scores of a whole text's labels, from its last token.
#[derive(Module, Debug)]
struct GPTJForSequenceClassification {
    transformer: GPTJModel,
    score: Linear,
    #[module(skip)]
    pad_token_id: Option<u32>,
}

impl SequenceClassifier for GPTJForSequenceClassification {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<2>> {
        let hidden = batch.last_tokens_but(self.pad_token_id, self.transformer.read(batch)?);
        Ok(self.score.forward(hidden))
    }
}

#[derive(Module, Debug)]
struct GPTJModel {
    wte: Embedding,
    h: Vec<GPTJBlock>,
    ln_f: LayerNorm,
    #[module(skip)]
    rope: Rope,
    #[module(skip)]
    vocabulary: usize,
    #[module(skip)]
    positions: usize,
}

impl GPTJModel {
    fn new(config: &GPTJConfig, placement: &Placement) -> Result<Self> {
        let size = config.n_embd;
        let head_dim = head_size(("n_embd", size), ("n_head", config.n_head))?;
        let activation = Activation::from_name(&config.activation_function)?;
        let block = |_| GPTJBlock::new(config, head_dim, activation, placement);
        Ok(Self {
            wte: Embedding::new(config.vocab_size, size, placement),
            h: (0..config.n_layer).map(block).collect(),
            ln_f: LayerNorm::new(size, config.layer_norm_epsilon, placement),
            rope: Rope::new(&RopeConfig {
                theta: ROPE_THETA,
                size: rotary_size(head_dim, ("rotary_dim", config.rotary_dim.unwrap_or(size) as f64))?,
                positions: config.n_positions,
                original_positions: None,
                scaling: None,
            })?,
            vocabulary: config.vocab_size,
            positions: config.n_positions,
        })
    }

    fn forward(&self, step: &TokenStep, cache: &mut KvCache) -> Result<Tensor<3>> {
        step.check(self.vocabulary, Some(self.positions))?;
        let device = self.wte.device();
        let angles = self.rope.angles(step, &device).with_pairs(RotaryPairs::Neighbours);
        let words = self.wte.forward(step.input_ids(&device));
        let blocks = self.h.iter().enumerate();
        let hidden = blocks
            .fold(words, |hidden, (index, block)| block.forward(hidden, &angles, step, (index, &mut *cache)));
        Ok(self.ln_f.forward(hidden))
    }

    /// Whole texts that lie one after the other.
    fn read(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        let (step, mut cache) = TokenStep::whole(batch, KvCache::new(self.h.len()));
        self.forward(&step, &mut cache)
    }
}

impl Encoder for GPTJModel {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        self.read(batch)
    }
}

/// Attention and a feed-forward part of the same norm, both added to the block's input.
#[derive(Module, Debug)]
struct GPTJBlock {
    ln_1: LayerNorm,
    attn: GPTJAttention,
    mlp: GPTJMLP,
}

impl GPTJBlock {
    fn new(config: &GPTJConfig, head_dim: usize, activation: Activation, placement: &Placement) -> Self {
        let size = config.n_embd;
        let inner = config.n_inner.unwrap_or(4 * size);
        let projection = || Linear::with_bias(size, size, false, placement);
        Self {
            ln_1: LayerNorm::new(size, config.layer_norm_epsilon, placement),
            attn: GPTJAttention {
                k_proj: projection(),
                v_proj: projection(),
                q_proj: projection(),
                out_proj: projection(),
                head_dim,
            },
            mlp: GPTJMLP {
                fc_in: Linear::new(size, inner, placement),
                fc_out: Linear::new(inner, size, placement),
                act: ActivationLayer::new(activation, placement),
            },
        }
    }

    fn forward(
        &self,
        hidden: Tensor<3>,
        angles: &RotaryAngles,
        step: &TokenStep,
        cache: (usize, &mut KvCache),
    ) -> Tensor<3> {
        let normed = self.ln_1.forward(hidden.clone());
        let attended = self.attn.forward_added(normed.clone(), hidden, angles, step, cache);
        let inner = self.mlp.fc_in.forward_activated(normed, &self.mlp.act);
        self.mlp.fc_out.forward_added(inner, attended)
    }
}

#[derive(Module, Debug)]
struct GPTJAttention {
    k_proj: Linear,
    v_proj: Linear,
    q_proj: Linear,
    out_proj: Linear,
    #[module(skip)]
    head_dim: usize,
}

impl GPTJAttention {
    /// Attention of `x`, added to `residual`.
    fn forward_added(
        &self,
        x: Tensor<3>,
        residual: Tensor<3>,
        angles: &RotaryAngles,
        step: &TokenStep,
        (index, cache): (usize, &mut KvCache),
    ) -> Tensor<3> {
        let [rows, tokens, size] = x.dims();
        let split = |x: Tensor<3>| x.reshape([rows, tokens, size / self.head_dim, self.head_dim]);
        let [query, key, value] = ops::linear_each(x, [&self.q_proj, &self.k_proj, &self.v_proj]).map(split);
        let (query, key) = (rotary(query, angles), rotary(key, angles));
        let scope = CachedScope { blind: Blind::Everything, ..CachedScope::default() };
        let context = cache.attend(index, query, key, value, step, &scope);
        self.out_proj.forward_added(context.reshape([rows, tokens, size]), residual)
    }
}

#[expect(clippy::upper_case_acronyms, reason = "transformers' name")]
#[derive(Module, Debug)]
struct GPTJMLP {
    fc_in: Linear,
    fc_out: Linear,
    act: ActivationLayer,
}
