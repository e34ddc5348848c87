//! Each processor alone, and the list of them that a configuration makes.

use burnpipe_core::Result;
use burnpipe_generate::*;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{assert_scores, scores, section, tokens};

#[test]
fn processors_give_pythons_scores() {
    let cases = section("processors");
    assert!(cases.len() > 150);
    for case in cases {
        let name = case["class"].as_str().expect("a class");
        let mut actual = scores(&case["scores"]);
        let processor = construct(name, &case["arguments"]).expect(name);
        processor.process(&tokens(&case["tokens"]), &mut actual).expect(name);
        assert_scores(
            &actual,
            &case["expected"],
            &format!("{name} {} of {}", case["arguments"], case["scores"]),
        );
    }
}

#[test]
fn groups_of_beams_are_kept_apart() {
    let diversity = HammingDiversityLogitsProcessor::new(0.7, 6, 3).expect("groups");
    for case in section("diversity") {
        let mut actual = scores(&case["scores"]);
        diversity.process(&tokens(&case["current_tokens"]), &mut actual).expect("tokens of the vocabulary");
        assert_scores(&actual, &case["expected"], &case.to_string());
    }
}

#[test]
fn only_allowed_tokens_follow() {
    for case in section("allowed") {
        let allowed = tokens(&case["allowed"]);
        let processor = PrefixConstrainedLogitsProcessor::new(move |_| allowed.clone());
        let mut actual = scores(&case["scores"]);
        processor.process(&[1], &mut actual).expect("something is allowed");
        assert_scores(&actual, &case["expected"], &case.to_string());
    }
    let nothing = PrefixConstrainedLogitsProcessor::new(|_| Vec::new());
    assert!(nothing.process(&[1], &mut [0.0; 3]).is_err());
}

#[test]
fn lists_have_pythons_order() {
    for case in section("lists") {
        let config: GenerationConfig = serde_json::from_value(case["settings"].clone()).expect("settings");
        let prompt = tokens(&case["prompt"]);
        let inputs = ProcessorInputs { encoder_input_ids: Some(&prompt), ..ProcessorInputs::default() };
        let list = processors(&config, &prompt, inputs).expect("settings that can be used");

        let diversity = HammingDiversityLogitsProcessor::from_config(&config).expect("groups");
        let mut expected: Vec<&str> =
            case["classes"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        let of_groups = expected.iter().position(|name| *name == "HammingDiversityLogitsProcessor");
        assert_eq!(of_groups.map(|at| expected.remove(at)).is_some(), diversity.is_some());
        let names: Vec<&str> = list.iter().filter_map(|one| one.name().rsplit("::").next()).collect();
        assert_eq!(names, expected, "{}", case["settings"]);

        let row = [prompt.clone(), tokens(&case["new"])].concat();
        let mut actual = scores(&case["scores"]);
        for processor in &list {
            processor.process(&row, &mut actual).expect("scores that can be used");
        }
        assert_scores(&actual, &case["expected"], &case["settings"].to_string());
    }
}

#[test]
fn custom_processors_stand_where_pythons_do() {
    struct Custom;
    impl LogitsProcessor for Custom {
        fn process(&self, _tokens: &[u32], _scores: &mut [f32]) -> Result<()> {
            Ok(())
        }
    }
    let config = GenerationConfig {
        repetition_penalty: 1.5,
        no_repeat_ngram_size: 2,
        do_sample: true,
        ..GenerationConfig::default()
    };
    let penalty = RepetitionPenaltyLogitsProcessor::new(3.0).expect("a penalty");
    let inputs =
        ProcessorInputs { custom: vec![Box::new(Custom), Box::new(penalty)], ..ProcessorInputs::default() };
    let list = processors(&config, &[1], inputs).expect("settings that can be used");
    let names: Vec<&str> = list.iter().filter_map(|one| one.name().rsplit("::").next()).collect();
    let expected =
        ["RepetitionPenaltyLogitsProcessor", "NoRepeatNGramLogitsProcessor", "Custom", "TopKLogitsWarper"];
    assert_eq!(names, expected);
    let mut scores = [0.0, 3.0];
    list[0].process(&[1], &mut scores).expect("tokens of the vocabulary");
    assert_eq!(scores, [0.0, 1.0]);
}

#[test]
fn what_cannot_be_used_is_an_error() {
    assert!(
        RepetitionPenaltyLogitsProcessor::new(2.0).expect("a penalty").process(&[9], &mut [0.0; 4]).is_err()
    );
    assert!(ForcedBOSTokenLogitsProcessor::new(9).process(&[0], &mut [0.0; 4]).is_err());
    assert!(TopPLogitsWarper::new(0.5, 0).is_err());
    assert!(TemperatureLogitsWarper::new(f64::NAN).is_err());
}

/// In Python the end is NaN there, which is taken for the best token.
#[test]
fn an_end_that_is_ruled_out_does_not_decay() {
    let processor = ExponentialDecayLengthPenalty::new((0, 1.5), vec![1], 1).expect("an end");
    let mut scores = [-2.0, f32::NEG_INFINITY];
    processor.process(&[0, 0], &mut scores).expect("tokens of the vocabulary");
    assert_eq!(scores, [-2.0, f32::NEG_INFINITY]);
}

/// Scores that no model should give make no panic.
#[test]
fn strange_scores_are_taken() {
    let warpers: Vec<Box<dyn LogitsProcessor>> = vec![
        Box::new(TopKLogitsWarper::new(2, 1).expect("a number")),
        Box::new(TopPLogitsWarper::new(0.5, 1).expect("a number")),
        Box::new(MinPLogitsWarper::new(0.5, 2).expect("a number")),
        Box::new(TypicalLogitsWarper::new(0.5, 2).expect("a number")),
        Box::new(EtaLogitsWarper::new(0.5, 2).expect("a number")),
        Box::new(LogitNormalization),
    ];
    for score in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for warper in &warpers {
            warper.process(&[0], &mut [score; 5]).expect("no error");
            warper.process(&[0], &mut [1.0, score, 0.5, score, 2.0]).expect("no error");
            warper.process(&[0], &mut []).expect("no error");
        }
    }
}

