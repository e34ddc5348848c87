//! The parameters of text generation.

use burnpipe_core::{Error, ErrorKind, Result, parse_parameters};
use burnpipe_generate::{CustomRules, LogitsProcessor, StoppingRule};
use burnpipe_text::EncodeOptions;
use serde::Deserialize;
use serde_json::{Map, Value};

/// What of a generated text is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReturnType {
    /// The prompt and what follows it.
    #[default]
    FullText,
    /// Only what follows the prompt.
    NewText,
    /// The ids of all tokens, the prompt's included.
    Tensors,
}

/// The parameters of [`TextGeneration`](crate::TextGeneration).
///
/// ```
/// use burnpipe_pipelines::{ReturnType, TextGenerationOptions};
///
/// let options = TextGenerationOptions { return_type: ReturnType::NewText, ..Default::default() }
///     .with("max_new_tokens", 20)
///     .with("do_sample", false);
/// assert_eq!(options.generate["max_new_tokens"], 20);
/// ```
#[derive(Clone, Debug)]
pub struct TextGenerationOptions {
    /// What is answered.
    pub return_type: ReturnType,
    /// Whether spaces before punctuation are taken out of the text.
    pub clean_up_tokenization_spaces: bool,
    /// What stands before every prompt that is no chat; the model's own if not said.
    pub prefix: Option<String>,
    /// Whether a prompt is cut on the left until the new tokens fit into what the tokenizer says the model takes:
    /// `handle_long_generation: "hole"`.
    pub cut_long_prompts: bool,
    /// A text each of whose tokens ends the answer.
    pub stop_sequence: Option<String>,
    /// Whether a chat's last message is continued; if not said, when it is the assistant's.
    pub continue_final_message: Option<bool>,
    /// Whether special tokens are left out of the text.
    pub skip_special_tokens: bool,
    /// Keyword arguments of the tokenizer's call, or of its chat template.
    pub tokenizer: Map<String, Value>,
    /// Keyword arguments of `generate()`, by transformers' names, and `seed`.
    pub generate: Map<String, Value>,
    /// Processors and stopping rules of the caller's own, which no JSON can hold.
    pub custom: CustomRules,
}

impl Default for TextGenerationOptions {
    fn default() -> Self {
        Self {
            return_type: ReturnType::FullText,
            clean_up_tokenization_spaces: true,
            prefix: None,
            cut_long_prompts: false,
            stop_sequence: None,
            continue_final_message: None,
            skip_special_tokens: true,
            tokenizer: Map::new(),
            generate: Map::new(),
            custom: CustomRules::default(),
        }
    }
}

/// The parameters that are not those of `generate()`.
#[derive(Deserialize)]
struct Own {
    return_full_text: Option<bool>,
    return_tensors: Option<bool>,
    return_text: Option<bool>,
    return_type: Option<Value>,
    clean_up_tokenization_spaces: Option<bool>,
    prefix: Option<String>,
    handle_long_generation: Option<String>,
    stop_sequence: Option<String>,
    continue_final_message: Option<bool>,
    skip_special_tokens: Option<bool>,
    tokenizer_encode_kwargs: Option<Map<String, Value>>,
    generate_kwargs: Option<Map<String, Value>>,
}

/// Their names.
pub(super) const OWN_PARAMETERS: &[&str] = &[
    "return_full_text",
    "return_tensors",
    "return_text",
    "return_type",
    "clean_up_tokenization_spaces",
    "prefix",
    "handle_long_generation",
    "stop_sequence",
    "continue_final_message",
    "skip_special_tokens",
    "tokenizer_encode_kwargs",
    "generate_kwargs",
];

/// The parameters that go to the tokenizer; `max_length` goes to `generate()` as well.
pub(super) const TOKENIZER_PARAMETERS: &[&str] =
    &["add_special_tokens", "padding", "truncation", "max_length"];

