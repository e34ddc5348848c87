//! GPUs by their graphics APIs (Vulkan, Metal, DirectX 12, OpenGL): Burn's wgpu devices.
//!
//! ```no_run
//! use burnpipe_backend_wgpu::{Api, devices, open};
//!
//! for device in devices(Api::Any)? {
//!     println!("{}: {}", device.name, device.description);
//! }
//! let (_device, info) = open(Api::Any, &"wgpu:discrete".parse()?)?;
//! println!("opened {}", info.description);
//! # Ok::<(), burnpipe_core::Error>(())
//! ```
//!
//! Real GPUs are numbered, discrete ones first; the processor playing a GPU (lavapipe, SwiftShader,
//! WARP) has no number and is only opened by its kind, `wgpu:cpu`.
//!
//! **Where it sits:** beside the other backend crates, under the facade, which picks one by name.
//!
//! **What it must not know:** models, tasks and the other backends.

#![forbid(unsafe_code)]

use std::sync::{Mutex, PoisonError};

use burn::backend::{CubeDevice, DispatchDevice, WgpuBackend, WgpuDeviceKind};
use burn::tensor::wgpu::WgpuInitError;
use burn::tensor::{Device, DeviceKind, DeviceType};
use burnpipe_core::{AdapterKind, DType, DeviceInfo, DeviceRequest, Error, ErrorKind, Result, quoted};

/// Why a device may lack a number type.
pub const DTYPE_NOTE: &str =
    "16-bit arithmetic is the driver's to offer, and graphics APIs have none for bf16";

/// The graphics API that a device is reached by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// The best that the machine has.
    Any,
    /// Vulkan, by SPIR-V where the driver can.
    #[cfg(feature = "vulkan")]
    Vulkan,
    /// Metal, by MSL.
    #[cfg(feature = "metal")]
    Metal,
}

impl Api {
    /// The backend's name, as in `--device`.
    fn name(self) -> &'static str {
        match self {
            Self::Any => "wgpu",
            #[cfg(feature = "vulkan")]
            Self::Vulkan => "vulkan",
            #[cfg(feature = "metal")]
            Self::Metal => "metal",
        }
    }

    fn device_type(self) -> DeviceType {
        match self {
            Self::Any => DeviceType::Wgpu,
            #[cfg(feature = "vulkan")]
            Self::Vulkan => DeviceType::Vulkan,
            #[cfg(feature = "metal")]
            Self::Metal => DeviceType::Metal,
        }
    }

    fn pinned(self) -> WgpuBackend {
        match self {
            Self::Any => WgpuBackend::Auto,
            #[cfg(feature = "vulkan")]
            Self::Vulkan => WgpuBackend::Vulkan,
            #[cfg(feature = "metal")]
            Self::Metal => WgpuBackend::Metal,
        }
    }
}

/// Opens a device by its number or its kind.
///
/// # Errors
///
/// When there is no such device, or its driver refuses.
pub fn open(api: Api, request: &DeviceRequest) -> Result<(Device, DeviceInfo)> {
    let adapters = adapters(api);
    let of_kind = |adapter: &&Adapter| match request.kind() {
        Some(kind) => adapter.kind == kind,
        None => adapter.kind != AdapterKind::Cpu,
    };
    match adapters.iter().filter(of_kind).nth(request.index()) {
        Some(adapter) => adapter.open(api),
        None => Err(Error::new(ErrorKind::Device, nothing_for(request, api, &adapters))),
    }
}

/// Every adapter that opens, best first.
///
/// # Errors
///
/// When there is none; the message says what would bring one.
pub fn devices(api: Api) -> Result<Vec<DeviceInfo>> {
    let adapters = adapters(api);
    if adapters.is_empty() {
        return Err(Error::new(ErrorKind::Device, no_adapter(api)));
    }
    adapters.iter().map(|adapter| adapter.open(api).map(|(_, info)| info)).collect()
}

/// Whether there is a real GPU, without opening it.
pub fn has_gpu(api: Api) -> bool {
    adapters(api).iter().any(|adapter| adapter.kind != AdapterKind::Cpu)
}

/// What the machine has, not opened.
struct Adapter {
    /// The name to ask for it by.
    name: String,
    kind: AdapterKind,
    device_kind: DeviceKind,
}

/// Every adapter, real GPUs first, discrete ones before the others.
fn adapters(api: Api) -> Vec<Adapter> {
    let found = Device::enumerate(api.device_type()).into_iter().filter_map(|device| kind_of(&device));
    let mut found: Vec<(AdapterKind, DeviceKind)> = found.collect();
    found.sort_by_key(|(kind, _)| *kind);
    let named = found.into_iter().enumerate().map(|(index, (kind, device_kind))| {
        let name = match (kind, index) {
            (AdapterKind::Cpu, _) => format!("{}:{}", api.name(), kind.name()),
            (_, index) => format!("{}:{index}", api.name()),
        };
        Adapter { name, kind, device_kind }
    });
    named.collect()
}

