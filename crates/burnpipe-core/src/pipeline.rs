//! The driver: batches across inputs, keeps order, regroups chunks.

use std::any::Any;
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::{BoxedSession, Error, ErrorKind, Pieces, Result, StreamingTask, Task};

/// How many batches are read ahead where chunks of like length go together.
const BATCHES_AHEAD: usize = 8;

/// A task that is ready to answer.
///
/// Calls take `&self`, from any number of threads; a clone is cheap and shares the model.
pub struct Pipeline<T: Task> {
    task: Arc<T>,
    batch_size: usize,
}

impl<T: Task> Clone for Pipeline<T> {
    fn clone(&self) -> Self {
        Self { task: Arc::clone(&self.task), batch_size: self.batch_size }
    }
}

impl<T: Task> fmt::Debug for Pipeline<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = std::any::type_name::<T>();
        formatter.debug_struct("Pipeline").field("task", &task).field("batch_size", &self.batch_size).finish()
    }
}

impl<T: Task> Pipeline<T> {
    /// A pipeline over a task, with batches of one chunk as in Python.
    pub fn new(task: T) -> Self {
        Self { task: Arc::new(task), batch_size: 1 }
    }

    /// The same pipeline with other batches: up to this many chunks go through the model at once.
    ///
    /// Results do not depend on it. Zero means one.
    #[must_use]
    pub fn with_batch_size(mut self, batch_size: usize) -> Self {
        self.batch_size = batch_size.max(1);
        self
    }

    /// How many chunks go through the model at once.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// The task itself.
    pub fn task(&self) -> &T {
        &self.task
    }

    /// The task, to be shared.
    pub(crate) fn shared_task(&self) -> &Arc<T> {
        &self.task
    }

    /// Answers one input with the default options.
    ///
    /// # Errors
    ///
    /// When the input cannot be used or the model fails on it.
    pub fn call(&self, input: impl Into<T::Input>) -> Result<T::Output> {
        self.call_with(input, &T::Options::default())
    }

    /// Answers one input.
    ///
    /// # Errors
    ///
    /// When the input cannot be used under these options, or the model fails on it.
    pub fn call_with(&self, input: impl Into<T::Input>, options: &T::Options) -> Result<T::Output> {
        let answer = self.iter_with([input.into()], options.clone()).next();
        answer.unwrap_or_else(|| Err(Error::new(ErrorKind::Internal, "the pipeline gave no answer")))
    }

    /// Answers many inputs with the default options, in order.
    ///
    /// # Errors
    ///
    /// The first error; use [`iter`](Self::iter) to keep the other answers.
    pub fn batch<I: Into<T::Input>>(&self, inputs: impl IntoIterator<Item = I>) -> Result<Vec<T::Output>> {
        self.batch_with(inputs, &T::Options::default())
    }

    /// Answers many inputs, in order.
    ///
    /// # Errors
    ///
    /// The first error; use [`iter_with`](Self::iter_with) to keep the other answers.
    pub fn batch_with<I: Into<T::Input>>(
        &self,
        inputs: impl IntoIterator<Item = I>,
        options: &T::Options,
    ) -> Result<Vec<T::Output>> {
        self.iter_with(inputs.into_iter().map(Into::into), options.clone()).collect()
    }

    /// Answers inputs as they come, lazily, with the default options: see [`Answers`].
    pub fn iter<I>(&self, inputs: I) -> Answers<T, impl Iterator<Item = Result<T::Input>> + use<I, T>>
    where
        I: IntoIterator<Item: Into<T::Input>>,
    {
        self.iter_with(inputs, T::Options::default())
    }

    /// Answers inputs as they come, lazily: see [`Answers`].
    pub fn iter_with<I>(
        &self,
        inputs: I,
        options: T::Options,
    ) -> Answers<T, impl Iterator<Item = Result<T::Input>> + use<I, T>>
    where
        I: IntoIterator<Item: Into<T::Input>>,
    {
        self.try_iter_with(inputs.into_iter().map(|input| Ok(input.into())), options)
    }

