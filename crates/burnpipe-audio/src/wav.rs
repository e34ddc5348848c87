//! Writing WAV files.

use std::io::{BufWriter, Write};

use burnpipe_core::{Error, ErrorContext, ErrorKind, Result};

use crate::Waveform;

/// How samples are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WavFormat {
    /// 32-bit float: exactly the samples.
    F32,
    /// 16-bit signed, which every program reads: rounded, and held between -1 and 1.
    S16,
}

impl WavFormat {
    fn bytes_per_sample(self) -> u32 {
        match self {
            Self::F32 => 4,
            Self::S16 => 2,
        }
    }

    /// The tag of the header.
    fn tag(self) -> u16 {
        match self {
            Self::F32 => 3,
            Self::S16 => 1,
        }
    }
}

impl Waveform {
    /// Writes a WAV file of one channel.
    ///
    /// ```
    /// use burnpipe_audio::{Waveform, WavFormat};
    ///
    /// let sound = Waveform { samples: vec![0.25, -0.5], sampling_rate: 16_000 };
    /// let mut file = Vec::new();
    /// sound.write_wav(&mut file, WavFormat::F32)?;
    /// assert_eq!(Waveform::decode(file.into(), "sound", 16_000)?, sound);
    /// # Ok::<(), burnpipe_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When writing fails, or the sound is larger than the 4 GB that a WAV file holds.
    pub fn write_wav(&self, writer: impl Write, format: WavFormat) -> Result<()> {
        let size = self.samples.len() as u64 * u64::from(format.bytes_per_sample());
        let size =
            u32::try_from(size).ok().filter(|size| *size <= u32::MAX - HEADER_SIZE).ok_or_else(|| {
                let message = format!("{:.0} s are too long for a WAV file", self.seconds());
                Error::new(ErrorKind::Unsupported, message)
            })?;
        let mut writer = BufWriter::new(writer);
        let mut write = || {
            writer.write_all(&header(size, self.sampling_rate, format))?;
            for &sample in &self.samples {
                match format {
                    WavFormat::F32 => writer.write_all(&sample.to_le_bytes())?,
                    WavFormat::S16 => writer.write_all(&to_s16(sample).to_le_bytes())?,
                }
            }
            writer.flush()
        };
        write().context(ErrorKind::Io, || "cannot write a WAV file")
    }
}

/// What stands before the samples, without the first chunk's own head.
const HEADER_SIZE: u32 = 36;

fn header(size: u32, sampling_rate: u32, format: WavFormat) -> Vec<u8> {
    let width = format.bytes_per_sample();
    let mut header = Vec::with_capacity(44);
    header.extend(b"RIFF");
    header.extend((HEADER_SIZE + size).to_le_bytes());
    header.extend(b"WAVEfmt ");
    header.extend(16_u32.to_le_bytes());
    header.extend(format.tag().to_le_bytes());
    header.extend(1_u16.to_le_bytes());
    header.extend(sampling_rate.to_le_bytes());
    header.extend(sampling_rate.saturating_mul(width).to_le_bytes());
    header.extend((width as u16).to_le_bytes());
    header.extend((width as u16 * 8).to_le_bytes());
    header.extend(b"data");
    header.extend(size.to_le_bytes());
    header
}

fn to_s16(sample: f32) -> i16 {
    // A cast holds what is too large, and takes what is no number for 0.
    (f64::from(sample) * 32_768.0).round_ties_even() as i16
}
