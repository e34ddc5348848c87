//! BERT: bidirectional encoder with learned positions and segments.
//!
//! Paper: <https://arxiv.org/abs/1810.04805>. Reference: `modeling_bert.py` of transformers 4.56.2.
//!
//! Heads: encoder, masked LM, question answerer, sequence classifier, token classifier.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::Result;
use burnpipe_nn::ops::AttentionScope;
use burnpipe_nn::{
    Activation, ActivationLayer, Architecture, BatchLayout, BertEncoder, BertEncoderConfig, Embedding,
    Encoder, Heads, LayerNorm, Linear, LoadContext, MaskedLm, Placement, PositionEmbedding, PrunedHeads,
    QuestionAnswerer, SequenceClassifier, TokenBatch, TokenClassifier, WeightNames,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "bert",
    heads: Heads {
        encoder: Some(|context| Ok(Box::new(load_encoder(context)?))),
        masked_lm: Some(|context| Ok(Box::new(load_masked_lm(context)?))),
        question_answerer: Some(|context| Ok(Box::new(load_question_answerer(context)?))),
        sequence_classifier: Some(|context| Ok(Box::new(load_sequence_classifier(context)?))),
        token_classifier: Some(|context| Ok(Box::new(load_token_classifier(context)?))),
        ..Heads::NONE
    },
};

/// config.json, with the defaults of `BertConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct BertConfig {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    hidden_act: String,
    max_position_embeddings: usize,
    type_vocab_size: usize,
    layer_norm_eps: f64,
    position_embedding_type: String,
    is_decoder: bool,
    tie_word_embeddings: bool,
    pruned_heads: PrunedHeads,
}

impl Default for BertConfig {
    fn default() -> Self {
        Self {
            vocab_size: 30522,
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3072,
            hidden_act: "gelu".into(),
            max_position_embeddings: 512,
            type_vocab_size: 2,
            layer_norm_eps: 1e-12,
            position_embedding_type: "absolute".into(),
            is_decoder: false,
            tie_word_embeddings: true,
            pruned_heads: PrunedHeads::default(),
        }
    }
}

impl BertConfig {
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

/// Heads of pre-training, of other tasks and of old buffers, which HF leaves alone too.
const IGNORED: &[&str] =
    &["position_ids", "token_type_ids", "cls", "pooler", "classifier", "qa_outputs", "crossattention"];

fn names(is_base_model: bool, ignored: &'static [&'static str]) -> WeightNames {
    WeightNames { base_model_prefix: "bert", is_base_model, renames: BertEncoder::RENAMES, ignored }
}

fn load_encoder(context: &LoadContext<'_>) -> Result<BertModel> {
    let config = context.checkpoint.config()?.parse()?;
    context.fill(BertModel::new(&config, false, context.placement)?, &names(true, IGNORED))
}

/// The masked LM's output layer: its weight is the table of words unless the config unties them, its
/// bias stands one level higher.
const TIED: &[(&str, &str)] = &[
    ("attention.self_.", "attention.self."),
    ("cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight"),
    ("cls.predictions.decoder.bias", "cls.predictions.bias"),
];
const UNTIED: &[(&str, &str)] =
    &[("attention.self_.", "attention.self."), ("cls.predictions.decoder.bias", "cls.predictions.bias")];

fn load_masked_lm(context: &LoadContext<'_>) -> Result<BertForMaskedLM> {
    let config: BertConfig = context.checkpoint.config()?.parse()?;
    let model = BertForMaskedLM {
        bert: BertModel::new(&config, false, context.placement)?,
        cls: BertOnlyMLMHead { predictions: BertLMPredictionHead::new(&config, context.placement)? },
    };
    let ignored =
        &["position_ids", "token_type_ids", "decoder", "seq_relationship", "pooler", "crossattention"];
    let renames = if config.tie_word_embeddings { TIED } else { UNTIED };
    context.fill(model, &WeightNames { renames, ..names(false, ignored) })
}

fn load_question_answerer(context: &LoadContext<'_>) -> Result<BertForQuestionAnswering> {
    let config: BertConfig = context.checkpoint.config()?.parse()?;
    let model = BertForQuestionAnswering {
        bert: BertModel::new(&config, false, context.placement)?,
        qa_outputs: Linear::new(config.hidden_size, 2, context.placement),
    };
    let ignored = &["position_ids", "token_type_ids", "cls", "pooler", "classifier", "crossattention"];
    context.fill(model, &names(false, ignored))
}

fn load_sequence_classifier(context: &LoadContext<'_>) -> Result<BertForSequenceClassification> {
    let config: BertConfig = context.checkpoint.config()?.parse()?;
    let labels = context.label_count()?;
    let model = BertForSequenceClassification {
        bert: BertModel::new(&config, true, context.placement)?,
        classifier: Linear::new(config.hidden_size, labels, context.placement),
    };
    context.fill(
        model,
        &names(false, &["position_ids", "token_type_ids", "cls", "qa_outputs", "crossattention"]),
    )
}

fn load_token_classifier(context: &LoadContext<'_>) -> Result<BertForTokenClassification> {
    let config: BertConfig = context.checkpoint.config()?.parse()?;
    let labels = context.label_count()?;
    let model = BertForTokenClassification {
        bert: BertModel::new(&config, false, context.placement)?,
        classifier: Linear::new(config.hidden_size, labels, context.placement),
    };
    context.fill(
        model,
        &names(false, &["position_ids", "token_type_ids", "cls", "pooler", "qa_outputs", "crossattention"]),
    )
}

/// The scores of the vocabulary at masked tokens.
#[derive(Module, Debug)]
struct BertForMaskedLM {
    bert: BertModel,
    cls: BertOnlyMLMHead,
}

