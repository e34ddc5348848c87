//! Sounds that are heard side by side, window after window.
//!
//! Reference: `generate` in `generation_whisper.py` of transformers 4.56.2.

use std::collections::BTreeMap;
use std::sync::Arc;

use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_generate::{
    Event, Generated, ProcessorInputs, Search, SearchContext, SearchRunner, processors, search,
    stopping_rules,
};
use burnpipe_nn::SourceCache;

use super::call::WhisperCall;
use super::prompt::Beginning;
use super::segments::heard;
use super::{TIME_PRECISION, WhisperRecognizer};
use crate::row_model::{RowDecoder, RowModel, Sources};

/// The spectrogram of a sound, or of a chunk of one.
#[derive(Clone, Debug)]
pub(crate) struct Sound {
    /// `[bins, frames]`
    pub(super) values: Vec<f32>,
    pub(super) bins: usize,
    pub(super) frames: usize,
    /// Frames that the sound itself fills; behind them is silence.
    pub(super) sounding: usize,
}

/// The tokens that were written about a sound, and when each is said if that was asked for.
pub(crate) type Written = (Vec<u32>, Vec<f32>);

/// The sounds of a call that are being heard.
pub(crate) struct WhisperSession {
    recognizer: Arc<WhisperRecognizer>,
    runner: SearchRunner<'static>,
    sources: Sources,
    hearings: BTreeMap<usize, Hearing>,
    /// Sounds that there were, so that each draws from a stream of its own.
    inputs: usize,
}

/// A sound that is being heard.
struct Hearing {
    sound: Sound,
    call: Arc<WhisperCall>,
    input: usize,
    beginning: Beginning,
    /// What every window's text begins with, once the language is known.
    init_tokens: Option<Vec<u32>>,
    /// What the window's text begins with; `None` while the window is not yet read.
    decoder_input_ids: Option<Vec<u32>>,
    source: Option<Arc<SourceCache>>,
    /// The frame that the window begins at.
    seek: usize,
    /// The parts that were heard, a prompt before the first.
    segments: Vec<Vec<u32>>,
    token_timestamps: Vec<f32>,
    /// How many windows were heard.
    windows: usize,
}

impl WhisperSession {
    pub(crate) fn new(recognizer: Arc<WhisperRecognizer>) -> Self {
        let sources = Sources::default();
        Self {
            runner: runner(&recognizer, &sources),
            recognizer,
            sources,
            hearings: BTreeMap::new(),
            inputs: 0,
        }
    }

    /// Takes a sound in, under the settings of a call.
    pub(crate) fn push(&mut self, id: usize, sound: Sound, call: Arc<WhisperCall>) -> Result<()> {
        let input = self.inputs;
        self.inputs += 1;
        let beginning = self.recognizer.beginning(&call)?;
        let segments = self.recognizer.prompt_segment(&call);
        let hearing = Hearing {
            sound,
            call,
            input,
            beginning,
            init_tokens: None,
            decoder_input_ids: None,
            source: None,
            seek: 0,
            segments: segments.into_iter().collect(),
            token_timestamps: Vec::new(),
            windows: 0,
        };
        if self.hearings.is_empty() {
            // The memory of what was read before goes, and with it a failure that there may have been.
            self.runner = runner(&self.recognizer, &self.sources);
        }
        self.hearings.insert(id, hearing);
        Ok(())
    }

    /// How many sounds are being heard.
    pub(crate) fn open(&self) -> usize {
        self.hearings.len()
    }

    /// Writes one token more about every sound and gives those that are done or have failed.
    pub(crate) fn step(&mut self) -> Vec<(usize, Result<Written>)> {
        let mut done = self.begin_windows();
        for (id, event) in self.runner.step() {
            let Event::Finished(generated) = event else { continue };
            match generated.and_then(|generated| self.end_window(id, &generated)) {
                Ok(None) => {}
                Ok(Some(written)) => done.push((id, Ok(written))),
                Err(error) => done.push((id, Err(error))),
            }
        }
        for (id, _) in &done {
            self.hearings.remove(id);
            self.sources.remove(*id);
        }
        done
    }

    /// Reads the windows that wait for it, all together, and opens a search for each. Gives the sounds that failed.
    fn begin_windows(&mut self) -> Vec<(usize, Result<Written>)> {
        let waiting = self.hearings.iter().filter(|(_, hearing)| hearing.decoder_input_ids.is_none());
        let waiting: Vec<usize> = waiting.map(|(id, _)| *id).collect();
        let Err(error) = self.read(&waiting) else { return self.open_searches(&waiting) };
        if let [only] = *waiting {
            return vec![(only, Err(error))];
        }
        // Each alone, so that only the one that is to blame fails.
        let mut failed = Vec::new();
        for id in waiting {
            match self.read(&[id]) {
                Ok(()) => failed.extend(self.open_searches(&[id])),
                Err(error) => failed.push((id, Err(error))),
            }
        }
        failed
    }

