//! The model zoo: one file per architecture, and one table of them, [`ARCHITECTURES`].
//!
//! ```
//! let bert = burnpipe_models::find(&[burnpipe_models::ARCHITECTURES], "bert").unwrap();
//! assert!(bert.heads.names().contains(&"token-classifier"));
//! ```
//!
//! **Where it sits:** above `burnpipe-nn`, whose layers and head traits the architectures use, and
//! below the tasks, which ask for a kind of head and never for an architecture.
//!
//! **What it must not know:** tasks, tokenizers, files other than config and weights, and which
//! backend it runs on.

#![forbid(unsafe_code)]
// Fields are called what checkpoints call them.
#![allow(non_snake_case)]

mod albert;
mod audio_spectrogram_transformer;
mod bart;
mod bert;
mod bloom;
mod camembert;
mod convnext;
mod deberta;
mod deberta_v2;
mod deit;
mod dinov2;
mod distilbert;
mod electra;
mod falcon;
mod gemma;
mod gemma2;
mod gemma3_text;
mod gpt2;
mod gpt_neo;
mod gpt_neox;
mod gptj;
mod hubert;
mod llama;
mod longformer;
mod mistral;
mod mixtral;
mod mobilebert;
mod modernbert;
mod mpnet;
mod olmo2;
mod opt;
mod phi;
mod phi3;
mod qwen2;
mod qwen3;
mod resnet;
mod roberta;
mod smollm3;
mod stablelm;
mod starcoder2;
mod tapas;
mod vit;
mod wav2vec2;
mod whisper;
mod xlm_roberta;
mod xlnet;

use burnpipe_nn::Architecture;

/// Every architecture; alphabetic.
pub const ARCHITECTURES: &[Architecture] = &[
    albert::ARCHITECTURE,
    audio_spectrogram_transformer::ARCHITECTURE,
    bart::ARCHITECTURE,
    bert::ARCHITECTURE,
    bloom::ARCHITECTURE,
    camembert::ARCHITECTURE,
    convnext::ARCHITECTURE,
    deberta::ARCHITECTURE,
    deberta_v2::ARCHITECTURE,
    deit::ARCHITECTURE,
    dinov2::ARCHITECTURE,
    distilbert::ARCHITECTURE,
    electra::ARCHITECTURE,
    falcon::ARCHITECTURE,
    gemma::ARCHITECTURE,
    gemma2::ARCHITECTURE,
    gemma3_text::ARCHITECTURE,
    gpt2::ARCHITECTURE,
    gpt_neo::ARCHITECTURE,
    gpt_neox::ARCHITECTURE,
    gptj::ARCHITECTURE,
    hubert::ARCHITECTURE,
    llama::ARCHITECTURE,
    longformer::ARCHITECTURE,
    mistral::ARCHITECTURE,
    mixtral::ARCHITECTURE,
    mobilebert::ARCHITECTURE,
    modernbert::ARCHITECTURE,
    mpnet::ARCHITECTURE,
    olmo2::ARCHITECTURE,
    opt::ARCHITECTURE,
    phi::ARCHITECTURE,
    phi3::ARCHITECTURE,
    qwen2::ARCHITECTURE,
    qwen3::ARCHITECTURE,
    resnet::ARCHITECTURE,
    roberta::ARCHITECTURE,
    smollm3::ARCHITECTURE,
    stablelm::ARCHITECTURE,
    starcoder2::ARCHITECTURE,
    tapas::ARCHITECTURE,
    vit::ARCHITECTURE,
    wav2vec2::ARCHITECTURE,
    whisper::ARCHITECTURE,
    xlm_roberta::ARCHITECTURE,
    xlnet::ARCHITECTURE,
];

/// The architecture of a `model_type`, from the first table that has it.
pub fn find<'a>(tables: &[&'a [Architecture]], model_type: &str) -> Option<&'a Architecture> {
    let mut all = tables.iter().flat_map(|table| table.iter());
    all.find(|architecture| architecture.model_type == model_type)
}
