//! Any other answer: objects as rows, the rest as JSON.

use serde_json::{Map, Value};

use super::{Table, printable};

/// A list of objects as a table, an object as a table of one row, anything else as it is.
pub(super) fn render(answer: &Value, width: Option<u16>) -> String {
    match answer {
        Value::Array(rows) if rows.is_empty() => "nothing found\n".to_owned(),
        Value::Array(rows) => {
            let objects: Option<Vec<&Map<String, Value>>> = rows.iter().map(Value::as_object).collect();
            match objects {
                Some(objects) => table(&objects, width),
                None => format!("{answer:#}\n"),
            }
        }
        Value::Object(object) => table(&[object], width),
        Value::String(text) => format!("{}\n", printable::lines(text)),
        other => format!("{other}\n"),
    }
}

fn table(objects: &[&Map<String, Value>], width: Option<u16>) -> String {
    let mut columns: Vec<&str> = Vec::new();
    for name in objects.iter().flat_map(|object| object.keys()) {
        if !columns.contains(&name.as_str()) {
            columns.push(name);
        }
    }
    let is_number =
        |column: &str| objects.iter().all(|object| object.get(column).is_none_or(Value::is_number));
    let numbers: Vec<usize> =
        columns.iter().enumerate().filter(|(_, column)| is_number(column)).map(|(index, _)| index).collect();
    let mut table = Table::new(columns.iter().map(|column| printable::one_line(column))).numbers(numbers);
    for object in objects {
        table.row(columns.iter().map(|column| object.get(*column).map(cell).unwrap_or_default()));
    }
    table.render(width)
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => printable::one_line(text),
        Value::Number(number) if number.is_f64() => {
            number.as_f64().map_or_else(String::new, |number| format!("{number:.4}"))
        }
        other => printable::preview(&other.to_string(), 200),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_are_rows() {
        let answer = json!([{"answer": "Paris", "score": 0.5}, {"answer": "x\u{1b}", "extra": [1]}]);
        let text = anstream::adapter::strip_str(&render(&answer, None)).to_string();
        assert_eq!(text, "answer   score  extra\nParis   0.5000\nx\u{fffd}              [1]\n");
        assert_eq!(render(&json!([]), None), "nothing found\n");
        assert_eq!(render(&json!("a text"), None), "a text\n");
    }
}
