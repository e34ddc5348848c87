//! MPNet: BERT's layers with scores that also depend on how far apart two tokens are, trained on masked
//! and on permuted words.
//!
//! Paper: <https://arxiv.org/abs/2004.09297>. Reference: `modeling_mpnet.py` of transformers 4.56.2.
//!
//! Heads: encoder, masked LM, question answerer, sequence classifier, token classifier.

use burn::module::Module;
use burn::tensor::{DType, Int, Tensor, TensorData};
use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_nn::ops::{self, AttentionScope};
use burnpipe_nn::{
    Activation, ActivationLayer, Architecture, Embedding, Encoder, Heads, LayerNorm, Linear, LoadContext,
    MaskedLm, Placement, QuestionAnswerer, RobertaClassificationHead, RobertaLMHead, SequenceClassifier,
    TokenBatch, TokenClassifier, WeightNames,
};
use serde::Deserialize;

use crate::roberta::positions_after;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "mpnet",
    heads: Heads {
        encoder: Some(|context| Ok(Box::new(load_encoder(context)?))),
        masked_lm: Some(|context| Ok(Box::new(load_masked_lm(context)?))),
        question_answerer: Some(|context| Ok(Box::new(load_question_answerer(context)?))),
        sequence_classifier: Some(|context| Ok(Box::new(load_sequence_classifier(context)?))),
        token_classifier: Some(|context| Ok(Box::new(load_token_classifier(context)?))),
        ..Heads::NONE
    },
};

/// The padding id that positions are counted from, whatever the config's is.
const PADDING_ID: i32 = 1;

/// Into how many buckets distances go, whatever the config's `relative_attention_num_buckets` is: a
/// larger table has entries that nothing uses.
const BUCKETS: usize = 32;

/// The distance from which on all share a bucket.
const FAR: f32 = 128.0;

/// config.json, with the defaults of `MPNetConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct MPNetConfig {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    hidden_act: String,
    max_position_embeddings: usize,
    layer_norm_eps: f64,
    relative_attention_num_buckets: usize,
    tie_word_embeddings: bool,
}

impl Default for MPNetConfig {
    fn default() -> Self {
        Self {
            vocab_size: 30527,
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3072,
            hidden_act: "gelu".into(),
            max_position_embeddings: 512,
            layer_norm_eps: 1e-12,
            relative_attention_num_buckets: BUCKETS,
            tie_word_embeddings: true,
        }
    }
}

fn names(is_base_model: bool, ignored: &'static [&'static str]) -> WeightNames {
    WeightNames { base_model_prefix: "mpnet", is_base_model, renames: &[], ignored }
}

fn load_encoder(context: &LoadContext<'_>) -> Result<MPNetModel> {
    let config = context.checkpoint.config()?.parse()?;
    let ignored = &["position_ids", "lm_head", "pooler", "classifier", "qa_outputs"];
    context.fill(MPNetModel::new(&config, context.placement)?, &names(true, ignored))
}

/// The masked LM's output layer: its weight is the table of words unless the config unties them, its
/// bias stands one level higher.
const TIED: &[(&str, &str)] = &[
    ("lm_head.decoder.weight", "mpnet.embeddings.word_embeddings.weight"),
    ("lm_head.decoder.bias", "lm_head.bias"),
];
const UNTIED: &[(&str, &str)] = &[("lm_head.decoder.bias", "lm_head.bias")];

fn load_masked_lm(context: &LoadContext<'_>) -> Result<MPNetForMaskedLM> {
    let config: MPNetConfig = context.checkpoint.config()?.parse()?;
    let (size, placement) = (config.hidden_size, context.placement);
    let model = MPNetForMaskedLM {
        mpnet: MPNetModel::new(&config, placement)?,
        lm_head: RobertaLMHead::new(size, config.vocab_size, config.layer_norm_eps, placement),
    };
    let renames = if config.tie_word_embeddings { TIED } else { UNTIED };
    let ignored = &["position_ids", "decoder", "pooler", "classifier", "qa_outputs"];
    context.fill(model, &WeightNames { renames, ..names(false, ignored) })
}

