//! One vector of the vectors of a text's tokens.

use serde::Deserialize;

/// How one vector is made of the tokens' vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// As the repository's sentence-transformers files say.
    Auto,
    /// The mean of all tokens.
    Mean,
    /// The sum of all tokens, over the square root of their number.
    MeanSqrtLen,
    /// The mean of all tokens, each weighted by its place from 1.
    WeightedMean,
    /// The first token.
    Cls,
    /// The last token.
    #[serde(alias = "lasttoken")]
    Last,
    /// The greatest value of each element.
    Max,
}

/// What the tokens of a text are pooled from.
pub(super) struct Tokens<'a> {
    /// The vectors, `[tokens, size]`.
    pub(super) vectors: &'a [f32],
    pub(super) size: usize,
    /// Which tokens are text.
    pub(super) attention_mask: &'a [bool],
    /// How many tokens at the beginning are left out of sums, means and maxima.
    pub(super) prompt: usize,
}

impl Tokens<'_> {
    /// One vector, `[size]`; [`Pooling::Auto`] is the mean here.
    pub(super) fn pool(&self, pooling: Pooling) -> Vec<f32> {
        let mut pooled = match pooling {
            Pooling::Cls => return self.text().next().map(|(_, vector)| vector.to_vec()).unwrap_or_default(),
            Pooling::Last => {
                return self.text().last().map(|(_, vector)| vector.to_vec()).unwrap_or_default();
            }
            Pooling::Max => return self.greatest(),
            Pooling::Mean | Pooling::Auto | Pooling::MeanSqrtLen | Pooling::WeightedMean => {
                vec![0.0; self.size]
            }
        };
        let mut weights = 0.0_f32;
        for (place, vector) in self.counted() {
            let weight = if pooling == Pooling::WeightedMean { (place + 1) as f32 } else { 1.0 };
            weights += weight;
            pooled.iter_mut().zip(vector).for_each(|(sum, value)| *sum += weight * value);
        }
        let divisor = weights.max(1e-9);
        let divisor = if pooling == Pooling::MeanSqrtLen { divisor.sqrt() } else { divisor };
        pooled.iter_mut().for_each(|sum| *sum /= divisor);
        pooled
    }

    /// The vectors of the text with their places.
    fn text(&self) -> impl Iterator<Item = (usize, &[f32])> {
        let vectors = self.vectors.chunks(self.size.max(1)).zip(self.attention_mask).enumerate();
        vectors.filter(|(_, (_, seen))| **seen).map(|(place, (vector, _))| (place, vector))
    }

    fn counted(&self) -> impl Iterator<Item = (usize, &[f32])> {
        self.text().filter(|(place, _)| *place >= self.prompt)
    }

    fn greatest(&self) -> Vec<f32> {
        // What sentence-transformers writes over the tokens that do not count.
        let mut greatest = vec![-1e9_f32; self.size];
        for (_, vector) in self.counted() {
            greatest.iter_mut().zip(vector).for_each(|(most, value)| *most = most.max(*value));
        }
        greatest
    }
}
