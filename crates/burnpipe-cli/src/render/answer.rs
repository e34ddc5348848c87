//! One answer for people, by the shape that it has.

use std::fmt::Write;

use serde_json::Value;

use super::{
    cells, entities, fills, labels, numbers, passages, printable, records, style::PALE, texts, transcripts,
};

/// How much of a text stands above its answer.
const PREVIEW: usize = 80;

/// One answer: with its place above it when there are several, and as wide as `width` allows.
pub(crate) fn answer(place: Option<&str>, input: &Value, answer: &Value, width: Option<u16>) -> String {
    let mut text = String::new();
    let is_entities = entities::are_entities(answer);
    if let Some(place) = place {
        let input = if is_entities { String::new() } else { preview(input) };
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{PALE}{place}{PALE:#}{input}");
    }
    let body = if is_entities {
        entities::render(input, answer, width)
    } else if let Some(labels) = labels::read(answer) {
        labels::render(&labels, width)
    } else if let Some(passages) = passages::read(answer) {
        passages::render(&passages, width)
    } else if let Some(cells) = cells::read(answer) {
        cells::render(&cells, width)
    } else if let Some(fills) = fills::read(answer) {
        fills::render(&fills, width)
    } else if let Some(texts) = texts::read(answer) {
        texts::render(&texts)
    } else if let Some(transcript) = transcripts::read(answer) {
        transcripts::render(&transcript)
    } else if let Some(shape) = numbers::shape(answer) {
        numbers::render(&shape, answer)
    } else {
        records::render(answer, width)
    };
    text.push_str(&body);
    text
}

fn preview(input: &Value) -> String {
    let text = match input {
        Value::String(text) => printable::preview(text, PREVIEW),
        Value::Object(fields) => {
            match fields
                .get("text")
                .or(fields.get("question"))
                .or(fields.get("query"))
                .and_then(Value::as_str)
            {
                Some(text) => printable::preview(text, PREVIEW),
                None => printable::preview(&input.to_string(), PREVIEW),
            }
        }
        other => printable::preview(&other.to_string(), PREVIEW),
    };
    format!("  {text}")
}
