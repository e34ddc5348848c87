//! Panics become errors of our own.

use std::panic::{self, UnwindSafe};
use std::sync::{Mutex, PoisonError};

use burnpipe::{Error, ErrorKind, Result};

/// What the last panic said, and where.
static LAST_PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Runs the program. A panic that nothing else catches is an error of one line.
///
/// The driver turns panics of a model into errors of their input, so a panic by itself prints
/// nothing, unless `RUST_BACKTRACE` asks for it.
pub(crate) fn caught<T>(run: impl FnOnce() -> Result<T> + UnwindSafe) -> Result<T> {
    if std::env::var_os("RUST_BACKTRACE").is_none_or(|value| value == "0") {
        panic::set_hook(Box::new(|information| {
            let message = information.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
            *LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner) = Some(message);
        }));
    }
    panic::catch_unwind(run).unwrap_or_else(|_| {
        let last = LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner).take();
        let message = last.unwrap_or_else(|| "burnpipe panicked".to_owned());
        let message = format!("a fault of burnpipe: {message}; set `RUST_BACKTRACE=1` to see more");
        Err(Error::new(ErrorKind::Internal, message))
    })
}
