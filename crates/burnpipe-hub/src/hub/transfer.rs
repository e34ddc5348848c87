//! A file's way from the Hub into the cache.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use burnpipe_core::{Error, ErrorContext, ErrorKind};
use sha2::{Digest, Sha256};

use super::client::{Client, Reply, encode};
use super::refusal::{Asked, Failure};
use super::store::{BlobLock, Store, cannot_write, is_plain};
use crate::DownloadProgress;

const CHUNK: usize = 256 * 1024;

/// One file to bring into the cache.
pub(crate) struct Transfer<'a> {
    pub(crate) client: &'a Client,
    pub(crate) store: &'a Store,
    pub(crate) progress: Option<&'a dyn DownloadProgress>,
    pub(crate) id: &'a str,
    pub(crate) revision: &'a str,
    pub(crate) commit: &'a str,
    pub(crate) file: &'a str,
}

/// What the Hub says about a file.
struct Description {
    etag: String,
    size: Option<u64>,
    /// Where its bytes are.
    url: String,
}

/// Why a stretch of bytes ended.
enum Broken {
    /// The connection; more may come over a new one.
    Connection(io::Error),
    /// The disk; nothing more will fit.
    Disk(io::Error),
}

impl Transfer<'_> {
    /// Brings the file into the cache, unless its bytes are already there under another name.
    pub(crate) fn run(&self) -> Result<std::path::PathBuf, Failure> {
        let (description, reply) = self.describe()?;
        let blob = self.store.blob(&description.etag);
        let lock = self.store.lock(&description.etag)?;
        let is_new = !blob.is_file();
        if is_new {
            self.fill(&blob, &lock, &description, reply)?;
        }
        Ok(self.store.link(&description.etag, self.commit, self.file, is_new)?)
    }

    /// Asks for the file. The answers on the way say what it is; the last one holds its bytes, which
    /// are read only when they are needed.
    fn describe(&self) -> Result<(Description, Reply), Failure> {
        let endpoint = &self.client.settings().endpoint;
        let url = format!("{endpoint}/{}/resolve/{}/{}", self.id, self.commit, encode(self.file, true));
        let (mut etag, mut linked_size) = (None, None);
        let retry_count = self.client.retries().count;
        let reply = self.client.get(&url, None, retry_count, |reply, is_hub| {
            let own = reply.header("etag").filter(|_| is_hub || reply.header("x-repo-commit").is_some());
            if let Some(found) = reply.header("x-linked-etag").or(own) {
                etag = Some(found.trim_start_matches("W/").trim_matches('"').to_owned());
            }
            linked_size = reply.number("x-linked-size").or(linked_size);
        })?;
        if !reply.status.is_success() {
            return Err(self.asked().failure(&reply));
        }
        let etag = etag.filter(|etag| is_plain(etag)).ok_or_else(|| {
            let place = &self.client.settings().endpoint;
            Failure::network(format!(
                "`{place}` sent `{}` without a usable ETag; is it a Hub, and no proxy's page?",
                self.file
            ))
        })?;
        let size = linked_size.or_else(|| reply.number("content-length"));
        Ok((Description { etag, size, url: reply.url.clone() }, reply))
    }

    fn asked(&self) -> Asked<'_> {
        Asked { id: self.id, revision: self.revision, settings: self.client.settings() }
    }

    /// Writes the blob beside its place, checks it and puts it there in one step.
    fn fill(
        &self,
        blob: &Path,
        lock: &BlobLock,
        description: &Description,
        first: Reply,
    ) -> Result<(), Failure> {
        if let Some(folder) = blob.parent() {
            fs::create_dir_all(folder).context(ErrorKind::Io, || cannot_write(folder))?;
        }
        let mut draft = blob.as_os_str().to_owned();
        draft.push(lock.draft_ending());
        let draft = Path::new(&draft);
        let outcome = self.write_draft(draft, description, first);
        // What was cut off is kept for the next try, but not where others could not find it.
        if outcome.is_err() && !lock.is_exclusive() {
            let _ = fs::remove_file(draft);
        }
        outcome?;
        fs::rename(draft, blob).context(ErrorKind::Io, || cannot_write(blob))?;
        Ok(())
    }

    fn write_draft(&self, path: &Path, description: &Description, first: Reply) -> Result<(), Failure> {
        let draft = Draft::open(path, description.size)?;
        let mut tracker = Tracker::start(self.progress, self.file, description.size, draft.length);
        let outcome = self.complete(draft, description, first, &mut tracker);
        tracker.finish();
        outcome
    }

    /// Reads until the file is whole, over as many connections as it takes; only tries that bring
    /// nothing new count as failed.
    fn complete(
        &self,
        mut draft: Draft<'_>,
        description: &Description,
        first: Reply,
        tracker: &mut Tracker<'_>,
    ) -> Result<(), Failure> {
        let mut reply = Some(first).filter(|_| draft.length == 0);
        let mut failed = 0;
        while !draft.is_whole() {
            let before = draft.length;
            let answer = match reply.take() {
                Some(reply) => reply,
                None => self.continue_at(&mut draft, description, tracker)?,
            };
            let broken = match draft.append(answer, tracker) {
                Ok(()) if draft.size.is_none_or(|size| draft.length >= size) => break,
                Ok(()) => io::ErrorKind::UnexpectedEof.into(),
                Err(Broken::Connection(error)) => error,
                Err(Broken::Disk(error)) => {
                    // A full disk is helped by giving the space back.
                    let _ = fs::remove_file(draft.path);
                    return Err(Error::new(ErrorKind::Io, cannot_write(draft.path))
                        .with_source(error)
                        .into());
                }
            };
            failed = if draft.length > before { 0 } else { failed + 1 };
            if failed > self.client.retries().count {
                return Err(self.cut_off(&draft, broken));
            }
            self.client.wait(failed, None);
        }
        draft.verify(&description.etag, self.file)
    }

    /// The rest of the file, from where the draft ends.
    fn continue_at(
        &self,
        draft: &mut Draft<'_>,
        description: &Description,
        tracker: &mut Tracker<'_>,
    ) -> Result<Reply, Failure> {
        let start = Some(draft.length).filter(|length| *length > 0);
        let mut reply = self.client.get(&description.url, start, self.client.retries().count, |_, _| {})?;
        // A server that knows better than our draft: begin anew.
        if reply.status.as_u16() == 416 {
            draft.clear(tracker)?;
            reply = self.client.get(&description.url, None, self.client.retries().count, |_, _| {})?;
        }
        if !reply.status.is_success() {
            return Err(self.asked().failure(&reply));
        }
        let resumes = reply.status.as_u16() == 206 && range_start(&reply) == Some(draft.length);
        if !resumes && draft.length > 0 {
            draft.clear(tracker)?;
            if reply.status.as_u16() == 206 {
                return Err(Failure::network(format!("`{}` sent another part than asked for", reply.url)));
            }
        }
        Ok(reply)
    }

    fn cut_off(&self, draft: &Draft<'_>, broken: io::Error) -> Failure {
        let of = draft.size.map_or(String::new(), |size| format!(" of {size}"));
        let message = format!(
            "the download of `{}` of `{}` broke off after {}{of} bytes; run it again to continue there",
            self.file, self.id, draft.length
        );
        Error::new(ErrorKind::Network, message).with_source(broken).into()
    }
}

