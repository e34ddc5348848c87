//! DistilBERT: BERT at half the depth, without segments and pooler.
//!
//! Paper: <https://arxiv.org/abs/1910.01108>. Reference: `modeling_distilbert.py` of transformers
//! 4.56.2.
//!
//! Heads: encoder, masked LM, question answerer, sequence classifier, token classifier.

use burn::module::Module;
use burn::tensor::{Tensor, activation};
use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_nn::ops::{self, AttentionScope};
use burnpipe_nn::{
    Activation, ActivationLayer, Architecture, BatchLayout, Embedding, Encoder, Heads, LayerNorm, Linear,
    LoadContext, MaskedLm, Placement, PrunedHeads, QuestionAnswerer, SequenceClassifier, TokenBatch,
    TokenClassifier, WeightNames,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "distilbert",
    heads: Heads {
        encoder: Some(|context| Ok(Box::new(load_encoder(context)?))),
        masked_lm: Some(|context| Ok(Box::new(load_masked_lm(context)?))),
        question_answerer: Some(|context| Ok(Box::new(load_question_answerer(context)?))),
        sequence_classifier: Some(|context| Ok(Box::new(load_sequence_classifier(context)?))),
        token_classifier: Some(|context| Ok(Box::new(load_token_classifier(context)?))),
        ..Heads::NONE
    },
};

/// The norms' epsilon, which no config changes.
const EPSILON: f64 = 1e-12;

/// config.json, with the defaults and the second names of `DistilBertConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct DistilBertConfig {
    vocab_size: usize,
    max_position_embeddings: usize,
    #[serde(alias = "num_hidden_layers")]
    n_layers: usize,
    #[serde(alias = "num_attention_heads")]
    n_heads: usize,
    #[serde(alias = "hidden_size")]
    dim: usize,
    hidden_dim: usize,
    activation: String,
    tie_word_embeddings: bool,
    pruned_heads: PrunedHeads,
}

impl Default for DistilBertConfig {
    fn default() -> Self {
        Self {
            vocab_size: 30522,
            max_position_embeddings: 512,
            n_layers: 6,
            n_heads: 12,
            dim: 768,
            hidden_dim: 3072,
            activation: "gelu".into(),
            tie_word_embeddings: true,
            pruned_heads: PrunedHeads::default(),
        }
    }
}

fn names(is_base_model: bool, ignored: &'static [&'static str]) -> WeightNames {
    WeightNames { base_model_prefix: "distilbert", is_base_model, renames: &[], ignored }
}

fn load_encoder(context: &LoadContext<'_>) -> Result<DistilBertModel> {
    let config = context.checkpoint.config()?.parse()?;
    let heads = &[
        "position_ids",
        "vocab_transform",
        "vocab_layer_norm",
        "vocab_projector",
        "pre_classifier",
        "classifier",
        "qa_outputs",
    ];
    context.fill(DistilBertModel::new(&config, context.placement)?, &names(true, heads))
}

/// The masked LM's output layer is the table of words unless the config unties them.
const TIED: &[(&str, &str)] = &[("vocab_projector.weight", "distilbert.embeddings.word_embeddings.weight")];

fn load_masked_lm(context: &LoadContext<'_>) -> Result<DistilBertForMaskedLM> {
    let config: DistilBertConfig = context.checkpoint.config()?.parse()?;
    let (dim, placement) = (config.dim, context.placement);
    let model = DistilBertForMaskedLM {
        distilbert: DistilBertModel::new(&config, placement)?,
        activation: ActivationLayer::new(Activation::from_name(&config.activation)?, placement),
        vocab_transform: Linear::new(dim, dim, placement),
        vocab_layer_norm: LayerNorm::new(dim, EPSILON, placement),
        vocab_projector: Linear::new(dim, config.vocab_size, placement),
    };
    let renames = if config.tie_word_embeddings { TIED } else { &[] };
    let ignored = &["position_ids", "vocab_projector", "pre_classifier", "classifier", "qa_outputs"];
    context.fill(model, &WeightNames { renames, ..names(false, ignored) })
}

fn load_question_answerer(context: &LoadContext<'_>) -> Result<DistilBertForQuestionAnswering> {
    let config: DistilBertConfig = context.checkpoint.config()?.parse()?;
    let model = DistilBertForQuestionAnswering {
        distilbert: DistilBertModel::new(&config, context.placement)?,
        qa_outputs: Linear::new(config.dim, 2, context.placement),
    };
    let ignored = &[
        "position_ids",
        "vocab_transform",
        "vocab_layer_norm",
        "vocab_projector",
        "pre_classifier",
        "classifier",
    ];
    context.fill(model, &names(false, ignored))
}

