//! One input and where it came from.

use std::fmt;
use std::sync::Arc;

use burnpipe::{Error, ErrorKind, Result};
use serde_json::Value;

/// The inputs of a run.
pub(crate) struct Inputs {
    pub(crate) rows: Box<dyn Iterator<Item = Row> + Send>,
    /// How many there are, where that is known before they are read.
    pub(crate) count: Option<u64>,
}

/// One input, or why there is none, and where it came from.
pub(crate) struct Row {
    pub(crate) place: Place,
    pub(crate) input: Result<Value>,
}

/// Where an input came from, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The only input of the command line.
    OnlyArgument,
    /// One of several inputs of the command line, from 1.
    Argument(usize),
    /// A line of a file, from 1.
    Line { source: Arc<str>, line: u64 },
    /// An element of a JSON array, from 1, and the line where it begins.
    Element { source: Arc<str>, line: usize, element: usize },
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnlyArgument => formatter.write_str("the input"),
            Self::Argument(number) => write!(formatter, "input {number}"),
            Self::Line { source, line } => write!(formatter, "{source} line {line}"),
            Self::Element { source, line, element } => {
                write!(formatter, "{source} line {line} (element {element})")
            }
        }
    }
}

impl Place {
    /// The error with this place in front; the kind stays.
    pub(crate) fn locate(&self, error: Error) -> Error {
        match self {
            Self::OnlyArgument => error,
            place => Error::new(error.kind(), place.to_string()).with_source(error),
        }
    }
}

/// The input that a JSON row holds: the row itself, or the field that `--column` names.
pub(crate) fn column_of(row: Value, column: Option<&str>) -> Result<Value> {
    let Some(column) = column else { return Ok(row) };
    match row {
        Value::Object(mut fields) => match fields.swap_remove(column) {
            Some(value) => Ok(value),
            None => {
                let fields = burnpipe_core::quoted(fields.keys().map(String::as_str));
                Err(input_error(format!("no column `{column}`; there are {fields}")))
            }
        },
        other => {
            let shape = shape_name(&other);
            Err(input_error(format!("no column `{column}`: the row is {shape}, not an object")))
        }
    }
}

/// What kind of JSON value this is, in words.
pub(crate) fn shape_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// The error for a line or an element that is not JSON; the place of it is known to its row.
pub(crate) fn json_error(error: &serde_json::Error) -> Error {
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or(&text);
    input_error(format!("not valid JSON at column {}: {reason}", error.column()))
}

/// An error in the caller's data.
pub(crate) fn input_error(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Input, message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_column_is_one_field_of_an_object() {
        let row = json!({"id": 7, "body": "text"});
        assert_eq!(column_of(row.clone(), Some("body")).unwrap(), json!("text"));
        assert_eq!(column_of(row.clone(), None).unwrap(), row);
        let missing = column_of(row, Some("text")).unwrap_err();
        assert_eq!(missing.to_string(), "no column `text`; there are `id`, `body`");
        let shape = column_of(json!("text"), Some("text")).unwrap_err();
        assert_eq!(shape.to_string(), "no column `text`: the row is a string, not an object");
    }

    #[test]
    fn an_error_is_reported_with_its_place() {
        let place = Place::Line { source: "`mails.jsonl`".into(), line: 17 };
        let error = place.locate(input_error("too long"));
        assert_eq!(error.report(), "`mails.jsonl` line 17: too long");
        assert_eq!(error.kind(), ErrorKind::Input);
    }
}
