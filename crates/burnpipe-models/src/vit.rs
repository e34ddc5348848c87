//! ViT: an image as a sequence of patches, in a pre-norm encoder.
//!
//! Paper: <https://arxiv.org/abs/2010.11929>. Reference: `modeling_vit.py` of transformers 4.56.2. DeiT shares its
//! layers.
//!
//! Heads: image classifier, image encoder.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_nn::{
    Activation, ActivationLayer, Architecture, Heads, ImageClassifier, ImageEncoder, ImageEncoding,
    LayerNorm, Linear, LoadContext, PatchEmbedding, Placement, PrunedHeads, Sides, ViTAttention,
    ViTAttentionConfig, WeightNames, Weights,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "vit",
    heads: Heads {
        image_classifier: Some(|context| Ok(Box::new(load_image_classifier(context)?))),
        image_encoder: Some(|context| Ok(Box::new(load_image_encoder(context)?))),
        ..Heads::NONE
    },
};

/// config.json, with the defaults of `ViTConfig`, which are those of `DeiTConfig` too.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct ViTConfig {
    pub(crate) hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    hidden_act: String,
    pub(crate) layer_norm_eps: f64,
    pub(crate) image_size: Sides,
    pub(crate) patch_size: Sides,
    pub(crate) num_channels: usize,
    qkv_bias: bool,
    pooler_output_size: Option<usize>,
    pooler_act: String,
    pruned_heads: PrunedHeads,
}

impl Default for ViTConfig {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3072,
            hidden_act: "gelu".into(),
            layer_norm_eps: 1e-12,
            image_size: Sides::square(224),
            patch_size: Sides::square(16),
            num_channels: 3,
            qkv_bias: true,
            pooler_output_size: None,
            pooler_act: "tanh".into(),
            pruned_heads: PrunedHeads::default(),
        }
    }
}

/// Heads of pre-training, and what heads do not read.
pub(crate) const IGNORED: &[&str] = &["mask_token", "decoder", "pooler"];

fn names(is_base_model: bool) -> WeightNames {
    WeightNames { base_model_prefix: "vit", is_base_model, renames: &[], ignored: IGNORED }
}

fn load_image_classifier(context: &LoadContext<'_>) -> Result<ViTForImageClassification> {
    let config: ViTConfig = context.checkpoint.config()?.parse()?;
    let model = ViTForImageClassification {
        vit: ViTModel::new(&config, false, context.placement)?,
        classifier: Linear::new(config.hidden_size, context.label_count()?, context.placement),
    };
    context.fill(model, &names(false))
}

fn load_image_encoder(context: &LoadContext<'_>) -> Result<ViTModel> {
    let config = context.checkpoint.config()?.parse()?;
    let weights = Weights::open(context.checkpoint)?;
    let model = ViTModel::new(&config, has_pooler(&weights), context.placement)?;
    let ignored = WeightNames { ignored: &["mask_token", "decoder", "classifier"], ..names(true) };
    weights.fill(model, &ignored, context.placement)
}

/// Whether a checkpoint has a pooler: those of classifiers do not, and transformers makes one of random numbers.
pub(crate) fn has_pooler(weights: &Weights) -> bool {
    weights.keys().any(|key| key.ends_with("pooler.dense.weight"))
}

/// The scores of an image's labels, from the vector of the class token.
#[derive(Module, Debug)]
struct ViTForImageClassification {
    vit: ViTModel,
    classifier: Linear,
}

impl ImageClassifier for ViTForImageClassification {
    fn forward(&self, pixels: Tensor<4>) -> Result<Tensor<2>> {
        Ok(self.classifier.forward(token(&self.vit.last_hidden_state(pixels)?, 0)))
    }
}

/// One token of every image: `[images, hidden]`.
pub(crate) fn token(hidden: &Tensor<3>, at: usize) -> Tensor<2> {
    hidden.clone().narrow(1, at, 1).squeeze_dim::<2>(1)
}

/// Embeddings, encoder, norm and, where the checkpoint has one, the pooler.
#[derive(Module, Debug)]
struct ViTModel {
    embeddings: ViTEmbeddings,
    encoder: ViTEncoder,
    layernorm: LayerNorm,
    pooler: Option<ViTPooler>,
}

impl ViTModel {
    fn new(config: &ViTConfig, with_pooler: bool, placement: &Placement) -> Result<Self> {
        Ok(Self {
            embeddings: ViTEmbeddings::new(config, placement)?,
            encoder: ViTEncoder::new(config, placement)?,
            layernorm: LayerNorm::new(config.hidden_size, config.layer_norm_eps, placement),
            pooler: with_pooler.then(|| ViTPooler::new(config, placement)).transpose()?,
        })
    }

    fn last_hidden_state(&self, pixels: Tensor<4>) -> Result<Tensor<3>> {
        let hidden = self.encoder.forward(self.embeddings.forward(pixels)?);
        Ok(self.layernorm.forward(hidden))
    }
}

impl ImageEncoder for ViTModel {
    fn forward(&self, pixels: Tensor<4>) -> Result<ImageEncoding> {
        let hidden = self.last_hidden_state(pixels)?;
        let pooled = self.pooler.as_ref().map(|pooler| pooler.forward(&hidden));
        Ok(ImageEncoding { last_hidden_state: hidden.into(), pooler_output: pooled.map(Into::into) })
    }
}

