//! Fetching what is at an address: an image or a sound somewhere on the web, which has nothing to do with the Hub.

use std::time::Duration;

use burnpipe_core::Result;

/// How long to wait for an address, and how much to take from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchLimits {
    /// How long to wait for the name, for a connection, and for each of its next bytes; `None` for what downloads of
    /// models have, 10 and 30 seconds. Longer than a day is a day; all bytes together may take an hour, or this if it is
    /// longer.
    pub timeout: Option<Duration>,
    /// The most bytes that are read.
    pub bytes: u64,
}

/// Gets the bytes at an address that begins with `http://` or `https://`, over its redirects. The token for the Hub goes
/// nowhere.
///
/// # Errors
///
/// When nobody answers in time, the answer is a refusal, or it is larger than allowed; the message names the address.
#[cfg(feature = "hub")]
pub fn fetch(address: &str, limits: &FetchLimits) -> Result<Vec<u8>> {
    crate::hub::fetch(address, limits)
}

/// Gets the bytes at an address; this build cannot.
///
/// # Errors
///
/// Always: the feature `hub` is off.
#[cfg(not(feature = "hub"))]
pub fn fetch(address: &str, _limits: &FetchLimits) -> Result<Vec<u8>> {
    let message = format!(
        "cannot fetch `{address}`: this build opens no connections; build with the feature `hub` or give a file"
    );
    Err(crate::Error::new(crate::ErrorKind::Unsupported, message))
}
