//! A JSON file: one array of inputs, or a single input.

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use burnpipe::{ErrorKind, Result};
use burnpipe_core::ErrorContext;
use serde_json::value::RawValue;

use super::lines::utf8;
use super::row::{Inputs, Place, Row, column_of, input_error, json_error};

/// Reads the whole file; its elements become values one by one.
///
/// # Errors
///
/// When the file cannot be read or is not JSON.
pub(crate) fn open(mut reader: impl Read, source: &Arc<str>, column: Option<String>) -> Result<Inputs> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).context(ErrorKind::Io, || format!("{source} cannot be read"))?;
    let text = utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes));
    let text = text.context(ErrorKind::Input, || source.to_string())?.to_owned();
    let elements = elements_of(&text).map_err(|error| {
        let message = format!("{source} is not valid JSON: {error}");
        input_error(message)
    })?;
    let count = u64::try_from(elements.len()).ok();
    let source = Arc::clone(source);
    let (mut line, mut counted) = (1, 0);
    let rows = elements.into_iter().enumerate().map(move |(index, range)| {
        line += newlines(&text[counted..range.start]);
        counted = range.start;
        let place = Place::Element { source: Arc::clone(&source), line, element: index + 1 };
        let value = serde_json::from_str(&text[range]).map_err(|error| json_error(&error));
        Row { place, input: value.and_then(|value| column_of(value, column.as_deref())) }
    });
    Ok(Inputs { rows: Box::new(rows), count })
}

/// Where in the text its elements stand: those of an array, or the one value that it is.
fn elements_of(text: &str) -> serde_json::Result<Vec<Range<usize>>> {
    let elements: Vec<&RawValue> = if text.trim_start().starts_with('[') {
        serde_json::from_str(text)?
    } else {
        vec![serde_json::from_str(text)?]
    };
    let start_of_text = text.as_ptr().addr();
    Ok(elements
        .into_iter()
        .map(|element| {
            let start = element.get().as_ptr().addr() - start_of_text;
            start..start + element.get().len()
        })
        .collect())
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, column: Option<&str>) -> Result<Vec<String>> {
        let inputs = open(text.as_bytes(), &"`file`".into(), column.map(str::to_owned))?;
        Ok(inputs
            .rows
            .map(|row| match row.input {
                Ok(input) => format!("{} at {}", input, row.place),
                Err(error) => row.place.locate(error).report(),
            })
            .collect())
    }

    #[test]
    fn an_array_is_a_list_of_inputs_and_anything_else_is_one() {
        let cases = [
            ("[]", &[][..]),
            ("\n\"one\"", &["\"one\" at `file` line 2 (element 1)"]),
            ("{\"text\": \"x\"}", &["{\"text\":\"x\"} at `file` line 1 (element 1)"]),
            (
                "[\"é\",\n  [1,\n 2],\n \"c\"]",
                &[
                    "\"é\" at `file` line 1 (element 1)",
                    "[1,2] at `file` line 2 (element 2)",
                    "\"c\" at `file` line 4 (element 3)",
                ],
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text, None).unwrap(), expected);
        }
    }

    #[test]
    fn an_element_without_the_column_is_named_with_its_line() {
        let rows = read("[{\"a\": \"x\"},\n{\"b\": 1}]", Some("a")).unwrap();
        assert_eq!(rows[1], "`file` line 2 (element 2): no column `a`; there are `b`");
    }

    #[test]
    fn broken_json_is_refused_with_line_and_column() {
        let error = read("[\"a\",\n oops]", None).unwrap_err();
        assert_eq!(error.report(), "`file` is not valid JSON: expected value at line 2 column 2");
    }
}
