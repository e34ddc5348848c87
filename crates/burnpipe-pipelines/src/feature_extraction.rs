//! `feature-extraction`: the last hidden state of every token, or, beyond Python's pipeline, one
//! vector for the whole text (`pooling`, `normalize`, `prompt`, `prompt_name`, `truncate_dim`).
//!
//! - preprocess: tokenize (no truncation unless asked for);
//! - forward: the encoder's last hidden state, pooled if that is asked for;
//! - postprocess: nested lists `[1, tokens, hidden]`, or the pooled vector `[hidden]`.
//!
//! `pooling: auto` answers what `SentenceTransformer.encode` answers for the repository. Python returns
//! padded rows when it batches; here a row is always what it is alone. References:
//! `pipelines/feature_extraction.py` of transformers 4.56.2, sentence-transformers 5.1.0.

use std::num::NonZeroUsize;

use burnpipe_core::{Error, ErrorKind, JsonTask, Result, Task, parse_parameters};
use burnpipe_nn::{BatchLayout, Encoder, Heads, TokenRow, run_model};
use burnpipe_text::{EncodeOptions, TextInput, Tokenizer, Truncation};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::text_features::{collate, read_back, token_row, with_text_pair};
use crate::{LoadTask, TaskContext};

mod pooling;
mod sentence_transformers;

pub use pooling::Pooling;
use pooling::Tokens;
use sentence_transformers::{SentenceTransformer, normalize};

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
    /// Whether that vector is scaled to length 1 at the end, beyond what the repository's files say with
    /// [`Pooling::Auto`].
    pub normalize: bool,
    /// What is put before every text. With [`Pooling::Auto`] `None` is the repository's own, if it has one.
    pub prompt: Option<String>,
    /// The repository's prompt of this name, such as `query`; `prompt` wins over it.
    pub prompt_name: Option<String>,
    /// Keeps the first so many numbers of the vector, for models trained to allow it (Matryoshka).
    pub truncate_dim: Option<usize>,
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
            recipe: SentenceTransformer::read(&context.load),
        })
    }
}

impl FeatureExtraction {
    fn recipe(&self, parameter: &str) -> Result<&SentenceTransformer> {
        let recipe = self.recipe.as_ref().map_err(|error| Error::new(error.kind(), error.report()))?;
        recipe.as_ref().ok_or_else(|| {
            let message = format!(
                "parameter `{parameter}`: the model has no sentence-transformers files (`modules.json`) to say how; choose a `pooling` such as `mean` or `cls`, and write the text as `prompt`"
            );
            Error::new(ErrorKind::Parameter, message)
        })
    }

    /// What is put before every text.
    fn prompt<'a>(&'a self, options: &'a FeatureExtractionOptions) -> Result<Option<&'a str>> {
        let prompt = match (&options.prompt, &options.prompt_name) {
            (Some(prompt), _) => Some(prompt.as_str()),
            (None, Some(name)) => self.recipe("prompt_name")?.prompt(Some(name))?,
            (None, None) if options.pooling == Some(Pooling::Auto) => self.recipe("pooling")?.prompt(None)?,
            (None, None) => None,
        };
        Ok(prompt.filter(|prompt| !prompt.is_empty()))
    }

    /// How many tokens at the beginning of every text are the prompt's and do not count.
    fn prompt_tokens(&self, options: &FeatureExtractionOptions) -> Result<usize> {
        let leaves_out =
            options.pooling == Some(Pooling::Auto) && self.recipe("pooling")?.leaves_prompt_out();
        let Some(prompt) = self.prompt(options)?.filter(|_| leaves_out) else { return Ok(0) };
        let windows = self.tokenizer.encode(&self.as_read(prompt)?.into(), &self.encode_options(options)?)?;
        let ids = windows.first().map(|window| window.ids.as_slice()).unwrap_or_default();
        let ends = ids.last().is_some_and(|last| self.tokenizer.all_special_ids().contains(last));
        Ok(ids.len() - usize::from(ends))
    }

    /// The text as sentence-transformers hands it to the tokenizer.
    fn as_read(&self, text: &str) -> Result<String> {
        let text = text.trim();
        Ok(if self.recipe("pooling")?.do_lower_case { text.to_lowercase() } else { text.to_string() })
    }

    /// The tokenizer's options, with the length that the repository's files limit texts to.
    fn encode_options(&self, options: &FeatureExtractionOptions) -> Result<EncodeOptions> {
        let mut encode = options.tokenizer.clone();
        if options.pooling == Some(Pooling::Auto) && encode.truncation == Truncation::DoNotTruncate {
            encode.truncation = Truncation::LongestFirst;
            let recipe = self.recipe("pooling")?;
            let limits = [recipe.max_position_embeddings, self.tokenizer.model_max_length()];
            let inferred = || limits.into_iter().flatten().min();
            encode.max_length = encode.max_length.or(recipe.max_seq_length).or_else(inferred);
        }
        Ok(encode)
    }

