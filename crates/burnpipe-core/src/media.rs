//! Where an image or a sound is.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// An image or a sound that is not read yet.
#[derive(Clone, PartialEq, Eq)]
pub enum Media {
    /// A file.
    Path(PathBuf),
    /// An address that begins with `http://` or `https://`.
    Url(String),
    /// A `data:` URI, or the same in base64 alone, as Python's `load_image` takes it.
    Data(String),
    /// The bytes of a file.
    Bytes(Arc<[u8]>),
}

/// Texts longer than this are no path on any system, so they are data.
const LONGEST_PATH: usize = 4096;

impl From<&str> for Media {
    /// An address, a data URI or a path, by how it begins.
    ///
    /// ```
    /// use burnpipe_core::Media;
    ///
    /// assert_eq!(Media::from("cat.png"), Media::Path("cat.png".into()));
    /// assert_eq!(Media::from("https://x.org/cat.png"), Media::Url("https://x.org/cat.png".into()));
    /// ```
    fn from(text: &str) -> Self {
        if text.starts_with("http://") || text.starts_with("https://") {
            Self::Url(text.to_owned())
        } else if text.starts_with("data:") || text.len() > LONGEST_PATH {
            Self::Data(text.to_owned())
        } else {
            Self::Path(text.into())
        }
    }
}

impl From<PathBuf> for Media {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}

impl From<Vec<u8>> for Media {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

/// As messages name it.
impl fmt::Display for Media {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(formatter, "`{}`", path.display()),
            Self::Url(address) => write!(formatter, "`{address}`"),
            Self::Data(text) => write!(formatter, "a data URI of {} characters", text.len()),
            Self::Bytes(bytes) => write!(formatter, "{} bytes in memory", bytes.len()),
        }
    }
}

impl fmt::Debug for Media {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}
