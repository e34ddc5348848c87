//! Loading a tokenizer: what Python's `AutoTokenizer.from_pretrained` and the constructors of the
//! fast tokenizer classes do to the files.

use std::collections::HashSet;
use std::sync::OnceLock;

use burnpipe_core::{Error, ErrorContext, ErrorKind, ModelFiles, Result};
use serde_json::{Map, Value};
use tokenizers::normalizers::BertNormalizer;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{
    NormalizerWrapper, PaddingDirection, PostProcessorWrapper, PreTokenizerWrapper, TruncationDirection,
};

use crate::Side;
use crate::added_token::{AddedToken, SpecialToken};
use crate::class::{self, Family, TokenizerClass};
use crate::constructor::{self, Constructor};
use crate::files;
use crate::settings::Settings;
use crate::slow;
use crate::tokenizer::Inner;
use crate::tokenizer_json::{self, TokenizerJson};

/// Loads the tokenizer of a model.
pub(crate) fn load(model: &dyn ModelFiles) -> Result<Inner> {
    let config =
        files::read_object(model, files::TOKENIZER_CONFIG, ErrorKind::Tokenizer)?.unwrap_or_default();
    let class = class::choose(model, &config)?;
    match tokenizer_json::read(model, &tokenizer_file(&config))? {
        Some(_) if is_made_anew(model, class, &config)? => from_slow_files(model, class, config),
        Some(json) => from_json(model, class, config, json),
        None => from_slow_files(model, class, config),
    }
}

fn from_json(
    model: &dyn ModelFiles,
    class: &'static TokenizerClass,
    config: Map<String, Value>,
    json: TokenizerJson,
) -> Result<Inner> {
    let mut settings = Settings::read(model, config, &json.added_tokens)?;
    constructor::set_defaults(class.family, Constructor::Fast, &mut settings.special);
    constructor::wrap(class.family, Constructor::Fast, &mut settings.special);
    let mut defaults = Defaults::of(class);
    if let Some(truncation) = json.truncation {
        defaults.truncation_side = match truncation.direction {
            TruncationDirection::Left => Side::Left,
            TruncationDirection::Right => Side::Right,
        };
    }
    if let Some(padding) = json.padding {
        settings.special.set_default("pad_token", SpecialToken::Text(padding.pad_token));
        defaults.padding_side = match padding.direction {
            PaddingDirection::Left => Side::Left,
            PaddingDirection::Right => Side::Right,
        };
    }
    finish(class, settings, json.library, &defaults)
}

fn from_slow_files(
    model: &dyn ModelFiles,
    class: &'static TokenizerClass,
    config: Map<String, Value>,
) -> Result<Inner> {
    let mut settings = Settings::read(model, config, &[])?;
    constructor::set_defaults(class.family, Constructor::Slow, &mut settings.special);
    let library = slow::convert(model, class, &settings)?;
    constructor::wrap(class.family, Constructor::Slow, &mut settings.special);
    constructor::pin(&mut settings.special);
    // The slow BERT classes clean up by default, and the fast ones take that over.
    let clean_up = matches!(class.family, Family::Bert | Family::Funnel | Family::MPNet);
    finish(class, settings, library, &Defaults { clean_up, ..Defaults::of(class) })
}

/// What holds when tokenizer_config.json does not say.
struct Defaults {
    clean_up: bool,
    padding_side: Side,
    truncation_side: Side,
}

impl Defaults {
    fn of(class: &TokenizerClass) -> Self {
        Self { clean_up: false, padding_side: class.padding_side(), truncation_side: Side::Right }
    }
}

