//! Choosing tokens from scores: the best, the k best, or drawn ones.

use burnpipe_core::{Error, ErrorKind, Result};
use fastrand::Rng;

/// Scores that are compared at a time, each with its own largest: one after the other, every comparison would wait
/// for the last.
const AT_ONCE: usize = 16;

/// The largest score that is a number.
fn largest(scores: &[f32]) -> f32 {
    let (chunks, rest) = scores.as_chunks::<AT_ONCE>();
    let larger = |best: &mut f32, score: &f32| {
        if *score > *best {
            *best = *score;
        }
    };
    let mut best = [f32::NEG_INFINITY; AT_ONCE];
    for chunk in chunks {
        best.iter_mut().zip(chunk).for_each(|(best, score)| larger(best, score));
    }
    let mut largest = f32::NEG_INFINITY;
    best.iter().chain(rest).for_each(|score| larger(&mut largest, score));
    largest
}

/// Whether a score is not a number.
pub(super) fn has_nan(scores: &[f32]) -> bool {
    scores.chunks(AT_ONCE).any(|chunk| chunk.iter().fold(false, |found, score| found | score.is_nan()))
}

/// Turns logits into log-probabilities: `log_softmax` in f32.
pub(super) fn log_softmax(scores: &mut [f32]) {
    let largest = largest(scores);
    let total: f64 = scores.iter().map(|score| f64::from((score - largest).exp())).sum();
    let shift = total.ln() as f32;
    scores.iter_mut().for_each(|score| *score = *score - largest - shift);
}

/// The probabilities of scores: `softmax`.
///
/// # Errors
///
/// When no token is possible, or one is infinitely likely.
pub(super) fn softmax(scores: &[f32]) -> Result<Vec<f32>> {
    let largest = largest(scores);
    if !largest.is_finite() {
        return Err(no_choice(largest));
    }
    let mut probabilities: Vec<f32> = scores.iter().map(|score| (score - largest).exp()).collect();
    let total: f64 = probabilities.iter().copied().map(f64::from).sum();
    probabilities.iter_mut().for_each(|probability| *probability = (f64::from(*probability) / total) as f32);
    Ok(probabilities)
}

/// The best token, the first of equals.
///
/// # Errors
///
/// When no token is possible.
pub(super) fn argmax(scores: &[f32]) -> Result<u32> {
    let largest = largest(scores);
    let best = scores.iter().position(|score| *score == largest && largest > f32::NEG_INFINITY);
    best.map(|token| token as u32).ok_or_else(|| no_choice(largest))
}

/// The `count` largest values with their places, best first and the first of equals first.
pub(super) fn top(values: impl Iterator<Item = f32>, count: usize) -> Vec<(usize, f32)> {
    let mut best: Vec<(usize, f32)> = Vec::with_capacity(count + 1);
    for (place, value) in values.enumerate() {
        if best.len() == count && best.last().is_none_or(|worst| value <= worst.1) {
            continue;
        }
        let rank = best.partition_point(|other| other.1 >= value);
        best.insert(rank, (place, value));
        best.truncate(count);
    }
    best
}

/// Draws a token with the probabilities that scores give.
///
/// # Errors
///
/// When no token is possible, or one is infinitely likely.
pub(super) fn draw(scores: &[f32], random: &mut Rng) -> Result<u32> {
    let largest = largest(scores);
    if !largest.is_finite() {
        return Err(no_choice(largest));
    }
    let weights: Vec<f32> = scores.iter().map(|score| (score - largest).exp()).collect();
    draw_weighted(weights.iter().copied().map(f64::from), random)
}

/// Draws a token by weights that need not add up to one.
///
/// # Errors
///
/// When there is no weight.
pub(super) fn draw_weighted(weights: impl Iterator<Item = f64> + Clone, random: &mut Rng) -> Result<u32> {
    let total: f64 = weights.clone().sum();
    let mut left = random.f64() * total;
    let mut last = None;
    for (token, weight) in weights.enumerate().filter(|(_, weight)| *weight > 0.0) {
        last = Some(token as u32);
        left -= weight;
        if left < 0.0 {
            break;
        }
    }
    last.ok_or_else(|| no_choice(f32::NEG_INFINITY))
}

/// Draws `count` places without putting them back, in the order of the draw; impossible ones come last.
///
/// Drawing by weights one after the other gives the order of `weight / exponential noise`, which is how
/// `torch.multinomial` draws too.
pub(super) fn draw_several(probabilities: &[f32], count: usize, random: &mut Rng) -> Vec<usize> {
    let keys = probabilities.iter().map(|&probability| {
        let noise = -(1.0 - random.f64()).ln();
        (f64::from(probability) / noise.max(f64::MIN_POSITIVE)) as f32
    });
    top(keys, count).into_iter().map(|(place, _)| place).collect()
}

