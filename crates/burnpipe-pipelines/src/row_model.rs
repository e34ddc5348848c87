//! A decoder with its cache, as decoding runs it: rows of tokens in, logits on the host out. What it writes about, if
//! it has an encoder, is found by the input that a row belongs to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::tensor::Tensor;
use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_generate::{LanguageModel, ModelRow, RowScores};
use burnpipe_nn::{
    BatchLayout, CausalLm, KvCache, Seq2SeqLm, SourceCache, TokenStep, read_back, read_back_any, run_model,
};

/// A decoder, by itself or behind an encoder.
pub(crate) enum RowDecoder {
    /// By itself.
    Causal(Arc<dyn CausalLm>),
    /// Behind an encoder, which has read the inputs.
    Seq2Seq(Arc<dyn Seq2SeqLm>, Sources),
}

/// What an encoder has read of the inputs of a call, by the numbers that the decoder was given for them. A clone
/// shares them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources(Arc<Mutex<HashMap<usize, Arc<SourceCache>>>>);

impl Sources {
    /// Puts what was read of an input in the place of what there was.
    pub(crate) fn insert(&self, input: usize, source: Arc<SourceCache>) {
        self.lock().insert(input, source);
    }

    /// Forgets an input.
    pub(crate) fn remove(&self, input: usize) {
        self.lock().remove(&input);
    }

    fn get(&self, input: usize) -> Result<Arc<SourceCache>> {
        let missing = || Error::new(ErrorKind::Internal, "an input was to be continued that was not read");
        self.lock().get(&input).cloned().ok_or_else(missing)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<usize, Arc<SourceCache>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RowDecoder {
    fn cache(&self) -> KvCache {
        match self {
            Self::Causal(model) => model.cache(),
            Self::Seq2Seq(model, _) => model.cache(),
        }
    }

    fn positions(&self) -> Option<usize> {
        match self {
            Self::Causal(model) => model.positions(),
            Self::Seq2Seq(model, _) => model.positions(),
        }
    }

    fn vocabulary(&self) -> usize {
        match self {
            Self::Causal(model) => model.vocabulary(),
            Self::Seq2Seq(model, _) => model.vocabulary(),
        }
    }

    /// The last hidden states of new tokens: `[1, tokens, hidden]`. `rows` are the cache's.
    fn forward(&self, step: &TokenStep, rows: &[ModelRow<'_>], cache: &mut KvCache) -> Result<Tensor<3>> {
        match self {
            Self::Causal(model) => model.forward(step, cache),
            Self::Seq2Seq(model, sources) => {
                let of_text = step.texts().iter().filter_map(|text| rows.get(text.row));
                let sources = of_text.map(|row| sources.get(row.input)).collect::<Result<Vec<_>>>()?;
                let sources: Vec<&SourceCache> = sources.iter().map(Arc::as_ref).collect();
                model.forward(step, &sources, cache)
            }
        }
    }

    fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Causal(model) => model.logits(hidden),
            Self::Seq2Seq(model, _) => model.logits(hidden),
        }
    }
}

/// A model and the keys and values of the rows that it has run.
pub(crate) struct RowModel {
    model: RowDecoder,
    cache: KvCache,
    /// How the model computes: as one that takes texts joined on the CPU.
    layout: BatchLayout,
    /// A pass failed on the way and the rows are no longer known.
    lost: bool,
    /// With `use_cache: false`, all tokens of the rows: every pass reads them anew, which some ways of stretching
    /// positions can tell.
    histories: Option<Vec<Vec<u32>>>,
}

impl RowModel {
    pub(crate) fn new(model: RowDecoder, layout: BatchLayout, use_cache: bool) -> Self {
        let histories = (!use_cache).then(Vec::new);
        Self { cache: model.cache(), model, layout, lost: false, histories }
    }

