//! Lines per crate, so that growth is seen in review.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::root;

/// Prints the lines of Rust of each crate.
pub(crate) fn print() -> Result<()> {
    let mut total = 0;
    for entry in fs::read_dir(root().join("crates"))? {
        let folder = entry?.path();
        let lines = lines_under(&folder.join("src"))?;
        total += lines;
        println!("{lines:>7}  {}", folder.file_name().unwrap_or_default().display());
    }
    println!("{total:>7}  in all");
    Ok(())
}

fn lines_under(folder: &Path) -> Result<usize> {
    let mut lines = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            lines += lines_under(&path)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            lines += fs::read_to_string(&path)?.lines().count();
        }
    }
    Ok(lines)
}
