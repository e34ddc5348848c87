//! The erased face: any task, JSON in and out, as Python's callers know it.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::pipeline::{catch_panic, caught};
use crate::{
    Answers, Cancellation, Error, ErrorKind, Piece, Pieces, Pipeline, Result, Task, quoted, suggestion,
};

/// A task whose inputs, parameters and outputs have Python's shapes in JSON.
pub trait JsonTask: Task<Output: Serialize> {
    /// Every parameter that a call takes, by Python's keyword names.
    const PARAMETERS: &'static [&'static str];

    /// Whether a list of one input is answered as that input alone, with no list, as some of Python's
    /// pipelines do.
    const UNWRAPS_LIST_OF_ONE: bool = false;

    /// Whether [`stream_pieces`](Self::stream_pieces) answers.
    const STREAMS: bool = false;

    /// Reads one input in a shape that the Python pipeline accepts.
    ///
    /// # Errors
    ///
    /// When the value has another shape.
    fn parse_input(input: Value, options: &Self::Options) -> Result<Self::Input>;

    /// Reads the parameters of a call; their names are known by then.
    ///
    /// # Errors
    ///
    /// When a parameter has a value that it cannot take.
    fn parse_options(parameters: Map<String, Value>) -> Result<Self::Options>;

    /// Whether this value is one input rather than a list of inputs.
    fn is_one_input(input: &Value, _options: &Self::Options) -> bool {
        !input.is_array()
    }

    /// Writes one value that stands for several inputs, such as an object of lists, as a list of them.
    ///
    /// # Errors
    ///
    /// When the value's parts do not fit together.
    fn spread(input: Value) -> Result<Value> {
        Ok(input)
    }

    /// How many tokens a chunk has, padding left out; `None` for tasks without tokens.
    fn tokens(_features: &Self::Features) -> Option<usize> {
        None
    }

    /// Answers one input piece by piece, where the task can: see [`StreamingTask`](crate::StreamingTask).
    ///
    /// # Errors
    ///
    /// When the task cannot, or the input cannot be used.
    fn stream_pieces(
        _task: &Arc<Self>,
        _input: Self::Input,
        _options: &Self::Options,
        _cancellation: Cancellation,
    ) -> Result<Pieces<Self::Output>> {
        let message =
            "this task gives its answers whole; only tasks that write text give them piece by piece";
        Err(Error::new(ErrorKind::Unsupported, message))
    }

    /// Gives an output the shape that Python returns: as an element of a list of answers, or for an
    /// input that was `asked_alone`.
    ///
    /// # Errors
    ///
    /// When the output cannot be written as JSON.
    fn to_json(
        &self,
        output: Self::Output,
        _options: &Self::Options,
        _asked_alone: Option<&Value>,
    ) -> Result<Value> {
        to_value(output)
    }
}

/// Reads parameters into a struct by serde, with an error that names the parameter.
///
/// # Errors
///
/// When a parameter has a value that it cannot take.
pub fn parse_parameters<O: DeserializeOwned>(parameters: Map<String, Value>) -> Result<O> {
    serde_path_to_error::deserialize(Value::Object(parameters)).map_err(|error| {
        let message = format!("parameter `{}`: {}", error.path(), error.inner());
        Error::new(ErrorKind::Parameter, message)
    })
}

fn to_value(output: impl Serialize) -> Result<Value> {
    serde_json::to_value(output).map_err(|error| {
        Error::new(ErrorKind::Internal, "the answer cannot be written as JSON").with_source(error)
    })
}

/// How a run goes through the model; the answers do not depend on it.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// How many chunks go through the model at once; `None` for the pipeline's own.
    pub batch_size: Option<usize>,
    /// Lets the run be stopped from another thread.
    pub cancellation: Option<Cancellation>,
}

/// A stream of JSON answers.
pub type JsonAnswers = Box<dyn Iterator<Item = Result<Value>> + Send>;

/// The pieces of a JSON answer, as they are made.
pub type JsonStream = Pieces<Value>;

trait Erased: Send + Sync {
    fn stream(
        &self,
        input: Value,
        parameters: &Map<String, Value>,
        cancellation: Cancellation,
    ) -> Result<JsonStream>;
    fn one(&self, input: Value, parameters: &Map<String, Value>) -> Result<Value>;
    fn many(
        &self,
        inputs: JsonAnswers,
        parameters: &Map<String, Value>,
        run: RunOptions,
    ) -> Result<JsonAnswers>;
    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn Erased>;
    fn count_tokens(&self, inputs: &[Value], parameters: &Map<String, Value>) -> Result<Option<u64>>;
}

