//! Sounds whose texts grow side by side.

use std::collections::BTreeMap;
use std::sync::Arc;

use burnpipe_core::{Error, ErrorKind, Result, Session};

use super::whisper::{WhisperRecognizer, WhisperSession};
use super::{AutomaticSpeechRecognitionOptions, SpeechFeatures, SpeechRaw};

/// The chunks of a call that are being written about.
pub(super) struct SpeechSession {
    recognizer: Arc<WhisperRecognizer>,
    options: AutomaticSpeechRecognitionOptions,
    whisper: WhisperSession,
    open: BTreeMap<usize, SpeechFeatures>,
}

impl SpeechSession {
    pub(super) fn new(
        recognizer: &Arc<WhisperRecognizer>,
        options: AutomaticSpeechRecognitionOptions,
    ) -> Self {
        let whisper = WhisperSession::new(Arc::clone(recognizer));
        Self { recognizer: Arc::clone(recognizer), options, whisper, open: BTreeMap::new() }
    }
}

impl Session<SpeechFeatures, SpeechRaw> for SpeechSession {
    fn push(&mut self, id: usize, mut chunk: SpeechFeatures) -> Result<()> {
        let call = Arc::new(self.recognizer.call(&self.options)?);
        let sound = self.recognizer.sound(chunk.take_features(), chunk.samples)?;
        self.whisper.push(id, sound, call)?;
        self.open.insert(id, chunk);
        Ok(())
    }

    fn open(&self) -> usize {
        self.whisper.open()
    }

    fn step(&mut self) -> Vec<(usize, Result<SpeechRaw>)> {
        let raw = |(id, written): (usize, Result<_>)| {
            let chunk = self.open.remove(&id);
            let raw = written.and_then(|(tokens, token_timestamps)| {
                let lost = || Error::new(ErrorKind::Internal, "a sound ended that had not begun");
                Ok(chunk.ok_or_else(lost)?.raw(tokens, token_timestamps))
            });
            (id, raw)
        };
        self.whisper.step().into_iter().map(raw).collect()
    }
}