    /// Refuses what the model cannot take, before its rows are touched.
    fn check(&self, rows: &[ModelRow<'_>]) -> Result<()> {
        let vocabulary = self.model.vocabulary();
        for row in rows {
            let past = row.parent.map_or(0, |parent| self.cache.length(parent));
            let tokens = row.keep.map_or(past, |keep| keep.min(past)) + row.tokens.len();
            if let Some(positions) = self.model.positions().filter(|&positions| tokens > positions) {
                let message = format!(
                    "the text has {tokens} tokens and the model takes at most {positions}; shorten the prompt, ask for fewer `max_new_tokens`, or say `handle_long_generation: \"hole\"`"
                );
                return Err(Error::new(ErrorKind::Input, message));
            }
            if let Some(id) = row.tokens.iter().find(|&&id| id as usize >= vocabulary) {
                let message = format!(
                    "token id {id} is past the model's {vocabulary} ids; tokenizer and model do not belong together"
                );
                return Err(Error::new(ErrorKind::Tokenizer, message));
            }
        }
        Ok(())
    }

    /// All tokens of the rows, once these are run.
    fn histories(&self, histories: &[Vec<u32>], rows: &[ModelRow<'_>]) -> Vec<Vec<u32>> {
        let history = |row: &ModelRow<'_>| {
            let parent = row.parent.and_then(|parent| histories.get(parent)).map_or(&[][..], Vec::as_slice);
            let kept = row.keep.unwrap_or(parent.len()).min(parent.len());
            [&parent[..kept], row.tokens].concat()
        };
        rows.iter().map(history).collect()
    }

    /// A pass that reads all tokens of the rows anew.
    fn run_anew(&mut self, histories: Vec<Vec<u32>>, rows: &[ModelRow<'_>]) -> Result<Vec<RowScores>> {
        let all = self.histories(&histories, rows);
        let anew = rows.iter().zip(&all).map(|(row, tokens)| ModelRow {
            parent: None,
            keep: None,
            tokens: if row.tokens.is_empty() { &[] } else { tokens },
            ..*row
        });
        self.cache.select(&[]);
        let scores = self.run(&anew.collect::<Vec<_>>());
        self.histories = Some(if scores.is_ok() { all } else { histories });
        scores
    }

    /// The tensors' part: hidden states and logits of the tokens that they are wanted for, row after row.
    fn forward(&mut self, rows: &[ModelRow<'_>]) -> Result<(Vec<f32>, Vec<f32>)> {
        let texts = rows.iter().enumerate().map(|(row, wanted)| (row, wanted.tokens));
        let step = TokenStep::new(texts, &self.cache)?;
        let places = |count: fn(&ModelRow<'_>) -> usize| -> Vec<usize> {
            let texts = step.texts().iter();
            texts.flat_map(|text| text.new.clone().rev().take(count(&rows[text.row])).rev()).collect()
        };
        let (scored, wanted) = (places(|row| row.scored), places(|row| row.hidden_states));
        run_model(self.layout, || {
            let hidden = self.model.forward(&step, rows, &mut self.cache)?;
            self.cache.extend(&step);
            let states = match wanted.is_empty() {
                true => Vec::new(),
                false => read_back(step.select(hidden.clone(), &wanted))?,
            };
            let logits = match scored.is_empty() {
                true => Vec::new(),
                false => read_back_any(self.model.logits(step.select(hidden, &scored)))?,
            };
            Ok((states, logits))
        })
    }
}

impl LanguageModel for RowModel {
    fn vocabulary(&self) -> usize {
        self.model.vocabulary()
    }

    fn run(&mut self, rows: &[ModelRow<'_>]) -> Result<Vec<RowScores>> {
        if self.lost {
            let message = "the model failed in an earlier pass, and what its texts had read is lost with it";
            return Err(Error::new(ErrorKind::Device, message));
        }
        if let Some(histories) = self.histories.take() {
            return self.run_anew(histories, rows);
        }
        self.check(rows)?;
        let parents: Vec<_> = rows.iter().map(|row| Some((row.parent?, row.keep))).collect();
        self.cache.select(&parents);
        if rows.iter().all(|row| row.tokens.is_empty()) {
            return Ok(vec![RowScores::default(); rows.len()]);
        }
        self.lost = true;
        let (states, logits) = self.forward(rows)?;
        self.lost = false;
        let (scored, wanted) = rows
            .iter()
            .fold((0, 0), |(scored, wanted), row| (scored + row.scored, wanted + row.hidden_states));
        let mut logits = logits.chunks(logits.len().checked_div(scored).unwrap_or(1).max(1));
        let mut states = states.chunks(states.len().checked_div(wanted).unwrap_or(1).max(1));
        let scores = rows.iter().map(|row| RowScores {
            logits: logits.by_ref().take(row.scored).map(<[f32]>::to_vec).collect(),
            hidden_states: states.by_ref().take(row.hidden_states).map(<[f32]>::to_vec).collect(),
            ..RowScores::default()
        });
        Ok(scores.collect())
    }
}
