//! Words that a constrained beam search must make, and how far a row is with them.
//!
//! Reference: `generation/beam_constraints.py` of transformers 4.56.2.

use std::cell::RefCell;
use std::rc::Rc;

use burnpipe_core::{Error, ErrorKind, Result};

use crate::config::ForcedWords;

/// One phrase, or several of which one must be made: `PhrasalConstraint` and `DisjunctiveConstraint`.
#[derive(Clone, Debug)]
pub(super) struct Constraint {
    phrases: Vec<Vec<u32>>,
    /// Steps that it takes at most: the length of its longest phrase.
    length: usize,
}

/// A constraint and how much of it is made.
#[derive(Clone)]
struct Progress<'c> {
    constraint: &'c Constraint,
    /// Copies of a state share this: in the reference two tokens that go on with the same alternatives write into
    /// one list, which decides over the banks that rows are sorted by.
    made: Rc<RefCell<Vec<u32>>>,
    completed: bool,
}

/// How far a row is with all constraints: `ConstraintListState`.
#[derive(Clone)]
pub(super) struct Progresses<'c> {
    /// Steps of the longest constraint.
    longest: usize,
    complete: usize,
    in_progress: Option<Progress<'c>>,
    pending: Vec<Progress<'c>>,
    pub(super) completed: bool,
}

impl Constraint {
    /// The constraints of `force_words_ids`.
    ///
    /// # Errors
    ///
    /// When there are none, one is empty, or an alternative begins with another whole one.
    pub(super) fn of(words: &[ForcedWords]) -> Result<Vec<Self>> {
        if words.is_empty() {
            return Err(refusal("`force_words_ids` must not be empty"));
        }
        words.iter().map(Self::of_words).collect()
    }

    fn of_words(words: &ForcedWords) -> Result<Self> {
        let phrases = match words {
            ForcedWords::Phrase(phrase) => vec![phrase.clone()],
            ForcedWords::OneOf(phrases) => phrases.clone(),
        };
        let length = phrases.iter().map(Vec::len).max().unwrap_or(0);
        if phrases.iter().any(Vec::is_empty) || length == 0 {
            return Err(refusal("`force_words_ids` has a word without tokens"));
        }
        for (place, phrase) in phrases.iter().enumerate() {
            let others = phrases.iter().enumerate().filter(|(other, _)| *other != place);
            if others.into_iter().any(|(_, other)| other.starts_with(phrase)) {
                let message =
                    format!("`force_words_ids`: {phrase:?} is the beginning of another alternative");
                return Err(refusal(&message));
            }
        }
        Ok(Self { phrases, length })
    }

    /// The tokens that may follow what is made, in the order of the alternatives.
    fn next_tokens(&self, made: &[u32]) -> Vec<u32> {
        let mut next = Vec::new();
        for phrase in &self.phrases {
            match phrase.get(made.len()) {
                Some(token) if phrase.starts_with(made) && !next.contains(token) => next.push(*token),
                _ => {}
            }
        }
        next
    }
}

impl<'c> Progress<'c> {
    fn new(constraint: &'c Constraint) -> Self {
        Self { constraint, made: Rc::default(), completed: false }
    }

    fn next_tokens(&self) -> Vec<u32> {
        self.constraint.next_tokens(&self.made.borrow())
    }

    /// Takes a token: whether it made progress. If not, all progress is lost.
    fn update(&mut self, token: u32) -> bool {
        let advances = self.next_tokens().contains(&token);
        if advances {
            self.made.borrow_mut().push(token);
        } else {
            self.made = Rc::default();
        }
        self.completed = self.next_tokens().is_empty();
        advances
    }

    fn remaining(&self) -> usize {
        if self.completed { 0 } else { self.constraint.length.saturating_sub(self.made.borrow().len()) }
    }
}

impl<'c> Progresses<'c> {
    /// Where a row stands after its tokens, the prompt's included.
    pub(super) fn of(constraints: &'c [Constraint], tokens: &[u32]) -> Self {
        let mut state = Self {
            longest: constraints.iter().map(|constraint| constraint.length).max().unwrap_or(0),
            complete: 0,
            in_progress: None,
            pending: constraints.iter().map(Progress::new).collect(),
            completed: false,
        };
        for &token in tokens {
            state.add(token);
            if state.completed {
                break;
            }
        }
        state
    }

    /// More for a row that is further: what rows are sorted by before their scores.
    pub(super) fn bank(&self) -> usize {
        let begun = self.in_progress.as_ref().map_or(0, |progress| self.longest - progress.remaining());
        self.complete * self.longest + begun
    }

    /// The tokens that would bring it further.
    pub(super) fn next_tokens(&self) -> Vec<u32> {
        match &self.in_progress {
            Some(progress) => progress.next_tokens(),
            None => self.pending.iter().flat_map(Progress::next_tokens).collect(),
        }
    }

    /// The state after one more token.
    pub(super) fn after(&self, token: u32) -> Self {
        let mut state = self.clone();
        // Pending constraints start from nothing in a copy.
        state.pending.iter_mut().for_each(|pending| *pending = Progress::new(pending.constraint));
        state.add(token);
        state
    }

    fn add(&mut self, token: u32) {
        if self.completed {
            return;
        }
        let mut progress = match self.in_progress.take() {
            Some(progress) => progress,
            None => {
                let advancing = |pending: &Progress<'_>| pending.next_tokens().contains(&token);
                match self.pending.iter().position(advancing) {
                    Some(place) => self.pending.remove(place),
                    None => return,
                }
            }
        };
        if !progress.update(token) {
            self.pending.push(Progress::new(progress.constraint));
        } else if progress.completed {
            self.complete += 1;
            self.completed = self.pending.is_empty();
        } else {
            self.in_progress = Some(progress);
        }
    }
}

fn refusal(message: &str) -> Error {
    Error::new(ErrorKind::Parameter, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constraints() -> Vec<Constraint> {
        let one_of = ForcedWords::OneOf(vec![vec![4, 5], vec![4, 6, 7], vec![8]]);
        Constraint::of(&[ForcedWords::Phrase(vec![1, 2, 3]), one_of]).unwrap()
    }

    #[test]
    fn a_row_makes_one_constraint_at_a_time() {
        let constraints = constraints();
        let bank = |tokens: &[u32]| Progresses::of(&constraints, tokens).bank();
        assert_eq!([bank(&[]), bank(&[1]), bank(&[1, 2]), bank(&[1, 2, 9])], [0, 1, 2, 0]);
        assert_eq!([bank(&[9, 1, 2, 3]), bank(&[1, 2, 3, 4]), bank(&[8])], [3, 4, 3]);
        assert!(Progresses::of(&constraints, &[1, 2, 3, 9, 4, 5]).completed);
        assert_eq!(Progresses::of(&constraints, &[1]).next_tokens(), [2]);
        assert_eq!(Progresses::of(&constraints, &[]).next_tokens(), [1, 4, 8]);
        assert_eq!(Progresses::of(&constraints, &[4]).next_tokens(), [5, 6]);
    }

    #[test]
    fn words_that_cannot_be_forced_are_refused() {
        for words in [
            vec![],
            vec![ForcedWords::Phrase(vec![])],
            vec![ForcedWords::OneOf(vec![])],
            vec![ForcedWords::OneOf(vec![vec![1], vec![1, 2]])],
            vec![ForcedWords::OneOf(vec![vec![1, 2], vec![1, 2]])],
        ] {
            assert_eq!(Constraint::of(&words).unwrap_err().kind(), ErrorKind::Parameter, "{words:?}");
        }
    }
}
