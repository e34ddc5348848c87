//! Subtitles of what was said: `srt` and `vtt`.

use burnpipe::{Error, ErrorKind, Result};
use serde_json::Value;

use crate::arguments::AnswerFormat;

/// The most characters of a cue that is put together of single words: two lines on a screen.
const CUE_CHARACTERS: usize = 84;

/// The longest pause in seconds within a cue that is put together of single words.
const CUE_PAUSE: f64 = 1.0;

/// How long in seconds a last cue is shown whose end the model did not say.
const OPEN_END: f64 = 3.0;

/// Some words and when they are said, in seconds.
#[derive(Clone, Debug, PartialEq)]
struct Cue {
    start: f64,
    end: Option<f64>,
    text: String,
}

/// The subtitles of an answer with `chunks`.
///
/// # Errors
///
/// When the answer has no times.
pub(super) fn render(answer: &Value, format: AnswerFormat) -> Result<String> {
    let chunks = answer.get("chunks").and_then(Value::as_array).ok_or_else(|| {
        let message = "subtitles need an answer with `chunks`; \
                       only `automatic-speech-recognition` with `return_timestamps` gives them";
        Error::new(ErrorKind::Parameter, message)
    })?;
    let cues = joined(chunks.iter().filter_map(cue).collect());
    let separator = if format == AnswerFormat::Vtt { '.' } else { ',' };
    let mut text = String::from(if format == AnswerFormat::Vtt { "WEBVTT\n\n" } else { "" });
    for (index, cue) in cues.iter().enumerate() {
        let next = cues.get(index + 1).map(|next| next.start);
        let end = cue.end.or(next).unwrap_or(cue.start + OPEN_END).max(cue.start);
        let (start, end) = (time(cue.start, separator), time(end, separator));
        let number = index + 1;
        text.push_str(&format!("{number}\n{start} --> {end}\n{}\n\n", cue.text));
    }
    Ok(text)
}

fn cue(chunk: &Value) -> Option<Cue> {
    let times = chunk.get("timestamp")?.as_array()?;
    let text = chunk.get("text")?.as_str()?.split_whitespace().collect::<Vec<_>>().join(" ");
    // An arrow ends the times of a cue wherever it stands.
    let text = text.replace("-->", "→");
    let start = times.first()?.as_f64()?;
    (!text.is_empty()).then(|| Cue { start, end: times.get(1).and_then(Value::as_f64), text })
}

/// Puts single words together to what can be read at a time; longer chunks stay as they are.
fn joined(cues: Vec<Cue>) -> Vec<Cue> {
    if cues.iter().any(|cue| cue.text.contains(' ')) {
        return cues;
    }
    let mut joined: Vec<Cue> = Vec::new();
    for cue in cues {
        match joined.last_mut() {
            Some(last) if belongs(last, &cue) => {
                last.text = format!("{} {}", last.text, cue.text);
                last.end = cue.end;
            }
            _ => joined.push(cue),
        }
    }
    joined
}

fn belongs(cue: &Cue, word: &Cue) -> bool {
    let ends = cue.text.ends_with(['.', '!', '?', '。', '！', '？']);
    let characters = cue.text.chars().count() + 1 + word.text.chars().count();
    !ends && characters <= CUE_CHARACTERS && word.start - cue.end.unwrap_or(cue.start) <= CUE_PAUSE
}

/// Hours, minutes, seconds and thousandths.
fn time(seconds: f64, separator: char) -> String {
    let thousandths = (seconds.max(0.0) * 1000.0).round() as u64;
    let (seconds, thousandths) = (thousandths / 1000, thousandths % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}{separator}{thousandths:03}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn chunks_are_cues() {
        let answer = json!({"text": " One. Two.", "chunks": [
            {"text": " One two.", "timestamp": [0.0, 2.5]},
            {"text": "  ", "timestamp": [2.5, 2.6]},
            {"text": " Three --> four.", "timestamp": [3661.25, null]},
        ]});
        let srt = "1\n00:00:00,000 --> 00:00:02,500\nOne two.\n\n\
                   2\n01:01:01,250 --> 01:01:04,250\nThree → four.\n\n";
        assert_eq!(render(&answer, AnswerFormat::Srt).unwrap(), srt);
        let vtt =
            format!("WEBVTT\n\n{}", srt.replace("00,", "00.").replace("02,", "02.").replace(",250", ".250"));
        assert_eq!(render(&answer, AnswerFormat::Vtt).unwrap(), vtt);
    }

    #[test]
    fn words_are_joined_until_a_pause_or_an_end() {
        let word = |text: &str, start: f64, end: f64| json!({"text": text, "timestamp": [start, end]});
        let answer = json!({"text": "", "chunks": [
            word("AND", 0.0, 0.2), word("SO", 0.3, 0.5), word("ON.", 0.6, 0.8), word("THEN", 1.0, 1.2), word("MORE", 3.0, 3.5),
        ]});
        let text = render(&answer, AnswerFormat::Srt).unwrap();
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with(char::is_alphabetic)).collect();
        assert_eq!(lines, ["AND SO ON.", "THEN", "MORE"]);
        assert!(text.contains("00:00:00,000 --> 00:00:00,800"));
    }

    #[test]
    fn an_answer_without_times_is_refused() {
        let error = render(&json!({"text": "words"}), AnswerFormat::Srt).unwrap_err();
        assert!(error.to_string().contains("`return_timestamps`"), "{error}");
    }
}
