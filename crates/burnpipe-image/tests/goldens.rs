//! Pixels equal those of Pillow and transformers: `generate.py` made what is expected.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::borrow::Cow;
use std::path::PathBuf;

use burnpipe_core::{ErrorKind, ModelFiles, Result};
use burnpipe_image::{Filter, Image, ImageProcessor, PixelValues, resize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// The largest difference of numbers that were resized with a point.
const CLOSE: f64 = 2e-6;

/// A model that has a `preprocessor_config.json` and nothing else.
struct Config(Value);

impl ModelFiles for Config {
    fn model_name(&self) -> &str {
        "golden"
    }

    fn read(&self, file: &str) -> Result<Option<Cow<'static, [u8]>>> {
        let is_there = file == "preprocessor_config.json";
        Ok(is_there.then(|| self.0.to_string().into_bytes().into()))
    }
}

fn cases(file: &str) -> Vec<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn open(case: &Value) -> Result<Image> {
    let name = case["file"].as_str().unwrap();
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let sample = root.join("../../tests/samples").join(name);
    let path = if sample.exists() { sample } else { root.join("tests/data/files").join(name) };
    Image::decode(&std::fs::read(path).unwrap(), name)
}

fn digest(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn report(failures: Vec<String>, count: usize) {
    assert!(failures.is_empty(), "{} of {count} differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn decodes_as_pillow_does() {
    let cases = cases("decode.json");
    let failures = cases.iter().filter_map(decode_failure).collect();
    report(failures, cases.len());
}

fn decode_failure(case: &Value) -> Option<String> {
    let name = case["file"].as_str().unwrap();
    match (open(case), case.get("error")) {
        (Err(error), Some(_)) => (error.kind() != ErrorKind::Media || !error.to_string().contains(name))
            .then(|| format!("{name}: {error}")),
        (Err(error), None) => Some(format!("{name}: {}", error.report())),
        (Ok(_), Some(error)) => Some(format!("{name}: read, where Python says {error}")),
        (Ok(image), None) => {
            let size = (image.width() as u64, image.height() as u64);
            let is_equal = size == (case["width"].as_u64().unwrap(), case["height"].as_u64().unwrap())
                && digest(image.pixels()) == case["sha256"].as_str().unwrap();
            let first = &image.pixels()[..image.pixels().len().min(6)];
            (!is_equal).then(|| format!("{name}: {size:?} {first:?} {case}"))
        }
    }
}

#[test]
fn resizes_as_pillow_does() {
    let cases = cases("resize.json");
    let failures = cases.iter().filter_map(|case| {
        let side = |at: usize| case["size"][at].as_u64().unwrap() as usize;
        let filter = Filter::from_id(case["resample"].as_u64().unwrap()).unwrap();
        let resized = resize(&open(case).unwrap(), side(0), side(1), filter).unwrap();
        (digest(resized.pixels()) != case["sha256"].as_str().unwrap()).then(|| case.to_string())
    });
    report(failures.collect(), cases.len());
}

#[test]
fn processes_as_transformers_does() {
    let cases = cases("processors.json");
    let failures = cases.iter().filter_map(process_failure).collect();
    report(failures, cases.len());
}

fn process_failure(case: &Value) -> Option<String> {
    let image = open(case).unwrap();
    let run = || {
        let processor = ImageProcessor::load(&Config(case["config"].clone()))?;
        let call: &Map<String, Value> = case["call"].as_object().unwrap();
        processor.with(call)?.process(&image)
    };
    let what = format!("{} {} {}", case["config"], case["call"], case["file"]);
    match (run(), case.get("unknown"), case.get("error")) {
        // A setting that the class does not have is an error here, and a warning there.
        (Err(error), Some(unknown), _) => {
            let class = case["config"]["image_processor_type"].as_str().unwrap();
            let message = |name: &Value| format!("`{class}` has no setting `{}`;", name.as_str().unwrap());
            let is_named = |name: &Value| error.to_string().starts_with(&message(name));
            let is_expected =
                error.kind() == ErrorKind::Parameter && unknown.as_array().unwrap().iter().any(is_named);
            (!is_expected).then(|| format!("{what}: {}", error.report()))
        }
        (Ok(_), Some(unknown), _) => Some(format!("{what}: done, where {unknown} is not known")),
        (Err(error), None, Some(_)) => {
            const KINDS: [ErrorKind; 4] =
                [ErrorKind::Config, ErrorKind::Parameter, ErrorKind::Input, ErrorKind::Unsupported];
            (!KINDS.contains(&error.kind())).then(|| format!("{what}: {}", error.report()))
        }
        (Err(error), None, None) => Some(format!("{what}: {}", error.report())),
        (Ok(_), None, Some(error)) => Some(format!("{what}: done, where Python says {error}")),
        (Ok(values), None, None) => {
            difference(&values, case).map(|difference| format!("{what}: {difference}"))
        }
    }
}

/// How pixels differ from what Python has.
fn difference(values: &PixelValues, case: &Value) -> Option<String> {
    let shape = [values.channels, values.height, values.width];
    assert_eq!(values.values.len(), shape.iter().product::<usize>());
    let is_equal = match case.get("values") {
        Some(expected) => {
            let expected = expected.as_array().unwrap();
            let stride = case["stride"].as_u64().unwrap() as usize;
            let kept: Vec<f32> = values.values.iter().copied().step_by(stride).collect();
            let is_close = |(&value, expected): (&f32, &Value)| {
                (f64::from(value) - expected.as_f64().unwrap()).abs()
                    <= CLOSE * f64::from(value.abs().max(1.0))
            };
            kept.len() == expected.len() && kept.iter().zip(expected).all(is_close)
        }
        None => {
            let bytes: Vec<u8> = values.values.iter().flat_map(|value| value.to_le_bytes()).collect();
            digest(bytes) == case["sha256"].as_str().unwrap()
        }
    };
    let is_equal = is_equal && case["shape"] == Value::from(shape.map(Value::from).to_vec());
    let first = values.values.get(..4);
    (!is_equal).then(|| format!("{shape:?} {first:?}, not {} {}", case["shape"], case["first"]))
}
