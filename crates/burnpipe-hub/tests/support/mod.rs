//! A Hub on this machine: the parts of its HTTP API that a client uses, and ways to fail.

#![allow(dead_code)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use burnpipe_hub::{OpenOptions, Retries};
use sha2::{Digest, Sha256};

pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
pub(crate) const OLD_COMMIT: &str = "fedcba9876543210fedcba9876543210fedcba98";

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    /// Whether it went to the host that stands for the CDN.
    pub(crate) is_cdn: bool,
}

/// What goes wrong with the next answers.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// This status with these headers.
    Status(u16, Vec<(&'static str, String)>),
    /// The connection ends after so many bytes of the body.
    Cut(usize),
    /// The whole file in spite of a `Range`.
    IgnoreRange,
    /// Other bytes of the same length.
    Garbage,
}

#[derive(Clone)]
pub(crate) struct RepoFile {
    pub(crate) bytes: Vec<u8>,
    pub(crate) is_large: bool,
}

#[derive(Default)]
struct State {
    /// By commit, then by name.
    files: BTreeMap<String, BTreeMap<String, RepoFile>>,
    refs: BTreeMap<String, String>,
    /// Faults by a part of the path, and how often each happens still.
    faults: Vec<(String, usize, Fault)>,
    log: Vec<Request>,
    gated: bool,
    cdn: String,
    large_files: BTreeMap<String, Vec<u8>>,
}

/// The server. The model is always `org/tiny`.
pub(crate) struct Hub {
    pub(crate) endpoint: String,
    state: Arc<Mutex<State>>,
}

impl Hub {
    /// A Hub with one commit, `main`, of these files; `*.safetensors` and `*.bin` are large ones.
    pub(crate) fn with_files(files: &[(&str, &[u8])]) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let endpoint = serve(Arc::clone(&state), false);
        let cdn = serve(Arc::clone(&state), true);
        state.lock().unwrap().cdn = cdn;
        let hub = Self { endpoint, state };
        hub.commit(COMMIT, "main", files);
        hub
    }

    pub(crate) fn commit(&self, commit: &str, revision: &str, files: &[(&str, &[u8])]) {
        let mut state = self.state.lock().unwrap();
        let file = |name: &str, bytes: &[u8]| RepoFile {
            bytes: bytes.to_vec(),
            is_large: name.ends_with(".safetensors") || name.ends_with(".bin"),
        };
        for (_, bytes) in files {
            state.large_files.insert(sha256(bytes), bytes.to_vec());
        }
        let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), file(name, bytes))).collect();
        state.files.insert(commit.to_owned(), files);
        state.refs.insert(revision.to_owned(), commit.to_owned());
    }

    /// The next `times` requests whose path has this part go wrong.
    pub(crate) fn fail(&self, part: &str, times: usize, fault: Fault) {
        self.state.lock().unwrap().faults.push((part.to_owned(), times, fault));
    }

    pub(crate) fn gate(&self) {
        self.state.lock().unwrap().gated = true;
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state.lock().unwrap().log.clone()
    }

    /// The paths asked for since the last call.
    pub(crate) fn take_paths(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().log).into_iter().map(|request| request.path).collect()
    }

    /// Options that lead here, with a cache of its own and no waiting.
    pub(crate) fn options(&self, cache: &Path) -> OpenOptions {
        OpenOptions {
            cache_dir: Some(cache.to_owned()),
            // Never the token of whoever runs the tests.
            token: Some(String::new()),
            endpoint: Some(self.endpoint.clone()),
            offline: Some(false),
            retries: quick(),
            ..OpenOptions::default()
        }
    }
}

pub(crate) fn quick() -> Retries {
    Retries { count: 3, first_wait: Duration::ZERO, longest_wait: Duration::from_millis(20) }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Stands for git's hash: as long, and as dependent on the content.
pub(crate) fn git_hash(bytes: &[u8]) -> String {
    sha256(bytes)[..40].to_owned()
}

fn serve(state: Arc<Mutex<State>>, is_cdn: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let state = Arc::clone(&state);
            std::thread::spawn(move || while answer(&stream, &state, is_cdn).is_some() {});
        }
    });
    address
}

/// Answers one request; None ends the connection.
fn answer(stream: &TcpStream, state: &Mutex<State>, is_cdn: bool) -> Option<()> {
    let request = read_request(stream, is_cdn)?;
    let (fault, reply) = {
        let mut state = state.lock().unwrap();
        state.log.push(request.clone());
        let fault = next_fault(&mut state, &request);
        let reply = if is_cdn { from_cdn(&state, &request) } else { from_hub(&state, &request) };
        (fault, reply)
    };
    send(stream, &request, reply, fault)
}

fn read_request(stream: &TcpStream, is_cdn: bool) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    for line in lines {
        let line = line.ok()?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    Some(Request { method, path, headers, is_cdn })
}

fn next_fault(state: &mut State, request: &Request) -> Option<Fault> {
    let found = state
        .faults
        .iter_mut()
        .find(|(part, times, _)| *times > 0 && request.path.contains(part.as_str()))?;
    found.1 -= 1;
    Some(found.2.clone())
}

struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

fn refusal(status: u16, code: &str, message: &str) -> Reply {
    let headers = vec![("X-Error-Code", code.to_owned()), ("X-Error-Message", message.to_owned())];
    Reply { status, headers, body: format!("{{\"error\": \"{message}\"}}").into_bytes() }
}

