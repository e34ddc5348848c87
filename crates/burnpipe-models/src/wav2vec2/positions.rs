//! Positions: a convolution over many steps, whose result is added to them.

use burn::module::{Module, Param};
use burn::tensor::{FloatDType, Tensor};
use burnpipe_core::Result;
use burnpipe_nn::ops::Sliding;
use burnpipe_nn::{Activation, ActivationLayer, BatchNorm, Conv1d, Placement};

use super::Wav2Vec2Config;

/// How torch has named the two parts of a normed weight since 2.0.
pub(crate) const WEIGHT_G: (&str, &str) = ("conv.weight_g", "conv.parametrizations.weight.original0");
pub(crate) const WEIGHT_V: (&str, &str) = ("conv.weight_v", "conv.parametrizations.weight.original1");

/// The epsilon of the norm before the convolution, whatever the config says.
const EPSILON: f64 = 1e-5;

/// The convolution, and the activation behind it.
#[derive(Module, Debug)]
pub(super) struct PositionalConvEmbedding {
    batch_norm: Option<BatchNorm>,
    conv: PositionalConv,
    activation: ActivationLayer,
}

impl PositionalConvEmbedding {
    pub(super) fn new(config: &Wav2Vec2Config, placement: &Placement) -> Result<Self> {
        let size = config.hidden_size;
        let batch_norm = config.conv_pos_batch_norm.then(|| BatchNorm::new(size, EPSILON, placement));
        let (kernel, groups) = (config.num_conv_pos_embeddings, config.num_conv_pos_embedding_groups);
        let sliding = Sliding { padding: [kernel / 2], groups, ..Sliding::default() };
        let conv = if config.conv_pos_batch_norm {
            PositionalConv::Plain(Conv1d::new(size, size, kernel, true, sliding, placement))
        } else {
            PositionalConv::Normed(NormedConv::new(size, kernel, sliding, placement))
        };
        let activation = Activation::from_name(&config.feat_extract_activation)?;
        Ok(Self { batch_norm, conv, activation: ActivationLayer::new(activation, placement) })
    }

    /// Computes the weight of the convolution, once it is filled.
    pub(super) fn settled(self) -> Self {
        let conv = match self.conv {
            PositionalConv::Normed(normed) => PositionalConv::Plain(normed.multiplied()),
            plain @ PositionalConv::Plain(_) => plain,
        };
        Self { conv, ..self }
    }

    /// # Shapes
    ///
    /// - `hidden` and result: `[sounds, steps, hidden]`
    pub(super) fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        let steps = hidden.dims()[1];
        let hidden = hidden.swap_dims(1, 2);
        let hidden = match &self.batch_norm {
            Some(norm) => norm.forward(hidden),
            None => hidden,
        };
        let hidden = match &self.conv {
            PositionalConv::Plain(conv) => conv.forward_activated(hidden, &self.activation),
            PositionalConv::Normed(normed) => {
                normed.clone().multiplied().forward_activated(hidden, &self.activation)
            }
        };
        // An even kernel gives a step too many.
        hidden.narrow(2, 0, steps).swap_dims(1, 2)
    }
}

#[derive(Module, Debug)]
enum PositionalConv {
    /// As checkpoints store it.
    Normed(NormedConv),
    /// As it is computed with.
    Plain(Conv1d),
}

/// A convolution whose weight is stored as its direction and its length (`weight_norm`), at each place of the kernel.
#[derive(Module, Debug)]
struct NormedConv {
    /// `[1, 1, kernel]`
    weight_g: Param<Tensor<3>>,
    /// `[filters, channels / groups, kernel]`
    weight_v: Param<Tensor<3>>,
    bias: Option<Param<Tensor<1>>>,
    #[module(skip)]
    sliding: Sliding<1>,
}

impl NormedConv {
    fn new(size: usize, kernel: usize, sliding: Sliding<1>, placement: &Placement) -> Self {
        Self {
            weight_g: placement.parameter([1, 1, kernel]),
            weight_v: placement.parameter([size, size / sliding.groups, kernel]),
            bias: Some(placement.parameter([size])),
            sliding,
        }
    }

    fn multiplied(self) -> Conv1d {
        let direction = self.weight_v.val();
        let dtype = direction.dtype();
        let direction = direction.cast(FloatDType::F32);
        let norm = direction.clone().square().sum_dim(0).sum_dim(1).sqrt();
        let weight = direction * (self.weight_g.val().cast(FloatDType::F32) / norm);
        Conv1d::filled(weight.cast(dtype), self.bias, self.sliding)
    }
}
