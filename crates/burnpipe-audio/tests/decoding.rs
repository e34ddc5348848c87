//! Files read as Python's `ffmpeg_read` reads them: the cases of `decoding.json`, which `decoding.py` makes with the
//! files of `files`.

use std::fs::File;
use std::path::{Path, PathBuf};

use burnpipe_audio::{SoundReader, Waveform};
use serde_json::Value;

fn path(file: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    if file == "jfk.flac" {
        here.join("../../tests/samples/jfk.flac")
    } else {
        here.join("tests/files").join(file)
    }
}

/// How far samples may be from ffmpeg's: nothing where nothing is computed, little where both compute in f32.
fn tolerance(file: &str) -> f64 {
    match file {
        // The last digit of what is written in the JSON.
        "mono-16k.wav" | "mono-16k.flac" | "s16.aiff" | "s32.wav" | "f64.wav" => 1e-9,
        file if file.ends_with(".m4a") || file.ends_with(".aac") => 2e-6,
        _ => 5e-7,
    }
}

#[test]
fn files_equal_python() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("decoding.json")).unwrap();
    for case in &cases {
        let file = case["file"].as_str().unwrap();
        let rate = case["rate"].as_u64().unwrap() as u32;
        let bytes = std::fs::read(path(file)).unwrap();
        let Waveform { samples, .. } = Waveform::decode(bytes.into(), file, rate).unwrap();
        assert_eq!(samples.len() as u64, case["length"], "{file} at {rate} Hz");
        let tolerance = if rate == 16_000 { tolerance(file) } else { 5e-7 };
        let every = case["every"].as_u64().unwrap() as usize;
        let expected = case["samples"].as_array().unwrap();
        assert_eq!(expected.len(), samples.len().div_ceil(every), "{file} at {rate} Hz");
        for (index, expected) in expected.iter().enumerate() {
            let sample = samples[index * every];
            let difference = (f64::from(sample) - expected.as_f64().unwrap()).abs();
            assert!(
                difference <= tolerance,
                "{file} at {rate} Hz: sample {} is {sample}, ffmpeg's {expected}",
                index * every
            );
        }
        let total = |power: i32| samples.iter().map(|&sample| f64::from(sample).powi(power)).sum::<f64>();
        for (total, expected) in [(total(1), &case["sum"]), (total(2), &case["squares"])] {
            let difference = (total - expected.as_f64().unwrap()).abs();
            assert!(
                difference <= tolerance * samples.len() as f64,
                "{file} at {rate} Hz: {total}, {expected}"
            );
        }
    }
}

#[test]
fn files_on_the_disk_are_read_in_blocks() {
    let file = File::open(path("jfk.flac")).unwrap();
    let blocks: Vec<Vec<f32>> =
        SoundReader::from_file(file, "jfk.flac", 16_000).unwrap().map(Result::unwrap).collect();
    assert!(blocks.iter().all(|block| block.len() < 20_000));
    let bytes = std::fs::read(path("jfk.flac")).unwrap();
    assert_eq!(blocks.concat(), Waveform::decode(bytes.into(), "jfk.flac", 16_000).unwrap().samples);
}
