//! The bundled model: loading, one sentence, many sentences.

use std::hint::black_box;

use burnpipe::RunOptions;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Value, json};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/rampart-bert-pii");
const SENTENCE: &str =
    "My name is Sarah Connor, I live at 42 Oak Street in Los Angeles, call me at 415-555-0132.";

fn load() -> burnpipe::AnyPipeline {
    match burnpipe::pipeline("ner").model(MODEL).load() {
        Ok(pipeline) => pipeline,
        Err(error) => panic!("{}", error.report()),
    }
}

fn bundled(criterion: &mut Criterion) {
    criterion.bench_function("load", |bencher| bencher.iter(load));
    let pipeline = load();
    let parameters = json!({"aggregation_strategy": "simple"});
    criterion.bench_function("one sentence", |bencher| {
        bencher.iter(|| pipeline.call_with(black_box(SENTENCE), &parameters));
    });
    let mut group = criterion.benchmark_group("64 sentences of mixed length");
    group.throughput(Throughput::Elements(64));
    for batch_size in [1, 16] {
        group.bench_function(format!("batch size {batch_size}"), |bencher| {
            bencher.iter(|| {
                let words: Vec<&str> = SENTENCE.split(' ').collect();
                let inputs = (0..64).map(move |at| Ok(Value::from(words[..=at % words.len()].join(" "))));
                let run = RunOptions { batch_size: Some(batch_size), ..RunOptions::default() };
                pipeline
                    .iter_with(inputs, &parameters, run)
                    .map(|answers| answers.filter(Result::is_ok).count())
            });
        });
    }
    group.finish();
}

criterion_group! { name = benches; config = Criterion::default().sample_size(10); targets = bundled }
criterion_main!(benches);
