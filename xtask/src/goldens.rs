//! Regenerating the goldens from Python.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::root;

/// Runs `tests/goldens/generate.py`.
pub(crate) fn generate(arguments: &[&str]) -> Result<()> {
    let python = std::env::var("BURNPIPE_PYTHON").unwrap_or_else(|_| "python3".into());
    let folder = root().join("tests/goldens");
    let status = Command::new(&python).arg("generate.py").args(arguments).current_dir(folder).status();
    let status = status.with_context(|| format!("cannot run `{python}`; set BURNPIPE_PYTHON"))?;
    ensure!(status.success(), "generate.py failed; it needs the packages of tests/goldens/requirements.txt");
    Ok(())
}
