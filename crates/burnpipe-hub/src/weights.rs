//! Which files hold the weights, and which tensor is in which of them.

use std::collections::BTreeMap;

use burnpipe_core::{Error, ErrorKind, Result};
use serde_json::Value;

use crate::{Checkpoint, FileSource};

/// How the weights are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightFormat {
    /// `model.safetensors`, whole or in shards.
    Safetensors,
    /// `pytorch_model.bin`, whole or in shards.
    Pytorch,
}

/// The files that hold a model's weights.
#[derive(Clone, Debug)]
pub struct WeightFiles {
    /// How they are written.
    pub format: WeightFormat,
    /// The files; more than one when the weights are in shards.
    pub files: Vec<WeightFile>,
    /// For weights in shards: the position in `files` of each tensor's file, by the tensor's name.
    pub index: Option<BTreeMap<String, usize>>,
}

/// One file of weights.
#[derive(Clone, Debug)]
pub struct WeightFile {
    /// Its name inside the checkpoint.
    pub name: String,
    /// Where it is.
    pub source: FileSource,
}

/// The names in the order in which transformers looks for them: a whole file, then an index.
pub(crate) const CANDIDATES: [(WeightFormat, &str, bool); 4] = [
    (WeightFormat::Safetensors, "model.safetensors", false),
    (WeightFormat::Safetensors, "model.safetensors.index.json", true),
    (WeightFormat::Pytorch, "pytorch_model.bin", false),
    (WeightFormat::Pytorch, "pytorch_model.bin.index.json", true),
];

/// Finds the weights, and downloads them when they are on the Hub.
pub(crate) fn find(checkpoint: &Checkpoint) -> Result<WeightFiles> {
    for (format, name, is_index) in CANDIDATES {
        if !checkpoint.has(name)? {
            continue;
        }
        return if is_index { shards(checkpoint, format, name) } else { whole(checkpoint, format, name) };
    }
    Err(no_weights(checkpoint))
}

/// Finds the weights of a part of the model that has a folder of its own, in one file.
pub(crate) fn find_in(checkpoint: &Checkpoint, folder: &str) -> Result<WeightFiles> {
    for (format, name, _) in CANDIDATES.into_iter().filter(|(_, _, is_index)| !is_index) {
        let name = format!("{folder}/{name}");
        if checkpoint.has(&name)? {
            return whole(checkpoint, format, &name);
        }
    }
    Err(checkpoint.missing(&format!("no weights in `{folder}`")))
}

fn whole(checkpoint: &Checkpoint, format: WeightFormat, name: &str) -> Result<WeightFiles> {
    let source = checkpoint.file(name)?.ok_or_else(|| checkpoint.missing(&format!("no `{name}`")))?;
    Ok(WeightFiles { format, files: vec![WeightFile { name: name.to_owned(), source }], index: None })
}

fn shards(checkpoint: &Checkpoint, format: WeightFormat, index_name: &str) -> Result<WeightFiles> {
    let value =
        checkpoint.json(index_name)?.ok_or_else(|| checkpoint.missing(&format!("no `{index_name}`")))?;
    let by_tensor = weight_map(&value).map_err(|reason| {
        let message = format!("`{index_name}` of `{}`: {reason}", checkpoint.name());
        Error::new(ErrorKind::Weights, message)
    })?;
    // In the order of their names, each once.
    let mut positions: BTreeMap<&str, usize> = by_tensor.values().map(|file| (*file, 0)).collect();
    let mut files = Vec::with_capacity(positions.len());
    for (position, (name, slot)) in positions.iter_mut().enumerate() {
        *slot = position;
        let source = checkpoint.file(name)?;
        let source = source.ok_or_else(|| {
            checkpoint.missing(&format!("no shard `{name}`, which its `{index_name}` names"))
        })?;
        files.push(WeightFile { name: (*name).to_owned(), source });
    }
    let index =
        by_tensor.iter().filter_map(|(key, file)| Some(((*key).to_owned(), *positions.get(file)?))).collect();
    Ok(WeightFiles { format, files, index: Some(index) })
}

/// The file of each tensor, by the index file.
pub(crate) fn weight_map(index: &Value) -> Result<BTreeMap<&str, &str>, String> {
    let map = index.get("weight_map").and_then(Value::as_object).ok_or("it has no `weight_map` object")?;
    if map.is_empty() {
        return Err("its `weight_map` is empty".into());
    }
    let file = |key: &str, value: &'_ Value| format!("the file of `{key}` is `{value}`, not a text");
    map.iter()
        .map(|(key, value)| Ok((key.as_str(), value.as_str().ok_or_else(|| file(key, value))?)))
        .collect()
}

/// Weights that are there, but in a form that is not read here.
const FOREIGN: [(&str, &str); 9] = [
    ("tf_model.h5", "TensorFlow"),
    (".ckpt.index", "TensorFlow"),
    ("flax_model.msgpack", "Flax"),
    (".onnx", "ONNX"),
    (".gguf", "GGUF"),
    ("adapter_model.safetensors", "adapter (PEFT)"),
    ("adapter_model.bin", "adapter (PEFT)"),
    ("rust_model.ot", "rust-bert"),
    (".mlpackage", "Core ML"),
];

fn no_weights(checkpoint: &Checkpoint) -> Error {
    let names: Vec<_> = CANDIDATES.iter().map(|(_, name, _)| format!("`{name}`")).collect();
    let mut what = format!("none of {}", names.join(", "));
    // A folder that cannot be listed is no reason to say less.
    let files = checkpoint.files().unwrap_or_default();
    let mut found: Vec<_> = FOREIGN
        .iter()
        .filter(|(ending, _)| files.iter().any(|file| file.ends_with(ending)))
        .map(|(_, format)| *format)
        .collect();
    found.dedup();
    if !found.is_empty() {
        what.push_str(&format!(
            " (only {} weights were found; save the model with transformers' `save_pretrained` \
             to get `model.safetensors`)",
            found.join(", ")
        ));
    }
    checkpoint.missing(&what)
}
