//! BLOOM: a decoder without positions, whose scores fall by distance (ALiBi).
//!
//! Paper: <https://arxiv.org/abs/2211.05100>. Reference: `modeling_bloom.py` of transformers 4.56.2, whose attention
//! is its own.
//!
//! Heads: causal LM, encoder, question answerer, sequence classifier, token classifier.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_nn::{
    Activation, ActivationLayer, Architecture, BatchLayout, Blind, CachedScope, CausalLm, Embedding, Encoder,
    Heads, KvCache, LayerNorm, Linear, LoadContext, Placement, QuestionAnswerer, SequenceClassifier,
    TokenBatch, TokenClassifier, TokenStep, WeightNames, alibi, alibi_slopes, head_size,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "bloom",
    heads: Heads {
        causal_lm: Some(|context| Ok(Box::new(load_causal_lm(context)?))),
        encoder: Some(|context| Ok(Box::new(load_encoder(context)?))),
        question_answerer: Some(|context| Ok(Box::new(load_question_answerer(context)?))),
        sequence_classifier: Some(|context| Ok(Box::new(load_sequence_classifier(context)?))),
        token_classifier: Some(|context| Ok(Box::new(load_token_classifier(context)?))),
        ..Heads::NONE
    },
};

/// config.json, with the defaults of `BloomConfig`. Some of its files have a key under both of its names; then the
/// second one is meant.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct BloomConfig {
    vocab_size: usize,
    hidden_size: usize,
    n_embed: Option<usize>,
    n_layer: usize,
    num_hidden_layers: Option<usize>,
    n_head: usize,
    num_attention_heads: Option<usize>,
    layer_norm_epsilon: f64,
    apply_residual_connection_post_layernorm: bool,
    pretraining_tp: usize,
    slow_but_exact: bool,
    pad_token_id: Option<u32>,
    tie_word_embeddings: bool,
}

impl Default for BloomConfig {
    fn default() -> Self {
        Self {
            vocab_size: 250880,
            hidden_size: 64,
            n_embed: None,
            n_layer: 2,
            num_hidden_layers: None,
            n_head: 8,
            num_attention_heads: None,
            layer_norm_epsilon: 1e-5,
            apply_residual_connection_post_layernorm: false,
            pretraining_tp: 1,
            slow_but_exact: false,
            pad_token_id: None,
            tie_word_embeddings: true,
        }
    }
}

impl BloomConfig {
    fn size(&self) -> usize {
        self.n_embed.unwrap_or(self.hidden_size)
    }
}

/// The heads beside the one that is read.
const IGNORED: &[&str] = &["lm_head", "score", "classifier", "qa_outputs"];

fn names(is_base_model: bool) -> WeightNames {
    WeightNames { base_model_prefix: "transformer", is_base_model, renames: &[], ignored: IGNORED }
}

/// The output layer is the table of words unless the config unties them.
const TIED: &[(&str, &str)] = &[("lm_head.weight", "transformer.word_embeddings.weight")];

fn load_causal_lm(context: &LoadContext<'_>) -> Result<BloomForCausalLM> {
    let config: BloomConfig = context.checkpoint.config()?.parse()?;
    let model = BloomForCausalLM {
        transformer: BloomModel::new(&config, context.placement)?,
        lm_head: Linear::with_bias(config.size(), config.vocab_size, false, context.placement),
    };
    let renames = if config.tie_word_embeddings { TIED } else { &[] };
    context.fill(model, &WeightNames { renames, ..names(false) })
}

fn load_encoder(context: &LoadContext<'_>) -> Result<BloomModel> {
    let config = context.checkpoint.config()?.parse()?;
    context.fill(BloomModel::new(&config, context.placement)?, &names(true))
}

