//! The heads that decoders have alike: a causal LM, and readers of whole texts that lie one after the other.
//!
//! Reference: `modeling_layers.py` (`GenericForSequenceClassification` and its like) and the `...ForCausalLM` of
//! `modeling_llama.py` of transformers 4.56.2.

use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;
use burnpipe_core::Result;

use crate::{
    BatchLayout, CausalLm, Encoder, KvCache, Linear, LoadContext, QuestionAnswerer, SequenceClassifier,
    TokenBatch, TokenClassifier, TokenStep, WeightNames,
};

/// A decoder without a head.
pub trait Decoder: Module + ModuleDisplay + Send + Sync + 'static {
    /// A cache without rows.
    fn cache(&self) -> KvCache;

    /// The last hidden states of new tokens: `[1, tokens, hidden]`.
    ///
    /// # Errors
    ///
    /// When the model cannot take the tokens.
    fn forward(&self, step: &TokenStep, cache: &mut KvCache) -> Result<Tensor<3>>;

    /// The last hidden states of whole texts that lie one after the other: `[1, tokens, hidden]`.
    ///
    /// # Errors
    ///
    /// When the model cannot take the tokens.
    fn read(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        let (step, mut cache) = TokenStep::whole(batch, self.cache());
        self.forward(&step, &mut cache)
    }
}

/// An architecture whose heads are the usual ones: how its decoder is made of a checkpoint's config.
pub trait DecoderFamily: 'static {
    /// The model without a head.
    type Decoder: Decoder;

    /// Whether its question answerer calls the model `transformer`, as others did once, and not `model`.
    const QUESTIONS_TRANSFORMER: bool = false;

    /// The model, without memory until a checkpoint fills it, and what its heads need to know.
    ///
    /// # Errors
    ///
    /// When the config does not describe such a model.
    fn from_config(context: &LoadContext<'_>) -> Result<(Self::Decoder, DecoderHeadConfig)>;
}

/// What a config says of a decoder's heads.
#[derive(Clone, Debug)]
pub struct DecoderHeadConfig {
    /// `hidden_size`
    pub hidden_size: usize,
    /// `vocab_size`
    pub vocab_size: usize,
    /// `pad_token_id`
    pub pad_token_id: Option<u32>,
    /// `tie_word_embeddings`
    pub tie_word_embeddings: bool,
    /// `final_logit_softcapping`
    pub final_logit_softcapping: Option<f64>,
}

/// The angles that old checkpoints hold as buffers, and the heads beside the one that is read.
const IGNORED: &[&str] = &["rotary_emb.inv_freq", "lm_head", "score", "qa_outputs"];

const NAMES: WeightNames =
    WeightNames { base_model_prefix: "model", is_base_model: false, renames: &[], ignored: IGNORED };

/// The output layer is the table of words if the config ties them.
const TIED: &[(&str, &str)] = &[("lm_head.weight", "model.embed_tokens.weight")];

/// The causal LM of a family.
///
/// # Errors
///
/// When config and weights are not those of such a model.
pub fn load_causal_lm<F: DecoderFamily>(context: &LoadContext<'_>) -> Result<Box<dyn CausalLm>> {
    let (model, config) = F::from_config(context)?;
    let model = DecoderForCausalLM {
        model,
        lm_head: Linear::with_bias(config.hidden_size, config.vocab_size, false, context.placement),
        vocabulary: config.vocab_size,
        soft_cap: config.final_logit_softcapping,
    };
    let renames = if config.tie_word_embeddings { TIED } else { &[] };
    Ok(Box::new(context.fill(model, &WeightNames { renames, ..NAMES })?))
}

/// The model of a family without a head.
///
/// # Errors
///
/// When config and weights are not those of such a model.
pub fn load_encoder<F: DecoderFamily>(context: &LoadContext<'_>) -> Result<Box<dyn Encoder>> {
    let (decoder, _) = F::from_config(context)?;
    let decoder = context.fill(decoder, &WeightNames { is_base_model: true, ..NAMES })?;
    Ok(Box::new(DecoderEncoder { decoder }))
}

