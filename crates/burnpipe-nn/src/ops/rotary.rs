//! Rotary position embedding (RoPE, arXiv 2104.09864): pairs of numbers turned by their position's angle.

use burn::tensor::{DType, Device, Tensor, TensorData};

#[cfg(feature = "flex")]
use super::cpu;
use super::in_f32;

/// How far the pairs of every token are turned; the same for all heads and, in most models, all layers.
#[derive(Clone, Debug)]
pub struct RotaryAngles {
    /// `[tokens, pairs]`
    cosines: Tensor<2>,
    /// `[tokens, pairs]`
    sines: Tensor<2>,
    pairs: RotaryPairs,
}

impl RotaryAngles {
    /// The angles for heads of `size` numbers: pair `i` of a token is turned by
    /// `position * theta^(-2 i / size)`.
    pub fn new(positions: &[i32], theta: f64, size: usize, device: &Device) -> Self {
        let pairs = size / 2;
        let frequency = |pair: usize| theta.powf(-2.0 * pair as f64 / size as f64) as f32;
        let frequencies: Vec<f32> = (0..pairs).map(frequency).collect();
        Self::from_frequencies(&[(positions, &frequencies)], 1.0, device)
    }

    /// The angles of some texts one after the other, each by its own frequencies, as many in all: a pair is
    /// turned by `position * frequency`. Turned numbers are multiplied by `scaling`.
    pub fn from_frequencies(texts: &[(&[i32], &[f32])], scaling: f32, device: &Device) -> Self {
        let tokens: usize = texts.iter().map(|(positions, _)| positions.len()).sum();
        let pairs = texts.first().map_or(0, |(_, frequencies)| frequencies.len());
        // The products are rounded to f32, as those of transformers are.
        let turns = texts.iter().flat_map(|&(positions, frequencies)| {
            positions.iter().flat_map(move |&position| {
                frequencies.iter().map(move |frequency| {
                    let (sine, cosine) = (position as f32 * frequency).sin_cos();
                    (sine * scaling, cosine * scaling)
                })
            })
        });
        let (sines, cosines): (Vec<f32>, Vec<f32>) = turns.unzip();
        let table =
            |values| Tensor::from_data(TensorData::new(values, [tokens, pairs]), (device, DType::F32));
        Self { cosines: table(cosines), sines: table(sines), pairs: RotaryPairs::Halves }
    }

    /// The same angles for other pairs.
    #[must_use]
    pub fn with_pairs(mut self, pairs: RotaryPairs) -> Self {
        self.pairs = pairs;
        self
    }
}

/// Which numbers of a head make pairs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RotaryPairs {
    /// Each with the one half the turned numbers away, as LLaMA's `rotate_half`.
    #[default]
    Halves,
    /// Each even one with the next, as GPT-J.
    Neighbours,
}

/// Turns the first numbers of the heads of queries or keys, two for every angle, in f32 whatever the type of `x`.
///
/// # Shapes
///
/// - `x`: `[batch, tokens, heads, size]`, where the tokens of all rows are those of the angles
/// - result: the same
pub fn rotary(x: Tensor<4>, angles: &RotaryAngles) -> Tensor<4> {
    let (cosines, sines) = (angles.cosines.clone(), angles.sines.clone());
    #[cfg(feature = "flex")]
    if cpu::takes(&x) {
        return cpu::rotary(x, cosines, sines, angles.pairs);
    }
    let [batch, tokens, heads, size] = x.dims();
    let [_, half] = cosines.dims();
    in_f32(x, |x| {
        let by_head = |table: Tensor<2>| table.reshape([batch, tokens, 1, half]);
        let (cosines, sines) = (by_head(cosines), by_head(sines));
        let passed = (2 * half < size).then(|| x.clone().narrow(3, 2 * half, size - 2 * half));
        let x = x.narrow(3, 0, 2 * half);
        let (left, right) = match angles.pairs {
            RotaryPairs::Halves => (x.clone().narrow(3, 0, half), x.narrow(3, half, half)),
            RotaryPairs::Neighbours => {
                let pairs = x.reshape([batch, tokens, heads, half, 2]);
                let side = |at: usize| pairs.clone().narrow(4, at, 1).reshape([batch, tokens, heads, half]);
                (side(0), side(1))
            }
        };
        let turned_left = left.clone() * cosines.clone() - right.clone() * sines.clone();
        let turned_right = right * cosines + left * sines;
        let turned = match angles.pairs {
            RotaryPairs::Halves => Tensor::cat(vec![turned_left, turned_right], 3),
            RotaryPairs::Neighbours => {
                let pair = |x: Tensor<4>| x.reshape([batch, tokens, heads, half, 1]);
                Tensor::cat(vec![pair(turned_left), pair(turned_right)], 4).reshape([
                    batch,
                    tokens,
                    heads,
                    2 * half,
                ])
            }
        };
        match passed {
            Some(passed) => Tensor::cat(vec![turned, passed], 3),
            None => turned,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_turned_as_complex_numbers_in_every_type() {
        let (positions, theta, [batch, tokens, heads, size]) = ([0, 1, 2, 0, 1, 5], 50.0, [2, 3, 2, 6]);
        let values: Vec<f32> =
            (0..batch * tokens * heads * size).map(|at| (at * 37 % 101) as f32 / 101.0 - 0.5).collect();
        for (dtype, tolerance) in [(DType::F32, 1e-6), (DType::F16, 1e-3), (DType::BF16, 8e-3)] {
            let data = TensorData::new(values.clone(), [batch, tokens, heads, size]);
            let x = Tensor::from_data(data, (&Device::flex(), dtype));
            let angles = RotaryAngles::new(&positions, theta, size, &Device::flex());
            let answers = rotary(x, &angles);
            assert_eq!((answers.dims(), answers.dtype()), ([batch, tokens, heads, size], dtype));
            let answers = answers.into_data().convert::<f32>().try_to_vec::<f32>().unwrap();
            for (at, answer) in answers.iter().enumerate() {
                let (token, head, number) = (at / size / heads, at / size * size, at % size);
                let (pair, half) = (number % (size / 2), size / 2);
                let angle = f64::from(positions[token]) * theta.powf(-2.0 * pair as f64 / size as f64);
                let (x, y) = (f64::from(values[head + pair]), f64::from(values[head + pair + half]));
                let expected = if number < half {
                    x * angle.cos() - y * angle.sin()
                } else {
                    y * angle.cos() + x * angle.sin()
                };
                let error = (f64::from(*answer) - expected).abs();
                assert!(error < tolerance, "{dtype:?}: {answer}, not {expected}");
            }
        }
    }
}