/// The constructor of `PreTrainedTokenizerFast`, and then that of the class.
fn finish(
    class: &'static TokenizerClass,
    settings: Settings,
    mut library: tokenizers::Tokenizer,
    defaults: &Defaults,
) -> Result<Inner> {
    let split_special_tokens = settings.flag("split_special_tokens")?.unwrap_or(false);
    library.set_encode_special_tokens(split_special_tokens);
    add_tokens(&mut library, &settings);
    let add_prefix_space = settings.flag("add_prefix_space")?.unwrap_or(false);
    set_add_prefix_space(&mut library, add_prefix_space);
    match class.family {
        Family::Bert | Family::Funnel | Family::MPNet => {
            override_normalizer(&mut library, class.family, &settings)?;
        }
        Family::Bart | Family::Mvp | Family::Roberta => {
            override_post_processor(&mut library, &settings, add_prefix_space)?;
        }
        Family::Gemma | Family::Llama => override_template(&mut library, &settings)?,
        _ => {}
    }
    let own_input_names = || class.model_input_names.iter().map(|name| (*name).to_owned()).collect();
    Ok(Inner {
        class,
        split_special_tokens,
        add_prefix_space,
        model_max_length: settings.model_max_length()?,
        padding_side: settings.side("padding_side")?.unwrap_or(defaults.padding_side),
        truncation_side: settings.side("truncation_side")?.unwrap_or(defaults.truncation_side),
        clean_up: settings.flag("clean_up_tokenization_spaces")?.unwrap_or(defaults.clean_up),
        model_input_names: settings.model_input_names()?.unwrap_or_else(own_input_names),
        special: settings.special,
        chat_template: settings.chat_template,
        library,
        vocab_size: OnceLock::new(),
        other_vocabulary: OnceLock::new(),
    })
}

/// LLaMA's fast tokenizer is made from `tokenizer.model`, whatever tokenizer.json says, where `add_prefix_space` is set.
/// Without that file Python fails; here tokenizer.json is read then.
fn is_made_anew(model: &dyn ModelFiles, class: &TokenizerClass, config: &Map<String, Value>) -> Result<bool> {
    let is_set = config.get("add_prefix_space").is_some_and(|value| !value.is_null());
    Ok(class.family == Family::Llama && is_set && model.read(class::LLAMA_FILE)?.is_some())
}

/// tokenizer.json, or the newest of its versions that transformers 4.56.2 would take.
fn tokenizer_file(config: &Map<String, Value>) -> String {
    const TRANSFORMERS: [u32; 3] = [4, 56, 2];
    let files = config.get("fast_tokenizer_files").and_then(Value::as_array);
    let names = files.into_iter().flatten().filter_map(Value::as_str);
    let mut versions: Vec<(&str, &str)> = names
        .filter_map(|name| Some((name.strip_prefix("tokenizer.")?.strip_suffix(".json")?, name)))
        .collect();
    versions.sort_unstable();
    let allowed = versions.into_iter().take_while(|(version, _)| {
        let parts: Option<Vec<u32>> = version.split('.').map(|part| part.parse().ok()).collect();
        parts.is_some_and(|parts| parts.as_slice() <= TRANSFORMERS.as_slice())
    });
    allowed.last().map_or(files::TOKENIZER_JSON, |(_, name)| name).to_owned()
}

/// Adds the tokens of the files, and the special tokens that are not there yet or have other rules.
fn add_tokens(library: &mut tokenizers::Tokenizer, settings: &Settings) {
    let special = settings.special.all();
    let special_contents: HashSet<&str> = special.iter().map(|token| token.content()).collect();
    let present = library.get_added_tokens_decoder();
    let mut contents: HashSet<&str> = present.values().map(|token| token.content.as_str()).collect();
    contents.extend(settings.added_tokens.values().map(|token| token.content.as_str()));

    let mut tokens: Vec<AddedToken> = settings.added_tokens.values().cloned().collect();
    let of_files = tokens.len();
    for token in special {
        match token {
            SpecialToken::Text(text) if !contents.contains(text.as_str()) => {
                tokens.push(AddedToken::new(text.as_str()));
            }
            SpecialToken::Added(added) if !tokens.iter().take(of_files).any(|token| token == added) => {
                tokens.push(added.clone());
            }
            _ => {}
        }
    }
    for token in &mut tokens {
        token.special |= special_contents.contains(token.content.as_str());
    }
    let tokens: Vec<_> = tokens.iter().map(AddedToken::to_library).collect();
    if !tokens.is_empty() {
        library.add_tokens(&tokens);
    }
}

