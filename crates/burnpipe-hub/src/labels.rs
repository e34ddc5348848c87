//! The label maps of `config.json`, read as `PretrainedConfig` of transformers 4.56.2 reads them.

use std::collections::BTreeMap;

use burnpipe_core::{Error, ErrorKind, Result};
use serde_json::Value;

/// The names of a model's classes, by their position in its output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    names: Vec<String>,
    ids: BTreeMap<String, i64>,
}

impl Labels {
    /// `id2label` when it is there, else `LABEL_0` and so on for `num_labels`, which is 2 unless
    /// said. Where the two disagree, `id2label` wins: `configuration_utils.py` only warns.
    pub(crate) fn from_config(config: &Value) -> Result<Self, String> {
        match config.get("id2label") {
            None | Some(Value::Null) => Self::numbered(config.get("num_labels")),
            Some(Value::Object(map)) => {
                let names = names_in_order(map)?;
                let ids = match config.get("label2id") {
                    None | Some(Value::Null) => reverse(&names),
                    Some(Value::Object(map)) => label_ids(map)?,
                    Some(_) => return Err("`label2id` is not an object of labels and ids".into()),
                };
                Ok(Self { names, ids })
            }
            Some(_) => Err("`id2label` is not an object of ids and labels".into()),
        }
    }

    fn numbered(num_labels: Option<&Value>) -> Result<Self, String> {
        let count = match num_labels {
            None | Some(Value::Null) => 2,
            Some(value) => {
                value.as_i64().ok_or_else(|| format!("`num_labels` is `{value}`, not a whole number"))?
            }
        };
        // Far above any classifier; a broken number must not fill the memory.
        if count > 10_000_000 {
            return Err(format!("`num_labels` is {count}, which no model has"));
        }
        let names: Vec<_> = (0..count.max(0)).map(|id| format!("LABEL_{id}")).collect();
        Ok(Self { ids: reverse(&names), names })
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is no label at all.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The label at this position of the output.
    pub fn get(&self, id: usize) -> Option<&str> {
        self.names.get(id).map(String::as_str)
    }

    /// The position of a label by `label2id`, or by the labels themselves where the model has none.
    pub fn id_of(&self, label: &str) -> Option<usize> {
        self.ids.get(label).and_then(|id| usize::try_from(*id).ok())
    }

    /// The labels in the order of the output.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The model's `label2id`, which need not be the reverse of its `id2label`.
    pub fn label2id(&self) -> &BTreeMap<String, i64> {
        &self.ids
    }
}

/// The kind of error that a broken label map is.
pub(crate) fn labels_error(model: &str, reason: &str) -> Error {
    Error::new(ErrorKind::Config, format!("`config.json` of `{model}`: {reason}"))
}

fn names_in_order(map: &serde_json::Map<String, Value>) -> Result<Vec<String>, String> {
    let mut by_id = BTreeMap::new();
    for (key, value) in map {
        let id: i64 =
            key.trim().parse().map_err(|_| format!("the key `{key}` of `id2label` is not a whole number"))?;
        by_id.insert(id, label_text(key, value)?);
    }
    // An output has a position for every id, so a map that skips one cannot name the outputs.
    let missing = (0..).zip(by_id.keys()).find(|(expected, id)| expected != *id);
    match missing {
        Some((_, id)) if *id < 0 => Err(format!("`id2label` has the negative id {id}")),
        Some((expected, _)) => {
            Err(format!("`id2label` has {} labels, but none for id {expected}", by_id.len()))
        }
        None => Ok(by_id.into_values().collect()),
    }
}

fn label_text(key: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(label) => Ok(label.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err(format!("the label of id {key} in `id2label` is `{value}`, not a text")),
    }
}

fn label_ids(map: &serde_json::Map<String, Value>) -> Result<BTreeMap<String, i64>, String> {
    let id = |label: &str, value: &Value| {
        let number = value.as_i64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()));
        number.ok_or_else(|| format!("the id of `{label}` in `label2id` is `{value}`, not a whole number"))
    };
    map.iter().map(|(label, value)| Ok((label.clone(), id(label, value)?))).collect()
}

fn reverse(names: &[String]) -> BTreeMap<String, i64> {
    names.iter().cloned().zip(0..).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn labels_are_those_of_python() {
        let cases = [
            (json!({}), vec!["LABEL_0", "LABEL_1"]),
            (json!({"num_labels": 3}), vec!["LABEL_0", "LABEL_1", "LABEL_2"]),
            (json!({"num_labels": 0}), vec![]),
            (json!({"num_labels": null, "id2label": null}), vec!["LABEL_0", "LABEL_1"]),
            (json!({"id2label": {"1": "b", "0": "a"}}), vec!["a", "b"]),
            (
                json!({"id2label": {"10": "k", "2": "c", "0": "a", "1": "b", "3": "d", "4": "e", "5": "f", "6": "g",
                "7": "h", "8": "i", "9": "j"}}),
                vec!["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"],
            ),
            // Python warns and keeps `id2label`.
            (json!({"id2label": {"0": "a"}, "num_labels": 5}), vec!["a"]),
            (json!({"id2label": {"0": 0, "1": true}}), vec!["0", "true"]),
            (json!({"id2label": {}}), vec![]),
        ];
        for (config, expected) in cases {
            let labels = Labels::from_config(&config).unwrap();
            assert_eq!(labels.iter().collect::<Vec<_>>(), expected, "{config}");
            assert_eq!(labels.len(), expected.len());
        }
    }

    #[test]
    fn a_broken_map_is_named() {
        let cases = [
            (json!({"id2label": {"0": "a", "2": "c"}}), "2 labels, but none for id 1"),
            (json!({"id2label": {"1": "a", "2": "c"}}), "none for id 0"),
            (json!({"id2label": {"zero": "a"}}), "`zero` of `id2label` is not a whole number"),
            (json!({"id2label": {"-1": "a"}}), "negative id -1"),
            (json!({"id2label": {"0": null}}), "the label of id 0"),
            (json!({"id2label": ["a", "b"]}), "not an object"),
            (json!({"id2label": {"0": "a"}, "label2id": ["a"]}), "`label2id` is not an object"),
            (json!({"id2label": {"0": "a"}, "label2id": {"a": "x"}}), "the id of `a`"),
            (json!({"num_labels": "two"}), "not a whole number"),
            (json!({"num_labels": 100_000_000_000_i64}), "no model has"),
        ];
        for (config, expected) in cases {
            let reason = Labels::from_config(&config).unwrap_err();
            assert!(reason.contains(expected), "{config}: {reason}");
        }
    }

    #[test]
    fn label2id_is_kept_as_the_model_has_it() {
        let config = json!({"id2label": {"0": "a", "1": "b"}, "label2id": {"a": 0, "b": "1", "c": 7}});
        let labels = Labels::from_config(&config).unwrap();
        assert_eq!(labels.id_of("b"), Some(1));
        assert_eq!(labels.id_of("c"), Some(7));
        assert_eq!(labels.get(1), Some("b"));
        assert_eq!(labels.get(2), None);

        let generated = Labels::from_config(&json!({"num_labels": 2, "label2id": {"x": 5}})).unwrap();
        assert_eq!((generated.id_of("LABEL_1"), generated.id_of("x")), (Some(1), None));
    }
}
