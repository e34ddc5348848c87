//! Text after a prompt, greedily: `candle-peer generate MODEL PROMPT NEW_TOKENS RUNS THREADS`.
//!
//! Measured and printed as `generation.py` does; RAYON_NUM_THREADS sets the threads.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::qwen2;
use serde_json::{Value, json};
use tokenizers::Tokenizer;

use crate::peak_memory;

struct Generator {
    model: qwen2::ModelForCausalLM,
    tokenizer: Tokenizer,
}

impl Generator {
    fn load(folder: &Path) -> Result<Self> {
        let mut config: Value = serde_json::from_slice(&std::fs::read(folder.join("config.json"))?)?;
        // Not used without windows, and null in what transformers writes then.
        config["sliding_window"] = config["max_position_embeddings"].clone();
        let files = [folder.join("model.safetensors")];
        // SAFETY: nobody writes the file meanwhile.
        let weights = unsafe { VarBuilder::from_mmaped_safetensors(&files, DType::F32, &Device::Cpu)? };
        let model = qwen2::ModelForCausalLM::new(&serde_json::from_value(config)?, weights)?;
        let tokenizer = Tokenizer::from_file(folder.join("tokenizer.json")).map_err(anyhow::Error::msg)?;
        Ok(Self { model, tokenizer })
    }

    /// How many tokens the prompt has, and the new ones.
    fn run(&mut self, text: &str, new_tokens: usize) -> Result<(usize, Vec<u32>)> {
        self.model.clear_kv_cache();
        let encoding = self.tokenizer.encode(text, true).map_err(anyhow::Error::msg)?;
        let mut step = encoding.get_ids().to_vec();
        let (mut length, mut written) = (0, Vec::new());
        while written.len() < new_tokens {
            let input = Tensor::new(step.as_slice(), &Device::Cpu)?.unsqueeze(0)?;
            let logits = self.model.forward(&input, length)?.flatten_all()?;
            length += step.len();
            step = vec![logits.argmax(0)?.to_scalar::<u32>()?];
            written.extend(&step);
        }
        self.tokenizer.decode(&written, false).map_err(anyhow::Error::msg)?;
        Ok((encoding.len(), written))
    }
}

pub(crate) fn measure(folder: &Path, prompt: &Path, new_tokens: usize, runs: usize) -> Result<()> {
    let text = std::fs::read_to_string(prompt)?;
    let start = Instant::now();
    let mut generator = Generator::load(folder)?;
    let load = start.elapsed().as_secs_f64();
    let mut once = |new_tokens: usize| -> Result<(f64, (usize, Vec<u32>))> {
        let start = Instant::now();
        let answer = generator.run(&text, new_tokens)?;
        Ok((start.elapsed().as_secs_f64(), answer))
    };
    let (first, (prompt_tokens, written)) = once(new_tokens)?;
    let mut median = |new_tokens: usize| -> Result<f64> {
        let mut times = (0..runs).map(|_| Ok(once(new_tokens)?.0)).collect::<Result<Vec<f64>>>()?;
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 2).copied().context("no runs")
    };
    let (whole, one) = (median(new_tokens)?, median(1)?);
    let report = json!({
        "peer": "candle",
        "load_ms": load * 1e3,
        "first_ms": first * 1e3,
        "latency_ms": {"p50": whole * 1e3},
        "first_token_ms": one * 1e3,
        "prompt_tokens_per_s": prompt_tokens as f64 / one,
        "new_tokens_per_s": (written.len() - 1) as f64 / (whole - one),
        "new_tokens": written.len(),
        "generated_token_ids": written,
        "peak_memory_bytes": peak_memory().unwrap_or(0) * 1024,
    });
    println!("{report}");
    Ok(())
}
