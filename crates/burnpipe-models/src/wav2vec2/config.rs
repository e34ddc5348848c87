//! config.json, with the defaults of `Wav2Vec2Config`.

use burnpipe_core::{Error, ErrorKind, Result};
use serde::Deserialize;

/// What a config says of wav2vec 2.0 and of HuBERT, which is the same but for its last two values.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Wav2Vec2Config {
    pub(super) vocab_size: usize,
    pub(super) hidden_size: usize,
    pub(super) num_hidden_layers: usize,
    pub(super) num_attention_heads: usize,
    pub(super) intermediate_size: usize,
    pub(super) hidden_act: String,
    pub(super) layer_norm_eps: f64,
    pub(super) feat_extract_norm: String,
    pub(super) feat_extract_activation: String,
    pub(super) conv_dim: Vec<usize>,
    pub(super) conv_stride: Vec<usize>,
    pub(super) conv_kernel: Vec<usize>,
    pub(super) conv_bias: bool,
    pub(super) num_conv_pos_embeddings: usize,
    pub(super) num_conv_pos_embedding_groups: usize,
    pub(super) do_stable_layer_norm: bool,
    pub(super) use_weighted_layer_sum: bool,
    pub(super) classifier_proj_size: usize,
    pub(crate) add_adapter: bool,
    pub(super) adapter_kernel_size: usize,
    pub(super) adapter_stride: usize,
    pub(super) num_adapter_layers: usize,
    pub(super) output_hidden_size: Option<usize>,
    pub(super) adapter_attn_dim: Option<usize>,
    /// HuBERT's; true for wav2vec 2.0.
    #[serde(skip)]
    pub(crate) feat_proj_layer_norm: bool,
    /// HuBERT's; false for wav2vec 2.0.
    #[serde(skip)]
    pub(crate) conv_pos_batch_norm: bool,
}

impl Default for Wav2Vec2Config {
    fn default() -> Self {
        Self {
            vocab_size: 32,
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3072,
            hidden_act: "gelu".into(),
            layer_norm_eps: 1e-5,
            feat_extract_norm: "group".into(),
            feat_extract_activation: "gelu".into(),
            conv_dim: vec![512; 7],
            conv_stride: vec![5, 2, 2, 2, 2, 2, 2],
            conv_kernel: vec![10, 3, 3, 3, 3, 2, 2],
            conv_bias: false,
            num_conv_pos_embeddings: 128,
            num_conv_pos_embedding_groups: 16,
            do_stable_layer_norm: false,
            use_weighted_layer_sum: false,
            classifier_proj_size: 256,
            add_adapter: false,
            adapter_kernel_size: 3,
            adapter_stride: 2,
            num_adapter_layers: 3,
            output_hidden_size: None,
            adapter_attn_dim: None,
            feat_proj_layer_norm: true,
            conv_pos_batch_norm: false,
        }
    }
}

impl Wav2Vec2Config {
    /// Looks at what would break a layer.
    pub(super) fn check(&self) -> Result<()> {
        let layers = self.conv_dim.len();
        let (strides, kernels) = (&self.conv_stride, &self.conv_kernel);
        if layers == 0 || strides.len() != layers || kernels.len() != layers {
            return Err(broken("`conv_dim`, `conv_stride` and `conv_kernel` must be equally long lists"));
        }
        if strides.iter().chain(kernels).chain(&self.conv_dim).any(|&number| number == 0) {
            return Err(broken("`conv_dim`, `conv_stride` and `conv_kernel` must be above 0"));
        }
        let (hidden, heads) = (self.hidden_size, self.num_attention_heads);
        if heads == 0 || !hidden.is_multiple_of(heads) {
            return Err(broken(&format!(
                "`hidden_size` {hidden} is no multiple of `num_attention_heads` {heads}"
            )));
        }
        let groups = self.num_conv_pos_embedding_groups;
        if groups == 0 || !hidden.is_multiple_of(groups) || self.num_conv_pos_embeddings == 0 {
            return Err(broken(&format!(
                "`hidden_size` {hidden} is no multiple of `num_conv_pos_embedding_groups` {groups}, or \
                 `num_conv_pos_embeddings` is 0"
            )));
        }
        if self.add_adapter && (self.adapter_kernel_size == 0 || self.adapter_stride == 0) {
            return Err(broken("`adapter_kernel_size` and `adapter_stride` must be above 0"));
        }
        Ok(())
    }

    /// Samples of a step in time, before an adapter.
    pub(super) fn inputs_to_logits_ratio(&self) -> usize {
        self.conv_stride.iter().product()
    }

    /// Elements of a step's vector behind the adapter, if there is one.
    pub(super) fn output_size(&self) -> usize {
        // Zero counts as not given, as it does in Python.
        let size = self.output_hidden_size.filter(|&size| size != 0 && self.add_adapter);
        size.unwrap_or(self.hidden_size)
    }

    /// The shortest sound that there is an answer for, in samples.
    pub(super) fn least_samples(&self) -> usize {
        let adapters = if self.add_adapter { self.num_adapter_layers } else { 0 };
        let adapters =
            (0..adapters).map(|_| (self.adapter_kernel_size.saturating_sub(2), self.adapter_stride));
        let layers = self.conv_kernel.iter().copied().zip(self.conv_stride.iter().copied());
        // From the last step back to the samples that it is made of.
        let all = layers.chain(adapters).collect::<Vec<_>>();
        all.into_iter().rev().fold(1, |steps, (kernel, stride)| ((steps - 1) * stride + kernel).max(1))
    }
}

fn broken(reason: &str) -> Error {
    Error::new(ErrorKind::Config, format!("`config.json` cannot be used: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_sound_of_wav2vec2_base_has_400_samples() {
        assert_eq!(Wav2Vec2Config::default().least_samples(), 400);
        assert_eq!(Wav2Vec2Config::default().inputs_to_logits_ratio(), 320);
    }
}
