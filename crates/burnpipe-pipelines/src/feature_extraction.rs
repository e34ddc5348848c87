//! `feature-extraction`: the last hidden state of every token, or, beyond Python's pipeline, one
//! vector for the whole text (`pooling`, `normalize`).
//!
//! - preprocess: tokenize (no truncation unless asked for);
//! - forward: the encoder's last hidden state;
//! - postprocess: nested lists `[1, tokens, hidden]`, or the pooled vector `[hidden]`.
//!
//! Python returns padded rows when it batches; here a row is always what it is alone. References:
//! `pipelines/feature_extraction.py` of transformers 4.56.2, `models/Pooling.py` of
//! sentence-transformers.

use burnpipe_core::{Error, ErrorKind, JsonTask, Result, Task, parse_parameters};
use burnpipe_nn::{BatchLayout, Encoder, Heads, TokenRow, run_model};
use burnpipe_text::{EncodeOptions, TextInput, Tokenizer, Truncation};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::text_features::{collate, read_back, token_row, with_text_pair};
use crate::{LoadTask, TaskContext};

mod sentence_transformers;

use sentence_transformers::SentenceTransformer;

/// The last hidden state of every token, or one vector for the text.
pub struct FeatureExtraction {
    tokenizer: Tokenizer,
    model: Box<dyn Encoder>,
    /// What the repository's sentence-transformers files say, if it has them; an error in them is
    /// kept for those who ask for the recipe.
    recipe: Result<Option<SentenceTransformer>>,
}

/// The parameters of [`FeatureExtraction`].
#[derive(Clone, Debug, Default)]
pub struct FeatureExtractionOptions {
    /// A second text for every input.
    pub text_pair: Option<String>,
    /// How the text is tokenized.
    pub tokenizer: EncodeOptions,
    /// Python's `return_tensors`; the numbers are the same either way.
    pub return_tensors: bool,
    /// Makes one vector of the tokens' vectors.
    pub pooling: Option<Pooling>,
    /// Whether that vector is scaled to length 1; `None` is no, or what the repository's files say
    /// with [`Pooling::Auto`].
    pub normalize: Option<bool>,
}

/// How one vector is made of the tokens' vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// As the repository's sentence-transformers files say.
    Auto,
    /// The mean of all tokens.
    Mean,
    /// The first token.
    Cls,
    /// The last token.
    Last,
    /// The greatest value of each element.
    Max,
}

/// Numbers with a shape: `[1, tokens, hidden]`, or `[hidden]` when pooled. In JSON, nested lists.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    /// The length of each dimension.
    pub shape: Vec<usize>,
    /// The numbers, row-major.
    pub values: Vec<f32>,
}

impl Features {
    /// The vectors of the tokens, or the one pooled vector.
    pub fn vectors(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks(self.shape.last().copied().unwrap_or(1).max(1))
    }

    /// The cosine of the angle to other features of the same shape.
    pub fn cosine(&self, other: &Self) -> f32 {
        let dot = |left: &[f32], right: &[f32]| left.iter().zip(right).map(|(l, r)| l * r).sum::<f32>();
        let lengths = dot(&self.values, &self.values) * dot(&other.values, &other.values);
        dot(&self.values, &other.values) / lengths.sqrt()
    }
}

impl Serialize for Features {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Nested { shape: &self.shape, values: &self.values }.serialize(serializer)
    }
}

struct Nested<'a> {
    shape: &'a [usize],
    values: &'a [f32],
}

impl Serialize for Nested<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.shape {
            [] | [_] => serializer.collect_seq(self.values),
            [_, inner @ ..] => {
                let size = inner.iter().product::<usize>().max(1);
                serializer.collect_seq(self.values.chunks(size).map(|values| Nested { shape: inner, values }))
            }
        }
    }
}

