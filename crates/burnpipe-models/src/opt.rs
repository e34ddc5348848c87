//! OPT: a decoder with learned positions, whose table begins with two rows that nothing uses.
//!
//! Paper: <https://arxiv.org/abs/2205.01068>. Reference: `modeling_opt.py` of transformers 4.56.2.
//!
//! Heads: causal LM, encoder, question answerer, sequence classifier.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::Result;
use burnpipe_nn::{
    Activation, ActivationLayer, Architecture, BatchLayout, Blind, CachedScope, CausalLm, Embedding, Encoder,
    Heads, KvCache, LayerNorm, Linear, LoadContext, Placement, QuestionAnswerer, SequenceClassifier,
    TokenBatch, TokenStep, WeightNames, head_size, ops,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "opt",
    heads: Heads {
        causal_lm: Some(|context| Ok(Box::new(load_causal_lm(context)?))),
        encoder: Some(|context| Ok(Box::new(load_encoder(context)?))),
        question_answerer: Some(|context| Ok(Box::new(load_question_answerer(context)?))),
        sequence_classifier: Some(|context| Ok(Box::new(load_sequence_classifier(context)?))),
        ..Heads::NONE
    },
};

/// The first row of the table of positions that a token has.
const POSITION_OFFSET: usize = 2;
/// Of all norms; no config changes it.
const EPSILON: f64 = 1e-5;

/// config.json, with the defaults of `OPTConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct OPTConfig {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    ffn_dim: usize,
    max_position_embeddings: usize,
    do_layer_norm_before: bool,
    /// For models that were fine-tuned before the last norm was there.
    _remove_final_layer_norm: bool,
    word_embed_proj_dim: Option<usize>,
    num_attention_heads: usize,
    activation_function: String,
    pad_token_id: Option<u32>,
    enable_bias: bool,
    layer_norm_elementwise_affine: bool,
    tie_word_embeddings: bool,
}

impl Default for OPTConfig {
    fn default() -> Self {
        Self {
            vocab_size: 50272,
            hidden_size: 768,
            num_hidden_layers: 12,
            ffn_dim: 3072,
            max_position_embeddings: 2048,
            do_layer_norm_before: true,
            _remove_final_layer_norm: false,
            word_embed_proj_dim: None,
            num_attention_heads: 12,
            activation_function: "relu".into(),
            pad_token_id: Some(1),
            enable_bias: true,
            layer_norm_elementwise_affine: true,
            tie_word_embeddings: true,
        }
    }
}

impl OPTConfig {
    /// The size of words, which the model's outputs have too.
    fn word_size(&self) -> usize {
        self.word_embed_proj_dim.unwrap_or(self.hidden_size)
    }
}

/// The heads beside the one that is read.
const IGNORED: &[&str] = &["lm_head", "score", "qa_outputs"];

fn names(is_base_model: bool) -> WeightNames {
    WeightNames { base_model_prefix: "model", is_base_model, renames: &[], ignored: IGNORED }
}

/// The output layer is the table of words unless the config unties them.
const TIED: &[(&str, &str)] = &[("lm_head.weight", "model.decoder.embed_tokens.weight")];

fn load_causal_lm(context: &LoadContext<'_>) -> Result<OPTForCausalLM> {
    let config: OPTConfig = context.checkpoint.config()?.parse()?;
    let model = OPTForCausalLM {
        model: OPTModel::new(&config, context.placement)?,
        lm_head: Linear::with_bias(config.word_size(), config.vocab_size, false, context.placement),
    };
    let renames = if config.tie_word_embeddings { TIED } else { &[] };
    context.fill(model, &WeightNames { renames, ..names(false) })
}

fn load_encoder(context: &LoadContext<'_>) -> Result<OPTModel> {
    let config = context.checkpoint.config()?.parse()?;
    context.fill(OPTModel::new(&config, context.placement)?, &names(true))
}

fn load_question_answerer(context: &LoadContext<'_>) -> Result<OPTForQuestionAnswering> {
    let config: OPTConfig = context.checkpoint.config()?.parse()?;
    let model = OPTForQuestionAnswering {
        model: OPTModel::new(&config, context.placement)?,
        qa_outputs: Linear::new(config.word_size(), 2, context.placement),
    };
    context.fill(model, &names(false))
}

fn load_sequence_classifier(context: &LoadContext<'_>) -> Result<OPTForSequenceClassification> {
    let config: OPTConfig = context.checkpoint.config()?.parse()?;
    let model = OPTForSequenceClassification {
        model: OPTModel::new(&config, context.placement)?,
        score: Linear::with_bias(config.word_size(), context.label_count()?, false, context.placement),
        pad_token_id: config.pad_token_id,
    };
    context.fill(model, &names(false))
}

