//! A layer of MobileBERT: bottleneck, attention, feed-forward parts, and what stands for norms.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burnpipe_core::Result;
use burnpipe_nn::ops::{self, AttentionScope};
use burnpipe_nn::{Activation, ActivationLayer, LayerNorm, Linear, Placement};

use super::{EPSILON, MobileBertConfig, Normalization};

/// Attention and feed-forward parts in a row, all of it between a bottleneck and its way out.
#[derive(Module, Debug)]
pub(super) struct MobileBertLayer {
    attention: MobileBertAttention,
    intermediate: MobileBertIntermediate,
    output: MobileBertOutput,
    bottleneck: Option<Bottleneck>,
    ffn: Vec<FFNLayer>,
}

impl MobileBertLayer {
    pub(super) fn new(config: &MobileBertConfig, index: usize, placement: &Placement) -> Result<Self> {
        let ffn = (1..config.num_feedforward_networks).map(|_| FFNLayer::new(config, placement));
        Ok(Self {
            attention: MobileBertAttention::new(config, index, placement),
            intermediate: MobileBertIntermediate::new(config, placement)?,
            output: MobileBertOutput::new(config, placement),
            bottleneck: config.use_bottleneck.then(|| Bottleneck::new(config, placement)),
            ffn: ffn.collect::<Result<_>>()?,
        })
    }

    pub(super) fn forward(&self, hidden: Tensor<3>, scope: &AttentionScope) -> Tensor<3> {
        let inputs = match &self.bottleneck {
            Some(bottleneck) => bottleneck.forward(hidden.clone()),
            None => AttentionInputs::all(hidden.clone()),
        };
        let attended = self.attention.forward(inputs, scope);
        let attended = self.ffn.iter().fold(attended, |attended, ffn| ffn.forward(attended));
        let inner = self.intermediate.forward(attended.clone());
        self.output.forward(inner, attended, hidden)
    }
}

/// What attention is made from.
struct AttentionInputs {
    /// Of queries and keys.
    query_key: Tensor<3>,
    value: Tensor<3>,
    /// What attention is added to.
    residual: Tensor<3>,
}

impl AttentionInputs {
    fn all(x: Tensor<3>) -> Self {
        Self { query_key: x.clone(), value: x.clone(), residual: x }
    }
}

/// The ways into a layer.
#[derive(Module, Debug)]
struct Bottleneck {
    input: Projection,
    /// Queries and keys may have one of their own.
    attention: Option<Projection>,
    #[module(skip)]
    use_bottleneck_attention: bool,
}

impl Bottleneck {
    fn new(config: &MobileBertConfig, placement: &Placement) -> Self {
        let layer = || {
            let (size, inner) = (config.hidden_size, config.intra_bottleneck_size);
            Projection::new(config, size, inner, config.layer_norm_eps, placement)
        };
        let with_own = config.key_query_shared_bottleneck && !config.use_bottleneck_attention;
        Self {
            input: layer(),
            attention: with_own.then(layer),
            use_bottleneck_attention: config.use_bottleneck_attention,
        }
    }

    fn forward(&self, hidden: Tensor<3>) -> AttentionInputs {
        let residual = self.input.forward(hidden.clone());
        if self.use_bottleneck_attention {
            return AttentionInputs::all(residual);
        }
        let query_key = match &self.attention {
            Some(layer) => layer.forward(hidden.clone()),
            None => hidden.clone(),
        };
        AttentionInputs { query_key, value: hidden, residual }
    }
}

/// A linear layer and a norm.
#[derive(Module, Debug)]
struct Projection {
    dense: Linear,
    LayerNorm: Norm,
}

impl Projection {
    fn new(
        config: &MobileBertConfig,
        inputs: usize,
        outputs: usize,
        epsilon: f64,
        placement: &Placement,
    ) -> Self {
        Self {
            dense: Linear::new(inputs, outputs, placement),
            LayerNorm: Norm::new(config, outputs, epsilon, placement),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.LayerNorm.forward(self.dense.forward(x))
    }

    /// With `residual` added before the norm.
    fn forward_added(&self, x: Tensor<3>, residual: Tensor<3>) -> Tensor<3> {
        self.LayerNorm.forward(self.dense.forward_added(x, residual))
    }
}

#[derive(Module, Debug)]
struct MobileBertAttention {
    self_: MobileBertSelfAttention,
    output: Projection,
}

#[derive(Module, Debug)]
struct MobileBertSelfAttention {
    query: Linear,
    key: Linear,
    value: Linear,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    head_size: usize,
}

impl MobileBertAttention {
    fn new(config: &MobileBertConfig, index: usize, placement: &Placement) -> Self {
        let size = config.true_hidden_size();
        let head_size = size / config.num_attention_heads;
        let heads = config.pruned_heads.left(index, config.num_attention_heads);
        let of_value = if config.use_bottleneck_attention { size } else { config.hidden_size };
        let projection = |inputs| Linear::new(inputs, heads * head_size, placement);
        let self_ = MobileBertSelfAttention {
            query: projection(size),
            key: projection(size),
            value: projection(of_value),
            heads,
            head_size,
        };
        let output = Projection::new(config, heads * head_size, size, config.layer_norm_eps, placement);
        Self { self_, output }
    }

