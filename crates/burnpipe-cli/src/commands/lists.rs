//! What there is: tasks, architectures, devices.

use std::io::{IsTerminal, stdout};

use burnpipe::{Result, TaskRecord};
use serde_json::{Value, json};

use crate::arguments::ListFormat;
use crate::output;
use crate::render::{BOLD, Table, terminal_width};

/// Prints rows for people, or as one JSON array.
///
/// # Errors
///
/// When standard output cannot be written to.
pub(super) fn print(format: ListFormat, table: Table, rows: Vec<Value>) -> Result<()> {
    match format {
        ListFormat::Table => output::print(&table.render(width())),
        ListFormat::Json => output::print(&format!("{:#}\n", Value::Array(rows))),
    }
}

/// How wide a table may be; piped, it is as wide as it needs.
pub(super) fn width() -> Option<u16> {
    stdout().is_terminal().then(terminal_width)
}

/// Bytes in the unit that people read.
pub(super) fn bytes(count: u64) -> String {
    indicatif::HumanBytes(count).to_string()
}

/// Lists the tasks, or shows one.
///
/// # Errors
///
/// When there is no such task.
pub(crate) fn tasks(name: Option<&str>, format: ListFormat) -> Result<()> {
    let one = name.map(burnpipe::task).transpose()?;
    if let (Some(task), ListFormat::Table) = (one, format) {
        return output::print(&about(task));
    }
    let tasks: Vec<&TaskRecord> = one.map_or_else(|| burnpipe::tasks().iter().collect(), |task| vec![task]);
    let mut table = Table::new(["task", "aliases", "default model", "what it does"]);
    for task in &tasks {
        table.row([task.id, &task.aliases.join(", "), task.default_model, task.summary]);
    }
    let rows = tasks.into_iter().map(task_json).collect();
    print(format, table, rows)
}

fn task_json(task: &TaskRecord) -> Value {
    json!({
        "task": task.id,
        "aliases": task.aliases,
        "summary": task.summary,
        "parameters": task.parameters,
        "default_model": task.default_model,
        "default_revision": task.default_revision,
        "model_types": burnpipe::supported(task),
    })
}

fn about(task: &TaskRecord) -> String {
    let list = |names: &[&str]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let model = format!("{} at {}", task.default_model, task.default_revision);
    let lines = [
        ("aliases", list(task.aliases)),
        ("parameters", list(task.parameters)),
        ("default model", model),
        ("architectures", list(&burnpipe::supported(task))),
    ];
    let lines: String =
        lines.iter().map(|(name, value)| format!("{BOLD}{name:<15}{BOLD:#}{value}\n")).collect();
    format!("{BOLD}{}{BOLD:#}: {}\n{lines}", task.id, task.summary)
}

/// Lists the architectures, or those that can do a task.
///
/// # Errors
///
/// When there is no such task.
pub(crate) fn models(task: Option<&str>, format: ListFormat) -> Result<()> {
    let wanted = task.map(burnpipe::task).transpose()?.map(burnpipe::supported);
    let mut table = Table::new(["model_type", "heads"]);
    let mut rows = Vec::new();
    for architecture in burnpipe::architectures() {
        let model_type = architecture.model_type;
        if wanted.as_ref().is_none_or(|wanted| wanted.contains(&model_type)) {
            let heads = architecture.heads.names();
            table.row([model_type.to_owned(), heads.join(", ")]);
            rows.push(json!({"model_type": model_type, "heads": heads}));
        }
    }
    print(format, table, rows)
}

/// Lists the devices.
///
/// # Errors
///
/// When standard output cannot be written to.
pub(crate) fn devices(format: ListFormat) -> Result<()> {
    let mut table = Table::new(["device", "what it is", "memory", "number types"]);
    let mut rows = Vec::new();
    for device in burnpipe::devices() {
        let dtypes: Vec<&str> = device.dtypes.iter().map(|dtype| dtype.name()).collect();
        let memory = device.memory_bytes.map(bytes).unwrap_or_default();
        table.row([device.name.clone(), device.description.clone(), memory, dtypes.join(", ")]);
        rows.push(json!(device));
    }
    print(format, table, rows)
}
