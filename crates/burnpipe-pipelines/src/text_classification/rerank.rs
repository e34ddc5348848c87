//! Documents in the order in which they answer a query, by a text classifier with one label.
//!
//! Reference: `rank` of `CrossEncoder` in sentence-transformers; its models are ordinary sequence
//! classifiers, whose `config.json` may name what makes scores of their logits.

use burnpipe_core::{Error, ErrorKind, Pipeline, Result};
use burnpipe_hub::Config;
use burnpipe_text::{EncodeOptions, TextInput, Tokenizer, Truncation};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{FunctionToApply, TextClassification, TextClassificationOptions};

/// Batches of a pipeline that was not given any: sentence-transformers' own.
const BATCH_SIZE: usize = 32;

/// A document and how well it answers the query.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ranked {
    /// Which of the documents it is, from 0.
    pub index: usize,
    /// Its score.
    pub score: f32,
}

/// Orders documents by a model that scores pairs of texts (a cross-encoder).
///
/// ```no_run
/// use burnpipe_core::{Pipeline, Result};
/// use burnpipe_pipelines::{Rerank, TextClassification};
///
/// # fn example(reranker: Pipeline<TextClassification>) -> Result<()> {
/// let documents = ["Paris is the capital of France.", "Berlin is the capital of Germany."];
/// let best = reranker.rerank("What is the capital of Germany?", documents, Some(1))?;
/// assert_eq!(best[0].index, 1);
/// # Ok(())
/// # }
/// ```
pub trait Rerank {
    /// The documents, best first, or the best `top_k` of them.
    ///
    /// Scores are what sentence-transformers gives: the logit through the function that `config.json`
    /// names for it, else through the one of text-classification, which is the sigmoid. Pairs are cut
    /// to the model's length, the longer text first.
    ///
    /// # Errors
    ///
    /// When the model has more labels than one, or names a function that is not known.
    fn rerank<D: Into<String>>(
        &self,
        query: &str,
        documents: impl IntoIterator<Item = D>,
        top_k: Option<usize>,
    ) -> Result<Vec<Ranked>>;
}

impl Rerank for Pipeline<TextClassification> {
    fn rerank<D: Into<String>>(
        &self,
        query: &str,
        documents: impl IntoIterator<Item = D>,
        top_k: Option<usize>,
    ) -> Result<Vec<Ranked>> {
        let options = self.task().reranking_options()?;
        let batch_size = if self.batch_size() == 1 { BATCH_SIZE } else { self.batch_size() };
        let pairs = documents
            .into_iter()
            .map(|document| TextInput::Pair { text: query.to_string(), text_pair: document.into() });
        let answers = self.clone().with_batch_size(batch_size).batch_with(pairs, &options)?;
        let scores = answers.iter().flatten().map(|label| label.score);
        let mut ranked: Vec<Ranked> =
            scores.enumerate().map(|(index, score)| Ranked { index, score }).collect();
        ranked.sort_by(|left, right| right.score.total_cmp(&left.score));
        ranked.truncate(top_k.unwrap_or(usize::MAX));
        Ok(ranked)
    }
}

/// What `config.json` says for reranking.
pub(super) struct Reranking {
    /// The class of torch that makes scores of logits, by its path in Python.
    activation: Option<String>,
    max_length: Option<usize>,
}

impl Reranking {
    pub(super) fn read(config: &Config, tokenizer: &Tokenizer) -> Self {
        // The second is what versions before 4 wrote.
        let activation = config.get("sentence_transformers").and_then(|section| section.get("activation_fn"));
        let activation = activation.or_else(|| config.get("sbert_ce_default_activation_function"));
        let positions = config.get("max_position_embeddings").and_then(Value::as_u64);
        let limits = [tokenizer.model_max_length(), positions.and_then(|limit| limit.try_into().ok())];
        Self {
            activation: activation.and_then(Value::as_str).map(str::to_string),
            max_length: limits.into_iter().flatten().min(),
        }
    }

    fn function(&self) -> Result<Option<FunctionToApply>> {
        let Some(path) = &self.activation else { return Ok(None) };
        match path.rsplit('.').next() {
            Some("Identity") => Ok(Some(FunctionToApply::None)),
            Some("Sigmoid") => Ok(Some(FunctionToApply::Sigmoid)),
            _ => {
                let message = format!(
                    "`config.json` names `{path}` for the scores of reranking; known are `Identity` and `Sigmoid` of torch"
                );
                Err(Error::new(ErrorKind::Config, message))
            }
        }
    }
}

impl TextClassification {
    fn reranking_options(&self) -> Result<TextClassificationOptions> {
        if self.labels.len() != 1 {
            let message = format!(
                "reranking needs a model with one label, and this one has {}; use text-classification for it",
                self.labels.len()
            );
            return Err(Error::new(ErrorKind::MissingHead, message));
        }
        let tokenizer = EncodeOptions {
            truncation: Truncation::LongestFirst,
            max_length: self.reranking.max_length,
            ..EncodeOptions::default()
        };
        Ok(TextClassificationOptions {
            function_to_apply: self.reranking.function()?,
            tokenizer,
            ..TextClassificationOptions::default()
        })
    }
}