impl LoadTask for FeatureExtraction {
    const ID: &'static str = "feature-extraction";
    const ALIASES: &'static [&'static str] = &[];
    const SUMMARY: &'static str = "vectors of tokens, or one of the whole text (embeddings)";
    const DEFAULT_MODEL: (&'static str, &'static str) = ("distilbert/distilbert-base-cased", "6ea8117");

    fn supports(heads: &Heads) -> bool {
        heads.encoder.is_some()
    }

    fn load(context: &TaskContext<'_>) -> Result<Self> {
        let load = context.architecture.head("encoder", context.architecture.heads.encoder)?;
        Ok(Self {
            tokenizer: Tokenizer::load(context.load.checkpoint)?,
            model: load(&context.load)?,
            recipe: SentenceTransformer::read(context.load.checkpoint),
        })
    }
}

/// The hidden states of a text, `[tokens, hidden]`, and which tokens are text.
#[derive(Clone, Debug)]
pub struct FeatureExtractionRaw {
    values: Vec<f32>,
    attention_mask: Vec<bool>,
}

impl FeatureExtraction {
    fn recipe(&self) -> Result<&SentenceTransformer> {
        let recipe = self.recipe.as_ref().map_err(|error| Error::new(error.kind(), error.report()))?;
        recipe.as_ref().ok_or_else(|| {
            let message = "parameter `pooling`: the model has no sentence-transformers files (`modules.json`) to say how; choose `mean`, `cls`, `last` or `max`";
            Error::new(ErrorKind::Parameter, message)
        })
    }

    /// The tokenizer's options, with the length that the repository's files limit texts to.
    fn encode_options(&self, options: &FeatureExtractionOptions) -> Result<EncodeOptions> {
        let mut encode = options.tokenizer.clone();
        if options.pooling == Some(Pooling::Auto) && encode.truncation == Truncation::DoNotTruncate {
            encode.truncation = Truncation::LongestFirst;
            let limits =
                [encode.max_length, self.recipe()?.max_seq_length, self.tokenizer.model_max_length()];
            encode.max_length = limits.into_iter().flatten().next();
        }
        Ok(encode)
    }
}

impl Task for FeatureExtraction {
    type Input = TextInput;
    type Options = FeatureExtractionOptions;
    type Features = TokenRow;
    type Raw = FeatureExtractionRaw;
    type Output = Features;

    fn preprocess(
        &self,
        input: TextInput,
        options: &Self::Options,
    ) -> Result<impl Iterator<Item = Result<TokenRow>> + Send + use<>> {
        let encode = self.encode_options(options)?;
        let input = match (input, options.pooling) {
            (TextInput::Text(text), Some(Pooling::Auto)) if self.recipe()?.do_lower_case => {
                TextInput::Text(text.to_lowercase())
            }
            (input, _) => input,
        };
        let input = with_text_pair(input, options.text_pair.as_deref());
        let windows = self.tokenizer.encode(&input, &encode)?;
        Ok(windows.first().map(|window| Ok(token_row(window, &self.tokenizer, &encode))).into_iter())
    }

    fn length(&self, features: &TokenRow) -> Option<usize> {
        (self.model.layout() == BatchLayout::Padded).then_some(features.input_ids.len())
    }

    fn forward(&self, batch: &[TokenRow], _: &Self::Options) -> Result<Vec<FeatureExtractionRaw>> {
        let tokens = collate(batch.iter(), &self.tokenizer, self.model.layout())?;
        let (size, values) = run_model(self.model.layout(), || {
            let hidden = self.model.forward(&tokens)?;
            Ok::<_, Error>((hidden.dims()[2], read_back(hidden)?))
        })?;
        let rows = batch.iter().zip(tokens.texts()).map(|(row, text)| FeatureExtractionRaw {
            values: values[text.start * size..text.end * size].to_vec(),
            attention_mask: row.attention_mask.clone(),
        });
        Ok(rows.collect())
    }

