//! Reads images and sounds, wherever they are.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use burnpipe_core::{Error, ErrorKind, Media, Result};
use burnpipe_hub::{FetchLimits, fetch};
use burnpipe_image::decode_base64;
use serde::{Deserialize, Deserializer, de};

/// The most bytes that are fetched from an address: hours of compressed sound, and far more than any image.
const MOST_BYTES: u64 = 1 << 30;

/// A text shorter than this is the path of a file that is not there rather than the base64 of one.
const SHORTEST_DATA: usize = 64;

/// The bytes of a file, an address or a data URI.
///
/// # Errors
///
/// When they cannot be read; the message names them.
pub(crate) fn read_media(media: &Media, timeout: Option<Duration>) -> Result<Arc<[u8]>> {
    match media {
        Media::Bytes(bytes) => Ok(Arc::clone(bytes)),
        Media::Path(path) => read_file(path, media),
        Media::Url(address) => Ok(fetch(address, &FetchLimits { timeout, bytes: MOST_BYTES })?.into()),
        Media::Data(text) => Ok(decode_base64(text)?.into()),
    }
}

/// A file; or, where there is none and the name is long, what that is the base64 of, which Python takes too.
fn read_file(path: &Path, media: &Media) -> Result<Arc<[u8]>> {
    let error = match std::fs::read(path) {
        Ok(bytes) => return Ok(bytes.into()),
        Err(error) => error,
    };
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\n');
    let encoded = path.to_str().filter(|text| text.len() >= SHORTEST_DATA && text.bytes().all(is_digit));
    if let Some(Ok(bytes)) = encoded.filter(|_| !path.exists()).map(decode_base64) {
        return Ok(bytes.into());
    }
    Err(Error::new(ErrorKind::Input, format!("cannot read {media}")).with_source(error))
}

/// Reads the parameter `timeout`: seconds to wait for an address.
pub(crate) fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let Some(seconds) = Option::<f64>::deserialize(deserializer)? else { return Ok(None) };
    let duration = Duration::try_from_secs_f64(seconds).ok().filter(|duration| !duration.is_zero());
    let wrong = || de::Error::custom(format!("`{seconds}` is not a number of seconds above 0"));
    duration.map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(media: &str) -> Result<Arc<[u8]>> {
        read_media(&Media::from(media), None)
    }

    #[test]
    fn files_data_uris_and_base64_alone_are_read() {
        let folder = std::env::temp_dir().join(format!("burnpipe-media-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("a file.png");
        std::fs::write(&path, b"bytes").unwrap();
        assert_eq!(*read(path.to_str().unwrap()).unwrap(), *b"bytes");
        std::fs::remove_dir_all(&folder).unwrap();

        for data in ["data:image/png;base64,Ynl0ZXM=", "data:,Ynl0ZXM="] {
            assert_eq!(*read(data).unwrap(), *b"bytes", "{data}");
        }
        assert_eq!(*read(&"Ynl0".repeat(30)).unwrap(), *b"byt".repeat(30));
        assert_eq!(*read(&"Ynl0".repeat(3000)).unwrap(), *b"byt".repeat(3000));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (media, part) in [
            ("no such file.png", "`no such file.png`"),
            ("nosuchfile12", "`nosuchfile12`"),
            ("", "``"),
            ("\0", "cannot read"),
            ("data:image/png;base64,Ynl0Z", "base64"),
        ] {
            let error = read(media).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Input, "{media}");
            assert!(error.to_string().contains(part), "{media}: {error}");
        }
    }
}
