//! ELECTRA: BERT's encoder, trained to tell replaced tokens, over embeddings of a size of their own.
//!
//! Paper: <https://arxiv.org/abs/2003.10555>. Reference: `modeling_electra.py` of transformers 4.56.2.
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
    model_type: "electra",
    heads: Heads {
        encoder: Some(|context| Ok(Box::new(load_encoder(context)?))),
        masked_lm: Some(|context| Ok(Box::new(load_masked_lm(context)?))),
        question_answerer: Some(|context| Ok(Box::new(load_question_answerer(context)?))),
        sequence_classifier: Some(|context| Ok(Box::new(load_sequence_classifier(context)?))),
        token_classifier: Some(|context| Ok(Box::new(load_token_classifier(context)?))),
        ..Heads::NONE
    },
};

/// config.json, with the defaults of `ElectraConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct ElectraConfig {
    vocab_size: usize,
    embedding_size: usize,
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

impl Default for ElectraConfig {
    fn default() -> Self {
        Self {
            vocab_size: 30522,
            embedding_size: 128,
            hidden_size: 256,
            num_hidden_layers: 12,
            num_attention_heads: 4,
            intermediate_size: 1024,
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

impl ElectraConfig {
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
    WeightNames { base_model_prefix: "electra", is_base_model, renames: BertEncoder::RENAMES, ignored }
}

fn load_encoder(context: &LoadContext<'_>) -> Result<ElectraModel> {
    let config = context.checkpoint.config()?.parse()?;
    let heads = &[
        "position_ids",
        "token_type_ids",
        "generator_predictions",
        "generator_lm_head",
        "discriminator_predictions",
        "sequence_summary",
        "classifier",
        "qa_outputs",
        "crossattention",
    ];
    context.fill(ElectraModel::new(&config, context.placement)?, &names(true, heads))
}

/// The output layer's weight is the table of words, unless the config unties them.
const TIED: &[(&str, &str)] = &[
    ("attention.self_.", "attention.self."),
    ("generator_lm_head.weight", "electra.embeddings.word_embeddings.weight"),
];

fn load_masked_lm(context: &LoadContext<'_>) -> Result<ElectraForMaskedLM> {
    let config: ElectraConfig = context.checkpoint.config()?.parse()?;
    let (size, placement) = (config.embedding_size, context.placement);
    let model = ElectraForMaskedLM {
        electra: ElectraModel::new(&config, placement)?,
        generator_predictions: ElectraGeneratorPredictions {
            dense: Linear::new(config.hidden_size, size, placement),
            activation: ActivationLayer::new(Activation::Gelu, placement),
            LayerNorm: LayerNorm::new(size, config.layer_norm_eps, placement),
        },
        generator_lm_head: Linear::new(size, config.vocab_size, placement),
    };
    let ignored = &[
        "position_ids",
        "token_type_ids",
        "generator_lm_head",
        "discriminator_predictions",
        "sequence_summary",
        "crossattention",
    ];
    let renames = if config.tie_word_embeddings { TIED } else { BertEncoder::RENAMES };
    context.fill(model, &WeightNames { renames, ..names(false, ignored) })
}

/// The keys of pre-training that a fine-tuned checkpoint may have kept, and those of old buffers.
const PRETRAINING: &[&str] = &[
    "position_ids",
    "token_type_ids",
    "generator_predictions",
    "generator_lm_head",
    "discriminator_predictions",
    "sequence_summary",
    "crossattention",
];

fn load_question_answerer(context: &LoadContext<'_>) -> Result<ElectraForQuestionAnswering> {
    let config: ElectraConfig = context.checkpoint.config()?.parse()?;
    let model = ElectraForQuestionAnswering {
        electra: ElectraModel::new(&config, context.placement)?,
        qa_outputs: Linear::new(config.hidden_size, 2, context.placement),
    };
    context.fill(model, &names(false, PRETRAINING))
}

fn load_sequence_classifier(context: &LoadContext<'_>) -> Result<ElectraForSequenceClassification> {
    let config: ElectraConfig = context.checkpoint.config()?.parse()?;
    let labels = context.label_count()?;
    let (size, placement) = (config.hidden_size, context.placement);
    let model = ElectraForSequenceClassification {
        electra: ElectraModel::new(&config, placement)?,
        classifier: ElectraClassificationHead {
            dense: Linear::new(size, size, placement),
            activation: ActivationLayer::new(Activation::Gelu, placement),
            out_proj: Linear::new(size, labels, placement),
        },
    };
    context.fill(model, &names(false, PRETRAINING))
}

fn load_token_classifier(context: &LoadContext<'_>) -> Result<ElectraForTokenClassification> {
    let config: ElectraConfig = context.checkpoint.config()?.parse()?;
    let labels = context.label_count()?;
    let model = ElectraForTokenClassification {
        electra: ElectraModel::new(&config, context.placement)?,
        classifier: Linear::new(config.hidden_size, labels, context.placement),
    };
    context.fill(model, &names(false, PRETRAINING))
}

/// The scores of the vocabulary at masked tokens: ELECTRA's generator.
#[derive(Module, Debug)]
struct ElectraForMaskedLM {
    electra: ElectraModel,
    generator_predictions: ElectraGeneratorPredictions,
    generator_lm_head: Linear,
}

impl MaskedLm for ElectraForMaskedLM {
    fn layout(&self) -> BatchLayout {
        self.electra.layout
    }

    fn forward(&self, batch: &TokenBatch, positions: &[usize]) -> Result<Tensor<2>> {
        let hidden = batch.select(Encoder::forward(&self.electra, batch)?, positions);
        Ok(self.generator_lm_head.forward(self.generator_predictions.forward(hidden)))
    }
}

/// Back to the size of the embeddings, GELU whatever the config's activation, and norm.
#[derive(Module, Debug)]
struct ElectraGeneratorPredictions {
    dense: Linear,
    activation: ActivationLayer,
    LayerNorm: LayerNorm,
}

impl ElectraGeneratorPredictions {
    fn forward(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.LayerNorm.forward(self.dense.forward_activated(hidden, &self.activation))
    }
}

/// The scores of every token as the start and the end of an answer.
#[derive(Module, Debug)]
struct ElectraForQuestionAnswering {
    electra: ElectraModel,
    qa_outputs: Linear,
}

impl QuestionAnswerer for ElectraForQuestionAnswering {
    fn layout(&self) -> BatchLayout {
        self.electra.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.qa_outputs.forward(Encoder::forward(&self.electra, batch)?))
    }
}

/// The scores of a whole text's labels, from its first token.
#[derive(Module, Debug)]
struct ElectraForSequenceClassification {
    electra: ElectraModel,
    classifier: ElectraClassificationHead,
}

impl SequenceClassifier for ElectraForSequenceClassification {
    fn layout(&self) -> BatchLayout {
        self.electra.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<2>> {
        Ok(self.classifier.forward(batch.first_tokens(Encoder::forward(&self.electra, batch)?)))
    }
}

/// Two layers, with GELU between them whatever the config's activation.
#[derive(Module, Debug)]
struct ElectraClassificationHead {
    dense: Linear,
    activation: ActivationLayer,
    out_proj: Linear,
}

impl ElectraClassificationHead {
    fn forward(&self, first: Tensor<2>) -> Tensor<2> {
        self.out_proj.forward(self.dense.forward_activated(first, &self.activation))
    }
}

/// The scores of every token's labels.
#[derive(Module, Debug)]
struct ElectraForTokenClassification {
    electra: ElectraModel,
    classifier: Linear,
}

impl TokenClassifier for ElectraForTokenClassification {
    fn layout(&self) -> BatchLayout {
        self.electra.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.classifier.forward(Encoder::forward(&self.electra, batch)?))
    }
}

/// Embeddings, where they are of another size a projection, and encoder.
#[derive(Module, Debug)]
struct ElectraModel {
    embeddings: ElectraEmbeddings,
    embeddings_project: Option<Linear>,
    encoder: BertEncoder,
    #[module(skip)]
    is_decoder: bool,
    #[module(skip)]
    layout: BatchLayout,
}

impl ElectraModel {
    fn new(config: &ElectraConfig, placement: &Placement) -> Result<Self> {
        let projects = config.embedding_size != config.hidden_size;
        let project = || Linear::new(config.embedding_size, config.hidden_size, placement);
        Ok(Self {
            embeddings: ElectraEmbeddings::new(config, placement)?,
            embeddings_project: projects.then(project),
            encoder: BertEncoder::new(&config.encoder()?, placement)?,
            is_decoder: config.is_decoder,
            layout: config.encoder()?.layout(placement),
        })
    }
}

impl Encoder for ElectraModel {
    fn layout(&self) -> BatchLayout {
        self.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        let embedded = self.embeddings.forward(batch)?;
        let embedded = match &self.embeddings_project {
            Some(project) => project.forward(embedded),
            None => embedded,
        };
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
struct ElectraEmbeddings {
    word_embeddings: Embedding,
    position_embeddings: Embedding,
    token_type_embeddings: Embedding,
    LayerNorm: LayerNorm,
    #[module(skip)]
    is_absolute: bool,
    #[module(skip)]
    config: ElectraConfig,
}

impl ElectraEmbeddings {
    fn new(config: &ElectraConfig, placement: &Placement) -> Result<Self> {
        let size = config.embedding_size;
        let positions = PositionEmbedding::from_name(&config.position_embedding_type)?;
        Ok(Self {
            word_embeddings: Embedding::new(config.vocab_size, size, placement),
            position_embeddings: Embedding::new(config.max_position_embeddings, size, placement),
            token_type_embeddings: Embedding::new(config.type_vocab_size, size, placement),
            LayerNorm: LayerNorm::new(size, config.layer_norm_eps, placement),
            is_absolute: positions == PositionEmbedding::Absolute,
            config: config.clone(),
        })
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        let config = &self.config;
        batch.check(config.vocab_size, Some(config.type_vocab_size), config.max_position_embeddings)?;
        let device = self.word_embeddings.device();
        let words = self.word_embeddings.forward(batch.input_ids(&device));
        let mut sum = words + self.token_type_embeddings.forward(batch.token_type_ids(&device));
        if self.is_absolute {
            sum = sum + self.position_embeddings.forward(batch.to_device(batch.positions(), &device));
        }
        Ok(self.LayerNorm.forward(sum))
    }
}