/// The keys of pre-training that a fine-tuned checkpoint may have kept.
const PRETRAINING: &[&str] =
    &["position_ids", "vocab_transform", "vocab_layer_norm", "vocab_projector", "qa_outputs"];

fn load_sequence_classifier(context: &LoadContext<'_>) -> Result<DistilBertForSequenceClassification> {
    let config: DistilBertConfig = context.checkpoint.config()?.parse()?;
    let labels = context.label_count()?;
    let model = DistilBertForSequenceClassification {
        distilbert: DistilBertModel::new(&config, context.placement)?,
        pre_classifier: Linear::new(config.dim, config.dim, context.placement),
        classifier: Linear::new(config.dim, labels, context.placement),
    };
    context.fill(model, &names(false, PRETRAINING))
}

fn load_token_classifier(context: &LoadContext<'_>) -> Result<DistilBertForTokenClassification> {
    let config: DistilBertConfig = context.checkpoint.config()?.parse()?;
    let labels = context.label_count()?;
    let model = DistilBertForTokenClassification {
        distilbert: DistilBertModel::new(&config, context.placement)?,
        classifier: Linear::new(config.dim, labels, context.placement),
    };
    context.fill(model, &names(false, PRETRAINING))
}

/// The scores of the vocabulary at masked tokens.
#[derive(Module, Debug)]
struct DistilBertForMaskedLM {
    distilbert: DistilBertModel,
    activation: ActivationLayer,
    vocab_transform: Linear,
    vocab_layer_norm: LayerNorm,
    vocab_projector: Linear,
}

impl MaskedLm for DistilBertForMaskedLM {
    fn layout(&self) -> BatchLayout {
        self.distilbert.layout
    }

    fn forward(&self, batch: &TokenBatch, positions: &[usize]) -> Result<Tensor<2>> {
        let hidden = batch.select(Encoder::forward(&self.distilbert, batch)?, positions);
        let hidden = self.vocab_transform.forward_activated(hidden, &self.activation);
        Ok(self.vocab_projector.forward(self.vocab_layer_norm.forward(hidden)))
    }
}

/// The scores of every token as the start and the end of an answer.
#[derive(Module, Debug)]
struct DistilBertForQuestionAnswering {
    distilbert: DistilBertModel,
    qa_outputs: Linear,
}

impl QuestionAnswerer for DistilBertForQuestionAnswering {
    fn layout(&self) -> BatchLayout {
        self.distilbert.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.qa_outputs.forward(Encoder::forward(&self.distilbert, batch)?))
    }
}

/// The scores of a whole text's labels, from its first token.
#[derive(Module, Debug)]
struct DistilBertForSequenceClassification {
    distilbert: DistilBertModel,
    pre_classifier: Linear,
    classifier: Linear,
}

impl SequenceClassifier for DistilBertForSequenceClassification {
    fn layout(&self) -> BatchLayout {
        self.distilbert.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<2>> {
        let hidden = batch.first_tokens(Encoder::forward(&self.distilbert, batch)?);
        Ok(self.classifier.forward(activation::relu(self.pre_classifier.forward(hidden))))
    }
}

/// The scores of every token's labels.
#[derive(Module, Debug)]
struct DistilBertForTokenClassification {
    distilbert: DistilBertModel,
    classifier: Linear,
}

impl TokenClassifier for DistilBertForTokenClassification {
    fn layout(&self) -> BatchLayout {
        self.distilbert.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.classifier.forward(Encoder::forward(&self.distilbert, batch)?))
    }
}

#[derive(Module, Debug)]
struct DistilBertModel {
    embeddings: Embeddings,
    transformer: Transformer,
    #[module(skip)]
    layout: BatchLayout,
}

impl DistilBertModel {
    fn new(config: &DistilBertConfig, placement: &Placement) -> Result<Self> {
        let (dim, heads) = (config.dim, config.n_heads);
        if heads == 0 || !dim.is_multiple_of(heads) {
            let message = format!("`dim` {dim} in `config.json` is no multiple of `n_heads` {heads}");
            return Err(Error::new(ErrorKind::Config, message));
        }
        let activation = Activation::from_name(&config.activation)?;
        let layer = (0..config.n_layers).map(|index| {
            let heads = config.pruned_heads.left(index, config.n_heads);
            TransformerBlock::new(config, heads, activation, placement)
        });
        Ok(Self {
            embeddings: Embeddings::new(config, placement),
            transformer: Transformer { layer: layer.collect() },
            layout: BatchLayout::fastest(placement),
        })
    }
}