fn load_question_answerer(context: &LoadContext<'_>) -> Result<MPNetForQuestionAnswering> {
    let config: MPNetConfig = context.checkpoint.config()?.parse()?;
    let model = MPNetForQuestionAnswering {
        mpnet: MPNetModel::new(&config, context.placement)?,
        qa_outputs: Linear::new(config.hidden_size, 2, context.placement),
    };
    context.fill(model, &names(false, &["position_ids", "lm_head", "pooler", "classifier"]))
}

fn load_sequence_classifier(context: &LoadContext<'_>) -> Result<MPNetForSequenceClassification> {
    let config: MPNetConfig = context.checkpoint.config()?.parse()?;
    let labels = context.label_count()?;
    let (size, placement) = (config.hidden_size, context.placement);
    let model = MPNetForSequenceClassification {
        mpnet: MPNetModel::new(&config, placement)?,
        classifier: RobertaClassificationHead::new(size, labels, placement),
    };
    context.fill(model, &names(false, &["position_ids", "lm_head", "pooler", "qa_outputs"]))
}

fn load_token_classifier(context: &LoadContext<'_>) -> Result<MPNetForTokenClassification> {
    let config: MPNetConfig = context.checkpoint.config()?.parse()?;
    let labels = context.label_count()?;
    let model = MPNetForTokenClassification {
        mpnet: MPNetModel::new(&config, context.placement)?,
        classifier: Linear::new(config.hidden_size, labels, context.placement),
    };
    context.fill(model, &names(false, &["position_ids", "lm_head", "pooler", "qa_outputs"]))
}

/// The scores of the vocabulary at masked tokens.
#[derive(Module, Debug)]
struct MPNetForMaskedLM {
    mpnet: MPNetModel,
    lm_head: RobertaLMHead,
}

impl MaskedLm for MPNetForMaskedLM {
    fn forward(&self, batch: &TokenBatch, positions: &[usize]) -> Result<Tensor<2>> {
        let hidden = batch.select(self.mpnet.forward(batch)?, positions);
        Ok(self.lm_head.forward(hidden))
    }
}

/// The scores of every token as the start and the end of an answer.
#[derive(Module, Debug)]
struct MPNetForQuestionAnswering {
    mpnet: MPNetModel,
    qa_outputs: Linear,
}

impl QuestionAnswerer for MPNetForQuestionAnswering {
    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.qa_outputs.forward(self.mpnet.forward(batch)?))
    }
}

/// The scores of a whole text's labels, from its first token.
#[derive(Module, Debug)]
struct MPNetForSequenceClassification {
    mpnet: MPNetModel,
    classifier: RobertaClassificationHead,
}

impl SequenceClassifier for MPNetForSequenceClassification {
    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<2>> {
        Ok(self.classifier.forward(batch.first_tokens(self.mpnet.forward(batch)?)))
    }
}

/// The scores of every token's labels.
#[derive(Module, Debug)]
struct MPNetForTokenClassification {
    mpnet: MPNetModel,
    classifier: Linear,
}

impl TokenClassifier for MPNetForTokenClassification {
    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.classifier.forward(self.mpnet.forward(batch)?))
    }
}

/// Embeddings and encoder; no head here uses the pooler. Texts lie in rows of their own: the scores of
/// distances are made for one row of tokens, and serve every text.
#[derive(Module, Debug)]
struct MPNetModel {
    embeddings: MPNetEmbeddings,
    encoder: MPNetEncoder,
}

impl MPNetModel {
    fn new(config: &MPNetConfig, placement: &Placement) -> Result<Self> {
        let embeddings = MPNetEmbeddings::new(config, placement);
        Ok(Self { embeddings, encoder: MPNetEncoder::new(config, placement)? })
    }
}

impl Encoder for MPNetModel {
    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        let embedded = self.embeddings.forward(batch)?;
        let hidden = batch.hidden(&embedded.device());
        Ok(self.encoder.forward(embedded, AttentionScope { hidden, ..AttentionScope::default() }))
    }
}

