//! GPT-NeoX and Pythia: attention and feed-forward side by side, and a part of each head rotated.
//!
//! Papers: <https://arxiv.org/abs/2204.06745>, <https://arxiv.org/abs/2304.01373>. Reference:
//! `modeling_gpt_neox.py` of transformers 4.56.2.
//!
//! Heads: causal LM, encoder, question answerer, sequence classifier, token classifier.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::Result;
use burnpipe_nn::ops::{RotaryAngles, rotary};
use burnpipe_nn::{
    Activation, ActivationLayer, Architecture, BatchLayout, CachedScope, CausalLm, Embedding, Encoder, Heads,
    KvCache, LayerNorm, Linear, LoadContext, Placement, QuestionAnswerer, Rope, RopeConfig, RopeScaling,
    SequenceClassifier, TokenBatch, TokenClassifier, TokenStep, WeightNames, head_size, rotary_size,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "gpt_neox",
    heads: Heads {
        causal_lm: Some(|context| Ok(Box::new(load_causal_lm(context)?))),
        encoder: Some(|context| Ok(Box::new(load_encoder(context)?))),
        question_answerer: Some(|context| Ok(Box::new(load_question_answerer(context)?))),
        sequence_classifier: Some(|context| Ok(Box::new(load_sequence_classifier(context)?))),
        token_classifier: Some(|context| Ok(Box::new(load_token_classifier(context)?))),
        ..Heads::NONE
    },
};

/// config.json, with the defaults of `GPTNeoXConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct GPTNeoXConfig {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    hidden_act: String,
    rotary_pct: f64,
    rotary_emb_base: f64,
    max_position_embeddings: usize,
    layer_norm_eps: f64,
    tie_word_embeddings: bool,
    use_parallel_residual: bool,
    rope_scaling: Option<RopeScaling>,
    attention_bias: bool,
    pad_token_id: Option<u32>,
}

impl Default for GPTNeoXConfig {
    fn default() -> Self {
        Self {
            vocab_size: 50432,
            hidden_size: 6144,
            num_hidden_layers: 44,
            num_attention_heads: 64,
            intermediate_size: 24576,
            hidden_act: "gelu".into(),
            rotary_pct: 0.25,
            rotary_emb_base: 10000.0,
            max_position_embeddings: 2048,
            layer_norm_eps: 1e-5,
            tie_word_embeddings: false,
            use_parallel_residual: true,
            rope_scaling: None,
            attention_bias: true,
            pad_token_id: None,
        }
    }
}

/// The masks and angles that old checkpoints hold as buffers, and the heads beside the one that is read.
const IGNORED: &[&str] = &[
    "attention.bias",
    "attention.masked_bias",
    "rotary_emb.inv_freq",
    "embed_out",
    "score",
    "classifier",
    "qa_outputs",
];

fn names(is_base_model: bool) -> WeightNames {
    WeightNames { base_model_prefix: "gpt_neox", is_base_model, renames: &[], ignored: IGNORED }
}

/// The output layer is the table of words if the config ties them.
const TIED: &[(&str, &str)] = &[("embed_out.weight", "gpt_neox.embed_in.weight")];

fn load_causal_lm(context: &LoadContext<'_>) -> Result<GPTNeoXForCausalLM> {
    let config: GPTNeoXConfig = context.checkpoint.config()?.parse()?;
    let model = GPTNeoXForCausalLM {
        gpt_neox: GPTNeoXModel::new(&config, context.placement)?,
        embed_out: Linear::with_bias(config.hidden_size, config.vocab_size, false, context.placement),
    };
    let renames = if config.tie_word_embeddings { TIED } else { &[] };
    context.fill(model, &WeightNames { renames, ..names(false) })
}

fn load_encoder(context: &LoadContext<'_>) -> Result<GPTNeoXModel> {
    let config = context.checkpoint.config()?.parse()?;
    context.fill(GPTNeoXModel::new(&config, context.placement)?, &names(true))
}

