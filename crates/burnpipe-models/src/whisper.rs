//! Whisper: an encoder of spectrograms, and a decoder that writes what is said in them.
//!
//! Paper: <https://arxiv.org/abs/2212.04356>. Reference: `modeling_whisper.py` of transformers 4.56.2.
//!
//! Heads: speech seq2seq.

mod attention;

use burn::module::Module;
use burn::tensor::{DType, Int, Tensor};
use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_nn::ops::Sliding;
use burnpipe_nn::{
    Activation, ActivationLayer, Architecture, BatchLayout, Conv1d, Embedding, Heads, KvCache, LayerNorm,
    Linear, LoadContext, Placement, Seq2SeqLm, SoundBatch, SourceCache, SpeechSeq2Seq, TokenStep,
    WeightNames, head_size,
};
use serde::Deserialize;

use attention::WhisperAttention;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "whisper",
    heads: Heads {
        speech_seq2seq: Some(|context| Ok(Box::new(load_speech_seq2seq(context)?))),
        ..Heads::NONE
    },
};

/// Of all norms; no config changes it.
const EPSILON: f64 = 1e-5;

/// Frames that one position of the encoder stands for: the stride of its second convolution.
const FRAMES_OF_POSITION: usize = 2;

/// config.json, with the defaults of `WhisperConfig`. `scale_embedding` is read there, and changes nothing.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct WhisperConfig {
    vocab_size: usize,
    num_mel_bins: usize,
    d_model: usize,
    encoder_layers: usize,
    encoder_attention_heads: usize,
    encoder_ffn_dim: usize,
    decoder_layers: usize,
    decoder_attention_heads: usize,
    decoder_ffn_dim: usize,
    activation_function: String,
    max_source_positions: usize,
    max_target_positions: usize,
    tie_word_embeddings: bool,
}

impl Default for WhisperConfig {
    fn default() -> Self {
        Self {
            vocab_size: 51865,
            num_mel_bins: 80,
            d_model: 384,
            encoder_layers: 4,
            encoder_attention_heads: 6,
            encoder_ffn_dim: 1536,
            decoder_layers: 4,
            decoder_attention_heads: 6,
            decoder_ffn_dim: 1536,
            activation_function: "gelu".into(),
            max_source_positions: 1500,
            max_target_positions: 448,
            tie_word_embeddings: true,
        }
    }
}

impl WhisperConfig {
    fn activation(&self, placement: &Placement) -> Result<ActivationLayer> {
        Ok(ActivationLayer::new(Activation::from_name(&self.activation_function)?, placement))
    }

    fn norm(&self, placement: &Placement) -> LayerNorm {
        LayerNorm::new(self.d_model, EPSILON, placement)
    }
}

const NAMES: WeightNames =
    WeightNames { base_model_prefix: "model", is_base_model: false, renames: &[], ignored: &["proj_out"] };

/// The output layer is the table of words unless the config unties them.
const TIED: &[(&str, &str)] = &[("proj_out.weight", "model.decoder.embed_tokens.weight")];

fn load_speech_seq2seq(context: &LoadContext<'_>) -> Result<WhisperForConditionalGeneration> {
    let config: WhisperConfig = context.checkpoint.config()?.parse()?;
    let model = WhisperForConditionalGeneration {
        model: WhisperModel {
            encoder: WhisperEncoder::new(&config, context.placement)?,
            decoder: WhisperDecoder::new(&config, context.placement)?,
        },
        proj_out: Linear::with_bias(config.d_model, config.vocab_size, false, context.placement),
        placement: context.placement.clone(),
    };
    let renames = if config.tie_word_embeddings { TIED } else { &[] };
    context.fill(model, &WeightNames { renames, ..NAMES })
}

/// The scores of what comes next in a text about a sound.
#[derive(Module, Debug)]
struct WhisperForConditionalGeneration {
    model: WhisperModel,
    proj_out: Linear,
    #[module(skip)]
    placement: Placement,
}

