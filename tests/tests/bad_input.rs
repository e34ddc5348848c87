//! Bad models, parameters and inputs: each is refused with a message that names the thing.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use burnpipe::nn::{Architecture, Heads};
use burnpipe::{AnyPipeline, ErrorKind, InputKind, RunOptions};
use burnpipe_tests::{CaseFile, case_files, copy_folder, goldens};
use serde_json::{Value, json};

/// A copy of a tiny checkpoint, to be damaged.
fn copy_of(checkpoint: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&goldens().join("models").join(checkpoint), folder.path()).unwrap();
    folder
}

fn load(task: &str, folder: &Path) -> burnpipe::Result<burnpipe::AnyPipeline> {
    burnpipe::pipeline(task).model(folder.display().to_string()).load()
}

fn edit_config(folder: &Path, edit: impl FnOnce(&mut Value)) {
    let path = folder.join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    edit(&mut config);
    fs::write(path, config.to_string()).unwrap();
}

/// Rewrites a safetensors header, keeping its length.
fn edit_header(folder: &Path, from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let path = folder.join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).expect(from);
    let mut changed = bytes;
    changed[at..at + to.len()].copy_from_slice(to.as_bytes());
    fs::write(path, changed).unwrap();
}

struct Damage {
    name: &'static str,
    damage: fn(&Path),
    kind: ErrorKind,
    says: &'static [&'static str],
}

const DAMAGES: &[Damage] = &[
    Damage {
        name: "no config",
        damage: |folder| fs::remove_file(folder.join("config.json")).unwrap(),
        kind: ErrorKind::MissingFile,
        says: &["config.json"],
    },
    Damage {
        name: "broken config",
        damage: |folder| fs::write(folder.join("config.json"), "{\"model_type\": ").unwrap(),
        kind: ErrorKind::Config,
        says: &["config.json"],
    },
    Damage {
        name: "a config value of the wrong type",
        damage: |folder| edit_config(folder, |config| config["hidden_size"] = json!("big")),
        kind: ErrorKind::Config,
        says: &["hidden_size", "big"],
    },
    Damage {
        name: "heads that do not divide the hidden size",
        damage: |folder| edit_config(folder, |config| config["num_attention_heads"] = json!(7)),
        kind: ErrorKind::Config,
        says: &["num_attention_heads", "7"],
    },
    Damage {
        name: "an activation that nobody knows",
        damage: |folder| edit_config(folder, |config| config["hidden_act"] = json!("gelo")),
        kind: ErrorKind::Config,
        says: &["`gelo`", "`gelu`"],
    },
    Damage {
        name: "an architecture that is not supported",
        damage: |folder| edit_config(folder, |config| config["model_type"] = json!("megatron-bert")),
        kind: ErrorKind::UnknownArchitecture,
        says: &["`megatron-bert`", "`bert`", "token-classification"],
    },
    Damage {
        name: "a label map with a hole",
        damage: |folder| {
            edit_config(folder, |config| drop(config["id2label"].as_object_mut().unwrap().remove("1")))
        },
        kind: ErrorKind::Config,
        says: &["id2label", "1"],
    },
    Damage {
        name: "a label map without labels",
        damage: |folder| edit_config(folder, |config| config["id2label"] = json!({})),
        kind: ErrorKind::Config,
        says: &["id2label", "no labels"],
    },
    Damage {
        name: "no tokenizer",
        damage: |folder| {
            for file in ["tokenizer.json", "vocab.txt"] {
                let _ = fs::remove_file(folder.join(file));
            }
        },
        kind: ErrorKind::MissingFile,
        says: &["tokenizer.json", "vocab.txt"],
    },
    Damage {
        name: "a broken tokenizer",
        damage: |folder| fs::write(folder.join("tokenizer.json"), "{\"version\": \"1.0\"").unwrap(),
        kind: ErrorKind::Tokenizer,
        says: &["tokenizer.json"],
    },
    Damage {
        name: "no weights",
        damage: |folder| fs::remove_file(folder.join("model.safetensors")).unwrap(),
        kind: ErrorKind::MissingFile,
        says: &["model.safetensors", "pytorch_model.bin"],
    },
    Damage {
        name: "weights that are cut short",
        damage: |folder| {
            let path = folder.join("model.safetensors");
            let bytes = fs::read(&path).unwrap();
            fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        },
        kind: ErrorKind::Weights,
        says: &["model.safetensors"],
    },
    Damage {
        name: "weights that are empty",
        damage: |folder| fs::write(folder.join("model.safetensors"), "").unwrap(),
        kind: ErrorKind::Weights,
        says: &["model.safetensors"],
    },
    Damage {
        name: "a header that lies about sizes",
        damage: grow_first_shape,
        kind: ErrorKind::Weights,
        says: &["model.safetensors"],
    },
    Damage {
        name: "weights with NaN",
        damage: |folder| {
            let path = folder.join("model.safetensors");
            let mut bytes = fs::read(&path).unwrap();
            let length = bytes.len();
            bytes[length - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
            fs::write(path, bytes).unwrap();
        },
        kind: ErrorKind::Weights,
        says: &["NaN"],
    },
];

#[test]
fn a_damaged_model_is_refused_by_name() {
    for row in DAMAGES {
        let folder = copy_of("bert-ner");
        (row.damage)(folder.path());
        let error = load("token-classification", folder.path()).unwrap_err();
        let report = error.report();
        assert_eq!(error.kind(), row.kind, "{}: {report}", row.name);
        for part in row.says {
            assert!(report.contains(part), "{}: `{part}` is not in: {report}", row.name);
        }
        assert_eq!(report.lines().count(), 1, "{}: {report}", row.name);
    }
}

/// Makes the first tensor of the header larger than its bytes: `[12` becomes `[92`.
fn grow_first_shape(folder: &Path) {
    let bytes = fs::read(folder.join("model.safetensors")).unwrap();
    let key = b"\"shape\":[";
    let at = bytes.windows(key.len()).position(|window| window == key).unwrap() + key.len();
    let from = format!("\"shape\":[{}", char::from(bytes[at]));
    let to = if bytes[at] == b'9' { "\"shape\":[1" } else { "\"shape\":[9" };
    edit_header(folder, &from, to);
}

const HEADLESS: &[Architecture] = &[Architecture { model_type: "bert", heads: Heads::NONE }];

#[test]
fn an_architecture_without_the_head_says_what_it_offers() {
    let folder = goldens().join("models/bert-ner");
    let builder = burnpipe::pipeline("ner").model(folder.display().to_string()).architectures(HEADLESS);
    let error = builder.load().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingHead);
    assert!(error.to_string().contains("`token-classifier`"), "{error}");
}

