//! What a caller can ask of one encoding or decoding.

use burnpipe_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// One end of a sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Side {
    /// The beginning.
    Left,
    /// The end.
    #[default]
    Right,
}

impl Side {
    /// Reads `left` or `right`.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "left" => Some(Self::Left),
            "right" => Some(Self::Right),
            _ => None,
        }
    }
}

/// Which sequence loses tokens when the input is longer than the maximum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Truncation {
    /// Keep every token.
    #[default]
    DoNotTruncate,
    /// Shorten the longer sequence of a pair first.
    LongestFirst,
    /// Shorten the first sequence only.
    OnlyFirst,
    /// Shorten the second sequence only.
    OnlySecond,
}

/// How far the encoding is filled up with padding tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Padding {
    /// Not at all.
    #[default]
    DoNotPad,
    /// To the longest window of this encoding. Padding across a batch is the caller's.
    Longest,
    /// To `max_length`, or to the model's maximum.
    MaxLength,
}

/// How to encode one input; the fields are the keyword arguments of a Python tokenizer's call.
///
/// ```
/// use burnpipe_text::{EncodeOptions, Truncation};
/// use serde_json::json;
///
/// let kwargs = json!({"truncation": true, "max_length": 128});
/// let options = EncodeOptions::from_kwargs(kwargs.as_object().unwrap())?;
/// assert_eq!(options.truncation, Truncation::LongestFirst);
/// assert_eq!(options.max_length, Some(128));
/// # Ok::<(), burnpipe_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodeOptions {
    /// Add the tokens that the model expects around its input, such as `[CLS]` and `[SEP]`.
    pub add_special_tokens: bool,
    /// Whether and where to shorten the input.
    pub truncation: Truncation,
    /// The length to truncate or pad to; the model's maximum when not given.
    pub max_length: Option<usize>,
    /// How many tokens two neighbouring windows share.
    pub stride: usize,
    /// Whether and how far to pad.
    pub padding: Padding,
    /// Round the padded length up to a multiple of this.
    pub pad_to_multiple_of: Option<usize>,
    /// Where padding goes; the tokenizer's own side when not given.
    pub padding_side: Option<Side>,
    /// Where tokens are cut off; the tokenizer's own side when not given.
    pub truncation_side: Option<Side>,
    /// Give what was cut off as further windows.
    pub return_overflowing_tokens: bool,
    /// Whether the model is given token type ids; as the tokenizer says when not given.
    pub return_token_type_ids: Option<bool>,
    /// Whether the model is given the attention mask; as the tokenizer says when not given.
    pub return_attention_mask: Option<bool>,
    /// Take special tokens in the text for ordinary text; as the tokenizer says when not given.
    pub split_special_tokens: Option<bool>,
}

impl Default for EncodeOptions {
    fn default() -> Self {
        Self {
            add_special_tokens: true,
            truncation: Truncation::DoNotTruncate,
            max_length: None,
            stride: 0,
            padding: Padding::DoNotPad,
            pad_to_multiple_of: None,
            padding_side: None,
            truncation_side: None,
            return_overflowing_tokens: false,
            return_token_type_ids: None,
            return_attention_mask: None,
            split_special_tokens: None,
        }
    }
}

impl EncodeOptions {
    /// The names that [`from_kwargs`](Self::from_kwargs) knows.
    ///
    /// The last five change only what Python puts in its result, which [`Encoding`](crate::Encoding)
    /// always holds in full; they are checked and otherwise ignored.
    pub const KWARGS: &[&str] = &[
        "add_special_tokens",
        "max_length",
        "pad_to_multiple_of",
        "padding",
        "padding_side",
        "return_attention_mask",
        "return_overflowing_tokens",
        "return_token_type_ids",
        "split_special_tokens",
        "stride",
        "truncation",
        "return_length",
        "return_offsets_mapping",
        "return_special_tokens_mask",
        "return_tensors",
        "verbose",
    ];

