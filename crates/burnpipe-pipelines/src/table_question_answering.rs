//! `table-question-answering`: the cells of a table that answer a question, and how they are put together.
//!
//! - preprocess: tables and questions to tokens; rows that do not fit are left out unless asked otherwise;
//! - forward: the logits of cells and aggregations; with `sequential` each question sees the answer before it;
//! - postprocess: cells with a probability over one half, and the best aggregation.
//!
//! An input is `{"table": .., "query": ..}`: a table as an object of columns or a list of row objects, all cells
//! texts; one question or a list of them. The program also takes the path of a `.csv` file as the table, which
//! Python does not.
//!
//! Where it differs from Python:
//!
//! - With `sequential`, Python raises when a question leaves room for more rows than the one before it. Here the
//!   rows that the earlier question did not see are taken for no part of its answer.
//! - Without padding, Python raises for questions of different lengths in one list. Here they are answered.
//! - With `select_one_column: false` in its config, Python's model raises. Here cells of any column are answered.
//!
//! Reference: `pipelines/table_question_answering.py` of transformers 4.56.2.

use std::collections::BTreeMap;
use std::sync::Arc;

use burnpipe_core::{Error, ErrorKind, JsonTask, Result, Task};
use burnpipe_nn::{BatchLayout, Heads, TableBatch, TableLogits, TableQuestionAnswerer, TableRow, run_model};
use burnpipe_text::{Padding, Table, TableEncoding, TableOptions, TableTokenizer};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::text_features::argmax;
use crate::{LoadTask, TaskContext};

/// The cells of a table that answer a question, and how they are put together.
pub struct TableQuestionAnswering {
    tokenizer: TableTokenizer,
    model: Box<dyn TableQuestionAnswerer>,
    /// Names of the aggregations; none for a model that only chooses cells.
    aggregators: BTreeMap<usize, String>,
    /// The aggregation that leaves cells as they are.
    no_aggregation: Option<usize>,
}

/// A table and questions about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableQuestions {
    /// The table.
    pub table: Table,
    /// The questions.
    pub queries: Vec<String>,
}

/// The parameters of [`TableQuestionAnswering`].
#[derive(Clone, Debug)]
pub struct TableQuestionAnsweringOptions {
    /// Whether the questions are a conversation, in which each sees which cells answered the one before.
    pub sequential: bool,
    /// How far questions that are given together are padded.
    pub padding: Padding,
    /// Whether to leave out rows that are too many for the model.
    pub drop_rows_to_fit: bool,
}

impl Default for TableQuestionAnsweringOptions {
    fn default() -> Self {
        Self { sequential: false, padding: Padding::Longest, drop_rows_to_fit: true }
    }
}

/// The answer to one question.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TableAnswer {
    /// The cells, and before them the aggregation if there is one.
    pub answer: String,
    /// Row and column of every cell, from 0.
    pub coordinates: Vec<(usize, usize)>,
    /// The cells.
    pub cells: Vec<String>,
    /// How the cells are put together; not there for a model that only chooses cells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aggregator: Option<String>,
}

/// Questions that go through the model one after the other: one of them, or a conversation.
#[derive(Clone, Debug)]
pub struct TableQuestionAnsweringFeatures {
    table: Arc<Table>,
    rows: Vec<TableRow>,
}

/// What the model made of them.
#[derive(Clone, Debug)]
pub struct TableQuestionAnsweringRaw {
    table: Arc<Table>,
    answers: Vec<(Vec<Cell>, TableLogits)>,
}

/// A cell's row and column, from 0.
type Cell = (usize, usize);

impl LoadTask for TableQuestionAnswering {
    const ID: &'static str = "table-question-answering";
    const ALIASES: &'static [&'static str] = &[];
    const SUMMARY: &'static str = "the cells of a table that answer a question";
    const DEFAULT_MODEL: (&'static str, &'static str) = ("google/tapas-base-finetuned-wtq", "e3dde19");

    fn supports(heads: &Heads) -> bool {
        heads.table_question_answerer.is_some()
    }

    fn load(context: &TaskContext<'_>) -> Result<Self> {
        let heads = &context.architecture.heads;
        let load = context.architecture.head("table-question-answerer", heads.table_question_answerer)?;
        let config = context.load.checkpoint.config()?;
        let aggregators = match config.get("aggregation_labels") {
            Some(labels) => read_labels(labels)?,
            None => BTreeMap::new(),
        };
        let no_aggregation = config.get("no_aggregation_label_index").and_then(Value::as_u64);
        Ok(Self {
            tokenizer: TableTokenizer::load(context.load.checkpoint)?,
            model: load(&context.load)?,
            aggregators,
            no_aggregation: no_aggregation.and_then(|index| usize::try_from(index).ok()),
        })
    }
}

