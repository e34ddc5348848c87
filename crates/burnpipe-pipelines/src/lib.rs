//! The tasks: one file per task, and one table of them, [`TASKS`].
//!
//! ```
//! let task = burnpipe_pipelines::find(&[burnpipe_pipelines::TASKS], "ner")?;
//! assert_eq!(task.id, "token-classification");
//! assert!(task.parameters.contains(&"aggregation_strategy"));
//! # Ok::<(), burnpipe_core::Error>(())
//! ```
//!
//! **Where it sits:** above the tokenizers and the models, below the facade that opens devices.
//!
//! **What it must not know:** single architectures (a task asks for a kind of head) and backends.

#![forbid(unsafe_code)]

mod audio_classification;
mod automatic_speech_recognition;
mod best_labels;
mod feature_extraction;
mod fill_mask;
mod generation_config;
#[allow(dead_code)]
mod image_classification;
mod image_feature_extraction;
mod image_features;
mod media;
mod question_answering;
mod row_model;
mod shapes;
mod sound_features;
mod table;
mod table_question_answering;
mod text_classification;
mod text_features;
mod text_generation;
mod token_classification;
mod zero_shot_classification;

pub use burnpipe_audio::Waveform;
pub use burnpipe_image::Image;

pub use audio_classification::{AudioClassification, AudioClassificationOptions};
pub use automatic_speech_recognition::{
    AutomaticSpeechRecognition, AutomaticSpeechRecognitionOptions, ReturnTimestamps, SpeechFeatures,
    SpeechInput, SpeechRaw, Stride, TranscribedChunk, Transcription,
};
pub use feature_extraction::{FeatureExtraction, FeatureExtractionOptions, Features, Pooling};
pub use fill_mask::{FillMask, FillMaskFeatures, FillMaskOptions, FillMaskRaw, FilledMask};
pub use image_classification::{ImageClassification, ImageClassificationOptions};
pub use image_feature_extraction::{ImageFeatureExtraction, ImageFeatureExtractionOptions};
pub use image_features::ImageInput;
pub use question_answering::{
    Answer, QuestionAnswering, QuestionAnsweringFeatures, QuestionAnsweringInput, QuestionAnsweringOptions,
    QuestionAnsweringRaw,
};
pub use sound_features::AudioInput;
pub use table::{InputKind, LoadTask, TASKS, TaskContext, TaskRecord, find};
pub use table_question_answering::{
    TableAnswer, TableQuestionAnswering, TableQuestionAnsweringFeatures, TableQuestionAnsweringOptions,
    TableQuestionAnsweringRaw, TableQuestions,
};
pub use text_classification::{
    FunctionToApply, Ranked, Rerank, TextClassification, TextClassificationOptions, TopK,
};
pub use text_generation::{
    ChatMessage, GeneratedContent, GeneratedText, ReturnType, TextGeneration, TextGenerationFeatures,
    TextGenerationInput, TextGenerationOptions, TextGenerationRaw,
};
pub use token_classification::{
    AggregationStrategy, Entity, OffsetMapping, TokenClassification, TokenClassificationFeatures,
    TokenClassificationOptions, TokenClassificationRaw,
};
pub use zero_shot_classification::{
    ZeroShotClassification, ZeroShotClassificationFeatures, ZeroShotClassificationOptions,
    ZeroShotClassificationRaw, ZeroShotLabels,
};