    /// Runs the encoder on windows, and finds the languages that are not known.
    fn read(&mut self, ids: &[usize]) -> Result<()> {
        let frames = self.recognizer.settings.model.frames();
        let hearings: Vec<&Hearing> = ids.iter().filter_map(|id| self.hearings.get(id)).collect();
        let Some(bins) = hearings.first().map(|hearing| hearing.sound.bins) else { return Ok(()) };
        let windows: Vec<Vec<f32>> = hearings.iter().map(|hearing| hearing.window(frames)).collect();
        let sources = self.recognizer.encode(&windows, bins)?;
        let mut unknown: Vec<usize> = Vec::new();
        for (place, hearing) in hearings.iter().enumerate() {
            if hearing.init_tokens.is_none() && hearing.beginning.languages.is_some() {
                unknown.push(place);
            }
        }
        let mut languages = vec![None; hearings.len()];
        if let Some(first) = unknown.first().map(|&place| hearings[place]) {
            let of_unknown: Vec<&SourceCache> = unknown.iter().map(|&place| &*sources[place]).collect();
            let candidates = first.beginning.languages.as_deref().unwrap_or_default();
            let start = first.call.generation.decoder_start_token_id.unwrap_or_default();
            let found = self.recognizer.detect_languages(&of_unknown, start, candidates)?;
            unknown.iter().zip(found).for_each(|(&place, language)| languages[place] = Some(language));
        }
        let mut init_tokens = Vec::with_capacity(hearings.len());
        for (hearing, language) in hearings.iter().zip(languages) {
            init_tokens.push(match &hearing.init_tokens {
                Some(tokens) => tokens.clone(),
                None => self.recognizer.init_tokens(&hearing.beginning, language, &hearing.call)?,
            });
        }
        for ((id, source), init_tokens) in ids.iter().zip(sources).zip(init_tokens) {
            if let Some(hearing) = self.hearings.get_mut(id) {
                self.sources.insert(*id, Arc::clone(&source));
                hearing.source = Some(source);
                hearing.init_tokens = Some(init_tokens);
            }
        }
        Ok(())
    }

    /// Begins to write about windows that were read.
    fn open_searches(&mut self, ids: &[usize]) -> Vec<(usize, Result<Written>)> {
        let mut failed = Vec::new();
        for id in ids {
            let Some(hearing) = self.hearings.get_mut(id) else { continue };
            match self.recognizer.open_search(hearing) {
                Ok(search) => self.runner.push(*id, search),
                Err(error) => failed.push((*id, Err(error))),
            }
        }
        failed
    }

    /// Takes what was written about a window; gives all of the sound's when it was the last.
    fn end_window(&mut self, id: usize, generated: &Generated) -> Result<Option<Written>> {
        let lost = || Error::new(ErrorKind::Internal, "a sound ended that had not begun");
        let hearing = self.hearings.get_mut(&id).ok_or_else(lost)?;
        let tokens = generated.sequences.first().map_or(&[][..], |sequence| sequence.tokens.as_slice());
        self.recognizer.take_window(hearing, tokens)?;
        if hearing.seek < hearing.sound.frames {
            return Ok(None);
        }
        let prompts = usize::from(hearing.call.prompt_ids.is_some() && !hearing.call.prompts_all_segments);
        let tokens = hearing.segments.split_off(prompts.min(hearing.segments.len())).concat();
        Ok(Some((tokens, std::mem::take(&mut hearing.token_timestamps))))
    }
}

/// A runner over the recognizer's decoder, with nothing read yet.
fn runner(recognizer: &WhisperRecognizer, sources: &Sources) -> SearchRunner<'static> {
    let decoder = RowDecoder::Seq2Seq(recognizer.decoder(), sources.clone());
    SearchRunner::new(RowModel::new(decoder, recognizer.layout, true))
}

impl Hearing {
    /// The frames of the window, with nought behind the sound's last.
    fn window(&self, frames: usize) -> Vec<f32> {
        let count = self.sound.frames.saturating_sub(self.seek).min(frames);
        let rows = self.sound.values.chunks_exact(self.sound.frames.max(1));
        let row = |row: &[f32]| {
            let mut window = row.get(self.seek..self.seek + count).unwrap_or_default().to_vec();
            window.resize(frames, 0.0);
            window
        };
        rows.flat_map(row).collect()
    }
}

impl WhisperRecognizer {
    /// The first mark of a time; no token is one where the checkpoint does not say.
    fn timestamp_begin(&self) -> u32 {
        let vocabulary = u32::try_from(self.settings.model.vocab_size).unwrap_or(u32::MAX);
        self.settings.own.no_timestamps_token_id.unwrap_or(vocabulary).saturating_add(1)
    }

    /// A prompt as the part before the first.
    fn prompt_segment(&self, call: &WhisperCall) -> Option<Vec<u32>> {
        let prompt = call.prompt_ids.as_deref().filter(|_| !call.prompts_all_segments)?;
        let mark = self.settings.own.prev_sot_token_id;
        let text = if mark.is_some() && prompt.first().copied() == mark { &prompt[1..] } else { prompt };
        Some(text.to_vec())
    }

