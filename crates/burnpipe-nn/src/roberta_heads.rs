//! The two heads of RoBERTa that Longformer, MPNet and others use unchanged.
//!
//! Paper: <https://arxiv.org/abs/1907.11692>. Reference: `modeling_roberta.py` of transformers 4.56.2.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::{Activation, ActivationLayer, LayerNorm, Linear, Placement};

/// Scores the vocabulary: a linear layer, GELU whatever the config's activation, a norm, and then the output
/// layer.
#[derive(Module, Debug)]
pub struct RobertaLMHead {
    dense: Linear,
    gelu: ActivationLayer,
    layer_norm: LayerNorm,
    decoder: Linear,
}

impl RobertaLMHead {
    /// A head over vectors of `size` elements.
    pub fn new(size: usize, vocabulary: usize, epsilon: f64, placement: &Placement) -> Self {
        Self {
            dense: Linear::new(size, size, placement),
            gelu: ActivationLayer::new(Activation::Gelu, placement),
            layer_norm: LayerNorm::new(size, epsilon, placement),
            decoder: Linear::new(size, vocabulary, placement),
        }
    }

    /// # Shapes
    ///
    /// - `hidden`: `[positions, size]`
    /// - result: `[positions, vocabulary]`
    pub fn forward(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.decoder.forward(self.layer_norm.forward(self.dense.forward_activated(hidden, &self.gelu)))
    }
}

/// Scores the labels of a text: a linear layer, tanh, and then the output layer.
#[derive(Module, Debug)]
pub struct RobertaClassificationHead {
    dense: Linear,
    out_proj: Linear,
}

impl RobertaClassificationHead {
    /// A head over vectors of `size` elements.
    pub fn new(size: usize, labels: usize, placement: &Placement) -> Self {
        Self { dense: Linear::new(size, size, placement), out_proj: Linear::new(size, labels, placement) }
    }

    /// # Shapes
    ///
    /// - `first`: the vector of each text's first token, `[texts, size]`
    /// - result: `[texts, labels]`
    pub fn forward(&self, first: Tensor<2>) -> Tensor<2> {
        self.out_proj.forward(self.dense.forward(first).tanh())
    }
}
