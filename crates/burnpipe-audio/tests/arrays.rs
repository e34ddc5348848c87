//! Arrays resampled as torchaudio does: the cases of `arrays.json`, which `arrays.py` makes.

mod sounds;

use burnpipe_audio::resample;
use serde_json::{Value, json};

#[test]
fn resampling_equals_torchaudio() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("arrays.json")).unwrap();
    for case in &cases {
        let rate = |key: &str| case[key].as_u64().unwrap() as u32;
        let samples = sounds::sound("speech", case["length"].as_i64().unwrap());
        let resampled = resample(&samples, rate("from"), rate("to"));
        let name = format!("{} to {} Hz", case["from"], case["to"]);
        assert_eq!(json!(resampled.len()), case["resampled_length"], "{name}");
        let kept: Vec<f32> = resampled.iter().copied().step_by(7).collect();
        let expected = case["samples"].as_array().unwrap();
        assert_eq!(kept.len(), expected.len(), "{name}");
        for (sample, expected) in kept.into_iter().zip(expected) {
            let difference = (f64::from(sample) - expected.as_f64().unwrap()).abs();
            assert!(difference < 2e-6, "{name}: {sample}, torchaudio's {expected}");
        }
    }
}
