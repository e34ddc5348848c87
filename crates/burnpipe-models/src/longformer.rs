//! Longformer: RoBERTa for long texts. A token sees a window around it, and a few tokens that the task
//! chooses see everything and are seen by all.
//!
//! Paper: <https://arxiv.org/abs/2004.05150>. Reference: `modeling_longformer.py` of transformers 4.56.2.
//!
//! Heads: encoder, masked LM, question answerer, sequence classifier, token classifier.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_nn::{
    Activation, ActivationLayer, Architecture, BatchLayout, Embedding, Encoder, Heads, LayerNorm, Linear,
    LoadContext, MaskedLm, Placement, QuestionAnswerer, RobertaClassificationHead, RobertaLMHead,
    SequenceClassifier, TokenBatch, TokenClassifier, WeightNames,
};
use serde::Deserialize;

use crate::roberta::positions_after;

mod attention;

use attention::{AttendedText, LongformerSelfAttention};

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "longformer",
    heads: Heads {
        encoder: Some(|context| Ok(Box::new(load_encoder(context)?))),
        masked_lm: Some(|context| Ok(Box::new(load_masked_lm(context)?))),
        question_answerer: Some(|context| Ok(Box::new(load_question_answerer(context)?))),
        sequence_classifier: Some(|context| Ok(Box::new(load_sequence_classifier(context)?))),
        token_classifier: Some(|context| Ok(Box::new(load_token_classifier(context)?))),
        ..Heads::NONE
    },
};

/// config.json, with the defaults of `LongformerConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct LongformerConfig {
    attention_window: AttentionWindow,
    sep_token_id: i32,
    pad_token_id: i32,
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    hidden_act: String,
    max_position_embeddings: usize,
    type_vocab_size: usize,
    layer_norm_eps: f64,
    tie_word_embeddings: bool,
}

/// How many tokens beside itself a token sees, half of them on each side: the same in all layers, or one by
/// one.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum AttentionWindow {
    Same(usize),
    Each(Vec<usize>),
}

impl Default for LongformerConfig {
    fn default() -> Self {
        Self {
            attention_window: AttentionWindow::Same(512),
            sep_token_id: 2,
            pad_token_id: 1,
            vocab_size: 30522,
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3072,
            hidden_act: "gelu".into(),
            max_position_embeddings: 512,
            type_vocab_size: 2,
            layer_norm_eps: 1e-12,
            tie_word_embeddings: true,
        }
    }
}

