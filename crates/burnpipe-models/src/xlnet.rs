//! XLNet: an encoder whose scores depend on how far apart two tokens are and on whether they are of one
//! segment, trained on permuted words.
//!
//! Paper: <https://arxiv.org/abs/1906.08237>. Reference: `modeling_xlnet.py` of transformers 4.56.2.
//!
//! Heads: encoder, question answerer, sequence classifier, token classifier.

use burn::module::{Module, Param};
use burn::tensor::{Bool, DType, Device, Tensor, TensorData};
use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_nn::ops::{self, AttentionScope};
use burnpipe_nn::{
    Activation, ActivationLayer, Architecture, Embedding, Encoder, Heads, LayerNorm, Linear, LoadContext,
    Placement, QuestionAnswerer, SequenceClassifier, TokenBatch, TokenClassifier, WeightNames,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "xlnet",
    heads: Heads {
        encoder: Some(|context| Ok(Box::new(load_encoder(context)?))),
        question_answerer: Some(|context| Ok(Box::new(load_question_answerer(context)?))),
        sequence_classifier: Some(|context| Ok(Box::new(load_sequence_classifier(context)?))),
        token_classifier: Some(|context| Ok(Box::new(load_token_classifier(context)?))),
        ..Heads::NONE
    },
};

/// config.json, with the defaults and the second names of `XLNetConfig`. The memories of earlier texts
/// (`mem_len`, `reuse_len`, `use_mems_eval`) are given to no pipeline, and `untie_r` changes nothing here.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct XLNetConfig {
    #[serde(alias = "n_token")]
    vocab_size: usize,
    #[serde(alias = "hidden_size")]
    d_model: usize,
    #[serde(alias = "num_hidden_layers")]
    n_layer: usize,
    #[serde(alias = "num_attention_heads")]
    n_head: usize,
    d_head: Option<usize>,
    d_inner: usize,
    ff_activation: String,
    attn_type: AttentionType,
    layer_norm_eps: f64,
    bi_data: bool,
    clamp_len: i64,
    same_length: bool,
    summary_type: SummaryType,
    summary_use_proj: bool,
    summary_proj_to_labels: bool,
    summary_activation: Option<String>,
}

impl Default for XLNetConfig {
    fn default() -> Self {
        Self {
            vocab_size: 32000,
            d_model: 1024,
            n_layer: 24,
            n_head: 16,
            d_head: None,
            d_inner: 4096,
            ff_activation: "gelu".into(),
            attn_type: AttentionType::Bi,
            layer_norm_eps: 1e-12,
            bi_data: false,
            clamp_len: -1,
            same_length: false,
            summary_type: SummaryType::Last,
            summary_use_proj: true,
            summary_proj_to_labels: false,
            summary_activation: Some("tanh".into()),
        }
    }
}

/// Which tokens a token sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AttentionType {
    /// All.
    Bi,
    /// Itself and those before it.
    Uni,
}

/// Which vector stands for a whole text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SummaryType {
    /// The last token's, which the tokenizer makes the one of the class.
    Last,
    /// The first token's.
    First,
    /// The mean of all.
    Mean,
    /// As `Last`: no pipeline says where the token of the class is.
    ClsIndex,
}

impl XLNetConfig {
    fn check(&self) -> Result<()> {
        let wrong = |message: String| Err(Error::new(ErrorKind::Config, message));
        let (size, heads) = (self.d_model, self.n_head);
        if heads == 0 || !size.is_multiple_of(heads) || !size.is_multiple_of(2) {
            return wrong(format!(
                "`d_model` {size} in `config.json` is no even multiple of `n_head` {heads}"
            ));
        }
        if let Some(d_head) = self.d_head.filter(|&d_head| d_head != size / heads) {
            return wrong(format!(
                "`d_head` {d_head} in `config.json` is not `d_model` {size} / `n_head` {heads}"
            ));
        }
        if self.bi_data {
            return wrong("`bi_data` in `config.json` is not supported".into());
        }
        if self.summary_proj_to_labels {
            return wrong("`summary_proj_to_labels` in `config.json` is not supported".into());
        }
        Ok(())
    }
}

