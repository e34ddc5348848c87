//! `question-answering`: the passage of a text that answers a question.
//!
//! - preprocess: the question and a window of the text, as often as the text needs (`doc_stride`);
//! - forward: the question answerer's logits of start and end;
//! - postprocess: softmax over the tokens that can be in an answer, the best spans, whole words.
//!
//! Offsets count code points, as Python's do. Reference: `pipelines/question_answering.py` of
//! transformers 4.56.2. As there, tokenizers that pad on the left read the text first, and nothing is
//! masked for them; unlike there, padding does not move their answers.

use burnpipe_core::{Error, ErrorKind, JsonTask, Result, Task, parse_parameters};
use burnpipe_nn::{BatchLayout, Heads, QuestionAnswerer, TokenRow, run_model};
use burnpipe_text::{EncodeOptions, Encoding, Padding, Side, TextInput, Tokenizer, Truncation};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::text_features::{collate, read_back, token_row};
use crate::{LoadTask, TaskContext};

mod spans;

use spans::{Probabilities, best_spans, characters};

/// The passage of a text that answers a question.
pub struct QuestionAnswering {
    tokenizer: Tokenizer,
    model: Box<dyn QuestionAnswerer>,
}

/// A question, and the text that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuestionAnsweringInput {
    /// What is asked.
    pub question: String,
    /// The text that answers it.
    pub context: String,
}

impl<Q: Into<String>, C: Into<String>> From<(Q, C)> for QuestionAnsweringInput {
    fn from((question, context): (Q, C)) -> Self {
        Self { question: question.into(), context: context.into() }
    }
}

/// The parameters of [`QuestionAnswering`].
#[derive(Clone, Debug)]
pub struct QuestionAnsweringOptions {
    /// How many answers to give at most, from 1.
    pub top_k: usize,
    /// How many tokens two neighbouring windows of a text share; `None` for half a window, at most 128.
    pub doc_stride: Option<usize>,
    /// How many tokens a window has with its question; `None` for the model's, at most 384.
    pub max_seq_len: Option<usize>,
    /// How many tokens an answer has at most, from 1.
    pub max_answer_len: usize,
    /// Whether to answer nothing, too, where the model finds that likely.
    pub handle_impossible_answer: bool,
    /// Whether answers are made of whole words.
    pub align_to_words: bool,
    /// How far windows are padded.
    pub padding: Padding,
}

impl Default for QuestionAnsweringOptions {
    fn default() -> Self {
        Self {
            top_k: 1,
            doc_stride: None,
            max_seq_len: None,
            max_answer_len: 15,
            handle_impossible_answer: false,
            align_to_words: true,
            padding: Padding::DoNotPad,
        }
    }
}

/// A passage of the text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// How sure the model is.
    pub score: f32,
    /// Where it starts in the text, in code points.
    pub start: usize,
    /// Where it ends in the text, in code points.
    pub end: usize,
    /// The passage itself; empty for no answer.
    pub answer: String,
}

/// A question with a window of the text, ready for the model.
#[derive(Clone, Debug)]
pub struct QuestionAnsweringFeatures {
    row: TokenRow,
    encoding: Encoding,
    /// The whole text, with its first window.
    context: Option<String>,
}

/// The model's logits of a window, with the window.
#[derive(Clone, Debug)]
pub struct QuestionAnsweringRaw {
    features: QuestionAnsweringFeatures,
    /// Of start and end by turns, `[tokens, 2]`.
    logits: Vec<f32>,
}

impl LoadTask for QuestionAnswering {
    const ID: &'static str = "question-answering";
    const ALIASES: &'static [&'static str] = &[];
    const SUMMARY: &'static str = "the passage of a text that answers a question";
    const DEFAULT_MODEL: (&'static str, &'static str) =
        ("distilbert/distilbert-base-cased-distilled-squad", "564e9b5");

    fn supports(heads: &Heads) -> bool {
        heads.question_answerer.is_some()
    }

    fn load(context: &TaskContext<'_>) -> Result<Self> {
        let heads = &context.architecture.heads;
        let load = context.architecture.head("question-answerer", heads.question_answerer)?;
        Ok(Self { tokenizer: Tokenizer::load(context.load.checkpoint)?, model: load(&context.load)? })
    }
}

impl QuestionAnsweringOptions {
    fn check(&self) -> Result<()> {
        for (name, value) in [("top_k", self.top_k), ("max_answer_len", self.max_answer_len)] {
            if value == 0 {
                return Err(Error::new(ErrorKind::Parameter, format!("parameter `{name}`: 0 is below 1")));
            }
        }
        Ok(())
    }
}

impl QuestionAnswering {
    fn question_first(&self) -> bool {
        self.tokenizer.padding_side() == Side::Right
    }

