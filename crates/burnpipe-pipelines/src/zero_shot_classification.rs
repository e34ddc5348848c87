//! `zero-shot-classification`: labels of the caller's own, by a model that says whether one text
//! follows from another.
//!
//! - preprocess: a pair for every label, of the text and the hypothesis that the label makes; the
//!   text is cut to the tokenizer's length;
//! - forward: the sequence classifier's logits;
//! - postprocess: softmax of "entailment" over the labels, or for each label against
//!   "contradiction"; best first.
//!
//! Python takes exponentials of the logits as they are; here the largest is subtracted before, so
//! that none overflows. Reference: `pipelines/zero_shot_classification.py` of transformers 4.56.2.

use std::sync::Arc;

use burnpipe_core::{Error, ErrorKind, JsonTask, Result, Task, parse_parameters};
use burnpipe_hub::Checkpoint;
use burnpipe_nn::{BatchLayout, Heads, SequenceClassifier, TokenRow, run_model};
use burnpipe_text::{EncodeOptions, Encoding, Tokenizer, Truncation};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::text_features::{collate, read_back, softmax, token_row};
use crate::{LoadTask, TaskContext};

mod template;

/// Labels of the caller's own.
pub struct ZeroShotClassification {
    tokenizer: Tokenizer,
    model: Box<dyn SequenceClassifier>,
    label_count: usize,
    entailment_id: usize,
}

/// The parameters of [`ZeroShotClassification`].
///
/// ```
/// use burnpipe_pipelines::ZeroShotClassificationOptions;
///
/// let options = ZeroShotClassificationOptions::new(["food", "travel"]);
/// assert_eq!(options.hypothesis_template, "This example is {}.");
/// ```
#[derive(Clone, Debug)]
pub struct ZeroShotClassificationOptions {
    /// The labels to choose from; at least one.
    pub candidate_labels: Vec<String>,
    /// What makes a hypothesis of a label, which goes in place of `{}`.
    pub hypothesis_template: String,
    /// Whether more than one label may be true: each is then scored on its own, as a single label
    /// always is.
    pub multi_label: bool,
}

impl ZeroShotClassificationOptions {
    /// The defaults, with these labels to choose from.
    pub fn new<L: Into<String>>(candidate_labels: impl IntoIterator<Item = L>) -> Self {
        Self { candidate_labels: candidate_labels.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// The hypothesis that each label makes.
    fn hypotheses(&self) -> Result<Vec<String>> {
        let template = &self.hypothesis_template;
        let hypotheses = self.candidate_labels.iter().map(|label| template::format(template, label));
        let hypotheses: Vec<String> = hypotheses.collect::<Result<_>>()?;
        match hypotheses.first() {
            None => {
                let message = "parameter `candidate_labels` has no label; give at least one, such as [\"food\", \"travel\"]";
                Err(Error::new(ErrorKind::Parameter, message))
            }
            // Python compares the texts; a label that is a placeholder itself is refused there too.
            Some(first) if first == template => {
                let message = format!(
                    "parameter `hypothesis_template`: `{template}` stays what it is with a label; write {{}} where the label goes"
                );
                Err(Error::new(ErrorKind::Parameter, message))
            }
            Some(_) => Ok(hypotheses),
        }
    }
}

impl Default for ZeroShotClassificationOptions {
    fn default() -> Self {
        Self {
            candidate_labels: Vec::new(),
            hypothesis_template: "This example is {}.".into(),
            multi_label: false,
        }
    }
}

/// The labels of a text, best first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ZeroShotLabels {
    /// The text.
    pub sequence: String,
    /// The candidate labels.
    pub labels: Vec<String>,
    /// The score of each.
    pub scores: Vec<f32>,
}

impl LoadTask for ZeroShotClassification {
    const ID: &'static str = "zero-shot-classification";
    const ALIASES: &'static [&'static str] = &[];
    const SUMMARY: &'static str = "which of your own labels fit a text";
    const DEFAULT_MODEL: (&'static str, &'static str) = ("facebook/bart-large-mnli", "d7645e1");

    fn supports(heads: &Heads) -> bool {
        heads.sequence_classifier.is_some()
    }

