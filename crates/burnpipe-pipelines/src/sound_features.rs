//! What the tasks over sounds share: inputs to samples, features to batches.

use std::path::PathBuf;

use burnpipe_audio::{AudioFeatures, SAMPLING_RATES, Waveform};
use burnpipe_core::{Error, ErrorKind, Media, Result};
use burnpipe_nn::{BatchLayout, SoundBatch, SoundShape, run_model};
use serde_json::{Map, Value};

use crate::media::read_media;
use crate::shapes::run_by_shape;

/// A sound, as tasks take it.
#[derive(Clone, Debug, PartialEq)]
pub enum AudioInput {
    /// A file in one of the formats that sounds come in, wherever it is; its channels are mixed.
    Media(Media),
    /// Samples, from 1,000 to 1,536,000 a second; at another rate than the model's they are resampled.
    Waveform(Waveform),
}

impl From<&str> for AudioInput {
    /// An address or a path.
    fn from(text: &str) -> Self {
        Self::Media(text.into())
    }
}

impl From<PathBuf> for AudioInput {
    fn from(path: PathBuf) -> Self {
        Self::Media(path.into())
    }
}

impl From<Media> for AudioInput {
    fn from(media: Media) -> Self {
        Self::Media(media)
    }
}

impl From<Waveform> for AudioInput {
    fn from(waveform: Waveform) -> Self {
        Self::Waveform(waveform)
    }
}

impl AudioInput {
    /// The rate of samples that are given; `None` for a file, which is read at any.
    pub(crate) fn sampling_rate(&self) -> Option<u32> {
        match self {
            Self::Waveform(waveform) => Some(waveform.sampling_rate),
            Self::Media(_) => None,
        }
    }

    /// The samples at a model's rate.
    pub(crate) fn samples(self, sampling_rate: u32) -> Result<Vec<f32>> {
        let waveform = match self {
            Self::Waveform(waveform) => waveform.resampled(sampling_rate)?,
            Self::Media(media) => {
                Waveform::decode(read_media(&media, None)?, &media.to_string(), sampling_rate)?
            }
        };
        let samples = waveform.samples;
        if samples.is_empty() {
            return Err(Error::new(ErrorKind::Input, "the sound has no samples"));
        }
        Ok(samples)
    }
}

/// What becomes of several channels in an array of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channels {
    /// Their mean is taken.
    Mixed,
    /// They are an error.
    Refused,
}

/// A path, an address, or an object: `{"raw" or "array": [samples], "sampling_rate": ..}` as Python has it, or
/// `{"path": ..}`. The other fields of the object are given back.
pub(crate) fn parse_audio(input: Value, channels: Channels) -> Result<(AudioInput, Map<String, Value>)> {
    let mut fields = match input {
        Value::String(text) => return Ok((text.as_str().into(), Map::new())),
        Value::Object(fields) => fields,
        _ => return Err(shape()),
    };
    // As in Python, `raw` wins and leaves what stands beside it.
    let array = match fields.remove("raw") {
        None | Some(Value::Null) => {
            let path = fields.remove("path");
            match (fields.remove("array"), path) {
                (None | Some(Value::Null), Some(Value::String(path))) => {
                    fields.remove("sampling_rate");
                    return Ok((path.as_str().into(), fields));
                }
                (array, _) => array,
            }
        }
        raw => raw,
    };
    let (Some(array), Some(rate)) = (array, fields.remove("sampling_rate")) else { return Err(shape()) };
    let rate = whole_number(&rate).and_then(|rate| u32::try_from(rate).ok());
    let rate = rate.filter(|rate| SAMPLING_RATES.contains(rate)).ok_or_else(|| {
        let (least, most) = SAMPLING_RATES.into_inner();
        let message = format!("`sampling_rate` of the input must be a whole number from {least} to {most}");
        Error::new(ErrorKind::Input, message)
    })?;
    let samples = parse_samples(&array, channels)?;
    Ok((Waveform { samples, sampling_rate: rate }.into(), fields))
}

/// A whole number that may be written as 16000.0, which is the same in Python.
pub(crate) fn whole_number(value: &Value) -> Option<usize> {
    const MOST: f64 = (1_u64 << 53) as f64;
    let whole = |number: &f64| number.fract() == 0.0 && (0.0..MOST).contains(number);
    let of_float = || value.as_f64().filter(whole).map(|number| number as u64);
    value.as_u64().or_else(of_float).and_then(|number| usize::try_from(number).ok())
}

fn shape() -> Error {
    let message = "the input must be a path, an address, an object {\"array\": [samples], \"sampling_rate\": ..} \
                   or an object {\"path\": ..}";
    Error::new(ErrorKind::Input, message)
}

/// `[samples]`, or `[channels, samples]`.
fn parse_samples(array: &Value, channels: Channels) -> Result<Vec<f32>> {
    let wrong = || Error::new(ErrorKind::Input, "the samples of the input must be a list of numbers");
    let elements = array.as_array().ok_or_else(wrong)?;
    if !elements.first().is_some_and(Value::is_array) {
        let numbers = elements.iter().map(|element| element.as_f64().map(|number| number as f32));
        return numbers.collect::<Option<Vec<f32>>>().ok_or_else(wrong);
    }
    if channels == Channels::Refused {
        let message = "the input has several channels, and the task takes one; give their mean";
        return Err(Error::new(ErrorKind::Input, message));
    }
    let parts = elements.iter().map(|channel| parse_samples(channel, Channels::Refused));
    let parts = parts.collect::<Result<Vec<_>>>()?;
    let length = parts.first().map_or(0, Vec::len);
    if parts.iter().any(|channel| channel.len() != length) {
        let message = "the channels of the input are not equally long";
        return Err(Error::new(ErrorKind::Input, message));
    }
    let mean = |at: usize| parts.iter().map(|channel| channel[at]).sum::<f32>() / parts.len() as f32;
    Ok((0..length).map(mean).collect())
}

