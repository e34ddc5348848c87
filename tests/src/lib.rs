//! The golden cases: what Python's pipelines answer, and how answers are compared.
//!
//! A case file under `goldens/` names a task and a checkpoint and holds inputs, parameters and what
//! transformers 4.56.2 answered, element for element. `goldens/generate.py` makes them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use burnpipe::{AnyPipeline, DType};
use serde::Deserialize;
use serde_json::{Map, Value};

/// How far a number may be from Python's, in f32.
const ABSOLUTE: f64 = 1e-4;
const RELATIVE: f64 = 1e-3;

/// How inputs name images and sounds: by paths from the folder of the goldens.
const MEDIA: &str = "media/";

/// A file of cases over one checkpoint.
#[derive(Debug, Deserialize)]
pub struct CaseFile {
    /// The task's id.
    pub task: String,
    /// The checkpoint: a folder beside the case files, `bundled`, or a folder of real models.
    pub model: String,
    /// The checkpoint's architecture.
    pub model_type: String,
    /// The cases.
    pub cases: Vec<Case>,
    /// Where the file is.
    #[serde(skip)]
    pub path: PathBuf,
    /// Whatever else the file holds.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// Inputs, parameters and Python's answer.
#[derive(Debug, Deserialize)]
pub struct Case {
    /// What the case shows.
    pub name: String,
    /// The inputs, given as a list. Paths of images and sounds stand in the file as `media/<name>` and here whole.
    pub inputs: Vec<Value>,
    /// The call's keyword arguments.
    pub params: Value,
    /// Python's answers, one per input; none when it raised.
    pub expected: Option<Vec<Value>>,
    /// Whether Python answered the list of one input as it answers that input: with no list.
    #[serde(default)]
    pub unwrapped: bool,
    /// What Python raised.
    pub error: Option<String>,
}

/// The folder of the goldens.
pub fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens")
}

/// The devices that the goldens run on: `BURNPIPE_TEST_DEVICE`, or every CPU backend.
pub fn devices() -> Vec<String> {
    match std::env::var("BURNPIPE_TEST_DEVICE") {
        Ok(device) => vec![device],
        Err(_) => vec!["cpu".into(), "ndarray".into()],
    }
}

/// Every case file of tiny checkpoints, or those of one task; `BURNPIPE_TEST_ONLY` keeps the checkpoints
/// whose name has that in it.
///
/// # Errors
///
/// When a file cannot be read.
pub fn case_files(task: Option<&str>) -> Result<Vec<CaseFile>> {
    let only = std::env::var("BURNPIPE_TEST_ONLY").ok();
    let mut files = Vec::new();
    for folder in fs::read_dir(goldens().join("cases"))? {
        let folder = folder?.path();
        if task.is_some_and(|task| !folder.ends_with(task)) {
            continue;
        }
        for file in fs::read_dir(folder)? {
            let path = file?.path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            if only.as_ref().is_none_or(|only| name.contains(only)) {
                files.push(read_case_file(&path)?);
            }
        }
    }
    files.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(files)
}

/// The case file of a real model: `goldens/real/<name>.json`.
///
/// # Errors
///
/// When the file cannot be read.
pub fn real_case_file(name: &str) -> Result<CaseFile> {
    read_case_file(&goldens().join("real").join(name).with_extension("json"))
}

fn read_case_file(path: &Path) -> Result<CaseFile> {
    let text = fs::read(path).with_context(|| path.display().to_string())?;
    let mut file: CaseFile = serde_json::from_slice(&text).with_context(|| path.display().to_string())?;
    file.path = path.to_path_buf();
    file.cases.iter_mut().flat_map(|case| &mut case.inputs).for_each(find_media);
    Ok(file)
}

/// Makes whole paths of all that begin with `media/`, wherever they stand in an input.
fn find_media(input: &mut Value) {
    match input {
        Value::String(path) if path.starts_with(MEDIA) => {
            *path = goldens().join(&*path).display().to_string();
        }
        Value::Array(elements) => elements.iter_mut().for_each(find_media),
        Value::Object(fields) => fields.values_mut().for_each(find_media),
        _ => {}
    }
}

impl CaseFile {
    /// The checkpoint's folder; `None` for a real model that is not here.
    pub fn folder(&self) -> Option<PathBuf> {
        if self.model == "bundled" {
            return Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/rampart-bert-pii"));
        }
        let folder = goldens().join(&self.model);
        if folder.is_dir() {
            return Some(folder);
        }
        let folder = Path::new(&std::env::var_os("BURNPIPE_REAL_MODELS")?).join(&self.model);
        folder.is_dir().then_some(folder)
    }

    /// Loads the checkpoint for the task onto a device, in f32 as the goldens are.
    ///
    /// # Errors
    ///
    /// When it cannot be loaded.
    pub fn load(&self, device: &str) -> Result<AnyPipeline> {
        let folder = self.folder().with_context(|| format!("`{}` is not here", self.model))?;
        let builder = burnpipe::pipeline(self.task.as_str()).model(folder.display().to_string());
        let pipeline = builder.device(device).dtype(DType::F32).load();
        pipeline.map_err(|error| anyhow::anyhow!("{}: {}", self.path.display(), error.report()))
    }

    /// Runs every case on a device and says what differs from Python, a line each.
    ///
    /// # Errors
    ///
    /// When the checkpoint cannot be loaded.
    pub fn differences(&self, device: &str) -> Result<Vec<String>> {
        let pipeline = self.load(device)?;
        let name = self.path.file_stem().unwrap_or_default().display();
        let differences = self.cases.iter().filter_map(|case| Some((case, case.difference(&pipeline)?)));
        Ok(differences
            .map(|(case, difference)| format!("{device}: {name}: {}: {difference}", case.name))
            .collect())
    }

