//! How a camera was held: the orientation in EXIF or XMP, and turning an image by it.

/// The tag of EXIF that tells how an image is to be turned.
const ORIENTATION: u16 = 0x0112;

/// From EXIF, or from XMP where EXIF does not say, as Pillow's `getexif` looks for it; 1 is upright.
pub(crate) fn of(exif: Option<&[u8]>, xmp: Option<&[u8]>) -> u8 {
    let orientation = exif.and_then(in_exif).or_else(|| xmp.and_then(in_xmp));
    orientation.and_then(|value| u8::try_from(value).ok()).unwrap_or(1)
}

/// The value in EXIF, which is a TIFF without pixels.
fn in_exif(exif: &[u8]) -> Option<u32> {
    let mut exif = exif;
    while let Some(rest) = exif.strip_prefix(b"Exif\0\0") {
        exif = rest;
    }
    Tags::of_tiff(exif)?.find(ORIENTATION).map(|(_, value)| value)
}

/// The first directory of a TIFF.
pub(crate) struct Tags<'a> {
    bytes: &'a [u8],
    is_little: bool,
}

impl<'a> Tags<'a> {
    /// `None` where the order of bytes is not told.
    pub(crate) fn of_tiff(bytes: &'a [u8]) -> Option<Self> {
        match bytes.get(..2)? {
            b"II" => Some(Self { bytes, is_little: true }),
            b"MM" => Some(Self { bytes, is_little: false }),
            _ => None,
        }
    }

    /// A single whole number of 16 or 32 bits: where it stands, and its value. The last one counts of several.
    pub(crate) fn find(&self, tag: u16) -> Option<(usize, u32)> {
        let directory = self.long(4)? as usize;
        let count = usize::from(self.short(directory)?);
        let entries = (0..count).map(|entry| directory.saturating_add(2 + 12 * entry));
        let whole = entries.take_while(|&at| self.long(at.saturating_add(8)).is_some());
        whole.filter_map(|at| self.value(at, tag)).last()
    }

    fn value(&self, at: usize, tag: u16) -> Option<(usize, u32)> {
        let is_wanted = self.short(at)? == tag && self.long(at + 4)? == 1;
        match self.short(at + 2)? {
            3 | 8 if is_wanted => Some((at + 8, self.short(at + 8)?.into())),
            4 | 9 if is_wanted => Some((at + 8, self.long(at + 8)?)),
            _ => None,
        }
    }

    fn short(&self, at: usize) -> Option<u16> {
        let &bytes = self.bytes.get(at..)?.first_chunk()?;
        Some(if self.is_little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    fn long(&self, at: usize) -> Option<u32> {
        let &bytes = self.bytes.get(at..)?.first_chunk()?;
        Some(if self.is_little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    /// Sixteen bits in the order of this file.
    pub(crate) fn short_bytes(&self, value: u16) -> [u8; 2] {
        if self.is_little { value.to_le_bytes() } else { value.to_be_bytes() }
    }
}

/// The digit behind `tiff:Orientation="` or `tiff:Orientation>`.
fn in_xmp(xmp: &[u8]) -> Option<u32> {
    const NAME: &[u8] = b"tiff:Orientation";
    let found = xmp.windows(NAME.len()).enumerate().filter(|(_, window)| *window == NAME);
    found
        .filter_map(|(at, _)| match xmp.get(at + NAME.len()..)? {
            [b'=', b'"', digit, ..] | [b'>', digit, ..] => char::from(*digit).to_digit(10),
            _ => None,
        })
        .next()
}

/// Turns `[height, width, 3]` and gives its new width, height and pixels.
pub(crate) fn apply(
    orientation: u8,
    width: usize,
    height: usize,
    pixels: Vec<u8>,
) -> (usize, usize, Vec<u8>) {
    if !(2..=8).contains(&orientation) || pixels.len() != width * height * 3 || pixels.is_empty() {
        return (width, height, pixels);
    }
    let (row, last) = (width as isize, (width * height) as isize - 1);
    // Where the upper left pixel comes from, and the steps to the right and down.
    let (first, right, down) = match orientation {
        2 => (row - 1, -1, row),
        3 => (last, -1, -row),
        4 => (last + 1 - row, 1, -row),
        5 => (0, row, 1),
        6 => (last + 1 - row, -row, 1),
        7 => (last, -row, -1),
        _ => (row - 1, row, -1),
    };
    let (new_width, new_height) = if orientation < 5 { (width, height) } else { (height, width) };
    let (source, _) = pixels.as_chunks::<3>();
    let mut turned = vec![0; pixels.len()];
    for (y, turned_row) in turned.chunks_exact_mut(new_width * 3).enumerate() {
        let mut at = first + y as isize * down;
        for pixel in turned_row.as_chunks_mut::<3>().0 {
            *pixel = source[at as usize];
            at += right;
        }
    }
    (new_width, new_height, turned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rows of three pixels, numbered.
    fn turned(orientation: u8) -> (usize, usize, Vec<u8>) {
        let pixels = (0..6).flat_map(|number| [number; 3]).collect();
        let (width, height, pixels) = apply(orientation, 3, 2, pixels);
        (width, height, pixels.into_iter().step_by(3).collect())
    }

    #[test]
    fn every_orientation_turns_as_exif_defines_it() {
        assert_eq!(turned(1), (3, 2, vec![0, 1, 2, 3, 4, 5]));
        assert_eq!(turned(2), (3, 2, vec![2, 1, 0, 5, 4, 3]));
        assert_eq!(turned(3), (3, 2, vec![5, 4, 3, 2, 1, 0]));
        assert_eq!(turned(4), (3, 2, vec![3, 4, 5, 0, 1, 2]));
        assert_eq!(turned(5), (2, 3, vec![0, 3, 1, 4, 2, 5]));
        assert_eq!(turned(6), (2, 3, vec![3, 0, 4, 1, 5, 2]));
        assert_eq!(turned(7), (2, 3, vec![5, 2, 4, 1, 3, 0]));
        assert_eq!(turned(8), (2, 3, vec![2, 5, 1, 4, 0, 3]));
        assert_eq!(turned(9), (3, 2, vec![0, 1, 2, 3, 4, 5]));
    }

    #[test]
    fn xmp_counts_where_exif_is_silent() {
        assert_eq!(of(None, Some(b"<x tiff:Orientation=\"6\"/>")), 6);
        assert_eq!(of(None, Some(b"<tiff:Orientation>8</tiff:Orientation>")), 8);
        assert_eq!(of(Some(b"II"), Some(b"tiff:Orientation")), 1);
    }
}
