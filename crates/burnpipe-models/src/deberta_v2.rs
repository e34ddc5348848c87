//! DeBERTa v2 and v3: an encoder whose attention looks at words and at distances apart from each other.
//!
//! Papers: <https://arxiv.org/abs/2006.03654>, <https://arxiv.org/abs/2111.09543>. Reference:
//! `modeling_deberta_v2.py` of transformers 4.56.2. The heads and all but the attention are v1's, too.
//!
//! Heads: encoder, masked LM, question answerer, sequence classifier, token classifier.

mod attention;
mod config;
mod relative_positions;

use burn::module::Module;
use burn::tensor::{Bool, Tensor};
use burnpipe_core::Result;
use burnpipe_nn::ops::Sliding;
use burnpipe_nn::{
    ActivationLayer, Architecture, BatchLayout, Conv1d, Embedding, Encoder, Heads, LayerNorm, Linear,
    LoadContext, MaskedLm, Placement, QuestionAnswerer, SequenceClassifier, TokenBatch, TokenClassifier,
    WeightNames,
};

use attention::DebertaV2Encoder;
pub(crate) use attention::{DistanceVectors, Scope, split_heads};
use config::unsupported;
pub(crate) use config::{Convolution, DebertaConfig, DebertaSettings, Version};

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "deberta-v2",
    heads: Heads {
        encoder: Some(|context| Ok(Box::new(load_encoder(context, Version::Two)?))),
        masked_lm: Some(|context| Ok(Box::new(load_masked_lm(context, Version::Two)?))),
        question_answerer: Some(|context| Ok(Box::new(load_question_answerer(context, Version::Two)?))),
        sequence_classifier: Some(|context| Ok(Box::new(load_sequence_classifier(context, Version::Two)?))),
        token_classifier: Some(|context| Ok(Box::new(load_token_classifier(context, Version::Two)?))),
        ..Heads::NONE
    },
};

fn names(is_base_model: bool, ignored: &'static [&'static str]) -> WeightNames {
    WeightNames { base_model_prefix: "deberta", is_base_model, renames: RENAMES, ignored }
}

/// The field that Rust does not let us name, and the enum that it is.
const RENAMES: &[(&str, &str)] = &[("attention.self_.", "attention.self.")];

fn settings(context: &LoadContext<'_>, version: Version) -> Result<DebertaSettings> {
    context.checkpoint.config()?.parse::<DebertaConfig>()?.settings(version)
}

pub(crate) fn load_encoder(context: &LoadContext<'_>, version: Version) -> Result<DebertaV2Model> {
    let ignored = &[
        "position_ids",
        "position_embeddings",
        "cls",
        "lm_predictions",
        "mask_predictions",
        "pooler",
        "classifier",
        "qa_outputs",
    ];
    let model = DebertaV2Model::new(&settings(context, version)?, context.placement);
    context.fill(model, &names(true, ignored))
}

/// The masked LM's output layer: its weight is the table of words unless the config unties them, its bias
/// stands one level higher.
const TIED: &[(&str, &str)] = &[
    ("attention.self_.", "attention.self."),
    ("cls.predictions.decoder.weight", "deberta.embeddings.word_embeddings.weight"),
    ("cls.predictions.decoder.bias", "cls.predictions.bias"),
];
const UNTIED: &[(&str, &str)] =
    &[("attention.self_.", "attention.self."), ("cls.predictions.decoder.bias", "cls.predictions.bias")];

/// The head that is not `legacy`. Its output layer is always the table of words; with `tie_word_embeddings`
/// Python puts that table into `dense`, too, where it does not fit.
const NOT_LEGACY: &[(&str, &str)] = &[
    ("attention.self_.", "attention.self."),
    ("cls.predictions.transform.", "lm_predictions.lm_head."),
    ("cls.predictions.decoder.weight", "deberta.embeddings.word_embeddings.weight"),
    ("cls.predictions.decoder.bias", "lm_predictions.lm_head.bias"),
];