/// Checkpoints have a layer's projections without `weight`.
const RENAMES: &[(&str, &str)] = &[
    ("rel_attn.q.weight", "rel_attn.q"),
    ("rel_attn.k.weight", "rel_attn.k"),
    ("rel_attn.v.weight", "rel_attn.v"),
    ("rel_attn.o.weight", "rel_attn.o"),
    ("rel_attn.r.weight", "rel_attn.r"),
];

fn names(is_base_model: bool, ignored: &'static [&'static str]) -> WeightNames {
    WeightNames { base_model_prefix: "transformer", is_base_model, renames: RENAMES, ignored }
}

fn load_encoder(context: &LoadContext<'_>) -> Result<XLNetModel> {
    let config = context.checkpoint.config()?.parse()?;
    let ignored = &["mask_emb", "lm_loss", "sequence_summary", "logits_proj", "classifier", "qa_outputs"];
    context.fill(XLNetModel::new(&config, context.placement)?, &names(true, ignored))
}

fn load_question_answerer(context: &LoadContext<'_>) -> Result<XLNetForQuestionAnsweringSimple> {
    let config: XLNetConfig = context.checkpoint.config()?.parse()?;
    let model = XLNetForQuestionAnsweringSimple {
        transformer: XLNetModel::new(&config, context.placement)?,
        qa_outputs: Linear::new(config.d_model, 2, context.placement),
    };
    let ignored = &["mask_emb", "lm_loss", "sequence_summary", "logits_proj", "classifier"];
    context.fill(model, &names(false, ignored))
}

fn load_sequence_classifier(context: &LoadContext<'_>) -> Result<XLNetForSequenceClassification> {
    let config: XLNetConfig = context.checkpoint.config()?.parse()?;
    let labels = context.label_count()?;
    let model = XLNetForSequenceClassification {
        transformer: XLNetModel::new(&config, context.placement)?,
        sequence_summary: XLNetSequenceSummary::new(&config, context.placement)?,
        logits_proj: Linear::new(config.d_model, labels, context.placement),
    };
    context.fill(model, &names(false, &["mask_emb", "lm_loss", "classifier", "qa_outputs"]))
}

fn load_token_classifier(context: &LoadContext<'_>) -> Result<XLNetForTokenClassification> {
    let config: XLNetConfig = context.checkpoint.config()?.parse()?;
    let labels = context.label_count()?;
    let model = XLNetForTokenClassification {
        transformer: XLNetModel::new(&config, context.placement)?,
        classifier: Linear::new(config.d_model, labels, context.placement),
    };
    let ignored = &["mask_emb", "lm_loss", "sequence_summary", "logits_proj", "qa_outputs"];
    context.fill(model, &names(false, ignored))
}

/// The scores of every token as the start and the end of an answer.
#[derive(Module, Debug)]
struct XLNetForQuestionAnsweringSimple {
    transformer: XLNetModel,
    qa_outputs: Linear,
}

impl QuestionAnswerer for XLNetForQuestionAnsweringSimple {
    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.qa_outputs.forward(Encoder::forward(&self.transformer, batch)?))
    }
}

/// The scores of a whole text's labels.
#[derive(Module, Debug)]
struct XLNetForSequenceClassification {
    transformer: XLNetModel,
    sequence_summary: XLNetSequenceSummary,
    logits_proj: Linear,
}

impl SequenceClassifier for XLNetForSequenceClassification {
    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<2>> {
        let hidden = Encoder::forward(&self.transformer, batch)?;
        Ok(self.logits_proj.forward(self.sequence_summary.forward(batch, hidden)))
    }
}

