//! config.json of DeBERTa, v1 and v2, and what the models make of it.

use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_nn::Activation;
use serde::Deserialize;

use super::relative_positions::RelativePositions;

/// Which of the two models it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// `deberta`.
    One,
    /// `deberta-v2`, and what is called v3.
    Two,
}

/// config.json, with the defaults of `DebertaConfig` and `DebertaV2Config`; the first five differ.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct DebertaConfig {
    vocab_size: Option<usize>,
    hidden_size: Option<usize>,
    num_hidden_layers: Option<usize>,
    num_attention_heads: Option<usize>,
    intermediate_size: Option<usize>,
    hidden_act: String,
    max_position_embeddings: usize,
    type_vocab_size: usize,
    layer_norm_eps: f64,
    relative_attention: bool,
    max_relative_positions: i64,
    position_biased_input: bool,
    pos_att_type: Option<Kinds>,
    pooler_hidden_act: String,
    pooler_hidden_size: Option<usize>,
    legacy: bool,
    tie_word_embeddings: bool,
    embedding_size: Option<usize>,
    // Of v1 only.
    talking_head: bool,
    // Of v2 only.
    attention_head_size: Option<usize>,
    share_att_key: bool,
    position_buckets: i64,
    norm_rel_ebd: String,
    conv_kernel_size: usize,
    conv_groups: usize,
    conv_act: String,
}

/// `pos_att_type`: a list, or a text such as `c2p|p2c`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Kinds {
    Text(String),
    List(Vec<String>),
}

impl Default for DebertaConfig {
    fn default() -> Self {
        Self {
            vocab_size: None,
            hidden_size: None,
            num_hidden_layers: None,
            num_attention_heads: None,
            intermediate_size: None,
            hidden_act: "gelu".into(),
            max_position_embeddings: 512,
            type_vocab_size: 0,
            layer_norm_eps: 1e-7,
            relative_attention: false,
            max_relative_positions: -1,
            position_biased_input: true,
            pos_att_type: None,
            pooler_hidden_act: "gelu".into(),
            pooler_hidden_size: None,
            legacy: true,
            tie_word_embeddings: true,
            embedding_size: None,
            talking_head: false,
            attention_head_size: None,
            share_att_key: false,
            position_buckets: -1,
            norm_rel_ebd: "none".into(),
            conv_kernel_size: 0,
            conv_groups: 1,
            conv_act: "tanh".into(),
        }
    }
}

/// What a config says, with its defaults filled in.
#[derive(Clone, Debug)]
pub(crate) struct DebertaSettings {
    pub(crate) version: Version,
    pub(crate) vocab_size: usize,
    pub(crate) hidden_size: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    pub(crate) intermediate_size: usize,
    pub(crate) hidden_act: Activation,
    pub(crate) max_position_embeddings: usize,
    pub(crate) type_vocab_size: usize,
    pub(crate) epsilon: f64,
    /// With `relative_attention`.
    pub(crate) relative: Option<RelativePositions>,
    /// Whether queries look at distances.
    pub(crate) content_to_position: bool,
    /// Whether distances look at keys.
    pub(crate) position_to_content: bool,
    pub(crate) share_att_key: bool,
    pub(crate) norm_rel_ebd: bool,
    /// What scores are multiplied by.
    pub(crate) scale: f64,
    pub(crate) talking_head: bool,
    pub(crate) position_biased_input: bool,
    pub(crate) embedding_size: usize,
    pub(crate) convolution: Option<Convolution>,
    pub(crate) pooler_hidden_act: Activation,
    pub(crate) legacy: bool,
    pub(crate) tie_word_embeddings: bool,
}

/// The convolution beside the first layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Convolution {
    pub(crate) kernel_size: usize,
    pub(crate) groups: usize,
    pub(crate) activation: Activation,
}

