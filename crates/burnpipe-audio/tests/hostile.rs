//! Files that are broken, cut, or not what they say: an error that names them or what can be read, never a panic.

#![allow(clippy::unwrap_used)]

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use burnpipe_audio::{PcmFormat, SoundReader, WavFormat, Waveform};
use burnpipe_core::ErrorKind;
use proptest::prelude::*;

const FILES: [&str; 14] = [
    "mono-16k.wav",
    "six-16k.wav",
    "ima.wav",
    "ms.wav",
    "alaw.wav",
    "s16.aiff",
    "mono-16k.flac",
    "mono-16k.mp3",
    "stereo-44k1.mp3",
    "mono-16k.ogg",
    "mono-16k.m4a",
    "stereo-44k1.m4a",
    "alac.m4a",
    "mono-16k.aac",
];

fn bytes(file: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files").join(file)).unwrap()
}

/// A WAV file of 16-bit samples with a header of one's choice.
fn wav(channels: u16, rate: u32, samples: &[i16]) -> Vec<u8> {
    let width = channels.wrapping_mul(2);
    let mut file = b"RIFF\xff\xff\xff\x7fWAVEfmt \x10\0\0\0\x01\0".to_vec();
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend(rate.wrapping_mul(u32::from(width)).to_le_bytes());
    file.extend(width.to_le_bytes());
    file.extend(16_u16.to_le_bytes());
    file.extend(b"data");
    file.extend((samples.len() as u32 * 2).to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

#[test]
fn what_is_no_sound_is_an_error_that_names_the_file() {
    let cases: [(&str, Vec<u8>); 6] = [
        ("empty", Vec::new()),
        ("a byte", vec![0xFF]),
        ("zeros", vec![0; 5000]),
        ("a text", b"This is no sound at all. ".repeat(300)),
        ("a header alone", wav(1, 16_000, &[])),
        ("a cut header", bytes("mono-16k.flac")[..20].to_vec()),
    ];
    for (name, bytes) in cases {
        let error = Waveform::decode(bytes.into(), &format!("`{name}.wav`"), 16_000).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Media, "{name}");
        assert!(error.to_string().starts_with(&format!("`{name}.wav` ")), "{error}");
    }
}

#[test]
fn absurd_headers_are_refused() {
    let samples = [1000; 4000];
    for rate in [0, 1, 999, 1_536_001, u32::MAX] {
        assert!(Waveform::decode(wav(1, rate, &samples).into(), "x", 16_000).is_err(), "{rate} Hz");
    }
    for channels in [0, 300, u16::MAX] {
        assert!(Waveform::decode(wav(channels, 16_000, &samples).into(), "x", 16_000).is_err(), "{channels}");
    }
    for rate in [1000, 44_101, 1_536_000] {
        assert!(Waveform::decode(wav(1, rate, &samples).into(), "x", 16_000).is_ok(), "{rate} Hz");
    }
}

#[test]
fn the_content_decides_and_not_the_name() {
    let sound = Waveform::decode(bytes("mono-16k.flac").into(), "song.mp3", 16_000).unwrap();
    assert_eq!(sound.samples.len(), 4001);
}

#[test]
fn samples_that_are_no_numbers_are_an_error() {
    let mut sound = Waveform { samples: vec![0.5; 3200], sampling_rate: 16_000 };
    sound.samples[1600] = f32::NAN;
    let mut file = Vec::new();
    sound.write_wav(&mut file, WavFormat::F32).unwrap();
    let error = Waveform::decode(file.into(), "`nan.wav`", 16_000).unwrap_err();
    assert_eq!(error.to_string(), "`nan.wav` has a sample that is not a number, at 0.100 s");
}

#[test]
fn opus_is_named() {
    let error = Waveform::decode(bytes("opus.ogg").into(), "`opus.ogg`", 16_000).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("Opus"), "{error}");
}

#[test]
fn streams_without_a_header_may_end_within_a_sample() {
    let reader =
        SoundReader::pcm(Cursor::new(vec![0; 7]), PcmFormat::F32Le, 16_000, "stdin", 16_000).unwrap();
    assert_eq!(reader.map(|block| block.unwrap().len()).sum::<usize>(), 1);
    let empty = SoundReader::pcm(Cursor::new(vec![0; 1]), PcmFormat::S16Le, 8_000, "stdin", 16_000).unwrap();
    assert_eq!(empty.count(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// A cut file gives no more than the whole one.
    #[test]
    fn cut_files_do_not_panic(file in prop::sample::select(&FILES[..]), part in 0.0..1.0_f64) {
        let mut bytes = bytes(file);
        bytes.truncate((bytes.len() as f64 * part) as usize);
        if let Ok(sound) = Waveform::decode(bytes.into(), file, 16_000) {
            prop_assert!(sound.samples.len() < 20_000);
        }
    }

    #[test]
    fn broken_files_do_not_panic(
        file in prop::sample::select(&FILES[..]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..12),
    ) {
        let mut bytes = bytes(file);
        // Half of the changes are near the beginning, where headers are.
        for (index, value, near) in changes {
            let end = if near { bytes.len().min(200) } else { bytes.len() };
            let index = index.index(end);
            bytes[index] = value;
        }
        let read = SoundReader::new(Arc::from(bytes), file, 16_000);
        prop_assert!(read.into_iter().flatten().take(1000).count() <= 1000);
    }
}