fn load_question_answerer(context: &LoadContext<'_>) -> Result<GPTNeoXForQuestionAnswering> {
    let config: GPTNeoXConfig = context.checkpoint.config()?.parse()?;
    let model = GPTNeoXForQuestionAnswering {
        gpt_neox: GPTNeoXModel::new(&config, context.placement)?,
        qa_outputs: Linear::new(config.hidden_size, 2, context.placement),
    };
    context.fill(model, &names(false))
}

fn load_sequence_classifier(context: &LoadContext<'_>) -> Result<GPTNeoXForSequenceClassification> {
    let config: GPTNeoXConfig = context.checkpoint.config()?.parse()?;
    let model = GPTNeoXForSequenceClassification {
        gpt_neox: GPTNeoXModel::new(&config, context.placement)?,
        score: Linear::with_bias(config.hidden_size, context.label_count()?, false, context.placement),
        pad_token_id: config.pad_token_id,
    };
    context.fill(model, &names(false))
}

fn load_token_classifier(context: &LoadContext<'_>) -> Result<GPTNeoXForTokenClassification> {
    let config: GPTNeoXConfig = context.checkpoint.config()?.parse()?;
    let model = GPTNeoXForTokenClassification {
        gpt_neox: GPTNeoXModel::new(&config, context.placement)?,
        classifier: Linear::new(config.hidden_size, context.label_count()?, context.placement),
    };
    context.fill(model, &names(false))
}

/// The scores of what comes next.
#[derive(Module, Debug)]
struct GPTNeoXForCausalLM {
    gpt_neox: GPTNeoXModel,
    embed_out: Linear,
}

impl CausalLm for GPTNeoXForCausalLM {
    fn cache(&self) -> KvCache {
        KvCache::new(self.gpt_neox.layers.len())
    }

    fn positions(&self) -> Option<usize> {
        None
    }

    fn vocabulary(&self) -> usize {
        self.gpt_neox.vocabulary
    }

    fn forward(&self, step: &TokenStep, cache: &mut KvCache) -> Result<Tensor<3>> {
        self.gpt_neox.forward(step, cache)
    }

    fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.embed_out.forward(hidden)
    }
}

/// The scores of every token as the start and the end of an answer.
#[derive(Module, Debug)]
struct GPTNeoXForQuestionAnswering {
    gpt_neox: GPTNeoXModel,
    qa_outputs: Linear,
}

impl QuestionAnswerer for GPTNeoXForQuestionAnswering {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.qa_outputs.forward(self.gpt_neox.read(batch)?))
    }
}

/// The scores of a whole text's labels, from its last token.
#[derive(Module, Debug)]
struct GPTNeoXForSequenceClassification {
    gpt_neox: GPTNeoXModel,
    score: Linear,
    #[module(skip)]
    pad_token_id: Option<u32>,
}

impl SequenceClassifier for GPTNeoXForSequenceClassification {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<2>> {
        let hidden = batch.last_tokens_but(self.pad_token_id, self.gpt_neox.read(batch)?);
        Ok(self.score.forward(hidden))
    }
}

/// The scores of every token's labels.
#[derive(Module, Debug)]
struct GPTNeoXForTokenClassification {
    gpt_neox: GPTNeoXModel,
    classifier: Linear,
}

impl TokenClassifier for GPTNeoXForTokenClassification {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.classifier.forward(self.gpt_neox.read(batch)?))
    }
}

#[derive(Module, Debug)]
struct GPTNeoXModel {
    embed_in: Embedding,
    layers: Vec<GPTNeoXLayer>,
    final_layer_norm: LayerNorm,
    #[module(skip)]
    rope: Rope,
    #[module(skip)]
    vocabulary: usize,
}

impl GPTNeoXModel {
    fn new(config: &GPTNeoXConfig, placement: &Placement) -> Result<Self> {
        let size = config.hidden_size;
        let head_dim = head_size(("hidden_size", size), ("num_attention_heads", config.num_attention_heads))?;
        let activation = Activation::from_name(&config.hidden_act)?;
        let layer = |_| GPTNeoXLayer::new(config, head_dim, activation, placement);
        Ok(Self {
            embed_in: Embedding::new(config.vocab_size, size, placement),
            layers: (0..config.num_hidden_layers).map(layer).collect(),
            final_layer_norm: LayerNorm::new(size, config.layer_norm_eps, placement),
            rope: Rope::new(&RopeConfig {
                theta: config.rotary_emb_base,
                size: rotary_size(head_dim, ("rotary_pct", head_dim as f64 * config.rotary_pct))?,
                positions: config.max_position_embeddings,
                original_positions: None,
                scaling: config.rope_scaling.clone(),
            })?,
            vocabulary: config.vocab_size,
        })
    }

