//! How many samples at the beginning of an MP4 file are the encoder's: its edit lists, which symphonia does not hand on.
//!
//! Reference: ISO/IEC 14496-12, the boxes `tkhd`, `mdhd` and `elst`.

use std::io::{Read, Seek, SeekFrom};

/// Longer `moov` boxes, which list the pieces of a file, are not looked at: days of sound.
const LONGEST_MOOV: u64 = 1 << 28;

/// For every track of an MP4 file the time where its sound begins.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Mp4Edits(Vec<Edit>);

/// The first edit of a track: `media_time` ticks from its beginning, `timescale` a second.
#[derive(Debug, PartialEq)]
struct Edit {
    track_id: u32,
    media_time: u64,
    timescale: u32,
}

impl Mp4Edits {
    /// Reads the edits, as far as they can be understood. What is no MP4 file has none.
    pub(crate) fn read(source: &mut (impl Read + Seek)) -> std::io::Result<Self> {
        source.seek(SeekFrom::Start(0))?;
        let mut head = Vec::new();
        source.by_ref().take(8).read_to_end(&mut head)?;
        if head.get(4..) != Some(b"ftyp") {
            return Ok(Self::default());
        }
        Ok(Self(find_moov(source)?.map(|moov| edits(&moov)).unwrap_or_default()))
    }

    /// Samples of a track that come before its sound, at the rate that it is decoded to.
    pub(crate) fn samples_before(&self, track_id: u32, sampling_rate: u32) -> u64 {
        let edit = self.0.iter().find(|edit| edit.track_id == track_id);
        edit.map_or(0, |edit| {
            let ticks = u128::from(edit.media_time) * u128::from(sampling_rate);
            u64::try_from(ticks / u128::from(edit.timescale)).unwrap_or(u64::MAX)
        })
    }
}

/// The content of the box `moov`.
fn find_moov(source: &mut (impl Read + Seek)) -> std::io::Result<Option<Vec<u8>>> {
    let mut position = 0_u64;
    loop {
        source.seek(SeekFrom::Start(position))?;
        let mut head = Vec::new();
        source.by_ref().take(16).read_to_end(&mut head)?;
        let Some((head_size, size, kind)) = box_head(&head) else { return Ok(None) };
        if kind == *b"moov" {
            let size = if size == 0 { LONGEST_MOOV } else { size - head_size };
            if size > LONGEST_MOOV {
                return Ok(None);
            }
            source.seek(SeekFrom::Start(position + head_size))?;
            let mut content = Vec::new();
            source.by_ref().take(size).read_to_end(&mut content)?;
            return Ok(Some(content));
        }
        match position.checked_add(size) {
            Some(next) if size > 0 => position = next,
            _ => return Ok(None),
        }
    }
}

/// The size of a box's head, its whole size (0: to the end) and its kind.
fn box_head(bytes: &[u8]) -> Option<(u64, u64, [u8; 4])> {
    let size = u64::from(u32_at(bytes, 0)?);
    let kind = *bytes.get(4..)?.first_chunk()?;
    let (head_size, size) = if size == 1 { (16, u64_at(bytes, 8)?) } else { (8, size) };
    (size == 0 || size >= head_size).then_some((head_size, size, kind))
}

/// The boxes that lie in a box, as far as they are whole.
fn boxes(mut content: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let (head_size, size, kind) = box_head(content)?;
        let size = if size == 0 { content.len() } else { usize::try_from(size).ok()? };
        let inside = content.get(usize::try_from(head_size).ok()?..size)?;
        content = &content[size..];
        Some((kind, inside))
    })
}

/// A box by the way to it.
fn find<'a>(content: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
    path.iter().try_fold(content, |content, kind| {
        boxes(content).find(|(name, _)| name == *kind).map(|(_, inside)| inside)
    })
}

fn edits(moov: &[u8]) -> Vec<Edit> {
    boxes(moov).filter(|(kind, _)| kind == b"trak").filter_map(|(_, trak)| first_edit(trak)).collect()
}

fn first_edit(trak: &[u8]) -> Option<Edit> {
    // Both begin with two times, which are longer in version 1.
    let after_times = |content: &[u8]| if content.first() == Some(&1) { 20 } else { 12 };
    let header = find(trak, &[b"tkhd"])?;
    let media_header = find(trak, &[b"mdia", b"mdhd"])?;
    let timescale = u32_at(media_header, after_times(media_header))?;
    let list = find(trak, &[b"edts", b"elst"])?;
    let entries = list.get(8..)?.chunks_exact(if list.first() == Some(&1) { 20 } else { 12 });
    // An empty edit, at time -1, is silence before the sound, which ffmpeg does not write.
    let media_time = entries.take(u32_at(list, 4)? as usize).find_map(|entry| {
        let time =
            if entry.len() == 20 { u64_at(entry, 8)? as i64 } else { i64::from(u32_at(entry, 4)? as i32) };
        u64::try_from(time).ok()
    })?;
    let track_id = u32_at(header, after_times(header))?;
    (timescale > 0).then_some(Edit { track_id, media_time, timescale })
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes.get(offset..)?.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}