impl Encoder for DistilBertModel {
    fn layout(&self) -> BatchLayout {
        self.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        let embedded = self.embeddings.forward(batch)?;
        let hidden = batch.hidden(&embedded.device());
        let scope = AttentionScope { hidden, texts: batch.ends(), ..AttentionScope::default() };
        Ok(self.transformer.layer.iter().fold(embedded, |hidden, layer| layer.forward(hidden, &scope)))
    }
}

/// Token and position vectors; summed and normed. (`sinusoidal_pos_embds` says how the positions
/// were made; checkpoints hold them either way.)
#[derive(Module, Debug)]
struct Embeddings {
    word_embeddings: Embedding,
    position_embeddings: Embedding,
    LayerNorm: LayerNorm,
    #[module(skip)]
    config: DistilBertConfig,
}

impl Embeddings {
    fn new(config: &DistilBertConfig, placement: &Placement) -> Self {
        Self {
            word_embeddings: Embedding::new(config.vocab_size, config.dim, placement),
            position_embeddings: Embedding::new(config.max_position_embeddings, config.dim, placement),
            LayerNorm: LayerNorm::new(config.dim, EPSILON, placement),
            config: config.clone(),
        }
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        batch.check(self.config.vocab_size, None, self.config.max_position_embeddings)?;
        let device = self.word_embeddings.device();
        let words = self.word_embeddings.forward(batch.input_ids(&device));
        let positions = self.position_embeddings.forward(batch.to_device(batch.positions(), &device));
        Ok(self.LayerNorm.forward(words + positions))
    }
}

#[derive(Module, Debug)]
struct Transformer {
    layer: Vec<TransformerBlock>,
}

/// Attention, then a feed-forward part, each added to its input and normed.
#[derive(Module, Debug)]
struct TransformerBlock {
    attention: MultiHeadSelfAttention,
    sa_layer_norm: LayerNorm,
    ffn: Ffn,
    output_layer_norm: LayerNorm,
}

impl TransformerBlock {
    fn new(config: &DistilBertConfig, heads: usize, activation: Activation, placement: &Placement) -> Self {
        let head_size = config.dim / config.n_heads;
        let context = heads * head_size;
        let projection = || Linear::new(config.dim, context, placement);
        Self {
            attention: MultiHeadSelfAttention {
                q_lin: projection(),
                k_lin: projection(),
                v_lin: projection(),
                out_lin: Linear::new(context, config.dim, placement),
                heads,
                head_size,
            },
            sa_layer_norm: LayerNorm::new(config.dim, EPSILON, placement),
            ffn: Ffn {
                lin1: Linear::new(config.dim, config.hidden_dim, placement),
                lin2: Linear::new(config.hidden_dim, config.dim, placement),
                activation: ActivationLayer::new(activation, placement),
            },
            output_layer_norm: LayerNorm::new(config.dim, EPSILON, placement),
        }
    }

    fn forward(&self, hidden: Tensor<3>, scope: &AttentionScope) -> Tensor<3> {
        let hidden = self.sa_layer_norm.forward(self.attention.forward_added(hidden, scope));
        self.output_layer_norm.forward(self.ffn.forward_added(hidden))
    }
}

#[derive(Module, Debug)]
struct MultiHeadSelfAttention {
    q_lin: Linear,
    k_lin: Linear,
    v_lin: Linear,
    out_lin: Linear,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    head_size: usize,
}

impl MultiHeadSelfAttention {
    /// Attention, added to what went in.
    fn forward_added(&self, hidden: Tensor<3>, scope: &AttentionScope) -> Tensor<3> {
        let [batch, tokens, _] = hidden.dims();
        let split = |x: Tensor<3>| x.reshape([batch, tokens, self.heads, self.head_size]).swap_dims(1, 2);
        let [query, key, value] =
            ops::linear_each(hidden.clone(), [&self.q_lin, &self.k_lin, &self.v_lin]).map(split);
        let context = ops::attention(query, key, value, scope);
        let context = context.swap_dims(1, 2).reshape([batch, tokens, self.heads * self.head_size]);
        self.out_lin.forward_added(context, hidden)
    }
}

#[derive(Module, Debug)]
struct Ffn {
    lin1: Linear,
    lin2: Linear,
    activation: ActivationLayer,
}

impl Ffn {
    /// The feed-forward part, added to what went in.
    fn forward_added(&self, x: Tensor<3>) -> Tensor<3> {
        self.lin2.forward_added(self.lin1.forward_activated(x.clone(), &self.activation), x)
    }
}
