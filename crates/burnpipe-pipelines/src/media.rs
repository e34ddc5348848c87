//! Reads images and sounds, wherever they are.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use burnpipe_core::{Error, ErrorKind, Media, Result};
use burnpipe_hub::{FetchLimits, fetch};
use burnpipe_image::decode_base64;

/// The most bytes of a file or an address: hours of compressed sound, and far more than any image.
const MOST_BYTES: u64 = 1 << 30;

/// A text shorter than this is the path of a file that is not there rather than the base64 of one.
const SHORTEST_DATA: usize = 64;

/// The bytes of a file, an address or a data URI.
///
/// # Errors
///
/// When they cannot be read, or are more than 1 GiB; the message names them.
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
    let error = match read_at_most(path, MOST_BYTES) {
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

/// A file no longer than `most` bytes; what stands at a path may have no end.
fn read_at_most(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!("it has more than the {most} bytes that are read")));
    }
    Ok(bytes)
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
    fn files_without_an_end_are_not_read_forever() {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let length = std::fs::metadata(&manifest).unwrap().len();
        assert_eq!(read_at_most(&manifest, length).unwrap().len() as u64, length);
        assert!(read_at_most(&manifest, length - 1).is_err());
        #[cfg(unix)]
        assert!(read_at_most(Path::new("/dev/zero"), 1 << 16).unwrap_err().to_string().contains("65536"));
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
