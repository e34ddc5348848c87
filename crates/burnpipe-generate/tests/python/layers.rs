//! Which settings a call ends up with, and which it is refused.

use burnpipe_core::Result;
use burnpipe_generate::{
    GenerationConfig, GenerationDefaults, GenerationSources, ProcessorInputs, processors, stopping_rules,
};
use serde_json::{Map, Value, json};

use super::section;

fn object(value: &Value) -> Option<&Map<String, Value>> {
    value.as_object()
}

fn defaults_of(case: &Value) -> GenerationDefaults {
    let sources = GenerationSources {
        generation_config: object(&case["generation_config"]),
        model_config: object(&case["config"]),
        pipeline: object(&case["pipeline"]),
        task: case["task"].as_str().unwrap_or_default(),
        init: object(&case["init"]),
        pad_token_id: case["pad_token_id"].as_u64().map(|token| token as u32),
    };
    GenerationDefaults::new(&sources).expect("settings of a file")
}

/// The settings of a case as our `with_call` and what follows it make them.
fn settings_of(case: &Value) -> GenerationConfig {
    let call = object(&case["call"]).cloned().unwrap_or_default();
    let config = defaults_of(case).with_call(&call).expect("settings of a call");
    let Some(prompt_length) = case["prompt_length"].as_u64() else { return config };
    let is_encoder_decoder = case["config"]["is_encoder_decoder"] == json!(true);
    let positions = case["config"]["n_positions"].as_u64().map(|positions| positions as usize);
    let config = config.with_special_tokens(is_encoder_decoder).expect("a token to start with");
    config.for_prompt(prompt_length as usize, positions).expect("room for a token")
}

#[test]
fn layers_are_merged_as_pythons_are() {
    let cases = section("merges");
    assert!(cases.len() > 35);
    for case in cases {
        let actual = serde_json::to_value(settings_of(&case)).expect("settings are JSON");
        let mut expected = serde_json::to_value(GenerationConfig::default()).expect("settings are JSON");
        for (key, value) in object(&case["expected"]).expect("settings") {
            if expected.get(key).is_some() {
                expected[key] =
                    if key == "eos_token_id" && value.is_u64() { json!([value]) } else { value.clone() };
            }
        }
        assert_eq!(actual, expected, "{case}");
    }
}

#[test]
fn calls_are_refused_as_pythons_are() {
    // What Python finds out with the first scores, or has no tokenizer for.
    let later = json!({"sequence_bias": [[[99], 1.0]]});
    for case in section("failures") {
        let refused = check_call(&case["call"]).is_err();
        assert_eq!(refused, !case["error"].is_null() && case["call"] != later, "{case}");
    }
}

/// What comes of a call before the model runs, with a model like the one of the goldens.
fn check_call(call: &Value) -> Result<()> {
    let tokens = json!({"bos_token_id": 0, "eos_token_id": 0});
    let sources = GenerationSources { model_config: object(&tokens), ..GenerationSources::default() };
    let mut call = object(call).expect("settings").clone();
    if !call.contains_key("max_length") {
        call.entry("max_new_tokens").or_insert(json!(2));
    }
    let config = GenerationDefaults::new(&sources)?.with_call(&call)?.with_special_tokens(false)?;
    config.validate()?;
    let prompt = [1, 3, 4];
    let config = config.for_prompt(prompt.len(), Some(64))?;
    let inputs = ProcessorInputs { encoder_input_ids: Some(&prompt), ..ProcessorInputs::default() };
    processors(&config, &prompt, inputs)?;
    stopping_rules(&config, None, Vec::new())?;
    Ok(())
}

fn with_call(call: Value) -> Result<GenerationConfig> {
    GenerationDefaults::new(&GenerationSources::default())?.with_call(object(&call).expect("settings"))
}

#[test]
fn what_is_not_known_or_not_supported_is_named() {
    let message = |call| with_call(call).expect_err("refused").to_string();
    assert!(message(json!({"num_bems": 3})).contains("`num_beams`"));
    assert!(message(json!({"watermarking_config": {}})).contains("`watermarking_config`"));
    assert!(message(json!({"top_k": -1})).contains("`top_k`"));
    assert!(message(json!({"streamer": 1})).contains("`streamer`"));
    assert!(message(json!({"cache_implementation": "statik"})).contains("`static`"));
    assert!(
        with_call(json!({"use_cache": false, "token_healing": false, "cache_implementation": "static"}))
            .is_ok()
    );

    let file = json!({"dola_layers": "high", "made_up": 1});
    let sources = GenerationSources { generation_config: object(&file), ..GenerationSources::default() };
    let defaults = GenerationDefaults::new(&sources).expect("unknown keys of files are passed by");
    assert!(defaults.with_call(&Map::new()).is_err());
    assert!(defaults.with_call(object(&json!({"dola_layers": null})).expect("settings")).is_ok());
}

#[test]
fn biases_are_read_in_both_forms() {
    let expected = Some(vec![(vec![10, 45], -2.0), (vec![64], -7.5)]);
    let list = with_call(json!({"sequence_bias": [[[10, 45], -2.0], [[64], -7.5]]})).expect("a list");
    assert_eq!(list.sequence_bias, expected);
    let object = with_call(json!({"sequence_bias": {"(10, 45)": -2.0, "(64,)": -7.5}})).expect("an object");
    assert_eq!(object.sequence_bias, expected);
    assert!(with_call(json!({"sequence_bias": {"ten": 1.0}})).is_err());
}

#[test]
fn tokens_below_0_are_none() {
    let config = with_call(json!({"pad_token_id": -1, "eos_token_id": [2, -1], "suppress_tokens": [-1]}));
    let config = config.expect("tokens");
    assert_eq!((config.pad_token_id, config.eos_token_id), (None, Some(vec![2])));
    assert_eq!(config.suppress_tokens, Some(Vec::new()));
}
