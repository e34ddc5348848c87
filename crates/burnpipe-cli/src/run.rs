//! `burnpipe run`: inputs in, answers out.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burnpipe::{Cancellation, Error, ErrorKind, JsonAnswers, Result, RunOptions};
use indicatif::ProgressBar;
use serde_json::Value;

use crate::arguments::{OnError, RunArguments};
use crate::inputs::{self, Place, Row};
use crate::output::{self, AnswerWriter, Shown};
use crate::{FAULT, INTERRUPTED, REFUSED, SUCCESS, interrupt, model, parameters, progress, stream, times};

/// Runs the command; the number is the exit code.
///
/// # Errors
///
/// When nothing can be run, or with `--on-error stop` the first input that cannot be answered.
pub(crate) fn run(arguments: RunArguments) -> Result<u8> {
    // What is wrong with the command line shows before a model is loaded.
    let task = burnpipe::task(&arguments.call.task)?;
    let mut parameters = parameters::read(arguments.call.params.as_deref())?;
    (task.check_parameters)(&parameters)?;
    if arguments.stream && !task.streams {
        let message = format!("{} gives its answers whole; leave out `--stream`", task.id);
        return Err(Error::new(ErrorKind::Parameter, message));
    }
    let cancellation = Cancellation::default();
    let inputs = inputs::open(arguments.call.inputs, task.input, &cancellation)?.for_task(task.id);
    let mut writer = output::open(&arguments.output)?;
    if writer.writes_subtitles() {
        times::check(task, &parameters)?;
        check_count(&writer, inputs.count)?;
    }
    model::limit_threads(arguments.call.threads)?;
    let pipeline = model::load(task, &arguments.call.model)?;
    // Kept to the end of the process: the system takes its memory back faster than we could give it.
    std::mem::forget(pipeline.clone());
    if writer.writes_subtitles() {
        times::ask(&mut parameters, &pipeline.about().model_type);
        writer.join_words(times::are_of_words(&parameters));
    }

    interrupt::cancels(&cancellation)?;
    if arguments.stream || (task.streams && writer.is_on_terminal() && writer.shows_inputs()) {
        return stream::run(&pipeline, inputs, &parameters, &cancellation);
    }
    let waiting = Waiting::default();
    let rows = Watched { rows: inputs.rows, waiting: waiting.clone(), keeps_inputs: writer.shows_inputs() };
    let options = RunOptions {
        batch_size: arguments.call.batch_size.map(Into::into),
        cancellation: Some(cancellation.clone()),
    };
    let answers = pipeline.iter_with(rows, &parameters, options)?;
    let bar = progress::run(inputs.count, !writer.is_on_terminal());
    let run = Run {
        waiting,
        cancellation,
        writer,
        bar,
        on_error: arguments.on_error,
        n_done: 0,
        failures: Failures::default(),
    };
    run.answer_all(answers)
}

/// A single file, or standard output, takes the subtitles of one input.
fn check_count(writer: &AnswerWriter, count: Option<u64>) -> Result<()> {
    if writer.takes_many() || count == Some(1) {
        return Ok(());
    }
    let message = "subtitles of several inputs go into a folder; name it by `--output-dir`";
    Err(Error::new(ErrorKind::Parameter, message))
}

/// An input that the pipeline has read and not yet answered.
struct Asked {
    place: Place,
    /// The input itself, where it is shown besides its answer.
    input: Value,
}

/// The inputs that wait for their answers, in order.
#[derive(Clone, Default)]
struct Waiting(Arc<Mutex<VecDeque<Asked>>>);

impl Waiting {
    fn queue(&self) -> MutexGuard<'_, VecDeque<Asked>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes each input on its way into the pipeline.
struct Watched {
    rows: Box<dyn Iterator<Item = Row> + Send>,
    waiting: Waiting,
    keeps_inputs: bool,
}

impl Iterator for Watched {
    type Item = Result<Value>;

