//! ResNet: a convolutional network whose layers are added to what went into them.
//!
//! Paper: <https://arxiv.org/abs/1512.03385>. Reference: `modeling_resnet.py` of transformers 4.56.2. Norms go into the
//! convolutions before them when the model is loaded.
//!
//! Heads: image classifier, image encoder.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_nn::ops::{self, AfterConvolution, Sliding};
use burnpipe_nn::{
    Activation, ActivationLayer, Architecture, BatchNorm, Conv2d, Heads, ImageClassifier, ImageEncoder,
    ImageEncoding, Linear, LoadContext, Placement, WeightNames, check_channels,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "resnet",
    heads: Heads {
        image_classifier: Some(|context| Ok(Box::new(load_image_classifier(context)?))),
        image_encoder: Some(|context| Ok(Box::new(load_image_encoder(context)?))),
        ..Heads::NONE
    },
};

/// config.json, with the defaults of `ResNetConfig`. What it says of feature maps is for other models' backbones.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct ResNetConfig {
    num_channels: usize,
    embedding_size: usize,
    hidden_sizes: Vec<usize>,
    depths: Vec<usize>,
    layer_type: LayerType,
    hidden_act: String,
    downsample_in_first_stage: bool,
    downsample_in_bottleneck: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum LayerType {
    /// Two convolutions of 3 x 3.
    Basic,
    /// One of 3 x 3, on fewer channels, between two of 1 x 1.
    Bottleneck,
}

impl Default for ResNetConfig {
    fn default() -> Self {
        Self {
            num_channels: 3,
            embedding_size: 64,
            hidden_sizes: vec![256, 512, 1024, 2048],
            depths: vec![3, 4, 6, 3],
            layer_type: LayerType::Bottleneck,
            hidden_act: "relu".into(),
            downsample_in_first_stage: false,
            downsample_in_bottleneck: false,
        }
    }
}

impl ResNetConfig {
    /// The channels that the last stage gives.
    fn check(&self) -> Result<usize> {
        let (sizes, depths) = (&self.hidden_sizes, &self.depths);
        match sizes.last() {
            Some(&last) if sizes.len() == depths.len() && depths.iter().all(|&depth| depth > 0) => Ok(last),
            _ => {
                let message = format!(
                    "`hidden_sizes` {sizes:?} and `depths` {depths:?} in `config.json` must have a number for every stage"
                );
                Err(Error::new(ErrorKind::Config, message))
            }
        }
    }
}

/// The epsilon of `torch.nn.BatchNorm2d`, which the config cannot change.
const EPSILON: f64 = 1e-5;
/// How many times fewer channels the middle of a bottleneck has.
const REDUCTION: usize = 4;

/// The classifier is the second of a sequence, whose first has no weights.
fn names(is_base_model: bool, ignored: &'static [&'static str]) -> WeightNames {
    let renames = &[("classifier.", "classifier.1.")];
    WeightNames { base_model_prefix: "resnet", is_base_model, renames, ignored }
}

fn load_image_classifier(context: &LoadContext<'_>) -> Result<ResNetForImageClassification> {
    let config: ResNetConfig = context.checkpoint.config()?.parse()?;
    let model = ResNetForImageClassification {
        classifier: Linear::new(config.check()?, context.label_count()?, context.placement),
        resnet: ResNetModel::new(&config, context.placement)?,
    };
    let model = context.fill(model, &names(false, &[BatchNorm::COUNT]))?;
    Ok(ResNetForImageClassification { resnet: model.resnet.with_norms_inside(), ..model })
}

fn load_image_encoder(context: &LoadContext<'_>) -> Result<ResNetModel> {
    let config: ResNetConfig = context.checkpoint.config()?.parse()?;
    config.check()?;
    let model = ResNetModel::new(&config, context.placement)?;
    let model = context.fill(model, &names(true, &[BatchNorm::COUNT, "classifier"]))?;
    Ok(model.with_norms_inside())
}

