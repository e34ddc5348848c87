//! What models are made of: [operations](ops), layers, weight loading, and the kinds of heads.
//!
//! ```
//! use burnpipe_nn::{BatchLayout, Filling, TokenBatch, TokenRow};
//!
//! let row = |ids: &[u32]| TokenRow {
//!     input_ids: ids.to_vec(),
//!     attention_mask: vec![true; ids.len()],
//!     token_type_ids: None,
//! };
//! let batch = TokenBatch::new(&[row(&[5, 6, 7]), row(&[8])], Filling::default(), BatchLayout::Padded)?;
//! assert_eq!(batch.ids(), [5, 6, 7, 8, 0, 0]);
//! # Ok::<(), burnpipe_core::Error>(())
//! ```
//!
//! **Where it sits:** above the hub, whose checkpoints it loads, and Burn; below the architectures.
//!
//! **What it must not know:** single architectures, tasks, tokenizers; and outside of [`ops`], backends.

#![deny(unsafe_code)]
// Fields are called what checkpoints call them.
#![allow(non_snake_case)]

mod activation;
mod alibi;
mod batch_norm;
mod bert_encoder;
mod convolution;
mod convolution_weight;
mod decoder_heads;
mod head_size;
mod heads;
mod kv_cache;
mod layer_types;
mod layers;
mod linear_weight;
mod llama_decoder;
pub mod ops;
mod patch_embedding;
mod read_back;
mod roberta_heads;
mod rope;
mod sound_batch;
mod source_cache;
mod table_batch;
mod token_batch;
mod token_step;
mod vit_attention;
mod weights;

/// Runs a model where it runs best: one that takes texts joined computes by the CPU kernels, and goes to a
/// thread of the pool that they share their work with; any other stays on the caller's thread, because GPUs
/// keep a stream for every thread. (Decoders read texts joined on every device: their classifiers run on the pool
/// on GPUs too.)
///
/// From inside the pool work is handed over without waking two threads each time, and calls from many threads
/// take turns on the machine's cores.
pub fn run_model<R: Send>(layout: BatchLayout, run: impl FnOnce() -> R + Send) -> R {
    match layout {
        BatchLayout::Joined => rayon::scope(|_| run()),
        BatchLayout::Padded => run(),
    }
}

pub use activation::{Activation, ActivationLayer};
pub use alibi::{alibi, alibi_in_bf16, alibi_slopes};
pub use batch_norm::BatchNorm;
pub use bert_encoder::{
    BertEncoder, BertEncoderConfig, BertLayer, PositionEmbedding, PrunedHeads, distance_scores,
};
pub use convolution::{Conv1d, Conv2d};
pub use convolution_weight::ConvolutionWeight;
pub use decoder_heads::{
    Decoder, DecoderFamily, DecoderHeadConfig, load_causal_lm, load_encoder, load_question_answerer,
    load_sequence_classifier, load_token_classifier,
};
pub use head_size::{head_size, rotary_size};
pub use heads::{
    Architecture, AudioClassifier, CausalLm, CtcModel, Encoder, Heads, ImageClassifier, ImageEncoder,
    ImageEncoding, ImageNumbers, LoadContext, Loader, MaskedLm, QuestionAnswerer, Seq2SeqLm,
    SequenceClassifier, SpeechSeq2Seq, TableLogits, TableQuestionAnswerer, TokenClassifier,
};
pub use kv_cache::{Blind, CachedScope, KvCache};
pub use layer_types::layer_windows;
pub use layers::{ChannelNorm, Embedding, LayerNorm, Linear, Placement, RmsNorm};
pub use linear_weight::LinearWeight;
pub use llama_decoder::{
    GatedMlp, LlamaAttention, LlamaAttentionConfig, LlamaDecoder, LlamaDecoderConfig, LlamaLayerConfig,
    check_heads,
};
pub use patch_embedding::{PatchEmbedding, Sides, check_channels, count_patches};
pub use read_back::{read_back, read_back_any};
pub use roberta_heads::{RobertaClassificationHead, RobertaLMHead};
pub use rope::{Rope, RopeConfig, RopeScaling};
pub use sound_batch::{SoundBatch, SoundShape};
pub use source_cache::SourceCache;
pub use table_batch::{TableBatch, TableRow};
pub use token_batch::{BatchLayout, Filling, TokenBatch, TokenRow};
pub use token_step::{StepText, TokenStep};
pub use vit_attention::{ViTAttention, ViTAttentionConfig};
pub use weights::{WeightNames, Weights};
