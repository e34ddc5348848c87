//! ALBERT: BERT with few sets of weights that many layers share, and small embeddings.
//!
//! Paper: <https://arxiv.org/abs/1909.11942>. Reference: `modeling_albert.py` of transformers 4.56.2.
//!
//! Heads: encoder, masked LM, question answerer, sequence classifier, token classifier.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_nn::ops::{self, AttentionScope};
use burnpipe_nn::{
    Activation, ActivationLayer, Architecture, BatchLayout, Embedding, Encoder, Heads, LayerNorm, Linear,
    LoadContext, MaskedLm, Placement, PositionEmbedding, PrunedHeads, QuestionAnswerer, SequenceClassifier,
    TokenBatch, TokenClassifier, WeightNames, distance_scores,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "albert",
    heads: Heads {
        encoder: Some(|context| Ok(Box::new(load_encoder(context)?))),
        masked_lm: Some(|context| Ok(Box::new(load_masked_lm(context)?))),
        question_answerer: Some(|context| Ok(Box::new(load_question_answerer(context)?))),
        sequence_classifier: Some(|context| Ok(Box::new(load_sequence_classifier(context)?))),
        token_classifier: Some(|context| Ok(Box::new(load_token_classifier(context)?))),
        ..Heads::NONE
    },
};

/// config.json, with the defaults of `AlbertConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct AlbertConfig {
    vocab_size: usize,
    embedding_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_hidden_groups: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    inner_group_num: usize,
    hidden_act: String,
    max_position_embeddings: usize,
    type_vocab_size: usize,
    layer_norm_eps: f64,
    position_embedding_type: String,
    tie_word_embeddings: bool,
    pruned_heads: PrunedHeads,
}

impl Default for AlbertConfig {
    fn default() -> Self {
        Self {
            vocab_size: 30000,
            embedding_size: 128,
            hidden_size: 4096,
            num_hidden_layers: 12,
            num_hidden_groups: 1,
            num_attention_heads: 64,
            intermediate_size: 16384,
            inner_group_num: 1,
            hidden_act: "gelu_new".into(),
            max_position_embeddings: 512,
            type_vocab_size: 2,
            layer_norm_eps: 1e-12,
            position_embedding_type: "absolute".into(),
            tie_word_embeddings: true,
            pruned_heads: PrunedHeads::default(),
        }
    }
}

impl AlbertConfig {
    fn positions(&self) -> Result<PositionEmbedding> {
        PositionEmbedding::from_name(&self.position_embedding_type)
    }

    /// How the model takes several texts: vectors of distances are made for one at a time.
    fn layout(&self, placement: &Placement) -> Result<BatchLayout> {
        match self.positions()? {
            PositionEmbedding::Absolute => Ok(BatchLayout::fastest(placement)),
            PositionEmbedding::RelativeKey | PositionEmbedding::RelativeKeyQuery => Ok(BatchLayout::Padded),
        }
    }

    fn check(&self) -> Result<()> {
        let refuse = |message| Err(Error::new(ErrorKind::Config, message));
        let (hidden, heads) = (self.hidden_size, self.num_attention_heads);
        if heads == 0 || !hidden.is_multiple_of(heads) {
            return refuse(format!(
                "`hidden_size` {hidden} in `config.json` is no multiple of `num_attention_heads` {heads}"
            ));
        }
        let (groups, layers) = (self.num_hidden_groups, self.num_hidden_layers);
        if groups == 0 || groups > layers {
            return refuse(format!(
                "`num_hidden_groups` {groups} in `config.json` is not from 1 to `num_hidden_layers` {layers}"
            ));
        }
        Ok(())
    }
}

fn names(is_base_model: bool, ignored: &'static [&'static str]) -> WeightNames {
    WeightNames { base_model_prefix: "albert", is_base_model, renames: &[], ignored }
}

fn load_encoder(context: &LoadContext<'_>) -> Result<AlbertModel> {
    let config = context.checkpoint.config()?.parse()?;
    let heads = &[
        "position_ids",
        "token_type_ids",
        "predictions",
        "sop_classifier",
        "pooler",
        "classifier",
        "qa_outputs",
    ];
    context.fill(AlbertModel::new(&config, false, context.placement)?, &names(true, heads))
}

