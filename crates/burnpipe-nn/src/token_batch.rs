//! Rows of token ids as a batch, on the host.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Bool, DType, Device, Int, Tensor, TensorData};
use burnpipe_core::{Error, ErrorKind, Result};

use crate::{Placement, ops};

/// One text as a model takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenRow {
    /// The tokens' ids.
    pub input_ids: Vec<u32>,
    /// False for padding.
    pub attention_mask: Vec<bool>,
    /// Which segment a token belongs to, for tokenizers that say so.
    pub token_type_ids: Option<Vec<u32>>,
}

impl TokenRow {
    /// How many tokens the row has that are no padding.
    pub fn tokens(&self) -> usize {
        self.attention_mask.iter().filter(|&&seen| seen).count()
    }
}

/// What fills the shorter rows of a batch, after their text: models that count positions from the
/// first token then see each row as they would see it alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filling {
    /// The padding token's id.
    pub token: u32,
    /// The padding token's type.
    pub token_type: u32,
}

/// How the texts of a batch lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BatchLayout {
    /// Each in a row of its own, filled up to the longest: `[texts, longest]`.
    #[default]
    Padded,
    /// One after the other in a single row: `[1, tokens of all]`. Nothing is computed for padding; a
    /// model must keep tokens from seeing other texts, by [`TokenBatch::texts`].
    Joined,
}

impl BatchLayout {
    /// The layout for a model that can take both: joined where the kernels gain by it.
    pub fn fastest(placement: &Placement) -> Self {
        if ops::packs(placement) { Self::Joined } else { Self::Padded }
    }
}

/// A batch of token ids, on the host.
///
/// It stays on the host because what models derive from it (positions, lengths) is cheap there, and
/// because ids are checked against the model before they reach a device that would not.
#[derive(Clone, Debug)]
pub struct TokenBatch {
    rows: usize,
    tokens: usize,
    /// Where each text lies, in the ids row after row.
    texts: Vec<Range<usize>>,
    layout: BatchLayout,
    input_ids: Vec<i32>,
    attention_mask: Vec<bool>,
    token_type_ids: Option<Vec<i32>>,
}

impl TokenBatch {
    /// Puts texts together.
    ///
    /// # Errors
    ///
    /// When there is no token at all.
    pub fn new(texts: &[TokenRow], filling: Filling, layout: BatchLayout) -> Result<Self> {
        let longest = texts.iter().map(|row| row.input_ids.len()).max().unwrap_or(0);
        if longest == 0 {
            let message = "the text has no tokens; with `add_special_tokens: false` it must not be empty";
            return Err(Error::new(ErrorKind::Input, message));
        }
        let length = |row: &TokenRow| match layout {
            BatchLayout::Padded => longest,
            BatchLayout::Joined => row.input_ids.len(),
        };
        let total = texts.iter().map(length).sum();
        let typed = texts.iter().any(|row| row.token_type_ids.is_some());
        let (rows, tokens) = match layout {
            BatchLayout::Padded => (texts.len(), longest),
            BatchLayout::Joined => (1, total),
        };
        let mut batch = Self {
            rows,
            tokens,
            texts: Vec::with_capacity(texts.len()),
            layout,
            input_ids: Vec::with_capacity(total),
            attention_mask: Vec::with_capacity(total),
            token_type_ids: typed.then(|| Vec::with_capacity(total)),
        };
        for row in texts {
            let start = batch.input_ids.len();
            batch.texts.push(start..start + row.input_ids.len());
            let fill = |values: &mut Vec<i32>, ids: &[u32], filler: u32| {
                let padded = ids.iter().copied().chain(std::iter::repeat(filler)).take(length(row));
                values.extend(padded.map(|id| i32::try_from(id).unwrap_or(-1)));
            };
            fill(&mut batch.input_ids, &row.input_ids, filling.token);
            if let Some(types) = &mut batch.token_type_ids {
                fill(types, row.token_type_ids.as_deref().unwrap_or(&[]), filling.token_type);
            }
            let seen = row.attention_mask.iter().copied().chain(std::iter::repeat(false)).take(length(row));
            batch.attention_mask.extend(seen);
        }
        Ok(batch)
    }

