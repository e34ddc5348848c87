//! Where the time of a model goes: every operation of its layers alone, at the model's shapes and in its order,
//! beside the rates of the machine. `cargo bench -p burnpipe-benches --bench layers` prints the tables of
//! `benches/README.md`.
//!
//! Each layer has weights of its own, so that they come from memory as they do in a model.

#![allow(clippy::print_stdout, reason = "it is a program")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use burnpipe_kernels::{
    Activation, AttentionOptions, AttentionShape, Finish, Heads, Norm, PackedMatrix, attention, gather,
    multiply_each,
};

/// Runs of the whole model; the median of an operation counts.
const RUNS: usize = 15;

struct Model {
    name: &'static str,
    layers: usize,
    hidden: usize,
    inner: usize,
    heads: usize,
    /// The lengths of the texts, which lie side by side.
    texts: &'static [usize],
}

const MODELS: [Model; 4] = [
    Model { name: "distilbert-base, 1 x 128", layers: 6, hidden: 768, inner: 3072, heads: 12, texts: &[128] },
    Model { name: "bert-base, 8 x 128", layers: 12, hidden: 768, inner: 3072, heads: 12, texts: &[128; 8] },
    Model {
        name: "xlm-roberta-base, 1 x 128",
        layers: 12,
        hidden: 768,
        inner: 3072,
        heads: 12,
        texts: &[128],
    },
    Model {
        name: "MiniLM-L6, 32 texts of 5 to 200",
        layers: 6,
        hidden: 384,
        inner: 1536,
        heads: 12,
        texts: &[
            5, 11, 17, 24, 30, 36, 42, 49, 55, 61, 68, 74, 80, 86, 93, 99, 105, 111, 118, 124, 130, 137, 143,
            149, 155, 162, 168, 174, 180, 187, 193, 200,
        ],
    },
];

/// What an operation does, for all layers together.
struct Operation {
    name: &'static str,
    /// Of every run.
    times: Vec<Duration>,
    /// Multiplications and additions.
    flops: f64,
    /// Bytes of weights, inputs and results.
    bytes: f64,
}

struct Layer {
    projections: [PackedMatrix; 3],
    output: PackedMatrix,
    up: PackedMatrix,
    down: PackedMatrix,
}

fn main() {
    // `cargo bench` and `cargo test` pass options that mean nothing here.
    let gemm = sgemm_rate();
    let copy = copy_rate();
    println!(
        "{} threads; products of 2048 cubed: {gemm:.0} GFLOP/s; copying: {copy:.0} GB/s read and written\n",
        threads()
    );
    for model in &MODELS {
        let operations = measure(model);
        let total: f64 = operations.iter().map(|operation| median(&operation.times)).sum();
        println!("{}: {:.1} ms\n", model.name, total * 1e3);
        println!("| operation | ms | share | GFLOP/s | of the products' rate | GB/s | of the copying rate |");
        println!("|---|---|---|---|---|---|---|");
        for operation in operations {
            let seconds = median(&operation.times);
            let (flops, bytes) = (operation.flops / seconds / 1e9, operation.bytes / seconds / 1e9);
            println!(
                "| {} | {:.2} | {:.1} % | {flops:.0} | {:.0} % | {bytes:.0} | {:.0} % |",
                operation.name,
                seconds * 1e3,
                100.0 * seconds / total,
                100.0 * flops / gemm,
                100.0 * bytes / copy
            );
        }
        println!();
    }
}

