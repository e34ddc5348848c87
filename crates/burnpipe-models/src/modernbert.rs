//! ModernBERT: an encoder with rotary positions, of whose layers most look at near tokens only.
//!
//! Paper: <https://arxiv.org/abs/2412.13663>. Reference: `modeling_modernbert.py` of transformers 4.56.2.
//!
//! Heads: encoder, masked LM, question answerer, sequence classifier, token classifier.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_nn::ops::{self, AttentionScope, RotaryAngles};
use burnpipe_nn::{
    Activation, ActivationLayer, Architecture, BatchLayout, Embedding, Encoder, Heads, LayerNorm, Linear,
    LoadContext, MaskedLm, Placement, QuestionAnswerer, SequenceClassifier, TokenBatch, TokenClassifier,
    WeightNames,
};
use serde::Deserialize;
use serde_json::Value;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "modernbert",
    heads: Heads {
        encoder: Some(|context| Ok(Box::new(load_encoder(context)?))),
        masked_lm: Some(|context| Ok(Box::new(load_masked_lm(context)?))),
        question_answerer: Some(|context| Ok(Box::new(load_question_answerer(context)?))),
        sequence_classifier: Some(|context| Ok(Box::new(load_sequence_classifier(context)?))),
        token_classifier: Some(|context| Ok(Box::new(load_token_classifier(context)?))),
        ..Heads::NONE
    },
};

/// config.json, with the defaults and the second name of `ModernBertConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct ModernBertConfig {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    hidden_activation: String,
    norm_eps: f64,
    norm_bias: bool,
    #[serde(alias = "rope_theta")]
    global_rope_theta: f64,
    local_rope_theta: Option<f64>,
    rope_scaling: Option<Value>,
    attention_bias: bool,
    global_attn_every_n_layers: usize,
    local_attention: usize,
    mlp_bias: bool,
    decoder_bias: bool,
    classifier_pooling: ClassifierPooling,
    classifier_bias: bool,
    classifier_activation: String,
    tie_word_embeddings: bool,
}

impl Default for ModernBertConfig {
    fn default() -> Self {
        Self {
            vocab_size: 50368,
            hidden_size: 768,
            intermediate_size: 1152,
            num_hidden_layers: 22,
            num_attention_heads: 12,
            hidden_activation: "gelu".into(),
            norm_eps: 1e-5,
            norm_bias: false,
            global_rope_theta: 160_000.0,
            local_rope_theta: Some(10_000.0),
            rope_scaling: None,
            attention_bias: false,
            global_attn_every_n_layers: 3,
            local_attention: 128,
            mlp_bias: false,
            decoder_bias: true,
            classifier_pooling: ClassifierPooling::Cls,
            classifier_bias: false,
            classifier_activation: "gelu".into(),
            tie_word_embeddings: true,
        }
    }
}

/// Which vector stands for a whole text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ClassifierPooling {
    /// The first token's.
    Cls,
    /// The mean of those that are no padding.
    Mean,
}

impl ModernBertConfig {
    fn check(&self) -> Result<()> {
        let wrong = |message: String| Err(Error::new(ErrorKind::Config, message));
        let (size, heads) = (self.hidden_size, self.num_attention_heads);
        if heads == 0 || !size.is_multiple_of(2 * heads) {
            return wrong(format!(
                "`hidden_size` {size} in `config.json` does not give `num_attention_heads` {heads} an even size each"
            ));
        }
        if self.global_attn_every_n_layers == 0 {
            return wrong("`global_attn_every_n_layers` in `config.json` is 0; it is at least 1".into());
        }
        let kind = |scaling: &Value| {
            let kind = scaling.get("rope_type").or_else(|| scaling.get("type"))?;
            Some(kind.as_str()?.to_string())
        };
        match &self.rope_scaling {
            Some(scaling) if kind(scaling).as_deref() != Some("default") => {
                wrong(format!("`rope_scaling` `{scaling}` in `config.json` is not supported"))
            }
            _ => Ok(()),
        }
    }

    fn norm(&self, placement: &Placement) -> LayerNorm {
        LayerNorm::with_bias(self.hidden_size, self.norm_eps, self.norm_bias, placement)
    }
}