/// The output layer's weight is the table of words unless the config unties them, its bias stands one
/// level higher.
const TIED: &[(&str, &str)] = &[
    ("predictions.decoder.weight", "albert.embeddings.word_embeddings.weight"),
    ("predictions.decoder.bias", "predictions.bias"),
];
const UNTIED: &[(&str, &str)] = &[("predictions.decoder.bias", "predictions.bias")];

fn load_masked_lm(context: &LoadContext<'_>) -> Result<AlbertForMaskedLM> {
    let config: AlbertConfig = context.checkpoint.config()?.parse()?;
    let (size, placement) = (config.embedding_size, context.placement);
    let model = AlbertForMaskedLM {
        albert: AlbertModel::new(&config, false, placement)?,
        predictions: AlbertMLMHead {
            dense: Linear::new(config.hidden_size, size, placement),
            activation: ActivationLayer::new(Activation::from_name(&config.hidden_act)?, placement),
            LayerNorm: LayerNorm::new(size, config.layer_norm_eps, placement),
            decoder: Linear::new(size, config.vocab_size, placement),
        },
    };
    let ignored = &["position_ids", "token_type_ids", "decoder", "sop_classifier", "pooler"];
    let renames = if config.tie_word_embeddings { TIED } else { UNTIED };
    context.fill(model, &WeightNames { renames, ..names(false, ignored) })
}

fn load_question_answerer(context: &LoadContext<'_>) -> Result<AlbertForQuestionAnswering> {
    let config: AlbertConfig = context.checkpoint.config()?.parse()?;
    let model = AlbertForQuestionAnswering {
        albert: AlbertModel::new(&config, false, context.placement)?,
        qa_outputs: Linear::new(config.hidden_size, 2, context.placement),
    };
    let ignored = &["position_ids", "token_type_ids", "predictions", "sop_classifier", "pooler"];
    context.fill(model, &names(false, ignored))
}

fn load_sequence_classifier(context: &LoadContext<'_>) -> Result<AlbertForSequenceClassification> {
    let config: AlbertConfig = context.checkpoint.config()?.parse()?;
    let labels = context.label_count()?;
    let model = AlbertForSequenceClassification {
        albert: AlbertModel::new(&config, true, context.placement)?,
        classifier: Linear::new(config.hidden_size, labels, context.placement),
    };
    let ignored = &["position_ids", "token_type_ids", "predictions", "sop_classifier", "qa_outputs"];
    context.fill(model, &names(false, ignored))
}

fn load_token_classifier(context: &LoadContext<'_>) -> Result<AlbertForTokenClassification> {
    let config: AlbertConfig = context.checkpoint.config()?.parse()?;
    let labels = context.label_count()?;
    let model = AlbertForTokenClassification {
        albert: AlbertModel::new(&config, false, context.placement)?,
        classifier: Linear::new(config.hidden_size, labels, context.placement),
    };
    let ignored =
        &["position_ids", "token_type_ids", "predictions", "sop_classifier", "pooler", "qa_outputs"];
    context.fill(model, &names(false, ignored))
}

/// The scores of the vocabulary at masked tokens.
#[derive(Module, Debug)]
struct AlbertForMaskedLM {
    albert: AlbertModel,
    predictions: AlbertMLMHead,
}

impl MaskedLm for AlbertForMaskedLM {
    fn layout(&self) -> BatchLayout {
        self.albert.layout
    }

    fn forward(&self, batch: &TokenBatch, positions: &[usize]) -> Result<Tensor<2>> {
        let hidden = batch.select(Encoder::forward(&self.albert, batch)?, positions);
        Ok(self.predictions.forward(hidden))
    }
}

/// Back to the size of the embeddings, activation and norm, and then the output layer.
#[derive(Module, Debug)]
struct AlbertMLMHead {
    dense: Linear,
    activation: ActivationLayer,
    LayerNorm: LayerNorm,
    decoder: Linear,
}

impl AlbertMLMHead {
    fn forward(&self, hidden: Tensor<2>) -> Tensor<2> {
        let hidden = self.dense.forward_activated(hidden, &self.activation);
        self.decoder.forward(self.LayerNorm.forward(hidden))
    }
}

/// The scores of every token as the start and the end of an answer.
#[derive(Module, Debug)]
struct AlbertForQuestionAnswering {
    albert: AlbertModel,
    qa_outputs: Linear,
}