    /// Answers inputs that may themselves be errors (a bad line of a file, say): an error stands in
    /// the place of its answer and the others go on.
    pub fn try_iter_with<I>(&self, inputs: I, options: T::Options) -> Answers<T, I::IntoIter>
    where
        I: IntoIterator<Item = Result<T::Input>>,
    {
        Answers {
            session: T::session(&self.task, &options),
            running: Vec::new(),
            pipeline: self.clone(),
            options,
            inputs: inputs.into_iter(),
            inputs_ended: false,
            cutting: VecDeque::new(),
            queue: VecDeque::new(),
            sorted: VecDeque::new(),
            open: VecDeque::new(),
            first_open: 0,
            cancellation: None,
        }
    }
}

impl<T: StreamingTask> Pipeline<T> {
    /// Answers one input piece by piece, as the pieces are made: the last is the whole answer.
    ///
    /// # Errors
    ///
    /// When the input cannot be used under these options, or they ask for answers that are only known at the end.
    pub fn stream(
        &self,
        input: impl Into<T::Input>,
        options: &T::Options,
        cancellation: Cancellation,
    ) -> Result<Pieces<T::Output>> {
        let pieces = catch_panic("stream", || T::stream(&self.task, input.into(), options, cancellation))?;
        Ok(caught(pieces))
    }

    /// Answers one input and calls back with every piece of its text.
    ///
    /// # Errors
    ///
    /// As [`stream`](Self::stream), and when the model fails on it.
    pub fn call_streaming(
        &self,
        input: impl Into<T::Input>,
        options: &T::Options,
        mut on_text: impl FnMut(&str),
    ) -> Result<T::Output> {
        for piece in self.stream(input, options, Cancellation::default())? {
            match piece? {
                crate::Piece::Text(text) => on_text(&text),
                crate::Piece::Answer(answer) => return Ok(answer),
            }
        }
        Err(Error::new(ErrorKind::Internal, "the stream ended without an answer"))
    }
}

/// Stops a running [`Answers`] from another thread.
///
/// ```
/// let cancellation = burnpipe_core::Cancellation::default();
/// let handle = cancellation.clone();
/// handle.cancel();
/// assert!(cancellation.is_cancelled());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Cancellation(Arc<AtomicBool>);

impl Cancellation {
    /// Asks the run to stop: before the next input is prepared, and before the next batch.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked the run to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

type Chunks<F> = Box<dyn Iterator<Item = Result<F>> + Send>;

/// A chunk that has been cut and not yet computed.
struct Chunk<F> {
    /// The input that it belongs to.
    input: usize,
    /// Which of the input's chunks it is.
    index: usize,
    features: F,
}

/// An input that has been read and not yet answered.
struct OpenInput<R> {
    /// What the model made of each chunk, `None` where it is not back.
    chunks: Vec<Option<R>>,
    chunks_out: usize,
    cut: bool,
    error: Option<Error>,
}

/// The answers to a stream of inputs: one per input, in order, made as they are asked for.
///
/// Chunks of successive inputs share a batch; memory holds one batch of chunks and the inputs they
/// belong to, however long the stream is; several batches where the task sorts them by length
/// ([`Task::length`]). An input that fails gives its error in its place and the
/// next answer follows it.
pub struct Answers<T: Task, I> {
    pipeline: Pipeline<T>,
    options: T::Options,
    inputs: I,
    inputs_ended: bool,
    /// Inputs that have been read and not yet cut up.
    cutting: VecDeque<(usize, Chunks<T::Features>)>,
    queue: VecDeque<Chunk<T::Features>>,
    /// Chunks that are to run before any of the queue, by length.
    sorted: VecDeque<Chunk<T::Features>>,
    open: VecDeque<OpenInput<T::Raw>>,
    first_open: usize,
    cancellation: Option<Cancellation>,
    /// Where chunks run that are not done all at once.
    session: Option<BoxedSession<T>>,
    /// The input and the place of each chunk in the session, by its number; the numbers of those that are done are
    /// given again.
    running: Vec<Option<(usize, usize)>>,
}

impl<T: Task, I: Iterator<Item = Result<T::Input>>> Answers<T, I> {
    /// Lets the run be stopped: after a cancellation the next answer is an error of kind
    /// [`Cancelled`](ErrorKind::Cancelled) and the last.
    #[must_use]
    pub fn with_cancellation(mut self, cancellation: Cancellation) -> Self {
        self.cancellation = Some(cancellation);
        self
    }

