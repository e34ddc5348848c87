//! The support tables of README.md, from the tables of the code.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::root;

/// Replaces the tables in README.md, by the test that otherwise checks them: a test knows the code's
/// tables without building Burn a second time for this program.
pub(crate) fn write() -> Result<()> {
    let mut cargo = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
    let cargo = cargo.args(["test", "--test", "readme"]).env("BURNPIPE_WRITE_TABLES", "1");
    ensure!(cargo.current_dir(root()).status()?.success(), "the tables could not be written");
    Ok(())
}
