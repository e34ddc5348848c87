//! What is spoken in a sound: the text, or its parts with their times.

use std::fmt::Write;

use serde_json::Value;

use super::{PALE, printable};

/// An answer of `automatic-speech-recognition`.
pub(super) struct Transcript<'a> {
    text: &'a str,
    chunks: Vec<(&'a Value, &'a str)>,
}

/// The text, and its parts if the answer has them.
pub(super) fn read(answer: &Value) -> Option<Transcript<'_>> {
    let text = answer.get("text")?.as_str()?;
    let chunks = answer.get("chunks").and_then(Value::as_array);
    let chunks = chunks
        .into_iter()
        .flatten()
        .map(|chunk| Some((chunk.get("timestamp")?, chunk.get("text")?.as_str()?)));
    Some(Transcript { text, chunks: chunks.collect::<Option<_>>()? })
}

/// The text; with times, a line for each part.
pub(super) fn render(transcript: &Transcript<'_>) -> String {
    if transcript.chunks.is_empty() {
        return format!("{}\n", printable::lines(transcript.text));
    }
    let mut lines = String::new();
    for (times, text) in &transcript.chunks {
        let seconds = |place: usize| match times.get(place).and_then(Value::as_f64) {
            Some(seconds) => format!("{seconds:8.2}"),
            None => " ".repeat(8),
        };
        // Writing into a string cannot fail.
        let _ =
            writeln!(lines, "{PALE}{} {}{PALE:#}  {}", seconds(0), seconds(1), printable::lines(text.trim()));
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_are_shown_with_the_times_of_their_parts() {
        assert_eq!(render(&read(&json!({"text": "HELLO YOU"})).unwrap()), "HELLO YOU\n");
        let answer = json!({"text": "a b", "chunks": [
            {"text": "a", "timestamp": [0.5, 12.25]}, {"text": " b", "timestamp": [13, null]}
        ]});
        let rendered = anstream::adapter::strip_str(&render(&read(&answer).unwrap())).to_string();
        assert_eq!(rendered, "    0.50    12.25  a\n   13.00           b\n");
        assert!(read(&json!({"answer": "a"})).is_none());
    }
}
