//! Files from addresses: redirects, limits, and no token on the way.
#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use burnpipe_hub::{ErrorKind, FetchLimits, fetch};
use support::{COMMIT, Fault, Hub};

const LIMITS: FetchLimits = FetchLimits { timeout: Some(Duration::from_secs(20)), bytes: 1000 };

fn hub() -> (Hub, String) {
    // Small files are behind a redirect to a path, large ones behind one to another host.
    let hub = Hub::with_files(&[("cat.png", b"a small file"), ("cat.bin", &[7; 1001])]);
    let folder = format!("{}/org/tiny/resolve/{COMMIT}", hub.endpoint);
    (hub, folder)
}

#[test]
fn a_file_is_fetched_over_redirects_and_without_a_token() {
    let (hub, folder) = hub();
    assert_eq!(fetch(&format!("{folder}/cat.png"), &LIMITS).unwrap(), b"a small file");
    let limits = FetchLimits { bytes: 1001, ..LIMITS };
    assert_eq!(fetch(&format!("{folder}/cat.bin"), &limits).unwrap(), [7; 1001]);
    let requests = hub.requests();
    assert_eq!(requests.iter().filter(|request| request.is_cdn).count(), 1);
    assert!(requests.iter().all(|request| !request.headers.contains_key("authorization")));
}

#[test]
fn what_is_refused_broken_or_too_large_is_named() {
    let (hub, folder) = hub();
    hub.fail(&format!("resolve-cache/org/tiny/{COMMIT}/cut.png"), 1, Fault::Cut(3));
    hub.commit(COMMIT, "main", &[("cut.png", b"a small file"), ("cat.bin", &[7; 1001])]);
    for (name, part) in
        [("nothing.png", "status 404"), ("cat.bin", "larger than 1000"), ("cut.png", "broke off")]
    {
        let address = format!("{folder}/{name}");
        let error = fetch(&address, &LIMITS).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Network);
        assert!(error.to_string().contains(part) && error.to_string().contains(&address), "{error}");
    }
    let error = fetch("http://127.0.0.1:1/cat.png", &LIMITS).unwrap_err();
    assert!(error.to_string().contains("no answer"), "{error}");
}

#[test]
fn nobody_waits_longer_than_the_timeout() {
    // Takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/cat.png", silent.local_addr().unwrap());
    let start = Instant::now();
    let limits = FetchLimits { timeout: Some(Duration::from_millis(200)), ..LIMITS };
    let error = fetch(&address, &limits).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(10));
    assert!(error.to_string().contains("0.2 s") && error.to_string().contains("`timeout`"), "{error}");
}

/// Gives this answer to everybody who asks, and keeps the connection open.
fn serve(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/cat.png", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            stream.write_all(answer).unwrap();
            open.push(stream);
        }
    });
    address
}

#[test]
fn a_body_that_stalls_is_too_late() {
    let address = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\na sm");
    let start = Instant::now();
    let limits = FetchLimits { timeout: Some(Duration::from_millis(200)), ..LIMITS };
    let error = fetch(&address, &limits).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(10));
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.to_string().contains("0.2 s") && error.to_string().contains("`timeout`"), "{error}");
}

#[test]
fn the_longest_timeout_is_no_fault() {
    let address = serve(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 12\r\n\r\na small file");
    for seconds in [1e10, 1e19] {
        let limits = FetchLimits { timeout: Some(Duration::from_secs_f64(seconds)), ..LIMITS };
        assert_eq!(fetch(&address, &limits).unwrap(), b"a small file");
    }
    let limits = FetchLimits { timeout: Some(Duration::MAX), ..LIMITS };
    assert_eq!(fetch(&address, &limits).unwrap(), b"a small file");
}
