//! How fast convolutions of known models run: `cargo run --release -p burnpipe-kernels --example convolution_rates [NAME]`.
//!
//! Prints the best of many runs in milliseconds, and multiplications and additions per second. Images have channels
//! last, as they do inside of models, but for the first layers, which read what preprocessing makes.

#![allow(clippy::print_stdout, reason = "it is a program")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use burnpipe_kernels::{
    Activation, FilterShape, Finish, GroupNorm, Images, PackedFilters, Sliding, max_pool,
};

/// Name, channels, height and width, filters, kernel, stride, padding before and after, groups.
type Case = (&'static str, usize, [usize; 2], usize, [usize; 2], [usize; 2], [usize; 2], usize);

const CASES: &[Case] = &[
    ("resnet50 stem 7x7/2", 3, [224, 224], 64, [7, 7], [2, 2], [3, 3], 1),
    ("resnet50 1 1x1", 64, [56, 56], 64, [1, 1], [1, 1], [0, 0], 1),
    ("resnet50 1 3x3", 64, [56, 56], 64, [3, 3], [1, 1], [1, 1], 1),
    ("resnet50 1 1x1 up", 64, [56, 56], 256, [1, 1], [1, 1], [0, 0], 1),
    ("resnet50 1 1x1 down", 256, [56, 56], 64, [1, 1], [1, 1], [0, 0], 1),
    ("resnet50 2 3x3/2", 128, [56, 56], 128, [3, 3], [2, 2], [1, 1], 1),
    ("resnet50 2 1x1/2", 256, [56, 56], 512, [1, 1], [2, 2], [0, 0], 1),
    ("resnet50 2 3x3", 128, [28, 28], 128, [3, 3], [1, 1], [1, 1], 1),
    ("resnet50 2 1x1 up", 128, [28, 28], 512, [1, 1], [1, 1], [0, 0], 1),
    ("resnet50 3 3x3", 256, [14, 14], 256, [3, 3], [1, 1], [1, 1], 1),
    ("resnet50 3 1x1 down", 1024, [14, 14], 256, [1, 1], [1, 1], [0, 0], 1),
    ("resnet50 4 3x3", 512, [7, 7], 512, [3, 3], [1, 1], [1, 1], 1),
    ("resnet50 4 1x1 up", 512, [7, 7], 2048, [1, 1], [1, 1], [0, 0], 1),
    ("convnext stem 4x4/4", 3, [224, 224], 96, [4, 4], [4, 4], [0, 0], 1),
    ("convnext 1 7x7 depthwise", 96, [56, 56], 96, [7, 7], [1, 1], [3, 3], 96),
    ("convnext 2 7x7 depthwise", 192, [28, 28], 192, [7, 7], [1, 1], [3, 3], 192),
    ("convnext 3 7x7 depthwise", 384, [14, 14], 384, [7, 7], [1, 1], [3, 3], 384),
    ("convnext 4 7x7 depthwise", 768, [7, 7], 768, [7, 7], [1, 1], [3, 3], 768),
    ("convnext 1 2x2/2", 96, [56, 56], 192, [2, 2], [2, 2], [0, 0], 1),
    ("vit patches 16x16/16", 3, [224, 224], 768, [16, 16], [16, 16], [0, 0], 1),
    ("wav2vec2 10/5", 1, [1, 160_000], 512, [1, 10], [1, 5], [0, 0], 1),
    ("wav2vec2 3/2", 512, [1, 31_999], 512, [1, 3], [1, 2], [0, 0], 1),
    ("wav2vec2 2/2", 512, [1, 1999], 512, [1, 2], [1, 2], [0, 0], 1),
    ("wav2vec2 positions 128, 16 groups", 768, [1, 499], 768, [1, 128], [1, 1], [0, 64], 16),
    ("whisper-base 3/1", 80, [1, 3000], 512, [1, 3], [1, 1], [0, 1], 1),
    ("whisper-base 3/2", 512, [1, 3000], 512, [1, 3], [1, 2], [0, 1], 1),
];

fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|at| (at % 13) as f32 * 0.01 - 0.06).collect()
}

/// The best of the runs of a second, and of ten at least, in seconds.
fn best(mut run: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut best = f64::MAX;
    let mut runs = 0;
    while runs < 10 || start.elapsed() < Duration::from_secs(1) {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed().as_secs_f64());
        runs += 1;
    }
    best
}

fn main() {
    let chosen = std::env::args().nth(1).unwrap_or_default();
    let is_chosen = |name: &str| name.contains(&chosen);
    for &(name, channels, size, filters, kernel, stride, padding, groups) in
        CASES.iter().filter(|case| is_chosen(case.0))
    {
        let shape = FilterShape { filters, channels: channels / groups, kernel, groups };
        let sliding =
            Sliding { stride, padding: [padding[0], padding[1], padding[0], padding[1]], dilation: [1, 1] };
        let values = numbers(channels * size[0] * size[1]);
        let images = match channels {
            1..=80 if kernel != [1, 1] && channels != 64 => {
                Images::channels_first(&values, 1, channels, size)
            }
            _ => Images::channels_last(&values, 1, channels, size),
        };
        let windows = sliding.windows(size, kernel);
        let weights = numbers(filters * channels / groups * kernel[0] * kernel[1]);
        let packed = PackedFilters::new(&weights, shape);
        let bias = numbers(filters);
        let plain = Finish { bias: Some(&bias), ..Finish::default() };
        let relu = Finish { activation: Some(Activation::Relu), ..plain };
        let residual = numbers(windows[0] * windows[1] * filters);
        let summed = Finish { residual: Some(&residual), activation_of_sum: Some(Activation::Relu), ..plain };
        let work = 2.0 * (windows[0] * windows[1] * weights.len()) as f64;
        let rates = [plain, relu, summed].map(|finish| {
            let seconds = best(|| drop(black_box(packed.slide(black_box(images), &sliding, &finish))));
            format!("{:8.3} ms {:6.1} GFLOP/s", seconds * 1e3, work / seconds * 1e-9)
        });
        println!("{name:34} bias {}   relu {}   residual, relu {}", rates[0], rates[1], rates[2]);
    }
    if is_chosen("group norm") {
        let mut values = numbers(31_999 * 512);
        let gamma = numbers(512);
        let activation = Some(Activation::Gelu);
        let norm = GroupNorm { groups: 512, gamma: &gamma, beta: &gamma, epsilon: 1e-5, activation };
        let seconds = best(|| norm.apply(black_box(&mut values), 1));
        println!("group norm and gelu of 31999 x 512: {:.2} ms", seconds * 1e3);
    }
    if is_chosen("max pool") {
        let values = numbers(112 * 112 * 64);
        let images = Images::channels_last(&values, 1, 64, [112, 112]);
        let sliding = Sliding { stride: [2, 2], padding: [1; 4], dilation: [1, 1] };
        let seconds = best(|| drop(black_box(max_pool(black_box(images), [3, 3], &sliding))));
        println!("max pool 3x3/2 of 112 x 112 x 64: {:.3} ms", seconds * 1e3);
    }
}
