//! BART: an encoder and a decoder that looks at it, trained to mend damaged texts.
//!
//! Paper: <https://arxiv.org/abs/1910.13461>. Reference: `modeling_bart.py` of transformers 4.56.2.
//!
//! Heads: encoder, question answerer, sequence classifier. Without generation the decoder reads the
//! text itself, moved to the right by one token; its last hidden state is what the heads look at.

use burn::module::Module;
use burn::tensor::{Int, Tensor};
use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_nn::ops::{self, AttentionScope};
use burnpipe_nn::{
    Activation, ActivationLayer, Architecture, BatchLayout, Embedding, Encoder, Heads, LayerNorm, Linear,
    LoadContext, Placement, QuestionAnswerer, SequenceClassifier, TokenBatch, WeightNames, Weights,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "bart",
    heads: Heads {
        encoder: Some(|context| Ok(Box::new(load_encoder(context)?))),
        question_answerer: Some(|context| Ok(Box::new(load_question_answerer(context)?))),
        sequence_classifier: Some(|context| Ok(Box::new(load_sequence_classifier(context)?))),
        ..Heads::NONE
    },
};

/// The norms' epsilon, which no config changes.
const EPSILON: f64 = 1e-5;

/// The first rows of the position table, which no token has.
const POSITION_OFFSET: usize = 2;

/// config.json, with the defaults of `BartConfig`. `normalize_before` and other switches of 2020 that
/// are still in many files change nothing in 4.56.2.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct BartConfig {
    vocab_size: usize,
    max_position_embeddings: usize,
    d_model: usize,
    encoder_layers: usize,
    encoder_ffn_dim: usize,
    encoder_attention_heads: usize,
    decoder_layers: usize,
    decoder_ffn_dim: usize,
    decoder_attention_heads: usize,
    activation_function: String,
    scale_embedding: bool,
    eos_token_id: Option<i32>,
    decoder_start_token_id: i32,
    tie_word_embeddings: bool,
    tie_encoder_decoder: bool,
    /// Another name of `d_model`, which wins.
    hidden_size: Option<usize>,
    /// Another name of `encoder_attention_heads`, which wins.
    num_attention_heads: Option<usize>,
}

impl Default for BartConfig {
    fn default() -> Self {
        Self {
            vocab_size: 50265,
            max_position_embeddings: 1024,
            d_model: 1024,
            encoder_layers: 12,
            encoder_ffn_dim: 4096,
            encoder_attention_heads: 16,
            decoder_layers: 12,
            decoder_ffn_dim: 4096,
            decoder_attention_heads: 16,
            activation_function: "gelu".into(),
            scale_embedding: false,
            eos_token_id: Some(2),
            decoder_start_token_id: 2,
            tie_word_embeddings: true,
            tie_encoder_decoder: false,
            hidden_size: None,
            num_attention_heads: None,
        }
    }
}

impl BartConfig {
    fn read(context: &LoadContext<'_>) -> Result<Self> {
        let mut config: Self = context.checkpoint.config()?.parse()?;
        config.d_model = config.hidden_size.unwrap_or(config.d_model);
        config.encoder_attention_heads = config.num_attention_heads.unwrap_or(config.encoder_attention_heads);
        let refuse = |message: String| Err(Error::new(ErrorKind::Config, message));
        if config.tie_encoder_decoder {
            return refuse("`tie_encoder_decoder` in `config.json` is not supported for `bart`".into());
        }
        let size = config.d_model;
        for (name, heads) in [
            ("encoder_attention_heads", config.encoder_attention_heads),
            ("decoder_attention_heads", config.decoder_attention_heads),
        ] {
            if heads == 0 || !size.is_multiple_of(heads) {
                return refuse(format!(
                    "`d_model` {size} in `config.json` is no multiple of `{name}` {heads}"
                ));
            }
        }
        let start = config.decoder_start_token_id;
        if usize::try_from(start).map_or(true, |start| start >= config.vocab_size) {
            return refuse(format!(
                "`decoder_start_token_id` {start} in `config.json` is not among the {} ids of `vocab_size`",
                config.vocab_size
            ));
        }
        Ok(config)
    }

