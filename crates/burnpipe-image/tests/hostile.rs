//! Files that were damaged give an image or an error that names them, and no panic; what would fill the memory is
//! refused before.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::borrow::Cow;
use std::path::PathBuf;

use burnpipe_core::{ErrorKind, ModelFiles, Result};
use burnpipe_image::{Filter, Image, ImageProcessor, resize};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

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

/// A model that has a `preprocessor_config.json` and nothing else.
struct Config(Value);

impl ModelFiles for Config {
    fn model_name(&self) -> &str {
        "hostile"
    }

    fn read(&self, file: &str) -> Result<Option<Cow<'static, [u8]>>> {
        let is_there = file == "preprocessor_config.json";
        Ok(is_there.then(|| self.0.to_string().into_bytes().into()))
    }
}

fn strip(width: usize, height: usize) -> Image {
    Image::from_rgb(width, height, vec![7; width * height * 3]).unwrap()
}

/// Between both passes such an image would have 224 pixels for each of its own.
#[test]
fn strips_do_not_grow_between_passes() {
    let image = strip(1, 3_000_000);
    for class in ["ViTImageProcessorFast", "DINOv3ViTImageProcessorFast"] {
        let config = json!({"image_processor_type": class, "size": {"height": 224, "width": 224}});
        let error = ImageProcessor::load(&Config(config)).unwrap().process(&image).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input, "{class}");
        assert!(error.to_string().contains("1 x 3000000"), "{class}: {error}");
    }
    let slow = json!({"image_processor_type": "ViTImageProcessor", "size": {"height": 224, "width": 224}});
    let pixels = ImageProcessor::load(&Config(slow)).unwrap().process(&image).unwrap();
    assert_eq!((pixels.height, pixels.width), (224, 224));
}

#[test]
fn sides_that_need_too_many_weights_are_refused() {
    let image = strip(50_000_000, 1);
    let error = resize(&image, 2, 1, Filter::Lanczos).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(error.to_string().contains("50000000 x 1"), "{error}");
    assert_eq!(resize(&image, 2, 1, Filter::Nearest).unwrap().width(), 2);
}

#[test]
fn crops_beyond_memory_are_refused() {
    let sizes = [
        json!(4_000_000_000_u64),
        json!(1_u64 << 63),
        json!(u64::MAX),
        json!({"height": 1 << 20, "width": 1 << 20}),
    ];
    for class in ["CLIPImageProcessor", "CLIPImageProcessorFast"] {
        for size in &sizes {
            let config = json!({"image_processor_type": class, "crop_size": size});
            let error = ImageProcessor::load(&Config(config)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{class} {size}");
            let processor = ImageProcessor::load(&Config(json!({"image_processor_type": class}))).unwrap();
            let error = processor.with(json!({"crop_size": size}).as_object().unwrap()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Parameter, "{class} {size}");
            assert!(error.report().contains("`crop_size`"), "{}", error.report());
        }
    }
}

#[test]
fn sizes_beyond_memory_are_refused() {
    for class in
        ["CLIPImageProcessor", "CLIPImageProcessorFast", "PoolFormerImageProcessor", "ConvNextImageProcessor"]
    {
        for edge in [4_000_000_000, 1_u64 << 63, u64::MAX] {
            let config = json!({"image_processor_type": class, "size": {"shortest_edge": edge}});
            assert!(ImageProcessor::load(&Config(config)).unwrap().process(&strip(3, 2)).is_err(), "{class}");
        }
    }
}

#[test]
fn a_rescale_factor_of_nothing_is_refused_where_it_divides() {
    let config = |class: &str| Config(json!({"image_processor_type": class, "rescale_factor": 0}));
    let error = ImageProcessor::load(&config("ViTImageProcessorFast")).unwrap_err();
    assert!(
        error.kind() == ErrorKind::Config && error.report().contains("`rescale_factor`"),
        "{}",
        error.report()
    );
    let pixels = ImageProcessor::load(&config("ViTImageProcessor")).unwrap().process(&strip(3, 2)).unwrap();
    assert!(pixels.values.iter().all(|&value| value == -1.0));
}

/// A PNG whose metadata turn the image, with zeros behind them: megabytes in a hundredth of that.
#[test]
fn texts_of_png_are_not_blown_up() {
    let xmp = b"<x tiff:Orientation=\"6\"/>".as_slice();
    let profile = b"\nexif\n      26\n49492a000800000001001201030001000000060000000000".as_slice();
    let texts = [
        (b"iTXt", b"XML:com.adobe.xmp\0\x01\0\0\0".as_slice(), xmp),
        (b"zTXt", b"Raw profile type exif\0\0".as_slice(), profile),
    ];
    let plain = bytes("4-8-0.png");
    // Behind the signature and the header.
    let (head, rest) = plain.split_at(33);
    for (kind, keyword, text) in texts {
        let decode = |zeros: usize| {
            let content = [keyword, &deflated(text, zeros)].concat();
            assert!(content.len() < 1 << 20);
            Image::decode(&[head, &chunk(kind, &content), rest].concat(), "bomb").unwrap()
        };
        let (short, long) = (decode(1 << 20), decode(1 << 24));
        assert_eq!((short.width(), short.height()), (9, 13));
        assert_eq!((long.width(), long.height()), (13, 9));
    }
}

/// A zlib stream of a text and zeros, by the codes that deflate has for everybody.
fn deflated(text: &[u8], zeros: usize) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let (mut buffer, mut filled) = (0_u64, 0);
    let mut put = |value: u8, bits: u32| {
        buffer |= u64::from(value) << filled;
        filled += bits;
        while filled >= 8 {
            stream.push(buffer as u8);
            buffer >>= 8;
            filled -= 8;
        }
    };
    let literal = |byte: u8| (0x30 + byte).reverse_bits();
    // The last block and its kind; the bytes; 258 more of the last one again and again; the end.
    put(0b011, 3);
    text.iter().chain(&[0]).for_each(|&byte| put(literal(byte), 8));
    for _ in 0..zeros / 258 {
        put(0b1010_0011, 8);
        put(0, 5);
    }
    put(0, 7);
    put(0, 7);
    let mut sums = (1_u32, 0_u32);
    for byte in text.iter().copied().chain(std::iter::repeat_n(0, 1 + zeros / 258 * 258)) {
        sums.0 = (sums.0 + u32::from(byte)) % 65_521;
        sums.1 = (sums.1 + sums.0) % 65_521;
    }
    stream.extend((sums.1 << 16 | sums.0).to_be_bytes());
    stream
}

fn chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut chunk = (content.len() as u32).to_be_bytes().to_vec();
    chunk.extend(kind);
    chunk.extend(content);
    let sum = checksum(&chunk[4..]);
    chunk.extend(sum.to_be_bytes());
    chunk
}

/// CRC-32 of a chunk.
fn checksum(bytes: &[u8]) -> u32 {
    let mut state = u32::MAX;
    for &byte in bytes {
        state ^= u32::from(byte);
        for _ in 0..8 {
            state = if state & 1 == 0 { state >> 1 } else { (state >> 1) ^ 0xEDB8_8320 };
        }
    }
    !state
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
