//! Answers that are cells of a table.

use serde_json::Value;

use super::{Table, printable};

/// The answers of this shape: one of them, or a list.
pub(super) fn read(answer: &Value) -> Option<Vec<&Value>> {
    let is_one = |answer: &&Value| {
        let list = |name: &str| answer.get(name).is_some_and(Value::is_array);
        answer.get("answer").is_some_and(Value::is_string) && list("cells") && list("coordinates")
    };
    match answer {
        Value::Array(answers) if !answers.is_empty() => {
            let answers: Vec<&Value> = answers.iter().collect();
            answers.iter().all(is_one).then_some(answers)
        }
        one => is_one(&one).then(|| vec![one]),
    }
}

/// A row per answer: the answer, how its cells are put together, and where they stand.
pub(super) fn render(answers: &[&Value], width: Option<u16>) -> String {
    let has_aggregator = answers.iter().any(|answer| answer.get("aggregator").is_some());
    let aggregator = has_aggregator.then_some("aggregator");
    let mut table = Table::new(["answer"].into_iter().chain(aggregator).chain(["row, column"]));
    for answer in answers {
        let text =
            |name: &str| printable::one_line(answer.get(name).and_then(Value::as_str).unwrap_or_default());
        let places = answer.get("coordinates").and_then(Value::as_array);
        let places: Vec<String> = places.into_iter().flatten().map(place).collect();
        table.row([text("answer")].into_iter().chain(aggregator.map(text)).chain([places.join("; ")]));
    }
    table.render(width)
}

/// A cell's row and column.
fn place(coordinates: &Value) -> String {
    let numbers = coordinates.as_array().into_iter().flatten().map(Value::to_string);
    numbers.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain(answer: &Value) -> String {
        anstream::adapter::strip_str(&render(&read(answer).unwrap(), None)).to_string()
    }

    #[test]
    fn answers_are_rows_with_the_places_of_their_cells() {
        let one = json!({"answer": "SUM > 5, 6", "coordinates": [[0, 1], [2, 1]], "cells": ["5", "6"], "aggregator": "SUM"});
        assert_eq!(plain(&one), "answer      aggregator  row, column\nSUM > 5, 6  SUM         0, 1; 2, 1\n");
        let two = json!([{"answer": "a", "coordinates": [[0, 0]], "cells": ["a"]}, {"answer": "", "coordinates": [], "cells": []}]);
        assert!(plain(&two).starts_with("answer  row, column\na       0, 0\n"), "{}", plain(&two));
    }

    #[test]
    fn other_answers_are_not_taken_for_cells() {
        for answer in [json!([]), json!({"answer": "a", "score": 1.0}), json!("text"), json!([1])] {
            assert!(read(&answer).is_none(), "{answer}");
        }
    }
}
