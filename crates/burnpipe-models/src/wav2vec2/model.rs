//! The model without a head.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_nn::{BatchLayout, Placement, SoundBatch};

use super::Wav2Vec2Config;
use super::adapter::Adapter;
use super::encoder::Encoder;
use super::feature_encoder::{FeatureEncoder, FeatureProjection};

/// Samples in, a vector for every step in time out.
#[derive(Module, Debug)]
pub(super) struct Model {
    feature_extractor: FeatureEncoder,
    feature_projection: FeatureProjection,
    encoder: Encoder,
    adapter: Option<Adapter>,
    #[module(skip)]
    least_samples: usize,
    #[module(skip)]
    placement: Placement,
}

impl Model {
    pub(super) fn new(config: &Wav2Vec2Config, placement: &Placement) -> Result<Self> {
        config.check()?;
        Ok(Self {
            feature_extractor: FeatureEncoder::new(config, placement)?,
            feature_projection: FeatureProjection::new(config, placement),
            encoder: Encoder::new(config, placement)?,
            adapter: config.add_adapter.then(|| Adapter::new(config, placement)),
            least_samples: config.least_samples(),
            placement: placement.clone(),
        })
    }

    /// Computes what is computed once, when the weights are there.
    pub(super) fn settled(self) -> Self {
        Self { encoder: self.encoder.settled(), ..self }
    }

    pub(super) fn layout(&self) -> BatchLayout {
        BatchLayout::fastest(&self.placement)
    }

    /// `watch` is shown what goes into each layer, and the last hidden states.
    ///
    /// # Shapes
    ///
    /// - result: `[sounds, steps, hidden]`
    pub(super) fn forward(&self, sounds: &SoundBatch, watch: impl FnMut(&Tensor<3>)) -> Result<Tensor<3>> {
        let samples = sounds.samples(&self.placement)?;
        let [_, length] = samples.dims();
        if length < self.least_samples {
            let message = format!(
                "a sound of {length} samples is too short: the model hears at least {} at a time",
                self.least_samples
            );
            return Err(Error::new(ErrorKind::Input, message));
        }
        let features = self.feature_extractor.forward(samples).swap_dims(1, 2);
        let hidden = self.encoder.forward(self.feature_projection.forward(features), watch);
        Ok(match &self.adapter {
            Some(adapter) => adapter.forward(hidden),
            None => hidden,
        })
    }
}
