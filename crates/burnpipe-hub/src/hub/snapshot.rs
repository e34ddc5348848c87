//! One commit of a repository: its files in the cache, and those that are fetched when asked for.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use burnpipe_core::{Error, ErrorContext, ErrorKind, Result};
use serde_json::Value;

use super::client::{Client, encode};
use super::refusal::{Asked, Cause, Failure};
use super::store::{Store, is_commit, is_plain};
use super::transfer::Transfer;
use crate::{DownloadProgress, HubSettings, OpenOptions, folder};

/// The branch that is meant when no revision is given.
const DEFAULT_REVISION: &str = "main";

/// One commit of a repository, as far as it is in the cache, and the way to the rest.
pub(crate) struct Snapshot {
    id: String,
    revision: String,
    commit: String,
    store: Store,
    settings: HubSettings,
    /// None when no connection may be opened.
    client: Option<Client>,
    progress: Option<Arc<dyn DownloadProgress>>,
    /// Asked for once, when first needed.
    listing: OnceLock<Listing>,
}

/// What is known about the files that are not in the cache.
enum Listing {
    /// The Hub listed them.
    Full(ModelInfo),
    /// The Hub was not asked, or did not answer: the cache is all there is.
    CacheOnly(Option<Error>),
}

/// What the Hub says about a commit.
struct ModelInfo {
    commit: String,
    files: BTreeSet<String>,
    pipeline_tag: Option<String>,
}

impl Snapshot {
    /// Finds the commit of a revision: by the Hub, or by the cache when offline or when the Hub
    /// does not answer.
    pub(crate) fn open(id: &str, options: &OpenOptions) -> Result<Self> {
        check_id(id)?;
        let revision = options.revision.as_deref().unwrap_or(DEFAULT_REVISION);
        check_revision(id, revision)?;
        let settings = HubSettings::new(options);
        let store = Store::new(&settings.cache_dir, id);
        let cached = store.commit_of(revision);
        let client = if settings.offline { None } else { Some(Client::new(&settings, options.retries)?) };
        let (commit, listing) = match (&client, cached) {
            (None, Some(commit)) => (commit, Some(Listing::CacheOnly(None))),
            (None, None) => return Err(not_cached(id, revision, &settings)),
            // A commit never changes: what is cached needs no question.
            (Some(_), Some(commit)) if is_commit(revision) => (commit, None),
            (Some(client), cached) => {
                let asked = Asked { id, revision, settings: &settings };
                let (commit, listing) = resolve(client, &asked, cached)?;
                (commit, Some(listing))
            }
        };
        let snapshot = Self {
            id: id.to_owned(),
            revision: revision.to_owned(),
            commit,
            store,
            settings,
            client,
            progress: options.progress.clone(),
            listing: OnceLock::new(),
        };
        if let Some(listing) = listing {
            let _ = snapshot.listing.set(listing);
        }
        Ok(snapshot)
    }

    /// The commit.
    pub(crate) fn commit(&self) -> &str {
        &self.commit
    }

    /// The folder of its files in the cache.
    pub(crate) fn folder(&self) -> PathBuf {
        self.store.snapshot(&self.commit)
    }

    /// Whether the commit has the file; without a connection, whether the cache has it.
    pub(crate) fn has(&self, file: &str) -> Result<bool> {
        if self.store.pointer(&self.commit, file).is_some() {
            return Ok(true);
        }
        if self.store.is_absent(&self.commit, file) {
            return Ok(false);
        }
        match self.listing()? {
            Listing::Full(info) if info.files.contains(file) => Ok(true),
            Listing::Full(_) => {
                self.store.mark_absent(&self.commit, file);
                Ok(false)
            }
            Listing::CacheOnly(_) => Ok(false),
        }
    }

