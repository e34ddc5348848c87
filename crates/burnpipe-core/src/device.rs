//! Devices and number types by name.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::{Error, ErrorKind, Result};

/// A device as the user asks for it: `"auto"`, `"cpu"`, `"flex"`, `"wgpu:1"`, `"cuda:0"`; a kind of
/// adapter, `"wgpu:integrated"`, `"wgpu:discrete:1"`, `"wgpu:cpu"`; or one of Python's ids, where
/// `-1` is the CPU and `0` is `cuda:0`.
///
/// ```
/// use burnpipe_core::{AdapterKind, DeviceRequest};
///
/// let request: DeviceRequest = "cuda:1".parse()?;
/// assert_eq!((request.backend(), request.index()), (Some("cuda"), 1));
/// let request: DeviceRequest = "wgpu:cpu".parse()?;
/// assert_eq!((request.backend(), request.kind()), (Some("wgpu"), Some(AdapterKind::Cpu)));
/// assert_eq!(DeviceRequest::from(-1), "cpu".parse()?);
/// assert_eq!("auto".parse::<DeviceRequest>()?.backend(), None);
/// # Ok::<(), burnpipe_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct DeviceRequest {
    backend: Option<String>,
    kind: Option<AdapterKind>,
    index: usize,
}

/// What kind of hardware a graphics API finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AdapterKind {
    /// A card with memory of its own.
    Discrete,
    /// Part of the processor.
    Integrated,
    /// Lent to a virtual machine.
    Virtual,
    /// The processor itself, playing a GPU. For tests: it is slower than the CPU backends.
    Cpu,
}

impl AdapterKind {
    /// Every kind, best first.
    pub const ALL: [Self; 4] = [Self::Discrete, Self::Integrated, Self::Virtual, Self::Cpu];

    /// `discrete`, `integrated`, `virtual` or `cpu`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Discrete => "discrete",
            Self::Integrated => "integrated",
            Self::Virtual => "virtual",
            Self::Cpu => "cpu",
        }
    }
}

impl DeviceRequest {
    /// The backend's name, or `None` for the best one there is.
    pub fn backend(&self) -> Option<&str> {
        self.backend.as_deref()
    }

    /// The kind of adapter, if one is asked for.
    pub fn kind(&self) -> Option<AdapterKind> {
        self.kind
    }

    /// Which of the backend's devices (of this kind, if one is asked for), from 0.
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
        let (backend, rest) =
            text.split_once(':').map_or((text, None), |(backend, rest)| (backend, Some(rest)));
        let of_name = |name: &str| AdapterKind::ALL.into_iter().find(|kind| kind.name() == name);
        let (kind, index) = match rest.map(|rest| rest.split_once(':').unwrap_or((rest, "0"))) {
            None => (None, "0"),
            Some((name, index)) if of_name(name).is_some() => (of_name(name), index),
            Some(_) => (None, rest.unwrap_or_default()),
        };
        let index = index.parse().map_err(|_| {
            let message = format!(
                "device `{text}`: `{index}` is neither a device number nor a kind of adapter; write `{backend}:0`"
            );
            Error::new(ErrorKind::Device, message)
        })?;
        Ok(Self { backend: Some(backend.to_ascii_lowercase()), kind, index })
    }
}

/// As [`parse`](str::parse), for builders; a text that names no device is refused when it is opened.
impl From<&str> for DeviceRequest {
    fn from(text: &str) -> Self {
        text.parse().unwrap_or_else(|_| Self { backend: Some(text.to_string()), ..Self::default() })
    }
}

impl From<i64> for DeviceRequest {
    fn from(id: i64) -> Self {
        match usize::try_from(id) {
            Ok(index) => Self { backend: Some("cuda".into()), kind: None, index },
            Err(_) => Self { backend: Some("cpu".into()), ..Self::default() },
        }
    }
}

impl fmt::Display for DeviceRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.backend.as_deref().unwrap_or("auto"))?;
        if let Some(kind) = self.kind {
            write!(formatter, ":{}", kind.name())?;
        }
        match self.index {
            0 => Ok(()),
            index => write!(formatter, ":{index}"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_written_as_it_is_read() {
        for text in ["auto", "cpu", "wgpu:1", "wgpu:discrete", "vulkan:integrated:1", "wgpu:cpu", "cuda"] {
            assert_eq!(text.parse::<DeviceRequest>().unwrap().to_string(), text);
        }
        assert_eq!("cuda:0".parse::<DeviceRequest>().unwrap().to_string(), "cuda");
        assert_eq!("1".parse::<DeviceRequest>().unwrap().to_string(), "cuda:1");
    }

    #[test]
    fn what_names_no_device_is_refused() {
        for text in ["wgpu:", "wgpu:fast", "wgpu:cpu:x", "wgpu:-1", "cuda:0:0"] {
            let error = text.parse::<DeviceRequest>().unwrap_err();
            assert!(error.to_string().contains(&format!("`{text}`")), "{error}");
        }
    }
}