fn kind_of(device: &Device) -> Option<(AdapterKind, DeviceKind)> {
    let DispatchDevice::Cube(CubeDevice::Wgpu(device)) = device.as_dispatch() else { return None };
    match device.kind {
        WgpuDeviceKind::DiscreteGpu(index) => Some((AdapterKind::Discrete, DeviceKind::DiscreteGpu(index))),
        WgpuDeviceKind::IntegratedGpu(index) => {
            Some((AdapterKind::Integrated, DeviceKind::IntegratedGpu(index)))
        }
        WgpuDeviceKind::VirtualGpu(index) => Some((AdapterKind::Virtual, DeviceKind::VirtualGpu(index))),
        WgpuDeviceKind::Cpu => Some((AdapterKind::Cpu, DeviceKind::Cpu)),
        // Adapters that do not say what they are have no constructor in Burn.
        _ => None,
    }
}

/// Devices that this process has opened: Burn opens each once, and then it stays.
static OPENED: Mutex<Vec<Device>> = Mutex::new(Vec::new());

impl Adapter {
    fn open(&self, api: Api) -> Result<(Device, DeviceInfo)> {
        // Held while opening: two threads that open one adapter would both acquire it.
        let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        let known = opened.iter().find(|device| self.is_of(api, device)).cloned();
        let device = match known {
            Some(device) => device,
            None => {
                let device = self.acquire(api)?;
                opened.push(device.clone());
                device
            }
        };
        let info = self.info(&device);
        Ok((device, info))
    }

    fn is_of(&self, api: Api, device: &Device) -> bool {
        let on_api = matches!(
            device.as_dispatch(),
            DispatchDevice::Cube(CubeDevice::Wgpu(device)) if device.backend == api.pinned()
        );
        on_api && kind_of(device).is_some_and(|(_, device_kind)| device_kind == self.device_kind)
    }

    fn acquire(&self, api: Api) -> Result<Device> {
        let options = Device::wgpu_options().device_kind(self.device_kind.clone()).graphics_api(api.pinned());
        match options.init() {
            Ok(device) => Ok(device),
            // Another user of Burn in this process opened it first.
            Err(WgpuInitError::Registration { .. }) => Device::enumerate(api.device_type())
                .into_iter()
                .find(|device| self.is_of(api, device))
                .ok_or_else(|| Error::new(ErrorKind::Device, format!("device `{}` went away", self.name))),
            Err(error) => {
                let message = format!(
                    "device `{}` is there and cannot be opened; check its driver, or take `--device cpu`",
                    self.name
                );
                Err(Error::new(ErrorKind::Device, message).with_source(error))
            }
        }
    }

    fn info(&self, device: &Device) -> DeviceInfo {
        let name = device.identity().map_or_else(|| "unknown adapter".to_string(), |identity| identity.name);
        let kind = match self.kind {
            AdapterKind::Discrete => "discrete GPU",
            AdapterKind::Integrated => "integrated GPU",
            AdapterKind::Virtual => "virtual GPU",
            AdapterKind::Cpu => "the processor playing a GPU: slow, for tests",
        };
        let memory_bytes = match device.as_dispatch() {
            DispatchDevice::Cube(device) => device.client().properties().memory.max_memory(),
            #[allow(unreachable_patterns, reason = "other backends may be in the build")]
            _ => None,
        };
        let computes = |dtype: &DType| {
            device.supports_dtype(match dtype {
                DType::F32 => burn::tensor::DType::F32,
                DType::F16 => burn::tensor::DType::F16,
                DType::BF16 => burn::tensor::DType::BF16,
            })
        };
        let dtypes = [DType::F32, DType::F16, DType::BF16].into_iter().filter(computes).collect();
        DeviceInfo {
            name: self.name.clone(),
            description: format!("{name} ({kind}), by burn-wgpu"),
            memory_bytes,
            dtypes,
        }
    }
}

fn nothing_for(request: &DeviceRequest, api: Api, adapters: &[Adapter]) -> String {
    match adapters {
        [] => format!("device `{request}` is not there: {}", no_adapter(api)),
        [only] if only.kind == AdapterKind::Cpu => format!(
            "device `{request}` is not there: the only adapter is the processor playing a GPU, `{}`, which is slower than `cpu`",
            only.name
        ),
        adapters => format!(
            "device `{request}` is not there; this machine has {}",
            quoted(adapters.iter().map(|adapter| adapter.name.as_str()))
        ),
    }
}

fn no_adapter(api: Api) -> String {
    let api = match api {
        Api::Any if cfg!(target_os = "macos") => "Metal",
        Api::Any if cfg!(windows) => "DirectX 12 or Vulkan",
        Api::Any => "Vulkan",
        #[cfg(feature = "vulkan")]
        Api::Vulkan => "Vulkan",
        #[cfg(feature = "metal")]
        Api::Metal => "Metal",
    };
    format!("no graphics adapter was found; install the {api} driver of the graphics card")
}
