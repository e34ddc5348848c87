//! Where a checkpoint's chat templates are.
//!
//! Reference: `_from_pretrained` in `tokenization_utils_base.py`; `get_processor_dict` in `processing_utils.py`.

use burnpipe_core::{Error, ErrorKind, ModelFiles, Result};
use serde_json::{Map, Value};

use crate::files::{TOKENIZER_CONFIG, read_object, read_text};

pub(super) const CHAT_TEMPLATE: &str = "chat_template.jinja";
pub(super) const FOLDER: &str = "additional_chat_templates";
/// Only the processors of Python read it: it is the last resort here.
pub(super) const LEGACY: &str = "chat_template.json";
pub(super) const DEFAULT: &str = "default";

/// The templates by their names; a single one is the default.
pub(super) fn read(model: &dyn ModelFiles, config: &Map<String, Value>) -> Result<Vec<(String, String)>> {
    let from_files = jinja_files(model)?;
    if !from_files.is_empty() {
        return Ok(from_files);
    }
    if let Some(templates) = config.get("chat_template").filter(|value| !value.is_null()) {
        return of_value(templates, TOKENIZER_CONFIG);
    }
    let legacy = read_object(model, LEGACY, ErrorKind::Tokenizer)?;
    match legacy.as_ref().and_then(|legacy| legacy.get("chat_template")) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(templates) => of_value(templates, LEGACY),
    }
}

/// Files of their own go before what tokenizer_config.json says.
fn jinja_files(model: &dyn ModelFiles) -> Result<Vec<(String, String)>> {
    let mut templates = Vec::new();
    if let Some(default) = read_text(model, CHAT_TEMPLATE, ErrorKind::Tokenizer)? {
        templates.push((DEFAULT.to_owned(), default));
    }
    for file in model.list(FOLDER)? {
        let Some(name) = file.strip_suffix(".jinja") else { continue };
        let Some(template) = read_text(model, &format!("{FOLDER}/{file}"), ErrorKind::Tokenizer)? else {
            continue;
        };
        templates.retain(|(known, _)| known != name);
        templates.push((name.to_owned(), template));
    }
    Ok(templates)
}

/// A template, or a list of named ones.
fn of_value(value: &Value, file: &str) -> Result<Vec<(String, String)>> {
    let wrong = || {
        let message = format!(
            "`chat_template` of `{file}` takes a text or a list of objects with `name` and `template`"
        );
        Error::new(ErrorKind::Tokenizer, message)
    };
    let named = |object: &Value| {
        let text = |key: &str| object.get(key).and_then(Value::as_str).map(str::to_owned);
        Some((text("name")?, text("template")?))
    };
    match value {
        Value::String(template) => Ok(vec![(DEFAULT.to_owned(), template.clone())]),
        Value::Array(list) => list.iter().map(|object| named(object).ok_or_else(wrong)).collect(),
        _ => Err(wrong()),
    }
}