    /// How far the worst number of every case is from Python's.
    ///
    /// # Errors
    ///
    /// When a case that Python answers is refused.
    pub fn largest_error(&self, pipeline: &AnyPipeline) -> Result<f64> {
        let mut largest = 0.0;
        for case in &self.cases {
            let Some(expected) = &case.expected else { continue };
            let answer = pipeline.call_with(case.inputs.clone(), &case.params);
            let answer = answer.with_context(|| format!("{}: {}", self.path.display(), case.name))?;
            largest = f64::max(largest, largest_error(&answer, &case.as_called(expected)));
        }
        Ok(largest)
    }
}

impl Case {
    /// Python's answers as it gives them to the list of inputs.
    fn as_called(&self, expected: &[Value]) -> Value {
        match expected {
            [answer] if self.unwrapped => answer.clone(),
            answers => Value::Array(answers.to_vec()),
        }
    }

    fn difference(&self, pipeline: &AnyPipeline) -> Option<String> {
        let answer = pipeline.call_with(self.inputs.clone(), &self.params);
        match (answer, &self.expected) {
            (Ok(answer), Some(expected)) => difference(&answer, &self.as_called(expected)),
            (Ok(_), None) => {
                Some(format!("answered, and Python raised {}", self.error.as_deref().unwrap_or("?")))
            }
            (Err(_), None) => None,
            (Err(error), Some(_)) => Some(format!("refused: {}", error.report())),
        }
    }
}

/// Copies a folder with all that is in it.
///
/// # Errors
///
/// When a file cannot be read or written.
pub fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir_all(&target)?;
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// The worst difference of two answers, or `None` when they are equal within the tolerance.
///
/// Whole numbers, texts, keys and their order must be equal.
pub fn difference(answer: &Value, expected: &Value) -> Option<String> {
    let mut worst: Option<(f64, String)> = None;
    compare(answer, expected, "", &mut worst);
    worst.map(|(_, difference)| difference)
}

/// How far the worst number of an answer is from the expected one; texts and shapes are not looked at.
pub fn largest_error(answer: &Value, expected: &Value) -> f64 {
    match (answer, expected) {
        (Value::Array(answers), Value::Array(expecteds)) => {
            let errors =
                answers.iter().zip(expecteds).map(|(answer, expected)| largest_error(answer, expected));
            errors.fold(0.0, f64::max)
        }
        (Value::Object(answers), Value::Object(expecteds)) => {
            let errors = expecteds
                .iter()
                .filter_map(|(key, expected)| Some(largest_error(answers.get(key)?, expected)));
            errors.fold(0.0, f64::max)
        }
        (Value::Number(answer), Value::Number(expected)) if expected.is_f64() => {
            (answer.as_f64().unwrap_or(f64::INFINITY) - expected.as_f64().unwrap_or(0.0)).abs()
        }
        _ => 0.0,
    }
}

fn compare(answer: &Value, expected: &Value, place: &str, worst: &mut Option<(f64, String)>) {
    let mut report = |size: f64, text: String| {
        if worst.as_ref().is_none_or(|(worst, _)| size > *worst) {
            *worst = Some((size, format!("at {}: {text}", if place.is_empty() { "." } else { place })));
        }
    };
    match (answer, expected) {
        (Value::Array(answers), Value::Array(expecteds)) => {
            if answers.len() != expecteds.len() {
                report(f64::INFINITY, format!("{} elements, not {}", answers.len(), expecteds.len()));
            }
            for (index, (answer, expected)) in answers.iter().zip(expecteds).enumerate() {
                compare(answer, expected, &format!("{place}[{index}]"), worst);
            }
        }
        (Value::Object(answers), Value::Object(expecteds)) => {
            let (mut keys, mut expected_keys): (Vec<_>, Vec<_>) =
                (answers.keys().collect(), expecteds.keys().collect());
            keys.sort();
            expected_keys.sort();
            if keys != expected_keys {
                report(f64::INFINITY, format!("keys {keys:?}, not {expected_keys:?}"));
            }
            for (key, expected) in expecteds {
                compare(answers.get(key).unwrap_or(&Value::Null), expected, &format!("{place}.{key}"), worst);
            }
        }
        (Value::Number(number), Value::Number(expected_number)) if expected_number.is_f64() => {
            let (got, wanted) =
                (number.as_f64().unwrap_or(f64::NAN), expected_number.as_f64().unwrap_or(f64::NAN));
            let distance = (got - wanted).abs();
            if distance.is_nan() || distance > ABSOLUTE.max(RELATIVE * wanted.abs()) {
                report(distance, format!("{got}, not {wanted} (off by {distance:.2e})"));
            }
        }
        _ if answer == expected => {}
        _ => report(f64::INFINITY, format!("{answer}, not {expected}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_compared_within_the_tolerance_and_the_rest_exactly() {
        struct Row(Value, Value, bool);
        let rows = [
            Row(json!([0.50005]), json!([0.5]), true),
            Row(json!([0.6]), json!([0.5]), false),
            Row(json!([100.05]), json!([100.0]), true),
            Row(json!({"start": 3}), json!({"start": 4}), false),
            Row(json!({"a": 1, "b": 2}), json!({"a": 1}), false),
            Row(json!([1.0]), json!([1.0, 2.0]), false),
            Row(json!("x"), json!("y"), false),
        ];
        for Row(answer, expected, equal) in rows {
            assert_eq!(difference(&answer, &expected).is_none(), equal, "{answer} {expected}");
        }
    }
}
