//! Audio spectrogram transformer (AST): a vision Transformer over patches of a spectrogram.
//!
//! Paper: <https://arxiv.org/abs/2104.01778>. Reference: `modeling_audio_spectrogram_transformer.py` of transformers
//! 4.56.2.
//!
//! Heads: audio classifier.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_nn::ops::Sliding;
use burnpipe_nn::{
    Activation, ActivationLayer, Architecture, AudioClassifier, BatchLayout, Conv2d, Heads, LayerNorm,
    Linear, LoadContext, Placement, PrunedHeads, SoundBatch, ViTAttention, ViTAttentionConfig, WeightNames,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "audio-spectrogram-transformer",
    heads: Heads {
        audio_classifier: Some(|context| Ok(Box::new(load_audio_classifier(context)?))),
        ..Heads::NONE
    },
};

/// config.json, with the defaults of `ASTConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct ASTConfig {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    hidden_act: String,
    layer_norm_eps: f64,
    patch_size: usize,
    qkv_bias: bool,
    frequency_stride: usize,
    time_stride: usize,
    max_length: usize,
    num_mel_bins: usize,
    pruned_heads: PrunedHeads,
}

impl Default for ASTConfig {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3072,
            hidden_act: "gelu".into(),
            layer_norm_eps: 1e-12,
            patch_size: 16,
            qkv_bias: true,
            frequency_stride: 10,
            time_stride: 10,
            max_length: 1024,
            num_mel_bins: 128,
            pruned_heads: PrunedHeads::default(),
        }
    }
}

impl ASTConfig {
    /// How many patches a spectrogram has.
    fn patches(&self) -> Result<usize> {
        let count = |length: usize, stride: usize| {
            length.checked_sub(self.patch_size)?.checked_div(stride).map(|steps| steps + 1)
        };
        let patches =
            count(self.num_mel_bins, self.frequency_stride).zip(count(self.max_length, self.time_stride));
        patches.filter(|_| self.patch_size > 0).map(|(bins, frames)| bins * frames).ok_or_else(|| {
            let message = format!(
                "`config.json` cannot be used: no patches of `patch_size` {} in `num_mel_bins` {} and `max_length` {}",
                self.patch_size, self.num_mel_bins, self.max_length
            );
            Error::new(ErrorKind::Config, message)
        })
    }
}

const PREFIX: &str = "audio_spectrogram_transformer";

fn load_audio_classifier(context: &LoadContext<'_>) -> Result<ASTForAudioClassification> {
    let config: ASTConfig = context.checkpoint.config()?.parse()?;
    let (size, placement) = (config.hidden_size, context.placement);
    let model = ASTForAudioClassification {
        audio_spectrogram_transformer: ASTModel::new(&config, placement)?,
        classifier: ASTMLPHead {
            layernorm: LayerNorm::new(size, config.layer_norm_eps, placement),
            dense: Linear::new(size, context.label_count()?, placement),
        },
        placement: placement.clone(),
    };
    let names = WeightNames { base_model_prefix: PREFIX, is_base_model: false, renames: &[], ignored: &[] };
    context.fill(model, &names)
}

/// The scores of a whole sound's labels.
#[derive(Module, Debug)]
struct ASTForAudioClassification {
    audio_spectrogram_transformer: ASTModel,
    classifier: ASTMLPHead,
    #[module(skip)]
    placement: Placement,
}

#[derive(Module, Debug)]
struct ASTMLPHead {
    layernorm: LayerNorm,
    dense: Linear,
}

impl AudioClassifier for ASTForAudioClassification {
    fn layout(&self) -> BatchLayout {
        BatchLayout::fastest(&self.placement)
    }

    fn forward(&self, sounds: &SoundBatch) -> Result<Tensor<2>> {
        let spectrograms = sounds.spectrograms_by_frames(&self.placement)?;
        let pooled = self.audio_spectrogram_transformer.forward(spectrograms)?;
        Ok(self.classifier.dense.forward(self.classifier.layernorm.forward(pooled)))
    }
}

/// Embeddings, layers, norm, and the mean of the two tokens that are no patches.
#[derive(Module, Debug)]
struct ASTModel {
    embeddings: ASTEmbeddings,
    encoder: ASTEncoder,
    layernorm: LayerNorm,
}

impl ASTModel {
    fn new(config: &ASTConfig, placement: &Placement) -> Result<Self> {
        let layers = (0..config.num_hidden_layers).map(|index| ASTLayer::new(config, index, placement));
        Ok(Self {
            embeddings: ASTEmbeddings::new(config, placement)?,
            encoder: ASTEncoder { layer: layers.collect::<Result<_>>()? },
            layernorm: LayerNorm::new(config.hidden_size, config.layer_norm_eps, placement),
        })
    }

