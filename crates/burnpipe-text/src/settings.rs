//! The arguments that Python's `from_pretrained` gathers from the small files beside a tokenizer.

use std::collections::BTreeMap;

use burnpipe_core::{Error, ErrorKind, ModelFiles, Result};
use serde_json::{Map, Value};

use crate::Side;
use crate::added_token::{AddedToken, NAMES, SpecialToken, SpecialTokens};
use crate::chat_template::ChatTemplate;
use crate::files::{ADDED_TOKENS, SPECIAL_TOKENS_MAP, TOKENIZER_CONFIG, read_object};

/// Python's LARGE_INTEGER: a longer maximum length stands for none.
const LARGE_INTEGER: f64 = 1e20;

const ADDITIONAL: &str = "additional_special_tokens";

/// tokenizer_config.json, and the tokens that it and its neighbours name.
pub(crate) struct Settings {
    config: Map<String, Value>,
    pub(crate) special: SpecialTokens,
    /// Tokens to add, by the id that the files give them, which sets their order.
    pub(crate) added_tokens: BTreeMap<u64, AddedToken>,
    pub(crate) chat_template: ChatTemplate,
}

impl Settings {
    /// Reads the files. `serialized` are the added tokens of tokenizer.json.
    pub(crate) fn read(
        model: &dyn ModelFiles,
        config: Map<String, Value>,
        serialized: &[(u64, tokenizers::AddedToken)],
    ) -> Result<Self> {
        let mut settings = Self {
            special: special_tokens(&config)?,
            added_tokens: BTreeMap::new(),
            chat_template: ChatTemplate::read(model, &config)?,
            config,
        };
        if let Some(decoder) = settings.config.get("added_tokens_decoder") {
            settings.added_tokens = added_tokens_decoder(decoder)?;
        } else {
            settings.read_legacy(model, serialized)?;
        }
        settings.name_added_tokens();
        Ok(settings)
    }

    /// Checkpoints from before `added_tokens_decoder` spread their tokens over three files.
    fn read_legacy(
        &mut self,
        model: &dyn ModelFiles,
        serialized: &[(u64, tokenizers::AddedToken)],
    ) -> Result<()> {
        if let Some(map) = read_object(model, SPECIAL_TOKENS_MAP, ErrorKind::Tokenizer)? {
            self.merge_special_tokens_map(&map)?;
        }
        if let Some(map) = read_object(model, ADDED_TOKENS, ErrorKind::Tokenizer)? {
            self.merge_added_tokens(&map)?;
        }
        for (id, token) in serialized {
            self.added_tokens.insert(*id, from_library(token));
        }
        Ok(())
    }

    fn merge_special_tokens_map(&mut self, map: &Map<String, Value>) -> Result<()> {
        for name in NAMES {
            let Some(value) = map.get(name) else { continue };
            self.special.named.insert(name, special_token(value, name, SPECIAL_TOKENS_MAP)?);
        }
        let Some(values) = map.get(ADDITIONAL).and_then(Value::as_array) else { return Ok(()) };
        let additional = self.special.additional.get_or_insert_default();
        for value in values {
            let Some(token) = special_token(value, ADDITIONAL, SPECIAL_TOKENS_MAP)? else { continue };
            if !additional.contains(&token) {
                additional.push(token);
            }
        }
        Ok(())
    }

    fn merge_added_tokens(&mut self, map: &Map<String, Value>) -> Result<()> {
        for (content, id) in map {
            let id = id.as_u64().ok_or_else(|| {
                let message =
                    format!("the id of `{content}` in `{ADDED_TOKENS}` is `{id}`, not a whole number");
                Error::new(ErrorKind::Tokenizer, message)
            })?;
            let special = self.special.all().iter().any(|token| token.content() == content);
            let token = AddedToken { normalized: Some(!special), special, ..AddedToken::new(content) };
            self.added_tokens.insert(id, token);
        }
        Ok(())
    }

    /// A special token that is also an added token takes its rules from there.
    fn name_added_tokens(&mut self) {
        for token in self.special.named.values_mut().flatten() {
            if let Some(added) = self.added_tokens.values().rfind(|added| added.content == token.content()) {
                *token = SpecialToken::Added(added.clone());
            }
        }
    }

