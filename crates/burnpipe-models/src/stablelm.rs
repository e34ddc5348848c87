//! StableLM, to version 2: LLaMA with layer norms and a part of each head rotated.
//!
//! Paper: <https://arxiv.org/abs/2402.17834>. Reference: `modeling_stablelm.py` of transformers 4.56.2.
//!
//! Heads: causal LM, encoder, sequence classifier, token classifier.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::Result;
use burnpipe_nn::ops::{self, RotaryAngles, rotary};
use burnpipe_nn::{
    Activation, Architecture, BatchLayout, Blind, CachedScope, CausalLm, Embedding, Encoder, GatedMlp, Heads,
    KvCache, LayerNorm, Linear, LoadContext, Placement, Rope, RopeConfig, RopeScaling, SequenceClassifier,
    TokenBatch, TokenClassifier, TokenStep, WeightNames, head_size, rotary_size,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "stablelm",
    heads: Heads {
        causal_lm: Some(|context| Ok(Box::new(load_causal_lm(context)?))),
        encoder: Some(|context| Ok(Box::new(load_encoder(context)?))),
        sequence_classifier: Some(|context| Ok(Box::new(load_sequence_classifier(context)?))),
        token_classifier: Some(|context| Ok(Box::new(load_token_classifier(context)?))),
        ..Heads::NONE
    },
};

/// config.json, with the defaults of `StableLmConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct StableLmConfig {
    vocab_size: usize,
    intermediate_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: usize,
    hidden_act: String,
    max_position_embeddings: usize,
    layer_norm_eps: f64,
    tie_word_embeddings: bool,
    rope_theta: f64,
    rope_scaling: Option<RopeScaling>,
    use_qkv_bias: bool,
    qk_layernorm: bool,
    use_parallel_residual: bool,
    partial_rotary_factor: f64,
    pad_token_id: Option<u32>,
}

impl Default for StableLmConfig {
    fn default() -> Self {
        Self {
            vocab_size: 50304,
            intermediate_size: 6912,
            hidden_size: 2560,
            num_hidden_layers: 32,
            num_attention_heads: 32,
            num_key_value_heads: 32,
            hidden_act: "silu".into(),
            max_position_embeddings: 4096,
            layer_norm_eps: 1e-5,
            tie_word_embeddings: false,
            rope_theta: 10000.0,
            rope_scaling: None,
            use_qkv_bias: false,
            qk_layernorm: false,
            use_parallel_residual: false,
            partial_rotary_factor: 0.25,
            pad_token_id: None,
        }
    }
}

/// The angles that old checkpoints hold as buffers, and the heads beside the one that is read.
const IGNORED: &[&str] = &["rotary_emb.inv_freq", "lm_head", "score"];

fn names(is_base_model: bool) -> WeightNames {
    WeightNames { base_model_prefix: "model", is_base_model, renames: &[], ignored: IGNORED }
}

/// The output layer is the table of words if the config ties them.
const TIED: &[(&str, &str)] = &[("lm_head.weight", "model.embed_tokens.weight")];

fn load_causal_lm(context: &LoadContext<'_>) -> Result<StableLmForCausalLM> {
    let config: StableLmConfig = context.checkpoint.config()?.parse()?;
    let model = StableLmForCausalLM {
        model: StableLmModel::new(&config, context.placement)?,
        lm_head: Linear::with_bias(config.hidden_size, config.vocab_size, false, context.placement),
    };
    let renames = if config.tie_word_embeddings { TIED } else { &[] };
    context.fill(model, &WeightNames { renames, ..names(false) })
}

fn load_encoder(context: &LoadContext<'_>) -> Result<StableLmModel> {
    let config = context.checkpoint.config()?.parse()?;
    context.fill(StableLmModel::new(&config, context.placement)?, &names(true))
}

fn load_sequence_classifier(context: &LoadContext<'_>) -> Result<StableLmForSequenceClassification> {
    let config: StableLmConfig = context.checkpoint.config()?.parse()?;
    let model = StableLmForSequenceClassification {
        model: StableLmModel::new(&config, context.placement)?,
        score: Linear::with_bias(config.hidden_size, context.label_count()?, false, context.placement),
        pad_token_id: config.pad_token_id,
    };
    context.fill(model, &names(false))
}

fn load_token_classifier(context: &LoadContext<'_>) -> Result<StableLmForTokenClassification> {
    let config: StableLmConfig = context.checkpoint.config()?.parse()?;
    let model = StableLmForTokenClassification {
        model: StableLmModel::new(&config, context.placement)?,
        score: Linear::new(config.hidden_size, context.label_count()?, context.placement),
    };
    context.fill(model, &names(false))
}

/// The scores of what comes next.
#[derive(Module, Debug)]
struct StableLmForCausalLM {
    model: StableLmModel,
    lm_head: Linear,
}

impl CausalLm for StableLmForCausalLM {
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
struct StableLmForSequenceClassification {
    model: StableLmModel,
    score: Linear,
    #[module(skip)]
    pad_token_id: Option<u32>,
}

impl SequenceClassifier for StableLmForSequenceClassification {
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
struct StableLmForTokenClassification {
    model: StableLmModel,
    score: Linear,
}

impl TokenClassifier for StableLmForTokenClassification {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.score.forward(self.model.read(batch)?))
    }
}

