//! Text as it is written, and a chat: `cargo run --example generate [MODEL]`.
//!
//! Without a model it takes a tiny one of the tests, which writes nonsense.

use std::io::Write;

use burnpipe::prelude::*;
use burnpipe::{Cancellation, Piece, TextGeneration, TextGenerationOptions};

fn main() -> anyhow::Result<()> {
    let tiny = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/goldens/models/gpt2-generation");
    let model = std::env::args().nth(1).unwrap_or_else(|| tiny.to_string());
    let write = TextGeneration::from_pretrained(&model)?;
    let options = TextGenerationOptions::default().with("max_new_tokens", 12).with("do_sample", false);

    // A callback for every piece of text.
    print!("Once upon a time");
    write.call_streaming("Once upon a time", &options, |text| {
        print!("{text}");
        let _ = std::io::stdout().flush();
    })?;
    println!();

    // The same as an iterator, here over a chat; another thread may cancel it.
    let cancellation = Cancellation::default();
    let chat = [("user", "What is the capital of France?")];
    for piece in write.stream(chat, &options, cancellation)? {
        match piece? {
            Piece::Text(text) => print!("{text}"),
            Piece::Answer(answers) => println!("\n{} answer(s)", answers.len()),
        }
    }
    Ok(())
}
