//! A model id or a folder becomes a [`Checkpoint`]: its files, its `config.json`, its weight files.
//!
//! ```
//! # fn main() -> burnpipe_hub::Result<()> {
//! use burnpipe_hub::Checkpoint;
//!
//! # let folder = &std::env::temp_dir().join(format!("burnpipe-hub-doc-{}", std::process::id()));
//! # let _ = std::fs::create_dir_all(folder);
//! # let _ = std::fs::write(folder.join("config.json"), r#"{"model_type": "bert", "num_labels": 3}"#);
//! let model = Checkpoint::from_folder(folder)?;
//! assert_eq!(model.config()?.model_type()?, "bert");
//! assert_eq!(model.config()?.labels()?.get(2), Some("LABEL_2"));
//! assert!(model.read("tokenizer.json")?.is_none());
//! # let _ = std::fs::remove_dir_all(folder);
//! # Ok(())
//! # }
//! ```
//!
//! **Where it sits.** Above `burnpipe-core`, whose [`ModelFiles`](burnpipe_core::ModelFiles) it
//! implements; tokenizers, processors and models read their files through that trait and never ask
//! where a file came from. It is the only crate that opens a connection, and does so, with the feature
//! `hub` (on by default), only for a model id when the cache lacks something, and for the address of an image or a
//! sound.
//!
//! **What it must not know.** No tensor, no task, no architecture: a file's bytes go out as they are.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod cache;
mod checkpoint;
mod config;
mod download;
mod environment;
mod fetch;
mod folder;
mod labels;
mod model_card;
mod options;
mod weights;

pub use burnpipe_core::{Error, ErrorKind, Result};
pub use checkpoint::{Checkpoint, FileSource};
pub use config::Config;
pub use download::download;
pub use environment::{DEFAULT_ENDPOINT, HubSettings};
pub use fetch::{FetchLimits, fetch};
pub use labels::Labels;
pub use options::{DownloadProgress, OpenOptions, Retries};
pub use weights::{WeightFile, WeightFiles, WeightFormat};

#[cfg(feature = "hub")]
mod hub;

/// The error for a model id in a build that cannot reach the Hub.
#[cfg(not(feature = "hub"))]
pub(crate) fn without_hub(id: &str) -> Error {
    let message = format!(
        "`{id}` is not a folder, and this build cannot download models; \
         build with the feature `hub` or give a folder"
    );
    Error::new(ErrorKind::Unsupported, message)
}
