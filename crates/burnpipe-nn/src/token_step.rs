//! The next tokens of several texts, as a decoder runs them.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use burnpipe_core::{Error, ErrorKind, Result};

use crate::{KvCache, TokenBatch};

/// Tokens that come after what a [`KvCache`] holds of their texts, one text after the other in a single row.
///
/// Nothing is filled up: a whole prompt runs beside the single tokens of other texts.
#[derive(Clone, Debug)]
pub struct TokenStep {
    input_ids: Vec<i32>,
    texts: Vec<StepText>,
    /// True where a new token is padding, which nobody sees; `None` where none is.
    hidden: Option<Vec<bool>>,
}

/// The new tokens of one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepText {
    /// The text's row in the cache.
    pub row: usize,
    /// Tokens that the cache holds.
    pub past: usize,
    /// Where its new tokens lie among all.
    pub new: Range<usize>,
}

impl StepText {
    /// How many tokens the text has with the new ones.
    pub fn tokens(&self) -> usize {
        self.past + self.new.len()
    }
}

impl TokenStep {
    /// New tokens of some of the cache's rows, each named once.
    ///
    /// # Errors
    ///
    /// When there is no token at all.
    pub fn new<'a>(texts: impl IntoIterator<Item = (usize, &'a [u32])>, cache: &KvCache) -> Result<Self> {
        let mut step = Self { input_ids: Vec::new(), texts: Vec::new(), hidden: None };
        for (row, tokens) in texts {
            let start = step.input_ids.len();
            step.input_ids.extend(tokens.iter().map(|&id| i32::try_from(id).unwrap_or(-1)));
            let new = start..step.input_ids.len();
            if !new.is_empty() {
                step.texts.push(StepText { row, past: cache.length(row), new });
            }
        }
        if step.input_ids.is_empty() {
            let message = "the text has no tokens; with `add_special_tokens: false` it must not be empty";
            return Err(Error::new(ErrorKind::Input, message));
        }
        Ok(step)
    }

    /// Whole texts, for heads that read a text once, and an empty cache with a row for each.
    pub fn whole(batch: &TokenBatch, mut cache: KvCache) -> (Self, KvCache) {
        let texts: Vec<StepText> = (0..)
            .zip(batch.texts())
            .map(|(row, text)| StepText { row, past: 0, new: text.clone() })
            .collect();
        cache.select(&vec![None; texts.len()]);
        let hidden = batch.seen().contains(&false).then(|| batch.seen().iter().map(|seen| !seen).collect());
        (Self { input_ids: batch.ids().to_vec(), texts, hidden }, cache)
    }

    /// The same step with some texts run from their start, for models whose keys change as a text grows, and
    /// where the tokens that were new lie in it; `None` if there is no such text.
    pub fn anew(&self, cache: &KvCache, starts: impl Fn(&StepText) -> bool) -> Option<(Self, Vec<usize>)> {
        let starts = |text: &StepText| text.past > 0 && starts(text);
        if !self.texts.iter().any(starts) {
            return None;
        }
        let (mut step, mut places) =
            (Self { input_ids: Vec::new(), texts: Vec::new(), hidden: None }, Vec::new());
        for text in &self.texts {
            let start = step.input_ids.len();
            let past = if starts(text) { 0 } else { text.past };
            step.input_ids.extend(cache.input_ids(text.row).iter().take(text.past - past));
            places.extend(step.input_ids.len()..step.input_ids.len() + text.new.len());
            step.input_ids.extend_from_slice(&self.input_ids[text.new.clone()]);
            step.texts.push(StepText { row: text.row, past, new: start..step.input_ids.len() });
        }
        Some((step, places))
    }

    /// The texts that have new tokens.
    pub fn texts(&self) -> &[StepText] {
        &self.texts
    }

    /// How many new tokens there are.
    pub fn tokens(&self) -> usize {
        self.input_ids.len()
    }

    /// Tokens of the longest text, the new ones included.
    pub fn longest(&self) -> usize {
        self.texts.iter().map(StepText::tokens).max().unwrap_or(0)
    }

    /// The position of every new token in its own text, from 0.
    pub fn positions(&self) -> Vec<i32> {
        self.texts.iter().flat_map(|text| text.past as i32..text.tokens() as i32).collect()
    }

    /// The place of every new token among those of its text that are no padding, from 0; -1 for padding.
    pub fn positions_of_seen(&self) -> Vec<i32> {
        let Some(hidden) = &self.hidden else { return self.positions() };
        let places = |text: &StepText| {
            let places = hidden[text.new.clone()].iter().scan(text.past as i32, |seen, &hidden| {
                *seen += i32::from(!hidden);
                Some(if hidden { -1 } else { *seen - 1 })
            });
            places.collect::<Vec<i32>>()
        };
        self.texts.iter().flat_map(places).collect()
    }

    /// Whether each new token sees padding only, of the last `window` tokens or of all; `None` if none does.
    pub(crate) fn blind(&self, window: Option<usize>) -> Option<Vec<bool>> {
        let hidden = self.hidden.as_ref()?;
        let blind = |text: &StepText| {
            let places =
                hidden[text.new.clone()].iter().scan(None, |distance: &mut Option<usize>, &hidden| {
                    *distance = if hidden { distance.map(|distance| distance + 1) } else { Some(0) };
                    Some(distance.is_none_or(|distance| window.is_some_and(|window| distance >= window)))
                });
            places.collect::<Vec<bool>>()
        };
        let blind: Vec<bool> = self.texts.iter().flat_map(blind).collect();
        blind.contains(&true).then_some(blind)
    }

    /// Where each text ends, if nothing of any was run before.
    pub(crate) fn ends_of_whole_texts(&self) -> Option<Arc<[usize]>> {
        let whole = self.texts.iter().all(|text| text.past == 0);
        whole.then(|| self.texts.iter().map(|text| text.new.end).collect())
    }

    /// Whether each new token is padding; `None` where none is.
    pub(crate) fn hidden(&self) -> Option<&[bool]> {
        self.hidden.as_deref()
    }

    /// The ids of the new tokens.
    pub fn ids(&self) -> &[i32] {
        &self.input_ids
    }

    /// The ids on a device: `[1, tokens]`.
    pub fn input_ids(&self, device: &Device) -> Tensor<2, Int> {
        self.to_device(self.input_ids.clone(), device)
    }

    /// Numbers that a model derived from this step, one per token: `[1, tokens]`.
    pub fn to_device(&self, ids: Vec<i32>, device: &Device) -> Tensor<2, Int> {
        let shape = [1, ids.len()];
        Tensor::from_data(TensorData::new(ids, shape), (device, DType::I32))
    }

    /// Checks that a model with this many token ids and positions can take the tokens.
    ///
    /// # Errors
    ///
    /// When a text is too long for the model, or the tokenizer is not the model's.
    pub fn check(&self, vocabulary: usize, positions: Option<usize>) -> Result<()> {
        if let Some(positions) = positions.filter(|&positions| self.longest() > positions) {
            let longest = self.longest();
            let message = format!(
                "the text has {longest} tokens and the model takes at most {positions}; shorten the prompt, ask for fewer `max_new_tokens`, or say `handle_long_generation: \"hole\"`"
            );
            return Err(Error::new(ErrorKind::Input, message));
        }
        let past = |&&id: &&i32| usize::try_from(id).map_or(true, |id| id >= vocabulary);
        match self.input_ids.iter().find(past) {
            None => Ok(()),
            Some(id) => {
                let message = format!(
                    "token id {id} is past the model's {vocabulary} ids; tokenizer and model do not belong together"
                );
                Err(Error::new(ErrorKind::Tokenizer, message))
            }
        }
    }

    /// The vectors of chosen new tokens: `[positions, size]` of `[1, tokens, size]`.
    pub fn select(&self, states: Tensor<3>, positions: &[usize]) -> Tensor<2> {
        let [_, tokens, size] = states.dims();
        let states = states.reshape([tokens, size]);
        if positions.len() == tokens {
            return states;
        }
        let positions: Vec<i32> = positions.iter().map(|&position| position as i32).collect();
        let positions = TensorData::new(positions.clone(), [positions.len()]);
        let positions: Tensor<1, Int> = Tensor::from_data(positions, (&states.device(), DType::I32));
        states.select(0, positions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BatchLayout, Filling, TokenRow};

    fn step(masks: &[&[bool]]) -> TokenStep {
        let row = |mask: &&[bool]| TokenRow {
            input_ids: vec![1; mask.len()],
            attention_mask: mask.to_vec(),
            token_type_ids: None,
        };
        let rows: Vec<TokenRow> = masks.iter().map(row).collect();
        let batch = TokenBatch::new(&rows, Filling::default(), BatchLayout::Joined).unwrap();
        TokenStep::whole(&batch, KvCache::new(1)).0
    }

    #[test]
    fn padding_is_not_counted_and_sees_nothing_where_it_comes_first() {
        let (seen, padding) = (true, false);
        let step = step(&[&[padding, padding, seen, seen], &[seen, padding, padding, seen]]);
        assert_eq!(step.positions(), [0, 1, 2, 3, 0, 1, 2, 3]);
        assert_eq!(step.positions_of_seen(), [-1, -1, 0, 1, 0, -1, -1, 1]);
        let (blind, sees) = (true, false);
        assert_eq!(step.blind(None).unwrap(), [blind, blind, sees, sees, sees, sees, sees, sees]);
        assert_eq!(step.blind(Some(2)).unwrap(), [blind, blind, sees, sees, sees, sees, blind, sees]);
    }

    #[test]
    fn texts_without_padding_are_as_they_were() {
        let step = step(&[&[true, true], &[true]]);
        assert_eq!(step.positions_of_seen(), [0, 1, 0]);
        assert_eq!((step.hidden(), step.blind(Some(1))), (None, None));
    }

    #[test]
    fn a_text_that_starts_anew_has_its_old_tokens_before_the_new_ones() {
        let mut cache = KvCache::new(1);
        cache.select(&[None, None]);
        cache.extend(&TokenStep::new([(0, [1, 2, 3].as_slice()), (1, [4].as_slice())], &cache).unwrap());
        cache.select(&[Some((0, Some(2))), Some((1, None))]);
        let step = TokenStep::new([(0, [5].as_slice()), (1, [6, 7].as_slice())], &cache).unwrap();
        assert!(step.anew(&cache, |text| text.tokens() > 3).is_none());
        let (anew, places) = step.anew(&cache, |text| text.row == 0).unwrap();
        assert_eq!((anew.ids(), places.as_slice()), ([1, 2, 5, 6, 7].as_slice(), [2, 3, 4].as_slice()));
        let (first, second) =
            (StepText { row: 0, past: 0, new: 0..3 }, StepText { row: 1, past: 1, new: 3..5 });
        assert_eq!(anew.texts(), [first, second]);
        cache.extend(&step);
        assert_eq!((cache.input_ids(0), cache.input_ids(1)), ([1, 2, 5].as_slice(), [4, 6, 7].as_slice()));
    }
}
