//! Generated texts.

use serde_json::Value;

use super::printable;

/// The texts of an answer of `text-generation`: of a chat, its last message.
pub(super) fn read(answer: &Value) -> Option<Vec<&str>> {
    let answers = answer.as_array().filter(|answers| !answers.is_empty())?;
    answers
        .iter()
        .map(|answer| {
            let generated = answer.get("generated_text")?;
            generated.as_str().or_else(|| generated.as_array()?.last()?.get("content")?.as_str())
        })
        .collect()
}

/// One text after the other, several of them numbered.
pub(super) fn render(texts: &[&str]) -> String {
    match texts {
        [text] => format!("{}\n", printable::lines(text)),
        texts => {
            let numbered =
                (1..).zip(texts).map(|(number, text)| format!("{number}. {}\n", printable::lines(text)));
            numbered.collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_and_the_last_messages_of_chats_are_shown() {
        let texts = json!([{"generated_text": "a\u{7}b"}, {"generated_text": "c\nd"}]);
        assert_eq!(render(&read(&texts).unwrap()), "1. a\u{fffd}b\n2. c\nd\n");
        let chat = json!([{"generated_text": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}]);
        assert_eq!(render(&read(&chat).unwrap()), "b\n");
        assert_eq!(read(&json!([{"label": "a", "score": 1}])), None);
    }
}
