//! The table of tasks.

use burnpipe_core::{
    About, AnyPipeline, Error, ErrorKind, JsonTask, Pipeline, Result, check_parameters, suggestion,
};
use burnpipe_nn::{Architecture, Heads, LoadContext};
use serde_json::Value;

use crate::{
    AudioClassification, AutomaticSpeechRecognition, FeatureExtraction, FillMask, ImageClassification,
    ImageFeatureExtraction, QuestionAnswering, TableQuestionAnswering, TextClassification, TextGeneration,
    TokenClassification, ZeroShotClassification,
};

/// Every task; alphabetic.
pub const TASKS: &[TaskRecord] = &[
    TaskRecord::of::<AudioClassification>(),
    TaskRecord::of::<AutomaticSpeechRecognition>(),
    TaskRecord::of::<FeatureExtraction>(),
    TaskRecord::of::<FillMask>(),
    TaskRecord::of::<ImageClassification>(),
    TaskRecord::of::<ImageFeatureExtraction>(),
    TaskRecord::of::<QuestionAnswering>(),
    TaskRecord::of::<TableQuestionAnswering>(),
    TaskRecord::of::<TextClassification>(),
    TaskRecord::of::<TextGeneration>(),
    TaskRecord::of::<TokenClassification>(),
    TaskRecord::of::<ZeroShotClassification>(),
];

/// What a task is loaded from.
#[derive(Clone, Debug)]
pub struct TaskContext<'a> {
    /// The checkpoint and where it goes.
    pub load: LoadContext<'a>,
    /// What the checkpoint's architecture offers.
    pub architecture: &'a Architecture,
    /// A small model that proposes tokens, for tasks that write text.
    pub assistant: Option<&'a TaskContext<'a>>,
}

/// What an input that is a string stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InputKind {
    /// A text.
    Text,
    /// The path or the address of an image.
    Image,
    /// The path or the address of a sound.
    Sound,
}

/// A task that the table can hold: implement it for a task of your own to load it by name.
pub trait LoadTask: JsonTask + Sized {
    /// HF's id of the task.
    const ID: &'static str;
    /// Its other names.
    const ALIASES: &'static [&'static str];
    /// What it answers, in a few words.
    const SUMMARY: &'static str;
    /// The model that is used when none is named, and its revision.
    const DEFAULT_MODEL: (&'static str, &'static str);

    /// What an input that is a string stands for.
    const INPUT: InputKind = InputKind::Text;

    /// Whether it can use a small model that proposes tokens.
    const TAKES_ASSISTANT: bool = false;

    /// Whether an architecture with these heads can do the task.
    fn supports(heads: &Heads) -> bool;

    /// Loads everything the task needs.
    ///
    /// # Errors
    ///
    /// When a file is missing or cannot be used, or the architecture lacks the head.
    fn load(context: &TaskContext<'_>) -> Result<Self>;
}

/// A task's line in the table.
#[derive(Clone, Copy, Debug)]
pub struct TaskRecord {
    /// HF's id.
    pub id: &'static str,
    /// Other names.
    pub aliases: &'static [&'static str],
    /// What it answers, in a few words.
    pub summary: &'static str,
    /// What an input that is a string stands for.
    pub input: InputKind,
    /// The parameters that a call takes.
    pub parameters: &'static [&'static str],
    /// Whether the answer can be read while it is made.
    pub streams: bool,
    /// Whether it can use a small model that proposes tokens.
    pub takes_assistant: bool,
    /// Checks the parameters of a call, names and values, before a model is loaded.
    pub check_parameters: fn(&Value) -> Result<()>,
    /// The model that is used when none is named.
    pub default_model: &'static str,
    /// The revision of that model.
    pub default_revision: &'static str,
    /// Whether an architecture with these heads can do the task.
    pub supports: fn(&Heads) -> bool,
    /// Loads the task.
    pub load: fn(&TaskContext<'_>, About) -> Result<AnyPipeline>,
}

impl TaskRecord {
    /// The line of a task.
    pub const fn of<T: LoadTask>() -> Self {
        Self {
            id: T::ID,
            aliases: T::ALIASES,
            summary: T::SUMMARY,
            input: T::INPUT,
            parameters: T::PARAMETERS,
            streams: T::STREAMS,
            takes_assistant: T::TAKES_ASSISTANT,
            check_parameters: check_parameters::<T>,
            default_model: T::DEFAULT_MODEL.0,
            default_revision: T::DEFAULT_MODEL.1,
            supports: T::supports,
            load: |context, about| Ok(AnyPipeline::new(Pipeline::new(T::load(context)?), about)),
        }
    }
}

/// The task of this id or alias, from the first table that has it.
///
/// # Errors
///
/// When no table has it; the message names the near ones.
pub fn find<'a>(tables: &[&'a [TaskRecord]], name: &str) -> Result<&'a TaskRecord> {
    let all = || tables.iter().flat_map(|table| table.iter());
    let found = all().find(|task| task.id == name || task.aliases.contains(&name));
    found.ok_or_else(|| {
        let names = all().flat_map(|task| std::iter::once(task.id).chain(task.aliases.iter().copied()));
        let message = format!("unknown task `{name}`; {}", suggestion(name, names));
        Error::new(ErrorKind::UnknownTask, message)
    })
}
