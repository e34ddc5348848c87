//! Starts the program and looks at what comes out.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// What a run of the program left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Ran {
    /// The answers of a run that went well and had nothing to say.
    pub(crate) fn json(&self) -> Value {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }

    /// One answer per line of a run that went well and had nothing to say.
    pub(crate) fn lines(&self) -> Vec<Value> {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{self:?}");
        lines(&self.out)
    }

    /// Checks that the run was refused: exit code 2, nothing printed, one line of error with all of
    /// these parts in it.
    pub(crate) fn was_refused(&self, parts: &[&str]) {
        assert_eq!((self.code, self.out.as_str()), (Some(2), ""), "{self:?}");
        assert_eq!(self.err.lines().count(), 1, "{}", self.err);
        assert!(self.err.starts_with("error: "), "{}", self.err);
        for part in parts {
            assert!(self.err.contains(part), "`{part}` is not in: {}", self.err);
        }
    }
}

/// JSON lines as values.
pub(crate) fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The program with these arguments, without the network and without the user's settings.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_burnpipe"));
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("HF_") || name.starts_with("TRANSFORMERS_") || name.starts_with("RUST_") {
            command.env_remove(name);
        }
    }
    command.env("HF_HUB_OFFLINE", "1").env("HF_HOME", "/no/such/folder");
    command
}

/// Runs the program.
pub(crate) fn run(arguments: &[&str]) -> Ran {
    program(arguments).output().unwrap().into()
}

/// Runs the program with something piped in.
pub(crate) fn run_with_input(arguments: &[&str], input: &[u8]) -> Ran {
    let mut command = program(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // The program may stop reading early.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap().into()
}

/// Runs `ner` with the bundled model.
pub(crate) fn ner(arguments: &[&str]) -> Ran {
    run(&with_ner(arguments))
}

/// The arguments with those that ask for `ner` with the bundled model in front.
pub(crate) fn with_ner<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [&["run", "ner", "--model", "bundled"], arguments].concat()
}

/// A folder of files that is removed in the end.
pub(crate) struct Files(tempfile::TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

/// The folder of the workspace.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A path in the folder of the goldens.
pub(crate) fn golden(path: &str) -> String {
    workspace().join("tests/goldens").join(path).to_str().unwrap().to_owned()
}

/// Presses Ctrl-C.
pub(crate) fn interrupt(child: &Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Waits for the end, with what was said on standard error.
pub(crate) fn end_of(mut child: Child) -> (Option<i32>, String) {
    let begin = Instant::now();
    let code = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status.code(),
            None if begin.elapsed() > Duration::from_secs(60) => {
                child.kill().unwrap();
                panic!("the program does not end");
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let mut error = String::new();
    child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    (code, error)
}

/// Answers are equal when strings and whole numbers are, and scores to 1e-4.
pub(crate) fn assert_same(ours: &Value, python: &Value, place: &str) {
    match (ours, python) {
        (Value::Array(ours), Value::Array(python)) => {
            assert_eq!(ours.len(), python.len(), "{place}: {ours:?}");
            for (index, (ours, python)) in ours.iter().zip(python).enumerate() {
                assert_same(ours, python, &format!("{place}[{index}]"));
            }
        }
        (Value::Object(ours), Value::Object(python)) => {
            let keys = |object: &serde_json::Map<String, Value>| {
                let mut keys: Vec<String> = object.keys().cloned().collect();
                keys.sort();
                keys
            };
            assert_eq!(keys(ours), keys(python), "{place}");
            for (key, python) in python {
                assert_same(&ours[key], python, &format!("{place}.{key}"));
            }
        }
        (Value::Number(ours), Value::Number(python)) if python.is_f64() => {
            let (ours, python) = (ours.as_f64().unwrap(), python.as_f64().unwrap());
            assert!((ours - python).abs() < 1e-4, "{place}: {ours}, Python {python}");
        }
        _ => assert_eq!(ours, python, "{place}"),
    }
}
