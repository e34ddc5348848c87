//! The tokenizer of one checkpoint.

use std::fmt;
use std::sync::{Arc, OnceLock};

use burnpipe_core::{ErrorContext, ErrorKind, ModelFiles, Result};
use serde_json::Value;
use tokenizers::{AddedVocabulary, Decoder, ModelWrapper, PostProcessor};

use crate::added_token::SpecialTokens;
use crate::chat_template::{ChatTemplate, ChatTemplateOptions};
use crate::class::TokenizerClass;
use crate::encode;
use crate::load;
use crate::{DecodeOptions, EncodeOptions, Encoding, Side, TextInput};

/// The tokenizer of one checkpoint: text to ids and back, as Python's fast tokenizers do it.
///
/// Cheap to clone, and free to share between threads: nothing in it changes after loading.
///
/// ```no_run
/// # fn example(files: &dyn burnpipe_core::ModelFiles) -> burnpipe_core::Result<()> {
/// use burnpipe_text::{DecodeOptions, EncodeOptions, Tokenizer};
///
/// let tokenizer = Tokenizer::load(files)?;
/// let windows = tokenizer.encode(&"Straße nach Köln".into(), &EncodeOptions::default())?;
/// let text = tokenizer.decode(&windows[0].ids, DecodeOptions::default())?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Tokenizer(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) library: tokenizers::Tokenizer,
    pub(crate) class: &'static TokenizerClass,
    pub(crate) special: SpecialTokens,
    pub(crate) chat_template: ChatTemplate,
    pub(crate) model_max_length: Option<usize>,
    pub(crate) padding_side: Side,
    pub(crate) truncation_side: Side,
    pub(crate) clean_up: bool,
    pub(crate) split_special_tokens: bool,
    pub(crate) add_prefix_space: bool,
    pub(crate) model_input_names: Vec<String>,
    /// Counting the vocabulary copies it, so it is done when first asked for.
    pub(crate) vocab_size: OnceLock<usize>,
    /// The added tokens with the other choice of `split_special_tokens`, made when first asked for.
    pub(crate) other_vocabulary: OnceLock<AddedVocabulary>,
}

impl Inner {
    /// The added tokens, found in the text or taken for text.
    pub(crate) fn added_vocabulary(&self, split_special_tokens: bool) -> &AddedVocabulary {
        let own = self.library.get_added_vocabulary();
        if split_special_tokens == self.split_special_tokens {
            return own;
        }
        self.other_vocabulary.get_or_init(|| {
            let mut other = own.clone();
            other.set_encode_special_tokens(split_special_tokens);
            other
        })
    }
}

impl Tokenizer {
    /// Loads a checkpoint's tokenizer, as Python's `AutoTokenizer.from_pretrained` does.
    ///
    /// It is built from tokenizer.json or, without one, from the files of the slow tokenizer:
    /// `vocab.txt`, `vocab.json` with `merges.txt`, or one of SentencePiece's: `spiece.model`,
    /// `spm.model`, `sentencepiece.model` or `sentencepiece.bpe.model`.
    /// tokenizer_config.json, special_tokens_map.json and added_tokens.json are honoured, and
    /// config.json when it takes that to find the class.
    ///
    /// # Errors
    ///
    /// With [`ErrorKind::MissingFile`] when there are no tokenizer files, [`ErrorKind::Tokenizer`]
    /// when one of them is broken, and [`ErrorKind::Unsupported`] for a class that only exists in
    /// Python code.
    pub fn load(files: &dyn ModelFiles) -> Result<Self> {
        Ok(Self(Arc::new(load::load(files)?)))
    }

    /// Encodes one input: its first window, and the overflowing ones when the options ask for them.
    ///
    /// # Errors
    ///
    /// With [`ErrorKind::Parameter`] for options that do not fit together or with this tokenizer, and
    /// [`ErrorKind::Input`] for an input that they cannot be applied to.
    pub fn encode(&self, input: &TextInput, options: &EncodeOptions) -> Result<Vec<Encoding>> {
        encode::encode(&self.0, input, options)
    }

    /// Encodes two texts that are a pair even when the second is empty, as Python takes lists of pairs;
    /// [`encode`](Self::encode) takes an empty second text for none, as Python takes a pair alone.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode).
    pub fn encode_pair(&self, text: &str, text_pair: &str, options: &EncodeOptions) -> Result<Vec<Encoding>> {
        encode::encode_pair(&self.0, [text, text_pair], options)
    }

