//! Patterns of file names on the command line, where no shell has expanded them.

use std::path::{Component, Path, PathBuf, is_separator};

use burnpipe::{Error, ErrorKind, Result};
use burnpipe_core::ErrorContext;
use glob::{MatchOptions, Pattern};

/// As in a shell, signs stand for no separator and for no dot that hides a file.
const SHELL: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

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
    let (_, rest) = split(name);
    !is_address && rest.contains(['*', '?', '[']) && !Path::new(name).exists()
}

/// The longest folder at the beginning that is there, whatever signs its name has, and the rest.
fn split(name: &str) -> (&str, &str) {
    let separators = name.char_indices().rev().filter(|(_, letter)| is_separator(*letter));
    let mut parts = separators.filter_map(|(at, _)| name.split_at_checked(at));
    parts.find(|(folder, _)| Path::new(folder).exists()).unwrap_or(("", name))
}

/// The parts of a path but for dots, which come and go on the way through `glob`.
fn parts(path: &Path) -> impl Iterator<Item = Component<'_>> {
    path.components().filter(|part| *part != Component::CurDir)
}

fn fitting(name: &str) -> Result<Vec<String>> {
    let (folder, rest) = split(name);
    let no_pattern = || format!("`{name}` is no pattern of file names");
    let pattern = format!("{}{rest}", Pattern::escape(folder));
    let paths = glob::glob(&pattern).context(ErrorKind::Parameter, no_pattern)?;
    // Looking for files by `SHELL` would drop hidden ones that the pattern names, and panic at names that are not
    // Unicode (glob 0.3.4); so what is found is compared once more.
    let depth = parts(Path::new(folder)).count();
    let below = |path: &Path| parts(path).skip(depth).collect::<PathBuf>();
    let shown = Pattern::new(&below(Path::new(name)).to_string_lossy());
    let shown = shown.context(ErrorKind::Parameter, no_pattern)?;
    let mut names = Vec::new();
    for path in paths {
        let path = path.context(ErrorKind::Io, || format!("cannot look for `{name}`"))?;
        if path.is_file() && shown.matches_with(&below(&path).to_string_lossy(), SHELL) {
            let name = path.to_str().ok_or_else(|| {
                let message = format!("the name of `{}` is not Unicode; rename it", path.display());
                Error::new(ErrorKind::Input, message)
            })?;
            names.push(name.to_owned());
        }
    }
    if names.is_empty() {
        return Err(Error::new(ErrorKind::Input, format!("no file fits `{name}`")));
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

    #[test]
    fn hidden_files_fit_only_patterns_that_say_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::create_dir_all(path("in/.cache [1]")).unwrap();
        for name in [".a.jpg", "b.jpg", "in/c.jpg", "in/.cache [1]/d.jpg"] {
            std::fs::write(path(name), "").unwrap();
        }
        let cases: [(&str, &[&str]); 6] = [
            ("*.jpg", &["b.jpg"]),
            ("./*.jpg", &["b.jpg"]),
            (".*.jpg", &[".a.jpg"]),
            ("**/*.jpg", &["b.jpg", "in/c.jpg"]),
            ("in/.cache [1]/*.jpg", &["in/.cache [1]/d.jpg"]),
            ("in/.c*/?.jpg", &["in/.cache [1]/d.jpg"]),
        ];
        for (pattern, expected) in cases {
            let fitting = expand(vec![path(pattern)]).unwrap();
            let fitting: Vec<PathBuf> = fitting.into_iter().map(PathBuf::from).collect();
            let expected: Vec<PathBuf> = expected.iter().map(|name| folder.path().join(name)).collect();
            assert_eq!(fitting, expected, "{pattern}");
        }
        assert!(expand(vec![path("in/*/*.jpg")]).is_err());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_name_that_is_not_unicode_is_no_trouble_for_others() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(std::ffi::OsStr::from_bytes(b"\xff.jpg")), "").unwrap();
        let file = folder.path().join("a.jpg");
        std::fs::write(&file, "").unwrap();
        let pattern = folder.path().join("*.jpg").display().to_string();
        assert_eq!(expand(vec![pattern]).unwrap(), [file.display().to_string()]);
    }

    #[test]
    fn folders_keep_their_names_in_patterns() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::create_dir_all(path("shots [2024]/day*1")).unwrap();
        for name in ["shots [2024]/b.jpg", "shots [2024]/a.jpg", "shots [2024]/day*1/c.jpg"] {
            std::fs::write(path(name), "").unwrap();
        }
        let expected = [path("shots [2024]/a.jpg"), path("shots [2024]/b.jpg")];
        assert_eq!(expand(vec![path("shots [2024]/*.jpg")]).unwrap(), expected);
        let expected = [path("shots [2024]/day*1/c.jpg")];
        assert_eq!(expand(vec![path("shots [2024]/day*1/?.jpg")]).unwrap(), expected);
        // What has signs only in the name of its folder is a name, which the reader misses.
        let missing = vec![path("shots [2024]/none.jpg")];
        assert_eq!(expand(missing.clone()).unwrap(), missing);
    }
}
