//! Offline means that no connection is opened at all.
#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used)]

mod support;

use std::net::TcpListener;
use std::time::Duration;

use burnpipe_hub::{Checkpoint, ErrorKind, OpenOptions, download};
use support::Hub;

/// Counts the connections made to it.
struct Trap(TcpListener);

impl Trap {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn endpoint(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    fn was_touched(&self) -> bool {
        std::thread::sleep(Duration::from_millis(20));
        self.0.accept().is_ok()
    }
}

#[test]
fn no_socket_is_opened_and_the_cache_is_enough() {
    let cache = tempfile::tempdir().unwrap();
    let hub = Hub::with_files(&[("config.json", b"{\"model_type\": \"bert\"}"), ("model.safetensors", b"w")]);
    let online = Checkpoint::open("org/tiny", &hub.options(cache.path())).unwrap();
    online.config().unwrap();
    online.read("vocab.txt").unwrap();

    let trap = Trap::new();
    let options = OpenOptions {
        offline: Some(true),
        endpoint: Some(trap.endpoint()),
        cache_dir: Some(cache.path().to_owned()),
        ..OpenOptions::default()
    };
    let model = Checkpoint::open("org/tiny", &options).unwrap();
    assert_eq!(model.revision(), online.revision());
    assert!(model.config().is_ok());
    assert!(model.read("vocab.txt").unwrap().is_none());
    assert!(model.read("tokenizer.json").unwrap().is_none());
    assert_eq!(model.files().unwrap(), ["config.json"]);
    assert_eq!(model.pipeline_tag().unwrap(), None);

    let error = model.weights().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingFile);
    assert!(error.to_string().contains("looked only in the cache"), "{error}");
    assert!(error.to_string().contains("unset it to download the rest"), "{error}");

    for (id, revision) in [("org/other", None), ("org/tiny", Some("v2".to_owned()))] {
        let options = OpenOptions { revision, ..options.clone() };
        let error = Checkpoint::open(id, &options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MissingFile);
        assert!(error.to_string().contains("`HF_HUB_OFFLINE` is set; unset it, or download"), "{error}");
    }
    assert!(download("org/other", &options).is_err());
    assert!(!trap.was_touched());

    // The trap does catch: without the option the same call reaches it.
    let retries = burnpipe_hub::Retries { count: 0, ..support::quick() };
    let online = OpenOptions { offline: Some(false), retries, ..options };
    std::thread::scope(|scope| {
        scope.spawn(|| Checkpoint::open("org/other", &online).unwrap_err());
        std::thread::sleep(Duration::from_millis(200));
        let (stream, _) = trap.0.accept().unwrap();
        drop(stream);
    });
}