    /// Turns ids back into text. Ids that are not in the vocabulary are left out.
    ///
    /// # Errors
    ///
    /// With [`ErrorKind::Tokenizer`] when the tokenizer's decoder cannot be applied.
    pub fn decode(&self, ids: &[u32], options: DecodeOptions) -> Result<String> {
        let text = self.0.library.decode(ids, options.skip_special_tokens);
        let text = text.context(ErrorKind::Tokenizer, || "cannot turn the ids back into text")?;
        let clean_up = options.clean_up_tokenization_spaces.unwrap_or(self.0.clean_up);
        Ok(if clean_up { clean_up_tokenization(&text) } else { text })
    }

    /// The token of each id; `None` for an id that is not in the vocabulary.
    pub fn convert_ids_to_tokens(&self, ids: &[u32]) -> Vec<Option<String>> {
        ids.iter().map(|id| self.id_to_token(*id)).collect()
    }

    /// Joins tokens into text.
    ///
    /// # Errors
    ///
    /// With [`ErrorKind::Tokenizer`] when the tokenizer's decoder cannot be applied.
    pub fn convert_tokens_to_string<S: AsRef<str>>(&self, tokens: &[S]) -> Result<String> {
        let tokens: Vec<String> = tokens.iter().map(|token| token.as_ref().to_owned()).collect();
        match self.0.library.get_decoder() {
            Some(decoder) => {
                decoder.decode(tokens).context(ErrorKind::Tokenizer, || "cannot join the tokens into text")
            }
            None => Ok(tokens.join(" ")),
        }
    }

    /// The id of a token; `None` when it is not in the vocabulary.
    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        self.0.library.token_to_id(token)
    }

    /// The token of an id; `None` when it is not in the vocabulary.
    pub fn id_to_token(&self, id: u32) -> Option<String> {
        self.0.library.id_to_token(id)
    }

    /// The id of a token, or that of the unknown token: Python's `convert_tokens_to_ids`.
    pub fn convert_token_to_id(&self, token: &str) -> Option<u32> {
        self.token_to_id(token).or_else(|| self.token_to_id(self.unk_token()?))
    }

    /// The number of tokens, added ones included: Python's `len(tokenizer)`.
    pub fn vocab_size(&self) -> usize {
        *self.0.vocab_size.get_or_init(|| self.0.library.get_vocab_size(true))
    }

    /// The most tokens that the model takes; `None` when the files set no limit.
    pub fn model_max_length(&self) -> Option<usize> {
        self.0.model_max_length
    }

    /// Where padding goes.
    pub fn padding_side(&self) -> Side {
        self.0.padding_side
    }

    /// Where tokens are cut off.
    pub fn truncation_side(&self) -> Side {
        self.0.truncation_side
    }

    /// The type id of padding.
    pub fn pad_token_type_id(&self) -> u32 {
        self.0.class.pad_token_type_id()
    }

    /// The ids of the special tokens.
    pub fn all_special_ids(&self) -> Vec<u32> {
        self.all_special_tokens().into_iter().filter_map(|token| self.convert_token_to_id(token)).collect()
    }

    /// The special tokens.
    pub fn all_special_tokens(&self) -> Vec<&str> {
        self.0.special.all().into_iter().map(|token| token.content()).collect()
    }

    /// The names of the inputs that the model is given.
    pub fn model_input_names(&self) -> &[String] {
        &self.0.model_input_names
    }

    /// Whether the model is given token type ids.
    pub fn returns_token_type_ids(&self, options: &EncodeOptions) -> bool {
        options.return_token_type_ids.unwrap_or_else(|| self.has_input("token_type_ids"))
    }

    /// Whether the model is given the attention mask.
    pub fn returns_attention_mask(&self, options: &EncodeOptions) -> bool {
        options.return_attention_mask.unwrap_or_else(|| self.has_input("attention_mask"))
    }

    fn has_input(&self, name: &str) -> bool {
        self.0.model_input_names.iter().any(|input| input == name)
    }

    /// What marks a token that goes on with a word, such as `##`; `None` when the tokenizer marks the
    /// beginnings of words instead.
    pub fn continuing_subword_prefix(&self) -> Option<&str> {
        let prefix = match self.0.library.get_model() {
            ModelWrapper::WordPiece(wordpiece) => Some(wordpiece.continuing_subword_prefix.as_str()),
            ModelWrapper::BPE(bpe) => bpe.continuing_subword_prefix.as_deref(),
            ModelWrapper::WordLevel(_) | ModelWrapper::Unigram(_) => None,
        };
        prefix.filter(|prefix| !prefix.is_empty())
    }

    /// Whether offsets and words are known: always true.
    pub fn is_fast(&self) -> bool {
        true
    }

    /// The templates that turn conversations into text; `None` for a model that is not made for chats.
    pub fn chat_template(&self) -> Option<&ChatTemplate> {
        Some(&self.0.chat_template).filter(|template| !template.names().is_empty())
    }

    /// A conversation as the text that the model continues: Python's `apply_chat_template` with `tokenize=False`.
    ///
    /// Messages are objects with a `role` and a `content`, which is a text or a list of parts, and whatever else
    /// the template knows: `tool_calls`, `reasoning_content`. The text has its special tokens: encode it with
    /// [`add_special_tokens`](EncodeOptions::add_special_tokens) off.
    ///
    /// ```no_run
    /// # fn example(tokenizer: burnpipe_text::Tokenizer) -> burnpipe_core::Result<()> {
    /// use burnpipe_text::ChatTemplateOptions;
    /// use serde_json::json;
    ///
    /// let messages = [json!({"role": "user", "content": "How tall is the Eiffel Tower?"})];
    /// let options = ChatTemplateOptions { add_generation_prompt: true, ..Default::default() };
    /// let text = tokenizer.apply_chat_template(&messages, &options)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// With [`ErrorKind::Unsupported`] when the checkpoint has no template and none is given,
    /// [`ErrorKind::Parameter`] for options that do not go together or name no template,
    /// [`ErrorKind::Tokenizer`] for a template that cannot be parsed, and [`ErrorKind::Input`] for a conversation
    /// that the template refuses or cannot render.
    pub fn apply_chat_template(&self, messages: &[Value], options: &ChatTemplateOptions) -> Result<String> {
        self.0.chat_template.apply(&self.0.special, messages, options)
    }

    /// How many tokens [`encode`](Self::encode) adds to a text, or to a pair of texts.
    pub fn num_special_tokens_to_add(&self, pair: bool) -> usize {
        self.0.library.get_post_processor().map_or(0, |processor| processor.added_tokens(pair))
    }
}

