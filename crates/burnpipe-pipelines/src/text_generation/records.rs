//! What Python's pipeline puts beside a text in JSON: `return_dict_in_generate`.
//!
//! Reference: `_forward` and `postprocess` in `pipelines/text_generation.py` of transformers 4.56.2. There whatever
//! `generate()` returned goes to the texts by its first dimension, if that happens to be their number.

use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_generate::{GenerationConfig, GenerationMode};
use serde_json::{Map, Value, json};

use super::{GeneratedContent, GeneratedText, TextGeneration, TextGenerationOptions};

impl TextGeneration {
    /// The answers to one prompt as Python's records.
    pub(super) fn records(
        &self,
        answers: Vec<GeneratedText>,
        options: &TextGenerationOptions,
    ) -> Result<Value> {
        let (config, _) = self.config(0, options)?;
        let count = answers.len();
        let mut records = Vec::with_capacity(count);
        for (place, answer) in answers.iter().enumerate() {
            let Value::Object(mut record) = json!(answer) else {
                return Err(Error::new(ErrorKind::Internal, "an answer is no JSON object"));
            };
            let ids_only = matches!(answer.content, GeneratedContent::Tensors { .. });
            if config.return_dict_in_generate && !ids_only {
                record.extend(beside(answer, place, count, &config));
            }
            records.push(Value::Object(record));
        }
        Ok(records.into())
    }
}

/// What stands beside the text at a place of so many.
fn beside(
    answer: &GeneratedText,
    place: usize,
    count: usize,
    config: &GenerationConfig,
) -> Map<String, Value> {
    let mut beside = Map::new();
    let (sequence, beams) = (&answer.sequence, &answer.beams);
    for (name, wanted, own, of_beams) in [
        ("scores", config.output_scores, &sequence.scores, &beams.scores),
        ("logits", config.output_logits, &sequence.logits, &beams.logits),
    ] {
        if wanted && config.num_beams == 1 {
            beside.insert(name.into(), json!(own));
        } else if wanted && config.num_beams == count {
            let of_beam: Vec<_> = of_beams.iter().filter_map(|beams| beams.get(place)).collect();
            beside.insert(name.into(), json!(of_beam));
        }
    }
    if config.num_beams > 1 && count == 1 {
        let mode = config.generation_mode(false);
        let always = [GenerationMode::BeamSearch, GenerationMode::BeamSample].contains(&mode);
        if config.output_scores {
            beside.insert("sequences_scores".into(), json!([sequence.score]));
        }
        if always || config.output_scores {
            beside.insert("beam_indices".into(), json!([sequence.beam_indices]));
        }
    }
    beside
}
