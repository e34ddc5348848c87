//! The vectors that DeBERTa has for distances between tokens: which distance has which, and what the layers
//! make of them.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::Tensor;
use burnpipe_core::Result;

use super::config::unsupported;

/// Which vector a distance has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RelativePositions {
    /// The vector of a token to itself; there are twice as many.
    span: usize,
    buckets: Option<Buckets>,
}

/// From `middle` on, distances share vectors, more of them the further they are.
#[derive(Clone, Copy, Debug)]
struct Buckets {
    middle: usize,
    /// The logarithm of the furthest distance that has a vector of its own range, over `middle`.
    log_of_furthest: f32,
}

impl RelativePositions {
    /// Vectors for distances below `furthest`, in `buckets` if there are any.
    pub(crate) fn new(furthest: usize, buckets: Option<usize>) -> Result<Self> {
        let Some(count) = buckets else { return Ok(Self { span: furthest, buckets: None }) };
        let middle = count / 2;
        if middle == 0 || furthest == middle + 1 {
            let reason = "there is no logarithm between it and `max_relative_positions`";
            return Err(unsupported("position_buckets", count, reason));
        }
        let log_of_furthest = log((furthest.saturating_sub(1) as f64 / middle as f64) as f32);
        Ok(Self { span: count, buckets: Some(Buckets { middle, log_of_furthest }) })
    }

    /// How many vectors there are.
    pub(crate) fn count(&self) -> usize {
        2 * self.span
    }

    /// The vector of a distance, query minus key.
    pub(crate) fn place(&self, distance: isize) -> usize {
        let bucket = self.buckets.map_or(distance, |buckets| buckets.bucket(distance));
        bucket.saturating_add_unsigned(self.span).clamp(0, self.count() as isize - 1) as usize
    }

    /// The vectors of all distances in texts of this many tokens.
    pub(crate) fn places(&self, tokens: usize) -> Range<usize> {
        let last = tokens.saturating_sub(1) as isize;
        let places = || (-last..=last).map(|distance| self.place(distance));
        places().min().unwrap_or(0)..places().max().map_or(0, |last| last + 1)
    }
}

impl Buckets {
    /// `make_log_bucket_position`, in f32 as there: a bucket begins where a number rounds to a whole one.
    fn bucket(self, distance: isize) -> isize {
        let apart = distance.unsigned_abs();
        if apart <= self.middle {
            return distance;
        }
        let part = log(apart as f32 / self.middle as f32) / self.log_of_furthest;
        let bucket = (part * (self.middle - 1) as f32).ceil() as isize + self.middle as isize;
        bucket * distance.signum()
    }
}

/// The logarithm, rounded to the nearest f32 on every machine.
fn log(x: f32) -> f32 {
    f64::from(x).ln() as f32
}

/// What a layer compares tokens with, already scaled: `[1, heads, places, size]`.
#[derive(Clone, Debug)]
pub(crate) struct DistanceVectors {
    /// What its queries are multiplied with.
    pub(crate) keys: Option<Tensor<4>>,
    /// What its keys are multiplied with.
    pub(crate) queries: Option<Tensor<4>>,
}

/// Those of all layers, for the distances of texts up to a length.
#[derive(Debug)]
pub(crate) struct LayersVectors {
    /// The longest text.
    pub(crate) tokens: usize,
    /// The places that they are the vectors of.
    pub(crate) places: Range<usize>,
    /// By layer.
    pub(crate) layers: Vec<DistanceVectors>,
}

/// The vectors hang on the weights only, so they are kept from text to text.
#[derive(Clone, Debug, Default)]
pub(crate) struct VectorCache(Arc<Mutex<Option<Arc<LayersVectors>>>>);

impl VectorCache {
    /// The vectors for texts of this many tokens or more. They are made outside of the lock: a thread that
    /// computes may take up another text on its way.
    pub(crate) fn get(&self, tokens: usize, make: impl FnOnce(usize) -> LayersVectors) -> Arc<LayersVectors> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().clone();
        if let Some(known) = known.filter(|known| known.tokens >= tokens) {
            return known;
        }
        let made = Arc::new(make(tokens.next_power_of_two()));
        *lock() = Some(made.clone());
        made
    }
}

#[cfg(test)]
mod tests {
    use super::RelativePositions;

    /// The numbers are those of `make_log_bucket_position`.
    #[test]
    fn far_distances_share_a_bucket() {
        let positions = RelativePositions::new(512, Some(256)).unwrap();
        for (distance, bucket) in [(0, 0), (1, 1), (128, 128), (129, 129), (200, 169), (300, 207), (511, 255)]
        {
            assert_eq!(positions.place(distance), 256 + bucket, "{distance}");
            assert_eq!(positions.place(-distance), 256 - bucket, "-{distance}");
        }
        // There is a vector more for keys that stand after their query.
        assert_eq!((positions.place(512), positions.place(-512), positions.place(-9999)), (511, 0, 0));
        assert_eq!(positions.places(3), 254..259);
    }

    #[test]
    fn without_buckets_far_distances_are_the_furthest() {
        let positions = RelativePositions::new(4, None).unwrap();
        assert_eq!([-9, -4, -3, 0, 3, 4].map(|distance| positions.place(distance)), [0, 0, 1, 4, 7, 7]);
        assert_eq!(positions.places(3), 2..7);
        assert_eq!(positions.places(30), 0..8);
    }
}
