//! MobileBERT: a deep and narrow BERT, whose layers compute in bottlenecks.
//!
//! Paper: <https://arxiv.org/abs/2004.02984>. Reference: `modeling_mobilebert.py` of transformers 4.56.2.
//!
//! Heads: encoder, masked LM, question answerer, sequence classifier, token classifier. The layers are in
//! [`layer`].

use burn::module::{Module, Param};
use burn::tensor::{Bool, Tensor, TensorData};
use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_nn::ops::AttentionScope;
use burnpipe_nn::{
    Activation, ActivationLayer, Architecture, BatchLayout, Embedding, Encoder, Heads, LayerNorm, Linear,
    LinearWeight, LoadContext, MaskedLm, Placement, PrunedHeads, QuestionAnswerer, SequenceClassifier,
    TokenBatch, TokenClassifier, WeightNames,
};
use serde::Deserialize;

mod layer;

use layer::{MobileBertLayer, Norm};

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "mobilebert",
    heads: Heads {
        encoder: Some(|context| Ok(Box::new(load_encoder(context)?))),
        masked_lm: Some(|context| Ok(Box::new(load_masked_lm(context)?))),
        question_answerer: Some(|context| Ok(Box::new(load_question_answerer(context)?))),
        sequence_classifier: Some(|context| Ok(Box::new(load_sequence_classifier(context)?))),
        token_classifier: Some(|context| Ok(Box::new(load_token_classifier(context)?))),
        ..Heads::NONE
    },
};

/// The epsilon of the norms that the config's does not reach.
const EPSILON: f64 = 1e-5;

/// config.json, with the defaults of `MobileBertConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct MobileBertConfig {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    hidden_act: String,
    max_position_embeddings: usize,
    type_vocab_size: usize,
    layer_norm_eps: f64,
    embedding_size: usize,
    trigram_input: bool,
    use_bottleneck: bool,
    intra_bottleneck_size: usize,
    use_bottleneck_attention: bool,
    key_query_shared_bottleneck: bool,
    num_feedforward_networks: usize,
    normalization_type: Normalization,
    classifier_activation: bool,
    tie_word_embeddings: bool,
    pruned_heads: PrunedHeads,
}

/// What stands where BERT has norms.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Normalization {
    LayerNorm,
    NoNorm,
}

impl Default for MobileBertConfig {
    fn default() -> Self {
        Self {
            vocab_size: 30522,
            hidden_size: 512,
            num_hidden_layers: 24,
            num_attention_heads: 4,
            intermediate_size: 512,
            hidden_act: "relu".into(),
            max_position_embeddings: 512,
            type_vocab_size: 2,
            layer_norm_eps: 1e-12,
            embedding_size: 128,
            trigram_input: true,
            use_bottleneck: true,
            intra_bottleneck_size: 128,
            use_bottleneck_attention: false,
            key_query_shared_bottleneck: true,
            num_feedforward_networks: 4,
            normalization_type: Normalization::NoNorm,
            classifier_activation: true,
            tie_word_embeddings: true,
            pruned_heads: PrunedHeads::default(),
        }
    }
}

impl MobileBertConfig {
    /// The size of vectors inside a layer.
    fn true_hidden_size(&self) -> usize {
        if self.use_bottleneck { self.intra_bottleneck_size } else { self.hidden_size }
    }

    /// Whether queries and keys are made from the layer's input, and not from a bottleneck of it.
    fn attends_without_bottleneck(&self) -> bool {
        self.use_bottleneck && !self.use_bottleneck_attention && !self.key_query_shared_bottleneck
    }

    fn check(&self) -> Result<()> {
        let refuse = |message| Err(Error::new(ErrorKind::Config, message));
        let (hidden, size, heads) = (self.hidden_size, self.true_hidden_size(), self.num_attention_heads);
        if heads == 0 || !size.is_multiple_of(heads) {
            let name = if self.use_bottleneck { "intra_bottleneck_size" } else { "hidden_size" };
            return refuse(format!(
                "`{name}` {size} in `config.json` is no multiple of `num_attention_heads` {heads}"
            ));
        }
        if self.attends_without_bottleneck() && hidden != size {
            return refuse(format!(
                "`hidden_size` {hidden} in `config.json` is not `intra_bottleneck_size` {size}, which it must be without `use_bottleneck_attention` and `key_query_shared_bottleneck`"
            ));
        }
        if self.num_feedforward_networks == 0 {
            return refuse("`num_feedforward_networks` in `config.json` is 0".into());
        }
        Ok(())
    }
}