/// A pipeline of any task: JSON in, the JSON of Python's result out.
///
/// Cheap to clone; calls take `&self` from any thread.
#[derive(Clone)]
pub struct AnyPipeline {
    erased: Arc<dyn Erased>,
    about: Arc<About>,
}

/// What a loaded pipeline is.
#[derive(Clone, Debug)]
pub struct About {
    /// The task's id.
    pub task: String,
    /// The model as the user named it.
    pub model: String,
    /// The model's architecture.
    pub model_type: String,
    /// The device that is really used.
    pub device: String,
    /// The number type that the model computes in.
    pub dtype: &'static str,
}

impl fmt::Debug for AnyPipeline {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.about.fmt(formatter)
    }
}

impl AnyPipeline {
    /// Erases the types of a pipeline.
    pub fn new<T: JsonTask>(pipeline: Pipeline<T>, about: About) -> Self {
        Self { erased: Arc::new(pipeline), about: Arc::new(about) }
    }

    /// The same pipeline with other batches: see [`Pipeline::with_batch_size`].
    #[must_use]
    pub fn with_batch_size(mut self, batch_size: usize) -> Self {
        self.erased = self.erased.with_batch_size(batch_size);
        self
    }

    /// What this pipeline is.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// The device that is really used.
    pub fn device(&self) -> &str {
        &self.about.device
    }

    /// Answers one input or a list of inputs, with default parameters.
    ///
    /// # Errors
    ///
    /// See [`call_with`](Self::call_with).
    pub fn call(&self, inputs: impl Into<Value>) -> Result<Value> {
        self.call_with(inputs, &Value::Null)
    }

    /// Answers one input or a list of inputs, as `pipe(inputs, **parameters)` does in Python;
    /// `parameters` is an object or null.
    ///
    /// # Errors
    ///
    /// When a parameter is not known or an input cannot be used; for a list, the first error.
    pub fn call_with(&self, inputs: impl Into<Value>, parameters: &Value) -> Result<Value> {
        self.erased.one(inputs.into(), &object(parameters)?)
    }

    /// Answers one input piece by piece, as the pieces are made: the last is the whole answer. After a cancellation
    /// that is the answer as far as it got.
    ///
    /// # Errors
    ///
    /// When the task gives its answers whole, a parameter is not known or the input cannot be used.
    pub fn stream_with(
        &self,
        input: impl Into<Value>,
        parameters: &Value,
        cancellation: Cancellation,
    ) -> Result<JsonStream> {
        self.erased.stream(input.into(), &object(parameters)?, cancellation)
    }

    /// Answers a stream of inputs lazily and in order; an input that is an error, or that fails,
    /// gives its error in its place.
    ///
    /// # Errors
    ///
    /// When a parameter is not known or has a value that it cannot take.
    pub fn iter_with<I>(&self, inputs: I, parameters: &Value, run: RunOptions) -> Result<JsonAnswers>
    where
        I: IntoIterator<Item = Result<Value>, IntoIter: Send + 'static>,
    {
        self.erased.many(Box::new(inputs.into_iter()), &object(parameters)?, run)
    }
}

impl AnyPipeline {
    /// How many tokens the model is given for these inputs, padding left out; `None` for tasks without
    /// tokens. For measurements: the inputs are prepared, and not answered.
    ///
    /// # Errors
    ///
    /// When a parameter is not known or an input cannot be used.
    pub fn count_tokens(&self, inputs: &[Value], parameters: &Value) -> Result<Option<u64>> {
        self.erased.count_tokens(inputs, &object(parameters)?)
    }
}

fn object(parameters: &Value) -> Result<Map<String, Value>> {
    match parameters {
        Value::Null => Ok(Map::new()),
        Value::Object(parameters) => Ok(parameters.clone()),
        other => {
            let message = format!("parameters must be a JSON object such as {{\"top_k\": 3}}, not `{other}`");
            Err(Error::new(ErrorKind::Parameter, message))
        }
    }
}

/// The parameters that every pipeline call takes besides the task's own.
const RUN_PARAMETERS: [&str; 1] = ["batch_size"];

/// Checks the parameters of a call before there is a pipeline to call.
///
/// # Errors
///
/// When a parameter is not known or has a value that it cannot take.
pub fn check_parameters<T: JsonTask>(parameters: &Value) -> Result<()> {
    parse_call::<T>(object(parameters)?).map(drop)
}

