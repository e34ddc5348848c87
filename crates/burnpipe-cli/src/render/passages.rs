//! Passages of a text that answer a question.

use serde_json::Value;

use super::{Table, printable};

/// A passage as question-answering gives it.
pub(super) struct Passage<'a> {
    answer: &'a str,
    score: f64,
    start: u64,
    end: u64,
}

/// The passages of an answer that has this shape: one of them, or a list.
pub(super) fn read(answer: &Value) -> Option<Vec<Passage<'_>>> {
    match answer {
        Value::Array(passages) if !passages.is_empty() => passages.iter().map(read_one).collect(),
        one => Some(vec![read_one(one)?]),
    }
}

fn read_one(value: &Value) -> Option<Passage<'_>> {
    let fields = value.as_object().filter(|fields| fields.len() == 4)?;
    let place = |name: &str| fields.get(name)?.as_u64();
    Some(Passage {
        answer: fields.get("answer")?.as_str()?,
        score: fields.get("score")?.as_f64()?,
        start: place("start")?,
        end: place("end")?,
    })
}

/// A row per passage.
pub(super) fn render(passages: &[Passage<'_>], width: Option<u16>) -> String {
    let mut table = Table::new(["answer", "score", "start", "end"]).numbers([1, 2, 3]);
    for Passage { answer, score, start, end } in passages {
        let answer = if answer.is_empty() { "(no answer)".to_owned() } else { printable::one_line(answer) };
        table.row([answer, format!("{score:.4}"), start.to_string(), end.to_string()]);
    }
    table.render(width)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain(answer: &Value) -> String {
        anstream::adapter::strip_str(&render(&read(answer).unwrap(), None)).to_string()
    }

    #[test]
    fn one_passage_and_a_list_of_them_are_tables() {
        let one = json!({"score": 0.9191, "start": 34, "end": 40, "answer": "Berlin"});
        assert_eq!(plain(&one), "answer   score  start  end\nBerlin  0.9191     34   40\n");
        let none = json!({"score": 0.25, "start": 0, "end": 0, "answer": ""});
        let expected = "answer        score  start  end\n\
                        Berlin       0.9191     34   40\n\
                        (no answer)  0.2500      0    0\n";
        assert_eq!(plain(&json!([one, none])), expected);
    }

    #[test]
    fn other_answers_are_not_taken_for_passages() {
        for answer in [json!([]), json!({"answer": "a", "score": 0.5}), json!({"answer": "a"}), json!("text")]
        {
            assert!(read(&answer).is_none(), "{answer}");
        }
    }
}
