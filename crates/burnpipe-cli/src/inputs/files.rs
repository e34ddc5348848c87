//! Patterns of file names on the command line, where no shell has expanded them.

use std::path::Path;

use burnpipe::{Error, ErrorKind, Result};
use burnpipe_core::ErrorContext;

/// Puts the files that a pattern such as `photos/*.jpg` fits in its place, in order of their names; what is an
/// address or the name of a file stays.
///
/// # Errors
///
/// When a pattern is broken or no file fits it.
pub(super) fn expand(names: Vec<String>) -> Result<Vec<String>> {
    let mut expanded = Vec::with_capacity(names.len());
    for name in names {
        if is_pattern(&name) { expanded.extend(fitting(&name)?) } else { expanded.push(name) }
    }
    Ok(expanded)
}

fn is_pattern(name: &str) -> bool {
    let is_address = name.starts_with("http://") || name.starts_with("https://") || name.starts_with("data:");
    !is_address && name.contains(['*', '?', '[']) && !Path::new(name).exists()
}

fn fitting(pattern: &str) -> Result<Vec<String>> {
    let paths = glob::glob(pattern)
        .context(ErrorKind::Parameter, || format!("`{pattern}` is no pattern of file names"))?;
    let mut names = Vec::new();
    for path in paths {
        let path = path.context(ErrorKind::Io, || format!("cannot look for `{pattern}`"))?;
        if path.is_file() {
            let name = path.to_str().ok_or_else(|| {
                let message = format!("the name of `{}` is not Unicode; rename it", path.display());
                Error::new(ErrorKind::Input, message)
            })?;
            names.push(name.to_owned());
        }
    }
    if names.is_empty() {
        return Err(Error::new(ErrorKind::Input, format!("no file fits `{pattern}`")));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_give_the_files_that_fit() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.jpg", "a.jpg", "c.png", "[x].jpg"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let path = |name: &str| folder.path().join(name).display().to_string();
        let names = vec![path("?.jpg"), path("[x].jpg"), "https://x.org/a?b=*".into(), path("none.jpg")];
        let expected = vec![
            path("a.jpg"),
            path("b.jpg"),
            path("[x].jpg"),
            "https://x.org/a?b=*".into(),
            path("none.jpg"),
        ];
        assert_eq!(expand(names).unwrap(), expected);
        let error = expand(vec![path("*.gif")]).unwrap_err();
        assert!(error.to_string().starts_with("no file fits"), "{error}");
    }
}
