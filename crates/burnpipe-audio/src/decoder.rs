//! Files to samples of one channel at their own rate, by symphonia.

use std::any::Any;
use std::io::{ErrorKind as IoErrorKind, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};

use burnpipe_core::{Error, ErrorContext, ErrorKind, Result};
use symphonia::core::audio::Channels;
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::well_known::{FORMAT_ID_AIFF, FORMAT_ID_MP3, FORMAT_ID_WAVE};
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;

use crate::downmix::Downmix;
use crate::mp4_edits::Mp4Edits;
use crate::wav_header::WavHeader;

/// Decodes the first sound of a file.
pub(crate) struct Decoder {
    name: String,
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track_id: u32,
    wav_header: WavHeader,
    mp4_edits: Mp4Edits,
    /// Samples that are left of those before the sound; not known before the first packet.
    samples_before: Option<u64>,
    /// The layout of the packet before, and what its channels count.
    downmix: Option<(Channels, Downmix)>,
    planes: Vec<Vec<f32>>,
}

impl Decoder {
    /// Finds out what the file is, by its content, and begins.
    pub(crate) fn new(mut source: Box<dyn MediaSource>, name: &str) -> Result<Self> {
        let (wav_header, mp4_edits) =
            read_headers(&mut source).context(ErrorKind::Io, || format!("cannot read {name}"))?;
        let source = wav_header.correct(source);
        let stream = MediaSourceStream::new(source, Default::default());
        let format = guarded(name, || {
            symphonia::default::get_probe().probe(
                &Hint::new(),
                stream,
                FormatOptions::default(),
                MetadataOptions::default(),
            )
        })?
        .map_err(|error| not_a_sound(name).with_source(error))?;
        let (track_id, decoder) = open_track(format.as_ref(), name)?;
        let samples_before = mp3_delay(format.as_ref());
        Ok(Self {
            name: name.to_owned(),
            format,
            decoder,
            track_id,
            wav_header,
            mp4_edits,
            samples_before,
            downmix: None,
            planes: Vec::new(),
        })
    }

    /// Fills `mono` with the next samples, maybe none, and gives their sampling rate; nothing at the end.
    pub(crate) fn read(&mut self, mono: &mut Vec<f32>) -> Result<Option<u32>> {
        let name = self.name.clone();
        guarded(&name, || self.read_packet(mono))?
    }

    fn read_packet(&mut self, mono: &mut Vec<f32>) -> Result<Option<u32>> {
        loop {
            let packet = match self.format.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track_id => packet,
                Ok(Some(_)) => continue,
                Ok(None) => return Ok(None),
                // One sound after another in the same file.
                Err(SymphoniaError::ResetRequired) => {
                    (self.track_id, self.decoder) = open_track(self.format.as_ref(), &self.name)?;
                    continue;
                }
                Err(SymphoniaError::IoError(error)) if error.kind() != IoErrorKind::UnexpectedEof => {
                    let message = format!("cannot read {}", self.name);
                    return Err(Error::new(ErrorKind::Io, message).with_source(error));
                }
                // ffmpeg too answers with what it has read until the file breaks off.
                Err(_) => return Ok(None),
            };
            let Ok(buffer) = self.decoder.decode(&packet) else { continue };
            if buffer.frames() == 0 {
                continue;
            }
            let rate = buffer.spec().rate();
            let channels = buffer.spec().channels();
            if self.downmix.as_ref().is_none_or(|(known, _)| known != channels) {
                let format = self.format.format_info().format;
                let unnamed =
                    format == FORMAT_ID_AIFF || (format == FORMAT_ID_WAVE && !self.wav_header.names_speakers);
                let downmix =
                    if unnamed { Downmix::guessed(channels.count()) } else { Downmix::new(channels) };
                self.downmix = Some((channels.clone(), downmix));
            }
            buffer.copy_to_vecs_planar(&mut self.planes);
            if let Some((_, downmix)) = &self.downmix {
                downmix.mix(&self.planes, mono);
            }
            self.drop_samples_before(rate, mono);
            if !mono.is_empty() {
                return Ok(Some(rate));
            }
        }
    }

    /// Drops what an encoder needed to begin.
    fn drop_samples_before(&mut self, rate: u32, mono: &mut Vec<f32>) {
        let left = self.samples_before.get_or_insert(self.mp4_edits.samples_before(self.track_id, rate));
        let dropped = usize::try_from(*left).unwrap_or(usize::MAX).min(mono.len());
        mono.drain(..dropped);
        *left -= dropped as u64;
    }
}

/// What symphonia does not say of headers. A source that cannot go back is not looked at.
fn read_headers(source: &mut Box<dyn MediaSource>) -> std::io::Result<(WavHeader, Mp4Edits)> {
    if !source.is_seekable() {
        return Ok(Default::default());
    }
    let headers = (WavHeader::read(source)?, Mp4Edits::read(source)?);
    source.seek(SeekFrom::Start(0))?;
    Ok(headers)
}

/// The first sound of a file and its decoder.
fn open_track(format: &dyn FormatReader, name: &str) -> Result<(u32, Box<dyn AudioDecoder>)> {
    let track = format.default_track(TrackType::Audio).ok_or_else(|| not_a_sound(name))?;
    let Some(parameters) = audio_parameters(track) else { return Err(not_a_sound(name)) };
    let decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default().gapless(!is_mp3(format)))
        .map_err(|error| {
            let codec = if parameters.codec == CODEC_ID_OPUS { "Opus" } else { "a codec" };
            let message = format!(
                "{name} is in {codec} that cannot be decoded here; `ffmpeg -i FILE sound.flac` makes it readable"
            );
            Error::new(ErrorKind::Unsupported, message).with_source(error)
        })?;
    Ok((track.id, decoder))
}

fn is_mp3(format: &dyn FormatReader) -> bool {
    format.format_info().format == FORMAT_ID_MP3
}

/// The samples that an MP3 file says are its encoder's. Those at the end are kept: through a pipe, as Python reads
/// files, ffmpeg does not know where the end is.
fn mp3_delay(format: &dyn FormatReader) -> Option<u64> {
    let track = format.default_track(TrackType::Audio)?;
    is_mp3(format).then(|| u64::from(track.delay.unwrap_or(0)))
}

fn audio_parameters(track: &Track) -> Option<&AudioCodecParameters> {
    match &track.codec_params {
        Some(CodecParameters::Audio(parameters)) => Some(parameters),
        _ => None,
    }
}

fn not_a_sound(name: &str) -> Error {
    let message = format!(
        "{name} is no sound that can be read: AAC, AIFF, FLAC, M4A, MP3, OGG Vorbis and WAV can, whole and not empty"
    );
    Error::new(ErrorKind::Media, message)
}

/// Runs a part of symphonia, whose checks of broken files are partly assertions.
fn guarded<T>(name: &str, run: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let message = format!("{name} is broken in a way that its decoder does not survive");
        Error::new(ErrorKind::Media, message).with_source(panic_message(panic.as_ref()))
    })
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    if let Some(message) = panic.downcast_ref::<&str>() {
        (*message).to_owned()
    } else {
        panic.downcast_ref::<String>().cloned().unwrap_or_default()
    }
}
