//! `image-classification`: labels of an image.
//!
//! - preprocess: read, decode, resize and normalise as the model's `preprocessor_config.json` says;
//! - forward: the image classifier's logits;
//! - postprocess: sigmoid, softmax or nothing, then the best labels.
//!
//! Python takes images of several sizes one at a time only, unless the processor makes one size of them; here they are
//! put into batches by size. Reference: `pipelines/image_classification.py` of transformers 4.56.2.

use std::time::Duration;

use burnpipe_core::{JsonTask, Label, Result, Task, parse_parameters};
use burnpipe_image::{ImageProcessor, PixelValues};
use burnpipe_nn::{Heads, ImageClassifier, Placement, read_back};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::best_labels::best;
use crate::image_features::{ImageInput, run_by_size, seconds};
use crate::{FunctionToApply, InputKind, LoadTask, TaskContext};

/// Labels of an image.
pub struct ImageClassification {
    processor: ImageProcessor,
    model: Box<dyn ImageClassifier>,
    placement: Placement,
    labels: Vec<String>,
    default_function: FunctionToApply,
}

/// The parameters of [`ImageClassification`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageClassificationOptions {
    /// How many labels to answer, the best first; all if there are fewer.
    pub top_k: usize,
    /// What makes scores of logits; `None` for what the model's config asks for.
    pub function_to_apply: Option<FunctionToApply>,
    /// How long to wait for an image's address.
    pub timeout: Option<Duration>,
}

impl Default for ImageClassificationOptions {
    fn default() -> Self {
        Self { top_k: 5, function_to_apply: None, timeout: None }
    }
}

impl LoadTask for ImageClassification {
    const ID: &'static str = "image-classification";
    const ALIASES: &'static [&'static str] = &[];
    const SUMMARY: &'static str = "labels of an image";
    const DEFAULT_MODEL: (&'static str, &'static str) = ("google/vit-base-patch16-224", "3f49326");
    const INPUT: InputKind = InputKind::Image;

    fn supports(heads: &Heads) -> bool {
        heads.image_classifier.is_some()
    }

    fn load(context: &TaskContext<'_>) -> Result<Self> {
        let heads = &context.architecture.heads;
        let load = context.architecture.head("image-classifier", heads.image_classifier)?;
        let config = context.load.checkpoint.config()?;
        let labels: Vec<String> = config.labels()?.iter().map(str::to_string).collect();
        // Unlike text classification Python asks nothing else of `problem_type`, not even for `regression`.
        let default_function = match config.problem_type() {
            Some("multi_label_classification") => FunctionToApply::Sigmoid,
            _ if labels.len() == 1 => FunctionToApply::Sigmoid,
            _ => FunctionToApply::Softmax,
        };
        Ok(Self {
            processor: ImageProcessor::load(context.load.checkpoint)?,
            model: load(&context.load)?,
            placement: context.load.placement.clone(),
            labels,
            default_function,
        })
    }
}

impl Task for ImageClassification {
    type Input = ImageInput;
    type Options = ImageClassificationOptions;
    type Features = PixelValues;
    type Raw = Vec<f32>;
    type Output = Vec<Label>;

    fn preprocess(
        &self,
        input: ImageInput,
        options: &Self::Options,
    ) -> Result<impl Iterator<Item = Result<PixelValues>> + Send + use<>> {
        let pixels = self.processor.process(&input.read(options.timeout)?)?;
        Ok(std::iter::once(Ok(pixels)))
    }

    fn prepares_side_by_side(&self) -> bool {
        true
    }

    fn forward(&self, batch: &[PixelValues], _: &Self::Options) -> Result<Vec<Vec<f32>>> {
        run_by_size(batch, &self.placement, |pixels| {
            let logits = read_back(self.model.forward(pixels)?)?;
            Ok(logits.chunks(self.labels.len()).map(<[f32]>::to_vec).collect())
        })
    }

    fn postprocess(&self, chunks: Vec<Vec<f32>>, options: &Self::Options) -> Result<Vec<Label>> {
        let logits = chunks.into_iter().flatten().collect();
        let scores = options.function_to_apply.unwrap_or(self.default_function).apply(logits);
        Ok(best(&self.labels, scores, options.top_k))
    }
}

impl JsonTask for ImageClassification {
    const PARAMETERS: &'static [&'static str] = &["top_k", "function_to_apply", "timeout"];

    fn parse_options(parameters: Map<String, Value>) -> Result<Self::Options> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Own {
            top_k: Option<usize>,
            function_to_apply: Option<String>,
            #[serde(deserialize_with = "seconds")]
            timeout: Option<Duration>,
        }
        let own: Own = parse_parameters(parameters)?;
        let default = Self::Options::default();
        let function = own.function_to_apply.as_deref().map(FunctionToApply::from_name);
        Ok(ImageClassificationOptions {
            // Null is the default here, not all labels.
            top_k: own.top_k.unwrap_or(default.top_k),
            function_to_apply: function.transpose()?,
            timeout: own.timeout,
        })
    }

    fn parse_input(input: Value, _: &Self::Options) -> Result<ImageInput> {
        ImageInput::parse(input)
    }
}
