//! DeiT: ViT with a second token beside the class token, which learned from a teacher.
//!
//! Paper: <https://arxiv.org/abs/2012.12877>. Reference: `modeling_deit.py` of transformers 4.56.2.
//!
//! Heads: image classifier (one head, or the mean of the class token's and the distillation token's), image encoder.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burnpipe_core::Result;
use burnpipe_nn::{
    Architecture, Heads, ImageClassifier, ImageEncoder, ImageEncoding, LayerNorm, Linear, LoadContext,
    PatchEmbedding, Placement, Sides, WeightNames, Weights,
};

use crate::vit::{IGNORED, ViTConfig, ViTEncoder, ViTPooler, has_pooler, other_size, token};

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "deit",
    heads: Heads {
        image_classifier: Some(load_image_classifier),
        image_encoder: Some(|context| Ok(Box::new(load_image_encoder(context)?))),
        ..Heads::NONE
    },
};

/// The class of checkpoints with two heads; any other has one, as `AutoModelForImageClassification` decides.
const WITH_TEACHER: &str = "DeiTForImageClassificationWithTeacher";
const WITHOUT_TEACHER: &str = "DeiTForImageClassification";

fn names(is_base_model: bool, ignored: &'static [&'static str]) -> WeightNames {
    WeightNames { base_model_prefix: "deit", is_base_model, renames: &[], ignored }
}

fn load_image_classifier(context: &LoadContext<'_>) -> Result<Box<dyn ImageClassifier>> {
    let config = context.checkpoint.config()?;
    let named =
        config.architectures().iter().find(|name| [WITH_TEACHER, WITHOUT_TEACHER].contains(&name.as_str()));
    let has_teacher = named.is_some_and(|name| name == WITH_TEACHER);
    let config: ViTConfig = config.parse()?;
    let labels = context.label_count()?;
    let classifier = || Linear::new(config.hidden_size, labels, context.placement);
    let deit = DeiTModel::new(&config, false, context.placement)?;
    if has_teacher {
        let model = DeiTForImageClassificationWithTeacher {
            deit,
            cls_classifier: classifier(),
            distillation_classifier: classifier(),
        };
        return Ok(Box::new(context.fill(model, &names(false, IGNORED))?));
    }
    let model = DeiTForImageClassification { deit, classifier: classifier() };
    Ok(Box::new(context.fill(model, &names(false, IGNORED))?))
}

fn load_image_encoder(context: &LoadContext<'_>) -> Result<DeiTModel> {
    let config = context.checkpoint.config()?.parse()?;
    let weights = Weights::open(context.checkpoint)?;
    let model = DeiTModel::new(&config, has_pooler(&weights), context.placement)?;
    let ignored = &["mask_token", "decoder", "classifier", "cls_classifier", "distillation_classifier"];
    weights.fill(model, &names(true, ignored), context.placement)
}

/// The scores of an image's labels, from the vector of the class token.
#[derive(Module, Debug)]
struct DeiTForImageClassification {
    deit: DeiTModel,
    classifier: Linear,
}

impl ImageClassifier for DeiTForImageClassification {
    fn forward(&self, pixels: Tensor<4>) -> Result<Tensor<2>> {
        Ok(self.classifier.forward(token(&self.deit.last_hidden_state(pixels)?, 0)))
    }
}

/// The mean of what the class token and the distillation token say.
#[derive(Module, Debug)]
struct DeiTForImageClassificationWithTeacher {
    deit: DeiTModel,
    cls_classifier: Linear,
    distillation_classifier: Linear,
}

impl ImageClassifier for DeiTForImageClassificationWithTeacher {
    fn forward(&self, pixels: Tensor<4>) -> Result<Tensor<2>> {
        let hidden = self.deit.last_hidden_state(pixels)?;
        let of_class = self.cls_classifier.forward(token(&hidden, 0));
        let of_teacher = self.distillation_classifier.forward(token(&hidden, 1));
        Ok((of_class + of_teacher) / 2.0)
    }
}

/// Embeddings, encoder, norm and, where the checkpoint has one, the pooler.
#[derive(Module, Debug)]
struct DeiTModel {
    embeddings: DeiTEmbeddings,
    encoder: ViTEncoder,
    layernorm: LayerNorm,
    pooler: Option<ViTPooler>,
}

impl DeiTModel {
    fn new(config: &ViTConfig, with_pooler: bool, placement: &Placement) -> Result<Self> {
        Ok(Self {
            embeddings: DeiTEmbeddings::new(config, placement)?,
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

impl ImageEncoder for DeiTModel {
    fn forward(&self, pixels: Tensor<4>) -> Result<ImageEncoding> {
        let hidden = self.last_hidden_state(pixels)?;
        let pooled = self.pooler.as_ref().map(|pooler| pooler.forward(&hidden));
        Ok(ImageEncoding { last_hidden_state: hidden.into(), pooler_output: pooled.map(Into::into) })
    }
}

/// The class token, the distillation token and the patches, with a learned vector for each place.
#[derive(Module, Debug)]
struct DeiTEmbeddings {
    cls_token: Param<Tensor<3>>,
    distillation_token: Param<Tensor<3>>,
    position_embeddings: Param<Tensor<3>>,
    patch_embeddings: PatchEmbedding,
    #[module(skip)]
    image_size: Sides,
}

impl DeiTEmbeddings {
    fn new(config: &ViTConfig, placement: &Placement) -> Result<Self> {
        let size = config.hidden_size;
        let patches = config.image_size.patches(config.patch_size).area();
        Ok(Self {
            cls_token: placement.parameter([1, 1, size]),
            distillation_token: placement.parameter([1, 1, size]),
            position_embeddings: placement.parameter([1, patches + 2, size]),
            patch_embeddings: PatchEmbedding::new(config.num_channels, size, config.patch_size, placement)?,
            image_size: config.image_size,
        })
    }

    fn forward(&self, pixels: Tensor<4>) -> Result<Tensor<3>> {
        let [_, _, height, width] = pixels.dims();
        let patches = self.patch_embeddings.forward(pixels)?;
        let [images, count, size] = patches.dims();
        // Unlike ViT, DeiT looks at the number of patches only.
        if count + 2 != self.position_embeddings.dims()[1] {
            return Err(other_size(width, height, self.image_size));
        }
        let same = |token: &Param<Tensor<3>>| token.val().expand([images, 1, size]);
        let tokens = vec![same(&self.cls_token), same(&self.distillation_token), patches];
        Ok(Tensor::cat(tokens, 1) + self.position_embeddings.val())
    }
}
