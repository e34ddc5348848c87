//! Texts that grow side by side.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use burnpipe_core::{Error, ErrorKind, Result, Session};
use burnpipe_generate::{Event, Generated, SearchContext, SearchRunner, search};
use burnpipe_nn::CausalLm;
use serde_json::Value;

use super::{TextGeneration, TextGenerationFeatures, TextGenerationOptions, TextGenerationRaw};
use crate::row_model::{RowDecoder, RowModel};

/// The inputs of a call that are being continued. `Owner` holds the task, by itself or shared.
pub(super) struct GenerationSession<Owner> {
    task: Owner,
    options: TextGenerationOptions,
    runner: SearchRunner<'static>,
    open: BTreeMap<usize, Open>,
    /// Inputs that there were, so that each draws from a stream of its own.
    inputs: usize,
}

struct Open {
    features: TextGenerationFeatures,
    begin: Vec<u32>,
    pad_token_id: u32,
}

impl<Owner: Deref<Target = TextGeneration>> GenerationSession<Owner> {
    pub(super) fn new(task: Owner, options: TextGenerationOptions) -> Self {
        Self { runner: runner(&task, &options), task, options, open: BTreeMap::new(), inputs: 0 }
    }

    /// Takes all texts a step further and tells what came of it.
    pub(super) fn events(&mut self) -> Vec<(usize, Event)> {
        self.runner.step()
    }

    /// Ends an input where it is.
    pub(super) fn cancel(&mut self, id: usize) -> Option<TextGenerationRaw> {
        let generated = self.runner.cancel(id)?;
        self.take(id, generated)
    }

    /// What was made of an input that is done.
    pub(super) fn take(&mut self, id: usize, generated: Generated) -> Option<TextGenerationRaw> {
        let Open { features, begin, pad_token_id } = self.open.remove(&id)?;
        Some(TextGenerationRaw { features, begin, pad_token_id, generated })
    }

    /// The tokens that an open input's sequences begin with.
    pub(super) fn begin(&self, id: usize) -> Option<(&TextGenerationFeatures, &[u32])> {
        self.open.get(&id).map(|open| (&open.features, open.begin.as_slice()))
    }
}

/// A runner over the task's models, with nothing read yet.
fn runner(task: &TextGeneration, options: &TextGenerationOptions) -> SearchRunner<'static> {
    let use_cache = options.generate.get("use_cache").and_then(Value::as_bool).unwrap_or(true);
    let model = |model: &Arc<dyn CausalLm>| {
        RowModel::new(RowDecoder::Causal(Arc::clone(model)), task.layout, use_cache)
    };
    let runner = SearchRunner::new(model(&task.model));
    match &task.assistant {
        Some(assistant) => runner.with_assistant(model(assistant)),
        None => runner,
    }
}

impl<Owner: Deref<Target = TextGeneration> + Send> Session<TextGenerationFeatures, TextGenerationRaw>
    for GenerationSession<Owner>
{
    fn push(&mut self, id: usize, features: TextGenerationFeatures) -> Result<()> {
        let input = self.inputs;
        self.inputs += 1;
        let settings = self.task.settings(&features, &self.options)?;
        let context = SearchContext {
            input,
            assistant: self.task.assistant.is_some(),
            negative_prompt: settings.negative_prompt,
            padding: features.padding,
        };
        let search = search(
            &settings.config,
            settings.begin.clone(),
            settings.processors,
            settings.stopping,
            &context,
        )?;
        let pad = settings
            .config
            .pad_token_id
            .or_else(|| settings.config.eos_token_id.as_ref().and_then(|eos| eos.first().copied()));
        if self.runner.open() == 0 {
            // The memory of what was read before goes, and with it a failure that there may have been.
            self.runner = runner(&self.task, &self.options);
        }
        let open = Open { features, begin: settings.begin, pad_token_id: pad.unwrap_or(0) };
        self.open.insert(id, open);
        self.runner.push(id, search);
        Ok(())
    }

    fn open(&self) -> usize {
        self.runner.open()
    }

    fn step(&mut self) -> Vec<(usize, Result<TextGenerationRaw>)> {
        let mut done = Vec::new();
        for (id, event) in self.runner.step() {
            let Event::Finished(generated) = event else { continue };
            let raw = generated.and_then(|generated| {
                self.take(id, generated)
                    .ok_or_else(|| Error::new(ErrorKind::Internal, "an input ended that had not begun"))
            });
            self.open.remove(&id);
            done.push((id, raw));
        }
        done
    }
}
