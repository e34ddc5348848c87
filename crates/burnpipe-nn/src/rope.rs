//! The angles of rotary position embeddings, and the ways of stretching them over longer texts.
//!
//! Reference: `modeling_rope_utils.py` of transformers 4.56.2.

use burn::tensor::Device;
use burnpipe_core::{Error, ErrorKind, Result};
use serde::Deserialize;

use crate::TokenStep;
use crate::ops::RotaryAngles;

/// `rope_scaling` of config.json.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct RopeScaling {
    rope_type: Option<String>,
    r#type: Option<String>,
    factor: Option<f64>,
    attention_factor: Option<f64>,
    mscale: Option<f64>,
    mscale_all_dim: Option<f64>,
    beta_fast: Option<f64>,
    beta_slow: Option<f64>,
    truncate: Option<bool>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
    long_factor: Option<Vec<f64>>,
    short_factor: Option<Vec<f64>>,
    original_max_position_embeddings: Option<usize>,
}

impl RopeScaling {
    /// The same under another name, if it has this one: files of one family may mean another way by a name.
    #[must_use]
    pub fn renamed(mut self, from: &str, to: &str) -> Self {
        for kind in [&mut self.rope_type, &mut self.r#type].into_iter().flatten() {
            if kind == from {
                *kind = to.to_string();
            }
        }
        self
    }
}

/// What angles are made of: the keys of config.json.
#[derive(Clone, Debug)]
pub struct RopeConfig {
    /// `rope_theta`
    pub theta: f64,
    /// Numbers of a head that are turned: `head_dim * partial_rotary_factor`, rounded down.
    pub size: usize,
    /// `max_position_embeddings`
    pub positions: usize,
    /// `original_max_position_embeddings` beside `rope_scaling`, as Phi-3 has it.
    pub original_positions: Option<usize>,
    /// `rope_scaling`
    pub scaling: Option<RopeScaling>,
}

/// Rotary position embedding of one model.
#[derive(Clone, Debug)]
pub struct Rope {
    frequencies: Frequencies,
    /// What turned numbers are multiplied by.
    scaling: f32,
}

#[derive(Clone, Debug)]
enum Frequencies {
    /// The same for every text.
    Fixed(Vec<f32>),
    /// By the length of a text: those for up to so many tokens, and those beyond.
    Long { until: usize, short: Vec<f32>, long: Vec<f32> },
    /// Stretched by as much as a text is longer.
    Dynamic { theta: f64, size: usize, factor: f64, positions: usize, short: Vec<f32> },
}

