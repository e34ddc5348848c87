//! Samples of one channel.

use std::sync::Arc;

use burnpipe_core::{Error, ErrorKind, Result};

use crate::reader::check_rate;
use crate::{SoundReader, resample};

/// More samples than this are not kept in memory.
const MOST_SAMPLES: usize = 1 << 30;

/// A sound of one channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Waveform {
    /// From -1 to 1.
    pub samples: Vec<f32>,
    /// Samples in a second.
    pub sampling_rate: u32,
}

impl Waveform {
    /// Decodes the bytes of a file and brings them to one channel and a sampling rate, as `ffmpeg_read` does in
    /// Python. `name` is how messages call the file. [`SoundReader`] does the same piece by piece.
    ///
    /// # Errors
    ///
    /// When the bytes are no sound that can be decoded, hold no samples, or more than 2^30 (18 hours at 16 kHz, 4 GB):
    /// a small file can be made to hold any number of them.
    pub fn decode(bytes: Arc<[u8]>, name: &str, sampling_rate: u32) -> Result<Self> {
        Self::decode_at_most(bytes, name, sampling_rate, MOST_SAMPLES)
    }

    fn decode_at_most(bytes: Arc<[u8]>, name: &str, sampling_rate: u32, most: usize) -> Result<Self> {
        let mut samples = Vec::new();
        for block in SoundReader::new(bytes, name, sampling_rate)? {
            samples.append(&mut block?);
            if samples.len() > most {
                let hours = most as f64 / f64::from(sampling_rate) / 3600.0;
                let message = format!(
                    "{name} is longer than {hours:.1} hours, the most that is read at {sampling_rate} Hz; cut it"
                );
                return Err(Error::new(ErrorKind::Media, message));
            }
        }
        if samples.is_empty() {
            return Err(Error::new(
                ErrorKind::Media,
                format!("{name} holds no sound: it is empty or broken"),
            ));
        }
        Ok(Self { samples, sampling_rate })
    }

    /// The same sound at another rate, as Python resamples arrays: by [`resample`].
    ///
    /// # Errors
    ///
    /// When either rate is none of [`SAMPLING_RATES`](crate::SAMPLING_RATES), or there would be more than 2^30 samples.
    pub fn resampled(self, sampling_rate: u32) -> Result<Self> {
        check_rate(self.sampling_rate, ErrorKind::Input, "the sound")?;
        check_rate(sampling_rate, ErrorKind::Input, "the sound that is asked for")?;
        if self.sampling_rate == sampling_rate {
            return Ok(self);
        }
        let length = self.samples.len() as u128 * u128::from(sampling_rate) / u128::from(self.sampling_rate);
        if length > MOST_SAMPLES as u128 {
            let message = format!("a sound of {length} samples is too long; the most is {MOST_SAMPLES}");
            return Err(Error::new(ErrorKind::Input, message));
        }
        let samples = resample(&self.samples, self.sampling_rate, sampling_rate);
        Ok(Self { samples, sampling_rate })
    }

    /// How long it lasts.
    pub fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.sampling_rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WavFormat;

    #[test]
    fn more_samples_than_are_kept_are_an_error_that_names_the_file() {
        let slow = Waveform { samples: vec![0.25; 4_000], sampling_rate: 1_000 };
        let mut file = Vec::new();
        slow.write_wav(&mut file, WavFormat::S16).unwrap();
        let file: Arc<[u8]> = file.into();
        // Sixteen times as many at the model's rate.
        let decode = |most| Waveform::decode_at_most(Arc::clone(&file), "`slow.wav`", 16_000, most);
        assert_eq!(decode(64_000).unwrap().samples.len(), 64_000);
        let error = decode(63_999).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Media);
        assert!(error.to_string().starts_with("`slow.wav` is longer than"), "{error}");
    }

    /// Frames of 14 bytes that hold 65,535 samples each.
    #[test]
    fn a_small_file_of_many_samples_is_stopped() {
        let file: Arc<[u8]> = constant_flac(100).into();
        assert!(file.len() < 1_600);
        let decode = |most| Waveform::decode_at_most(Arc::clone(&file), "`bomb.flac`", 16_000, most);
        assert_eq!(decode(MOST_SAMPLES).unwrap().samples.len(), 100 * 65_535);
        let error = decode(1 << 20).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Media);
        assert!(error.to_string().contains("`bomb.flac`"), "{error}");
    }

    /// A FLAC file at 16 kHz whose frames have one value throughout.
    fn constant_flac(frames: u8) -> Vec<u8> {
        let mut file = b"fLaC\x80\0\0\x22\xff\xff\xff\xff\0\0\0\0\0\0".to_vec();
        // 16,000 Hz in 20 bits, one channel, 16 bits, a length that is not known.
        file.extend(((16_000_u64 << 44) | (15 << 36)).to_be_bytes());
        file.extend([0; 16]);
        for frame in 0..frames {
            let start = file.len();
            // A size of 16 bits, the rate and the depth of the file's header, the number of the frame as UTF-8.
            file.extend([0xff, 0xf8, 0x70, 0x00, frame, 0xff, 0xfe]);
            file.push(remainder(&file[start..], 8, 0x07) as u8);
            // A constant.
            file.extend([0x00, 0x10, 0x00]);
            let sum = remainder(&file[start..], 16, 0x8005);
            file.extend(sum.to_be_bytes());
        }
        file
    }

    /// A cyclic redundancy check of so many bits.
    fn remainder(bytes: &[u8], bits: u32, polynomial: u16) -> u16 {
        let (mask, top) = (((1_u32 << bits) - 1), 1_u32 << (bits - 1));
        let mut state = 0_u32;
        for byte in bytes {
            state ^= u32::from(*byte) << (bits - 8);
            for _ in 0..8 {
                state =
                    if state & top == 0 { state << 1 } else { (state << 1) ^ u32::from(polynomial) } & mask;
            }
        }
        state as u16
    }

    #[test]
    fn absurd_rates_of_samples_in_memory_are_refused() {
        let sound = |sampling_rate| Waveform { samples: vec![0.5; 10], sampling_rate };
        for rate in [0, 999, 1_536_001, u32::MAX] {
            assert_eq!(sound(rate).resampled(16_000).unwrap_err().kind(), ErrorKind::Input, "{rate}");
            assert_eq!(sound(16_000).resampled(rate).unwrap_err().kind(), ErrorKind::Input, "{rate}");
        }
        assert_eq!(sound(1_000).resampled(16_000).unwrap().samples.len(), 160);
        let long = Waveform { samples: vec![0.0; 1 << 20], sampling_rate: 1_000 };
        assert_eq!(long.resampled(1_536_000).unwrap_err().kind(), ErrorKind::Input);
    }
}