    fn forward(&self, inputs: AttentionInputs, scope: &AttentionScope) -> Tensor<3> {
        let layers = &self.self_;
        let [batch, tokens, _] = inputs.value.dims();
        let split = |x: Tensor<3>| x.reshape([batch, tokens, layers.heads, layers.head_size]).swap_dims(1, 2);
        let [query, key] = ops::linear_each(inputs.query_key, [&layers.query, &layers.key]).map(split);
        let value = split(layers.value.forward(inputs.value));
        let context = ops::attention(query, key, value, scope);
        let context = context.swap_dims(1, 2).reshape([batch, tokens, layers.heads * layers.head_size]);
        self.output.forward_added(context, inputs.residual)
    }
}

/// A feed-forward part inside a layer, added to its input.
#[derive(Module, Debug)]
struct FFNLayer {
    intermediate: MobileBertIntermediate,
    output: Projection,
}

impl FFNLayer {
    fn new(config: &MobileBertConfig, placement: &Placement) -> Result<Self> {
        let (inner, size) = (config.intermediate_size, config.true_hidden_size());
        Ok(Self {
            intermediate: MobileBertIntermediate::new(config, placement)?,
            output: Projection::new(config, inner, size, config.layer_norm_eps, placement),
        })
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.output.forward_added(self.intermediate.forward(x.clone()), x)
    }
}

#[derive(Module, Debug)]
struct MobileBertIntermediate {
    dense: Linear,
    intermediate_act_fn: ActivationLayer,
}

impl MobileBertIntermediate {
    fn new(config: &MobileBertConfig, placement: &Placement) -> Result<Self> {
        Ok(Self {
            dense: Linear::new(config.true_hidden_size(), config.intermediate_size, placement),
            intermediate_act_fn: ActivationLayer::new(Activation::from_name(&config.hidden_act)?, placement),
        })
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.dense.forward_activated(x, &self.intermediate_act_fn)
    }
}

/// The end of the last feed-forward part, and the way out of the bottleneck, added to what the layer got.
#[derive(Module, Debug)]
struct MobileBertOutput {
    dense: Linear,
    LayerNorm: Norm,
    bottleneck: Option<Projection>,
}

impl MobileBertOutput {
    fn new(config: &MobileBertConfig, placement: &Placement) -> Self {
        let (inner, size) = (config.intermediate_size, config.true_hidden_size());
        let way_out = || Projection::new(config, size, config.hidden_size, config.layer_norm_eps, placement);
        Self {
            dense: Linear::new(inner, size, placement),
            LayerNorm: Norm::new(config, size, EPSILON, placement),
            bottleneck: config.use_bottleneck.then(way_out),
        }
    }

    fn forward(&self, inner: Tensor<3>, attended: Tensor<3>, hidden: Tensor<3>) -> Tensor<3> {
        let output = self.LayerNorm.forward(self.dense.forward_added(inner, attended));
        match &self.bottleneck {
            Some(bottleneck) => bottleneck.forward_added(output, hidden),
            None => output,
        }
    }
}

/// A norm, or what takes its place.
#[derive(Module, Debug)]
pub(super) enum Norm {
    LayerNorm(LayerNorm),
    NoNorm(NoNorm),
}

impl Norm {
    pub(super) fn new(config: &MobileBertConfig, size: usize, epsilon: f64, placement: &Placement) -> Self {
        match config.normalization_type {
            Normalization::LayerNorm => Self::LayerNorm(LayerNorm::new(size, epsilon, placement)),
            Normalization::NoNorm => {
                let parameter = || placement.parameter([size]);
                Self::NoNorm(NoNorm { weight: parameter(), bias: parameter() })
            }
        }
    }

    pub(super) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        match self {
            Self::LayerNorm(norm) => norm.forward(x),
            Self::NoNorm(scale) => x * scale.weight.val().unsqueeze() + scale.bias.val().unsqueeze(),
        }
    }
}

/// A factor and a term for every element.
#[derive(Module, Debug)]
pub(super) struct NoNorm {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
}