/// The class token and the patches, with a learned vector for each place.
#[derive(Module, Debug)]
struct ViTEmbeddings {
    cls_token: Param<Tensor<3>>,
    position_embeddings: Param<Tensor<3>>,
    patch_embeddings: PatchEmbedding,
    #[module(skip)]
    image_size: Sides,
}

impl ViTEmbeddings {
    fn new(config: &ViTConfig, placement: &Placement) -> Result<Self> {
        let size = config.hidden_size;
        let patches = config.image_size.patches(config.patch_size).area();
        Ok(Self {
            cls_token: placement.parameter([1, 1, size]),
            position_embeddings: placement.parameter([1, patches + 1, size]),
            patch_embeddings: PatchEmbedding::new(config.num_channels, size, config.patch_size, placement)?,
            image_size: config.image_size,
        })
    }

    fn forward(&self, pixels: Tensor<4>) -> Result<Tensor<3>> {
        let [_, _, height, width] = pixels.dims();
        if (Sides { height, width }) != self.image_size {
            return Err(other_size(width, height, self.image_size));
        }
        let patches = self.patch_embeddings.forward(pixels)?;
        let [images, _, size] = patches.dims();
        let cls_token = self.cls_token.val().expand([images, 1, size]);
        Ok(Tensor::cat(vec![cls_token, patches], 1) + self.position_embeddings.val())
    }
}

/// The error for an image that has not the size of the model.
pub(crate) fn other_size(width: usize, height: usize, wanted: Sides) -> Error {
    let message = format!(
        "an image of {width} x {height} pixels for a model that reads {} x {}: `preprocessor_config.json` or `image_processor_kwargs` asks for another size than `image_size` of `config.json`",
        wanted.width, wanted.height
    );
    Error::new(ErrorKind::Input, message)
}

/// The layers, one after the other.
#[derive(Module, Debug)]
pub(crate) struct ViTEncoder {
    layer: Vec<ViTLayer>,
}

impl ViTEncoder {
    pub(crate) fn new(config: &ViTConfig, placement: &Placement) -> Result<Self> {
        let layers = 0..config.num_hidden_layers;
        Ok(Self {
            layer: layers.map(|index| ViTLayer::new(config, index, placement)).collect::<Result<_>>()?,
        })
    }

    /// # Shapes
    ///
    /// - `hidden`: `[images, tokens, hidden]`
    pub(crate) fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        self.layer.iter().fold(hidden, |hidden, layer| layer.forward(hidden))
    }
}

/// One layer: a norm before attention and one before the feed-forward part, each added to its input.
#[derive(Module, Debug)]
struct ViTLayer {
    attention: ViTAttention,
    intermediate: ViTIntermediate,
    output: ViTOutput,
    layernorm_before: LayerNorm,
    layernorm_after: LayerNorm,
}

#[derive(Module, Debug)]
struct ViTIntermediate {
    dense: Linear,
    intermediate_act_fn: ActivationLayer,
}

#[derive(Module, Debug)]
struct ViTOutput {
    dense: Linear,
}

impl ViTLayer {
    fn new(config: &ViTConfig, index: usize, placement: &Placement) -> Result<Self> {
        let (size, inner) = (config.hidden_size, config.intermediate_size);
        let attention = ViTAttentionConfig {
            hidden_size: size,
            num_attention_heads: config.num_attention_heads,
            heads_left: config.pruned_heads.left(index, config.num_attention_heads),
            qkv_bias: config.qkv_bias,
        };
        Ok(Self {
            attention: ViTAttention::new(&attention, placement)?,
            intermediate: ViTIntermediate {
                dense: Linear::new(size, inner, placement),
                intermediate_act_fn: ActivationLayer::new(
                    Activation::from_name(&config.hidden_act)?,
                    placement,
                ),
            },
            output: ViTOutput { dense: Linear::new(inner, size, placement) },
            layernorm_before: LayerNorm::new(size, config.layer_norm_eps, placement),
            layernorm_after: LayerNorm::new(size, config.layer_norm_eps, placement),
        })
    }

    fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        let normed = self.layernorm_before.forward(hidden.clone());
        let hidden = self.attention.forward_added(normed, hidden);
        let ViTIntermediate { dense, intermediate_act_fn } = &self.intermediate;
        let inner =
            dense.forward_activated(self.layernorm_after.forward(hidden.clone()), intermediate_act_fn);
        self.output.dense.forward_added(inner, hidden)
    }
}

/// The class token's vector, through a linear layer and an activation.
#[derive(Module, Debug)]
pub(crate) struct ViTPooler {
    dense: Linear,
    activation: ActivationLayer,
}

impl ViTPooler {
    pub(crate) fn new(config: &ViTConfig, placement: &Placement) -> Result<Self> {
        // 0 counts as left out, as in Python.
        let outputs = config.pooler_output_size.filter(|&size| size > 0).unwrap_or(config.hidden_size);
        Ok(Self {
            dense: Linear::new(config.hidden_size, outputs, placement),
            activation: ActivationLayer::new(Activation::from_name(&config.pooler_act)?, placement),
        })
    }

    /// # Shapes
    ///
    /// - `hidden`: `[images, tokens, hidden]`
    /// - result: `[images, pooler outputs]`
    pub(crate) fn forward(&self, hidden: &Tensor<3>) -> Tensor<2> {
        self.dense.forward_activated(token(hidden, 0), &self.activation)
    }
}
