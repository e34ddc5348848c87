//! The heads, for wav2vec 2.0 and the families that are built like it.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_nn::{
    AudioClassifier, BatchLayout, BatchNorm, CtcModel, Linear, LoadContext, SoundBatch, WeightNames, Weights,
    ops,
};

use super::Wav2Vec2Config;
use super::model::Model;

/// What a family's checkpoints call their weights.
pub(crate) struct Family {
    /// The model without its head.
    pub(crate) base_model_prefix: &'static str,
    /// `base_model.`, and how the checkpoints call it.
    pub(crate) renames: &'static [(&'static str, &'static str)],
    /// The same for checkpoints that are written by newer versions of torch.
    pub(crate) parametrized_renames: &'static [(&'static str, &'static str)],
}

impl Family {
    fn fill<M: Module>(
        &self,
        model: M,
        context: &LoadContext<'_>,
        ignored: &'static [&'static str],
    ) -> Result<M> {
        let weights = Weights::open(context.checkpoint)?;
        let parametrized = weights.keys().any(|key| key.ends_with("conv.parametrizations.weight.original0"));
        let names = WeightNames {
            base_model_prefix: self.base_model_prefix,
            is_base_model: false,
            renames: if parametrized { self.parametrized_renames } else { self.renames },
            ignored,
        };
        weights.fill(model, &names, context.placement)
    }
}

/// What is left over of pre-training and training, and other heads.
const IGNORED_BY_CTC: &[&str] = &[
    "masked_spec_embed",
    BatchNorm::COUNT,
    "quantizer",
    "project_q",
    "project_hid",
    "projector",
    "classifier",
    "layer_weights",
];
const IGNORED_BY_CLASSIFIER: &[&str] =
    &["masked_spec_embed", BatchNorm::COUNT, "quantizer", "project_q", "project_hid", "lm_head"];

/// Loads the CTC model of a family.
pub(crate) fn load_ctc_model(
    context: &LoadContext<'_>,
    config: &Wav2Vec2Config,
    family: &Family,
) -> Result<ForCtc> {
    let model = ForCtc {
        base_model: Model::new(config, context.placement)?,
        lm_head: Linear::new(config.output_size(), config.vocab_size, context.placement),
        inputs_to_logits_ratio: config.inputs_to_logits_ratio(),
    };
    let model = family.fill(model, context, IGNORED_BY_CTC)?;
    Ok(ForCtc { base_model: model.base_model.settled(), ..model })
}

/// Loads the audio classifier of a family.
pub(crate) fn load_audio_classifier(
    context: &LoadContext<'_>,
    config: &Wav2Vec2Config,
    family: &Family,
) -> Result<ForSequenceClassification> {
    if config.add_adapter {
        let message = "`add_adapter` in `config.json` is true; as in Python, classifiers take no adapter";
        return Err(Error::new(ErrorKind::Config, message));
    }
    let placement = context.placement;
    let states = config.num_hidden_layers + 1;
    let model = ForSequenceClassification {
        base_model: Model::new(config, placement)?,
        layer_weights: config.use_weighted_layer_sum.then(|| placement.parameter([states])),
        projector: Linear::new(config.hidden_size, config.classifier_proj_size, placement),
        classifier: Linear::new(config.classifier_proj_size, context.label_count()?, placement),
    };
    let model = family.fill(model, context, IGNORED_BY_CLASSIFIER)?;
    Ok(ForSequenceClassification { base_model: model.base_model.settled(), ..model })
}

/// The scores of letters at every step in time.
#[derive(Module, Debug)]
pub(crate) struct ForCtc {
    base_model: Model,
    lm_head: Linear,
    #[module(skip)]
    inputs_to_logits_ratio: usize,
}

impl CtcModel for ForCtc {
    fn layout(&self) -> BatchLayout {
        self.base_model.layout()
    }

    fn inputs_to_logits_ratio(&self) -> usize {
        self.inputs_to_logits_ratio
    }

    fn forward(&self, sounds: &SoundBatch) -> Result<Tensor<3>> {
        Ok(self.lm_head.forward(self.base_model.forward(sounds, |_| ())?))
    }
}

/// The scores of a whole sound's labels, from the mean of its steps.
#[derive(Module, Debug)]
pub(crate) struct ForSequenceClassification {
    base_model: Model,
    /// `[layers + 1]`
    layer_weights: Option<Param<Tensor<1>>>,
    projector: Linear,
    classifier: Linear,
}

impl AudioClassifier for ForSequenceClassification {
    fn layout(&self) -> BatchLayout {
        self.base_model.layout()
    }

    fn forward(&self, sounds: &SoundBatch) -> Result<Tensor<2>> {
        let hidden = match &self.layer_weights {
            None => self.base_model.forward(sounds, |_| ())?,
            Some(weights) => self.sum_of_layers(sounds, weights.val())?,
        };
        let projected = self.projector.forward(hidden);
        let [sounds, _, size] = projected.dims();
        Ok(self.classifier.forward(projected.mean_dim(1).reshape([sounds, size])))
    }
}

impl ForSequenceClassification {
    /// What goes into the layers and what comes out of the last, weighed.
    fn sum_of_layers(&self, sounds: &SoundBatch, weights: Tensor<1>) -> Result<Tensor<3>> {
        let weights = ops::softmax(weights);
        let (mut sum, mut state): (Option<Tensor<3>>, usize) = (None, 0);
        let last = self.base_model.forward(sounds, |hidden| {
            let weighed = hidden.clone() * weights.clone().narrow(0, state, 1).reshape([1, 1, 1]);
            sum = Some(sum.take().map_or(weighed.clone(), |sum| sum + weighed));
            state += 1;
        })?;
        Ok(sum.unwrap_or(last))
    }
}
