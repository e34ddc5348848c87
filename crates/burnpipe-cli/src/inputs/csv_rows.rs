//! One column of a csv, or the columns that make an input together.

use std::io::Read;
use std::sync::Arc;

use burnpipe::{Error, ErrorKind, Result};
use burnpipe_core::ErrorContext;
use csv::{ByteRecord, Reader};
use serde_json::{Map, Value};

use super::lines::utf8;
use super::row::{Place, Row, input_error};

/// The column that is read when nobody names one.
const DEFAULT_COLUMN: &str = "text";

/// The columns that are read as the fields of an object when nobody names one and there is no default.
const OBJECTS: [&[&str]; 1] = [&["question", "context"]];

/// Reads one input per record, never more than a record at a time.
pub(crate) struct CsvRows<R> {
    reader: Reader<R>,
    source: Arc<str>,
    columns: Columns,
    ended: bool,
}

/// Which columns are an input.
enum Columns {
    One(usize),
    /// The fields of an object, and where they stand.
    Object(Vec<(&'static str, usize)>),
}

impl Columns {
    fn of(names: &[String], column: Option<&str>) -> Option<Self> {
        let place = |wanted: &str| names.iter().position(|name| name == wanted);
        if let Some(index) = place(column.unwrap_or(DEFAULT_COLUMN)) {
            return Some(Self::One(index));
        }
        let object = |fields: &&[&'static str]| {
            fields.iter().map(|&field| Some((field, place(field)?))).collect::<Option<Vec<_>>>()
        };
        OBJECTS.iter().filter(|_| column.is_none()).find_map(object).map(Self::Object)
    }
}

impl<R: Read> CsvRows<R> {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// When the header cannot be read or has no such column.
    pub(crate) fn new(reader: R, source: Arc<str>, column: Option<&str>) -> Result<Self> {
        let mut reader = csv::ReaderBuilder::new().from_reader(reader);
        let headers = reader.byte_headers().context(ErrorKind::Io, || format!("{source} cannot be read"))?;
        let names: Vec<String> =
            headers.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
        let Some(columns) = Columns::of(&names, column) else {
            return Err(no_column(&source, column, &names));
        };
        Ok(Self { reader, source, columns, ended: false })
    }

    fn input(&self, record: &ByteRecord) -> Result<Value> {
        let text = |index: usize| {
            let field = record.get(index).unwrap_or_default();
            Ok(Value::String(utf8(field)?.to_owned()))
        };
        match &self.columns {
            Columns::One(index) => text(*index),
            Columns::Object(fields) => {
                let fields = fields.iter().map(|(name, index)| Ok(((*name).to_owned(), text(*index)?)));
                Ok(Value::Object(fields.collect::<Result<Map<_, _>>>()?))
            }
        }
    }
}

fn no_column(source: &str, column: Option<&str>, names: &[String]) -> Error {
    let names = burnpipe_core::quoted(names.iter().map(String::as_str));
    match column {
        Some(column) => input_error(format!("{source} has no column `{column}`; there are {names}")),
        None => input_error(format!(
            "{source} has no column `{DEFAULT_COLUMN}`; name one of {names} by `--column`"
        )),
    }
}

impl<R: Read> Iterator for CsvRows<R> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        if self.ended {
            return None;
        }
        let mut record = ByteRecord::new();
        let read = self.reader.read_byte_record(&mut record);
        let position = record.position().or_else(|| read.as_ref().err().and_then(csv::Error::position));
        let line = position.map_or_else(|| self.reader.position().line(), csv::Position::line);
        let input = match read {
            Ok(false) => return None,
            Ok(true) => self.input(&record),
            Err(error) => {
                self.ended = error.is_io_error();
                Err(record_error(error))
            }
        };
        Some(Row { place: Place::Line { source: Arc::clone(&self.source), line }, input })
    }
}

/// The place is known to the row, so the library's own words about it are left out.
fn record_error(error: csv::Error) -> Error {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            input_error(format!("the record has {len} fields, the header {expected_len}"))
        }
        _ => Error::new(ErrorKind::Io, "cannot be read").with_source(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], column: Option<&str>) -> Result<Vec<String>> {
        let rows = CsvRows::new(bytes, "`file`".into(), column)?;
        Ok(rows
            .map(|row| match row.input {
                Ok(input) => input.to_string(),
                Err(error) => row.place.locate(error).report(),
            })
            .collect())
    }

    #[test]
    fn records_give_one_column() {
        let bytes = b"\xef\xbb\xbftext,id\n\"two\nlines, here\",1\nb,2\n";
        assert_eq!(read(bytes, None).unwrap(), ["\"two\\nlines, here\"", "\"b\""]);
        assert_eq!(read(bytes, Some("id")).unwrap(), ["\"1\"", "\"2\""]);
    }

    #[test]
    fn columns_that_belong_together_are_an_object() {
        let bytes = b"context,id,question\nIn Paris.,1,Where?\n";
        assert_eq!(read(bytes, None).unwrap(), [r#"{"question":"Where?","context":"In Paris."}"#]);
        assert_eq!(read(bytes, Some("question")).unwrap(), ["\"Where?\""]);
    }

    #[test]
    fn a_bad_record_costs_only_itself() {
        let rows = read(b"text,id\n\"a\nb\",1\nc\n\xff,3\nd,4\n", None).unwrap();
        assert_eq!(
            rows,
            [
                "\"a\\nb\"",
                "`file` line 4: the record has 1 fields, the header 2",
                "`file` line 5: not valid UTF-8 at byte 1",
                "\"d\""
            ]
        );
    }

    #[test]
    fn a_missing_column_names_those_that_are_there() {
        let cases = [
            (None, "`file` has no column `text`; name one of `body`, `id` by `--column`"),
            (Some("title"), "`file` has no column `title`; there are `body`, `id`"),
        ];
        for (column, message) in cases {
            assert_eq!(read(b"body,id\na,1\n", column).unwrap_err().to_string(), message);
        }
    }
}
