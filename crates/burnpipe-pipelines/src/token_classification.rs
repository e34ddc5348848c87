//! `token-classification`, also called `ner`: labels of tokens, words or whole entities.
//!
//! - preprocess: tokenize, cut to the model's length, or in overlapping windows with `stride`;
//! - forward: the token classifier's logits;
//! - postprocess: softmax, labels of tokens, grouped as `aggregation_strategy` says.
//!
//! Offsets count code points, as Python's do. Reference: `pipelines/token_classification.py` of
//! transformers 4.56.2.

use burnpipe_core::{Error, ErrorKind, JsonTask, Result, Task, parse_parameters};
use burnpipe_nn::{BatchLayout, Heads, TokenClassifier, TokenRow, run_model};
use burnpipe_text::{EncodeOptions, Encoding, Padding, TextInput, Tokenizer, Truncation};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::text_features::{collate, read_back, softmax, token_row};
use crate::{LoadTask, TaskContext};

mod aggregation;

use aggregation::{PreEntity, aggregate, merge_overlapping};

/// Labels of tokens, words or whole entities.
pub struct TokenClassification {
    tokenizer: Tokenizer,
    model: Box<dyn TokenClassifier>,
    labels: Vec<String>,
}

/// The parameters of [`TokenClassification`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TokenClassificationOptions {
    /// How tokens become entities; `None` is [`AggregationStrategy::None`].
    pub aggregation_strategy: Option<AggregationStrategy>,
    /// Labels to leave out; `None` leaves out `O`.
    pub ignore_labels: Option<Vec<String>>,
    /// Old: whether to group, by `simple` or, with `ignore_subwords`, by `first`.
    pub grouped_entities: Option<bool>,
    /// Old: see `grouped_entities`.
    pub ignore_subwords: Option<bool>,
    /// Whether inputs are lists of words.
    pub is_split_into_words: bool,
    /// What stands between the words of a list, a space unless said otherwise.
    pub delimiter: Option<String>,
    /// Reads long texts whole, in windows that overlap by this many tokens.
    pub stride: Option<usize>,
    /// The place of each token in the text, instead of the tokenizer's.
    pub offset_mapping: Option<OffsetMapping>,
}

/// Where each token stands, from and to, in code points.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum OffsetMapping {
    /// Of the only text.
    One(Vec<(usize, usize)>),
    /// Of a list of texts.
    Many(Vec<Vec<(usize, usize)>>),
}

/// How tokens become entities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AggregationStrategy {
    /// Not at all: an entity per token.
    #[default]
    None,
    /// Neighbours with the same label make an entity.
    Simple,
    /// As `Simple` over words, each with the label of its first token.
    First,
    /// As `Simple` over words, each with the label of its tokens' mean scores.
    Average,
    /// As `Simple` over words, each with the label of its surest token.
    Max,
}

impl<'de> Deserialize<'de> for AggregationStrategy {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        match name.to_lowercase().as_str() {
            "none" => Ok(Self::None),
            "simple" => Ok(Self::Simple),
            "first" => Ok(Self::First),
            "average" => Ok(Self::Average),
            "max" => Ok(Self::Max),
            _ => {
                Err(serde::de::Error::unknown_variant(&name, &["none", "simple", "first", "average", "max"]))
            }
        }
    }
}

/// A labelled token or entity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entity {
    /// The label of a token, when nothing was aggregated.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub entity: Option<String>,
    /// The label of an entity, without `B-` and `I-`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub entity_group: Option<String>,
    /// How sure the model is.
    pub score: f32,
    /// The token's place in the encoded text, when nothing was aggregated.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub index: Option<usize>,
    /// The text, as the tokenizer writes it.
    pub word: String,
    /// Where it starts in the text, in code points.
    pub start: usize,
    /// Where it ends in the text, in code points.
    pub end: usize,
}

impl Entity {
    /// The label, of a token or of an entity.
    pub fn label(&self) -> &str {
        self.entity_group.as_deref().or(self.entity.as_deref()).unwrap_or_default()
    }
}

impl TokenClassificationOptions {
    /// The strategy that these options mean, old names included, if they name one.
    fn strategy(&self) -> Option<AggregationStrategy> {
        if self.grouped_entities.is_none() && self.ignore_subwords.is_none() {
            return self.aggregation_strategy;
        }
        Some(match (self.grouped_entities == Some(true), self.ignore_subwords == Some(true)) {
            (true, true) => AggregationStrategy::First,
            (true, false) => AggregationStrategy::Simple,
            (false, _) => AggregationStrategy::None,
        })
    }
}

/// A window of a text, ready for the model.
#[derive(Clone, Debug)]
pub struct TokenClassificationFeatures {
    row: TokenRow,
    /// The encoded window.
    encoding: Encoding,
    /// The whole text, with the first window of it.
    sentence: Option<String>,
    /// For a list of words: where each starts in the text.
    word_starts: Vec<usize>,
}

