//! Headers of WAV files: whether they name their speakers, and sizes that are put right.
//!
//! Programs that write to a pipe do not know how long a sound will be, and leave a size of nothing or of 4 GB; files
//! that are cut say more than they have. ffmpeg reads both to their end, symphonia refuses them.

use std::io::{self, Read, Seek, SeekFrom};

use symphonia::core::io::MediaSource;

/// Chunks that are looked at before the samples are given up.
const MOST_CHUNKS: usize = 1000;

/// What the header of a WAV file says.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct WavHeader {
    /// Whether there is a mask of speakers that fits the number of channels.
    pub(crate) names_speakers: bool,
    /// Sizes that are wrong, and what they should be.
    corrections: Vec<Correction>,
}

/// A size at an offset.
#[derive(Clone, Debug, PartialEq)]
struct Correction {
    offset: u64,
    size: u32,
}

impl WavHeader {
    /// Reads the header. Of what is no WAV file it knows nothing.
    pub(crate) fn read(source: &mut (impl Read + Seek)) -> io::Result<Self> {
        let file_length = source.seek(SeekFrom::End(0))?;
        let mut header = Self::default();
        let head = read_at(source, 0, 12)?;
        if head.get(..4) != Some(b"RIFF") || head.get(8..) != Some(b"WAVE") {
            return Ok(header);
        }
        let (mut position, mut block_align) = (12, 1);
        for _ in 0..MOST_CHUNKS {
            let chunk = read_at(source, position, 8)?;
            let Some(size) = u32_at(&chunk, 4) else { break };
            let content = position + 8;
            if chunk.starts_with(b"fmt ") {
                let format = read_at(source, content, 24)?;
                block_align = u16_at(&format, 12).filter(|&align| align > 0).unwrap_or(1);
                header.names_speakers = names_speakers(&format);
            } else if chunk.starts_with(b"data") {
                let present = file_length.saturating_sub(content);
                if size == 0 || u64::from(size) > present {
                    let whole_blocks = present - present % u64::from(block_align);
                    header
                        .corrections
                        .push(Correction { offset: position + 4, size: saturated(whole_blocks) });
                    header.corrections.push(Correction { offset: 4, size: saturated(file_length - 8) });
                }
                break;
            }
            position = content + u64::from(size) + u64::from(size % 2);
        }
        Ok(header)
    }

    /// The file with its sizes put right.
    pub(crate) fn correct(&self, source: Box<dyn MediaSource>) -> Box<dyn MediaSource> {
        if self.corrections.is_empty() {
            return source;
        }
        Box::new(Corrected { source, corrections: self.corrections.clone(), position: 0 })
    }
}

/// Whether the content of a chunk `fmt ` is the extensible one, with as many speakers as channels.
fn names_speakers(format: &[u8]) -> bool {
    let speakers = u32_at(format, 20).map(u32::count_ones);
    u16_at(format, 0) == Some(0xFFFE) && speakers == u16_at(format, 2).map(u32::from)
}

/// A file some of whose bytes read otherwise. It is at its beginning when it is made.
struct Corrected {
    source: Box<dyn MediaSource>,
    corrections: Vec<Correction>,
    position: u64,
}

impl Read for Corrected {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        for correction in &self.corrections {
            for (offset, byte) in (correction.offset..).zip(correction.size.to_le_bytes()) {
                let index = offset.checked_sub(self.position).and_then(|index| usize::try_from(index).ok());
                if let Some(place) = index.and_then(|index| buffer[..read].get_mut(index)) {
                    *place = byte;
                }
            }
        }
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for Corrected {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        self.position = self.source.seek(target)?;
        Ok(self.position)
    }
}

impl MediaSource for Corrected {
    fn is_seekable(&self) -> bool {
        self.source.is_seekable()
    }

    fn byte_len(&self) -> Option<u64> {
        self.source.byte_len()
    }
}

fn read_at(source: &mut (impl Read + Seek), position: u64, length: u64) -> io::Result<Vec<u8>> {
    source.seek(SeekFrom::Start(position))?;
    let mut bytes = Vec::new();
    source.by_ref().take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn saturated(size: u64) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}