pub(crate) fn load_masked_lm(context: &LoadContext<'_>, version: Version) -> Result<DebertaV2ForMaskedLM> {
    let settings = settings(context, version)?;
    if !settings.legacy && settings.embedding_size != settings.hidden_size {
        let reason = "without `legacy`, a masked LM's must be `hidden_size`";
        return Err(unsupported("embedding_size", settings.embedding_size, reason));
    }
    let model = DebertaV2ForMaskedLM {
        deberta: DebertaV2Model::new(&settings, context.placement),
        cls: DebertaV2OnlyMLMHead {
            predictions: DebertaV2LMPredictionHead::new(&settings, context.placement),
        },
    };
    let renames = match (settings.legacy, settings.tie_word_embeddings) {
        (false, _) => NOT_LEGACY,
        (true, true) => TIED,
        (true, false) => UNTIED,
    };
    let ignored = match settings.legacy {
        true => OTHERS_OF_LEGACY_MASKED_LM,
        false => OTHERS_OF_MASKED_LM,
    };
    context.fill(model, &WeightNames { renames, ..names(false, ignored) })
}

const OTHERS_OF_LEGACY_MASKED_LM: &[&str] =
    &["position_ids", "position_embeddings", "decoder", "lm_predictions", "mask_predictions", "pooler"];
const OTHERS_OF_MASKED_LM: &[&str] =
    &["position_ids", "position_embeddings", "cls", "mask_predictions", "pooler"];

pub(crate) fn load_question_answerer(
    context: &LoadContext<'_>,
    version: Version,
) -> Result<DebertaV2ForQuestionAnswering> {
    let settings = settings(context, version)?;
    let model = DebertaV2ForQuestionAnswering {
        deberta: DebertaV2Model::new(&settings, context.placement),
        qa_outputs: Linear::new(settings.hidden_size, 2, context.placement),
    };
    let ignored = &[
        "position_ids",
        "position_embeddings",
        "cls",
        "lm_predictions",
        "mask_predictions",
        "pooler",
        "classifier",
    ];
    context.fill(model, &names(false, ignored))
}

pub(crate) fn load_sequence_classifier(
    context: &LoadContext<'_>,
    version: Version,
) -> Result<DebertaV2ForSequenceClassification> {
    let settings = settings(context, version)?;
    let size = settings.hidden_size;
    let model = DebertaV2ForSequenceClassification {
        deberta: DebertaV2Model::new(&settings, context.placement),
        pooler: ContextPooler {
            dense: Linear::new(size, size, context.placement),
            activation: ActivationLayer::new(settings.pooler_hidden_act, context.placement),
        },
        classifier: Linear::new(size, context.label_count()?, context.placement),
    };
    let ignored =
        &["position_ids", "position_embeddings", "cls", "lm_predictions", "mask_predictions", "qa_outputs"];
    context.fill(model, &names(false, ignored))
}

pub(crate) fn load_token_classifier(
    context: &LoadContext<'_>,
    version: Version,
) -> Result<DebertaV2ForTokenClassification> {
    let settings = settings(context, version)?;
    let labels = context.label_count()?;
    let model = DebertaV2ForTokenClassification {
        deberta: DebertaV2Model::new(&settings, context.placement),
        classifier: Linear::new(settings.hidden_size, labels, context.placement),
    };
    let ignored = &[
        "position_ids",
        "position_embeddings",
        "cls",
        "lm_predictions",
        "mask_predictions",
        "pooler",
        "qa_outputs",
    ];
    context.fill(model, &names(false, ignored))
}

/// The scores of the vocabulary at masked tokens.
#[derive(Module, Debug)]
pub(crate) struct DebertaV2ForMaskedLM {
    deberta: DebertaV2Model,
    cls: DebertaV2OnlyMLMHead,
}

impl MaskedLm for DebertaV2ForMaskedLM {
    fn layout(&self) -> BatchLayout {
        self.deberta.layout()
    }

    fn forward(&self, batch: &TokenBatch, positions: &[usize]) -> Result<Tensor<2>> {
        let hidden = batch.select(Encoder::forward(&self.deberta, batch)?, positions);
        Ok(self.cls.predictions.forward(hidden))
    }
}