/// A stream of random numbers for a row of an input, the same wherever the row runs.
pub(super) fn stream(seed: u64, input: usize, row: usize) -> Rng {
    // The finaliser of splitmix64 spreads neighbouring numbers over all bits.
    let mix = |value: u64| {
        let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    };
    let step = 0x9e37_79b9_7f4a_7c15_u64;
    let of_input = mix(seed.wrapping_add(step)) ^ (input as u64).wrapping_add(1).wrapping_mul(step);
    let of_row = mix(of_input) ^ (row as u64).wrapping_add(1).wrapping_mul(step);
    Rng::with_seed(mix(of_row))
}

fn no_choice(largest: f32) -> Error {
    if largest > 0.0 {
        let message = "a score of the next token is infinite; load the model in f32, or set \
                       `remove_invalid_values`";
        return Error::new(ErrorKind::Weights, message);
    }
    let message = "no token is left to choose from: the parameters forbid them all (`suppress_tokens`, \
                   `bad_words_ids`, `min_length` and the like)";
    Error::new(ErrorKind::Parameter, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equals_is_the_best() {
        let values = [1.0, 3.0, 3.0, f32::NEG_INFINITY, 2.0];
        assert_eq!(argmax(&values).unwrap(), 1);
        assert_eq!(top(values.into_iter(), 4), [(1, 3.0), (2, 3.0), (4, 2.0), (0, 1.0)]);
        assert_eq!(top(values.into_iter(), 9).len(), 5);
        // More than are compared at a time, and the best among those left over.
        let many: Vec<f32> = (0..50).map(|at| if at < 45 { (at % 7) as f32 } else { 9.0 }).collect();
        assert_eq!(argmax(&many).unwrap(), 45);
        assert_eq!(argmax(&many[..45]).unwrap(), 6);
        assert!(argmax(&[f32::NEG_INFINITY; 20]).is_err() && argmax(&[]).is_err());
    }

    #[test]
    fn what_is_not_a_number_is_found_anywhere() {
        for at in [0, 15, 16, 40] {
            let mut scores = [1.0; 41];
            assert!(!has_nan(&scores));
            scores[at] = f32::NAN;
            assert!(has_nan(&scores), "{at}");
        }
    }

    #[test]
    fn nothing_is_drawn_from_nothing() {
        let mut random = Rng::with_seed(1);
        for scores in [[f32::NEG_INFINITY; 3], [0.0, f32::INFINITY, 0.0], [f32::NAN; 3]] {
            assert!(draw(&scores, &mut random).is_err());
            assert!(softmax(&scores).is_err());
        }
        assert!(argmax(&[f32::NEG_INFINITY; 3]).is_err());
        assert!(draw_weighted([0.0, 0.0].into_iter(), &mut random).is_err());
    }

    #[test]
    fn impossible_tokens_are_not_drawn() {
        let mut random = Rng::with_seed(2);
        for _ in 0..1000 {
            let token = draw(&[f32::NEG_INFINITY, 0.5, f32::NEG_INFINITY, 0.1], &mut random).unwrap();
            assert!(token == 1 || token == 3);
            let two = draw_several(&[0.0, 0.5, 0.0, 0.5], 3, &mut random);
            assert_eq!(two[2], 0);
        }
    }

    /// Sums of the shares that f64 arithmetic gives.
    #[test]
    fn log_softmax_in_f32() {
        let mut scores = [1.0_f32, 2.0, 4.0, -100.0];
        log_softmax(&mut scores);
        let total: f64 = [1.0_f64, 2.0, 4.0, -100.0].iter().map(|score| score.exp()).sum();
        for (score, raw) in scores.iter().zip([1.0, 2.0, 4.0, -100.0]) {
            assert!((f64::from(*score) - (raw - total.ln())).abs() < 1e-5);
        }
    }

    /// The first of two draws without return follows the probabilities, the second what is left of them.
    #[test]
    fn draws_without_return() {
        let probabilities = [0.6_f32, 0.3, 0.1];
        let mut random = Rng::with_seed(3);
        let mut pairs = [[0_u32; 3]; 3];
        let draws = 60_000;
        for _ in 0..draws {
            let drawn = draw_several(&probabilities, 2, &mut random);
            pairs[drawn[0]][drawn[1]] += 1;
        }
        for (first, row) in pairs.iter().enumerate() {
            for (second, &count) in row.iter().enumerate() {
                let (p, q) = (f64::from(probabilities[first]), f64::from(probabilities[second]));
                let expected = if first == second { 0.0 } else { p * q / (1.0 - p) };
                assert!((f64::from(count) / f64::from(draws) - expected).abs() < 0.01);
            }
        }
    }
}