    /// Where the tokens of each text lie, in ids and results taken row after row.
    pub fn texts(&self) -> &[Range<usize>] {
        &self.texts
    }

    /// Where each text ends that shares its row with others; `None` if none does.
    pub fn ends(&self) -> Option<Arc<[usize]>> {
        let joined = self.layout == BatchLayout::Joined && self.texts.len() > 1;
        joined.then(|| self.texts.iter().map(|text| text.end).collect())
    }

    /// The ids of each text, with its padding.
    pub fn rows(&self) -> impl Iterator<Item = &[i32]> {
        self.texts.iter().map(|text| match self.layout {
            BatchLayout::Padded => &self.input_ids[text.start..text.start + self.tokens],
            BatchLayout::Joined => &self.input_ids[text.clone()],
        })
    }

    /// The position of every token in its own text, from 0.
    pub fn positions(&self) -> Vec<i32> {
        let length = |text: &Range<usize>| match self.layout {
            BatchLayout::Padded => self.tokens,
            BatchLayout::Joined => text.len(),
        };
        self.texts.iter().flat_map(|text| 0..length(text) as i32).collect()
    }

    /// The vector of every text's first token: `[texts, size]` of `[batch, tokens, size]`.
    pub fn first_tokens(&self, states: Tensor<3>) -> Tensor<2> {
        let [rows, _, size] = states.dims();
        if self.texts.len() == rows {
            return states.narrow(1, 0, 1).reshape([rows, size]);
        }
        let starts: Vec<usize> = self.texts.iter().map(|text| text.start).collect();
        self.select(states, &starts)
    }

    /// The vectors of the tokens at `positions`, counted row after row: `[positions, size]` of
    /// `[batch, tokens, size]`.
    pub fn select(&self, states: Tensor<3>, positions: &[usize]) -> Tensor<2> {
        let [rows, tokens, size] = states.dims();
        let positions: Vec<i32> = positions.iter().map(|&position| position as i32).collect();
        let positions = TensorData::new(positions.clone(), [positions.len()]);
        let positions: Tensor<1, Int> = Tensor::from_data(positions, (&states.device(), DType::I32));
        states.reshape([rows * tokens, size]).select(0, positions)
    }

    /// The vector of every text's last token, padding of the text's own included: `[texts, size]` of
    /// `[batch, tokens, size]`.
    pub fn last_tokens(&self, states: Tensor<3>) -> Tensor<2> {
        let ends: Vec<usize> = self.texts.iter().map(|text| text.end.saturating_sub(1)).collect();
        self.select(states, &ends)
    }

    /// The vector of every text's last token that is not this one, or of its first if all are; of its last token
    /// if nothing is said. As classifiers over decoders take it: `[texts, size]` of `[batch, tokens, size]`.
    pub fn last_tokens_but(&self, pad_token_id: Option<u32>, states: Tensor<3>) -> Tensor<2> {
        let pad = pad_token_id.and_then(|id| i32::try_from(id).ok());
        let last = |text: &Range<usize>| {
            let own = text.clone().rev().find(|&position| Some(self.input_ids[position]) != pad);
            own.unwrap_or(text.start)
        };
        let places: Vec<usize> = self.texts.iter().map(last).collect();
        self.select(states, &places)
    }

    /// The mean of every text's vectors, padding of the text's own included: `[texts, size]` of
    /// `[batch, tokens, size]`.
    pub fn mean_of_tokens(&self, states: Tensor<3>) -> Tensor<2> {
        self.mean_where(states, |_| true)
    }

    /// The mean of the vectors of every text's tokens that are no padding: `[texts, size]` of
    /// `[batch, tokens, size]`.
    pub fn mean_of_seen_tokens(&self, states: Tensor<3>) -> Tensor<2> {
        self.mean_where(states, |position| self.attention_mask[position])
    }

