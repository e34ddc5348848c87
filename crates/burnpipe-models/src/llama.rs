//! LLaMA, to version 3.2.
//!
//! Papers: <https://arxiv.org/abs/2302.13971>, <https://arxiv.org/abs/2407.21783>. Reference: `modeling_llama.py`
//! of transformers 4.56.2. The body is [`LlamaDecoder`].
//!
//! Heads: causal LM, encoder, question answerer, sequence classifier, token classifier.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::Result;
use burnpipe_nn::{
    Activation, Architecture, BatchLayout, CausalLm, Encoder, Heads, KvCache, Linear, LlamaDecoder,
    LlamaDecoderConfig, LlamaLayerConfig, LoadContext, QuestionAnswerer, RopeConfig, RopeScaling,
    SequenceClassifier, TokenBatch, TokenClassifier, TokenStep, WeightNames,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "llama",
    heads: Heads {
        causal_lm: Some(|context| Ok(Box::new(load_causal_lm(context)?))),
        encoder: Some(|context| Ok(Box::new(load_encoder(context)?))),
        question_answerer: Some(|context| Ok(Box::new(load_question_answerer(context)?))),
        sequence_classifier: Some(|context| Ok(Box::new(load_sequence_classifier(context)?))),
        token_classifier: Some(|context| Ok(Box::new(load_token_classifier(context)?))),
        ..Heads::NONE
    },
};

/// config.json, with the defaults of `LlamaConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct LlamaConfig {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    hidden_act: String,
    max_position_embeddings: usize,
    rms_norm_eps: f64,
    rope_theta: f64,
    rope_scaling: Option<RopeScaling>,
    attention_bias: bool,
    mlp_bias: bool,
    pad_token_id: Option<u32>,
    tie_word_embeddings: bool,
}

impl Default for LlamaConfig {
    fn default() -> Self {
        Self {
            vocab_size: 32000,
            hidden_size: 4096,
            intermediate_size: 11008,
            num_hidden_layers: 32,
            num_attention_heads: 32,
            num_key_value_heads: None,
            head_dim: None,
            hidden_act: "silu".into(),
            max_position_embeddings: 2048,
            rms_norm_eps: 1e-6,
            rope_theta: 10000.0,
            rope_scaling: None,
            attention_bias: false,
            mlp_bias: false,
            pad_token_id: None,
            tie_word_embeddings: false,
        }
    }
}

impl LlamaConfig {
    fn decoder(&self) -> Result<LlamaDecoderConfig> {
        let head_dim = self.head_dim.unwrap_or_else(|| self.hidden_size / self.num_attention_heads.max(1));
        Ok(LlamaDecoderConfig {
            vocab_size: self.vocab_size,
            hidden_size: self.hidden_size,
            intermediate_size: self.intermediate_size,
            heads: self.num_attention_heads,
            key_heads: self.num_key_value_heads.unwrap_or(self.num_attention_heads),
            head_dim,
            activation: Activation::from_name(&self.hidden_act)?,
            epsilon: self.rms_norm_eps,
            qkv_bias: self.attention_bias,
            output_bias: self.attention_bias,
            mlp_bias: self.mlp_bias,
            rope: RopeConfig {
                theta: self.rope_theta,
                size: head_dim,
                positions: self.max_position_embeddings,
                original_positions: None,
                scaling: self.rope_scaling.clone(),
            },
            layers: vec![LlamaLayerConfig { window: None, rotates: true }; self.num_hidden_layers],
        })
    }
}

/// The angles that old checkpoints hold as buffers, and the heads beside the one that is read.
const IGNORED: &[&str] = &["rotary_emb.inv_freq", "lm_head", "score", "qa_outputs"];

fn names(is_base_model: bool) -> WeightNames {
    WeightNames { base_model_prefix: "model", is_base_model, renames: &[], ignored: IGNORED }
}

/// The output layer is the table of words if the config ties them.
const TIED: &[(&str, &str)] = &[("lm_head.weight", "model.embed_tokens.weight")];

