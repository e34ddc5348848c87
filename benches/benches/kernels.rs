//! The CPU kernels alone, at the shapes of BERT base: `[rows, inputs] x [inputs, outputs]`, attention, norm.
//!
//! Products go through 24 weights in turn, so that each comes from memory as it does in a model.

use std::hint::black_box;

use burnpipe_kernels::{
    Activation, AttentionOptions, AttentionShape, Finish, Heads, Norm, PackedMatrix, attention,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const WEIGHTS: usize = 24;

fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|at| (at % 13) as f32 * 0.01).collect()
}

fn products(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("product");
    for (rows, inputs, outputs) in [
        (1, 768, 3072),
        (16, 768, 768),
        (16, 768, 3072),
        (128, 768, 3072),
        (1024, 768, 768),
        (1024, 3072, 768),
    ] {
        let weights: Vec<PackedMatrix> =
            (0..WEIGHTS).map(|_| PackedMatrix::new(&numbers(inputs * outputs), outputs, inputs)).collect();
        let (source, bias) = (numbers(rows * inputs), numbers(outputs));
        let finish = Finish { bias: Some(&bias), activation: Some(Activation::Gelu), ..Finish::default() };
        group.throughput(Throughput::Elements((2 * rows * inputs * outputs) as u64));
        let mut next = weights.iter().cycle();
        group.bench_function(
            BenchmarkId::from_parameter(format!("{rows} x {inputs} x {outputs}")),
            |bencher| {
                bencher.iter(|| next.next().map(|weight| weight.multiply(black_box(&source), &finish)));
            },
        );
    }
    group.finish();
}

fn attentions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("attention of 12 heads of 64");
    for (batch, tokens) in [(1, 16), (1, 128), (8, 128), (1, 512)] {
        let (heads, size) = (12, 64);
        let values = numbers(batch * tokens * heads * size);
        let view = Heads {
            values: &values,
            batch_stride: tokens * heads * size,
            head_stride: size,
            token_stride: heads * size,
        };
        let shape = AttentionShape {
            batch,
            heads,
            key_heads: heads,
            queries: tokens,
            keys: tokens,
            size,
            value_size: size,
        };
        group.throughput(Throughput::Elements((4 * batch * heads * tokens * tokens * size) as u64));
        group.bench_function(BenchmarkId::from_parameter(format!("{batch} x {tokens}")), |bencher| {
            bencher.iter(|| attention(view, view, view, shape, &AttentionOptions::full(size)));
        });
    }
    group.finish();
}

fn norms(criterion: &mut Criterion) {
    let mut rows = numbers(1024 * 768);
    let gamma = numbers(768);
    criterion.bench_function("layer norm of 1024 x 768", |bencher| {
        let norm = Norm::Layer { gamma: &gamma, beta: Some(&gamma), epsilon: 1e-12 };
        bencher.iter(|| norm.apply(black_box(&mut rows), None));
    });
}

criterion_group! { name = benches; config = Criterion::default().sample_size(20); targets = products, attentions, norms }
criterion_main!(benches);
