//! The image processors of `preprocessor_config.json`.

use burnpipe_core::{Error, ErrorKind, ModelFiles, Result};
use serde_json::{Map, Value};

use crate::{Image, PixelValues};

/// What makes [`PixelValues`] of an [`Image`], as a model's `preprocessor_config.json` says.
#[derive(Clone, Debug)]
pub struct ImageProcessor {}

impl ImageProcessor {
    /// Reads `preprocessor_config.json`.
    ///
    /// # Errors
    ///
    /// When it is missing, or asks for what is not known.
    pub fn load(_files: &dyn ModelFiles) -> Result<Self> {
        Err(Error::new(ErrorKind::Unsupported, "image processors are not there yet"))
    }

    /// The processor with some of its settings replaced, by the names of the config: `image_processor_kwargs`.
    ///
    /// # Errors
    ///
    /// When a name is not known or a value cannot be used.
    pub fn with(&self, _settings: &Map<String, Value>) -> Result<Self> {
        Ok(self.clone())
    }

    /// Resizes, crops, rescales, normalises.
    ///
    /// # Errors
    ///
    /// When the image cannot be brought to the size that the settings ask for.
    pub fn process(&self, _image: &Image) -> Result<PixelValues> {
        Err(Error::new(ErrorKind::Unsupported, "image processors are not there yet"))
    }
}