#[test]
fn names_that_are_not_known_are_answered_with_those_that_are() {
    let error = burnpipe::pipeline("token-clasification").load().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownTask);
    assert!(error.to_string().contains("did you mean `token-classification`"), "{error}");

    let ner = load("ner", &goldens().join("models/bert-ner")).unwrap();
    let error = ner.call_with("text", &json!({"aggregation_stategy": "simple"})).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Parameter);
    for part in
        ["`aggregation_stategy`", "did you mean `aggregation_strategy`", "`ignore_labels`", "`batch_size`"]
    {
        assert!(error.to_string().contains(part), "{error}");
    }

    let error = burnpipe::pipeline("ner").device("tpu");
    let error = error.model(goldens().join("models/bert-ner").display().to_string()).load().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Device);
    assert!(error.to_string().contains("`tpu`") && error.to_string().contains("`flex`"), "{error}");
}

#[test]
fn a_text_over_the_limit_is_refused_with_the_limit_and_the_remedy() {
    let classify = load("text-classification", &goldens().join("models/bert-sentiment")).unwrap();
    let long = "word ".repeat(500);
    let error = classify.call(long.as_str()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(error.to_string().contains("at most") && error.to_string().contains("truncation"), "{error}");
    assert!(classify.call_with(long, &json!({"truncation": true})).is_ok());
}

#[test]
fn inputs_of_another_shape_are_refused_and_cost_only_their_own_answer() {
    for (task, checkpoint) in [
        ("ner", "bert-ner"),
        ("text-classification", "bert-sentiment"),
        ("feature-extraction", "bert-features"),
    ] {
        let pipeline = load(task, &goldens().join("models").join(checkpoint)).unwrap();
        let inputs = [json!("good"), json!(3), json!(null), json!({"text": 1}), json!("good")];
        for batch_size in [1, 2, 8] {
            let run = RunOptions { batch_size: Some(batch_size), ..RunOptions::default() };
            let answers = pipeline.iter_with(inputs.clone().map(Ok), &Value::Null, run).unwrap();
            let kinds: Vec<_> =
                answers.map(|answer| answer.map(|_| ()).map_err(|error| error.kind())).collect();
            let refused = Err(ErrorKind::Input);
            assert_eq!(
                kinds,
                [Ok(()), refused, refused, refused, Ok(())],
                "{task} in batches of {batch_size}"
            );
        }
    }
}

/// What nobody sends on purpose: Python's answer is in the goldens; here nothing may panic.
fn hostile_texts() -> Vec<String> {
    vec![
        String::new(),
        " \t\n ".into(),
        "\0".into(),
        "[CLS] [SEP] [PAD]".into(),
        "<s> </s> <pad> <unk>".into(),
        "\u{202e}abc\u{0301}\u{200d}".into(),
        "السَّلامُ عَلَيكُم 👩‍👩‍👧‍👦 e\u{0301}\u{0301}\u{0301}".into(),
        "👩‍👩‍👧‍👦".repeat(50),
        "x".repeat(50_000),
        "word ".repeat(10_000),
    ]
}

#[test]
fn hostile_texts_are_answered() {
    let ner = load("ner", &goldens().join("models/bert-ner")).unwrap();
    let texts = hostile_texts();
    let answers =
        ner.call_with(texts.clone(), &json!({"aggregation_strategy": "simple", "stride": 2})).unwrap();
    assert_eq!(answers.as_array().unwrap().len(), texts.len());
}

/// A task's input made of a text, and the parameters that it cannot do without.
fn input_of(task: &str, text: &str, mask: &str) -> (Value, Value) {
    match task {
        "fill-mask" => (json!(format!("{text} {mask}")), Value::Null),
        "question-answering" => (json!({"question": text, "context": text}), Value::Null),
        "table-question-answering" => {
            (json!({"table": {text: [text, "1"], "b": ["2", text]}, "query": text}), Value::Null)
        }
        "text-generation" => (json!(text), json!({"max_new_tokens": 3})),
        "zero-shot-classification" => (json!(text), json!({"candidate_labels": [text, "food"]})),
        _ => (json!(text), Value::Null),
    }
}

/// Architectures that take texts of any length.
const UNLIMITED: [&str; 4] = ["deberta", "deberta-v2", "modernbert", "xlnet"];

/// Paths and the like that no image or sound is behind, or a strange one.
fn hostile_files(folder: &Path) -> Vec<Value> {
    let media = goldens().join("media");
    let half = |name: &str| {
        let bytes = fs::read(media.join(name)).unwrap();
        bytes[..bytes.len() / 2].to_vec()
    };
    // A picture of 1 x 3000: BMP has its rows filled to 4 bytes.
    let numbers =
        |numbers: &[u32]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
    let thin = [
        b"BM".to_vec(),
        numbers(&[54 + 12_000, 0, 54, 40, 1, 3000, 1 | 24 << 16, 0, 12_000, 0, 0, 0, 0]),
        vec![77; 12_000],
    ];
    // The header of a PNG of 100,000 x 100,000; its checksum is right.
    let huge = [
        &b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\x01\x86\xa0\0\x01\x86\xa0\x08\x02\0\0\0"[..],
        &[0x27, 0x30, 0x9c, 0x9f],
    ]
    .concat();
    let files = [
        ("empty.png", Vec::new()),
        ("text.jpg", b"no image at all".to_vec()),
        ("cut.jpg", half("rgb.jpg")),
        ("cut.png", half("rgba.png")),
        ("cut.gif", half("palette.gif")),
        ("cut.tiff", half("square.tiff")),
        ("thin.bmp", thin.concat()),
        ("huge.png", huge),
    ];
    let path = |name: &str| json!(folder.join(name).display().to_string());
    for (name, bytes) in &files {
        fs::write(folder.join(name), bytes).unwrap();
    }
    let mut inputs: Vec<Value> = files.iter().map(|(name, _)| path(name)).collect();
    inputs.extend([path("nothing.png"), path(""), json!(media.join("dot.png").display().to_string())]);
    let texts = ["", "\0", "\u{202e}", "data:image/png;base64,", "data:,????", "data:image/png;base64,AAAA"];
    inputs.extend(texts.map(Value::from));
    inputs.extend([json!("A".repeat(5000)), json!(null), json!(3), json!({"url": "x"}), json!(["x"])]);
    inputs
}

/// What nobody sends to a task on purpose, with the parameters that it cannot do without.
fn hostile_inputs(file: &CaseFile, is_unlimited: bool, folder: &Path) -> Vec<(Value, Value)> {
    if burnpipe::task(&file.task).unwrap().input != InputKind::Text {
        return hostile_files(folder).into_iter().map(|input| (input, Value::Null)).collect();
    }
    let mask = if has_mask(file, "<mask>") { "<mask>" } else { "[MASK]" };
    let text = |text: String| if is_unlimited { text.chars().take(1_500).collect() } else { text };
    hostile_texts().into_iter().map(|hostile| input_of(&file.task, &text(hostile), mask)).collect()
}

/// Every task with every architecture answers, or refuses that input alone with a reason; it never panics,
/// which would be an internal error.
#[test]
fn hostile_inputs_are_answered_or_refused_by_every_task_and_architecture() {
    let writes = burnpipe::supported(burnpipe::task("text-generation").unwrap());
    let folder = tempfile::tempdir().unwrap();
    for task in burnpipe::tasks() {
        for model_type in burnpipe::supported(task) {
            let files = case_files(Some(task.id)).unwrap();
            let file = files.into_iter().find(|file| file.model_type == model_type).unwrap();
            let pipeline = file.load("cpu").unwrap();
            // Models without a limit read it whole, in a time that grows with its square.
            let is_unlimited = UNLIMITED.contains(&model_type) || writes.contains(&model_type);
            for (input, parameters) in hostile_inputs(&file, is_unlimited, folder.path()) {
                // In a list, so that a list is an input too.
                let Err(error) = pipeline.call_with(json!([input]), &parameters) else { continue };
                let kinds = [ErrorKind::Input, ErrorKind::Media, ErrorKind::Parameter];
                let start: String = input.to_string().chars().take(100).collect();
                assert!(kinds.contains(&error.kind()), "{}, {model_type}, {start}: {error:?}", task.id);
            }
        }
    }
}

#[test]
fn a_bad_image_is_named_and_costs_only_its_own_answer() {
    let folder = tempfile::tempdir().unwrap();
    let bad = hostile_files(folder.path());
    let good = |name: &str| json!(goldens().join("media").join(name).display().to_string());
    let inputs = [good("rgb.jpg"), bad[1].clone(), good("tall.bmp"), bad[8].clone(), good("dot.png")];
    for (task, checkpoint) in [
        ("image-classification", "resnet-images-uncropped"),
        ("image-feature-extraction", "vit-image-features"),
    ] {
        let pipeline = load(task, &goldens().join("models").join(checkpoint)).unwrap();
        for batch_size in [1, 2, 8] {
            let run = RunOptions { batch_size: Some(batch_size), ..RunOptions::default() };
            let answers = pipeline.iter_with(inputs.clone().map(Ok), &Value::Null, run).unwrap();
            let answers: Vec<_> = answers.collect();
            for at in [0, 2, 4] {
                assert_eq!(*answers[at].as_ref().unwrap(), pipeline.call(inputs[at].clone()).unwrap());
            }
            for (at, kind, name) in [(1, ErrorKind::Media, "text.jpg"), (3, ErrorKind::Input, "nothing.png")]
            {
                let error = answers[at].as_ref().unwrap_err();
                assert_eq!(error.kind(), kind, "{error}");
                assert!(error.to_string().contains(name), "`{name}` is not in: {error}");
            }
        }
    }
    let pipeline = load("image-classification", &goldens().join("models/vit-images")).unwrap();
    for parameters in [json!({"timeout": 0}), json!({"timeout": "long"}), json!({"top_k": -1})] {
        let error = pipeline.call_with(good("rgb.jpg"), &parameters).unwrap_err();
        let name = parameters.as_object().unwrap().keys().next().unwrap();
        assert!(error.kind() == ErrorKind::Parameter && error.to_string().contains(name), "{error}");
    }
}

#[test]
fn a_pooled_image_needs_a_pooler_in_the_weights() {
    let folder = copy_of("vit-image-features");
    let weights = folder.path().join("model.safetensors");
    let bytes = fs::read(&weights).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let kept = tensors.tensors().into_iter().filter(|(name, _)| !name.starts_with("pooler"));
    fs::write(&weights, safetensors::serialize(kept, None).unwrap()).unwrap();
    let pipeline = load("image-feature-extraction", folder.path()).unwrap();
    let input = json!(goldens().join("media/rgb.jpg").display().to_string());
    assert!(pipeline.call(input.clone()).is_ok());
    let (kind, message) = message_of(&pipeline, input, json!({"pool": true}));
    assert!(kind == ErrorKind::Parameter && message.contains("pooler"), "{message}");
}

/// Whether a checkpoint's tokenizer has this mask.
fn has_mask(file: &CaseFile, mask: &str) -> bool {
    let config = fs::read_to_string(file.folder().unwrap().join("special_tokens_map.json"));
    config.is_ok_and(|config| config.contains(mask))
}

#[test]
fn a_text_without_a_mask_is_named_and_costs_only_its_own_answer() {
    let fill = load("fill-mask", &goldens().join("models/bert-mask")).unwrap();
    let inputs = [json!("a [MASK]"), json!("Paris is in France."), json!(["x"]), json!("[MASK] b")];
    for batch_size in [1, 4] {
        let run = RunOptions { batch_size: Some(batch_size), ..RunOptions::default() };
        let answers: Vec<_> = fill.iter_with(inputs.clone().map(Ok), &Value::Null, run).unwrap().collect();
        assert!(answers[0].is_ok() && answers[3].is_ok());
        let error = answers[1].as_ref().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        let message = error.to_string();
        assert!(message.contains("`[MASK]`") && message.contains("`Paris is in France.`"), "{message}");
        assert_eq!(answers[2].as_ref().unwrap_err().kind(), ErrorKind::Input);
    }
    let error = fill.call_with("a [MASK]", &json!({"targets": [""]})).unwrap_err();
    assert!(error.kind() == ErrorKind::Parameter && error.to_string().contains("`targets`"), "{error}");
    let error = fill.call_with("a [MASK]", &json!({"top_k": 1_000_000})).unwrap_err();
    assert!(error.kind() == ErrorKind::Parameter && error.to_string().contains("1000000"), "{error}");
}

#[test]
fn a_tokenizer_without_a_mask_token_cannot_fill_masks() {
    let folder = copy_of("bert-mask");
    let config = json!({"tokenizer_class": "PreTrainedTokenizerFast"});
    fs::write(folder.path().join("tokenizer_config.json"), config.to_string()).unwrap();
    fs::remove_file(folder.path().join("special_tokens_map.json")).unwrap();
    let error = load("fill-mask", folder.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tokenizer);
    assert!(error.to_string().contains("`mask_token`"), "{error}");
}

fn message_of(pipeline: &AnyPipeline, input: Value, parameters: Value) -> (ErrorKind, String) {
    let error = pipeline.call_with(input, &parameters).unwrap_err();
    (error.kind(), error.to_string())
}

#[test]
fn generation_says_what_it_cannot_do() {
    let write = load("text-generation", &goldens().join("models/gpt2-generation")).unwrap();
    let cases = [
        (json!("x"), json!({"max_new_tokens": 0}), ErrorKind::Parameter, "max_new_tokens"),
        (
            json!("x"),
            json!({"do_sample": false, "num_return_sequences": 2}),
            ErrorKind::Parameter,
            "num_return_sequences",
        ),
        (
            json!("x"),
            json!({"num_beams": 3, "num_beam_groups": 2, "diversity_penalty": 0.5, "do_sample": false}),
            ErrorKind::Parameter,
            "num_beam",
        ),
        (json!("x"), json!({"temperature": -1.0, "do_sample": true}), ErrorKind::Parameter, "temperature"),
        (json!("x"), json!({"max_new_token": 3}), ErrorKind::Parameter, "`max_new_tokens`"),
        (json!("x"), json!({"stop_strings": []}), ErrorKind::Parameter, "stop_strings"),
        (json!("word ".repeat(500)), json!({"max_new_tokens": 3}), ErrorKind::Input, "at most 96"),
        (json!([{"role": "user"}]), Value::Null, ErrorKind::Input, "`content`"),
        (json!(5), Value::Null, ErrorKind::Input, "a text, or a chat"),
    ];
    for (input, parameters, kind, part) in cases {
        let (found, message) = message_of(&write, input, parameters.clone());
        assert_eq!(found, kind, "{parameters}: {message}");
        assert!(message.contains(part), "{parameters}: `{part}` is not in: {message}");
    }
    // A stop string that never comes costs nothing but the length.
    let parameters = json!({"stop_strings": ["never and nowhere"], "max_new_tokens": 5, "do_sample": false, "return_tensors": true});
    let prompt = write.count_tokens(&[json!("Hi there")], &parameters).unwrap().unwrap() as usize;
    let answer = write.call_with("Hi there", &parameters).unwrap();
    assert_eq!(answer[0]["generated_token_ids"].as_array().unwrap().len(), prompt + 5);
    let other = load("text-generation", &goldens().join("models/bert-mask")).unwrap_err();
    assert_eq!(other.kind(), ErrorKind::MissingHead, "{other}");
}

#[test]
fn a_prompt_that_is_too_long_costs_only_its_own_answer() {
    let write = load("text-generation", &goldens().join("models/gpt2-generation")).unwrap();
    let parameters = json!({"max_new_tokens": 4, "do_sample": false});
    let inputs = [json!("Hi there"), json!("word ".repeat(500)), json!("Sarah lives in"), json!("x")];
    for batch_size in [1, 2, 4] {
        let run = RunOptions { batch_size: Some(batch_size), ..RunOptions::default() };
        let answers: Vec<_> = write.iter_with(inputs.clone().map(Ok), &parameters, run).unwrap().collect();
        assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true, true]);
        let alone = write.call_with(inputs[2].clone(), &parameters).unwrap();
        assert_eq!(*answers[2].as_ref().unwrap(), alone);
    }
}

