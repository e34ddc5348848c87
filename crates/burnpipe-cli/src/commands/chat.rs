//! `burnpipe chat`: a conversation on the terminal.

use std::io::{BufRead, IsTerminal, stdin};

use burnpipe::{Cancellation, Error, ErrorKind, Result};
use burnpipe_core::ErrorContext;
use serde_json::{Map, Value, json};

use crate::arguments::ChatArguments;
use crate::{interrupt, model, output, parameters, stream};

/// What a line that is no message can say.
const HELP: &str = "/reset begins a new conversation, /exit or Ctrl-D ends, Ctrl-C stops an answer\n";

/// Runs the command.
///
/// # Errors
///
/// When there is no model to chat with, or a message cannot be answered.
pub(crate) fn chat(arguments: &ChatArguments) -> Result<()> {
    let task = burnpipe::task("text-generation")?;
    let parameters = with_new_text(parameters::read(arguments.params.as_deref())?)?;
    (task.check_parameters)(&parameters)?;
    model::limit_threads(arguments.threads)?;
    let pipeline = model::load(task, &arguments.model)?;
    let cancellation = interrupt::stops_answers()?;
    let asks = stdin().is_terminal();
    if asks {
        output::print(&format!("{}: {HELP}", pipeline.about().model))?;
    }
    let mut messages = beginning(arguments);
    let mut lines = stdin().lock().lines();
    loop {
        if asks {
            output::print("\n> ")?;
        }
        let Some(line) = lines.next() else { return Ok(()) };
        let line = line.context(ErrorKind::Input, || "cannot read from standard input")?;
        match line.trim() {
            "" => {}
            "/exit" | "/quit" => return Ok(()),
            "/reset" => messages = beginning(arguments),
            "/help" => output::print(HELP)?,
            message => {
                messages.push(json!({"role": "user", "content": message}));
                let answer = answer(&pipeline, &messages, &parameters, &cancellation())?;
                messages.push(json!({"role": "assistant", "content": answer}));
            }
        }
    }
}

/// The messages before the first of the user's.
fn beginning(arguments: &ChatArguments) -> Vec<Value> {
    arguments.system.iter().map(|text| json!({"role": "system", "content": text})).collect()
}

/// The text of one answer, which is on the terminal by then.
fn answer(
    pipeline: &burnpipe::AnyPipeline,
    messages: &[Value],
    parameters: &Value,
    cancellation: &Cancellation,
) -> Result<String> {
    let answer = stream::text(pipeline, messages.into(), parameters, cancellation);
    // The next Ctrl-C finds no answer to stop and ends the program.
    cancellation.cancel();
    let answer = answer?;
    let text = answer.value.pointer("/0/generated_text").and_then(Value::as_str).unwrap_or_default();
    if !answer.was_streamed {
        output::print(text)?;
    }
    output::print("\n")?;
    Ok(text.to_string())
}

/// The parameters, and that only new text is answered.
fn with_new_text(parameters: Value) -> Result<Value> {
    let mut parameters = match parameters {
        Value::Object(parameters) => parameters,
        Value::Null => Map::new(),
        _ => return Err(Error::new(ErrorKind::Parameter, "`--params` must be a JSON object")),
    };
    parameters.entry("return_full_text").or_insert(false.into());
    Ok(Value::Object(parameters))
}
