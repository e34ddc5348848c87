//! The folder of `--output-dir`, where the subtitles of every input get a file of their own.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use burnpipe::{Error, ErrorKind, Result};
use burnpipe_core::{ErrorContext, Media};
use serde_json::Value;

use super::file::OutputFile;

/// What a file is called whose input has no name.
const NAMELESS: &str = "input";

/// The most bytes of a name, which leaves room for a number and an extension where systems take 255.
const LONGEST_NAME: usize = 200;

/// The folder and the names that are taken in it.
pub(crate) struct Folder {
    path: PathBuf,
    /// Without case, as some systems compare names.
    taken: HashSet<String>,
}

impl Folder {
    /// Looks at the folder; it is made when the first file is written, so that a refused run leaves none.
    ///
    /// # Errors
    ///
    /// When there is something else by that name.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        if path.exists() && !path.is_dir() {
            let message = format!("cannot write into `{}`: it is no folder", path.display());
            return Err(Error::new(ErrorKind::Io, message));
        }
        Ok(Self { path: path.to_owned(), taken: HashSet::new() })
    }

    /// Where the files are.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the file of an input, called as the input is; a second one of that name gets a number.
    ///
    /// # Errors
    ///
    /// When the folder or the file cannot be written.
    pub(crate) fn write(&mut self, input: &Value, text: &str, extension: &str) -> Result<()> {
        let made = fs::create_dir_all(&self.path);
        made.context(ErrorKind::Io, || format!("cannot write into `{}`", self.path.display()))?;
        let name = self.take(name_of(input));
        let path = self.path.join(format!("{name}.{extension}"));
        write_whole(&path, text).context(ErrorKind::Io, || format!("cannot write `{}`", path.display()))
    }

    /// A name that no other input has.
    fn take(&mut self, name: String) -> String {
        let mut free = name.clone();
        let mut number = 1_u64;
        while !self.taken.insert(free.to_lowercase()) {
            number += 1;
            free = format!("{name}-{number}");
        }
        free
    }
}

fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OutputFile::open(path, true)?;
    file.write_all(text.as_bytes())?;
    file.complete()
}

/// What an input is called: its path or address without what stands before and behind the name.
fn name_of(input: &Value) -> String {
    let text = input.as_str().or_else(|| input.get("path")?.as_str());
    let name = text.and_then(|text| match Media::from(text) {
        Media::Path(path) => stem(&path),
        Media::Url(address) => {
            let (_, place) = address.split(['?', '#']).next()?.split_once("://")?;
            let (_, path) = place.split_once('/')?;
            stem(Path::new(path))
        }
        Media::Data(_) | Media::Bytes(_) => None,
    });
    name.filter(|name| name.len() <= LONGEST_NAME).unwrap_or_else(|| NAMELESS.to_owned())
}

fn stem(path: &Path) -> Option<String> {
    path.file_stem()?.to_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn files_are_called_as_their_inputs_are() {
        let long = "x".repeat(201);
        let data = format!("data:audio/wav;base64,{}/talk", "A".repeat(100));
        // Too long for a path, so these are the bytes of a sound.
        let base64 = format!("{}/talk", "A".repeat(5000));
        let cases = [
            (json!("sounds/talk.mp3"), "talk"),
            (json!("talk"), "talk"),
            (json!({"path": "sounds/talk.one.wav"}), "talk.one"),
            (json!({"array": [0.0], "sampling_rate": 16000}), "input"),
            (json!("https://x.org/a/talk.mp3?token=a/b.c#t=1"), "talk"),
            (json!("https://x.org/talk.mp3#a/b?c"), "talk"),
            (json!("https://x.org"), "input"),
            (json!("https://x.org/?file=talk.mp3"), "input"),
            (json!(data), "input"),
            (json!(base64), "input"),
            (json!(format!("{long}.wav")), "input"),
            (json!(".."), "input"),
        ];
        for (input, expected) in cases {
            assert_eq!(name_of(&input), expected, "{input}");
        }
    }

    #[test]
    fn names_differ_by_more_than_their_case() {
        let mut folder = Folder::open(Path::new("/no/such/folder")).unwrap();
        let taken = ["a", "A", "a-2", "É", "é"].map(|name| folder.take(name.to_owned()));
        assert_eq!(taken, ["a", "A-2", "a-2-2", "É", "é-2"]);
    }

    #[test]
    fn the_folder_is_made_with_the_first_file() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("new/folder");
        let mut folder = Folder::open(&path).unwrap();
        assert!(!place.path().join("new").exists());
        folder.write(&json!("talk.wav"), "text", "srt").unwrap();
        assert_eq!(fs::read_to_string(path.join("talk.srt")).unwrap(), "text");
        assert!(Folder::open(&path.join("talk.srt")).is_err());
    }
}
