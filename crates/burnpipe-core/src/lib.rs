//! The vocabulary of burnpipe: [`Error`], [`Task`], the driver [`Pipeline`] with its erased and
//! async faces, devices and number types by name.
//!
//! ```
//! use burnpipe_core::{DeviceRequest, ErrorKind};
//!
//! let request: DeviceRequest = "wgpu:1".parse()?;
//! assert_eq!(request.index(), 1);
//! let error = "wgpu:first".parse::<DeviceRequest>().unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::Device);
//! # Ok::<(), burnpipe_core::Error>(())
//! ```
//!
//! **Where it sits:** at the bottom; every other crate of the workspace uses it.
//!
//! **What it must not know:** tensors, files, networks, and any single task or model.

#![forbid(unsafe_code)]

mod any;
mod device;
mod error;
mod files;
mod media;
mod output;
mod pipeline;
mod processor_config;
mod suggestion;
mod task;
mod worker;

pub use any::{
    About, AnyPipeline, JsonAnswers, JsonStream, JsonTask, RunOptions, check_parameters, parse_parameters,
};
pub use device::{AdapterKind, DType, DeviceInfo, DeviceRequest};
pub use error::{Error, ErrorContext, ErrorKind, Result};
pub use files::ModelFiles;
pub use media::Media;
pub use output::Label;
pub use pipeline::{Answers, Cancellation, Pipeline};
pub use processor_config::ProcessorConfig;
pub use suggestion::{quoted, suggestion};
pub use task::{BoxedSession, Piece, Pieces, Session, StreamingTask, Task};
pub use worker::{AsyncPipeline, PieceStream, Worker};
