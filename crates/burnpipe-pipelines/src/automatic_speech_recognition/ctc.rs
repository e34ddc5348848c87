//! Recognition by connectionist temporal classification: a letter or a blank for every step in time.

use burnpipe_audio::{AudioFeatures, FeatureExtractor};
use burnpipe_core::Result;
use burnpipe_nn::{BatchLayout, CtcModel, Loader};
use burnpipe_text::CtcTokenizer;

use super::{ReturnTimestamps, SpeechRaw, TranscribedChunk};
use crate::TaskContext;
use crate::sound_features::run_on_sounds;
use crate::text_features::{argmax, read_back};

/// A model that gives a letter for every step in time, and what makes text of the letters.
pub(super) struct CtcRecognizer {
    model: Box<dyn CtcModel>,
    tokenizer: CtcTokenizer,
    sampling_rate: u32,
}

impl CtcRecognizer {
    pub(super) fn load(
        context: &TaskContext<'_>,
        load: Loader<dyn CtcModel>,
        extractor: &FeatureExtractor,
    ) -> Result<Self> {
        let tokenizer = CtcTokenizer::load(context.load.checkpoint)?;
        Ok(Self { model: load(&context.load)?, tokenizer, sampling_rate: extractor.sampling_rate() })
    }

    pub(super) fn layout(&self) -> BatchLayout {
        self.model.layout()
    }

    pub(super) fn inputs_to_logits_ratio(&self) -> usize {
        self.model.inputs_to_logits_ratio()
    }

    /// The likeliest letter of every step in time, for each sound.
    pub(super) fn hear<'a>(&self, sounds: impl Iterator<Item = &'a AudioFeatures>) -> Result<Vec<Vec<u32>>> {
        run_on_sounds(sounds, self.model.layout(), |batch| {
            let logits = self.model.forward(batch)?;
            let [_, steps, letters] = logits.dims();
            let logits = read_back(logits)?;
            let likeliest: Vec<u32> =
                logits.chunks(letters.max(1)).map(|scores| argmax(scores) as u32).collect();
            let of_sound = |sound: usize| likeliest[sound * steps..(sound + 1) * steps].to_vec();
            Ok((0..batch.sounds()).map(of_sound).collect())
        })
    }

    /// The text of a sound's chunks, and its parts with their times.
    pub(super) fn transcribe(
        &self,
        chunks: &[SpeechRaw],
        timestamps: Option<ReturnTimestamps>,
    ) -> (String, Option<Vec<TranscribedChunk>>) {
        let ratio = self.inputs_to_logits_ratio();
        let mut tokens: Vec<u32> = Vec::new();
        for chunk in chunks {
            let steps = chunk.tokens.len();
            let kept = chunk.stride.map_or(0..steps, |stride| stride.in_steps(ratio).kept(steps));
            tokens.extend(&chunk.tokens[kept]);
        }
        let seconds = |step: usize| (step * ratio) as f64 / f64::from(self.sampling_rate);
        let parts = match timestamps {
            Some(ReturnTimestamps::Char) => Some(self.tokenizer.char_offsets(&tokens)),
            Some(ReturnTimestamps::Word) => Some(self.tokenizer.word_offsets(&tokens)),
            _ => None,
        };
        let chunks = parts.map(|parts| {
            let parts = parts.into_iter();
            let chunk = |part: burnpipe_text::CtcOffset| TranscribedChunk {
                text: part.text,
                timestamp: Some((Some(seconds(part.start)), Some(seconds(part.end)))),
                language: None,
            };
            parts.map(chunk).collect()
        });
        (self.tokenizer.decode(&tokens), chunks)
    }
}
