//! Scores that hang on how far apart two tokens are, as DeBERTa's do.

use std::sync::{Arc, OnceLock};

use burn::tensor::{DType, Device, Int, Tensor, TensorData};

/// What distances add to the scores of an attention, already scaled: every query and every key has a score
/// with each of a few places, and the distance of the two says with which one.
#[derive(Clone, Debug)]
pub struct DistanceScores {
    /// Of the queries: `[batch, heads, tokens, places]`.
    pub of_queries: Option<Tensor<4>>,
    /// Of the keys: `[batch, heads, tokens, places]`.
    pub of_keys: Option<Tensor<4>>,
    /// The place of every distance.
    pub distances: Distances,
}

/// The place of every distance between the tokens of a text. Clones share the table that is made of it.
#[derive(Clone, Debug)]
pub struct Distances {
    /// By key minus query; the middle is the distance of a token to itself.
    place_of: Arc<[u32]>,
    table: Arc<OnceLock<Tensor<2, Int>>>,
}

impl Distances {
    /// The places of the distances, query minus key, in texts of up to `longest` tokens.
    pub fn new(longest: usize, place: impl Fn(isize) -> usize) -> Self {
        let last = longest.saturating_sub(1) as isize;
        let place_of = (-last..=last).map(|distance| place(-distance) as u32).collect();
        Self { place_of, table: Arc::default() }
    }

    /// By key minus query; the middle is the distance of a token to itself.
    #[cfg(feature = "flex")]
    pub(super) fn place_of(&self) -> &[u32] {
        &self.place_of
    }

    /// The place of every query and key: `[tokens, tokens]`.
    fn table(&self, tokens: usize, device: &Device) -> Tensor<2, Int> {
        let make = || {
            let middle = self.place_of.len() / 2;
            let rows = (0..tokens).flat_map(|query| &self.place_of[middle - query..][..tokens]);
            let places: Vec<i32> = rows.map(|&place| place as i32).collect();
            Tensor::from_data(TensorData::new(places, [tokens, tokens]), (device, DType::I32))
        };
        self.table.get_or_init(make).clone()
    }
}

impl DistanceScores {
    /// What is added to each score, or `None` for nothing: `[batch, heads, queries, keys]`.
    pub fn bias(&self) -> Option<Tensor<4>> {
        let of_queries = self.of_queries.clone().map(|scores| {
            let table = self.table(&scores);
            scores.gather(3, table)
        });
        let of_keys = self.of_keys.clone().map(|scores| {
            let table = self.table(&scores).swap_dims(2, 3);
            scores.gather(3, table).swap_dims(2, 3)
        });
        match (of_queries, of_keys) {
            (Some(of_queries), Some(of_keys)) => Some(of_queries + of_keys),
            (of_queries, of_keys) => of_queries.or(of_keys),
        }
    }

    fn table(&self, scores: &Tensor<4>) -> Tensor<4, Int> {
        let [batch, heads, tokens, _] = scores.dims();
        let table = self.distances.table(tokens, &scores.device());
        table.unsqueeze::<4>().expand([batch, heads, tokens, tokens])
    }

    /// The scores of some tokens among themselves.
    pub(super) fn part(&self, start: usize, tokens: usize) -> Self {
        let part = |scores: &Option<Tensor<4>>| scores.clone().map(|scores| scores.narrow(2, start, tokens));
        let distances = Distances { place_of: self.distances.place_of.clone(), table: Arc::default() };
        Self { of_queries: part(&self.of_queries), of_keys: part(&self.of_keys), distances }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device, Tensor, TensorData};

    use super::{DistanceScores, Distances};
    use crate::ops::{AttentionScope, attention};

    fn tensor(shape: [usize; 4], seed: usize, dtype: DType) -> Tensor<4> {
        let count = shape.iter().product::<usize>();
        let values: Vec<f32> =
            (0..count).map(|at| ((at * 37 + seed * 101) % 61) as f32 / 30.0 - 1.0).collect();
        Tensor::from_data(TensorData::new(values, shape), (&Device::flex(), dtype))
    }

    #[test]
    fn the_bias_is_the_score_with_the_place_of_the_distance() {
        let scores = |values: [f32; 6]| {
            let data = TensorData::new(values.to_vec(), [1, 1, 2, 3]);
            Some(Tensor::from_data(data, (&Device::flex(), DType::F32)))
        };
        let scores = DistanceScores {
            of_queries: scores([0.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
            of_keys: scores([0.0, 10.0, 20.0, 30.0, 40.0, 50.0]),
            distances: Distances::new(2, |distance| (distance + 1) as usize),
        };
        let bias = scores.bias().unwrap().into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(bias, [1.0 + 10.0, 0.0 + 30.0, 5.0 + 20.0, 4.0 + 40.0]);
    }

    /// In 16 bits attention does not go by the CPU's kernels.
    #[test]
    fn attention_by_distance_is_the_same_by_kernels_and_without() {
        let run = |dtype| {
            let part = |seed| tensor([1, 2, 7, 4], seed, dtype);
            let distances = DistanceScores {
                of_queries: Some(tensor([1, 2, 7, 5], 4, dtype)),
                of_keys: Some(tensor([1, 2, 7, 5], 5, dtype)),
                distances: Distances::new(4, |distance| (distance.clamp(-2, 2) + 2) as usize),
            };
            let scope = AttentionScope {
                texts: Some([3, 7].into()),
                distances: Some(distances),
                ..AttentionScope::default()
            };
            let answer = attention(part(1), part(2), part(3), &scope);
            answer.into_data().convert::<f32>().try_to_vec::<f32>().unwrap()
        };
        for (exact, half) in run(DType::F32).iter().zip(run(DType::F16)) {
            assert!((exact - half).abs() < 5e-3, "{half}, not {exact}");
        }
    }
}
