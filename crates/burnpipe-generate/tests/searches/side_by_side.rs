//! Many inputs side by side: they do not see each other, neither in what they answer nor in how they fail.

use burnpipe_core::ErrorKind;
use burnpipe_generate::{Event, Generated, GenerationConfig, SearchRunner};
use serde_json::{Value, json};

use crate::toy::{Case, Toy, alone, case, drain, goldens};

/// All goldens together, five open at a time, with places given on as they become free.
#[test]
fn inputs_together_are_inputs_alone() {
    let mut goldens = goldens();
    goldens.cases.retain(|case| !case.memoryless);
    let (mut model, mut assistant) = (Toy::new(&goldens.model), Toy::new(&goldens.assistant));
    let mut runner = SearchRunner::new(&mut model).with_assistant(&mut assistant);
    let configs: Vec<GenerationConfig> = goldens.cases.iter().map(Case::config).collect();
    let mut waiting = goldens.cases.iter().enumerate();
    let mut done = 0;
    loop {
        while runner.open() < 5 {
            let Some((id, case)) = waiting.next() else { break };
            runner.push(id, case.search(&configs[id], id).unwrap());
        }
        if runner.open() == 0 {
            break;
        }
        for (id, event) in runner.step() {
            if let Event::Finished(result) = event {
                assert_eq!(
                    result.unwrap(),
                    alone(&goldens, &goldens.cases[id], &configs[id], id),
                    "case {id}"
                );
                done += 1;
            }
        }
    }
    assert_eq!(done, goldens.cases.len());
}

fn sampling() -> Value {
    json!({"do_sample": true, "num_return_sequences": 3, "max_new_tokens": 9, "eos_token_id": 1, "seed": 11})
}

#[test]
fn a_seed_gives_the_same_tokens_alone_and_together() {
    let goldens = goldens();
    for parameters in [sampling()] {
        let cases: Vec<Case> = (0..6).map(|_| case(&[3, 7, 3], parameters.clone())).collect();
        let config = cases[0].config();
        let mut model = Toy::new(&goldens.model);
        let mut runner = SearchRunner::new(&mut model);
        for (id, case) in cases.iter().enumerate() {
            runner.push(id, case.search(&config, id).unwrap());
        }
        let together: Vec<Generated> =
            drain(&mut runner).into_iter().map(|(_, _, result)| result.unwrap()).collect();
        for (id, generated) in together.iter().enumerate() {
            assert_eq!(*generated, alone(&goldens, &cases[id], &config, id));
        }
        assert!(together.iter().any(|generated| *generated != together[0]), "inputs draw from one stream");
        let other = GenerationConfig { seed: Some(12), ..config };
        assert_ne!(alone(&goldens, &cases[0], &other, 0), together[0], "the seed changes nothing");
    }
}

#[test]
fn returned_rows_share_the_prompt_and_leave_when_they_end() {
    let goldens = goldens();
    let mut model = Toy::new(&goldens.model);
    let mut runner = SearchRunner::new(&mut model);
    let case = case(&[3, 7, 3], sampling());
    runner.push(0, case.search(&case.config(), 0).unwrap());
    let generated = drain(&mut runner).remove(0).2.unwrap();
    let lengths: Vec<usize> = generated.sequences.iter().map(|sequence| sequence.tokens.len()).collect();
    let passes: Vec<usize> = (0..*lengths.iter().max().unwrap())
        .map(|pass| if pass == 0 { 1 } else { lengths.iter().filter(|length| **length > pass).count() })
        .collect();
    drop(runner);
    assert_eq!(model.passes, passes);
}

#[test]
fn the_guilty_input_fails_alone() {
    let goldens = goldens();
    let mut model = Toy::new(&goldens.model);
    model.refused = Some(13);
    let mut runner = SearchRunner::new(&mut model);
    let parameters = json!({"max_new_tokens": 6, "num_beams": 2});
    let cases: Vec<Case> =
        [&[3, 7], &[13, 7], &[5, 4]].map(|prompt| case(prompt, parameters.clone())).into_iter().collect();
    let config = cases[0].config();
    for (id, case) in cases.iter().enumerate() {
        runner.push(id, case.search(&config, id).unwrap());
    }
    let done = drain(&mut runner);
    for (id, _, result) in done {
        match result {
            Err(error) => assert!(id == 1 && error.kind() == ErrorKind::Input, "{id}: {error}"),
            Ok(generated) => assert_eq!(generated, alone(&goldens, &cases[id], &config, id)),
        }
    }
}

#[test]
fn scores_that_are_not_numbers_end_their_input_alone() {
    let goldens = goldens();
    for parameters in [json!({}), json!({"do_sample": true}), json!({"num_beams": 3})] {
        let mut model = Toy::new(&goldens.model);
        model.broken = Some(13);
        let mut runner = SearchRunner::new(&mut model);
        let good = case(&[5], parameters.clone());
        let bad = case(&[13], parameters);
        let config = GenerationConfig { max_new_tokens: Some(2), seed: Some(1), ..good.config() };
        runner.push(7, good.search(&config, 7).unwrap());
        runner.push(8, bad.search(&config, 8).unwrap());
        let done = drain(&mut runner);
        assert_eq!(done[0].2.as_ref().unwrap().sequences[0].tokens.len(), 2);
        let error = done[1].2.as_ref().unwrap_err();
        assert!(error.to_string().contains("NaN"), "{error}");
    }
}

#[test]
fn a_cancelled_input_leaves_what_it_has() {
    let goldens = goldens();
    for case in &goldens.cases {
        let (mut model, mut assistant) = goldens.models(case);
        let mut runner = SearchRunner::new(&mut model).with_assistant(&mut assistant);
        let config = case.config();
        runner.push(4, case.search(&config, 4).unwrap());
        for _ in 0..3 {
            runner.step();
        }
        let whole = alone(&goldens, case, &config, 4);
        let Some(cancelled) = runner.cancel(4) else { continue };
        assert_eq!(runner.open(), 0);
        assert!(runner.cancel(4).is_none());
        assert!(cancelled.sequences.len() <= whole.sequences.len());
        for sequence in &cancelled.sequences {
            assert!(sequence.tokens.len() <= config.max_new_tokens.unwrap_or(20));
        }
        if case.method() == "greedy" {
            assert_eq!(cancelled.sequences[0].tokens, whole.sequences[0].tokens[..3]);
        }
    }
}
