//! RoBERTa: BERT's encoder, with positions counted from the padding id, trained longer.
//!
//! Paper: <https://arxiv.org/abs/1907.11692>. Reference: `modeling_roberta.py` of transformers
//! 4.56.2.
//!
//! Heads: encoder, masked LM, question answerer, sequence classifier, token classifier.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::Result;
use burnpipe_nn::ops::AttentionScope;
use burnpipe_nn::{
    Activation, Architecture, BatchLayout, BertEncoder, BertEncoderConfig, Embedding, Encoder, Heads,
    LayerNorm, Linear, LoadContext, MaskedLm, Placement, PositionEmbedding, PrunedHeads, QuestionAnswerer,
    RobertaClassificationHead, RobertaLMHead, SequenceClassifier, TokenBatch, TokenClassifier, WeightNames,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture { model_type: "roberta", heads: HEADS };

pub(crate) const HEADS: Heads = Heads {
    encoder: Some(|context| Ok(Box::new(load_encoder(context)?))),
    masked_lm: Some(|context| Ok(Box::new(load_masked_lm(context)?))),
    question_answerer: Some(|context| Ok(Box::new(load_question_answerer(context)?))),
    sequence_classifier: Some(|context| Ok(Box::new(load_sequence_classifier(context)?))),
    token_classifier: Some(|context| Ok(Box::new(load_token_classifier(context)?))),
    ..Heads::NONE
};

/// config.json, with the defaults of `RobertaConfig` (and `XLMRobertaConfig`).
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct RobertaConfig {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    hidden_act: String,
    max_position_embeddings: usize,
    type_vocab_size: usize,
    layer_norm_eps: f64,
    pad_token_id: i32,
    position_embedding_type: String,
    is_decoder: bool,
    tie_word_embeddings: bool,
    pruned_heads: PrunedHeads,
}

impl Default for RobertaConfig {
    fn default() -> Self {
        Self {
            vocab_size: 50265,
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3072,
            hidden_act: "gelu".into(),
            max_position_embeddings: 512,
            type_vocab_size: 2,
            layer_norm_eps: 1e-12,
            pad_token_id: 1,
            position_embedding_type: "absolute".into(),
            is_decoder: false,
            tie_word_embeddings: true,
            pruned_heads: PrunedHeads::default(),
        }
    }
}

impl RobertaConfig {
    fn encoder(&self) -> Result<BertEncoderConfig> {
        Ok(BertEncoderConfig {
            hidden_size: self.hidden_size,
            num_hidden_layers: self.num_hidden_layers,
            num_attention_heads: self.num_attention_heads,
            intermediate_size: self.intermediate_size,
            hidden_act: Activation::from_name(&self.hidden_act)?,
            layer_norm_eps: self.layer_norm_eps,
            positions: PositionEmbedding::from_name(&self.position_embedding_type)?,
            max_position_embeddings: self.max_position_embeddings,
            pruned_heads: self.pruned_heads.clone(),
        })
    }
}

fn names(is_base_model: bool, ignored: &'static [&'static str]) -> WeightNames {
    WeightNames { base_model_prefix: "roberta", is_base_model, renames: BertEncoder::RENAMES, ignored }
}

fn load_encoder(context: &LoadContext<'_>) -> Result<RobertaModel> {
    let config = context.checkpoint.config()?.parse()?;
    let ignored = &[
        "position_ids",
        "token_type_ids",
        "lm_head",
        "pooler",
        "classifier",
        "qa_outputs",
        "crossattention",
    ];
    context.fill(RobertaModel::new(&config, context.placement)?, &names(true, ignored))
}

/// The masked LM's output layer: its weight is the table of words unless the config unties them, its
/// bias stands one level higher.
const TIED: &[(&str, &str)] = &[
    ("attention.self_.", "attention.self."),
    ("lm_head.decoder.weight", "roberta.embeddings.word_embeddings.weight"),
    ("lm_head.decoder.bias", "lm_head.bias"),
];
const UNTIED: &[(&str, &str)] =
    &[("attention.self_.", "attention.self."), ("lm_head.decoder.bias", "lm_head.bias")];

fn load_masked_lm(context: &LoadContext<'_>) -> Result<RobertaForMaskedLM> {
    let config: RobertaConfig = context.checkpoint.config()?.parse()?;
    let (size, placement) = (config.hidden_size, context.placement);
    let model = RobertaForMaskedLM {
        roberta: RobertaModel::new(&config, placement)?,
        lm_head: RobertaLMHead::new(size, config.vocab_size, config.layer_norm_eps, placement),
    };
    let ignored = &[
        "position_ids",
        "token_type_ids",
        "decoder",
        "pooler",
        "classifier",
        "qa_outputs",
        "crossattention",
    ];
    let renames = if config.tie_word_embeddings { TIED } else { UNTIED };
    context.fill(model, &WeightNames { renames, ..names(false, ignored) })
}

fn load_question_answerer(context: &LoadContext<'_>) -> Result<RobertaForQuestionAnswering> {
    let config: RobertaConfig = context.checkpoint.config()?.parse()?;
    let model = RobertaForQuestionAnswering {
        roberta: RobertaModel::new(&config, context.placement)?,
        qa_outputs: Linear::new(config.hidden_size, 2, context.placement),
    };
    let ignored = &["position_ids", "token_type_ids", "lm_head", "pooler", "classifier", "crossattention"];
    context.fill(model, &names(false, ignored))
}