/// Token and position vectors; summed and normed.
#[derive(Module, Debug)]
struct MPNetEmbeddings {
    word_embeddings: Embedding,
    position_embeddings: Embedding,
    LayerNorm: LayerNorm,
    #[module(skip)]
    config: MPNetConfig,
}

impl MPNetEmbeddings {
    fn new(config: &MPNetConfig, placement: &Placement) -> Self {
        let size = config.hidden_size;
        Self {
            word_embeddings: Embedding::new(config.vocab_size, size, placement),
            position_embeddings: Embedding::new(config.max_position_embeddings, size, placement),
            LayerNorm: LayerNorm::new(size, config.layer_norm_eps, placement),
            config: config.clone(),
        }
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        // The first position is the padding id + 1, so that as many fewer tokens have one.
        let positions = self.config.max_position_embeddings.saturating_sub(PADDING_ID as usize + 1);
        batch.check(self.config.vocab_size, None, positions)?;
        let device = self.word_embeddings.device();
        let words = self.word_embeddings.forward(batch.input_ids(&device));
        let positions = batch.to_device(positions_after(batch, PADDING_ID), &device);
        Ok(self.LayerNorm.forward(words + self.position_embeddings.forward(positions)))
    }
}

/// The layers, and the scores of distances that all of them share.
#[derive(Module, Debug)]
struct MPNetEncoder {
    layer: Vec<MPNetLayer>,
    relative_attention_bias: Embedding,
}

