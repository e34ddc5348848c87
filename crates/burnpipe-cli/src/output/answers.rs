//! Writes answers one by one, in the format that was asked for.

use std::io::{self, IsTerminal, Write, stdout};
use std::path::Path;

use burnpipe::{Error, ErrorKind, Result};
use burnpipe_core::ErrorContext;
use serde_json::Value;

use super::destination::{Destination, written};
use super::file::OutputFile;
use super::folder::Folder;
use super::subtitles;
use crate::arguments::{AnswerFormat, OutputArguments};
use crate::render;

/// Writes answers, each as soon as it is there.
pub(crate) struct AnswerWriter {
    destination: Destination,
    name: String,
    format: AnswerFormat,
    n_written: u64,
    /// Where every answer gets a file of its own.
    folder: Option<Folder>,
    /// Whether the times of answers are those of single words, which are joined to subtitles.
    joins_words: bool,
}

/// An answer with what the table shows besides it.
pub(crate) struct Shown<'a> {
    /// Where the input came from; `None` when it is the only one.
    pub(crate) place: Option<String>,
    /// The input.
    pub(crate) input: &'a Value,
}

/// Opens the destination.
///
/// # Errors
///
/// When the file of `--output` cannot be written, or the folder of `--output-dir` cannot be one.
pub(crate) fn open(arguments: &OutputArguments) -> Result<AnswerWriter> {
    let extension =
        arguments.output.as_deref().and_then(Path::extension).and_then(|extension| extension.to_str());
    let format = arguments.format.unwrap_or_else(|| match (&arguments.output, extension) {
        (Some(_), Some("json")) => AnswerFormat::Json,
        (Some(_), Some("srt")) => AnswerFormat::Srt,
        (Some(_), Some("vtt")) => AnswerFormat::Vtt,
        (None, _) if stdout().is_terminal() => AnswerFormat::Table,
        _ => AnswerFormat::Jsonl,
    });
    let (destination, name) = match &arguments.output {
        Some(path) => (open_file(path, format)?, format!("`{}`", path.display())),
        None if format == AnswerFormat::Table => {
            (Destination::Styled(anstream::stdout()), "standard output".into())
        }
        None => (Destination::Plain(stdout()), "standard output".into()),
    };
    let folder = arguments.output_dir.as_deref().map(|path| open_folder(path, format)).transpose()?;
    Ok(AnswerWriter { destination, name, format, n_written: 0, folder, joins_words: false })
}

fn open_folder(path: &Path, format: AnswerFormat) -> Result<Folder> {
    if format.subtitles().is_none() {
        let message = "`--output-dir` keeps a file per input; it goes with `--format srt` or `--format vtt`";
        return Err(Error::new(ErrorKind::Parameter, message));
    }
    Folder::open(path)
}

fn open_file(path: &Path, format: AnswerFormat) -> Result<Destination> {
    if path.is_dir() {
        let message = format!("cannot write to `{}`: it is a folder; give a file", path.display());
        return Err(Error::new(ErrorKind::Io, message));
    }
    let file = OutputFile::open(path, format == AnswerFormat::Json || format.subtitles().is_some());
    let file = file.context(ErrorKind::Io, || format!("cannot write to `{}`", path.display()))?;
    Ok(Destination::File(file))
}

impl AnswerWriter {
    /// Whether the table, or the names of files, need the inputs.
    pub(crate) fn shows_inputs(&self) -> bool {
        self.format == AnswerFormat::Table || self.folder.is_some()
    }

    /// Whether answers are written as subtitles.
    pub(crate) fn writes_subtitles(&self) -> bool {
        self.format.subtitles().is_some()
    }

    /// Whether answers of many inputs have somewhere to go.
    pub(crate) fn takes_many(&self) -> bool {
        !self.writes_subtitles() || self.folder.is_some()
    }

    /// Whether every answer has a file of its own, so that one that cannot be written costs only itself.
    pub(crate) fn has_files(&self) -> bool {
        self.folder.is_some()
    }

    /// Says whether the times of answers are those of single words.
    pub(crate) fn join_words(&mut self, joins_words: bool) {
        self.joins_words = joins_words;
    }

    /// Whether answers appear on the terminal, where a progress bar would be in their way.
    pub(crate) fn is_on_terminal(&self) -> bool {
        self.folder.is_none() && !matches!(self.destination, Destination::File(_)) && stdout().is_terminal()
    }