    fn activation(&self, placement: &Placement) -> Result<ActivationLayer> {
        Ok(ActivationLayer::new(Activation::from_name(&self.activation_function)?, placement))
    }

    /// What word vectors are multiplied by.
    fn embed_scale(&self) -> f64 {
        if self.scale_embedding { (self.d_model as f64).sqrt() } else { 1.0 }
    }
}

/// The keys of the two tables of words, of which files hold one, or both, or one under a third name.
const SHARED: &[(&str, &str)] = &[("encoder.embed_tokens", "shared"), ("decoder.embed_tokens", "shared")];
const DECODERS: &[(&str, &str)] = &[("encoder.embed_tokens", "decoder.embed_tokens")];
const OWN: &[(&str, &str)] = &[];

/// Fills a model: `ignored` are the keys of other heads, which HF leaves alone too.
fn fill<M: Module>(
    context: &LoadContext<'_>,
    config: &BartConfig,
    model: M,
    is_base_model: bool,
    ignored: &'static [&'static str],
) -> Result<M> {
    let weights = Weights::open(context.checkpoint)?;
    let has = |name: &str| weights.keys().any(|key| key.strip_prefix("model.").unwrap_or(key) == name);
    let renames = match (config.tie_word_embeddings, has("shared.weight")) {
        (true, true) => SHARED,
        (true, false) => DECODERS,
        (false, true) if !has("encoder.embed_tokens.weight") => SHARED,
        (false, _) => OWN,
    };
    let names = WeightNames { base_model_prefix: "model", is_base_model, renames, ignored };
    weights.fill(model, &names, context.placement)
}

fn load_encoder(context: &LoadContext<'_>) -> Result<BartModel> {
    let config = BartConfig::read(context)?;
    let ignored = &[
        "shared",
        "embed_tokens",
        "version",
        "final_logits_bias",
        "lm_head",
        "classification_head",
        "qa_outputs",
    ];
    fill(context, &config, BartModel::new(&config, context.placement)?, true, ignored)
}

fn load_question_answerer(context: &LoadContext<'_>) -> Result<BartForQuestionAnswering> {
    let config = BartConfig::read(context)?;
    let model = BartForQuestionAnswering {
        model: BartModel::new(&config, context.placement)?,
        qa_outputs: Linear::new(config.d_model, 2, context.placement),
    };
    let ignored =
        &["shared", "embed_tokens", "version", "final_logits_bias", "lm_head", "classification_head"];
    fill(context, &config, model, false, ignored)
}

fn load_sequence_classifier(context: &LoadContext<'_>) -> Result<BartForSequenceClassification> {
    let config = BartConfig::read(context)?;
    let labels = context.label_count()?;
    let (size, placement) = (config.d_model, context.placement);
    let Some(eos_token_id) = config.eos_token_id else {
        let message = "`eos_token_id` in `config.json` is null, and texts are classified by that token";
        return Err(Error::new(ErrorKind::Config, message));
    };
    let model = BartForSequenceClassification {
        model: BartModel::new(&config, placement)?,
        classification_head: BartClassificationHead {
            dense: Linear::new(size, size, placement),
            out_proj: Linear::new(size, labels, placement),
        },
        eos_token_id,
    };
    let ignored = &["shared", "embed_tokens", "version", "final_logits_bias", "lm_head", "qa_outputs"];
    fill(context, &config, model, false, ignored)
}

/// The scores of every token as the start and the end of an answer.
#[derive(Module, Debug)]
struct BartForQuestionAnswering {
    model: BartModel,
    qa_outputs: Linear,
}

impl QuestionAnswerer for BartForQuestionAnswering {
    fn layout(&self) -> BatchLayout {
        self.model.layout
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.qa_outputs.forward(Encoder::forward(&self.model, batch)?))
    }
}

/// The scores of a whole text's labels, from its last token of the end.
#[derive(Module, Debug)]
struct BartForSequenceClassification {
    model: BartModel,
    classification_head: BartClassificationHead,
    #[module(skip)]
    eos_token_id: i32,
}

