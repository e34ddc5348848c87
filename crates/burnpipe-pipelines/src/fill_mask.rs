//! `fill-mask`: words that could stand where a text has a mask token.
//!
//! - preprocess: tokenize (no truncation unless asked for), find the masks, look up the targets;
//! - forward: the masked LM's logits at the masks, and their softmax over the vocabulary;
//! - postprocess: the best tokens of every mask, and the text with each of them in its place.
//!
//! A text with one mask gives a list, one with several a list of lists; the masks are then filled each
//! on its own, and the texts keep their special tokens. Reference: `pipelines/fill_mask.py` of
//! transformers 4.56.2.

use burn::tensor::DType;
use burnpipe_core::{Error, ErrorKind, JsonTask, Result, Task, parse_parameters};
use burnpipe_nn::{BatchLayout, Heads, MaskedLm, TokenRow, ops, run_model};
use burnpipe_text::{DecodeOptions, EncodeOptions, TextInput, Tokenizer, Truncation};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::text_features::{collate, read_back, token_row, with_text_pair};
use crate::{LoadTask, TaskContext};

/// Words that could stand where a text has a mask token.
pub struct FillMask {
    tokenizer: Tokenizer,
    mask_token: String,
    mask_token_id: u32,
    model: Box<dyn MaskedLm>,
}

/// The parameters of [`FillMask`].
#[derive(Clone, Debug)]
pub struct FillMaskOptions {
    /// How many words to answer for every mask.
    pub top_k: usize,
    /// The only words to choose from. Of one that is no token of the vocabulary, its first token is
    /// taken; one that has no token at all is passed by.
    pub targets: Option<Vec<String>>,
    /// A second text for every input.
    pub text_pair: Option<String>,
    /// How the text is tokenized.
    pub tokenizer: EncodeOptions,
}

impl Default for FillMaskOptions {
    fn default() -> Self {
        Self { top_k: 5, targets: None, text_pair: None, tokenizer: EncodeOptions::default() }
    }
}

/// A word in the place of a mask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FilledMask {
    /// How likely the model finds it, among all tokens.
    pub score: f32,
    /// Its id.
    pub token: u32,
    /// It as text.
    pub token_str: String,
    /// The whole text with it; with its special tokens if the text has several masks.
    pub sequence: String,
}

/// A text, ready for the model.
#[derive(Clone, Debug)]
pub struct FillMaskFeatures {
    row: TokenRow,
    /// Where the masks stand.
    masks: Vec<usize>,
    /// The only tokens to choose from.
    targets: Option<Vec<u32>>,
}

/// What the model makes of one text.
#[derive(Clone, Debug)]
pub struct FillMaskRaw {
    features: FillMaskFeatures,
    /// The vocabulary's probabilities, mask after mask.
    probabilities: Vec<f32>,
}

impl LoadTask for FillMask {
    const ID: &'static str = "fill-mask";
    const ALIASES: &'static [&'static str] = &[];
    const SUMMARY: &'static str = "words that could stand where a text has a mask token";
    const DEFAULT_MODEL: (&'static str, &'static str) = ("distilbert/distilroberta-base", "fb53ab8");

    fn supports(heads: &Heads) -> bool {
        heads.masked_lm.is_some()
    }

    fn load(context: &TaskContext<'_>) -> Result<Self> {
        let load = context.architecture.head("masked-lm", context.architecture.heads.masked_lm)?;
        let tokenizer = Tokenizer::load(context.load.checkpoint)?;
        let (Some(mask_token), Some(mask_token_id)) = (tokenizer.mask_token(), tokenizer.mask_token_id())
        else {
            let name = context.load.checkpoint.name();
            let message = format!("the tokenizer of `{name}` defines no `mask_token`, which this task needs");
            return Err(Error::new(ErrorKind::Tokenizer, message));
        };
        Ok(Self { mask_token: mask_token.to_string(), mask_token_id, tokenizer, model: load(&context.load)? })
    }
}

