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
    /// As the answer has it, with the spaces at its ends.
    text: String,
}

/// The subtitles of an answer with `chunks`: each is a cue, but with `joins_words` they are single words, which are
/// put together to cues.
///
/// # Errors
///
/// When the answer has no times.
pub(super) fn render(answer: &Value, format: AnswerFormat, joins_words: bool) -> Result<String> {
    let chunks = answer.get("chunks").and_then(Value::as_array).ok_or_else(|| {
        let message = "subtitles need an answer with `chunks`; \
                       only `automatic-speech-recognition` with `return_timestamps` gives them";
        Error::new(ErrorKind::Parameter, message)
    })?;
    let mut cues: Vec<Cue> = chunks.iter().filter_map(cue).collect();
    if joins_words {
        cues = joined(cues, glue(answer, chunks));
    }
    let is_vtt = format == AnswerFormat::Vtt;
    let separator = if is_vtt { '.' } else { ',' };
    let mut text = String::from(if is_vtt { "WEBVTT\n\n" } else { "" });
    for (index, cue) in cues.iter().enumerate() {
        let next = cues.get(index + 1).map(|next| next.start);
        let end = cue.end.or(next).unwrap_or(cue.start + OPEN_END).max(cue.start);
        let (start, end) = (time(cue.start, separator), time(end, separator));
        let number = index + 1;
        let words = if is_vtt { vtt_text(&cue.text) } else { srt_text(&cue.text) };
        text.push_str(&format!("{number}\n{start} --> {end}\n{words}\n\n"));
    }
    Ok(text)
}

fn cue(chunk: &Value) -> Option<Cue> {
    let times = chunk.get("timestamp")?.as_array()?;
    let text = chunk.get("text")?.as_str()?.to_owned();
    let start = times.first()?.as_f64()?;
    let is_empty = text.trim().is_empty();
    (!is_empty).then(|| Cue { start, end: times.get(1).and_then(Value::as_f64), text })
}

/// What stands between words: nothing where they carry their spaces, as Whisper's do, who writes languages without
/// spaces as well; else, as for CTC models, a space.
fn glue(answer: &Value, chunks: &[Value]) -> &'static str {
    let words: String = chunks.iter().filter_map(|chunk| chunk.get("text")?.as_str()).collect();
    let text = answer.get("text").and_then(Value::as_str).unwrap_or_default();
    if words.trim() == text.trim() { "" } else { " " }
}

/// Puts single words together to what can be read at a time.
fn joined(words: Vec<Cue>, glue: &str) -> Vec<Cue> {
    let mut joined: Vec<Cue> = Vec::new();
    for word in words {
        if let Some(last) = joined.last_mut()
            && !ends(last, &word)
        {
            let text = format!("{}{glue}{}", last.text, word.text);
            if on_one_line(&text).chars().count() <= CUE_CHARACTERS {
                *last = Cue { start: last.start, end: word.end, text };
                continue;
            }
        }
        joined.push(word);
    }
    joined
}

/// Whether a cue is over before a word: with its sentence, or because nothing is said for a while.
fn ends(cue: &Cue, word: &Cue) -> bool {
    let is_sentence = cue.text.trim_end().ends_with(['.', '!', '?', '。', '！', '？']);
    is_sentence || word.start - cue.end.unwrap_or(cue.start) > CUE_PAUSE
}

/// The text with single spaces and no new lines.
fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text of a cue without an arrow, which would be taken for one between times.
fn srt_text(text: &str) -> String {
    on_one_line(text).replace("-->", "→")
}