/// The scores of an image's labels, from the mean of each channel.
#[derive(Module, Debug)]
struct ResNetForImageClassification {
    resnet: ResNetModel,
    classifier: Linear,
}

impl ImageClassifier for ResNetForImageClassification {
    fn forward(&self, pixels: Tensor<4>) -> Result<Tensor<2>> {
        let features = self.resnet.features(pixels)?;
        Ok(self.classifier.forward(ops::mean_of_channels(features)))
    }
}

/// The stem and the stages.
#[derive(Module, Debug)]
struct ResNetModel {
    embedder: ResNetEmbeddings,
    encoder: ResNetEncoder,
    #[module(skip)]
    channels: usize,
}

#[derive(Module, Debug)]
struct ResNetEmbeddings {
    embedder: ResNetConvLayer,
}

#[derive(Module, Debug)]
struct ResNetEncoder {
    stages: Vec<ResNetStage>,
}

#[derive(Module, Debug)]
struct ResNetStage {
    layers: Vec<ResNetLayer>,
}

impl ResNetModel {
    fn new(config: &ResNetConfig, placement: &Placement) -> Result<Self> {
        let activation = Activation::from_name(&config.hidden_act)?;
        let stem =
            Shape { channels: config.num_channels, filters: config.embedding_size, kernel: 7, stride: 2 };
        let mut channels = config.embedding_size;
        let mut stages = Vec::new();
        for (index, (&filters, &depth)) in config.hidden_sizes.iter().zip(&config.depths).enumerate() {
            let stride = if index > 0 || config.downsample_in_first_stage { 2 } else { 1 };
            let first = ResNetLayer::new(config, channels, filters, stride, placement)?;
            let others = (1..depth).map(|_| ResNetLayer::new(config, filters, filters, 1, placement));
            stages.push(ResNetStage {
                layers: std::iter::once(Ok(first)).chain(others).collect::<Result<_>>()?,
            });
            channels = filters;
        }
        Ok(Self {
            embedder: ResNetEmbeddings { embedder: ResNetConvLayer::new(stem, Some(activation), placement) },
            encoder: ResNetEncoder { stages },
            channels: config.num_channels,
        })
    }

    /// `[images, channels, height, width]`
    fn features(&self, pixels: Tensor<4>) -> Result<Tensor<4>> {
        check_channels(&pixels, self.channels)?;
        let stem = ops::max_pool2d(self.embedder.embedder.forward(pixels), 3, 2, 1);
        let layers = self.encoder.stages.iter().flat_map(|stage| &stage.layers);
        Ok(layers.fold(stem, |features, layer| layer.forward(features)))
    }

    /// The filled model with every norm put into its convolution.
    fn with_norms_inside(self) -> Self {
        let stages = self.encoder.stages.into_iter().map(|stage| ResNetStage {
            layers: stage.layers.into_iter().map(ResNetLayer::with_norms_inside).collect(),
        });
        Self {
            encoder: ResNetEncoder { stages: stages.collect() },
            embedder: ResNetEmbeddings { embedder: self.embedder.embedder.with_norm_inside() },
            channels: self.channels,
        }
    }
}

impl ImageEncoder for ResNetModel {
    fn forward(&self, pixels: Tensor<4>) -> Result<ImageEncoding> {
        let features = self.features(pixels)?;
        let [images, channels, ..] = features.dims();
        let pooled = ops::mean_of_channels(features.clone()).reshape([images, channels, 1, 1]);
        Ok(ImageEncoding { last_hidden_state: features.into(), pooler_output: Some(pooled.into()) })
    }
}

/// Convolutions, added to what went in, or to one convolution of it where the shape changes.
#[derive(Module, Debug)]
struct ResNetLayer {
    shortcut: Option<ResNetConvLayer>,
    layer: Vec<ResNetConvLayer>,
    activation: ActivationLayer,
}

