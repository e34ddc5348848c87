//! NVIDIA GPUs: Burn's CUDA devices.
//!
//! ```no_run
//! for device in burnpipe_backend_cuda::devices()? {
//!     println!("{}: {}", device.name, device.description);
//! }
//! let (_device, info) = burnpipe_backend_cuda::open(&"cuda:0".parse()?)?;
//! println!("opened {}", info.description);
//! # Ok::<(), burnpipe_core::Error>(())
//! ```
//!
//! Neither the build nor the start of a program needs CUDA. At run time it takes NVIDIA's driver, and
//! one file of the CUDA toolkit, `libdevice.10.bc`, which holds exp, tanh and erf.
//!
//! **Where it sits:** beside the other backend crates, under the facade, which picks one by name.
//!
//! **What it must not know:** models, tasks and the other backends.

#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use burn::backend::{CubeDevice, DispatchDevice};
use burn::tensor::{Device, DeviceType};
use burnpipe_core::{DType, DeviceInfo, DeviceRequest, Error, ErrorKind, Result};

/// Why a device may lack a number type.
pub const DTYPE_NOTE: &str = "the GPU is too old for it";

/// Where CubeCL looks for the toolkit when `CUDA_PATH` does not say.
const TOOLKITS: [&str; 4] = ["/usr/local/cuda", "/opt/cuda", "/usr/lib/cuda", "/usr"];

/// The toolkit's file with the functions that the GPU has no instruction for.
const LIBDEVICE: &str = "nvvm/libdevice/libdevice.10.bc";

/// Opens a GPU by its number.
///
/// # Errors
///
/// When there is no such GPU, or the driver or the toolkit's file is missing.
pub fn open(request: &DeviceRequest) -> Result<(Device, DeviceInfo)> {
    let count = count();
    if request.kind().is_some() || request.index() >= count {
        let message = match count {
            0 => format!("device `{request}` is not there: {NO_GPU}"),
            1 => format!("device `{request}` is not there; this machine has `cuda:0`"),
            count => {
                format!("device `{request}` is not there; this machine has `cuda:0` to `cuda:{}`", count - 1)
            }
        };
        return Err(Error::new(ErrorKind::Device, message));
    }
    if libdevice(std::env::var_os("CUDA_PATH").map(PathBuf::from).as_deref()).is_none() {
        return Err(Error::new(
            ErrorKind::Device,
            format!("device `{request}` cannot be used: {NO_LIBDEVICE}"),
        ));
    }
    let device = Device::cuda(request.index());
    let info = info(request.index(), &device);
    Ok((device, info))
}

/// Every GPU.
///
/// # Errors
///
/// When there is none, or something that they need is missing; the message says what.
pub fn devices() -> Result<Vec<DeviceInfo>> {
    let count = count();
    let missing = match count {
        0 => Some(NO_GPU),
        _ if !is_usable() => Some(NO_LIBDEVICE),
        _ => None,
    };
    if let Some(missing) = missing {
        return Err(Error::new(ErrorKind::Device, missing));
    }
    Ok((0..count).map(|index| info(index, &Device::cuda(index))).collect())
}

/// Whether there is a GPU and everything that it needs.
pub fn is_usable() -> bool {
    count() > 0 && libdevice(std::env::var_os("CUDA_PATH").map(PathBuf::from).as_deref()).is_some()
}

const NO_GPU: &str =
    "no NVIDIA GPU was found; its driver (libcuda) must be installed and `nvidia-smi` must list it";
const NO_LIBDEVICE: &str = "`libdevice.10.bc` of the CUDA toolkit was not found; install the toolkit (its nvcc package is enough) or set CUDA_PATH to it";

fn count() -> usize {
    Device::enumerate(DeviceType::Cuda).into_iter().count()
}

/// The toolkit's file, in the places where CubeCL looks for it.
fn libdevice(cuda_path: Option<&Path>) -> Option<PathBuf> {
    let folders = match cuda_path {
        Some(folder) => vec![folder],
        None => TOOLKITS.map(Path::new).to_vec(),
    };
    folders.into_iter().map(|folder| folder.join(LIBDEVICE)).find(|file| file.is_file())
}

fn info(index: usize, device: &Device) -> DeviceInfo {
    let name = device.identity().map_or_else(|| "NVIDIA GPU".to_string(), |identity| identity.name);
    let memory_bytes = match device.as_dispatch() {
        DispatchDevice::Cube(device @ CubeDevice::Cuda(_)) => {
            device.client().properties().memory.max_memory()
        }
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
        name: format!("cuda:{index}"),
        description: format!("{name}, by burn-cuda"),
        memory_bytes,
        dtypes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_a_gpu_is_told_what_is_missing() {
        if count() > 0 {
            return;
        }
        let error = open(&"cuda:0".parse().unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Device);
        assert!(error.to_string().contains("driver"), "{error}");
        assert!(devices().is_err() && !is_usable());
    }

    #[test]
    fn the_toolkit_is_looked_for_where_cuda_path_says() {
        assert_eq!(libdevice(Some(Path::new("/no/such/toolkit"))), None);
    }
}
