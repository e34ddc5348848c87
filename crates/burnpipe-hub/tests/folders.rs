//! Models in folders and in memory.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use burnpipe_core::ModelFiles;
use burnpipe_hub::{Checkpoint, ErrorKind, FileSource, OpenOptions, WeightFormat};

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn open(folder: &Path) -> Checkpoint {
    Checkpoint::open(folder.to_str().unwrap(), &OpenOptions::default()).unwrap()
}

#[test]
fn a_folder_is_read_by_names() {
    let folder = folder(&[
        ("config.json", r#"{"model_type": "bert"}"#),
        ("1_Pooling/config.json", "{}"),
        (".git/x", ""),
    ]);
    let model = open(folder.path());
    assert_eq!(model.model_name(), folder.path().to_str().unwrap());
    assert_eq!(model.revision(), None);
    assert!(model.has("config.json").unwrap() && !model.has("vocab.txt").unwrap());
    // A folder is no file.
    assert!(model.read("1_Pooling").unwrap().is_none());
    assert_eq!(model.files().unwrap(), ["1_Pooling/config.json", "config.json"]);
    assert_eq!(model.config().unwrap().model_type().unwrap(), "bert");
    let files: &dyn ModelFiles = &model;
    assert_eq!(files.read("1_Pooling/config.json").unwrap().as_deref(), Some(&b"{}"[..]));
    assert_eq!(files.list("1_Pooling").unwrap(), ["config.json"]);
    assert!(files.list("1_Pool").unwrap().is_empty());
}

#[test]
fn a_model_in_memory_is_read_without_a_copy() {
    static BYTES: &[u8] = b"weights";
    static FILES: &[(&str, &[u8])] = &[("model.safetensors", BYTES), ("config.json", b"{}")];
    let model = Checkpoint::from_memory("bundled", FILES);
    assert_eq!(model.name(), "bundled");
    assert!(
        matches!(model.read("model.safetensors").unwrap(), Some(std::borrow::Cow::Borrowed(bytes)) if std::ptr::eq(bytes, BYTES))
    );
    assert_eq!(model.weights().unwrap().files[0].source, FileSource::Memory(BYTES));
    let error = model.require("vocab.txt").unwrap_err();
    assert_eq!(error.to_string(), "model `bundled` has no `vocab.txt`; the model is part of this program");
}

#[test]
fn a_path_that_is_not_there_is_no_model_id() {
    for path in ["./absent", "../absent", "/absent", "~/absent", "a\\b", "a/b/c"] {
        let error = Checkpoint::open(path, &OpenOptions::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MissingFile);
        assert!(error.to_string().starts_with(&format!("no such folder `{path}`")), "{error}");
    }
    let folder = folder(&[("config.json", "{}")]);
    let error = Checkpoint::from_folder(folder.path().join("config.json")).unwrap_err();
    assert!(error.to_string().contains("is a file; give the folder"), "{error}");
}

#[test]
#[cfg(not(feature = "hub"))]
fn without_the_feature_an_id_is_refused() {
    let error = Checkpoint::open("org/name", &OpenOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("feature `hub`"), "{error}");
}

#[test]
fn broken_and_missing_files_are_named() {
    let empty = folder(&[]);
    let error = open(empty.path()).config().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingFile);
    assert!(error.to_string().contains("has no `config.json`; looked in the folder"), "{error}");

    let broken = folder(&[("config.json", "{\n  \"a\": 1,\n  oops\n}")]);
    let error = open(broken.path()).config().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("`config.json` of"), "{error}");
    assert!(error.to_string().contains("not valid JSON (line 3, column 3)"), "{error}");
    let truncated = folder(&[("config.json", "{\"a\": ")]);
    assert!(open(truncated.path()).config().is_err());
}

#[test]
fn weights_are_chosen_as_transformers_chooses_them() {
    let index = r#"{"weight_map": {"b": "y.bin", "a": "x.bin", "c": "x.bin"}}"#;
    let shards = [("pytorch_model.bin.index.json", index), ("x.bin", "x"), ("y.bin", "y")];
    let mut files = shards.to_vec();
    let sharded = folder(&files);
    let found = open(sharded.path()).weights().unwrap();
    assert_eq!(found.format, WeightFormat::Pytorch);
    assert_eq!(found.files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["x.bin", "y.bin"]);
    let expected = [("a", 0), ("b", 1), ("c", 0)].map(|(key, file)| (key.to_owned(), file)).into();
    assert_eq!(found.index, Some(expected));

    files.push(("pytorch_model.bin", "whole"));
    let found = open(folder(&files).path()).weights().unwrap();
    assert_eq!((found.files[0].name.as_str(), found.index), ("pytorch_model.bin", None));
    files.push(("model.safetensors", "safe"));
    let found = open(folder(&files).path()).weights().unwrap();
    assert_eq!((found.format, found.files.len()), (WeightFormat::Safetensors, 1));
}

#[test]
fn weights_that_cannot_be_found_are_explained() {
    type Files = &'static [(&'static str, &'static str)];
    let cases: [(Files, ErrorKind, &str); 7] = [
        (
            &[],
            ErrorKind::MissingFile,
            "none of `model.safetensors`, `model.safetensors.index.json`, `pytorch_model.bin`, `pytorch_model.bin.index.json`; looked in",
        ),
        (
            &[("tf_model.h5", ""), ("onnx/model.onnx", "")],
            ErrorKind::MissingFile,
            "only TensorFlow, ONNX weights were found",
        ),
        (&[("q4.gguf", "")], ErrorKind::MissingFile, "only GGUF weights"),
        (
            &[("model.safetensors.index.json", r#"{"weight_map": {"a": "gone.safetensors"}}"#)],
            ErrorKind::MissingFile,
            "no shard `gone.safetensors`, which its `model.safetensors.index.json` names",
        ),
        (&[("model.safetensors.index.json", "{}")], ErrorKind::Weights, "it has no `weight_map` object"),
        (
            &[("model.safetensors.index.json", r#"{"weight_map": {"a": 1}}"#)],
            ErrorKind::Weights,
            "the file of `a` is `1`",
        ),
        (
            &[("model.safetensors.index.json", r#"{"weight_map": {"a": "../../secret"}}"#)],
            ErrorKind::Config,
            "`../../secret` is not a file name inside the model",
        ),
    ];
    for (files, kind, expected) in cases {
        let folder = folder(files);
        let error = open(folder.path()).weights().unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.kind(), kind, "{error}");
    }
}

#[test]
fn the_task_is_in_the_model_card() {
    let with = folder(&[("README.md", "---\npipeline_tag: fill-mask\n---\n")]);
    assert_eq!(open(with.path()).pipeline_tag().unwrap().as_deref(), Some("fill-mask"));
    assert_eq!(open(folder(&[]).path()).pipeline_tag().unwrap(), None);
}

#[test]
fn a_checkpoint_is_shared_between_threads() {
    fn shared<T: Clone + Send + Sync + std::fmt::Debug>(_: &T) {}
    shared(&Checkpoint::from_memory("m", &[]));
}