#[derive(Module, Debug)]
struct DebertaV2OnlyMLMHead {
    predictions: DebertaV2LMPredictionHead,
}

/// A linear layer, activation and norm, and then the output layer.
#[derive(Module, Debug)]
struct DebertaV2LMPredictionHead {
    transform: DebertaV2PredictionHeadTransform,
    decoder: Linear,
}

impl DebertaV2LMPredictionHead {
    fn new(settings: &DebertaSettings, placement: &Placement) -> Self {
        let size = settings.embedding_size;
        let transform = DebertaV2PredictionHeadTransform {
            dense: Linear::new(settings.hidden_size, size, placement),
            transform_act_fn: ActivationLayer::new(settings.hidden_act, placement),
            LayerNorm: LayerNorm::new(size, settings.epsilon, placement),
        };
        Self { transform, decoder: Linear::new(size, settings.vocab_size, placement) }
    }

    fn forward(&self, hidden: Tensor<2>) -> Tensor<2> {
        let transform = &self.transform;
        let hidden = transform.dense.forward_activated(hidden, &transform.transform_act_fn);
        self.decoder.forward(transform.LayerNorm.forward(hidden))
    }
}

#[derive(Module, Debug)]
struct DebertaV2PredictionHeadTransform {
    dense: Linear,
    transform_act_fn: ActivationLayer,
    LayerNorm: LayerNorm,
}

/// The scores of every token as the start and the end of an answer.
#[derive(Module, Debug)]
pub(crate) struct DebertaV2ForQuestionAnswering {
    deberta: DebertaV2Model,
    qa_outputs: Linear,
}

impl QuestionAnswerer for DebertaV2ForQuestionAnswering {
    fn layout(&self) -> BatchLayout {
        self.deberta.layout()
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.qa_outputs.forward(Encoder::forward(&self.deberta, batch)?))
    }
}

/// The scores of a whole text's labels, from its pooled first token.
#[derive(Module, Debug)]
pub(crate) struct DebertaV2ForSequenceClassification {
    deberta: DebertaV2Model,
    pooler: ContextPooler,
    classifier: Linear,
}

impl SequenceClassifier for DebertaV2ForSequenceClassification {
    fn layout(&self) -> BatchLayout {
        self.deberta.layout()
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<2>> {
        let first = batch.first_tokens(Encoder::forward(&self.deberta, batch)?);
        Ok(self.classifier.forward(self.pooler.dense.forward_activated(first, &self.pooler.activation)))
    }
}

/// The first token's vector, through a linear layer and an activation.
#[derive(Module, Debug)]
struct ContextPooler {
    dense: Linear,
    activation: ActivationLayer,
}

/// The scores of every token's labels.
#[derive(Module, Debug)]
pub(crate) struct DebertaV2ForTokenClassification {
    deberta: DebertaV2Model,
    classifier: Linear,
}

impl TokenClassifier for DebertaV2ForTokenClassification {
    fn layout(&self) -> BatchLayout {
        self.deberta.layout()
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.classifier.forward(Encoder::forward(&self.deberta, batch)?))
    }
}

/// Embeddings and encoder.
#[derive(Module, Debug)]
pub(crate) struct DebertaV2Model {
    embeddings: DebertaV2Embeddings,
    encoder: DebertaV2Encoder,
    #[module(skip)]
    layout: BatchLayout,
}

impl DebertaV2Model {
    fn new(settings: &DebertaSettings, placement: &Placement) -> Self {
        // A convolution would mix the texts of a row, and heads that talk have no kernel.
        let layout = match settings.convolution.is_some() || settings.talking_head {
            true => BatchLayout::Padded,
            false => BatchLayout::fastest(placement),
        };
        Self {
            embeddings: DebertaV2Embeddings::new(settings, placement),
            encoder: DebertaV2Encoder::new(settings, placement),
            layout,
        }
    }
}

impl Encoder for DebertaV2Model {
    fn layout(&self) -> BatchLayout {
        self.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        let embedded = self.embeddings.forward(batch)?;
        Ok(self.encoder.forward(embedded, batch))
    }
}