impl LoadTask for TokenClassification {
    const ID: &'static str = "token-classification";
    const ALIASES: &'static [&'static str] = &["ner"];
    const SUMMARY: &'static str = "labels of tokens: names, places, parts of speech";
    const DEFAULT_MODEL: (&'static str, &'static str) =
        ("dbmdz/bert-large-cased-finetuned-conll03-english", "4c53496");

    fn supports(heads: &Heads) -> bool {
        heads.token_classifier.is_some()
    }

    fn load(context: &TaskContext<'_>) -> Result<Self> {
        let heads = &context.architecture.heads;
        let load = context.architecture.head("token-classifier", heads.token_classifier)?;
        let labels = context.load.checkpoint.config()?.labels()?;
        Ok(Self {
            tokenizer: Tokenizer::load(context.load.checkpoint)?,
            model: load(&context.load)?,
            labels: labels.iter().map(str::to_string).collect(),
        })
    }
}

impl TokenClassification {
    fn encode_options(&self, options: &TokenClassificationOptions) -> Result<EncodeOptions> {
        let encode = EncodeOptions { truncation: Truncation::LongestFirst, ..EncodeOptions::default() };
        let Some(stride) = options.stride else { return Ok(encode) };
        let refused = |message: String| Err(Error::new(ErrorKind::Parameter, message));
        if let Some(limit) = self.tokenizer.model_max_length().filter(|&limit| stride >= limit) {
            return refused(format!("parameter `stride`: {stride} must be below the model's {limit} tokens"));
        }
        if options.strategy() == Some(AggregationStrategy::None) {
            let message =
                "parameter `stride` needs an `aggregation_strategy` other than `none`, such as `simple`";
            return refused(message.into());
        }
        // Python pads the windows of a text to one length on the tokenizer's side, which moves the
        // positions of a short last window when that side is the left.
        let padded = self.tokenizer.pad_token_id().is_some();
        let padding = if padded { Padding::Longest } else { Padding::DoNotPad };
        Ok(EncodeOptions { return_overflowing_tokens: true, stride, padding, ..encode })
    }

    fn pre_entities(
        &self,
        chunk: &TokenClassificationRaw,
        sentence: &[char],
        options: &TokenClassificationOptions,
    ) -> Vec<PreEntity> {
        let TokenClassificationFeatures { encoding, word_starts, .. } = &chunk.features;
        let has_prefix = self.tokenizer.continuing_subword_prefix().is_some();
        let given = match &options.offset_mapping {
            Some(OffsetMapping::One(offsets)) => Some(offsets),
            Some(OffsetMapping::Many(offsets)) => offsets.first(),
            None => None,
        };
        let mut pre_entities = Vec::new();
        for (index, logits) in chunk.logits.chunks(self.labels.len()).enumerate() {
            if encoding.special_tokens_mask[index] != 0 {
                continue;
            }
            let offsets = given.and_then(|offsets| offsets.get(index)).unwrap_or(&encoding.offsets[index]);
            let shift = encoding.word_ids[index].and_then(|word| word_starts.get(word as usize));
            let start = offsets.0 + shift.unwrap_or(&0);
            let end = offsets.1 + shift.unwrap_or(&0);
            let text = sentence.get(start..end.min(sentence.len())).unwrap_or_default();
            // The id's own name: the encoding's token may be as the text writes it.
            let token = self.tokenizer.id_to_token(encoding.ids[index]).unwrap_or_default();
            let unknown = Some(encoding.ids[index]) == self.tokenizer.unk_token_id();
            let continues = if has_prefix {
                token.chars().count() != text.len()
            } else {
                let before = sentence.get(start.saturating_sub(1)..(start + 1).min(sentence.len()));
                start > 0 && !before.unwrap_or_default().contains(&' ')
            };
            pre_entities.push(PreEntity {
                word: if unknown { text.iter().collect() } else { token },
                scores: softmax(logits),
                index,
                start,
                end,
                is_subword: continues && !unknown,
            });
        }
        pre_entities
    }
}

/// The model's logits of a window, `[tokens, labels]`, with the window.
#[derive(Clone, Debug)]
pub struct TokenClassificationRaw {
    features: TokenClassificationFeatures,
    logits: Vec<f32>,
}

impl Task for TokenClassification {
    type Input = TextInput;
    type Options = TokenClassificationOptions;
    type Features = TokenClassificationFeatures;
    type Raw = TokenClassificationRaw;
    type Output = Vec<Entity>;