    fn forward(&self, step: &TokenStep, cache: &mut KvCache) -> Result<Tensor<3>> {
        step.check(self.vocabulary, None)?;
        let device = self.embed_in.device();
        let angles = self.rope.angles(step, &device);
        let embedded = self.embed_in.forward(step.input_ids(&device));
        let layers = self.layers.iter().enumerate();
        let hidden = layers.fold(embedded, |hidden, (index, layer)| {
            layer.forward(hidden, &angles, step, (index, &mut *cache))
        });
        Ok(self.final_layer_norm.forward(hidden))
    }

    /// Whole texts that lie one after the other.
    fn read(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        let (step, mut cache) = TokenStep::whole(batch, KvCache::new(self.layers.len()));
        self.forward(&step, &mut cache)
    }
}

impl Encoder for GPTNeoXModel {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        self.read(batch)
    }
}

/// Attention and a feed-forward part, each of a norm of the layer's input, or one after the other.
#[derive(Module, Debug)]
struct GPTNeoXLayer {
    input_layernorm: LayerNorm,
    post_attention_layernorm: LayerNorm,
    attention: GPTNeoXAttention,
    mlp: GPTNeoXMLP,
    #[module(skip)]
    use_parallel_residual: bool,
}

impl GPTNeoXLayer {
    fn new(config: &GPTNeoXConfig, head_dim: usize, activation: Activation, placement: &Placement) -> Self {
        let (size, inner, bias) = (config.hidden_size, config.intermediate_size, config.attention_bias);
        let norm = || LayerNorm::new(size, config.layer_norm_eps, placement);
        Self {
            input_layernorm: norm(),
            post_attention_layernorm: norm(),
            attention: GPTNeoXAttention {
                query_key_value: Linear::with_bias(size, 3 * size, bias, placement),
                dense: Linear::with_bias(size, size, bias, placement),
                head_dim,
            },
            mlp: GPTNeoXMLP {
                dense_h_to_4h: Linear::new(size, inner, placement),
                dense_4h_to_h: Linear::new(inner, size, placement),
                act: ActivationLayer::new(activation, placement),
            },
            use_parallel_residual: config.use_parallel_residual,
        }
    }

    fn forward(
        &self,
        hidden: Tensor<3>,
        angles: &RotaryAngles,
        step: &TokenStep,
        cache: (usize, &mut KvCache),
    ) -> Tensor<3> {
        let normed = self.input_layernorm.forward(hidden.clone());
        let attended = self.attention.forward_added(normed, hidden.clone(), angles, step, cache);
        let input = if self.use_parallel_residual { hidden } else { attended.clone() };
        let normed = self.post_attention_layernorm.forward(input);
        let inner = self.mlp.dense_h_to_4h.forward_activated(normed, &self.mlp.act);
        self.mlp.dense_4h_to_h.forward_added(inner, attended)
    }
}

#[derive(Module, Debug)]
struct GPTNeoXAttention {
    /// Query, key and value of the first head, then of the second, and so on.
    query_key_value: Linear,
    dense: Linear,
    #[module(skip)]
    head_dim: usize,
}

impl GPTNeoXAttention {
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
        let joined = self.query_key_value.forward(x);
        let joined = joined.reshape([rows, tokens, size / self.head_dim, 3 * self.head_dim]);
        let part = |at: usize| joined.clone().narrow(3, at * self.head_dim, self.head_dim);
        let (query, key) = (rotary(part(0), angles), rotary(part(1), angles));
        let context = cache.attend(index, query, key, part(2), step, &CachedScope::default());
        self.dense.forward_added(context.reshape([rows, tokens, size]), residual)
    }
}

#[derive(Module, Debug)]
struct GPTNeoXMLP {
    dense_h_to_4h: Linear,
    dense_4h_to_h: Linear,
    act: ActivationLayer,
}
