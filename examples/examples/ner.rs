//! Names, places and numbers in a text.
//!
//! `cargo run -p burnpipe-examples --example ner -- models/rampart-bert-pii "I am Ada Lovelace"`

use burnpipe::prelude::*;
use burnpipe::{AggregationStrategy, TokenClassification, TokenClassificationOptions};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let model = arguments.next().unwrap_or_else(|| "models/rampart-bert-pii".into());
    let text =
        arguments.next().unwrap_or_else(|| "My name is Sarah Connor and I live in Los Angeles.".into());

    let ner = TokenClassification::from_pretrained(&model)?;
    let options = TokenClassificationOptions {
        aggregation_strategy: Some(AggregationStrategy::Simple),
        ..TokenClassificationOptions::default()
    };
    for entity in ner.call_with(text.as_str(), &options)? {
        println!(
            "{:<16} {:<20} {:.3}  {}..{}",
            entity.label(),
            entity.word,
            entity.score,
            entity.start,
            entity.end
        );
    }
    Ok(())
}
