//! The CPU backend: Burn's flex, in Rust from end to end.
//!
//! ```
//! let (_device, info) = burnpipe_backend_flex::open(&"cpu".parse()?)?;
//! assert_eq!(info.name, "cpu");
//! assert!(burnpipe_backend_flex::open(&"cpu:1".parse()?).is_err());
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
pub const DTYPE_NOTE: &str =
    "16 bits are slower on the CPU and less exact; checkpoints in f16 or bf16 need no such option";

/// Opens the CPU; its only index is 0.
///
/// # Errors
///
/// When another index or a kind of adapter is asked for.
pub fn open(request: &DeviceRequest) -> Result<(Device, DeviceInfo)> {
    if request.index() == 0 && request.kind().is_none() {
        return Ok((Device::flex(), info()));
    }
    let message = format!("device `{request}` is not there: the CPU is one device, `cpu`");
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
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    let description = format!("CPU ({}), {threads} threads, by burn-flex", std::env::consts::ARCH);
    DeviceInfo { name: "cpu".into(), description, memory_bytes: None, dtypes: vec![DType::F32] }
}
