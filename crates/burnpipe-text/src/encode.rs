//! Encoding one input.
//!
//! Python writes truncation and padding into the shared tokenizer before each call. Here they are
//! made for the call, and the steps of the `tokenizers` crate are taken one by one: split, truncate,
//! add special tokens, pad.

use burnpipe_core::{Error, ErrorContext, ErrorKind, Result};
use tokenizers::{
    Model, OffsetType, PaddingDirection, PaddingParams, PaddingStrategy, PostProcessor, PreTokenizer,
    TruncationParams, TruncationStrategy, pad_encodings,
};

use crate::class::Family;
use crate::tokenizer::Inner;
use crate::truncate::{direction, truncate_pair};
use crate::{EncodeOptions, Encoding, Padding, Side, TextInput, Truncation};

pub(crate) fn encode(tokenizer: &Inner, input: &TextInput, options: &EncodeOptions) -> Result<Vec<Encoding>> {
    let lengths = Lengths::new(tokenizer, options)?;
    finish(tokenizer, split(tokenizer, input, options)?, &lengths, options)
}

/// As [`encode`] of a pair, and a pair also where the second text is empty.
pub(crate) fn encode_pair(
    tokenizer: &Inner,
    [text, text_pair]: [&str; 2],
    options: &EncodeOptions,
) -> Result<Vec<Encoding>> {
    let lengths = Lengths::new(tokenizer, options)?;
    let splitter = Splitter::new(tokenizer, options);
    let parts = (splitter.text(text, 0)?, Some(splitter.text(text_pair, 1)?));
    finish(tokenizer, parts, &lengths, options)
}

/// Truncates, adds the special tokens and pads.
fn finish(
    tokenizer: &Inner,
    (mut first, mut second): Parts,
    lengths: &Lengths,
    options: &EncodeOptions,
) -> Result<Vec<Encoding>> {
    if let Some(truncation) = &lengths.truncation {
        let params = TruncationParams {
            max_length: room_for_text(tokenizer, truncation.max_length, second.is_some(), options),
            ..*truncation
        };
        truncate_pair(&mut first, second.as_mut(), &params)?;
    }
    let processed = match tokenizer.library.get_post_processor() {
        Some(processor) => processor.process(first, second, options.add_special_tokens),
        // The crate puts a pair one after the other when there is no processor.
        None => tokenizer.library.post_process(first, second, options.add_special_tokens),
    };
    let mut encoding =
        [processed.context(ErrorKind::Tokenizer, || "cannot add the special tokens to a text")?];
    if let Some(padding) = &lengths.padding {
        pad_encodings(&mut encoding, padding).context(ErrorKind::Tokenizer, || "cannot pad a text")?;
    }
    let [encoding] = encoding;
    let mut windows = vec![Encoding::from(&encoding)];
    if options.return_overflowing_tokens {
        windows.extend(encoding.get_overflowing().iter().map(Encoding::from));
    }
    Ok(windows)
}

/// How many tokens of the text fit beside the special tokens.
///
/// When the special tokens alone are too many, Python's subtraction wraps around and nothing is
/// truncated.
fn room_for_text(tokenizer: &Inner, max_length: usize, pair: bool, options: &EncodeOptions) -> usize {
    if options.add_special_tokens {
        max_length.wrapping_sub(special_tokens(tokenizer, pair))
    } else {
        max_length
    }
}

fn special_tokens(tokenizer: &Inner, pair: bool) -> usize {
    tokenizer.library.get_post_processor().map_or(0, |processor| processor.added_tokens(pair))
}

type Parts = (tokenizers::Encoding, Option<tokenizers::Encoding>);

/// Splits the texts of the input into tokens.
fn split(tokenizer: &Inner, input: &TextInput, options: &EncodeOptions) -> Result<Parts> {
    let splitter = Splitter::new(tokenizer, options);
    let parts = match input {
        TextInput::Text(text) => (splitter.text(text, 0)?, None),
        // Python takes an empty second text for none.
        TextInput::Pair { text, text_pair } if text_pair.is_empty() => (splitter.text(text, 0)?, None),
        TextInput::Pair { text, text_pair } => (splitter.text(text, 0)?, Some(splitter.text(text_pair, 1)?)),
        TextInput::Words(words) => (splitter.words(words, 0)?, None),
        TextInput::WordsPair { words, words_pair } if words_pair.is_empty() => {
            (splitter.words(words, 0)?, None)
        }
        TextInput::WordsPair { words, words_pair } => {
            (splitter.words(words, 0)?, Some(splitter.words(words_pair, 1)?))
        }
    };
    Ok(parts)
}

struct Splitter<'a> {
    tokenizer: &'a Inner,
    split_special_tokens: bool,
}

impl<'a> Splitter<'a> {
    fn new(tokenizer: &'a Inner, options: &EncodeOptions) -> Self {
        let split_special_tokens = options.split_special_tokens.unwrap_or(tokenizer.split_special_tokens);
        Self { tokenizer, split_special_tokens }
    }

    fn text(&self, text: &str, type_id: u32) -> Result<tokenizers::Encoding> {
        self.tokens(text, type_id, None).context(ErrorKind::Tokenizer, || "the tokenizer cannot split a text")
    }