impl FillMask {
    /// The ids of the only words to choose from, each once.
    fn target_ids(&self, targets: &[String]) -> Result<Vec<u32>> {
        let mut ids = Vec::with_capacity(targets.len());
        for target in targets {
            let id = match self.tokenizer.token_to_id(target) {
                Some(id) => Some(id),
                None => self.first_token(target)?,
            };
            ids.extend(id);
        }
        if ids.is_empty() {
            let message = "parameter `targets` has no word that the tokenizer has a token for; leave it out to choose from all";
            return Err(Error::new(ErrorKind::Parameter, message));
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// The token that is left of a word when it is cut to one.
    fn first_token(&self, word: &str) -> Result<Option<u32>> {
        let options = EncodeOptions {
            add_special_tokens: false,
            truncation: Truncation::LongestFirst,
            max_length: Some(1),
            ..EncodeOptions::default()
        };
        let windows = self.tokenizer.encode(&TextInput::Text(word.to_string()), &options)?;
        Ok(windows.first().and_then(|window| window.ids.first().copied()))
    }

    fn no_mask(&self, input: &TextInput) -> Error {
        let text = match input {
            TextInput::Text(text) | TextInput::Pair { text, .. } => text.as_str(),
            TextInput::Words(_) | TextInput::WordsPair { .. } => "",
        };
        let shown: String = text.chars().take(40).collect();
        let rest = if shown.len() < text.len() { "…" } else { "" };
        let message = format!(
            "the input `{shown}{rest}` has no mask: write `{}` where a word is wanted",
            self.mask_token
        );
        Error::new(ErrorKind::Input, message)
    }

    /// The best tokens of one mask, best first, with their probabilities.
    fn best(
        &self,
        probabilities: &[f32],
        targets: Option<&[u32]>,
        options: &FillMaskOptions,
    ) -> Result<Vec<(u32, f32)>> {
        let score = |id: u32| {
            let past = || {
                let vocabulary = probabilities.len();
                let message = format!(
                    "token id {id} is past the model's {vocabulary} ids; tokenizer and model do not belong together"
                );
                Error::new(ErrorKind::Tokenizer, message)
            };
            Ok((id, *usize::try_from(id).ok().and_then(|id| probabilities.get(id)).ok_or_else(past)?))
        };
        let Some(targets) = targets else {
            if options.top_k > probabilities.len() {
                let (top_k, vocabulary) = (options.top_k, probabilities.len());
                let message =
                    format!("parameter `top_k`: {top_k} is more than the model's {vocabulary} tokens");
                return Err(Error::new(ErrorKind::Parameter, message));
            }
            return Ok(first_of((0..).zip(probabilities.iter().copied()).collect(), options.top_k));
        };
        let scored: Result<Vec<(u32, f32)>> = targets.iter().copied().map(score).collect();
        Ok(first_of(scored?, options.top_k))
    }

    /// The text with a token in the place of a mask.
    fn filled(
        &self,
        row: &TokenRow,
        mask: usize,
        (token, score): (u32, f32),
        alone: bool,
    ) -> Result<FilledMask> {
        let padding = self.tokenizer.pad_token_id();
        let tokens = row.input_ids.iter().enumerate().map(|(at, &id)| if at == mask { token } else { id });
        let tokens: Vec<u32> = tokens.filter(|&id| Some(id) != padding).collect();
        let decode = DecodeOptions { skip_special_tokens: alone, ..DecodeOptions::default() };
        Ok(FilledMask {
            score,
            token,
            token_str: self.tokenizer.decode(&[token], DecodeOptions::default())?,
            sequence: self.tokenizer.decode(&tokens, decode)?,
        })
    }
}

/// The greatest so many, greatest first; only those are put in order.
fn first_of(mut scored: Vec<(u32, f32)>, count: usize) -> Vec<(u32, f32)> {
    let descending = |left: &(u32, f32), right: &(u32, f32)| right.1.total_cmp(&left.1);
    if (1..scored.len()).contains(&count) {
        scored.select_nth_unstable_by(count - 1, descending);
    }
    scored.truncate(count);
    scored.sort_by(descending);
    scored
}

impl Task for FillMask {
    type Input = TextInput;
    type Options = FillMaskOptions;
    type Features = FillMaskFeatures;
    type Raw = FillMaskRaw;
    /// For every mask its words, best first.
    type Output = Vec<Vec<FilledMask>>;

    fn preprocess(
        &self,
        input: TextInput,
        options: &Self::Options,
    ) -> Result<impl Iterator<Item = Result<FillMaskFeatures>> + Send + use<>> {
        let targets = options.targets.as_deref().map(|targets| self.target_ids(targets)).transpose()?;
        let input = with_text_pair(input, options.text_pair.as_deref());
        let windows = self.tokenizer.encode(&input, &options.tokenizer)?;
        let row = windows.first().map(|window| token_row(window, &self.tokenizer, &options.tokenizer));
        let row = row.unwrap_or_default();
        let ids = row.input_ids.iter().enumerate();
        let masks: Vec<usize> = ids.filter(|(_, id)| **id == self.mask_token_id).map(|(at, _)| at).collect();
        if masks.is_empty() {
            return Err(self.no_mask(&input));
        }
        Ok(std::iter::once(Ok(FillMaskFeatures { row, masks, targets })))
    }

    fn length(&self, features: &FillMaskFeatures) -> Option<usize> {
        (self.model.layout() == BatchLayout::Padded).then_some(features.row.input_ids.len())
    }

    fn forward(&self, batch: &[FillMaskFeatures], _: &Self::Options) -> Result<Vec<FillMaskRaw>> {
        let layout = self.model.layout();
        let tokens = collate(batch.iter().map(|features| &features.row), &self.tokenizer, layout)?;
        let texts = batch.iter().zip(tokens.texts());
        let positions: Vec<usize> =
            texts.flat_map(|(features, text)| features.masks.iter().map(|mask| text.start + mask)).collect();
        let probabilities = run_model(layout, || {
            let logits = self.model.forward(&tokens, &positions)?;
            read_back(ops::softmax(logits.cast(DType::F32)))
        })?;
        let vocabulary = probabilities.len() / positions.len().max(1);
        let mut rest = probabilities.as_slice();
        let raw = batch.iter().map(|features| {
            let (own, others) = rest.split_at(features.masks.len() * vocabulary);
            rest = others;
            FillMaskRaw { features: features.clone(), probabilities: own.to_vec() }
        });
        Ok(raw.collect())
    }

    fn postprocess(&self, chunks: Vec<FillMaskRaw>, options: &Self::Options) -> Result<Self::Output> {
        let mut answers = Vec::new();
        for FillMaskRaw { features: FillMaskFeatures { row, masks, targets }, probabilities } in chunks {
            let vocabulary = probabilities.len() / masks.len().max(1);
            let alone = masks.len() == 1;
            for (mask, probabilities) in masks.into_iter().zip(probabilities.chunks(vocabulary.max(1))) {
                let best = self.best(probabilities, targets.as_deref(), options)?.into_iter();
                let words: Result<_> = best.map(|word| self.filled(&row, mask, word, alone)).collect();
                answers.push(words?);
            }
        }
        Ok(answers)
    }
}

impl JsonTask for FillMask {
    const PARAMETERS: &'static [&'static str] = &["top_k", "targets", "tokenizer_kwargs"];
    const UNWRAPS_LIST_OF_ONE: bool = true;

    fn parse_options(parameters: Map<String, Value>) -> Result<Self::Options> {
        #[derive(Deserialize)]
        struct Own {
            #[serde(default)]
            top_k: Option<usize>,
            #[serde(default)]
            targets: Option<Targets>,
            #[serde(default)]
            tokenizer_kwargs: Option<Map<String, Value>>,
        }
        let own: Own = parse_parameters(parameters)?;
        let mut kwargs = own.tokenizer_kwargs.unwrap_or_default();
        let text_pair = match kwargs.remove("text_pair") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text),
            Some(other) => {
                let message = format!("parameter `tokenizer_kwargs.text_pair`: `{other}` is not a text");
                return Err(Error::new(ErrorKind::Parameter, message));
            }
        };
        Ok(FillMaskOptions {
            top_k: own.top_k.unwrap_or(FillMaskOptions::default().top_k),
            targets: own.targets.map(Targets::into_list),
            text_pair,
            tokenizer: EncodeOptions::from_kwargs(&kwargs)?,
        })
    }

    fn tokens(features: &FillMaskFeatures) -> Option<usize> {
        Some(features.row.tokens())
    }

    fn parse_input(input: Value, _: &Self::Options) -> Result<TextInput> {
        match input {
            Value::String(text) => Ok(TextInput::Text(text)),
            // A list of one text stands for that text.
            Value::Array(mut texts) => match (texts.pop(), texts.is_empty()) {
                (Some(Value::String(text)), true) => Ok(TextInput::Text(text)),
                _ => Err(not_a_text()),
            },
            _ => Err(not_a_text()),
        }
    }

    /// What a list of one list holds is that list; with one text in it, Python answers that text.
    fn spread(input: Value) -> Result<Value> {
        Ok(match input {
            Value::Array(mut texts) if texts.len() == 1 => texts.swap_remove(0),
            input => input,
        })
    }

    fn to_json(&self, mut masks: Self::Output, _: &Self::Options, _: Option<&Value>) -> Result<Value> {
        Ok(if masks.len() == 1 { json!(masks.swap_remove(0)) } else { json!(masks) })
    }
}

/// One word or a list of them.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a text or a list of texts")]
enum Targets {
    One(String),
    Many(Vec<String>),
}

impl Targets {
    fn into_list(self) -> Vec<String> {
        match self {
            Self::One(target) => vec![target],
            Self::Many(targets) => targets,
        }
    }
}

fn not_a_text() -> Error {
    Error::new(ErrorKind::Input, "the input must be a text")
}
