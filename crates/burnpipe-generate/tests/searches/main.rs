//! Decoding methods, alone and side by side, on a toy language model.

#![allow(clippy::panic, clippy::unwrap_used)]

mod goldens;
mod properties;
mod refusals;
mod side_by_side;
mod toy;
