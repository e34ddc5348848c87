//! Fetching a whole model ahead of its use.

use std::path::PathBuf;

use burnpipe_core::Result;

use crate::OpenOptions;

/// Downloads what a pipeline needs of a model, and returns the folder of its files: configuration,
/// tokenizer and processor files, the model card, and the weights in the format that would be
/// loaded. Files that are in the cache are not fetched again.
///
/// # Errors
///
/// As [`Checkpoint::open`](crate::Checkpoint::open), and when the model has no weights to load.
#[cfg(feature = "hub")]
pub fn download(id: &str, options: &OpenOptions) -> Result<PathBuf> {
    let checkpoint = crate::Checkpoint::open_hub(id, options)?;
    for file in checkpoint.files()? {
        if is_needed(&file) {
            checkpoint.file(&file)?;
        }
    }
    checkpoint.weights()?;
    checkpoint.hub_folder().ok_or_else(|| checkpoint.missing("no folder"))
}

/// Downloads what a pipeline needs of a model; this build cannot.
///
/// # Errors
///
/// Always: the feature `hub` is off.
#[cfg(not(feature = "hub"))]
pub fn download(id: &str, _options: &OpenOptions) -> Result<PathBuf> {
    Err(crate::without_hub(id))
}

/// Folders whose files are for other programs.
#[cfg(feature = "hub")]
const FOREIGN_FOLDERS: [&str; 9] =
    ["onnx", "openvino", "coreml", "tflite", "flax", "gguf", "runs", "logs", "original"];

/// Whether a pipeline may read this file; weights are chosen elsewhere. Small files are taken rather
/// than left out: one that is missing changes results without a word.
#[cfg(feature = "hub")]
fn is_needed(file: &str) -> bool {
    let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
    let is_foreign = folder.split('/').any(|part| part.starts_with('.') || FOREIGN_FOLDERS.contains(&part));
    let is_index = name.ends_with(".index.json") || name.contains(".msgpack");
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let is_text =
        matches!(extension, "json" | "txt" | "model" | "jinja" | "tiktoken" | "bpe" | "spm" | "codes");
    // The layers that sentence-transformers adds, such as `2_Dense/model.safetensors`.
    let is_layer = folder.starts_with(|first: char| first.is_ascii_digit())
        && matches!(name, "model.safetensors" | "pytorch_model.bin");
    !is_foreign && !is_index && (is_text || is_layer || name == "README.md" || name.starts_with("LICENSE"))
}

#[cfg(all(test, feature = "hub"))]
mod tests {
    use super::is_needed;

    #[test]
    fn only_what_a_pipeline_reads_is_fetched() {
        let needed = [
            "config.json",
            "tokenizer.json",
            "vocab.txt",
            "merges.txt",
            "sentencepiece.bpe.model",
            "spiece.model",
            "spm.model",
            "README.md",
            "chat_template.jinja",
            "additional_chat_templates/tool.jinja",
            "1_Pooling/config.json",
            "2_Dense/model.safetensors",
            "modules.json",
            "LICENSE",
        ];
        let other = [
            "model.safetensors",
            "pytorch_model.bin",
            "tf_model.h5",
            "model.safetensors.index.json",
            "onnx/config.json",
            "runs/x/events.json",
            ".gitattributes",
            ".github/x.json",
            "photo.png",
            "openvino/tokenizer.json",
            "training_args.bin",
        ];
        assert_eq!(needed.into_iter().filter(|file| !is_needed(file)).collect::<Vec<_>>(), [""; 0]);
        assert_eq!(other.into_iter().filter(|file| is_needed(file)).collect::<Vec<_>>(), [""; 0]);
    }
}
