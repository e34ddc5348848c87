//! TAPAS: BERT over a question and a table, with embeddings that say where in the table a token stands.
//!
//! Paper: <https://arxiv.org/abs/2004.02349>. Reference: `modeling_tapas.py` of transformers 4.56.2.
//!
//! Heads: table question answerer.
//!
//! With `select_one_column: false` Python's model raises unless it is trained. Here it does what its config says:
//! cells of any column may be chosen.

use std::collections::{BTreeMap, HashMap};

use burn::module::{Module, Param};
use burn::tensor::{DType, Tensor};
use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_nn::ops::AttentionScope;
use burnpipe_nn::{
    Activation, Architecture, BatchLayout, BertEncoder, BertEncoderConfig, Embedding, Heads, LayerNorm,
    Linear, LoadContext, Placement, PositionEmbedding, PrunedHeads, TableBatch, TableLogits,
    TableQuestionAnswerer, TableRow, WeightNames, read_back,
};
use serde::Deserialize;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_type: "tapas",
    heads: Heads {
        table_question_answerer: Some(|context| Ok(Box::new(load_table_question_answerer(context)?))),
        ..Heads::NONE
    },
};

/// config.json, with the defaults of `TapasConfig`; what is for training only is left out.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct TapasConfig {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    hidden_act: String,
    max_position_embeddings: usize,
    type_vocab_sizes: Vec<usize>,
    layer_norm_eps: f64,
    num_aggregation_labels: usize,
    temperature: f32,
    max_num_rows: u32,
    max_num_columns: u32,
    average_logits_per_cell: bool,
    select_one_column: bool,
    allow_empty_column_selection: bool,
    reset_position_index_per_cell: bool,
    is_decoder: bool,
    pruned_heads: PrunedHeads,
}

impl Default for TapasConfig {
    fn default() -> Self {
        Self {
            vocab_size: 30522,
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3072,
            hidden_act: "gelu".into(),
            max_position_embeddings: 1024,
            type_vocab_sizes: vec![3, 256, 256, 2, 256, 256, 10],
            layer_norm_eps: 1e-12,
            num_aggregation_labels: 0,
            temperature: 1.0,
            max_num_rows: 64,
            max_num_columns: 32,
            average_logits_per_cell: false,
            select_one_column: true,
            allow_empty_column_selection: false,
            reset_position_index_per_cell: true,
            is_decoder: false,
            pruned_heads: PrunedHeads::default(),
        }
    }
}

/// Which of a token's types is its column, and which its row.
const COLUMN: usize = 1;
const ROW: usize = 2;

impl TapasConfig {
    fn encoder(&self) -> Result<BertEncoderConfig> {
        Ok(BertEncoderConfig {
            hidden_size: self.hidden_size,
            num_hidden_layers: self.num_hidden_layers,
            num_attention_heads: self.num_attention_heads,
            intermediate_size: self.intermediate_size,
            hidden_act: Activation::from_name(&self.hidden_act)?,
            layer_norm_eps: self.layer_norm_eps,
            positions: PositionEmbedding::Absolute,
            max_position_embeddings: self.max_position_embeddings,
            pruned_heads: self.pruned_heads.clone(),
        })
    }

    fn check(&self) -> Result<()> {
        let message = if !(ROW + 1..=7).contains(&self.type_vocab_sizes.len()) {
            format!(
                "`type_vocab_sizes` in `config.json` has {} sizes; 3 to 7 are supported",
                self.type_vocab_sizes.len()
            )
        } else if self.max_num_rows == 0 || self.max_num_columns == 0 {
            "`max_num_rows` or `max_num_columns` in `config.json` is 0".to_owned()
        } else if self.temperature == 0.0 {
            "`temperature` in `config.json` is 0".to_owned()
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::Config, message))
    }
}

fn load_table_question_answerer(context: &LoadContext<'_>) -> Result<TapasForQuestionAnswering> {
    let config: TapasConfig = context.checkpoint.config()?.parse()?;
    config.check()?;
    let (size, labels, placement) = (config.hidden_size, config.num_aggregation_labels, context.placement);
    let model = TapasForQuestionAnswering {
        tapas: TapasModel::new(&config, placement)?,
        output_weights: placement.parameter([size]),
        output_bias: placement.parameter([1]),
        column_output_weights: placement.parameter([size]),
        column_output_bias: placement.parameter([1]),
        aggregation_classifier: (labels > 0).then(|| Linear::new(size, labels, placement)),
        config,
    };
    let names = WeightNames {
        base_model_prefix: "tapas",
        is_base_model: false,
        renames: &[
            ("attention.self_.", "attention.self."),
            ("token_type_embeddings.", "token_type_embeddings_"),
        ],
        // Heads of pre-training and of other tasks, and what a model without aggregation does not use.
        ignored: &["position_ids", "cls", "classifier", "pooler", "aggregation_classifier"],
    };
    context.fill(model, &names)
}

