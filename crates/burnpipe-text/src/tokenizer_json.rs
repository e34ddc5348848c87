//! Reading tokenizer.json.
//!
//! The `tokenizers` crate first turns the model into a tree of JSON values, several times over. Here
//! the model is read straight into its type, which takes a fraction of the time.

use burnpipe_core::{ErrorContext, ErrorKind, ModelFiles, Result};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Error as _};
use serde_json::Value;
use serde_json::value::RawValue;
use tokenizers::models::bpe::BPE;
use tokenizers::models::unigram::Unigram;
use tokenizers::models::wordlevel::WordLevel;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::Precompiled;
use tokenizers::{
    AddedToken, DecoderWrapper, ModelWrapper, NormalizerWrapper, PaddingParams, PostProcessorWrapper,
    PreTokenizerWrapper, TruncationParams,
};

use crate::{charsmap, files};

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
    normalizer: Option<Value>,
    pre_tokenizer: Option<Value>,
    post_processor: Option<Value>,
    decoder: Option<Value>,
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
    file.normalizer.as_ref().map_or(Ok(()), check_precompiled)?;
    library
        .with_normalizer(component::<NormalizerWrapper>(file.normalizer)?)
        .with_pre_tokenizer(component::<PreTokenizerWrapper>(file.pre_tokenizer)?)
        .with_post_processor(component::<PostProcessorWrapper>(file.post_processor)?)
        .with_decoder(component::<DecoderWrapper>(file.decoder)?);
    let added_tokens: Vec<_> = file.added_tokens.into_iter().map(|added| (added.id, added.token)).collect();
    let tokens: Vec<_> = added_tokens.iter().map(|(_, token)| token.clone()).collect();
    library.add_tokens(&tokens);
    Ok(TokenizerJson { library, added_tokens, truncation: file.truncation, padding: file.padding })
}

/// Makes a part of a tokenizer from JSON that is known to be whole: on half a file the crate panics.
fn component<T: DeserializeOwned>(value: Option<Value>) -> serde_json::Result<Option<T>> {
    value.map(serde_json::from_value).transpose()
}

/// Checks the character maps of a normalizer, on which the crate panics when they are broken.
fn check_precompiled(normalizer: &Value) -> serde_json::Result<()> {
    if normalizer.get("type").and_then(Value::as_str) == Some("Precompiled") {
        serde_json::from_str::<Precompiled>(&normalizer.to_string())?;
        let charsmap = normalizer.get("precompiled_charsmap").and_then(Value::as_str).unwrap_or_default();
        charsmap::check(&charsmap::from_base64(charsmap))
            .map_err(|error| serde_json::Error::custom(error.to_string()))?;
    }
    let steps = normalizer.get("normalizers").and_then(Value::as_array);
    steps.into_iter().flatten().try_for_each(check_precompiled)
}

fn parse_model(model: &str) -> serde_json::Result<ModelWrapper> {
    let tag = match leading_tag(model) {
        Some(tag) => Some(tag.to_owned()),
        None => serde_json::from_str::<ModelTag>(model)?.tag,
    };
    match tag.as_deref() {
        Some("BPE") => serde_json::from_str::<BPE>(model).map(Into::into),
        Some("WordPiece") => serde_json::from_str::<WordPiece>(model).map(Into::into),
        Some("WordLevel") => serde_json::from_str::<WordLevel>(model).map(Into::into),
        Some("Unigram") => serde_json::from_str::<Unigram>(model).map(Into::into),
        // Old files name no type, and the crate finds it out by trying each.
        _ => serde_json::from_str(model),
    }
}

/// The type of the model where it comes first, as the crate writes it: that spares reading the whole
/// vocabulary once more.
fn leading_tag(model: &str) -> Option<&str> {
    let value = model.strip_prefix('{')?.trim_start().strip_prefix("\"type\"")?.trim_start();
    let (tag, _) = value.strip_prefix(':')?.trim_start().strip_prefix('"')?.split_once('"')?;
    Some(tag)
}