/// One vector for a whole text, through a linear layer and an activation where the config has them.
#[derive(Module, Debug)]
struct XLNetSequenceSummary {
    summary: Option<Linear>,
    activation: Option<ActivationLayer>,
    #[module(skip)]
    summary_type: SummaryType,
}

impl XLNetSequenceSummary {
    fn new(config: &XLNetConfig, placement: &Placement) -> Result<Self> {
        let size = config.d_model;
        let activation = config.summary_activation.as_deref().filter(|name| !name.is_empty());
        let activation = activation.map(Activation::from_name).transpose()?;
        Ok(Self {
            summary: config.summary_use_proj.then(|| Linear::new(size, size, placement)),
            activation: activation.map(|activation| ActivationLayer::new(activation, placement)),
            summary_type: config.summary_type,
        })
    }

    fn forward(&self, batch: &TokenBatch, hidden: Tensor<3>) -> Tensor<2> {
        let mut vector = match self.summary_type {
            SummaryType::Last | SummaryType::ClsIndex => batch.last_tokens(hidden),
            SummaryType::First => batch.first_tokens(hidden),
            SummaryType::Mean => batch.mean_of_tokens(hidden),
        };
        if let Some(summary) = &self.summary {
            vector = summary.forward(vector);
        }
        match &self.activation {
            Some(activation) => activation.forward(vector),
            None => vector,
        }
    }
}

/// The scores of every token's labels.
#[derive(Module, Debug)]
struct XLNetForTokenClassification {
    transformer: XLNetModel,
    classifier: Linear,
}

impl TokenClassifier for XLNetForTokenClassification {
    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.classifier.forward(Encoder::forward(&self.transformer, batch)?))
    }
}

/// The embeddings and the layers.
#[derive(Module, Debug)]
struct XLNetModel {
    word_embedding: Embedding,
    layer: Vec<XLNetLayer>,
    #[module(skip)]
    config: XLNetConfig,
}

impl XLNetModel {
    fn new(config: &XLNetConfig, placement: &Placement) -> Result<Self> {
        config.check()?;
        let activation = Activation::from_name(&config.ff_activation)?;
        let layer = |_| XLNetLayer {
            rel_attn: XLNetRelativeAttention::new(config, placement),
            ff: XLNetFeedForward::new(config, activation, placement),
        };
        Ok(Self {
            word_embedding: Embedding::new(config.vocab_size, config.d_model, placement),
            layer: (0..config.n_layer).map(layer).collect(),
            config: config.clone(),
        })
    }
}

impl Encoder for XLNetModel {
    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        // Positions are relative and have no end.
        batch.check(self.config.vocab_size, None, usize::MAX)?;
        let device = self.word_embedding.device();
        let embedded = self.word_embedding.forward(batch.input_ids(&device));
        let relations = Relations::new(&self.config, batch, &device, embedded.dtype());
        Ok(self.layer.iter().fold(embedded, |hidden, layer| layer.forward(hidden, &relations)))
    }
}

/// How the tokens of a batch stand to each other; the same for all layers.
struct Relations {
    /// A vector for each distance, from `tokens` before to `tokens - 1` after: `[1, 2 * tokens, d_model]`
    distances: Tensor<3>,
    /// 1 where two tokens are of different segments, else 0: `[batch, 1, tokens, tokens]`
    apart: Option<Tensor<4>>,
    /// True where a token sees another one not: `[batch, 1, tokens, tokens]`
    hidden: Option<Tensor<4, Bool>>,
}

