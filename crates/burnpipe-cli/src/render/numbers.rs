//! Nested lists of numbers: their shape and how they begin.

use serde_json::Value;

/// How many numbers of a row are shown.
const NUMBERS_SHOWN: usize = 6;

/// How many rows are shown.
const ROWS_SHOWN: usize = 4;

/// The shape of a nested list of numbers, by its first elements; `None` for anything else.
pub(super) fn shape(answer: &Value) -> Option<Vec<usize>> {
    match answer {
        Value::Number(_) => Some(Vec::new()),
        Value::Array(elements) => {
            let inner = shape(elements.first()?)?;
            Some(std::iter::once(elements.len()).chain(inner).collect())
        }
        _ => None,
    }
}

/// The shape, and the first numbers of the first rows.
pub(super) fn render(shape: &[usize], answer: &Value) -> String {
    let dimensions: Vec<String> = shape.iter().map(usize::to_string).collect();
    let mut rows = Vec::new();
    collect_rows(answer, &mut rows);
    let n_rows: usize = shape.iter().rev().skip(1).product();
    let mut text = match shape {
        [] => String::new(),
        [length] => format!("{length} numbers\n"),
        _ => format!("{} numbers\n", dimensions.join(" × ")),
    };
    for row in &rows {
        text.push_str(&row_text(row));
        text.push('\n');
    }
    if n_rows > rows.len() {
        text.push_str(&format!("… {} more rows\n", n_rows - rows.len()));
    }
    text
}

/// The innermost lists, from the first on.
fn collect_rows<'a>(value: &'a Value, rows: &mut Vec<&'a Value>) {
    match value {
        Value::Array(elements) if matches!(elements.first(), Some(Value::Array(_))) => {
            for element in elements {
                if rows.len() < ROWS_SHOWN {
                    collect_rows(element, rows);
                }
            }
        }
        row if rows.len() < ROWS_SHOWN => rows.push(row),
        _ => {}
    }
}

fn row_text(row: &Value) -> String {
    let Value::Array(numbers) = row else { return row.to_string() };
    let shown = numbers.iter().take(NUMBERS_SHOWN).map(|number| match number.as_f64() {
        Some(value) => format!("{value:.4}"),
        None => number.to_string(),
    });
    let shown: Vec<String> = shown.collect();
    let rest = if numbers.len() > NUMBERS_SHOWN { ", …" } else { "" };
    format!("[{}{rest}]", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tensor_is_shown_by_its_shape_and_first_numbers() {
        let answer = json!([[[0.12345, -1.0], [0.5, 0.25], [1, 2], [3, 4], [5, 6]]]);
        let shape = shape(&answer).unwrap();
        assert_eq!(shape, [1, 5, 2]);
        let text = render(&shape, &answer);
        assert!(text.starts_with("1 × 5 × 2 numbers\n[0.1235, -1.0000]\n"), "{text}");
        assert!(text.ends_with("… 1 more rows\n"), "{text}");
        let vector = json!([1.0; 8].to_vec());
        assert!(render(&[8], &vector).starts_with("8 numbers\n[1.0000, "));
    }

    #[test]
    fn other_lists_are_not_taken_for_numbers() {
        for answer in [json!([]), json!([{"a": 1}]), json!(["a"])] {
            assert!(shape(&answer).is_none(), "{answer}");
        }
    }
}
