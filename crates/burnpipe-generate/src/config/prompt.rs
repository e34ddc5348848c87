//! Settings that depend on the prompt and on the kind of model.

use burnpipe_core::{Error, ErrorKind, Result};

use super::GenerationConfig;

impl GenerationConfig {
    /// The settings with `max_length` and `min_length` that count the prompt, whichever of `max_length`,
    /// `max_new_tokens`, `min_length` and `min_new_tokens` there are: `_prepare_generated_length`.
    ///
    /// `prompt_length` are the tokens that a row begins with: the decoder's, where there is an encoder.
    /// `max_position_embeddings` is the model's, and bounds the default length only.
    ///
    /// # Errors
    ///
    /// When the prompt leaves no room for a token.
    pub fn for_prompt(&self, prompt_length: usize, max_position_embeddings: Option<usize>) -> Result<Self> {
        let mut config = self.clone();
        if let Some(new_tokens) = self.max_new_tokens {
            config.max_length = prompt_length.saturating_add(new_tokens);
        } else if !self.max_length_is_given && self.max_length == Self::default().max_length {
            let longest = max_position_embeddings.unwrap_or(usize::MAX);
            config.max_length = prompt_length.saturating_add(self.max_length).min(longest);
        }
        if let Some(new_tokens) = self.min_new_tokens {
            config.min_length = prompt_length.saturating_add(new_tokens);
        }
        if prompt_length >= config.max_length {
            let message = format!(
                "the prompt has {prompt_length} tokens and `max_length` is {}, so that none can follow; \
                 use a larger `max_length` or, better, `max_new_tokens`",
                config.max_length
            );
            return Err(Error::new(ErrorKind::Parameter, message));
        }
        Ok(config)
    }

    /// The settings with the tokens that stand for each other: `_prepare_special_tokens`. Padding is the
    /// first token that ends a row where there is none of its own; a decoder with an encoder starts with
    /// `bos_token_id` where it names no other.
    ///
    /// # Errors
    ///
    /// When a decoder with an encoder has no token to start with.
    pub fn with_special_tokens(&self, is_encoder_decoder: bool) -> Result<Self> {
        let mut config = self.clone();
        config.eos_token_id = self.eos_token_id.clone().filter(|tokens| !tokens.is_empty());
        let end = config.eos_token_id.iter().flatten().next().copied();
        config.pad_token_id = self.pad_token_id.or(end);
        if is_encoder_decoder {
            config.decoder_start_token_id = self.decoder_start_token_id.or(self.bos_token_id);
            if config.decoder_start_token_id.is_none() {
                let message = "the model names neither `decoder_start_token_id` nor `bos_token_id`, and its decoder \
                               needs a token to start with; give one of them";
                return Err(Error::new(ErrorKind::Parameter, message));
            }
        }
        Ok(config)
    }
}