impl TextGenerationOptions {
    /// The same options with another keyword argument of `generate()`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.generate.insert(name.to_string(), value.into());
        self
    }

    /// The same options with one more processor of scores, which is made for every prompt from its tokens: the
    /// `logits_processor` of `generate()`.
    #[must_use]
    pub fn with_logits_processor<P: LogitsProcessor + 'static>(
        mut self,
        make: impl Fn(&[u32]) -> P + Send + Sync + 'static,
    ) -> Self {
        self.custom = self.custom.with_processor(make);
        self
    }

    /// The same options with one more rule that ends a text, which is made for every prompt from its tokens: the
    /// `stopping_criteria` of `generate()`.
    #[must_use]
    pub fn with_stopping_rule<R: StoppingRule + 'static>(
        mut self,
        make: impl Fn(&[u32]) -> R + Send + Sync + 'static,
    ) -> Self {
        self.custom = self.custom.with_stopping_rule(make);
        self
    }

    /// Reads the keyword arguments of a call.
    pub(super) fn parse(parameters: Map<String, Value>) -> Result<Self> {
        let (own, rest): (Map<_, _>, Map<_, _>) =
            parameters.into_iter().partition(|(name, _)| OWN_PARAMETERS.contains(&name.as_str()));
        let own: Own = parse_parameters(own)?;
        let mut tokenizer = Map::new();
        let mut generate = Map::new();
        for (name, value) in rest {
            let for_tokenizer = TOKENIZER_PARAMETERS.contains(&name.as_str());
            if for_tokenizer && !value.is_null() {
                tokenizer.insert(name.clone(), value.clone());
            }
            if !for_tokenizer || (name == "max_length" && !value.is_null()) {
                generate.insert(name, value);
            }
        }
        EncodeOptions::from_kwargs(&tokenizer)?;
        generate.extend(own.generate_kwargs.clone().unwrap_or_default());
        let defaults = Self::default();
        let options = Self {
            return_type: own.return_type()?,
            clean_up_tokenization_spaces: own
                .clean_up_tokenization_spaces
                .unwrap_or(defaults.clean_up_tokenization_spaces),
            cut_long_prompts: own.cut_long_prompts()?,
            prefix: own.prefix,
            stop_sequence: own.stop_sequence,
            continue_final_message: own.continue_final_message,
            skip_special_tokens: own.skip_special_tokens.unwrap_or(defaults.skip_special_tokens),
            tokenizer: {
                tokenizer.extend(own.tokenizer_encode_kwargs.unwrap_or_default());
                tokenizer
            },
            generate,
            custom: defaults.custom,
        };
        Ok(options)
    }
}

impl Own {
    fn return_type(&self) -> Result<ReturnType> {
        let exclusive = |one: &str, other: &str| {
            let message = format!("parameters `{one}` and `{other}` exclude each other; give one of them");
            Err(Error::new(ErrorKind::Parameter, message))
        };
        match &self.return_type {
            None | Some(Value::Null) => {}
            Some(value) => {
                // The numbers of Python's `ReturnType`.
                return match value.as_u64() {
                    Some(0) => Ok(ReturnType::Tensors),
                    Some(1) => Ok(ReturnType::NewText),
                    Some(2) => Ok(ReturnType::FullText),
                    _ => {
                        let message = format!(
                            "parameter `return_type`: `{value}` is not 0 (tensors), 1 (new text) or 2 (full text)"
                        );
                        Err(Error::new(ErrorKind::Parameter, message))
                    }
                };
            }
        }
        match (self.return_full_text, self.return_tensors, self.return_text) {
            (Some(_), _, Some(_)) => exclusive("return_text", "return_full_text"),
            (Some(_), Some(_), _) => exclusive("return_full_text", "return_tensors"),
            (Some(full), None, None) => Ok(if full { ReturnType::FullText } else { ReturnType::NewText }),
            (None, Some(_), Some(_)) => exclusive("return_text", "return_tensors"),
            // As in Python, whatever the value is.
            (None, Some(_), None) => Ok(ReturnType::Tensors),
            (None, None, _) => Ok(ReturnType::FullText),
        }
    }

    fn cut_long_prompts(&self) -> Result<bool> {
        match self.handle_long_generation.as_deref() {
            None => Ok(false),
            Some("hole") => Ok(true),
            Some(other) => {
                let message =
                    format!("parameter `handle_long_generation`: `{other}` is not \"hole\" or null");
                Err(Error::new(ErrorKind::Parameter, message))
            }
        }
    }
}