fn measure(model: &Model) -> Vec<Operation> {
    let tokens: usize = model.texts.iter().sum();
    let Model { hidden, inner, heads, .. } = *model;
    let matrix = |outputs, inputs| PackedMatrix::new(&numbers(outputs * inputs), outputs, inputs);
    let layers: Vec<Layer> = (0..model.layers)
        .map(|_| Layer {
            projections: std::array::from_fn(|_| matrix(hidden, hidden)),
            output: matrix(hidden, hidden),
            up: matrix(inner, hidden),
            down: matrix(hidden, inner),
        })
        .collect();
    let table = numbers(30_000 * hidden);
    let ids: Vec<i32> = (0..tokens as i32).map(|at| at * 37 % 30_000).collect();
    let ends: Vec<usize> = model
        .texts
        .iter()
        .scan(0, |end, length| {
            Some({
                *end += length;
                *end
            })
        })
        .collect();
    let (bias, wide) = (numbers(hidden), numbers(inner));

    let (count, pairs) =
        (model.layers as f64, model.texts.iter().map(|length| length * length).sum::<usize>() as f64);
    let (rows, size, width) = (tokens as f64, hidden as f64, inner as f64);
    let product = |inputs: f64, outputs: f64| count * 2.0 * rows * inputs * outputs;
    let traffic = |inputs: f64, outputs: f64| count * 4.0 * (inputs * outputs + rows * (inputs + outputs));
    let operation = |name, flops, bytes| Operation { name, times: Vec::new(), flops, bytes };
    let mut operations = [
        operation("embeddings", 0.0, 8.0 * rows * size),
        operation("queries, keys, values", 3.0 * product(size, size), 3.0 * traffic(size, size)),
        operation("attention", count * 4.0 * pairs * size, count * 16.0 * rows * size),
        operation("output and residual", product(size, size), traffic(size, size)),
        operation("feed-forward up and GELU", product(size, width), traffic(size, width)),
        operation("feed-forward down and residual", product(width, size), traffic(width, size)),
        operation("norms", 2.0 * count * 8.0 * rows * size, 2.0 * count * 8.0 * rows * size),
    ];

    for _ in 0..RUNS {
        let mut spent = [Duration::ZERO; 7];
        let mut timed = |at: usize, start: Instant| spent[at] += start.elapsed();
        let start = Instant::now();
        let mut hidden_states = gather(black_box(&table), hidden, &ids);
        timed(0, start);
        for layer in &layers {
            let start = Instant::now();
            let finish = Finish { bias: Some(&bias), ..Finish::default() };
            let [query, key, value] =
                multiply_each(&hidden_states, layer.projections.each_ref().map(|weight| (weight, finish)));
            timed(1, start);

            let start = Instant::now();
            let view = |values| {
                let head_size = hidden / heads;
                Heads { values, batch_stride: tokens * hidden, head_stride: head_size, token_stride: hidden }
            };
            let context = attention(
                view(&query),
                view(&key),
                view(&value),
                AttentionShape {
                    batch: 1,
                    heads,
                    key_heads: heads,
                    queries: tokens,
                    keys: tokens,
                    size: hidden / heads,
                    value_size: hidden / heads,
                },
                &AttentionOptions { texts: Some(&ends), ..AttentionOptions::full(hidden / heads) },
            );
            timed(2, start);

            let start = Instant::now();
            let finish = Finish { bias: Some(&bias), residual: Some(&hidden_states), ..Finish::default() };
            let mut attended = layer.output.multiply(&context, &finish);
            timed(3, start);

            let norm = Norm::Layer { gamma: &bias, beta: Some(&bias), epsilon: 1e-12 };
            let start = Instant::now();
            norm.apply(&mut attended, None);
            timed(6, start);

            let start = Instant::now();
            let finish =
                Finish { bias: Some(&wide), activation: Some(Activation::Gelu), ..Finish::default() };
            let between = layer.up.multiply(&attended, &finish);
            timed(4, start);

            let start = Instant::now();
            let finish = Finish { bias: Some(&bias), residual: Some(&attended), ..Finish::default() };
            hidden_states = layer.down.multiply(&between, &finish);
            timed(5, start);

            let start = Instant::now();
            norm.apply(&mut hidden_states, None);
            timed(6, start);
        }
        black_box(&hidden_states);
        operations.iter_mut().zip(spent).for_each(|(operation, spent)| operation.times.push(spent));
    }
    operations.into()
}

fn median(times: &[Duration]) -> f64 {
    let mut seconds: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|at| (at % 13) as f32 * 0.01 - 0.06).collect()
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |threads| threads.get())
}

/// GFLOP/s of products of 2048 cubed.
fn sgemm_rate() -> f64 {
    let size = 2048;
    let (weight, rows) = (PackedMatrix::new(&numbers(size * size), size, size), numbers(size * size));
    let run = || {
        let start = Instant::now();
        black_box(weight.multiply(black_box(&rows), &Finish::default()));
        start.elapsed()
    };
    let times: Vec<Duration> = (0..RUNS).map(|_| run()).collect();
    2.0 * (size as f64).powi(3) / median(&times) / 1e9
}

/// GB/s of copying memory on all threads, what is read and what is written counted both.
fn copy_rate() -> f64 {
    let count = 1 << 26;
    let source = vec![1.0_f32; count];
    let mut target = vec![0.0_f32; count];
    let part = count.div_ceil(threads());
    let mut run = || {
        let start = Instant::now();
        std::thread::scope(|scope| {
            for (target, source) in target.chunks_mut(part).zip(source.chunks(part)) {
                scope.spawn(move || target.copy_from_slice(black_box(source)));
            }
        });
        start.elapsed()
    };
    let times: Vec<Duration> = (0..RUNS).map(|_| run()).collect();
    2.0 * 4.0 * count as f64 / median(&times) / 1e9
}
