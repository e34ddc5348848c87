//! Outputs that several tasks share.

use serde::{Deserialize, Serialize};

/// A label and its score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// The label, from the model's `id2label`.
    pub label: String,
    /// Its score.
    pub score: f32,
}
