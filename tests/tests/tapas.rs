//! TAPAS before answers are made of it: its logits are Python's. Answers are cells and names, in which a small error
//! of the model may not show. `goldens/tapas_logits.py` makes the logits.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

use std::fs;

use burn::tensor::{DType, Device};
use burnpipe::hub::{Checkpoint, OpenOptions};
use burnpipe::nn::{BatchLayout, LoadContext, Placement, TableBatch, TableLogits, TableRow};
use burnpipe_tests::goldens;
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
struct Variant {
    checkpoint: String,
    /// What is changed in the checkpoint's config.
    config: Map<String, Value>,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    input_ids: Vec<u32>,
    /// For each of the seven types a character per token, from `0` on.
    type_ids: [String; 7],
    logits: Vec<f32>,
    aggregation: Vec<f32>,
}

impl Row {
    fn table_row(&self) -> TableRow {
        let types = self.type_ids.each_ref().map(|types| types.chars().collect::<Vec<char>>());
        let of_token = |at: usize| types.each_ref().map(|types| u32::from(types[at]) - u32::from('0'));
        TableRow {
            input_ids: self.input_ids.clone(),
            attention_mask: vec![true; self.input_ids.len()],
            type_ids: (0..self.input_ids.len()).map(of_token).collect(),
        }
    }
}

fn logits(variant: &Variant, layout: BatchLayout) -> Vec<TableLogits> {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(goldens().join("models").join(&variant.checkpoint)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    let path = folder.path().join("config.json");
    let mut config: Map<String, Value> = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config.extend(variant.config.clone());
    fs::write(path, serde_json::to_vec(&config).unwrap()).unwrap();

    let folder = folder.path().display().to_string();
    let checkpoint = Checkpoint::open(&folder, &OpenOptions::default()).unwrap();
    let placement = Placement { device: Device::flex(), dtype: DType::F32 };
    let tapas = burnpipe::architectures().iter().find(|found| found.model_type == "tapas").unwrap();
    let load = tapas.heads.table_question_answerer.unwrap();
    let model = load(&LoadContext { checkpoint: &checkpoint, placement: &placement }).unwrap();
    let rows = variant.rows.iter().map(Row::table_row).collect();
    model.forward(&TableBatch::new(rows, 0, layout).unwrap()).unwrap()
}

#[test]
fn logits_of_tables_are_those_of_python() {
    let text = fs::read(goldens().join("tapas_logits.json")).unwrap();
    let variants: Vec<Variant> = serde_json::from_slice(&text).unwrap();
    let mut largest = 0.0;
    for variant in &variants {
        for layout in [BatchLayout::Padded, BatchLayout::Joined] {
            for (ours, python) in logits(variant, layout).iter().zip(&variant.rows) {
                let place = format!("{} {:?} {layout:?}", variant.checkpoint, variant.config);
                for (ours, python) in
                    [(&ours.tokens, &python.logits), (&ours.aggregation, &python.aggregation)]
                {
                    assert_eq!(ours.len(), python.len(), "{place}");
                    for (ours, python) in ours.iter().zip(python) {
                        // f32 has seven digits: of those that hide a cell by -10000, three come after the point.
                        let error = (ours - python).abs() / if python.abs() > 1000.0 { 100.0 } else { 1.0 };
                        assert!(error < 1e-4, "{place}: {ours}, not {python}");
                        largest = f32::max(largest, error);
                    }
                }
            }
        }
    }
    println!("off by {largest:.1e} at most");
}