fn names(is_base_model: bool, ignored: &'static [&'static str]) -> WeightNames {
    WeightNames { base_model_prefix: "model", is_base_model, renames: &[], ignored }
}

fn load_encoder(context: &LoadContext<'_>) -> Result<ModernBertModel> {
    let config = context.checkpoint.config()?.parse()?;
    let model = ModernBertModel::new(&config, context.placement)?;
    context.fill(model, &names(true, &["head", "decoder", "classifier"]))
}

/// The masked LM's output layer has the table of words for its weight unless the config unties them.
const TIED: &[(&str, &str)] = &[("decoder.weight", "model.embeddings.tok_embeddings.weight")];

fn load_masked_lm(context: &LoadContext<'_>) -> Result<ModernBertForMaskedLM> {
    let config: ModernBertConfig = context.checkpoint.config()?.parse()?;
    let (size, bias) = (config.hidden_size, config.decoder_bias);
    let model = ModernBertForMaskedLM {
        model: ModernBertModel::new(&config, context.placement)?,
        head: ModernBertPredictionHead::new(&config, context.placement)?,
        decoder: Linear::with_bias(size, config.vocab_size, bias, context.placement),
    };
    let renames = if config.tie_word_embeddings { TIED } else { &[] };
    context.fill(model, &WeightNames { renames, ..names(false, &["decoder", "classifier"]) })
}

fn load_question_answerer(context: &LoadContext<'_>) -> Result<ModernBertForQuestionAnswering> {
    let config: ModernBertConfig = context.checkpoint.config()?.parse()?;
    let model = ModernBertForQuestionAnswering {
        model: ModernBertModel::new(&config, context.placement)?,
        head: ModernBertPredictionHead::new(&config, context.placement)?,
        classifier: Linear::new(config.hidden_size, 2, context.placement),
    };
    context.fill(model, &names(false, &["decoder"]))
}

fn load_sequence_classifier(context: &LoadContext<'_>) -> Result<ModernBertForSequenceClassification> {
    let config: ModernBertConfig = context.checkpoint.config()?.parse()?;
    let labels = context.label_count()?;
    let model = ModernBertForSequenceClassification {
        model: ModernBertModel::new(&config, context.placement)?,
        head: ModernBertPredictionHead::new(&config, context.placement)?,
        classifier: Linear::new(config.hidden_size, labels, context.placement),
        pooling: config.classifier_pooling,
    };
    context.fill(model, &names(false, &["decoder"]))
}

fn load_token_classifier(context: &LoadContext<'_>) -> Result<ModernBertForTokenClassification> {
    let config: ModernBertConfig = context.checkpoint.config()?.parse()?;
    let labels = context.label_count()?;
    let model = ModernBertForTokenClassification {
        model: ModernBertModel::new(&config, context.placement)?,
        head: ModernBertPredictionHead::new(&config, context.placement)?,
        classifier: Linear::new(config.hidden_size, labels, context.placement),
    };
    context.fill(model, &names(false, &["decoder"]))
}

/// The scores of the vocabulary at masked tokens.
#[derive(Module, Debug)]
struct ModernBertForMaskedLM {
    model: ModernBertModel,
    head: ModernBertPredictionHead,
    decoder: Linear,
}

impl MaskedLm for ModernBertForMaskedLM {
    fn layout(&self) -> BatchLayout {
        self.model.layout
    }

    fn forward(&self, batch: &TokenBatch, positions: &[usize]) -> Result<Tensor<2>> {
        let hidden = batch.select(Encoder::forward(&self.model, batch)?, positions);
        Ok(self.decoder.forward(self.head.forward(hidden)))
    }
}

/// The scores of every token as the start and the end of an answer.
#[derive(Module, Debug)]
struct ModernBertForQuestionAnswering {
    model: ModernBertModel,
    head: ModernBertPredictionHead,
    classifier: Linear,
}

impl QuestionAnswerer for ModernBertForQuestionAnswering {
    fn layout(&self) -> BatchLayout {
        self.model.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        let hidden = Encoder::forward(&self.model, batch)?;
        Ok(self.classifier.forward(self.head.forward(hidden)))
    }
}

