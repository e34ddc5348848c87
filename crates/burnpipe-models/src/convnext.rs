//! ConvNeXT: a convolutional network built as transformers are, with wide depthwise convolutions for attention.
//!
//! Paper: <https://arxiv.org/abs/2201.03545>. Reference: `modeling_convnext.py` of transformers 4.56.2.
//!
//! Heads: image classifier, image encoder.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_nn::ops::{self, Sliding};
use burnpipe_nn::{
    Activation, ActivationLayer, Architecture, Conv2d, Heads, ImageClassifier, ImageEncoder, ImageEncoding,
    LayerNorm, Linear, LoadContext, Placement, Sides, WeightNames, check_channels, count_patches,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "convnext",
    heads: Heads {
        image_classifier: Some(|context| Ok(Box::new(load_image_classifier(context)?))),
        image_encoder: Some(|context| Ok(Box::new(load_image_encoder(context)?))),
        ..Heads::NONE
    },
};

/// config.json, with the defaults of `ConvNextConfig`. What it says of feature maps is for other models' backbones.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct ConvNextConfig {
    num_channels: usize,
    patch_size: Sides,
    num_stages: usize,
    hidden_sizes: Vec<usize>,
    depths: Vec<usize>,
    hidden_act: String,
    layer_norm_eps: f64,
    layer_scale_init_value: f64,
}

impl Default for ConvNextConfig {
    fn default() -> Self {
        Self {
            num_channels: 3,
            patch_size: Sides::square(4),
            num_stages: 4,
            hidden_sizes: vec![96, 192, 384, 768],
            depths: vec![3, 3, 9, 3],
            hidden_act: "gelu".into(),
            layer_norm_eps: 1e-12,
            layer_scale_init_value: 1e-6,
        }
    }
}

impl ConvNextConfig {
    /// The channels that the stem and the last stage give.
    fn check(&self) -> Result<(usize, usize)> {
        let (sizes, depths, stages) = (&self.hidden_sizes, &self.depths, self.num_stages);
        match (sizes.first(), sizes.last()) {
            (Some(&first), Some(&last)) if sizes.len() == stages && depths.len() == stages => {
                Ok((first, last))
            }
            _ => {
                let message = format!(
                    "`hidden_sizes` {sizes:?} and `depths` {depths:?} in `config.json` must have a number for each of `num_stages` {stages}"
                );
                Err(Error::new(ErrorKind::Config, message))
            }
        }
    }
}

/// The epsilon of all norms but the last, which the config cannot change.
const EPSILON: f64 = 1e-6;
/// The kernel of the depthwise convolutions.
const KERNEL: usize = 7;
/// What a stage makes smaller, it makes so by this.
const DOWNSAMPLING: Sides = Sides { height: 2, width: 2 };

/// Checkpoints number the parts of a downsampling layer.
fn names(is_base_model: bool, ignored: &'static [&'static str]) -> WeightNames {
    let renames = &[
        ("downsampling_layer.norm", "downsampling_layer.0"),
        ("downsampling_layer.convolution", "downsampling_layer.1"),
    ];
    WeightNames { base_model_prefix: "convnext", is_base_model, renames, ignored }
}

fn load_image_classifier(context: &LoadContext<'_>) -> Result<ConvNextForImageClassification> {
    let config: ConvNextConfig = context.checkpoint.config()?.parse()?;
    let (_, last) = config.check()?;
    let model = ConvNextForImageClassification {
        convnext: ConvNextModel::new(&config, context.placement)?,
        classifier: Linear::new(last, context.label_count()?, context.placement),
    };
    context.fill(model, &names(false, &[]))
}

fn load_image_encoder(context: &LoadContext<'_>) -> Result<ConvNextModel> {
    let config = context.checkpoint.config()?.parse()?;
    context.fill(ConvNextModel::new(&config, context.placement)?, &names(true, &["classifier"]))
}

/// The scores of an image's labels, from the normed mean of each channel.
#[derive(Module, Debug)]
struct ConvNextForImageClassification {
    convnext: ConvNextModel,
    classifier: Linear,
}

impl ImageClassifier for ConvNextForImageClassification {
    fn forward(&self, pixels: Tensor<4>) -> Result<Tensor<2>> {
        let features = self.convnext.features(pixels)?;
        Ok(self.classifier.forward(self.convnext.pooled(features)))
    }
}

/// The stem, the stages and the norm of their mean.
#[derive(Module, Debug)]
struct ConvNextModel {
    embeddings: ConvNextEmbeddings,
    encoder: ConvNextEncoder,
    layernorm: LayerNorm,
}

/// Patches as vectors: a convolution whose stride is its kernel.
#[derive(Module, Debug)]
struct ConvNextEmbeddings {
    patch_embeddings: Conv2d,
    layernorm: LayerNorm,
    #[module(skip)]
    channels: usize,
    #[module(skip)]
    patch_size: Sides,
}

#[derive(Module, Debug)]
struct ConvNextEncoder {
    stages: Vec<ConvNextStage>,
}

