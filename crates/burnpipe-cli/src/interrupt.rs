//! Ctrl-C.

use std::sync::{Arc, Mutex, PoisonError};

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

/// From now on Ctrl-C ends the answer that was begun last; without one it ends the program. What comes back gives a
/// cancellation for each new answer.
///
/// # Errors
///
/// When the system does not let us listen.
pub(crate) fn stops_answers() -> Result<impl Fn() -> Cancellation> {
    let current = Arc::new(Mutex::new(None::<Cancellation>));
    let seen = Arc::clone(&current);
    ctrlc::set_handler(move || {
        match seen.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // A stream that has ended holds no clone of it any more.
            Some(cancellation) if !cancellation.is_cancelled() => cancellation.cancel(),
            _ => std::process::exit(INTERRUPTED.into()),
        }
    })
    .context(ErrorKind::Internal, || "cannot listen for Ctrl-C")?;
    Ok(move || {
        let cancellation = Cancellation::default();
        *current.lock().unwrap_or_else(PoisonError::into_inner) = Some(cancellation.clone());
        cancellation
    })
}
