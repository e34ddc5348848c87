//! Inputs that stand on lines: JSON values or plain texts.

use std::io::BufRead;
use std::sync::Arc;

use burnpipe::{ErrorKind, Result};
use burnpipe_core::ErrorContext;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::row::{Place, Row, column_of, input_error, json_error};

/// What stands on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineKind {
    /// A JSON value; blank lines are passed over.
    Json,
    /// A text; a blank line is an empty text.
    Text,
    /// Whatever the first line looks like.
    AsTheFirst,
}

/// Reads one input per line, never more than a line at a time.
pub(crate) struct Lines<R> {
    pub(crate) reader: R,
    pub(crate) source: Arc<str>,
    pub(crate) kind: LineKind,
    pub(crate) column: Option<String>,
    line: u64,
    ended: bool,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(reader: R, source: Arc<str>, kind: LineKind, column: Option<String>) -> Self {
        Self { reader, source, kind, column, line: 0, ended: false }
    }

    /// The next line without its end; `None` at the end of the stream.
    fn read_line(&mut self) -> Option<Result<String>> {
        let mut bytes = Vec::new();
        self.line += 1;
        match self.reader.read_until(b'\n', &mut bytes) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) => {
                self.ended = true;
                return Some(Err(error).context(ErrorKind::Io, || "cannot be read"));
            }
        }
        let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = if self.line == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
        Some(utf8(line).map(str::to_owned))
    }

    /// The input on a line; `None` when the line holds none.
    fn parse(&mut self, line: String) -> Option<Result<Value>> {
        if self.kind == LineKind::AsTheFirst {
            self.kind = kind_of_first(&line, self.column.is_some());
        }
        if self.kind == LineKind::Text {
            return Some(Ok(Value::String(line)));
        }
        if line.trim().is_empty() {
            return None;
        }
        let value = serde_json::from_str(&line).map_err(|error| json_error(&error));
        Some(value.and_then(|value| column_of(value, self.column.as_deref())))
    }
}

/// A stream is JSON lines when its first line is a JSON object, array or string.
fn kind_of_first(line: &str, names_a_column: bool) -> LineKind {
    let may_be_json = line.trim_start().starts_with(['{', '[', '"']);
    if names_a_column || may_be_json && serde_json::from_str::<IgnoredAny>(line).is_ok() {
        LineKind::Json
    } else {
        LineKind::Text
    }
}

/// The bytes as text, or where they stop being text.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes)
        .map_err(|error| input_error(format!("not valid UTF-8 at byte {}", error.valid_up_to() + 1)))
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        while !self.ended {
            let line = self.read_line()?;
            let place = Place::Line { source: Arc::clone(&self.source), line: self.line };
            match line.map(|line| self.parse(line)).transpose() {
                Some(input) => return Some(Row { place, input: input.flatten() }),
                None => continue,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], kind: LineKind, column: Option<&str>) -> Vec<String> {
        Lines::new(bytes, "`file`".into(), kind, column.map(str::to_owned))
            .map(|row| match row.input {
                Ok(input) => input.to_string(),
                Err(error) => row.place.locate(error).report(),
            })
            .collect()
    }

    #[test]
    fn the_first_line_decides_what_a_stream_is() {
        let cases: [(&[u8], Option<&str>, &[&str]); 7] = [
            (b"one\n\ntwo\r\n", None, &["\"one\"", "\"\"", "\"two\""]),
            (b"{\"text\": \"a\"}\n\n\"b\"\n", None, &["{\"text\":\"a\"}", "\"b\""]),
            (
                b"\"a\"\n{\n",
                None,
                &["\"a\"", "`file` line 2: not valid JSON at column 1: EOF while parsing an object"],
            ),
            (b"\"Hello,\" she said\n", None, &["\"\\\"Hello,\\\" she said\""]),
            (b"{curly} text", None, &["\"{curly} text\""]),
            (b"{\"b\": 1, \"c\": \"x\"}\n", Some("c"), &["\"x\""]),
            (b"", None, &[]),
        ];
        for (bytes, column, expected) in cases {
            assert_eq!(read(bytes, LineKind::AsTheFirst, column), expected);
        }
    }

    #[test]
    fn a_bad_line_costs_only_itself() {
        let rows = read(b"\xef\xbb\xbf\"a\"\n\xff\n{]\n\"b\"", LineKind::Json, None);
        assert_eq!(rows[0], "\"a\"");
        assert_eq!(rows[1], "`file` line 2: not valid UTF-8 at byte 1");
        assert!(rows[2].starts_with("`file` line 3: not valid JSON at column 2: "), "{}", rows[2]);
        assert_eq!(rows[3], "\"b\"");
    }
}