const RENAMES: &[(&str, &str)] = &[("attention.self_.", "attention.self.")];

/// `ignored`: heads, old buffers, and the bottleneck that the config may leave unused.
fn names(is_base_model: bool, ignored: &'static [&'static str]) -> WeightNames {
    WeightNames { base_model_prefix: "mobilebert", is_base_model, renames: RENAMES, ignored }
}

fn load_encoder(context: &LoadContext<'_>) -> Result<MobileBertModel> {
    let config = context.checkpoint.config()?.parse()?;
    let ignored = &["position_ids", "bottleneck.attention", "cls", "pooler", "classifier", "qa_outputs"];
    context.fill(MobileBertModel::new(&config, false, context.placement)?, &names(true, ignored))
}

fn load_question_answerer(context: &LoadContext<'_>) -> Result<MobileBertForQuestionAnswering> {
    let config: MobileBertConfig = context.checkpoint.config()?.parse()?;
    let model = MobileBertForQuestionAnswering {
        mobilebert: MobileBertModel::new(&config, false, context.placement)?,
        qa_outputs: Linear::new(config.hidden_size, 2, context.placement),
    };
    context.fill(model, &names(false, &["position_ids", "bottleneck.attention", "cls", "pooler"]))
}

fn load_sequence_classifier(context: &LoadContext<'_>) -> Result<MobileBertForSequenceClassification> {
    let config: MobileBertConfig = context.checkpoint.config()?.parse()?;
    let labels = context.label_count()?;
    let model = MobileBertForSequenceClassification {
        mobilebert: MobileBertModel::new(&config, config.classifier_activation, context.placement)?,
        classifier: Linear::new(config.hidden_size, labels, context.placement),
    };
    let ignored = &["position_ids", "bottleneck.attention", "cls", "qa_outputs"];
    context.fill(model, &names(false, ignored))
}

fn load_token_classifier(context: &LoadContext<'_>) -> Result<MobileBertForTokenClassification> {
    let config: MobileBertConfig = context.checkpoint.config()?.parse()?;
    let labels = context.label_count()?;
    let model = MobileBertForTokenClassification {
        mobilebert: MobileBertModel::new(&config, false, context.placement)?,
        classifier: Linear::new(config.hidden_size, labels, context.placement),
    };
    let ignored = &["position_ids", "bottleneck.attention", "cls", "pooler", "qa_outputs"];
    context.fill(model, &names(false, ignored))
}

/// The first columns of the output layer are the table of words, unless the config unties them.
const TIED: &[(&str, &str)] = &[
    ("attention.self_.", "attention.self."),
    ("cls.predictions.decoder.weight", "mobilebert.embeddings.word_embeddings.weight"),
];

fn load_masked_lm(context: &LoadContext<'_>) -> Result<MobileBertForMaskedLM> {
    let config: MobileBertConfig = context.checkpoint.config()?.parse()?;
    let (size, words, placement) = (config.hidden_size, config.embedding_size, context.placement);
    if words > size {
        let message = format!("`embedding_size` {words} in `config.json` is above `hidden_size` {size}");
        return Err(Error::new(ErrorKind::Config, message));
    }
    let matrix = |shape| Matrix { weight: placement.parameter(shape) };
    let stored = StoredMaskedLM {
        mobilebert: MobileBertModel::new(&config, false, placement)?,
        cls: StoredMLMHead {
            predictions: StoredLMPredictionHead {
                transform: MobileBertPredictionHeadTransform {
                    dense: Linear::new(size, size, placement),
                    transform_act_fn: ActivationLayer::new(
                        Activation::from_name(&config.hidden_act)?,
                        placement,
                    ),
                    LayerNorm: LayerNorm::new(size, config.layer_norm_eps, placement),
                },
                decoder: matrix([config.vocab_size, words]),
                dense: (words < size).then(|| matrix([size - words, config.vocab_size])),
                bias: placement.parameter([config.vocab_size]),
            },
        },
    };
    let ignored = &[
        "position_ids",
        "bottleneck.attention",
        "decoder",
        "predictions.dense",
        "seq_relationship",
        "pooler",
    ];
    let renames = if config.tie_word_embeddings { TIED } else { RENAMES };
    let stored = context.fill(stored, &WeightNames { renames, ..names(false, ignored) })?;
    Ok(stored.joined(placement))
}

