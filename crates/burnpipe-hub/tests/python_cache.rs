//! The cache is shared with Python's `huggingface_hub`, in both directions.
#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use burnpipe_hub::{Checkpoint, OpenOptions, cache};
use support::{COMMIT, Fault, Hub, sha256};

/// Written by `make_python_cache.py` with the real `huggingface_hub`.
fn python_cache() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python-cache")
}

#[test]
#[cfg(unix)]
fn what_python_cached_is_found() {
    for revision in [None, Some("main"), Some("v1.0"), Some(COMMIT)] {
        let options = OpenOptions {
            cache_dir: Some(python_cache()),
            revision: revision.map(str::to_owned),
            offline: Some(true),
            ..OpenOptions::default()
        };
        let model = Checkpoint::open("org/tiny", &options).unwrap();
        assert_eq!(model.revision(), Some(COMMIT));
        assert_eq!(model.config().unwrap().labels().unwrap().get(1), Some("yes"));
        assert_eq!(model.weights().unwrap().files[0].source.read().unwrap().as_ref(), b"not really weights");
        assert_eq!(model.files().unwrap(), ["1_Pooling/config.json", "config.json", "model.safetensors"]);
        assert!(model.read("vocab.txt").unwrap().is_none());
    }
    let options = OpenOptions { cache_dir: Some(python_cache()), ..OpenOptions::default() };
    let listed = cache::list(&options).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].id.as_str(), listed[0].revisions[0].file_count), ("org/tiny", 3));
    assert_eq!(listed[0].revisions[0].refs, ["main", "v1.0"]);
}

#[test]
#[cfg(unix)]
fn what_python_cached_is_not_fetched_again() {
    let config = br#"{"model_type": "bert", "id2label": {"0": "no", "1": "yes"}}"#;
    let hub = Hub::with_files(&[("config.json", config), ("model.safetensors", b"not really weights")]);
    let model = Checkpoint::open("org/tiny", &hub.options(&python_cache())).unwrap();
    assert!(model.config().is_ok() && model.weights().is_ok());
    assert_eq!(hub.take_paths(), ["/api/models/org/tiny/revision/main"]);
}

/// Python with `huggingface_hub`, when there is one.
fn python() -> Option<String> {
    let python = std::env::var("BURNPIPE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = Command::new(&python).args(["-c", "import huggingface_hub"]).output().ok()?;
    found.status.success().then_some(python)
}

const SCRIPT: &str = r#"
import os, sys
from huggingface_hub import hf_hub_download, scan_cache_dir, try_to_load_from_cache
from huggingface_hub.file_download import _CACHED_NO_EXIST

cache, commit = sys.argv[1:]
for revision in ["main", commit]:
    config = hf_hub_download("org/tiny", "config.json", revision=revision, local_files_only=True)
    assert open(config).read() == '{"model_type": "bert"}', config
    assert config == f"{cache}/models--org--tiny/snapshots/{commit}/config.json", config
hf_hub_download("org/tiny", "1_Pooling/config.json", local_files_only=True)
assert try_to_load_from_cache("org/tiny", "vocab.txt") is _CACHED_NO_EXIST

# Online: what is there is kept, and what broke off here goes on there.
blobs = f"{cache}/models--org--tiny/blobs"
parts = [name for name in os.listdir(blobs) if name.endswith(".incomplete")]
assert len(parts) == 1, parts
weights = hf_hub_download("org/tiny", "model.safetensors")
assert os.path.getsize(weights) == 300000
assert not os.path.exists(f"{blobs}/{parts[0]}")

scan = scan_cache_dir()
assert not scan.warnings, scan.warnings
(repo,) = scan.repos
(revision,) = repo.revisions
assert repo.repo_id == "org/tiny" and revision.commit_hash == commit and revision.refs == {"main"}
assert {file.file_name for file in revision.files} == {"config.json", "model.safetensors"}, revision.files
print("python agrees")
"#;

#[test]
#[cfg(unix)]
fn python_finds_what_is_cached_here() {
    let Some(python) = python() else {
        println!("skipped: no Python with huggingface_hub; set BURNPIPE_PYTHON to one");
        return;
    };
    let weights = vec![42; 300_000];
    let files: [(&str, &[u8]); 3] = [
        ("config.json", br#"{"model_type": "bert"}"#),
        ("1_Pooling/config.json", b"{}"),
        ("model.safetensors", &weights),
    ];
    let hub = Hub::with_files(&files);
    let home = tempfile::tempdir().unwrap();
    let cache = home.path().join("hub");
    let mut options = hub.options(&cache);
    options.retries.count = 0;
    hub.fail("/blob/", 1, Fault::Cut(1000));
    hub.fail("/blob/", 1, Fault::Cut(0));
    let model = Checkpoint::open("org/tiny", &options).unwrap();
    model.config().unwrap();
    model.read("1_Pooling/config.json").unwrap();
    model.read("vocab.txt").unwrap();
    model.weights().unwrap_err();
    hub.take_paths();

    let output = Command::new(python)
        .args(["-c", SCRIPT, cache.to_str().unwrap(), COMMIT])
        .env("HF_HOME", home.path())
        .env("HF_ENDPOINT", &hub.endpoint)
        .env("HF_HUB_DISABLE_XET", "1")
        .env("NO_PROXY", "127.0.0.1")
        .env_remove("HF_HUB_OFFLINE")
        .env_remove("HF_HUB_CACHE")
        .env_remove("HF_TOKEN")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let range = hub.requests().into_iter().find_map(|request| request.headers.get("range").cloned());
    assert_eq!(range.as_deref(), Some("bytes=1000-"));

    // And back: what Python finished is whole here.
    let read = Checkpoint::open("org/tiny", &options).unwrap().read("model.safetensors").unwrap().unwrap();
    assert_eq!(sha256(&read), sha256(&weights));
}
