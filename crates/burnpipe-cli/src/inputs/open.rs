//! From the command line to the stream of inputs.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, stdin};
use std::path::Path;
use std::sync::Arc;

use burnpipe::{Cancellation, Error, ErrorKind, InputKind, Result};
use burnpipe_core::ErrorContext;
use serde_json::Value;

use super::background::read_ahead;
use super::csv_rows::CsvRows;
use super::files::expand;
use super::json_file;
use super::lines::{LineKind, Lines};
use super::row::{Inputs, Place, Row};
use crate::arguments::{InputArguments, InputFormat};

/// The name of standard input in messages.
const STANDARD_INPUT: &str = "standard input";

/// Opens what the command line names; without anything, what is piped in.
///
/// # Errors
///
/// When there is nothing, or it cannot be opened, or its head shows that it cannot be used.
pub(crate) fn open(
    arguments: InputArguments,
    kind: InputKind,
    cancellation: &Cancellation,
) -> Result<Inputs> {
    if !arguments.texts.is_empty() {
        let texts = texts(arguments)?;
        return match kind {
            InputKind::Text => Ok(given(texts)),
            _ => expand(texts).map(given),
        };
    }
    let column = arguments.column;
    match arguments.inputs {
        Some(path) if path.as_os_str() != "-" => {
            let file = open_file(&path)?;
            let source: Arc<str> = format!("`{}`", path.display()).into();
            let format = arguments.input_format.or_else(|| format_by_name(&path));
            stream(BufReader::new(file), source, format, column, cancellation)
        }
        None if stdin().is_terminal() => Err(Error::new(
            ErrorKind::Parameter,
            "no input; give texts, or `--inputs FILE`, or pipe something in",
        )),
        _ => {
            let source = STANDARD_INPUT.into();
            stream(BufReader::new(stdin()), source, arguments.input_format, column, cancellation)
        }
    }
}

fn texts(arguments: InputArguments) -> Result<Vec<String>> {
    if arguments.column.is_some() || arguments.input_format.is_some() {
        let message = "`--column` and `--input-format` say how to read `--inputs`; a text needs neither";
        return Err(Error::new(ErrorKind::Parameter, message));
    }
    Ok(arguments.texts)
}

fn given(texts: Vec<String>) -> Inputs {
    let count = texts.len();
    let rows = texts.into_iter().enumerate().map(move |(index, text)| {
        let place = if count == 1 { Place::OnlyArgument } else { Place::Argument(index + 1) };
        Row { place, input: Ok(Value::String(text)) }
    });
    Inputs { rows: Box::new(rows), count: u64::try_from(count).ok() }
}

fn open_file(path: &Path) -> Result<File> {
    if path.is_dir() {
        let message = format!("cannot read `{}`: it is a folder; give a file of inputs", path.display());
        return Err(Error::new(ErrorKind::Io, message));
    }
    File::open(path).context(ErrorKind::Io, || format!("cannot read `{}`", path.display()))
}

fn format_by_name(path: &Path) -> Option<InputFormat> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "json" => Some(InputFormat::Json),
        "jsonl" | "ndjson" => Some(InputFormat::Jsonl),
        "csv" => Some(InputFormat::Csv),
        "txt" => Some(InputFormat::Text),
        _ => None,
    }
}

fn stream(
    reader: impl BufRead + Send + 'static,
    source: Arc<str>,
    format: Option<InputFormat>,
    column: Option<String>,
    cancellation: &Cancellation,
) -> Result<Inputs> {
    let kind = match format {
        Some(InputFormat::Json) => return json_file::open(reader, &source, column),
        Some(InputFormat::Csv) => {
            let rows = CsvRows::new(reader, Arc::clone(&source), column.as_deref())?;
            return in_background(rows, source, cancellation);
        }
        Some(InputFormat::Jsonl) => LineKind::Json,
        Some(InputFormat::Text) if column.is_some() => {
            let message =
                format!("{source} is read as plain text, which has no columns; leave out `--column`");
            return Err(Error::new(ErrorKind::Parameter, message));
        }
        Some(InputFormat::Text) => LineKind::Text,
        None => LineKind::AsTheFirst,
    };
    in_background(Lines::new(reader, Arc::clone(&source), kind, column), source, cancellation)
}

fn in_background(
    rows: impl Iterator<Item = Row> + Send + 'static,
    source: Arc<str>,
    cancellation: &Cancellation,
) -> Result<Inputs> {
    let rows = read_ahead(rows, source, cancellation.clone())?;
    Ok(Inputs { rows: Box::new(rows), count: None })
}
