//! Models of a Hub: what is fetched, what is kept, and what is said when it fails.
#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::sync::{Arc, Mutex};

use burnpipe_hub::{
    Checkpoint, DownloadProgress, ErrorKind, FileSource, OpenOptions, WeightFormat, cache, download,
};
use support::{COMMIT, Fault, Hub, OLD_COMMIT, git_hash, sha256};

const CONFIG: &[u8] = br#"{"model_type": "bert"}"#;

fn weights() -> Vec<u8> {
    (0..300_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn tiny_hub() -> (Hub, tempfile::TempDir) {
    let files: [(&str, &[u8]); 4] = [
        ("config.json", CONFIG),
        ("model.safetensors", &weights()),
        ("1_Pooling/config.json", b"{}"),
        ("README.md", b"---\npipeline_tag: other\n---\n"),
    ];
    (Hub::with_files(&files), tempfile::tempdir().unwrap())
}

fn open(hub: &Hub, cache: &Path) -> Checkpoint {
    Checkpoint::open("org/tiny", &hub.options(cache)).unwrap()
}

fn repo(cache: &Path) -> std::path::PathBuf {
    cache.join("models--org--tiny")
}

#[test]
fn only_the_files_asked_for_are_fetched() {
    let (hub, cache) = tiny_hub();
    let model = open(&hub, cache.path());
    assert_eq!(model.name(), "org/tiny");
    assert_eq!(model.revision(), Some(COMMIT));
    assert_eq!(hub.take_paths(), ["/api/models/org/tiny/revision/main"]);

    assert!(model.has("model.safetensors").unwrap());
    assert!(!model.has("vocab.txt").unwrap());
    assert_eq!(model.pipeline_tag().unwrap().as_deref(), Some("fill-mask"));
    assert!(hub.take_paths().is_empty());

    assert_eq!(model.config().unwrap().model_type().unwrap(), "bert");
    assert_eq!(model.read("1_Pooling/config.json").unwrap().as_deref(), Some(&b"{}"[..]));
    let resolve = |file: &str| format!("/org/tiny/resolve/{COMMIT}/{file}");
    let resolve_cache = |file: &str| format!("/api/resolve-cache/org/tiny/{COMMIT}/{file}");
    let expected =
        ["config.json", "1_Pooling/config.json"].map(|file| [resolve(file), resolve_cache(file)]).concat();
    assert_eq!(hub.take_paths(), expected);

    assert!(model.read("config.json").unwrap().is_some());
    assert!(model.read("vocab.txt").unwrap().is_none());
    assert!(hub.take_paths().is_empty());
}

#[test]
fn the_cache_has_pythons_layout() {
    let (hub, cache) = tiny_hub();
    let model = open(&hub, cache.path());
    model.read("vocab.txt").unwrap();
    model.read("1_Pooling/config.json").unwrap();
    let found = model.weights().unwrap();
    assert_eq!((found.format, found.index.is_none()), (WeightFormat::Safetensors, true));

    let repo = repo(cache.path());
    let snapshot = repo.join("snapshots").join(COMMIT);
    assert_eq!(found.files[0].source, FileSource::Path(snapshot.join("model.safetensors")));
    assert_eq!(std::fs::read_to_string(repo.join("refs/main")).unwrap(), COMMIT);
    assert!(repo.join(".no_exist").join(COMMIT).join("vocab.txt").is_file());
    let large = repo.join("blobs").join(sha256(&weights()));
    assert_eq!(std::fs::read(&large).unwrap(), weights());
    assert!(!repo.join("blobs").join(format!("{}.incomplete", sha256(&weights()))).exists());
    #[cfg(unix)]
    {
        let target = std::fs::read_link(snapshot.join("model.safetensors")).unwrap();
        assert_eq!(target, Path::new("../../blobs").join(sha256(&weights())));
        let target = std::fs::read_link(snapshot.join("1_Pooling/config.json")).unwrap();
        assert_eq!(target, Path::new("../../../blobs").join(git_hash(b"{}")));
    }
}

#[test]
fn revisions_are_branches_tags_and_commits() {
    let (hub, cache) = tiny_hub();
    hub.commit(OLD_COMMIT, "feature/x", &[("config.json", b"{\"model_type\": \"old\"}")]);
    for revision in ["feature/x", OLD_COMMIT] {
        let options = OpenOptions { revision: Some(revision.into()), ..hub.options(cache.path()) };
        let model = Checkpoint::open("org/tiny", &options).unwrap();
        assert_eq!(model.revision(), Some(OLD_COMMIT));
        assert_eq!(model.config().unwrap().model_type().unwrap(), "old");
    }
    assert_eq!(std::fs::read_to_string(repo(cache.path()).join("refs/feature/x")).unwrap(), OLD_COMMIT);
    // A commit is no ref, and one that is in the cache needs no question.
    assert!(!repo(cache.path()).join("refs").join(OLD_COMMIT).exists());
    let asked = hub.take_paths();
    assert_eq!(asked.iter().filter(|path| path.contains("revision/")).count(), 1, "{asked:?}");
}

#[test]
fn a_new_commit_keeps_the_blobs_that_did_not_change() {
    let (hub, cache) = tiny_hub();
    open(&hub, cache.path()).weights().unwrap();
    let next = "abcdef0123456789abcdef0123456789abcdef01";
    hub.commit(next, "main", &[("config.json", CONFIG), ("model.safetensors", &weights())]);
    hub.take_paths();
    let model = open(&hub, cache.path());
    assert_eq!(model.revision(), Some(next));
    let read = model.read("model.safetensors").unwrap().unwrap();
    assert_eq!(read.as_ref(), weights());
    assert_eq!(std::fs::read_to_string(repo(cache.path()).join("refs/main")).unwrap(), next);
    assert_eq!(cache::list(&hub.options(cache.path())).unwrap()[0].size_bytes, weights().len() as u64);
}

#[test]
fn the_token_goes_to_the_hub_and_nowhere_else() {
    let (hub, cache) = tiny_hub();
    let options = OpenOptions { token: Some("hf_good".into()), ..hub.options(cache.path()) };
    let model = Checkpoint::open("org/tiny", &options).unwrap();
    model.weights().unwrap();
    let requests = hub.requests();
    assert!(requests.iter().any(|request| request.is_cdn));
    for request in requests {
        let sent = request.headers.get("authorization").map(String::as_str);
        assert_eq!(sent, if request.is_cdn { None } else { Some("Bearer hf_good") }, "{}", request.path);
    }
}

#[test]
fn a_cut_connection_is_continued_where_it_broke() {
    let (hub, cache) = tiny_hub();
    hub.fail("/blob/", 2, Fault::Cut(100_000));
    let model = open(&hub, cache.path());
    assert_eq!(model.read("model.safetensors").unwrap().unwrap().as_ref(), weights());
    let ranges: Vec<_> =
        hub.requests().iter().filter_map(|request| request.headers.get("range").cloned()).collect();
    assert_eq!(ranges, ["bytes=100000-", "bytes=200000-"]);
}

#[test]
fn a_download_that_was_given_up_is_continued_by_the_next_run() {
    let (hub, cache) = tiny_hub();
    let mut options = hub.options(cache.path());
    options.retries.count = 0;
    hub.fail("/blob/", 1, Fault::Cut(123_456));
    hub.fail("/blob/", 1, Fault::Cut(0));
    let error = Checkpoint::open("org/tiny", &options).unwrap().weights().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.to_string().contains("broke off after 123456 of 300000 bytes; run it again"), "{error}");

    // The cache is sound: nothing but the part, under the name that Python continues too.
    let blobs = repo(cache.path()).join("blobs");
    let part = blobs.join(format!("{}.incomplete", sha256(&weights())));
    assert_eq!(std::fs::metadata(&part).unwrap().len(), 123_456);
    assert!(!blobs.join(sha256(&weights())).exists());
    assert!(!repo(cache.path()).join("refs/main").exists());

    hub.take_paths();
    let read = open(&hub, cache.path()).read("model.safetensors").unwrap().unwrap();
    assert_eq!(read.as_ref(), weights());
    assert!(!part.exists());
    let last = hub.requests().pop().unwrap();
    assert_eq!(last.headers["range"], "bytes=123456-");
}

#[test]
fn a_server_that_ignores_ranges_sends_the_file_anew() {
    let (hub, cache) = tiny_hub();
    hub.fail("/blob/", 1, Fault::Cut(1000));
    hub.fail("/blob/", 1, Fault::IgnoreRange);
    let read = open(&hub, cache.path()).read("model.safetensors").unwrap().unwrap();
    assert_eq!(read.as_ref(), weights());
}

#[test]
fn damaged_bytes_are_not_kept() {
    let (hub, cache) = tiny_hub();
    hub.fail("/blob/", 1, Fault::Garbage);
    let model = open(&hub, cache.path());
    let error = model.read("model.safetensors").unwrap_err();
    assert!(error.to_string().contains("arrived damaged"), "{error}");
    assert_eq!(std::fs::read_dir(repo(cache.path()).join("blobs")).unwrap().count(), 0);
    assert_eq!(model.read("model.safetensors").unwrap().unwrap().as_ref(), weights());
}

#[test]
fn a_draft_with_wrong_bytes_is_found_by_its_checksum() {
    let (hub, cache) = tiny_hub();
    let blobs = repo(cache.path()).join("blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    let part = blobs.join(format!("{}.incomplete", sha256(&weights())));
    std::fs::write(&part, vec![7; 1000]).unwrap();
    let model = open(&hub, cache.path());
    assert!(model.read("model.safetensors").unwrap_err().to_string().contains("arrived damaged"));
    assert!(!part.exists());
    // A draft longer than the file begins anew.
    std::fs::write(&part, vec![7; 300_001]).unwrap();
    assert_eq!(model.read("model.safetensors").unwrap().unwrap().as_ref(), weights());
}

#[test]
fn passing_failures_are_tried_again() {
    for status in [429, 500, 503] {
        let (hub, cache) = tiny_hub();
        hub.fail("revision/main", 2, Fault::Status(status, vec![("Retry-After", "3600".into())]));
        hub.fail("config.json", 1, Fault::Status(status, vec![]));
        let model = open(&hub, cache.path());
        assert!(model.config().is_ok());
        assert_eq!(hub.requests().iter().filter(|request| request.path.contains("revision")).count(), 3);
    }
}

#[test]
fn what_the_hub_refuses_is_explained() {
    let rejected = |fault: Option<Fault>, token: &str, id: &str, revision: Option<&str>| {
        let (hub, cache) = tiny_hub();
        if let Some(fault) = fault {
            hub.fail("/api/models", 100, fault);
        }
        let options = OpenOptions {
            token: Some(token.into()),
            revision: revision.map(str::to_owned),
            ..hub.options(cache.path())
        };
        let error = Checkpoint::open(id, &options).unwrap_err();
        (error.kind(), error.report().replace(&hub.endpoint, "HUB"))
    };
    let status = |status: u16| Some(Fault::Status(status, vec![]));
    let cases = [
        (
            rejected(None, "", "org/absent", None),
            ErrorKind::MissingFile,
            "no model `org/absent` at `HUB`; check the spelling, or if it is private, set `HF_TOKEN`",
        ),
        (
            rejected(None, "hf_good", "org/absent", None),
            ErrorKind::MissingFile,
            "the token from the options must be one that may read it",
        ),
        (
            rejected(None, "", "org/tiny", Some("v9")),
            ErrorKind::MissingFile,
            "`org/tiny` has no revision `v9`; its branches and tags are at HUB/org/tiny/tree/main",
        ),
        (
            rejected(None, "hf_wrong", "org/tiny", None),
            ErrorKind::Network,
            "does not accept the token from the options; make a new one at HUB/settings/tokens",
        ),
        (rejected(status(401), "", "org/tiny", None), ErrorKind::MissingFile, "no model `org/tiny`"),
        (rejected(status(403), "hf_good", "org/tiny", None), ErrorKind::Network, "may lack the right"),
        (
            rejected(status(429), "", "org/tiny", None),
            ErrorKind::Network,
            "status 429) while loading `org/tiny`; wait some minutes; with an `HF_TOKEN`",
        ),
        (
            rejected(status(500), "", "org/tiny", None),
            ErrorKind::Network,
            "answered with status 500; try again later",
        ),
        (
            rejected(status(200), "", "org/tiny", None),
            ErrorKind::Network,
            "did not answer as a Hub does; check `HF_ENDPOINT`",
        ),
        (
            rejected(None, "", "org tiny", None),
            ErrorKind::MissingFile,
            "neither a folder that is there nor a model id",
        ),
        (rejected(None, "", "org/tiny", Some("../../x")), ErrorKind::Parameter, "no revision of `org/tiny`"),
    ];
    for ((kind, message), expected_kind, expected) in cases {
        assert!(message.contains(expected), "{message}");
        assert_eq!(kind, expected_kind, "{message}");
    }
}

#[test]
fn a_gated_model_says_how_to_get_in() {
    let (hub, cache) = tiny_hub();
    hub.gate();
    let error = open(&hub, cache.path()).config().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.to_string().contains("is gated; accept its conditions at http"), "{error}");
    let options = OpenOptions { token: Some("hf_stranger".into()), ..hub.options(cache.path()) };
    let error = Checkpoint::open("org/tiny", &options).unwrap().config().unwrap_err();
    assert!(
        error.to_string().contains("the account of the token from the options has no access yet"),
        "{error}"
    );
}

#[test]
fn an_unreachable_hub_is_replaced_by_the_cache() {
    let (hub, cache) = tiny_hub();
    open(&hub, cache.path()).config().unwrap();
    // A port that nobody listens at.
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = OpenOptions { endpoint: Some(format!("http://{nowhere}")), ..hub.options(cache.path()) };
    let model = Checkpoint::open("org/tiny", &options).unwrap();
    assert_eq!(model.config().unwrap().model_type().unwrap(), "bert");
    assert!(model.read("vocab.txt").unwrap().is_none());
    let error = model.weights().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.to_string().contains("since the Hub was of no help (no answer from `http"), "{error}");

    let error = Checkpoint::open("org/other", &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.to_string().contains("no answer from `http://127.0.0.1"), "{error}");
    assert!(error.to_string().contains("HF_HUB_OFFLINE=1"), "{error}");
}