    /// The file, downloaded when it is not in the cache.
    pub(crate) fn file(&self, file: &str) -> Result<Option<PathBuf>> {
        let found = match self.store.pointer(&self.commit, file) {
            Some(path) => Some(path),
            None if self.has(file)? => self.download(file)?,
            None => None,
        };
        // Only now, so that a revision never points at a commit of which nothing is there.
        if found.is_some() && matches!(self.listing.get(), Some(Listing::Full(_))) {
            self.store.note_revision(&self.revision, &self.commit);
        }
        Ok(found)
    }

    fn download(&self, file: &str) -> Result<Option<PathBuf>> {
        let Some(client) = &self.client else { return Ok(None) };
        let transfer = Transfer {
            client,
            store: &self.store,
            progress: self.progress.as_deref(),
            id: &self.id,
            revision: &self.revision,
            commit: &self.commit,
            file,
        };
        match transfer.run() {
            Ok(path) => Ok(Some(path)),
            Err(failure) if failure.cause == Cause::NoFile => {
                self.store.mark_absent(&self.commit, file);
                Ok(None)
            }
            Err(failure) => Err(failure.error),
        }
    }

    /// The names of the files that are known.
    pub(crate) fn files(&self) -> Result<Vec<String>> {
        match self.listing()? {
            Listing::Full(info) => Ok(info.files.iter().cloned().collect()),
            Listing::CacheOnly(_) => folder::files_under(&self.folder()),
        }
    }

    /// The names of the files that are known without asking the Hub for them.
    pub(crate) fn known_files(&self) -> Result<Vec<String>> {
        let folder = self.folder();
        match self.listing.get() {
            Some(_) => self.files(),
            None if folder.is_dir() => folder::files_under(&folder),
            None => Ok(Vec::new()),
        }
    }

    /// The task, when the Hub was asked.
    pub(crate) fn pipeline_tag(&self) -> Option<String> {
        match self.listing.get() {
            Some(Listing::Full(info)) => info.pipeline_tag.clone(),
            _ => None,
        }
    }

    /// Where a missing file was looked for, and the kind of error that its absence is.
    pub(crate) fn place(&self) -> (ErrorKind, String) {
        let folder = self.folder();
        match self.listing.get() {
            Some(Listing::CacheOnly(None)) => (
                ErrorKind::MissingFile,
                format!(
                    "looked only in the cache `{}`, since `HF_HUB_OFFLINE` is set; \
                     unset it to download the rest",
                    folder.display()
                ),
            ),
            Some(Listing::CacheOnly(Some(error))) => (
                ErrorKind::Network,
                format!(
                    "looked only in the cache `{}`, since the Hub was of no help ({})",
                    folder.display(),
                    error.report()
                ),
            ),
            _ => (
                ErrorKind::MissingFile,
                format!("looked at {}/{}/tree/{}", self.settings.endpoint, self.id, self.commit),
            ),
        }
    }

    fn listing(&self) -> Result<&Listing> {
        if let Some(listing) = self.listing.get() {
            return Ok(listing);
        }
        let listing = match &self.client {
            None => Listing::CacheOnly(None),
            Some(client) => {
                let asked = Asked { id: &self.id, revision: &self.commit, settings: &self.settings };
                resolve(client, &asked, Some(self.commit.clone()))?.1
            }
        };
        Ok(self.listing.get_or_init(|| listing))
    }
}

/// The commit of a revision by the Hub, or by the cache when the Hub is of no help: as in Python,
/// any failure but a revision that is not there.
fn resolve(client: &Client, asked: &Asked<'_>, cached: Option<String>) -> Result<(String, Listing)> {
    // With something to fall back on, nobody should wait long for a connection that is not there.
    let retry_count = if cached.is_some() { client.retries().count.min(1) } else { client.retries().count };
    match (model_info(client, asked, retry_count), cached) {
        (Ok(info), _) => Ok((info.commit.clone(), Listing::Full(info))),
        (Err(failure), Some(commit)) if failure.cause != Cause::NoRevision => {
            Ok((commit, Listing::CacheOnly(Some(failure.error))))
        }
        (Err(failure), _) => Err(failure.error),
    }
}

