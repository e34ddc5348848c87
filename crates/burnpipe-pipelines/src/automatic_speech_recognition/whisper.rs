//! Recognition by Whisper: text with marks for languages, tasks and times, written token by token.
//!
//! A sound is heard in windows of 30 seconds. Where the model says that a part ends before the window does, the next
//! window begins there; so texts grow side by side in a [`WhisperSession`], and each may need several windows.
//!
//! Where it differs from Python: answers do not depend on what else is in a batch (there shorter texts are aligned
//! with their padding), and what falls back on other temperatures (`compression_ratio_threshold`,
//! `logprob_threshold`, `no_speech_threshold`) is refused.
//!
//! Reference: `generation_whisper.py` and `pipelines/automatic_speech_recognition.py` of transformers 4.56.2.

mod call;
mod prompt;
mod segments;
mod session;
mod settings;

use std::sync::Arc;

use burnpipe_audio::{AudioFeatures, FeatureExtractor};
use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_nn::{
    BatchLayout, Loader, Seq2SeqLm, SoundBatch, SoundShape, SourceCache, SpeechSeq2Seq, TokenStep, read_back,
    read_back_any, run_model,
};
use burnpipe_text::{
    CrossAttentions, Transcript, TranscriptOptions, TranscriptTimes, WhisperOutput, WhisperTokens,
};

use super::{AutomaticSpeechRecognitionOptions, ReturnTimestamps};
use crate::TaskContext;
use session::Sound;
pub(super) use session::WhisperSession;
use settings::WhisperSettings;

/// Seconds of a position of the encoder, as times of words are counted whatever the checkpoint says.
const TIME_PRECISION: f64 = 0.02;

/// A model of Whisper's with all that its checkpoint says.
pub(super) struct WhisperRecognizer {
    model: Arc<dyn SpeechSeq2Seq>,
    tokens: WhisperTokens,
    settings: WhisperSettings,
    layout: BatchLayout,
    /// Seconds from one mark of a time to the next.
    time_precision: f64,
    /// Samples from one frame of a spectrogram to the next.
    hop_length: usize,
}