    /// Takes one step towards a full batch: cuts one more chunk, or reads one more input. False at
    /// the end of the stream.
    fn advance(&mut self) -> bool {
        let Some((input, mut chunks)) = self.cutting.pop_front() else { return self.read_inputs() };
        match catch_panic("preprocess", || chunks.next().transpose()) {
            Ok(Some(features)) => {
                let open = self.open_input(input);
                open.chunks_out += 1;
                let index = open.chunks.len();
                open.chunks.push(None);
                self.queue.push_back(Chunk { input, index, features });
                self.cutting.push_front((input, chunks));
            }
            Ok(None) => self.open_input(input).cut = true,
            Err(error) => self.fail(input, error),
        }
        true
    }

    /// Starts cutting the next input, or as many as the batch still takes if the task prepares them side by side; false
    /// at the end of the stream.
    fn read_inputs(&mut self) -> bool {
        let side_by_side = self.pipeline.task.prepares_side_by_side();
        let wanted = match &self.session {
            Some(session) => self.pipeline.batch_size.saturating_sub(session.open()),
            None => self.wanted(),
        };
        let missing = wanted.saturating_sub(self.queue.len());
        let count = if side_by_side { missing.max(1) } else { 1 };
        let inputs: Vec<_> = match self.inputs_ended {
            true => Vec::new(),
            false => self.inputs.by_ref().take(count).collect(),
        };
        self.inputs_ended |= inputs.len() < count;
        let is_end = inputs.is_empty();
        let (task, options, cancellation) = (&self.pipeline.task, &self.options, &self.cancellation);
        let prepared = map_on_threads(inputs, |input| {
            // Each may wait for the network: those that have not begun need not.
            if cancellation.as_ref().is_some_and(Cancellation::is_cancelled) {
                return Err(cancelled());
            }
            let input = input?;
            catch_panic("preprocess", || {
                let chunks: Chunks<T::Features> = Box::new(task.preprocess(input, options)?);
                Ok(chunks)
            })
        });
        for chunks in prepared {
            let index = self.first_open + self.open.len();
            self.open.push_back(OpenInput { chunks: Vec::new(), chunks_out: 0, cut: false, error: None });
            match chunks {
                Ok(chunks) => self.cutting.push_back((index, chunks)),
                Err(error) => self.fail(index, error),
            }
        }
        !is_end
    }

    fn is_cancelled(&self) -> bool {
        self.cancellation.as_ref().is_some_and(Cancellation::is_cancelled)
    }

    /// An input stays open until all its chunks are back, so the index is always there.
    fn open_input(&mut self, index: usize) -> &mut OpenInput<T::Raw> {
        &mut self.open[index - self.first_open]
    }

    /// Settles an input with an error and cuts no more of it.
    fn fail(&mut self, index: usize, error: Error) {
        self.cutting.retain(|(cutting, _)| *cutting != index);
        let input = self.open_input(index);
        input.cut = true;
        input.error.get_or_insert(error);
    }

    /// How many chunks to cut before some are run.
    fn wanted(&self) -> usize {
        let size = self.pipeline.batch_size;
        let first = self.queue.front();
        let sorts =
            size > 1 && first.is_some_and(|chunk| self.pipeline.task.length(&chunk.features).is_some());
        if sorts { size * BATCHES_AHEAD } else { size }
    }

