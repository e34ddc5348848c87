//! The processor of Whisper's marks of times.

use burnpipe_generate::{LogitsProcessor, WhisperTimeStampLogitsProcessor};
use serde_json::Value;

use super::{assert_scores, scores, tokens};

/// `tests/goldens/generation/whisper.py` makes the expectations.
fn cases() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/generation/whisper.json");
    let text = std::fs::read_to_string(path).expect("the goldens");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn marks_of_times_are_kept_as_python_keeps_them() {
    let cases = cases();
    assert!(cases.len() > 50);
    for case in cases {
        let number = |name: &str| case[name].as_u64().and_then(|number| u32::try_from(number).ok());
        let processor = WhisperTimeStampLogitsProcessor::new(
            number("no_timestamps_token_id").expect("a token"),
            number("eos_token_id").expect("a token"),
            number("begin_index").expect("a count") as usize,
            number("max_initial_timestamp_index"),
        );
        let mut actual = scores(&case["scores"]);
        processor.process(&tokens(&case["tokens"]), &mut actual).expect("scores");
        assert_scores(&actual, &case["expected"], &case.to_string());
    }
}
