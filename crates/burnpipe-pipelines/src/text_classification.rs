//! `text-classification`, also called `sentiment-analysis`: labels of a text or a pair of texts.
//!
//! - preprocess: tokenize (no truncation unless asked for);
//! - forward: the sequence classifier's logits;
//! - postprocess: sigmoid, softmax or nothing, then the best labels.
//!
//! Reference: `pipelines/text_classification.py` of transformers 4.56.2.

use burnpipe_core::{
    Error, ErrorContext, ErrorKind, JsonTask, Label, Result, Task, parse_parameters, quoted, suggestion,
};
use burnpipe_nn::{BatchLayout, Heads, SequenceClassifier, TokenRow, run_model};
use burnpipe_text::{EncodeOptions, TextInput, Tokenizer};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::text_features::{argmax, collate, read_back, softmax, token_row, with_text_pair};
use crate::{LoadTask, TaskContext};

mod rerank;

use rerank::Reranking;
pub use rerank::{Ranked, Rerank};

/// Labels of a text or a pair of texts.
pub struct TextClassification {
    tokenizer: Tokenizer,
    model: Box<dyn SequenceClassifier>,
    labels: Vec<String>,
    default_function: FunctionToApply,
    return_all_scores: Option<bool>,
    reranking: Reranking,
}

/// The parameters of [`TextClassification`].
#[derive(Clone, Debug, Default)]
pub struct TextClassificationOptions {
    /// How many labels to answer.
    pub top_k: TopK,
    /// The old name for all labels (in the model's order) or the best; `top_k` wins over it.
    pub return_all_scores: Option<bool>,
    /// What makes scores of logits; `None` for what the model's config asks for.
    pub function_to_apply: Option<FunctionToApply>,
    /// A second text for every input that is a text alone.
    pub text_pair: Option<String>,
    /// Whether the texts of inputs are lists of words.
    pub is_split_into_words: bool,
    /// How the text is tokenized.
    pub tokenizer: EncodeOptions,
}

/// How many labels to answer, best first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TopK {
    /// The best one; in JSON not in a list.
    #[default]
    Best,
    /// The best so many.
    First(usize),
    /// All of them.
    All,
}

/// What makes scores of logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionToApply {
    /// Each label on its own.
    Sigmoid,
    /// All labels together.
    Softmax,
    /// The logits themselves.
    None,
}

impl FunctionToApply {
    /// By Python's name, in any case.
    pub(crate) fn from_name(name: &str) -> Result<Self> {
        match name.to_lowercase().as_str() {
            "sigmoid" => Ok(Self::Sigmoid),
            "softmax" => Ok(Self::Softmax),
            "none" => Ok(Self::None),
            _ => {
                let message = format!(
                    "parameter `function_to_apply`: unknown `{name}`; known: `sigmoid`, `softmax`, `none`"
                );
                Err(Error::new(ErrorKind::Parameter, message))
            }
        }
    }

    /// The scores of logits, in f32 as Python's.
    pub(crate) fn apply(self, logits: Vec<f32>) -> Vec<f32> {
        match self {
            Self::Sigmoid => logits.into_iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).collect(),
            Self::Softmax => softmax(&logits),
            Self::None => logits,
        }
    }
}

impl LoadTask for TextClassification {
    const ID: &'static str = "text-classification";
    const ALIASES: &'static [&'static str] = &["sentiment-analysis"];
    const SUMMARY: &'static str = "labels of a text or a pair of texts";
    const DEFAULT_MODEL: (&'static str, &'static str) =
        ("distilbert/distilbert-base-uncased-finetuned-sst-2-english", "714eb0f");

    fn supports(heads: &Heads) -> bool {
        heads.sequence_classifier.is_some()
    }

    fn load(context: &TaskContext<'_>) -> Result<Self> {
        let heads = &context.architecture.heads;
        let load = context.architecture.head("sequence-classifier", heads.sequence_classifier)?;
        let config = context.load.checkpoint.config()?;
        let labels: Vec<String> = config.labels()?.iter().map(str::to_string).collect();
        let default_function = match config.problem_type() {
            Some("regression") => FunctionToApply::None,
            Some("multi_label_classification") => FunctionToApply::Sigmoid,
            _ if labels.len() == 1 => FunctionToApply::Sigmoid,
            _ => FunctionToApply::Softmax,
        };
        let tokenizer = Tokenizer::load(context.load.checkpoint)?;
        Ok(Self {
            reranking: Reranking::read(config, &tokenizer),
            tokenizer,
            model: load(&context.load)?,
            labels,
            default_function,
            return_all_scores: config.get("return_all_scores").and_then(Value::as_bool),
        })
    }
}