    fn words(&self, words: &[String], type_id: u32) -> Result<tokenizers::Encoding> {
        let class = self.tokenizer.class;
        let needs_prefix_space =
            matches!(class.family, Family::Bart | Family::Deberta | Family::Mvp | Family::Roberta);
        if needs_prefix_space && !self.tokenizer.add_prefix_space {
            let message = format!(
                "`{}` takes split words only with `\"add_prefix_space\": true` in its `tokenizer_config.json`",
                class.name
            );
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let encodings = words.iter().zip(0..).map(|(word, place)| self.tokens(word, type_id, Some(place)));
        let encoding: tokenizers::Result<tokenizers::Encoding> = encodings.collect();
        encoding.context(ErrorKind::Tokenizer, || "the tokenizer cannot split a word")
    }

    fn tokens(
        &self,
        text: &str,
        type_id: u32,
        word: Option<u32>,
    ) -> tokenizers::Result<tokenizers::Encoding> {
        let library = &self.tokenizer.library;
        let added = self.tokenizer.added_vocabulary(self.split_special_tokens);
        let mut pieces = added.extract_and_normalize(library.get_normalizer(), text);
        if let Some(pre_tokenizer) = library.get_pre_tokenizer() {
            pre_tokenizer.pre_tokenize(&mut pieces)?;
        }
        pieces.tokenize(|piece| library.get_model().tokenize(piece.get()))?;
        pieces.into_encoding(word, type_id, OffsetType::Char)
    }
}

/// What Python's `_get_padding_truncation_strategies` makes of the options.
struct Lengths {
    truncation: Option<TruncationParams>,
    padding: Option<PaddingParams>,
}

impl Lengths {
    fn new(tokenizer: &Inner, options: &EncodeOptions) -> Result<Self> {
        let mut padding = options.padding;
        let mut strategy = strategy(options.truncation);
        // Without any limit there is nothing to pad or truncate to.
        let limit = options.max_length.or(tokenizer.model_max_length);
        if limit.is_none() {
            strategy = None;
            if padding == Padding::MaxLength {
                padding = Padding::DoNotPad;
            }
        }
        if let (Some(_), Some(limit), Some(multiple)) = (strategy, limit, options.pad_to_multiple_of)
            && padding != Padding::DoNotPad
            && limit.checked_rem(multiple) != Some(0)
        {
            let message =
                format!("truncation length {limit} is not a multiple of `pad_to_multiple_of` {multiple}");
            return Err(Error::new(ErrorKind::Parameter, message));
        }
        let truncation = match (strategy, limit) {
            (Some(strategy), Some(limit)) => Some(truncation(tokenizer, options, strategy, limit)?),
            _ => None,
        };
        let padding = match (padding, limit) {
            (Padding::DoNotPad, _) => None,
            (Padding::MaxLength, Some(limit)) => {
                Some(padding_to(tokenizer, options, PaddingStrategy::Fixed(limit))?)
            }
            _ => Some(padding_to(tokenizer, options, PaddingStrategy::BatchLongest)?),
        };
        Ok(Self { truncation, padding })
    }
}

fn strategy(truncation: Truncation) -> Option<TruncationStrategy> {
    match truncation {
        Truncation::DoNotTruncate => None,
        Truncation::LongestFirst => Some(TruncationStrategy::LongestFirst),
        Truncation::OnlyFirst => Some(TruncationStrategy::OnlyFirst),
        Truncation::OnlySecond => Some(TruncationStrategy::OnlySecond),
    }
}

fn truncation(
    tokenizer: &Inner,
    options: &EncodeOptions,
    strategy: TruncationStrategy,
    max_length: usize,
) -> Result<TruncationParams> {
    // The crate makes this check for single texts, whatever the input and `add_special_tokens`.
    let special = special_tokens(tokenizer, false);
    let stride = options.stride;
    let room = max_length.wrapping_sub(special);
    if room < stride {
        let message = format!(
            "`stride` is {stride} and a window of {max_length} tokens holds {room} beside its {special} \
             special ones; use a smaller `stride` or a larger `max_length`"
        );
        return Err(Error::new(ErrorKind::Parameter, message));
    }
    let side = options.truncation_side.unwrap_or(tokenizer.truncation_side);
    Ok(TruncationParams { direction: direction(side), max_length, strategy, stride })
}

fn padding_to(
    tokenizer: &Inner,
    options: &EncodeOptions,
    strategy: PaddingStrategy,
) -> Result<PaddingParams> {
    let pad_token = tokenizer.special.content("pad_token");
    let unknown = || tokenizer.library.token_to_id(tokenizer.special.content("unk_token")?);
    let pad =
        pad_token.and_then(|token| Some((token, tokenizer.library.token_to_id(token).or_else(unknown)?)));
    let Some((pad_token, pad_id)) = pad else {
        let message =
            "the tokenizer has no padding token; set `pad_token` in `tokenizer_config.json`, or do not pad";
        return Err(Error::new(ErrorKind::Parameter, message));
    };
    Ok(PaddingParams {
        strategy,
        direction: match options.padding_side.unwrap_or(tokenizer.padding_side) {
            Side::Left => PaddingDirection::Left,
            Side::Right => PaddingDirection::Right,
        },
        pad_to_multiple_of: options.pad_to_multiple_of,
        pad_id,
        pad_type_id: tokenizer.class.pad_token_type_id(),
        pad_token: pad_token.to_owned(),
    })
}
