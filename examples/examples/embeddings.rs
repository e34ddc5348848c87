//! Semantic search: the lines of a file that are nearest in meaning to a query.
//!
//! `cargo run -p burnpipe-examples --example embeddings -- sentence-transformers/all-MiniLM-L6-v2 README.md "how fast is it"`

use std::fs;

use burnpipe::prelude::*;
use burnpipe::{FeatureExtraction, FeatureExtractionOptions, Pooling};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let model = arguments.next().unwrap_or_else(|| "tests/goldens/models/bert-features".into());
    let file = arguments.next().unwrap_or_else(|| "README.md".into());
    let query = arguments.next().unwrap_or_else(|| "how do I run it".into());

    let text = fs::read_to_string(file)?;
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let embed = FeatureExtraction::from_pretrained(&model)?.with_batch_size(16);
    let mut options = FeatureExtractionOptions {
        pooling: Some(Pooling::Mean),
        normalize: true,
        ..FeatureExtractionOptions::default()
    };
    options.tokenizer.truncation = burnpipe::Truncation::LongestFirst;

    let wanted = embed.call_with(query, &options)?;
    let vectors = embed.batch_with(lines.iter().copied(), &options)?;
    let mut found: Vec<(f32, &str)> =
        vectors.iter().zip(lines).map(|(vector, line)| (vector.cosine(&wanted), line)).collect();
    found.sort_by(|left, right| right.0.total_cmp(&left.0));
    for (cosine, line) in found.iter().take(5) {
        println!("{cosine:.3}  {line}");
    }
    Ok(())
}
