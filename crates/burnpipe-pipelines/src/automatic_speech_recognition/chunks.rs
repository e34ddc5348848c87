//! Chunks of a sound that overlap, so that what is cut apart is heard whole in one of them.

use std::ops::Range;

use burnpipe_core::{Error, ErrorKind, Result};

/// How much of a chunk is context only, in samples or in steps in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stride {
    /// The whole chunk.
    pub length: usize,
    /// What is context at its beginning.
    pub left: usize,
    /// What is context at its end.
    pub right: usize,
}

impl Stride {
    /// The stride in steps in time of so many samples: Python's `rescale_stride`.
    pub(crate) fn in_steps(self, samples: usize) -> Self {
        let length = rounded(self.length as f64 * (1.0 / samples as f64));
        let part = |part: usize| rounded(part as f64 / self.length as f64 * length as f64);
        Self { length, left: part(self.left), right: part(self.right) }
    }

    /// The steps that are no context, of so many that the model gave: it gives fewer than the sound is long.
    pub(crate) fn kept(self, steps: usize) -> Range<usize> {
        let end = self.length.saturating_sub(self.right).min(steps);
        self.left.min(end)..end
    }
}

/// A part of a sound, and how much of it is context.
pub(crate) type Chunk = (Range<usize>, Option<Stride>);

/// Cuts a sound of `length` samples into chunks of `seconds`, of which `strides` on either side are context.
pub(crate) fn cut(
    length: usize,
    seconds: f64,
    strides: [f64; 2],
    sampling_rate: u32,
    alignment: usize,
) -> Result<Vec<Chunk>> {
    if ![seconds, strides[0], strides[1]].iter().all(|number| number.is_finite() && *number >= 0.0) {
        let message = "parameters `chunk_length_s` and `stride_length_s` must be seconds, from 0";
        return Err(Error::new(ErrorKind::Parameter, message));
    }
    let aligned = |seconds: f64| {
        rounded(seconds * f64::from(sampling_rate) / alignment as f64).saturating_mul(alignment)
    };
    let (chunk, left, right) = (aligned(seconds), aligned(strides[0]), aligned(strides[1]));
    let Some(step) = chunk.checked_sub(left.saturating_add(right)).filter(|&step| step > 0) else {
        let message = format!(
            "parameter `stride_length_s`: {} and {} s of context leave nothing of chunks of {seconds} s",
            strides[0], strides[1]
        );
        return Err(Error::new(ErrorKind::Parameter, message));
    };
    let mut chunks = Vec::new();
    for start in (0..length).step_by(step) {
        let end = start.saturating_add(chunk);
        let (is_last, range) = (end >= length, start..end.min(length));
        let left = if start == 0 { 0 } else { left };
        let right = if is_last { 0 } else { right };
        chunks.push((range.clone(), Some(Stride { length: range.len(), left, right })));
        if is_last {
            break;
        }
    }
    Ok(chunks)
}

/// The stride of a whole sound of `length` samples, given in samples at the rate that the sound had before.
pub(crate) fn given(
    length: usize,
    [left, right]: [usize; 2],
    given_rate: u32,
    sampling_rate: u32,
) -> Result<Stride> {
    let scaled =
        |samples: usize| rounded(samples as f64 * (f64::from(sampling_rate) / f64::from(given_rate)));
    let (left, right) = (scaled(left), scaled(right));
    if left.saturating_add(right) > length {
        let message = format!("`stride` of the input leaves nothing of its {length} samples");
        return Err(Error::new(ErrorKind::Input, message));
    }
    Ok(Stride { length, left, right })
}

/// Python's `round`: halves go to the even neighbour.
fn rounded(number: f64) -> usize {
    number.round_ties_even() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strides_are_rescaled_as_in_python() {
        let stride = |length, left, right| Stride { length, left, right };
        for (samples, steps) in [
            (stride(160_000, 16_000, 16_000), stride(500, 50, 50)),
            (stride(400, 0, 0), stride(1, 0, 0)),
            // 800 / 320 = 2.5, and 3.5 steps: halves go to the even neighbour.
            (stride(800, 160, 320), stride(2, 0, 1)),
            (stride(1120, 480, 0), stride(4, 2, 0)),
        ] {
            assert_eq!(samples.in_steps(320), steps);
        }
        assert_eq!(stride(500, 50, 50).kept(499), 50..450);
        assert_eq!(stride(50, 0, 0).kept(49), 0..49);
        assert_eq!(stride(4, 4, 0).kept(3), 3..3);
    }

    #[test]
    fn chunks_cover_the_sound_once() {
        for length in [1, 99, 100, 101, 160, 161, 1000, 1003] {
            let chunks = cut(length, 10.0, [2.0, 3.0], 10, 1).unwrap();
            let mut covered = 0;
            for (range, stride) in chunks {
                let stride = stride.unwrap();
                assert_eq!(range.len(), stride.length);
                assert_eq!(range.start + stride.left, covered);
                covered = range.end - stride.right;
            }
            assert_eq!(covered, length);
        }
    }

    #[test]
    fn context_that_leaves_nothing_is_refused() {
        for (seconds, strides) in
            [(1.0, [0.5, 0.5]), (1.0, [2.0, 0.0]), (-1.0, [0.0; 2]), (f64::NAN, [0.0; 2])]
        {
            assert_eq!(cut(100, seconds, strides, 10, 1).unwrap_err().kind(), ErrorKind::Parameter);
        }
        assert_eq!(given(10, [6, 5], 1, 1).unwrap_err().kind(), ErrorKind::Input);
        assert_eq!(given(20, [6, 3], 8, 16).unwrap(), Stride { length: 20, left: 12, right: 6 });
    }
}
