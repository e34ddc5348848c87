//! What holds for every entry of the tables, without a test of its own.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use burnpipe::{ErrorKind, RunOptions};
use burnpipe_tests::{case_files, copy_folder, devices, difference};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::Value;

#[test]
fn the_tables_are_alphabetic_and_name_nothing_twice() {
    let sorted = |names: Vec<&str>| names.is_sorted_by(|left, right| left < right);
    assert!(sorted(burnpipe::tasks().iter().map(|task| task.id).collect()));
    assert!(sorted(burnpipe::architectures().iter().map(|architecture| architecture.model_type).collect()));
}

#[test]
fn every_task_and_architecture_has_a_golden() {
    let files = case_files(None).unwrap();
    for task in burnpipe::tasks() {
        for model_type in burnpipe::supported(task) {
            let covered = files.iter().any(|file| file.task == task.id && file.model_type == model_type);
            assert!(covered, "no golden for {} with {model_type}", task.id);
        }
    }
}

/// Runs of mixed lengths, in batches: each answer is what the input gets alone.
#[test]
fn a_row_of_a_batch_equals_the_row_alone() {
    let mut seen = BTreeMap::new();
    let files = case_files(None).unwrap();
    for (device, file) in devices().iter().flat_map(|device| files.iter().map(move |file| (device, file))) {
        let pipeline = file.load(device).unwrap();
        // Speech takes longest, and its goldens have no more sounds than three.
        let fewest = if file.task == "automatic-speech-recognition" { 3 } else { 4 };
        for case in file.cases.iter().filter(|case| case.expected.is_some() && case.inputs.len() >= fewest) {
            // Short lists go round, so that a batch of 8 is full.
            let round = 0..case.inputs.len().next_multiple_of(8);
            let round = || round.clone().map(|at| at % case.inputs.len());
            *seen.entry((file.task.clone(), file.model_type.clone())).or_insert(0) += 1;
            let expected = case.expected.as_ref().unwrap();
            let alone: Value = round().map(|at| expected[at].clone()).collect();
            for batch_size in [1, 2, 8] {
                let inputs: Vec<_> = round().map(|at| Ok(case.inputs[at].clone())).collect();
                let run = RunOptions { batch_size: Some(batch_size), ..RunOptions::default() };
                let answers = pipeline.iter_with(inputs, &case.params, run).unwrap();
                let answers: Value = answers.map(Result::unwrap).collect();
                let difference = difference(&answers, &alone);
                assert_eq!(
                    difference,
                    None,
                    "{} {} in batches of {batch_size} on {device}",
                    file.path.display(),
                    case.name
                );
            }
        }
    }
    for task in burnpipe::tasks() {
        for model_type in burnpipe::supported(task) {
            let key = (task.id.to_string(), model_type.to_string());
            assert!(seen.contains_key(&key), "no case of several inputs for {key:?}");
        }
    }
}

/// The tensors of a safetensors file, to be changed and written again.
type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn read_tensors(file: &Path) -> Tensors {
    let bytes = fs::read(file).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let owned = |(name, view): (String, TensorView<'_>)| {
        (name, (view.dtype(), view.shape().to_vec(), view.data().to_vec()))
    };
    tensors.tensors().into_iter().map(owned).collect()
}

fn write_tensors(file: &Path, tensors: &Tensors) {
    let views: BTreeMap<&str, TensorView<'_>> = tensors
        .iter()
        .map(|(name, (dtype, shape, data))| {
            (name.as_str(), TensorView::new(*dtype, shape.clone(), data).unwrap())
        })
        .collect();
    fs::write(file, safetensors::serialize(views, None).unwrap()).unwrap();
}

#[test]
fn every_architecture_loads_strictly_and_reports_all_that_is_wrong_at_once() {
    for task in burnpipe::tasks() {
        for model_type in burnpipe::supported(task) {
            let file = case_files(Some(task.id))
                .unwrap()
                .into_iter()
                .find(|file| {
                    file.model_type == model_type && file.folder().unwrap().join("model.safetensors").exists()
                })
                .unwrap();
            let folder = tempfile::tempdir().unwrap();
            copy_folder(&file.folder().unwrap(), folder.path()).unwrap();
            let weights = folder.path().join("model.safetensors");
            let mut tensors = read_tensors(&weights);
            // Tables that a config ties to another are not read, nor what pre-training hides patches by, and old norms are
            // known by new names.
            let not_read =
                ["embed_tokens", "embed_out", "mask_token", "num_batches_tracked", ".gamma", ".beta"];
            let named = |parts: &[&str]| -> Vec<String> {
                let has = |key: &str, parts: &[&str]| parts.iter().any(|part| key.contains(part));
                let keys =
                    tensors.keys().filter(|key| has(&key.to_lowercase(), parts) && !has(key, &not_read));
                keys.cloned().collect()
            };
            let choices = [named(&["embed"]), named(&["norm", "ln_"]), named(&["fc1"])];
            let keys = choices.into_iter().find(|keys| keys.len() > 1).unwrap_or_default();
            let [missing, misshaped, ..] = keys.as_slice() else { panic!("{model_type}: {keys:?}") };
            tensors.remove(missing);
            let surprise = format!("{missing}.surprise");
            tensors.insert(surprise.clone(), (Dtype::F32, vec![1], vec![0; 4]));
            tensors.insert(misshaped.clone(), (Dtype::F32, vec![1], vec![0; 4]));
            write_tensors(&weights, &tensors);
            let builder = burnpipe::pipeline(task.id).model(folder.path().display().to_string());
            let error = builder.load().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Weights, "{model_type}: {error}");
            let message = error.to_string();
            for part in [missing, &surprise, misshaped] {
                assert!(message.contains(part), "{model_type}: `{part}` is not in: {message}");
            }
        }
    }
}
