//! What a task is.

use std::sync::Arc;

use crate::{Cancellation, Result};

/// A task: text or media in, an answer out, by three stages.
///
/// Every task is a chunk task: [`preprocess`](Task::preprocess) cuts an input into one or more
/// chunks of features, [`forward`](Task::forward) runs the model on a batch of chunks (possibly of
/// several inputs), and [`postprocess`](Task::postprocess) makes one answer of all chunks of one
/// input. The driver, [`Pipeline`](crate::Pipeline), does the batching and regrouping once for all
/// tasks.
///
/// ```
/// use burnpipe_core::{Pipeline, Result, Task};
///
/// /// Counts the words of a text, a line at a time.
/// struct WordCount;
///
/// impl Task for WordCount {
///     type Input = String;
///     type Options = ();
///     type Features = String;
///     type Raw = usize;
///     type Output = usize;
///
///     fn preprocess(&self, input: String, _: &()) -> Result<impl Iterator<Item = Result<String>> + Send + use<>> {
///         Ok(input.lines().map(|line| Ok(line.to_string())).collect::<Vec<_>>().into_iter())
///     }
///     fn forward(&self, batch: &[String], _: &()) -> Result<Vec<usize>> {
///         Ok(batch.iter().map(|line| line.split_whitespace().count()).collect())
///     }
///     fn postprocess(&self, chunks: Vec<usize>, _: &()) -> Result<usize> {
///         Ok(chunks.iter().sum())
///     }
/// }
///
/// let count = Pipeline::new(WordCount);
/// assert_eq!(count.call("one two\nthree")?, 3);
/// # Ok::<(), burnpipe_core::Error>(())
/// ```
pub trait Task: Send + Sync + 'static {
    /// What a caller gives for one answer.
    type Input: Send + 'static;
    /// The parameters of a call.
    type Options: Default + Clone + Send + Sync + 'static;
    /// One chunk, ready for the model.
    type Features: Send + 'static;
    /// What the model made of one chunk, back on the host.
    type Raw: Send + 'static;
    /// The answer for one input.
    type Output: Send + 'static;

    /// Cuts an input into chunks of features, on the host.
    ///
    /// # Errors
    ///
    /// When the input cannot be used; only this input is lost.
    fn preprocess(
        &self,
        input: Self::Input,
        options: &Self::Options,
    ) -> Result<impl Iterator<Item = Result<Self::Features>> + Send + use<Self>>;

    /// Runs the model on a batch of chunks and returns one raw result per chunk, in order.
    ///
    /// # Errors
    ///
    /// When the model cannot take the batch. The driver then tries its chunks one by one, so that
    /// a bad one does not cost the others their answer.
    fn forward(&self, batch: &[Self::Features], options: &Self::Options) -> Result<Vec<Self::Raw>>;

    /// How long a chunk is, for a model that fills up the chunks of a batch to the longest; `None` if
    /// batches cost the same in any order.
    ///
    /// The driver then reads several batches ahead and makes each of chunks of like length.
    fn length(&self, features: &Self::Features) -> Option<usize> {
        let _ = features;
        None
    }

    /// Whether [`preprocess`](Task::preprocess) is worth a thread for each input, as decoding images is: the driver then
    /// prepares the inputs of a batch side by side.
    ///
    /// Such a task makes its features when `preprocess` is called, not when the iterator is asked for them.
    fn prepares_side_by_side(&self) -> bool {
        false
    }

    /// A way of running chunks that are not done all at once, such as texts that grow token by token; `None` if
    /// batches go through [`forward`](Self::forward).
    ///
    /// The driver keeps as many chunks in it as a batch has and gives the place of each that is done to the next,
    /// so that short ones do not wait for long ones.
    fn session(task: &Arc<Self>, options: &Self::Options) -> Option<BoxedSession<Self>>
    where
        Self: Sized,
    {
        let _ = (task, options);
        None
    }

    /// Makes the answer of all chunks of one input, on the host.
    ///
    /// # Errors
    ///
    /// When the raw results make no answer under these options.
    fn postprocess(&self, chunks: Vec<Self::Raw>, options: &Self::Options) -> Result<Self::Output>;
}

/// The session of a task.
pub type BoxedSession<T> = Box<dyn Session<<T as Task>::Features, <T as Task>::Raw>>;

/// Chunks on their way through a model, each at its own pace.
pub trait Session<Features, Raw>: Send {
    /// Takes a chunk in; its results come back under this number.
    ///
    /// # Errors
    ///
    /// When the chunk cannot be run under the options of the session; it is then not in it.
    fn push(&mut self, id: usize, features: Features) -> Result<()>;

    /// How many chunks are in it.
    fn open(&self) -> usize;

    /// Takes all chunks a step further and gives those that are done or have failed.
    fn step(&mut self) -> Vec<(usize, Result<Raw>)>;
}

/// A task whose answer can be read while it is made.
pub trait StreamingTask: Task {
    /// Answers one input, piece by piece. After a cancellation the stream ends with the answer as far as it got.
    ///
    /// # Errors
    ///
    /// When the input cannot be used, or the options ask for answers that are only known at the end.
    fn stream(
        task: &Arc<Self>,
        input: Self::Input,
        options: &Self::Options,
        cancellation: Cancellation,
    ) -> Result<Pieces<Self::Output>>;
}

/// The pieces of an answer, as they are made.
pub type Pieces<Output> = Box<dyn Iterator<Item = Result<Piece<Output>>> + Send>;

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece<Output> {
    /// More of its text.
    Text(String),
    /// The whole answer; the last piece.
    Answer(Output),
}
