//! Reading sounds in pieces: decoded, mixed to one channel and brought to a sampling rate, as Python's pipelines
//! get them from `ffmpeg -i FILE -ac 1 -ar RATE -f f32le`.

use std::fmt;
use std::fs::File;
use std::io::{Cursor, Read};
use std::mem;
use std::ops::RangeInclusive;
use std::sync::Arc;

use burnpipe_core::{Error, ErrorContext, ErrorKind, Result};
use symphonia::core::io::MediaSource;

use crate::decoder::Decoder;
use crate::resampler::Resampler;

/// The sampling rates that sounds may have; the filters of others would be absurd.
pub const SAMPLING_RATES: RangeInclusive<u32> = 1_000..=1_536_000;
/// Samples that are collected before a block is handed out.
const BLOCK: usize = 1 << 14;

/// Reads a sound block by block: of a file on the disk or of a stream no more than a block of samples, a packet and
/// the header is in memory. [`Waveform::decode`](crate::Waveform::decode), which the tasks use, keeps all samples.
///
/// WAV (PCM, float, A-law, mu-law, ADPCM), AIFF, FLAC, MP3, OGG Vorbis, M4A and MP4 with AAC-LC or ALAC, and AAC
/// alone. What a file holds is told by its content, never by its name. Broken packets are skipped and a cut file
/// gives what is there, as in Python.
///
/// Channels are added with the weights that ffmpeg gives them, 0.71 for left and right and 1 for the middle, so that
/// samples may pass 1. What comes at the model's rate already is not changed in any bit; resampled sounds are within
/// 1e-6 of ffmpeg 5.1's.
///
/// ```
/// use burnpipe_audio::{PcmFormat, SoundReader};
///
/// let one_second = std::io::Cursor::new(vec![0; 2 * 8_000]);
/// let reader = SoundReader::pcm(one_second, PcmFormat::S16Le, 8_000, "stdin", 16_000)?;
/// let mut samples = 0;
/// for block in reader {
///     samples += block?.len();
/// }
/// assert_eq!(samples, 16_000);
/// # Ok::<(), burnpipe_core::Error>(())
/// ```
pub struct SoundReader {
    name: String,
    source: Source,
    sampling_rate: u32,
    /// The rate that `resampler` was made for.
    source_rate: u32,
    resampler: Option<Resampler>,
    mono: Vec<f32>,
    block: Vec<f32>,
    samples_done: u64,
    ended: bool,
}

enum Source {
    Encoded(Box<Decoder>),
    Pcm { reader: Box<dyn Read + Send>, format: PcmFormat, bytes: Vec<u8> },
}

/// How samples lie in a stream without a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PcmFormat {
    /// 32-bit float, little-endian.
    F32Le,
    /// 16-bit signed, little-endian.
    S16Le,
}

impl SoundReader {
    /// Reads the bytes of a file. `name` is how messages call it.
    ///
    /// # Errors
    ///
    /// When the bytes are no sound that can be decoded.
    pub fn new(bytes: Arc<[u8]>, name: &str, sampling_rate: u32) -> Result<Self> {
        Self::encoded(Box::new(Cursor::new(bytes)), name, sampling_rate)
    }

    /// Reads a file from the disk as it goes.
    ///
    /// # Errors
    ///
    /// When the file is no sound that can be decoded.
    pub fn from_file(file: File, name: &str, sampling_rate: u32) -> Result<Self> {
        Self::encoded(Box::new(file), name, sampling_rate)
    }

    /// Reads samples of one channel without a header, `source_rate` a second.
    ///
    /// # Errors
    ///
    /// When a rate is out of bounds.
    pub fn pcm(
        reader: impl Read + Send + 'static,
        format: PcmFormat,
        source_rate: u32,
        name: &str,
        sampling_rate: u32,
    ) -> Result<Self> {
        check_rate(source_rate, ErrorKind::Media, name)?;
        let source = Source::Pcm { reader: Box::new(reader), format, bytes: vec![0; BLOCK] };
        Self::with_source(source, source_rate, name, sampling_rate)
    }

    fn encoded(source: Box<dyn MediaSource>, name: &str, sampling_rate: u32) -> Result<Self> {
        let decoder = Decoder::new(source, name)?;
        Self::with_source(Source::Encoded(Box::new(decoder)), sampling_rate, name, sampling_rate)
    }