    fn mean_where(&self, states: Tensor<3>, counts: impl Fn(usize) -> bool) -> Tensor<2> {
        let [rows, tokens, size] = states.dims();
        let mut weights = vec![0.0_f32; self.texts.len() * rows * tokens];
        for (text, weights) in self.texts.iter().zip(weights.chunks_mut((rows * tokens).max(1))) {
            let counted = || text.clone().filter(|&position| counts(position));
            let share = 1.0 / counted().count().max(1) as f32;
            counted().for_each(|position| weights[position] = share);
        }
        let weights = TensorData::new(weights, [self.texts.len(), rows * tokens]);
        let weights = Tensor::from_data(weights, (&states.device(), DType::F32));
        ops::weighted_sums(weights, states.reshape([rows * tokens, size]))
    }

    /// How many rows there are, and how many tokens each has, with padding where there is any.
    pub fn dims(&self) -> [usize; 2] {
        [self.rows, self.tokens]
    }

    /// The ids row after row, `[batch * tokens]`.
    pub fn ids(&self) -> &[i32] {
        &self.input_ids
    }

    /// Whether each token is one that others see, row after row; false for padding, `[batch * tokens]`.
    pub fn seen(&self) -> &[bool] {
        &self.attention_mask
    }

    /// Checks that a model with this many token ids, token types and positions can take the batch.
    ///
    /// # Errors
    ///
    /// When the text is too long for the model, or the tokenizer is not the model's.
    pub fn check(&self, vocabulary: usize, token_types: Option<usize>, positions: usize) -> Result<()> {
        let longest = self.texts.iter().map(Range::len).max().unwrap_or(0);
        if longest > positions {
            let message = format!(
                "the text has {longest} tokens and the model takes at most {positions}; shorten it, or cut it by `truncation` where the task takes it"
            );
            return Err(Error::new(ErrorKind::Input, message));
        }
        let past = |ids: &[i32], limit: usize| {
            ids.iter().copied().find(|&id| usize::try_from(id).map_or(true, |id| id >= limit))
        };
        if let Some(id) = past(&self.input_ids, vocabulary) {
            let message = format!(
                "token id {id} is past the model's {vocabulary} ids; tokenizer and model do not belong together"
            );
            return Err(Error::new(ErrorKind::Tokenizer, message));
        }
        let types = self.token_type_ids.as_deref().unwrap_or(&[]);
        match token_types.and_then(|limit| Some((past(types, limit)?, limit))) {
            None => Ok(()),
            Some((id, limit)) => {
                let message =
                    format!("token type {id} is past the model's {limit} types; it takes no text pairs");
                Err(Error::new(ErrorKind::Input, message))
            }
        }
    }

    /// The token ids: `[batch, tokens]`.
    pub fn input_ids(&self, device: &Device) -> Tensor<2, Int> {
        self.to_device(self.input_ids.clone(), device)
    }

    /// The token types: `[batch, tokens]`, all 0 when the tokenizer gives none.
    pub fn token_type_ids(&self, device: &Device) -> Tensor<2, Int> {
        let types = self.token_type_ids.clone().unwrap_or_else(|| vec![0; self.input_ids.len()]);
        self.to_device(types, device)
    }

    /// The token types row after row, `[batch * tokens]`; `None` when the tokenizer gives none.
    pub fn token_types(&self) -> Option<&[i32]> {
        self.token_type_ids.as_deref()
    }

    /// Ids that a model derived from this batch, one per token: `[batch, tokens]`.
    pub fn to_device(&self, ids: Vec<i32>, device: &Device) -> Tensor<2, Int> {
        Tensor::from_data(TensorData::new(ids, self.dims()), (device, DType::I32))
    }

