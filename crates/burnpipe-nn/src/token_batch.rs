//! Rows of token ids as a batch, on the host and padded.

use burn::tensor::{Bool, DType, Device, Int, Tensor, TensorData};
use burnpipe_core::{Error, ErrorKind, Result};

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

/// A padded batch of token ids, on the host.
///
/// It stays on the host because what models derive from it (positions, lengths) is cheap there, and
/// because ids are checked against the model before they reach a device that would not.
#[derive(Clone, Debug)]
pub struct TokenBatch {
    rows: usize,
    tokens: usize,
    input_ids: Vec<i32>,
    attention_mask: Vec<bool>,
    token_type_ids: Option<Vec<i32>>,
}

impl TokenBatch {
    /// Puts rows together, filled up to the longest of them.
    ///
    /// # Errors
    ///
    /// When there is no token at all.
    pub fn new(rows: &[TokenRow], filling: Filling) -> Result<Self> {
        let tokens = rows.iter().map(|row| row.input_ids.len()).max().unwrap_or(0);
        if tokens == 0 {
            let message = "the text has no tokens; with `add_special_tokens: false` it must not be empty";
            return Err(Error::new(ErrorKind::Input, message));
        }
        let typed = rows.iter().any(|row| row.token_type_ids.is_some());
        let mut batch = Self {
            rows: rows.len(),
            tokens,
            input_ids: Vec::with_capacity(rows.len() * tokens),
            attention_mask: Vec::with_capacity(rows.len() * tokens),
            token_type_ids: typed.then(|| Vec::with_capacity(rows.len() * tokens)),
        };
        let fill = |values: &mut Vec<i32>, ids: &[u32], filler: u32| {
            let padded = ids.iter().copied().chain(std::iter::repeat(filler)).take(tokens);
            values.extend(padded.map(|id| i32::try_from(id).unwrap_or(-1)));
        };
        for row in rows {
            fill(&mut batch.input_ids, &row.input_ids, filling.token);
            if let Some(types) = &mut batch.token_type_ids {
                fill(types, row.token_type_ids.as_deref().unwrap_or(&[]), filling.token_type);
            }
            let seen = row.attention_mask.iter().copied().chain(std::iter::repeat(false)).take(tokens);
            batch.attention_mask.extend(seen);
        }
        Ok(batch)
    }

    /// How many rows there are, and how many tokens each has with padding.
    pub fn dims(&self) -> [usize; 2] {
        [self.rows, self.tokens]
    }

    /// The ids row after row, `[batch * tokens]`.
    pub fn ids(&self) -> &[i32] {
        &self.input_ids
    }

    /// Checks that a model with this many token ids, token types and positions can take the batch.
    ///
    /// # Errors
    ///
    /// When the text is too long for the model, or the tokenizer is not the model's.
    pub fn check(&self, vocabulary: usize, token_types: Option<usize>, positions: usize) -> Result<()> {
        if self.tokens > positions {
            let message = format!(
                "the text has {} tokens and the model takes at most {positions}; shorten it, or cut it by `truncation` where the task takes it",
                self.tokens
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
        let batch = TokenBatch::new(&rows, Filling { token: 1, token_type: 0 }).unwrap();
        assert_eq!(batch.ids(), [5, 6, 7, 8, 1, 1]);
        assert_eq!(batch.attention_mask, [true, true, true, true, false, false]);
    }

    #[test]
    fn what_the_model_cannot_take_is_refused() {
        let batch = TokenBatch::new(&[row(&[5, 6, 7])], Filling::default()).unwrap();
        assert!(batch.check(8, Some(1), 3).is_ok());
        let long = batch.check(8, Some(1), 2).unwrap_err();
        assert!(long.to_string().contains("3 tokens") && long.to_string().contains("at most 2"), "{long}");
        assert_eq!(batch.check(7, Some(1), 3).unwrap_err().kind(), ErrorKind::Tokenizer);
        let none = TokenBatch::new(&[row(&[])], Filling::default());
        assert_eq!(none.unwrap_err().kind(), ErrorKind::Input);
    }
}