    fn next(&mut self) -> Option<Result<Value>> {
        let Row { place, input } = self.rows.next()?;
        let kept = if self.keeps_inputs { input.as_ref().ok().cloned() } else { None };
        self.waiting.queue().push_back(Asked { place, input: kept.unwrap_or_default() });
        Some(input)
    }
}

/// What went wrong under `--on-error skip`.
#[derive(Default)]
struct Failures {
    count: u64,
    /// Whether one of them is a fault of ours.
    is_ours: bool,
}

/// A run on its way.
struct Run {
    waiting: Waiting,
    cancellation: Cancellation,
    writer: AnswerWriter,
    bar: ProgressBar,
    on_error: OnError,
    n_done: u64,
    failures: Failures,
}

impl Run {
    fn answer_all(mut self, answers: JsonAnswers) -> Result<u8> {
        for answer in answers {
            if answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Cancelled) {
                return self.interrupted();
            }
            let asked = self.waiting.queue().pop_front();
            let place = asked.as_ref().map_or(Place::OnlyArgument, |asked| asked.place.clone());
            let written = match answer {
                Ok(answer) => self.write(&place, asked, &answer)?,
                Err(error) => Err(error),
            };
            let somebody_reads = match written {
                Ok(somebody_reads) => somebody_reads,
                Err(error) if self.on_error == OnError::Skip => self.skip(place.locate(error))?,
                Err(error) => return self.stop(place.locate(error)),
            };
            if !somebody_reads {
                return Ok(SUCCESS);
            }
            self.n_done += 1;
            self.bar.inc(1);
        }
        // A stream that kept us waiting ends early after Ctrl-C.
        if self.cancellation.is_cancelled() { self.interrupted() } else { self.finish() }
    }

    /// Writes an answer. Inside is what goes wrong with this one only: one that has a file of its own cannot be
    /// written, and the others can.
    fn write(&mut self, place: &Place, asked: Option<Asked>, answer: &Value) -> Result<Result<bool>> {
        let is_only = *place == Place::OnlyArgument;
        let input = asked.map(|asked| asked.input).unwrap_or_default();
        let shown = Shown { place: (!is_only).then(|| place.to_string()), input: &input };
        match self.writer.answer(&shown, answer) {
            Err(error) if !self.writer.has_files() => Err(error),
            written => Ok(written),
        }
    }

    fn skip(&mut self, error: Error) -> Result<bool> {
        self.failures.count += 1;
        self.failures.is_ours |= error.kind() == ErrorKind::Internal;
        self.bar.suspend(|| output::print_error(&format!("skipped: {}", error.report())));
        self.writer.gap()
    }

    /// Ends the run with the error of an input; the answers before it are kept.
    fn stop(self, error: Error) -> Result<u8> {
        self.bar.finish_and_clear();
        match self.writer.end(false)? {
            Some(file) if self.n_done > 0 => {
                let message =
                    format!("{}; the {} before it are in {file}", error.report(), inputs_of(self.n_done));
                Err(Error::new(error.kind(), message))
            }
            _ => Err(error),
        }
    }

    fn interrupted(self) -> Result<u8> {
        self.bar.finish_and_clear();
        let place = self.writer.end(false)?.map(|file| format!(", kept in {file}"));
        let n_done = inputs_of(self.n_done);
        output::print_error(&format!("interrupted after {n_done}{}", place.unwrap_or_default()));
        Ok(INTERRUPTED)
    }

    fn finish(self) -> Result<u8> {
        self.bar.finish_and_clear();
        self.writer.end(true)?;
        if self.failures.count == 0 {
            return Ok(SUCCESS);
        }
        let n_failed = self.failures.count;
        output::print_error(&format!("error: {n_failed} of {} failed", inputs_of(self.n_done)));
        Ok(if self.failures.is_ours { FAULT } else { REFUSED })
    }
}

fn inputs_of(count: u64) -> String {
    if count == 1 { "1 input".to_owned() } else { format!("{count} inputs") }
}
