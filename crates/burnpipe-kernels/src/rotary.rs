//! Rotary position embedding (RoPE, arXiv 2104.09864): pairs of numbers turned by their position's angle.

use rayon::prelude::*;

/// Which numbers of a head make pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotaryPairs {
    /// Each with the one half the size away, as LLaMA's `rotate_half`.
    Halves,
    /// Each even one with the next, as GPT-J.
    Neighbours,
}

/// Turns the first `2 * angles` numbers of every head, in place and in parallel.
///
/// # Shapes
///
/// - `values`: `[tokens, heads, size]`
/// - `cosines`, `sines`: `[tokens, angles]`
///
/// # Panics
///
/// When the lengths do not fit each other.
///
/// ```
/// use burnpipe_kernels::{RotaryPairs, rotate};
///
/// let mut head = [1.0, 0.0];
/// rotate(&mut head, 1, 2, &[0.0], &[1.0], RotaryPairs::Halves); // a quarter turn
/// assert_eq!(head, [0.0, 1.0]);
/// ```
pub fn rotate(
    values: &mut [f32],
    heads: usize,
    size: usize,
    cosines: &[f32],
    sines: &[f32],
    pairs: RotaryPairs,
) {
    let width = (heads * size).max(1);
    let tokens = values.len() / width;
    let angles = cosines.len() / tokens.max(1);
    assert_eq!(values.len(), tokens * width, "whole tokens of {heads} x {size}");
    assert!(cosines.len() == tokens * angles && sines.len() == cosines.len(), "angles for every token");
    assert!(2 * angles <= size, "two numbers for every angle");
    values.par_chunks_mut(width).with_min_len(8).enumerate().for_each(|(token, heads)| {
        let cosines = &cosines[token * angles..(token + 1) * angles];
        let sines = &sines[token * angles..(token + 1) * angles];
        heads.chunks_mut(size).for_each(|head| turn(&mut head[..2 * angles], cosines, sines, pairs));
    });
}

fn turn(head: &mut [f32], cosines: &[f32], sines: &[f32], pairs: RotaryPairs) {
    let angles = cosines.iter().zip(sines);
    let turned = |x: f32, y: f32, cosine: f32, sine: f32| (x * cosine - y * sine, y * cosine + x * sine);
    match pairs {
        RotaryPairs::Halves => {
            let (left, right) = head.split_at_mut(cosines.len());
            for ((x, y), (cosine, sine)) in left.iter_mut().zip(right).zip(angles) {
                (*x, *y) = turned(*x, *y, *cosine, *sine);
            }
        }
        RotaryPairs::Neighbours => {
            for (pair, (cosine, sine)) in head.as_chunks_mut::<2>().0.iter_mut().zip(angles) {
                (pair[0], pair[1]) = turned(pair[0], pair[1], *cosine, *sine);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tests::numbers;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 64 }))]

        #[test]
        fn rotation_equals_complex_products(
            tokens in 1_usize..20,
            heads in 1_usize..4,
            angles in 1_usize..20,
            passed in 0_usize..5,
        ) {
            let size = 2 * angles + passed;
            let values = numbers(tokens * heads * size, 1);
            let angle = numbers(tokens * angles, 2);
            let cosines: Vec<f32> = angle.iter().map(|angle| angle.cos()).collect();
            let sines: Vec<f32> = angle.iter().map(|angle| angle.sin()).collect();
            for pairs in [RotaryPairs::Halves, RotaryPairs::Neighbours] {
                let mut answers = values.clone();
                rotate(&mut answers, heads, size, &cosines, &sines, pairs);
                for at in 0..values.len() {
                    let (token, head, number) = (at / size / heads, at / size * size, at % size);
                    let expected = if number >= 2 * angles {
                        f64::from(values[at])
                    } else {
                        let (pair, first) = match pairs {
                            RotaryPairs::Halves => (number % angles, number < angles),
                            RotaryPairs::Neighbours => (number / 2, number % 2 == 0),
                        };
                        let (x, y) = match pairs {
                            RotaryPairs::Halves => (values[head + pair], values[head + pair + angles]),
                            RotaryPairs::Neighbours => (values[head + 2 * pair], values[head + 2 * pair + 1]),
                        };
                        let (x, y) = (f64::from(x), f64::from(y));
                        let (sine, cosine) = f64::from(angle[token * angles + pair]).sin_cos();
                        if first { x * cosine - y * sine } else { y * cosine + x * sine }
                    };
                    prop_assert!((f64::from(answers[at]) - expected).abs() < 1e-6);
                }
            }
        }
    }
}
