//! The quality of resampling, and sounds in pieces.

#![allow(clippy::unwrap_used)]

use std::f64::consts::TAU;
use std::io::{Cursor, Read};

use burnpipe_audio::{PcmFormat, SoundReader, WavFormat, Waveform};

fn sine(hertz: f64, rate: u32, length: usize) -> Vec<f32> {
    (0..length).map(|n| (0.5 * (TAU * hertz * n as f64 / f64::from(rate)).sin()) as f32).collect()
}

fn read(samples: &[f32], from: u32, to: u32) -> Vec<f32> {
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let reader = SoundReader::pcm(Cursor::new(bytes), PcmFormat::F32Le, from, "sine", to).unwrap();
    reader.flat_map(|block| block.unwrap()).collect()
}

/// The loudness of what is left of a sine, in decibels of what went in, away from the ends.
fn gain(hertz: f64, from: u32, to: u32) -> f64 {
    let resampled = read(&sine(hertz, from, from as usize), from, to);
    let middle = &resampled[resampled.len() / 4..resampled.len() * 3 / 4];
    let power = middle.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>() / middle.len() as f64;
    10.0 * (power / 0.125).log10()
}

#[test]
fn a_sweep_passes_below_and_is_gone_above() {
    for (from, to) in
        [(44_100, 16_000), (48_000, 16_000), (22_050, 16_000), (8_000, 16_000), (44_101, 16_000)]
    {
        let nyquist = f64::from(from.min(to)) / 2.0;
        for part in [0.01, 0.1, 0.3, 0.5, 0.7, 0.8] {
            let gain = gain(part * nyquist, from, to);
            assert!(gain.abs() < 0.01, "{from} to {to} Hz: {part} of the band passes with {gain} dB");
        }
        for part in [1.2, 1.5, 2.0, 2.7] {
            if part * nyquist < f64::from(from) / 2.0 {
                let gain = gain(part * nyquist, from, to);
                assert!(gain < -85.0, "{from} to {to} Hz: {part} of the band passes with {gain} dB");
            }
        }
    }
}

#[test]
fn a_sine_stays_where_it_is() {
    for (from, to) in [(44_100, 16_000), (8_000, 16_000), (48_000, 44_100), (44_101, 16_000)] {
        let resampled = read(&sine(440.0, from, from as usize), from, to);
        assert!(resampled.len().abs_diff(to as usize) <= 1, "{from} to {to} Hz: {} samples", resampled.len());
        let expected = sine(440.0, to, to as usize);
        let middle = to as usize / 10..to as usize * 9 / 10;
        for (sample, expected) in resampled[middle.clone()].iter().zip(&expected[middle]) {
            assert!((sample - expected).abs() < 1e-4, "{from} to {to} Hz: {sample} instead of {expected}");
        }
    }
}

/// Gives a few bytes at a time, as pipes do.
struct Trickle(Cursor<Vec<u8>>);

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = buffer.len().min(7);
        self.0.read(&mut buffer[..length])
    }
}

#[test]
fn a_pipe_gives_what_a_file_gives() {
    let samples = sine(300.0, 22_050, 100_000);
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let pipe =
        SoundReader::pcm(Trickle(Cursor::new(bytes)), PcmFormat::F32Le, 22_050, "stdin", 16_000).unwrap();
    let blocks: Vec<Vec<f32>> = pipe.map(Result::unwrap).collect();
    assert!(blocks.len() > 3 && blocks.iter().all(|block| block.len() < 30_000));
    let sound = Waveform { samples, sampling_rate: 22_050 };
    let mut file = Vec::new();
    sound.write_wav(&mut file, WavFormat::F32).unwrap();
    let decoded = Waveform::decode(file.into(), "file", 16_000).unwrap();
    assert_eq!(blocks.concat(), decoded.samples);
}

#[test]
fn sixteen_bits_are_written_and_read() {
    let sound = Waveform { samples: vec![0.0, 0.25, -1.0, 0.999_969_5, 7.0, -7.0], sampling_rate: 16_000 };
    let mut file = Vec::new();
    sound.write_wav(&mut file, WavFormat::S16).unwrap();
    let read = Waveform::decode(file.into(), "file", 16_000).unwrap();
    assert_eq!(read.samples, [0.0, 0.25, -1.0, 0.999_969_5, 0.999_969_5, -1.0]);
}
