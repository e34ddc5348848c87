//! Qwen2 and Qwen2.5: LLaMA with biases of queries, keys and values, and windows in the later layers if asked for.
//!
//! Papers: <https://arxiv.org/abs/2407.10671>, <https://arxiv.org/abs/2412.15115>. Reference: `modeling_qwen2.py` of
//! transformers 4.56.2. The body is [`LlamaDecoder`].
//!
//! Heads: causal LM, encoder, question answerer, sequence classifier, token classifier.

use burnpipe_core::Result;
use burnpipe_nn::{
    Activation, Architecture, DecoderFamily, DecoderHeadConfig, Heads, LlamaAttentionConfig, LlamaDecoder,
    LlamaDecoderConfig, LlamaLayerConfig, LoadContext, RopeConfig, RopeScaling, layer_windows,
    load_causal_lm, load_encoder, load_question_answerer, load_sequence_classifier, load_token_classifier,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "qwen2",
    heads: Heads {
        causal_lm: Some(load_causal_lm::<Qwen2>),
        encoder: Some(load_encoder::<Qwen2>),
        question_answerer: Some(load_question_answerer::<Qwen2>),
        sequence_classifier: Some(load_sequence_classifier::<Qwen2>),
        token_classifier: Some(load_token_classifier::<Qwen2>),
        ..Heads::NONE
    },
};

struct Qwen2;

impl DecoderFamily for Qwen2 {
    type Decoder = LlamaDecoder;
    const QUESTIONS_TRANSFORMER: bool = true;

    fn from_config(context: &LoadContext<'_>) -> Result<(LlamaDecoder, DecoderHeadConfig)> {
        let config: Qwen2Config = context.checkpoint.config()?.parse()?;
        let decoder = LlamaDecoder::new(&config.decoder()?, context.placement)?;
        Ok((decoder, config.heads()))
    }
}

/// config.json, with the defaults of `Qwen2Config`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct Qwen2Config {
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
    use_sliding_window: bool,
    sliding_window: Option<usize>,
    max_window_layers: usize,
    layer_types: Option<Vec<String>>,
    pad_token_id: Option<u32>,
    tie_word_embeddings: bool,
}

impl Default for Qwen2Config {
    fn default() -> Self {
        Self {
            vocab_size: 151_936,
            hidden_size: 4096,
            intermediate_size: 22016,
            num_hidden_layers: 32,
            num_attention_heads: 32,
            num_key_value_heads: Some(32),
            head_dim: None,
            hidden_act: "silu".into(),
            max_position_embeddings: 32768,
            rms_norm_eps: 1e-6,
            rope_theta: 10000.0,
            rope_scaling: None,
            use_sliding_window: false,
            sliding_window: Some(4096),
            max_window_layers: 28,
            layer_types: None,
            pad_token_id: None,
            tie_word_embeddings: false,
        }
    }
}

impl Qwen2Config {
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
                qkv_bias: true,
                output_bias: false,
                scale: None,
            },
            head_norms: false,
            activation: Activation::from_name(&self.hidden_act)?,
            epsilon: self.rms_norm_eps,
            mlp_bias: false,
            rope: RopeConfig {
                theta: self.rope_theta,
                size: head_dim,
                positions: self.max_position_embeddings,
                original_positions: None,
                scaling: self.rope_scaling.clone(),
            },
            layers: self.layers()?,
        })
    }

    /// What each layer looks at: without `layer_types`, those from `max_window_layers` on have windows, if any.
    fn layers(&self) -> Result<Vec<LlamaLayerConfig>> {
        let window = self.sliding_window.filter(|_| self.use_sliding_window);
        let slides = |layer: usize| window.is_some() && layer >= self.max_window_layers;
        let windows = layer_windows(self.num_hidden_layers, self.layer_types.as_deref(), window, slides)?;
        Ok(windows.into_iter().map(|window| LlamaLayerConfig { window, rotates: true }).collect())
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
