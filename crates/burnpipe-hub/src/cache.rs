//! What the cache holds, and how to be rid of it.

use std::fs;
use std::path::{Path, PathBuf};

use burnpipe_core::{Error, ErrorContext, ErrorKind, Result};

use crate::{HubSettings, OpenOptions, folder};

const PREFIX: &str = "models--";

/// A model in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedRepo {
    /// Its id: `org/name`.
    pub id: String,
    /// The commits of which files are there.
    pub revisions: Vec<CachedRevision>,
    /// The space it takes on the disk, files that are shared between commits counted once.
    pub size_bytes: u64,
    /// Its folder.
    pub path: PathBuf,
}

/// A commit of a model in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedRevision {
    /// The commit.
    pub commit: String,
    /// The branches and tags that were at this commit when last seen.
    pub refs: Vec<String>,
    /// How many of its files are there.
    pub file_count: usize,
}

/// The models in the cache, by their ids. Models that Python downloaded are among them.
///
/// # Errors
///
/// When the cache is there and cannot be read.
pub fn list(options: &OpenOptions) -> Result<Vec<CachedRepo>> {
    let cache_dir = HubSettings::new(options).cache_dir;
    if !cache_dir.is_dir() {
        return Ok(Vec::new());
    }
    let mut repos = Vec::new();
    for name in names(&cache_dir)? {
        let path = cache_dir.join(&name);
        if let Some(id) = name.strip_prefix(PREFIX).filter(|_| path.is_dir()) {
            repos.push(read_repo(id.replace("--", "/"), path)?);
        }
    }
    Ok(repos)
}

/// Removes a model with all its revisions, and says how many bytes that freed.
///
/// # Errors
///
/// When the model is not in the cache, or its files cannot be removed.
pub fn remove(id: &str, options: &OpenOptions) -> Result<u64> {
    let cache_dir = HubSettings::new(options).cache_dir;
    let repos = list(options)?;
    let Some(repo) = repos.iter().find(|repo| repo.id == id) else {
        let message = format!("model `{id}` is not in the cache `{}`", cache_dir.display());
        return Err(Error::new(ErrorKind::MissingFile, message));
    };
    fs::remove_dir_all(&repo.path)
        .context(ErrorKind::Io, || format!("cannot remove `{}`", repo.path.display()))?;
    if let Some(name) = repo.path.file_name() {
        // Its lock files, which may not be there.
        let _ = fs::remove_dir_all(cache_dir.join(".locks").join(name));
    }
    Ok(repo.size_bytes)
}

fn read_repo(id: String, path: PathBuf) -> Result<CachedRepo> {
    let refs = read_refs(&path.join("refs"))?;
    let snapshots = path.join("snapshots");
    let mut revisions = Vec::new();
    for commit in names(&snapshots)? {
        let is_here = |(name, at): &(String, String)| (*at == commit).then(|| name.clone());
        let file_count = folder::files_under(&snapshots.join(&commit))?.len();
        revisions.push(CachedRevision {
            refs: refs.iter().filter_map(is_here).collect(),
            commit,
            file_count,
        });
    }
    // Links count for nothing; where the disk has none, the files of the snapshots do.
    let size_bytes = size_of(&path.join("blobs"))? + size_of(&snapshots)?;
    Ok(CachedRepo { id, revisions, size_bytes, path })
}

/// The refs with their commits; a branch may have slashes in its name.
fn read_refs(folder: &Path) -> Result<Vec<(String, String)>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let names = folder::files_under(folder)?;
    let commit = |name: &str| fs::read_to_string(folder.join(name)).ok();
    Ok(names
        .into_iter()
        .filter_map(|name| Some((commit(&name)?.trim().to_owned(), name)))
        .map(|(at, name)| (name, at))
        .collect())
}

/// The names in a folder, in order; a folder that is not there has none.
fn names(folder: &Path) -> Result<Vec<String>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let unreadable = || format!("cannot read the folder `{}`", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).context(ErrorKind::Io, unreadable)? {
        let name = entry.context(ErrorKind::Io, unreadable)?.file_name();
        names.extend(name.into_string());
    }
    names.sort();
    Ok(names)
}

fn size_of(folder: &Path) -> Result<u64> {
    let mut size = 0;
    for name in names(folder)? {
        let path = folder.join(name);
        let Ok(metadata) = path.symlink_metadata() else { continue };
        if metadata.is_dir() {
            size += size_of(&path)?;
        } else if metadata.is_file() {
            size += metadata.len();
        }
    }
    Ok(size)
}