impl LongformerConfig {
    fn check(&self) -> Result<()> {
        let (hidden, heads) = (self.hidden_size, self.num_attention_heads);
        if heads == 0 || !hidden.is_multiple_of(heads) {
            let message = format!(
                "`hidden_size` {hidden} in `config.json` is no multiple of `num_attention_heads` {heads}"
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(())
    }

    /// How far a token of each layer sees to either side.
    fn reaches(&self) -> Result<Vec<usize>> {
        let windows = match &self.attention_window {
            AttentionWindow::Same(window) => vec![*window; self.num_hidden_layers],
            AttentionWindow::Each(windows) => windows.clone(),
        };
        let message = if windows.len() != self.num_hidden_layers {
            let (windows, layers) = (windows.len(), self.num_hidden_layers);
            format!("`attention_window` in `config.json` has {windows} numbers for {layers} layers")
        } else if let Some(odd) = windows.iter().find(|&&window| window == 0 || window % 2 != 0) {
            format!("`attention_window` {odd} in `config.json` is not supported; it must be even and above 0")
        } else {
            return Ok(windows.iter().map(|window| window / 2).collect());
        };
        Err(Error::new(ErrorKind::Config, message))
    }
}

/// Checkpoint names that a Rust field cannot have.
const RENAMES: &[(&str, &str)] = &[("attention.self_.", "attention.self.")];

fn names(is_base_model: bool, ignored: &'static [&'static str]) -> WeightNames {
    WeightNames { base_model_prefix: "longformer", is_base_model, renames: RENAMES, ignored }
}

fn load_encoder(context: &LoadContext<'_>) -> Result<LongformerModel> {
    let config = context.checkpoint.config()?.parse()?;
    let ignored = &["position_ids", "token_type_ids", "lm_head", "pooler", "classifier", "qa_outputs"];
    context.fill(LongformerModel::new(&config, context.placement)?, &names(true, ignored))
}

/// The masked LM's output layer: its weight is the table of words unless the config unties them, its
/// bias stands one level higher.
const TIED: &[(&str, &str)] = &[
    ("attention.self_.", "attention.self."),
    ("lm_head.decoder.weight", "longformer.embeddings.word_embeddings.weight"),
    ("lm_head.decoder.bias", "lm_head.bias"),
];
const UNTIED: &[(&str, &str)] =
    &[("attention.self_.", "attention.self."), ("lm_head.decoder.bias", "lm_head.bias")];

fn load_masked_lm(context: &LoadContext<'_>) -> Result<LongformerForMaskedLM> {
    let config: LongformerConfig = context.checkpoint.config()?.parse()?;
    let (size, placement) = (config.hidden_size, context.placement);
    let model = LongformerForMaskedLM {
        longformer: LongformerModel::new(&config, placement)?,
        lm_head: RobertaLMHead::new(size, config.vocab_size, config.layer_norm_eps, placement),
    };
    let ignored = &["position_ids", "token_type_ids", "decoder", "pooler", "classifier", "qa_outputs"];
    let renames = if config.tie_word_embeddings { TIED } else { UNTIED };
    context.fill(model, &WeightNames { renames, ..names(false, ignored) })
}

fn load_question_answerer(context: &LoadContext<'_>) -> Result<LongformerForQuestionAnswering> {
    let config: LongformerConfig = context.checkpoint.config()?.parse()?;
    let model = LongformerForQuestionAnswering {
        longformer: LongformerModel::new(&config, context.placement)?,
        qa_outputs: Linear::new(config.hidden_size, 2, context.placement),
        sep_token_id: config.sep_token_id,
    };
    let ignored = &["position_ids", "token_type_ids", "lm_head", "pooler", "classifier"];
    context.fill(model, &names(false, ignored))
}

fn load_sequence_classifier(context: &LoadContext<'_>) -> Result<LongformerForSequenceClassification> {
    let config: LongformerConfig = context.checkpoint.config()?.parse()?;
    let labels = context.label_count()?;
    let (size, placement) = (config.hidden_size, context.placement);
    let model = LongformerForSequenceClassification {
        longformer: LongformerModel::new(&config, placement)?,
        classifier: RobertaClassificationHead::new(size, labels, placement),
    };
    context.fill(model, &names(false, &["position_ids", "token_type_ids", "lm_head", "pooler", "qa_outputs"]))
}

fn load_token_classifier(context: &LoadContext<'_>) -> Result<LongformerForTokenClassification> {
    let config: LongformerConfig = context.checkpoint.config()?.parse()?;
    let labels = context.label_count()?;
    let model = LongformerForTokenClassification {
        longformer: LongformerModel::new(&config, context.placement)?,
        classifier: Linear::new(config.hidden_size, labels, context.placement),
    };
    context.fill(model, &names(false, &["position_ids", "token_type_ids", "lm_head", "pooler", "qa_outputs"]))
}

/// The scores of the vocabulary at masked tokens.
#[derive(Module, Debug)]
struct LongformerForMaskedLM {
    longformer: LongformerModel,
    lm_head: RobertaLMHead,
}

impl MaskedLm for LongformerForMaskedLM {
    fn layout(&self) -> BatchLayout {
        self.longformer.layout
    }

