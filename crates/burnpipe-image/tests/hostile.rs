//! Files that were damaged give an image or an error that names them, and no panic.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::path::PathBuf;

use burnpipe_image::Image;
use proptest::prelude::*;
use proptest::sample::Index;

/// One or two of every format and of every decoder's branches.
const FILES: [&str; 18] = [
    "3-420.jpg",
    "3-422-progressive.jpg",
    "3-CMYK.jpg",
    "exif-6.jpg",
    "0-16-0.png",
    "3-4-1.png",
    "6-8-1.png",
    "profile.png",
    "rgb-80.webp",
    "rgba-lossless.webp",
    "rgba-animated.webp",
    "p.gif",
    "p-on-more-transparent.gif",
    "4.bmp",
    "rgba.bmp",
    "palette-4-little.tif",
    "tiff_lzw.tif",
    "group4.tif",
];

fn bytes(name: &str) -> Vec<u8> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    std::fs::read(root.join("tests/data/files").join(name)).unwrap()
}

fn check(name: &str, bytes: &[u8]) {
    match Image::decode(bytes, name) {
        Ok(image) => assert_eq!(image.pixels().len(), image.width() * image.height() * 3),
        Err(error) => {
            assert!(error.to_string().contains(name), "{error}");
            assert!(!error.report().contains("its decoder broke"), "{name}: {}", error.report());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn flipped_bytes_do_no_harm(
        file in 0..FILES.len(),
        flips in prop::collection::vec((any::<Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = bytes(FILES[file]);
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        check(FILES[file], &bytes);
    }

    #[test]
    fn cut_files_do_no_harm(file in 0..FILES.len(), end in any::<Index>()) {
        let bytes = bytes(FILES[file]);
        check(FILES[file], &bytes[..end.index(bytes.len())]);
    }

    #[test]
    fn any_bytes_do_no_harm(start in prop::sample::select(FILES.to_vec()), rest in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut bytes = bytes(start);
        bytes.truncate(12);
        bytes.extend(rest);
        check(start, &bytes);
    }
}
