//! The table of backends, and devices by name.

use burn::tensor::Device;
use burnpipe_core::{DType, DeviceInfo, DeviceRequest, Error, ErrorKind, Result, quoted};
use burnpipe_nn::Placement;

/// A backend: built in, or the feature that would build it in.
struct Backend {
    name: &'static str,
    feature: &'static str,
    entry: Option<Entry>,
}

struct Entry {
    open: fn(&DeviceRequest) -> Result<(Device, DeviceInfo)>,
    /// What is there, or why nothing is.
    devices: fn() -> Result<Vec<DeviceInfo>>,
    /// Whether `auto` may take it on this machine.
    serves_auto: fn() -> bool,
    /// Whether a model computes in the type it was saved in unless told otherwise.
    keeps_dtype: bool,
    /// Why a number type may be missing.
    dtype_note: &'static str,
}

/// Every backend, best first; `auto` takes the first that serves it.
const BACKENDS: &[Backend] = &[
    Backend { name: "cuda", feature: "cuda", entry: CUDA },
    Backend { name: "wgpu", feature: "wgpu", entry: WGPU },
    Backend { name: "vulkan", feature: "vulkan", entry: VULKAN },
    Backend { name: "metal", feature: "metal", entry: METAL },
    Backend { name: "flex", feature: "flex", entry: FLEX },
    Backend { name: "ndarray", feature: "ndarray", entry: NDARRAY },
];

#[cfg(feature = "cuda")]
const CUDA: Option<Entry> = Some(Entry {
    open: burnpipe_backend_cuda::open,
    devices: burnpipe_backend_cuda::devices,
    serves_auto: burnpipe_backend_cuda::is_usable,
    keeps_dtype: true,
    dtype_note: burnpipe_backend_cuda::DTYPE_NOTE,
});
#[cfg(not(feature = "cuda"))]
const CUDA: Option<Entry> = None;

#[cfg(feature = "wgpu")]
const WGPU: Option<Entry> = Some(Entry {
    open: |request| burnpipe_backend_wgpu::open(burnpipe_backend_wgpu::Api::Any, request),
    devices: || burnpipe_backend_wgpu::devices(burnpipe_backend_wgpu::Api::Any),
    serves_auto: || burnpipe_backend_wgpu::has_gpu(burnpipe_backend_wgpu::Api::Any),
    keeps_dtype: false,
    dtype_note: burnpipe_backend_wgpu::DTYPE_NOTE,
});
#[cfg(not(feature = "wgpu"))]
const WGPU: Option<Entry> = None;

#[cfg(feature = "vulkan")]
const VULKAN: Option<Entry> = Some(Entry {
    open: |request| burnpipe_backend_wgpu::open(burnpipe_backend_wgpu::Api::Vulkan, request),
    devices: || burnpipe_backend_wgpu::devices(burnpipe_backend_wgpu::Api::Vulkan),
    // The same cards as `wgpu`.
    serves_auto: || false,
    keeps_dtype: false,
    dtype_note: burnpipe_backend_wgpu::DTYPE_NOTE,
});
#[cfg(not(feature = "vulkan"))]
const VULKAN: Option<Entry> = None;

#[cfg(feature = "metal")]
const METAL: Option<Entry> = Some(Entry {
    open: |request| burnpipe_backend_wgpu::open(burnpipe_backend_wgpu::Api::Metal, request),
    devices: || burnpipe_backend_wgpu::devices(burnpipe_backend_wgpu::Api::Metal),
    // The same cards as `wgpu`.
    serves_auto: || false,
    keeps_dtype: false,
    dtype_note: burnpipe_backend_wgpu::DTYPE_NOTE,
});
#[cfg(not(feature = "metal"))]
const METAL: Option<Entry> = None;

#[cfg(feature = "flex")]
const FLEX: Option<Entry> = Some(Entry {
    open: burnpipe_backend_flex::open,
    devices: burnpipe_backend_flex::devices,
    serves_auto: || true,
    keeps_dtype: false,
    dtype_note: burnpipe_backend_flex::DTYPE_NOTE,
});
#[cfg(not(feature = "flex"))]
const FLEX: Option<Entry> = None;

#[cfg(feature = "ndarray")]
const NDARRAY: Option<Entry> = Some(Entry {
    open: burnpipe_backend_ndarray::open,
    devices: burnpipe_backend_ndarray::devices,
    serves_auto: || true,
    keeps_dtype: false,
    dtype_note: burnpipe_backend_ndarray::DTYPE_NOTE,
});
#[cfg(not(feature = "ndarray"))]
const NDARRAY: Option<Entry> = None;

