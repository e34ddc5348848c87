//! The times that subtitles need, by the parameter `return_timestamps`.

use burnpipe::{Error, ErrorKind, Result, TaskRecord};
use serde_json::{Map, Value};

/// The parameter that asks for times.
const TIMES: &str = "return_timestamps";

/// Checks that the answers can have times that make subtitles.
///
/// # Errors
///
/// When the task gives none, or the parameters ask for none or for those of single letters.
pub(crate) fn check(task: &TaskRecord, parameters: &Value) -> Result<()> {
    let refuse = |message: String| Err(Error::new(ErrorKind::Parameter, message));
    if !task.parameters.contains(&TIMES) {
        return refuse(format!("{} gives no times, which subtitles need", task.id));
    }
    match parameters.get(TIMES) {
        Some(Value::Bool(false)) => refuse(format!("subtitles need times; leave out `{TIMES}`")),
        Some(Value::String(name)) if name == "char" => {
            refuse(format!("parameter `{TIMES}`: `char` gives no subtitles; take `word`"))
        }
        _ => Ok(()),
    }
}

/// Asks for times where the caller does not, as a model of this type gives them.
pub(crate) fn ask(parameters: &mut Value, model_type: &str) {
    if parameters.is_null() {
        *parameters = Value::Object(Map::new());
    }
    let Some(parameters) = parameters.as_object_mut() else { return };
    let times = parameters.entry(TIMES).or_insert(Value::Null);
    if times.is_null() {
        // Whisper tells when the parts of a speech begin and end, which are subtitles as they are. CTC models hear
        // letters, so theirs are the times of letters and words only.
        *times = if model_type == "whisper" { Value::Bool(true) } else { Value::from("word") };
    }
}

/// Whether the times are those of single words.
pub(crate) fn are_of_words(parameters: &Value) -> bool {
    parameters.get(TIMES).is_some_and(|times| times == "word")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_asked_for_as_the_model_gives_them() {
        for given in [Value::Null, json!({}), json!({"return_timestamps": null})] {
            for (model_type, expected) in [("whisper", json!(true)), ("wav2vec2", json!("word"))] {
                let mut parameters = given.clone();
                ask(&mut parameters, model_type);
                assert_eq!(parameters, json!({"return_timestamps": expected}));
                assert_eq!(are_of_words(&parameters), model_type == "wav2vec2");
            }
        }
        let mut parameters = json!({"chunk_length_s": 5, "return_timestamps": "word"});
        let given = parameters.clone();
        ask(&mut parameters, "whisper");
        assert_eq!(parameters, given);
    }

    #[test]
    fn what_gives_no_subtitles_is_refused() {
        let speech = burnpipe::task("automatic-speech-recognition").unwrap();
        let cases = [
            (json!({"return_timestamps": false}), "subtitles need times; leave out `return_timestamps`"),
            (
                json!({"return_timestamps": "char"}),
                "parameter `return_timestamps`: `char` gives no subtitles; take `word`",
            ),
        ];
        for (parameters, message) in cases {
            assert_eq!(check(speech, &parameters).unwrap_err().to_string(), message);
        }
        for parameters in
            [Value::Null, json!({"return_timestamps": true}), json!({"return_timestamps": null})]
        {
            check(speech, &parameters).unwrap();
        }
        let error = check(burnpipe::task("ner").unwrap(), &Value::Null).unwrap_err();
        assert!(error.to_string().contains("gives no times"), "{error}");
    }
}
