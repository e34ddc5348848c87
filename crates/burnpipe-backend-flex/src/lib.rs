//! The CPU backend: Burn's flex, in Rust from end to end.
//!
//! ```
//! let device = burnpipe_backend_flex::open(0)?;
//! assert!(burnpipe_backend_flex::open(1).is_err());
//! # let _ = device;
//! # Ok::<(), burnpipe_core::Error>(())
//! ```
//!
//! **Where it sits:** beside the other backend crates, under the facade, which picks one by name.
//!
//! **What it must not know:** models, tasks and the other backends.

#![forbid(unsafe_code)]

use burn::tensor::Device;
use burnpipe_core::{DType, DeviceInfo, Error, ErrorKind, Result};

/// Opens the CPU; its only index is 0.
///
/// # Errors
///
/// When another index is asked for.
pub fn open(index: usize) -> Result<Device> {
    if index == 0 {
        return Ok(Device::flex());
    }
    let message = format!("device `cpu:{index}` is not there: the CPU is one device, `cpu`");
    Err(Error::new(ErrorKind::Device, message))
}

/// What is there: the CPU.
pub fn devices() -> Vec<DeviceInfo> {
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    let description = format!("CPU ({}), {threads} threads, by burn-flex", std::env::consts::ARCH);
    vec![DeviceInfo { name: "cpu".into(), description, memory_bytes: None, dtypes: vec![DType::F32] }]
}