fn set_add_prefix_space(library: &mut tokenizers::Tokenizer, add_prefix_space: bool) {
    if let Some(PreTokenizerWrapper::ByteLevel(byte_level)) = library.get_pre_tokenizer()
        && byte_level.add_prefix_space != add_prefix_space
    {
        let byte_level = byte_level.add_prefix_space(add_prefix_space);
        library.with_pre_tokenizer(Some(byte_level));
    }
}

fn override_normalizer(
    library: &mut tokenizers::Tokenizer,
    family: Family,
    settings: &Settings,
) -> Result<()> {
    let lowercase = settings.flag("do_lower_case")?.unwrap_or(true);
    let strip_accents = settings.flag("strip_accents")?;
    let handle_chinese_chars = settings.flag("tokenize_chinese_chars")?.unwrap_or(true);
    if let Some(NormalizerWrapper::BertNormalizer(normalizer)) = library.get_normalizer() {
        // The MPNet class leaves this one as it is.
        let handle_chinese_chars =
            if family == Family::MPNet { normalizer.handle_chinese_chars } else { handle_chinese_chars };
        let normalizer =
            BertNormalizer::new(normalizer.clean_text, handle_chinese_chars, strip_accents, lowercase);
        library.with_normalizer(Some(normalizer));
    }
    Ok(())
}

fn override_post_processor(
    library: &mut tokenizers::Tokenizer,
    settings: &Settings,
    add_prefix_space: bool,
) -> Result<()> {
    let trim_offsets = settings.flag("trim_offsets")?.unwrap_or(true);
    let processor = match library.get_post_processor() {
        Some(PostProcessorWrapper::Roberta(roberta)) => {
            let roberta = roberta.clone().add_prefix_space(add_prefix_space).trim_offsets(trim_offsets);
            PostProcessorWrapper::Roberta(roberta)
        }
        Some(PostProcessorWrapper::ByteLevel(byte_level)) => {
            let byte_level = byte_level.add_prefix_space(add_prefix_space).trim_offsets(trim_offsets);
            PostProcessorWrapper::ByteLevel(byte_level)
        }
        _ => return Ok(()),
    };
    library.with_post_processor(Some(processor));
    Ok(())
}

/// Puts the tokens around a text that `add_bos_token` and `add_eos_token` ask for, whatever tokenizer.json says:
/// `update_post_processor` of LLaMA's and Gemma's fast tokenizers.
fn override_template(library: &mut tokenizers::Tokenizer, settings: &Settings) -> Result<()> {
    let token = |name: &str, wanted: bool| match wanted.then(|| settings.special.content(name)) {
        None => Ok(None),
        Some(Some(content)) => Ok(Some(content.to_owned())),
        Some(None) => {
            let message = format!("`add_{name}` is true and the tokenizer has no `{name}`");
            Err(Error::new(ErrorKind::Tokenizer, message))
        }
    };
    let bos = token("bos_token", settings.truth("add_bos_token", true)?)?;
    let eos = token("eos_token", settings.truth("add_eos_token", false)?)?;
    // The parts as pieces and not as one line, which a token with a space in it would break.
    let around = |part: &str, id: u32| {
        let named = |token: &Option<String>| token.as_ref().map(|token| format!("{token}:{id}"));
        [named(&bos), Some(format!("{part}:{id}")), named(&eos)]
            .into_iter()
            .flatten()
            .collect::<Vec<String>>()
    };
    let (single, second) = (around("$A", 0), around("$B", 1));
    let special = [&bos, &eos].into_iter().flatten();
    let special = special.filter_map(|token| Some((token.clone(), library.token_to_id(token)?)));
    let special: Vec<(String, u32)> = special.collect();
    let broken = || "cannot put the special tokens around a text";
    let processor = TemplateProcessing::builder()
        .try_single(single.clone())
        .context(ErrorKind::Tokenizer, broken)?
        .try_pair([single, second].concat())
        .context(ErrorKind::Tokenizer, broken)?
        .special_tokens(special)
        .build()
        .context(ErrorKind::Tokenizer, broken)?;
    library.with_post_processor(Some(PostProcessorWrapper::Template(processor)));
    Ok(())
}
