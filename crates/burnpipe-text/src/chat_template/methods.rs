//! Methods of Python's texts, lists and dicts, where those of `minijinja-contrib` do less than Python's, or
//! something else.

use minijinja::value::{Kwargs, Tuple, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat::unknown_method_callback;

use super::python_text::{charge, is_space};

/// Calls a method of a value.
pub(super) fn call(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    arguments: &[Value],
) -> Result<Value, Error> {
    let own = match value.as_str() {
        Some(text) => text_method(state, text, method, arguments)?,
        None => match value.kind() {
            ValueKind::Seq | ValueKind::Iterable => list_method(value, method, arguments)?,
            ValueKind::Map if method == "copy" => Some(value.clone()),
            _ => None,
        },
    };
    match own {
        Some(answer) => Ok(answer),
        None => unknown_method_callback(state, value, method, arguments),
    }
}

fn text_method(
    state: &State<'_, '_>,
    text: &str,
    method: &str,
    arguments: &[Value],
) -> Result<Option<Value>, Error> {
    let answer = match method {
        "strip" => strip(text, one(arguments)?.as_ref(), Ends::Both)?,
        "lstrip" => strip(text, one(arguments)?.as_ref(), Ends::Left)?,
        "rstrip" => strip(text, one(arguments)?.as_ref(), Ends::Right)?,
        "split" | "rsplit" => split(text, method == "rsplit", arguments)?,
        "splitlines" => splitlines(text, arguments)?,
        "startswith" | "endswith" => has_affix(text, method, arguments)?,
        "find" | "rfind" | "index" | "rindex" | "count" => find(text, method, arguments)?,
        "partition" | "rpartition" => partition(text, method == "rpartition", arguments)?,
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(arguments)?;
            Value::from(text.strip_prefix(prefix).unwrap_or(text))
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(arguments)?;
            Value::from(text.strip_suffix(suffix).unwrap_or(text))
        }
        "ljust" | "rjust" | "center" | "zfill" => fill(text, method, arguments)?,
        "title" => Value::from(title(text)),
        "swapcase" => Value::from(swapcase(text)),
        "isspace" => Value::from(!text.is_empty() && text.chars().all(is_space)),
        "join" => return join(state, text, arguments).map(Some),
        _ => return Ok(None),
    };
    Ok(Some(answer))
}

fn list_method(list: &Value, method: &str, arguments: &[Value]) -> Result<Option<Value>, Error> {
    match method {
        "copy" => Ok(Some(list.clone())),
        "index" => {
            let (wanted,): (&Value,) = from_args(arguments)?;
            let place = list.try_iter()?.position(|item| item == *wanted);
            let missing = || Error::new(ErrorKind::InvalidOperation, "the value is not in the list");
            Ok(Some(Value::from(place.ok_or_else(missing)?)))
        }
        _ => Ok(None),
    }
}

/// Which ends of a text `strip` works on.
#[derive(Clone, Copy)]
pub(super) enum Ends {
    Both,
    Left,
    Right,
}

/// Python's `strip`, `lstrip` and `rstrip`: of spaces, or of the characters that are given.
pub(super) fn strip(text: &str, characters: Option<&Value>, ends: Ends) -> Result<Value, Error> {
    let characters = match characters.filter(|characters| !characters.is_none()) {
        Some(characters) => Some(characters.as_str().ok_or_else(|| wrong("strip", "a text or none"))?),
        None => None,
    };
    let is_taken = |character: char| match characters {
        Some(characters) => characters.contains(character),
        None => is_space(character),
    };
    Ok(Value::from(match ends {
        Ends::Both => text.trim_matches(is_taken),
        Ends::Left => text.trim_start_matches(is_taken),
        Ends::Right => text.trim_end_matches(is_taken),
    }))
}