/// The text of a cue without the signs that begin tags and characters by name.
fn vtt_text(text: &str) -> String {
    on_one_line(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
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

    fn chunk(text: &str, start: f64, end: f64) -> Value {
        json!({"text": text, "timestamp": [start, end]})
    }

    /// The texts of the cues.
    fn texts(answer: &Value, joins_words: bool) -> Vec<String> {
        let text = render(answer, AnswerFormat::Srt, joins_words).unwrap();
        text.split_terminator("\n\n").map(|cue| cue.splitn(3, '\n').nth(2).unwrap().to_owned()).collect()
    }

    #[test]
    fn chunks_are_cues() {
        let answer = json!({"text": " One two. Three --> <four> & five.", "chunks": [
            {"text": " One\n two.", "timestamp": [0.0, 2.5]},
            {"text": "  ", "timestamp": [2.5, 2.6]},
            {"text": " Three --> <four> & five.", "timestamp": [3661.25, null]},
        ]});
        let srt = "1\n00:00:00,000 --> 00:00:02,500\nOne two.\n\n\
                   2\n01:01:01,250 --> 01:01:04,250\nThree → <four> & five.\n\n";
        assert_eq!(render(&answer, AnswerFormat::Srt, false).unwrap(), srt);
        let vtt = "WEBVTT\n\n1\n00:00:00.000 --> 00:00:02.500\nOne two.\n\n\
                   2\n01:01:01.250 --> 01:01:04.250\nThree --&gt; &lt;four&gt; &amp; five.\n\n";
        assert_eq!(render(&answer, AnswerFormat::Vtt, false).unwrap(), vtt);
    }

    #[test]
    fn chunks_without_spaces_are_cues_as_well() {
        let answer = json!({"text": "今日は晴れ明日は雨", "chunks": [
            chunk("今日は晴れ", 0.0, 1.5), chunk("明日は雨", 1.5, 3.0),
        ]});
        assert_eq!(texts(&answer, false), ["今日は晴れ", "明日は雨"]);
    }

    #[test]
    fn words_are_joined_until_a_pause_or_an_end() {
        let answer = json!({"text": "AND SO ON. THEN MORE", "chunks": [
            chunk("AND", 0.0, 0.2), chunk("SO", 0.3, 0.5), chunk("ON.", 0.6, 0.8), chunk("THEN", 1.0, 1.2),
            chunk("MORE", 3.0, 3.5),
        ]});
        assert_eq!(texts(&answer, true), ["AND SO ON.", "THEN", "MORE"]);
        let text = render(&answer, AnswerFormat::Srt, true).unwrap();
        assert!(text.contains("00:00:00,000 --> 00:00:00,800"), "{text}");
    }

    #[test]
    fn words_that_carry_their_spaces_keep_them() {
        let answer = json!({"text": " Well - that's 3% more. Yes", "chunks": [
            chunk(" Well", 0.0, 0.2), chunk(" - that's", 0.2, 0.5), chunk(" 3", 0.5, 0.8), chunk("%", 0.8, 0.9),
            chunk(" more.", 0.9, 1.2), chunk(" Yes", 1.2, 1.4),
        ]});
        assert_eq!(texts(&answer, true), ["Well - that's 3% more.", "Yes"]);
        let answer = json!({"text": "今日は晴れ。明日", "chunks": [
            chunk("今日", 0.0, 0.2), chunk("は", 0.2, 0.5), chunk("晴れ。", 0.5, 0.8), chunk("明日", 0.8, 0.9),
        ]});
        assert_eq!(texts(&answer, true), ["今日は晴れ。", "明日"]);
    }

    #[test]
    fn joined_words_fit_on_two_lines() {
        let word = "A".repeat(20);
        let words: Vec<Value> =
            (0..6).map(|index| chunk(&word, f64::from(index), f64::from(index) + 0.5)).collect();
        let answer = json!({"text": vec![word.clone(); 6].join(" "), "chunks": words});
        // Four words and three spaces are 83 characters.
        assert_eq!(texts(&answer, true), [vec![word.clone(); 4].join(" "), vec![word; 2].join(" ")]);
    }

    #[test]
    fn an_answer_without_times_is_refused() {
        let error = render(&json!({"text": "words"}), AnswerFormat::Srt, false).unwrap_err();
        assert!(error.to_string().contains("`return_timestamps`"), "{error}");
    }
}