/// How many numbers a model reads of a sound.
pub(crate) fn numbers(features: &AudioFeatures) -> usize {
    shape_and_values(features).1.len()
}

fn shape_and_values(features: &AudioFeatures) -> (SoundShape, &[f32]) {
    match features {
        AudioFeatures::Samples(samples) => (SoundShape::Samples(samples.len()), samples),
        AudioFeatures::Spectrogram { frames, bins, values } => {
            (SoundShape::Spectrogram { frames: *frames, bins: *bins }, values)
        }
    }
}

/// Runs a model on sounds: one by one where it takes them joined, those of one shape together elsewhere. `run`
/// gives a result for each sound of its batch.
pub(crate) fn run_on_sounds<'a, R: Send>(
    sounds: impl Iterator<Item = &'a AudioFeatures>,
    layout: BatchLayout,
    run: impl Fn(&SoundBatch) -> Result<Vec<R>> + Sync,
) -> Result<Vec<R>> {
    let sounds: Vec<(SoundShape, &[f32])> = sounds.map(shape_and_values).collect();
    let alone = |place: usize| (layout != BatchLayout::Padded).then_some(place);
    let shapes: Vec<_> = sounds.iter().enumerate().map(|(place, sound)| (sound.0, alone(place))).collect();
    run_by_shape(&shapes, |places| {
        let Some(&(shape, _)) = places.first().and_then(|&first| sounds.get(first)) else {
            return Ok(Vec::new());
        };
        let values: Vec<&[f32]> = places.iter().map(|&at| sounds[at].1).collect();
        let batch = SoundBatch::new(shape, &values)?;
        run_model(layout, || run(&batch))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn inputs_are_read_as_python_takes_them() {
        let waveform = |samples: &[f32], sampling_rate| {
            AudioInput::Waveform(Waveform { samples: samples.to_vec(), sampling_rate })
        };
        let cases = [
            (json!("a.wav"), "a.wav".into(), json!({})),
            (json!({"path": "a.wav", "x": 1}), "a.wav".into(), json!({"x": 1})),
            (json!({"raw": [0.5, 1], "sampling_rate": 8000}), waveform(&[0.5, 1.0], 8000), json!({})),
            (
                json!({"array": [0.5], "sampling_rate": 8000, "path": "a.wav", "stride": [0, 1]}),
                waveform(&[0.5], 8000),
                json!({"stride": [0, 1]}),
            ),
            (json!({"raw": [0.5], "sampling_rate": 16_000.0}), waveform(&[0.5], 16_000), json!({})),
            (
                json!({"raw": [0.5], "sampling_rate": 8000, "path": "a.wav"}),
                waveform(&[0.5], 8000),
                json!({"path": "a.wav"}),
            ),
            (
                json!({"array": [[0.0, 1.0], [1.0, 2.0]], "sampling_rate": 8000}),
                waveform(&[0.5, 1.5], 8000),
                json!({}),
            ),
        ];
        for (input, audio, rest) in cases {
            let (parsed, fields) = parse_audio(input.clone(), Channels::Mixed).unwrap();
            assert_eq!((parsed, Value::Object(fields)), (audio, rest), "{input}");
        }
    }

    #[test]
    fn inputs_of_another_shape_are_refused() {
        for (input, says) in [
            (json!(3), "must be a path"),
            (json!({"array": [0.5]}), "sampling_rate"),
            (json!({"sampling_rate": 8000}), "array"),
            (json!({"array": [0.5], "sampling_rate": 1}), "from 1000"),
            (json!({"array": [0.5], "sampling_rate": 16_000.5}), "whole number"),
            (json!({"array": [0.5], "sampling_rate": -16_000.0}), "whole number"),
            (json!({"array": ["loud"], "sampling_rate": 8000}), "list of numbers"),
            (json!({"array": [[0.5], [0.5, 1.0]], "sampling_rate": 8000}), "equally long"),
        ] {
            let error = parse_audio(input.clone(), Channels::Mixed).unwrap_err();
            assert!(error.kind() == ErrorKind::Input && error.to_string().contains(says), "{input}: {error}");
        }
        let channels = json!({"array": [[0.5], [0.5]], "sampling_rate": 8000});
        let error = parse_audio(channels, Channels::Refused).unwrap_err();
        assert!(error.to_string().contains("several channels"), "{error}");
    }

    #[test]
    fn rates_of_samples_that_are_given_are_checked_too() {
        for sampling_rate in [0, 1, 999, u32::MAX] {
            let sound = AudioInput::Waveform(Waveform { samples: vec![0.5; 9], sampling_rate });
            let error = sound.samples(16_000).unwrap_err();
            assert!(error.kind() == ErrorKind::Input && error.to_string().contains("1000"), "{error}");
        }
    }

    #[test]
    fn sounds_of_one_shape_go_together_and_keep_their_order() {
        let sounds = [1, 2, 1, 3, 2].map(|length| AudioFeatures::Samples(vec![length as f32; length]));
        for (layout, batches) in [(BatchLayout::Padded, [2, 2, 2, 1, 2]), (BatchLayout::Joined, [1; 5])] {
            let run = |batch: &SoundBatch| Ok(vec![batch.sounds(); batch.sounds()]);
            assert_eq!(run_on_sounds(sounds.iter(), layout, run).unwrap(), batches);
        }
    }
}
