//! Weights: opened from a checkpoint, put into modules strictly.

mod fill;
mod open;
#[cfg(feature = "flex")]
mod pack;
mod path;
mod stored;

pub use fill::WeightNames;
pub use open::Weights;
