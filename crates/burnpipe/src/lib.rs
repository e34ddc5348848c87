#![doc = include_str!("../../../README.md")]
//!
//! # How an answer is made
//!
//! 1. An id or a folder becomes a [`Checkpoint`]: files, config, weights ([`hub`]).
//! 2. Its `model_type` picks an architecture, and the task picks the kind of head ([`nn`],
//!    [`models`]).
//! 3. An input is tokenized into features, on the host ([`text`]).
//! 4. Features of many inputs go through the model as one batch, on the device; the result comes
//!    back in one read.
//! 5. The raw result becomes the answer that Python gives, on the host ([`Task`]).
//!
//! **Where it sits:** above every other crate; it holds the table of backends, and nothing else
//! that they do not.
//!
//! **What it must not know:** how any task or architecture works.

#![forbid(unsafe_code)]

mod builder;
mod devices;

pub use builder::{FromPretrained, PipelineBuilder, pipeline};
pub use burnpipe_core::{
    About, AdapterKind, Answers, AnyPipeline, AsyncPipeline, Cancellation, DType, DeviceInfo, DeviceRequest,
    Error, ErrorKind, JsonAnswers, JsonStream, JsonTask, Label, Media, ModelFiles, Piece, PieceStream,
    Pieces, Pipeline, Result, RunOptions, StreamingTask, Task, Worker,
};
pub use burnpipe_generate as generate;
pub use burnpipe_hub as hub;
pub use burnpipe_hub::{Checkpoint, DownloadProgress, OpenOptions};
pub use burnpipe_models as models;
pub use burnpipe_nn as nn;
pub use burnpipe_pipelines::{
    AggregationStrategy, Answer, AudioClassification, AudioClassificationOptions, AudioInput,
    AutomaticSpeechRecognition, AutomaticSpeechRecognitionOptions, ChatMessage, Entity, FeatureExtraction,
    FeatureExtractionOptions, Features, FillMask, FillMaskOptions, FilledMask, FunctionToApply,
    GeneratedContent, GeneratedText, Image, ImageClassification, ImageClassificationOptions,
    ImageFeatureExtraction, ImageFeatureExtractionOptions, ImageInput, InputKind, LoadTask, OffsetMapping,
    Pooling, QuestionAnswering, QuestionAnsweringInput, QuestionAnsweringOptions, Ranked, Rerank,
    ReturnTimestamps, ReturnType, SpeechInput, TableAnswer, TableQuestionAnswering,
    TableQuestionAnsweringOptions, TableQuestions, TaskContext, TaskRecord, TextClassification,
    TextClassificationOptions, TextGeneration, TextGenerationInput, TextGenerationOptions,
    TokenClassification, TokenClassificationOptions, TopK, TranscribedChunk, Transcription, Waveform,
    ZeroShotClassification, ZeroShotClassificationOptions, ZeroShotLabels,
};
pub use burnpipe_text as text;
pub use burnpipe_text::{EncodeOptions, Padding, Side, Table, TextInput, Truncation};
pub use devices::{BackendStatus, backends, devices};

/// Every task; alphabetic.
pub fn tasks() -> &'static [TaskRecord] {
    burnpipe_pipelines::TASKS
}

/// The task of this id or alias.
///
/// # Errors
///
/// When there is none; the message names the near ones.
pub fn task(name: &str) -> Result<&'static TaskRecord> {
    burnpipe_pipelines::find(&[burnpipe_pipelines::TASKS], name)
}

/// Every architecture; alphabetic.
pub fn architectures() -> &'static [nn::Architecture] {
    burnpipe_models::ARCHITECTURES
}

/// The architectures that can do a task.
pub fn supported(task: &TaskRecord) -> Vec<&'static str> {
    let able = architectures().iter().filter(|architecture| (task.supports)(&architecture.heads));
    able.map(|architecture| architecture.model_type).collect()
}

/// What most programs need.
pub mod prelude {
    pub use crate::{AsyncPipeline, FromPretrained, Pipeline, Rerank, TextInput, pipeline};
}
