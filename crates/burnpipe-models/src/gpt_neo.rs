//! GPT-Neo: GPT-2 whose layers look at all tokens or at near ones in turn, and do not scale their scores.
//!
//! Reference: `modeling_gpt_neo.py` of transformers 4.56.2, with its eager attention, the only one there is beside
//! flash attention.
//!
//! Heads: causal LM, encoder, question answerer, sequence classifier, token classifier.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_nn::{
    Activation, ActivationLayer, Architecture, BatchLayout, Blind, CachedScope, CausalLm, Embedding, Encoder,
    Heads, KvCache, LayerNorm, Linear, LoadContext, Placement, QuestionAnswerer, SequenceClassifier,
    TokenBatch, TokenClassifier, TokenStep, WeightNames, head_size, ops,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "gpt_neo",
    heads: Heads {
        causal_lm: Some(|context| Ok(Box::new(load_causal_lm(context)?))),
        encoder: Some(|context| Ok(Box::new(load_encoder(context)?))),
        question_answerer: Some(|context| Ok(Box::new(load_question_answerer(context)?))),
        sequence_classifier: Some(|context| Ok(Box::new(load_sequence_classifier(context)?))),
        token_classifier: Some(|context| Ok(Box::new(load_token_classifier(context)?))),
        ..Heads::NONE
    },
};

/// config.json, with the defaults and the second names of `GPTNeoConfig`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct GPTNeoConfig {
    vocab_size: usize,
    max_position_embeddings: usize,
    hidden_size: usize,
    #[serde(alias = "num_hidden_layers")]
    num_layers: usize,
    #[serde(alias = "num_attention_heads")]
    num_heads: usize,
    /// Kinds of layers one after the other, and how often.
    attention_types: Vec<(Vec<String>, usize)>,
    /// The kind of every layer, which saved configs have beside `attention_types`.
    attention_layers: Option<Vec<String>>,
    intermediate_size: Option<usize>,
    window_size: usize,
    activation_function: String,
    layer_norm_epsilon: f64,
    pad_token_id: Option<u32>,
    tie_word_embeddings: bool,
}

impl Default for GPTNeoConfig {
    fn default() -> Self {
        Self {
            vocab_size: 50257,
            max_position_embeddings: 2048,
            hidden_size: 2048,
            num_layers: 24,
            num_heads: 16,
            attention_types: vec![(vec!["global".into(), "local".into()], 12)],
            attention_layers: None,
            intermediate_size: None,
            window_size: 256,
            activation_function: "gelu_new".into(),
            layer_norm_epsilon: 1e-5,
            pad_token_id: None,
            tie_word_embeddings: true,
        }
    }
}

impl GPTNeoConfig {
    /// How many tokens each layer looks at; `None` for all.
    fn windows(&self) -> Result<Vec<Option<usize>>> {
        let error = |message| Error::new(ErrorKind::Config, message);
        let in_turn = self.attention_types.iter().flat_map(|(kinds, times)| {
            let times = (*times).min(self.num_layers);
            std::iter::repeat_n(kinds, times).flatten().cloned()
        });
        let kinds = self.attention_layers.clone().unwrap_or_else(|| in_turn.collect());
        if kinds.len() != self.num_layers {
            let message = format!(
                "`attention_types` in `config.json` names {} layers and `num_layers` is {}",
                kinds.len(),
                self.num_layers
            );
            return Err(error(message));
        }
        let window = |kind: &String| match kind.as_str() {
            "global" => Ok(None),
            "local" => Ok(Some(self.window_size)),
            other => Err(error(format!(
                "`{other}` in `attention_types` of `config.json` is not supported; known: `global`, `local`"
            ))),
        };
        kinds.iter().map(window).collect()
    }
}

/// The causal masks that old checkpoints hold as buffers, and the heads beside the one that is read.
const IGNORED: &[&str] =
    &["attn.attention.bias", "attn.attention.masked_bias", "lm_head", "score", "classifier", "qa_outputs"];

