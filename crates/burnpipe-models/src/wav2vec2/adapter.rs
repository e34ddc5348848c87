//! What makes fewer steps of the Transformer's, before a head: convolutions with gates.

use burn::module::Module;
use burn::tensor::{Tensor, activation};
use burnpipe_nn::ops::Sliding;
use burnpipe_nn::{Conv1d, LayerNorm, Linear, Placement};

use super::Wav2Vec2Config;

/// The epsilon of the norm, whatever the config says.
const EPSILON: f64 = 1e-5;

#[derive(Module, Debug)]
pub(super) struct Adapter {
    proj: Option<Linear>,
    proj_layer_norm: Option<LayerNorm>,
    layers: Vec<AdapterLayer>,
}

#[derive(Module, Debug)]
struct AdapterLayer {
    conv: Conv1d,
}

impl Adapter {
    pub(super) fn new(config: &Wav2Vec2Config, placement: &Placement) -> Self {
        let (hidden, size) = (config.hidden_size, config.output_size());
        let sliding = Sliding { stride: [config.adapter_stride], padding: [1], ..Sliding::default() };
        let layer = || AdapterLayer {
            conv: Conv1d::new(size, 2 * size, config.adapter_kernel_size, true, sliding, placement),
        };
        Self {
            proj: (size != hidden).then(|| Linear::new(hidden, size, placement)),
            proj_layer_norm: (size != hidden).then(|| LayerNorm::new(size, EPSILON, placement)),
            layers: (0..config.num_adapter_layers).map(|_| layer()).collect(),
        }
    }

    /// # Shapes
    ///
    /// - `hidden`: `[sounds, steps, hidden]`
    /// - result: `[sounds, fewer steps, output size]`
    pub(super) fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        let hidden = match (&self.proj, &self.proj_layer_norm) {
            (Some(proj), Some(norm)) => norm.forward(proj.forward(hidden)),
            _ => hidden,
        };
        let gated = |x: Tensor<3>, layer: &AdapterLayer| {
            let [values, gates]: [Tensor<3>; 2] = halves(layer.conv.forward(x));
            values * activation::sigmoid(gates)
        };
        self.layers.iter().fold(hidden.swap_dims(1, 2), gated).swap_dims(1, 2)
    }
}

/// The first and the second half of the channels.
fn halves(x: Tensor<3>) -> [Tensor<3>; 2] {
    let half = x.dims()[1] / 2;
    [x.clone().narrow(1, 0, half), x.narrow(1, half, half)]
}
