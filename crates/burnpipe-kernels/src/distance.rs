//! Scores that hang on how far a key is from its query, as DeBERTa's do: every query and every key has a
//! score with each of a few places, and the distance of the two says with which one.

use std::ops::Range;

/// What distances add to the scores of an attention whose queries are its keys.
#[derive(Clone, Copy, Debug)]
pub struct DistanceScores<'a> {
    /// Scores of the queries, `[batch, heads, tokens, places]`.
    pub of_queries: Option<&'a [f32]>,
    /// Scores of the keys, `[batch, heads, tokens, places]`.
    pub of_keys: Option<&'a [f32]>,
    /// Places that a distance can take.
    pub places: usize,
    /// The place of each distance, key minus query: the middle one is that of a token to itself.
    pub place_of: &'a [u32],
}

impl DistanceScores<'_> {
    /// Panics unless there is a score for every token, and a place for every distance of `longest` tokens.
    pub(crate) fn check(&self, batch: usize, heads: usize, tokens: usize, longest: usize) {
        let count = batch * heads * tokens * self.places;
        let holds = |scores: Option<&[f32]>| scores.is_none_or(|scores| scores.len() == count);
        assert!(holds(self.of_queries) && holds(self.of_keys), "a score per token and place");
        let odd = !self.place_of.len().is_multiple_of(2);
        assert!(odd && self.place_of.len() >= 2 * longest.max(1) - 1, "a place per distance");
        assert!(self.place_of.iter().all(|&place| (place as usize) < self.places), "places that exist");
    }

    /// Adds what they are for one query of a head. `first` is the head's first token, counted over all heads.
    #[inline(always)]
    pub(crate) fn add(&self, scores: &mut [f32], first: usize, query: usize, keys: &Range<usize>) {
        let middle = self.place_of.len() / 2;
        let start = middle + keys.start - query;
        let place_of = &self.place_of[start..start + keys.len()];
        let row = |token: usize| (first + token) * self.places;
        if let Some(of_queries) = self.of_queries {
            let own = &of_queries[row(query)..row(query + 1)];
            scores.iter_mut().zip(place_of).for_each(|(score, &place)| *score += own[place as usize]);
        }
        if let Some(of_keys) = self.of_keys {
            let rows = of_keys[row(keys.start)..row(keys.end)].chunks_exact(self.places);
            let scores = scores.iter_mut().zip(place_of).zip(rows);
            scores.for_each(|((score, &place), own)| *score += own[place as usize]);
        }
    }
}
