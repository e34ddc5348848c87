//! A causal LM with its cache, as decoding runs it: rows of tokens in, logits on the host out.

use std::sync::Arc;

use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_generate::{LanguageModel, ModelRow, RowScores};
use burnpipe_nn::{BatchLayout, CausalLm, KvCache, TokenStep, read_back, read_back_any, run_model};

/// A model and the keys and values of the rows that it has run.
pub(crate) struct CausalModel {
    model: Arc<dyn CausalLm>,
    cache: KvCache,
    /// How the model computes: as one that takes texts joined on the CPU.
    layout: BatchLayout,
    /// A pass failed on the way and the rows are no longer known.
    lost: bool,
    /// With `use_cache: false`, all tokens of the rows: every pass reads them anew, which some ways of stretching
    /// positions can tell.
    histories: Option<Vec<Vec<u32>>>,
}

impl CausalModel {
    pub(crate) fn new(model: Arc<dyn CausalLm>, layout: BatchLayout, use_cache: bool) -> Self {
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
            let hidden = self.model.forward(&step, &mut self.cache)?;
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

impl LanguageModel for CausalModel {
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