/// The scores of what comes next.
#[derive(Module, Debug)]
struct OPTForCausalLM {
    model: OPTModel,
    lm_head: Linear,
}

impl CausalLm for OPTForCausalLM {
    fn cache(&self) -> KvCache {
        KvCache::new(self.model.decoder.layers.len())
    }

    fn positions(&self) -> Option<usize> {
        Some(self.model.decoder.positions)
    }

    fn vocabulary(&self) -> usize {
        self.model.decoder.vocabulary
    }

    fn forward(&self, step: &TokenStep, cache: &mut KvCache) -> Result<Tensor<3>> {
        self.model.decoder.forward(step, cache)
    }

    fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.lm_head.forward(hidden)
    }
}

/// The scores of every token as the start and the end of an answer.
#[derive(Module, Debug)]
struct OPTForQuestionAnswering {
    model: OPTModel,
    qa_outputs: Linear,
}

impl QuestionAnswerer for OPTForQuestionAnswering {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.qa_outputs.forward(self.model.decoder.read(batch)?))
    }
}

/// The scores of a whole text's labels, from its last token.
#[derive(Module, Debug)]
struct OPTForSequenceClassification {
    model: OPTModel,
    score: Linear,
    #[module(skip)]
    pad_token_id: Option<u32>,
}

impl SequenceClassifier for OPTForSequenceClassification {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<2>> {
        let hidden = batch.last_tokens_but(self.pad_token_id, self.model.decoder.read(batch)?);
        Ok(self.score.forward(hidden))
    }
}

#[derive(Module, Debug)]
struct OPTModel {
    decoder: OPTDecoder,
}

impl OPTModel {
    fn new(config: &OPTConfig, placement: &Placement) -> Result<Self> {
        Ok(Self { decoder: OPTDecoder::new(config, placement)? })
    }
}

impl Encoder for OPTModel {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        self.decoder.read(batch)
    }
}

#[derive(Module, Debug)]
struct OPTDecoder {
    embed_tokens: Embedding,
    embed_positions: Embedding,
    /// To and from the size of the layers, where words have another.
    project_in: Option<Linear>,
    project_out: Option<Linear>,
    final_layer_norm: Option<OPTNorm>,
    layers: Vec<OPTDecoderLayer>,
    #[module(skip)]
    vocabulary: usize,
    #[module(skip)]
    positions: usize,
}

impl OPTDecoder {
    fn new(config: &OPTConfig, placement: &Placement) -> Result<Self> {
        let (size, word_size, positions) =
            (config.hidden_size, config.word_size(), config.max_position_embeddings);
        let head_dim = head_size(("hidden_size", size), ("num_attention_heads", config.num_attention_heads))?;
        let activation = Activation::from_name(&config.activation_function)?;
        let layer = |_| OPTDecoderLayer::new(config, head_dim, activation, placement);
        let projected = word_size != size;
        let has_norm = config.do_layer_norm_before && !config._remove_final_layer_norm;
        Ok(Self {
            embed_tokens: Embedding::new(config.vocab_size, word_size, placement),
            embed_positions: Embedding::new(positions.saturating_add(POSITION_OFFSET), size, placement),
            project_in: projected.then(|| Linear::with_bias(word_size, size, false, placement)),
            project_out: projected.then(|| Linear::with_bias(size, word_size, false, placement)),
            final_layer_norm: has_norm.then(|| OPTNorm::new(config, placement)),
            layers: (0..config.num_hidden_layers).map(layer).collect(),
            vocabulary: config.vocab_size,
            positions,
        })
    }

    fn forward(&self, step: &TokenStep, cache: &mut KvCache) -> Result<Tensor<3>> {
        step.check(self.vocabulary, Some(self.positions))?;
        let device = self.embed_tokens.device();
        let words = self.embed_tokens.forward(step.input_ids(&device));
        let words = projected(&self.project_in, words);
        let positions =
            step.positions_of_seen().into_iter().map(|position| position + POSITION_OFFSET as i32);
        let positions = self.embed_positions.forward(step.to_device(positions.collect(), &device));
        let layers = self.layers.iter().enumerate();
        let hidden = layers.fold(words + positions, |hidden, (index, layer)| {
            layer.forward(hidden, step, (index, &mut *cache))
        });
        let hidden = match &self.final_layer_norm {
            Some(norm) => norm.forward(hidden),
            None => hidden,
        };
        Ok(projected(&self.project_out, hidden))
    }

