//! GPT-2: a decoder with learned positions, its weights stored as `Conv1D` has them.
//!
//! Paper: *Language Models are Unsupervised Multitask Learners*,
//! <https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf>.
//! Reference: `modeling_gpt2.py` of transformers 4.56.2, with its attention by SDPA, which passes by
//! `scale_attn_weights`, `scale_attn_by_inverse_layer_idx` and `reorder_and_upcast_attn`.
//!
//! Heads: causal LM, encoder, question answerer, sequence classifier, token classifier.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_nn::{
    Activation, ActivationLayer, Architecture, BatchLayout, CachedScope, CausalLm, Embedding, Encoder, Heads,
    KvCache, LayerNorm, Linear, LoadContext, Placement, QuestionAnswerer, SequenceClassifier, TokenBatch,
    TokenClassifier, TokenStep, WeightNames,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "gpt2",
    heads: Heads {
        causal_lm: Some(|context| Ok(Box::new(load_causal_lm(context)?))),
        encoder: Some(|context| Ok(Box::new(load_encoder(context)?))),
        question_answerer: Some(|context| Ok(Box::new(load_question_answerer(context)?))),
        sequence_classifier: Some(|context| Ok(Box::new(load_sequence_classifier(context)?))),
        token_classifier: Some(|context| Ok(Box::new(load_token_classifier(context)?))),
        ..Heads::NONE
    },
};

/// config.json, with the defaults and the second names of `GPT2Config`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct GPT2Config {
    vocab_size: usize,
    #[serde(alias = "max_position_embeddings")]
    n_positions: usize,
    #[serde(alias = "hidden_size")]
    n_embd: usize,
    #[serde(alias = "num_hidden_layers")]
    n_layer: usize,
    #[serde(alias = "num_attention_heads")]
    n_head: usize,
    n_inner: Option<usize>,
    activation_function: String,
    layer_norm_epsilon: f64,
    pad_token_id: Option<u32>,
    tie_word_embeddings: bool,
    add_cross_attention: bool,
}

impl Default for GPT2Config {
    fn default() -> Self {
        Self {
            vocab_size: 50257,
            n_positions: 1024,
            n_embd: 768,
            n_layer: 12,
            n_head: 12,
            n_inner: None,
            activation_function: "gelu_new".into(),
            layer_norm_epsilon: 1e-5,
            pad_token_id: None,
            tie_word_embeddings: true,
            add_cross_attention: false,
        }
    }
}

/// The causal masks that old checkpoints hold as buffers, and the heads beside the one that is read.
macro_rules! ignored {
    ($($head:literal),*) => { &["attn.bias", "attn.masked_bias", $($head),*] };
}

fn names(is_base_model: bool, ignored: &'static [&'static str]) -> WeightNames {
    WeightNames { base_model_prefix: "transformer", is_base_model, renames: &[], ignored }
}

/// The output layer is the table of words unless the config unties them.
const TIED: &[(&str, &str)] = &[("lm_head.weight", "transformer.wte.weight")];

fn load_causal_lm(context: &LoadContext<'_>) -> Result<GPT2LMHeadModel> {
    let config: GPT2Config = context.checkpoint.config()?.parse()?;
    let model = GPT2LMHeadModel {
        transformer: GPT2Model::new(&config, context.placement)?,
        lm_head: Linear::with_bias(config.n_embd, config.vocab_size, false, context.placement),
    };
    let renames = if config.tie_word_embeddings { TIED } else { &[] };
    let ignored = ignored!["lm_head", "score", "classifier", "qa_outputs", "multiple_choice_head"];
    context.fill(model, &WeightNames { renames, ..names(false, ignored) })
}

fn load_encoder(context: &LoadContext<'_>) -> Result<GPT2Model> {
    let config = context.checkpoint.config()?.parse()?;
    let ignored = ignored!["lm_head", "score", "classifier", "qa_outputs", "multiple_choice_head"];
    context.fill(GPT2Model::new(&config, context.placement)?, &names(true, ignored))
}