    /// Brings the queue in the order of length, longest first, if it matters to the task.
    fn sort_queue(&mut self) {
        if self.wanted() > self.pipeline.batch_size {
            let task = &self.pipeline.task;
            self.sorted = std::mem::take(&mut self.queue);
            let by_length = |chunk: &Chunk<T::Features>| Reverse(task.length(&chunk.features));
            self.sorted.make_contiguous().sort_by_key(by_length);
        }
    }

    /// Runs one batch, and its chunks one by one when the batch as a whole fails.
    fn run_batch(&mut self) {
        let from = if self.sorted.is_empty() { &mut self.queue } else { &mut self.sorted };
        let size = from.len().min(self.pipeline.batch_size);
        let (places, batch): (Vec<(usize, usize)>, Vec<T::Features>) =
            from.drain(..size).map(|chunk| ((chunk.input, chunk.index), chunk.features)).unzip();
        let raws = match self.forward(&batch) {
            Ok(raws) => raws.into_iter().map(Ok).collect(),
            Err(error) if size == 1 => vec![Err(error)],
            Err(_) => {
                batch.chunks(1).map(|chunk| self.forward(chunk).map(|mut raws| raws.swap_remove(0))).collect()
            }
        };
        for (place, raw) in places.into_iter().zip(raws) {
            self.settle(place, raw);
        }
    }

    /// Takes the result of a chunk.
    fn settle(&mut self, (index, chunk): (usize, usize), raw: Result<T::Raw>) {
        let input = self.open_input(index);
        input.chunks_out -= 1;
        match raw {
            Ok(raw) => input.chunks[chunk] = Some(raw),
            Err(error) => self.fail(index, error),
        }
    }

    /// Fills the session up to a batch and takes it a step further; false when there is nothing in it.
    fn step_session(&mut self) -> bool {
        while self.session.as_ref().is_some_and(|session| session.open() < self.pipeline.batch_size) {
            if self.is_cancelled() {
                return true;
            }
            let Some(chunk) = self.queue.pop_front() else {
                if self.advance() {
                    continue;
                }
                break;
            };
            let free = self.running.iter().position(Option::is_none).unwrap_or(self.running.len());
            self.running.resize(self.running.len().max(free + 1), None);
            self.running[free] = Some((chunk.input, chunk.index));
            let pushed = match &mut self.session {
                Some(session) => catch_panic("forward", || session.push(free, chunk.features)),
                None => Ok(()),
            };
            if let Err(error) = pushed {
                self.running[free] = None;
                self.settle((chunk.input, chunk.index), Err(error));
                return true;
            }
        }
        let Some(session) = self.session.as_mut().filter(|session| session.open() > 0) else { return false };
        match catch_panic("forward", || Ok(session.step())) {
            Ok(done) => {
                for (id, raw) in done {
                    if let Some(place) = self.running.get_mut(id).and_then(Option::take) {
                        self.settle(place, raw);
                    }
                }
            }
            Err(error) => {
                // Nobody knows what is left of the others: all fail, and the next inputs find a new session.
                let reason = error.to_string();
                for place in std::mem::take(&mut self.running).into_iter().flatten() {
                    self.settle(place, Err(Error::new(error.kind(), reason.clone())));
                }
                self.session = T::session(&self.pipeline.task, &self.options);
            }
        }
        true
    }

    fn forward(&self, batch: &[T::Features]) -> Result<Vec<T::Raw>> {
        let raws = catch_panic("forward", || self.pipeline.task.forward(batch, &self.options))?;
        if raws.len() == batch.len() {
            return Ok(raws);
        }
        let message = format!("the task gave {} results for a batch of {}", raws.len(), batch.len());
        Err(Error::new(ErrorKind::Internal, message))
    }

    /// The answer of the oldest open input, when all its chunks are back.
    fn take_answer(&mut self) -> Option<Result<T::Output>> {
        let first = self.open.pop_front_if(|input| input.cut && input.chunks_out == 0)?;
        self.first_open += 1;
        Some(match first.error {
            Some(error) => Err(error),
            None => {
                let chunks = first.chunks.into_iter().flatten().collect();
                catch_panic("postprocess", || self.pipeline.task.postprocess(chunks, &self.options))
            }
        })
    }

