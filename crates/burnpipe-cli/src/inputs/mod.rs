//! What to run the task on: texts of the command line, files, standard input.

mod background;
mod csv_rows;
mod files;
mod json_file;
mod lines;
mod open;
mod row;
mod tables;

pub(crate) use open::open;
pub(crate) use row::{Inputs, Place, Row};
