//! CPU kernels on plain slices: what no crate offers as inference needs it.
//!
//! A weight is packed once and multiplied many times; bias, activation and residual are applied while a
//! result is still in the cache:
//!
//! ```
//! use burnpipe_kernels::{Activation, Finish, PackedMatrix};
//!
//! let weight = PackedMatrix::new(&[1.0, -1.0], 2, 1); // [outputs, inputs]
//! let finish = Finish { activation: Some(Activation::Relu), ..Finish::default() };
//! assert_eq!(weight.multiply(&[3.0], &finish), [3.0, 0.0]);
//! ```
//!
//! Beside matrix products there are attention with its caches, norms of rows and of groups of channels, convolutions in
//! one and two dimensions ([`PackedFilters`]) and pooling. The last three work on [`Images`] with the numbers of a pixel
//! side by side ("channels last"); a sequence is an image of height 1:
//!
//! ```
//! use burnpipe_kernels::{Images, Sliding, max_pool};
//!
//! let sequence = Images::channels_last(&[1.0, -1.0, 3.0, -2.0], 1, 2, [1, 2]); // two pixels of two channels
//! assert_eq!(max_pool(sequence, [1, 2], &Sliding::default()), [3.0, -1.0]);
//! ```
//!
//! Instructions are chosen at run time (AVX-512, AVX2, NEON or plain) by `rten-simd`; work is shared
//! between the threads of the current `rayon` pool. The crate knows no tensors and no models:
//! `burnpipe-nn` calls it.

// Kernels write into memory that nobody has initialised and share it between threads; weights are cut out of large
// pages that they share.
#![allow(unsafe_code)]

mod activation;
mod attention;
mod cached_attention;
mod convolution;
mod depthwise;
mod distance;
mod gemm;
mod group_norm;
mod images;
mod isa;
mod memory;
mod norm;
mod packed;
mod pool;
mod rotary;
mod rows;
mod tile;
mod windows;

pub use activation::Activation;
pub use attention::{AttentionOptions, AttentionShape, Heads, HiddenKeys, ScoreBias, attention};
pub use cached_attention::{BLOCK_TOKENS, CachedAttention, CachedText};
pub use convolution::{FilterShape, PackedFilters};
pub use distance::DistanceScores;
pub use gemm::{Finish, multiply_each};
pub use group_norm::GroupNorm;
pub use images::Images;
pub use norm::{Norm, softmax};
pub use packed::{PackedMatrix, Packing, PackingOrder, Stored};
pub use pool::{max_pool, mean_of_pixels};
pub use rotary::{RotaryPairs, rotate};
pub use rows::{gather, mean_of_rows};
pub use windows::Sliding;

#[cfg(test)]
mod tests {
    /// Numbers that look random and are the same on every machine, from -1 to 1.
    pub(crate) fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed.wrapping_mul(2_654_435_761);
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .take(count)
        .collect()
    }
}
