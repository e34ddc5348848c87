//! Truncation of an encoded pair, as the `tokenizers` crate does it inside a tokenizer.
//!
//! The crate's own function panics where a stride does not fit the window; this one checks first.

use burnpipe_core::{Error, ErrorKind, Result};
use tokenizers::{Encoding, TruncationDirection, TruncationParams, TruncationStrategy};

/// Shortens `first` and `second` to `params.max_length` tokens together, keeping what is cut off as
/// overflowing windows.
pub(crate) fn truncate_pair(
    first: &mut Encoding,
    second: Option<&mut Encoding>,
    params: &TruncationParams,
) -> Result<()> {
    let first_len = first.len();
    let second_len = second.as_ref().map(|second| second.len());
    let Some((first_target, second_target)) = targets(first_len, second_len, params)? else {
        return Ok(());
    };
    truncate_one(first, first_target, params)?;
    if let Some(second) = second {
        truncate_one(second, second_target, params)?;
    }
    Ok(())
}

/// The lengths to keep, or `None` when everything fits.
fn targets(first: usize, second: Option<usize>, params: &TruncationParams) -> Result<Option<(usize, usize)>> {
    let max_length = params.max_length;
    if max_length == 0 {
        return Ok(Some((0, 0)));
    }
    let second_len = second.unwrap_or(0);
    let Some(excess) = (first + second_len).checked_sub(max_length).filter(|excess| *excess > 0) else {
        return Ok(None);
    };
    let targets = match (params.strategy, second) {
        (TruncationStrategy::LongestFirst, None) => (max_length, 0),
        (TruncationStrategy::LongestFirst, Some(second)) => longest_first(first, second, max_length),
        (TruncationStrategy::OnlyFirst, _) => (shortened(first, excess, "first")?, second_len),
        (TruncationStrategy::OnlySecond, Some(second)) => (first, shortened(second, excess, "second")?),
        (TruncationStrategy::OnlySecond, None) => {
            let message = "truncation `only_second` needs a pair of texts, and there is only one; \
                           use `only_first` or `longest_first`";
            return Err(Error::new(ErrorKind::Input, message));
        }
    };
    Ok(Some(targets))
}

/// The shorter sequence is kept whole when the longer one can make up for it; else both are halved.
fn longest_first(first: usize, second: usize, max_length: usize) -> (usize, usize) {
    let shorter = first.min(second);
    let mut short_target = shorter;
    let mut long_target = match max_length.checked_sub(shorter) {
        None => shorter,
        Some(rest) => shorter.max(rest),
    };
    if short_target + long_target > max_length {
        short_target = max_length / 2;
        long_target = short_target + max_length % 2;
    }
    if first > second { (long_target, short_target) } else { (short_target, long_target) }
}

fn shortened(length: usize, excess: usize, which: &str) -> Result<usize> {
    length.checked_sub(excess).filter(|target| *target > 0).ok_or_else(|| {
        let message = format!(
            "the {which} text has {length} tokens and {excess} are over the maximum length, \
             so that truncation `only_{which}` cannot help; use a larger `max_length` or `longest_first`"
        );
        Error::new(ErrorKind::Input, message)
    })
}

fn truncate_one(encoding: &mut Encoding, target: usize, params: &TruncationParams) -> Result<()> {
    if target < encoding.len() && target > 0 && params.stride >= target {
        let message = format!(
            "`stride` is {} and a window holds {target} tokens of the text; use a smaller `stride` or a larger `max_length`",
            params.stride
        );
        return Err(Error::new(ErrorKind::Parameter, message));
    }
    encoding.truncate(target, params.stride, params.direction);
    Ok(())
}

/// The library's name for a side.
pub(crate) fn direction(side: crate::Side) -> TruncationDirection {
    match side {
        crate::Side::Left => TruncationDirection::Left,
        crate::Side::Right => TruncationDirection::Right,
    }
}
