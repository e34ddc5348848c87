//! Byte-level BPE with the special tokens of RoBERTa around it, as BART and others have them too.

use burnpipe_core::{ModelFiles, Result};
use tokenizers::processors::roberta::RobertaProcessing;

use super::byte_level::{self, ByteLevelBpe};
use crate::settings::Settings;

pub(super) fn convert(model: &dyn ModelFiles, settings: &Settings) -> Result<tokenizers::Tokenizer> {
    let ByteLevelBpe { mut library, ids, add_prefix_space } = byte_level::convert(model, settings)?;
    let sep = ids.named(settings, "sep_token")?;
    let cls = ids.named(settings, "cls_token")?;
    library.with_post_processor(Some(
        RobertaProcessing::new(sep, cls).add_prefix_space(add_prefix_space).trim_offsets(true),
    ));
    Ok(library)
}