/// `aggregation_labels` of config.json: a list, or an object whose keys are numbers.
fn read_labels(labels: &Value) -> Result<BTreeMap<usize, String>> {
    let read = || -> Option<BTreeMap<usize, String>> {
        let text = |label: &Value| label.as_str().map(str::to_owned);
        match labels {
            Value::Array(list) => {
                list.iter().enumerate().map(|(index, label)| Some((index, text(label)?))).collect()
            }
            Value::Object(object) => {
                object.iter().map(|(index, label)| Some((index.parse().ok()?, text(label)?))).collect()
            }
            _ => None,
        }
    };
    read().ok_or_else(|| {
        let message =
            format!("`aggregation_labels` in `config.json` is `{labels}`; it takes names by numbers");
        Error::new(ErrorKind::Config, message)
    })
}

impl Task for TableQuestionAnswering {
    type Input = TableQuestions;
    type Options = TableQuestionAnsweringOptions;
    type Features = TableQuestionAnsweringFeatures;
    type Raw = TableQuestionAnsweringRaw;
    type Output = Vec<TableAnswer>;

    fn preprocess(
        &self,
        input: TableQuestions,
        options: &Self::Options,
    ) -> Result<impl Iterator<Item = Result<Self::Features>> + Send + use<>> {
        if input.table.is_empty() {
            return Err(Error::new(ErrorKind::Input, "the table is empty"));
        }
        if input.queries.is_empty() {
            return Err(Error::new(ErrorKind::Input, "there is no query about the table"));
        }
        let table_options =
            TableOptions { drop_rows_to_fit: options.drop_rows_to_fit, padding: options.padding };
        let encodings = self.tokenizer.encode(&input.table, &input.queries, table_options)?;
        if encodings.iter().any(|encoding| encoding.type_ids.iter().all(|types| types[0] == 0)) {
            return Err(Error::new(ErrorKind::Input, "nothing is written in the table"));
        }
        let table = Arc::new(input.table);
        let rows: Vec<TableRow> = encodings.into_iter().map(table_row).collect();
        let talks: Vec<Vec<TableRow>> =
            if options.sequential { vec![rows] } else { rows.into_iter().map(|row| vec![row]).collect() };
        let features = move |rows| Ok(TableQuestionAnsweringFeatures { table: Arc::clone(&table), rows });
        Ok(talks.into_iter().map(features))
    }

    fn length(&self, features: &Self::Features) -> Option<usize> {
        let longest = features.rows.iter().map(|row| row.input_ids.len()).max();
        longest.filter(|_| self.model.layout() == BatchLayout::Padded)
    }

    fn forward(&self, batch: &[Self::Features], _: &Self::Options) -> Result<Vec<Self::Raw>> {
        let raw =
            |features: &Self::Features| Self::Raw { table: Arc::clone(&features.table), answers: Vec::new() };
        let mut raws: Vec<Self::Raw> = batch.iter().map(raw).collect();
        let longest = batch.iter().map(|features| features.rows.len()).max().unwrap_or(0);
        // The first questions of all conversations together, then the second ones, and so on.
        for turn in 0..longest {
            let (mut rows, mut talks) = (Vec::new(), Vec::new());
            for (talk, (features, raw)) in batch.iter().zip(&raws).enumerate() {
                if let Some(row) = features.rows.get(turn) {
                    rows.push(with_answer(row, raw.answers.last().map(|(cells, _)| cells.as_slice())));
                    talks.push(talk);
                }
            }
            let tables = TableBatch::new(rows, self.tokenizer.pad_token_id(), self.model.layout())?;
            let logits = run_model(self.model.layout(), || self.model.forward(&tables))?;
            for ((talk, row), logits) in talks.into_iter().zip(tables.rows()).zip(logits) {
                raws[talk].answers.push((chosen_cells(row, &logits.tokens), logits));
            }
        }
        Ok(raws)
    }

    fn postprocess(&self, chunks: Vec<Self::Raw>, _: &Self::Options) -> Result<Vec<TableAnswer>> {
        let questions =
            chunks.iter().flat_map(|chunk| chunk.answers.iter().map(|answer| (&chunk.table, answer)));
        questions.map(|(table, (cells, logits))| self.answer(table, cells, &logits.aggregation)).collect()
    }
}