/// The scores of a whole text's labels, from its first token or the mean of all.
#[derive(Module, Debug)]
struct ModernBertForSequenceClassification {
    model: ModernBertModel,
    head: ModernBertPredictionHead,
    classifier: Linear,
    #[module(skip)]
    pooling: ClassifierPooling,
}

impl SequenceClassifier for ModernBertForSequenceClassification {
    fn layout(&self) -> BatchLayout {
        self.model.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<2>> {
        let hidden = Encoder::forward(&self.model, batch)?;
        let pooled = match self.pooling {
            ClassifierPooling::Cls => batch.first_tokens(hidden),
            ClassifierPooling::Mean => batch.mean_of_seen_tokens(hidden),
        };
        Ok(self.classifier.forward(self.head.forward(pooled)))
    }
}

/// The scores of every token's labels.
#[derive(Module, Debug)]
struct ModernBertForTokenClassification {
    model: ModernBertModel,
    head: ModernBertPredictionHead,
    classifier: Linear,
}

impl TokenClassifier for ModernBertForTokenClassification {
    fn layout(&self) -> BatchLayout {
        self.model.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        let hidden = Encoder::forward(&self.model, batch)?;
        Ok(self.classifier.forward(self.head.forward(hidden)))
    }
}

/// What all heads have before their last layer: a linear layer, an activation and a norm.
#[derive(Module, Debug)]
struct ModernBertPredictionHead {
    dense: Linear,
    act: ActivationLayer,
    norm: LayerNorm,
}

impl ModernBertPredictionHead {
    fn new(config: &ModernBertConfig, placement: &Placement) -> Result<Self> {
        let size = config.hidden_size;
        Ok(Self {
            dense: Linear::with_bias(size, size, config.classifier_bias, placement),
            act: ActivationLayer::new(Activation::from_name(&config.classifier_activation)?, placement),
            norm: config.norm(placement),
        })
    }

    fn forward<const D: usize>(&self, hidden: Tensor<D>) -> Tensor<D> {
        self.norm.forward(self.dense.forward_activated(hidden, &self.act))
    }
}

/// Embeddings, layers and a last norm.
#[derive(Module, Debug)]
struct ModernBertModel {
    embeddings: ModernBertEmbeddings,
    layers: Vec<ModernBertEncoderLayer>,
    final_norm: LayerNorm,
    #[module(skip)]
    config: ModernBertConfig,
    #[module(skip)]
    layout: BatchLayout,
}

impl ModernBertModel {
    fn new(config: &ModernBertConfig, placement: &Placement) -> Result<Self> {
        config.check()?;
        let activation = Activation::from_name(&config.hidden_activation)?;
        let layer = |index| ModernBertEncoderLayer::new(config, index, activation, placement);
        Ok(Self {
            embeddings: ModernBertEmbeddings {
                tok_embeddings: Embedding::new(config.vocab_size, config.hidden_size, placement),
                norm: config.norm(placement),
            },
            layers: (0..config.num_hidden_layers).map(layer).collect(),
            final_norm: config.norm(placement),
            config: config.clone(),
            layout: BatchLayout::fastest(placement),
        })
    }
}

impl Encoder for ModernBertModel {
    fn layout(&self) -> BatchLayout {
        self.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        let config = &self.config;
        // Rotary positions have no end.
        batch.check(config.vocab_size, None, usize::MAX)?;
        let device = self.embeddings.tok_embeddings.device();
        let ids = batch.input_ids(&device);
        let embedded = self.embeddings.norm.forward(self.embeddings.tok_embeddings.forward(ids));
        let positions = batch.positions();
        let head_size = config.hidden_size / config.num_attention_heads;
        let angles = |theta| RotaryAngles::new(&positions, theta, head_size, &device);
        let hidden = batch.hidden(&device);
        let scope = AttentionScope { hidden, texts: batch.ends(), ..AttentionScope::default() };
        let global = Reach { angles: angles(config.global_rope_theta), scope: scope.clone() };
        let local = Reach {
            angles: angles(config.local_rope_theta.unwrap_or(config.global_rope_theta)),
            // Half of it lies on each side, and both of its ends are seen.
            scope: AttentionScope { window: Some(config.local_attention / 2 + 1), ..scope },
        };
        let run = |hidden, layer: &ModernBertEncoderLayer| {
            layer.forward(hidden, if layer.is_global { &global } else { &local })
        };
        Ok(self.final_norm.forward(self.layers.iter().fold(embedded, run)))
    }
}

/// What global layers have in common, or local ones.
struct Reach {
    angles: RotaryAngles,
    scope: AttentionScope,
}

#[derive(Module, Debug)]
struct ModernBertEmbeddings {
    tok_embeddings: Embedding,
    norm: LayerNorm,
}

/// Attention, then a feed-forward part, each over what went in, normed, and added to it.
#[derive(Module, Debug)]
struct ModernBertEncoderLayer {
    /// None in the first layer, which follows the norm of the embeddings.
    attn_norm: Option<LayerNorm>,
    attn: ModernBertAttention,
    mlp_norm: LayerNorm,
    mlp: ModernBertMLP,
    #[module(skip)]
    is_global: bool,
}

impl ModernBertEncoderLayer {
    fn new(config: &ModernBertConfig, index: usize, activation: Activation, placement: &Placement) -> Self {
        let (size, inner) = (config.hidden_size, config.intermediate_size);
        Self {
            attn_norm: (index > 0).then(|| config.norm(placement)),
            attn: ModernBertAttention {
                Wqkv: Linear::with_bias(size, 3 * size, config.attention_bias, placement),
                Wo: Linear::with_bias(size, size, config.attention_bias, placement),
                heads: config.num_attention_heads,
            },
            mlp_norm: config.norm(placement),
            mlp: ModernBertMLP {
                Wi: Linear::with_bias(size, 2 * inner, config.mlp_bias, placement),
                act: ActivationLayer::new(activation, placement),
                Wo: Linear::with_bias(inner, size, config.mlp_bias, placement),
            },
            is_global: index.is_multiple_of(config.global_attn_every_n_layers),
        }
    }

