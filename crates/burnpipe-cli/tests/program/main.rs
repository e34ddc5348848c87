//! Runs the built program as a user does: command lines in; exit codes, standard output and
//! standard error out. The answers are checked against Python's.

#![cfg(all(unix, feature = "bundled"))]
#![allow(clippy::panic, clippy::unwrap_used)]

mod answers;
mod bench;
mod generation;
mod images;
mod lists;
mod long_runs;
mod refusals;
mod sounds;
mod support;