/// The scores of cells, of which one column's are chosen from, and of ways to put them together.
#[derive(Module, Debug)]
struct TapasForQuestionAnswering {
    tapas: TapasModel,
    output_weights: Param<Tensor<1>>,
    output_bias: Param<Tensor<1>>,
    column_output_weights: Param<Tensor<1>>,
    column_output_bias: Param<Tensor<1>>,
    aggregation_classifier: Option<Linear>,
    #[module(skip)]
    config: TapasConfig,
}

impl TableQuestionAnswerer for TapasForQuestionAnswering {
    fn layout(&self) -> BatchLayout {
        self.tapas.layout
    }

    fn forward(&self, batch: &TableBatch) -> Result<Vec<TableLogits>> {
        let tokens = batch.tokens();
        let hidden = self.tapas.forward(batch)?;
        let [rows, length, _] = hidden.dims();
        let labels = self.config.num_aggregation_labels;
        let aggregation = self.aggregation_classifier.as_ref().zip(self.tapas.pooler.as_ref());
        let aggregation = aggregation.map(|(classifier, pooler)| {
            classifier.forward(pooler.forward(tokens.first_tokens(hidden.clone()))).cast(DType::F32)
        });
        let token_scores = score(hidden.clone(), &self.output_weights, &self.output_bias);
        let column_scores = score(hidden, &self.column_output_weights, &self.column_output_bias);
        // All of it in one transfer.
        let mut scores = vec![token_scores, column_scores];
        scores.extend(aggregation.map(|logits| logits.reshape([tokens.texts().len() * labels])));
        let scores = read_back(Tensor::cat(scores, 0))?;
        let (token_scores, scores) = scores.split_at(rows * length);
        let (column_scores, aggregation) = scores.split_at(rows * length);
        let rows = batch.rows().iter().zip(tokens.texts()).enumerate();
        Ok(rows
            .map(|(at, (row, text))| TableLogits {
                tokens: self.choose(row, &token_scores[text.clone()], &column_scores[text.clone()]),
                aggregation: aggregation[at * labels..(at + 1) * labels].to_vec(),
            })
            .collect())
    }
}

/// The product of every token's vector with a vector, in f32: `[batch * tokens]`.
fn score(hidden: Tensor<3>, weights: &Param<Tensor<1>>, bias: &Param<Tensor<1>>) -> Tensor<1> {
    let [rows, length, _] = hidden.dims();
    let product = hidden.cast(DType::F32) * weights.val().cast(DType::F32).unsqueeze::<3>();
    product.sum_dim(2).reshape([rows * length]) + bias.val().cast(DType::F32)
}

/// Added to the logits of cells and columns that must not be chosen.
const CLOSE_ENOUGH_TO_LOG_ZERO: f32 = -10000.0;
const EPSILON_ZERO_DIVISION: f32 = 1e-10;

/// Averages over the tokens of a cell.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    tokens: f32,
    logit: f32,
    column_logit: f32,
    /// The part of its tokens that are no padding.
    seen: f32,
}

impl TapasForQuestionAnswering {
    /// The logits of the tokens of one question: those of their cells, in the column that is chosen.
    fn choose(&self, row: &TableRow, token_scores: &[f32], column_scores: &[f32]) -> Vec<f32> {
        let config = &self.config;
        let places: Vec<(u32, u32)> = row
            .type_ids
            .iter()
            .map(|types| {
                (types[ROW].min(config.max_num_rows - 1), types[COLUMN].min(config.max_num_columns - 1))
            })
            .collect();
        let logits: Vec<f32> = token_scores.iter().map(|score| score / config.temperature).collect();
        if !config.select_one_column && !config.average_logits_per_cell {
            return logits;
        }
        let cells = average_by_cell(&places, row, &logits, column_scores);
        let chosen = config.select_one_column.then(|| self.best_column(&cells));
        let logit = |place: &(u32, u32)| {
            let cell = cells.get(place).copied().unwrap_or_default();
            let is_chosen = |chosen: u32| chosen == place.1 && chosen != 0;
            let allowed = chosen.map_or(1.0, |chosen| if is_chosen(chosen) { cell.seen } else { 0.0 });
            cell.logit + CLOSE_ENOUGH_TO_LOG_ZERO * (1.0 - allowed)
        };
        places.iter().map(logit).collect()
    }

    /// The column with the highest logit; 0 is the column of no cell, and stands for none.
    fn best_column(&self, cells: &BTreeMap<(u32, u32), Cell>) -> u32 {
        let mut columns: BTreeMap<u32, (f32, f32)> = BTreeMap::new();
        for ((_, column), cell) in cells {
            let (sum, seen) = columns.entry(*column).or_default();
            *sum += cell.column_logit * cell.seen;
            *seen += cell.seen;
        }
        let mut best = (0, f32::NEG_INFINITY);
        for (column, (sum, seen)) in columns {
            let mut logit = sum / (seen + EPSILON_ZERO_DIVISION);
            let hidden = if column == 0 { !self.config.allow_empty_column_selection } else { seen < 0.5 };
            if hidden {
                logit += CLOSE_ENOUGH_TO_LOG_ZERO;
            }
            if logit > best.1 {
                best = (column, logit);
            }
        }
        best.0
    }
}

