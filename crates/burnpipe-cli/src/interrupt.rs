//! Ctrl-C.

use burnpipe::{Cancellation, ErrorKind, Result};
use burnpipe_core::ErrorContext;

use crate::INTERRUPTED;

/// From now on Ctrl-C lets the run finish its batch; a second one ends the program at once.
///
/// # Errors
///
/// When the system does not let us listen.
pub(crate) fn cancels(cancellation: &Cancellation) -> Result<()> {
    let cancellation = cancellation.clone();
    ctrlc::set_handler(move || {
        if cancellation.is_cancelled() {
            std::process::exit(INTERRUPTED.into());
        }
        cancellation.cancel();
    })
    .context(ErrorKind::Internal, || "cannot listen for Ctrl-C")
}
