//! Where the answers go and how they are written.

mod answers;
mod destination;
mod file;
mod folder;
mod subtitles;

pub(crate) use answers::{AnswerWriter, Shown, open};
pub(crate) use destination::{print, print_error};