fn load_question_answerer(context: &LoadContext<'_>) -> Result<BloomForQuestionAnswering> {
    let config: BloomConfig = context.checkpoint.config()?.parse()?;
    let model = BloomForQuestionAnswering {
        transformer: BloomModel::new(&config, context.placement)?,
        qa_outputs: Linear::new(config.size(), 2, context.placement),
    };
    context.fill(model, &names(false))
}

fn load_sequence_classifier(context: &LoadContext<'_>) -> Result<BloomForSequenceClassification> {
    let config: BloomConfig = context.checkpoint.config()?.parse()?;
    let model = BloomForSequenceClassification {
        transformer: BloomModel::new(&config, context.placement)?,
        score: Linear::with_bias(config.size(), context.label_count()?, false, context.placement),
        pad_token_id: config.pad_token_id,
    };
    context.fill(model, &names(false))
}

fn load_token_classifier(context: &LoadContext<'_>) -> Result<BloomForTokenClassification> {
    let config: BloomConfig = context.checkpoint.config()?.parse()?;
    let model = BloomForTokenClassification {
        transformer: BloomModel::new(&config, context.placement)?,
        classifier: Linear::new(config.size(), context.label_count()?, context.placement),
    };
    context.fill(model, &names(false))
}

/// The scores of what comes next.
#[derive(Module, Debug)]
struct BloomForCausalLM {
    transformer: BloomModel,
    lm_head: Linear,
}

impl CausalLm for BloomForCausalLM {
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
struct BloomForQuestionAnswering {
    transformer: BloomModel,
    qa_outputs: Linear,
}

impl QuestionAnswerer for BloomForQuestionAnswering {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.qa_outputs.forward(self.transformer.read(batch)?))
    }
}

/// The scores of a whole text's labels, from its last token.
#[derive(Module, Debug)]
struct BloomForSequenceClassification {
    transformer: BloomModel,
    score: Linear,
    #[module(skip)]
    pad_token_id: Option<u32>,
}

impl SequenceClassifier for BloomForSequenceClassification {
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
struct BloomForTokenClassification {
    transformer: BloomModel,
    classifier: Linear,
}

impl TokenClassifier for BloomForTokenClassification {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.classifier.forward(self.transformer.read(batch)?))
    }
}

#[derive(Module, Debug)]
struct BloomModel {
    word_embeddings: Embedding,
    word_embeddings_layernorm: LayerNorm,
    h: Vec<BloomBlock>,
    ln_f: LayerNorm,
    /// Of ALiBi, one for each head.
    #[module(skip)]
    slopes: Vec<f32>,
    #[module(skip)]
    vocabulary: usize,
}

impl BloomModel {
    fn new(config: &BloomConfig, placement: &Placement) -> Result<Self> {
        if config.pretraining_tp > 1 && config.slow_but_exact {
            let message = "`slow_but_exact` in `config.json` is true with `pretraining_tp` above 1, which is not supported; set it to false";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let (size, heads) = (config.size(), config.num_attention_heads.unwrap_or(config.n_head));
        let head_dim = head_size(("hidden_size", size), ("n_head", heads))?;
        let layers = config.num_hidden_layers.unwrap_or(config.n_layer);
        let norm = || LayerNorm::new(size, config.layer_norm_epsilon, placement);
        Ok(Self {
            word_embeddings: Embedding::new(config.vocab_size, size, placement),
            word_embeddings_layernorm: norm(),
            h: (0..layers).map(|_| BloomBlock::new(config, head_dim, placement)).collect(),
            ln_f: norm(),
            slopes: alibi_slopes(heads),
            vocabulary: config.vocab_size,
        })
    }

    fn forward(&self, step: &TokenStep, cache: &mut KvCache) -> Result<Tensor<3>> {
        step.check(self.vocabulary, None)?;
        let device = self.word_embeddings.device();
        let words = self.word_embeddings.forward(step.input_ids(&device));
        let alibi = alibi(&self.slopes, step.longest());
        let scope =
            CachedScope { key_bias: Some(&alibi), blind: Blind::Everything, ..CachedScope::default() };
        let blocks = self.h.iter().enumerate();
        let hidden = blocks.fold(self.word_embeddings_layernorm.forward(words), |hidden, (index, block)| {
            block.forward(hidden, step, &scope, (index, &mut *cache))
        });
        Ok(self.ln_f.forward(hidden))
    }

    /// Whole texts that lie one after the other.
    fn read(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        let (step, mut cache) = TokenStep::whole(batch, KvCache::new(self.h.len()));
        self.forward(&step, &mut cache)
    }
}

impl Encoder for BloomModel {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        self.read(batch)
    }
}