    /// Ends the stream: nothing more is read, computed or answered.
    fn stop(&mut self) {
        self.inputs_ended = true;
        self.cutting.clear();
        self.queue.clear();
        self.sorted.clear();
        self.open.clear();
        self.session = None;
    }
}

impl<T: Task, I: Iterator<Item = Result<T::Input>>> Iterator for Answers<T, I> {
    type Item = Result<T::Output>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.is_cancelled() {
                self.cancellation = None;
                self.stop();
                return Some(Err(cancelled()));
            }
            if let Some(answer) = self.take_answer() {
                return Some(answer);
            }
            if self.session.is_some() {
                if self.step_session() || !self.open.is_empty() {
                    continue;
                }
                return None;
            }
            if self.sorted.is_empty() {
                if self.queue.len() < self.wanted() && self.advance() {
                    continue;
                }
                if self.queue.is_empty() {
                    return None;
                }
                self.sort_queue();
            }
            self.run_batch();
        }
    }
}

fn cancelled() -> Error {
    Error::new(ErrorKind::Cancelled, "the run was cancelled")
}

/// Applies a function to all items and keeps their order; on the threads that the machine has if there are several items.
///
/// Not on the pool of the models: items may wait for the network, and the pool's threads are for computing.
fn map_on_threads<Item: Send, Output: Send>(
    items: Vec<Item>,
    function: impl Fn(Item) -> Output + Sync,
) -> Vec<Output> {
    let helpers =
        thread::available_parallelism().map_or(1, NonZeroUsize::get).min(items.len()).saturating_sub(1);
    if helpers == 0 {
        return items.into_iter().map(function).collect();
    }
    let work = Mutex::new(items.into_iter().enumerate());
    let run = || {
        let next = || work.lock().unwrap_or_else(PoisonError::into_inner).next();
        std::iter::from_fn(next).map(|(index, item)| (index, function(item))).collect::<Vec<_>>()
    };
    let mut outputs = thread::scope(|scope| {
        // A machine without a thread to spare does the work on this one.
        let helpers: Vec<_> =
            (0..helpers).filter_map(|_| thread::Builder::new().spawn_scoped(scope, run).ok()).collect();
        let mut outputs = run();
        for helper in helpers {
            match helper.join() {
                Ok(more) => outputs.extend(more),
                Err(panic) => resume_unwind(panic),
            }
        }
        outputs
    });
    outputs.sort_by_key(|(index, _)| *index);
    outputs.into_iter().map(|(_, output)| output).collect()
}

/// Pieces whose making may panic: that ends them with an error.
pub(crate) fn caught<Output: 'static>(mut pieces: Pieces<Output>) -> Pieces<Output> {
    let mut ended = false;
    Box::new(std::iter::from_fn(move || {
        if ended {
            return None;
        }
        catch_panic("stream", || Ok(pieces.next())).unwrap_or_else(|error| {
            ended = true;
            Some(Err(error))
        })
    }))
}

