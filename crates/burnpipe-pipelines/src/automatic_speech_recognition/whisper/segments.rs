//! How far a window was heard: what of its text stays, and where the next window begins.
//!
//! Reference: `_retrieve_segment` in `generation_whisper.py` of transformers 4.56.2.

/// Frames of the step from one mark of a time to the next.
const FRAMES_OF_STEP: usize = 2;

/// What of a window's tokens stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// Where each part ends among the tokens; behind the last nothing stays.
    pub(super) ends: Vec<usize>,
    /// Frames from the window's start to the next window's.
    pub(super) frames: usize,
}

/// Looks where parts end in the tokens of a window of so many `frames`. `timestamp_begin` is the first mark of a
/// time.
pub(super) fn heard(tokens: &[u32], timestamp_begin: u32, frames: usize) -> Heard {
    let is_time = |token: &u32| *token >= timestamp_begin;
    // A part ends and the next begins between two marks.
    let pairs = tokens.windows(2).enumerate().filter(|(_, pair)| pair.iter().all(is_time));
    let mut ends: Vec<usize> = pairs.map(|(place, _)| place + 1).collect();
    let Some(last) = ends.last_mut() else { return Heard { ends: vec![tokens.len()], frames } };
    let single_ending =
        tokens.len() >= 2 && tokens.last().is_some_and(is_time) && !is_time(&tokens[tokens.len() - 2]);
    if single_ending {
        // Nothing is said behind the last mark.
        ends.push(tokens.len());
        return Heard { ends, frames };
    }
    // What stands behind the last pair is not finished, and heard again from there on.
    let time = tokens[*last - 1] - timestamp_begin;
    *last += 1;
    Heard { ends, frames: time as usize * FRAMES_OF_STEP }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Marks of times begin at 100.
    #[test]
    fn windows_end_where_the_last_whole_part_does() {
        let cases: [(&[u32], &[usize], usize); 7] = [
            (&[], &[0], 3000),
            (&[1, 2, 3], &[3], 3000),
            (&[100, 1, 2, 150], &[4], 3000),
            (&[100, 1, 150, 150, 2, 3], &[4], 100),
            (&[100, 1, 150, 150, 2, 170], &[3, 6], 3000),
            (&[100, 1, 150, 151, 2, 170, 175], &[3, 7], 140),
            (&[100, 100], &[2], 0),
        ];
        for (tokens, ends, frames) in cases {
            assert_eq!(heard(tokens, 100, 3000), Heard { ends: ends.to_vec(), frames }, "{tokens:?}");
        }
    }
}
