//! Files written into a text.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use burnpipe_core::{ErrorContext, ErrorKind, Result};

/// The bytes of a `data:` URI, or of base64 alone, as Python's `load_image` takes them: what is no digit of base64,
/// such as a line's end, is passed over.
///
/// # Errors
///
/// When digits are missing at the end.
///
/// ```
/// use burnpipe_image::decode_base64;
///
/// assert_eq!(decode_base64("data:image/png;base64,SGVs\nbG8=")?, b"Hello");
/// # Ok::<(), burnpipe_core::Error>(())
/// ```
pub fn decode_base64(text: &str) -> Result<Vec<u8>> {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical);
    let data = if text.starts_with("data:") { text.split(',').nth(1).unwrap_or_default() } else { text };
    let mut digits = Vec::with_capacity(data.len());
    for byte in data.bytes() {
        match byte {
            b'=' if digits.len() % 4 >= 2 => {
                // Padding ends the text, whatever stands behind it.
                let is_last = digits.len() % 4 == 3;
                digits.push(b'=');
                if is_last {
                    break;
                }
            }
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => digits.push(byte),
            _ => {}
        }
    }
    GeneralPurpose::new(&STANDARD, config).decode(&digits).context(ErrorKind::Input, || {
        format!("{} characters are neither an address, nor a path, nor base64", text.len())
    })
}
