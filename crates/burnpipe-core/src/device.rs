//! Devices and number types by name.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::{Error, ErrorKind, Result};

/// A device as the user asks for it: `"auto"`, `"cpu"`, `"flex"`, `"wgpu:1"`, `"cuda:0"`, or one of
/// Python's ids, where `-1` is the CPU and `0` is `cuda:0`.
///
/// ```
/// use burnpipe_core::DeviceRequest;
///
/// let request: DeviceRequest = "cuda:1".parse()?;
/// assert_eq!((request.backend(), request.index()), (Some("cuda"), 1));
/// assert_eq!(DeviceRequest::from(-1), "cpu".parse()?);
/// assert_eq!("auto".parse::<DeviceRequest>()?.backend(), None);
/// # Ok::<(), burnpipe_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct DeviceRequest {
    backend: Option<String>,
    index: usize,
}

impl DeviceRequest {
    /// The backend's name, or `None` for the best one there is.
    pub fn backend(&self) -> Option<&str> {
        self.backend.as_deref()
    }

    /// Which of the backend's devices, from 0.
    pub fn index(&self) -> usize {
        self.index
    }
}

impl FromStr for DeviceRequest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Ok(id) = text.parse::<i64>() {
            return Ok(Self::from(id));
        }
        if text == "auto" {
            return Ok(Self::default());
        }
        let (backend, index) = text.split_once(':').unwrap_or((text, "0"));
        let index = index.parse().map_err(|_| {
            let message = format!("device `{text}`: `{index}` is not a device number; write `{backend}:0`");
            Error::new(ErrorKind::Device, message)
        })?;
        Ok(Self { backend: Some(backend.to_ascii_lowercase()), index })
    }
}

/// As [`parse`](str::parse), for builders; a text that names no device is refused when it is opened.
impl From<&str> for DeviceRequest {
    fn from(text: &str) -> Self {
        text.parse().unwrap_or_else(|_| Self { backend: Some(text.to_string()), index: 0 })
    }
}

impl From<i64> for DeviceRequest {
    fn from(id: i64) -> Self {
        match usize::try_from(id) {
            Ok(index) => Self { backend: Some("cuda".into()), index },
            Err(_) => Self { backend: Some("cpu".into()), index: 0 },
        }
    }
}

impl fmt::Display for DeviceRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.backend, self.index) {
            (None, _) => formatter.write_str("auto"),
            (Some(backend), 0) => formatter.write_str(backend),
            (Some(backend), index) => write!(formatter, "{backend}:{index}"),
        }
    }
}

/// The number type a model computes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DType {
    /// 32 bits.
    F32,
    /// 16 bits, IEEE.
    F16,
    /// 16 bits with the range of 32.
    BF16,
}

impl DType {
    /// `f32`, `f16` or `bf16`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::BF16 => "bf16",
        }
    }
}

impl FromStr for DType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "f32" | "float32" => Ok(Self::F32),
            "f16" | "float16" => Ok(Self::F16),
            "bf16" | "bfloat16" => Ok(Self::BF16),
            _ => {
                let message = format!("unknown dtype `{text}`; known: `f32`, `f16`, `bf16`");
                Err(Error::new(ErrorKind::Parameter, message))
            }
        }
    }
}

/// What a backend says of one of its devices.
#[derive(Clone, Debug, Serialize)]
pub struct DeviceInfo {
    /// The name to ask for it by, such as `cpu` or `cuda:0`.
    pub name: String,
    /// What it is, for people.
    pub description: String,
    /// Its memory in bytes, where that can be known.
    pub memory_bytes: Option<u64>,
    /// The number types it computes in.
    pub dtypes: Vec<DType>,
}
