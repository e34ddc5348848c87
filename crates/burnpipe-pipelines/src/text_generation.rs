//! `text-generation`: what follows a prompt, or an assistant's answer in a chat.
//!
//! - preprocess: tokenize the prompt (special tokens by the tokenizer's default), or write the chat by its
//!   template; cut long prompts if asked;
//! - forward: decoding by `burnpipe-generate`; texts of a batch grow side by side, and one that is done gives its
//!   place to the next input ([`Session`]);
//! - postprocess: the text with its prompt, without it, or the ids; beside it the new tokens, and scores and logits
//!   where they are asked for.
//!
//! Reference: `pipelines/text_generation.py` of transformers 4.56.2. Tokens are drawn from our own generator, by
//! `seed` if one is given; the processed probabilities are Python's.
//!
//! In JSON, `return_dict_in_generate` puts what Python's pipeline puts beside a text there: `scores` and `logits` of
//! every step where there are as many rows as texts, which of beams are those of all beams and not those of the
//! texts; `sequences_scores` and `beam_indices` of a single text, in lists of one. Infinities are null. Of groups of
//! beams and forced words, whose `beam_indices` and `scores` Python gets wrong, these are the right ones. In Rust
//! [`GeneratedText`] has those of its own tokens, always.

mod answer;

mod options;
mod prompt;
mod records;
mod session;
mod settings;
mod stream;

use std::sync::Arc;

use burnpipe_core::{
    BoxedSession, Cancellation, Error, ErrorKind, JsonTask, Pieces, Result, Session as _, StreamingTask, Task,
};
use burnpipe_generate::Generated;
use burnpipe_nn::{BatchLayout, CausalLm, Heads};
use burnpipe_text::Tokenizer;
use serde_json::{Map, Value};

pub use answer::{GeneratedContent, GeneratedText};
pub use options::{ReturnType, TextGenerationOptions};
pub use prompt::{ChatMessage, TextGenerationInput};

use crate::{LoadTask, TaskContext};
use session::GenerationSession;
use settings::TaskDefaults;

/// Continues prompts and chats.
pub struct TextGeneration {
    tokenizer: Tokenizer,
    model: Arc<dyn CausalLm>,
    /// A small model that proposes tokens.
    assistant: Option<Arc<dyn CausalLm>>,
    layout: BatchLayout,
    defaults: TaskDefaults,
}

/// A prompt, ready for the model.
#[derive(Clone, Debug)]
pub struct TextGenerationFeatures {
    input: TextGenerationInput,
    /// The prompt's tokens; none if the text has none, and the model then begins with its first token.
    prompt: Vec<u32>,
    /// How many of them are padding, which comes first and is not read.
    padding: usize,
    /// Tokens of the prefix.
    prefix: usize,
}

/// A prompt and what was made of it.
#[derive(Clone, Debug)]
pub struct TextGenerationRaw {
    features: TextGenerationFeatures,
    /// The tokens that the sequences begin with.
    begin: Vec<u32>,
    /// What shorter ones of several sequences are filled up with.
    pad_token_id: u32,
    generated: Generated,
}

impl LoadTask for TextGeneration {
    const ID: &'static str = "text-generation";
    const ALIASES: &'static [&'static str] = &[];
    const SUMMARY: &'static str = "what follows a prompt, or the answer in a chat";
    const DEFAULT_MODEL: (&'static str, &'static str) = ("openai-community/gpt2", "607a30d");
    const TAKES_ASSISTANT: bool = true;

    fn supports(heads: &Heads) -> bool {
        heads.causal_lm.is_some()
    }

    fn load(context: &TaskContext<'_>) -> Result<Self> {
        let tokenizer = Tokenizer::load(context.load.checkpoint)?;
        let defaults = TaskDefaults::read(context.load.checkpoint, &tokenizer)?;
        let model = causal_lm(context)?;
        let assistant = match context.assistant {
            None => None,
            Some(small) => {
                check_assistant(context, small, &tokenizer)?;
                Some(causal_lm(small)?)
            }
        };
        let layout = BatchLayout::fastest(context.load.placement);
        Ok(Self { tokenizer, model, assistant, layout, defaults })
    }
}

fn causal_lm(context: &TaskContext<'_>) -> Result<Arc<dyn CausalLm>> {
    let load = context.architecture.head("causal-lm", context.architecture.heads.causal_lm)?;
    Ok(Arc::from(load(&context.load)?))
}

