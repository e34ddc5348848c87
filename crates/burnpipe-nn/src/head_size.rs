//! How a decoder's width divides into heads, and what of a head is rotated.

use burnpipe_core::{Error, ErrorKind, Result};

/// The numbers of one head, of keys of config.json and their values.
///
/// # Errors
///
/// When the width is no multiple of the heads, or either is 0.
pub fn head_size((width_name, width): (&str, usize), (heads_name, heads): (&str, usize)) -> Result<usize> {
    if heads == 0 || width == 0 || !width.is_multiple_of(heads) {
        let message =
            format!("`{width_name}` {width} in `config.json` is no multiple of `{heads_name}` {heads}");
        return Err(Error::new(ErrorKind::Config, message));
    }
    Ok(width / heads)
}

/// How many numbers of a head are rotated: so many as a key of config.json says, rounded down.
///
/// # Errors
///
/// When they are more than the head has, or no pairs: transformers fails at most of these, too.
pub fn rotary_size(head_dim: usize, (name, numbers): (&str, f64)) -> Result<usize> {
    let size = numbers as usize;
    if size == 0 || size > head_dim || !size.is_multiple_of(2) {
        let message = format!(
            "`{name}` in `config.json` rotates {size} of the {head_dim} numbers of a head; it must be an even number of them, from 2 on"
        );
        return Err(Error::new(ErrorKind::Config, message));
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_do_not_fit_are_named() {
        assert_eq!(head_size(("hidden_size", 24), ("n_head", 3)).unwrap(), 8);
        for (width, heads) in [(24, 5), (24, 0), (0, 4)] {
            let error = head_size(("hidden_size", width), ("n_head", heads)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(&format!("`hidden_size` {width}")), "{error}");
        }
        assert_eq!(rotary_size(10, ("rotary_pct", 2.5)).unwrap(), 2);
        for numbers in [0.0, -1.0, 3.0, 12.0, f64::NAN] {
            let error = rotary_size(10, ("rotary_pct", numbers)).unwrap_err();
            assert!(error.to_string().contains("`rotary_pct`"), "{error}");
        }
    }
}