    fn forward(&self, batch: &TokenBatch, positions: &[usize]) -> Result<Tensor<2>> {
        let hidden = batch.select(Encoder::forward(&self.longformer, batch)?, positions);
        Ok(self.lm_head.forward(hidden))
    }
}

/// The scores of every token as the start and the end of an answer. The question's tokens see everything.
#[derive(Module, Debug)]
struct LongformerForQuestionAnswering {
    longformer: LongformerModel,
    qa_outputs: Linear,
    #[module(skip)]
    sep_token_id: i32,
}

impl LongformerForQuestionAnswering {
    /// How many tokens each text's question has, `<s>` and all: those before the first separator.
    fn question_lengths(&self, batch: &TokenBatch) -> Result<Vec<usize>> {
        let separators = |row: &[i32]| row.iter().filter(|&&id| id == self.sep_token_id).count();
        let length = |row: &[i32]| row.iter().position(|&id| id == self.sep_token_id);
        let rows = batch.rows().map(|row| match (separators(row), length(row)) {
            (3, Some(length)) => Ok(length),
            (count, _) => {
                let message = format!(
                    "a question and its text have {count} separator tokens, not 3: Longformer takes what stands before the first for the question, so that the texts must hold none"
                );
                Err(Error::new(ErrorKind::Input, message))
            }
        });
        rows.collect()
    }
}

impl QuestionAnswerer for LongformerForQuestionAnswering {
    fn layout(&self) -> BatchLayout {
        self.longformer.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        let hidden = self.longformer.forward(batch, &self.question_lengths(batch)?)?;
        Ok(self.qa_outputs.forward(hidden))
    }
}

/// The scores of a whole text's labels, from its first token, which sees everything.
#[derive(Module, Debug)]
struct LongformerForSequenceClassification {
    longformer: LongformerModel,
    classifier: RobertaClassificationHead,
}

impl SequenceClassifier for LongformerForSequenceClassification {
    fn layout(&self) -> BatchLayout {
        self.longformer.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<2>> {
        let hidden = self.longformer.forward(batch, &vec![1; batch.texts().len()])?;
        Ok(self.classifier.forward(batch.first_tokens(hidden)))
    }
}

/// The scores of every token's labels.
#[derive(Module, Debug)]
struct LongformerForTokenClassification {
    longformer: LongformerModel,
    classifier: Linear,
}

impl TokenClassifier for LongformerForTokenClassification {
    fn layout(&self) -> BatchLayout {
        self.longformer.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.classifier.forward(Encoder::forward(&self.longformer, batch)?))
    }
}

/// Embeddings and encoder; no head here uses the pooler.
#[derive(Module, Debug)]
struct LongformerModel {
    embeddings: LongformerEmbeddings,
    encoder: LongformerEncoder,
    #[module(skip)]
    layout: BatchLayout,
}

impl LongformerModel {
    fn new(config: &LongformerConfig, placement: &Placement) -> Result<Self> {
        config.check()?;
        let activation = Activation::from_name(&config.hidden_act)?;
        let layer = |reach| LongformerLayer::new(config, reach, activation, placement);
        Ok(Self {
            embeddings: LongformerEmbeddings::new(config, placement),
            encoder: LongformerEncoder { layer: config.reaches()?.into_iter().map(layer).collect() },
            layout: BatchLayout::fastest(placement),
        })
    }

