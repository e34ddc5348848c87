//! The retrieval of retrieval-augmented generation: the passages of local files that answer a question,
//! found by embeddings and put in order by a reranker.
//!
//! `cargo run -p burnpipe-examples --example rag -- sentence-transformers/all-MiniLM-L6-v2 cross-encoder/ms-marco-MiniLM-L6-v2 "how is it batched" README.md ARCHITECTURE.md`

use std::fs;

use burnpipe::prelude::*;
use burnpipe::{FeatureExtraction, FeatureExtractionOptions, Pooling, Rerank, TextClassification};

/// How many passages the reranker reads, and how many are printed.
const CANDIDATES: usize = 20;
const PRINTED: usize = 3;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let embedder = arguments.next().unwrap_or_else(|| "tests/goldens/models/bert-embeddings-dense".into());
    let reranker = arguments.next().unwrap_or_else(|| "tests/goldens/models/bert-reranker".into());
    let question = arguments.next().unwrap_or_else(|| "how are texts batched".into());
    let mut files: Vec<String> = arguments.collect();
    if files.is_empty() {
        files = vec!["README.md".into(), "ARCHITECTURE.md".into()];
    }

    // Index: a vector for every paragraph.
    let mut passages = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file)?;
        let paragraphs = text.split("\n\n").map(str::trim).filter(|paragraph| paragraph.len() > 40);
        passages.extend(paragraphs.map(|paragraph| (file.clone(), paragraph.to_string())));
    }
    let embed = FeatureExtraction::from_pretrained(&embedder)?.with_batch_size(16);
    let options =
        FeatureExtractionOptions { pooling: Some(Pooling::Auto), ..FeatureExtractionOptions::default() };
    let index = embed.batch_with(passages.iter().map(|(_, passage)| passage.as_str()), &options)?;

    // Search: the passages that are nearest to the question. Models with a prompt for questions get it.
    let as_query = FeatureExtractionOptions { prompt_name: Some("query".into()), ..options.clone() };
    let wanted = embed
        .call_with(question.as_str(), &as_query)
        .or_else(|_| embed.call_with(question.as_str(), &options))?;
    let mut found: Vec<usize> = (0..passages.len()).collect();
    found.sort_by(|&left, &right| index[right].cosine(&wanted).total_cmp(&index[left].cosine(&wanted)));
    found.truncate(CANDIDATES);

    // Rerank: question and passage read together, which is slower and better.
    let reranker = TextClassification::from_pretrained(&reranker)?;
    let candidates = found.iter().map(|&at| passages[at].1.as_str());
    for ranked in reranker.rerank(&question, candidates, Some(PRINTED))? {
        let (file, passage) = &passages[found[ranked.index]];
        println!("{:.3}  {file}\n{passage}\n", ranked.score);
    }
    Ok(())
}