fn names(is_base_model: bool) -> WeightNames {
    WeightNames { base_model_prefix: "transformer", is_base_model, renames: &[], ignored: IGNORED }
}

/// The output layer is the table of words unless the config unties them.
const TIED: &[(&str, &str)] = &[("lm_head.weight", "transformer.wte.weight")];

fn load_causal_lm(context: &LoadContext<'_>) -> Result<GPTNeoForCausalLM> {
    let config: GPTNeoConfig = context.checkpoint.config()?.parse()?;
    let model = GPTNeoForCausalLM {
        transformer: GPTNeoModel::new(&config, context.placement)?,
        lm_head: Linear::with_bias(config.hidden_size, config.vocab_size, false, context.placement),
    };
    let renames = if config.tie_word_embeddings { TIED } else { &[] };
    context.fill(model, &WeightNames { renames, ..names(false) })
}

fn load_encoder(context: &LoadContext<'_>) -> Result<GPTNeoModel> {
    let config = context.checkpoint.config()?.parse()?;
    context.fill(GPTNeoModel::new(&config, context.placement)?, &names(true))
}

fn load_question_answerer(context: &LoadContext<'_>) -> Result<GPTNeoForQuestionAnswering> {
    let config: GPTNeoConfig = context.checkpoint.config()?.parse()?;
    let model = GPTNeoForQuestionAnswering {
        transformer: GPTNeoModel::new(&config, context.placement)?,
        qa_outputs: Linear::new(config.hidden_size, 2, context.placement),
    };
    context.fill(model, &names(false))
}

fn load_sequence_classifier(context: &LoadContext<'_>) -> Result<GPTNeoForSequenceClassification> {
    let config: GPTNeoConfig = context.checkpoint.config()?.parse()?;
    let model = GPTNeoForSequenceClassification {
        transformer: GPTNeoModel::new(&config, context.placement)?,
        score: Linear::with_bias(config.hidden_size, context.label_count()?, false, context.placement),
        pad_token_id: config.pad_token_id,
    };
    context.fill(model, &names(false))
}

fn load_token_classifier(context: &LoadContext<'_>) -> Result<GPTNeoForTokenClassification> {
    let config: GPTNeoConfig = context.checkpoint.config()?.parse()?;
    let model = GPTNeoForTokenClassification {
        transformer: GPTNeoModel::new(&config, context.placement)?,
        classifier: Linear::new(config.hidden_size, context.label_count()?, context.placement),
    };
    context.fill(model, &names(false))
}

/// The scores of what comes next.
#[derive(Module, Debug)]
struct GPTNeoForCausalLM {
    transformer: GPTNeoModel,
    lm_head: Linear,
}

impl CausalLm for GPTNeoForCausalLM {
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
struct GPTNeoForQuestionAnswering {
    transformer: GPTNeoModel,
    qa_outputs: Linear,
}

impl QuestionAnswerer for GPTNeoForQuestionAnswering {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.qa_outputs.forward(self.transformer.read(batch)?))
    }
}

/// The scores of a whole text's labels, from its last token.
#[derive(Module, Debug)]
struct GPTNeoForSequenceClassification {
    transformer: GPTNeoModel,
    score: Linear,
    #[module(skip)]
    pad_token_id: Option<u32>,
}

impl SequenceClassifier for GPTNeoForSequenceClassification {
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
struct GPTNeoForTokenClassification {
    transformer: GPTNeoModel,
    classifier: Linear,
}

impl TokenClassifier for GPTNeoForTokenClassification {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        Ok(self.classifier.forward(self.transformer.read(batch)?))
    }
}

#[derive(Module, Debug)]
struct GPTNeoModel {
    wte: Embedding,
    wpe: Embedding,
    h: Vec<GPTNeoBlock>,
    ln_f: LayerNorm,
    #[module(skip)]
    vocabulary: usize,
    #[module(skip)]
    positions: usize,
}

