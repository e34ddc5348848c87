//! From tokens to the answer.

use burnpipe_core::Result;
use burnpipe_text::DecodeOptions;
use serde_json::Value;

use super::{
    GeneratedText, ReturnType, TextGeneration, TextGenerationFeatures, TextGenerationInput,
    TextGenerationOptions, TextGenerationRaw,
};

impl TextGenerationRaw {
    /// Whole sequences, the shorter ones filled up to the longest.
    pub(super) fn sequences(&self) -> Vec<Vec<u32>> {
        let sequences = &self.generated.sequences;
        let longest = sequences.iter().map(|sequence| sequence.tokens.len()).max().unwrap_or(0);
        let whole = |tokens: &[u32]| -> Vec<u32> {
            let filling = std::iter::repeat_n(self.pad_token_id, longest - tokens.len());
            self.begin.iter().chain(tokens).copied().chain(filling).collect()
        };
        sequences.iter().map(|sequence| whole(&sequence.tokens)).collect()
    }
}

impl TextGeneration {
    /// The answer that a whole sequence is.
    pub(super) fn answer(
        &self,
        features: &TextGenerationFeatures,
        tokens: &[u32],
        options: &TextGenerationOptions,
    ) -> Result<GeneratedText> {
        if options.return_type == ReturnType::Tensors {
            return Ok(GeneratedText::Tensors { generated_token_ids: tokens.to_vec() });
        }
        let new = self.new_text(features, tokens, options)?;
        if options.return_type == ReturnType::NewText {
            return Ok(GeneratedText::Text { generated_text: new });
        }
        Ok(match &features.input {
            TextGenerationInput::Text(text) => GeneratedText::Text { generated_text: format!("{text}{new}") },
            TextGenerationInput::Chat(messages) => {
                let mut messages = messages.clone();
                match messages.last_mut() {
                    Some(last) if features.input.continues(options) => {
                        let content = last.get("content").and_then(Value::as_str).unwrap_or_default();
                        let content = format!("{content}{new}");
                        // Only these two are kept, as in Python.
                        last.retain(|name, _| name == "role");
                        last.insert("content".into(), content.into());
                    }
                    _ => messages.push(
                        [("role".to_string(), "assistant".into()), ("content".to_string(), new.into())]
                            .into_iter()
                            .collect(),
                    ),
                }
                GeneratedText::Chat { generated_text: messages }
            }
        })
    }

    /// The text of a sequence without that of its prompt: as many characters are left out as the prompt's tokens
    /// make.
    pub(super) fn new_text(
        &self,
        features: &TextGenerationFeatures,
        tokens: &[u32],
        options: &TextGenerationOptions,
    ) -> Result<String> {
        let decode = DecodeOptions {
            skip_special_tokens: options.skip_special_tokens,
            clean_up_tokenization_spaces: Some(options.clean_up_tokenization_spaces),
        };
        let text = self.tokenizer.decode(tokens, decode)?;
        let prompt = self.tokenizer.decode(&features.prompt, decode)?.chars().count();
        Ok(text.chars().skip(prompt).collect())
    }
}