    /// Whole texts that lie one after the other.
    fn read(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        let (step, mut cache) = TokenStep::whole(batch, KvCache::new(self.layers.len()));
        self.forward(&step, &mut cache)
    }
}

/// A layer that need not be there.
fn projected(layer: &Option<Linear>, x: Tensor<3>) -> Tensor<3> {
    match layer {
        Some(layer) => layer.forward(x),
        None => x,
    }
}

/// Attention, then a feed-forward part, each added to its input; a norm before each, or after.
#[derive(Module, Debug)]
struct OPTDecoderLayer {
    self_attn: OPTAttention,
    activation_fn: ActivationLayer,
    self_attn_layer_norm: OPTNorm,
    fc1: Linear,
    fc2: Linear,
    final_layer_norm: OPTNorm,
    #[module(skip)]
    do_layer_norm_before: bool,
}

impl OPTDecoderLayer {
    fn new(config: &OPTConfig, head_dim: usize, activation: Activation, placement: &Placement) -> Self {
        let (size, inner, bias) = (config.hidden_size, config.ffn_dim, config.enable_bias);
        let projection = || Linear::with_bias(size, size, bias, placement);
        Self {
            self_attn: OPTAttention {
                k_proj: projection(),
                v_proj: projection(),
                q_proj: projection(),
                out_proj: projection(),
                head_dim,
            },
            activation_fn: ActivationLayer::new(activation, placement),
            self_attn_layer_norm: OPTNorm::new(config, placement),
            fc1: Linear::with_bias(size, inner, bias, placement),
            fc2: Linear::with_bias(inner, size, bias, placement),
            final_layer_norm: OPTNorm::new(config, placement),
            do_layer_norm_before: config.do_layer_norm_before,
        }
    }

    fn forward(&self, hidden: Tensor<3>, step: &TokenStep, cache: (usize, &mut KvCache)) -> Tensor<3> {
        if self.do_layer_norm_before {
            let normed = self.self_attn_layer_norm.forward(hidden.clone());
            let hidden = self.self_attn.forward_added(normed, hidden, step, cache);
            let normed = self.final_layer_norm.forward(hidden.clone());
            self.feed_forward_added(normed, hidden)
        } else {
            let attended = self.self_attn.forward_added(hidden.clone(), hidden, step, cache);
            let hidden = self.self_attn_layer_norm.forward(attended);
            self.final_layer_norm.forward(self.feed_forward_added(hidden.clone(), hidden))
        }
    }

    fn feed_forward_added(&self, x: Tensor<3>, residual: Tensor<3>) -> Tensor<3> {
        self.fc2.forward_added(self.fc1.forward_activated(x, &self.activation_fn), residual)
    }
}

#[derive(Module, Debug)]
struct OPTAttention {
    k_proj: Linear,
    v_proj: Linear,
    q_proj: Linear,
    out_proj: Linear,
    #[module(skip)]
    head_dim: usize,
}

impl OPTAttention {
    /// Attention of `x`, added to `residual`.
    fn forward_added(
        &self,
        x: Tensor<3>,
        residual: Tensor<3>,
        step: &TokenStep,
        (index, cache): (usize, &mut KvCache),
    ) -> Tensor<3> {
        let [rows, tokens, size] = x.dims();
        let split = |x: Tensor<3>| x.reshape([rows, tokens, size / self.head_dim, self.head_dim]);
        let [query, key, value] = ops::linear_each(x, [&self.q_proj, &self.k_proj, &self.v_proj]).map(split);
        let scope = CachedScope { blind: Blind::Everything, ..CachedScope::default() };
        let context = cache.attend(index, query, key, value, step, &scope);
        self.out_proj.forward_added(context.reshape([rows, tokens, size]), residual)
    }
}

/// A norm with parameters, or without any.
#[derive(Module, Debug)]
enum OPTNorm {
    Affine(LayerNorm),
    Plain(PlainNorm),
}

/// A norm without parameters.
#[derive(Module, Debug)]
struct PlainNorm {
    #[module(skip)]
    size: usize,
}

impl OPTNorm {
    fn new(config: &OPTConfig, placement: &Placement) -> Self {
        let size = config.hidden_size;
        match config.layer_norm_elementwise_affine {
            true => Self::Affine(LayerNorm::new(size, EPSILON, placement)),
            false => Self::Plain(PlainNorm { size }),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        match self {
            Self::Affine(norm) => norm.forward(x),
            Self::Plain(norm) => {
                let ones = Tensor::ones([norm.size], (&x.device(), x.dtype()));
                ops::layer_norm(x, ones, None, EPSILON)
            }
        }
    }
}