impl GPTNeoModel {
    fn new(config: &GPTNeoConfig, placement: &Placement) -> Result<Self> {
        let size = config.hidden_size;
        let head_dim = head_size(("hidden_size", size), ("num_heads", config.num_heads))?;
        let activation = Activation::from_name(&config.activation_function)?;
        let block = |window| GPTNeoBlock::new(config, (head_dim, window), activation, placement);
        Ok(Self {
            wte: Embedding::new(config.vocab_size, size, placement),
            wpe: Embedding::new(config.max_position_embeddings, size, placement),
            h: config.windows()?.into_iter().map(block).collect(),
            ln_f: LayerNorm::new(size, config.layer_norm_epsilon, placement),
            vocabulary: config.vocab_size,
            positions: config.max_position_embeddings,
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

impl Encoder for GPTNeoModel {
    fn layout(&self) -> BatchLayout {
        BatchLayout::Joined
    }

    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>> {
        self.read(batch)
    }
}

/// Attention, then a feed-forward part, each of a norm of its input and added to it.
#[derive(Module, Debug)]
struct GPTNeoBlock {
    ln_1: LayerNorm,
    attn: GPTNeoAttention,
    ln_2: LayerNorm,
    mlp: GPTNeoMLP,
}

impl GPTNeoBlock {
    fn new(
        config: &GPTNeoConfig,
        (head_dim, window): (usize, Option<usize>),
        activation: Activation,
        placement: &Placement,
    ) -> Self {
        let size = config.hidden_size;
        let inner = config.intermediate_size.unwrap_or(4 * size);
        let norm = || LayerNorm::new(size, config.layer_norm_epsilon, placement);
        let projection = |bias: bool| Linear::with_bias(size, size, bias, placement);
        let attention = GPTNeoSelfAttention {
            q_proj: projection(false),
            k_proj: projection(false),
            v_proj: projection(false),
            out_proj: projection(true),
            head_dim,
            window,
        };
        Self {
            ln_1: norm(),
            attn: GPTNeoAttention { attention },
            ln_2: norm(),
            mlp: GPTNeoMLP {
                c_fc: Linear::new(size, inner, placement),
                c_proj: Linear::new(inner, size, placement),
                act: ActivationLayer::new(activation, placement),
            },
        }
    }

    fn forward(&self, hidden: Tensor<3>, step: &TokenStep, cache: (usize, &mut KvCache)) -> Tensor<3> {
        let normed = self.ln_1.forward(hidden.clone());
        let hidden = self.attn.attention.forward_added(normed, hidden, step, cache);
        let inner = self.mlp.c_fc.forward_activated(self.ln_2.forward(hidden.clone()), &self.mlp.act);
        self.mlp.c_proj.forward_added(inner, hidden)
    }
}

#[derive(Module, Debug)]
struct GPTNeoAttention {
    attention: GPTNeoSelfAttention,
}

#[derive(Module, Debug)]
struct GPTNeoSelfAttention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
    #[module(skip)]
    head_dim: usize,
    #[module(skip)]
    window: Option<usize>,
}

impl GPTNeoSelfAttention {
    /// Attention of `x`, added to `residual`.
    fn forward_added(
        &self,
        x: Tensor<3>,
        residual: Tensor<3>,
        step: &TokenStep,
        (index, cache): (usize, &mut KvCache),
    ) -> Tensor<3> {
        let [rows, tokens, size] = x.dims();
        let split = |x: Tensor<3>| x.reshape([rows, tokens, size / self.head_dim, self.head_dim]);
        let [query, key, value] = ops::linear_each(x, [&self.q_proj, &self.k_proj, &self.v_proj]).map(split);
        let scope = CachedScope {
            scale: Some(1.0),
            window: self.window,
            blind: Blind::Past,
            ..CachedScope::default()
        };
        let context = cache.attend(index, query, key, value, step, &scope);
        self.out_proj.forward_added(context.reshape([rows, tokens, size]), residual)
    }
}

#[derive(Module, Debug)]
struct GPTNeoMLP {
    c_fc: Linear,
    c_proj: Linear,
    act: ActivationLayer,
}
