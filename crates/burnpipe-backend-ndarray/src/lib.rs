//! The plain CPU backend: Burn's ndarray, kept as a second opinion on the CPU. Burn 0.22 deprecates
//! it; use flex for work.
//!
//! ```
//! let (_device, info) = burnpipe_backend_ndarray::open(&"ndarray".parse()?)?;
//! assert_eq!(info.name, "ndarray");
//! assert!(burnpipe_backend_ndarray::open(&"ndarray:1".parse()?).is_err());
//! # Ok::<(), burnpipe_core::Error>(())
//! ```
//!
//! **Where it sits:** beside the other backend crates, under the facade, which picks one by name.
//!
//! **What it must not know:** models, tasks and the other backends.

#![forbid(unsafe_code)]

use burn::tensor::Device;
use burnpipe_core::{DType, DeviceInfo, DeviceRequest, Error, ErrorKind, Result};

/// Why it computes in f32 alone.
pub const DTYPE_NOTE: &str = "burn-ndarray has no 16-bit numbers; checkpoints in f16 or bf16 are cast";

/// Opens the CPU; its only index is 0.
///
/// # Errors
///
/// When another index or a kind of adapter is asked for.
pub fn open(request: &DeviceRequest) -> Result<(Device, DeviceInfo)> {
    if request.index() == 0 && request.kind().is_none() {
        #[expect(deprecated, reason = "the reference is wanted as long as Burn has it")]
        return Ok((Device::ndarray(), info()));
    }
    let message = format!("device `{request}` is not there: the CPU is one device, `ndarray`");
    Err(Error::new(ErrorKind::Device, message))
}

/// What is there: the CPU.
///
/// # Errors
///
/// None: the signature is that of every backend.
pub fn devices() -> Result<Vec<DeviceInfo>> {
    Ok(vec![info()])
}

fn info() -> DeviceInfo {
    let description = format!("CPU ({}), by burn-ndarray", std::env::consts::ARCH);
    DeviceInfo { name: "ndarray".into(), description, memory_bytes: None, dtypes: vec![DType::F32] }
}