    fn encode_options(&self, options: &QuestionAnsweringOptions) -> Result<EncodeOptions> {
        options.check()?;
        let usual_length = || self.tokenizer.model_max_length().map_or(384, |limit| limit.min(384));
        let max_seq_len = options.max_seq_len.unwrap_or_else(usual_length);
        let doc_stride = options.doc_stride.unwrap_or_else(|| (max_seq_len / 2).min(128));
        if doc_stride > max_seq_len {
            let message = format!(
                "parameter `doc_stride`: {doc_stride} is larger than the window, `max_seq_len` {max_seq_len}"
            );
            return Err(Error::new(ErrorKind::Parameter, message));
        }
        Ok(EncodeOptions {
            truncation: if self.question_first() { Truncation::OnlySecond } else { Truncation::OnlyFirst },
            max_length: Some(max_seq_len),
            stride: doc_stride,
            padding: options.padding,
            return_overflowing_tokens: true,
            ..EncodeOptions::default()
        })
    }

    /// The probabilities of a window's tokens. Those of the context can be in an answer, and the token that
    /// stands for no answer; Python forgets to mask the others where the context comes first.
    fn probabilities(&self, chunk: &QuestionAnsweringRaw) -> Probabilities {
        let QuestionAnsweringFeatures { row, encoding, .. } = &chunk.features;
        let (everything, cls) = (!self.question_first(), self.tokenizer.cls_token_id());
        let is_answerable = |token: usize| {
            let is_text = encoding.sequence_ids[token] == Some(1) || Some(encoding.ids[token]) == cls;
            row.attention_mask[token] && (everything || is_text)
        };
        let first = row.attention_mask.iter().position(|seen| *seen).unwrap_or(0);
        Probabilities::new(&chunk.logits, (0..encoding.len()).map(is_answerable).collect(), first)
    }

    /// Adds the best spans of a window to the answers; a span whose text is among them adds to its score.
    fn add_answers(
        &self,
        answers: &mut Vec<(f64, Answer)>,
        chunk: &QuestionAnsweringRaw,
        probabilities: &Probabilities,
        context: &[char],
        options: &QuestionAnsweringOptions,
    ) {
        let sequence = usize::from(self.question_first());
        // Spans of the same words are one answer, so there have to be more of them.
        let count = if options.align_to_words {
            options.top_k.saturating_mul(2).saturating_add(10)
        } else {
            options.top_k
        };
        for span in best_spans(probabilities, count, options.max_answer_len) {
            let (start, end) = characters(&chunk.features.encoding, &span, sequence, options.align_to_words);
            let text: String =
                context.get(start..end.min(context.len())).unwrap_or_default().iter().collect();
            let lower = text.to_lowercase();
            match answers.iter_mut().find(|(_, answer)| answer.answer.to_lowercase() == lower) {
                Some((score, _)) => *score += f64::from(span.score),
                None => {
                    answers.push((f64::from(span.score), Answer { score: 0.0, start, end, answer: text }));
                }
            }
        }
    }
}

impl Task for QuestionAnswering {
    type Input = QuestionAnsweringInput;
    type Options = QuestionAnsweringOptions;
    type Features = QuestionAnsweringFeatures;
    type Raw = QuestionAnsweringRaw;
    type Output = Vec<Answer>;

