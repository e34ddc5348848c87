//! Decoding methods and the decoder, on a toy language model.

mod decoder;
mod goldens;
mod properties;
mod refusals;
mod toy;
