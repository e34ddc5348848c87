//! The model that the program carries inside itself: `--model bundled`.

use burnpipe::Checkpoint;

/// The name that asks for it.
pub(crate) const NAME: &str = "bundled";

/// What it is, for `doctor`.
pub(crate) const ABOUT: &str = "Rampart, CC BY 4.0, (c) 2026 National Design Studio";

/// The model, in a build that carries it.
#[cfg(feature = "bundled")]
pub(crate) fn checkpoint() -> Option<Checkpoint> {
    Some(Checkpoint::from_memory(NAME, files::FILES))
}

/// The model, in a build that carries it.
#[cfg(not(feature = "bundled"))]
pub(crate) fn checkpoint() -> Option<Checkpoint> {
    None
}

#[cfg(feature = "bundled")]
mod files {
    /// Bytes that begin where any number type may begin, so that weights need not be copied.
    #[repr(C, align(64))]
    struct Aligned<B: ?Sized>(B);

    static WEIGHTS: &Aligned<[u8]> =
        &Aligned(*include_bytes!("../../../models/rampart-bert-pii/model.safetensors"));

    /// A file of the model's folder under its own name.
    macro_rules! file {
        ($name:literal) => {
            ($name, include_bytes!(concat!("../../../models/rampart-bert-pii/", $name)))
        };
    }

    /// The files of the model; its `vocab.txt` only repeats what `tokenizer.json` says.
    pub(super) static FILES: &[(&str, &[u8])] = &[
        file!("README.md"),
        file!("LICENSE"),
        file!("config.json"),
        file!("special_tokens_map.json"),
        file!("tokenizer.json"),
        file!("tokenizer_config.json"),
        ("model.safetensors", &WEIGHTS.0),
    ];

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn weights_are_aligned() {
            assert_eq!(WEIGHTS.0.as_ptr().addr() % 64, 0);
        }
    }
}
