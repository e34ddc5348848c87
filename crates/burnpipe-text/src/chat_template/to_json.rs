//! The filter `tojson`: Python's `json.dumps`, which transformers puts in the place of Jinja's own filter because
//! that one escapes what HTML needs escaped.
//!
//! Reference: `tojson` in `utils/chat_template_utils.py`, `json/encoder.py` of Python.

use std::fmt::Write;

use minijinja::value::{Kwargs, Rest, ValueKind, ValueOrKwargs, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::filters::values;
use super::python_text::{charge, float, visit};

/// `tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False)`.
pub(super) fn filter(
    state: &State<'_, '_>,
    value: Value,
    arguments: Rest<ValueOrKwargs>,
) -> Result<Value, Error> {
    let writer = Writer::from_arguments(state, &values(arguments))?;
    let mut out = String::new();
    writer.write(&mut out, &value, 0)?;
    Ok(Value::from(out))
}

struct Writer<'a> {
    state: &'a State<'a, 'a>,
    ensure_ascii: bool,
    indent: Option<String>,
    item_separator: String,
    key_separator: String,
    sort_keys: bool,
}

impl<'a> Writer<'a> {
    fn from_arguments(state: &'a State<'_, '_>, arguments: &[Value]) -> Result<Self, Error> {
        type Arguments = (Option<Value>, Option<Value>, Option<Value>, Option<Value>, Kwargs);
        let (ensure_ascii, indent, separators, sort_keys, kwargs): Arguments = from_args(arguments)?;
        let named = |given: Option<Value>, name: &str| match given {
            Some(value) => Ok(Some(value)),
            None => kwargs.get::<Option<Value>>(name),
        };
        let ensure_ascii = named(ensure_ascii, "ensure_ascii")?;
        let indent = named(indent, "indent")?.filter(|indent| !indent.is_none());
        let indent = indent.as_ref().map(indentation).transpose()?;
        let separators = named(separators, "separators")?.filter(|value| !value.is_none());
        let sort_keys = named(sort_keys, "sort_keys")?;
        kwargs.assert_all_used()?;
        let (item_separator, key_separator) = match separators {
            Some(separators) => {
                (text(&separators.get_item_by_index(0)?)?, text(&separators.get_item_by_index(1)?)?)
            }
            // Lines need no space at their ends.
            None => ((if indent.is_some() { "," } else { ", " }).to_owned(), ": ".to_owned()),
        };
        Ok(Self {
            state,
            ensure_ascii: ensure_ascii.is_some_and(|value| value.is_true()),
            indent,
            item_separator,
            key_separator,
            sort_keys: sort_keys.is_some_and(|value| value.is_true()),
        })
    }

    fn write(&self, out: &mut String, value: &Value, depth: usize) -> Result<(), Error> {
        visit(self.state, value, depth)?;
        match value.kind() {
            ValueKind::None => out.push_str("null"),
            ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => out.push_str(&number(value)?),
            ValueKind::String => self.write_text(out, value.as_str().unwrap_or_default()),
            ValueKind::Map => self.write_object(out, value, depth)?,
            ValueKind::Seq | ValueKind::Iterable => {
                let mut items = value.try_iter()?.peekable();
                if items.peek().is_none() {
                    out.push_str("[]");
                    return Ok(());
                }
                out.push('[');
                for (place, item) in items.enumerate() {
                    self.begin_item(out, place, depth + 1)?;
                    self.write(out, &item, depth + 1)?;
                }
                self.begin_line(out, depth)?;
                out.push(']');
            }
            kind => return Err(not_json(kind)),
        }
        Ok(())
    }

    fn write_object(&self, out: &mut String, value: &Value, depth: usize) -> Result<(), Error> {
        let mut keys: Vec<Value> = value.try_iter()?.collect();
        if keys.is_empty() {
            out.push_str("{}");
            return Ok(());
        }
        if self.sort_keys {
            keys.sort();
        }
        out.push('{');
        for (place, key) in keys.iter().enumerate() {
            self.begin_item(out, place, depth + 1)?;
            match key.kind() {
                ValueKind::String => self.write_text(out, key.as_str().unwrap_or_default()),
                ValueKind::None => out.push_str("\"null\""),
                ValueKind::Bool => out.push_str(if key.is_true() { "\"true\"" } else { "\"false\"" }),
                ValueKind::Number => {
                    out.push('"');
                    out.push_str(&number(key)?);
                    out.push('"');
                }
                kind => return Err(not_json(kind)),
            }
            charge(self.state, self.key_separator.len())?;
            out.push_str(&self.key_separator);
            self.write(out, &value.get_item(key)?, depth + 1)?;
        }
        self.begin_line(out, depth)?;
        out.push('}');
        Ok(())
    }

    fn begin_item(&self, out: &mut String, place: usize, depth: usize) -> Result<(), Error> {
        if place > 0 {
            charge(self.state, self.item_separator.len())?;
            out.push_str(&self.item_separator);
        }
        self.begin_line(out, depth)
    }

    fn begin_line(&self, out: &mut String, depth: usize) -> Result<(), Error> {
        if let Some(indent) = &self.indent {
            charge(self.state, indent.len().saturating_mul(depth))?;
            out.push('\n');
            out.extend(std::iter::repeat_n(indent.as_str(), depth));
        }
        Ok(())
    }

    fn write_text(&self, out: &mut String, text: &str) {
        out.push('"');
        for character in text.chars() {
            match character {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                '\0'..='\u{1f}' => write_escape(out, character as u16),
                _ if self.ensure_ascii && !(' '..='~').contains(&character) => {
                    character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| write_escape(out, *unit));
                }
                _ => out.push(character),
            }
        }
        out.push('"');
    }
}

fn write_escape(out: &mut String, unit: u16) {
    // A String takes everything that is written to it.
    let _ = write!(out, "\\u{unit:04x}");
}

fn number(value: &Value) -> Result<String, Error> {
    if value.is_integer() {
        return Ok(value.to_string());
    }
    let number = f64::try_from(value.clone())?;
    Ok(match number {
        _ if number.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        _ => float(number),
    })
}

/// What stands before a line: as many spaces as a number says, or the text that is given.
pub(super) fn indentation(indent: &Value) -> Result<String, Error> {
    match indent.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => Ok(spaces(i64::try_from(indent.clone())?)),
    }
}

/// Spaces, as many as anybody reads.
pub(super) fn spaces(count: i64) -> String {
    " ".repeat(usize::try_from(count.clamp(0, 100)).unwrap_or(0))
}

fn text(value: &Value) -> Result<String, Error> {
    let text = value.as_str().map(str::to_owned);
    text.ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "`separators` of `tojson` takes two texts"))
}

fn not_json(kind: ValueKind) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("`tojson` cannot write a value of type {kind}"))
}