impl MPNetEncoder {
    fn new(config: &MPNetConfig, placement: &Placement) -> Result<Self> {
        let (hidden, heads) = (config.hidden_size, config.num_attention_heads);
        if heads == 0 || !hidden.is_multiple_of(heads) {
            let message = format!(
                "`hidden_size` {hidden} in `config.json` is no multiple of `num_attention_heads` {heads}"
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        let buckets = config.relative_attention_num_buckets;
        if buckets < BUCKETS {
            let message = format!(
                "`relative_attention_num_buckets` {buckets} in `config.json` is not supported: the model uses {BUCKETS}"
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        let activation = Activation::from_name(&config.hidden_act)?;
        let layer = (0..config.num_hidden_layers).map(|_| MPNetLayer::new(config, activation, placement));
        Ok(Self {
            layer: layer.collect(),
            relative_attention_bias: Embedding::new(buckets, heads, placement),
        })
    }

    fn forward(&self, hidden: Tensor<3>, scope: AttentionScope) -> Tensor<3> {
        let scope = AttentionScope { bias: Some(self.distance_bias(&hidden)), ..scope };
        self.layer.iter().fold(hidden, |hidden, layer| layer.forward(hidden, &scope))
    }

    /// What the distance of two tokens adds to their score, the same for every row:
    /// `[rows, heads, queries, keys]`.
    fn distance_bias(&self, hidden: &Tensor<3>) -> Tensor<4> {
        let [rows, tokens, _] = hidden.dims();
        let ids = |ids: Vec<i32>| TensorData::new(ids.clone(), [ids.len()]);
        let place = (&hidden.device(), DType::I32);
        // From the last key as seen by the first query down to the first key as seen by the last.
        let last = tokens.saturating_sub(1) as i32;
        let buckets = (-last..=last).map(|before| bucket(before) as i32).collect();
        let buckets: Tensor<1, Int> = Tensor::from_data(ids(buckets), place);
        // [heads, distances]
        let scores =
            self.relative_attention_bias.forward(buckets.unsqueeze()).squeeze_dim::<2>(0).transpose();
        let pairs =
            (0..tokens).flat_map(|query| (0..tokens).map(move |key| (query + tokens - 1 - key) as i32));
        let pairs: Tensor<1, Int> = Tensor::from_data(ids(pairs.collect()), place);
        let heads = scores.dims()[0];
        let scores = scores.select(1, pairs).reshape([1, heads, tokens, tokens]);
        scores.expand([rows, heads, tokens, tokens])
    }
}

/// The bucket of a key that stands so many tokens before its query: one for each of the nearest, then
/// wider and wider ones; keys behind the query have as many of their own.
fn bucket(before: i32) -> usize {
    const ONE_WAY: usize = BUCKETS / 2;
    const EXACT: usize = ONE_WAY / 2;
    let behind = if before < 0 { ONE_WAY } else { 0 };
    let distance = before.unsigned_abs() as usize;
    if distance < EXACT {
        return behind + distance;
    }
    let octaves = (distance as f32 / EXACT as f32).ln() / (FAR / EXACT as f32).ln();
    let wide = EXACT + (octaves * (ONE_WAY - EXACT) as f32) as usize;
    behind + wide.min(ONE_WAY - 1)
}

/// Attention, then a feed-forward part, each added to its input and normed.
#[derive(Module, Debug)]
struct MPNetLayer {
    attention: MPNetAttention,
    intermediate: MPNetIntermediate,
    output: MPNetOutput,
}

impl MPNetLayer {
    fn new(config: &MPNetConfig, activation: Activation, placement: &Placement) -> Self {
        let (size, inner) = (config.hidden_size, config.intermediate_size);
        let projection = || Linear::new(size, size, placement);
        let norm = || LayerNorm::new(size, config.layer_norm_eps, placement);
        let attn = MPNetSelfAttention {
            q: projection(),
            k: projection(),
            v: projection(),
            o: projection(),
            heads: config.num_attention_heads,
        };
        Self {
            attention: MPNetAttention { attn, LayerNorm: norm() },
            intermediate: MPNetIntermediate {
                dense: Linear::new(size, inner, placement),
                intermediate_act_fn: ActivationLayer::new(activation, placement),
            },
            output: MPNetOutput { dense: Linear::new(inner, size, placement), LayerNorm: norm() },
        }
    }

    fn forward(&self, hidden: Tensor<3>, scope: &AttentionScope) -> Tensor<3> {
        let hidden = self.attention.LayerNorm.forward(self.attention.attn.forward_added(hidden, scope));
        let MPNetIntermediate { dense, intermediate_act_fn } = &self.intermediate;
        let inner = dense.forward_activated(hidden.clone(), intermediate_act_fn);
        self.output.LayerNorm.forward(self.output.dense.forward_added(inner, hidden))
    }
}

#[derive(Module, Debug)]
struct MPNetAttention {
    attn: MPNetSelfAttention,
    LayerNorm: LayerNorm,
}

#[derive(Module, Debug)]
struct MPNetSelfAttention {
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
    #[module(skip)]
    heads: usize,
}

impl MPNetSelfAttention {
    /// Attention, added to what went in.
    fn forward_added(&self, hidden: Tensor<3>, scope: &AttentionScope) -> Tensor<3> {
        let [rows, tokens, size] = hidden.dims();
        let split = |x: Tensor<3>| x.reshape([rows, tokens, self.heads, size / self.heads]).swap_dims(1, 2);
        let [query, key, value] = ops::linear_each(hidden.clone(), [&self.q, &self.k, &self.v]).map(split);
        let context = ops::attention(query, key, value, scope);
        self.o.forward_added(context.swap_dims(1, 2).reshape([rows, tokens, size]), hidden)
    }
}

#[derive(Module, Debug)]
struct MPNetIntermediate {
    dense: Linear,
    intermediate_act_fn: ActivationLayer,
}

#[derive(Module, Debug)]
struct MPNetOutput {
    dense: Linear,
    LayerNorm: LayerNorm,
}

#[cfg(test)]
mod tests {
    use super::bucket;

    /// Where torch's `relative_position_bucket` begins a new bucket.
    #[test]
    fn buckets_are_those_of_torch() {
        let begins = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91];
        for (expected, &begin) in begins.iter().enumerate() {
            let end = begins.get(expected + 1).copied().unwrap_or(1000);
            for distance in begin..end {
                assert_eq!(bucket(distance), expected, "{distance}");
                let behind = if distance == 0 { 0 } else { expected + 16 };
                assert_eq!(bucket(-distance), behind, "-{distance}");
            }
        }
    }
}
