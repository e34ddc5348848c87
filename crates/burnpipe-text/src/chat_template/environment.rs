//! The Jinja that templates are rendered by: minijinja, made to print what transformers' environment prints.
//!
//! Reference: `_compile_jinja_template` in `utils/chat_template_utils.py`.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, Value, escape_formatter};

use super::generation::rename_blocks;
use super::{filters, methods, python_text};

/// The steps that a template may take, so that one that never ends is an error within a second or so, and holds
/// 256 MiB at the most: a step is an instruction, or 64 bytes of text. A message of a published template takes some
/// hundreds.
const FUEL: u64 = 4_000_000;

/// The longest text that a template may print, in bytes: a chat for a million tokens has some four million.
pub(super) const LONGEST_OUTPUT: usize = 64 << 20;

const NAME: &str = "chat template";

/// A parsed template.
#[derive(Debug)]
pub(super) struct Compiled(Environment<'static>);

impl Compiled {
    /// Parses a template.
    pub(super) fn new(source: &str) -> Result<Self, Failure> {
        let mut environment = environment().map_err(Failure::of)?;
        environment.add_template_owned(NAME, rename_blocks(&one_newline(source))).map_err(Failure::of)?;
        Ok(Self(environment))
    }

    /// The text that the template makes of its variables.
    pub(super) fn render(&self, variables: Value) -> Result<String, Failure> {
        let mut out = Bounded(Vec::new());
        let template = self.0.get_template(NAME).map_err(Failure::of)?;
        match template.render_captured_to(variables, &mut out) {
            Ok(_) => String::from_utf8(out.0).map_err(|error| Failure::Other(error.to_string(), None)),
            Err(error) => Err(Failure::of(error)),
        }
    }
}

/// Why a template could not be parsed or rendered.
pub(super) enum Failure {
    /// The template called `raise_exception` with this message.
    Raised(String),
    /// It did not come to an end.
    TooMuch,
    /// It is no template, and where.
    Syntax(String, Option<usize>),
    /// What else is wrong, and the line where it is.
    Other(String, Option<usize>),
}

impl Failure {
    fn of(error: Error) -> Self {
        let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
        let mut line = None;
        let mut what = String::new();
        let is_syntax = matches!(error.kind(), ErrorKind::SyntaxError | ErrorKind::BadEscape);
        while let Some(current) = cause {
            if let Some(Raised(message)) = current.downcast_ref() {
                return Self::Raised(message.clone());
            }
            if let Some(error) = current.downcast_ref::<Error>() {
                // Nothing but its length keeps the text from being written.
                if matches!(error.kind(), ErrorKind::OutOfFuel | ErrorKind::WriteFailure) {
                    return Self::TooMuch;
                }
                // The innermost error is what went wrong; the outer ones say how it got there.
                line = error.line().or(line);
                what = match error.detail() {
                    Some(detail) => detail.to_owned(),
                    None => error.kind().to_string(),
                };
            }
            cause = current.source();
        }
        if is_syntax { Self::Syntax(what, line) } else { Self::Other(what, line) }
    }
}

/// What a template raised.
#[derive(Debug)]
struct Raised(String);

impl fmt::Display for Raised {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl StdError for Raised {}

/// Takes bytes up to the greatest length.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LONGEST_OUTPUT {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Jinja takes every kind of line end for the same.
fn one_newline(source: &str) -> Cow<'_, str> {
    match source.contains('\r') {
        true => source.replace("\r\n", "\n").replace('\r', "\n").into(),
        false => source.into(),
    }
}

fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_formatter(print);
    environment.set_unknown_method_callback(methods::call);
    environment.set_fuel(Some(FUEL));
    filters::add_to(&mut environment);
    environment.add_function("raise_exception", raise_exception);
    Ok(environment)
}

/// Prints as Python's `str` does.
fn print(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    match state.auto_escape() {
        AutoEscape::None => python_text::write_str(state, out, value),
        _ => escape_formatter(out, state, value),
    }
}

fn raise_exception(state: &State<'_, '_>, message: &Value) -> Result<Value, Error> {
    let message = python_text::str(state, message)?;
    Err(Error::new(ErrorKind::InvalidOperation, "the template raised an exception")
        .with_source(Raised(message)))
}
