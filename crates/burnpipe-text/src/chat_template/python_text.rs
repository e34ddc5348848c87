//! Python's `str` and `repr` of a template's values.

use std::fmt::Write;

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, State, Value};

/// Lists in lists in lists ... are no text beyond this depth, as in Python.
const DEEPEST: usize = 200;

/// Python's `str(value)`; nothing for what is not defined.
pub(super) fn str(state: &State<'_, '_>, value: &Value) -> Result<String, Error> {
    let mut text = String::new();
    write_str(state, &mut text, value)?;
    Ok(text)
}

/// Writes Python's `str(value)`.
pub(super) fn write_str(state: &State<'_, '_>, out: &mut impl Write, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) => Ok(out.write_str(text)?),
        None if value.is_undefined() => Ok(()),
        None => write_repr(state, out, value, 0),
    }
}

fn write_repr(state: &State<'_, '_>, out: &mut impl Write, value: &Value, depth: usize) -> Result<(), Error> {
    visit(state, value, depth)?;
    match value.kind() {
        ValueKind::Number if !value.is_integer() => match f64::try_from(value.clone()) {
            Ok(number) => out.write_str(&float(number))?,
            Err(_) => write!(out, "{value}")?,
        },
        ValueKind::Map => {
            out.write_char('{')?;
            for (place, key) in value.try_iter()?.enumerate() {
                out.write_str(if place > 0 { ", " } else { "" })?;
                write_repr(state, out, &key, depth + 1)?;
                out.write_str(": ")?;
                write_repr(state, out, &value.get_item(&key)?, depth + 1)?;
            }
            out.write_char('}')?;
        }
        // Parts of a list, `messages[1:]`, are iterables here and lists in Python.
        ValueKind::Seq | ValueKind::Iterable if value.len().is_some() => {
            let is_tuple = value.is_tuple();
            out.write_char(if is_tuple { '(' } else { '[' })?;
            for (place, item) in value.try_iter()?.enumerate() {
                out.write_str(if place > 0 { ", " } else { "" })?;
                write_repr(state, out, &item, depth + 1)?;
            }
            out.write_str(match (is_tuple, value.len()) {
                (true, Some(1)) => ",)",
                (true, _) => ")",
                (false, _) => "]",
            })?;
        }
        ValueKind::String => write_quoted(out, value.as_str().unwrap_or_default())?,
        ValueKind::Undefined => out.write_str("Undefined")?,
        _ => write!(out, "{value:?}")?,
    }
    Ok(())
}

/// Python's `repr` of a text.
fn write_quoted(out: &mut impl Write, text: &str) -> std::fmt::Result {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.write_char(quote)?;
    for character in text.chars() {
        match character {
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            '\\' => out.write_str("\\\\")?,
            _ if character == quote => write!(out, "\\{character}")?,
            _ if is_printable(character) => out.write_char(character)?,
            _ => match u32::from(character) {
                code @ ..=0xff => write!(out, "\\x{code:02x}")?,
                code @ ..=0xffff => write!(out, "\\u{code:04x}")?,
                code => write!(out, "\\U{code:08x}")?,
            },
        }
    }
    out.write_char(quote)
}

/// Python's `str.isprintable`, which has the same rule as Rust's escapes. Rust escapes an accent too when a text
/// begins with it, and so it is asked for the second character.
fn is_printable(character: char) -> bool {
    match character {
        '"' | '\'' | ' '..='~' => true,
        _ => String::from_iter(['a', character]).escape_debug().nth(1) == Some(character),
    }
}

/// Python's `repr` of a float: the fewest digits that give the number back.
pub(super) fn float(number: f64) -> String {
    if !number.is_finite() {
        return if number.is_nan() { "nan".to_owned() } else { number.to_string() };
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = number.to_string();
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// Counts a value that is written: one list may stand in another many times over, and be short for all that.
pub(super) fn visit(state: &State<'_, '_>, value: &Value, depth: usize) -> Result<(), Error> {
    if depth > DEEPEST {
        let message = format!("a value is nested more than {DEEPEST} times");
        return Err(Error::new(ErrorKind::InvalidOperation, message));
    }
    charge(state, value.as_str().map_or(0, str::len))?;
    state.consume_fuel(1)
}

/// Counts bytes that are made, as minijinja does.
pub(super) fn charge(state: &State<'_, '_>, bytes: usize) -> Result<(), Error> {
    state.consume_fuel(bytes as u64 / 64)
}

/// What Python's `str.isspace` takes for space, and `strip` takes away: Unicode's white space and four
/// control characters that separate records.
pub(super) fn is_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{1c}'..='\u{1f}')
}

/// Python's `text.strip()`.
pub(crate) fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}