fn load_question_answerer(context: &LoadContext<'_>) -> Result<GPT2ForQuestionAnswering> {
    let config: GPT2Config = context.checkpoint.config()?.parse()?;
    let model = GPT2ForQuestionAnswering {
        transformer: GPT2Model::new(&config, context.placement)?,
        qa_outputs: Linear::new(config.n_embd, 2, context.placement),
    };
    context.fill(model, &names(false, ignored!["lm_head", "score", "classifier"]))
}

fn load_sequence_classifier(context: &LoadContext<'_>) -> Result<GPT2ForSequenceClassification> {
    let config: GPT2Config = context.checkpoint.config()?.parse()?;
    let model = GPT2ForSequenceClassification {
        transformer: GPT2Model::new(&config, context.placement)?,
        score: Linear::with_bias(config.n_embd, context.label_count()?, false, context.placement),
        pad_token_id: config.pad_token_id,
    };
    context.fill(model, &names(false, ignored!["lm_head", "classifier", "qa_outputs"]))
}

fn load_token_classifier(context: &LoadContext<'_>) -> Result<GPT2ForTokenClassification> {
    let config: GPT2Config = context.checkpoint.config()?.parse()?;
    let model = GPT2ForTokenClassification {
        transformer: GPT2Model::new(&config, context.placement)?,
        classifier: Linear::new(config.n_embd, context.label_count()?, context.placement),
    };
    context.fill(model, &names(false, ignored!["lm_head", "score", "qa_outputs"]))
}

/// The scores of what comes next.
#[derive(Module, Debug)]
struct GPT2LMHeadModel {
    transformer: GPT2Model,
    lm_head: Linear,
}

impl CausalLm for GPT2LMHeadModel {
    fn cache(&self) -> KvCache {
        KvCache::new(self.transformer.h.len())
    }

    fn positions(&self) -> Option<usize> {
        Some(self.transformer.positions)
    }

    fn vocabulary(&self) -> usize {
        self.transformer.vocabulary
    }

    fn forward(&self, step: &TokenStep, cache: &mut KvCache) -> Result<Tensor<3>> {
        self.transformer.forward(step, cache)
    }

    fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.lm_head.forward(hidden)
    }
}

/// The scores of every token as the start and the end of an answer.
#[derive(Module, Debug)]
struct GPT2ForQuestionAnswering {
    transformer: GPT2Model,
    qa_outputs: Linear,
}

impl QuestionAnswerer for GPT2ForQuestionAnswering {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.qa_outputs.forward(self.transformer.read(batch)?))
    }
}

/// The scores of a whole text's labels, from its last token.
#[derive(Module, Debug)]
struct GPT2ForSequenceClassification {
    transformer: GPT2Model,
    score: Linear,
    #[module(skip)]
    pad_token_id: Option<u32>,
}

impl SequenceClassifier for GPT2ForSequenceClassification {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<2>> {
        let hidden = batch.last_tokens_but(self.pad_token_id, self.transformer.read(batch)?);
        Ok(self.score.forward(hidden))
    }
}

/// The scores of every token's labels.
#[derive(Module, Debug)]
struct GPT2ForTokenClassification {
    transformer: GPT2Model,
    classifier: Linear,
}

impl TokenClassifier for GPT2ForTokenClassification {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.classifier.forward(self.transformer.read(batch)?))
    }
}

#[derive(Module, Debug)]
struct GPT2Model {
    wte: Embedding,
    wpe: Embedding,
    h: Vec<GPT2Block>,
    ln_f: LayerNorm,
    #[module(skip)]
    vocabulary: usize,
    #[module(skip)]
    positions: usize,
}

