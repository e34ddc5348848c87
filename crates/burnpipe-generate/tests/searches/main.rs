//! Decoding methods and the decoder, on a toy language model.

#![allow(clippy::panic, clippy::unwrap_used)]

mod decoder;
mod goldens;
mod properties;
mod refusals;
mod toy;
