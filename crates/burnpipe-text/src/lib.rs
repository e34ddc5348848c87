//! Tokenizers of Hugging Face checkpoints: text to token ids and back, and conversations to text, equal to
//! Python's `AutoTokenizer` in transformers 4.56.2.
//!
//! ```
//! use std::borrow::Cow;
//!
//! use burnpipe_core::{ModelFiles, Result};
//! use burnpipe_text::{EncodeOptions, Tokenizer};
//!
//! /// A model whose only file is a BERT vocabulary.
//! struct Vocabulary;
//!
//! impl ModelFiles for Vocabulary {
//!     fn model_name(&self) -> &str {
//!         "vocabulary"
//!     }
//!
//!     fn read(&self, file: &str) -> Result<Option<Cow<'static, [u8]>>> {
//!         let vocabulary = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nwor\n##ld\n";
//!         Ok((file == "vocab.txt").then_some(Cow::Borrowed(vocabulary.as_slice())))
//!     }
//! }
//!
//! let tokenizer = Tokenizer::load(&Vocabulary)?;
//! let windows = tokenizer.encode(&"Hello world".into(), &EncodeOptions::default())?;
//! assert_eq!(windows[0].tokens, ["[CLS]", "hello", "wor", "##ld", "[SEP]"]);
//! assert_eq!(windows[0].offsets, [(0, 0), (0, 5), (6, 9), (9, 11), (0, 0)]);
//! # Ok::<(), burnpipe_core::Error>(())
//! ```
//!
//! # Where it sits
//!
//! Above `burnpipe-core`, whose [`ModelFiles`](burnpipe_core::ModelFiles) it reads, and beside the
//! crates for images and sound. The algorithms are those of the `tokenizers` crate; what is here is
//! what Python adds to it: which class a checkpoint is loaded with, what that class changes, how the
//! files of slow tokenizers are converted, and the rules for truncation and padding.
//!
//! # What it must not know
//!
//! Tensors, Burn, the network, and the tasks that use it.

#![forbid(unsafe_code)]

mod added_token;
mod charsmap;
mod chat_template;
mod class;
mod constructor;
mod ctc;
mod encode;
mod encoding;
mod files;
mod load;
mod options;
mod settings;
mod slow;
mod table;
mod tokenizer;
mod tokenizer_json;
mod truncate;
mod whisper;

pub use chat_template::{ChatTemplate, ChatTemplateOptions, LocalTime};
pub use ctc::{CtcOffset, CtcTokenizer};
pub use encoding::{Encoding, TextInput};
pub use options::{DecodeOptions, EncodeOptions, Padding, Side, Truncation};
pub use table::{Table, TableEncoding, TableOptions, TableTokenizer};
pub use tokenizer::Tokenizer;
pub use whisper::{
    CrossAttentions, Transcript, TranscriptChunk, TranscriptOptions, TranscriptTimes, WhisperOutput,
    WhisperTokens, language_code,
};