/// The processor that Python's class of that name is, with Python's arguments.
fn construct(name: &str, arguments: &Value) -> Result<Box<dyn LogitsProcessor>> {
    fn get<T: DeserializeOwned>(arguments: &Value, name: &str) -> T {
        serde_json::from_value(arguments[name].clone()).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
    let keep = arguments["min_tokens_to_keep"].as_u64().unwrap_or(1) as usize;
    let eos = || get::<Vec<u32>>(arguments, "eos_token_id");
    let number = |name: &str| get::<f64>(arguments, name);
    let count = |name: &str| get::<usize>(arguments, name);
    let encoder = || get::<[Vec<u32>; 1]>(arguments, "encoder_input_ids").concat();
    Ok(match name {
        "TemperatureLogitsWarper" => Box::new(TemperatureLogitsWarper::new(number("temperature"))?),
        "TopKLogitsWarper" => Box::new(TopKLogitsWarper::new(count("top_k"), keep)?),
        "TopPLogitsWarper" => Box::new(TopPLogitsWarper::new(number("top_p"), keep)?),
        "MinPLogitsWarper" => Box::new(MinPLogitsWarper::new(number("min_p"), keep)?),
        "TypicalLogitsWarper" => Box::new(TypicalLogitsWarper::new(number("mass"), keep)?),
        "EpsilonLogitsWarper" => Box::new(EpsilonLogitsWarper::new(number("epsilon"), keep)?),
        "EtaLogitsWarper" => Box::new(EtaLogitsWarper::new(number("epsilon"), keep)?),
        "LogitNormalization" => Box::new(LogitNormalization),
        "InfNanRemoveLogitsProcessor" => Box::new(InfNanRemoveLogitsProcessor),
        "RepetitionPenaltyLogitsProcessor" => {
            let ignored = arguments["prompt_ignore_length"].as_u64().unwrap_or(0) as usize;
            let processor = RepetitionPenaltyLogitsProcessor::new(number("penalty"))?;
            Box::new(processor.with_prompt_ignore_length(ignored))
        }
        "EncoderRepetitionPenaltyLogitsProcessor" => {
            Box::new(EncoderRepetitionPenaltyLogitsProcessor::new(number("penalty"), &encoder())?)
        }
        "NoRepeatNGramLogitsProcessor" => Box::new(NoRepeatNGramLogitsProcessor::new(count("ngram_size"))?),
        "EncoderNoRepeatNGramLogitsProcessor" => {
            Box::new(EncoderNoRepeatNGramLogitsProcessor::new(count("encoder_ngram_size"), encoder())?)
        }
        "SequenceBiasLogitsProcessor" => {
            let biases: Vec<(Vec<u32>, f64)> = get(arguments, "sequence_bias");
            Box::new(SequenceBiasLogitsProcessor::new(&biases)?)
        }
        "NoBadWordsLogitsProcessor" => {
            let words: Vec<Vec<u32>> = get(arguments, "bad_words_ids");
            Box::new(NoBadWordsLogitsProcessor::new(&words, &eos())?)
        }
        "MinLengthLogitsProcessor" => Box::new(MinLengthLogitsProcessor::new(count("min_length"), eos())),
        "MinNewTokensLengthLogitsProcessor" => Box::new(MinNewTokensLengthLogitsProcessor::new(
            count("prompt_length_to_skip"),
            count("min_new_tokens"),
            eos(),
        )),
        "ForcedBOSTokenLogitsProcessor" => {
            Box::new(ForcedBOSTokenLogitsProcessor::new(get(arguments, "bos_token_id")))
        }
        "ForcedEOSTokenLogitsProcessor" => {
            Box::new(ForcedEOSTokenLogitsProcessor::new(count("max_length"), eos()))
        }
        "ExponentialDecayLengthPenalty" => {
            let penalty = get(arguments, "exponential_decay_length_penalty");
            Box::new(ExponentialDecayLengthPenalty::new(penalty, eos(), count("input_ids_seq_length"))?)
        }
        "SuppressTokensLogitsProcessor" => {
            Box::new(SuppressTokensLogitsProcessor::new(get(arguments, "suppress_tokens")))
        }
        "SuppressTokensAtBeginLogitsProcessor" => {
            let suppressed = get(arguments, "begin_suppress_tokens");
            Box::new(SuppressTokensAtBeginLogitsProcessor::new(suppressed, count("begin_index")))
        }
        other => panic!("no processor {other}"),
    })
}