fn load_sequence_classifier(context: &LoadContext<'_>) -> Result<RobertaForSequenceClassification> {
    let config: RobertaConfig = context.checkpoint.config()?.parse()?;
    let labels = context.label_count()?;
    let (size, placement) = (config.hidden_size, context.placement);
    let model = RobertaForSequenceClassification {
        roberta: RobertaModel::new(&config, placement)?,
        classifier: RobertaClassificationHead::new(size, labels, placement),
    };
    context.fill(
        model,
        &names(
            false,
            &["position_ids", "token_type_ids", "lm_head", "pooler", "qa_outputs", "crossattention"],
        ),
    )
}

fn load_token_classifier(context: &LoadContext<'_>) -> Result<RobertaForTokenClassification> {
    let config: RobertaConfig = context.checkpoint.config()?.parse()?;
    let labels = context.label_count()?;
    let model = RobertaForTokenClassification {
        roberta: RobertaModel::new(&config, context.placement)?,
        classifier: Linear::new(config.hidden_size, labels, context.placement),
    };
    context.fill(
        model,
        &names(
            false,
            &["position_ids", "token_type_ids", "lm_head", "pooler", "qa_outputs", "crossattention"],
        ),
    )
}

/// The scores of the vocabulary at masked tokens.
#[derive(Module, Debug)]
struct RobertaForMaskedLM {
    roberta: RobertaModel,
    lm_head: RobertaLMHead,
}

impl MaskedLm for RobertaForMaskedLM {
    fn layout(&self) -> BatchLayout {
        self.roberta.layout
    }

    fn forward(&self, batch: &TokenBatch, positions: &[usize]) -> Result<Tensor<2>> {
        let hidden = batch.select(Encoder::forward(&self.roberta, batch)?, positions);
        Ok(self.lm_head.forward(hidden))
    }
}

/// The scores of every token as the start and the end of an answer.
#[derive(Module, Debug)]
struct RobertaForQuestionAnswering {
    roberta: RobertaModel,
    qa_outputs: Linear,
}

impl QuestionAnswerer for RobertaForQuestionAnswering {
    fn layout(&self) -> BatchLayout {
        self.roberta.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.qa_outputs.forward(Encoder::forward(&self.roberta, batch)?))
    }
}

/// The scores of a whole text's labels, from its first token.
#[derive(Module, Debug)]
struct RobertaForSequenceClassification {
    roberta: RobertaModel,
    classifier: RobertaClassificationHead,
}

impl SequenceClassifier for RobertaForSequenceClassification {
    fn layout(&self) -> BatchLayout {
        self.roberta.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<2>> {
        Ok(self.classifier.forward(batch.first_tokens(Encoder::forward(&self.roberta, batch)?)))
    }
}

/// The scores of every token's labels.
#[derive(Module, Debug)]
struct RobertaForTokenClassification {
    roberta: RobertaModel,
    classifier: Linear,
}

impl TokenClassifier for RobertaForTokenClassification {
    fn layout(&self) -> BatchLayout {
        self.roberta.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.classifier.forward(Encoder::forward(&self.roberta, batch)?))
    }
}

/// Embeddings and encoder; no head here uses the pooler.
#[derive(Module, Debug)]
struct RobertaModel {
    embeddings: RobertaEmbeddings,
    encoder: BertEncoder,
    #[module(skip)]
    is_decoder: bool,
    #[module(skip)]
    layout: BatchLayout,
}

impl RobertaModel {
    fn new(config: &RobertaConfig, placement: &Placement) -> Result<Self> {
        Ok(Self {
            embeddings: RobertaEmbeddings::new(config, placement),
            encoder: BertEncoder::new(&config.encoder()?, placement)?,
            is_decoder: config.is_decoder,
            layout: config.encoder()?.layout(placement),
        })
    }
}

impl Encoder for RobertaModel {
    fn layout(&self) -> BatchLayout {
        self.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        let embedded = self.embeddings.forward(batch)?;
        let hidden = batch.hidden(&embedded.device());
        let scope = AttentionScope {
            hidden,
            texts: batch.ends(),
            causal: self.is_decoder,
            ..AttentionScope::default()
        };
        Ok(self.encoder.forward(embedded, &scope))
    }
}

/// Token, segment and, unless positions are relative, position vectors; summed and normed.
#[derive(Module, Debug)]
struct RobertaEmbeddings {
    word_embeddings: Embedding,
    position_embeddings: Embedding,
    token_type_embeddings: Embedding,
    LayerNorm: LayerNorm,
    #[module(skip)]
    config: RobertaConfig,
}

impl RobertaEmbeddings {
    fn new(config: &RobertaConfig, placement: &Placement) -> Self {
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
        let absolute =
            PositionEmbedding::from_name(&config.position_embedding_type)? == PositionEmbedding::Absolute;
        let skipped = if absolute { usize::try_from(config.pad_token_id + 1).unwrap_or(0) } else { 0 };
        let positions = config.max_position_embeddings.saturating_sub(skipped);
        batch.check(config.vocab_size, Some(config.type_vocab_size), positions)?;
        let device = self.word_embeddings.device();
        let words = self.word_embeddings.forward(batch.input_ids(&device));
        let mut sum = words + self.token_type_embeddings.forward(batch.token_type_ids(&device));
        if absolute {
            let positions = batch.to_device(positions_after(batch, config.pad_token_id), &device);
            sum = sum + self.position_embeddings.forward(positions);
        }
        Ok(self.LayerNorm.forward(sum))
    }
}

/// `create_position_ids_from_input_ids`: tokens that are not padding count from `pad_token_id + 1`.
pub(crate) fn positions_after(batch: &TokenBatch, pad_token_id: i32) -> Vec<i32> {
    batch
        .rows()
        .flat_map(|row| {
            row.iter().scan(pad_token_id, move |position, &id| {
                if id == pad_token_id {
                    return Some(pad_token_id);
                }
                *position += 1;
                Some(*position)
            })
        })
        .collect()
}
