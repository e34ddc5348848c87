//! SmolLM3: LLaMA with layers that know no positions.
//!
//! Paper: <https://arxiv.org/abs/2501.18795> (layers without positions). Reference: `modeling_smollm3.py` of
//! transformers 4.56.2. The body is [`LlamaDecoder`].
//!
//! Heads: causal LM, encoder, question answerer, sequence classifier, token classifier.

use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_nn::{
    Activation, Architecture, DecoderFamily, DecoderHeadConfig, Heads, LlamaAttentionConfig, LlamaDecoder,
    LlamaDecoderConfig, LlamaLayerConfig, LoadContext, RopeConfig, RopeScaling, layer_windows,
    load_causal_lm, load_encoder, load_question_answerer, load_sequence_classifier, load_token_classifier,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "smollm3",
    heads: Heads {
        causal_lm: Some(load_causal_lm::<SmolLM3>),
        encoder: Some(load_encoder::<SmolLM3>),
        question_answerer: Some(load_question_answerer::<SmolLM3>),
        sequence_classifier: Some(load_sequence_classifier::<SmolLM3>),
        token_classifier: Some(load_token_classifier::<SmolLM3>),
        ..Heads::NONE
    },
};

struct SmolLM3;

impl DecoderFamily for SmolLM3 {
    type Decoder = LlamaDecoder;
    const QUESTIONS_TRANSFORMER: bool = true;

    fn from_config(context: &LoadContext<'_>) -> Result<(LlamaDecoder, DecoderHeadConfig)> {
        let config: SmolLM3Config = context.checkpoint.config()?.parse()?;
        let decoder = LlamaDecoder::new(&config.decoder()?, context.placement)?;
        Ok((decoder, config.heads()))
    }
}

/// config.json, with the defaults of `SmolLM3Config`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct SmolLM3Config {
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
    no_rope_layers: Option<Vec<u8>>,
    no_rope_layer_interval: usize,
    layer_types: Option<Vec<String>>,
    attention_bias: bool,
    mlp_bias: bool,
    pad_token_id: Option<u32>,
    tie_word_embeddings: bool,
}

impl Default for SmolLM3Config {
    fn default() -> Self {
        Self {
            vocab_size: 128_256,
            hidden_size: 2048,
            intermediate_size: 11008,
            num_hidden_layers: 36,
            num_attention_heads: 16,
            num_key_value_heads: Some(4),
            head_dim: None,
            hidden_act: "silu".into(),
            max_position_embeddings: 32768,
            rms_norm_eps: 1e-6,
            rope_theta: 2_000_000.0,
            rope_scaling: None,
            use_sliding_window: false,
            sliding_window: None,
            no_rope_layers: None,
            no_rope_layer_interval: 4,
            layer_types: None,
            attention_bias: false,
            mlp_bias: false,
            pad_token_id: Some(128_004),
            tie_word_embeddings: true,
        }
    }
}

impl SmolLM3Config {
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
            layers: self.layers()?,
        })
    }

    /// What each layer looks at. Without lists every fourth has no positions, and those have windows, if any.
    fn layers(&self) -> Result<Vec<LlamaLayerConfig>> {
        let rotates = |layer: usize| match &self.no_rope_layers {
            Some(layers) => layers.get(layer).is_some_and(|&rotates| rotates != 0),
            None => (layer + 1).checked_rem(self.no_rope_layer_interval) != Some(0),
        };
        let listed = self.no_rope_layers.as_ref().map_or(self.num_hidden_layers, Vec::len);
        if listed < self.num_hidden_layers {
            let message = format!(
                "`no_rope_layers` in `config.json` lists {listed} layers, and `num_hidden_layers` is {}",
                self.num_hidden_layers
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        let slides =
            |layer: usize| self.use_sliding_window && self.sliding_window.is_some() && !rotates(layer);
        let types = self.layer_types.as_deref();
        let windows = layer_windows(self.num_hidden_layers, types, self.sliding_window, slides)?;
        let layers = windows.into_iter().enumerate();
        Ok(layers.map(|(layer, window)| LlamaLayerConfig { window, rotates: rotates(layer) }).collect())
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
