//! Jinja's filters and tests, where minijinja's do less than Jinja's or something else.
//!
//! Reference: `jinja2/filters.py`, `jinja2/tests.py`.

use minijinja::value::{Kwargs, Rest, ValueKind, ValueOrKwargs, from_args};
use minijinja::{Environment, Error, State, Value};

use super::python_text::charge;
use super::{methods, python_text, to_json};

/// Puts them into an environment.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_filter("d", default);
    environment.add_filter("default", default);
    environment.add_filter("indent", indent);
    environment.add_filter("join", join);
    environment.add_filter("string", string);
    environment.add_filter("tojson", to_json::filter);
    environment.add_filter("trim", trim);
    environment.add_test("callable", |value: &Value| value.kind() == ValueKind::Plain);
    environment.add_test("iterable", |value: &Value| !value.is_none() && value.try_iter().is_ok());
    environment.add_test("sequence", is_sequence);
}

/// What Python can count and index: texts and dicts too.
fn is_sequence(value: &Value) -> bool {
    match value.kind() {
        ValueKind::Undefined | ValueKind::String | ValueKind::Map | ValueKind::Seq => true,
        ValueKind::Iterable => value.len().is_some(),
        _ => false,
    }
}

/// `default(value, default_value='', boolean=False)`.
fn default(value: Value, arguments: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let arguments = values(arguments);
    let (default, boolean, kwargs): (Option<Value>, Option<Value>, Kwargs) = from_args(&arguments)?;
    let default = default.or(kwargs.get("default_value")?);
    let boolean = boolean.or(kwargs.get("boolean")?).is_some_and(|boolean| boolean.is_true());
    kwargs.assert_all_used()?;
    let is_missing = value.is_undefined() || boolean && !value.is_true();
    Ok(if is_missing { default.unwrap_or_else(|| Value::from("")) } else { value })
}

/// The arguments of a filter as they came, keyword arguments as one value at the end.
pub(super) fn values(arguments: Rest<ValueOrKwargs>) -> Vec<Value> {
    arguments.0.into_iter().map(Value::from).collect()
}

fn string(state: &State<'_, '_>, value: &Value) -> Result<Value, Error> {
    if value.kind() == ValueKind::String {
        return Ok(value.clone());
    }
    python_text::str(state, value).map(Value::from)
}

fn trim(state: &State<'_, '_>, value: &Value, characters: Option<Value>) -> Result<Value, Error> {
    let text = python_text::str(state, value)?;
    methods::strip(&text, characters.as_ref(), methods::Ends::Both)
}

/// `join(value, d='', attribute=None)`.
fn join(state: &mut State<'_, '_>, value: Value, arguments: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let arguments = values(arguments);
    let (separator, attribute, kwargs): (Option<Value>, Option<Value>, Kwargs) = from_args(&arguments)?;
    let separator = separator.or(kwargs.get("d")?);
    let attribute = attribute.or(kwargs.get("attribute")?).filter(|value| !value.is_none());
    kwargs.assert_all_used()?;
    let items = match attribute {
        Some(attribute) => {
            let attribute = Kwargs::from_iter([("attribute", attribute)]);
            state.apply_filter("map", &[value, attribute.into()])?
        }
        None => value,
    };
    let separator = separator.map_or(Ok(String::new()), |separator| python_text::str(state, &separator))?;
    let mut joined = String::new();
    for (place, item) in items.try_iter()?.enumerate() {
        if place > 0 {
            charge(state, separator.len())?;
            joined.push_str(&separator);
        }
        charge(state, item.as_str().map_or(0, str::len))?;
        python_text::write_str(state, &mut joined, &item)?;
    }
    Ok(Value::from(joined))
}

/// `indent(s, width=4, first=False, blank=False)`.
fn indent(state: &State<'_, '_>, value: &Value, arguments: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let arguments = values(arguments);
    type Arguments = (Option<Value>, Option<Value>, Option<Value>, Kwargs);
    let (width, first, blank, kwargs): Arguments = from_args(&arguments)?;
    let flag = |given: Option<Value>, name: &str| -> Result<bool, Error> {
        Ok(given.or(kwargs.get(name)?).is_some_and(|flag| flag.is_true()))
    };
    let (first, blank) = (flag(first, "first")?, flag(blank, "blank")?);
    let indentation = match width.or(kwargs.get("width")?) {
        None => to_json::spaces(4),
        Some(width) => to_json::indentation(&width)?,
    };
    kwargs.assert_all_used()?;
    // The end of a line begins one more, which is empty.
    let text = python_text::str(state, value)? + "\n";
    let mut indented = String::new();
    for (place, line) in methods::lines(&text, false).into_iter().enumerate() {
        if place > 0 {
            indented.push('\n');
        }
        if if place > 0 { blank || !line.is_empty() } else { first } {
            charge(state, indentation.len())?;
            indented.push_str(&indentation);
        }
        indented.push_str(line);
    }
    Ok(Value::from(indented))
}