impl Rope {
    /// The embedding that a config asks for.
    ///
    /// # Errors
    ///
    /// When the way of stretching is not known, or lacks a parameter.
    pub fn new(config: &RopeConfig) -> Result<Self> {
        let plain = frequencies(config.theta, config.size);
        let Some(scaling) = &config.scaling else {
            return Ok(Self { frequencies: Frequencies::Fixed(plain), scaling: 1.0 });
        };
        let kind = scaling.rope_type.as_deref().or(scaling.r#type.as_deref()).unwrap_or("default");
        let fixed = |frequencies: Vec<f32>, scaling: f64| Self {
            frequencies: Frequencies::Fixed(frequencies),
            scaling: scaling as f32,
        };
        Ok(match kind {
            "default" => fixed(plain, 1.0),
            "linear" => {
                let factor = needed("factor", scaling.factor)? as f32;
                fixed(plain.iter().map(|frequency| frequency / factor).collect(), 1.0)
            }
            "dynamic" => Self {
                frequencies: Frequencies::Dynamic {
                    theta: config.theta,
                    size: config.size,
                    factor: needed("factor", scaling.factor)?,
                    positions: config.positions,
                    short: plain,
                },
                scaling: 1.0,
            },
            "llama3" => fixed(llama3(&plain, scaling)?, 1.0),
            "yarn" => yarn(config, scaling)?,
            // Phi-3's first files call it so.
            "longrope" | "su" => longrope(config, scaling)?,
            other => {
                let message = format!(
                    "`rope_type` `{other}` in `rope_scaling` of `config.json` is not supported; known: `default`, `linear`, `dynamic`, `yarn`, `longrope`, `llama3`"
                );
                return Err(Error::new(ErrorKind::Config, message));
            }
        })
    }

    /// The angles of the new tokens of a step.
    pub fn angles(&self, step: &TokenStep, device: &Device) -> RotaryAngles {
        let positions = step.positions();
        let stretched: Vec<Option<Vec<f32>>> =
            step.texts().iter().map(|text| self.stretched(text.tokens())).collect();
        let texts = step.texts().iter().zip(&stretched).map(|(text, stretched)| {
            let frequencies = match (stretched, &self.frequencies) {
                (Some(stretched), _) => stretched,
                (None, Frequencies::Long { until, long, .. }) if text.tokens() > *until => long,
                (
                    None,
                    Frequencies::Fixed(frequencies)
                    | Frequencies::Long { short: frequencies, .. }
                    | Frequencies::Dynamic { short: frequencies, .. },
                ) => frequencies,
            };
            (&positions[text.new.clone()], frequencies.as_slice())
        });
        RotaryAngles::from_frequencies(&texts.collect::<Vec<_>>(), self.scaling, device)
    }

    /// How many tokens a text may have before its frequencies are those of long texts.
    pub fn short_until(&self) -> Option<usize> {
        match self.frequencies {
            Frequencies::Long { until, .. } => Some(until),
            Frequencies::Fixed(_) | Frequencies::Dynamic { .. } => None,
        }
    }

    /// The frequencies of a text that is longer than the model was made for, if they depend on its length.
    fn stretched(&self, tokens: usize) -> Option<Vec<f32>> {
        match &self.frequencies {
            Frequencies::Dynamic { theta, size, factor, positions, .. } if tokens > *positions => {
                let stretch = factor * tokens as f64 / *positions as f64 - (factor - 1.0);
                let power = *size as f64 / (*size as f64 - 2.0);
                Some(frequencies(theta * stretch.powf(power), *size))
            }
            _ => None,
        }
    }
}

/// `theta^(-2 i / size)`, in f32 as torch computes them.
fn frequencies(theta: f64, size: usize) -> Vec<f32> {
    (0..size / 2).map(|pair| 1.0 / (theta as f32).powf((2 * pair) as f32 / size as f32)).collect()
}

fn needed<T: Clone>(name: &str, value: Option<T>) -> Result<T> {
    value.ok_or_else(|| {
        let message = format!("`rope_scaling` in `config.json` has no `{name}`, which its `rope_type` needs");
        Error::new(ErrorKind::Config, message)
    })
}

fn llama3(plain: &[f32], scaling: &RopeScaling) -> Result<Vec<f32>> {
    let factor = needed("factor", scaling.factor)? as f32;
    let low = needed("low_freq_factor", scaling.low_freq_factor)? as f32;
    let high = needed("high_freq_factor", scaling.high_freq_factor)? as f32;
    let positions =
        needed("original_max_position_embeddings", scaling.original_max_position_embeddings)? as f32;
    let bend = |&frequency: &f32| {
        let length = 2.0 * std::f32::consts::PI / frequency;
        if length < positions / high {
            frequency
        } else if length > positions / low {
            frequency / factor
        } else {
            let smooth = (positions / length - low) / (high - low);
            (1.0 - smooth) * frequency / factor + smooth * frequency
        }
    };
    Ok(plain.iter().map(bend).collect())
}

/// YaRN (arXiv 2309.00071).
fn yarn(config: &RopeConfig, scaling: &RopeScaling) -> Result<Rope> {
    let factor = needed("factor", scaling.factor)?;
    let positions = scaling.original_max_position_embeddings.unwrap_or(config.positions) as f64;
    let (size, theta) = (config.size as f64, config.theta);
    let mscale = |mscale: f64| if factor <= 1.0 { 1.0 } else { 0.1 * mscale * factor.ln() + 1.0 };
    let is_set = |value: Option<f64>| value.filter(|&value| value != 0.0);
    let attention_factor = scaling.attention_factor.unwrap_or_else(|| {
        match (is_set(scaling.mscale), is_set(scaling.mscale_all_dim)) {
            (Some(own), Some(all)) => mscale(own) / mscale(all),
            _ => mscale(1.0),
        }
    });
    let correction = |rotations: f64| {
        size * (positions / (rotations * 2.0 * std::f64::consts::PI)).ln() / (2.0 * theta.ln())
    };
    let mut low = correction(is_set(scaling.beta_fast).unwrap_or(32.0));
    let mut high = correction(is_set(scaling.beta_slow).unwrap_or(1.0));
    if scaling.truncate.unwrap_or(true) {
        (low, high) = (low.floor(), high.ceil());
    }
    let (low, mut high) = (low.max(0.0), high.min(size - 1.0));
    if low == high {
        high += 0.001;
    }
    let frequency = |pair: usize| {
        let plain = (theta as f32).powf((2 * pair) as f32 / size as f32);
        let ramp = ((pair as f32 - low as f32) / (high - low) as f32).clamp(0.0, 1.0);
        let kept = 1.0 - ramp;
        (1.0 / (factor as f32 * plain)) * (1.0 - kept) + (1.0 / plain) * kept
    };
    let frequencies = (0..config.size / 2).map(frequency).collect();
    Ok(Rope { frequencies: Frequencies::Fixed(frequencies), scaling: attention_factor as f32 })
}

/// LongRoPE (arXiv 2402.13753), as Phi-3 has it.
fn longrope(config: &RopeConfig, scaling: &RopeScaling) -> Result<Rope> {
    let (until, factor) = match config.original_positions {
        Some(original) => (original, Some(config.positions as f64 / original.max(1) as f64)),
        None => (config.positions, scaling.factor),
    };
    let attention_factor = match scaling.attention_factor {
        Some(factor) => factor,
        None => {
            let factor = needed("factor", factor)?;
            if factor <= 1.0 { 1.0 } else { (1.0 + factor.ln() / (until as f64).ln()).sqrt() }
        }
    };
    let divided = |name: &str, factors: &Option<Vec<f64>>| {
        let factors = needed(name, factors.clone())?;
        let pairs = config.size / 2;
        if factors.len() != pairs {
            let message = format!(
                "`{name}` of `rope_scaling` in `config.json` has {} numbers for {pairs} pairs",
                factors.len()
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        let power = |pair: usize| (config.theta as f32).powf((2 * pair) as f32 / config.size as f32);
        Ok(factors.iter().enumerate().map(|(pair, &factor)| 1.0 / (factor as f32 * power(pair))).collect())
    };
    let short = divided("short_factor", &scaling.short_factor)?;
    let long = divided("long_factor", &scaling.long_factor)?;
    Ok(Rope { frequencies: Frequencies::Long { until, short, long }, scaling: attention_factor as f32 })
}
