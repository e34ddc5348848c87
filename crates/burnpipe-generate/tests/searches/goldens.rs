//! Every decoding method against `generate()` of transformers 4.56.2 on a toy model.

use burnpipe_generate::SearchRunner;

use crate::toy::{Case, Goldens, drain, goldens};

#[test]
fn greedy() {
    check("greedy");
}

#[test]
fn beams() {
    check("beams");
}

#[test]
fn groups_of_beams() {
    check("groups");
}

#[test]
fn forced_words() {
    check("constrained");
}

#[test]
fn contrastive() {
    check("contrastive");
}

#[test]
fn with_an_assistant() {
    check("assisted");
}

#[test]
fn with_look_up_in_the_prompt() {
    check("lookup");
}

#[test]
fn with_guidance() {
    check("guided");
}

/// Runs all cases of a method, each alone, and compares tokens, scores and the number of passes.
fn check(method: &str) {
    let goldens = goldens();
    let cases: Vec<&Case> = goldens.cases.iter().filter(|case| case.method() == method).collect();
    assert!(cases.len() >= 9, "{method} has {} cases", cases.len());
    let differing: Vec<String> = cases.iter().filter_map(|case| compare(&goldens, case).err()).collect();
    assert!(differing.is_empty(), "{} of {}:\n{}", differing.len(), cases.len(), differing.join("\n"));
}

fn compare(goldens: &Goldens, case: &Case) -> Result<(), String> {
    let (mut model, mut assistant) = goldens.models(case);
    let mut runner = SearchRunner::new(&mut model).with_assistant(&mut assistant);
    let config = case.config();
    runner.push(0, case.search(&config, 0).unwrap());
    let (_, streamed, result) = drain(&mut runner).remove(0);
    let generated = result.unwrap();
    let tokens: Vec<&[u32]> = generated.sequences.iter().map(|sequence| &*sequence.tokens).collect();
    let differs = |what: &str, ours: &dyn std::fmt::Debug, theirs: &dyn std::fmt::Debug| {
        let (parameters, prompt) = (&case.parameters, &case.prompt);
        format!(
            "{what}: {parameters} {prompt:?} penalty {}\n  ours {ours:?}\n  Python {theirs:?}",
            case.count_penalty
        )
    };
    // Python's look-up in the prompt overruns `max_new_tokens`.
    let most = config.max_new_tokens.unwrap_or(usize::MAX);
    let expected: Vec<&[u32]> =
        case.sequences.iter().map(|tokens| &tokens[..tokens.len().min(most)]).collect();
    if tokens != expected {
        return Err(differs("tokens", &tokens, &expected));
    }
    if !streamed.is_empty() && streamed != tokens[0] {
        return Err(differs("streamed", &streamed, &tokens));
    }
    if let Some(expected) = &case.sequences_scores {
        let scores: Vec<f32> = generated.sequences.iter().map(|sequence| sequence.score.unwrap()).collect();
        if !close(&scores, expected) {
            return Err(differs("sequences_scores", &scores, expected));
        }
    }
    for (row, sequence) in generated.sequences.iter().enumerate() {
        for (expected, ours) in [(&case.scores, &sequence.scores), (&case.logits, &sequence.logits)] {
            let Some(expected) = expected else { continue };
            let steps = ours.len() == expected[row].len();
            if !steps || ours.iter().zip(&expected[row]).any(|(ours, theirs)| !close(ours, theirs)) {
                return Err(differs("scores of the steps", ours, &expected[row]));
            }
        }
    }
    for (expected, ours) in
        [(&case.beam_scores, &generated.beams.scores), (&case.beam_logits, &generated.beams.logits)]
    {
        let Some(expected) = expected else { continue };
        let same = |(ours, theirs): (&Vec<Vec<f32>>, &Vec<Vec<f32>>)| {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| close(ours, theirs))
        };
        if ours.len() != expected.len() || !ours.iter().zip(expected).all(same) {
            return Err(differs("all beams", ours, expected));
        }
    }
    if let Some(expected) = &case.beam_indices {
        let beams: Vec<&[usize]> =
            generated.sequences.iter().map(|sequence| &*sequence.beam_indices).collect();
        if beams != *expected {
            return Err(differs("beam_indices", &beams, expected));
        }
    }
    drop(runner);
    let passes = [model.passes.len(), assistant.passes.len(), model.tokens];
    let Some(expected) = case.passes.filter(|_| case.sequences[0].len() <= most) else { return Ok(()) };
    // A look-up of Python's proposes more than there is room for.
    let fewer = case.has("prompt_lookup_num_tokens") && passes[2] <= expected[2];
    if passes[..2] == expected[..2] && (passes[2] == expected[2] || fewer) {
        return Ok(());
    }
    Err(differs("passes", &passes, &expected))
}

fn close(ours: &[f32], theirs: &[f32]) -> bool {
    let near = |(a, b): (&f32, &f32)| (a.max(-1e30) - b).abs() <= 1e-4_f32.max(1e-5 * b.abs());
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(near)
}
