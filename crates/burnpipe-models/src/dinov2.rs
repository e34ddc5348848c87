//! DINOv2: a ViT that learned without labels, for images of any size: its table of places is stretched to each.
//!
//! Paper: <https://arxiv.org/abs/2304.07193>. Reference: `modeling_dinov2.py` of transformers 4.56.2.
//!
//! Heads: image classifier, image encoder.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_nn::{
    Activation, ActivationLayer, Architecture, Heads, ImageClassifier, ImageEncoder, ImageEncoding,
    LayerNorm, Linear, LoadContext, PatchEmbedding, Placement, PrunedHeads, Sides, ViTAttention,
    ViTAttentionConfig, WeightNames,
};
use serde::Deserialize;

use crate::vit::token;

mod stretch;

use stretch::stretch;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "dinov2",
    heads: Heads {
        image_classifier: Some(|context| Ok(Box::new(load_image_classifier(context)?))),
        image_encoder: Some(|context| Ok(Box::new(load_image_encoder(context)?))),
        ..Heads::NONE
    },
};

/// config.json, with the defaults of `Dinov2Config`. What it says of feature maps is for other models' backbones.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct Dinov2Config {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    mlp_ratio: f64,
    hidden_act: String,
    layer_norm_eps: f64,
    image_size: Sides,
    patch_size: Sides,
    num_channels: usize,
    qkv_bias: bool,
    use_swiglu_ffn: bool,
    pruned_heads: PrunedHeads,
}

impl Default for Dinov2Config {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            mlp_ratio: 4.0,
            hidden_act: "gelu".into(),
            layer_norm_eps: 1e-6,
            image_size: Sides::square(224),
            patch_size: Sides::square(14),
            num_channels: 3,
            qkv_bias: true,
            use_swiglu_ffn: false,
            pruned_heads: PrunedHeads::default(),
        }
    }
}

/// The token that hides patches in pre-training.
const IGNORED: &[&str] = &["mask_token", "classifier"];

fn names(is_base_model: bool) -> WeightNames {
    WeightNames { base_model_prefix: "dinov2", is_base_model, renames: &[], ignored: IGNORED }
}

fn load_image_classifier(context: &LoadContext<'_>) -> Result<Dinov2ForImageClassification> {
    let config: Dinov2Config = context.checkpoint.config()?.parse()?;
    let model = Dinov2ForImageClassification {
        dinov2: Dinov2Model::new(&config, context.placement)?,
        classifier: Linear::new(2 * config.hidden_size, context.label_count()?, context.placement),
    };
    context.fill(model, &WeightNames { ignored: &["mask_token"], ..names(false) })
}

fn load_image_encoder(context: &LoadContext<'_>) -> Result<Dinov2Model> {
    let config = context.checkpoint.config()?.parse()?;
    context.fill(Dinov2Model::new(&config, context.placement)?, &names(true))
}

/// The scores of an image's labels, from the class token beside the mean of all patches.
#[derive(Module, Debug)]
struct Dinov2ForImageClassification {
    dinov2: Dinov2Model,
    classifier: Linear,
}

impl ImageClassifier for Dinov2ForImageClassification {
    fn forward(&self, pixels: Tensor<4>) -> Result<Tensor<2>> {
        let hidden = self.dinov2.last_hidden_state(pixels)?;
        let patches = hidden.dims()[1] - 1;
        let mean = hidden.clone().narrow(1, 1, patches).mean_dim(1).squeeze_dim::<2>(1);
        Ok(self.classifier.forward(Tensor::cat(vec![token(&hidden, 0), mean], 1)))
    }
}

/// Embeddings, encoder and norm.
#[derive(Module, Debug)]
struct Dinov2Model {
    embeddings: Dinov2Embeddings,
    encoder: Dinov2Encoder,
    layernorm: LayerNorm,
}

impl Dinov2Model {
    fn new(config: &Dinov2Config, placement: &Placement) -> Result<Self> {
        let layers = 0..config.num_hidden_layers;
        let layers = layers.map(|index| Dinov2Layer::new(config, index, placement));
        Ok(Self {
            embeddings: Dinov2Embeddings::new(config, placement)?,
            encoder: Dinov2Encoder { layer: layers.collect::<Result<_>>()? },
            layernorm: LayerNorm::new(config.hidden_size, config.layer_norm_eps, placement),
        })
    }

    fn last_hidden_state(&self, pixels: Tensor<4>) -> Result<Tensor<3>> {
        let embedded = self.embeddings.forward(pixels)?;
        let hidden = self.encoder.layer.iter().fold(embedded, |hidden, layer| layer.forward(hidden));
        Ok(self.layernorm.forward(hidden))
    }
}

impl ImageEncoder for Dinov2Model {
    fn forward(&self, pixels: Tensor<4>) -> Result<ImageEncoding> {
        let hidden = self.last_hidden_state(pixels)?;
        let pooled = token(&hidden, 0);
        Ok(ImageEncoding { last_hidden_state: hidden.into(), pooler_output: Some(pooled.into()) })
    }
}

/// The class token and the patches, with a learned vector for each place.
#[derive(Module, Debug)]
struct Dinov2Embeddings {
    cls_token: Param<Tensor<3>>,
    position_embeddings: Param<Tensor<3>>,
    patch_embeddings: PatchEmbedding,
    #[module(skip)]
    patch_size: Sides,
}