impl TableQuestionAnswering {
    fn answer(&self, table: &Table, coordinates: &[Cell], aggregation: &[f32]) -> Result<TableAnswer> {
        let cell = |(row, column): &Cell| table.rows().get(*row)?.get(*column).cloned();
        let cells: Vec<String> = coordinates.iter().filter_map(cell).collect();
        let mut answer = TableAnswer {
            answer: cells.join(", "),
            coordinates: coordinates.to_vec(),
            cells,
            aggregator: None,
        };
        if self.aggregators.is_empty() || aggregation.is_empty() {
            return Ok(answer);
        }
        let best = argmax(aggregation);
        let name = self.aggregators.get(&best).ok_or_else(|| {
            let message = format!("`aggregation_labels` in `config.json` has no name for {best}");
            Error::new(ErrorKind::Config, message)
        })?;
        if self.no_aggregation != Some(best) {
            answer.answer = format!("{name} > {}", answer.answer);
        }
        answer.aggregator = Some(name.clone()).filter(|name| !name.is_empty());
        Ok(answer)
    }
}

/// An encoding as the model takes it.
fn table_row(encoding: TableEncoding) -> TableRow {
    TableRow {
        input_ids: encoding.ids,
        attention_mask: encoding.attention_mask.iter().map(|mask| *mask != 0).collect(),
        type_ids: encoding.type_ids,
    }
}

/// The cell that a token is in; `None` for the question, headers and padding.
fn cell_of(types: &[u32; 7]) -> Option<Cell> {
    let [segment, column, row, ..] = types;
    let place = (row.checked_sub(1)? as usize, column.checked_sub(1)? as usize);
    (*segment == 1).then_some(place)
}

/// The row, told which cells answered the question before it.
fn with_answer(row: &TableRow, answer: Option<&[Cell]>) -> TableRow {
    let mut row = row.clone();
    for types in &mut row.type_ids {
        let was_answer =
            cell_of(types).is_some_and(|cell| answer.is_some_and(|answer| answer.contains(&cell)));
        types[3] = u32::from(was_answer);
    }
    row
}

/// Cells whose tokens have a mean probability over one half, row after row.
fn chosen_cells(row: &TableRow, logits: &[f32]) -> Vec<Cell> {
    let mut cells: BTreeMap<Cell, (f64, f64)> = BTreeMap::new();
    for ((types, seen), logit) in row.type_ids.iter().zip(&row.attention_mask).zip(logits) {
        if let Some(cell) = cell_of(types) {
            let probability = if *seen { 1.0 / (1.0 + (-logit.max(-88.7)).exp()) } else { 0.0 };
            let (sum, count) = cells.entry(cell).or_default();
            *sum += f64::from(probability);
            *count += 1.0;
        }
    }
    cells.into_iter().filter(|(_, (sum, count))| sum / count > 0.5).map(|(cell, _)| cell).collect()
}

impl JsonTask for TableQuestionAnswering {
    const PARAMETERS: &'static [&'static str] = &["sequential", "padding", "truncation"];
    const UNWRAPS_LIST_OF_ONE: bool = true;

    fn parse_options(parameters: Map<String, Value>) -> Result<Self::Options> {
        let mut options = TableQuestionAnsweringOptions::default();
        for (name, value) in parameters.iter().filter(|(_, value)| !value.is_null()) {
            let known = match name.as_str() {
                "sequential" => value.as_bool().map(|sequential| options.sequential = sequential),
                "padding" => padding(value).map(|padding| options.padding = padding),
                _ => truncation(value).map(|drops| options.drop_rows_to_fit = drops),
            };
            known.ok_or_else(|| {
                let takes = match name.as_str() {
                    "sequential" => "true or false",
                    "padding" => "true, false, `longest`, `max_length` or `do_not_pad`",
                    _ => "true, false, `drop_rows_to_fit` or `do_not_truncate`",
                };
                Error::new(ErrorKind::Parameter, format!("parameter `{name}` is `{value}`; it takes {takes}"))
            })?;
        }
        Ok(options)
    }

    /// No input at all is no list of inputs either: Python refuses it.
    fn is_one_input(input: &Value, _: &Self::Options) -> bool {
        input.as_array().is_none_or(Vec::is_empty)
    }

    fn tokens(features: &Self::Features) -> Option<usize> {
        let seen = |row: &TableRow| row.attention_mask.iter().filter(|&&seen| seen).count();
        Some(features.rows.iter().map(seen).sum())
    }

    fn parse_input(input: Value, _: &Self::Options) -> Result<TableQuestions> {
        let Value::Object(mut fields) = input else {
            return Err(input_error("the input must be an object {\"table\": .., \"query\": ..}"));
        };
        let queries = match fields.remove("query") {
            Some(Value::String(query)) if query.is_empty() => return Err(input_error("`query` is empty")),
            Some(Value::String(query)) => vec![query],
            Some(Value::Array(queries)) => {
                queries.into_iter().map(text).collect::<Option<_>>().ok_or_else(|| {
                    input_error("`query` must be a text or a list of texts, and not every element is a text")
                })?
            }
            _ => return Err(input_error("the input has no `query`: a text or a list of texts")),
        };
        let table = fields.remove("table").ok_or_else(|| input_error("the input has no `table`"))?;
        Ok(TableQuestions { table: parse_table(table)?, queries })
    }

    fn to_json(&self, answers: Vec<TableAnswer>, _: &Self::Options, _: Option<&Value>) -> Result<Value> {
        Ok(match answers.as_slice() {
            [answer] => json!(answer),
            answers => json!(answers),
        })
    }
}