impl TextClassification {
    /// Whether all labels are asked for by the old name, which keeps the model's order.
    fn all_in_model_order(&self, options: &TextClassificationOptions) -> bool {
        let asked = options.return_all_scores.or(self.return_all_scores);
        options.top_k == TopK::Best && asked == Some(true)
    }
}

impl Task for TextClassification {
    type Input = TextInput;
    type Options = TextClassificationOptions;
    type Features = TokenRow;
    type Raw = Vec<f32>;
    type Output = Vec<Label>;

    fn preprocess(
        &self,
        input: TextInput,
        options: &Self::Options,
    ) -> Result<impl Iterator<Item = Result<TokenRow>> + Send + use<>> {
        let input = with_text_pair(input, options.text_pair.as_deref());
        let windows = self.tokenizer.encode(&input, &options.tokenizer)?;
        let row = windows.first().map(|window| Ok(token_row(window, &self.tokenizer, &options.tokenizer)));
        Ok(row.into_iter())
    }

    fn length(&self, features: &TokenRow) -> Option<usize> {
        (self.model.layout() == BatchLayout::Padded).then_some(features.input_ids.len())
    }

    fn forward(&self, batch: &[TokenRow], _: &Self::Options) -> Result<Vec<Vec<f32>>> {
        let tokens = collate(batch.iter(), &self.tokenizer, self.model.layout())?;
        let logits = run_model(self.model.layout(), || read_back(self.model.forward(&tokens)?))?;
        Ok(logits.chunks(self.labels.len()).map(<[f32]>::to_vec).collect())
    }

    fn postprocess(&self, chunks: Vec<Vec<f32>>, options: &Self::Options) -> Result<Vec<Label>> {
        let logits = chunks.into_iter().flatten().collect();
        let scores = options.function_to_apply.unwrap_or(self.default_function).apply(logits);
        let label = |index: usize| Label { label: self.labels[index].clone(), score: scores[index] };
        if self.all_in_model_order(options) {
            return Ok((0..scores.len()).map(label).collect());
        }
        let wanted = match options.top_k {
            TopK::Best => return Ok(vec![label(argmax(&scores))]),
            TopK::First(count) => count,
            TopK::All => scores.len(),
        };
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&left, &right| scores[right].total_cmp(&scores[left]));
        Ok(order.into_iter().take(wanted).map(label).collect())
    }
}

/// The parameters that are not the tokenizer's.
const OWN_PARAMETERS: [&str; 6] = [
    "top_k",
    "return_all_scores",
    "function_to_apply",
    "tokenizer_kwargs",
    "text_pair",
    "is_split_into_words",
];