/// The scores of the vocabulary at masked tokens, as checkpoints store them.
#[derive(Module, Debug)]
struct StoredMaskedLM {
    mobilebert: MobileBertModel,
    cls: StoredMLMHead,
}

#[derive(Module, Debug)]
struct StoredMLMHead {
    predictions: StoredLMPredictionHead,
}

#[derive(Module, Debug)]
struct StoredLMPredictionHead {
    transform: MobileBertPredictionHeadTransform,
    /// `[vocabulary, embedding]`
    decoder: Matrix,
    /// `[hidden - embedding, vocabulary]`
    dense: Option<Matrix>,
    bias: Param<Tensor<1>>,
}

#[derive(Module, Debug)]
struct Matrix {
    weight: Param<Tensor<2>>,
}

impl StoredMaskedLM {
    /// The output layer in one: the table of words, and beside it the rest of the vectors' elements.
    fn joined(self, placement: &Placement) -> MobileBertForMaskedLM {
        let head = self.cls.predictions;
        let rest = head.dense.map(|dense| dense.weight.val().transpose());
        let parts = std::iter::once(head.decoder.weight.val()).chain(rest);
        let weight = LinearWeight::filled(Tensor::cat(parts.collect(), 1), placement);
        MobileBertForMaskedLM {
            mobilebert: self.mobilebert,
            transform: head.transform,
            decoder: Linear { weight, bias: Some(head.bias) },
        }
    }
}

/// The scores of the vocabulary at masked tokens.
#[derive(Module, Debug)]
struct MobileBertForMaskedLM {
    mobilebert: MobileBertModel,
    transform: MobileBertPredictionHeadTransform,
    decoder: Linear,
}

impl MaskedLm for MobileBertForMaskedLM {
    fn layout(&self) -> BatchLayout {
        self.mobilebert.layout
    }

    fn forward(&self, batch: &TokenBatch, positions: &[usize]) -> Result<Tensor<2>> {
        let hidden = batch.select(Encoder::forward(&self.mobilebert, batch)?, positions);
        Ok(self.decoder.forward(self.transform.forward(hidden)))
    }
}

/// A linear layer, activation and norm, which here is one whatever the config says.
#[derive(Module, Debug)]
struct MobileBertPredictionHeadTransform {
    dense: Linear,
    transform_act_fn: ActivationLayer,
    LayerNorm: LayerNorm,
}

impl MobileBertPredictionHeadTransform {
    fn forward(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.LayerNorm.forward(self.dense.forward_activated(hidden, &self.transform_act_fn))
    }
}

/// The scores of every token as the start and the end of an answer.
#[derive(Module, Debug)]
struct MobileBertForQuestionAnswering {
    mobilebert: MobileBertModel,
    qa_outputs: Linear,
}

impl QuestionAnswerer for MobileBertForQuestionAnswering {
    fn layout(&self) -> BatchLayout {
        self.mobilebert.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.qa_outputs.forward(Encoder::forward(&self.mobilebert, batch)?))
    }
}

/// The scores of a whole text's labels, from its first token, pooled unless the config says not to.
#[derive(Module, Debug)]
struct MobileBertForSequenceClassification {
    mobilebert: MobileBertModel,
    classifier: Linear,
}

impl SequenceClassifier for MobileBertForSequenceClassification {
    fn layout(&self) -> BatchLayout {
        self.mobilebert.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<2>> {
        let first = batch.first_tokens(Encoder::forward(&self.mobilebert, batch)?);
        let pooled = match &self.mobilebert.pooler {
            Some(pooler) => pooler.dense.forward(first).tanh(),
            None => first,
        };
        Ok(self.classifier.forward(pooled))
    }
}

/// The scores of every token's labels.
#[derive(Module, Debug)]
struct MobileBertForTokenClassification {
    mobilebert: MobileBertModel,
    classifier: Linear,
}

impl TokenClassifier for MobileBertForTokenClassification {
    fn layout(&self) -> BatchLayout {
        self.mobilebert.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.classifier.forward(Encoder::forward(&self.mobilebert, batch)?))
    }
}

