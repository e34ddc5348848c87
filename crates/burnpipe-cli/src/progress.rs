//! Progress bars on standard error, where somebody watches.

use std::io::{IsTerminal, stderr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use burnpipe::DownloadProgress;
use indicatif::{ProgressBar, ProgressStyle};

/// How often a bar moves by itself.
const TICK: Duration = Duration::from_millis(120);

/// A bar for every file that is downloaded; nothing when nobody watches.
pub(crate) fn downloads() -> Option<DownloadBars> {
    stderr().is_terminal().then(DownloadBars::default)
}

/// One bar at a time, as files come one after the other.
#[derive(Default)]
pub(crate) struct DownloadBars {
    bar: Mutex<Option<ProgressBar>>,
}

impl DownloadBars {
    fn bar(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DownloadProgress for DownloadBars {
    fn start(&self, file: &str, total: Option<u64>) {
        let bar = match total {
            Some(total) => ProgressBar::new(total)
                .with_style(style("{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}")),
            None => ProgressBar::new_spinner().with_style(style("{msg} {spinner} {bytes} {bytes_per_sec}")),
        };
        *self.bar() = Some(bar.with_message(file.to_owned()));
    }

    fn advance(&self, bytes: u64) {
        if let Some(bar) = &*self.bar() {
            bar.inc(bytes);
        }
    }

    fn finish(&self) {
        if let Some(bar) = self.bar().take() {
            bar.finish_and_clear();
        }
    }
}

/// A bar for a run over many inputs; one that shows nothing when nobody watches.
pub(crate) fn run(count: Option<u64>, is_watched: bool) -> ProgressBar {
    if !is_watched || !stderr().is_terminal() || count.is_some_and(|count| count < 2) {
        return ProgressBar::hidden();
    }
    let bar = match count {
        Some(count) => {
            ProgressBar::new(count).with_style(style("{wide_bar} {pos}/{len} inputs {per_sec} {eta}"))
        }
        None => ProgressBar::new_spinner().with_style(style("{spinner} {pos} inputs {per_sec} {elapsed}")),
    };
    bar.enable_steady_tick(TICK);
    bar
}

fn style(template: &str) -> ProgressStyle {
    // The templates above are right; should one not be, the usual look will do.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