/// The first byte of a partial answer: `bytes 5-9/10`.
fn range_start(reply: &Reply) -> Option<u64> {
    reply.header("content-range")?.trim().strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

/// A blob in the making.
struct Draft<'a> {
    path: &'a Path,
    file: File,
    length: u64,
    size: Option<u64>,
}

impl<'a> Draft<'a> {
    /// Opens the draft that an earlier download left, or a new one.
    fn open(path: &'a Path, size: Option<u64>) -> Result<Self, Error> {
        let file = File::options().create(true).append(true).open(path);
        let file = file.context(ErrorKind::Io, || cannot_write(path))?;
        let length = file.metadata().context(ErrorKind::Io, || cannot_write(path))?.len();
        let mut draft = Self { path, file, length, size };
        if size.is_none_or(|size| length > size) {
            draft.truncate()?;
        }
        Ok(draft)
    }

    fn is_whole(&self) -> bool {
        self.size == Some(self.length)
    }

    fn truncate(&mut self) -> Result<(), Error> {
        if self.length > 0 {
            self.file.set_len(0).context(ErrorKind::Io, || cannot_write(self.path))?;
            self.length = 0;
        }
        Ok(())
    }

    fn clear(&mut self, tracker: &mut Tracker<'_>) -> Result<(), Error> {
        self.truncate()?;
        tracker.restart();
        Ok(())
    }

    fn append(&mut self, reply: Reply, tracker: &mut Tracker<'_>) -> Result<(), Broken> {
        let mut body = reply.body.into_reader();
        let mut buffer = vec![0; CHUNK];
        loop {
            let count = match body.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Broken::Connection(error)),
            };
            let bytes = buffer.get(..count).unwrap_or_default();
            self.file.write_all(bytes).map_err(Broken::Disk)?;
            self.length += count as u64;
            tracker.advance(count as u64);
        }
    }

    /// Large files are named by their SHA-256, which tells a draft that two servers patched together.
    fn verify(self, etag: &str, name: &str) -> Result<(), Failure> {
        if self.size.is_some_and(|size| size != self.length) {
            let _ = fs::remove_file(self.path);
            let message = format!(
                "`{name}` came with {} bytes where the Hub announced another size; try again",
                self.length
            );
            return Err(Failure::network(message));
        }
        if etag.len() != 64 || !etag.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(());
        }
        let found =
            sha256(self.path).context(ErrorKind::Io, || format!("cannot read `{}`", self.path.display()))?;
        if found.eq_ignore_ascii_case(etag) {
            return Ok(());
        }
        let _ = fs::remove_file(self.path);
        Err(Failure::network(format!(
            "`{name}` arrived damaged (its SHA-256 is {found}, not {etag}); try again"
        )))
    }
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Tells the caller's progress about one file.
struct Tracker<'a> {
    progress: Option<&'a dyn DownloadProgress>,
    file: &'a str,
    total: Option<u64>,
}

impl<'a> Tracker<'a> {
    fn start(
        progress: Option<&'a dyn DownloadProgress>,
        file: &'a str,
        total: Option<u64>,
        there: u64,
    ) -> Self {
        let mut tracker = Self { progress, file, total };
        tracker.restart();
        if there > 0 {
            tracker.advance(there);
        }
        tracker
    }

    fn restart(&mut self) {
        if let Some(progress) = self.progress {
            progress.start(self.file, self.total);
        }
    }

    fn advance(&mut self, bytes: u64) {
        if let Some(progress) = self.progress {
            progress.advance(bytes);
        }
    }

    fn finish(&mut self) {
        if let Some(progress) = self.progress {
            progress.finish();
        }
    }
}