fn model_info(client: &Client, asked: &Asked<'_>, retry_count: u32) -> Result<ModelInfo, Failure> {
    let endpoint = &asked.settings.endpoint;
    let url = format!("{endpoint}/api/models/{}/revision/{}", asked.id, encode(asked.revision, false));
    let mut reply = client.get(&url, None, retry_count, |_, _| {})?;
    if !reply.status.is_success() {
        return Err(asked.failure(&reply));
    }
    let broken = || format!("`{url}` did not answer as a Hub does; check `HF_ENDPOINT`");
    let bytes = reply.body.with_config().limit(256 << 20).read_to_vec();
    let bytes = bytes.context(ErrorKind::Network, broken)?;
    let value: Value = serde_json::from_slice(&bytes).context(ErrorKind::Network, broken)?;
    parse_info(&value).ok_or_else(|| Failure::network(broken()))
}

fn parse_info(value: &Value) -> Option<ModelInfo> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let siblings = value.get("siblings")?.as_array()?;
    Some(ModelInfo {
        commit: value.get("sha").and_then(text).filter(|commit| is_plain(commit))?,
        files: siblings.iter().filter_map(|file| file.get("rfilename").and_then(text)).collect(),
        pipeline_tag: value.get("pipeline_tag").and_then(text),
    })
}

fn not_cached(id: &str, revision: &str, settings: &HubSettings) -> Error {
    let message = format!(
        "model `{id}` (revision `{revision}`) is not in the cache `{}`, and `HF_HUB_OFFLINE` is set; \
         unset it, or download the model first",
        settings.cache_dir.display()
    );
    Error::new(ErrorKind::MissingFile, message)
}

/// The rules of `huggingface_hub`'s `validate_repo_id`.
pub(crate) fn check_id(id: &str) -> Result<()> {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    let is_name = |name: &str| {
        name.starts_with(is_word)
            && name.ends_with(is_word)
            && name.chars().all(|character| is_word(character) || matches!(character, '-' | '.'))
    };
    let repository = id.rsplit('/').next().unwrap_or_default();
    let is_id = id.matches('/').count() <= 1
        && id.split('/').all(is_name)
        && repository.chars().count() <= 96
        && !id.contains("--")
        && !id.contains("..")
        && !id.ends_with(".git");
    if is_id {
        return Ok(());
    }
    let message = format!("`{id}` is neither a folder that is there nor a model id such as `org/name`");
    Err(Error::new(ErrorKind::MissingFile, message))
}

/// A revision becomes a file name in the cache.
fn check_revision(id: &str, revision: &str) -> Result<()> {
    let is_part =
        |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', ':', '\0']);
    if revision.split('/').all(is_part) {
        return Ok(());
    }
    let message = format!("`{revision}` is no revision of `{id}`; give a branch, a tag or a commit");
    Err(Error::new(ErrorKind::Parameter, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_the_rules_of_the_hub() {
        for id in ["gpt2", "org/name", "Foo-BAR_foo.bar123", "123", "a/b.c-d_e"] {
            assert!(check_id(id).is_ok(), "{id}");
        }
        for id in ["", "a/b/c", ".a", "a.", "a--b", "a..b", "a.git", "a b", "/a", "a/", "-a/b", "a/b?c"] {
            assert!(check_id(id).is_err(), "{id}");
        }
        assert!(check_id(&"x".repeat(97)).is_err());
    }

    #[test]
    fn a_revision_stays_inside_the_cache() {
        for revision in ["main", "v1.0", "refs/pr/3", "feature/x"] {
            assert!(check_revision("a/b", revision).is_ok(), "{revision}");
        }
        for revision in ["", "../x", "/etc", "a//b", "a/../b", "c:\\x"] {
            assert!(check_revision("a/b", revision).is_err(), "{revision}");
        }
    }
}
