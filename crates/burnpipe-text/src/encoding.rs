//! What goes into a tokenizer and what comes out.

/// One input of a tokenizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextInput {
    /// A text.
    Text(String),
    /// Two texts that the model reads together.
    Pair {
        /// The first text.
        text: String,
        /// The second text.
        text_pair: String,
    },
    /// A text that is split into words already; offsets then count within each word.
    Words(Vec<String>),
    /// Two texts that are split into words already.
    WordsPair {
        /// The words of the first text.
        words: Vec<String>,
        /// The words of the second text.
        words_pair: Vec<String>,
    },
}

impl From<&str> for TextInput {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for TextInput {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// One window of tokens; all lists have the same length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoding {
    /// The id of each token.
    pub ids: Vec<u32>,
    /// Which segment each token belongs to, as the model counts segments.
    pub type_ids: Vec<u32>,
    /// 1 for tokens to attend to, 0 for padding.
    pub attention_mask: Vec<u32>,
    /// 1 for tokens that the tokenizer added, 0 for tokens of the text.
    pub special_tokens_mask: Vec<u32>,
    /// Where each token begins and ends in its text, in **code points**, as Python counts; `(0, 0)`
    /// for added tokens.
    pub offsets: Vec<(usize, usize)>,
    /// The word that each token is a part of; `None` for added tokens.
    pub word_ids: Vec<Option<u32>>,
    /// Which text of the input each token is from, 0 or 1; `None` for added tokens.
    pub sequence_ids: Vec<Option<usize>>,
    /// The tokens as text.
    pub tokens: Vec<String>,
}

impl Encoding {
    /// The number of tokens.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no token at all.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

impl From<&tokenizers::Encoding> for Encoding {
    fn from(encoding: &tokenizers::Encoding) -> Self {
        Self {
            ids: encoding.get_ids().to_vec(),
            type_ids: encoding.get_type_ids().to_vec(),
            attention_mask: encoding.get_attention_mask().to_vec(),
            special_tokens_mask: encoding.get_special_tokens_mask().to_vec(),
            offsets: encoding.get_offsets().to_vec(),
            word_ids: encoding.get_word_ids().to_vec(),
            sequence_ids: encoding.get_sequence_ids(),
            tokens: encoding.get_tokens().to_vec(),
        }
    }
}
