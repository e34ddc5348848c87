//! Weights: opened from a checkpoint, put into modules strictly.

mod fill;
mod open;
mod stored;

pub use fill::WeightNames;
pub use open::Weights;
