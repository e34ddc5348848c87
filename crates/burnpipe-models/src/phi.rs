//! Phi, to version 2: attention and feed-forward side by side of one norm, and a part of each head rotated.
//!
//! Papers: <https://arxiv.org/abs/2306.11644>, <https://arxiv.org/abs/2309.05463>. Reference: `modeling_phi.py` of
//! transformers 4.56.2.
//!
//! Heads: causal LM, encoder, sequence classifier, token classifier.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::Result;
use burnpipe_nn::ops::{self, RotaryAngles, rotary};
use burnpipe_nn::{
    Activation, ActivationLayer, Architecture, BatchLayout, CachedScope, CausalLm, Embedding, Encoder, Heads,
    KvCache, LayerNorm, Linear, LoadContext, Placement, Rope, RopeConfig, RopeScaling, SequenceClassifier,
    TokenBatch, TokenClassifier, TokenStep, WeightNames, head_size, rotary_size,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "phi",
    heads: Heads {
        causal_lm: Some(|context| Ok(Box::new(load_causal_lm(context)?))),
        encoder: Some(|context| Ok(Box::new(load_encoder(context)?))),
        sequence_classifier: Some(|context| Ok(Box::new(load_sequence_classifier(context)?))),
        token_classifier: Some(|context| Ok(Box::new(load_token_classifier(context)?))),
        ..Heads::NONE
    },
};

/// config.json, with the defaults of `PhiConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct PhiConfig {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    hidden_act: String,
    max_position_embeddings: usize,
    layer_norm_eps: f64,
    tie_word_embeddings: bool,
    rope_theta: f64,
    rope_scaling: Option<RopeScaling>,
    partial_rotary_factor: f64,
    qk_layernorm: bool,
    pad_token_id: Option<u32>,
}

impl Default for PhiConfig {
    fn default() -> Self {
        Self {
            vocab_size: 51200,
            hidden_size: 2048,
            intermediate_size: 8192,
            num_hidden_layers: 24,
            num_attention_heads: 32,
            num_key_value_heads: None,
            head_dim: None,
            hidden_act: "gelu_new".into(),
            max_position_embeddings: 2048,
            layer_norm_eps: 1e-5,
            tie_word_embeddings: false,
            rope_theta: 10000.0,
            rope_scaling: None,
            partial_rotary_factor: 0.5,
            qk_layernorm: false,
            pad_token_id: None,
        }
    }
}

/// The angles that old checkpoints hold as buffers, and the heads beside the one that is read.
const IGNORED: &[&str] = &["rotary_emb.inv_freq", "lm_head", "score"];

fn names(is_base_model: bool) -> WeightNames {
    WeightNames { base_model_prefix: "model", is_base_model, renames: &[], ignored: IGNORED }
}

/// The output layer is the table of words if the config ties them; its bias is its own.
const TIED: &[(&str, &str)] = &[("lm_head.weight", "model.embed_tokens.weight")];

fn load_causal_lm(context: &LoadContext<'_>) -> Result<PhiForCausalLM> {
    let config: PhiConfig = context.checkpoint.config()?.parse()?;
    let model = PhiForCausalLM {
        model: PhiModel::new(&config, context.placement)?,
        lm_head: Linear::new(config.hidden_size, config.vocab_size, context.placement),
    };
    let renames = if config.tie_word_embeddings { TIED } else { &[] };
    context.fill(model, &WeightNames { renames, ..names(false) })
}

fn load_encoder(context: &LoadContext<'_>) -> Result<PhiModel> {
    let config = context.checkpoint.config()?.parse()?;
    context.fill(PhiModel::new(&config, context.placement)?, &names(true))
}

fn load_sequence_classifier(context: &LoadContext<'_>) -> Result<PhiForSequenceClassification> {
    let config: PhiConfig = context.checkpoint.config()?.parse()?;
    let model = PhiForSequenceClassification {
        model: PhiModel::new(&config, context.placement)?,
        score: Linear::with_bias(config.hidden_size, context.label_count()?, false, context.placement),
        pad_token_id: config.pad_token_id,
    };
    context.fill(model, &names(false))
}

