//! Standard output, standard error and the file of `--output`.

use std::io::{self, Write};
use std::path::Path;

use burnpipe::{Error, ErrorKind, Result};

use super::file::OutputFile;

/// Where answers go.
pub(crate) enum Destination {
    /// Standard output, without colours where they are not wanted.
    Styled(anstream::Stdout),
    /// Standard output as it is.
    Plain(io::Stdout),
    /// The file of `--output`.
    File(OutputFile),
}

impl Destination {
    /// Everything is written.
    pub(crate) fn complete(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.complete(),
            other => other.flush(),
        }
    }

    /// Where the answers of a run that ended early are kept, when that is a file.
    pub(crate) fn kept_at(&self) -> Option<&Path> {
        match self {
            Self::File(file) => file.kept_at(),
            _ => None,
        }
    }
}

impl Write for Destination {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Styled(out) => out.write(bytes),
            Self::Plain(out) => out.write(bytes),
            Self::File(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Styled(out) => out.flush(),
            Self::Plain(out) => out.flush(),
            Self::File(out) => out.flush(),
        }
    }
}

/// Whether there is still somebody who reads: false when the pipe was closed, as `head` does.
///
/// # Errors
///
/// When the writing failed for any other reason.
pub(crate) fn written(result: io::Result<()>, name: &str) -> Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => {
            let message = format!("cannot write to {name}");
            Err(Error::new(ErrorKind::Io, message).with_source(error))
        }
    }
}

/// Prints the text of a command that has nothing else to print.
///
/// # Errors
///
/// When standard output cannot be written to.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = anstream::stdout();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()), "standard output").map(drop)
}

/// Prints one line to standard error.
pub(crate) fn print_error(line: &str) {
    // When standard error is closed, nobody can be told.
    let _ = writeln!(anstream::stderr(), "{line}");
}
