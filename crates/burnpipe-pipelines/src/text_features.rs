//! What the tasks over text encoders share: encoded text to rows, rows to a batch, and back.

use burnpipe_core::Result;
pub(crate) use burnpipe_nn::read_back;
use burnpipe_nn::{BatchLayout, Filling, TokenBatch, TokenRow};
use burnpipe_text::{EncodeOptions, Encoding, TextInput, Tokenizer};

/// An encoding as the model takes it.
pub(crate) fn token_row(encoding: &Encoding, tokenizer: &Tokenizer, options: &EncodeOptions) -> TokenRow {
    let seen = |&mask: &u32| mask != 0 || !tokenizer.returns_attention_mask(options);
    TokenRow {
        input_ids: encoding.ids.clone(),
        attention_mask: encoding.attention_mask.iter().map(seen).collect(),
        token_type_ids: tokenizer.returns_token_type_ids(options).then(|| encoding.type_ids.clone()),
    }
}

/// A text alone gets the second text that the call gives for all, if it does.
pub(crate) fn with_text_pair(input: TextInput, text_pair: Option<&str>) -> TextInput {
    match (input, text_pair) {
        (TextInput::Text(text), Some(pair)) => TextInput::Pair { text, text_pair: pair.to_string() },
        (input, _) => input,
    }
}

/// Rows as one batch. Whatever the tokenizer's padding side, rows are filled after their text, so
/// that each gets the answer it would get alone.
pub(crate) fn collate<'a>(
    rows: impl Iterator<Item = &'a TokenRow>,
    tokenizer: &Tokenizer,
    layout: BatchLayout,
) -> Result<TokenBatch> {
    let rows: Vec<TokenRow> = rows.cloned().collect();
    let filling =
        Filling { token: tokenizer.pad_token_id().unwrap_or(0), token_type: tokenizer.pad_token_type_id() };
    TokenBatch::new(&rows, filling, layout)
}

/// Softmax as Python's pipelines compute it, in f32.
pub(crate) fn softmax(logits: &[f32]) -> Vec<f32> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f32> = logits.iter().map(|logit| (logit - max).exp()).collect();
    let sum: f32 = exponentials.iter().sum();
    exponentials.into_iter().map(|exponential| exponential / sum).collect()
}

/// The first position of the greatest value, as numpy's `argmax`; 0 for no values.
pub(crate) fn argmax(values: &[f32]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}