/// Turns a panic (Burn panics on shape errors) into an error, so that one input cannot end a run.
pub(crate) fn catch_panic<R>(stage: &str, run: impl FnOnce() -> Result<R>) -> Result<R> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let reason = panic_message(&*panic);
        Err(Error::new(ErrorKind::Internal, format!("`{stage}` panicked, a fault of burnpipe: {reason}")))
    })
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chunks are numbers of a comma-separated list; the answer is their sum. Records batch sizes.
    #[derive(Default)]
    struct Sum {
        batches: Mutex<Vec<usize>>,
    }

    impl Task for Sum {
        type Input = String;
        type Options = ();
        type Features = i64;
        type Raw = i64;
        type Output = i64;

        fn preprocess(
            &self,
            input: String,
            _: &(),
        ) -> Result<impl Iterator<Item = Result<i64>> + Send + use<>> {
            if input == "refused" {
                return Err(Error::new(ErrorKind::Input, "refused"));
            }
            let numbers: Vec<Result<i64>> = input
                .split(',')
                .filter(|number| !number.is_empty())
                .map(|number| number.parse().map_err(|_| Error::new(ErrorKind::Input, "no number")))
                .collect();
            Ok(numbers.into_iter())
        }

        fn forward(&self, batch: &[i64], _: &()) -> Result<Vec<i64>> {
            self.batches.lock().unwrap().push(batch.len());
            assert!(!batch.contains(&666), "cannot compute 666");
            if batch.contains(&13) {
                return Err(Error::new(ErrorKind::Input, "unlucky"));
            }
            Ok(batch.to_vec())
        }

        fn postprocess(&self, chunks: Vec<i64>, _: &()) -> Result<i64> {
            Ok(chunks.iter().sum())
        }
    }

    fn answers(inputs: &[&str], batch_size: usize) -> (Vec<Result<i64, String>>, Vec<usize>) {
        let pipeline = Pipeline::new(Sum::default()).with_batch_size(batch_size);
        let answers = pipeline.iter(inputs.to_vec()).map(|answer| answer.map_err(|error| error.to_string()));
        let answers = answers.collect();
        let batches = pipeline.task().batches.lock().unwrap().clone();
        (answers, batches)
    }

    #[test]
    fn chunks_of_many_inputs_share_batches_and_keep_order() {
        for batch_size in 1..8 {
            let (sums, batches) = answers(&["1,2,3", "", "4", "5,6,7,8,9", "10"], batch_size);
            assert_eq!(sums, [Ok(6), Ok(0), Ok(4), Ok(35), Ok(10)], "batch size {batch_size}");
            assert!(batches.iter().rev().skip(1).all(|&size| size == batch_size), "{batches:?}");
            assert_eq!(batches.iter().sum::<usize>(), 10);
        }
    }

    /// Words of a text; the answer is the text. Records the lengths in each batch.
    #[derive(Default)]
    struct Echo {
        batches: Mutex<Vec<Vec<usize>>>,
    }

    impl Task for Echo {
        type Input = String;
        type Options = ();
        type Features = String;
        type Raw = String;
        type Output = String;

        fn preprocess(
            &self,
            input: String,
            _: &(),
        ) -> Result<impl Iterator<Item = Result<String>> + Send + use<>> {
            let words: Vec<String> = input.split(' ').map(str::to_string).collect();
            Ok(words.into_iter().map(Ok))
        }

        fn length(&self, word: &String) -> Option<usize> {
            Some(word.len())
        }

        fn forward(&self, batch: &[String], _: &()) -> Result<Vec<String>> {
            self.batches.lock().unwrap().push(batch.iter().map(String::len).collect());
            Ok(batch.to_vec())
        }

        fn postprocess(&self, chunks: Vec<String>, _: &()) -> Result<String> {
            Ok(chunks.join(" "))
        }
    }

    #[test]
    fn chunks_of_like_length_share_batches_and_answers_keep_their_order() {
        let texts: Vec<String> = (0..50)
            .map(|at| format!("{} {}", "a".repeat(at * 7 % 11 + 1), "b".repeat(at * 5 % 13 + 1)))
            .collect();
        for batch_size in [1, 2, 4, 7] {
            let pipeline = Pipeline::new(Echo::default()).with_batch_size(batch_size);
            assert_eq!(pipeline.batch(texts.clone()).unwrap(), texts, "batch size {batch_size}");
            let batches = pipeline.task().batches.lock().unwrap();
            let padding: usize = batches
                .iter()
                .flat_map(|batch| batch.iter().map(|length| batch.iter().max().unwrap() - length))
                .sum();
            assert!(padding < 100, "{padding} of padding in batches of {batch_size}");
        }
    }

    #[test]
    fn a_bad_input_costs_only_its_own_answer() {
        for batch_size in 1..8 {
            let (sums, _) = answers(&["1,x", "2", "refused", "13", "3,4", "666", "5"], batch_size);
            assert_eq!(sums[0], Err("no number".into()));
            assert_eq!(sums[1], Ok(2));
            assert_eq!(sums[2], Err("refused".into()));
            assert_eq!(sums[3], Err("unlucky".into()));
            assert_eq!(sums[4], Ok(7));
            assert!(sums[5].as_ref().unwrap_err().contains("cannot compute 666"));
            assert_eq!(sums[6], Ok(5));
        }
    }

    #[test]
    fn reads_no_further_than_it_must() {
        let read = Mutex::new(0);
        let inputs = (0..100).map(|number| {
            *read.lock().unwrap() += 1;
            number.to_string()
        });
        let pipeline = Pipeline::new(Sum::default());
        let mut answers = pipeline.iter(inputs);
        assert_eq!(answers.next().unwrap().unwrap(), 0);
        assert_eq!(*read.lock().unwrap(), 1);
    }

    /// Answers its input; counts how many inputs are prepared at the same time.
    #[derive(Default)]
    struct SideBySide {
        now: Mutex<usize>,
        most: Mutex<usize>,
    }

    impl Task for SideBySide {
        type Input = u64;
        type Options = ();
        type Features = u64;
        type Raw = u64;
        type Output = u64;

        fn preprocess(&self, input: u64, _: &()) -> Result<impl Iterator<Item = Result<u64>> + Send + use<>> {
            let now = {
                let mut now = self.now.lock().unwrap();
                *now += 1;
                *now
            };
            let mut most = self.most.lock().unwrap();
            *most = now.max(*most);
            drop(most);
            // The first of a batch are the last to be ready.
            thread::sleep(std::time::Duration::from_millis(12 - input % 4 * 3));
            *self.now.lock().unwrap() -= 1;
            assert_ne!(input, 6, "cannot read 6");
            if input == 9 {
                Err(Error::new(ErrorKind::Input, "nine"))
            } else {
                Ok(std::iter::once(Ok(input)))
            }
        }

        fn prepares_side_by_side(&self) -> bool {
            true
        }

        fn forward(&self, batch: &[u64], _: &()) -> Result<Vec<u64>> {
            Ok(batch.to_vec())
        }

        fn postprocess(&self, chunks: Vec<u64>, _: &()) -> Result<u64> {
            Ok(chunks.iter().sum())
        }
    }

    #[test]
    fn inputs_are_prepared_side_by_side_and_keep_their_order() {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        for batch_size in [1, 3, 4, 40] {
            let pipeline = Pipeline::new(SideBySide::default()).with_batch_size(batch_size);
            let mut read = 0;
            let answers: Vec<_> = pipeline.iter((0..20_u64).inspect(|_| read += 1)).collect();
            for (input, answer) in answers.iter().enumerate() {
                match (input, answer) {
                    (6, Err(error)) => assert!(error.to_string().contains("cannot read 6"), "{error}"),
                    (9, Err(error)) => assert_eq!(error.to_string(), "nine"),
                    (input, answer) => assert_eq!(answer.as_ref().unwrap(), &(input as u64)),
                }
            }
            assert_eq!((answers.len(), read), (20, 20));
            let most = *pipeline.task().most.lock().unwrap();
            assert!(most <= batch_size.min(cores), "{most} at once in batches of {batch_size}");
            assert!(batch_size == 1 || cores == 1 || most > 1, "one by one in batches of {batch_size}");
        }
    }

    #[test]
    fn a_cancelled_run_ends_with_one_error() {
        let cancellation = Cancellation::default();
        let pipeline = Pipeline::new(Sum::default());
        let inputs = (0..100).map(|number| Ok(number.to_string()));
        let mut answers = pipeline.try_iter_with(inputs, ()).with_cancellation(cancellation.clone());
        assert!(answers.next().unwrap().is_ok());
        cancellation.cancel();
        assert_eq!(answers.next().unwrap().unwrap_err().kind(), ErrorKind::Cancelled);
        assert!(answers.next().is_none());
    }
    /// Waits for every input, as for an address that nobody answers at, and finds no use for it. Somebody cancels
    /// while it waits for input 5. Its session finishes a chunk at every step.
    #[derive(Default)]
    struct Waiting {
        prepared: Mutex<Vec<u64>>,
        cancellation: Cancellation,
        has_session: bool,
        /// The most inputs that were ready or in the session at a time.
        most_open: Arc<Mutex<usize>>,
    }

    struct OneByOne {
        chunks: VecDeque<(usize, u64)>,
        most_open: Arc<Mutex<usize>>,
    }

    impl crate::Session<u64, u64> for OneByOne {
        fn push(&mut self, id: usize, features: u64) -> Result<()> {
            self.chunks.push_back((id, features));
            Ok(())
        }

        fn open(&self) -> usize {
            self.chunks.len()
        }

        fn step(&mut self) -> Vec<(usize, Result<u64>)> {
            let mut most = self.most_open.lock().unwrap();
            *most = self.chunks.len().max(*most);
            self.chunks.pop_front().map(|(id, features)| (id, Ok(features))).into_iter().collect()
        }
    }

    impl Task for Waiting {
        type Input = u64;
        type Options = ();
        type Features = u64;
        type Raw = u64;
        type Output = u64;

        fn preprocess(&self, input: u64, _: &()) -> Result<impl Iterator<Item = Result<u64>> + Send + use<>> {
            self.prepared.lock().unwrap().push(input);
            thread::sleep(std::time::Duration::from_millis(5));
            if input == 5 {
                self.cancellation.cancel();
            }
            match self.has_session {
                true => Ok(std::iter::once(Ok(input))),
                false => Err(Error::new(ErrorKind::Network, "no answer")),
            }
        }

        fn prepares_side_by_side(&self) -> bool {
            true
        }

        fn session(task: &Arc<Self>, _: &()) -> Option<BoxedSession<Self>> {
            let most_open = Arc::clone(&task.most_open);
            task.has_session.then(|| Box::new(OneByOne { chunks: VecDeque::new(), most_open }) as _)
        }

        fn forward(&self, batch: &[u64], _: &()) -> Result<Vec<u64>> {
            Ok(batch.to_vec())
        }

        fn postprocess(&self, chunks: Vec<u64>, _: &()) -> Result<u64> {
            Ok(chunks.iter().sum())
        }
    }

    #[test]
    fn a_batch_that_waits_for_its_inputs_is_cancelled_at_once() {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        for has_session in [false, true] {
            let pipeline = Pipeline::new(Waiting { has_session, ..Waiting::default() }).with_batch_size(1000);
            let cancellation = pipeline.task().cancellation.clone();
            let answers = pipeline.try_iter_with((0..1000).map(Ok), ()).with_cancellation(cancellation);
            let answers: Vec<_> = answers.collect();
            assert_eq!(answers.len(), 1);
            assert_eq!(answers[0].as_ref().unwrap_err().kind(), ErrorKind::Cancelled);
            let prepared = pipeline.task().prepared.lock().unwrap().len();
            assert!(prepared < 6 + 2 * cores, "{prepared} inputs were prepared");
        }
    }

    #[test]
    fn a_session_reads_as_many_inputs_as_it_has_room_for() {
        let pipeline = Pipeline::new(Waiting { has_session: true, ..Waiting::default() }).with_batch_size(4);
        let mut read = 0;
        let mut answers = pipeline.iter((10..30_u64).inspect(|_| read += 1));
        for expected in 10..13 {
            assert_eq!(answers.next().unwrap().unwrap(), expected);
        }
        drop(answers);
        // A batch of four, and one more for each of the first two that were done.
        assert_eq!((read, *pipeline.task().most_open.lock().unwrap()), (6, 4));
    }
}