/// What a backend is to this build and this machine.
#[derive(Clone, Debug)]
pub struct BackendStatus {
    /// Its name, as in `--device`.
    pub name: &'static str,
    /// Whether this build has it.
    pub built_in: bool,
    /// Its devices.
    pub devices: Vec<DeviceInfo>,
    /// What is missing, if it has no device: the feature, the driver or the adapter.
    pub missing: Option<String>,
}

/// Every backend, with what is there or missing.
///
/// Devices are opened to be described: on a machine with GPUs this takes a moment.
pub fn backends() -> Vec<BackendStatus> {
    let status = |backend: &Backend| {
        let (devices, missing) = match &backend.entry {
            Some(entry) => match (entry.devices)() {
                Ok(devices) => (devices, None),
                Err(error) => (Vec::new(), Some(error.report())),
            },
            None => {
                let missing = format!("not in this build; build with the feature `{}`", backend.feature);
                (Vec::new(), Some(missing))
            }
        };
        BackendStatus { name: backend.name, built_in: backend.entry.is_some(), devices, missing }
    };
    BACKENDS.iter().map(status).collect()
}

/// Every device that a model can be put on.
pub fn devices() -> Vec<DeviceInfo> {
    backends().into_iter().flat_map(|backend| backend.devices).collect()
}

/// A device that is open, with its name and what it will compute in.
pub(crate) struct OpenDevice {
    pub(crate) name: String,
    pub(crate) dtype: DType,
    pub(crate) placement: Placement,
}

/// Opens a device, and settles the number type; nothing falls back silently.
///
/// `saved_in` is the number type that the checkpoint says it was saved in.
pub(crate) fn open(
    request: &DeviceRequest,
    dtype: Option<DType>,
    saved_in: Option<&str>,
) -> Result<OpenDevice> {
    let backend = match request.backend() {
        None => best()?,
        Some("cpu") => find("flex")?,
        Some(name) => find(name)?,
    };
    let Some(entry) = &backend.entry else {
        let message = format!(
            "device `{request}` needs a build with the feature `{}`; this build has: {}",
            backend.feature,
            built_in()
        );
        return Err(Error::new(ErrorKind::Device, message));
    };
    let (device, info) = (entry.open)(request)?;
    let saved_in = saved_in.filter(|_| entry.keeps_dtype).and_then(|name| name.parse::<DType>().ok());
    let saved_in = saved_in.filter(|dtype| info.dtypes.contains(dtype));
    let dtype = dtype.or(saved_in).unwrap_or(DType::F32);
    if !info.dtypes.contains(&dtype) {
        let known = quoted(info.dtypes.iter().map(|known| known.name()));
        let message = format!(
            "device `{}` does not compute in `{}` but in {known}: {}",
            info.name,
            dtype.name(),
            entry.dtype_note
        );
        return Err(Error::new(ErrorKind::Device, message));
    }
    let burn_dtype = match dtype {
        DType::F32 => burn::tensor::DType::F32,
        DType::F16 => burn::tensor::DType::F16,
        DType::BF16 => burn::tensor::DType::BF16,
    };
    Ok(OpenDevice { name: info.name, dtype, placement: Placement { device, dtype: burn_dtype } })
}

/// The best backend that this build has and this machine can use.
fn best() -> Result<&'static Backend> {
    let serves = |backend: &&Backend| backend.entry.as_ref().is_some_and(|entry| (entry.serves_auto)());
    BACKENDS.iter().find(serves).ok_or_else(|| {
        let message = match BACKENDS.iter().find_map(|backend| backend.entry.as_ref()) {
            Some(_) => format!(
                "no device was found; this build has {}, and `burnpipe devices` says what they lack; with the feature `flex` the CPU serves",
                built_in()
            ),
            None => "this build has no backend; build burnpipe with the feature `flex`".to_string(),
        };
        Error::new(ErrorKind::Device, message)
    })
}

fn find(name: &str) -> Result<&'static Backend> {
    BACKENDS.iter().find(|backend| backend.name == name).ok_or_else(|| {
        let message = format!(
            "unknown device `{name}`; known: `auto`, `cpu`, {}",
            quoted(BACKENDS.iter().map(|backend| backend.name))
        );
        Error::new(ErrorKind::Device, message)
    })
}

fn built_in() -> String {
    quoted(BACKENDS.iter().filter(|backend| backend.entry.is_some()).map(|backend| backend.name))
}
