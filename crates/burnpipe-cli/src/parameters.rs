//! The value of `--params`.

use burnpipe::{Error, ErrorKind, Result};
use burnpipe_core::ErrorContext;
use serde_json::Value;

/// An object to show in messages.
const EXAMPLE: &str = r#"{"top_k": 3}"#;

/// Reads JSON, or the file behind an `@`; null when there is nothing.
///
/// # Errors
///
/// When the file cannot be read or it is not a JSON object.
pub(crate) fn read(argument: Option<&str>) -> Result<Value> {
    let Some(argument) = argument else { return Ok(Value::Null) };
    let (name, text) = match argument.strip_prefix('@') {
        Some(path) => {
            let text = std::fs::read_to_string(path);
            (format!("`{path}`"), text.context(ErrorKind::Io, || format!("cannot read `{path}`"))?)
        }
        None => ("`--params`".to_owned(), argument.to_owned()),
    };
    let value: Value = serde_json::from_str(&text).map_err(|error| {
        let message = format!("{name} is not valid JSON ({error}); write an object such as `{EXAMPLE}`");
        Error::new(ErrorKind::Parameter, message)
    })?;
    if value.is_object() {
        return Ok(value);
    }
    let message = format!("{name} must be a JSON object such as `{EXAMPLE}`, not `{value}`");
    Err(Error::new(ErrorKind::Parameter, message))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parameters_are_a_json_object_or_a_file_of_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("params.json");
        std::fs::write(&path, r#"{"stride": 8}"#).unwrap();
        let file = format!("@{}", path.display());
        let cases = [
            (None, Value::Null),
            (Some(r#"{"top_k": null}"#), json!({"top_k": null})),
            (Some(file.as_str()), json!({"stride": 8})),
        ];
        for (argument, expected) in cases {
            assert_eq!(read(argument).unwrap(), expected);
        }
    }

    #[test]
    fn anything_else_is_refused_with_an_example() {
        let cases = [
            ("{top_k: 3}", "`--params` is not valid JSON (key must be a string at line 1 column 2)"),
            ("[1]", "`--params` must be a JSON object"),
            ("", "`--params` is not valid JSON (EOF"),
            ("@/no/such/file", "cannot read `/no/such/file`"),
        ];
        for (argument, expected) in cases {
            let message = read(Some(argument)).unwrap_err().report();
            assert!(message.starts_with(expected), "{message}");
        }
    }
}
