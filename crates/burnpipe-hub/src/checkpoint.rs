//! A model's files, wherever they are.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use burnpipe_core::{Error, ErrorContext, ErrorKind, ModelFiles, Result};

use crate::config::{CONFIG_FILE, Config};
use crate::weights::{self, WeightFiles};
use crate::{OpenOptions, model_card};

/// A checkpoint: the files of one model, by their names inside it.
///
/// It is cheap to clone and to share between threads. Files of a Hub repository are downloaded when
/// they are asked for, and not before.
#[derive(Clone)]
pub struct Checkpoint(Arc<Inner>);

struct Inner {
    name: String,
    source: Source,
    config: OnceLock<Config>,
}

enum Source {
    Folder(PathBuf),
    Memory(&'static [(&'static str, &'static [u8])]),
    #[cfg(feature = "hub")]
    Hub(Box<crate::hub::Snapshot>),
}

/// Where the bytes of a file are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileSource {
    /// A file on the disk.
    Path(PathBuf),
    /// Bytes inside the program.
    Memory(&'static [u8]),
}

impl FileSource {
    /// The bytes, read now.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn read(&self) -> Result<Cow<'static, [u8]>> {
        match self {
            Self::Path(path) => {
                let bytes = std::fs::read(path)
                    .context(ErrorKind::Io, || format!("cannot read `{}`", path.display()))?;
                Ok(Cow::Owned(bytes))
            }
            Self::Memory(bytes) => Ok(Cow::Borrowed(bytes)),
        }
    }
}

impl Checkpoint {
    /// Opens a folder, or else a model of the Hub: `org/name`, or `name` for the oldest ones.
    ///
    /// ```no_run
    /// # fn main() -> burnpipe_hub::Result<()> {
    /// use burnpipe_hub::{Checkpoint, OpenOptions};
    ///
    /// let model = Checkpoint::open("dslim/bert-base-NER", &OpenOptions::default())?;
    /// println!("{} at {:?}", model.name(), model.revision());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When there is no such folder or model, it may not be read, or the Hub cannot be reached and
    /// the cache does not hold the model.
    pub fn open(id_or_folder: &str, options: &OpenOptions) -> Result<Self> {
        let path = Path::new(id_or_folder);
        if path.is_dir() {
            return Ok(Self::new(id_or_folder.to_owned(), Source::Folder(path.to_owned())));
        }
        if looks_like_a_path(id_or_folder) {
            return Err(no_such_folder(path));
        }
        Self::open_hub(id_or_folder, options)
    }

    /// Opens a model of the Hub, whatever folders there are.
    #[cfg(feature = "hub")]
    pub(crate) fn open_hub(id: &str, options: &OpenOptions) -> Result<Self> {
        let snapshot = crate::hub::Snapshot::open(id, options)?;
        Ok(Self::new(id.to_owned(), Source::Hub(Box::new(snapshot))))
    }

    #[cfg(not(feature = "hub"))]
    fn open_hub(id: &str, _options: &OpenOptions) -> Result<Self> {
        Err(crate::without_hub(id))
    }

    /// Opens a folder.
    ///
    /// # Errors
    ///
    /// When there is no such folder.
    pub fn from_folder(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if !path.is_dir() {
            return Err(no_such_folder(path));
        }
        Ok(Self::new(path.display().to_string(), Source::Folder(path.to_owned())))
    }

    /// A model carried inside the program: its files by name.
    pub fn from_memory(name: &'static str, files: &'static [(&'static str, &'static [u8])]) -> Self {
        Self::new(name.to_owned(), Source::Memory(files))
    }

    fn new(name: String, source: Source) -> Self {
        Self(Arc::new(Inner { name, source, config: OnceLock::new() }))
    }

    /// What the caller called it: an id, a folder, a name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The commit that a model of the Hub is at.
    pub fn revision(&self) -> Option<&str> {
        match &self.0.source {
            Source::Folder(_) | Source::Memory(_) => None,
            #[cfg(feature = "hub")]
            Source::Hub(snapshot) => Some(snapshot.commit()),
        }
    }