impl SequenceClassifier for BartForSequenceClassification {
    fn layout(&self) -> BatchLayout {
        self.model.layout
    }

    /// Python refuses batches whose texts have more or fewer such tokens than each other; here each
    /// text has its own last one.
    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<2>> {
        let eos = self.eos_token_id;
        let last = batch.texts().iter().map(|text| {
            let ids = batch.ids().get(text.clone()).unwrap_or_default();
            let place = ids.iter().rposition(|&id| id == eos).map(|place| text.start + place);
            place.ok_or_else(|| {
                let message = format!(
                    "the text has no token {eos} (`eos_token_id`), by which the model classifies; leave `add_special_tokens` on"
                );
                Error::new(ErrorKind::Input, message)
            })
        });
        let last = last.collect::<Result<Vec<usize>>>()?;
        let states = batch.select(Encoder::forward(&self.model, batch)?, &last);
        let head = &self.classification_head;
        Ok(head.out_proj.forward(head.dense.forward(states).tanh()))
    }
}

#[derive(Module, Debug)]
struct BartClassificationHead {
    dense: Linear,
    out_proj: Linear,
}

/// The encoder, and the decoder over its states.
#[derive(Module, Debug)]
struct BartModel {
    encoder: BartEncoder,
    decoder: BartDecoder,
    #[module(skip)]
    config: BartConfig,
    #[module(skip)]
    layout: BatchLayout,
}

impl BartModel {
    fn new(config: &BartConfig, placement: &Placement) -> Result<Self> {
        Ok(Self {
            encoder: BartEncoder::new(config, placement)?,
            decoder: BartDecoder::new(config, placement)?,
            config: config.clone(),
            layout: BatchLayout::fastest(placement),
        })
    }

    /// `shift_tokens_right`: each text's ids behind the decoder's first, the last left out.
    fn decoder_input_ids(&self, batch: &TokenBatch) -> Vec<i32> {
        let start = self.config.decoder_start_token_id;
        let shifted = |ids: &[i32]| -> Vec<i32> {
            std::iter::once(start).chain(ids.iter().copied()).take(ids.len()).collect()
        };
        batch.rows().flat_map(shifted).collect()
    }
}

impl Encoder for BartModel {
    fn layout(&self) -> BatchLayout {
        self.layout
    }

    /// The decoder's last hidden state over the text itself, which is as long: so a text's tokens lie
    /// at the same places in both, and tokens of texts in one row keep to their own text in both.
    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        batch.check(self.config.vocab_size, None, self.config.max_position_embeddings)?;
        let device = self.encoder.embed_positions.device();
        let places = batch.positions().into_iter().map(|place| place + POSITION_OFFSET as i32).collect();
        let places = batch.to_device(places, &device);
        let texts = AttentionScope { texts: batch.ends(), ..AttentionScope::default() };
        let source = AttentionScope { hidden: batch.hidden(&device), ..texts.clone() };
        // HF masks no padding for the decoder: what stands behind a token is not seen anyway.
        let target = AttentionScope { causal: true, ..texts };

        let states = self.encoder.forward(batch.input_ids(&device), places.clone(), &source);
        let ids = batch.to_device(self.decoder_input_ids(batch), &device);
        Ok(self.decoder.forward(ids, places, &states, &target, &source))
    }
}

/// Full attention over the source, layer after layer.
#[derive(Module, Debug)]
struct BartEncoder {
    embed_tokens: Embedding,
    embed_positions: Embedding,
    layernorm_embedding: LayerNorm,
    layers: Vec<BartEncoderLayer>,
    #[module(skip)]
    embed_scale: f64,
}

impl BartEncoder {
    fn new(config: &BartConfig, placement: &Placement) -> Result<Self> {
        let positions = config.max_position_embeddings + POSITION_OFFSET;
        let layers = (0..config.encoder_layers).map(|_| BartEncoderLayer::new(config, placement));
        Ok(Self {
            embed_tokens: Embedding::new(config.vocab_size, config.d_model, placement),
            embed_positions: Embedding::new(positions, config.d_model, placement),
            layernorm_embedding: LayerNorm::new(config.d_model, EPSILON, placement),
            layers: layers.collect::<Result<_>>()?,
            embed_scale: config.embed_scale(),
        })
    }

