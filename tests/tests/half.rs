//! Models in 16 bits: norms, softmax and scores are in f32, so answers stay near those in f32.
//!
//! The CPU offers no such option to users (it is slower there), but computes it: what runs here is what
//! runs on a GPU.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

use burn::tensor::{DType, Device};
use burnpipe::hub::{Checkpoint, OpenOptions};
use burnpipe::nn::{LoadContext, Placement};
use burnpipe::{About, AnyPipeline, TaskContext};
use burnpipe_tests::{CaseFile, case_files};

fn load(file: &CaseFile, dtype: DType) -> AnyPipeline {
    let folder = file.folder().unwrap().display().to_string();
    let checkpoint = Checkpoint::open(&folder, &OpenOptions::default()).unwrap();
    let placement = Placement { device: Device::flex(), dtype };
    let load = LoadContext { checkpoint: &checkpoint, placement: &placement };
    let architectures = burnpipe::architectures().iter();
    let architecture = architectures.clone().find(|found| found.model_type == file.model_type).unwrap();
    let about = About {
        task: file.task.clone(),
        model: folder,
        model_type: file.model_type.clone(),
        device: "cpu".into(),
        dtype: "half",
    };
    (burnpipe::task(&file.task).unwrap().load)(&TaskContext { load, architecture, assistant: None }, about)
        .unwrap()
}

#[test]
fn answers_in_16_bits_are_near_those_in_32() {
    // Logits and hidden states go up to about 10 and are rounded in every layer: to 11 bits, or to 8.
    for (dtype, tolerance) in [(DType::F16, 0.05), (DType::BF16, 0.6)] {
        let mut largest = 0.0;
        for file in case_files(None).unwrap() {
            // Which of two equal entities comes first may change, and which token or letter is best; numbers may not.
            // A mixture of experts may choose another one.
            if ["automatic-speech-recognition", "text-generation", "token-classification"]
                .contains(&file.task.as_str())
                || file.model_type == "mixtral"
            {
                continue;
            }
            let pipeline = load(&file, dtype);
            let error = file.largest_error(&pipeline).unwrap();
            // The logits of sounds go up to 20.
            let tolerance = if file.task == "audio-classification" { 2.0 * tolerance } else { tolerance };
            assert!(error < tolerance, "{} in {dtype:?}: off by {error}", file.path.display());
            largest = f64::max(largest, error);
        }
        println!("{dtype:?}: off by {largest:.4} at most");
    }
}
