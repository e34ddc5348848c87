//! From logits of start and end to spans of tokens, and from those to characters.

use burnpipe_text::Encoding;

/// The probabilities that a token of a window is the first and the last of the answer.
pub(super) struct Probabilities {
    start: Vec<f32>,
    end: Vec<f32>,
    answerable: Vec<bool>,
    /// The first token, which stands for no answer.
    first: usize,
}

impl Probabilities {
    /// From logits of start and end by turns, `[tokens, 2]`. `answerable` tokens can be in an answer.
    pub(super) fn new(logits: &[f32], answerable: Vec<bool>, first: usize) -> Self {
        let softmax = |which: usize| {
            let logits = logits.chunks_exact(2).map(|pair| pair[which]).zip(&answerable);
            // Python's own number for tokens that are out of the question.
            let logits: Vec<f32> =
                logits.map(|(logit, answerable)| if *answerable { logit } else { -10000.0 }).collect();
            crate::text_features::softmax(&logits)
        };
        let (start, end) = (softmax(0), softmax(1));
        Self { start, end, answerable, first }
    }

    /// The probability of no answer.
    pub(super) fn no_answer(&self) -> f32 {
        let first = |probabilities: &[f32]| probabilities.get(self.first).copied().unwrap_or(0.0);
        first(&self.start) * first(&self.end)
    }
}

/// Tokens from `start` to `end`, both in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) score: f32,
}

/// Up to `count` spans of up to `longest` tokens, the best first; of equal ones the earlier.
///
/// The first token is in none of them. Where there are fewer, a span of it with score 0 comes last, as in
/// Python's result (which may hold other spans of score 0, in no certain order).
pub(super) fn best_spans(probabilities: &Probabilities, count: usize, longest: usize) -> Vec<Span> {
    let Probabilities { start: starts, end: ends, answerable, first } = probabilities;
    let may_be = |token: usize| token != *first && answerable[token];
    let mut best: Vec<Span> = Vec::new();
    for start in (0..starts.len()).filter(|&start| may_be(start) && starts[start] > 0.0) {
        let last = start.saturating_add(longest).min(ends.len());
        for end in (start..last).filter(|&end| may_be(end)) {
            let score = starts[start] * ends[end];
            let is_full = best.len() >= count;
            if score > 0.0 && (!is_full || best.last().is_some_and(|worst| score > worst.score)) {
                let place = best.partition_point(|span| span.score >= score);
                best.insert(place, Span { start, end, score });
                best.truncate(count);
            }
        }
    }
    if best.len() < count && answerable.get(*first) == Some(&true) {
        best.push(Span { start: *first, end: *first, score: 0.0 });
    }
    best
}

/// Where a span begins and ends in its text, in code points: that of its words, or of its tokens where
/// there are none. `sequence` says which text of the encoding has the answer.
pub(super) fn characters(encoding: &Encoding, span: &Span, sequence: usize, words: bool) -> (usize, usize) {
    let word = |token: usize| {
        let word = encoding.word_ids[token].filter(|_| encoding.sequence_ids[token].is_some())?;
        word_characters(encoding, word, sequence)
    };
    match (word(span.start), word(span.end)) {
        (Some((start, _)), Some((_, end))) if words => (start, end),
        _ => (encoding.offsets[span.start].0, encoding.offsets[span.end].1),
    }
}

/// Where a word of a text begins and ends, as far as it is in the window.
fn word_characters(encoding: &Encoding, word: u32, sequence: usize) -> Option<(usize, usize)> {
    let is_of_word = |&token: &usize| {
        encoding.word_ids[token] == Some(word) && encoding.sequence_ids[token] == Some(sequence)
    };
    let mut tokens = (0..encoding.len()).filter(is_of_word);
    let first = tokens.next()?;
    let last = tokens.next_back().unwrap_or(first);
    Some((encoding.offsets[first].0, encoding.offsets[last].1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_come_best_first_and_not_too_long() {
        let logits: Vec<f32> = [[9.0, 9.0], [1.0, 0.0], [0.0, 2.0], [2.0, 1.0]].concat();
        let probabilities = Probabilities::new(&logits, vec![true; 4], 0);
        let spans = |count, longest| -> Vec<(usize, usize)> {
            best_spans(&probabilities, count, longest).iter().map(|span| (span.start, span.end)).collect()
        };
        // The first token is masked; (1, 2) and (3, 3) score the same.
        assert_eq!(spans(2, 9), [(1, 2), (3, 3)]);
        assert_eq!(spans(9, 1), [(3, 3), (2, 2), (1, 1), (0, 0)]);
        assert_eq!(spans(9, 9).len(), 7);
        let none = Probabilities::new(&logits, vec![false; 4], 0);
        assert_eq!(best_spans(&none, 3, 3), []);
    }
}
