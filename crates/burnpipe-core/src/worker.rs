//! The async face: one worker thread per loaded model.

use std::sync::mpsc::{Sender, channel};
use std::thread;

use async_trait::async_trait;
use futures_channel::{mpsc, oneshot};
use serde_json::Value;

use crate::{
    AnyPipeline, Cancellation, Error, ErrorContext, ErrorKind, Piece, Pieces, Pipeline, Result, RunOptions,
    StreamingTask, Task,
};

/// A pipeline for async code: calls wait without blocking the runtime's threads.
///
/// A call that is dropped before its turn is not computed.
#[async_trait]
pub trait AsyncPipeline: Send + Sync {
    /// What a caller gives for one answer.
    type Input: Send + 'static;
    /// The parameters of a call.
    type Options: Default + Send + 'static;
    /// The answer for one input.
    type Output: Send + 'static;

    /// Answers many inputs, in order, each with its own answer or error.
    async fn batch_with(&self, inputs: Vec<Self::Input>, options: Self::Options)
    -> Vec<Result<Self::Output>>;

    /// Answers one input.
    ///
    /// # Errors
    ///
    /// When the input cannot be used under these options, or the model fails on it.
    async fn call_with(&self, input: Self::Input, options: Self::Options) -> Result<Self::Output> {
        self.batch_with(vec![input], options).await.pop().unwrap_or_else(|| Err(worker_gone()))
    }

    /// Answers one input with the default options.
    ///
    /// # Errors
    ///
    /// When the input cannot be used or the model fails on it.
    async fn call(&self, input: Self::Input) -> Result<Self::Output> {
        self.call_with(input, Self::Options::default()).await
    }
}

type Job = Box<dyn FnOnce() + Send>;

/// A pipeline on a thread of its own. Clones share the thread, which ends with the last of them.
#[derive(Clone, Debug)]
pub struct Worker<P> {
    pipeline: P,
    jobs: Sender<Job>,
}

impl<P: Clone + Send + 'static> Worker<P> {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn spawn(pipeline: P) -> Result<Self> {
        let (jobs, queue) = channel::<Job>();
        thread::Builder::new()
            .name("burnpipe".into())
            .spawn(move || queue.into_iter().for_each(|job| job()))
            .context(ErrorKind::Internal, || "cannot start the pipeline's thread")?;
        Ok(Self { pipeline, jobs })
    }

    /// Runs something with the pipeline on its thread.
    async fn run<R: Send + 'static>(&self, run: impl FnOnce(P) -> R + Send + 'static) -> Result<R> {
        let (answer, waiting) = oneshot::channel();
        let pipeline = self.pipeline.clone();
        let job: Job = Box::new(move || {
            if !answer.is_canceled() {
                // The caller may go away while we compute; then nobody wants the answer.
                let _ = answer.send(run(pipeline));
            }
        });
        self.jobs.send(job).map_err(|_| worker_gone())?;
        waiting.await.map_err(|_| worker_gone())
    }
}

/// The pieces of an answer as a `futures` stream. When it is dropped, no more of them are made.
pub type PieceStream<Output> = mpsc::UnboundedReceiver<Result<Piece<Output>>>;

impl<P: Clone + Send + 'static> Worker<P> {
    /// Makes pieces on the worker's thread and sends each as soon as it is there.
    fn send_pieces<Output: Send + 'static>(
        &self,
        make: impl FnOnce(P) -> Result<Pieces<Output>> + Send + 'static,
    ) -> PieceStream<Output> {
        let (sender, stream) = mpsc::unbounded();
        let pipeline = self.pipeline.clone();
        let pieces = sender.clone();
        let job: Job = Box::new(move || match make(pipeline) {
            Err(error) => drop(pieces.unbounded_send(Err(error))),
            Ok(made) => {
                // The caller may go away; then nobody wants the rest.
                made.take_while(|_| !pieces.is_closed()).all(|piece| pieces.unbounded_send(piece).is_ok());
            }
        });
        if self.jobs.send(job).is_err() {
            drop(sender.unbounded_send(Err(worker_gone())));
        }
        stream
    }
}

impl<T: StreamingTask> Worker<Pipeline<T>> {
    /// Answers one input piece by piece: see [`Pipeline::stream`].
    pub fn stream(
        &self,
        input: T::Input,
        options: T::Options,
        cancellation: Cancellation,
    ) -> PieceStream<T::Output> {
        self.send_pieces(move |pipeline| pipeline.stream(input, &options, cancellation))
    }
}

impl Worker<AnyPipeline> {
    /// Answers one input piece by piece: see [`AnyPipeline::stream_with`].
    pub fn stream(&self, input: Value, parameters: Value, cancellation: Cancellation) -> PieceStream<Value> {
        self.send_pieces(move |pipeline| pipeline.stream_with(input, &parameters, cancellation))
    }
}

fn worker_gone() -> Error {
    Error::new(ErrorKind::Internal, "the pipeline's thread has ended")
}

#[async_trait]
impl<T: Task> AsyncPipeline for Worker<Pipeline<T>> {
    type Input = T::Input;
    type Options = T::Options;
    type Output = T::Output;

    async fn batch_with(&self, inputs: Vec<T::Input>, options: T::Options) -> Vec<Result<T::Output>> {
        let answers = self.run(move |pipeline| pipeline.iter_with(inputs, options).collect()).await;
        answers.unwrap_or_else(|error| vec![Err(error)])
    }
}

#[async_trait]
impl AsyncPipeline for Worker<AnyPipeline> {
    type Input = Value;
    type Options = Value;
    type Output = Value;

    async fn batch_with(&self, inputs: Vec<Value>, options: Value) -> Vec<Result<Value>> {
        let answers = self
            .run(move |pipeline| {
                let inputs = inputs.into_iter().map(Ok);
                let answers = pipeline.iter_with(inputs, &options, RunOptions::default());
                answers.map_or_else(|error| vec![Err(error)], Iterator::collect)
            })
            .await;
        answers.unwrap_or_else(|error| vec![Err(error)])
    }

    async fn call_with(&self, input: Value, options: Value) -> Result<Value> {
        self.run(move |pipeline| pipeline.call_with(input, &options)).await?
    }
}
