//! HuBERT: wav2vec 2.0's architecture, trained to find hidden units.
//!
//! Paper: <https://arxiv.org/abs/2106.07447>. Reference: `modeling_hubert.py` of transformers 4.56.2.
//!
//! Heads: audio classifier, CTC model.

use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_nn::{Architecture, Heads, LoadContext};
use serde::Deserialize;

use crate::wav2vec2::{Family, WEIGHT_G, WEIGHT_V, Wav2Vec2Config, load_audio_classifier, load_ctc_model};

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "hubert",
    heads: Heads {
        audio_classifier: Some(|context| {
            Ok(Box::new(load_audio_classifier(context, &config(context)?, &FAMILY)?))
        }),
        ctc_model: Some(|context| Ok(Box::new(load_ctc_model(context, &config(context)?, &FAMILY)?))),
        ..Heads::NONE
    },
};

const FAMILY: Family = Family {
    base_model_prefix: "hubert",
    renames: &[("base_model.", "hubert.")],
    parametrized_renames: &[("base_model.", "hubert."), WEIGHT_G, WEIGHT_V],
};

/// What config.json has beside wav2vec 2.0's values, with the defaults of `HubertConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct HubertConfig {
    feat_proj_layer_norm: bool,
    conv_pos_batch_norm: bool,
}

impl Default for HubertConfig {
    fn default() -> Self {
        Self { feat_proj_layer_norm: true, conv_pos_batch_norm: false }
    }
}

fn config(context: &LoadContext<'_>) -> Result<Wav2Vec2Config> {
    let mut shared: Wav2Vec2Config = context.checkpoint.config()?.parse()?;
    let own: HubertConfig = context.checkpoint.config()?.parse()?;
    if shared.add_adapter {
        let message = "`add_adapter` in `config.json` is true, and HuBERT has no adapter";
        return Err(Error::new(ErrorKind::Config, message));
    }
    shared.feat_proj_layer_norm = own.feat_proj_layer_norm;
    shared.conv_pos_batch_norm = own.conv_pos_batch_norm;
    Ok(shared)
}