    /// A flag of tokenizer_config.json; `None` when it is not there.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>> {
        match self.config.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(value) => Err(wrong_value(name, value, "true or false")),
        }
    }

    /// A flag of tokenizer_config.json that Python only asks for its truth: `null` is false.
    pub(crate) fn truth(&self, name: &str, default: bool) -> Result<bool> {
        if self.config.get(name).is_some_and(Value::is_null) {
            return Ok(false);
        }
        Ok(self.flag(name)?.unwrap_or(default))
    }

    /// A whole number of tokenizer_config.json; `None` when it is not there.
    pub(crate) fn whole_number(&self, name: &str) -> Result<Option<i64>> {
        let Some(value) = self.config.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
        value.as_i64().map(Some).ok_or_else(|| wrong_value(name, value, "a whole number"))
    }

    /// A list of texts of tokenizer_config.json; empty when it is not there.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<String>> {
        let Some(value) = self.config.get(name).filter(|value| !value.is_null()) else {
            return Ok(Vec::new());
        };
        serde_json::from_value(value.clone()).map_err(|_| wrong_value(name, value, "a list of texts"))
    }

    /// A text of tokenizer_config.json; `None` when it is not there.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>> {
        let Some(value) = self.config.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| wrong_value(name, value, "a text"))
    }

    /// A side in tokenizer_config.json.
    pub(crate) fn side(&self, name: &str) -> Result<Option<Side>> {
        let Some(value) = self.config.get(name) else { return Ok(None) };
        let side = value.as_str().and_then(Side::from_name);
        side.map(Some).ok_or_else(|| wrong_value(name, value, "`left` or `right`"))
    }

    /// The maximum length of an input, or `None` when there is no limit.
    pub(crate) fn model_max_length(&self) -> Result<Option<usize>> {
        let value = self.config.get("model_max_length").or_else(|| self.config.get("max_len"));
        let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(None) };
        let length = value.as_f64().filter(|length| *length >= 0.0);
        let length = length.ok_or_else(|| wrong_value("model_max_length", value, "a number"))?;
        Ok((length <= LARGE_INTEGER).then_some(length as usize))
    }

    /// The names of the model's inputs, when tokenizer_config.json lists them.
    pub(crate) fn model_input_names(&self) -> Result<Option<Vec<String>>> {
        let Some(value) = self.config.get("model_input_names") else { return Ok(None) };
        let names = serde_json::from_value(value.clone());
        names.map(Some).map_err(|_| wrong_value("model_input_names", value, "a list of texts"))
    }
}

fn wrong_value(name: &str, value: &Value, known: &str) -> Error {
    let message = format!("`{name}` of `{TOKENIZER_CONFIG}` is `{value}`; it takes {known}");
    Error::new(ErrorKind::Tokenizer, message)
}

fn special_tokens(config: &Map<String, Value>) -> Result<SpecialTokens> {
    let mut special = SpecialTokens::default();
    for name in NAMES {
        if let Some(value) = config.get(name) {
            let token = match value {
                Value::Null => None,
                value => Some(SpecialToken::from_value(value, name, TOKENIZER_CONFIG)?),
            };
            special.named.insert(name, token);
        }
    }
    if let Some(values) = config.get(ADDITIONAL) {
        let values = values.as_array().into_iter().flatten();
        let tokens = values.map(|value| SpecialToken::from_value(value, ADDITIONAL, TOKENIZER_CONFIG));
        special.additional = Some(tokens.collect::<Result<_>>()?);
    }
    for (name, value) in config.get("extra_special_tokens").and_then(Value::as_object).into_iter().flatten() {
        special.extra.push((name.clone(), SpecialToken::from_value(value, name, TOKENIZER_CONFIG)?));
    }
    Ok(special)
}

/// A token of special_tokens_map.json: an object there is always special.
fn special_token(value: &Value, name: &str, file: &str) -> Result<Option<SpecialToken>> {
    if value.is_null() {
        return Ok(None);
    }
    Ok(Some(match SpecialToken::from_value(value, name, file)? {
        SpecialToken::Added(token) => SpecialToken::Added(AddedToken { special: true, ..token }),
        text => text,
    }))
}

fn added_tokens_decoder(decoder: &Value) -> Result<BTreeMap<u64, AddedToken>> {
    let wrong = || wrong_value("added_tokens_decoder", decoder, "an object of tokens by their ids");
    let mut tokens = BTreeMap::new();
    for (id, token) in decoder.as_object().ok_or_else(wrong)? {
        let id = id.parse::<u64>().map_err(|_| wrong())?;
        let token = token.as_object().and_then(AddedToken::from_object).ok_or_else(wrong)?;
        tokens.insert(id, token);
    }
    Ok(tokens)
}

fn from_library(token: &tokenizers::AddedToken) -> AddedToken {
    AddedToken {
        content: token.content.clone(),
        single_word: token.single_word,
        lstrip: token.lstrip,
        rstrip: token.rstrip,
        normalized: Some(token.normalized),
        special: token.special,
    }
}