    /// # Shapes
    ///
    /// - `ids`, `places`: `[batch, tokens]`
    /// - result: `[batch, tokens, d_model]`
    fn forward(&self, ids: Tensor<2, Int>, places: Tensor<2, Int>, scope: &AttentionScope) -> Tensor<3> {
        let words = self.embed_tokens.forward(ids) * self.embed_scale;
        let hidden = self.layernorm_embedding.forward(words + self.embed_positions.forward(places));
        self.layers.iter().fold(hidden, |hidden, layer| layer.forward(hidden, scope))
    }
}

/// Attention, then a feed-forward part, each added to its input and normed.
#[derive(Module, Debug)]
struct BartEncoderLayer {
    self_attn: BartAttention,
    self_attn_layer_norm: LayerNorm,
    activation_fn: ActivationLayer,
    fc1: Linear,
    fc2: Linear,
    final_layer_norm: LayerNorm,
}

impl BartEncoderLayer {
    fn new(config: &BartConfig, placement: &Placement) -> Result<Self> {
        let (size, inner) = (config.d_model, config.encoder_ffn_dim);
        Ok(Self {
            self_attn: BartAttention::new(size, config.encoder_attention_heads, placement),
            self_attn_layer_norm: LayerNorm::new(size, EPSILON, placement),
            activation_fn: config.activation(placement)?,
            fc1: Linear::new(size, inner, placement),
            fc2: Linear::new(inner, size, placement),
            final_layer_norm: LayerNorm::new(size, EPSILON, placement),
        })
    }

    fn forward(&self, hidden: Tensor<3>, scope: &AttentionScope) -> Tensor<3> {
        let hidden = self.self_attn.forward_added(hidden, scope);
        let hidden = self.self_attn_layer_norm.forward(hidden);
        let inner = self.fc1.forward_activated(hidden.clone(), &self.activation_fn);
        self.final_layer_norm.forward(self.fc2.forward_added(inner, hidden))
    }
}

/// Attention to earlier tokens of the target and to all of the source, layer after layer.
#[derive(Module, Debug)]
struct BartDecoder {
    embed_tokens: Embedding,
    embed_positions: Embedding,
    layernorm_embedding: LayerNorm,
    layers: Vec<BartDecoderLayer>,
    #[module(skip)]
    embed_scale: f64,
}

impl BartDecoder {
    fn new(config: &BartConfig, placement: &Placement) -> Result<Self> {
        let positions = config.max_position_embeddings + POSITION_OFFSET;
        let layers = (0..config.decoder_layers).map(|_| BartDecoderLayer::new(config, placement));
        Ok(Self {
            embed_tokens: Embedding::new(config.vocab_size, config.d_model, placement),
            embed_positions: Embedding::new(positions, config.d_model, placement),
            layernorm_embedding: LayerNorm::new(config.d_model, EPSILON, placement),
            layers: layers.collect::<Result<_>>()?,
            embed_scale: config.embed_scale(),
        })
    }

    /// # Shapes
    ///
    /// - `ids`, `places`: `[batch, target tokens]`
    /// - `source`: the encoder's states, `[batch, source tokens, d_model]`
    /// - result: `[batch, target tokens, d_model]`
    fn forward(
        &self,
        ids: Tensor<2, Int>,
        places: Tensor<2, Int>,
        source: &Tensor<3>,
        scope: &AttentionScope,
        source_scope: &AttentionScope,
    ) -> Tensor<3> {
        let words = self.embed_tokens.forward(ids) * self.embed_scale;
        let hidden = self.layernorm_embedding.forward(words + self.embed_positions.forward(places));
        self.layers.iter().fold(hidden, |hidden, layer| layer.forward(hidden, source, scope, source_scope))
    }
}

