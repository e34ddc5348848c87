//! Many tasks of an async program share one model; none of the runtime's threads is blocked.
//!
//! `cargo run -p burnpipe-examples --example tokio`

use burnpipe::prelude::*;
use burnpipe::{TokenClassification, Worker};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let ner = TokenClassification::from_pretrained("models/rampart-bert-pii")?;
    let ner = Worker::spawn(ner)?;

    let texts = ["Call Ada at 415-555-0132.", "Alan lives in Manchester.", "Write to grace@example.com."];
    let calls = texts.map(|text| {
        let ner = ner.clone();
        tokio::spawn(async move { ner.call(text.into()).await })
    });
    for (text, call) in texts.iter().zip(calls) {
        let labels: Vec<String> = call.await??.iter().map(|entity| entity.label().to_string()).collect();
        println!("{text} -> {}", labels.join(" "));
    }
    Ok(())
}