    fn with_source(source: Source, source_rate: u32, name: &str, sampling_rate: u32) -> Result<Self> {
        check_rate(sampling_rate, ErrorKind::Media, name)?;
        let mut reader = Self {
            name: name.to_owned(),
            source,
            sampling_rate,
            source_rate: sampling_rate,
            resampler: None,
            mono: Vec::new(),
            block: Vec::new(),
            samples_done: 0,
            ended: false,
        };
        reader.change_source_rate(source_rate);
        Ok(reader)
    }

    /// Samples in a second of the blocks.
    pub fn sampling_rate(&self) -> u32 {
        self.sampling_rate
    }

    /// The next samples, as many as a block takes, or fewer at the end.
    fn read_block(&mut self) -> Result<()> {
        while !self.ended && self.block.len() < BLOCK {
            match self.read_source()? {
                Some(rate) if rate == self.source_rate => {}
                Some(rate) => {
                    check_rate(rate, ErrorKind::Media, &self.name)?;
                    self.change_source_rate(rate);
                }
                None => {
                    self.ended = true;
                    if let Some(resampler) = &mut self.resampler {
                        resampler.finish(&mut self.block);
                    }
                    return Ok(());
                }
            }
            self.check_numbers()?;
            match &mut self.resampler {
                Some(resampler) => resampler.process(&self.mono, &mut self.block),
                None => self.block.append(&mut self.mono),
            }
        }
        Ok(())
    }

    /// Fills `mono` and gives its sampling rate, or nothing at the end.
    fn read_source(&mut self) -> Result<Option<u32>> {
        match &mut self.source {
            Source::Encoded(decoder) => decoder.read(&mut self.mono),
            Source::Pcm { reader, format, bytes } => {
                let read = read_fully(reader, bytes)
                    .context(ErrorKind::Io, || format!("cannot read {}", self.name))?;
                self.mono.clear();
                format.convert(&bytes[..read], &mut self.mono);
                Ok((!self.mono.is_empty()).then_some(self.source_rate))
            }
        }
    }

    /// Ends what was at another rate, which only files made of several sounds have, and begins anew.
    fn change_source_rate(&mut self, source_rate: u32) {
        if let Some(resampler) = &mut self.resampler {
            resampler.finish(&mut self.block);
        }
        self.source_rate = source_rate;
        self.resampler =
            (source_rate != self.sampling_rate).then(|| Resampler::new(source_rate, self.sampling_rate));
    }

    /// Python goes on with samples that are not numbers, and no score is one then.
    fn check_numbers(&mut self) -> Result<()> {
        if let Some(index) = self.mono.iter().position(|sample| !sample.is_finite()) {
            let seconds = (self.samples_done + index as u64) as f64 / f64::from(self.source_rate);
            return Err(Error::new(
                ErrorKind::Media,
                format!("{} has a sample that is not a number, at {seconds:.3} s", self.name),
            ));
        }
        self.samples_done += self.mono.len() as u64;
        Ok(())
    }
}

impl Iterator for SoundReader {
    type Item = Result<Vec<f32>>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.read_block() {
            Ok(()) if self.block.is_empty() => None,
            Ok(()) => Some(Ok(mem::take(&mut self.block))),
            Err(error) => {
                self.ended = true;
                self.block.clear();
                Some(Err(error))
            }
        }
    }
}

impl fmt::Debug for SoundReader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SoundReader")
            .field("name", &self.name)
            .field("sampling_rate", &self.sampling_rate)
            .field("source_rate", &self.source_rate)
            .finish_non_exhaustive()
    }
}

impl PcmFormat {
    /// Appends the samples of whole frames; bytes that are no whole sample, at the end of a stream, are dropped.
    fn convert(self, bytes: &[u8], samples: &mut Vec<f32>) {
        match self {
            Self::F32Le => {
                samples.extend(bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
            }
            Self::S16Le => samples.extend(
                bytes.as_chunks::<2>().0.iter().map(|bytes| f32::from(i16::from_le_bytes(*bytes)) / 32_768.0),
            ),
        }
    }
}

/// That a rate is one of [`SAMPLING_RATES`]; `name` is what is sampled at it.
pub(crate) fn check_rate(rate: u32, kind: ErrorKind, name: &str) -> Result<()> {
    if SAMPLING_RATES.contains(&rate) {
        return Ok(());
    }
    let (least, most) = SAMPLING_RATES.into_inner();
    Err(Error::new(
        kind,
        format!("{name} is sampled at {rate} Hz; rates from {least} to {most} Hz can be read"),
    ))
}

/// Fills the buffer as far as the stream goes, so that no sample is torn.
fn read_fully(reader: &mut dyn Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match reader.read(&mut buffer[read..]) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}
