//! Text as it is made.

use std::sync::Arc;

use burnpipe_core::{Cancellation, Error, ErrorKind, Piece, Pieces, Result, Session, Task};
use burnpipe_generate::Event;

use super::session::GenerationSession;
use super::{GeneratedText, TextGeneration, TextGenerationInput, TextGenerationOptions, TextGenerationRaw};

/// Answers one input piece by piece: only what will not change goes out, whole characters only.
pub(super) fn pieces(
    task: &Arc<TextGeneration>,
    input: TextGenerationInput,
    options: &TextGenerationOptions,
    cancellation: Cancellation,
) -> Result<Pieces<Vec<GeneratedText>>> {
    let features = task.features(input, options)?;
    let mut session = GenerationSession::new(Arc::clone(task), options.clone());
    session.push(0, features)?;
    Ok(Box::new(TextStream {
        task: Arc::clone(task),
        options: options.clone(),
        session,
        cancellation,
        tokens: Vec::new(),
        given: String::new(),
        finished: None,
        ended: false,
    }))
}

struct TextStream {
    task: Arc<TextGeneration>,
    options: TextGenerationOptions,
    session: GenerationSession<Arc<TextGeneration>>,
    cancellation: Cancellation,
    /// New tokens so far.
    tokens: Vec<u32>,
    /// The text that has gone out.
    given: String,
    /// The answer, once what is left of its text has gone out.
    finished: Option<TextGenerationRaw>,
    ended: bool,
}

impl TextStream {
    /// What can go out of the text so far; all of it at the end.
    fn more(&mut self, text: &str, at_end: bool) -> Option<String> {
        // A character of several tokens is not whole yet, and a space may go before punctuation.
        let steady = if at_end { text } else { text.trim_end_matches([char::REPLACEMENT_CHARACTER, ' ']) };
        let more = steady.strip_prefix(self.given.as_str()).filter(|more| !more.is_empty())?.to_string();
        self.given.push_str(&more);
        Some(more)
    }

    fn text_so_far(&self) -> Result<String> {
        let Some((features, begin)) = self.session.begin(0) else { return Ok(String::new()) };
        let tokens: Vec<u32> = begin.iter().chain(&self.tokens).copied().collect();
        self.task.new_text(features, &tokens, &self.options)
    }

    /// Ends with what was made: first the rest of its text, then the answer.
    fn finish(&mut self, raw: TextGenerationRaw) -> Result<Option<String>> {
        let tokens = raw.sequences().into_iter().next().unwrap_or_default();
        let text = self.task.new_text(&raw.features, &tokens, &self.options)?;
        self.finished = Some(raw);
        Ok(self.more(&text, true))
    }

    /// One step of the model; the text that came of it.
    fn step(&mut self) -> Result<Option<String>> {
        if self.cancellation.is_cancelled() {
            return match self.session.cancel(0) {
                Some(raw) => self.finish(raw),
                None => Err(Error::new(ErrorKind::Cancelled, "the run was cancelled")),
            };
        }
        let mut done = None;
        for (_, event) in self.session.events() {
            match event {
                Event::Tokens(tokens) => self.tokens.extend(tokens),
                Event::Finished(generated) => done = Some(generated?),
            }
        }
        match done.and_then(|generated| self.session.take(0, generated)) {
            Some(raw) => self.finish(raw),
            None => {
                let text = self.text_so_far()?;
                Ok(self.more(&text, false))
            }
        }
    }
}

impl Iterator for TextStream {
    type Item = Result<Piece<Vec<GeneratedText>>>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            if let Some(raw) = self.finished.take() {
                self.ended = true;
                return Some(self.task.postprocess(vec![raw], &self.options).map(Piece::Answer));
            }
            match self.step() {
                Ok(None) => {}
                Ok(Some(text)) => return Some(Ok(Piece::Text(text))),
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}
