//! Files read as Python's `ffmpeg_read` reads them: the cases of `decoding.json`, which `decoding.py` makes with the
//! files of `files`.

use std::path::Path;
use std::sync::Arc;

use burnpipe_audio::{SoundReader, Waveform};
use serde_json::Value;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files")
}

fn bytes(file: &str) -> Arc<[u8]> {
    std::fs::read(folder().join(file)).unwrap().into()
}

#[test]
fn files_equal_python() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("decoding.json")).unwrap();
    let mut failures = Vec::new();
    for case in &cases {
        let file = case["file"].as_str().unwrap();
        let rate = case["rate"].as_u64().unwrap() as u32;
        let waveform = match Waveform::decode(bytes(file), file, rate) {
            Ok(waveform) => waveform,
            Err(error) => {
                failures.push(format!("{file}: {}", error.report()));
                continue;
            }
        };
        let every = case["every"].as_u64().unwrap() as usize;
        let expected = case["samples"].as_array().unwrap();
        let worst = waveform
            .samples
            .iter()
            .step_by(every)
            .zip(expected)
            .map(|(sample, expected)| (f64::from(*sample) - expected.as_f64().unwrap()).abs())
            .fold(0.0, f64::max);
        println!(
            "{file} {rate}: {} samples, Python's {}, worst {worst:e}",
            waveform.samples.len(),
            case["length"]
        );
    }
    assert!(failures.is_empty(), "{failures:#?}");
}