/// Defines the getters of a special token and its id.
macro_rules! special_token_getters {
    ($($token:ident, $id:ident, $what:literal;)*) => {
        impl Tokenizer {
            $(
                #[doc = concat!("The ", $what, ".")]
                pub fn $token(&self) -> Option<&str> {
                    self.0.special.content(stringify!($token))
                }

                #[doc = concat!("The id of the ", $what, ".")]
                pub fn $id(&self) -> Option<u32> {
                    self.convert_token_to_id(self.$token()?)
                }
            )*
        }
    };
}

special_token_getters! {
    bos_token, bos_token_id, "token that begins a text";
    eos_token, eos_token_id, "token that ends a text";
    unk_token, unk_token_id, "token for what is not in the vocabulary";
    sep_token, sep_token_id, "token between two texts";
    pad_token, pad_token_id, "padding token";
    cls_token, cls_token_id, "token that stands for the whole text";
    mask_token, mask_token_id, "token to be filled in";
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Tokenizer")
            .field("class", &self.0.class.name)
            .field("model", self.0.library.get_model())
            .field("model_max_length", &self.0.model_max_length)
            .field("special_tokens", &self.all_special_tokens())
            .finish_non_exhaustive()
    }
}

/// Python's `clean_up_tokenization`: takes out the spaces that splitting English text left behind.
pub(crate) fn clean_up_tokenization(text: &str) -> String {
    const REPLACEMENTS: [(&str, &str); 10] = [
        (" .", "."),
        (" ?", "?"),
        (" !", "!"),
        (" ,", ","),
        (" ' ", "'"),
        (" n't", "n't"),
        (" 'm", "'m"),
        (" 's", "'s"),
        (" 've", "'ve"),
        (" 're", "'re"),
    ];
    REPLACEMENTS.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}
