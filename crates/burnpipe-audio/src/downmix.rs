//! Many channels to one, as ffmpeg's `-ac 1` with float samples does.
//!
//! Reference: `auto_matrix` of libswresample's `rematrix.c`. Every channel gets a weight by where its speaker
//! stands: the middle 1, left and right the square root of a half, those behind and at the sides half, the
//! subwoofer nothing. Float samples may pass 1, so that the weights are not divided by their sum.

use std::f32::consts::FRAC_1_SQRT_2;

use symphonia::core::audio::{ChannelLabel, Channels, Position};

/// What each channel counts in the one that is left.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Downmix(Vec<f32>);

impl Downmix {
    /// The weights of a layout. Channels without a place get the places that ffmpeg guesses from their number;
    /// where it knows none and Python refuses the file, all count the same.
    pub(crate) fn new(channels: &Channels) -> Self {
        let positions = match channels {
            Channels::Positioned(positions) => positions.iter().map(Some).collect(),
            Channels::Custom(labels) => labels.iter().map(position_of).collect(),
            _ => vec![None; channels.count()],
        };
        let positions: Option<Vec<Position>> = positions.into_iter().collect();
        positions.map_or_else(|| Self::guessed(channels.count()), |positions| Self::of_positions(&positions))
    }

    /// The weights of so many channels that no header gives a place.
    pub(crate) fn guessed(count: usize) -> Self {
        match guessed_positions(count) {
            Some(positions) => Self::of_positions(&positions),
            None => Self(vec![1.0 / count.max(1) as f32; count]),
        }
    }

    fn of_positions(positions: &[Position]) -> Self {
        // A single channel is what it is, wherever it stands.
        let alone = positions.len() == 1;
        Self(positions.iter().map(|position| if alone { 1.0 } else { weight(*position) }).collect())
    }

    /// Adds up the channels of a block; all have the same length.
    pub(crate) fn mix(&self, channels: &[Vec<f32>], mono: &mut Vec<f32>) {
        mono.clear();
        let Some((first, rest)) = channels.split_first() else { return };
        let weight = |channel: usize| self.0.get(channel).copied().unwrap_or(0.0);
        if rest.is_empty() && weight(0) == 1.0 {
            mono.extend_from_slice(first);
            return;
        }
        mono.extend(first.iter().map(|sample| sample * weight(0)));
        for (channel, samples) in (1..).zip(rest) {
            let weight = weight(channel);
            if weight != 0.0 {
                mono.iter_mut().zip(samples).for_each(|(sum, sample)| *sum += sample * weight);
            }
        }
    }
}

fn position_of(label: &ChannelLabel) -> Option<Position> {
    match label {
        ChannelLabel::Positioned(position) => Some(*position),
        _ => None,
    }
}

fn weight(position: Position) -> f32 {
    let half = FRAC_1_SQRT_2 * FRAC_1_SQRT_2;
    match position {
        Position::FRONT_CENTER => 1.0,
        Position::FRONT_LEFT
        | Position::FRONT_RIGHT
        | Position::FRONT_LEFT_CENTER
        | Position::FRONT_RIGHT_CENTER => FRAC_1_SQRT_2,
        Position::REAR_LEFT
        | Position::REAR_RIGHT
        | Position::REAR_CENTER
        | Position::SIDE_LEFT
        | Position::SIDE_RIGHT => half,
        _ => 0.0,
    }
}

/// The layout that ffmpeg takes so many channels for.
fn guessed_positions(count: usize) -> Option<Vec<Position>> {
    let front = Position::FRONT_LEFT | Position::FRONT_RIGHT;
    let surround = front | Position::FRONT_CENTER;
    let rear = Position::REAR_LEFT | Position::REAR_RIGHT;
    let side = Position::SIDE_LEFT | Position::SIDE_RIGHT;
    let positions = match count {
        1 => Position::FRONT_CENTER,
        2 => front,
        3 => front | Position::LFE1,
        4 => surround | Position::REAR_CENTER,
        5 => surround | rear,
        6 => surround | Position::LFE1 | rear,
        7 => surround | Position::LFE1 | side | Position::REAR_CENTER,
        8 => surround | Position::LFE1 | rear | side,
        _ => return None,
    };
    Some(positions.iter().collect())
}
