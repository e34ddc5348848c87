//! What must hold of the methods whatever Python answers: distributions, and methods that give the same.

use burnpipe_generate::{GenerationConfig, ProcessorInputs, SearchContext, SearchRunner, processors, search};
use serde_json::{Value, json};

use crate::toy::{Case, Goldens, Toy, alone, case, drain, goldens};

const DRAWS: usize = 20_000;

/// Wilson and Hilferty's bound that is passed once in a million, of so many degrees of freedom.
fn bound(cells: f64) -> f64 {
    let part = 2.0 / (9.0 * cells);
    cells * (1.0 - part + 4.753 * f64::sqrt(part)).powi(3)
}

/// The first two tokens of 20,000 draws, by the tables' own probabilities.
fn check_draws(goldens: &Goldens, first_two: impl Iterator<Item = [u32; 2]>) {
    let size = goldens.model.last.len();
    let mut counts = vec![vec![0.0; size]; size];
    first_two.for_each(|[first, second]| counts[first as usize][second as usize] += 1.0);
    let softmax = |logits: Vec<f64>| {
        let total: f64 = logits.iter().map(|logit| logit.exp()).sum();
        logits.into_iter().map(move |logit| logit.exp() / total)
    };
    let (last, previous) = (&goldens.model.last, &goldens.model.previous);
    let wide = |values: &[f32]| values.iter().map(|value| f64::from(*value)).collect::<Vec<f64>>();
    let (mut chi_square, mut cells, mut rest, mut expected_rest) = (0.0, 0.0, 0.0, 0.0);
    for (first, p) in softmax(wide(&last[5])).enumerate() {
        let logits = wide(&last[first]).into_iter().zip(wide(&previous[5])).map(|(one, other)| one + other);
        for (second, q) in softmax(logits.collect()).enumerate() {
            let (count, expected) = (counts[first][second], p * q * DRAWS as f64);
            if expected < 8.0 {
                (rest, expected_rest) = (rest + count, expected_rest + expected);
            } else {
                chi_square += (count - expected).powi(2) / expected;
                cells += 1.0;
            }
        }
    }
    chi_square += (rest - expected_rest).powi(2) / expected_rest;
    let bound = bound(cells);
    assert!(cells > 100.0 && chi_square < bound, "{chi_square} of {cells} cells, at most {bound}");
}

#[test]
fn draws_follow_the_probabilities() {
    let goldens = goldens();
    let parameters =
        json!({"do_sample": true, "num_return_sequences": DRAWS, "max_new_tokens": 2, "seed": 3});
    let case = case(&[5], parameters);
    let generated = alone(&goldens, &case, &case.config(), 0);
    check_draws(
        &goldens,
        generated.sequences.iter().map(|sequence| [sequence.tokens[0], sequence.tokens[1]]),
    );
}

/// What the warpers leave is Python's, and tokens are drawn by it.
#[test]
fn draws_follow_pythons_processed_probabilities() {
    let goldens = goldens();
    for drawn in &goldens.sampling {
        let config: GenerationConfig = serde_json::from_value(drawn.parameters.clone()).unwrap();
        let config = GenerationConfig {
            num_return_sequences: DRAWS,
            output_scores: true,
            seed: Some(17),
            ..config.for_prompt(drawn.prompt.len(), None).unwrap()
        };
        let processors = processors(&config, &drawn.prompt, ProcessorInputs::default()).unwrap();
        let context = SearchContext::default();
        let search = search(&config, drawn.prompt.clone(), processors, Vec::new(), &context).unwrap();
        let mut runner = SearchRunner::new(Toy::new(&goldens.model));
        runner.push(0, search);
        let generated = drain(&mut runner).remove(0).2.unwrap();

        let weights = generated.sequences[0].scores[0].iter().map(|score| f64::from(*score).exp());
        let total: f64 = weights.clone().sum();
        let (mut chi_square, mut cells) = (0.0, 0.0);
        for (token, (weight, expected)) in weights.zip(&drawn.probabilities).enumerate() {
            assert!((weight / total - expected).abs() < 1e-5, "token {token} of {}", drawn.parameters);
            let token = token as u32;
            let count =
                generated.sequences.iter().filter(|sequence| sequence.tokens == [token]).count() as f64;
            if *expected == 0.0 {
                assert_eq!(count, 0.0, "token {token} of {}", drawn.parameters);
            } else {
                let expected = expected * DRAWS as f64;
                chi_square += (count - expected).powi(2) / expected;
                cells += 1.0;
            }
        }
        let bound = bound(f64::max(cells - 1.0, 1.0));
        assert!(chi_square < bound, "{chi_square}, at most {bound}: {}", drawn.parameters);
    }
    assert!(goldens.sampling.len() >= 8);
}

