//! Text generation beyond its goldens: streams, small models that propose tokens, seeds, scores, callers' own rules.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use burnpipe::generate::{LogitsProcessor, StoppingRule};
use burnpipe::prelude::*;
use burnpipe::{
    Cancellation, ErrorKind, GeneratedText, Piece, Result as BurnpipeResult, ReturnType, TextGeneration,
    TextGenerationOptions, Worker,
};
use burnpipe_tests::{devices, goldens};
use serde::Deserialize;
use serde_json::{Map, Value, json};

const PROMPTS: [&str; 4] = ["Sarah lives in Paris.", "The quick brown fox", "x", "我爱北京天安门。"];

fn folder(checkpoint: &str) -> String {
    goldens().join("models").join(checkpoint).display().to_string()
}

fn greedy(tokens: usize) -> TextGenerationOptions {
    TextGenerationOptions { return_type: ReturnType::NewText, ..TextGenerationOptions::default() }
        .with("do_sample", false)
        .with("max_new_tokens", tokens)
}

fn text(answers: &[GeneratedText]) -> &str {
    match answers {
        [answer] => answer.text(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_pieces_of_a_stream_are_its_answer_on_every_face() {
    let write = TextGeneration::from_pretrained(&folder("gpt2-generation")).unwrap();
    let worker = Worker::spawn(write.clone()).unwrap();
    for prompt in PROMPTS {
        let whole = write.call_with(prompt, &greedy(16)).unwrap();
        let (mut pieces, mut answer) = (String::new(), None);
        for piece in write.stream(prompt, &greedy(16), Cancellation::default()).unwrap() {
            match piece.unwrap() {
                Piece::Text(text) => pieces.push_str(&text),
                Piece::Answer(answers) => answer = Some(answers),
            }
        }
        assert_eq!((pieces.as_str(), answer.as_ref()), (text(&whole), Some(&whole)), "{prompt}");
        let mut called = String::new();
        let answers = write.call_streaming(prompt, &greedy(16), |text| called.push_str(text)).unwrap();
        assert_eq!((called.as_str(), &answers), (text(&whole), &whole));
        let mut stream = worker.stream(prompt.into(), greedy(16), Cancellation::default());
        let answers = loop {
            match stream.try_recv() {
                Ok(Ok(Piece::Answer(answers))) => break answers,
                Ok(piece) => drop(piece.unwrap()),
                Err(error) if error.is_closed() => panic!("the stream ended without an answer"),
                Err(_) => thread::sleep(Duration::from_millis(1)),
            }
        };
        assert_eq!(answers, whole);
    }
}

#[test]
fn a_cancelled_stream_ends_with_what_there_is() {
    let write = TextGeneration::from_pretrained(&folder("gpt2-generation")).unwrap();
    let whole = write.call_with(PROMPTS[0], &greedy(40)).unwrap();
    let cancellation = Cancellation::default();
    let mut stream = write.stream(PROMPTS[0], &greedy(40), cancellation.clone()).unwrap();
    assert!(matches!(stream.next(), Some(Ok(Piece::Text(_)))));
    cancellation.cancel();
    let rest: Vec<_> = stream.map(Result::unwrap).collect();
    let Some(Piece::Answer(answers)) = rest.last() else { panic!("{rest:?}") };
    assert!(text(&whole).starts_with(text(answers)) && text(answers).len() < text(&whole).len());
}

#[test]
fn a_small_model_changes_nothing_but_the_time() {
    let alone = burnpipe::pipeline("text-generation").model(folder("gpt2-generation")).load().unwrap();
    let parameters = json!({"do_sample": false, "max_new_tokens": 16});
    let expected = alone.call_with(json!(PROMPTS), &parameters).unwrap();
    for assistant in ["gpt2-generation", "gpt2-generation-f16"] {
        let helped = burnpipe::pipeline("text-generation").model(folder("gpt2-generation"));
        let helped = helped.assistant_model(folder(assistant)).load().unwrap();
        assert_eq!(helped.call_with(json!(PROMPTS), &parameters).unwrap(), expected, "{assistant}");
    }
    let other = burnpipe::pipeline("text-generation").model(folder("gpt2-generation"));
    let refused = other.assistant_model(folder("llama-generation")).load().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Tokenizer, "{refused}");
    let ner = burnpipe::pipeline("ner").model(folder("bert-ner")).assistant_model("any").load().unwrap_err();
    assert_eq!(ner.kind(), ErrorKind::Parameter, "{ner}");
}

#[test]
fn a_seed_draws_the_same_alone_and_in_every_batch() {
    let write = burnpipe::pipeline("text-generation").model(folder("gpt2-generation")).load().unwrap();
    let answers = |batch_size: usize, seed: u64| -> Value {
        let parameters = json!({"seed": seed, "do_sample": true, "temperature": 2.0, "max_new_tokens": 12, "batch_size": batch_size});
        write.call_with(json!(PROMPTS), &parameters).unwrap()
    };
    let expected = answers(1, 7);
    assert_eq!(answers(2, 7), expected);
    assert_eq!(answers(4, 7), expected);
    assert_ne!(answers(1, 8), expected);
}

/// One call of `outputs.json`, and what Python's `generate()` returned.
#[derive(Deserialize)]
struct Output {
    model: String,
    prompt: String,
    parameters: Map<String, Value>,
    sequences: Vec<OutputSequence>,
}

#[derive(Deserialize)]
struct OutputSequence {
    /// Those that no chance chose.
    tokens: Option<Vec<u32>>,
    score: Option<f32>,
    #[serde(default)]
    beam_indices: Vec<usize>,
    scores: Vec<Vec<Option<f32>>>,
    logits: Vec<Vec<Option<f32>>>,
}

fn assert_near(ours: &[Vec<f32>], python: &[Vec<Option<f32>>], what: &str) {
    assert_eq!(ours.len(), python.len(), "{what}");
    for (ours, python) in ours.iter().zip(python) {
        assert_eq!(ours.len(), python.len(), "{what}");
        for (token, (ours, python)) in ours.iter().zip(python).enumerate() {
            let python = python.unwrap_or(f32::NEG_INFINITY);
            let near = *ours == python || (ours - python).abs() <= 1e-3 * python.abs().max(1.0);
            assert!(near, "{what}: token {token} has {ours}, Python {python}");
        }
    }
}

#[test]
fn scores_and_logits_are_those_of_generate() {
    let file = std::fs::read(goldens().join("generation/outputs.json")).unwrap();
    let outputs: Vec<Output> = serde_json::from_slice(&file).unwrap();
    assert!(outputs.len() >= 6);
    for device in devices() {
        for output in &outputs {
            let write =
                burnpipe::pipeline("text-generation").model(folder(&output.model)).device(device.as_str());
            let write = write.load_as::<TextGeneration>().unwrap();
            let mut options =
                TextGenerationOptions::default().with("output_scores", true).with("output_logits", true);
            options.generate.extend(output.parameters.clone());
            let answers = write.call_with(output.prompt.as_str(), &options).unwrap();
            assert_eq!(answers.len(), output.sequences.len());
            for (answer, python) in answers.iter().zip(&output.sequences) {
                let (sequence, what) =
                    (&answer.sequence, format!("{device}: {} {:?}", output.model, output.parameters));
                if let Some(tokens) = &python.tokens {
                    assert_eq!(&sequence.tokens, tokens, "{what}");
                }
                assert_eq!(sequence.beam_indices, python.beam_indices, "{what}");
                assert_near(&sequence.scores, &python.scores, &what);
                assert_near(&sequence.logits, &python.logits, &what);
                let near =
                    sequence.score.zip(python.score).map(|(ours, python)| (ours - python).abs() < 1e-3);
                assert_eq!(near, python.score.map(|_| true), "{what}");
            }
        }
    }
}

/// Forbids a token everywhere.
struct Without(u32);

impl LogitsProcessor for Without {
    fn process(&self, _tokens: &[u32], scores: &mut [f32]) -> BurnpipeResult<()> {
        if let Some(score) = scores.get_mut(self.0 as usize) {
            *score = f32::NEG_INFINITY;
        }
        Ok(())
    }
}

/// Ends a text after some tokens.
struct EndsAt(usize);

impl StoppingRule for EndsAt {
    fn stops(&self, tokens: &[u32]) -> bool {
        tokens.len() >= self.0
    }
}

#[test]
fn callers_bring_processors_and_stopping_rules_of_their_own() {
    let write = TextGeneration::from_pretrained(&folder("gpt2-generation")).unwrap();
    let token = write.call_with(PROMPTS[0], &greedy(1)).unwrap()[0].sequence.tokens[0];
    for beams in [1, 3] {
        // They say what parameters can say too.
        let with = |options: TextGenerationOptions| options.with("num_beams", beams);
        let ours = with(greedy(20))
            .with_logits_processor(move |_| Without(token))
            .with_stopping_rule(|prompt: &[u32]| EndsAt(prompt.len() + 7));
        let theirs = with(greedy(7)).with("suppress_tokens", vec![token]);
        let answers = |options: &TextGenerationOptions| write.batch_with(PROMPTS, options).unwrap();
        let answered = answers(&ours);
        assert_eq!(answered, answers(&theirs), "{beams} beams");
        assert_ne!(answered, answers(&with(greedy(7))), "{beams} beams");
    }
    let mut only = greedy(3);
    let shortest = Arc::new(AtomicUsize::new(usize::MAX));
    let prompt = Arc::clone(&shortest);
    only.custom = only.custom.with_allowed_tokens(move |tokens| {
        prompt.fetch_min(tokens.len(), Ordering::Relaxed);
        vec![token, tokens.len() as u32]
    });
    let answer = write.call_with(PROMPTS[0], &only).unwrap();
    let prompt = shortest.load(Ordering::Relaxed);
    let allowed = |(place, new): (usize, &u32)| *new == token || *new as usize == place + prompt;
    assert!(answer[0].sequence.tokens.iter().enumerate().all(allowed), "{answer:?}");
}

/// Python warns and continues the padding.
#[test]
fn padding_behind_a_prompt_is_refused() {
    let write =
        burnpipe::pipeline("text-generation").model(folder("llama-generation-linear")).load().unwrap();
    let parameters = json!({"max_new_tokens": 2, "padding": "max_length", "max_length": 20, "tokenizer_encode_kwargs": {"padding_side": "right"}});
    let refused = write.call_with(PROMPTS[1], &parameters).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Parameter, "{refused}");
    assert!(refused.to_string().contains("padding"), "{refused}");
}
