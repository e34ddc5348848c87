//! Parameters, models and scores that cannot be used end in an error that says so, and in no panic.

use burnpipe_core::{ErrorKind, Result};
use burnpipe_generate::{
    GenerationConfig, LanguageModel, LogitsProcessor, ModelRow, RowScores, SearchContext, SearchRunner,
    search,
};
use serde_json::{Value, json};

use crate::toy::{Case, Toy, case, drain, goldens};

/// A configuration of every method.
fn methods() -> Vec<Value> {
    vec![
        json!({}),
        json!({"do_sample": true, "num_return_sequences": 2}),
        json!({"num_beams": 3}),
        json!({"num_beams": 3, "do_sample": true}),
        json!({"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5}),
        json!({"num_beams": 2, "force_words_ids": [[3]]}),
        json!({"penalty_alpha": 0.5, "top_k": 3}),
        json!({"prompt_lookup_num_tokens": 2}),
        json!({"guidance_scale": 2.0}),
    ]
}

#[test]
fn parameters_that_contradict_each_other() {
    for (parameters, name) in [
        (json!({"max_new_tokens": 0}), "max_new_tokens"),
        (json!({"num_beams": 0}), "num_beams"),
        (json!({"num_return_sequences": 0}), "num_return_sequences"),
        (json!({"num_return_sequences": 2}), "do_sample"),
        (json!({"num_beams": 2, "num_return_sequences": 3}), "num_return_sequences"),
        (json!({"num_beams": 4, "num_beam_groups": 3, "diversity_penalty": 0.5}), "num_beam_groups"),
        (json!({"num_beams": 4, "num_beam_groups": 2}), "diversity_penalty"),
        (json!({"num_beams": 4, "num_beam_groups": 0}), "num_beam_groups"),
        (
            json!({"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5, "do_sample": true}),
            "do_sample",
        ),
        (json!({"force_words_ids": [[3]]}), "num_beams"),
        (json!({"num_beams": 2, "force_words_ids": []}), "force_words_ids"),
        (json!({"num_beams": 2, "force_words_ids": [[3]], "do_sample": true}), "do_sample"),
        (json!({"prompt_lookup_num_tokens": 0}), "prompt_lookup_num_tokens"),
        (
            json!({"prompt_lookup_num_tokens": 2, "do_sample": true, "num_return_sequences": 2}),
            "num_return_sequences",
        ),
        (json!({"max_length": 2}), "max_length"),
    ] {
        let case = case(&[3, 4], parameters);
        let error = case.search(&case.config(), 0).err();
        let error = error.unwrap_or_else(|| panic!("{} is taken", case.parameters));
        assert_eq!(error.kind(), ErrorKind::Parameter, "{error}");
        assert!(error.to_string().contains(name), "{error} does not name {name}");
    }
    let empty = case(&[], json!({}));
    assert_eq!(empty.search(&empty.config(), 0).err().unwrap().kind(), ErrorKind::Input);
    let schedule = json!({"num_assistant_tokens_schedule": "sometimes"});
    let case = Case { assistant: true, ..case(&[3], schedule) };
    assert!(case.search(&case.config(), 0).err().unwrap().to_string().contains("sometimes"));
}

#[test]
fn an_assistant_that_is_not_there() {
    let goldens = goldens();
    let case = Case { assistant: true, ..case(&[3], json!({})) };
    let mut runner = SearchRunner::new(Toy::new(&goldens.model));
    runner.push(0, case.search(&case.config(), 0).unwrap());
    assert!(drain(&mut runner).remove(0).2.unwrap_err().to_string().contains("assistant"));
}

#[test]
fn a_forced_word_out_of_the_vocabulary() {
    let goldens = goldens();
    let case = case(&[3], json!({"num_beams": 2, "force_words_ids": [[4, 99]]}));
    let mut runner = SearchRunner::new(Toy::new(&goldens.model));
    runner.push(0, case.search(&case.config(), 0).unwrap());
    assert!(drain(&mut runner).remove(0).2.unwrap_err().to_string().contains("99"));
}

/// Answers less than it was asked for.
struct Careless(u32);

impl LanguageModel for Careless {
    fn vocabulary(&self) -> usize {
        5
    }

    fn run(&mut self, rows: &[ModelRow<'_>]) -> Result<Vec<RowScores>> {
        let mut scores = vec![RowScores::default(); rows.len()];
        for (place, (row, scores)) in rows.iter().zip(&mut scores).enumerate() {
            let width = if self.0 == 3 && place % 2 == 1 { 4 } else { 5 };
            scores.logits = vec![vec![0.5; width]; row.scored];
        }
        match self.0 {
            0 => scores.clear(),
            1 => scores.iter_mut().for_each(|row| row.logits.clear()),
            2 => scores.iter_mut().flat_map(|row| &mut row.logits).for_each(Vec::clear),
            _ => {}
        }
        Ok(scores)
    }
}

#[test]
fn a_model_that_answers_too_little() {
    for fault in 0..4 {
        for parameters in methods() {
            let case = case(&[3, 4, 3], parameters);
            let mut runner = SearchRunner::new(Careless(fault));
            runner.push(0, case.search(&case.config(), 0).unwrap());
            let result = drain(&mut runner).remove(0).2;
            assert!(fault == 3 || result.is_err(), "fault {fault}: {}", case.parameters);
        }
    }
}

/// Makes every score the same.
struct Everywhere(f32);

impl LogitsProcessor for Everywhere {
    fn process(&self, _: &[u32], scores: &mut [f32]) -> Result<()> {
        scores.fill(self.0);
        Ok(())
    }
}

#[test]
fn no_token_is_possible() {
    let goldens = goldens();
    for parameters in methods() {
        let case = case(&[3, 4, 3], parameters);
        let result = |value: f32| {
            let context = SearchContext::default();
            let processors: Vec<Box<dyn LogitsProcessor>> = vec![Box::new(Everywhere(value))];
            let config = GenerationConfig { max_new_tokens: Some(3), ..case.config() };
            let search = search(&config, case.prompt.clone(), processors, Vec::new(), &context).unwrap();
            let mut runner = SearchRunner::new(Toy::new(&goldens.model));
            runner.push(0, search);
            drain(&mut runner).remove(0).2
        };
        assert_eq!(
            result(f32::NEG_INFINITY).unwrap_err().kind(),
            ErrorKind::Parameter,
            "{}",
            case.parameters
        );
        assert!(result(f32::NAN).unwrap_err().to_string().contains("NaN"), "{}", case.parameters);
        assert_eq!(result(0.5).unwrap().sequences[0].tokens.len(), 3);
    }
}

/// A processor may mend what the model got wrong.
#[test]
fn scores_that_were_mended_are_used() {
    let goldens = goldens();
    let mut model = Toy::new(&goldens.model);
    model.broken = Some(3);
    let config = GenerationConfig { max_new_tokens: Some(1), ..GenerationConfig::default() };
    let processors: Vec<Box<dyn LogitsProcessor>> = vec![Box::new(Everywhere(0.0))];
    let search = search(&config, vec![3], processors, Vec::new(), &SearchContext::default()).unwrap();
    let mut runner = SearchRunner::new(&mut model);
    runner.push(0, search);
    assert_eq!(drain(&mut runner).remove(0).2.unwrap().sequences[0].tokens, [0]);
}