impl QuestionAnswerer for AlbertForQuestionAnswering {
    fn layout(&self) -> BatchLayout {
        self.albert.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.qa_outputs.forward(Encoder::forward(&self.albert, batch)?))
    }
}

/// The scores of a whole text's labels, from its pooled first token.
#[derive(Module, Debug)]
struct AlbertForSequenceClassification {
    albert: AlbertModel,
    classifier: Linear,
}

impl SequenceClassifier for AlbertForSequenceClassification {
    fn layout(&self) -> BatchLayout {
        self.albert.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<2>> {
        let first = batch.first_tokens(Encoder::forward(&self.albert, batch)?);
        let pooled = match &self.albert.pooler {
            Some(pooler) => pooler.forward(first).tanh(),
            None => first,
        };
        Ok(self.classifier.forward(pooled))
    }
}

/// The scores of every token's labels.
#[derive(Module, Debug)]
struct AlbertForTokenClassification {
    albert: AlbertModel,
    classifier: Linear,
}

impl TokenClassifier for AlbertForTokenClassification {
    fn layout(&self) -> BatchLayout {
        self.albert.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.classifier.forward(Encoder::forward(&self.albert, batch)?))
    }
}

/// Embeddings, layers and, for heads that want it, the pooler's linear layer.
#[derive(Module, Debug)]
struct AlbertModel {
    embeddings: AlbertEmbeddings,
    encoder: AlbertTransformer,
    pooler: Option<Linear>,
    #[module(skip)]
    layout: BatchLayout,
}

impl AlbertModel {
    fn new(config: &AlbertConfig, with_pooler: bool, placement: &Placement) -> Result<Self> {
        config.check()?;
        let size = config.hidden_size;
        Ok(Self {
            embeddings: AlbertEmbeddings::new(config, placement)?,
            encoder: AlbertTransformer::new(config, placement)?,
            pooler: with_pooler.then(|| Linear::new(size, size, placement)),
            layout: config.layout(placement)?,
        })
    }
}

impl Encoder for AlbertModel {
    fn layout(&self) -> BatchLayout {
        self.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        let embedded = self.embeddings.forward(batch)?;
        let hidden = batch.hidden(&embedded.device());
        let scope = AttentionScope { hidden, texts: batch.ends(), ..AttentionScope::default() };
        Ok(self.encoder.forward(embedded, &scope))
    }
}

/// Token, segment and, unless positions are relative, position vectors; summed and normed.
#[derive(Module, Debug)]
struct AlbertEmbeddings {
    word_embeddings: Embedding,
    position_embeddings: Embedding,
    token_type_embeddings: Embedding,
    LayerNorm: LayerNorm,
    #[module(skip)]
    is_absolute: bool,
    #[module(skip)]
    config: AlbertConfig,
}