/// Attention to the target, attention to the source, then a feed-forward part, each added to its input
/// and normed.
#[derive(Module, Debug)]
struct BartDecoderLayer {
    self_attn: BartAttention,
    self_attn_layer_norm: LayerNorm,
    encoder_attn: BartAttention,
    encoder_attn_layer_norm: LayerNorm,
    activation_fn: ActivationLayer,
    fc1: Linear,
    fc2: Linear,
    final_layer_norm: LayerNorm,
}

impl BartDecoderLayer {
    fn new(config: &BartConfig, placement: &Placement) -> Result<Self> {
        let (size, inner) = (config.d_model, config.decoder_ffn_dim);
        let heads = config.decoder_attention_heads;
        Ok(Self {
            self_attn: BartAttention::new(size, heads, placement),
            self_attn_layer_norm: LayerNorm::new(size, EPSILON, placement),
            encoder_attn: BartAttention::new(size, heads, placement),
            encoder_attn_layer_norm: LayerNorm::new(size, EPSILON, placement),
            activation_fn: config.activation(placement)?,
            fc1: Linear::new(size, inner, placement),
            fc2: Linear::new(inner, size, placement),
            final_layer_norm: LayerNorm::new(size, EPSILON, placement),
        })
    }

    fn forward(
        &self,
        hidden: Tensor<3>,
        source: &Tensor<3>,
        scope: &AttentionScope,
        source_scope: &AttentionScope,
    ) -> Tensor<3> {
        let hidden = self.self_attn.forward_added(hidden, scope);
        let hidden = self.self_attn_layer_norm.forward(hidden);
        let hidden = self.encoder_attn.forward_to_added(hidden, source.clone(), source_scope);
        let hidden = self.encoder_attn_layer_norm.forward(hidden);
        let inner = self.fc1.forward_activated(hidden.clone(), &self.activation_fn);
        self.final_layer_norm.forward(self.fc2.forward_added(inner, hidden))
    }
}

/// Attention of a text to itself or to another.
#[derive(Module, Debug)]
struct BartAttention {
    k_proj: Linear,
    v_proj: Linear,
    q_proj: Linear,
    out_proj: Linear,
    #[module(skip)]
    heads: usize,
}

impl BartAttention {
    fn new(size: usize, heads: usize, placement: &Placement) -> Self {
        let projection = || Linear::new(size, size, placement);
        Self {
            k_proj: projection(),
            v_proj: projection(),
            q_proj: projection(),
            out_proj: projection(),
            heads,
        }
    }

    /// Attention to itself, added to what went in.
    fn forward_added(&self, hidden: Tensor<3>, scope: &AttentionScope) -> Tensor<3> {
        let parts = ops::linear_each(hidden.clone(), [&self.q_proj, &self.k_proj, &self.v_proj]);
        let [query, key, value] = parts.map(|x| self.split(x));
        self.attend_added(hidden, query, key, value, scope)
    }

    /// Attention to `source`, added to what went in.
    fn forward_to_added(&self, hidden: Tensor<3>, source: Tensor<3>, scope: &AttentionScope) -> Tensor<3> {
        let [key, value] = ops::linear_each(source, [&self.k_proj, &self.v_proj]).map(|x| self.split(x));
        let query = self.split(self.q_proj.forward(hidden.clone()));
        self.attend_added(hidden, query, key, value, scope)
    }

    fn attend_added(
        &self,
        hidden: Tensor<3>,
        query: Tensor<4>,
        key: Tensor<4>,
        value: Tensor<4>,
        scope: &AttentionScope,
    ) -> Tensor<3> {
        let context = ops::attention(query, key, value, scope).swap_dims(1, 2).reshape(hidden.dims());
        self.out_proj.forward_added(context, hidden)
    }

    /// `[batch, heads, tokens, head size]` of `[batch, tokens, d_model]`.
    fn split(&self, x: Tensor<3>) -> Tensor<4> {
        let [batch, tokens, size] = x.dims();
        x.reshape([batch, tokens, self.heads, size / self.heads]).swap_dims(1, 2)
    }
}
