//! Reads images and sounds, wherever they are.

use std::sync::Arc;

use burnpipe_core::{Error, ErrorContext, ErrorKind, Media, Result};

/// The bytes of a file, an address or a data URI.
///
/// # Errors
///
/// When they cannot be read; the message names them.
pub(crate) fn read_media(media: &Media, _timeout: Option<f64>) -> Result<Arc<[u8]>> {
    match media {
        Media::Bytes(bytes) => Ok(Arc::clone(bytes)),
        Media::Path(path) => {
            let bytes = std::fs::read(path).context(ErrorKind::Input, || format!("cannot read {media}"))?;
            Ok(bytes.into())
        }
        Media::Url(_) | Media::Data(_) => {
            Err(Error::new(ErrorKind::Unsupported, format!("cannot read {media} yet")))
        }
    }
}