    fn postprocess(
        &self,
        mut chunks: Vec<FeatureExtractionRaw>,
        options: &Self::Options,
    ) -> Result<Features> {
        let raw = chunks.pop().ok_or_else(|| Error::new(ErrorKind::Input, "the text has no tokens"))?;
        let tokens = raw.attention_mask.len();
        let size = raw.values.len() / tokens.max(1);
        let Some(pooling) = options.pooling else {
            return Ok(Features { shape: vec![1, tokens, size], values: raw.values });
        };
        let (pooling, said) = match pooling {
            Pooling::Auto => (self.recipe()?.pooling, self.recipe()?.normalize),
            chosen => (chosen, false),
        };
        let mut values = pool(&raw, size, pooling);
        if options.normalize.unwrap_or(said) {
            let length = values.iter().map(|value| value * value).sum::<f32>().sqrt().max(1e-12);
            values.iter_mut().for_each(|value| *value /= length);
        }
        Ok(Features { shape: vec![size], values })
    }
}

/// One vector of the vectors of the tokens that are text.
fn pool(raw: &FeatureExtractionRaw, size: usize, pooling: Pooling) -> Vec<f32> {
    let vectors = raw.values.chunks(size.max(1)).zip(&raw.attention_mask);
    let mut seen = vectors.filter(|(_, seen)| **seen).map(|(vector, _)| vector);
    match pooling {
        Pooling::Cls => seen.next().map(<[f32]>::to_vec).unwrap_or_default(),
        Pooling::Last => seen.next_back().map(<[f32]>::to_vec).unwrap_or_default(),
        Pooling::Max => {
            let mut greatest = vec![f32::NEG_INFINITY; size];
            seen.for_each(|vector| {
                greatest.iter_mut().zip(vector).for_each(|(most, value)| *most = most.max(*value))
            });
            greatest
        }
        Pooling::Mean | Pooling::Auto => {
            let mut sums = vec![0.0; size];
            let mut count = 0.0_f32;
            seen.for_each(|vector| {
                count += 1.0;
                sums.iter_mut().zip(vector).for_each(|(sum, value)| *sum += value);
            });
            sums.into_iter().map(|sum: f32| sum / count.max(1e-9)).collect()
        }
    }
}

impl JsonTask for FeatureExtraction {
    const PARAMETERS: &'static [&'static str] =
        &["truncation", "tokenize_kwargs", "return_tensors", "pooling", "normalize"];

    fn parse_options(parameters: Map<String, Value>) -> Result<Self::Options> {
        #[derive(Deserialize)]
        #[serde(default)]
        #[derive(Default)]
        struct Own {
            truncation: Option<Value>,
            tokenize_kwargs: Option<Map<String, Value>>,
            return_tensors: Option<bool>,
            pooling: Option<Pooling>,
            normalize: Option<bool>,
        }
        let own: Own = parse_parameters(parameters)?;
        let mut kwargs = own.tokenize_kwargs.unwrap_or_default();
        if let Some(truncation) = own.truncation
            && kwargs.insert("truncation".into(), truncation).is_some()
        {
            let message = "parameter `truncation` is given twice, on its own and in `tokenize_kwargs`";
            return Err(Error::new(ErrorKind::Parameter, message));
        }
        if own.normalize == Some(true) && own.pooling.is_none() {
            let message = "parameter `normalize` scales one vector: it needs `pooling`, such as `mean`";
            return Err(Error::new(ErrorKind::Parameter, message));
        }
        let text_pair = match kwargs.remove("text_pair") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text),
            Some(other) => {
                let message = format!("parameter `tokenize_kwargs.text_pair`: `{other}` is not a text");
                return Err(Error::new(ErrorKind::Parameter, message));
            }
        };
        Ok(FeatureExtractionOptions {
            text_pair,
            tokenizer: EncodeOptions::from_kwargs(&kwargs)?,
            return_tensors: own.return_tensors.unwrap_or(false),
            pooling: own.pooling,
            normalize: own.normalize,
        })
    }

    fn tokens(features: &TokenRow) -> Option<usize> {
        Some(features.tokens())
    }

    fn parse_input(input: Value, _: &Self::Options) -> Result<TextInput> {
        match input {
            Value::String(text) => Ok(TextInput::Text(text)),
            _ => Err(Error::new(ErrorKind::Input, "the input must be a text")),
        }
    }
}
