//! Loading a pipeline: which task, which model, which device.

use burnpipe_core::{About, AnyPipeline, DType, DeviceRequest, Error, ErrorKind, Pipeline, Result, quoted};
use burnpipe_hub::{Checkpoint, OpenOptions};
use burnpipe_models::ARCHITECTURES;
use burnpipe_nn::{Architecture, Heads, LoadContext};
use burnpipe_pipelines::{LoadTask, TASKS, TaskContext, TaskRecord};

use crate::devices;

/// A pipeline to load, for a task by id or alias, or `None` to take the task from the model.
///
/// ```no_run
/// # fn main() -> burnpipe::Result<()> {
/// let classify = burnpipe::pipeline("sentiment-analysis").device("cpu").load()?;
/// let answer = classify.call("This is wonderful")?;
/// assert_eq!(answer[0]["label"], "POSITIVE");
/// # Ok(())
/// # }
/// ```
pub fn pipeline<'a>(task: impl Into<Option<&'a str>>) -> PipelineBuilder {
    PipelineBuilder { task: task.into().map(str::to_string), ..PipelineBuilder::default() }
}

/// What to load, and onto what.
#[derive(Clone, Debug, Default)]
#[must_use = "a builder loads nothing until `load`"]
pub struct PipelineBuilder {
    task: Option<String>,
    model: Option<String>,
    checkpoint: Option<Checkpoint>,
    assistant_model: Option<String>,
    device: DeviceRequest,
    dtype: Option<DType>,
    open: OpenOptions,
    batch_size: Option<usize>,
    tasks: Vec<&'static [TaskRecord]>,
    architectures: Vec<&'static [Architecture]>,
}

impl PipelineBuilder {
    /// The model: an id on the Hub, or a folder. The task's default when left out.
    pub fn model(mut self, id_or_folder: impl Into<String>) -> Self {
        self.model = Some(id_or_folder.into());
        self
    }

    /// A checkpoint that is open already, such as one in memory.
    pub fn checkpoint(mut self, checkpoint: Checkpoint) -> Self {
        self.checkpoint = Some(checkpoint);
        self
    }

    /// A small model of the same family and tokenizer that proposes tokens, an id on the Hub or a folder, for tasks
    /// that write text: the answers are those of the model alone.
    pub fn assistant_model(mut self, id_or_folder: impl Into<String>) -> Self {
        self.assistant_model = Some(id_or_folder.into());
        self
    }

    /// A branch, tag or commit of the model.
    pub fn revision(mut self, revision: impl Into<String>) -> Self {
        self.open.revision = Some(revision.into());
        self
    }

    /// Where the model goes: the best device there is unless said.
    pub fn device(mut self, device: impl Into<DeviceRequest>) -> Self {
        self.device = device.into();
        self
    }

    /// What the model computes in: what suits the device unless said.
    pub fn dtype(mut self, dtype: DType) -> Self {
        self.dtype = Some(dtype);
        self
    }

    /// How files are found and downloaded.
    pub fn open_options(mut self, options: OpenOptions) -> Self {
        let revision = self.open.revision.take();
        self.open = options;
        self.open.revision = self.open.revision.take().or(revision);
        self
    }

