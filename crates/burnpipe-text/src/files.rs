//! Reading the files of a tokenizer, with errors that name them.

use std::borrow::Cow;

use burnpipe_core::{Error, ErrorContext, ErrorKind, ModelFiles, Result};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub(crate) const TOKENIZER_JSON: &str = "tokenizer.json";
pub(crate) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
pub(crate) const SPECIAL_TOKENS_MAP: &str = "special_tokens_map.json";
pub(crate) const ADDED_TOKENS: &str = "added_tokens.json";

/// The text of a file, or `None` when the model has no such file.
pub(crate) fn read_text(model: &dyn ModelFiles, file: &str, kind: ErrorKind) -> Result<Option<String>> {
    let Some(bytes) = model.read(file)? else {
        return Ok(None);
    };
    let text = match bytes {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(str::to_owned),
        Cow::Owned(bytes) => String::from_utf8(bytes).map_err(|error| error.utf8_error()),
    };
    text.context(kind, || format!("`{file}` of `{}` is not UTF-8 text", model.model_name())).map(Some)
}

/// A JSON file, or `None` when the model has no such file.
pub(crate) fn read_json<T: DeserializeOwned>(
    model: &dyn ModelFiles,
    file: &str,
    kind: ErrorKind,
) -> Result<Option<T>> {
    let Some(text) = read_text(model, file, kind)? else {
        return Ok(None);
    };
    serde_json::from_str(&text).context(kind, || broken(model, file)).map(Some)
}

/// A file that holds one JSON object, or `None` when the model has no such file.
pub(crate) fn read_object(
    model: &dyn ModelFiles,
    file: &str,
    kind: ErrorKind,
) -> Result<Option<Map<String, Value>>> {
    read_json(model, file, kind)
}

/// The bytes of a slow tokenizer's file; without it there is no tokenizer.
pub(crate) fn require(model: &dyn ModelFiles, file: &str, all: &[&str]) -> Result<Cow<'static, [u8]>> {
    model.read(file)?.ok_or_else(|| missing(model, all))
}

/// The text of a slow tokenizer's file; without it there is no tokenizer.
pub(crate) fn require_text(model: &dyn ModelFiles, file: &str, all: &[&str]) -> Result<String> {
    read_text(model, file, ErrorKind::Tokenizer)?.ok_or_else(|| missing(model, all))
}

/// The message for a file that cannot be used.
pub(crate) fn broken(model: &dyn ModelFiles, file: &str) -> String {
    format!("cannot use `{file}` of `{}`; is it a complete download?", model.model_name())
}

/// The error for a model without tokenizer files.
pub(crate) fn missing(model: &dyn ModelFiles, slow_files: &[&str]) -> Error {
    let name = model.model_name();
    let slow_files = slow_files.iter().map(|file| format!("`{file}`")).collect::<Vec<_>>().join(" with ");
    let alternative = if slow_files.is_empty() { String::new() } else { format!(" or {slow_files}") };
    let message = format!("`{name}` has no tokenizer; looked for `{TOKENIZER_JSON}`{alternative}");
    Error::new(ErrorKind::MissingFile, message)
}