#[derive(Module, Debug)]
struct WhisperModel {
    encoder: WhisperEncoder,
    decoder: WhisperDecoder,
}

impl Seq2SeqLm for WhisperForConditionalGeneration {
    fn cache(&self) -> KvCache {
        KvCache::new(self.model.decoder.layers.len())
    }

    fn positions(&self) -> Option<usize> {
        Some(self.model.decoder.positions)
    }

    fn vocabulary(&self) -> usize {
        self.model.decoder.vocabulary
    }

    fn forward(&self, step: &TokenStep, sources: &[&SourceCache], cache: &mut KvCache) -> Result<Tensor<3>> {
        self.model.decoder.forward(step, sources, cache, |_, _| ())
    }

    fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.proj_out.forward(hidden)
    }
}

impl SpeechSeq2Seq for WhisperForConditionalGeneration {
    fn layout(&self) -> BatchLayout {
        BatchLayout::fastest(&self.placement)
    }

    fn encode(&self, sounds: &SoundBatch) -> Result<Vec<SourceCache>> {
        let states = self.model.encoder.forward(sounds.spectrograms_by_bins(&self.placement)?)?;
        let layers = self.model.decoder.layers.iter();
        Ok(SourceCache::each(
            layers.map(|layer| layer.encoder_attn.keys_and_values(states.clone())).collect(),
        ))
    }

    fn cross_attentions(
        &self,
        tokens: &[u32],
        source: &SourceCache,
        heads: &[(usize, usize)],
    ) -> Result<Tensor<3>> {
        let decoder = &self.model.decoder;
        decoder.check_heads(heads)?;
        let mut cache = self.cache();
        cache.select(&[None]);
        let step = TokenStep::new([(0, tokens)], &cache)?;
        let mut weights: Vec<Option<Tensor<3>>> = vec![None; heads.len()];
        decoder.forward(&step, &[source], &mut cache, |layer, query| {
            let wanted =
                |(place, (of, head)): (usize, &(usize, usize))| (*of == layer).then_some((place, *head));
            let (places, chosen): (Vec<usize>, Vec<usize>) =
                heads.iter().enumerate().filter_map(wanted).unzip();
            if chosen.is_empty() {
                return;
            }
            let Some(found) = source.weights(layer, query.clone(), &chosen, None) else { return };
            for (at, place) in places.into_iter().enumerate() {
                weights[place] = Some(found.clone().narrow(0, at, 1));
            }
        })?;
        let weights: Vec<Tensor<3>> = weights.into_iter().flatten().collect();
        if weights.is_empty() {
            return Err(Error::new(ErrorKind::Config, "no heads are named whose attention tells times"));
        }
        Ok(Tensor::cat(weights, 0))
    }
}

/// Two convolutions over the frames, positions from a table, full attention layer after layer.
#[derive(Module, Debug)]
struct WhisperEncoder {
    conv1: Conv1d,
    conv2: Conv1d,
    embed_positions: Embedding,
    layers: Vec<WhisperEncoderLayer>,
    layer_norm: LayerNorm,
    /// Behind the convolutions, whatever the layers have.
    gelu: ActivationLayer,
    #[module(skip)]
    bins: usize,
    #[module(skip)]
    positions: usize,
}

impl WhisperEncoder {
    fn new(config: &WhisperConfig, placement: &Placement) -> Result<Self> {
        let (size, positions) = (config.d_model, config.max_source_positions);
        let conv = |channels: usize, stride: usize| {
            let sliding = Sliding { stride: [stride], padding: [1], ..Sliding::default() };
            Conv1d::new(channels, size, 3, true, sliding, placement)
        };
        let layers = (0..config.encoder_layers).map(|_| WhisperEncoderLayer::new(config, placement));
        Ok(Self {
            conv1: conv(config.num_mel_bins, 1),
            conv2: conv(size, FRAMES_OF_POSITION),
            embed_positions: Embedding::new(positions, size, placement),
            layers: layers.collect::<Result<_>>()?,
            layer_norm: config.norm(placement),
            gelu: ActivationLayer::new(Activation::from_name("gelu")?, placement),
            bins: config.num_mel_bins,
            positions,
        })
    }

