//! From tokens to the answer.

use std::sync::Arc;

use burnpipe_core::Result;
use burnpipe_generate::{BeamScores, Sequence};
use burnpipe_text::DecodeOptions;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    ChatMessage, ReturnType, TextGeneration, TextGenerationFeatures, TextGenerationInput,
    TextGenerationOptions, TextGenerationRaw,
};

/// One answer to a prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GeneratedText {
    /// The text, the chat or the ids, by what was asked for.
    #[serde(flatten)]
    pub content: GeneratedContent,
    /// The new tokens, which are not the prompt's, and their scores and logits where these were asked for.
    #[serde(skip)]
    pub sequence: Sequence,
    /// Of a beam search: the scores and logits of all beams, where they were asked for. The answers to a prompt
    /// share them.
    #[serde(skip)]
    pub beams: Arc<BeamScores>,
}

/// What an answer is given as.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum GeneratedContent {
    /// As text.
    Text {
        /// The prompt with what follows it, or what follows alone.
        generated_text: String,
    },
    /// As a chat.
    Chat {
        /// The chat with its last message continued, or with one more.
        generated_text: Vec<ChatMessage>,
    },
    /// As ids.
    Tensors {
        /// The prompt's tokens and the new ones.
        generated_token_ids: Vec<u32>,
    },
}

impl GeneratedText {
    /// The text, of a chat that of its last message; nothing of ids.
    pub fn text(&self) -> &str {
        match &self.content {
            GeneratedContent::Text { generated_text } => generated_text,
            GeneratedContent::Chat { generated_text } => {
                let content = generated_text.last().and_then(|message| message.get("content"));
                content.and_then(Value::as_str).unwrap_or_default()
            }
            GeneratedContent::Tensors { .. } => "",
        }
    }
}

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
    /// What a whole sequence is given as.
    pub(super) fn content(
        &self,
        features: &TextGenerationFeatures,
        tokens: &[u32],
        options: &TextGenerationOptions,
    ) -> Result<GeneratedContent> {
        if options.return_type == ReturnType::Tensors {
            return Ok(GeneratedContent::Tensors { generated_token_ids: tokens.to_vec() });
        }
        let new = self.new_text(features, tokens, options)?;
        if options.return_type == ReturnType::NewText {
            return Ok(GeneratedContent::Text { generated_text: new });
        }
        Ok(match &features.input {
            TextGenerationInput::Text(text) => {
                GeneratedContent::Text { generated_text: format!("{text}{new}") }
            }
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
                GeneratedContent::Chat { generated_text: messages }
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
