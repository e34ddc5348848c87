//! Answers and lists for people: tables, bars, coloured text.
//!
//! Everything here returns text with colours; the destination takes them out where they are not
//! wanted.

mod answer;
mod cells;
mod entities;
mod fills;
mod labels;
mod numbers;
mod passages;
mod printable;
mod records;
mod style;
mod table;
mod texts;
mod transcripts;

pub(crate) use answer::answer;
pub(crate) use printable::{prompt, streamed};
pub(crate) use style::{BOLD, GOOD, MISSING, PALE};
pub(crate) use table::{Table, terminal_width};
