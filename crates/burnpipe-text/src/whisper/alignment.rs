//! When tokens are said, by what the decoder looked at when it wrote them.
//!
//! Reference: `_extract_token_timestamps`, `_median_filter` and `_dynamic_time_warping` in `generation_whisper.py` of
//! transformers 4.56.2. Numbers are f32 there, as here.

use burnpipe_core::{Error, ErrorKind, Result};

/// How much some heads of a decoder looked at each position of a sound when they read each token of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossAttentions {
    /// `[heads, tokens, positions]`
    pub weights: Vec<f32>,
    /// Tokens that were read.
    pub tokens: usize,
    /// Positions of the sound.
    pub positions: usize,
}

impl CrossAttentions {
    /// When each token ends that the model wrote, in seconds: one for each that it then read, and once more the last
    /// for the token that it did not read any more.
    ///
    /// `positions` are those that hold sound: what stands behind them is not looked at. `time_precision` are the
    /// seconds of a position.
    ///
    /// # Errors
    ///
    /// When `median_filter_width` is no odd number.
    pub fn token_timestamps(
        &self,
        positions: usize,
        median_filter_width: usize,
        time_precision: f64,
    ) -> Result<Vec<f32>> {
        if median_filter_width.is_multiple_of(2) {
            let message =
                format!("`median_filter_width` {median_filter_width} in `config.json` is no odd number");
            return Err(Error::new(ErrorKind::Config, message));
        }
        if self.tokens == 0 {
            return Ok(vec![0.0]);
        }
        let positions = positions.min(self.positions);
        let matrix = self.mean_of_heads(positions, median_filter_width);
        let path = dynamic_time_warping(&matrix, self.tokens, positions);
        // A token begins where the path comes to it.
        let begins = path.iter().enumerate().filter(|(at, step)| *at == 0 || path[at - 1].0 != step.0);
        let mut times: Vec<f32> =
            begins.map(|(_, (_, time))| (*time as f64 * time_precision) as f32).collect();
        times.extend(times.last().copied());
        Ok(times)
    }

    /// The weights of every head, made alike for all tokens and smoothed, then their mean: `[tokens, positions]`.
    fn mean_of_heads(&self, positions: usize, width: usize) -> Vec<f32> {
        let (tokens, stride) = (self.tokens, self.positions);
        let heads = self.weights.len() / (tokens * stride).max(1);
        let mut sums = vec![0.0; tokens * positions];
        let mut normed = vec![0.0; tokens * positions];
        for head in self.weights.chunks_exact((tokens * stride).max(1)) {
            for position in 0..positions {
                let column = || (0..tokens).map(|token| f64::from(head[token * stride + position]));
                let mean = column().sum::<f64>() / tokens as f64;
                let variance = column().map(|weight| (weight - mean).powi(2)).sum::<f64>() / tokens as f64;
                let (mean, deviation) = (mean as f32, variance.sqrt() as f32);
                for token in 0..tokens {
                    normed[token * positions + position] =
                        (head[token * stride + position] - mean) / deviation;
                }
            }
            let rows = normed.chunks_exact(positions.max(1)).zip(sums.chunks_exact_mut(positions.max(1)));
            rows.for_each(|(row, sums)| add_medians(row, width, sums));
        }
        sums.iter_mut().for_each(|sum| *sum /= heads as f32);
        sums
    }
}

/// Adds the medians of the numbers around each, mirrored at the ends.
fn add_medians(row: &[f32], width: usize, sums: &mut [f32]) {
    let beside = width / 2;
    if row.len() <= beside {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        return;
    }
    let last = row.len() - 1;
    let mirrored = |place: usize| {
        let place = place.abs_diff(beside);
        row[if place > last { 2 * last - place } else { place }]
    };
    let mut window = vec![0.0; width];
    for (at, sum) in sums.iter_mut().enumerate() {
        window.iter_mut().zip(at..).for_each(|(value, place)| *value = mirrored(place));
        // What is no number comes last, as in torch.
        window.sort_unstable_by(|a, b| a.is_nan().cmp(&b.is_nan()).then(a.total_cmp(b)));
        *sum += window[beside];
    }
}

/// The path of most weight from the first token and position to the last, as (token, position): neither goes back.
/// Where there is no position at all, positions are -1.
fn dynamic_time_warping(matrix: &[f32], tokens: usize, positions: usize) -> Vec<(usize, i64)> {
    /// Where a step of the path came from.
    #[derive(Clone, Copy)]
    enum From {
        Both,
        Token,
        Position,
    }
    let stride = positions + 1;
    let mut cost = vec![f32::INFINITY; (tokens + 1) * stride];
    let mut trace = vec![From::Token; (tokens + 1) * stride];
    cost[0] = 0.0;
    for position in 1..=positions {
        trace[position] = From::Position;
        for token in 1..=tokens {
            let at = token * stride + position;
            let (both, by_token, by_position) = (cost[at - stride - 1], cost[at - stride], cost[at - 1]);
            let (least, from) = if both < by_token && both < by_position {
                (both, From::Both)
            } else if by_token < both && by_token < by_position {
                (by_token, From::Token)
            } else {
                (by_position, From::Position)
            };
            let weight = f64::from(matrix[(token - 1) * positions + position - 1]);
            cost[at] = (f64::from(least) - weight) as f32;
            trace[at] = from;
        }
    }
    let (mut token, mut position) = (tokens, positions);
    let mut path = Vec::with_capacity(tokens + positions);
    while token > 0 || position > 0 {
        path.push((token.saturating_sub(1), position as i64 - 1));
        match trace[token * stride + position] {
            From::Both => {
                token -= 1;
                position -= 1;
            }
            From::Token => token -= 1,
            From::Position => position -= 1,
        }
    }
    path.reverse();
    path
}