    /// `global` says how many of each text's first tokens see everything.
    fn forward(&self, batch: &TokenBatch, global: &[usize]) -> Result<Tensor<3>> {
        let embedded = self.embeddings.forward(batch)?;
        let texts = AttendedText::of(batch, global);
        Ok(self.encoder.layer.iter().fold(embedded, |hidden, layer| layer.forward(hidden, &texts)))
    }
}

impl Encoder for LongformerModel {
    fn layout(&self) -> BatchLayout {
        self.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        self.forward(batch, &vec![0; batch.texts().len()])
    }
}

/// Token, segment and position vectors; summed and normed.
#[derive(Module, Debug)]
struct LongformerEmbeddings {
    word_embeddings: Embedding,
    position_embeddings: Embedding,
    token_type_embeddings: Embedding,
    LayerNorm: LayerNorm,
    #[module(skip)]
    config: LongformerConfig,
}

impl LongformerEmbeddings {
    fn new(config: &LongformerConfig, placement: &Placement) -> Self {
        let size = config.hidden_size;
        Self {
            word_embeddings: Embedding::new(config.vocab_size, size, placement),
            position_embeddings: Embedding::new(config.max_position_embeddings, size, placement),
            token_type_embeddings: Embedding::new(config.type_vocab_size, size, placement),
            LayerNorm: LayerNorm::new(size, config.layer_norm_eps, placement),
            config: config.clone(),
        }
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        let config = &self.config;
        // The first position is the padding id + 1, so that many fewer tokens have one.
        let skipped = usize::try_from(config.pad_token_id + 1).unwrap_or(0);
        let positions = config.max_position_embeddings.saturating_sub(skipped);
        batch.check(config.vocab_size, Some(config.type_vocab_size), positions)?;
        let device = self.word_embeddings.device();
        let words = self.word_embeddings.forward(batch.input_ids(&device));
        let types = self.token_type_embeddings.forward(batch.token_type_ids(&device));
        let positions = batch.to_device(positions_after(batch, config.pad_token_id), &device);
        Ok(self.LayerNorm.forward(words + types + self.position_embeddings.forward(positions)))
    }
}

#[derive(Module, Debug)]
struct LongformerEncoder {
    layer: Vec<LongformerLayer>,
}

/// One layer: attention, then a feed-forward part, each added to its input and normed.
#[derive(Module, Debug)]
struct LongformerLayer {
    attention: LongformerAttention,
    intermediate: LongformerIntermediate,
    output: LongformerOutput,
}

impl LongformerLayer {
    fn new(config: &LongformerConfig, reach: usize, activation: Activation, placement: &Placement) -> Self {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        Self {
            attention: LongformerAttention {
                self_: LongformerSelfAttention::new(hidden, config.num_attention_heads, reach, placement),
                output: LongformerOutput::new(hidden, config, placement),
            },
            intermediate: LongformerIntermediate {
                dense: Linear::new(hidden, inner, placement),
                intermediate_act_fn: ActivationLayer::new(activation, placement),
            },
            output: LongformerOutput::new(inner, config, placement),
        }
    }

    fn forward(&self, hidden: Tensor<3>, texts: &[AttendedText]) -> Tensor<3> {
        let context = self.attention.self_.forward(hidden.clone(), texts);
        let hidden = self.attention.output.forward(context, hidden);
        let intermediate = &self.intermediate;
        let inner = intermediate.dense.forward_activated(hidden.clone(), &intermediate.intermediate_act_fn);
        self.output.forward(inner, hidden)
    }
}

#[derive(Module, Debug)]
struct LongformerAttention {
    self_: LongformerSelfAttention,
    output: LongformerOutput,
}

#[derive(Module, Debug)]
struct LongformerIntermediate {
    dense: Linear,
    intermediate_act_fn: ActivationLayer,
}

/// A projection, added to what went in before and normed.
#[derive(Module, Debug)]
struct LongformerOutput {
    dense: Linear,
    LayerNorm: LayerNorm,
}

impl LongformerOutput {
    fn new(inputs: usize, config: &LongformerConfig, placement: &Placement) -> Self {
        Self {
            dense: Linear::new(inputs, config.hidden_size, placement),
            LayerNorm: LayerNorm::new(config.hidden_size, config.layer_norm_eps, placement),
        }
    }

    fn forward(&self, x: Tensor<3>, residual: Tensor<3>) -> Tensor<3> {
        self.LayerNorm.forward(self.dense.forward_added(x, residual))
    }
}