impl ConvNextModel {
    fn new(config: &ConvNextConfig, placement: &Placement) -> Result<Self> {
        let (first, last) = config.check()?;
        let mut channels = first;
        let mut stages = Vec::new();
        for (index, (&filters, &depth)) in config.hidden_sizes.iter().zip(&config.depths).enumerate() {
            let downsampled = (index > 0).then_some(channels);
            stages.push(ConvNextStage::new(config, downsampled, filters, depth, placement)?);
            channels = filters;
        }
        Ok(Self {
            embeddings: ConvNextEmbeddings {
                patch_embeddings: of_patches(config.num_channels, first, config.patch_size, placement),
                layernorm: LayerNorm::new(first, EPSILON, placement),
                channels: config.num_channels,
                patch_size: config.patch_size,
            },
            encoder: ConvNextEncoder { stages },
            layernorm: LayerNorm::new(last, config.layer_norm_eps, placement),
        })
    }

    /// `[images, channels, height, width]`
    fn features(&self, pixels: Tensor<4>) -> Result<Tensor<4>> {
        let ConvNextEmbeddings { patch_embeddings, layernorm, channels, patch_size } = &self.embeddings;
        check_channels(&pixels, *channels)?;
        let patches = by_patches(pixels, *patch_size, patch_embeddings)?;
        let stem = channels_first(layernorm.forward(patches));
        self.encoder.stages.iter().try_fold(stem, |features, stage| stage.forward(features))
    }

    fn pooled(&self, features: Tensor<4>) -> Tensor<2> {
        self.layernorm.forward(ops::mean_of_channels(features))
    }
}

impl ImageEncoder for ConvNextModel {
    fn forward(&self, pixels: Tensor<4>) -> Result<ImageEncoding> {
        let features = self.features(pixels)?;
        let pooled = self.pooled(features.clone());
        Ok(ImageEncoding { last_hidden_state: features.into(), pooler_output: Some(pooled.into()) })
    }
}

/// A convolution whose stride is its kernel.
fn of_patches(channels: usize, filters: usize, patch: Sides, placement: &Placement) -> Conv2d {
    let kernel = [patch.height, patch.width];
    Conv2d::new(channels, filters, kernel, true, Sliding { stride: kernel, ..Sliding::default() }, placement)
}

/// Such a convolution of images that hold a patch at least, with the channels of its result last.
fn by_patches(x: Tensor<4>, patch: Sides, convolution: &Conv2d) -> Result<Tensor<4>> {
    count_patches(&x, patch)?;
    Ok(channels_last(convolution.forward(x)))
}

fn channels_first(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 3, 1, 2])
}

fn channels_last(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 2, 3, 1])
}

/// Half the height and the width, but in the first stage, and then the layers.
#[derive(Module, Debug)]
struct ConvNextStage {
    downsampling_layer: Option<ConvNextDownsampling>,
    layers: Vec<ConvNextLayer>,
}

#[derive(Module, Debug)]
struct ConvNextDownsampling {
    norm: LayerNorm,
    convolution: Conv2d,
}

impl ConvNextStage {
    /// A stage of `depth` layers; `downsampled` are the channels that come in, unless they go straight to the layers.
    fn new(
        config: &ConvNextConfig,
        downsampled: Option<usize>,
        filters: usize,
        depth: usize,
        placement: &Placement,
    ) -> Result<Self> {
        let downsampling = downsampled.map(|channels| ConvNextDownsampling {
            norm: LayerNorm::new(channels, EPSILON, placement),
            convolution: of_patches(channels, filters, DOWNSAMPLING, placement),
        });
        let layers = (0..depth).map(|_| ConvNextLayer::new(config, filters, placement));
        Ok(Self { downsampling_layer: downsampling, layers: layers.collect::<Result<_>>()? })
    }

    fn forward(&self, features: Tensor<4>) -> Result<Tensor<4>> {
        let features = match &self.downsampling_layer {
            Some(ConvNextDownsampling { norm, convolution }) => {
                let normed = channels_first(norm.forward(channels_last(features)));
                channels_first(by_patches(normed, DOWNSAMPLING, convolution)?)
            }
            None => features,
        };
        Ok(self.layers.iter().fold(features, |features, layer| layer.forward(features)))
    }
}

/// A depthwise convolution, a norm and a feed-forward part over the channels, added to what went in.
#[derive(Module, Debug)]
struct ConvNextLayer {
    dwconv: Conv2d,
    layernorm: LayerNorm,
    pwconv1: Linear,
    act: ActivationLayer,
    pwconv2: Linear,
    layer_scale_parameter: Option<Param<Tensor<1>>>,
}

impl ConvNextLayer {
    fn new(config: &ConvNextConfig, channels: usize, placement: &Placement) -> Result<Self> {
        let padding = KERNEL / 2;
        let sliding = Sliding { padding: [padding, padding], groups: channels, ..Sliding::default() };
        let scales = config.layer_scale_init_value > 0.0;
        Ok(Self {
            dwconv: Conv2d::new(channels, channels, [KERNEL, KERNEL], true, sliding, placement),
            layernorm: LayerNorm::new(channels, EPSILON, placement),
            pwconv1: Linear::new(channels, 4 * channels, placement),
            act: ActivationLayer::new(Activation::from_name(&config.hidden_act)?, placement),
            pwconv2: Linear::new(4 * channels, channels, placement),
            layer_scale_parameter: scales.then(|| placement.parameter([channels])),
        })
    }

    fn forward(&self, features: Tensor<4>) -> Tensor<4> {
        let inner = self.layernorm.forward(channels_last(self.dwconv.forward(features.clone())));
        let mut inner = self.pwconv2.forward(self.pwconv1.forward_activated(inner, &self.act));
        if let Some(scale) = &self.layer_scale_parameter {
            inner = inner * scale.val().unsqueeze::<4>();
        }
        channels_first(channels_last(features) + inner)
    }
}
