//! Probabilities of scores, and the best of them without sorting all.

use std::cmp::Ordering;

/// What is needed to turn scores into probabilities one at a time.
///
/// As in torch, each number is an f32; only the sum is gathered in f64.
#[derive(Clone, Copy, Debug)]
pub(super) struct Softmax {
    max: f32,
    sum: f32,
    log_sum: f32,
}

impl Softmax {
    pub(super) fn of(scores: &[f32]) -> Self {
        let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = scores.iter().map(|&score| f64::from(exp(score - max))).sum();
        let sum = sum as f32;
        Self { max, sum, log_sum: sum.ln() }
    }

    pub(super) fn probability(&self, score: f32) -> f32 {
        exp(score - self.max) / self.sum
    }

    /// Rules out tokens with a probability below `least` whose score is below `spared`.
    ///
    /// Away from the edge a logarithm tells them as well as their probabilities, which take long.
    pub(super) fn cut_below(&self, least: f32, spared: f32, scores: &mut [f32]) {
        let edge = self.max + (least * self.sum).ln();
        let margin = 1e-4 * (1.0 + edge.abs() + self.max.abs());
        let (surely, hardly) = (edge - margin, edge + margin);
        for score in scores {
            let near = *score >= surely && *score <= hardly;
            let less_likely = if near { self.probability(*score) < least } else { *score < surely };
            *score = if less_likely && *score < spared { f32::NEG_INFINITY } else { *score };
        }
    }

    pub(super) fn log_probability(&self, score: f32) -> f32 {
        score - self.max - self.log_sum
    }

    /// The entropy, in nats.
    pub(super) fn entropy(&self, scores: &[f32]) -> f32 {
        let terms = scores.iter().map(|&score| {
            let log_probability = self.log_probability(score);
            let term = log_probability * exp(log_probability);
            // A token that is ruled out is minus infinity times 0, and adds nothing.
            if term.is_nan() { 0.0 } else { f64::from(term) }
        });
        -terms.sum::<f64>() as f32
    }
}

/// The exponential; what lies below the smallest f32 needs no computing, and after a warper most does.
fn exp(exponent: f32) -> f32 {
    if exponent < -104.0 { 0.0 } else { exponent.exp() }
}

/// Largest first; NaN counts as the largest, as in torch.
pub(super) fn descending(left: f32, right: f32) -> Ordering {
    right.total_cmp(&left)
}

/// The `count`-th largest of the keys; the smallest where there are fewer.
///
/// It keeps at most twice as many as are asked for, and drops the lesser half when there are more.
pub(super) fn nth_largest(keys: impl Iterator<Item = f32>, count: usize) -> f32 {
    let count = count.max(1);
    let mut best: Vec<f32> = Vec::new();
    let mut floor = f32::NEG_INFINITY;
    for key in keys {
        if key <= floor && best.len() >= count {
            continue;
        }
        best.push(key);
        if best.len() >= count.saturating_mul(2) {
            let (_, &mut least, _) = best.select_nth_unstable_by(count - 1, |a, b| descending(*a, *b));
            floor = least;
            best.truncate(count);
        }
    }
    if best.len() > count {
        let (_, &mut least, _) = best.select_nth_unstable_by(count - 1, |a, b| descending(*a, *b));
        return least;
    }
    best.iter().copied().min_by(f32::total_cmp).unwrap_or(f32::NEG_INFINITY)
}

/// Which of the tokens with equal keys stay where not all can.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ties {
    First,
    Last,
}

/// Rules out all but the `count` tokens with the largest keys, of which `least` is the last.
pub(super) fn keep_best(scores: &mut [f32], key: impl Fn(f32) -> f32, least: f32, count: usize, ties: Ties) {
    let above = scores.iter().filter(|&&score| key(score) > least).count();
    let mut room = count.saturating_sub(above);
    let mut keep_or_forbid = |score: &mut f32| {
        let key = key(*score);
        if key < least {
            *score = f32::NEG_INFINITY;
        } else if key == least {
            match room.checked_sub(1) {
                Some(less) => room = less,
                None => *score = f32::NEG_INFINITY,
            }
        }
    };
    match ties {
        Ties::First => scores.iter_mut().for_each(&mut keep_or_forbid),
        Ties::Last => scores.iter_mut().rev().for_each(&mut keep_or_forbid),
    }
}

