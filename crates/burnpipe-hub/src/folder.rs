//! The files of a folder, by their names inside it.

use std::path::Path;

use burnpipe_core::{ErrorContext, ErrorKind, Result};

/// Deeper folders of a model hold nothing that a pipeline loads.
const DEEPEST: usize = 4;

/// The relative names of the files under `folder`, with `/`, in order. Hidden folders are left out.
pub(crate) fn files_under(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    collect(folder, "", 0, &mut names)?;
    names.sort();
    Ok(names)
}

fn collect(folder: &Path, prefix: &str, depth: usize, names: &mut Vec<String>) -> Result<()> {
    let unreadable = || format!("cannot read the folder `{}`", folder.display());
    for entry in std::fs::read_dir(folder).context(ErrorKind::Io, unreadable)? {
        let entry = entry.context(ErrorKind::Io, unreadable)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = entry.path();
        if path.is_file() {
            names.push(format!("{prefix}{name}"));
        } else if path.is_dir() && depth < DEEPEST && !name.starts_with('.') {
            collect(&path, &format!("{prefix}{name}/"), depth + 1, names)?;
        }
    }
    Ok(())
}
