//! Which layers of a decoder look at a window only: `layer_types` of config.json.

use burnpipe_core::{Error, ErrorKind, Result};

/// The window of every layer, `None` where a token sees all that stands before it.
///
/// `layer_types` is what the config lists; without it, `slides` says by the layer's place whether it has a
/// window. `window` is `sliding_window`.
///
/// # Errors
///
/// When the list is too short, names another kind of layer, or asks for a window that is not there.
pub fn layer_windows(
    layers: usize,
    layer_types: Option<&[String]>,
    window: Option<usize>,
    slides: impl Fn(usize) -> bool,
) -> Result<Vec<Option<usize>>> {
    let refuse = |message: String| Err(Error::new(ErrorKind::Config, message));
    let window_of = |layer: usize| {
        let slides = match layer_types {
            None => slides(layer),
            Some(types) => match types.get(layer).map(String::as_str) {
                Some("full_attention") => false,
                Some("sliding_attention") => true,
                Some(other) => {
                    return refuse(format!(
                        "`{other}` in `layer_types` of `config.json` is not supported; known: `full_attention`, `sliding_attention`"
                    ));
                }
                None => {
                    let given = types.len();
                    return refuse(format!(
                        "`layer_types` in `config.json` lists {given} layers, and `num_hidden_layers` is {layers}"
                    ));
                }
            },
        };
        match (slides, window) {
            (false, _) => Ok(None),
            (true, Some(window)) => Ok(Some(window)),
            (true, None) => refuse(
                "`config.json` has layers of `sliding_attention` and no `sliding_window`, or does not use it"
                    .into(),
            ),
        }
    };
    (0..layers).map(window_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_come_first_and_broken_ones_are_refused() {
        let types = |names: &[&str]| names.iter().map(|name| (*name).to_string()).collect::<Vec<_>>();
        let listed = types(&["sliding_attention", "full_attention"]);
        assert_eq!(layer_windows(2, Some(&listed), Some(3), |_| false).unwrap(), [Some(3), None]);
        assert_eq!(layer_windows(3, None, Some(3), |layer| layer > 1).unwrap(), [None, None, Some(3)]);
        for (layers, types, window, said) in [
            (3, listed.clone(), Some(3), "lists 2 layers"),
            (2, listed, None, "no `sliding_window`"),
            (1, types(&["chunked_attention"]), Some(3), "`chunked_attention`"),
        ] {
            let error = layer_windows(layers, Some(&types), window, |_| false).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(said), "{error}");
        }
    }
}