#[test]
fn templates_and_weights_that_are_broken_are_named() {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&goldens().join("models/gpt2-generation"), folder.path()).unwrap();
    let chat = json!([{"role": "user", "content": "Hi"}]);
    for (template, part) in [
        ("{{ raise_exception('only poems') }}", "only poems"),
        (
            "{% for a in range(99999) %}{% for b in range(99999) %}{{ a }}{% endfor %}{% endfor %}",
            "too many steps",
        ),
        ("{% if %}", "cannot parse"),
    ] {
        fs::write(folder.path().join("chat_template.jinja"), template).unwrap();
        let write = load("text-generation", folder.path()).unwrap();
        let (_, message) = message_of(&write, chat.clone(), json!({"max_new_tokens": 2}));
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    let weights = folder.path().join("model.safetensors");
    let bytes = fs::read(&weights).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let changed: Vec<(String, safetensors::tensor::Dtype, Vec<usize>, Vec<u8>)> = tensors
        .tensors()
        .into_iter()
        .map(|(name, view)| {
            // Weights that are NaN are refused when they are read; these overflow.
            let huge = f32::MAX.to_le_bytes().repeat(view.data().len() / 4);
            let data = if name.ends_with("ln_f.weight") { huge } else { view.data().to_vec() };
            (name, view.dtype(), view.shape().to_vec(), data)
        })
        .collect();
    let views = changed.iter().map(|(name, dtype, shape, data)| {
        (name.as_str(), safetensors::tensor::TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    fs::write(&weights, safetensors::serialize(views, None).unwrap()).unwrap();
    for parameters in
        [json!({"do_sample": false}), json!({"do_sample": true}), json!({"num_beams": 2, "do_sample": false})]
    {
        let write = load("text-generation", folder.path()).unwrap();
        let (_, message) = message_of(&write, json!("Hi"), parameters);
        assert!(message.contains("NaN"), "{message}");
    }
}