    /// # Shapes
    ///
    /// - `spectrograms`: `[sounds, frames, bins]`
    /// - result: `[sounds, hidden]`
    fn forward(&self, spectrograms: Tensor<3>) -> Result<Tensor<2>> {
        let embedded = self.embeddings.forward(spectrograms)?;
        let hidden = self.encoder.layer.iter().fold(embedded, |hidden, layer| layer.forward(hidden));
        let [sounds, _, size] = hidden.dims();
        let tokens = self.layernorm.forward(hidden.narrow(1, 0, 2));
        Ok(tokens.mean_dim(1).reshape([sounds, size]))
    }
}

/// Patches and two tokens before them, with their positions.
#[derive(Module, Debug)]
struct ASTEmbeddings {
    /// `[1, 1, hidden]`
    cls_token: Param<Tensor<3>>,
    /// `[1, 1, hidden]`
    distillation_token: Param<Tensor<3>>,
    patch_embeddings: ASTPatchEmbeddings,
    /// `[1, patches + 2, hidden]`
    position_embeddings: Param<Tensor<3>>,
    /// Frames and bins of a spectrogram.
    #[module(skip)]
    size: [usize; 2],
}

#[derive(Module, Debug)]
struct ASTPatchEmbeddings {
    projection: Conv2d,
}

impl ASTEmbeddings {
    fn new(config: &ASTConfig, placement: &Placement) -> Result<Self> {
        let (size, patch) = (config.hidden_size, config.patch_size);
        let patches = config.patches()?;
        let sliding = Sliding { stride: [config.frequency_stride, config.time_stride], ..Sliding::default() };
        Ok(Self {
            cls_token: placement.parameter([1, 1, size]),
            distillation_token: placement.parameter([1, 1, size]),
            patch_embeddings: ASTPatchEmbeddings {
                projection: Conv2d::new(1, size, [patch, patch], true, sliding, placement),
            },
            position_embeddings: placement.parameter([1, patches + 2, size]),
            size: [config.max_length, config.num_mel_bins],
        })
    }

    fn forward(&self, spectrograms: Tensor<3>) -> Result<Tensor<3>> {
        let [sounds, frames, bins] = spectrograms.dims();
        if [frames, bins] != self.size {
            let message = format!(
                "`preprocessor_config.json` makes spectrograms of {frames} frames and {bins} bins, and the model \
                 reads {} and {}",
                self.size[0], self.size[1]
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        let image = spectrograms.swap_dims(1, 2).reshape([sounds, 1, bins, frames]);
        let patches = self.patch_embeddings.projection.forward(image);
        let [_, size, down, right] = patches.dims();
        let patches = patches.reshape([sounds, size, down * right]).swap_dims(1, 2);
        let token = |token: &Param<Tensor<3>>| token.val().expand([sounds, 1, size]);
        let tokens = [token(&self.cls_token), token(&self.distillation_token), patches];
        Ok(Tensor::cat(tokens.to_vec(), 1) + self.position_embeddings.val())
    }
}

#[derive(Module, Debug)]
struct ASTEncoder {
    layer: Vec<ASTLayer>,
}

/// Attention and a feed-forward part, each over a norm and added to what went in.
#[derive(Module, Debug)]
struct ASTLayer {
    attention: ViTAttention,
    intermediate: ASTIntermediate,
    output: ASTOutput,
    layernorm_before: LayerNorm,
    layernorm_after: LayerNorm,
}

#[derive(Module, Debug)]
struct ASTIntermediate {
    dense: Linear,
    intermediate_act_fn: ActivationLayer,
}

#[derive(Module, Debug)]
struct ASTOutput {
    dense: Linear,
}

impl ASTLayer {
    fn new(config: &ASTConfig, index: usize, placement: &Placement) -> Result<Self> {
        let (size, inner) = (config.hidden_size, config.intermediate_size);
        let norm = || LayerNorm::new(size, config.layer_norm_eps, placement);
        let activation = Activation::from_name(&config.hidden_act)?;
        let heads = config.num_attention_heads;
        let attention = ViTAttentionConfig {
            hidden_size: size,
            num_attention_heads: heads,
            heads_left: config.pruned_heads.left(index, heads),
            qkv_bias: config.qkv_bias,
        };
        Ok(Self {
            attention: ViTAttention::new(&attention, placement)?,
            intermediate: ASTIntermediate {
                dense: Linear::new(size, inner, placement),
                intermediate_act_fn: ActivationLayer::new(activation, placement),
            },
            output: ASTOutput { dense: Linear::new(inner, size, placement) },
            layernorm_before: norm(),
            layernorm_after: norm(),
        })
    }

    fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        let hidden = self.attention.forward_added(self.layernorm_before.forward(hidden.clone()), hidden);
        let part = &self.intermediate;
        let normed = self.layernorm_after.forward(hidden.clone());
        let inner = part.dense.forward_activated(normed, &part.intermediate_act_fn);
        self.output.dense.forward_added(inner, hidden)
    }
}