impl MaskedLm for BertForMaskedLM {
    fn layout(&self) -> BatchLayout {
        self.bert.layout
    }

    fn forward(&self, batch: &TokenBatch, positions: &[usize]) -> Result<Tensor<2>> {
        let hidden = batch.select(Encoder::forward(&self.bert, batch)?, positions);
        Ok(self.cls.predictions.forward(hidden))
    }
}

#[derive(Module, Debug)]
struct BertOnlyMLMHead {
    predictions: BertLMPredictionHead,
}

/// A linear layer, activation and norm, and then the output layer.
#[derive(Module, Debug)]
struct BertLMPredictionHead {
    transform: BertPredictionHeadTransform,
    decoder: Linear,
}

impl BertLMPredictionHead {
    fn new(config: &BertConfig, placement: &Placement) -> Result<Self> {
        let size = config.hidden_size;
        let transform = BertPredictionHeadTransform {
            dense: Linear::new(size, size, placement),
            transform_act_fn: ActivationLayer::new(Activation::from_name(&config.hidden_act)?, placement),
            LayerNorm: LayerNorm::new(size, config.layer_norm_eps, placement),
        };
        Ok(Self { transform, decoder: Linear::new(size, config.vocab_size, placement) })
    }

    fn forward(&self, hidden: Tensor<2>) -> Tensor<2> {
        let transform = &self.transform;
        let hidden = transform.dense.forward_activated(hidden, &transform.transform_act_fn);
        self.decoder.forward(transform.LayerNorm.forward(hidden))
    }
}

#[derive(Module, Debug)]
struct BertPredictionHeadTransform {
    dense: Linear,
    transform_act_fn: ActivationLayer,
    LayerNorm: LayerNorm,
}

/// The scores of every token as the start and the end of an answer.
#[derive(Module, Debug)]
struct BertForQuestionAnswering {
    bert: BertModel,
    qa_outputs: Linear,
}

impl QuestionAnswerer for BertForQuestionAnswering {
    fn layout(&self) -> BatchLayout {
        self.bert.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.qa_outputs.forward(Encoder::forward(&self.bert, batch)?))
    }
}

/// The scores of a whole text's labels, from its pooled first token.
#[derive(Module, Debug)]
struct BertForSequenceClassification {
    bert: BertModel,
    classifier: Linear,
}

impl SequenceClassifier for BertForSequenceClassification {
    fn layout(&self) -> BatchLayout {
        self.bert.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<2>> {
        let first = batch.first_tokens(Encoder::forward(&self.bert, batch)?);
        let pooled = match &self.bert.pooler {
            Some(pooler) => pooler.forward(first),
            None => first,
        };
        Ok(self.classifier.forward(pooled))
    }
}

/// The scores of every token's labels.
#[derive(Module, Debug)]
struct BertForTokenClassification {
    bert: BertModel,
    classifier: Linear,
}

impl TokenClassifier for BertForTokenClassification {
    fn layout(&self) -> BatchLayout {
        self.bert.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.classifier.forward(Encoder::forward(&self.bert, batch)?))
    }
}

/// Embeddings, encoder and, for heads that want it, the pooler.
#[derive(Module, Debug)]
struct BertModel {
    embeddings: BertEmbeddings,
    encoder: BertEncoder,
    pooler: Option<BertPooler>,
    #[module(skip)]
    is_decoder: bool,
    #[module(skip)]
    layout: BatchLayout,
}

impl BertModel {
    fn new(config: &BertConfig, with_pooler: bool, placement: &Placement) -> Result<Self> {
        let size = config.hidden_size;
        let pooler = with_pooler.then(|| BertPooler { dense: Linear::new(size, size, placement) });
        Ok(Self {
            embeddings: BertEmbeddings::new(config, placement)?,
            encoder: BertEncoder::new(&config.encoder()?, placement)?,
            pooler,
            is_decoder: config.is_decoder,
            layout: config.encoder()?.layout(placement),
        })
    }
}

impl Encoder for BertModel {
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

/// The first token's vector, through a linear layer and tanh.
#[derive(Module, Debug)]
struct BertPooler {
    dense: Linear,
}

impl BertPooler {
    fn forward(&self, first: Tensor<2>) -> Tensor<2> {
        self.dense.forward(first).tanh()
    }
}

/// Token, segment and, unless positions are relative, position vectors; summed and normed.
#[derive(Module, Debug)]
struct BertEmbeddings {
    word_embeddings: Embedding,
    position_embeddings: Embedding,
    token_type_embeddings: Embedding,
    LayerNorm: LayerNorm,
    #[module(skip)]
    config: BertConfig,
}

impl BertEmbeddings {
    fn new(config: &BertConfig, placement: &Placement) -> Result<Self> {
        let size = config.hidden_size;
        Ok(Self {
            word_embeddings: Embedding::new(config.vocab_size, size, placement),
            position_embeddings: Embedding::new(config.max_position_embeddings, size, placement),
            token_type_embeddings: Embedding::new(config.type_vocab_size, size, placement),
            LayerNorm: LayerNorm::new(size, config.layer_norm_eps, placement),
            config: config.clone(),
        })
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        let config = &self.config;
        batch.check(config.vocab_size, Some(config.type_vocab_size), config.max_position_embeddings)?;
        let device = self.word_embeddings.device();
        let words = self.word_embeddings.forward(batch.input_ids(&device));
        let mut sum = words + self.token_type_embeddings.forward(batch.token_type_ids(&device));
        if PositionEmbedding::from_name(&config.position_embedding_type)? == PositionEmbedding::Absolute {
            sum = sum + self.position_embeddings.forward(batch.to_device(batch.positions(), &device));
        }
        Ok(self.LayerNorm.forward(sum))
    }
}
