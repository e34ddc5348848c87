//! A checkpoint's `generation_config.json`.

use burnpipe_core::{ErrorContext, ErrorKind, ModelFiles, Result};
use burnpipe_hub::Checkpoint;
use serde_json::{Map, Value};

/// What the file says; `None` where there is none.
///
/// # Errors
///
/// When it is no JSON object.
pub(crate) fn read(checkpoint: &Checkpoint) -> Result<Option<Map<String, Value>>> {
    let Some(bytes) = ModelFiles::read(checkpoint, "generation_config.json")? else { return Ok(None) };
    let broken = || format!("`generation_config.json` of `{}` is no JSON object", checkpoint.name());
    serde_json::from_slice(&bytes).context(ErrorKind::Config, broken).map(Some)
}
