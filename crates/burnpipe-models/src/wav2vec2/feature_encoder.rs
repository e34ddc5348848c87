//! Samples to features: layers of convolutions, and a projection to the size of the Transformer.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_nn::ops::Sliding;
use burnpipe_nn::{Activation, ActivationLayer, ChannelNorm, Conv1d, LayerNorm, Linear, Placement};

use super::Wav2Vec2Config;

/// The epsilon of the norms between convolutions, whatever the config says.
const EPSILON: f64 = 1e-5;

/// The convolutions, one after the other.
#[derive(Module, Debug)]
pub(super) struct FeatureEncoder {
    conv_layers: Vec<ConvLayer>,
}

impl FeatureEncoder {
    pub(super) fn new(config: &Wav2Vec2Config, placement: &Placement) -> Result<Self> {
        let layers = (0..config.conv_dim.len()).map(|index| ConvLayer::new(config, index, placement));
        Ok(Self { conv_layers: layers.collect::<Result<_>>()? })
    }

    /// # Shapes
    ///
    /// - `samples`: `[sounds, samples]`
    /// - result: `[sounds, channels, steps]`
    pub(super) fn forward(&self, samples: Tensor<2>) -> Tensor<3> {
        let [sounds, length] = samples.dims();
        let samples = samples.reshape([sounds, 1, length]);
        self.conv_layers.iter().fold(samples, |x, layer| layer.forward(x))
    }
}

/// A convolution, a norm where the config has one, and the activation.
#[derive(Module, Debug)]
struct ConvLayer {
    conv: Conv1d,
    layer_norm: Option<ConvNorm>,
    activation: ActivationLayer,
}

#[derive(Module, Debug)]
enum ConvNorm {
    /// Of every channel over time.
    OverTime(ChannelNorm),
    /// Of every step over its channels.
    OverChannels(LayerNorm),
}

impl ConvLayer {
    fn new(config: &Wav2Vec2Config, index: usize, placement: &Placement) -> Result<Self> {
        let (kernel, stride) = (config.conv_kernel[index], config.conv_stride[index]);
        let filters = config.conv_dim[index];
        let channels = if index == 0 { 1 } else { config.conv_dim[index - 1] };
        let layer_norm = match config.feat_extract_norm.as_str() {
            "group" => {
                (index == 0).then(|| ConvNorm::OverTime(ChannelNorm::new(filters, EPSILON, placement)))
            }
            "layer" => Some(ConvNorm::OverChannels(LayerNorm::new(filters, EPSILON, placement))),
            name => {
                let message = format!(
                    "`feat_extract_norm` `{name}` in `config.json` is not supported; known: `group`, `layer`"
                );
                return Err(Error::new(ErrorKind::Config, message));
            }
        };
        let sliding = Sliding { stride: [stride], ..Sliding::default() };
        let activation = Activation::from_name(&config.feat_extract_activation)?;
        Ok(Self {
            conv: Conv1d::new(channels, filters, kernel, config.conv_bias, sliding, placement),
            layer_norm,
            activation: ActivationLayer::new(activation, placement),
        })
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        match &self.layer_norm {
            None => self.conv.forward_activated(x, &self.activation),
            Some(ConvNorm::OverTime(norm)) => norm.forward_activated(self.conv.forward(x), &self.activation),
            Some(ConvNorm::OverChannels(norm)) => {
                let x = self.conv.forward(x);
                let x = self.activation.forward(norm.forward(x.swap_dims(1, 2)));
                x.swap_dims(1, 2)
            }
        }
    }
}

/// Features to the vectors of the Transformer.
#[derive(Module, Debug)]
pub(super) struct FeatureProjection {
    layer_norm: Option<LayerNorm>,
    projection: Linear,
}

impl FeatureProjection {
    pub(super) fn new(config: &Wav2Vec2Config, placement: &Placement) -> Self {
        let features = config.conv_dim.last().copied().unwrap_or_default();
        let norm = || LayerNorm::new(features, config.layer_norm_eps, placement);
        Self {
            layer_norm: config.feat_proj_layer_norm.then(norm),
            projection: Linear::new(features, config.hidden_size, placement),
        }
    }

    /// # Shapes
    ///
    /// - `features`: `[sounds, steps, channels]`
    /// - result: `[sounds, steps, hidden]`
    pub(super) fn forward(&self, features: Tensor<3>) -> Tensor<3> {
        let features = match &self.layer_norm {
            Some(norm) => norm.forward(features),
            None => features,
        };
        self.projection.forward(features)
    }
}