/// `split(sep=None, maxsplit=-1)`, and the same from the right.
fn split(text: &str, from_right: bool, arguments: &[Value]) -> Result<Value, Error> {
    let (separator, most, kwargs): (Option<Value>, Option<i64>, Kwargs) = from_args(arguments)?;
    let separator = separator.or(kwargs.get("sep")?).filter(|separator| !separator.is_none());
    let most = most.or(kwargs.get("maxsplit")?).and_then(|most| usize::try_from(most).ok());
    kwargs.assert_all_used()?;
    // One split gives two parts.
    let parts = most.map_or(usize::MAX, |most| most.saturating_add(1));
    let Some(separator) = separator else { return Ok(split_at_spaces(text, from_right, parts)) };
    let separator = separator.as_str().ok_or_else(|| wrong("split", "a text or none"))?;
    if separator.is_empty() {
        return Err(Error::new(ErrorKind::InvalidOperation, "empty separator"));
    }
    if from_right {
        let mut parts: Vec<&str> = text.rsplitn(parts, separator).collect();
        parts.reverse();
        return Ok(list(parts));
    }
    Ok(list(text.splitn(parts, separator)))
}

/// Splits at runs of spaces; what is left after the last split keeps the spaces inside and at its far end.
fn split_at_spaces(text: &str, from_right: bool, most_parts: usize) -> Value {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        rest = if from_right { rest.trim_end_matches(is_space) } else { rest.trim_start_matches(is_space) };
        if rest.is_empty() {
            break;
        }
        let cut = if from_right { rest.rfind(is_space) } else { rest.find(is_space) };
        let Some(cut) = cut.filter(|_| parts.len() + 1 < most_parts) else {
            parts.push(rest);
            break;
        };
        if from_right {
            let space = rest[cut..].chars().next().map_or(0, char::len_utf8);
            parts.push(&rest[cut + space..]);
            rest = &rest[..cut];
        } else {
            parts.push(&rest[..cut]);
            rest = &rest[cut..];
        }
    }
    if from_right {
        parts.reverse();
    }
    list(parts)
}

fn list<'a>(texts: impl IntoIterator<Item = &'a str>) -> Value {
    texts.into_iter().map(Value::from).collect()
}

/// `splitlines(keepends=False)`: at all that Unicode takes for the end of a line.
fn splitlines(text: &str, arguments: &[Value]) -> Result<Value, Error> {
    let (keep_ends, kwargs): (Option<Value>, Kwargs) = from_args(arguments)?;
    let keep_ends = keep_ends.or(kwargs.get("keepends")?).is_some_and(|keep| keep.is_true());
    kwargs.assert_all_used()?;
    Ok(list(lines(text, keep_ends)))
}