impl Relations {
    fn new(config: &XLNetConfig, batch: &TokenBatch, device: &Device, dtype: DType) -> Self {
        let [rows, tokens] = batch.dims();
        let distances = distance_vectors(config, tokens);
        let distances = TensorData::new(distances, [1, 2 * tokens, config.d_model]);
        let shape = [rows, 1, tokens, tokens];
        // Row after row, and in each every token with every other.
        let pairs = |related: &dyn Fn(usize, usize, usize) -> bool| -> Vec<bool> {
            let pair = |at: usize| related(at / (tokens * tokens), at / tokens % tokens, at % tokens);
            (0..rows * tokens * tokens).map(pair).collect()
        };
        let apart = batch.token_types().map(|types| {
            let apart =
                pairs(&|row, token, other| types[row * tokens + token] != types[row * tokens + other]);
            let apart: Vec<f32> = apart.into_iter().map(|apart| if apart { 1.0 } else { 0.0 }).collect();
            Tensor::from_data(TensorData::new(apart, shape), (device, dtype))
        });
        // A token sees itself even where it is padding.
        let seen = batch.seen();
        let hidden = pairs(&|row, token, other| {
            let passed = config.attn_type == AttentionType::Uni
                && (other > token || (config.same_length && other < token));
            other != token && (passed || !seen[row * tokens + other])
        });
        let hidden =
            hidden.contains(&true).then(|| Tensor::from_data(TensorData::new(hidden, shape), device));
        Self { distances: Tensor::from_data(distances, (device, dtype)), apart, hidden }
    }
}

/// Sines and cosines of the distances from `tokens` down to `1 - tokens`.
fn distance_vectors(config: &XLNetConfig, tokens: usize) -> Vec<f32> {
    let frequency = |pair: usize| 10_000_f64.powf(-2.0 * pair as f64 / config.d_model as f64) as f32;
    let frequencies: Vec<f32> = (0..config.d_model / 2).map(frequency).collect();
    let vector = |at: usize| {
        let mut distance = tokens as f32 - at as f32;
        if config.clamp_len > 0 {
            distance = distance.clamp(-config.clamp_len as f32, config.clamp_len as f32);
        }
        let angles = frequencies.iter().map(move |frequency| distance * frequency);
        angles.clone().map(f32::sin).chain(angles.map(f32::cos))
    };
    (0..2 * tokens).flat_map(vector).collect()
}

/// Attention, then a feed-forward part, each added to its input and normed.
#[derive(Module, Debug)]
struct XLNetLayer {
    rel_attn: XLNetRelativeAttention,
    ff: XLNetFeedForward,
}

impl XLNetLayer {
    fn forward(&self, hidden: Tensor<3>, relations: &Relations) -> Tensor<3> {
        self.ff.forward(self.rel_attn.forward(hidden, relations))
    }
}

/// Attention with a score for what two tokens are, one for their distance and one for their segments; the
/// query has a bias of its own for each.
#[derive(Module, Debug)]
struct XLNetRelativeAttention {
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
    /// Of distances.
    r: Linear,
    /// For distances, `[heads, size]`
    r_r_bias: Param<Tensor<2>>,
    /// For segments, `[heads, size]`
    r_s_bias: Param<Tensor<2>>,
    /// For tokens, `[heads, size]`
    r_w_bias: Param<Tensor<2>>,
    /// Of one segment and of two, `[2, heads, size]`
    seg_embed: Param<Tensor<3>>,
    layer_norm: LayerNorm,
}

impl XLNetRelativeAttention {
    fn new(config: &XLNetConfig, placement: &Placement) -> Self {
        let (size, heads) = (config.d_model, config.n_head);
        let projection = || Linear::transposed(size, size, false, placement);
        let bias = || placement.parameter([heads, size / heads]);
        Self {
            q: projection(),
            k: projection(),
            v: projection(),
            o: Linear::with_bias(size, size, false, placement),
            r: projection(),
            r_r_bias: bias(),
            r_s_bias: bias(),
            r_w_bias: bias(),
            seg_embed: placement.parameter([2, heads, size / heads]),
            layer_norm: LayerNorm::new(size, config.layer_norm_eps, placement),
        }
    }