fn input_error(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Input, message)
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn padding(value: &Value) -> Option<Padding> {
    match (value.as_bool(), value.as_str()) {
        (Some(true), _) | (_, Some("longest")) => Some(Padding::Longest),
        (Some(false), _) | (_, Some("do_not_pad")) => Some(Padding::DoNotPad),
        (_, Some("max_length")) => Some(Padding::MaxLength),
        _ => None,
    }
}

fn truncation(value: &Value) -> Option<bool> {
    match (value.as_bool(), value.as_str()) {
        (Some(drops), _) => Some(drops),
        (_, Some("drop_rows_to_fit")) => Some(true),
        (_, Some("do_not_truncate")) => Some(false),
        _ => None,
    }
}

/// The table that `pandas.DataFrame` makes of an object of columns, or of a list of row objects.
fn parse_table(table: Value) -> Result<Table> {
    match table {
        Value::Object(columns) => table_of_columns(columns),
        Value::Array(rows) => table_of_rows(rows),
        _ => Err(input_error("`table` must be an object of columns or a list of row objects")),
    }
}

fn table_of_columns(columns: Map<String, Value>) -> Result<Table> {
    let lengths = columns.values().filter_map(|column| Some(column.as_array()?.len()));
    let length = lengths.clone().max().unwrap_or(0);
    if lengths.clone().any(|other| other != length) {
        return Err(input_error("the columns of `table` are not of the same length"));
    }
    if lengths.count() == 0 && !columns.is_empty() {
        return Err(input_error("no column of `table` is a list of cells"));
    }
    let mut rows: Vec<Vec<String>> = vec![Vec::with_capacity(columns.len()); length];
    for (name, column) in &columns {
        for (at, row) in rows.iter_mut().enumerate() {
            // A text alone is the cell of every row.
            let cell = column.as_array().map_or(Some(column), |cells| cells.get(at));
            row.push(cell.and_then(Value::as_str).ok_or_else(|| no_text(name, at, cell))?.to_owned());
        }
    }
    Table::new(columns.into_iter().map(|(name, _)| name).collect(), rows)
}

fn table_of_rows(rows: Vec<Value>) -> Result<Table> {
    let no_object = || input_error("not every row of `table` is an object");
    let rows: Vec<&Map<String, Value>> =
        rows.iter().map(Value::as_object).collect::<Option<_>>().ok_or_else(no_object)?;
    // Columns stand in the order in which they first appear.
    let mut names: Map<String, Value> = Map::new();
    for name in rows.iter().flat_map(|row| row.keys()) {
        names.entry(name.as_str()).or_insert(Value::Null);
    }
    let mut cells = Vec::with_capacity(rows.len());
    for (at, row) in rows.iter().enumerate() {
        let cell = |name: &String| {
            let cell = row.get(name);
            cell.and_then(Value::as_str).map(str::to_owned).ok_or_else(|| no_text(name, at, cell))
        };
        cells.push(names.keys().map(cell).collect::<Result<_>>()?);
    }
    Table::new(names.into_iter().map(|(name, _)| name).collect(), cells)
}

/// The error for a cell that is no text.
fn no_text(column: &str, row: usize, cell: Option<&Value>) -> Error {
    let what = cell.map_or_else(|| "not there".to_owned(), |cell| format!("`{cell}`, and no text"));
    input_error(format!("the cell of `table` in column `{column}`, row {row} is {what}"))
}
