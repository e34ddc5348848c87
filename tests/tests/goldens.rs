//! Python's answers, case by case.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

use burnpipe_tests::{case_files, devices, difference, real_case_file};
use serde_json::json;

fn every_case_of(task: &str) {
    let files = case_files(Some(task)).unwrap();
    if files.is_empty() && std::env::var_os("BURNPIPE_TEST_ONLY").is_some() {
        println!("{task}: no cases of what BURNPIPE_TEST_ONLY names");
        return;
    }
    assert!(!files.is_empty(), "no cases of {task}");
    let (mut cases, mut differences) = (0, Vec::new());
    for device in devices() {
        for file in &files {
            cases += file.cases.len();
            match file.differences(&device) {
                Ok(found) => differences.extend(found),
                Err(error) => differences.push(error.to_string()),
            }
        }
    }
    println!("{task}: {cases} cases of {} checkpoints on {:?}", files.len(), devices());
    assert!(differences.is_empty(), "{} of {cases} differ:\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn audio_classification_equals_python() {
    every_case_of("audio-classification");
}

#[test]
fn automatic_speech_recognition_equals_python() {
    every_case_of("automatic-speech-recognition");
}

#[test]
fn feature_extraction_equals_python() {
    every_case_of("feature-extraction");
}

#[test]
fn fill_mask_equals_python() {
    every_case_of("fill-mask");
}

#[test]
fn image_classification_equals_python() {
    every_case_of("image-classification");
}

#[test]
fn image_feature_extraction_equals_python() {
    every_case_of("image-feature-extraction");
}

#[test]
fn question_answering_equals_python() {
    every_case_of("question-answering");
}

#[test]
fn table_question_answering_equals_python() {
    every_case_of("table-question-answering");
}

#[test]
fn text_classification_equals_python() {
    every_case_of("text-classification");
}

#[test]
fn text_generation_equals_python() {
    every_case_of("text-generation");
}

#[test]
fn token_classification_equals_python() {
    every_case_of("token-classification");
}

#[test]
fn zero_shot_classification_equals_python() {
    every_case_of("zero-shot-classification");
}

#[test]
fn the_bundled_model_equals_python() {
    for device in devices() {
        let differences = real_case_file("bundled-ner").unwrap().differences(&device).unwrap();
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    }
}

#[test]
fn real_models_equal_python() {
    for name in ["minilm", "quire-grammar", "smollm2", "whisper-tiny-en"] {
        let file = real_case_file(name).unwrap();
        if file.folder().is_none() {
            println!("skipped: no real models (`{}` is not in $BURNPIPE_REAL_MODELS)", file.model);
            continue;
        }
        for device in devices() {
            let differences = file.differences(&device).unwrap();
            assert!(differences.is_empty(), "{}", differences.join("\n"));
        }
    }
}

#[test]
fn sentence_embeddings_of_a_real_model_have_the_published_cosines() {
    let file = real_case_file("minilm").unwrap();
    if file.folder().is_none() {
        println!("skipped: no real models (`{}` is not in $BURNPIPE_REAL_MODELS)", file.model);
        return;
    }
    let pipeline = file.load(&devices()[0]).unwrap();
    let texts =
        ["A man is eating food.", "A man is eating a piece of bread.", "The girl is carrying a baby."];
    let vectors = pipeline.call_with(json!(texts), &json!({"pooling": "auto"})).unwrap();
    let cosine = |left: usize, right: usize| -> f64 {
        let vector = |at: usize| vectors[at].as_array().unwrap().iter().map(|value| value.as_f64().unwrap());
        vector(left).zip(vector(right)).map(|(l, r)| l * r).sum()
    };
    assert!((cosine(0, 0) - 1.0).abs() < 1e-5);
    assert!((cosine(0, 1) - 0.755).abs() < 1e-3, "{}", cosine(0, 1));
    assert!((cosine(0, 2) + 0.105).abs() < 1e-3, "{}", cosine(0, 2));
}

#[test]
fn the_sentence_of_the_readme_is_answered_as_python_answers_it() {
    let text = "My name is Sarah Connor, I live at 42 Oak Street in Los Angeles, call me at 415-555-0132 or sarah.connor@example.com.";
    let pipeline = real_case_file("bundled-ner").unwrap().load(&devices()[0]).unwrap();
    let entities = pipeline.call_with(text, &json!({"aggregation_strategy": "simple"})).unwrap();
    let expected = [
        json!({"entity_group": "GIVEN_NAME", "score": 0.99584, "word": "sarah", "start": 11, "end": 16}),
        json!({"entity_group": "SURNAME", "score": 0.9654, "word": "connor", "start": 17, "end": 23}),
    ];
    for (entity, expected) in entities.as_array().unwrap().iter().zip(&expected) {
        assert_eq!(difference(entity, expected), None);
    }
    assert!(entities.as_array().unwrap().iter().any(|entity| entity["word"] == "los angeles"));
}