impl Dinov2Embeddings {
    fn new(config: &Dinov2Config, placement: &Placement) -> Result<Self> {
        let size = config.hidden_size;
        let patches = config.image_size.patches(config.patch_size).area();
        Ok(Self {
            cls_token: placement.parameter([1, 1, size]),
            position_embeddings: placement.parameter([1, patches + 1, size]),
            patch_embeddings: PatchEmbedding::new(config.num_channels, size, config.patch_size, placement)?,
            patch_size: config.patch_size,
        })
    }

    fn forward(&self, pixels: Tensor<4>) -> Result<Tensor<3>> {
        let [_, _, height, width] = pixels.dims();
        let patches = self.patch_embeddings.forward(pixels)?;
        let [images, _, size] = patches.dims();
        let cls_token = self.cls_token.val().expand([images, 1, size]);
        Ok(Tensor::cat(vec![cls_token, patches], 1) + self.positions(Sides { height, width })?)
    }

    /// The vectors of places for an image of this size: the table's own for a square with as many patches, else the
    /// square of the table stretched.
    fn positions(&self, image: Sides) -> Result<Tensor<3>> {
        let table = self.position_embeddings.val();
        let [_, positions, size] = table.dims();
        let (known, wanted) = (positions - 1, image.patches(self.patch_size));
        if wanted.area() == known && image.height == image.width {
            return Ok(table);
        }
        let side = known.isqrt();
        if side * side != known {
            let message = format!(
                "`image_size` in `config.json` cuts {known} patches, which are no square: such a model reads images of that size only, if they are as high as wide"
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        let cls_place = table.clone().narrow(1, 0, 1);
        let places = table.narrow(1, 1, known).reshape([side, side, size]);
        let places = stretch(places, wanted).reshape([1, wanted.area(), size]);
        Ok(Tensor::cat(vec![cls_place, places], 1))
    }
}

#[derive(Module, Debug)]
struct Dinov2Encoder {
    layer: Vec<Dinov2Layer>,
}

/// One layer: attention and a feed-forward part, each on a norm, scaled by element and added to its input.
#[derive(Module, Debug)]
struct Dinov2Layer {
    norm1: LayerNorm,
    attention: ViTAttention,
    layer_scale1: Dinov2LayerScale,
    norm2: LayerNorm,
    mlp: Dinov2Mlp,
    layer_scale2: Dinov2LayerScale,
}

impl Dinov2Layer {
    fn new(config: &Dinov2Config, index: usize, placement: &Placement) -> Result<Self> {
        let size = config.hidden_size;
        let attention = ViTAttentionConfig {
            hidden_size: size,
            num_attention_heads: config.num_attention_heads,
            heads_left: config.pruned_heads.left(index, config.num_attention_heads),
            qkv_bias: config.qkv_bias,
        };
        let scale = || Dinov2LayerScale { lambda1: placement.parameter([size]) };
        Ok(Self {
            norm1: LayerNorm::new(size, config.layer_norm_eps, placement),
            attention: ViTAttention::new(&attention, placement)?,
            layer_scale1: scale(),
            norm2: LayerNorm::new(size, config.layer_norm_eps, placement),
            mlp: Dinov2Mlp::new(config, placement)?,
            layer_scale2: scale(),
        })
    }

    fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        let attended = self.attention.forward(self.norm1.forward(hidden.clone()));
        let hidden = self.layer_scale1.forward(attended) + hidden;
        let inner = self.mlp.forward(self.norm2.forward(hidden.clone()));
        self.layer_scale2.forward(inner) + hidden
    }
}

#[derive(Module, Debug)]
struct Dinov2LayerScale {
    lambda1: Param<Tensor<1>>,
}

impl Dinov2LayerScale {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        x * self.lambda1.val().unsqueeze::<3>()
    }
}

/// The feed-forward part; by `use_swiglu_ffn` one with a gate.
#[derive(Module, Debug)]
enum Dinov2Mlp {
    Plain(Dinov2PlainMlp),
    Gated(Dinov2SwiGluFfn),
}

#[derive(Module, Debug)]
struct Dinov2PlainMlp {
    fc1: Linear,
    activation: ActivationLayer,
    fc2: Linear,
}

#[derive(Module, Debug)]
struct Dinov2SwiGluFfn {
    weights_in: Linear,
    gate: ActivationLayer,
    weights_out: Linear,
}

impl Dinov2Mlp {
    fn new(config: &Dinov2Config, placement: &Placement) -> Result<Self> {
        let size = config.hidden_size;
        let inner = (size as f64 * config.mlp_ratio) as usize;
        if config.use_swiglu_ffn {
            // Two thirds, as the gate costs one; a multiple of 8.
            let inner = ((inner as f64 * 2.0 / 3.0) as usize).next_multiple_of(8);
            return Ok(Self::Gated(Dinov2SwiGluFfn {
                weights_in: Linear::new(size, 2 * inner, placement),
                gate: ActivationLayer::new(Activation::Silu, placement),
                weights_out: Linear::new(inner, size, placement),
            }));
        }
        Ok(Self::Plain(Dinov2PlainMlp {
            fc1: Linear::new(size, inner, placement),
            activation: ActivationLayer::new(Activation::from_name(&config.hidden_act)?, placement),
            fc2: Linear::new(inner, size, placement),
        }))
    }

    fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        match self {
            Self::Plain(mlp) => mlp.fc2.forward(mlp.fc1.forward_activated(hidden, &mlp.activation)),
            Self::Gated(mlp) => {
                let both = mlp.weights_in.forward(hidden);
                let inner = both.dims()[2] / 2;
                let gate = mlp.gate.forward(both.clone().narrow(2, 0, inner));
                mlp.weights_out.forward(gate * both.narrow(2, inner, inner))
            }
        }
    }
}