    /// # Shapes
    ///
    /// - `features`: `[sounds, bins, frames]`
    /// - result: `[sounds, positions, d_model]`
    fn forward(&self, features: Tensor<3>) -> Result<Tensor<3>> {
        let [_, bins, frames] = features.dims();
        let expected = self.positions * FRAMES_OF_POSITION;
        if bins != self.bins || frames != expected {
            let message = format!(
                "the model takes {} bins and {expected} frames of a sound, not {bins} and {frames}; does `preprocessor_config.json` belong to it?",
                self.bins
            );
            return Err(Error::new(ErrorKind::Input, message));
        }
        let hidden = self.gelu.forward(self.conv1.forward(features));
        let hidden = self.gelu.forward(self.conv2.forward(hidden)).swap_dims(1, 2);
        let all: Tensor<1, Int> = Tensor::arange(0..self.positions as i64, (&hidden.device(), DType::I32));
        let hidden = hidden + self.embed_positions.forward(all.unsqueeze());
        let hidden = self.layers.iter().fold(hidden, |hidden, layer| layer.forward(hidden));
        Ok(self.layer_norm.forward(hidden))
    }
}

/// Attention, then a feed-forward part, each normed before and added to its input.
#[derive(Module, Debug)]
struct WhisperEncoderLayer {
    self_attn: WhisperAttention,
    self_attn_layer_norm: LayerNorm,
    activation_fn: ActivationLayer,
    fc1: Linear,
    fc2: Linear,
    final_layer_norm: LayerNorm,
}

impl WhisperEncoderLayer {
    fn new(config: &WhisperConfig, placement: &Placement) -> Result<Self> {
        let (size, inner) = (config.d_model, config.encoder_ffn_dim);
        let heads = ("encoder_attention_heads", config.encoder_attention_heads);
        let head_size = head_size(("d_model", size), heads)?;
        Ok(Self {
            self_attn: WhisperAttention::new(size, head_size, placement),
            self_attn_layer_norm: config.norm(placement),
            activation_fn: config.activation(placement)?,
            fc1: Linear::new(size, inner, placement),
            fc2: Linear::new(inner, size, placement),
            final_layer_norm: config.norm(placement),
        })
    }

    fn forward(&self, hidden: Tensor<3>) -> Tensor<3> {
        let normed = self.self_attn_layer_norm.forward(hidden.clone());
        let hidden = self.self_attn.full_added(normed, hidden);
        let normed = self.final_layer_norm.forward(hidden.clone());
        let inner = self.fc1.forward_activated(normed, &self.activation_fn);
        let hidden = self.fc2.forward_added(inner, hidden);
        match hidden.dtype() {
            // The largest number of f16 is near in deep layers.
            DType::F16 => hidden.clamp(-64504.0, 64504.0),
            _ => hidden,
        }
    }
}

/// Words and learned positions, attention to the text so far and to the sound, layer after layer.
#[derive(Module, Debug)]
struct WhisperDecoder {
    embed_tokens: Embedding,
    embed_positions: Embedding,
    layers: Vec<WhisperDecoderLayer>,
    layer_norm: LayerNorm,
    #[module(skip)]
    vocabulary: usize,
    #[module(skip)]
    positions: usize,
    #[module(skip)]
    heads: usize,
}

