//! `config.json`, parsed once, with the keys that every architecture shares.

use std::sync::OnceLock;

use burnpipe_core::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::labels::{Labels, labels_error};

/// The file this is about.
pub(crate) const CONFIG_FILE: &str = "config.json";

const PROBLEM_TYPES: [&str; 3] = ["regression", "single_label_classification", "multi_label_classification"];

/// A model's `config.json`.
///
/// The keys of one architecture are read by [`Config::parse`] into that architecture's own struct.
///
/// ```
/// # fn main() -> burnpipe_hub::Result<()> {
/// use burnpipe_hub::Checkpoint;
///
/// let model = Checkpoint::from_memory(
///     "tiny",
///     &[("config.json", br#"{"model_type": "bert", "id2label": {"0": "no", "1": "yes"}}"#)],
/// );
/// let config = model.config()?;
/// assert_eq!(config.model_type()?, "bert");
/// assert_eq!(config.labels()?.get(1), Some("yes"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Config {
    model: String,
    value: Value,
    architectures: Vec<String>,
    labels: OnceLock<Result<Labels, String>>,
}

impl Config {
    /// Checks what `PretrainedConfig` checks for every model.
    pub(crate) fn new(model: &str, value: Value) -> Result<Self> {
        let broken = |reason: String| {
            Err(Error::new(ErrorKind::Config, format!("`{CONFIG_FILE}` of `{model}`: {reason}")))
        };
        if !value.is_object() {
            return broken("not a JSON object".into());
        }
        if let Some(problem_type) = value.get("problem_type").filter(|value| !value.is_null())
            && !problem_type.as_str().is_some_and(|name| PROBLEM_TYPES.contains(&name))
        {
            return broken(format!(
                "`problem_type` is {problem_type}; known are `{}`",
                PROBLEM_TYPES.join("`, `")
            ));
        }
        let names = value.get("architectures").and_then(Value::as_array);
        let architectures =
            names.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        Ok(Self { model: model.to_owned(), value, architectures, labels: OnceLock::new() })
    }

    /// The whole file.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// A key of the top level; `null` counts as left out, as it does in Python.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.value.get(key).filter(|value| !value.is_null())
    }

    /// The architecture's name, such as `bert`.
    ///
    /// # Errors
    ///
    /// When the file does not say it.
    pub fn model_type(&self) -> Result<&str> {
        self.get("model_type").and_then(Value::as_str).ok_or_else(|| {
            let message = format!(
                "`{CONFIG_FILE}` of `{}` has no `model_type`; add it (such as `\"model_type\": \"bert\"`)",
                self.model
            );
            Error::new(ErrorKind::Config, message)
        })
    }

    /// The class names that the checkpoint was saved from, such as `BertForTokenClassification`.
    pub fn architectures(&self) -> &[String] {
        &self.architectures
    }

    /// `regression`, `single_label_classification` or `multi_label_classification`, if said.
    pub fn problem_type(&self) -> Option<&str> {
        self.get("problem_type").and_then(Value::as_str)
    }

    /// The type that the weights were saved in, such as `bfloat16`: `dtype`, else `torch_dtype`.
    pub fn dtype(&self) -> Option<&str> {
        let name = self.get("dtype").or_else(|| self.get("torch_dtype")).and_then(Value::as_str)?;
        Some(name.strip_prefix("torch.").unwrap_or(name))
    }

    /// The names of the classes.
    ///
    /// # Errors
    ///
    /// When `id2label` has a hole or a key that is no number.
    pub fn labels(&self) -> Result<&Labels> {
        let labels = self.labels.get_or_init(|| Labels::from_config(&self.value));
        labels.as_ref().map_err(|reason| labels_error(&self.model, reason))
    }

    /// The file as an architecture's own struct.
    ///
    /// # Errors
    ///
    /// When a value does not fit; the message has the path to it.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        serde_path_to_error::deserialize(&self.value).map_err(|error| {
            let path = error.path().to_string();
            let place = if path == "." { String::new() } else { format!(" at `{path}`") };
            let message = format!("`{CONFIG_FILE}` of `{}` cannot be used{place}", self.model);
            Error::new(ErrorKind::Config, message).with_source(error.into_inner())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config(value: Value) -> Config {
        Config::new("org/model", value).unwrap()
    }

    #[test]
    fn the_shared_keys_are_read() {
        let config = config(json!({
            "model_type": "bert", "architectures": ["BertModel"], "problem_type": "regression",
            "torch_dtype": "torch.float16", "hidden_size": 12, "absent": null
        }));
        assert_eq!(config.model_type().unwrap(), "bert");
        assert_eq!(config.architectures(), ["BertModel"]);
        assert_eq!(config.problem_type(), Some("regression"));
        assert_eq!(config.dtype(), Some("float16"));
        assert_eq!(config.get("hidden_size"), Some(&json!(12)));
        assert_eq!(config.get("absent"), None);
    }

    #[test]
    fn dtype_wins_over_torch_dtype() {
        assert_eq!(config(json!({"dtype": "bfloat16", "torch_dtype": "float32"})).dtype(), Some("bfloat16"));
        assert_eq!(config(json!({"dtype": null, "torch_dtype": "float32"})).dtype(), Some("float32"));
        assert_eq!(config(json!({})).dtype(), None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = Config::new("org/model", json!({"problem_type": "ranking"})).unwrap_err();
        assert!(error.to_string().contains("\"ranking\"; known are `regression`"), "{error}");
        let error = Config::new("org/model", json!([1])).unwrap_err();
        assert_eq!(error.to_string(), "`config.json` of `org/model`: not a JSON object");
        let error = config(json!({})).model_type().unwrap_err();
        assert!(error.to_string().contains("has no `model_type`"), "{error}");
        let broken = config(json!({"id2label": {"1": "x"}}));
        let error = broken.labels().unwrap_err();
        assert_eq!((error.kind(), error.to_string().contains("id 0")), (ErrorKind::Config, true));
    }

    #[test]
    fn a_value_that_does_not_fit_is_found_by_its_path() {
        #[derive(Debug, serde::Deserialize)]
        #[allow(dead_code)]
        struct Text {
            hidden_size: usize,
        }
        #[derive(Debug, serde::Deserialize)]
        #[allow(dead_code)]
        struct Whole {
            text_config: Text,
        }
        let error = config(json!({"text_config": {"hidden_size": "big"}})).parse::<Whole>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(
            error.report().contains("at `text_config.hidden_size`: invalid type: string"),
            "{}",
            error.report()
        );
    }
}
