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
    open: fn(usize) -> Result<Device>,
    devices: fn() -> Vec<DeviceInfo>,
}

/// Every backend, best first; `auto` takes the first device there is.
const BACKENDS: &[Backend] = &[Backend {
    name: "flex",
    feature: "flex",
    #[cfg(feature = "flex")]
    entry: Some(Entry { open: burnpipe_backend_flex::open, devices: burnpipe_backend_flex::devices }),
    #[cfg(not(feature = "flex"))]
    entry: None,
}];

/// What a backend is to this build.
#[derive(Clone, Debug)]
pub struct BackendStatus {
    /// Its name, as in `--device`.
    pub name: &'static str,
    /// Whether this build has it.
    pub built_in: bool,
    /// Its devices, or what is missing.
    pub note: String,
}

/// Every backend, with what is there or missing.
pub fn backends() -> Vec<BackendStatus> {
    let status = |backend: &Backend| match &backend.entry {
        Some(entry) => {
            let devices = (entry.devices)();
            let note = devices.iter().map(|device| device.name.as_str()).collect::<Vec<_>>().join(", ");
            BackendStatus { name: backend.name, built_in: true, note }
        }
        None => {
            let note = format!("not in this build; build with the feature `{}`", backend.feature);
            BackendStatus { name: backend.name, built_in: false, note }
        }
    };
    BACKENDS.iter().map(status).collect()
}

/// Every device that a model can be put on.
pub fn devices() -> Vec<DeviceInfo> {
    BACKENDS.iter().filter_map(|backend| backend.entry.as_ref()).flat_map(|entry| (entry.devices)()).collect()
}

/// A device that is open, with its name and what it will compute in.
pub(crate) struct OpenDevice {
    pub(crate) name: String,
    pub(crate) dtype: DType,
    pub(crate) placement: Placement,
}

/// Opens a device, and settles the number type; nothing falls back silently.
pub(crate) fn open(request: &DeviceRequest, dtype: Option<DType>) -> Result<OpenDevice> {
    let (backend, index) = match request.backend() {
        None => (first_built_in()?, 0),
        Some("cpu") => (find("flex")?, request.index()),
        Some(name) => (find(name)?, request.index()),
    };
    let Some(entry) = &backend.entry else {
        let message = format!(
            "device `{request}` needs a build with the feature `{}`; this build has: {}",
            backend.feature,
            built_in()
        );
        return Err(Error::new(ErrorKind::Device, message));
    };
    let device = (entry.open)(index)?;
    let info = (entry.devices)().into_iter().nth(index);
    let dtypes = info.as_ref().map(|info| info.dtypes.clone()).unwrap_or_default();
    let dtype = dtype.unwrap_or(DType::F32);
    if !dtypes.contains(&dtype) {
        let known = quoted(dtypes.iter().map(|known| known.name()));
        let message =
            format!("device `{request}` does not compute in `{}`; it computes in {known}", dtype.name());
        return Err(Error::new(ErrorKind::Device, message));
    }
    let burn_dtype = match dtype {
        DType::F32 => burn::tensor::DType::F32,
        DType::F16 => burn::tensor::DType::F16,
        DType::BF16 => burn::tensor::DType::BF16,
    };
    let name = info.map_or_else(|| request.to_string(), |info| info.name);
    Ok(OpenDevice { name, dtype, placement: Placement { device, dtype: burn_dtype } })
}

fn first_built_in() -> Result<&'static Backend> {
    BACKENDS.iter().find(|backend| backend.entry.is_some()).ok_or_else(|| {
        let message = "this build has no backend; build burnpipe with the feature `flex`";
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