/// The lines of a text, with what ends them or without.
pub(super) fn lines(text: &str, keep_ends: bool) -> Vec<&str> {
    let ends = ['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'];
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(line_end) = rest.find(ends) {
        let after = &rest[line_end..];
        let width =
            if after.starts_with("\r\n") { 2 } else { after.chars().next().map_or(0, char::len_utf8) };
        lines.push(&rest[..if keep_ends { line_end + width } else { line_end }]);
        rest = &rest[line_end + width..];
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

/// The part of a text between two places, which may count from the end, and where it begins in characters;
/// `None` when it would begin after the end.
fn part(text: &str, start: Option<i64>, end: Option<i64>) -> Option<(usize, &str)> {
    let length = text.chars().count();
    let place = |given: i64| {
        let distance = usize::try_from(given.unsigned_abs()).unwrap_or(usize::MAX);
        if given < 0 { length.saturating_sub(distance) } else { distance }
    };
    let start = start.map_or(0, place);
    let end = end.map_or(length, |end| place(end).min(length));
    if start > length || start > end {
        return None;
    }
    let byte = |place: usize| text.char_indices().nth(place).map_or(text.len(), |(byte, _)| byte);
    Some((start, &text[byte(start)..byte(end)]))
}

/// `find`, `rfind`, `index`, `rindex` and `count`, with `(sub, start, end)`.
fn find(text: &str, method: &str, arguments: &[Value]) -> Result<Value, Error> {
    let (wanted, start, end): (&str, Option<i64>, Option<i64>) = from_args(arguments)?;
    let part = part(text, start, end);
    if method == "count" {
        return Ok(Value::from(part.map_or(0, |(_, part)| part.matches(wanted).count())));
    }
    let found = part.and_then(|(start, part)| {
        let byte = if method.starts_with('r') { part.rfind(wanted) } else { part.find(wanted) }?;
        Some(start + part[..byte].chars().count())
    });
    match found {
        Some(place) => Ok(Value::from(place)),
        None if method.ends_with("find") => Ok(Value::from(-1)),
        None => Err(Error::new(ErrorKind::InvalidOperation, "substring not found")),
    }
}

/// `startswith` and `endswith`, with a text or a tuple of texts and `(start, end)`.
fn has_affix(text: &str, method: &str, arguments: &[Value]) -> Result<Value, Error> {
    let (affixes, start, end): (Value, Option<i64>, Option<i64>) = from_args(arguments)?;
    let Some((_, part)) = part(text, start, end) else { return Ok(Value::from(false)) };
    let affixes = if affixes.as_str().is_some() { vec![affixes] } else { affixes.try_iter()?.collect() };
    for affix in &affixes {
        let affix = affix.as_str().ok_or_else(|| wrong(method, "a text or a tuple of texts"))?;
        if if method == "startswith" { part.starts_with(affix) } else { part.ends_with(affix) } {
            return Ok(Value::from(true));
        }
    }
    Ok(Value::from(false))
}

fn partition(text: &str, from_right: bool, arguments: &[Value]) -> Result<Value, Error> {
    let (separator,): (&str,) = from_args(arguments)?;
    let parts = match if from_right { text.rsplit_once(separator) } else { text.split_once(separator) } {
        Some((before, after)) => [before, separator, after],
        None if from_right => ["", "", text],
        None => [text, "", ""],
    };
    Ok(Value::from(Tuple::from(parts.map(Value::from))))
}

/// `ljust`, `rjust` and `center` with `(width, fillchar=' ')`, and `zfill(width)`.
fn fill(text: &str, method: &str, arguments: &[Value]) -> Result<Value, Error> {
    /// Nobody needs longer lines, and a template shall not fill the memory.
    const WIDEST: usize = 10_000;
    let (width, filler): (i64, Option<&str>) = from_args(arguments)?;
    let filler = filler.unwrap_or(if method == "zfill" { "0" } else { " " });
    if filler.chars().count() != 1 {
        return Err(wrong(method, "one character to fill with"));
    }
    let width = usize::try_from(width).unwrap_or(0).min(WIDEST);
    let missing = width.saturating_sub(text.chars().count());
    let left = match method {
        "ljust" => 0,
        // Python puts the odd one on the left of an odd width.
        "center" => missing / 2 + (missing & width & 1),
        _ => missing,
    };
    let signed = text.strip_prefix(['+', '-']).filter(|_| method == "zfill");
    let (sign, text) = signed.map_or(("", text), |digits| text.split_at(text.len() - digits.len()));
    Ok(Value::from(format!("{sign}{}{text}{}", filler.repeat(left), filler.repeat(missing - left))))
}

/// `str.title`: a letter after anything but a letter is a capital.
fn title(text: &str) -> String {
    let mut titled = String::with_capacity(text.len());
    let mut in_word = false;
    for character in text.chars() {
        if in_word {
            titled.extend(character.to_lowercase());
        } else {
            titled.extend(character.to_uppercase());
        }
        in_word = character.is_alphabetic();
    }
    titled
}

fn swapcase(text: &str) -> String {
    let mut swapped = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_uppercase() {
            swapped.extend(character.to_lowercase());
        } else {
            swapped.extend(character.to_uppercase());
        }
    }
    swapped
}

/// Python joins texts only, where Jinja's filter joins everything.
fn join(state: &State<'_, '_>, separator: &str, arguments: &[Value]) -> Result<Value, Error> {
    let (items,): (&Value,) = from_args(arguments)?;
    let mut joined = String::new();
    for (place, item) in items.try_iter()?.enumerate() {
        let item = item.as_str().ok_or_else(|| wrong("join", "texts only"))?;
        let separator = if place > 0 { separator } else { "" };
        charge(state, separator.len() + item.len())?;
        joined.push_str(separator);
        joined.push_str(item);
    }
    Ok(Value::from(joined))
}

fn one(arguments: &[Value]) -> Result<Option<Value>, Error> {
    let (argument,): (Option<Value>,) = from_args(arguments)?;
    Ok(argument)
}

fn wrong(method: &str, takes: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("`{method}` takes {takes}"))
}