    fn pool(
        &self,
        texts: &[Tokens<'_>],
        pooling: Pooling,
        options: &FeatureExtractionOptions,
    ) -> Result<Vec<Features>> {
        let mut vectors = match pooling {
            Pooling::Auto => self.recipe("pooling")?.embed(texts)?,
            chosen => texts.iter().map(|text| text.pool(chosen)).collect(),
        };
        for vector in &mut vectors {
            vector.truncate(options.truncate_dim.unwrap_or(usize::MAX));
            if options.normalize {
                normalize(vector);
            }
        }
        Ok(vectors.into_iter().map(|values| Features { shape: vec![values.len()], values }).collect())
    }
}

impl Task for FeatureExtraction {
    type Input = TextInput;
    type Options = FeatureExtractionOptions;
    type Features = TokenRow;
    type Raw = Features;
    type Output = Features;

    fn preprocess(
        &self,
        input: TextInput,
        options: &Self::Options,
    ) -> Result<impl Iterator<Item = Result<TokenRow>> + Send + use<>> {
        let encode = self.encode_options(options)?;
        let prompt = self.prompt(options)?.unwrap_or_default();
        let input = match input {
            TextInput::Text(text) if options.pooling == Some(Pooling::Auto) => {
                TextInput::Text(self.as_read(&format!("{prompt}{text}"))?)
            }
            TextInput::Text(text) => TextInput::Text(format!("{prompt}{text}")),
            input => input,
        };
        let input = with_text_pair(input, options.text_pair.as_deref());
        let windows = self.tokenizer.encode(&input, &encode)?;
        Ok(windows.first().map(|window| Ok(token_row(window, &self.tokenizer, &encode))).into_iter())
    }

    fn length(&self, features: &TokenRow) -> Option<usize> {
        (self.model.layout() == BatchLayout::Padded).then_some(features.input_ids.len())
    }

    fn forward(&self, batch: &[TokenRow], options: &Self::Options) -> Result<Vec<Features>> {
        let tokens = collate(batch.iter(), &self.tokenizer, self.model.layout())?;
        let (size, values) = run_model(self.model.layout(), || {
            let hidden = self.model.forward(&tokens)?;
            Ok::<_, Error>((hidden.dims()[2], read_back(hidden)?))
        })?;
        let vectors = tokens.texts().iter().map(|text| &values[text.start * size..text.end * size]);
        let Some(pooling) = options.pooling else {
            let features = |values: &[f32]| Features {
                shape: vec![1, values.len() / size.max(1), size],
                values: values.to_vec(),
            };
            return Ok(vectors.map(features).collect());
        };
        let prompt = self.prompt_tokens(options)?;
        let texts = vectors.zip(batch).map(|(vectors, row)| Tokens {
            vectors,
            size,
            attention_mask: &row.attention_mask,
            prompt,
        });
        self.pool(&texts.collect::<Vec<_>>(), pooling, options)
    }

    fn postprocess(&self, mut chunks: Vec<Features>, _: &Self::Options) -> Result<Features> {
        chunks.pop().ok_or_else(|| Error::new(ErrorKind::Input, "the text has no tokens"))
    }
}

impl JsonTask for FeatureExtraction {
    const PARAMETERS: &'static [&'static str] = &[
        "truncation",
        "tokenize_kwargs",
        "return_tensors",
        "pooling",
        "normalize",
        "prompt",
        "prompt_name",
        "truncate_dim",
    ];

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
            prompt: Option<String>,
            prompt_name: Option<String>,
            truncate_dim: Option<NonZeroUsize>,
        }
        let own: Own = parse_parameters(parameters)?;
        let mut kwargs = own.tokenize_kwargs.unwrap_or_default();
        if let Some(truncation) = own.truncation
            && kwargs.insert("truncation".into(), truncation).is_some()
        {
            let message = "parameter `truncation` is given twice, on its own and in `tokenize_kwargs`";
            return Err(Error::new(ErrorKind::Parameter, message));
        }
        let of_one_vector =
            [("normalize", own.normalize == Some(true)), ("truncate_dim", own.truncate_dim.is_some())];
        if let Some((name, _)) = of_one_vector.iter().find(|(_, asked)| *asked && own.pooling.is_none()) {
            let message =
                format!("parameter `{name}` is about one vector: it needs `pooling`, such as `mean`");
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
            normalize: own.normalize.unwrap_or(false),
            prompt: own.prompt,
            prompt_name: own.prompt_name,
            truncate_dim: own.truncate_dim.map(NonZeroUsize::get),
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
