//! The files that say how a repository makes one vector of a text.

use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_hub::Checkpoint;
use serde_json::Value;

use super::Pooling;

/// What `modules.json` and the files beside it say.
#[derive(Clone, Copy, Debug)]
pub(super) struct SentenceTransformer {
    pub(super) pooling: Pooling,
    pub(super) normalize: bool,
    pub(super) max_seq_length: Option<usize>,
    pub(super) do_lower_case: bool,
}

impl SentenceTransformer {
    /// Reads the files; `None` when the repository has none.
    pub(super) fn read(checkpoint: &Checkpoint) -> Result<Option<Self>> {
        let Some(modules) = checkpoint.json("modules.json")? else { return Ok(None) };
        let transformer = checkpoint.json("sentence_bert_config.json")?.unwrap_or(Value::Null);
        let max_seq_length = transformer["max_seq_length"].as_u64().and_then(|length| length.try_into().ok());
        let do_lower_case = transformer["do_lower_case"].as_bool().unwrap_or(false);
        let mut recipe = Self { pooling: Pooling::Mean, normalize: false, max_seq_length, do_lower_case };
        for module in modules.as_array().into_iter().flatten() {
            let class = module["type"].as_str().unwrap_or_default();
            match class.rsplit('.').next().unwrap_or_default() {
                "Transformer" => {}
                "Normalize" => recipe.normalize = true,
                "Pooling" => {
                    let file = format!("{}/config.json", module["path"].as_str().unwrap_or("1_Pooling"));
                    recipe.pooling = pooling(checkpoint, &file)?;
                }
                _ => {
                    let message = format!(
                        "`modules.json` of `{}` asks for `{class}`, which is not supported",
                        checkpoint.name()
                    );
                    return Err(Error::new(ErrorKind::Unsupported, message));
                }
            }
        }
        Ok(Some(recipe))
    }
}

fn pooling(checkpoint: &Checkpoint, file: &str) -> Result<Pooling> {
    let config = checkpoint.json(file)?.ok_or_else(|| {
        let message = format!("`{}` has no `{file}`, which its `modules.json` names", checkpoint.name());
        Error::new(ErrorKind::MissingFile, message)
    })?;
    let modes = [
        ("pooling_mode_cls_token", Pooling::Cls),
        ("pooling_mode_mean_tokens", Pooling::Mean),
        ("pooling_mode_max_tokens", Pooling::Max),
        ("pooling_mode_lasttoken", Pooling::Last),
    ];
    let asked = config.as_object().into_iter().flatten();
    let asked: Vec<&str> = asked
        .filter(|(key, value)| key.starts_with("pooling_mode") && **value == Value::Bool(true))
        .map(|(key, _)| key.as_str())
        .collect();
    match asked[..] {
        [mode] if let Some((_, pooling)) = modes.iter().find(|(name, _)| *name == mode) => Ok(*pooling),
        _ => {
            let message = format!(
                "`{file}` of `{}` asks for a pooling that is not supported: {}",
                checkpoint.name(),
                asked.join(" + ")
            );
            Err(Error::new(ErrorKind::Unsupported, message))
        }
    }
}
