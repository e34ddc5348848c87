//! LLaMA, to version 3.2.
//!
//! Papers: <https://arxiv.org/abs/2302.13971>, <https://arxiv.org/abs/2407.21783>. Reference: `modeling_llama.py`
//! of transformers 4.56.2. The body is [`LlamaDecoder`].
//!
//! Heads: causal LM, encoder, question answerer, sequence classifier, token classifier.

use burnpipe_core::Result;
use burnpipe_nn::{
    Activation, Architecture, DecoderFamily, DecoderHeadConfig, Heads, LlamaAttentionConfig, LlamaDecoder,
    LlamaDecoderConfig, LlamaLayerConfig, LoadContext, RopeConfig, RopeScaling, load_causal_lm, load_encoder,
    load_question_answerer, load_sequence_classifier, load_token_classifier,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "llama",
    heads: Heads {
        causal_lm: Some(load_causal_lm::<Llama>),
        encoder: Some(load_encoder::<Llama>),
        question_answerer: Some(load_question_answerer::<Llama>),
        sequence_classifier: Some(load_sequence_classifier::<Llama>),
        token_classifier: Some(load_token_classifier::<Llama>),
        ..Heads::NONE
    },
};

struct Llama;

impl DecoderFamily for Llama {
    type Decoder = LlamaDecoder;
    const QUESTIONS_TRANSFORMER: bool = true;

    fn from_config(context: &LoadContext<'_>) -> Result<(LlamaDecoder, DecoderHeadConfig)> {
        let config: LlamaConfig = context.checkpoint.config()?.parse()?;
        let decoder = LlamaDecoder::new(&config.decoder()?, context.placement)?;
        Ok((decoder, config.heads()))
    }
}

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
            attention: LlamaAttentionConfig {
                hidden_size: self.hidden_size,
                heads: self.num_attention_heads,
                key_heads: self.num_key_value_heads.unwrap_or(self.num_attention_heads),
                head_dim,
                qkv_bias: self.attention_bias,
                output_bias: self.attention_bias,
                scale: None,
            },
            head_norms: false,
            activation: Activation::from_name(&self.hidden_act)?,
            epsilon: self.rms_norm_eps,
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

    fn heads(&self) -> DecoderHeadConfig {
        DecoderHeadConfig {
            hidden_size: self.hidden_size,
            vocab_size: self.vocab_size,
            pad_token_id: self.pad_token_id,
            tie_word_embeddings: self.tie_word_embeddings,
            final_logit_softcapping: None,
        }
    }
}