    fn load(context: &TaskContext<'_>) -> Result<Self> {
        let heads = &context.architecture.heads;
        let load = context.architecture.head("sequence-classifier", heads.sequence_classifier)?;
        let checkpoint = context.load.checkpoint;
        Ok(Self {
            tokenizer: Tokenizer::load(checkpoint)?,
            model: load(&context.load)?,
            label_count: checkpoint.config()?.labels()?.len(),
            entailment_id: entailment_id(checkpoint)?,
        })
    }
}

/// The id of the first label of `label2id` that starts with "entail", else the last.
fn entailment_id(checkpoint: &Checkpoint) -> Result<usize> {
    let config = checkpoint.config()?;
    let labels = config.labels()?;
    let is_entailment = |label: &&str| label.to_lowercase().starts_with("entail");
    let label = match config.get("label2id") {
        Some(Value::Object(label2id)) => label2id.keys().map(String::as_str).find(is_entailment),
        _ => labels.iter().find(is_entailment),
    };
    let last = labels.len().saturating_sub(1);
    let id = label.and_then(|label| labels.id_of(label)).unwrap_or(last);
    if id > last {
        let message = format!(
            "`config.json` of `{}`: `label2id` has the id {id} for entailment, and there are {} labels",
            checkpoint.name(),
            labels.len()
        );
        return Err(Error::new(ErrorKind::Config, message));
    }
    Ok(id)
}

/// A text and the hypothesis of one label, for the model.
#[derive(Clone, Debug)]
pub struct ZeroShotClassificationFeatures {
    sequence: Arc<str>,
    tokens: TokenRow,
}

/// The model's logits for the hypothesis of one label.
#[derive(Clone, Debug)]
pub struct ZeroShotClassificationRaw {
    sequence: Arc<str>,
    logits: Vec<f32>,
}

/// Cuts the text and keeps the hypothesis; a hypothesis that leaves no room for text cuts nothing.
fn encode_pair(tokenizer: &Tokenizer, sequence: &str, hypothesis: &str) -> Result<Encoding> {
    let whole = EncodeOptions::default();
    let cut = EncodeOptions { truncation: Truncation::OnlyFirst, ..whole.clone() };
    let windows = match tokenizer.encode_pair(sequence, hypothesis, &cut) {
        Err(error) if error.kind() == ErrorKind::Input => {
            tokenizer.encode_pair(sequence, hypothesis, &whole)?
        }
        windows => windows?,
    };
    let window = windows.into_iter().next();
    window.ok_or_else(|| Error::new(ErrorKind::Internal, "the tokenizer gave no window"))
}

impl Task for ZeroShotClassification {
    type Input = String;
    type Options = ZeroShotClassificationOptions;
    type Features = ZeroShotClassificationFeatures;
    type Raw = ZeroShotClassificationRaw;
    type Output = ZeroShotLabels;

    fn preprocess(
        &self,
        sequence: String,
        options: &Self::Options,
    ) -> Result<impl Iterator<Item = Result<ZeroShotClassificationFeatures>> + Send + use<>> {
        let hypotheses = options.hypotheses()?;
        if sequence.is_empty() {
            return Err(Error::new(ErrorKind::Input, "the text is empty; there is nothing to classify"));
        }
        let (tokenizer, sequence) = (self.tokenizer.clone(), Arc::<str>::from(sequence));
        Ok(hypotheses.into_iter().map(move |hypothesis| {
            let encoding = encode_pair(&tokenizer, &sequence, &hypothesis)?;
            let tokens = token_row(&encoding, &tokenizer, &EncodeOptions::default());
            Ok(ZeroShotClassificationFeatures { sequence: Arc::clone(&sequence), tokens })
        }))
    }

    fn length(&self, features: &ZeroShotClassificationFeatures) -> Option<usize> {
        (self.model.layout() == BatchLayout::Padded).then_some(features.tokens.input_ids.len())
    }