    fn preprocess(
        &self,
        input: TextInput,
        options: &Self::Options,
    ) -> Result<impl Iterator<Item = Result<Self::Features>> + Send + use<>> {
        let encode = self.encode_options(options)?;
        let windows = self.tokenizer.encode(&input, &encode)?;
        let (sentence, word_starts) = match input {
            TextInput::Text(text) => (text, Vec::new()),
            TextInput::Words(words) => join_words(&words, options.delimiter.as_deref().unwrap_or(" ")),
            TextInput::Pair { .. } | TextInput::WordsPair { .. } => {
                return Err(Error::new(ErrorKind::Input, "token classification takes no text pairs"));
            }
        };
        let mut sentence = Some(sentence);
        let chunks: Vec<_> = windows
            .into_iter()
            .map(|encoding| {
                let row = token_row(&encoding, &self.tokenizer, &encode);
                let (sentence, word_starts) = (sentence.take(), word_starts.clone());
                Ok(TokenClassificationFeatures { row, encoding, sentence, word_starts })
            })
            .collect();
        Ok(chunks.into_iter())
    }

    fn length(&self, features: &Self::Features) -> Option<usize> {
        (self.model.layout() == BatchLayout::Padded).then_some(features.row.input_ids.len())
    }

    fn forward(&self, batch: &[Self::Features], _: &Self::Options) -> Result<Vec<Self::Raw>> {
        let rows = batch.iter().map(|features| &features.row);
        let tokens = collate(rows, &self.tokenizer, self.model.layout())?;
        let logits = run_model(self.model.layout(), || read_back(self.model.forward(&tokens)?))?;
        let labels = self.labels.len();
        let raws = batch.iter().zip(tokens.texts()).map(|(features, text)| TokenClassificationRaw {
            logits: logits[text.start * labels..text.end * labels].to_vec(),
            features: features.clone(),
        });
        Ok(raws.collect())
    }

    fn postprocess(&self, chunks: Vec<Self::Raw>, options: &Self::Options) -> Result<Vec<Entity>> {
        let strategy = options.strategy().unwrap_or_default();
        let sentence =
            chunks.first().and_then(|chunk| chunk.features.sentence.as_deref()).unwrap_or_default();
        let sentence: Vec<char> = sentence.chars().collect();
        let ignored = options.ignore_labels.clone().unwrap_or_else(|| vec!["O".into()]);
        let mut entities = Vec::new();
        for chunk in &chunks {
            let pre_entities = self.pre_entities(chunk, &sentence, options);
            let found = aggregate(pre_entities, strategy, &self.labels, &self.tokenizer)?;
            entities.extend(
                found.into_iter().filter(|entity| !ignored.iter().any(|label| label == entity.label())),
            );
        }
        Ok(if chunks.len() > 1 { merge_overlapping(entities) } else { entities })
    }
}

/// The words as one text, and where each starts in it, in code points.
fn join_words(words: &[String], delimiter: &str) -> (String, Vec<usize>) {
    let gap = delimiter.chars().count();
    let starts = words.iter().scan(0, |next, word| {
        let start = *next;
        *next += word.chars().count() + gap;
        Some(start)
    });
    (words.join(delimiter), starts.collect())
}

impl JsonTask for TokenClassification {
    const PARAMETERS: &'static [&'static str] = &[
        "aggregation_strategy",
        "ignore_labels",
        "grouped_entities",
        "ignore_subwords",
        "is_split_into_words",
        "delimiter",
        "stride",
        "offset_mapping",
    ];

    fn parse_options(parameters: Map<String, Value>) -> Result<Self::Options> {
        // Python takes None for "not given" everywhere.
        parse_parameters(parameters.into_iter().filter(|(_, value)| !value.is_null()).collect())
    }

    fn tokens(features: &TokenClassificationFeatures) -> Option<usize> {
        Some(features.row.tokens())
    }

    fn parse_input(input: Value, options: &Self::Options) -> Result<TextInput> {
        match input {
            Value::String(text) if !options.is_split_into_words => Ok(TextInput::Text(text)),
            Value::Array(words) if options.is_split_into_words => {
                let words = words.into_iter().map(|word| match word {
                    Value::String(word) => Ok(word),
                    other => {
                        Err(Error::new(ErrorKind::Input, format!("the words must be texts, not `{other}`")))
                    }
                });
                Ok(TextInput::Words(words.collect::<Result<_>>()?))
            }
            _ if options.is_split_into_words => {
                let message = "with `is_split_into_words` the input must be a list of words";
                Err(Error::new(ErrorKind::Input, message))
            }
            _ => {
                let message = "the input must be a text (a list of words needs `is_split_into_words: true`)";
                Err(Error::new(ErrorKind::Input, message))
            }
        }
    }

    fn is_one_input(input: &Value, options: &Self::Options) -> bool {
        match input {
            // An empty list is no list of inputs: Python, too, asks for at least one.
            Value::Array(elements) => {
                elements.is_empty() || options.is_split_into_words && !elements.iter().all(Value::is_array)
            }
            _ => true,
        }
    }
}
