//! Text generation beyond its goldens: streams, small models that propose tokens, seeds.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::thread;
use std::time::Duration;

use burnpipe::prelude::*;
use burnpipe::{
    Cancellation, ErrorKind, GeneratedText, Piece, ReturnType, TextGeneration, TextGenerationOptions, Worker,
};
use burnpipe_tests::goldens;
use serde_json::{Value, json};

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
        [GeneratedText::Text { generated_text }] => generated_text,
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
