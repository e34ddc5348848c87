//! The one error type of the workspace.

use std::error::Error as StdError;
use std::fmt;

/// A result with burnpipe's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, as one opaque type: a [kind](Error::kind) to match on, a message
/// for people, and the cause behind it.
///
/// Messages are lower case, name the thing in backticks, and say what would help.
///
/// ```
/// use burnpipe_core::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Input, "the text of input 3 is empty");
/// assert_eq!(error.kind(), ErrorKind::Input);
/// assert_eq!(error.to_string(), "the text of input 3 is empty");
/// ```
pub struct Error(Box<Repr>);

struct Repr {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No task has that name.
    UnknownTask,
    /// No architecture has that `model_type`.
    UnknownArchitecture,
    /// The architecture is there, but has no head for the task.
    MissingHead,
    /// A parameter that the task does not know, or with a value it cannot take.
    Parameter,
    /// A file that is not there.
    MissingFile,
    /// The Hub could not be reached, or refused.
    Network,
    /// A configuration file that cannot be used.
    Config,
    /// Weights that cannot be used.
    Weights,
    /// Tokenizer files that cannot be used.
    Tokenizer,
    /// The caller's data.
    Input,
    /// An image, sound or video that cannot be decoded.
    Media,
    /// A device that this build or this machine does not have.
    Device,
    /// Something that this build or this model cannot do.
    Unsupported,
    /// Reading or writing a file failed.
    Io,
    /// The caller cancelled the run.
    Cancelled,
    /// A fault of burnpipe's own.
    Internal,
}

impl Error {
    /// An error of this kind with this message.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Repr { kind, message: message.into(), source: None }))
    }

    /// The same error with the cause behind it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message and every cause, joined by `: `, on one line.
    ///
    /// ```
    /// use burnpipe_core::{Error, ErrorKind};
    ///
    /// let cause = std::io::Error::other("no space left");
    /// let error = Error::new(ErrorKind::Io, "cannot write `out.json`").with_source(cause);
    /// assert_eq!(error.report(), "cannot write `out.json`: no space left");
    /// ```
    pub fn report(&self) -> String {
        let mut report = self.0.message.clone();
        let mut source = self.source();
        while let Some(cause) = source {
            report.push_str(": ");
            report.push_str(&cause.to_string());
            source = cause.source();
        }
        report
            .split(['\r', '\n'])
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("Error");
        debug.field("kind", &self.0.kind).field("message", &self.0.message);
        if let Some(source) = &self.0.source {
            debug.field("source", source);
        }
        debug.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}

/// Turns any error into ours, keeping it as the cause.
pub trait ErrorContext<T> {
    /// Wraps the error with a kind and a message made only when needed.
    fn context<M: Into<String>>(self, kind: ErrorKind, message: impl FnOnce() -> M) -> Result<T>;
}

impl<T, E: Into<Box<dyn StdError + Send + Sync>>> ErrorContext<T> for std::result::Result<T, E> {
    fn context<M: Into<String>>(self, kind: ErrorKind, message: impl FnOnce() -> M) -> Result<T> {
        self.map_err(|error| Error::new(kind, message()).with_source(error))
    }
}