impl WhisperDecoder {
    fn new(config: &WhisperConfig, placement: &Placement) -> Result<Self> {
        let (size, positions) = (config.d_model, config.max_target_positions);
        let layers = (0..config.decoder_layers).map(|_| WhisperDecoderLayer::new(config, placement));
        Ok(Self {
            embed_tokens: Embedding::new(config.vocab_size, size, placement),
            embed_positions: Embedding::new(positions, size, placement),
            layers: layers.collect::<Result<_>>()?,
            layer_norm: config.norm(placement),
            vocabulary: config.vocab_size,
            positions,
            heads: config.decoder_attention_heads,
        })
    }

    /// The last hidden states of new tokens; `watch` is shown every layer's queries to the sound.
    fn forward(
        &self,
        step: &TokenStep,
        sources: &[&SourceCache],
        cache: &mut KvCache,
        mut watch: impl FnMut(usize, &Tensor<4>),
    ) -> Result<Tensor<3>> {
        step.check(self.vocabulary, Some(self.positions))?;
        if sources.len() != step.texts().len() {
            let message = format!("{} texts are about {} sounds", step.texts().len(), sources.len());
            return Err(Error::new(ErrorKind::Internal, message));
        }
        let device = self.embed_tokens.device();
        let words = self.embed_tokens.forward(step.input_ids(&device));
        let mut hidden = words + self.embed_positions.forward(step.to_device(step.positions(), &device));
        for (index, layer) in self.layers.iter().enumerate() {
            let normed = layer.self_attn_layer_norm.forward(hidden.clone());
            hidden = layer.self_attn.cached_added(normed, hidden, step, (index, &mut *cache));
            let query = layer.encoder_attn.query(layer.encoder_attn_layer_norm.forward(hidden.clone()));
            watch(index, &query);
            let context = SourceCache::attend(sources, index, query, step, None);
            hidden = layer.encoder_attn.output_added(context, hidden);
            hidden = layer.feed_forward_added(hidden);
        }
        Ok(self.layer_norm.forward(hidden))
    }

    /// Refuses heads that are not there.
    fn check_heads(&self, heads: &[(usize, usize)]) -> Result<()> {
        let there = |(layer, head): &(usize, usize)| *layer < self.layers.len() && *head < self.heads;
        match heads.iter().find(|head| !there(head)) {
            None => Ok(()),
            Some((layer, head)) => {
                let message = format!(
                    "`alignment_heads` name head {head} of layer {layer}, and the decoder has {} layers of {} heads",
                    self.layers.len(),
                    self.heads
                );
                Err(Error::new(ErrorKind::Config, message))
            }
        }
    }
}

/// Attention to the text, attention to the sound, then a feed-forward part, each normed before and added to its input.
#[derive(Module, Debug)]
struct WhisperDecoderLayer {
    self_attn: WhisperAttention,
    self_attn_layer_norm: LayerNorm,
    encoder_attn: WhisperAttention,
    encoder_attn_layer_norm: LayerNorm,
    activation_fn: ActivationLayer,
    fc1: Linear,
    fc2: Linear,
    final_layer_norm: LayerNorm,
}

impl WhisperDecoderLayer {
    fn new(config: &WhisperConfig, placement: &Placement) -> Result<Self> {
        let (size, inner) = (config.d_model, config.decoder_ffn_dim);
        let heads = ("decoder_attention_heads", config.decoder_attention_heads);
        let head_size = head_size(("d_model", size), heads)?;
        Ok(Self {
            self_attn: WhisperAttention::new(size, head_size, placement),
            self_attn_layer_norm: config.norm(placement),
            encoder_attn: WhisperAttention::new(size, head_size, placement),
            encoder_attn_layer_norm: config.norm(placement),
            activation_fn: config.activation(placement)?,
            fc1: Linear::new(size, inner, placement),
            fc2: Linear::new(inner, size, placement),
            final_layer_norm: config.norm(placement),
        })
    }

    fn feed_forward_added(&self, hidden: Tensor<3>) -> Tensor<3> {
        let normed = self.final_layer_norm.forward(hidden.clone());
        self.fc2.forward_added(self.fc1.forward_activated(normed, &self.activation_fn), hidden)
    }
}