    fn forward(&self, hidden: Tensor<3>, relations: &Relations) -> Tensor<3> {
        let [batch, tokens, size] = hidden.dims();
        let [heads, head_size] = self.r_w_bias.val().dims();
        let split = |x: Tensor<3>| x.reshape([batch, tokens, heads, head_size]).swap_dims(1, 2);
        let [query, key, value] = ops::linear_each(hidden.clone(), [&self.q, &self.k, &self.v]).map(split);
        let mut bias = self.distance_scores(&query, relations);
        if let Some(apart) = &relations.apart {
            bias = bias + self.segment_scores(&query, apart);
        }
        let scope = AttentionScope {
            hidden: relations.hidden.clone(),
            bias: Some(bias / (head_size as f64).sqrt()),
            ..AttentionScope::default()
        };
        let context = ops::attention(biased(&query, &self.r_w_bias), key, value, &scope);
        let context = context.swap_dims(1, 2).reshape([batch, tokens, size]);
        self.layer_norm.forward(self.o.forward_added(context, hidden))
    }

    /// What the distance of two tokens adds to their score: `[batch, heads, queries, keys]`.
    fn distance_scores(&self, query: &Tensor<4>, relations: &Relations) -> Tensor<4> {
        let [batch, heads, tokens, head_size] = query.dims();
        let vectors = self.r.forward(relations.distances.clone()).reshape([2 * tokens, heads, head_size]);
        let scores = by_head(biased(query, &self.r_r_bias)).matmul(vectors.permute([1, 2, 0]));
        // A query's first key is as many distances further on as the query is from the last: read in rows
        // that are one number shorter, the scores stand where they belong.
        let scores = scores.reshape([heads, batch, 2 * tokens, tokens]).narrow(2, 1, 2 * tokens - 1);
        let scores = scores.reshape([heads, batch, tokens, 2 * tokens - 1]).narrow(3, 0, tokens);
        scores.swap_dims(0, 1)
    }

    /// What the segments of two tokens add to their score: `[batch, heads, queries, keys]`.
    fn segment_scores(&self, query: &Tensor<4>, apart: &Tensor<4>) -> Tensor<4> {
        let [batch, heads, tokens, _] = query.dims();
        let vectors = self.seg_embed.val().permute([1, 2, 0]);
        let scores = by_head(biased(query, &self.r_s_bias)).matmul(vectors);
        let scores = scores.reshape([heads, batch, tokens, 2]).swap_dims(0, 1);
        let (same, other) = (scores.clone().narrow(3, 0, 1), scores.narrow(3, 1, 1));
        (other - same.clone()) * apart.clone() + same
    }
}

/// The queries, each with its head's bias: `[batch, heads, queries, size]`.
fn biased(query: &Tensor<4>, bias: &Param<Tensor<2>>) -> Tensor<4> {
    let [_, heads, _, size] = query.dims();
    query.clone() + bias.val().reshape([1, heads, 1, size])
}

/// The queries of all rows by their heads: `[heads, batch * queries, size]`.
fn by_head(query: Tensor<4>) -> Tensor<3> {
    let [batch, heads, tokens, size] = query.dims();
    query.swap_dims(0, 1).reshape([heads, batch * tokens, size])
}

#[derive(Module, Debug)]
struct XLNetFeedForward {
    layer_norm: LayerNorm,
    layer_1: Linear,
    layer_2: Linear,
    activation_function: ActivationLayer,
}

impl XLNetFeedForward {
    fn new(config: &XLNetConfig, activation: Activation, placement: &Placement) -> Self {
        Self {
            layer_norm: LayerNorm::new(config.d_model, config.layer_norm_eps, placement),
            layer_1: Linear::new(config.d_model, config.d_inner, placement),
            layer_2: Linear::new(config.d_inner, config.d_model, placement),
            activation_function: ActivationLayer::new(activation, placement),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let inner = self.layer_1.forward_activated(x.clone(), &self.activation_function);
        self.layer_norm.forward(self.layer_2.forward_added(inner, x))
    }
}
