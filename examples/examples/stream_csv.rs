//! Labels every row of a CSV of any length, in bounded memory: rows are read as the model gets to
//! them, and a bad row costs only its own answer.
//!
//! `cargo run -p burnpipe-examples --example stream_csv -- model-folder rows.csv text`

use std::io;

use anyhow::Context;
use burnpipe::prelude::*;
use burnpipe::{Error, ErrorKind, TextClassification, TextClassificationOptions};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let model = arguments.next().unwrap_or_else(|| "tests/goldens/models/bert-sentiment".into());
    let file = arguments.next().unwrap_or_else(|| "examples/reviews.csv".into());
    let column = arguments.next().unwrap_or_else(|| "text".into());

    let mut rows = csv::Reader::from_path(file)?;
    let at = rows.headers()?.iter().position(|header| header == column);
    let at = at.with_context(|| format!("no column `{column}`"))?;
    let texts = rows.into_records().map(move |row| {
        let row = row.map_err(|error| Error::new(ErrorKind::Input, "a broken row").with_source(error))?;
        Ok(row.get(at).unwrap_or_default().into())
    });

    let classify = TextClassification::from_pretrained(&model)?.with_batch_size(16);
    let mut labelled = csv::Writer::from_writer(io::stdout());
    for answer in classify.try_iter_with(texts, TextClassificationOptions::default()) {
        match answer {
            Ok(labels) => {
                let Some(best) = labels.first() else { continue };
                labelled.write_record([&best.label, &best.score.to_string()])?;
            }
            Err(error) => labelled.write_record(["error", &error.report()])?,
        }
    }
    Ok(labelled.flush()?)
}
