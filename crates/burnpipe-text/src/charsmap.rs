//! The character maps that SentencePiece models carry: a table of byte sequences, each with the text that
//! takes its place.
//!
//! The `tokenizers` crate trusts the places in such a map, and panics on one that leads nowhere. Here the
//! whole map is walked before it is used.

use burnpipe_core::{Error, ErrorKind, Result};

/// Checks that every lookup in a map ends inside it.
///
/// The layout is that of Darts-clone: the size of a double array in bytes, the array, and the texts, each
/// ended by NUL.
pub(crate) fn check(charsmap: &[u8]) -> Result<()> {
    let broken = |what: &str| Error::new(ErrorKind::Tokenizer, format!("the character map {what}"));
    let (size, rest) = charsmap.split_first_chunk().ok_or_else(|| broken("is cut off"))?;
    let size = usize::try_from(u32::from_le_bytes(*size)).unwrap_or(usize::MAX);
    let (array, texts) = rest.split_at_checked(size / 4 * 4).ok_or_else(|| broken("is cut off"))?;
    let texts = std::str::from_utf8(texts).map_err(|_| broken("holds text that is not UTF-8"))?;
    let (chunks, _) = array.as_chunks();
    let units: Vec<Unit> = chunks.iter().map(|bytes| Unit(u32::from_le_bytes(*bytes))).collect();
    let root = units.first().ok_or_else(|| broken("is empty"))?;

    let children = Children::new(&units);
    let mut seen = vec![false; units.len()];
    let mut nodes = vec![root.offset()];
    while let Some(node) = nodes.pop() {
        // The units of all bytes that may follow must be there, and so must what they lead to.
        match seen.get_mut(node) {
            Some(seen) if !*seen => *seen = true,
            Some(_) => continue,
            None => return Err(broken("leads out of its table")),
        }
        if node | 0xFF >= units.len() {
            return Err(broken("leads out of its table"));
        }
        for place in children.of(node) {
            let Some(unit) = units.get(place) else { continue };
            let next = place ^ unit.offset();
            if unit.has_leaf() {
                let value = units.get(next).ok_or_else(|| broken("leads out of its table"))?.value();
                if !texts.is_char_boundary(value) {
                    return Err(broken("names a text that is not there"));
                }
            }
            nodes.push(next);
        }
    }
    Ok(())
}

/// The bytes of a map written in base64, as tokenizer.json has them. What is no base64 is left out: the
/// crate refuses it by itself.
pub(crate) fn from_base64(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut buffer, mut bits) = (0_u32, 0);
    for byte in text.bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        buffer = (buffer << 6) | u32::from(digit);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits) as u8);
        }
    }
    bytes
}

/// One unit of a double array.
#[derive(Clone, Copy)]
struct Unit(u32);

impl Unit {
    fn has_leaf(self) -> bool {
        (self.0 >> 8) & 1 == 1
    }

    fn value(self) -> usize {
        (self.0 & 0x7FFF_FFFF) as usize
    }

    /// The byte that leads to this unit; `None` for one that no byte leads to.
    fn label(self) -> Option<usize> {
        let label = self.0 & 0x8000_00FF;
        (1..=0xFF).contains(&label).then_some(label as usize)
    }

    fn offset(self) -> usize {
        ((self.0 >> 10) as usize) << ((self.0 & 0x200) >> 6)
    }
}

/// The units by the node that they follow.
struct Children {
    /// Nodes and places of units, in order.
    sorted: Vec<(usize, usize)>,
}

impl Children {
    fn new(units: &[Unit]) -> Self {
        let labels = units.iter().enumerate();
        let mut sorted: Vec<_> =
            labels.filter_map(|(place, unit)| Some((place ^ unit.label()?, place))).collect();
        sorted.sort_unstable();
        Self { sorted }
    }

    fn of(&self, node: usize) -> impl Iterator<Item = usize> {
        let start = self.sorted.partition_point(|(other, _)| *other < node);
        let rest = self.sorted.get(start..).unwrap_or_default();
        rest.iter().take_while(move |(other, _)| *other == node).map(|(_, place)| *place)
    }
}

#[cfg(test)]
mod tests {
    use super::{check, from_base64};

    #[test]
    fn base64_is_read() {
        for (text, bytes) in [("", ""), ("TQ==", "M"), ("TWE=", "Ma"), ("TWFu+/8", "Man\u{fb}\u{ff}")] {
            let bytes: Vec<u8> = bytes.chars().map(|character| character as u8).collect();
            assert_eq!(from_base64(text), bytes, "{text}");
        }
    }

    #[test]
    fn maps_that_lead_nowhere_are_refused() {
        let map = |units: &[u32], texts: &[u8]| {
            let size = u32::try_from(units.len() * 4).unwrap();
            let units = units.iter().flat_map(|unit| unit.to_le_bytes());
            size.to_le_bytes().into_iter().chain(units).chain(texts.iter().copied()).collect::<Vec<u8>>()
        };
        // `a` leads to the text at `value`: the root's children are at 0, the leaf of `a` at 0x61 ^ 0x80.
        let one_letter = |value: u32, leaf_offset: u32| {
            let mut units = vec![0_u32; 256];
            units[0x61] = (leaf_offset << 10) | (1 << 8) | 0x61;
            units[0xE1] = (1 << 31) | value;
            units
        };
        let good = map(&one_letter(2, 0x80), b"x\0yz\0");
        assert!(check(&good).is_ok());
        for (bytes, says) in [
            (Vec::new(), "cut off"),
            (good[..good.len() / 2].to_vec(), "cut off"),
            (map(&[], b"x\0"), "empty"),
            (map(&one_letter(2, 0x80), b"x\xFF"), "UTF-8"),
            (map(&one_letter(99, 0x80), b"x\0yz\0"), "not there"),
            (map(&one_letter(1, 0x80), "é\0".as_bytes()), "not there"),
            (map(&one_letter(2, 0x8000), b"x\0yz\0"), "out of its table"),
            (map(&one_letter(2, 0x80)[..200], b"x\0yz\0"), "out of its table"),
        ] {
            let report = check(&bytes).unwrap_err().report();
            assert!(report.contains(says), "{report} does not say {says}");
        }
    }
}
