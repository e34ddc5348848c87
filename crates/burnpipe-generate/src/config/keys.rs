//! The keys of settings: which there are, and what those mean that no search looks at.

use burnpipe_core::{Error, ErrorKind, Result, suggestion};
use serde_json::{Map, Value, json};

use super::GenerationConfig;

/// Keys that may be null although their default is something; for others null is the default.
const NULLABLE: [&str; 6] =
    ["top_k", "top_p", "typical_p", "epsilon_cutoff", "eta_cutoff", "assistant_confidence_threshold"];

/// Keys of transformers that change no result here: how it keeps its cache and compiles, what else it returns.
const WITHOUT_EFFECT: [&str; 18] = [
    "use_cache",
    "cache_implementation",
    "cache_config",
    "return_legacy_cache",
    "prefill_chunk_size",
    "output_attentions",
    "output_hidden_states",
    "assistant_lookbehind",
    "target_lookbehind",
    "compile_config",
    "disable_compile",
    "low_memory",
    "is_assistant",
    "synced_gpus",
    "trust_remote_code",
    "transformers_version",
    "_from_model_config",
    "_commit_hash",
];

/// Keys that change results and that there is nothing for.
const UNSUPPORTED: [&str; 6] = [
    "watermarking_config",
    "token_healing",
    "dola_layers",
    "constraints",
    "assistant_early_exit",
    "custom_generate",
];

/// Arguments of `generate()` that are objects of Python, and so stand in no JSON.
const OBJECTS: [&str; 5] =
    ["logits_processor", "stopping_criteria", "prefix_allowed_tokens_fn", "assistant_model", "streamer"];

/// What Python knows for `cache_implementation`, but for the one that changes results.
const CACHES: [&str; 10] = [
    "static",
    "offloaded_static",
    "sliding_window",
    "hybrid",
    "hybrid_chunked",
    "offloaded_hybrid",
    "offloaded_hybrid_chunked",
    "dynamic",
    "dynamic_full",
    "offloaded",
];

/// Settings as they are written.
pub(super) type Settings = Map<String, Value>;

/// Every key that has a meaning, with its default.
pub(super) fn defaults() -> Settings {
    match serde_json::to_value(GenerationConfig::default()) {
        Ok(Value::Object(defaults)) => defaults,
        _ => Map::new(),
    }
}

/// Of a file's settings those that are looked at.
pub(super) fn of_file(settings: &Settings) -> Settings {
    let defaults = defaults();
    // The seed is a key of ours.
    let known = |key: &str| key != "seed" && (defaults.contains_key(key) || UNSUPPORTED.contains(&key));
    settings.iter().filter(|(key, _)| known(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Of a call's settings those that are looked at.
///
/// # Errors
///
/// When there is a key that Python does not know either.
pub(super) fn of_call(settings: &Settings) -> Result<Settings> {
    let defaults = defaults();
    let mut known = Map::new();
    for (key, value) in settings {
        if defaults.contains_key(key) || UNSUPPORTED.contains(&key.as_str()) {
            known.insert(key.clone(), value.clone());
        } else if OBJECTS.contains(&key.as_str()) {
            let message = format!(
                "`{key}` is an object and no setting; in Rust, give it beside the settings (`CustomRules`)"
            );
            return Err(Error::new(ErrorKind::Parameter, message));
        } else if !WITHOUT_EFFECT.contains(&key.as_str()) {
            let near = suggestion(key, defaults.keys().map(String::as_str));
            let message = format!("unknown parameter `{key}` of `generate()`; {near}");
            return Err(Error::new(ErrorKind::Parameter, message));
        }
    }
    check_cache(settings.get("cache_implementation"))?;
    Ok(known)
}

fn check_cache(implementation: Option<&Value>) -> Result<()> {
    let (kind, message) = match implementation {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::String(name)) if CACHES.contains(&name.as_str()) => return Ok(()),
        Some(Value::String(name)) if name == "quantized" => {
            let message = "`cache_implementation: quantized` is not supported; leave it out".to_owned();
            (ErrorKind::Unsupported, message)
        }
        Some(other) => {
            let near = suggestion(other.as_str().unwrap_or_default(), CACHES);
            (ErrorKind::Parameter, format!("`cache_implementation` cannot be {other}; {near}"))
        }
    };
    Err(Error::new(kind, message))
}

/// Takes out the keys that there is nothing for.
///
/// # Errors
///
/// When one of them asks for something.
pub(super) fn refuse_unsupported(settings: &mut Settings) -> Result<()> {
    for key in UNSUPPORTED {
        if settings.remove(key).is_some_and(|value| !value.is_null() && value != json!(false)) {
            let message = format!(
                "`{key}` is not supported, and would change the result; leave it out or set it to null"
            );
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
    }
    Ok(())
}

/// Takes out the keys whose null means their default.
pub(super) fn drop_nulls(settings: &mut Settings) {
    settings.retain(|key, value| !value.is_null() || NULLABLE.contains(&key.as_str()));
}

/// Whether two values are equal in Python, where 1 is 1.0.
pub(super) fn same(left: &Value, right: &Value) -> bool {
    match (left.as_f64(), right.as_f64()) {
        (Some(left), Some(right)) => left == right,
        _ => left == right,
    }
}