/// Whatever proposes tokens, and however badly, the model's distribution comes out.
#[test]
fn proposals_do_not_change_the_probabilities() {
    let goldens = goldens();
    for (assistant, parameters) in [
        (
            true,
            json!({"do_sample": true, "max_new_tokens": 5, "assistant_confidence_threshold": 0.0, "seed": 5}),
        ),
        (true, json!({"do_sample": true, "max_new_tokens": 2, "num_assistant_tokens": 1, "seed": 6})),
        (false, json!({"do_sample": true, "max_new_tokens": 4, "prompt_lookup_num_tokens": 2, "seed": 7})),
    ] {
        let case = Case { assistant, ..case(&[5], parameters) };
        let config = case.config();
        let (mut model, mut small) = goldens.models(&case);
        let mut runner = SearchRunner::new(&mut model).with_assistant(&mut small);
        (0..DRAWS).for_each(|id| runner.push(id, case.search(&config, id).unwrap()));
        let done = drain(&mut runner);
        check_draws(&goldens, done.iter().map(|(_, streamed, _)| [streamed[0], streamed[1]]));
    }
}

/// Greedy search makes the same with proposals, under guidance and with a rule that ends rows too; Python's does
/// not.
#[test]
fn proposals_do_not_change_what_is_best() {
    let goldens = goldens();
    let mut cases = 0;
    let greedy = |case: &&Case| ["guided", "greedy"].contains(&case.method()) && !case.has("num_beams");
    for case in goldens.cases.iter().filter(greedy) {
        for (assistant, lookup) in [(true, Value::Null), (false, json!(2)), (false, json!(6))] {
            let mut parameters = case.parameters.clone();
            parameters["prompt_lookup_num_tokens"] = lookup;
            let mut together = crate::toy::case(&case.prompt, parameters);
            together.count_penalty = case.count_penalty;
            together.stop_pair.clone_from(&case.stop_pair);
            together.negative.clone_from(&case.negative);
            together.assistant = assistant;
            let generated = alone(&goldens, &together, &together.config(), 0);
            assert_eq!([generated.sequences[0].tokens.clone()], *case.sequences);
            cases += 1;
        }
    }
    assert!(cases > 100);
}

/// Rows without the prompt follow theirs, and take back what these take back. Those of beams do not, as in Python: that is
/// in the goldens of the models.
#[test]
fn twins_say_the_same_after_another_prompt() {
    let goldens = goldens();
    for (negative, parameters) in [
        (vec![4], json!({})),
        (vec![4, 9, 1], json!({"penalty_alpha": 0.4, "top_k": 3})),
        (vec![1, 4, 9, 1], json!({"prompt_lookup_num_tokens": 3})),
    ] {
        let mut case = case(&[3, 7, 3], parameters);
        case.negative = Some(negative.clone());
        let config =
            GenerationConfig { guidance_scale: Some(1.4), max_new_tokens: Some(15), ..case.config() };
        let mut model = Toy::new(&goldens.model);
        model.twins = Some([case.prompt.len(), negative.len()]);
        let mut runner = SearchRunner::new(&mut model);
        runner.push(0, case.search(&config, 0).unwrap());
        drain(&mut runner).remove(0).2.unwrap();
        drop(runner);
        assert!(model.passes.len() > 3);
    }
}
