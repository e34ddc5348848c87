//! Labels with scores, as bars.

use serde_json::Value;

use super::style::BAR;
use super::{Table, printable};

/// The length of a bar for a score of 1.
const BAR_LENGTH: f64 = 24.0;

/// A label and its score.
pub(super) struct Scored<'a> {
    label: &'a str,
    score: f64,
}

/// The labels of an answer that has this shape: one of them, a list, or lists of labels and scores.
pub(super) fn read(answer: &Value) -> Option<Vec<Scored<'_>>> {
    match answer {
        Value::Array(labels) if !labels.is_empty() => labels.iter().map(read_one).collect(),
        Value::Object(fields) if fields.contains_key("labels") => {
            let list = |name: &str| fields.get(name)?.as_array();
            let (labels, scores) = (list("labels")?, list("scores")?);
            let scored = |(label, score): (_, &Value)| {
                Some(Scored { label: Value::as_str(label)?, score: score.as_f64()? })
            };
            labels.iter().zip(scores).map(scored).collect()
        }
        one => Some(vec![read_one(one)?]),
    }
}

fn read_one(value: &Value) -> Option<Scored<'_>> {
    let fields = value.as_object().filter(|fields| fields.len() == 2)?;
    Some(Scored { label: fields.get("label")?.as_str()?, score: fields.get("score")?.as_f64()? })
}

/// A row per label, with a bar where scores are probabilities.
pub(super) fn render(labels: &[Scored<'_>], width: Option<u16>) -> String {
    let are_probabilities = labels.iter().all(|scored| (0.0..=1.0).contains(&scored.score));
    let mut table = Table::new(["label", "score"]).numbers([1]);
    for Scored { label, score } in labels {
        table.row([printable::one_line(label), format!("{score:.4}")]);
    }
    let space_for_bar = if are_probabilities { 30 } else { 0 };
    let text = table.render(width.map(|width| width.saturating_sub(space_for_bar).max(20)));
    let n_lines = text.lines().count();
    if !are_probabilities || n_lines != labels.len() + 1 {
        return text;
    }
    // Bars come after the table is laid out: it cannot measure text with colours in it.
    let scores = std::iter::once(None).chain(labels.iter().map(|scored| Some(scored.score)));
    text.lines().zip(scores).fold(String::new(), |mut lines, (line, score)| {
        lines.push_str(line);
        if let Some(score) = score {
            lines.push_str(&format!("  {BAR}{}{BAR:#}", bar(score)));
        }
        lines.push('\n');
        lines
    })
}

fn bar(score: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (score * BAR_LENGTH * 8.0).round().clamp(0.0, BAR_LENGTH * 8.0) as usize;
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_score() {
        for (score, expected) in [(0.0, 0), (0.5, 12), (0.98, 24), (1.0, 24)] {
            assert_eq!(bar(score).chars().count(), expected, "{score}");
        }
    }

    #[test]
    fn one_label_and_a_list_of_them_are_shown_alike() {
        let one = json!({"label": "POSITIVE", "score": 0.25});
        let rendered = render(&read(&one).unwrap(), None);
        assert_eq!(
            anstream::adapter::strip_str(&rendered).to_string(),
            "label      score\nPOSITIVE  0.2500  ██████\n"
        );
        let list = json!([one]);
        assert_eq!(render(&read(&list).unwrap(), None), rendered);
    }

    #[test]
    fn lists_of_labels_and_scores_are_shown_as_labels() {
        let answer = json!({"sequence": "a", "labels": ["food", "travel"], "scores": [0.75, 0.25]});
        let list = json!([{"label": "food", "score": 0.75}, {"label": "travel", "score": 0.25}]);
        assert_eq!(render(&read(&answer).unwrap(), None), render(&read(&list).unwrap(), None));
    }

    #[test]
    fn scores_that_are_no_probabilities_have_no_bar() {
        let answer = json!([{"label": "stars", "score": 4.2}]);
        let rendered = render(&read(&answer).unwrap(), None);
        assert!(!rendered.contains('█'), "{rendered}");
    }

    #[test]
    fn other_answers_are_not_taken_for_labels() {
        for answer in [json!([]), json!({"label": 1, "score": 0.5}), json!("text"), json!({"answer": "a"})] {
            assert!(read(&answer).is_none(), "{answer}");
        }
    }
}
