//! From the command line to a pipeline that is ready.

use std::num::NonZeroUsize;
use std::sync::Arc;

use burnpipe::{AnyPipeline, DType, DeviceRequest, Error, ErrorKind, OpenOptions, Result, TaskRecord};
use burnpipe_core::ErrorContext;

use crate::arguments::ModelArguments;
use crate::{bundled, progress};

/// Loads the model for a task.
///
/// # Errors
///
/// When the model, the device or the number type is not to be had.
pub(crate) fn load(task: &TaskRecord, arguments: &ModelArguments) -> Result<AnyPipeline> {
    let device: DeviceRequest = arguments.device.parse()?;
    let mut builder = burnpipe::pipeline(task.id).device(device).open_options(open_options());
    if arguments.dtype != "auto" {
        builder = builder.dtype(arguments.dtype.parse::<DType>()?);
    }
    match arguments.model.as_deref() {
        Some(bundled::NAME) if arguments.revision.is_some() => {
            let message = "the bundled model has no revisions; leave out `--revision`";
            return Err(Error::new(ErrorKind::Parameter, message));
        }
        Some(bundled::NAME) => builder = builder.checkpoint(bundled::checkpoint().ok_or_else(not_bundled)?),
        Some(model) => builder = builder.model(model),
        None => {}
    }
    if let Some(assistant) = &arguments.assistant_model {
        builder = builder.assistant_model(assistant);
    }
    if let Some(revision) = &arguments.revision {
        builder = builder.revision(revision);
    }
    builder.load()
}

/// How models are opened: by the environment, with progress bars where somebody watches.
pub(crate) fn open_options() -> OpenOptions {
    OpenOptions { progress: progress::downloads().map(|bars| Arc::new(bars) as _), ..OpenOptions::default() }
}

fn not_bundled() -> Error {
    let message =
        "this build carries no model; build with the feature `bundled`, or name a model or a folder";
    Error::new(ErrorKind::Unsupported, message)
}

/// Limits the CPU threads of the whole program.
///
/// # Errors
///
/// When the system does not give so many threads.
pub(crate) fn limit_threads(threads: Option<NonZeroUsize>) -> Result<()> {
    let Some(threads) = threads else { return Ok(()) };
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads.get())
        .build_global()
        .context(ErrorKind::Parameter, || format!("cannot start {threads} threads"))
}