    fn forward(&self, hidden: Tensor<3>, reach: &Reach) -> Tensor<3> {
        let normed = match &self.attn_norm {
            Some(norm) => norm.forward(hidden.clone()),
            None => hidden.clone(),
        };
        let hidden = self.attn.forward_added(normed, hidden, reach);
        self.mlp.forward_added(self.mlp_norm.forward(hidden.clone()), hidden)
    }
}

#[derive(Module, Debug)]
struct ModernBertAttention {
    /// Queries, keys and values in one.
    Wqkv: Linear,
    Wo: Linear,
    #[module(skip)]
    heads: usize,
}

impl ModernBertAttention {
    fn forward_added(&self, x: Tensor<3>, residual: Tensor<3>, reach: &Reach) -> Tensor<3> {
        let [batch, tokens, size] = x.dims();
        let heads = self.heads;
        let all = self.Wqkv.forward(x).reshape([batch, tokens, 3 * heads, size / heads]);
        // Queries and keys are turned together.
        let turned = ops::rotary(all.clone().narrow(2, 0, 2 * heads), &reach.angles);
        let part = |x: Tensor<4>, start| x.narrow(2, start, heads).swap_dims(1, 2);
        let (query, key) = (part(turned.clone(), 0), part(turned, heads));
        let context = ops::attention(query, key, part(all, 2 * heads), &reach.scope);
        self.Wo.forward_added(context.swap_dims(1, 2).reshape([batch, tokens, size]), residual)
    }
}

/// A gated feed-forward part: one half of the first layer's result, activated, times the other.
#[derive(Module, Debug)]
struct ModernBertMLP {
    Wi: Linear,
    act: ActivationLayer,
    Wo: Linear,
}

impl ModernBertMLP {
    fn forward_added(&self, x: Tensor<3>, residual: Tensor<3>) -> Tensor<3> {
        let both = self.Wi.forward(x);
        let inner = both.dims()[2] / 2;
        let (input, gate) = (both.clone().narrow(2, 0, inner), both.narrow(2, inner, inner));
        self.Wo.forward_added(self.act.forward(input) * gate, residual)
    }
}
