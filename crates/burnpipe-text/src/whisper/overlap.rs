//! Puts the tokens of overlapping chunks together.
//!
//! Reference: `_find_longest_common_sequence` in `tokenization_whisper.py` of transformers 4.56.2.

/// A token of text, and when it is said: from and to, in seconds; zeros where nobody asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TimedToken {
    pub(super) id: u32,
    pub(super) time: (f64, f64),
}

/// Merges sequences of which each begins with about what the one before ends with.
///
/// Two neighbours are laid over each other where most tokens agree; of what both have, the left one's first half
/// and the right one's second half stay, because each heard that part better.
pub(super) fn merge(sequences: &[Vec<TimedToken>]) -> Vec<TimedToken> {
    let Some((first, others)) = sequences.split_first() else { return Vec::new() };
    let mut total = Vec::new();
    let mut left = first.as_slice();
    for right in others {
        let (left_end, right_start) = best_overlap(left, right);
        total.extend_from_slice(&left[..left_end]);
        left = &right[right_start..];
    }
    total.extend_from_slice(left);
    total
}

/// How many tokens of the left sequence stay, and from which of the right one on it goes on.
fn best_overlap(left: &[TimedToken], right: &[TimedToken]) -> (usize, usize) {
    let (left_length, right_length) = (left.len(), right.len());
    let mut best = (0.0, left_length, 0);
    for shift in 1..left_length + right_length {
        let left_start = left_length.saturating_sub(shift);
        let left_stop = left_length.min(left_length + right_length - shift);
        let right_start = shift.saturating_sub(left_length);
        let right_stop = right_length.min(shift);
        let pairs = left[left_start..left_stop].iter().zip(&right[right_start..right_stop]);
        let agrees = |(left, right): &(&TimedToken, &TimedToken)| {
            left.id == right.id && not_later(left.time, right.time)
        };
        let matches = pairs.filter(agrees).count();
        // A little more for long overlaps.
        let matching = matches as f64 / shift as f64 + shift as f64 / 10000.0;
        if matches > 1 && matching > best.0 {
            best = (matching, (left_start + left_stop) / 2, (right_start + right_stop) / 2);
        }
    }
    (best.1, best.2)
}

/// `left <= right` of Python's tuples.
fn not_later(left: (f64, f64), right: (f64, f64)) -> bool {
    if left.0 == right.0 { left.1 <= right.1 } else { left.0 < right.0 }
}
