//! Reading tokenizer.json.
//!
//! The `tokenizers` crate first turns the model into a tree of JSON values, several times over. Here
//! the model is read straight into its type, which takes a fraction of the time.

use burnpipe_core::{ErrorContext, ErrorKind, ModelFiles, Result};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokenizers::models::bpe::BPE;
use tokenizers::models::unigram::Unigram;
use tokenizers::models::wordlevel::WordLevel;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::{
    AddedToken, DecoderWrapper, ModelWrapper, NormalizerWrapper, PaddingParams, PostProcessorWrapper,
    PreTokenizerWrapper, TruncationParams,
};

use crate::files;

/// What tokenizer.json holds.
pub(crate) struct TokenizerJson {
    /// The tokenizer, without the truncation and padding saved in the file.
    pub(crate) library: tokenizers::Tokenizer,
    /// The added tokens with the ids that the file gives them.
    pub(crate) added_tokens: Vec<(u64, AddedToken)>,
    pub(crate) truncation: Option<TruncationParams>,
    pub(crate) padding: Option<PaddingParams>,
}

#[derive(Deserialize)]
struct File<'a> {
    truncation: Option<TruncationParams>,
    padding: Option<PaddingParams>,
    #[serde(default)]
    added_tokens: Vec<AddedTokenWithId>,
    normalizer: Option<NormalizerWrapper>,
    pre_tokenizer: Option<PreTokenizerWrapper>,
    post_processor: Option<PostProcessorWrapper>,
    decoder: Option<DecoderWrapper>,
    #[serde(borrow)]
    model: &'a RawValue,
}

#[derive(Deserialize)]
struct AddedTokenWithId {
    id: u64,
    #[serde(flatten)]
    token: AddedToken,
}

#[derive(Deserialize)]
struct ModelTag {
    #[serde(rename = "type")]
    tag: Option<String>,
}

/// Reads the file, or gives `None` when the model has no such file.
pub(crate) fn read(model: &dyn ModelFiles, file: &str) -> Result<Option<TokenizerJson>> {
    let Some(bytes) = model.read(file)? else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&bytes).context(ErrorKind::Tokenizer, || {
        format!("`{file}` of `{}` is not UTF-8 text", model.model_name())
    })?;
    parse(text).context(ErrorKind::Tokenizer, || files::broken(model, file)).map(Some)
}

fn parse(text: &str) -> serde_json::Result<TokenizerJson> {
    let file: File<'_> = serde_json::from_str(text)?;
    let mut library = tokenizers::Tokenizer::new(parse_model(file.model.get())?);
    library
        .with_normalizer(file.normalizer)
        .with_pre_tokenizer(file.pre_tokenizer)
        .with_post_processor(file.post_processor)
        .with_decoder(file.decoder);
    let added_tokens: Vec<_> = file.added_tokens.into_iter().map(|added| (added.id, added.token)).collect();
    let tokens: Vec<_> = added_tokens.iter().map(|(_, token)| token.clone()).collect();
    library.add_tokens(&tokens);
    Ok(TokenizerJson { library, added_tokens, truncation: file.truncation, padding: file.padding })
}

fn parse_model(model: &str) -> serde_json::Result<ModelWrapper> {
    let ModelTag { tag } = serde_json::from_str(model)?;
    match tag.as_deref() {
        Some("BPE") => serde_json::from_str::<BPE>(model).map(Into::into),
        Some("WordPiece") => serde_json::from_str::<WordPiece>(model).map(Into::into),
        Some("WordLevel") => serde_json::from_str::<WordLevel>(model).map(Into::into),
        Some("Unigram") => serde_json::from_str::<Unigram>(model).map(Into::into),
        // Old files name no type, and the crate finds it out by trying each.
        _ => serde_json::from_str(model),
    }
}