    fn preprocess(
        &self,
        input: QuestionAnsweringInput,
        options: &Self::Options,
    ) -> Result<impl Iterator<Item = Result<Self::Features>> + Send + use<>> {
        let encode = self.encode_options(options)?;
        let QuestionAnsweringInput { question, context } = input;
        for (name, text) in [("question", &question), ("context", &context)] {
            if text.is_empty() {
                return refused(format!("the input's `{name}` is empty"));
            }
        }
        let (text, text_pair) =
            if self.question_first() { (question, context.clone()) } else { (context.clone(), question) };
        let windows = self.tokenizer.encode(&TextInput::Pair { text, text_pair }, &encode)?;
        let mut context = Some(context);
        let chunks: Vec<_> = windows
            .into_iter()
            .map(|encoding| {
                let row = token_row(&encoding, &self.tokenizer, &encode);
                Ok(QuestionAnsweringFeatures { row, encoding, context: context.take() })
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
        let raws = batch.iter().zip(tokens.texts()).map(|(features, text)| QuestionAnsweringRaw {
            logits: logits[2 * text.start..2 * text.end].to_vec(),
            features: features.clone(),
        });
        Ok(raws.collect())
    }

    fn postprocess(&self, chunks: Vec<Self::Raw>, options: &Self::Options) -> Result<Vec<Answer>> {
        let context = chunks.first().and_then(|chunk| chunk.features.context.as_deref()).unwrap_or_default();
        let context: Vec<char> = context.chars().collect();
        let mut answers = Vec::new();
        let mut no_answer = f32::INFINITY;
        for chunk in &chunks {
            let probabilities = self.probabilities(chunk);
            no_answer = no_answer.min(probabilities.no_answer());
            self.add_answers(&mut answers, chunk, &probabilities, &context, options);
        }
        if options.handle_impossible_answer {
            answers.push((no_answer.into(), Answer { score: 0.0, start: 0, end: 0, answer: String::new() }));
        }
        answers.sort_by(|(left, _), (right, _)| right.total_cmp(left));
        answers.truncate(options.top_k);
        Ok(answers.into_iter().map(|(score, answer)| Answer { score: score as f32, ..answer }).collect())
    }
}

impl JsonTask for QuestionAnswering {
    const PARAMETERS: &'static [&'static str] = &[
        "padding",
        "topk",
        "top_k",
        "doc_stride",
        "max_answer_len",
        "max_seq_len",
        "max_question_len",
        "handle_impossible_answer",
        "align_to_words",
    ];
    const UNWRAPS_LIST_OF_ONE: bool = true;

    fn parse_options(parameters: Map<String, Value>) -> Result<Self::Options> {
        #[derive(Deserialize)]
        struct Own {
            topk: Option<usize>,
            top_k: Option<usize>,
            doc_stride: Option<usize>,
            max_answer_len: Option<usize>,
            max_seq_len: Option<usize>,
            // Python's fast tokenizers, the only ones here, do not cut the question.
            #[serde(rename = "max_question_len")]
            _max_question_len: Option<usize>,
            handle_impossible_answer: Option<bool>,
            align_to_words: Option<bool>,
        }
        // Python takes None for "not given" everywhere.
        let (padding, own): (Map<_, _>, Map<_, _>) = parameters
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .partition(|(name, _)| name == "padding");
        let own: Own = parse_parameters(own)?;
        let default = QuestionAnsweringOptions::default();
        let options = QuestionAnsweringOptions {
            top_k: own.top_k.or(own.topk).unwrap_or(default.top_k),
            doc_stride: own.doc_stride,
            max_seq_len: own.max_seq_len,
            max_answer_len: own.max_answer_len.unwrap_or(default.max_answer_len),
            handle_impossible_answer: own.handle_impossible_answer.unwrap_or(false),
            align_to_words: own.align_to_words.unwrap_or(true),
            padding: EncodeOptions::from_kwargs(&padding)?.padding,
        };
        options.check()?;
        Ok(options)
    }

    fn tokens(features: &QuestionAnsweringFeatures) -> Option<usize> {
        Some(features.row.tokens())
    }

    fn parse_input(input: Value, _: &Self::Options) -> Result<QuestionAnsweringInput> {
        let Value::Object(mut fields) = input else {
            return refused("the input must be an object {\"question\": .., \"context\": ..}");
        };
        let mut text = |name: &str| match fields.remove(name) {
            Some(Value::String(text)) => Ok(text),
            Some(other) => refused(format!("the input's `{name}` must be a text, not `{other}`")),
            None => refused(format!("the input has no `{name}`; it must have `question` and `context`")),
        };
        let (question, context) = (text("question")?, text("context")?);
        match fields.keys().next() {
            None => Ok(QuestionAnsweringInput { question, context }),
            Some(unknown) => {
                refused(format!("the input has an unknown field `{unknown}`; known: `question`, `context`"))
            }
        }
    }

    /// `{"question": [..], "context": [..]}` stands for several inputs; one context may serve all questions.
    fn spread(input: Value) -> Result<Value> {
        let Some(Value::Array(questions)) = input.get("question") else { return Ok(input) };
        let contexts = match input.get("context") {
            Some(Value::Array(contexts)) => contexts.clone(),
            context => vec![context.cloned().unwrap_or_default(); questions.len()],
        };
        if questions.len() != contexts.len() {
            let (questions, contexts) = (questions.len(), contexts.len());
            return refused(format!(
                "the input has {questions} questions and {contexts} contexts; give as many, or a single context"
            ));
        }
        let one = |(question, context): (&Value, Value)| {
            let mut fields = input.as_object().cloned().unwrap_or_default();
            fields.insert("question".into(), question.clone());
            fields.insert("context".into(), context);
            Value::Object(fields)
        };
        Ok(questions.iter().zip(contexts).map(one).collect())
    }

    fn to_json(&self, answers: Vec<Answer>, _: &Self::Options, _: Option<&Value>) -> Result<Value> {
        // Python gives one answer without a list, however many were asked for.
        Ok(match &answers[..] {
            [answer] => json!(answer),
            answers => json!(answers),
        })
    }
}

fn refused<T>(message: impl Into<String>) -> Result<T> {
    Err(Error::new(ErrorKind::Input, message))
}
