//! One repository in the cache, laid out as Python's `huggingface_hub` lays it out.
//!
//! ```text
//! <cache>/models--org--name/blobs/<etag>                    the bytes
//!                           snapshots/<commit>/<file>       a relative link to the blob
//!                           refs/<branch or tag>            the commit it was at
//!                           .no_exist/<commit>/<file>       an empty mark: that commit has no such file
//! <cache>/.locks/models--org--name/<etag>.lock              held while the blob is written
//! ```

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use burnpipe_core::{ErrorContext, ErrorKind, Result};
use hf_hub::{Cache, CacheRepo, Repo, RepoType};

/// The cached part of one repository.
pub(crate) struct Store {
    /// hf-hub knows how folders are named.
    layout: CacheRepo,
    folder: PathBuf,
    locks: PathBuf,
}

impl Store {
    pub(crate) fn new(cache_dir: &Path, id: &str) -> Self {
        let repo = Repo::new(id.to_owned(), RepoType::Model);
        let name = repo.folder_name();
        Self {
            layout: Cache::new(cache_dir.to_owned()).repo(repo),
            folder: cache_dir.join(&name),
            locks: cache_dir.join(".locks").join(name),
        }
    }

    /// The folder of a commit's files.
    pub(crate) fn snapshot(&self, commit: &str) -> PathBuf {
        self.layout.pointer_path(commit)
    }

    /// The commit of a revision, as far as the cache knows it and has files of it.
    pub(crate) fn commit_of(&self, revision: &str) -> Option<String> {
        let commit = if is_commit(revision) {
            revision.to_owned()
        } else {
            fs::read_to_string(self.folder.join("refs").join(revision)).ok()?.trim().to_owned()
        };
        (is_plain(&commit) && self.snapshot(&commit).is_dir()).then_some(commit)
    }

    /// The file of a commit, when it is there. A link to a lost blob counts as not there.
    pub(crate) fn pointer(&self, commit: &str, file: &str) -> Option<PathBuf> {
        Some(self.snapshot(commit).join(file)).filter(|path| path.is_file())
    }

    /// Whether the commit is known to have no such file.
    pub(crate) fn is_absent(&self, commit: &str, file: &str) -> bool {
        self.absence_mark(commit, file).is_file()
    }

    /// Remembers that the commit has no such file, for later runs without a connection and for
    /// Python. A cache that may not be written is no reason to fail.
    pub(crate) fn mark_absent(&self, commit: &str, file: &str) {
        let mark = self.absence_mark(commit, file);
        if let Some(folder) = mark.parent()
            && fs::create_dir_all(folder).is_ok()
        {
            let _ = File::create(mark);
        }
    }

    fn absence_mark(&self, commit: &str, file: &str) -> PathBuf {
        self.folder.join(".no_exist").join(commit).join(file)
    }

    /// Notes which commit a branch or tag was at. A cache that may not be written is no reason to
    /// fail: the files themselves are already there.
    pub(crate) fn note_revision(&self, revision: &str, commit: &str) {
        let path = self.folder.join("refs").join(revision);
        if revision == commit || fs::read_to_string(&path).is_ok_and(|known| known == commit) {
            return;
        }
        // Beside the refs folder, since everything inside it counts as a ref.
        let draft = self.folder.join(unique_name());
        let written = path.parent().is_some_and(|folder| fs::create_dir_all(folder).is_ok())
            && fs::write(&draft, commit).is_ok()
            && fs::rename(&draft, &path).is_ok();
        if !written {
            let _ = fs::remove_file(&draft);
        }
    }

    /// Where the bytes with this ETag belong.
    pub(crate) fn blob(&self, etag: &str) -> PathBuf {
        self.folder.join("blobs").join(etag)
    }

    /// Waits until no other process writes this blob, and keeps others out until it is dropped.
    pub(crate) fn lock(&self, etag: &str) -> Result<BlobLock> {
        fs::create_dir_all(&self.locks).context(ErrorKind::Io, || cannot_write(&self.locks))?;
        let path = self.locks.join(format!("{etag}.lock"));
        loop {
            let mut options = File::options();
            let file = options.create(true).truncate(false).write(true).open(&path);
            let file = file.context(ErrorKind::Io, || cannot_write(&path))?;
            match file.lock() {
                // Python may have deleted the file while we waited for it; then a third process
                // could lock a new one.
                Ok(()) if is_same_file(&file, &path) => return Ok(BlobLock { file: Some(file) }),
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                    return Ok(BlobLock { file: None });
                }
                Err(error) => {
                    return Err(error).context(ErrorKind::Io, || format!("cannot lock `{}`", path.display()));
                }
            }
        }
    }

    /// Makes the blob appear as a file of the commit: by a link, or where the disk has none by
    /// moving a new blob there, or copying one that other commits may use.
    pub(crate) fn link(&self, etag: &str, commit: &str, file: &str, is_new: bool) -> Result<PathBuf> {
        let blob = self.blob(etag);
        let pointer = self.snapshot(commit).join(file);
        if pointer.is_file() {
            return Ok(pointer);
        }
        if let Some(folder) = pointer.parent() {
            fs::create_dir_all(folder).context(ErrorKind::Io, || cannot_write(folder))?;
        }
        // A link whose blob is gone is in the way of the new one.
        if pointer.symlink_metadata().is_ok() {
            fs::remove_file(&pointer).context(ErrorKind::Io, || cannot_write(&pointer))?;
        }
        let ups = "../".repeat(file.matches('/').count() + 2);
        match symlink(Path::new(&format!("{ups}blobs/{etag}")), &pointer) {
            Ok(()) => return Ok(pointer),
            // Another process was quicker.
            Err(_) if pointer.is_file() => return Ok(pointer),
            Err(_) => {}
        }
        let placed = if is_new { fs::rename(&blob, &pointer) } else { fs::copy(&blob, &pointer).map(|_| ()) };
        placed.context(ErrorKind::Io, || cannot_write(&pointer))?;
        Ok(pointer)
    }
}

/// Keeps other processes away from one blob while it lives.
pub(crate) struct BlobLock {
    /// None on a disk without locks.
    file: Option<File>,
}

impl BlobLock {
    /// The end of the name of the file that the blob grows in. Where nothing keeps others away, no
    /// two processes may write the same file.
    pub(crate) fn draft_ending(&self) -> String {
        match self.file {
            Some(_) => ".incomplete".to_owned(),
            None => format!(".{}.incomplete", unique_name()),
        }
    }

    /// Whether what was there before may be added to.
    pub(crate) fn is_exclusive(&self) -> bool {
        self.file.is_some()
    }
}

/// A message for a place that cannot be written.
pub(crate) fn cannot_write(path: &Path) -> String {
    format!("cannot write `{}` in the model cache", path.display())
}

/// A full commit id, as opposed to a branch, a tag or the start of a commit id.
pub(crate) fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A word from the network that may become the name of a file.
pub(crate) fn is_plain(word: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !word.is_empty() && word.len() <= 200 && !word.starts_with('.') && word.bytes().all(is_part)
}

fn unique_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("tmp_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(unix)]
fn is_same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), path.metadata()) {
        (Ok(ours), Ok(named)) => identity(ours) == identity(named),
        _ => false,
    }
}

/// An open file cannot be deleted there.
#[cfg(not(unix))]
fn is_same_file(_file: &File, _path: &Path) -> bool {
    true
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target.to_string_lossy().replace('/', "\\"), link)
}

#[cfg(not(any(unix, windows)))]
fn symlink(_target: &Path, _link: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
