//! in the making
mod error;
mod files;
pub use error::{Error, ErrorContext, ErrorKind, Result};
pub use files::ModelFiles;