/// An assistant's tokens must be the model's.
fn check_assistant(
    context: &TaskContext<'_>,
    assistant: &TaskContext<'_>,
    tokenizer: &Tokenizer,
) -> Result<()> {
    let other = Tokenizer::load(assistant.load.checkpoint)?;
    let same = |id: u32| other.id_to_token(id) == tokenizer.id_to_token(id);
    let count = u32::try_from(tokenizer.vocab_size()).unwrap_or(u32::MAX);
    if other.vocab_size() == tokenizer.vocab_size() && (0..count).all(same) {
        return Ok(());
    }
    let (model, small) = (context.load.checkpoint.name(), assistant.load.checkpoint.name());
    let message = format!(
        "the assistant model `{small}` has another tokenizer than `{model}`; take a small model of the same family"
    );
    Err(Error::new(ErrorKind::Tokenizer, message))
}

impl Task for TextGeneration {
    type Input = TextGenerationInput;
    type Options = TextGenerationOptions;
    type Features = TextGenerationFeatures;
    type Raw = TextGenerationRaw;
    /// The best answer first; one unless `num_return_sequences` says otherwise.
    type Output = Vec<GeneratedText>;

    fn preprocess(
        &self,
        input: TextGenerationInput,
        options: &Self::Options,
    ) -> Result<impl Iterator<Item = Result<TextGenerationFeatures>> + Send + use<>> {
        Ok(std::iter::once(Ok(self.features(input, options)?)))
    }

    fn session(task: &Arc<Self>, options: &Self::Options) -> Option<BoxedSession<Self>> {
        Some(Box::new(GenerationSession::new(Arc::clone(task), options.clone())))
    }

    /// The driver takes the session; this is it, for callers that have a batch at hand.
    fn forward(
        &self,
        batch: &[TextGenerationFeatures],
        options: &Self::Options,
    ) -> Result<Vec<TextGenerationRaw>> {
        let mut session = GenerationSession::new(self, options.clone());
        for (id, features) in batch.iter().enumerate() {
            session.push(id, features.clone())?;
        }
        let mut raws: Vec<(usize, TextGenerationRaw)> = Vec::with_capacity(batch.len());
        while session.open() > 0 {
            for (id, raw) in session.step() {
                raws.push((id, raw?));
            }
        }
        raws.sort_by_key(|(id, _)| *id);
        Ok(raws.into_iter().map(|(_, raw)| raw).collect())
    }

    fn postprocess(&self, chunks: Vec<TextGenerationRaw>, options: &Self::Options) -> Result<Self::Output> {
        let mut answers = Vec::new();
        for raw in chunks {
            let whole = raw.sequences();
            let beams = Arc::new(raw.generated.beams);
            for (tokens, sequence) in whole.into_iter().zip(raw.generated.sequences) {
                let content = self.content(&raw.features, &tokens, options)?;
                answers.push(GeneratedText { content, sequence, beams: Arc::clone(&beams) });
            }
        }
        Ok(answers)
    }
}

impl StreamingTask for TextGeneration {
    fn stream(
        task: &Arc<Self>,
        input: TextGenerationInput,
        options: &Self::Options,
        cancellation: Cancellation,
    ) -> Result<Pieces<Self::Output>> {
        stream::pieces(task, input, options, cancellation)
    }
}

impl JsonTask for TextGeneration {
    const PARAMETERS: &'static [&'static str] = settings::PARAMETERS;
    const STREAMS: bool = true;

    fn parse_options(parameters: Map<String, Value>) -> Result<Self::Options> {
        TextGenerationOptions::parse(parameters)
    }

    fn is_one_input(input: &Value, _: &Self::Options) -> bool {
        match input {
            // A chat is a list of messages, and a list of chats is a list of lists.
            // One without any is a chat without messages, and refused as such.
            Value::Array(items) => items.first().is_none_or(Value::is_object),
            _ => true,
        }
    }

    fn parse_input(input: Value, _: &Self::Options) -> Result<TextGenerationInput> {
        TextGenerationInput::from_json(input)
    }

    fn tokens(features: &TextGenerationFeatures) -> Option<usize> {
        Some(features.prompt.len())
    }

    fn stream_pieces(
        task: &Arc<Self>,
        input: TextGenerationInput,
        options: &Self::Options,
        cancellation: Cancellation,
    ) -> Result<Pieces<Self::Output>> {
        Self::stream(task, input, options, cancellation)
    }

    fn to_json(&self, answers: Self::Output, options: &Self::Options, _: Option<&Value>) -> Result<Value> {
        self.records(answers, options)
    }
}