/// Embeddings, layers and, for heads that want it, the pooler.
#[derive(Module, Debug)]
struct MobileBertModel {
    embeddings: MobileBertEmbeddings,
    encoder: MobileBertEncoder,
    pooler: Option<MobileBertPooler>,
    #[module(skip)]
    layout: BatchLayout,
}

#[derive(Module, Debug)]
struct MobileBertEncoder {
    layer: Vec<MobileBertLayer>,
}

#[derive(Module, Debug)]
struct MobileBertPooler {
    dense: Linear,
}

impl MobileBertModel {
    fn new(config: &MobileBertConfig, with_pooler: bool, placement: &Placement) -> Result<Self> {
        config.check()?;
        let size = config.hidden_size;
        let layer = (0..config.num_hidden_layers).map(|index| MobileBertLayer::new(config, index, placement));
        Ok(Self {
            embeddings: MobileBertEmbeddings::new(config, placement),
            encoder: MobileBertEncoder { layer: layer.collect::<Result<_>>()? },
            pooler: with_pooler.then(|| MobileBertPooler { dense: Linear::new(size, size, placement) }),
            layout: BatchLayout::fastest(placement),
        })
    }
}

impl Encoder for MobileBertModel {
    fn layout(&self) -> BatchLayout {
        self.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        let embedded = self.embeddings.forward(batch)?;
        let hidden = batch.hidden(&embedded.device());
        let scope = AttentionScope { hidden, texts: batch.ends(), ..AttentionScope::default() };
        Ok(self.encoder.layer.iter().fold(embedded, |hidden, layer| layer.forward(hidden, &scope)))
    }
}

/// Small vectors of three tokens in a row, made as wide as the layers; plus position and segment, and normed.
#[derive(Module, Debug)]
struct MobileBertEmbeddings {
    word_embeddings: Embedding,
    position_embeddings: Embedding,
    token_type_embeddings: Embedding,
    embedding_transformation: Linear,
    LayerNorm: Norm,
    #[module(skip)]
    config: MobileBertConfig,
}

impl MobileBertEmbeddings {
    fn new(config: &MobileBertConfig, placement: &Placement) -> Self {
        let (words, size) = (config.embedding_size, config.hidden_size);
        let inputs = if config.trigram_input { 3 * words } else { words };
        Self {
            word_embeddings: Embedding::new(config.vocab_size, words, placement),
            position_embeddings: Embedding::new(config.max_position_embeddings, size, placement),
            token_type_embeddings: Embedding::new(config.type_vocab_size, size, placement),
            embedding_transformation: Linear::new(inputs, size, placement),
            LayerNorm: Norm::new(config, size, EPSILON, placement),
            config: config.clone(),
        }
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        let config = &self.config;
        batch.check(config.vocab_size, Some(config.type_vocab_size), config.max_position_embeddings)?;
        let device = self.word_embeddings.device();
        let mut words = self.word_embeddings.forward(batch.input_ids(&device));
        if config.trigram_input {
            words = Tensor::cat(vec![self.neighbours(batch, 1), words, self.neighbours(batch, -1)], 2);
        }
        if config.trigram_input || config.embedding_size != config.hidden_size {
            words = self.embedding_transformation.forward(words);
        }
        let positions = self.position_embeddings.forward(batch.to_device(batch.positions(), &device));
        let types = self.token_type_embeddings.forward(batch.token_type_ids(&device));
        Ok(self.LayerNorm.forward(words + positions + types))
    }

    /// The vectors of the tokens `step` further on in the same text, and zeros where its end is passed:
    /// `[rows, tokens, embedding]`.
    fn neighbours(&self, batch: &TokenBatch, step: isize) -> Tensor<3> {
        let device = self.word_embeddings.device();
        let mut ids = vec![0; batch.ids().len()];
        let mut absent = vec![true; ids.len()];
        for text in batch.texts() {
            for at in text.clone() {
                let there = at.checked_add_signed(step).filter(|there| text.contains(there));
                if let Some(&id) = there.and_then(|there| batch.ids().get(there)) {
                    (ids[at], absent[at]) = (id, false);
                }
            }
        }
        let vectors = self.word_embeddings.forward(batch.to_device(ids, &device));
        let [rows, tokens, size] = vectors.dims();
        let absent: Tensor<3, Bool> = Tensor::from_data(TensorData::new(absent, [rows, tokens, 1]), &device);
        vectors.mask_fill(absent.expand([rows, tokens, size]), 0.0)
    }
}
