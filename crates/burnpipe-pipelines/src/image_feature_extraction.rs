//! `image-feature-extraction`: the last hidden state of an image, or its pooled vector.
//!
//! - preprocess: read, decode, resize and normalise as the model's `preprocessor_config.json` says, with
//!   `image_processor_kwargs` over it;
//! - forward: the image encoder's last hidden state or what its pooler makes of it;
//! - postprocess: nested lists: of a transformer `[1, patches, hidden]`, of a convolutional network `[1, channels,
//!   height, width]`.
//!
//! Python makes up random numbers for a pooler that the checkpoint does not have, such as `google/vit-base-patch16-224`,
//! which was saved from a classifier; here `pool` is refused then. Reference: `pipelines/image_feature_extraction.py` of
//! transformers 4.56.2.

use std::time::Duration;

use burnpipe_core::{Error, ErrorKind, JsonTask, Result, Task, parse_parameters};
use burnpipe_image::{ImageProcessor, PixelValues};
use burnpipe_nn::{Heads, ImageEncoder, Placement, read_back};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::image_features::{ImageInput, run_by_size, seconds};
use crate::{Features, InputKind, LoadTask, TaskContext};

/// The last hidden state of an image, or its pooled vector.
pub struct ImageFeatureExtraction {
    processor: ImageProcessor,
    model: Box<dyn ImageEncoder>,
    placement: Placement,
}

/// The parameters of [`ImageFeatureExtraction`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageFeatureExtractionOptions {
    /// Settings of the image processor that replace those of `preprocessor_config.json`, by its names.
    pub image_processor_kwargs: Map<String, Value>,
    /// Python's `return_tensors`; the numbers are the same either way.
    pub return_tensors: bool,
    /// Whether to answer the pooled vector.
    pub pool: bool,
    /// How long to wait for an image's address.
    pub timeout: Option<Duration>,
}

impl LoadTask for ImageFeatureExtraction {
    const ID: &'static str = "image-feature-extraction";
    const ALIASES: &'static [&'static str] = &[];
    const SUMMARY: &'static str = "vectors of an image's patches, or one of the whole image";
    const DEFAULT_MODEL: (&'static str, &'static str) = ("google/vit-base-patch16-224", "3f49326");
    const INPUT: InputKind = InputKind::Image;

    fn supports(heads: &Heads) -> bool {
        heads.image_encoder.is_some()
    }

    fn load(context: &TaskContext<'_>) -> Result<Self> {
        let load = context.architecture.head("image-encoder", context.architecture.heads.image_encoder)?;
        Ok(Self {
            processor: ImageProcessor::load(context.load.checkpoint)?,
            model: load(&context.load)?,
            placement: context.load.placement.clone(),
        })
    }
}

impl Task for ImageFeatureExtraction {
    type Input = ImageInput;
    type Options = ImageFeatureExtractionOptions;
    type Features = PixelValues;
    type Raw = Features;
    type Output = Features;

    fn preprocess(
        &self,
        input: ImageInput,
        options: &Self::Options,
    ) -> Result<impl Iterator<Item = Result<PixelValues>> + Send + use<>> {
        let image = input.read(options.timeout)?;
        let pixels = if options.image_processor_kwargs.is_empty() {
            self.processor.process(&image)
        } else {
            self.processor.with(&options.image_processor_kwargs)?.process(&image)
        };
        Ok(std::iter::once(Ok(pixels?)))
    }

    fn prepares_side_by_side(&self) -> bool {
        true
    }

    fn forward(&self, batch: &[PixelValues], options: &Self::Options) -> Result<Vec<Features>> {
        run_by_size(batch, &self.placement, |pixels| {
            let encoding = self.model.forward(pixels)?;
            let numbers = if options.pool {
                encoding.pooler_output.ok_or_else(no_pooler)?
            } else {
                encoding.last_hidden_state
            };
            let [_, count] = numbers.values.dims();
            let shape: Vec<usize> = std::iter::once(1).chain(numbers.shape).collect();
            let values = read_back(numbers.values)?;
            let images = values.chunks(count.max(1));
            Ok(images.map(|values| Features { shape: shape.clone(), values: values.to_vec() }).collect())
        })
    }

    fn postprocess(&self, mut chunks: Vec<Features>, _: &Self::Options) -> Result<Features> {
        chunks.pop().ok_or_else(|| Error::new(ErrorKind::Internal, "an image without features"))
    }
}

fn no_pooler() -> Error {
    let message = "parameter `pool`: the model has no pooled output; its weights have no pooler (`pooler.dense.weight`)";
    Error::new(ErrorKind::Parameter, message)
}

impl JsonTask for ImageFeatureExtraction {
    const PARAMETERS: &'static [&'static str] =
        &["image_processor_kwargs", "return_tensors", "pool", "timeout"];

    fn parse_options(parameters: Map<String, Value>) -> Result<Self::Options> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Own {
            image_processor_kwargs: Option<Map<String, Value>>,
            return_tensors: Option<bool>,
            pool: Option<bool>,
            #[serde(deserialize_with = "seconds")]
            timeout: Option<Duration>,
        }
        let own: Own = parse_parameters(parameters)?;
        Ok(ImageFeatureExtractionOptions {
            image_processor_kwargs: own.image_processor_kwargs.unwrap_or_default(),
            return_tensors: own.return_tensors.unwrap_or(false),
            pool: own.pool.unwrap_or(false),
            timeout: own.timeout,
        })
    }

    fn parse_input(input: Value, _: &Self::Options) -> Result<ImageInput> {
        ImageInput::parse(input)
    }
}
