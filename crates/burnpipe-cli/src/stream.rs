//! `burnpipe run` on a terminal for tasks that write text: it appears as it is made.

use std::io::{Write, stdout};

use burnpipe::{AnyPipeline, Cancellation, Error, ErrorKind, Piece, Result};
use serde_json::Value;

use crate::inputs::Inputs;
use crate::{INTERRUPTED, SUCCESS, output, render};

/// Answers inputs one after the other; the number is the exit code.
///
/// # Errors
///
/// The first input that cannot be answered; the texts before it are on the terminal.
pub(crate) fn run(
    pipeline: &AnyPipeline,
    inputs: Inputs,
    parameters: &Value,
    cancellation: &Cancellation,
) -> Result<u8> {
    for (count, row) in inputs.rows.enumerate() {
        let input = row.input.map_err(|error| row.place.locate(error))?;
        if count > 0 {
            output::print("\n")?;
        }
        if let Some(prompt) = input.as_str() {
            output::print(&render::prompt(prompt))?;
        }
        let answered = text(pipeline, input, parameters, cancellation);
        let answer = answered.map_err(|error| row.place.locate(error))?;
        if !answer.was_streamed {
            output::print(&format!("\n{}", render::answer(None, &Value::Null, &answer.value, None)))?;
        }
        output::print("\n")?;
        if cancellation.is_cancelled() {
            return Ok(INTERRUPTED);
        }
    }
    Ok(SUCCESS)
}

/// An answer whose text may have been written already.
pub(crate) struct Streamed {
    /// The whole answer.
    pub(crate) value: Value,
    /// Whether any text of it was written.
    pub(crate) was_streamed: bool,
}

/// Writes the text of one answer as it is made. After a cancellation it ends with what there is.
///
/// # Errors
///
/// When the input cannot be answered, or nobody reads.
pub(crate) fn text(
    pipeline: &AnyPipeline,
    input: Value,
    parameters: &Value,
    cancellation: &Cancellation,
) -> Result<Streamed> {
    let mut was_streamed = false;
    for piece in pipeline.stream_with(input, parameters, cancellation.clone())? {
        match piece? {
            Piece::Text(text) => {
                was_streamed = true;
                output::print(&render::streamed(&text))?;
                // What is written shows at once even if a line is not full.
                let _ = stdout().flush();
            }
            Piece::Answer(value) => return Ok(Streamed { value, was_streamed }),
        }
    }
    Err(Error::new(ErrorKind::Internal, "the stream ended without an answer"))
}
