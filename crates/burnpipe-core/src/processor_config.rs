//! The configurations of what stands before a model: image processors and feature extractors.
//!
//! Reference: `get_image_processor_dict` of `image_processing_base.py`, `get_feature_extractor_dict` of
//! `feature_extraction_utils.py`, and the `from_pretrained` of both automatic classes.

use serde_json::{Map, Value};

use crate::{Error, ErrorContext, ErrorKind, ModelFiles, Result};

/// Where Python looks for the configuration, in this order.
const FILES: [&str; 2] = ["preprocessor_config.json", "processor_config.json"];

/// The settings of an image processor or a feature extractor, as the files of a model have them.
#[derive(Clone, Debug)]
pub struct ProcessorConfig {
    /// The file that they were found in.
    pub file: &'static str,
    /// The settings by name.
    pub settings: Map<String, Value>,
}

impl ProcessorConfig {
    /// Reads `preprocessor_config.json`, or `processor_config.json` where there is no such file. Of either only
    /// `part` counts (`image_processor` or `feature_extractor`) where it has one.
    ///
    /// # Errors
    ///
    /// When both files are missing, or hold no JSON objects.
    pub fn read(files: &dyn ModelFiles, part: &str) -> Result<Self> {
        for file in FILES {
            let Some(mut settings) = read_object(files, file)? else { continue };
            return match settings.remove(part) {
                Some(Value::Object(settings)) => Ok(Self { file, settings }),
                Some(_) => {
                    let message =
                        format!("`{part}` of `{file}` of `{}` is no JSON object", files.model_name());
                    Err(Error::new(ErrorKind::Config, message))
                }
                None => Ok(Self { file, settings }),
            };
        }
        let message =
            format!("`{}` has no `{}`, so how it reads inputs is not known", files.model_name(), FILES[0]);
        Err(Error::new(ErrorKind::MissingFile, message))
    }

    /// The class that makes something of the settings: what `named` finds in them, or what `config.json` has under
    /// `key`, or what `of_model` has for the model's `model_type`.
    ///
    /// # Errors
    ///
    /// When none of them names one.
    pub fn class(
        &self,
        files: &dyn ModelFiles,
        key: &str,
        named: impl Fn(&Map<String, Value>) -> Option<String>,
        of_model: impl Fn(&str) -> Option<&'static str>,
    ) -> Result<String> {
        if let Some(name) = named(&self.settings) {
            return Ok(name);
        }
        let model = read_object(files, "config.json")?.unwrap_or_default();
        if let Some(name) = model.get(key).and_then(Value::as_str) {
            return Ok(name.to_owned());
        }
        let model_type = model.get("model_type").and_then(Value::as_str).unwrap_or_default();
        of_model(model_type).map(str::to_owned).ok_or_else(|| {
            let message = format!(
                "`{}` of `{}` names no `{key}`, and none is known for the model type `{model_type}`",
                self.file,
                files.model_name()
            );
            Error::new(ErrorKind::Config, message)
        })
    }
}

/// The JSON object in a file, `None` when there is no such file.
fn read_object(files: &dyn ModelFiles, file: &str) -> Result<Option<Map<String, Value>>> {
    let Some(bytes) = files.read(file)? else { return Ok(None) };
    let message = || format!("`{file}` of `{}` is no JSON object", files.model_name());
    serde_json::from_slice(&bytes).map(Some).context(ErrorKind::Config, message)
}
