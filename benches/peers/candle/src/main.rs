//! candle as a peer of `cargo xtask bench --peers`: `candle-peer MODEL TEXTS BATCH_SIZE RUNS WARMUP`.
//!
//! One pass over all texts, tokenized, in batches padded to their longest; the model without its head, and the
//! mean of the tokens for `BertModel` alone. Printed as the other peers print. `candle-peer generate ..` writes text.

mod generation;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::{bert, distilbert, xlm_roberta};
use serde_json::{Value, json};
use tokenizers::{PaddingParams, Tokenizer, TruncationParams};

enum Model {
    Bert(bert::BertModel),
    DistilBert(distilbert::DistilBertModel),
    XlmRoberta(xlm_roberta::XLMRobertaModel),
}

impl Model {
    fn load(folder: &Path, config: &Value) -> Result<Self> {
        let files = [folder.join("model.safetensors")];
        // SAFETY: nobody writes the file meanwhile.
        let weights = unsafe { VarBuilder::from_mmaped_safetensors(&files, DType::F32, &Device::Cpu)? };
        let mut config = config.clone();
        Ok(match config["model_type"].as_str() {
            Some("bert") => Self::Bert(bert::BertModel::load(weights, &serde_json::from_value(config)?)?),
            Some("distilbert") => Self::DistilBert(distilbert::DistilBertModel::load(
                weights,
                &serde_json::from_value(config)?,
            )?),
            Some("xlm-roberta") => {
                config["position_embedding_type"] = "absolute".into();
                let config = serde_json::from_value(config)?;
                Self::XlmRoberta(xlm_roberta::XLMRobertaModel::new(&config, weights.pp("roberta"))?)
            }
            other => bail!("no model of type {other:?}"),
        })
    }

    fn run(&self, tokenizer: &Tokenizer, texts: &[String]) -> Result<Tensor> {
        let encodings = tokenizer.encode_batch(texts.to_vec(), true).map_err(anyhow::Error::msg)?;
        let stack = |values: &dyn Fn(&tokenizers::Encoding) -> Vec<u32>| -> Result<Tensor> {
            let rows = encodings.iter().map(|encoding| Ok(Tensor::new(values(encoding), &Device::Cpu)?));
            Ok(Tensor::stack(&rows.collect::<Result<Vec<Tensor>>>()?, 0)?)
        };
        let ids = stack(&|encoding| encoding.get_ids().to_vec())?;
        let mask = stack(&|encoding| encoding.get_attention_mask().to_vec())?;
        let types = ids.zeros_like()?;
        match self {
            Self::Bert(model) => {
                let hidden = model.forward(&ids, &types, Some(&mask))?;
                let mask = mask.to_dtype(DType::F32)?.unsqueeze(2)?;
                Ok(hidden.broadcast_mul(&mask)?.sum(1)?.broadcast_div(&mask.sum(1)?)?)
            }
            Self::DistilBert(model) => {
                // Here 1 hides a token; these texts have no padding.
                let tokens = ids.dim(1)?;
                Ok(model.forward(&ids, &Tensor::zeros((tokens, tokens), DType::U8, &Device::Cpu)?)?)
            }
            Self::XlmRoberta(model) => Ok(model.forward(&ids, &mask, &types, None, None, None)?),
        }
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [chore, folder, prompt, new_tokens, runs, _] = arguments.as_slice() {
        ensure!(chore == "generate", "candle-peer has no {chore}");
        return generation::measure(folder.as_ref(), prompt.as_ref(), new_tokens.parse()?, runs.parse()?);
    }
    let [folder, texts, batch_size, runs, warmup] = arguments.as_slice() else {
        bail!("usage: candle-peer MODEL TEXTS BATCH_SIZE RUNS WARMUP");
    };
    let folder = Path::new(folder);
    let texts: Vec<String> = std::fs::read_to_string(texts)?.lines().map(str::to_string).collect();
    let start = Instant::now();
    let config: Value = serde_json::from_slice(&std::fs::read(folder.join("config.json"))?)?;
    let model = Model::load(folder, &config)?;
    let mut tokenizer = Tokenizer::from_file(folder.join("tokenizer.json")).map_err(anyhow::Error::msg)?;
    let pad_id = config["pad_token_id"].as_u64().unwrap_or(0) as u32;
    tokenizer.with_padding(Some(PaddingParams { pad_id, ..PaddingParams::default() }));
    let truncation = TruncationParams { max_length: 512, ..TruncationParams::default() };
    tokenizer.with_truncation(Some(truncation)).map_err(anyhow::Error::msg)?;
    let load = start.elapsed().as_secs_f64();
    let once = || -> Result<f64> {
        let start = Instant::now();
        for batch in texts.chunks(batch_size.parse()?) {
            std::hint::black_box(model.run(&tokenizer, batch)?);
        }
        Ok(start.elapsed().as_secs_f64())
    };
    let first = once()?;
    for _ in 0..warmup.parse()? {
        once()?;
    }
    let mut times = (0..runs.parse()?).map(|_| once()).collect::<Result<Vec<f64>>>()?;
    times.sort_by(f64::total_cmp);
    let median = times.get(times.len() / 2).context("no runs")?;
    let report = json!({
        "peer": "candle",
        "load_ms": load * 1e3,
        "first_ms": first * 1e3,
        "latency_ms": {"p50": median * 1e3},
        "inputs_per_s": texts.len() as f64 / median,
        "peak_memory_bytes": peak_memory().unwrap_or(0) * 1024,
    });
    println!("{report}");
    Ok(())
}

/// In kilobytes, on Linux.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