impl WhisperRecognizer {
    pub(super) fn load(
        context: &TaskContext<'_>,
        load: Loader<dyn SpeechSeq2Seq>,
        extractor: &FeatureExtractor,
    ) -> Result<Self> {
        let tokens = WhisperTokens::load(context.load.checkpoint)?;
        let settings = WhisperSettings::read(context.load.checkpoint, tokens.tokenizer().pad_token_id())?;
        let (Some(n_samples), Some(hop_length)) = (extractor.n_samples(), extractor.hop_length()) else {
            let message = "`preprocessor_config.json` makes no spectrograms of Whisper's";
            return Err(Error::new(ErrorKind::Config, message));
        };
        let (frames, heard) = (n_samples / hop_length.max(1), settings.model.frames());
        if frames != heard || heard == 0 {
            let message = format!(
                "`preprocessor_config.json` makes {frames} frames of a sound and the model hears {heard}; they do not belong together"
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        let chunk_length = n_samples as f64 / f64::from(extractor.sampling_rate());
        let model: Arc<dyn SpeechSeq2Seq> = Arc::from(load(&context.load)?);
        Ok(Self {
            layout: model.layout(),
            model,
            hop_length,
            time_precision: chunk_length / settings.model.max_source_positions as f64,
            tokens,
            settings,
        })
    }

    /// What Whisper can do.
    pub(super) fn check(&self, options: &AutomaticSpeechRecognitionOptions) -> Result<()> {
        if options.return_timestamps == Some(ReturnTimestamps::Char) {
            let message =
                "parameter `return_timestamps`: Whisper takes `word`, or true for the times of segments";
            return Err(Error::new(ErrorKind::Parameter, message));
        }
        self.call(options).map(|_| ())
    }

    /// What Whisper can do with a sound that is longer than a window and not cut into chunks.
    pub(super) fn check_long(&self, options: &AutomaticSpeechRecognitionOptions) -> Result<()> {
        if self.call(options)?.timestamps {
            return Ok(());
        }
        let message = "the sound is longer than the model hears at once, which takes the times that it writes; \
                       set `return_timestamps: true`, or cut the sound by `chunk_length_s`";
        Err(Error::new(ErrorKind::Parameter, message))
    }

    /// A sound as its windows are cut out of it, by its features and how many samples it has.
    pub(super) fn sound(&self, features: AudioFeatures, samples: usize) -> Result<Sound> {
        let AudioFeatures::Spectrogram { frames, bins, values } = features else {
            let message = "the model reads spectrograms, and its `preprocessor_config.json` makes samples";
            return Err(Error::new(ErrorKind::Config, message));
        };
        Ok(Sound { values, bins, frames, sounding: samples.div_ceil(self.hop_length).min(frames) })
    }

    /// Reads windows of spectrograms, `[bins, frames]` each; where the model runs on the CPU one by one, which is as
    /// fast.
    fn encode(&self, windows: &[Vec<f32>], bins: usize) -> Result<Vec<Arc<SourceCache>>> {
        let at_once = if self.layout == BatchLayout::Joined { 1 } else { windows.len().max(1) };
        let mut sources = Vec::with_capacity(windows.len());
        for windows in windows.chunks(at_once) {
            let shape = SoundShape::Spectrogram { frames: self.settings.model.frames(), bins };
            let windows: Vec<&[f32]> = windows.iter().map(Vec::as_slice).collect();
            let batch = SoundBatch::new(shape, &windows)?;
            let read = run_model(self.layout, || self.model.encode(&batch))?;
            sources.extend(read.into_iter().map(Arc::new));
        }
        Ok(sources)
    }

    /// The likeliest language of each sound, by the token that would follow the first: `detect_language`.
    fn detect_languages(&self, sources: &[&SourceCache], start: u32, languages: &[u32]) -> Result<Vec<u32>> {
        let logits = run_model(self.layout, || {
            let mut cache = self.model.cache();
            cache.select(&vec![None; sources.len()]);
            let first = [start];
            let step = TokenStep::new((0..sources.len()).map(|row| (row, first.as_slice())), &cache)?;
            let hidden = self.model.forward(&step, sources, &mut cache)?;
            let all: Vec<usize> = (0..sources.len()).collect();
            read_back_any(self.model.logits(step.select(hidden, &all)))
        })?;
        let likeliest = |logits: &[f32]| {
            let scored = languages.iter().filter_map(|&id| Some((id, *logits.get(id as usize)?)));
            // The first of equals, as languages are in the order of their ids.
            scored.reduce(|best, other| if other.1 > best.1 { other } else { best }).map(|(id, _)| id)
        };
        let found = logits.chunks_exact(self.model.vocabulary().max(1)).map(likeliest);
        found.collect::<Option<Vec<u32>>>().ok_or_else(|| {
            let message = "no id of `lang_to_id` in `generation_config.json` is one of the model's tokens";
            Error::new(ErrorKind::Config, message)
        })
    }

    /// When each of the tokens is said that were written after a beginning, in seconds from the window's start.
    /// Positions from `positions` on hold no sound; below nought they are counted from the end, as in Python.
    fn token_timestamps(
        &self,
        beginning: &[u32],
        tokens: &[u32],
        source: &SourceCache,
        positions: i64,
    ) -> Result<Vec<f32>> {
        let heads = self.settings.own.alignment_heads.as_deref().unwrap_or_default();
        // What the last token looks at is not asked: most often it is the end.
        let read = tokens.len().saturating_sub(1);
        let from_end = positions.min(0).unsigned_abs() as usize;
        let kept = match positions {
            0.. => source.positions().min(positions as usize),
            // The slice is taken twice there.
            _ => source.positions().saturating_sub(2 * from_end),
        };
        let mut attentions = CrossAttentions { weights: Vec::new(), tokens: read, positions: kept };
        if read > 0 && kept > 0 {
            let text = [beginning, &tokens[..read]].concat();
            attentions.weights = run_model(self.layout, || {
                let weights = self.model.cross_attentions(&text, source, heads)?;
                read_back(weights.narrow(1, beginning.len(), read).narrow(2, 0, kept))
            })?;
        }
        attentions.token_timestamps(kept, self.settings.model.median_filter_width, TIME_PRECISION)
    }

    /// The transcript of what was heard in all chunks of a sound.
    pub(super) fn transcribe(
        &self,
        outputs: &[WhisperOutput],
        options: &AutomaticSpeechRecognitionOptions,
    ) -> Result<Transcript> {
        let times = match self.timestamps(options) {
            ReturnTimestamps::No | ReturnTimestamps::Char => TranscriptTimes::None,
            ReturnTimestamps::Segments => TranscriptTimes::Parts,
            ReturnTimestamps::Word => TranscriptTimes::Words,
        };
        let return_language = options.return_language.unwrap_or(false);
        let options = TranscriptOptions { times, return_language, time_precision: self.time_precision };
        self.tokens.transcript(outputs, &options)
    }

    /// Which times come with the text: the call's, or the checkpoint's where the call asks for none.
    fn timestamps(&self, options: &AutomaticSpeechRecognitionOptions) -> ReturnTimestamps {
        match options.return_timestamps {
            None | Some(ReturnTimestamps::No) if self.settings.own.return_timestamps == Some(true) => {
                ReturnTimestamps::Segments
            }
            asked => asked.unwrap_or(ReturnTimestamps::No),
        }
    }

    /// The decoder's half of the model.
    fn decoder(&self) -> Arc<dyn Seq2SeqLm> {
        Arc::clone(&self.model) as Arc<dyn Seq2SeqLm>
    }
}