/// Token and, if the config has them, position and segment vectors; summed, widened and normed.
#[derive(Module, Debug)]
struct DebertaV2Embeddings {
    word_embeddings: Embedding,
    position_embeddings: Option<Embedding>,
    token_type_embeddings: Option<Embedding>,
    embed_proj: Option<Linear>,
    LayerNorm: LayerNorm,
    #[module(skip)]
    vocab_size: usize,
    #[module(skip)]
    type_vocab_size: usize,
    #[module(skip)]
    max_position_embeddings: usize,
}

impl DebertaV2Embeddings {
    fn new(settings: &DebertaSettings, placement: &Placement) -> Self {
        let (size, hidden) = (settings.embedding_size, settings.hidden_size);
        let table = |entries| Embedding::new(entries, size, placement);
        Self {
            word_embeddings: table(settings.vocab_size),
            position_embeddings: settings
                .position_biased_input
                .then(|| table(settings.max_position_embeddings)),
            token_type_embeddings: (settings.type_vocab_size > 0).then(|| table(settings.type_vocab_size)),
            embed_proj: (size != hidden).then(|| Linear::with_bias(size, hidden, false, placement)),
            LayerNorm: LayerNorm::new(hidden, settings.epsilon, placement),
            vocab_size: settings.vocab_size,
            type_vocab_size: settings.type_vocab_size,
            max_position_embeddings: settings.max_position_embeddings,
        }
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        let types = self.token_type_embeddings.as_ref().map(|_| self.type_vocab_size);
        // Without positions in the embeddings a text can be of any length: all far distances are the same.
        let limit = self.position_embeddings.as_ref().map_or(usize::MAX, |_| self.max_position_embeddings);
        batch.check(self.vocab_size, types, limit)?;
        let device = self.word_embeddings.device();
        let mut sum = self.word_embeddings.forward(batch.input_ids(&device));
        if let Some(table) = &self.position_embeddings {
            sum = sum + table.forward(batch.to_device(batch.positions(), &device));
        }
        if let Some(table) = &self.token_type_embeddings {
            sum = sum + table.forward(batch.token_type_ids(&device));
        }
        if let Some(projection) = &self.embed_proj {
            sum = projection.forward(sum);
        }
        let normed = self.LayerNorm.forward(sum);
        Ok(match padding(batch, &normed) {
            Some(padding) => normed.mask_fill(padding, 0.0),
            None => normed,
        })
    }
}

/// True where a token is padding, in the shape of `states`.
fn padding(batch: &TokenBatch, states: &Tensor<3>) -> Option<Tensor<3, Bool>> {
    let [rows, tokens, _] = states.dims();
    let hidden = batch.hidden(&states.device())?;
    Some(hidden.reshape([rows, tokens, 1]).expand(states.dims()))
}

/// A convolution over neighbouring tokens of what goes into the first layer, added to what comes out of it.
#[derive(Module, Debug)]
struct ConvLayer {
    conv: Conv1d,
    LayerNorm: LayerNorm,
    activation: ActivationLayer,
}

impl ConvLayer {
    fn new(settings: &DebertaSettings, convolution: Convolution, placement: &Placement) -> Self {
        let size = settings.hidden_size;
        let Convolution { kernel_size, groups, activation } = convolution;
        let sliding = Sliding { padding: [kernel_size / 2], groups, ..Sliding::default() };
        Self {
            conv: Conv1d::new(size, size, kernel_size, true, sliding, placement),
            LayerNorm: LayerNorm::new(size, settings.epsilon, placement),
            activation: ActivationLayer::new(activation, placement),
        }
    }

    fn forward(&self, embedded: Tensor<3>, states: Tensor<3>, batch: &TokenBatch) -> Tensor<3> {
        let padding = padding(batch, &states);
        let hide = |states: Tensor<3>| match &padding {
            Some(padding) => states.mask_fill(padding.clone(), 0.0),
            None => states,
        };
        let mixed = self.conv.forward(embedded.swap_dims(1, 2));
        let mixed = self.activation.forward(hide(mixed.swap_dims(1, 2)));
        hide(self.LayerNorm.forward(states + mixed))
    }
}
