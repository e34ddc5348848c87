//! From a text or a chat to the tokens of a prompt.

use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_text::{ChatTemplateOptions, EncodeOptions, TextInput};
use serde_json::{Map, Value};

use super::options::TOKENIZER_PARAMETERS;
use super::{TextGeneration, TextGenerationFeatures, TextGenerationOptions};

/// One message of a chat: `role` and `content`, and whatever else the model's template reads.
pub type ChatMessage = Map<String, Value>;

/// What is continued.
#[derive(Clone, Debug, PartialEq)]
pub enum TextGenerationInput {
    /// A text.
    Text(String),
    /// A chat, its messages in order.
    Chat(Vec<ChatMessage>),
}

impl From<&str> for TextGenerationInput {
    fn from(text: &str) -> Self {
        Self::Text(text.to_string())
    }
}

impl From<String> for TextGenerationInput {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl<const N: usize> From<[(&str, &str); N]> for TextGenerationInput {
    /// Messages as pairs of `role` and `content`.
    fn from(messages: [(&str, &str); N]) -> Self {
        let message = |(role, content): (&str, &str)| {
            ChatMessage::from_iter([
                ("role".to_string(), role.into()),
                ("content".to_string(), content.into()),
            ])
        };
        Self::Chat(messages.map(message).to_vec())
    }
}

impl TextGenerationInput {
    /// Reads a text, or a list of messages.
    pub(super) fn from_json(input: Value) -> Result<Self> {
        let refused = |message: &str| Error::new(ErrorKind::Input, message);
        match input {
            Value::String(text) => Ok(Self::Text(text)),
            Value::Array(messages) if messages.is_empty() => Err(refused("the chat has no messages")),
            Value::Array(messages) => {
                let messages = messages.into_iter().map(|message| match message {
                    Value::Object(message)
                        if message.contains_key("role") && message.contains_key("content") =>
                    {
                        Ok(message)
                    }
                    _ => Err(refused("every message of a chat must be an object with `role` and `content`")),
                });
                Ok(Self::Chat(messages.collect::<Result<_>>()?))
            }
            _ => Err(refused(
                "the input must be a text, or a chat: a list of messages with `role` and `content`",
            )),
        }
    }

    /// Whether the last message of a chat is to be continued.
    pub(super) fn continues(&self, options: &TextGenerationOptions) -> bool {
        let Self::Chat(messages) = self else { return false };
        let by_assistant = || {
            let role = messages.last().and_then(|message| message.get("role"));
            role.and_then(Value::as_str) == Some("assistant")
        };
        options.continue_final_message.unwrap_or_else(by_assistant)
    }
}

impl TextGeneration {
    /// The tokens of an input.
    pub(super) fn features(
        &self,
        input: TextGenerationInput,
        options: &TextGenerationOptions,
    ) -> Result<TextGenerationFeatures> {
        let prefix = options.prefix.as_deref().or(self.defaults.prefix()).unwrap_or("");
        let (mut prompt, mut padding) = match &input {
            TextGenerationInput::Text(text) => {
                let encode = EncodeOptions::from_kwargs(&options.tokenizer)?;
                self.encode(format!("{prefix}{text}"), &encode)?
            }
            TextGenerationInput::Chat(messages) => {
                let text = self.written_chat(messages, input.continues(options), options)?;
                let mut kwargs = options.tokenizer.clone();
                kwargs.retain(|name, _| TOKENIZER_PARAMETERS.contains(&name.as_str()));
                kwargs.insert("add_special_tokens".into(), false.into());
                self.encode(text, &EncodeOptions::from_kwargs(&kwargs)?)?
            }
        };
        if options.cut_long_prompts {
            let whole = prompt.len();
            self.cut(&mut prompt, options)?;
            padding = padding.saturating_sub(whole - prompt.len());
        }
        let prefix = match prefix {
            "" => 0,
            prefix => {
                let special = options.tokenizer.get("add_special_tokens").and_then(Value::as_bool);
                let encode = EncodeOptions {
                    add_special_tokens: special.unwrap_or(false),
                    ..EncodeOptions::default()
                };
                self.encode(prefix.to_string(), &encode)?.0.len()
            }
        };
        Ok(TextGenerationFeatures { input, prompt, padding, prefix })
    }

    /// The tokens of a text, and how many of them are padding, which comes first.
    fn encode(&self, text: String, options: &EncodeOptions) -> Result<(Vec<u32>, usize)> {
        let windows = self.tokenizer.encode(&TextInput::Text(text), options)?;
        let first = windows.into_iter().next().unwrap_or_default();
        let padding = first.attention_mask.iter().take_while(|mask| **mask == 0).count();
        if first.attention_mask.iter().skip(padding).any(|mask| *mask == 0) {
            let message = "the tokenizer puts `padding` behind the prompt, where the model would continue the padding; \
                           leave `padding` out, or say `tokenizer_encode_kwargs: {\"padding_side\": \"left\"}`";
            return Err(Error::new(ErrorKind::Parameter, message));
        }
        Ok((first.ids, padding))
    }

    fn written_chat(
        &self,
        messages: &[ChatMessage],
        continues: bool,
        options: &TextGenerationOptions,
    ) -> Result<String> {
        let mut kwargs = options.tokenizer.clone();
        TOKENIZER_PARAMETERS.iter().for_each(|name| drop(kwargs.remove(*name)));
        let mut list = |name: &str| match kwargs.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(values)) => Ok(Some(values)),
            Some(_) => {
                let message = format!("parameter `tokenizer_encode_kwargs.{name}` must be a list of objects");
                Err(Error::new(ErrorKind::Parameter, message))
            }
        };
        let (tools, documents) = (list("tools")?, list("documents")?);
        let chat_template = match kwargs.remove("chat_template") {
            Some(Value::String(template)) => Some(template),
            _ => None,
        };
        let messages: Vec<Value> = messages.iter().cloned().map(Value::Object).collect();
        let template = ChatTemplateOptions {
            chat_template,
            tools,
            documents,
            add_generation_prompt: !continues,
            continue_final_message: continues,
            template_kwargs: kwargs,
            now: None,
        };
        self.tokenizer.apply_chat_template(&messages, &template)
    }

    /// Cuts a prompt on the left until the new tokens fit into what the tokenizer says the model takes.
    fn cut(&self, prompt: &mut Vec<u32>, options: &TextGenerationOptions) -> Result<()> {
        let refuse = |message: String| Err(Error::new(ErrorKind::Parameter, message));
        let length = prompt.len();
        let new = match options.generate.get("max_new_tokens") {
            Some(new) => new.as_u64().and_then(|new| usize::try_from(new).ok()),
            None => {
                let limit = options.generate.get("max_length").and_then(Value::as_u64);
                let limit = limit.and_then(|limit| usize::try_from(limit).ok());
                limit.or_else(|| self.defaults.max_length()).and_then(|limit| limit.checked_sub(length))
            }
        };
        let Some(new) = new else {
            return refuse(
                "`handle_long_generation: \"hole\"` cannot tell how many new tokens are expected; give `max_new_tokens`".into(),
            );
        };
        let limit = self.tokenizer.model_max_length().unwrap_or(usize::MAX);
        if length.saturating_add(new) > limit {
            if new >= limit {
                return refuse(format!(
                    "`handle_long_generation: \"hole\"` has no room for a prompt: {new} new tokens are asked for and the model takes {limit} in all"
                ));
            }
            prompt.drain(..length.saturating_sub(limit - new));
        }
        Ok(())
    }
}