#[test]
fn a_failing_hub_is_replaced_by_the_cache() {
    let (hub, cache) = tiny_hub();
    open(&hub, cache.path()).config().unwrap();
    hub.fail("/api/models", 100, Fault::Status(503, vec![]));
    assert!(open(&hub, cache.path()).config().is_ok());
}

#[test]
fn a_lost_blob_is_fetched_again() {
    let (hub, cache) = tiny_hub();
    let model = open(&hub, cache.path());
    model.weights().unwrap();
    std::fs::remove_file(repo(cache.path()).join("blobs").join(sha256(&weights()))).unwrap();
    assert_eq!(model.read("model.safetensors").unwrap().unwrap().as_ref(), weights());
}

#[test]
fn many_threads_fetch_a_file_once() {
    let (hub, cache) = tiny_hub();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let model = open(&hub, cache.path());
            scope.spawn(move || {
                assert_eq!(model.read("model.safetensors").unwrap().unwrap().as_ref(), weights())
            });
        }
    });
    let names: Vec<_> = std::fs::read_dir(repo(cache.path()).join("blobs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, [std::ffi::OsString::from(sha256(&weights()))]);
}

#[test]
fn an_empty_file_and_a_name_with_a_space_are_fetched() {
    let hub = Hub::with_files(&[("empty.txt", b""), ("with space.txt", b"x")]);
    let cache = tempfile::tempdir().unwrap();
    let model = open(&hub, cache.path());
    assert_eq!(model.read("empty.txt").unwrap().as_deref(), Some(&b""[..]));
    assert_eq!(model.read("with space.txt").unwrap().as_deref(), Some(&b"x"[..]));
}

#[test]
fn names_that_leave_the_model_are_refused() {
    let (hub, cache) = tiny_hub();
    let model = open(&hub, cache.path());
    for name in ["../x", "/etc/passwd", "a/../../x", "a\\b", "", "C:x"] {
        assert_eq!(model.read(name).unwrap_err().kind(), ErrorKind::Config, "{name}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_named_and_leaves_nothing_behind() {
    let (hub, cache) = tiny_hub();
    let blobs = repo(cache.path()).join("blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    let part = blobs.join(format!("{}.incomplete", sha256(&weights())));
    std::os::unix::fs::symlink("/dev/full", &part).unwrap();
    let error = open(&hub, cache.path()).weights().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.report().contains("No space left on device"), "{}", error.report());
    assert_eq!(std::fs::read_dir(&blobs).unwrap().count(), 0);
}

#[test]
fn an_unwritable_cache_is_named() {
    let (hub, folder) = tiny_hub();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Checkpoint::open("org/tiny", &hub.options(&file)).unwrap().config().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("in the model cache"), "{error}");
}

#[derive(Default)]
struct Recorder(Mutex<Vec<String>>, Mutex<u64>);

impl DownloadProgress for Recorder {
    fn start(&self, file: &str, total: Option<u64>) {
        self.0.lock().unwrap().push(format!("start {file} {total:?}"));
    }
    fn advance(&self, bytes: u64) {
        *self.1.lock().unwrap() += bytes;
    }
    fn finish(&self) {
        let sum = std::mem::take(&mut *self.1.lock().unwrap());
        self.0.lock().unwrap().push(format!("finish {sum}"));
    }
}

#[test]
fn progress_is_told_file_by_file() {
    let (hub, cache) = tiny_hub();
    hub.fail("/blob/", 1, Fault::Cut(5));
    let recorder = Arc::new(Recorder::default());
    let options = OpenOptions { progress: Some(recorder.clone()), ..hub.options(cache.path()) };
    let model = Checkpoint::open("org/tiny", &options).unwrap();
    model.config().unwrap();
    model.weights().unwrap();
    let expected =
        ["start config.json Some(22)", "finish 22", "start model.safetensors Some(300000)", "finish 300000"];
    assert_eq!(*recorder.0.lock().unwrap(), expected);
}

#[test]
fn download_fetches_what_a_pipeline_needs() {
    let index = br#"{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors", "c": "model-1.safetensors"}}"#;
    let hub = Hub::with_files(&[
        ("config.json", CONFIG),
        ("model.safetensors.index.json", index),
        ("model-1.safetensors", b"one"),
        ("model-2.safetensors", b"two"),
        ("pytorch_model.bin", b"pickle"),
        ("onnx/model.onnx", b"onnx"),
        ("tokenizer.json", b"{}"),
        ("README.md", b"# Card"),
    ]);
    let cache = tempfile::tempdir().unwrap();
    let folder = download("org/tiny", &hub.options(cache.path())).unwrap();
    let model = Checkpoint::from_folder(&folder).unwrap();
    let expected = [
        "README.md",
        "config.json",
        "model-1.safetensors",
        "model-2.safetensors",
        "model.safetensors.index.json",
        "tokenizer.json",
    ];
    assert_eq!(model.files().unwrap(), expected);
    let offline = OpenOptions { offline: Some(true), ..hub.options(cache.path()) };
    assert_eq!(download("org/tiny", &offline).unwrap(), folder);

    let listed = cache::list(&offline).unwrap();
    assert_eq!((listed.len(), listed[0].id.as_str()), (1, "org/tiny"));
    assert_eq!(listed[0].revisions[0].commit, COMMIT);
    assert_eq!(listed[0].revisions[0].refs, ["main"]);
    assert_eq!(listed[0].revisions[0].file_count, 6);
    assert_eq!(cache::remove("org/tiny", &offline).unwrap(), listed[0].size_bytes);
    assert!(cache::list(&offline).unwrap().is_empty());
    let error = cache::remove("org/tiny", &offline).unwrap_err();
    assert!(error.to_string().contains("is not in the cache"), "{error}");
}
