//! Tables that an input names by the path of a csv.

use std::fs::File;
use std::io::Read;

use burnpipe::{ErrorKind, Result};
use burnpipe_core::ErrorContext;
use serde_json::{Map, Value};

use super::lines::utf8;
use super::row::{Inputs, Row, input_error};

impl Inputs {
    /// The inputs as a task takes them: with tables for the task over tables.
    pub(crate) fn for_task(self, task: &str) -> Self {
        if task != "table-question-answering" {
            return self;
        }
        let with_table = |row: Row| Row { input: row.input.and_then(with_table), ..row };
        Self { rows: Box::new(self.rows.map(with_table)), ..self }
    }
}

/// The input with the table itself where its `table` is the path of a `.csv` file: an object of columns.
///
/// # Errors
///
/// When the file cannot be read or is no table.
fn with_table(mut input: Value) -> Result<Value> {
    let path = input.get("table").and_then(Value::as_str).filter(|path| path.ends_with(".csv"));
    if let Some(path) = path {
        let file = File::open(path).context(ErrorKind::Io, || format!("cannot read `{path}`"))?;
        let table = read(file, path)?;
        if let Some(place) = input.get_mut("table") {
            *place = table;
        }
    }
    Ok(input)
}

fn read(file: impl Read, path: &str) -> Result<Value> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(file);
    let mut columns: Vec<(String, Vec<Value>)> = Vec::new();
    for record in reader.byte_records() {
        let record = record.context(ErrorKind::Input, || format!("`{path}` is no table"))?;
        let place = || format!("`{path}`");
        let cells =
            record.iter().map(utf8).collect::<Result<Vec<&str>>>().context(ErrorKind::Input, place)?;
        if columns.is_empty() {
            columns = cells.into_iter().map(|name| (name.to_owned(), Vec::new())).collect();
            continue;
        }
        for ((_, column), cell) in columns.iter_mut().zip(cells) {
            column.push(Value::String(cell.to_owned()));
        }
    }
    let mut table = Map::new();
    for (name, column) in columns {
        if table.contains_key(&name) {
            return Err(input_error(format!("`{path}` has two columns `{name}`")));
        }
        table.insert(name, Value::Array(column));
    }
    Ok(Value::Object(table))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_csv_is_an_object_of_columns() {
        let table = read(b"\xef\xbb\xbfb,a\n\"x, y\",1\n,2\n".as_slice(), "file").unwrap();
        assert_eq!(table.to_string(), r#"{"b":["x, y",""],"a":["1","2"]}"#);
        assert_eq!(read(b"".as_slice(), "file").unwrap(), json!({}));
    }

    #[test]
    fn a_csv_that_is_no_table_is_refused() {
        let error = |bytes: &[u8]| read(bytes, "file").unwrap_err().report();
        assert!(error(b"a,b\n1\n").starts_with("`file` is no table"), "{}", error(b"a,b\n1\n"));
        assert_eq!(error(b"a,a\n1,2\n"), "`file` has two columns `a`");
        assert!(error(b"a\n\xff\n").contains("not valid UTF-8"));
    }

    #[test]
    fn other_inputs_stay_as_they_are() {
        for input in [json!("text"), json!({"table": {"a": ["x.csv"]}}), json!({"table": "none"})] {
            assert_eq!(with_table(input.clone()).unwrap(), input);
        }
        let error = with_table(json!({"table": "/no/such.csv", "query": "x"})).unwrap_err();
        assert!(error.to_string().contains("`/no/such.csv`"), "{error}");
    }
}