    /// What the text of a window begins with: what was written before it if that is asked for, or the prompt, then
    /// the marks.
    fn decoder_input_ids(&self, hearing: &Hearing) -> Vec<u32> {
        let call = &hearing.call;
        let init_tokens = hearing.init_tokens.clone().unwrap_or_default();
        let conditions = call.conditions[usize::from(hearing.windows > 0)];
        if !conditions || hearing.segments.is_empty() {
            return [call.prompt_ids.clone().unwrap_or_default(), init_tokens].concat();
        }
        let mut before = match (&call.prompt_ids, call.prompts_all_segments) {
            (Some(prompt), true) => prompt.clone(),
            _ => self.previous_text_mark(call).into_iter().collect(),
        };
        let begin = self.timestamp_begin();
        let parts = hearing.segments.iter().flat_map(|part| match part.as_slice() {
            // The last part's second mark is where the next begins.
            [kept @ .., _] if part.len() > 2 && kept.last().is_some_and(|token| *token >= begin) => kept,
            whole => whole,
        });
        let text: Vec<u32> = parts.copied().collect();
        let longest = (self.settings.model.max_target_positions / 2).saturating_sub(1);
        before.extend(&text[text.len().saturating_sub(longest)..]);
        before.extend(init_tokens);
        before
    }

    /// `<|startofprev|>`; where the checkpoint does not say it, the last but one of what is never written.
    fn previous_text_mark(&self, call: &WhisperCall) -> Option<u32> {
        let suppressed = call.generation.suppress_tokens.as_deref().unwrap_or_default();
        let last_but_one = suppressed.len().checked_sub(2).and_then(|place| suppressed.get(place).copied());
        self.settings.own.prev_sot_token_id.or(last_but_one)
    }

    /// The search for the text of a window.
    fn open_search(&self, hearing: &mut Hearing) -> Result<Box<dyn Search>> {
        let prompt = self.decoder_input_ids(hearing);
        let call = Arc::clone(&hearing.call);
        let (config, custom) = call.processors(&self.settings.own, prompt.len());
        let (new, longest) = (config.max_new_tokens.unwrap_or(0), self.settings.model.max_target_positions);
        if new.saturating_add(prompt.len()) > longest {
            let message = format!(
                "the text begins with {} tokens and `max_new_tokens` asks for {new} more, and the model writes {longest} at most; ask for fewer",
                prompt.len()
            );
            return Err(Error::new(ErrorKind::Parameter, message));
        }
        let config = config.for_prompt(prompt.len(), None)?;
        let processors =
            processors(&config, &prompt, ProcessorInputs { custom, ..ProcessorInputs::default() })?;
        let stopping = stopping_rules(&config, None, Vec::new())?;
        let context = SearchContext { input: hearing.input, ..SearchContext::default() };
        hearing.decoder_input_ids = Some(prompt.clone());
        search(&config, prompt, processors, stopping, &context)
    }

    /// Adds what was written about a window, and finds where the next begins.
    fn take_window(&self, hearing: &mut Hearing, tokens: &[u32]) -> Result<()> {
        let beginning = hearing.decoder_input_ids.take().unwrap_or_default();
        let source = hearing.source.take();
        let mut timestamps = Vec::new();
        if hearing.call.token_timestamps
            && let Some(source) = source
        {
            let sounding = (hearing.sound.sounding as i64 - hearing.seek as i64).div_euclid(2);
            timestamps = self.token_timestamps(&beginning, tokens, &source, sounding)?;
        }
        let text = without_end(tokens, &hearing.call);
        let frames = (hearing.sound.frames - hearing.seek).min(self.settings.model.frames());
        let heard = heard(text, self.timestamp_begin(), frames);
        let offset = (hearing.seek as f64 * TIME_PRECISION / 2.0) as f32;
        let last = heard.ends.last().copied().unwrap_or(0);
        hearing.token_timestamps.extend(timestamps.iter().take(last).map(|time| time + offset));
        let mut start = 0;
        for end in heard.ends {
            hearing.segments.push(text[start..end].to_vec());
            start = end;
        }
        // A window that is over before it began would never end.
        hearing.seek += if heard.frames == 0 { frames } else { heard.frames };
        hearing.windows += 1;
        Ok(())
    }
}

/// The tokens without padding at their end, and without the one that ends a text.
fn without_end<'a>(tokens: &'a [u32], call: &WhisperCall) -> &'a [u32] {
    let config = &call.generation;
    let is_end = |token: u32| config.eos_token_id.iter().flatten().any(|end| *end == token);
    let mut text = tokens;
    if let Some(pad) = config.pad_token_id.filter(|&pad| text.last() == Some(&pad)) {
        // As many as there are anywhere, one of them kept where padding is the end too.
        let padding = text.iter().filter(|token| **token == pad).count();
        text = &text[..text.len() - (padding - usize::from(is_end(pad)))];
    }
    match text.split_last() {
        Some((last, before)) if is_end(*last) => before,
        _ => text,
    }
}