fn load_token_classifier(context: &LoadContext<'_>) -> Result<PhiForTokenClassification> {
    let config: PhiConfig = context.checkpoint.config()?.parse()?;
    let model = PhiForTokenClassification {
        model: PhiModel::new(&config, context.placement)?,
        score: Linear::new(config.hidden_size, context.label_count()?, context.placement),
    };
    context.fill(model, &names(false))
}

/// The scores of what comes next.
#[derive(Module, Debug)]
struct PhiForCausalLM {
    model: PhiModel,
    lm_head: Linear,
}

impl CausalLm for PhiForCausalLM {
    fn cache(&self) -> KvCache {
        KvCache::new(self.model.layers.len())
    }

    fn positions(&self) -> Option<usize> {
        None
    }

    fn vocabulary(&self) -> usize {
        self.model.vocabulary
    }

    fn forward(&self, step: &TokenStep, cache: &mut KvCache) -> Result<Tensor<3>> {
        self.model.forward(step, cache)
    }

    fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.lm_head.forward(hidden)
    }
}

/// The scores of a whole text's labels, from its last token.
#[derive(Module, Debug)]
struct PhiForSequenceClassification {
    model: PhiModel,
    score: Linear,
    #[module(skip)]
    pad_token_id: Option<u32>,
}

impl SequenceClassifier for PhiForSequenceClassification {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<2>> {
        let hidden = batch.last_tokens_but(self.pad_token_id, self.model.read(batch)?);
        Ok(self.score.forward(hidden))
    }
}

/// The scores of every token's labels.
#[derive(Module, Debug)]
struct PhiForTokenClassification {
    model: PhiModel,
    score: Linear,
}

impl TokenClassifier for PhiForTokenClassification {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.score.forward(self.model.read(batch)?))
    }
}

#[derive(Module, Debug)]
struct PhiModel {
    embed_tokens: Embedding,
    layers: Vec<PhiDecoderLayer>,
    final_layernorm: LayerNorm,
    #[module(skip)]
    rope: Rope,
    #[module(skip)]
    vocabulary: usize,
}

impl PhiModel {
    fn new(config: &PhiConfig, placement: &Placement) -> Result<Self> {
        let heads = ("num_attention_heads", config.num_attention_heads);
        let key_heads = config.num_key_value_heads.unwrap_or(config.num_attention_heads);
        head_size(heads, ("num_key_value_heads", key_heads))?;
        let head_dim = match config.head_dim.filter(|&head_dim| head_dim > 0) {
            Some(head_dim) => head_dim,
            None => head_size(("hidden_size", config.hidden_size), heads)?,
        };
        let activation = Activation::from_name(&config.hidden_act)?;
        let layer = |_| PhiDecoderLayer::new(config, (head_dim, key_heads), activation, placement);
        Ok(Self {
            embed_tokens: Embedding::new(config.vocab_size, config.hidden_size, placement),
            layers: (0..config.num_hidden_layers).map(layer).collect(),
            final_layernorm: LayerNorm::new(config.hidden_size, config.layer_norm_eps, placement),
            rope: Rope::new(&RopeConfig {
                theta: config.rope_theta,
                size: rotary_size(
                    head_dim,
                    ("partial_rotary_factor", head_dim as f64 * config.partial_rotary_factor),
                )?,
                positions: config.max_position_embeddings,
                original_positions: None,
                scaling: config.rope_scaling.clone(),
            })?,
            vocabulary: config.vocab_size,
        })
    }

