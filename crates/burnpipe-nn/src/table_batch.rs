//! Questions about tables as a batch, on the host.

use burn::tensor::{Device, Int, Tensor};
use burnpipe_core::{Error, ErrorKind, Result};

use crate::{BatchLayout, Filling, TokenBatch, TokenRow};

/// What the seven types of a token say, in their order.
const TYPES: [&str; 7] =
    ["segment", "column", "row", "previous label", "rank", "inverse rank", "relation to the question"];

/// One question about a table, as a model takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableRow {
    /// The tokens' ids.
    pub input_ids: Vec<u32>,
    /// False for padding.
    pub attention_mask: Vec<bool>,
    /// Of each token: whether it is in the table; its column and row, from 1 (0 for tokens in none); whether it
    /// was part of the answer before; the rank of its cell's number in the column, from both ends; how that
    /// number stands to those of the question.
    pub type_ids: Vec<[u32; 7]>,
}

/// A batch of questions about tables, on the host.
#[derive(Clone, Debug)]
pub struct TableBatch {
    tokens: TokenBatch,
    rows: Vec<TableRow>,
}

impl TableBatch {
    /// Puts questions together; shorter ones are filled with `pad_token` after their end.
    ///
    /// # Errors
    ///
    /// When there is no token at all.
    pub fn new(rows: Vec<TableRow>, pad_token: u32, layout: BatchLayout) -> Result<Self> {
        let token_row = |row: &TableRow| TokenRow {
            input_ids: row.input_ids.clone(),
            attention_mask: row.attention_mask.clone(),
            token_type_ids: None,
        };
        let token_rows: Vec<TokenRow> = rows.iter().map(token_row).collect();
        let filling = Filling { token: pad_token, token_type: 0 };
        Ok(Self { tokens: TokenBatch::new(&token_rows, filling, layout)?, rows })
    }

    /// The batch as one of tokens.
    pub fn tokens(&self) -> &TokenBatch {
        &self.tokens
    }

    /// The questions.
    pub fn rows(&self) -> &[TableRow] {
        &self.rows
    }

    /// One of the seven types of every token: `[batch, tokens]`.
    pub fn type_ids(&self, which: usize, device: &Device) -> Tensor<2, Int> {
        self.derived(device, |row| row.type_ids.iter().map(|types| types[which] as i32).collect(), |_| 0)
    }

    /// Numbers that a model derived from each question, one per token, and those of what fills it up by their
    /// place in the row: `[batch, tokens]`.
    pub fn derived(
        &self,
        device: &Device,
        numbers: impl Fn(&TableRow) -> Vec<i32>,
        filling: impl Fn(usize) -> i32,
    ) -> Tensor<2, Int> {
        let rows = self.rows.iter().zip(self.tokens.rows());
        let all = rows.flat_map(|(row, filled)| {
            let own = numbers(row);
            let filling = (own.len()..filled.len()).map(&filling);
            own.iter().copied().chain(filling).collect::<Vec<i32>>()
        });
        self.tokens.to_device(all.collect(), device)
    }

    /// Checks that a model with this many entries in the tables of its types can take the batch.
    ///
    /// # Errors
    ///
    /// When a table is too large for the model.
    pub fn check_types(&self, sizes: &[usize]) -> Result<()> {
        for types in self.rows.iter().flat_map(|row| &row.type_ids) {
            for ((what, id), size) in TYPES.iter().zip(types).zip(sizes) {
                if usize::try_from(*id).map_or(true, |id| id >= *size) {
                    let message = format!(
                        "the table is too large for the model: {what} {id} is past the last one, {}; leave out rows or columns",
                        size.saturating_sub(1)
                    );
                    return Err(Error::new(ErrorKind::Input, message));
                }
            }
        }
        Ok(())
    }
}
