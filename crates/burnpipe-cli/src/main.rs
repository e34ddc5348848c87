//! The `burnpipe` program: Hugging Face pipelines from the command line.
//!
//! `main` reads the command line and turns what comes of it into an exit code; `run` is the heart.
//! Inputs come in by `inputs`, answers go out by `output` and, for people, `render`.

#![forbid(unsafe_code)]

mod arguments;
mod bundled;
mod commands;
mod inputs;
mod interrupt;
mod model;
mod output;
mod panics;
mod parameters;
mod progress;
mod render;
mod run;
mod stream;
mod times;

use std::ffi::OsString;
use std::process::ExitCode;

use burnpipe::{Error, ErrorKind, Result};

use arguments::{Asked, CacheAction, Command};

/// The exit code of a run that did what was asked.
const SUCCESS: u8 = 0;
/// The exit code for a fault of our own.
const FAULT: u8 = 1;
/// The exit code for a bad command line, input or model.
const REFUSED: u8 = 2;
/// The exit code after Ctrl-C, as shells have it.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let ended = panics::caught(|| program(std::env::args_os()));
    ExitCode::from(ended.unwrap_or_else(|error| {
        output::print_error(&format!("error: {}", error.report()));
        exit_code(&error)
    }))
}

/// Runs the command line; the number is the exit code.
fn program(line: impl IntoIterator<Item = OsString>) -> Result<u8> {
    let command = match arguments::read(line)? {
        Asked::Show(text) => return output::print(&text).map(|()| SUCCESS),
        Asked::Run(command) => command,
    };
    match command {
        Command::Run(arguments) => return run::run(*arguments),
        Command::Chat(arguments) => commands::chat(&arguments),
        Command::Bench(arguments) => commands::bench(*arguments),
        Command::Tasks { task, list } => commands::tasks(task.as_deref(), list.format),
        Command::Models { task, list } => commands::models(task.as_deref(), list.format),
        Command::Devices { list } => commands::devices(list.format),
        Command::Download { id, revision } => commands::download(&id, revision),
        Command::Cache { action: None, list } => commands::cache_list(list.format),
        Command::Cache { action: Some(CacheAction::List { list }), .. } => commands::cache_list(list.format),
        Command::Cache { action: Some(CacheAction::Remove { id }), .. } => commands::cache_remove(&id),
        Command::Doctor => commands::doctor(),
    }?;
    Ok(SUCCESS)
}

/// Whose fault an error is.
fn exit_code(error: &Error) -> u8 {
    if error.kind() == ErrorKind::Internal { FAULT } else { REFUSED }
}