/// The question answerer of a family.
///
/// # Errors
///
/// When config and weights are not those of such a model.
pub fn load_question_answerer<F: DecoderFamily>(
    context: &LoadContext<'_>,
) -> Result<Box<dyn QuestionAnswerer>> {
    let (model, config) = F::from_config(context)?;
    let model = DecoderForQuestionAnswering {
        model,
        qa_outputs: Linear::new(config.hidden_size, 2, context.placement),
    };
    let names = match F::QUESTIONS_TRANSFORMER {
        true => {
            WeightNames { base_model_prefix: "transformer", renames: &[("model.", "transformer.")], ..NAMES }
        }
        false => NAMES,
    };
    Ok(Box::new(context.fill(model, &names)?))
}

/// The classifier of texts of a family.
///
/// # Errors
///
/// When config and weights are not those of such a model.
pub fn load_sequence_classifier<F: DecoderFamily>(
    context: &LoadContext<'_>,
) -> Result<Box<dyn SequenceClassifier>> {
    let (model, config) = F::from_config(context)?;
    let model = DecoderForSequenceClassification {
        model,
        score: Linear::with_bias(config.hidden_size, context.label_count()?, false, context.placement),
        pad_token_id: config.pad_token_id,
    };
    Ok(Box::new(context.fill(model, &NAMES)?))
}

/// The classifier of tokens of a family.
///
/// # Errors
///
/// When config and weights are not those of such a model.
pub fn load_token_classifier<F: DecoderFamily>(
    context: &LoadContext<'_>,
) -> Result<Box<dyn TokenClassifier>> {
    let (model, config) = F::from_config(context)?;
    let model = DecoderForTokenClassification {
        model,
        score: Linear::new(config.hidden_size, context.label_count()?, context.placement),
    };
    Ok(Box::new(context.fill(model, &NAMES)?))
}

/// The scores of what comes next.
#[derive(Module, Debug)]
struct DecoderForCausalLM<D: Decoder> {
    model: D,
    lm_head: Linear,
    #[module(skip)]
    vocabulary: usize,
    #[module(skip)]
    soft_cap: Option<f64>,
}

impl<D: Decoder> CausalLm for DecoderForCausalLM<D> {
    fn cache(&self) -> KvCache {
        self.model.cache()
    }

    fn positions(&self) -> Option<usize> {
        None
    }

    fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    fn forward(&self, step: &TokenStep, cache: &mut KvCache) -> Result<Tensor<3>> {
        self.model.forward(step, cache)
    }

    fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        let logits = self.lm_head.forward(hidden);
        match self.soft_cap {
            Some(cap) => (logits / cap).tanh() * cap,
            None => logits,
        }
    }
}

/// The model without a head.
struct DecoderEncoder<D: Decoder> {
    decoder: D,
}

impl<D: Decoder> Encoder for DecoderEncoder<D> {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        self.decoder.read(batch)
    }
}

/// The scores of every token as the start and the end of an answer.
#[derive(Module, Debug)]
struct DecoderForQuestionAnswering<D: Decoder> {
    model: D,
    qa_outputs: Linear,
}

impl<D: Decoder> QuestionAnswerer for DecoderForQuestionAnswering<D> {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.qa_outputs.forward(self.model.read(batch)?))
    }
}

/// The scores of a whole text's labels, from its last token.
#[derive(Module, Debug)]
struct DecoderForSequenceClassification<D: Decoder> {
    model: D,
    score: Linear,
    #[module(skip)]
    pad_token_id: Option<u32>,
}

impl<D: Decoder> SequenceClassifier for DecoderForSequenceClassification<D> {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<2>> {
        let hidden = batch.last_tokens_but(self.pad_token_id, self.model.read(batch)?);
        Ok(self.score.forward(hidden))
    }
}

/// The scores of every token's labels.
#[derive(Module, Debug)]
struct DecoderForTokenClassification<D: Decoder> {
    model: D,
    score: Linear,
}

impl<D: Decoder> TokenClassifier for DecoderForTokenClassification<D> {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.score.forward(self.model.read(batch)?))
    }
}