impl ResNetLayer {
    fn new(
        config: &ResNetConfig,
        channels: usize,
        filters: usize,
        stride: usize,
        placement: &Placement,
    ) -> Result<Self> {
        let changes_shape = channels != filters || stride != 1;
        let shortcut = Shape { channels, filters, kernel: 1, stride };
        let shapes = match config.layer_type {
            LayerType::Basic => vec![
                Shape { channels, filters, kernel: 3, stride },
                Shape { channels: filters, filters, kernel: 3, stride: 1 },
            ],
            LayerType::Bottleneck => {
                let inner = filters / REDUCTION;
                let (first, second) = if config.downsample_in_bottleneck { (stride, 1) } else { (1, stride) };
                vec![
                    Shape { channels, filters: inner, kernel: 1, stride: first },
                    Shape { channels: inner, filters: inner, kernel: 3, stride: second },
                    Shape { channels: inner, filters, kernel: 1, stride: 1 },
                ]
            }
        };
        let last = shapes.len() - 1;
        let layer = shapes.into_iter().enumerate().map(|(index, shape)| {
            // Inside a layer the reference always has ReLU, whatever the config says.
            ResNetConvLayer::new(shape, (index < last).then_some(Activation::Relu), placement)
        });
        Ok(Self {
            shortcut: changes_shape.then(|| ResNetConvLayer::new(shortcut, None, placement)),
            layer: layer.collect(),
            activation: ActivationLayer::new(Activation::from_name(&config.hidden_act)?, placement),
        })
    }

    fn forward(&self, features: Tensor<4>) -> Tensor<4> {
        let residual = match &self.shortcut {
            Some(shortcut) => shortcut.forward(features.clone()),
            None => features.clone(),
        };
        let Some((last, others)) = self.layer.split_last() else { return self.activation.forward(residual) };
        let inner = others.iter().fold(features, |inner, layer| layer.forward(inner));
        let after = AfterConvolution {
            residual: Some(residual),
            activation_of_sum: Some(&self.activation),
            ..AfterConvolution::default()
        };
        last.convolution.forward_finished(inner, after)
    }

    fn with_norms_inside(self) -> Self {
        Self {
            shortcut: self.shortcut.map(ResNetConvLayer::with_norm_inside),
            layer: self.layer.into_iter().map(ResNetConvLayer::with_norm_inside).collect(),
            activation: self.activation,
        }
    }
}

/// What a convolution is of.
#[derive(Clone, Copy)]
struct Shape {
    channels: usize,
    filters: usize,
    kernel: usize,
    stride: usize,
}

/// A convolution without a bias, its norm and perhaps an activation.
#[derive(Module, Debug)]
struct ResNetConvLayer {
    convolution: Conv2d,
    /// None once it is in the convolution.
    normalization: Option<BatchNorm>,
    activation: Option<ActivationLayer>,
}

impl ResNetConvLayer {
    fn new(shape: Shape, activation: Option<Activation>, placement: &Placement) -> Self {
        let Shape { channels, filters, kernel, stride } = shape;
        let padding = kernel / 2;
        let sliding = Sliding { stride: [stride, stride], padding: [padding, padding], ..Sliding::default() };
        Self {
            convolution: Conv2d::new(channels, filters, [kernel, kernel], false, sliding, placement),
            normalization: Some(BatchNorm::new(filters, EPSILON, placement)),
            activation: activation.map(|activation| ActivationLayer::new(activation, placement)),
        }
    }

    fn forward(&self, features: Tensor<4>) -> Tensor<4> {
        match &self.activation {
            Some(activation) => self.convolution.forward_activated(features, activation),
            None => self.convolution.forward(features),
        }
    }

    fn with_norm_inside(self) -> Self {
        match self.normalization {
            Some(norm) => Self { convolution: norm.after(self.convolution), normalization: None, ..self },
            None => self,
        }
    }
}