impl JsonTask for TextClassification {
    const PARAMETERS: &'static [&'static str] = &[
        "top_k",
        "return_all_scores",
        "function_to_apply",
        "tokenizer_kwargs",
        "text_pair",
        "is_split_into_words",
        "add_special_tokens",
        "max_length",
        "padding",
        "padding_side",
        "pad_to_multiple_of",
        "return_attention_mask",
        "return_token_type_ids",
        "stride",
        "truncation",
        "truncation_side",
    ];

    fn parse_options(parameters: Map<String, Value>) -> Result<Self::Options> {
        #[derive(Deserialize)]
        struct Own {
            #[serde(default)]
            return_all_scores: Option<bool>,
            #[serde(default)]
            function_to_apply: Option<String>,
            #[serde(default)]
            tokenizer_kwargs: Option<Map<String, Value>>,
            #[serde(default)]
            text_pair: Option<String>,
            #[serde(default)]
            is_split_into_words: Option<bool>,
        }
        let (own, mut tokenizer): (Map<_, _>, Map<_, _>) =
            parameters.into_iter().partition(|(name, _)| OWN_PARAMETERS.contains(&name.as_str()));
        let top_k = parse_top_k(own.get("top_k"))?;
        let own: Own = parse_parameters(own)?;
        tokenizer.extend(own.tokenizer_kwargs.unwrap_or_default());
        let function = own.function_to_apply.as_deref().map(FunctionToApply::from_name);
        Ok(TextClassificationOptions {
            top_k,
            return_all_scores: own.return_all_scores,
            function_to_apply: function.transpose()?,
            text_pair: own.text_pair,
            is_split_into_words: own.is_split_into_words.unwrap_or(false),
            tokenizer: EncodeOptions::from_kwargs(&tokenizer)?,
        })
    }

    fn tokens(features: &TokenRow) -> Option<usize> {
        Some(features.tokens())
    }

    fn parse_input(input: Value, options: &Self::Options) -> Result<TextInput> {
        if options.is_split_into_words { parse_words(input) } else { parse_text_or_pair(input) }
    }

    fn to_json(
        &self,
        labels: Vec<Label>,
        options: &Self::Options,
        asked_alone: Option<&Value>,
    ) -> Result<Value> {
        // Without `top_k` Python gives one label and no list; except that a single text gives a list.
        let answer = match (options.top_k, &labels[..]) {
            (TopK::Best, [label]) if !self.all_in_model_order(options) => json!(label),
            _ => json!(labels),
        };
        let wrapped = options.top_k == TopK::Best && asked_alone.is_some_and(Value::is_string);
        Ok(if wrapped { json!([answer]) } else { answer })
    }
}

fn parse_top_k(top_k: Option<&Value>) -> Result<TopK> {
    match top_k {
        None => Ok(TopK::Best),
        Some(Value::Null) => Ok(TopK::All),
        Some(value) => {
            let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
            let message = || format!("parameter `top_k`: `{value}` is neither a number from 0 nor null");
            count.map(TopK::First).ok_or_else(|| Error::new(ErrorKind::Parameter, message()))
        }
    }
}

/// A text, `{"text", "text_pair"}`, or the older `[["text", "pair"]]`.
fn parse_text_or_pair(input: Value) -> Result<TextInput> {
    let shape = || {
        let message = "the input must be a text or an object {\"text\": .., \"text_pair\": ..}";
        Err(Error::new(ErrorKind::Input, message))
    };
    match input {
        Value::String(text) => Ok(TextInput::Text(text)),
        Value::Object(mut fields) => {
            let pair = fields.remove("text_pair");
            let text = fields.remove("text");
            if let Some(unknown) = fields.keys().next() {
                let known = ["text", "text_pair"];
                let near = suggestion(unknown, known);
                let message =
                    format!("the input has an unknown field `{unknown}`; known: {}; {near}", quoted(known));
                return Err(Error::new(ErrorKind::Input, message));
            }
            match (text, pair) {
                (Some(Value::String(text)), None | Some(Value::Null)) => Ok(TextInput::Text(text)),
                (Some(Value::String(text)), Some(Value::String(text_pair))) => {
                    Ok(TextInput::Pair { text, text_pair })
                }
                _ => shape(),
            }
        }
        Value::Array(outer) => match outer.first().and_then(Value::as_array).map(Vec::as_slice) {
            Some([Value::String(text), Value::String(pair)]) if outer.len() == 1 => {
                Ok(TextInput::Pair { text: text.clone(), text_pair: pair.clone() })
            }
            _ => shape(),
        },
        _ => shape(),
    }
}

/// `{"text": [words], "text_pair": [words]}`, as Python's tokenizers take words.
fn parse_words(input: Value) -> Result<TextInput> {
    #[derive(Deserialize)]
    struct Words {
        text: Vec<String>,
        #[serde(default)]
        text_pair: Option<Vec<String>>,
    }
    let message = "with `is_split_into_words` the input must be an object {\"text\": [words]}";
    let words: Words = serde_json::from_value(input).context(ErrorKind::Input, || message)?;
    Ok(match words.text_pair {
        Some(words_pair) => TextInput::WordsPair { words: words.text, words_pair },
        None => TextInput::Words(words.text),
    })
}