fn load_causal_lm(context: &LoadContext<'_>) -> Result<LlamaForCausalLM> {
    let config: LlamaConfig = context.checkpoint.config()?.parse()?;
    let model = LlamaForCausalLM {
        model: LlamaDecoder::new(&config.decoder()?, context.placement)?,
        lm_head: Linear::with_bias(config.hidden_size, config.vocab_size, false, context.placement),
        vocabulary: config.vocab_size,
    };
    let renames = if config.tie_word_embeddings { TIED } else { &[] };
    context.fill(model, &WeightNames { renames, ..names(false) })
}

fn load_encoder(context: &LoadContext<'_>) -> Result<LlamaModel> {
    let config: LlamaConfig = context.checkpoint.config()?.parse()?;
    let decoder = LlamaDecoder::new(&config.decoder()?, context.placement)?;
    Ok(LlamaModel { decoder: context.fill(decoder, &names(true))? })
}

fn load_question_answerer(context: &LoadContext<'_>) -> Result<LlamaForQuestionAnswering> {
    let config: LlamaConfig = context.checkpoint.config()?.parse()?;
    let model = LlamaForQuestionAnswering {
        transformer: LlamaDecoder::new(&config.decoder()?, context.placement)?,
        qa_outputs: Linear::new(config.hidden_size, 2, context.placement),
    };
    context.fill(model, &WeightNames { base_model_prefix: "transformer", ..names(false) })
}

fn load_sequence_classifier(context: &LoadContext<'_>) -> Result<LlamaForSequenceClassification> {
    let config: LlamaConfig = context.checkpoint.config()?.parse()?;
    let model = LlamaForSequenceClassification {
        model: LlamaDecoder::new(&config.decoder()?, context.placement)?,
        score: Linear::with_bias(config.hidden_size, context.label_count()?, false, context.placement),
        pad_token_id: config.pad_token_id,
    };
    context.fill(model, &names(false))
}

fn load_token_classifier(context: &LoadContext<'_>) -> Result<LlamaForTokenClassification> {
    let config: LlamaConfig = context.checkpoint.config()?.parse()?;
    let model = LlamaForTokenClassification {
        model: LlamaDecoder::new(&config.decoder()?, context.placement)?,
        score: Linear::new(config.hidden_size, context.label_count()?, context.placement),
    };
    context.fill(model, &names(false))
}

/// The scores of what comes next.
#[derive(Module, Debug)]
struct LlamaForCausalLM {
    model: LlamaDecoder,
    lm_head: Linear,
    #[module(skip)]
    vocabulary: usize,
}

impl CausalLm for LlamaForCausalLM {
    fn cache(&self) -> KvCache {
        self.model.cache()
    }

    fn positions(&self) -> Option<usize> {
        None
    }

    fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    fn forward(&self, step: &TokenStep, cache: &mut KvCache) -> Result<Tensor<3>> {
        self.model.forward(step, cache)
    }

    fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.lm_head.forward(hidden)
    }
}

/// The model without a head.
struct LlamaModel {
    decoder: LlamaDecoder,
}

impl Encoder for LlamaModel {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        self.decoder.read(batch)
    }
}

/// The scores of every token as the start and the end of an answer.
#[derive(Module, Debug)]
struct LlamaForQuestionAnswering {
    transformer: LlamaDecoder,
    qa_outputs: Linear,
}

impl QuestionAnswerer for LlamaForQuestionAnswering {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.qa_outputs.forward(self.transformer.read(batch)?))
    }
}

/// The scores of a whole text's labels, from its last token.
#[derive(Module, Debug)]
struct LlamaForSequenceClassification {
    model: LlamaDecoder,
    score: Linear,
    #[module(skip)]
    pad_token_id: Option<u32>,
}

impl SequenceClassifier for LlamaForSequenceClassification {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<2>> {
        let hidden = batch.last_tokens_but(self.pad_token_id, self.model.read(batch)?);
        Ok(self.score.forward(hidden))
    }
}

/// The scores of every token's labels.
#[derive(Module, Debug)]
struct LlamaForTokenClassification {
    model: LlamaDecoder,
    score: Linear,
}

impl TokenClassifier for LlamaForTokenClassification {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.score.forward(self.model.read(batch)?))
    }
}