fn average_by_cell(
    places: &[(u32, u32)],
    row: &TableRow,
    logits: &[f32],
    column_scores: &[f32],
) -> BTreeMap<(u32, u32), Cell> {
    let mut cells: BTreeMap<(u32, u32), Cell> = BTreeMap::new();
    let scores = logits.iter().zip(column_scores).zip(&row.attention_mask);
    for (place, ((logit, column_logit), seen)) in places.iter().zip(scores) {
        let cell = cells.entry(*place).or_default();
        cell.tokens += 1.0;
        cell.logit += logit;
        cell.column_logit += column_logit;
        cell.seen += f32::from(u8::from(*seen));
    }
    for cell in cells.values_mut() {
        cell.logit /= cell.tokens;
        cell.column_logit /= cell.tokens;
        cell.seen /= cell.tokens;
    }
    cells
}

/// Embeddings, encoder and, for aggregation, the pooler.
#[derive(Module, Debug)]
struct TapasModel {
    embeddings: TapasEmbeddings,
    encoder: BertEncoder,
    pooler: Option<TapasPooler>,
    #[module(skip)]
    is_decoder: bool,
    #[module(skip)]
    layout: BatchLayout,
}

impl TapasModel {
    fn new(config: &TapasConfig, placement: &Placement) -> Result<Self> {
        let size = config.hidden_size;
        let pooler = TapasPooler { dense: Linear::new(size, size, placement) };
        Ok(Self {
            embeddings: TapasEmbeddings::new(config, placement),
            encoder: BertEncoder::new(&config.encoder()?, placement)?,
            pooler: (config.num_aggregation_labels > 0).then_some(pooler),
            is_decoder: config.is_decoder,
            layout: config.encoder()?.layout(placement),
        })
    }

    fn forward(&self, batch: &TableBatch) -> Result<Tensor<3>> {
        let embedded = self.embeddings.forward(batch)?;
        let scope = AttentionScope {
            hidden: batch.tokens().hidden(&embedded.device()),
            texts: batch.tokens().ends(),
            causal: self.is_decoder,
            ..AttentionScope::default()
        };
        Ok(self.encoder.forward(embedded, &scope))
    }
}

/// The first token's vector, through a linear layer and tanh.
#[derive(Module, Debug)]
struct TapasPooler {
    dense: Linear,
}

impl TapasPooler {
    fn forward(&self, first: Tensor<2>) -> Tensor<2> {
        self.dense.forward(first).tanh()
    }
}

/// Token and position vectors, and one for each type of a token; summed and normed.
#[derive(Module, Debug)]
struct TapasEmbeddings {
    word_embeddings: Embedding,
    position_embeddings: Embedding,
    token_type_embeddings: Vec<Embedding>,
    LayerNorm: LayerNorm,
    #[module(skip)]
    config: TapasConfig,
}

impl TapasEmbeddings {
    fn new(config: &TapasConfig, placement: &Placement) -> Self {
        let table = |entries: usize| Embedding::new(entries, config.hidden_size, placement);
        Self {
            word_embeddings: table(config.vocab_size),
            position_embeddings: table(config.max_position_embeddings),
            token_type_embeddings: config.type_vocab_sizes.iter().copied().map(table).collect(),
            LayerNorm: LayerNorm::new(config.hidden_size, config.layer_norm_eps, placement),
            config: config.clone(),
        }
    }

    fn forward(&self, batch: &TableBatch) -> Result<Tensor<3>> {
        let config = &self.config;
        // Positions that begin anew in every cell never run out.
        let resets = config.reset_position_index_per_cell;
        let longest = if resets { usize::MAX } else { config.max_position_embeddings };
        batch.tokens().check(config.vocab_size, None, longest)?;
        batch.check_types(&config.type_vocab_sizes)?;
        let device = self.word_embeddings.device();
        let position = |place: usize| if resets { config.last_position().min(place) } else { place } as i32;
        let positions = |row: &TableRow| match resets {
            true => places_in_cells(row).into_iter().map(position).collect(),
            false => (0..row.input_ids.len()).map(position).collect(),
        };
        let words = self.word_embeddings.forward(batch.tokens().input_ids(&device));
        let positions = batch.derived(&device, positions, position);
        let sum = words + self.position_embeddings.forward(positions);
        let types = self.token_type_embeddings.iter().enumerate();
        let sum = types.fold(sum, |sum, (which, table)| sum + table.forward(batch.type_ids(which, &device)));
        Ok(self.LayerNorm.forward(sum))
    }
}

impl TapasConfig {
    fn last_position(&self) -> usize {
        self.max_position_embeddings.saturating_sub(1)
    }
}

/// How far every token stands from the first one of its cell; what is in no cell counts as one.
fn places_in_cells(row: &TableRow) -> Vec<usize> {
    let mut first: HashMap<(u32, u32), usize> = HashMap::new();
    let cells = row.type_ids.iter().map(|types| (types[COLUMN], types[ROW]));
    cells.enumerate().map(|(at, cell)| at - *first.entry(cell).or_insert(at)).collect()
}
