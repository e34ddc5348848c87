//! The Transformer: layers that norm after each part or, if the config says so, before it.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::Result;
use burnpipe_nn::ops::{self, AttentionScope};
use burnpipe_nn::{Activation, ActivationLayer, LayerNorm, Linear, Placement};

use super::Wav2Vec2Config;
use super::positions::PositionalConvEmbedding;

/// The epsilon of the norm in adapters of a language, whatever the config says.
const ADAPTER_EPSILON: f64 = 1e-5;

/// Positions and layers.
#[derive(Module, Debug)]
pub(super) struct Encoder {
    pos_conv_embed: PositionalConvEmbedding,
    layer_norm: LayerNorm,
    layers: Vec<EncoderLayer>,
    #[module(skip)]
    norms_first: bool,
}

impl Encoder {
    pub(super) fn new(config: &Wav2Vec2Config, placement: &Placement) -> Result<Self> {
        let layers = (0..config.num_hidden_layers).map(|_| EncoderLayer::new(config, placement));
        Ok(Self {
            pos_conv_embed: PositionalConvEmbedding::new(config, placement)?,
            layer_norm: LayerNorm::new(config.hidden_size, config.layer_norm_eps, placement),
            layers: layers.collect::<Result<_>>()?,
            norms_first: config.do_stable_layer_norm,
        })
    }

    /// Computes what is computed once, when the weights are there.
    pub(super) fn settled(self) -> Self {
        Self { pos_conv_embed: self.pos_conv_embed.settled(), ..self }
    }

    /// Runs the layers; `watch` is shown what goes into each of them, and then the result.
    ///
    /// # Shapes
    ///
    /// - `hidden` and result: `[sounds, steps, hidden]`
    pub(super) fn forward(&self, hidden: Tensor<3>, mut watch: impl FnMut(&Tensor<3>)) -> Tensor<3> {
        let mut hidden = hidden.clone() + self.pos_conv_embed.forward(hidden);
        if !self.norms_first {
            hidden = self.layer_norm.forward(hidden);
        }
        for layer in &self.layers {
            watch(&hidden);
            hidden = layer.forward(hidden, self.norms_first);
        }
        if self.norms_first {
            hidden = self.layer_norm.forward(hidden);
        }
        watch(&hidden);
        hidden
    }
}

#[derive(Module, Debug)]
struct EncoderLayer {
    attention: Attention,
    layer_norm: LayerNorm,
    feed_forward: FeedForward,
    final_layer_norm: LayerNorm,
    adapter_layer: Option<LanguageAdapter>,
}

impl EncoderLayer {
    fn new(config: &Wav2Vec2Config, placement: &Placement) -> Result<Self> {
        let size = config.hidden_size;
        let norm = || LayerNorm::new(size, config.layer_norm_eps, placement);
        // Layers that norm after each part have none, whatever the config says.
        let adapter_size = config.adapter_attn_dim.filter(|_| config.do_stable_layer_norm);
        Ok(Self {
            attention: Attention::new(config, placement),
            layer_norm: norm(),
            feed_forward: FeedForward {
                intermediate_dense: Linear::new(size, config.intermediate_size, placement),
                intermediate_act_fn: ActivationLayer::new(
                    Activation::from_name(&config.hidden_act)?,
                    placement,
                ),
                output_dense: Linear::new(config.intermediate_size, size, placement),
            },
            final_layer_norm: norm(),
            adapter_layer: adapter_size.map(|inner| LanguageAdapter::new(size, inner, placement)),
        })
    }

    fn forward(&self, hidden: Tensor<3>, norms_first: bool) -> Tensor<3> {
        if !norms_first {
            let hidden = self.layer_norm.forward(self.attention.forward(hidden.clone(), hidden));
            return self.final_layer_norm.forward(self.feed_forward.forward(hidden.clone(), hidden));
        }
        let hidden = self.attention.forward(self.layer_norm.forward(hidden.clone()), hidden);
        let hidden = self.feed_forward.forward(self.final_layer_norm.forward(hidden.clone()), hidden);
        match &self.adapter_layer {
            Some(adapter) => adapter.forward(hidden),
            None => hidden,
        }
    }
}

#[derive(Module, Debug)]
struct Attention {
    k_proj: Linear,
    v_proj: Linear,
    q_proj: Linear,
    out_proj: Linear,
    #[module(skip)]
    heads: usize,
}

impl Attention {
    fn new(config: &Wav2Vec2Config, placement: &Placement) -> Self {
        let projection = || Linear::new(config.hidden_size, config.hidden_size, placement);
        Self {
            k_proj: projection(),
            v_proj: projection(),
            q_proj: projection(),
            out_proj: projection(),
            heads: config.num_attention_heads,
        }
    }

    /// Attention, added to `residual`.
    fn forward(&self, hidden: Tensor<3>, residual: Tensor<3>) -> Tensor<3> {
        let [sounds, steps, size] = hidden.dims();
        let split = |x: Tensor<3>| x.reshape([sounds, steps, self.heads, size / self.heads]).swap_dims(1, 2);
        let projections = [&self.q_proj, &self.k_proj, &self.v_proj];
        let [query, key, value] = ops::linear_each(hidden, projections).map(split);
        let context = ops::attention(query, key, value, &AttentionScope::default());
        let context = context.swap_dims(1, 2).reshape([sounds, steps, size]);
        self.out_proj.forward_added(context, residual)
    }
}

#[derive(Module, Debug)]
struct FeedForward {
    intermediate_dense: Linear,
    intermediate_act_fn: ActivationLayer,
    output_dense: Linear,
}

impl FeedForward {
    /// The feed-forward part, added to `residual`.
    fn forward(&self, hidden: Tensor<3>, residual: Tensor<3>) -> Tensor<3> {
        let inner = self.intermediate_dense.forward_activated(hidden, &self.intermediate_act_fn);
        self.output_dense.forward_added(inner, residual)
    }
}

/// What a layer learned for one language, in models that know many.
#[derive(Module, Debug)]
struct LanguageAdapter {
    norm: LayerNorm,
    linear_1: Linear,
    act_fn: ActivationLayer,
    linear_2: Linear,
}

impl LanguageAdapter {
    fn new(size: usize, inner: usize, placement: &Placement) -> Self {
        Self {
            norm: LayerNorm::new(size, ADAPTER_EPSILON, placement),
            linear_1: Linear::new(size, inner, placement),
            act_fn: ActivationLayer::new(Activation::Relu, placement),
            linear_2: Linear::new(inner, size, placement),
        }
    }

    fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        let inner = self.linear_1.forward_activated(self.norm.forward(hidden.clone()), &self.act_fn);
        self.linear_2.forward_added(inner, hidden)
    }
}