    /// How many chunks go through the model at once.
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.batch_size = Some(batch_size);
        self
    }

    /// Tasks of your own, found before burnpipe's.
    pub fn tasks(mut self, tasks: &'static [TaskRecord]) -> Self {
        self.tasks.push(tasks);
        self
    }

    /// Architectures of your own, found before burnpipe's.
    pub fn architectures(mut self, architectures: &'static [Architecture]) -> Self {
        self.architectures.push(architectures);
        self
    }

    /// Loads the pipeline, types erased.
    ///
    /// # Errors
    ///
    /// When the task, the model or the device cannot be had; the message says what would help.
    pub fn load(self) -> Result<AnyPipeline> {
        let tables: Vec<&[TaskRecord]> = self.tasks.iter().copied().chain([TASKS]).collect();
        let named = self.task.as_deref().map(|name| burnpipe_pipelines::find(&tables, name)).transpose()?;
        let checkpoint =
            self.open_checkpoint(named.map(|task| (task.default_model, task.default_revision)))?;
        let task = match named {
            Some(task) => task,
            None => self.task_of(&checkpoint, &tables)?,
        };
        let load = |context: &TaskContext<'_>, about| (task.load)(context, about);
        self.check_assistant(task.id, task.takes_assistant)?;
        let pipeline = self.on_device(&checkpoint, task.id, task.supports, load)?;
        Ok(match self.batch_size {
            Some(batch_size) => pipeline.with_batch_size(batch_size),
            None => pipeline,
        })
    }

    /// Loads the pipeline of one task, with its types.
    ///
    /// # Errors
    ///
    /// See [`load`](Self::load).
    pub fn load_as<T: LoadTask>(self) -> Result<Pipeline<T>> {
        let checkpoint = self.open_checkpoint(Some(T::DEFAULT_MODEL))?;
        self.check_assistant(T::ID, T::TAKES_ASSISTANT)?;
        let task = self.on_device(&checkpoint, T::ID, T::supports, |context, _| T::load(context))?;
        Ok(Pipeline::new(task).with_batch_size(self.batch_size.unwrap_or(1)))
    }

    fn check_assistant(&self, task: &str, takes_assistant: bool) -> Result<()> {
        if self.assistant_model.is_none() || takes_assistant {
            return Ok(());
        }
        let message = format!("{task} takes no assistant model; leave it out");
        Err(Error::new(ErrorKind::Parameter, message))
    }

    fn open_checkpoint(&self, default: Option<(&str, &str)>) -> Result<Checkpoint> {
        if let Some(checkpoint) = &self.checkpoint {
            return Ok(checkpoint.clone());
        }
        match (&self.model, default) {
            (Some(model), _) => Checkpoint::open(model, &self.open),
            (None, Some((model, revision))) => {
                let mut open = self.open.clone();
                open.revision.get_or_insert_with(|| revision.to_string());
                Checkpoint::open(model, &open)
            }
            (None, None) => {
                let message = "name a task or a model; with neither there is nothing to load";
                Err(Error::new(ErrorKind::Parameter, message))
            }
        }
    }

    /// The task that the model is for: what its card says, else the head it was saved from.
    fn task_of<'a>(&self, checkpoint: &Checkpoint, tables: &[&'a [TaskRecord]]) -> Result<&'a TaskRecord> {
        if let Some(tag) = checkpoint.pipeline_tag()? {
            // A sentence-similarity model is an encoder whose vectors are compared.
            let tag = if tag == "sentence-similarity" { "feature-extraction" } else { &tag };
            return burnpipe_pipelines::find(tables, tag);
        }
        let heads = [
            ("ForCausalLM", "text-generation"),
            ("LMHeadModel", "text-generation"),
            ("ForMaskedLM", "fill-mask"),
            ("ForQuestionAnswering", "question-answering"),
            ("ForTokenClassification", "token-classification"),
            ("ForSequenceClassification", "text-classification"),
            ("Model", "feature-extraction"),
        ];
        let classes = checkpoint.config()?.architectures();
        let of_class = |class: &String| heads.iter().find(|(ending, _)| class.ends_with(ending));
        match classes.iter().find_map(of_class) {
            Some((_, task)) => burnpipe_pipelines::find(tables, task),
            None => {
                let tasks = quoted(tables.iter().flat_map(|table| table.iter()).map(|task| task.id));
                let message =
                    format!("`{}` does not say what task it is for; name one of {tasks}", checkpoint.name());
                Err(Error::new(ErrorKind::UnknownTask, message))
            }
        }
    }

    fn on_device<R>(
        &self,
        checkpoint: &Checkpoint,
        task: &str,
        supports: fn(&Heads) -> bool,
        load: impl FnOnce(&TaskContext<'_>, About) -> Result<R>,
    ) -> Result<R> {
        let config = checkpoint.config()?;
        let open = devices::open(&self.device, self.dtype, config.dtype())?;
        let model_type = config.model_type()?;
        let architecture = self.architecture(checkpoint, task, supports)?;
        let about = About {
            task: task.to_string(),
            model: checkpoint.name().to_string(),
            model_type: model_type.to_string(),
            device: open.name,
            dtype: open.dtype.name(),
        };
        let placement = &open.placement;
        let context = |checkpoint, architecture, assistant| TaskContext {
            load: LoadContext { checkpoint, placement },
            architecture,
            assistant,
        };
        let Some(assistant) = &self.assistant_model else {
            return load(&context(checkpoint, architecture, None), about);
        };
        let own = OpenOptions { revision: None, ..self.open.clone() };
        let small = Checkpoint::open(assistant, &own)?;
        let small = context(&small, self.architecture(&small, task, supports)?, None);
        load(&context(checkpoint, architecture, Some(&small)), about)
    }

    /// The architecture of a checkpoint, which the task must be able to use.
    fn architecture(
        &self,
        checkpoint: &Checkpoint,
        task: &str,
        supports: fn(&Heads) -> bool,
    ) -> Result<&'static Architecture> {
        let model_type = checkpoint.config()?.model_type()?;
        let tables: Vec<&'static [Architecture]> =
            self.architectures.iter().copied().chain([ARCHITECTURES]).collect();
        burnpipe_models::find(&tables, model_type).ok_or_else(|| {
            let able = tables.iter().flat_map(|table| table.iter());
            let able = able.filter(|architecture| supports(&architecture.heads));
            let able = quoted(able.map(|architecture| architecture.model_type));
            let message = format!(
                "architecture `{model_type}` of `{}` is not supported; {task} takes {able}",
                checkpoint.name()
            );
            Error::new(ErrorKind::UnknownArchitecture, message)
        })
    }
}

/// Loads a typed pipeline by the task's own name.
pub trait FromPretrained: LoadTask {
    /// Loads a model from the Hub or a folder onto the best device there is.
    ///
    /// # Errors
    ///
    /// See [`PipelineBuilder::load`].
    fn from_pretrained(id_or_folder: &str) -> Result<Pipeline<Self>> {
        pipeline(None).model(id_or_folder).load_as()
    }
}

impl<T: LoadTask> FromPretrained for T {}
