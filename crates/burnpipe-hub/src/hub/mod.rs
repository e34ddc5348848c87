//! Models of the Hub: what is in the cache, and how the rest gets there.

use std::path::PathBuf;

use burnpipe_core::{Error, ErrorKind, Result};

use crate::OpenOptions;

/// One commit of a repository, as far as it is in the cache.
pub(crate) struct Snapshot {
    commit: String,
}

impl Snapshot {
    pub(crate) fn open(id: &str, _options: &OpenOptions) -> Result<Self> {
        Err(Error::new(
            ErrorKind::Unsupported,
            format!("`{id}` is not a folder; downloads are not there yet"),
        ))
    }

    pub(crate) fn commit(&self) -> &str {
        &self.commit
    }

    pub(crate) fn has(&self, file: &str) -> Result<bool> {
        Ok(self.file(file)?.is_some())
    }

    pub(crate) fn file(&self, _file: &str) -> Result<Option<PathBuf>> {
        Ok(None)
    }

    pub(crate) fn files(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    pub(crate) fn pipeline_tag(&self) -> Option<String> {
        None
    }

    pub(crate) fn place(&self) -> String {
        String::new()
    }
}