impl DebertaConfig {
    /// Fills the defaults in.
    pub(crate) fn settings(&self, version: Version) -> Result<DebertaSettings> {
        let is_v2 = version == Version::Two;
        let default = |value: Option<usize>, one, two| value.unwrap_or(if is_v2 { two } else { one });
        let hidden_size = default(self.hidden_size, 768, 1536);
        let heads = default(self.num_attention_heads, 12, 24);
        let head_size = self.head_size(hidden_size, heads, is_v2)?;
        let kinds = self.kinds();
        let is_kind = |kind: &str| kinds.iter().any(|name| name == kind);
        let (content_to_position, position_to_content) = (is_kind("c2p"), is_kind("p2c"));
        // v1 counts kinds that it does not know, too; both count without relative attention.
        let terms = match version {
            Version::One => 1 + kinds.len(),
            Version::Two => 1 + usize::from(content_to_position) + usize::from(position_to_content),
        };
        if let Some(pooled) = self.pooler_hidden_size.filter(|&size| size != hidden_size) {
            return Err(unsupported("pooler_hidden_size", pooled, "it must be `hidden_size`"));
        }
        Ok(DebertaSettings {
            version,
            vocab_size: default(self.vocab_size, 50265, 128_100),
            hidden_size,
            layers: default(self.num_hidden_layers, 12, 24),
            heads,
            intermediate_size: default(self.intermediate_size, 3072, 6144),
            hidden_act: Activation::from_name(&self.hidden_act)?,
            max_position_embeddings: self.max_position_embeddings,
            type_vocab_size: self.type_vocab_size,
            epsilon: self.layer_norm_eps,
            relative: self.relative(is_v2)?,
            content_to_position,
            position_to_content,
            share_att_key: is_v2 && self.share_att_key,
            norm_rel_ebd: is_v2
                && self.norm_rel_ebd.to_lowercase().split('|').any(|kind| kind.trim() == "layer_norm"),
            scale: 1.0 / ((head_size * terms) as f64).sqrt(),
            talking_head: !is_v2 && self.talking_head,
            position_biased_input: self.position_biased_input,
            embedding_size: self.embedding_size.unwrap_or(hidden_size),
            convolution: if is_v2 { self.convolution(hidden_size)? } else { None },
            pooler_hidden_act: Activation::from_name(&self.pooler_hidden_act)?,
            legacy: self.legacy,
            tie_word_embeddings: self.tie_word_embeddings,
        })
    }

    fn head_size(&self, hidden: usize, heads: usize, is_v2: bool) -> Result<usize> {
        if heads == 0 || !hidden.is_multiple_of(heads) {
            let message = format!(
                "`hidden_size` {hidden} in `config.json` is no multiple of `num_attention_heads` {heads}"
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        let head_size = hidden / heads;
        match self.attention_head_size {
            Some(size) if is_v2 && size != head_size => {
                let reason = "it must be `hidden_size` divided by `num_attention_heads`";
                Err(unsupported("attention_head_size", size, reason))
            }
            _ => Ok(head_size),
        }
    }

    fn kinds(&self) -> Vec<String> {
        match &self.pos_att_type {
            None => Vec::new(),
            Some(Kinds::Text(text)) => {
                text.to_lowercase().split('|').map(|kind| kind.trim().into()).collect()
            }
            Some(Kinds::List(kinds)) => kinds.clone(),
        }
    }

    fn relative(&self, is_v2: bool) -> Result<Option<RelativePositions>> {
        if !self.relative_attention {
            return Ok(None);
        }
        let positive = |value: i64| usize::try_from(value).ok().filter(|&value| value > 0);
        let furthest = positive(self.max_relative_positions).unwrap_or(self.max_position_embeddings);
        let buckets = if is_v2 { positive(self.position_buckets) } else { None };
        RelativePositions::new(furthest, buckets).map(Some)
    }

    fn convolution(&self, hidden_size: usize) -> Result<Option<Convolution>> {
        let (kernel_size, groups) = (self.conv_kernel_size, self.conv_groups);
        if kernel_size == 0 {
            return Ok(None);
        }
        if kernel_size.is_multiple_of(2) {
            return Err(unsupported("conv_kernel_size", kernel_size, "it must be odd"));
        }
        if groups == 0 || !hidden_size.is_multiple_of(groups) {
            return Err(unsupported("conv_groups", groups, "it must divide `hidden_size`"));
        }
        Ok(Some(Convolution { kernel_size, groups, activation: Activation::from_name(&self.conv_act)? }))
    }
}

/// A number in config.json that no such model can have.
pub(super) fn unsupported(name: &str, value: usize, reason: &str) -> Error {
    let message = format!("`{name}` {value} in `config.json` is not supported: {reason}");
    Error::new(ErrorKind::Config, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(change: impl FnOnce(&mut DebertaConfig)) -> String {
        let mut config = DebertaConfig::default();
        change(&mut config);
        config.settings(Version::Two).unwrap_err().to_string()
    }

    #[test]
    fn sizes_that_do_not_fit_are_named() {
        let broken = error(|config| config.conv_kernel_size = 4);
        assert!(broken.contains("`conv_kernel_size` 4"), "{broken}");
        let broken = error(|config| (config.conv_kernel_size, config.conv_groups) = (3, 5));
        assert!(broken.contains("`conv_groups` 5"), "{broken}");
        let broken = error(|config| config.pooler_hidden_size = Some(7));
        assert!(broken.contains("`pooler_hidden_size` 7"), "{broken}");
        let broken = error(|config| config.attention_head_size = Some(7));
        assert!(broken.contains("`attention_head_size` 7"), "{broken}");
        let broken = error(|config| config.num_attention_heads = Some(7));
        assert!(broken.contains("`num_attention_heads` 7"), "{broken}");
        let broken = error(|config| (config.relative_attention, config.position_buckets) = (true, 1));
        assert!(broken.contains("`position_buckets` 1"), "{broken}");
    }
}