#[derive(Module, Debug)]
struct StableLmModel {
    embed_tokens: Embedding,
    layers: Vec<StableLmDecoderLayer>,
    norm: LayerNorm,
    #[module(skip)]
    rope: Rope,
    #[module(skip)]
    vocabulary: usize,
}

impl StableLmModel {
    fn new(config: &StableLmConfig, placement: &Placement) -> Result<Self> {
        let (size, heads) = (config.hidden_size, ("num_attention_heads", config.num_attention_heads));
        let head_dim = head_size(("hidden_size", size), heads)?;
        head_size(heads, ("num_key_value_heads", config.num_key_value_heads))?;
        let activation = Activation::from_name(&config.hidden_act)?;
        let layer = |_| StableLmDecoderLayer::new(config, head_dim, activation, placement);
        Ok(Self {
            embed_tokens: Embedding::new(config.vocab_size, size, placement),
            layers: (0..config.num_hidden_layers).map(layer).collect(),
            norm: LayerNorm::new(size, config.layer_norm_eps, placement),
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
        Ok(self.norm.forward(hidden))
    }

    /// Whole texts that lie one after the other.
    fn read(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        let (step, mut cache) = TokenStep::whole(batch, KvCache::new(self.layers.len()));
        self.forward(&step, &mut cache)
    }
}

impl Encoder for StableLmModel {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        self.read(batch)
    }
}

/// Attention, then a feed-forward part with a norm of its own; or both of one norm, side by side.
#[derive(Module, Debug)]
struct StableLmDecoderLayer {
    self_attn: StableLmAttention,
    mlp: GatedMlp,
    input_layernorm: LayerNorm,
    post_attention_layernorm: Option<LayerNorm>,
}

impl StableLmDecoderLayer {
    fn new(config: &StableLmConfig, head_dim: usize, activation: Activation, placement: &Placement) -> Self {
        let size = config.hidden_size;
        let (heads, key_heads) = (config.num_attention_heads, config.num_key_value_heads);
        let projection =
            |heads: usize| Linear::with_bias(size, heads * head_dim, config.use_qkv_bias, placement);
        let norm = || LayerNorm::new(size, config.layer_norm_eps, placement);
        let norms = |heads: usize| {
            config.qk_layernorm.then(|| StableLmLayerNormPerHead::new(heads, head_dim, config, placement))
        };
        Self {
            self_attn: StableLmAttention {
                q_proj: projection(heads),
                k_proj: projection(key_heads),
                v_proj: projection(key_heads),
                o_proj: Linear::with_bias(size, size, false, placement),
                q_layernorm: norms(heads),
                k_layernorm: norms(key_heads),
                head_dim,
            },
            mlp: GatedMlp::new((size, config.intermediate_size), false, activation, placement),
            input_layernorm: norm(),
            post_attention_layernorm: (!config.use_parallel_residual).then(norm),
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
        let normed = match &self.post_attention_layernorm {
            Some(norm) => norm.forward(attended.clone()),
            None => normed,
        };
        self.mlp.forward_added(normed, attended)
    }
}

#[derive(Module, Debug)]
struct StableLmAttention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    o_proj: Linear,
    q_layernorm: Option<StableLmLayerNormPerHead>,
    k_layernorm: Option<StableLmLayerNormPerHead>,
    #[module(skip)]
    head_dim: usize,
}

impl StableLmAttention {
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
        let split = |x: Tensor<3>| {
            let heads = x.dims()[2] / self.head_dim;
            x.reshape([rows, tokens, heads, self.head_dim])
        };
        let [query, key, value] = ops::linear_each(x, [&self.q_proj, &self.k_proj, &self.v_proj]).map(split);
        let normed = |norms: &Option<StableLmLayerNormPerHead>, x: Tensor<4>| match norms {
            Some(norms) => norms.forward(x),
            None => x,
        };
        let query = rotary(normed(&self.q_layernorm, query), angles);
        let key = rotary(normed(&self.k_layernorm, key), angles);
        let scope = CachedScope { blind: Blind::Everything, ..CachedScope::default() };
        let context = cache.attend(index, query, key, value, step, &scope);
        self.o_proj.forward_added(context.reshape([rows, tokens, size]), residual)
    }
}

/// A norm of the numbers of every head, each with its own weights.
#[derive(Module, Debug)]
struct StableLmLayerNormPerHead {
    norms: Vec<LayerNorm>,
}

impl StableLmLayerNormPerHead {
    fn new(heads: usize, head_dim: usize, config: &StableLmConfig, placement: &Placement) -> Self {
        let norm = |_| LayerNorm::with_bias(head_dim, config.layer_norm_eps, false, placement);
        Self { norms: (0..heads).map(norm).collect() }
    }

    /// # Shapes
    ///
    /// - `x` and the result: `[rows, tokens, heads, head_dim]`
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let norms = self.norms.iter().enumerate();
        let heads = norms.map(|(head, norm)| norm.forward(x.clone().narrow(2, head, 1)));
        Tensor::cat(heads.collect(), 2)
    }
}
