//! wav2vec 2.0: convolutions over samples, and a Transformer over what they find.
//!
//! Paper: <https://arxiv.org/abs/2006.11477>. Reference: `modeling_wav2vec2.py` of transformers 4.56.2.
//!
//! Heads: audio classifier, CTC model. Models of several languages (MMS) speak the one whose adapter is in the
//! checkpoint.

use burnpipe_core::Result;
use burnpipe_nn::{Architecture, Heads, LoadContext};

mod adapter;
mod config;
mod encoder;
mod feature_encoder;
mod heads;
mod model;
mod positions;

pub(crate) use config::Wav2Vec2Config;
pub(crate) use heads::{Family, load_audio_classifier, load_ctc_model};
pub(crate) use positions::{WEIGHT_G, WEIGHT_V};

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "wav2vec2",
    heads: Heads {
        audio_classifier: Some(|context| {
            Ok(Box::new(load_audio_classifier(context, &config(context)?, &FAMILY)?))
        }),
        ctc_model: Some(|context| Ok(Box::new(load_ctc_model(context, &config(context)?, &FAMILY)?))),
        ..Heads::NONE
    },
};

const FAMILY: Family = Family {
    base_model_prefix: "wav2vec2",
    renames: &[("base_model.", "wav2vec2.")],
    parametrized_renames: &[("base_model.", "wav2vec2."), WEIGHT_G, WEIGHT_V],
};

fn config(context: &LoadContext<'_>) -> Result<Wav2Vec2Config> {
    context.checkpoint.config()?.parse()
}