impl AlbertEmbeddings {
    fn new(config: &AlbertConfig, placement: &Placement) -> Result<Self> {
        let size = config.embedding_size;
        Ok(Self {
            word_embeddings: Embedding::new(config.vocab_size, size, placement),
            position_embeddings: Embedding::new(config.max_position_embeddings, size, placement),
            token_type_embeddings: Embedding::new(config.type_vocab_size, size, placement),
            LayerNorm: LayerNorm::new(size, config.layer_norm_eps, placement),
            is_absolute: config.positions()? == PositionEmbedding::Absolute,
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

/// From the size of the embeddings to that of the layers, and then the layers.
#[derive(Module, Debug)]
struct AlbertTransformer {
    embedding_hidden_mapping_in: Linear,
    albert_layer_groups: Vec<AlbertLayerGroup>,
    #[module(skip)]
    num_hidden_layers: usize,
}

impl AlbertTransformer {
    fn new(config: &AlbertConfig, placement: &Placement) -> Result<Self> {
        let groups =
            (0..config.num_hidden_groups).map(|index| AlbertLayerGroup::new(config, index, placement));
        Ok(Self {
            embedding_hidden_mapping_in: Linear::new(config.embedding_size, config.hidden_size, placement),
            albert_layer_groups: groups.collect::<Result<_>>()?,
            num_hidden_layers: config.num_hidden_layers,
        })
    }

    /// Every group runs for its share of the layers.
    fn forward(&self, embedded: Tensor<3>, scope: &AttentionScope) -> Tensor<3> {
        let (layers, groups) = (self.num_hidden_layers, self.albert_layer_groups.len());
        let hidden = self.embedding_hidden_mapping_in.forward(embedded);
        (0..layers).map(|layer| layer * groups / layers).fold(hidden, |hidden, group| {
            let layers = &self.albert_layer_groups[group].albert_layers;
            layers.iter().fold(hidden, |hidden, layer| layer.forward(hidden, scope))
        })
    }
}

/// The layers of a group, one after the other each time it runs.
#[derive(Module, Debug)]
struct AlbertLayerGroup {
    albert_layers: Vec<AlbertLayer>,
}

impl AlbertLayerGroup {
    fn new(config: &AlbertConfig, index: usize, placement: &Placement) -> Result<Self> {
        let inner = config.inner_group_num;
        let layers = (index * inner..(index + 1) * inner).map(|at| AlbertLayer::new(config, at, placement));
        Ok(Self { albert_layers: layers.collect::<Result<_>>()? })
    }
}

/// Attention, then a feed-forward part, each added to its input and normed.
#[derive(Module, Debug)]
struct AlbertLayer {
    full_layer_layer_norm: LayerNorm,
    attention: AlbertAttention,
    ffn: Linear,
    ffn_output: Linear,
    activation: ActivationLayer,
}

impl AlbertLayer {
    /// `index` counts the layers that have weights, through all groups.
    fn new(config: &AlbertConfig, index: usize, placement: &Placement) -> Result<Self> {
        let (size, inner) = (config.hidden_size, config.intermediate_size);
        Ok(Self {
            full_layer_layer_norm: LayerNorm::new(size, config.layer_norm_eps, placement),
            attention: AlbertAttention::new(config, index, placement)?,
            ffn: Linear::new(size, inner, placement),
            ffn_output: Linear::new(inner, size, placement),
            activation: ActivationLayer::new(Activation::from_name(&config.hidden_act)?, placement),
        })
    }

    fn forward(&self, hidden: Tensor<3>, scope: &AttentionScope) -> Tensor<3> {
        let hidden = self.attention.forward(hidden, scope);
        let inner = self.ffn.forward_activated(hidden.clone(), &self.activation);
        self.full_layer_layer_norm.forward(self.ffn_output.forward_added(inner, hidden))
    }
}

/// Attention with its projection, added to what went in and normed.
#[derive(Module, Debug)]
struct AlbertAttention {
    query: Linear,
    key: Linear,
    value: Linear,
    dense: Linear,
    LayerNorm: LayerNorm,
    distance_embedding: Option<Embedding>,
    #[module(skip)]
    positions: PositionEmbedding,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    head_size: usize,
}

impl AlbertAttention {
    fn new(config: &AlbertConfig, index: usize, placement: &Placement) -> Result<Self> {
        let (size, positions) = (config.hidden_size, config.positions()?);
        let head_size = size / config.num_attention_heads;
        let heads = config.pruned_heads.left(index, config.num_attention_heads);
        let projection = || Linear::new(size, heads * head_size, placement);
        let is_relative = positions != PositionEmbedding::Absolute;
        let distances = (2 * config.max_position_embeddings).saturating_sub(1);
        Ok(Self {
            query: projection(),
            key: projection(),
            value: projection(),
            dense: Linear::new(heads * head_size, size, placement),
            LayerNorm: LayerNorm::new(size, config.layer_norm_eps, placement),
            distance_embedding: is_relative.then(|| Embedding::new(distances, head_size, placement)),
            positions,
            heads,
            head_size,
        })
    }

    fn forward(&self, hidden: Tensor<3>, scope: &AttentionScope) -> Tensor<3> {
        let [batch, tokens, _] = hidden.dims();
        let split = |x: Tensor<3>| x.reshape([batch, tokens, self.heads, self.head_size]).swap_dims(1, 2);
        let [query, key, value] =
            ops::linear_each(hidden.clone(), [&self.query, &self.key, &self.value]).map(split);
        // Unlike BERT's, not scaled.
        let bias = self.distance_embedding.as_ref().map(|table| {
            let both = self.positions == PositionEmbedding::RelativeKeyQuery;
            distance_scores(table, both, &query, &key)
        });
        let context = ops::attention(query, key, value, &AttentionScope { bias, ..scope.clone() });
        let context = context.swap_dims(1, 2).reshape([batch, tokens, self.heads * self.head_size]);
        self.LayerNorm.forward(self.dense.forward_added(context, hidden))
    }
}