    /// True where a token is padding, or `None` when none is: `[batch, 1, 1, tokens]`.
    pub fn hidden(&self, device: &Device) -> Option<Tensor<4, Bool>> {
        if self.attention_mask.iter().all(|&seen| seen) {
            return None;
        }
        let hidden: Vec<bool> = self.attention_mask.iter().map(|seen| !seen).collect();
        Some(Tensor::from_data(TensorData::new(hidden, [self.rows, 1, 1, self.tokens]), device))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ids: &[u32]) -> TokenRow {
        TokenRow { input_ids: ids.to_vec(), attention_mask: vec![true; ids.len()], token_type_ids: None }
    }

    #[test]
    fn shorter_rows_are_filled_after_their_text() {
        let rows = [row(&[5, 6, 7]), row(&[8])];
        let filling = Filling { token: 1, token_type: 0 };
        let batch = TokenBatch::new(&rows, filling, BatchLayout::Padded).unwrap();
        assert_eq!(batch.ids(), [5, 6, 7, 8, 1, 1]);
        assert_eq!(batch.attention_mask, [true, true, true, true, false, false]);
    }

    #[test]
    fn joined_texts_keep_their_positions() {
        let rows = [row(&[5, 6, 7]), row(&[8, 9])];
        let batch = TokenBatch::new(&rows, Filling::default(), BatchLayout::Joined).unwrap();
        assert_eq!(batch.dims(), [1, 5]);
        assert_eq!(batch.ids(), [5, 6, 7, 8, 9]);
        assert_eq!(batch.positions(), [0, 1, 2, 0, 1]);
        assert_eq!(batch.texts(), [0..3, 3..5]);
        assert_eq!(batch.ends().as_deref(), Some([3, 5].as_slice()));
        let states = (0..5).map(|value| value as f32).collect::<Vec<f32>>();
        let states = Tensor::from_data(TensorData::new(states, [1, 5, 1]), (&Device::flex(), DType::F32));
        assert_eq!(batch.first_tokens(states).into_data().try_to_vec::<f32>().unwrap(), [0.0, 3.0]);
        // The limit is on a text, not on all of them.
        assert!(batch.check(10, None, 3).is_ok());
    }

    #[test]
    fn means_leave_out_what_fills_a_row_and_padding_if_they_should() {
        let padded = TokenRow { attention_mask: vec![true, false], ..row(&[8, 9]) };
        for layout in [BatchLayout::Padded, BatchLayout::Joined] {
            let batch =
                TokenBatch::new(&[row(&[5, 6, 7]), padded.clone()], Filling::default(), layout).unwrap();
            let [rows, tokens] = batch.dims();
            let states: Vec<f32> = (0..rows * tokens).map(|at| at as f32).collect();
            let states =
                Tensor::from_data(TensorData::new(states, [rows, tokens, 1]), (&Device::flex(), DType::F32));
            assert_eq!(numbers(batch.mean_of_tokens(states.clone())), [1.0, 3.5]);
            assert_eq!(numbers(batch.mean_of_seen_tokens(states.clone())), [1.0, 3.0]);
            assert_eq!(numbers(batch.last_tokens(states)), [2.0, 4.0]);
        }
    }

    fn numbers(x: Tensor<2>) -> Vec<f32> {
        x.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn what_the_model_cannot_take_is_refused() {
        let batch = TokenBatch::new(&[row(&[5, 6, 7])], Filling::default(), BatchLayout::Padded).unwrap();
        assert!(batch.check(8, Some(1), 3).is_ok());
        let long = batch.check(8, Some(1), 2).unwrap_err();
        assert!(long.to_string().contains("3 tokens") && long.to_string().contains("at most 2"), "{long}");
        assert_eq!(batch.check(7, Some(1), 3).unwrap_err().kind(), ErrorKind::Tokenizer);
        let none = TokenBatch::new(&[row(&[])], Filling::default(), BatchLayout::Joined);
        assert_eq!(none.unwrap_err().kind(), ErrorKind::Input);
    }
}
