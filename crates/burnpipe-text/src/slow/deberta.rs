//! Byte-level BPE with the special tokens of BERT around it.

use burnpipe_core::{ModelFiles, Result};

use super::byte_level::{self, ByteLevelBpe};
use super::template;
use crate::settings::Settings;

pub(super) fn convert(model: &dyn ModelFiles, settings: &Settings) -> Result<tokenizers::Tokenizer> {
    let ByteLevelBpe { mut library, ids, .. } = byte_level::convert(model, settings)?;
    // These two stand around a text whatever the files name.
    let unknown = || library.token_to_id(settings.special.content("unk_token")?);
    let id = |token: &'static str| {
        let id = ids.get(token).or_else(|| library.token_to_id(token)).or_else(unknown);
        Some((token, id?))
    };
    let tokens: Vec<_> = ["[CLS]", "[SEP]"].into_iter().filter_map(id).collect();
    let template = template("[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", &tokens)?;
    library.with_post_processor(Some(template));
    Ok(library)
}
