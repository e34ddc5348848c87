//! Images: read, resized and normalised as transformers' image processors do.
//!
//! ```
//! use burnpipe_image::Image;
//!
//! let image = Image::from_rgb(2, 1, vec![255, 0, 0, 0, 0, 255])?;
//! assert_eq!((image.width(), image.height()), (2, 1));
//! # Ok::<(), burnpipe_core::Error>(())
//! ```
//!
//! **Where it sits:** above core, beside the hub and the tokenizers; tasks hand it the bytes of a file and the
//! model's [`ModelFiles`](burnpipe_core::ModelFiles), and get pixels for a model.
//!
//! **What it must not know:** tensors, networks, models, tasks.

#![forbid(unsafe_code)]

mod data_uri;
mod decode;
mod orientation;
mod pixels;
mod processor;
mod resize;

pub use data_uri::decode_base64;
pub use pixels::{Image, PixelValues};
pub use processor::ImageProcessor;
pub use resize::{Filter, resize};