/// The batch size, if said, and the task's own options.
fn parse_call<T: JsonTask>(mut parameters: Map<String, Value>) -> Result<(Option<usize>, T::Options)> {
    let known = || T::PARAMETERS.iter().chain(&RUN_PARAMETERS).copied();
    if let Some(unknown) = parameters.keys().find(|name| !known().any(|parameter| parameter == name.as_str()))
    {
        let near = suggestion(unknown, known());
        let near = if near.starts_with("known") { String::new() } else { format!("; {near}") };
        let message = format!("unknown parameter `{unknown}`{near}; known: {}", quoted(known()));
        return Err(Error::new(ErrorKind::Parameter, message));
    }
    let batch_size = parameters.remove("batch_size").map(|value| {
        let size = value.as_u64().and_then(|size| usize::try_from(size).ok()).filter(|&size| size > 0);
        let message = || format!("parameter `batch_size`: `{value}` is not a number above 0");
        size.ok_or_else(|| Error::new(ErrorKind::Parameter, message()))
    });
    Ok((batch_size.transpose()?, T::parse_options(parameters)?))
}

fn options_of<T: JsonTask>(
    pipeline: &Pipeline<T>,
    parameters: &Map<String, Value>,
) -> Result<(Pipeline<T>, T::Options)> {
    let (batch_size, options) = parse_call::<T>(parameters.clone())?;
    let pipeline = pipeline.clone();
    let pipeline = match batch_size {
        Some(batch_size) => pipeline.with_batch_size(batch_size),
        None => pipeline,
    };
    Ok((pipeline, options))
}

fn answers<T: JsonTask, I: Iterator<Item = Result<Value>>>(
    pipeline: &Pipeline<T>,
    inputs: I,
    options: &T::Options,
) -> Answers<T, impl Iterator<Item = Result<T::Input>> + use<T, I>> {
    let parse_options = options.clone();
    let inputs = inputs.map(move |input| T::parse_input(input?, &parse_options));
    pipeline.try_iter_with(inputs, options.clone())
}

impl<T: JsonTask> Erased for Pipeline<T> {
    fn stream(
        &self,
        input: Value,
        parameters: &Map<String, Value>,
        cancellation: Cancellation,
    ) -> Result<JsonStream> {
        let (_, options) = parse_call::<T>(parameters.clone())?;
        let task = Arc::clone(self.shared_task());
        let parsed = T::parse_input(input.clone(), &options)?;
        let pieces = catch_panic("stream", || T::stream_pieces(&task, parsed, &options, cancellation))?;
        Ok(Box::new(caught(pieces).map(move |piece| match piece? {
            Piece::Text(text) => Ok(Piece::Text(text)),
            Piece::Answer(output) => Ok(Piece::Answer(task.to_json(output, &options, Some(&input))?)),
        })))
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn Erased> {
        Arc::new(self.clone().with_batch_size(batch_size))
    }

    fn count_tokens(&self, inputs: &[Value], parameters: &Map<String, Value>) -> Result<Option<u64>> {
        let (_, options) = parse_call::<T>(parameters.clone())?;
        let mut count = Some(0);
        for input in inputs {
            for features in self.task().preprocess(T::parse_input(input.clone(), &options)?, &options)? {
                let tokens = T::tokens(&features?);
                count = count.zip(tokens).map(|(count, tokens)| count + tokens as u64);
            }
        }
        Ok(count)
    }

    fn one(&self, input: Value, parameters: &Map<String, Value>) -> Result<Value> {
        let (pipeline, options) = options_of(self, parameters)?;
        let input = match input {
            Value::Array(mut inputs)
                if T::UNWRAPS_LIST_OF_ONE
                    && inputs.len() == 1
                    && !T::is_one_input(&Value::Array(inputs.clone()), &options) =>
            {
                inputs.swap_remove(0)
            }
            input => input,
        };
        match T::spread(input)? {
            Value::Array(inputs) if !T::is_one_input(&Value::Array(inputs.clone()), &options) => {
                answers(&pipeline, inputs.into_iter().map(Ok), &options)
                    .map(|output| self.task().to_json(output?, &options, None))
                    .collect()
            }
            input => {
                let output = pipeline.call_with(T::parse_input(input.clone(), &options)?, &options)?;
                self.task().to_json(output, &options, Some(&input))
            }
        }
    }

    fn many(
        &self,
        inputs: JsonAnswers,
        parameters: &Map<String, Value>,
        run: RunOptions,
    ) -> Result<JsonAnswers> {
        let (mut pipeline, options) = options_of(self, parameters)?;
        if let Some(batch_size) = run.batch_size {
            pipeline = pipeline.with_batch_size(batch_size);
        }
        let mut answers = answers(&pipeline, inputs, &options);
        if let Some(cancellation) = run.cancellation {
            answers = answers.with_cancellation(cancellation);
        }
        Ok(Box::new(answers.map(move |output| pipeline.task().to_json(output?, &options, None))))
    }
}
