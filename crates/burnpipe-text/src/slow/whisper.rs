//! Byte-level BPE with Whisper's marks before a text: where it starts, its language, the task, whether times follow.

use burnpipe_core::{Error, ErrorKind, ModelFiles, Result};

use super::byte_level::{self, ByteLevelBpe};
use super::template;
use crate::files;
use crate::language_code;
use crate::settings::Settings;

pub(super) fn convert(model: &dyn ModelFiles, settings: &Settings) -> Result<tokenizers::Tokenizer> {
    let ByteLevelBpe { mut library, ids, .. } = byte_level::convert(model, settings)?;
    let eos = ids.named(settings, "eos_token")?;
    let unknown = || ids.get(settings.special.content("unk_token")?);
    let marks = marks(settings)?;
    let mut tokens = vec![(eos.0.as_str(), eos.1)];
    for mark in &marks {
        if let Some(id) = ids.get(mark).or_else(|| library.token_to_id(mark)).or_else(unknown) {
            tokens.push((mark, id));
        }
    }
    let before: String = marks.iter().map(|mark| format!("{mark}:0 ")).collect();
    let eos = &eos.0;
    let template =
        template(&format!("{before}$A:0 {eos}:0"), &format!("{before}$A:0 $B:1 {eos}:1"), &tokens)?;
    library.with_post_processor(Some(template));
    Ok(library)
}

/// `prefix_tokens` of Python's `WhisperTokenizer`.
fn marks(settings: &Settings) -> Result<Vec<String>> {
    let unknown = |name: &str, value: &str, known: &str| {
        let message = format!("`{name}` of `{}` is `{value}`; it takes {known}", files::TOKENIZER_CONFIG);
        Err(Error::new(ErrorKind::Tokenizer, message))
    };
    let mut marks = vec!["<|startoftranscript|>".to_owned()];
    if let Some(language) = settings.text("language")? {
        match language_code(language) {
            Some(code) => marks.push(format!("<|{code}|>")),
            None => return unknown("language", language, "a language such as `english`, or its code"),
        }
    }
    match settings.text("task")? {
        Some(task @ ("transcribe" | "translate")) => marks.push(format!("<|{task}|>")),
        Some(task) => return unknown("task", task, "`transcribe` or `translate`"),
        None => {}
    }
    if !settings.flag("predict_timestamps")?.unwrap_or(false) {
        marks.push("<|notimestamps|>".to_owned());
    }
    Ok(marks)
}
