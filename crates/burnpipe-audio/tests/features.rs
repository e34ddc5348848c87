//! Features equal to those of transformers 4.56.2: the cases of `features.json`, which `features.py` makes.

mod sounds;

use std::borrow::Cow;

use burnpipe_audio::{AudioFeatures, FeatureExtractor};
use burnpipe_core::{ErrorKind, ModelFiles, Result};
use serde_json::{Map, Value, json};
use sounds::sound;

/// A model that is nothing but configuration files.
struct Files(Map<String, Value>);

impl Files {
    fn preprocessor(config: Value) -> Self {
        Self(Map::from_iter([("preprocessor_config.json".to_owned(), config)]))
    }
}

impl ModelFiles for Files {
    fn model_name(&self) -> &str {
        "test"
    }

    fn read(&self, file: &str) -> Result<Option<Cow<'static, [u8]>>> {
        Ok(self.0.get(file).map(|content| Cow::Owned(content.to_string().into_bytes())))
    }
}

#[test]
fn features_equal_python() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("features.json")).unwrap();
    let mut worst = 0.0_f64;
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let extractor = FeatureExtractor::load(&Files(case["files"].as_object().unwrap().clone())).unwrap();
        assert_eq!(u64::from(extractor.sampling_rate()), case["sampling_rate"], "{name}");
        let samples = sound(case["sound"].as_str().unwrap(), case["samples"].as_i64().unwrap());
        let features = if case["whole"] == true {
            extractor.extract_whole(&samples).unwrap()
        } else {
            extractor.extract(&samples).unwrap()
        };
        let (shape, values) = match features {
            AudioFeatures::Samples(values) => (vec![values.len()], values),
            AudioFeatures::Spectrogram { frames, bins, values } => {
                let bins_first = extractor.hop_length().is_some();
                (if bins_first { vec![bins, frames] } else { vec![frames, bins] }, values)
            }
        };
        assert_eq!(json!(shape), case["shape"], "{name}");
        let tolerance = 1e-5 + case["noise"].as_f64().unwrap();
        let every = case["every"].as_u64().unwrap() as usize;
        let kept: Vec<f32> = values.iter().copied().step_by(every).collect();
        let expected = case["values"].as_array().unwrap();
        assert_eq!(kept.len(), expected.len(), "{name}");
        for (index, (value, expected)) in kept.iter().zip(expected).enumerate() {
            let difference = (f64::from(*value) - expected.as_f64().unwrap()).abs();
            worst = worst.max(difference);
            assert!(
                difference < tolerance,
                "{name}: value {} is {value}, Python's {expected}",
                index * every
            );
        }
        let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64;
        let difference = (mean - case["mean"].as_f64().unwrap()).abs();
        assert!(difference < 1e-6, "{name}: mean {mean}, Python's {}", case["mean"]);
    }
    println!("largest difference {worst:e}");
}

#[test]
fn samples_that_are_no_numbers_are_refused() {
    for class in ["Wav2Vec2FeatureExtractor", "WhisperFeatureExtractor", "ASTFeatureExtractor"] {
        let files = Files::preprocessor(json!({"feature_extractor_type": class}));
        let extractor = FeatureExtractor::load(&files).unwrap();
        let mut samples = vec![0.5; 1000];
        samples[320] = f32::NAN;
        let error = extractor.extract(&samples).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        assert_eq!(error.to_string(), "sample 320 of the sound, at 0.020 s, is NaN: it must be a number");
    }
}

#[test]
fn sounds_too_short_are_refused() {
    let ast = Files::preprocessor(json!({"feature_extractor_type": "ASTFeatureExtractor"}));
    assert!(FeatureExtractor::load(&ast).unwrap().extract(&[0.0; 239]).is_err());
    let wav2vec2 = Files::preprocessor(json!({"feature_extractor_type": "Wav2Vec2FeatureExtractor"}));
    assert!(FeatureExtractor::load(&wav2vec2).unwrap().extract(&[]).is_err());
    let whisper = Files::preprocessor(json!({"feature_extractor_type": "WhisperFeatureExtractor"}));
    assert!(FeatureExtractor::load(&whisper).unwrap().extract_whole(&[0.0; 200]).is_err());
    assert!(FeatureExtractor::load(&whisper).unwrap().extract_whole(&[0.0; 201]).is_ok());
}

#[test]
fn configurations_that_cannot_be_used_are_refused() {
    let cases = [
        (Files(Map::new()), ErrorKind::MissingFile),
        (Files::preprocessor(json!([1, 2])), ErrorKind::Config),
        (Files::preprocessor(json!({"do_normalize": true})), ErrorKind::Config),
        (
            Files::preprocessor(json!({"feature_extractor_type": "ClapFeatureExtractor"})),
            ErrorKind::Unsupported,
        ),
    ];
    for (files, kind) in cases {
        assert_eq!(FeatureExtractor::load(&files).unwrap_err().kind(), kind);
    }
    let settings = [
        ("WhisperFeatureExtractor", json!({"n_fft": 0})),
        ("WhisperFeatureExtractor", json!({"hop_length": 0})),
        ("WhisperFeatureExtractor", json!({"feature_size": -3})),
        ("WhisperFeatureExtractor", json!({"feature_size": 1_000_000})),
        ("WhisperFeatureExtractor", json!({"chunk_length": u64::MAX})),
        ("WhisperFeatureExtractor", json!({"sampling_rate": 0})),
        ("WhisperFeatureExtractor", json!({"padding_side": "middle"})),
        ("ASTFeatureExtractor", json!({"max_length": 0})),
        ("ASTFeatureExtractor", json!({"num_mel_bins": 1_000_000})),
        ("Wav2Vec2FeatureExtractor", json!({"sampling_rate": "16000"})),
        ("Wav2Vec2FeatureExtractor", json!({"do_normalize": 3})),
    ];
    for (class, mut config) in settings {
        config["feature_extractor_type"] = json!(class);
        let error = FeatureExtractor::load(&Files::preprocessor(config.clone())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{config}");
    }
}

#[test]
fn dither_is_small_and_the_same_each_time() {
    let config = |dither: f64| {
        let files = Files::preprocessor(
            json!({"feature_extractor_type": "WhisperFeatureExtractor", "dither": dither}),
        );
        FeatureExtractor::load(&files).unwrap()
    };
    let samples = sound("speech", 16_000);
    let dithered = config(1e-4).extract(&samples).unwrap();
    assert_eq!(dithered, config(1e-4).extract(&samples).unwrap());
    assert_ne!(dithered, config(0.0).extract(&samples).unwrap());
}