    /// Whether the checkpoint has this file. Nothing is downloaded.
    ///
    /// # Errors
    ///
    /// When the name leaves the checkpoint, or the Hub's list of files cannot be had.
    pub fn has(&self, file: &str) -> Result<bool> {
        self.check_name(file)?;
        match &self.0.source {
            Source::Folder(folder) => Ok(folder.join(file).is_file()),
            Source::Memory(files) => Ok(files.iter().any(|(name, _)| *name == file)),
            #[cfg(feature = "hub")]
            Source::Hub(snapshot) => snapshot.has(file),
        }
    }

    /// The bytes of a file, or `None` when the checkpoint has no such file.
    ///
    /// # Errors
    ///
    /// When the file is there and cannot be read or downloaded.
    pub fn read(&self, file: &str) -> Result<Option<Cow<'static, [u8]>>> {
        self.file(file)?.map(|source| source.read()).transpose()
    }

    /// Where a file is, downloaded when needed, without reading it.
    ///
    /// # Errors
    ///
    /// When the file is there and cannot be downloaded.
    pub fn file(&self, file: &str) -> Result<Option<FileSource>> {
        self.check_name(file)?;
        match &self.0.source {
            Source::Folder(folder) => {
                Ok(Some(folder.join(file)).filter(|path| path.is_file()).map(FileSource::Path))
            }
            Source::Memory(files) => {
                Ok(files.iter().find(|(name, _)| *name == file).map(|(_, bytes)| FileSource::Memory(bytes)))
            }
            #[cfg(feature = "hub")]
            Source::Hub(snapshot) => Ok(snapshot.file(file)?.map(FileSource::Path)),
        }
    }

    /// A file that must be there.
    ///
    /// # Errors
    ///
    /// When it is not there; the message says where it was looked for.
    pub fn require(&self, file: &str) -> Result<Cow<'static, [u8]>> {
        self.read(file)?.ok_or_else(|| self.missing(&format!("no `{file}`")))
    }

    /// The names of the files that the checkpoint is known to have, in order; of a Hub model whose
    /// list was never fetched, those in the cache.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub fn files(&self) -> Result<Vec<String>> {
        match &self.0.source {
            Source::Folder(folder) => crate::folder::files_under(folder),
            Source::Memory(files) => Ok(files.iter().map(|(name, _)| (*name).to_owned()).collect()),
            #[cfg(feature = "hub")]
            Source::Hub(snapshot) => snapshot.files(),
        }
    }

    /// A JSON file.
    ///
    /// # Errors
    ///
    /// When the file is not JSON.
    pub fn json(&self, file: &str) -> Result<Option<serde_json::Value>> {
        let Some(bytes) = self.read(file)? else { return Ok(None) };
        let value = serde_json::from_slice(&bytes).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            let message = format!("`{file}` of `{}` is not valid JSON ({place})", self.name());
            Error::new(ErrorKind::Config, message).with_source(error)
        })?;
        Ok(Some(value))
    }

    /// `config.json`, parsed once.
    ///
    /// # Errors
    ///
    /// When it is not there or cannot be used.
    pub fn config(&self) -> Result<&Config> {
        if let Some(config) = self.0.config.get() {
            return Ok(config);
        }
        let value = self.json(CONFIG_FILE)?.ok_or_else(|| self.missing(&format!("no `{CONFIG_FILE}`")))?;
        let config = Config::new(self.name(), value)?;
        Ok(self.0.config.get_or_init(|| config))
    }

    /// The weights in the format that transformers would load, all shards downloaded.
    ///
    /// # Errors
    ///
    /// When there are none, or a shard that the index names is missing.
    pub fn weights(&self) -> Result<WeightFiles> {
        weights::find(self)
    }

    /// Which files hold the weights of a part of the model that has a folder of its own, such as the
    /// `2_Dense` of sentence-transformers.
    ///
    /// # Errors
    ///
    /// When there are none.
    pub fn weights_in(&self, folder: &str) -> Result<WeightFiles> {
        weights::find_in(self, folder)
    }

    /// The task that the model is for, such as `token-classification`: what the Hub says where it was
    /// asked, else the head of the model's `README.md`.
    ///
    /// # Errors
    ///
    /// When the `README.md` is there and cannot be read.
    pub fn pipeline_tag(&self) -> Result<Option<String>> {
        #[cfg(feature = "hub")]
        if let Source::Hub(snapshot) = &self.0.source
            && let Some(tag) = snapshot.pipeline_tag()
        {
            return Ok(Some(tag));
        }
        let card = self.read("README.md")?;
        Ok(card.and_then(|bytes| model_card::pipeline_tag(&String::from_utf8_lossy(&bytes))))
    }

    /// The error for something that is not in the checkpoint, such as ``no `vocab.txt` ``. It says
    /// where it was looked for, and what may help.
    pub fn missing(&self, what: &str) -> Error {
        let (kind, place) = match &self.0.source {
            Source::Folder(folder) => {
                (ErrorKind::MissingFile, format!("looked in the folder `{}`", folder.display()))
            }
            Source::Memory(_) => (ErrorKind::MissingFile, "the model is part of this program".to_owned()),
            #[cfg(feature = "hub")]
            Source::Hub(snapshot) => snapshot.place(),
        };
        Error::new(kind, format!("model `{}` has {what}; {place}", self.name()))
    }

    /// The folder of a Hub model's files in the cache.
    #[cfg(feature = "hub")]
    pub(crate) fn hub_folder(&self) -> Option<PathBuf> {
        match &self.0.source {
            Source::Hub(snapshot) => Some(snapshot.folder()),
            Source::Folder(_) | Source::Memory(_) => None,
        }
    }

    /// A name must stay inside the checkpoint: an index file is data from a stranger.
    fn check_name(&self, file: &str) -> Result<()> {
        let is_inside =
            |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', ':']);
        if file.split('/').all(is_inside) {
            return Ok(());
        }
        let message = format!("`{file}` is not a file name inside the model `{}`", self.name());
        Err(Error::new(ErrorKind::Config, message))
    }
}