/// Attention, then a feed-forward part, each of a norm of its input and added to it, or to the norm.
#[derive(Module, Debug)]
struct BloomBlock {
    input_layernorm: LayerNorm,
    self_attention: BloomAttention,
    post_attention_layernorm: LayerNorm,
    mlp: BloomMLP,
    #[module(skip)]
    apply_residual_connection_post_layernorm: bool,
}

impl BloomBlock {
    fn new(config: &BloomConfig, head_dim: usize, placement: &Placement) -> Self {
        let size = config.size();
        let norm = || LayerNorm::new(size, config.layer_norm_epsilon, placement);
        Self {
            input_layernorm: norm(),
            self_attention: BloomAttention {
                query_key_value: Linear::new(size, 3 * size, placement),
                dense: Linear::new(size, size, placement),
                head_dim,
            },
            post_attention_layernorm: norm(),
            mlp: BloomMLP {
                dense_h_to_4h: Linear::new(size, 4 * size, placement),
                dense_4h_to_h: Linear::new(4 * size, size, placement),
                gelu_impl: ActivationLayer::new(Activation::GeluTanh, placement),
            },
            apply_residual_connection_post_layernorm: config.apply_residual_connection_post_layernorm,
        }
    }

    fn forward(
        &self,
        hidden: Tensor<3>,
        step: &TokenStep,
        scope: &CachedScope<'_>,
        cache: (usize, &mut KvCache),
    ) -> Tensor<3> {
        let residual =
            |hidden: Tensor<3>, normed: &Tensor<3>| match self.apply_residual_connection_post_layernorm {
                true => normed.clone(),
                false => hidden,
            };
        let normed = self.input_layernorm.forward(hidden.clone());
        let hidden = residual(hidden, &normed);
        let hidden = self.self_attention.forward_added(normed, hidden, step, scope, cache);
        let normed = self.post_attention_layernorm.forward(hidden.clone());
        let hidden = residual(hidden, &normed);
        let inner = self.mlp.dense_h_to_4h.forward_activated(normed, &self.mlp.gelu_impl);
        self.mlp.dense_4h_to_h.forward_added(inner, hidden)
    }
}

#[derive(Module, Debug)]
struct BloomAttention {
    /// Query, key and value of the first head, then of the second, and so on.
    query_key_value: Linear,
    dense: Linear,
    #[module(skip)]
    head_dim: usize,
}

impl BloomAttention {
    /// Attention of `x`, added to `residual`.
    fn forward_added(
        &self,
        x: Tensor<3>,
        residual: Tensor<3>,
        step: &TokenStep,
        scope: &CachedScope<'_>,
        (index, cache): (usize, &mut KvCache),
    ) -> Tensor<3> {
        let [rows, tokens, size] = x.dims();
        let joined = self.query_key_value.forward(x);
        let joined = joined.reshape([rows, tokens, size / self.head_dim, 3 * self.head_dim]);
        let part = |at: usize| joined.clone().narrow(3, at * self.head_dim, self.head_dim);
        let context = cache.attend(index, part(0), part(1), part(2), step, scope);
        self.dense.forward_added(context.reshape([rows, tokens, size]), residual)
    }
}

#[derive(Module, Debug)]
struct BloomMLP {
    dense_h_to_4h: Linear,
    dense_4h_to_h: Linear,
    gelu_impl: ActivationLayer,
}