impl GPT2Model {
    fn new(config: &GPT2Config, placement: &Placement) -> Result<Self> {
        let (size, heads) = (config.n_embd, config.n_head);
        if heads == 0 || !size.is_multiple_of(heads) {
            let message = format!("`n_embd` {size} in `config.json` is no multiple of `n_head` {heads}");
            return Err(Error::new(ErrorKind::Config, message));
        }
        if config.add_cross_attention {
            let message = "`add_cross_attention` in `config.json` is true: GPT-2 as the decoder of another model is not supported";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let activation = Activation::from_name(&config.activation_function)?;
        Ok(Self {
            wte: Embedding::new(config.vocab_size, size, placement),
            wpe: Embedding::new(config.n_positions, size, placement),
            h: (0..config.n_layer).map(|_| GPT2Block::new(config, activation, placement)).collect(),
            ln_f: LayerNorm::new(size, config.layer_norm_epsilon, placement),
            vocabulary: config.vocab_size,
            positions: config.n_positions,
        })
    }

    fn forward(&self, step: &TokenStep, cache: &mut KvCache) -> Result<Tensor<3>> {
        step.check(self.vocabulary, Some(self.positions))?;
        let device = self.wte.device();
        let words = self.wte.forward(step.input_ids(&device));
        let positions = self.wpe.forward(step.to_device(step.positions(), &device));
        let blocks = self.h.iter().enumerate();
        let hidden = blocks.fold(words + positions, |hidden, (index, block)| {
            block.forward(hidden, step, (index, &mut *cache))
        });
        Ok(self.ln_f.forward(hidden))
    }

    /// Whole texts that lie one after the other.
    fn read(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        let (step, mut cache) = TokenStep::whole(batch, KvCache::new(self.h.len()));
        self.forward(&step, &mut cache)
    }
}

impl Encoder for GPT2Model {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        self.read(batch)
    }
}

/// Attention, then a feed-forward part, each of a norm of its input and added to it.
#[derive(Module, Debug)]
struct GPT2Block {
    ln_1: LayerNorm,
    attn: GPT2Attention,
    ln_2: LayerNorm,
    mlp: GPT2MLP,
}

impl GPT2Block {
    fn new(config: &GPT2Config, activation: Activation, placement: &Placement) -> Self {
        let size = config.n_embd;
        let inner = config.n_inner.unwrap_or(4 * size);
        let norm = || LayerNorm::new(size, config.layer_norm_epsilon, placement);
        Self {
            ln_1: norm(),
            attn: GPT2Attention {
                c_attn: Linear::transposed(size, 3 * size, true, placement),
                c_proj: Linear::transposed(size, size, true, placement),
                heads: config.n_head,
            },
            ln_2: norm(),
            mlp: GPT2MLP {
                c_fc: Linear::transposed(size, inner, true, placement),
                c_proj: Linear::transposed(inner, size, true, placement),
                act: ActivationLayer::new(activation, placement),
            },
        }
    }

    fn forward(&self, hidden: Tensor<3>, step: &TokenStep, cache: (usize, &mut KvCache)) -> Tensor<3> {
        let normed = self.ln_1.forward(hidden.clone());
        let hidden = self.attn.forward_added(normed, hidden, step, cache);
        let inner = self.mlp.c_fc.forward_activated(self.ln_2.forward(hidden.clone()), &self.mlp.act);
        self.mlp.c_proj.forward_added(inner, hidden)
    }
}

#[derive(Module, Debug)]
struct GPT2Attention {
    /// Queries, keys and values.
    c_attn: Linear,
    c_proj: Linear,
    #[module(skip)]
    heads: usize,
}

impl GPT2Attention {
    /// Attention of `x`, added to `residual`.
    fn forward_added(
        &self,
        x: Tensor<3>,
        residual: Tensor<3>,
        step: &TokenStep,
        (index, cache): (usize, &mut KvCache),
    ) -> Tensor<3> {
        let [rows, tokens, size] = x.dims();
        let joined = self.c_attn.forward(x);
        let part = |at: usize| {
            let part = joined.clone().narrow(2, at * size, size);
            part.reshape([rows, tokens, self.heads, size / self.heads])
        };
        let context = cache.attend(index, part(0), part(1), part(2), step, &CachedScope::default());
        self.c_proj.forward_added(context.reshape([rows, tokens, size]), residual)
    }
}

#[derive(Module, Debug)]
struct GPT2MLP {
    c_fc: Linear,
    c_proj: Linear,
    act: ActivationLayer,
}