/// A key to order tokens by, and the token's probability.
pub(super) type Weighted = (f32, f32);

/// How many tokens come before an edge, from the largest key on.
///
/// `before` says of a token whether it does. It is given the probability of all tokens down to it, and of all
/// from it on with `below` added, itself in both; from one token on it must say no. Afterwards the tokens on
/// both sides of the edge are at their places. Halving the side that has the edge takes time linear in the
/// number of tokens.
pub(super) fn edge(weighted: &mut [Weighted], below: f64, before: impl Fn(f64, f64) -> bool) -> usize {
    let mass = |tokens: &[Weighted]| tokens.iter().map(|&(_, weight)| f64::from(weight)).sum::<f64>();
    let (mut start, mut end) = (0, weighted.len());
    let (mut above, mut below) = (0.0, below);
    // Mostly a few tokens have the mass, so that the first looks are near the best.
    let mut look = 64;
    while let Some(range) = weighted.get_mut(start..end).filter(|range| !range.is_empty()) {
        let middle = look.min(range.len() / 2);
        let (better, &mut (_, weight), worse) =
            range.select_nth_unstable_by(middle, |left, right| descending(left.0, right.0));
        let (down_to_it, from_it_on) =
            (above + mass(better) + f64::from(weight), below + mass(worse) + f64::from(weight));
        if before(down_to_it, from_it_on) {
            start += middle + 1;
            above = down_to_it;
            look = look.saturating_mul(32);
        } else {
            end = start + middle;
            below = from_it_on;
            look = usize::MAX;
        }
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_largest_is_that_of_a_sort() {
        let mut random = fastrand::Rng::with_seed(7);
        for length in [1, 2, 7, 100] {
            let keys: Vec<f32> = (0..length).map(|_| random.i8(..) as f32).collect();
            let mut sorted = keys.clone();
            sorted.sort_by(|left, right| descending(*left, *right));
            for count in 1..=length {
                assert_eq!(nth_largest(keys.iter().copied(), count), sorted[count - 1]);
            }
        }
    }

    #[test]
    fn ties_are_cut_on_the_side_that_is_named() {
        for (ties, kept) in [(Ties::First, [0, 2]), (Ties::Last, [2, 3])] {
            let mut scores = [1.0, 0.0, 5.0, 1.0];
            keep_best(&mut scores, |score| score, 1.0, 2, ties);
            let left: Vec<usize> = (0..4).filter(|&at| scores[at] > f32::NEG_INFINITY).collect();
            assert_eq!(left, kept);
        }
    }

    #[test]
    fn the_edge_is_that_of_a_sort() {
        let mut random = fastrand::Rng::with_seed(3);
        for length in [0, 1, 2, 65, 5000] {
            let weighted: Vec<Weighted> = (0..length).map(|at| (random.f32(), (at % 4) as f32)).collect();
            let mut sorted = weighted.clone();
            sorted.sort_by(|left, right| descending(left.0, right.0));
            let total: f64 = weighted.iter().map(|&(_, weight)| f64::from(weight)).sum();
            for part in [0.0, 0.01, 0.5, 0.99, 1.0] {
                let mut sum = 0.0;
                let count = sorted.iter().take_while(|&&(_, weight)| {
                    sum += f64::from(weight);
                    sum < total * part
                });
                let count = count.count();
                let mut from_above = weighted.clone();
                assert_eq!(edge(&mut from_above, 0.0, |down_to_it, _| down_to_it < total * part), count);
                assert_eq!(from_above.get(count), sorted.get(count));

                let count = (0..length).rev().find(|&at| {
                    let from_it_on: f64 = sorted[at..].iter().map(|&(_, weight)| f64::from(weight)).sum();
                    from_it_on > total * part
                });
                let count = count.map_or(0, |at| at + 1);
                assert_eq!(
                    edge(&mut weighted.clone(), 0.0, |_, from_it_on| from_it_on > total * part),
                    count
                );
            }
        }
    }
}
