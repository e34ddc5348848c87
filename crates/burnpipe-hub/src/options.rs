//! What the caller may say about the Hub, and what the environment says where the caller is silent.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How to reach the Hub and its cache. Everything left out comes from the environment, by the same
/// variables that Python's `huggingface_hub` reads.
///
/// ```
/// use burnpipe_hub::OpenOptions;
///
/// let options = OpenOptions { revision: Some("v1.0".into()), offline: Some(true), ..OpenOptions::default() };
/// assert!(options.token.is_none());
/// ```
#[derive(Clone, Default)]
pub struct OpenOptions {
    /// A branch, a tag or a commit; `main` when left out.
    pub revision: Option<String>,
    /// The folder of the cache (the one that holds `models--org--name`), else `HF_HUB_CACHE`,
    /// `HF_HOME/hub` or `~/.cache/huggingface/hub`.
    pub cache_dir: Option<PathBuf>,
    /// An access token, else `HF_TOKEN` or the file that `hf auth login` wrote.
    pub token: Option<String>,
    /// The address of the Hub, else `HF_ENDPOINT` or `https://huggingface.co`.
    pub endpoint: Option<String>,
    /// Whether to use the cache only and open no connection, else `HF_HUB_OFFLINE`.
    pub offline: Option<bool>,
    /// Who is told about downloads.
    pub progress: Option<Arc<dyn DownloadProgress>>,
    /// How often a failed request is made again.
    pub retries: Retries,
}

impl fmt::Debug for OpenOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OpenOptions")
            .field("revision", &self.revision)
            .field("cache_dir", &self.cache_dir)
            // A token in a log is a token lost.
            .field("token", &self.token.as_ref().map(|_| "***"))
            .field("endpoint", &self.endpoint)
            .field("offline", &self.offline)
            .field("progress", &self.progress.is_some())
            .field("retries", &self.retries)
            .finish()
    }
}

/// Told about each file while it is downloaded. Files come one after the other.
pub trait DownloadProgress: Send + Sync {
    /// A file begins; `total` is its size when the Hub says it.
    fn start(&self, file: &str, total: Option<u64>);
    /// So many more bytes of it are on the disk. What an earlier, interrupted download left behind
    /// comes as the first step.
    fn advance(&self, bytes: u64);
    /// The file is over: complete, or given up.
    fn finish(&self);
}

/// How often a request that failed for a passing reason (no answer, 429, 5xx) is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// So many times after the first one.
    pub count: u32,
    /// The wait before the first repetition; it doubles each time.
    pub first_wait: Duration,
    /// No wait is longer, whatever a `Retry-After` asks for.
    pub longest_wait: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self { count: 4, first_wait: Duration::from_millis(500), longest_wait: Duration::from_secs(30) }
    }
}