    /// Writes one answer; false when nobody reads any more.
    ///
    /// # Errors
    ///
    /// When the destination cannot be written to, or the answer is none that subtitles are made of.
    pub(crate) fn answer(&mut self, shown: &Shown<'_>, answer: &Value) -> Result<bool> {
        let text = match self.format {
            AnswerFormat::Table => self.table(shown, answer),
            AnswerFormat::Json | AnswerFormat::Jsonl => self.json(answer),
            AnswerFormat::Srt | AnswerFormat::Vtt => {
                let text = subtitles::render(answer, self.format, self.joins_words)?;
                if let Some((folder, extension)) = self.folder.as_mut().zip(self.format.subtitles()) {
                    folder.write(shown.input, &text, extension)?;
                    self.n_written += 1;
                    return Ok(true);
                }
                text
            }
        };
        self.write(&text)
    }

    /// Writes the gap that an input without an answer leaves, so that positions hold.
    ///
    /// # Errors
    ///
    /// When the destination cannot be written to.
    pub(crate) fn gap(&mut self) -> Result<bool> {
        if self.format == AnswerFormat::Table || self.writes_subtitles() {
            return Ok(true);
        }
        let text = self.json(&Value::Null);
        self.write(&text)
    }

    /// Closes what is open. A run that ended early leaves what it wrote, and nothing if that is
    /// nothing; the path is where it is kept. Subtitles without an answer are never complete: a file
    /// that was there before stays.
    ///
    /// # Errors
    ///
    /// When the destination cannot be written to.
    pub(crate) fn end(mut self, is_complete: bool) -> Result<Option<String>> {
        let is_complete = is_complete && !(self.writes_subtitles() && self.n_written == 0);
        let end = match (self.format, self.n_written) {
            (AnswerFormat::Json, 0) if is_complete => "[]\n",
            (AnswerFormat::Json, 1..) => "\n]\n",
            _ => "",
        };
        let ended = self.destination.write_all(end.as_bytes()).and_then(|()| match is_complete {
            true => self.destination.complete(),
            false => self.destination.flush(),
        });
        written(ended, &self.name)?;
        let folder = self.folder.as_ref().filter(|_| self.n_written > 0).map(Folder::path);
        Ok(folder.or_else(|| self.destination.kept_at()).map(|path| format!("`{}`", path.display())))
    }

    /// A line of jsonl, or an element with what stands before it in the array.
    fn json(&self, answer: &Value) -> String {
        match (self.format, self.n_written) {
            (AnswerFormat::Json, 0) => format!("[\n{answer}"),
            (AnswerFormat::Json, _) => format!(",\n{answer}"),
            _ => format!("{answer}\n"),
        }
    }

    fn table(&self, shown: &Shown<'_>, answer: &Value) -> String {
        let gap = if self.n_written == 0 { "" } else { "\n" };
        let width = self.is_on_terminal().then(render::terminal_width);
        let table = render::answer(shown.place.as_deref(), shown.input, answer, width);
        format!("{gap}{table}")
    }

    fn write(&mut self, text: &str) -> Result<bool> {
        self.n_written += 1;
        let result: io::Result<()> =
            self.destination.write_all(text.as_bytes()).and_then(|()| self.destination.flush());
        written(result, &self.name)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    /// What a file of this name holds after a run with these answers; `None` is a skipped input.
    fn after_a_run(name: &str, answers: &[Option<Value>], is_complete: bool) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let mut writer =
            open(&OutputArguments { format: None, output: Some(path), output_dir: None }).unwrap();
        for answer in answers {
            let shown = Shown { place: None, input: &Value::Null };
            let goes_on = match answer {
                Some(answer) => writer.answer(&shown, answer),
                None => writer.gap(),
            };
            assert!(goes_on.unwrap());
        }
        writer.end(is_complete).unwrap();
        let file = fs::read_dir(folder.path()).unwrap().next()?.unwrap();
        let is_partial = file.path().extension().is_some_and(|extension| extension == "partial");
        assert_eq!(is_partial, !is_complete && name == "a.json");
        Some(fs::read_to_string(file.path()).unwrap())
    }

    #[test]
    fn answers_are_one_array_or_a_line_each() {
        let answers = [Some(json!({"a": 1})), None, Some(json!([]))];
        let cases = [
            ("a.json", &answers[..], true, Some("[\n{\"a\":1},\nnull,\n[]\n]\n")),
            ("a.json", &answers[..1], false, Some("[\n{\"a\":1}\n]\n")),
            ("a.json", &[], true, Some("[]\n")),
            ("a.json", &[], false, None),
            ("a.jsonl", &answers[..], true, Some("{\"a\":1}\nnull\n[]\n")),
            ("a.jsonl", &answers[..1], false, Some("{\"a\":1}\n")),
            ("a.jsonl", &[], true, Some("")),
            ("a.jsonl", &[], false, None),
        ];
        for (name, answers, is_complete, expected) in cases {
            assert_eq!(after_a_run(name, answers, is_complete).as_deref(), expected, "{name}");
        }
    }
}
