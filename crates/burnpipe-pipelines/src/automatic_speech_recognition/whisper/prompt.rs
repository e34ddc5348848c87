//! The tokens that a text begins with: the start, a language, a task, whether times follow.
//!
//! Reference: `_retrieve_init_tokens` in `generation_whisper.py` of transformers 4.56.2.

use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_text::language_code;

use super::WhisperRecognizer;
use super::call::WhisperCall;

/// The tokens of a beginning; a place for the language may still be empty.
#[derive(Clone, Debug)]
pub(super) struct Beginning {
    tokens: Vec<Option<u32>>,
    /// The candidates for the language, if it must be found by listening.
    pub(super) languages: Option<Vec<u32>>,
}

impl WhisperRecognizer {
    /// What a text begins with as far as it is known before the sound is heard.
    pub(super) fn beginning(&self, call: &WhisperCall) -> Result<Beginning> {
        let settings = &self.settings.own;
        let mut tokens = vec![call.generation.decoder_start_token_id];
        if call.task.is_none() && call.language.is_none() {
            tokens.extend(self.forced_tokens()?);
        }
        let mut languages = None;
        if let Some(language) = &call.language {
            set_language(&mut tokens, self.language_id(language)?);
        } else if let Some(ids) = &settings.lang_to_id
            && tokens.get(1).copied().flatten().is_none()
        {
            let mut ids: Vec<u32> = ids.values().copied().collect();
            ids.sort_unstable();
            languages = Some(ids);
        }
        Ok(Beginning { tokens, languages })
    }

    /// All tokens of a beginning, with the language that was heard.
    pub(super) fn init_tokens(
        &self,
        beginning: &Beginning,
        language: Option<u32>,
        call: &WhisperCall,
    ) -> Result<Vec<u32>> {
        let settings = &self.settings.own;
        let mut tokens = beginning.tokens.clone();
        if let Some(language) = language {
            set_language(&mut tokens, language);
        }
        match (&call.task, &settings.task_to_id) {
            (Some(task), tasks) => {
                let id = tasks.as_ref().filter(|_| ["translate", "transcribe"].contains(&task.as_str()));
                let Some(id) = id.and_then(|tasks| tasks.get(task)) else {
                    let message = format!(
                        "`task` cannot be `{task}`; it is `transcribe` or `translate`, as far as `task_to_id` in `generation_config.json` has it"
                    );
                    return Err(Error::new(ErrorKind::Parameter, message));
                };
                tokens.push(Some(*id));
            }
            (None, Some(tasks)) if call.language.is_some() => {
                let named = tasks.values().any(|id| tokens.contains(&Some(*id)));
                if !named {
                    tokens.extend(tasks.get("transcribe").map(|id| Some(*id)));
                }
            }
            _ => {}
        }
        if let Some(no_timestamps) = settings.no_timestamps_token_id {
            let last_is = tokens.last() == Some(&Some(no_timestamps));
            match (call.timestamps, last_is) {
                (false, false) => tokens.push(Some(no_timestamps)),
                (true, true) => {
                    tokens.pop();
                }
                _ => {}
            }
        }
        Ok(tokens.into_iter().flatten().collect())
    }

    /// What stands behind the start by `forced_decoder_ids`, the old way of naming language and task.
    fn forced_tokens(&self) -> Result<Vec<Option<u32>>> {
        let forced = self.settings.own.forced_decoder_ids.as_deref().unwrap_or_default();
        if forced.first().is_none_or(|(place, _)| *place != 1) {
            return Ok(Vec::new());
        }
        if forced.iter().zip(1..).any(|((place, _), expected)| *place != expected) {
            let message = format!(
                "`forced_decoder_ids` {forced:?} in `generation_config.json` must name the tokens from place 1 on without a gap"
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(forced.iter().map(|(_, id)| *id).collect())
    }

    /// The token of a language, by its token, its name or its code.
    fn language_id(&self, language: &str) -> Result<u32> {
        let known = self.settings.own.lang_to_id.as_ref();
        let id = |token: &str| known.and_then(|ids| ids.get(token)).copied();
        let language = language.to_lowercase();
        if let Some(id) = id(&language) {
            return Ok(id);
        }
        let Some(code) = language_code(&language) else {
            let message = format!(
                "`language` in `generate_kwargs`: unknown `{language}`; it takes English names such as `german`, and codes such as `de`"
            );
            return Err(Error::new(ErrorKind::Parameter, message));
        };
        id(&format!("<|{code}|>")).ok_or_else(|| {
            let message = format!(
                "`language` in `generate_kwargs`: the model does not know `{language}`, for `lang_to_id` in `generation_config.json` has no `<|{code}|>`"
            );
            Error::new(ErrorKind::Parameter, message)
        })
    }
}

/// Puts the language behind the start.
fn set_language(tokens: &mut Vec<Option<u32>>, language: u32) {
    match tokens.get_mut(1) {
        Some(token) => *token = Some(language),
        None => tokens.push(Some(language)),
    }
}
