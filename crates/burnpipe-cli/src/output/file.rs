//! The file of `--output`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file that is opened before the run, so that a bad name fails early, and changed only when the
/// first answer is there.
#[derive(Debug)]
pub(crate) struct OutputFile {
    file: File,
    written_to: PathBuf,
    /// The name that the whole file gets in the end.
    renamed_to: Option<PathBuf>,
    is_new: bool,
    is_begun: bool,
}

impl OutputFile {
    /// Opens the file; with `whole`, it appears under its name only when all of it is written, and
    /// is called `NAME.partial` before.
    pub(crate) fn open(path: &Path, whole: bool) -> io::Result<Self> {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let is_device = fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file());
        let (written_to, renamed_to) =
            if whole && !is_device { (partial(&path), Some(path)) } else { (path, None) };
        let is_new = !written_to.exists();
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&written_to)?;
        Ok(Self { file, written_to, renamed_to, is_new, is_begun: false })
    }

    /// Empties the file before the first answer.
    fn begin(&mut self) -> io::Result<()> {
        if !self.is_begun && self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
        }
        self.is_begun = true;
        Ok(())
    }

    /// All answers are written: gives the file its name.
    pub(crate) fn complete(&mut self) -> io::Result<()> {
        self.begin()?;
        if let Some(path) = self.renamed_to.take() {
            fs::rename(&self.written_to, &path)?;
            self.written_to = path;
        }
        Ok(())
    }

    /// Where the answers of a run that ended early are.
    pub(crate) fn kept_at(&self) -> Option<&Path> {
        self.is_begun.then_some(&self.written_to)
    }
}

fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begin()?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for OutputFile {
    /// A run without answers leaves no file behind.
    fn drop(&mut self) {
        if self.is_new && !self.is_begun {
            // Nobody can be told any more.
            let _ = fs::remove_file(&self.written_to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_answers_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let old = folder.path().join("old");
        fs::write(&old, "old").unwrap();
        for whole in [true, false] {
            drop(OutputFile::open(&old, whole).unwrap());
            drop(OutputFile::open(&folder.path().join("new"), whole).unwrap());
        }
        assert_eq!(fs::read_to_string(&old).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_whole_file_has_its_name_only_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        fs::write(&path, "old").unwrap();
        let mut file = OutputFile::open(&path, true).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_to_string(file.kept_at().unwrap()).unwrap(), "new");
        file.complete().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_shorter_answer_leaves_nothing_of_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        fs::write(&path, "something long").unwrap();
        let mut file = OutputFile::open(&path, false).unwrap();
        file.write_all(b"x").unwrap();
        file.write_all(b"y").unwrap();
        file.complete().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "xy");
    }
}