    fn forward(&self, step: &TokenStep, cache: &mut KvCache) -> Result<Tensor<3>> {
        step.check(self.vocabulary, None)?;
        let device = self.embed_tokens.device();
        let angles = self.rope.angles(step, &device);
        let embedded = self.embed_tokens.forward(step.input_ids(&device));
        let layers = self.layers.iter().enumerate();
        let hidden = layers.fold(embedded, |hidden, (index, layer)| {
            layer.forward(hidden, &angles, step, (index, &mut *cache))
        });
        Ok(self.final_layernorm.forward(hidden))
    }

    /// Whole texts that lie one after the other.
    fn read(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        let (step, mut cache) = TokenStep::whole(batch, KvCache::new(self.layers.len()));
        self.forward(&step, &mut cache)
    }
}

impl Encoder for PhiModel {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        self.read(batch)
    }
}

/// Attention and a feed-forward part of the same norm, both added to the layer's input.
#[derive(Module, Debug)]
struct PhiDecoderLayer {
    self_attn: PhiAttention,
    mlp: PhiMLP,
    input_layernorm: LayerNorm,
}

impl PhiDecoderLayer {
    fn new(
        config: &PhiConfig,
        (head_dim, key_heads): (usize, usize),
        activation: Activation,
        placement: &Placement,
    ) -> Self {
        let (size, inner) = (config.hidden_size, config.intermediate_size);
        let (queries, keys) = (config.num_attention_heads * head_dim, key_heads * head_dim);
        let norm = |size: usize| LayerNorm::new(size, config.layer_norm_eps, placement);
        Self {
            self_attn: PhiAttention {
                q_proj: Linear::new(size, queries, placement),
                k_proj: Linear::new(size, keys, placement),
                v_proj: Linear::new(size, keys, placement),
                dense: Linear::new(queries, size, placement),
                q_layernorm: config.qk_layernorm.then(|| norm(head_dim)),
                k_layernorm: config.qk_layernorm.then(|| norm(head_dim)),
                head_dim,
            },
            mlp: PhiMLP {
                fc1: Linear::new(size, inner, placement),
                fc2: Linear::new(inner, size, placement),
                activation_fn: ActivationLayer::new(activation, placement),
            },
            input_layernorm: norm(size),
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
        let attended = self.self_attn.forward_added(normed.clone(), hidden, angles, step, cache);
        let inner = self.mlp.fc1.forward_activated(normed, &self.mlp.activation_fn);
        self.mlp.fc2.forward_added(inner, attended)
    }
}

#[derive(Module, Debug)]
struct PhiAttention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    dense: Linear,
    /// Of each head's numbers, the same for all heads.
    q_layernorm: Option<LayerNorm>,
    k_layernorm: Option<LayerNorm>,
    #[module(skip)]
    head_dim: usize,
}

impl PhiAttention {
    /// Attention of `x`, added to `residual`.
    fn forward_added(
        &self,
        x: Tensor<3>,
        residual: Tensor<3>,
        angles: &RotaryAngles,
        step: &TokenStep,
        (index, cache): (usize, &mut KvCache),
    ) -> Tensor<3> {
        let [rows, tokens, _] = x.dims();
        let split = |x: Tensor<3>| {
            let heads = x.dims()[2] / self.head_dim;
            x.reshape([rows, tokens, heads, self.head_dim])
        };
        let [query, key, value] = ops::linear_each(x, [&self.q_proj, &self.k_proj, &self.v_proj]).map(split);
        let normed = |norm: &Option<LayerNorm>, x: Tensor<4>| match norm {
            Some(norm) => norm.forward(x),
            None => x,
        };
        let query = rotary(normed(&self.q_layernorm, query), angles);
        let key = rotary(normed(&self.k_layernorm, key), angles);
        let width = query.dims()[2] * self.head_dim;
        let context = cache.attend(index, query, key, value, step, &CachedScope::default());
        self.dense.forward_added(context.reshape([rows, tokens, width]), residual)
    }
}

#[derive(Module, Debug)]
struct PhiMLP {
    fc1: Linear,
    fc2: Linear,
    activation_fn: ActivationLayer,
}