impl ModelFiles for Checkpoint {
    fn model_name(&self) -> &str {
        self.name()
    }

    fn read(&self, file: &str) -> Result<Option<Cow<'static, [u8]>>> {
        Checkpoint::read(self, file)
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        let files = match &self.0.source {
            Source::Folder(_) | Source::Memory(_) => self.files()?,
            #[cfg(feature = "hub")]
            Source::Hub(snapshot) => snapshot.known_files()?,
        };
        let inside = files.iter().filter_map(|file| file.strip_prefix(folder)?.strip_prefix('/'));
        let mut names: Vec<String> = inside.filter(|name| !name.contains('/')).map(str::to_owned).collect();
        names.sort();
        Ok(names)
    }
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0.source {
            Source::Folder(_) => "folder",
            Source::Memory(_) => "memory",
            #[cfg(feature = "hub")]
            Source::Hub(_) => "hub",
        };
        let mut debug = formatter.debug_struct("Checkpoint");
        debug.field("name", &self.name()).field("source", &kind).field("revision", &self.revision()).finish()
    }
}

/// What no id of the Hub looks like, so that a mistyped path is not sent there.
fn looks_like_a_path(text: &str) -> bool {
    text.starts_with(['.', '/', '~']) || text.contains('\\') || text.matches('/').count() > 1
}

fn no_such_folder(path: &Path) -> Error {
    let place = path.display();
    let message = if path.is_file() {
        format!("`{place}` is a file; give the folder that holds the model's `{CONFIG_FILE}`")
    } else {
        format!("no such folder `{place}`; give a folder that is there or a model id such as `org/name`")
    };
    Error::new(ErrorKind::MissingFile, message)
}