    /// Reads the keyword arguments that Python's tokenizers take, with Python's rules: `max_length`
    /// without `padding` and `truncation` truncates.
    ///
    /// # Errors
    ///
    /// With [`ErrorKind::Parameter`] for an unknown name or a value of the wrong type.
    pub fn from_kwargs(kwargs: &Map<String, Value>) -> Result<Self> {
        let mut options = Self::default();
        for (name, value) in kwargs {
            options.set(name, value)?;
        }
        // Python: "If you only set max_length, it activates truncation for max_length".
        let not_padded = kwargs.get("padding").is_none_or(|padding| *padding == Value::Bool(false));
        let truncation_left_out = kwargs.get("truncation").is_none_or(Value::is_null);
        if options.max_length.is_some() && not_padded && truncation_left_out {
            options.truncation = Truncation::LongestFirst;
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &Value) -> Result<()> {
        match name {
            "add_special_tokens" => self.add_special_tokens = boolean(name, value)?,
            "truncation" => self.truncation = truncation(value)?,
            "max_length" => self.max_length = optional(value, |value| count(name, value))?,
            "stride" => self.stride = count(name, value)?,
            "padding" => self.padding = padding(value)?,
            "pad_to_multiple_of" => self.pad_to_multiple_of = optional(value, |value| count(name, value))?,
            "padding_side" => self.padding_side = optional(value, |value| side(name, value))?,
            "return_overflowing_tokens" => self.return_overflowing_tokens = boolean(name, value)?,
            "return_token_type_ids" => self.return_token_type_ids = optional(value, |v| boolean(name, v))?,
            "return_attention_mask" => self.return_attention_mask = optional(value, |v| boolean(name, v))?,
            "split_special_tokens" => self.split_special_tokens = Some(boolean(name, value)?),
            "return_length" | "return_offsets_mapping" | "return_special_tokens_mask" | "verbose" => {
                boolean(name, value)?;
            }
            "return_tensors" => {}
            _ => return Err(unknown(name)),
        }
        Ok(())
    }
}

/// Reads [`from_kwargs`](EncodeOptions::from_kwargs)' object.
impl<'de> Deserialize<'de> for EncodeOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let kwargs = Map::deserialize(deserializer)?;
        Self::from_kwargs(&kwargs).map_err(serde::de::Error::custom)
    }
}

/// How to turn ids back into text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Leave special tokens out.
    pub skip_special_tokens: bool,
    /// Take out the spaces before punctuation; as the tokenizer says when not given.
    pub clean_up_tokenization_spaces: Option<bool>,
}

fn optional<T>(value: &Value, read: impl FnOnce(&Value) -> Result<T>) -> Result<Option<T>> {
    if value.is_null() { Ok(None) } else { read(value).map(Some) }
}

fn boolean(name: &str, value: &Value) -> Result<bool> {
    value.as_bool().ok_or_else(|| wrong_value(name, value, "true or false"))
}

fn count(name: &str, value: &Value) -> Result<usize> {
    let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
    number.ok_or_else(|| wrong_value(name, value, "a whole number that is not negative"))
}

fn side(name: &str, value: &Value) -> Result<Side> {
    let side = value.as_str().and_then(Side::from_name);
    side.ok_or_else(|| wrong_value(name, value, "`left` or `right`"))
}

fn truncation(value: &Value) -> Result<Truncation> {
    match value {
        Value::Null | Value::Bool(false) => Ok(Truncation::DoNotTruncate),
        Value::Bool(true) => Ok(Truncation::LongestFirst),
        _ => match value.as_str() {
            Some("do_not_truncate") => Ok(Truncation::DoNotTruncate),
            Some("longest_first") => Ok(Truncation::LongestFirst),
            Some("only_first") => Ok(Truncation::OnlyFirst),
            Some("only_second") => Ok(Truncation::OnlySecond),
            _ => {
                let known = "true, false, `longest_first`, `only_first`, `only_second` or `do_not_truncate`";
                Err(wrong_value("truncation", value, known))
            }
        },
    }
}

fn padding(value: &Value) -> Result<Padding> {
    match value {
        Value::Bool(false) => Ok(Padding::DoNotPad),
        Value::Bool(true) => Ok(Padding::Longest),
        _ => match value.as_str() {
            Some("do_not_pad") => Ok(Padding::DoNotPad),
            Some("longest") => Ok(Padding::Longest),
            Some("max_length") => Ok(Padding::MaxLength),
            _ => Err(wrong_value("padding", value, "true, false, `longest`, `max_length` or `do_not_pad`")),
        },
    }
}

fn wrong_value(name: &str, value: &Value, known: &str) -> Error {
    Error::new(ErrorKind::Parameter, format!("tokenizer argument `{name}` is `{value}`; it takes {known}"))
}

fn unknown(name: &str) -> Error {
    let known = EncodeOptions::KWARGS.iter().map(|known| format!("`{known}`")).collect::<Vec<_>>().join(", ");
    Error::new(
        ErrorKind::Parameter,
        format!("unknown tokenizer argument `{name}`; the known ones are {known}"),
    )
}