fn from_cdn(state: &State, request: &Request) -> Reply {
    let hash = request.path.trim_start_matches("/blob/");
    // As S3 does: an ETag that is not the Hub's.
    let headers = vec![("ETag", "\"from-the-cdn\"".to_owned()), ("Accept-Ranges", "bytes".to_owned())];
    Reply { status: 200, headers, body: state.large_files[hash].clone() }
}

fn from_hub(state: &State, request: &Request) -> Reply {
    let token = request.headers.get("authorization").map(String::as_str);
    if token == Some("Bearer hf_wrong") {
        return refusal(401, "", "Invalid credentials in Authorization header");
    }
    if let Some(rest) = request.path.strip_prefix("/api/models/") {
        return match rest.strip_prefix("org/tiny/revision/") {
            Some(revision) => info(state, &revision.replace("%2F", "/")),
            None => refusal(401, "RepoNotFound", "Repository not found"),
        };
    }
    if let Some(rest) = request.path.strip_prefix("/org/tiny/resolve/") {
        let (revision, name) = rest.split_once('/').unwrap();
        return match (state.gated, token) {
            (true, None) => refusal(401, "GatedRepo", "Access to model org/tiny is restricted"),
            (true, Some("Bearer hf_stranger")) => refusal(403, "GatedRepo", "Not in the authorized list"),
            _ => resolve(state, &revision.replace("%2F", "/"), &name.replace("%20", " ")),
        };
    }
    if let Some(rest) = request.path.strip_prefix("/api/resolve-cache/org/tiny/") {
        let (commit, name) = rest.split_once('/').unwrap();
        let bytes = state.files[commit][&name.replace("%20", " ")].bytes.clone();
        let headers =
            vec![("ETag", format!("\"{}\"", git_hash(&bytes))), ("X-Repo-Commit", commit.to_owned())];
        return Reply { status: 200, headers, body: bytes };
    }
    refusal(404, "RepoNotFound", "Repository not found")
}

fn commit_of<'a>(state: &'a State, revision: &'a str) -> Option<&'a str> {
    let commit = state.refs.get(revision).map_or(revision, String::as_str);
    state.files.contains_key(commit).then_some(commit)
}

fn info(state: &State, revision: &str) -> Reply {
    let Some(commit) = commit_of(state, revision) else {
        return refusal(404, "RevisionNotFound", "Invalid rev id");
    };
    let names: Vec<_> =
        state.files[commit].keys().map(|name| serde_json::json!({"rfilename": name})).collect();
    let body =
        serde_json::json!({"id": "org/tiny", "sha": commit, "siblings": names, "pipeline_tag": "fill-mask"});
    Reply { status: 200, headers: vec![], body: body.to_string().into_bytes() }
}

fn resolve(state: &State, revision: &str, name: &str) -> Reply {
    let Some(commit) = commit_of(state, revision) else {
        return refusal(404, "RevisionNotFound", "Invalid rev id");
    };
    let mut headers = vec![("X-Repo-Commit", commit.to_owned())];
    let Some(file) = state.files[commit].get(name) else {
        let mut reply = refusal(404, "EntryNotFound", "Entry not found");
        reply.headers.extend(headers);
        return reply;
    };
    let size = file.bytes.len().to_string();
    if file.is_large {
        let hash = sha256(&file.bytes);
        headers.push(("Location", format!("{}/blob/{hash}", state.cdn)));
        headers.extend([("X-Linked-Etag", format!("\"{hash}\"")), ("X-Linked-Size", size)]);
        return Reply { status: 302, headers, body: b"Found. Redirecting".to_vec() };
    }
    let encoded = name.replace(' ', "%20");
    headers.push(("Location", format!("/api/resolve-cache/org/tiny/{commit}/{encoded}")));
    headers.extend([("X-Linked-Etag", format!("\"{}\"", git_hash(&file.bytes))), ("X-Linked-Size", size)]);
    Reply { status: 307, headers, body: Vec::new() }
}

fn send(mut stream: &TcpStream, request: &Request, mut reply: Reply, fault: Option<Fault>) -> Option<()> {
    let mut cut = None;
    let mut honours_range = reply.status == 200;
    match fault {
        Some(Fault::Status(status, headers)) => reply = Reply { status, headers, body: b"fault".to_vec() },
        Some(Fault::Cut(length)) => cut = Some(length),
        Some(Fault::IgnoreRange) => honours_range = false,
        Some(Fault::Garbage) => reply.body.iter_mut().for_each(|byte| *byte = !*byte),
        None => {}
    }
    let range = request.headers.get("range").filter(|_| honours_range);
    if let Some(range) = range {
        let start: usize = range.trim_start_matches("bytes=").split('-').next()?.parse().ok()?;
        let total = reply.body.len();
        if start >= total {
            reply = Reply { status: 416, headers: vec![], body: Vec::new() };
        } else {
            reply.status = 206;
            reply.headers.push(("Content-Range", format!("bytes {start}-{}/{total}", total - 1)));
            reply.body.drain(..start);
        }
    }
    let mut head = format!("HTTP/1.1 {} Status\r\nContent-Length: {}\r\n", reply.status, reply.body.len());
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
    if request.method == "HEAD" {
        return Some(());
    }
    let end = cut.unwrap_or(reply.body.len()).min(reply.body.len());
    stream.write_all(&reply.body[..end]).ok()?;
    stream.flush().ok()?;
    match cut {
        Some(_) => {
            let _ = stream.shutdown(std::net::Shutdown::Both);
            None
        }
        None => Some(()),
    }
}
