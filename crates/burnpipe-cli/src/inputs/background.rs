//! Reading ahead on a thread of its own, so that Ctrl-C is heard while a stream keeps us waiting.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use burnpipe::{Cancellation, Error, ErrorKind, Result};
use burnpipe_core::ErrorContext;

use super::row::{Place, Row};

/// How many rows are read ahead.
const ROWS_AHEAD: usize = 64;

/// How often a waiting run looks whether it was cancelled.
const LOOK_AROUND: Duration = Duration::from_millis(50);

/// The rows, read by a thread; after a cancellation there are no more.
///
/// # Errors
///
/// When the system gives no thread.
pub(crate) fn read_ahead(
    rows: impl Iterator<Item = Row> + Send + 'static,
    source: Arc<str>,
    cancellation: Cancellation,
) -> Result<impl Iterator<Item = Row> + Send> {
    let (sender, receiver) = sync_channel(ROWS_AHEAD);
    let read = move || {
        // `None` tells a stream that is over from a thread that died.
        for row in rows.map(Some).chain([None]) {
            if sender.send(row).is_err() {
                return;
            }
        }
    };
    thread::Builder::new()
        .name("inputs".into())
        .spawn(read)
        .context(ErrorKind::Internal, || "cannot start the thread that reads the inputs")?;
    Ok(ReadAhead { receiver, source, cancellation, ended: false })
}

struct ReadAhead {
    receiver: Receiver<Option<Row>>,
    source: Arc<str>,
    cancellation: Cancellation,
    ended: bool,
}

impl Iterator for ReadAhead {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        while !self.ended && !self.cancellation.is_cancelled() {
            match self.receiver.recv_timeout(LOOK_AROUND) {
                Ok(Some(row)) => return Some(row),
                Ok(None) => self.ended = true,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.ended = true;
                    let message = format!("the thread that reads {} ended early", self.source);
                    let input = Err(Error::new(ErrorKind::Internal, message));
                    return Some(Row { place: Place::OnlyArgument, input });
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn row(number: u64) -> Row {
        Row { place: Place::Line { source: "`file`".into(), line: number }, input: Ok(Value::from(number)) }
    }

    #[test]
    fn rows_come_in_order_and_all_of_them() {
        let rows = read_ahead((0..1000).map(row), "`file`".into(), Cancellation::default()).unwrap();
        let numbers: Vec<u64> = rows.map(|row| row.input.unwrap().as_u64().unwrap()).collect();
        assert_eq!(numbers, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn a_cancellation_ends_a_stream_that_keeps_us_waiting() {
        let (hold, waiting) = std::sync::mpsc::channel::<Row>();
        let cancellation = Cancellation::default();
        let mut rows = read_ahead(waiting.into_iter(), "`file`".into(), cancellation.clone()).unwrap();
        hold.send(row(1)).unwrap();
        assert!(rows.next().is_some());
        cancellation.cancel();
        assert!(rows.next().is_none());
        drop(hold);
    }

    #[test]
    fn a_reader_that_dies_is_not_an_end() {
        let rows = (0..3).map(|number| if number == 1 { panic!("dies") } else { row(number) });
        let rows: Vec<Row> = read_ahead(rows, "`file`".into(), Cancellation::default()).unwrap().collect();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[1].input.as_ref().unwrap_err().kind(), ErrorKind::Internal);
    }
}