    fn forward(
        &self,
        batch: &[ZeroShotClassificationFeatures],
        _: &Self::Options,
    ) -> Result<Vec<ZeroShotClassificationRaw>> {
        let rows = batch.iter().map(|features| &features.tokens);
        let tokens = collate(rows, &self.tokenizer, self.model.layout())?;
        let logits = run_model(self.model.layout(), || read_back(self.model.forward(&tokens)?))?;
        let raws = batch.iter().zip(logits.chunks(self.label_count)).map(|(features, logits)| {
            ZeroShotClassificationRaw { sequence: Arc::clone(&features.sequence), logits: logits.to_vec() }
        });
        Ok(raws.collect())
    }

    fn postprocess(
        &self,
        chunks: Vec<ZeroShotClassificationRaw>,
        options: &Self::Options,
    ) -> Result<ZeroShotLabels> {
        let entailment = self.entailment_id;
        let scores: Vec<f32> = if options.multi_label || chunks.len() == 1 {
            let contradiction = if entailment == 0 { self.label_count - 1 } else { 0 };
            let pairs = chunks.iter().map(|chunk| [chunk.logits[contradiction], chunk.logits[entailment]]);
            pairs.map(|logits| softmax(&logits)[1]).collect()
        } else {
            softmax(&chunks.iter().map(|chunk| chunk.logits[entailment]).collect::<Vec<f32>>())
        };
        // Python turns an ascending order around, so that of equal scores the last label comes first.
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&left, &right| scores[left].total_cmp(&scores[right]));
        order.reverse();
        Ok(ZeroShotLabels {
            sequence: chunks.first().map(|chunk| chunk.sequence.to_string()).unwrap_or_default(),
            labels: order.iter().map(|&index| options.candidate_labels[index].clone()).collect(),
            scores: order.iter().map(|&index| scores[index]).collect(),
        })
    }
}

impl JsonTask for ZeroShotClassification {
    const PARAMETERS: &'static [&'static str] =
        &["candidate_labels", "hypothesis_template", "multi_label", "multi_class"];

    fn parse_options(parameters: Map<String, Value>) -> Result<Self::Options> {
        #[derive(Deserialize)]
        struct Own {
            candidate_labels: Option<Value>,
            #[serde(default = "default_template")]
            hypothesis_template: String,
            multi_label: Option<bool>,
            /// The old name of `multi_label`.
            multi_class: Option<bool>,
        }
        let own: Own = parse_parameters(parameters)?;
        let options = ZeroShotClassificationOptions {
            candidate_labels: parse_labels(own.candidate_labels)?,
            hypothesis_template: own.hypothesis_template,
            multi_label: own.multi_class.or(own.multi_label).unwrap_or(false),
        };
        options.hypotheses()?;
        Ok(options)
    }

    fn tokens(features: &ZeroShotClassificationFeatures) -> Option<usize> {
        Some(features.tokens.tokens())
    }

    fn parse_input(input: Value, _: &Self::Options) -> Result<String> {
        match input {
            Value::String(text) => Ok(text),
            _ => Err(Error::new(ErrorKind::Input, "the input must be a text")),
        }
    }
}

fn default_template() -> String {
    ZeroShotClassificationOptions::default().hypothesis_template
}

/// A list of labels, or one text with commas between them.
fn parse_labels(labels: Option<Value>) -> Result<Vec<String>> {
    let refused = |reason: &str| {
        let message = format!(
            "parameter `candidate_labels` {reason}; give a list such as [\"food\", \"travel\"] or a text such as \"food, travel\""
        );
        Error::new(ErrorKind::Parameter, message)
    };
    // What Python's `str.strip` takes for space.
    let is_space = |character: char| character.is_whitespace() || ('\x1c'..='\x1f').contains(&character);
    match labels {
        None => Err(refused("is missing: the labels to choose from")),
        Some(Value::String(text)) => {
            let labels = text.split(',').map(|label| label.trim_matches(is_space));
            Ok(labels.filter(|label| !label.is_empty()).map(str::to_string).collect())
        }
        Some(Value::Array(labels)) => labels
            .into_iter()
            .map(|label| match label {
                Value::String(label) => Ok(label),
                other => Err(refused(&format!("has the label `{other}`, which is no text"))),
            })
            .collect(),
        Some(other) => Err(refused(&format!("is `{other}`"))),
    }
}
