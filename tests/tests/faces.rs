//! The two faces of a pipeline, the async one, and tables of the caller's own.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use burnpipe::nn::{Architecture, Heads};
use burnpipe::prelude::*;
use burnpipe::{
    AggregationStrategy, AnyPipeline, DType, ErrorKind, FeatureExtraction, FeatureExtractionOptions, Image,
    ImageClassification, ImageClassificationOptions, ImageFeatureExtraction, ImageFeatureExtractionOptions,
    JsonTask, LoadTask, Media, Pooling, Result, Task, TaskContext, TaskRecord, TextClassification,
    TextClassificationOptions, TokenClassification, TokenClassificationOptions, TopK, Worker,
};
use burnpipe_tests::goldens;
use serde_json::{Map, Value, json};

fn folder(checkpoint: &str) -> String {
    goldens().join("models").join(checkpoint).display().to_string()
}

#[test]
fn the_typed_and_the_erased_face_give_the_same_answers() {
    let erased = burnpipe::pipeline("ner").model(folder("bert-ner")).load().unwrap();
    let typed = TokenClassification::from_pretrained(&folder("bert-ner")).unwrap();
    let options = TokenClassificationOptions {
        aggregation_strategy: Some(AggregationStrategy::First),
        ..TokenClassificationOptions::default()
    };
    let text = "Sarah Connor lives in Los Angeles";
    let entities = typed.call_with(text, &options).unwrap();
    let json = erased.call_with(text, &json!({"aggregation_strategy": "first"})).unwrap();
    assert_eq!(serde_json::to_value(&entities).unwrap(), json);

    let typed = TextClassification::from_pretrained(&folder("bert-sentiment")).unwrap();
    let erased = burnpipe::pipeline("sentiment-analysis").model(folder("bert-sentiment")).load().unwrap();
    let options = TextClassificationOptions { top_k: TopK::First(2), ..TextClassificationOptions::default() };
    let labels = typed.call_with("good", &options).unwrap();
    assert_eq!(labels.len(), 2);
    assert_eq!(
        serde_json::to_value(&labels).unwrap(),
        erased.call_with("good", &json!({"top_k": 2})).unwrap()
    );
    let best = typed.call("good").unwrap();
    // Python: a text alone gives a list of one; in a list of texts each gives its label.
    assert_eq!(erased.call("good").unwrap(), json!(best));
    assert_eq!(erased.call(json!(["good"])).unwrap(), json!(best));
    assert_eq!(erased.call(json!({"text": "good"})).unwrap(), json!(best[0]));
}

#[test]
fn an_image_is_a_path_bytes_a_data_uri_or_pixels() {
    let path = goldens().join("media/grey.png");
    let bytes = std::fs::read(&path).unwrap();
    let classify = ImageClassification::from_pretrained(&folder("vit-images")).unwrap();
    let erased = burnpipe::pipeline("image-classification").model(folder("vit-images")).load().unwrap();
    let labels = classify.call(path.clone()).unwrap();
    assert_eq!(labels.len(), 5);
    assert_eq!(serde_json::to_value(&labels).unwrap(), erased.call(path.to_str().unwrap()).unwrap());
    assert_eq!(classify.call(path.to_str().unwrap()).unwrap(), labels);
    assert_eq!(classify.call(Media::from(bytes.clone())).unwrap(), labels);
    let image = Image::decode(&bytes, "a picture").unwrap();
    let options = ImageClassificationOptions { top_k: 2, ..ImageClassificationOptions::default() };
    assert_eq!(classify.call_with(image.clone(), &options).unwrap(), labels[..2]);

    let extract = ImageFeatureExtraction::from_pretrained(&folder("vit-image-features")).unwrap();
    let all = extract.call(image.clone()).unwrap();
    assert_eq!(all.shape, [1, 10, 12]);
    let options = ImageFeatureExtractionOptions { pool: true, ..ImageFeatureExtractionOptions::default() };
    assert_eq!(extract.call_with(image, &options).unwrap().shape, [1, 7]);
}

#[test]
fn pipelines_are_shared_between_threads() {
    fn shareable<T: Clone + Send + Sync + 'static>(value: T) -> T {
        value
    }
    let typed = shareable(TextClassification::from_pretrained(&folder("bert-sentiment")).unwrap());
    let alone = typed.call("good").unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let typed = typed.clone();
            thread::spawn(move || typed.batch(["good", "bad", "good"]).unwrap())
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap()[2], alone);
    }
    shareable(burnpipe::pipeline("ner").model(folder("bert-ner")).load().unwrap());
}

/// Waits for a future on this thread.
fn wait<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn the_async_face_answers_as_the_others_do() {
    let typed = TextClassification::from_pretrained(&folder("bert-sentiment")).unwrap();
    let alone = typed.call("good").unwrap();
    let worker = Worker::spawn(typed).unwrap();
    assert_eq!(wait(worker.call("good".into())).unwrap(), alone);
    let answers =
        wait(worker.batch_with(vec!["good".into(), "".into()], TextClassificationOptions::default()));
    assert_eq!(answers.len(), 2);

    let erased: AnyPipeline = burnpipe::pipeline("ner").model(folder("bert-ner")).load().unwrap();
    let worker = Worker::spawn(erased.clone()).unwrap();
    assert_eq!(wait(worker.call("Sarah".into())).unwrap(), erased.call("Sarah").unwrap());
    let refused = wait(worker.call_with("Sarah".into(), json!({"nothing": 1}))).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Parameter);
}

#[test]
fn the_task_is_taken_from_the_model_when_it_is_left_out() {
    let rows = [
        ("bert-ner", "token-classification"),
        ("bert-sentiment", "text-classification"),
        ("bert-features", "feature-extraction"),
    ];
    for (checkpoint, task) in rows {
        let pipeline = burnpipe::pipeline(None).model(folder(checkpoint)).load().unwrap();
        assert_eq!(pipeline.about().task, task);
    }
    // The model card wins over the class name.
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(folder("bert-ner")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    std::fs::write(copy.path().join("README.md"), "---\npipeline_tag: feature-extraction\n---\n# A model\n")
        .unwrap();
    let pipeline = burnpipe::pipeline(None).model(copy.path().display().to_string()).load().unwrap();
    assert_eq!(pipeline.about().task, "feature-extraction");

    let error = burnpipe::pipeline(None).load().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Parameter);
}

/// How many tokens a model's tokenizer makes of a text.
struct TokenCount(burnpipe::text::Tokenizer);

impl Task for TokenCount {
    type Input = String;
    type Options = ();
    type Features = String;
    type Raw = usize;
    type Output = usize;

    fn preprocess(
        &self,
        text: String,
        _: &(),
    ) -> Result<impl Iterator<Item = Result<String>> + Send + use<>> {
        Ok([Ok(text)].into_iter())
    }

    fn forward(&self, batch: &[String], _: &()) -> Result<Vec<usize>> {
        let count = |text: &String| {
            let windows = self.0.encode(&text.as_str().into(), &burnpipe::EncodeOptions::default())?;
            Ok(windows.iter().map(|window| window.len()).sum())
        };
        batch.iter().map(count).collect()
    }

    fn postprocess(&self, counts: Vec<usize>, _: &()) -> Result<usize> {
        Ok(counts.into_iter().sum())
    }
}

impl JsonTask for TokenCount {
    const PARAMETERS: &'static [&'static str] = &[];

    fn parse_input(input: Value, _: &()) -> Result<String> {
        Ok(input.as_str().unwrap_or_default().to_string())
    }

    fn parse_options(_: Map<String, Value>) -> Result<()> {
        Ok(())
    }
}

impl LoadTask for TokenCount {
    const ID: &'static str = "token-count";
    const ALIASES: &'static [&'static str] = &[];
    const SUMMARY: &'static str = "how many tokens a text has";
    const DEFAULT_MODEL: (&'static str, &'static str) = ("nobody/nothing", "main");

    fn supports(_: &Heads) -> bool {
        true
    }

    fn load(context: &TaskContext<'_>) -> Result<Self> {
        Ok(Self(burnpipe::text::Tokenizer::load(context.load.checkpoint)?))
    }
}

const MY_TASKS: &[TaskRecord] = &[TaskRecord::of::<TokenCount>()];
const MY_ARCHITECTURES: &[Architecture] = &[Architecture { model_type: "bert", heads: Heads::NONE }];

#[test]
fn tasks_and_architectures_of_the_callers_own_are_found_first() {
    let builder = burnpipe::pipeline("token-count").model(folder("bert-ner"));
    let count = builder.tasks(MY_TASKS).architectures(MY_ARCHITECTURES).load().unwrap();
    assert_eq!(count.call(json!(["", "Sarah"])).unwrap()[0], 2);
    let builder = burnpipe::pipeline("ner").model(folder("bert-ner")).architectures(MY_ARCHITECTURES);
    assert_eq!(builder.load().unwrap_err().kind(), ErrorKind::MissingHead);
}

#[test]
fn what_the_device_does_not_compute_is_refused() {
    let builder = burnpipe::pipeline("ner").model(folder("bert-ner")).dtype(DType::BF16);
    let error = builder.load().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Device);
    assert!(error.to_string().contains("`bf16`") && error.to_string().contains("`f32`"), "{error}");
    let pipeline = burnpipe::pipeline("ner").model(folder("bert-ner")).device(-1).load().unwrap();
    assert_eq!((pipeline.device(), pipeline.about().dtype), ("cpu", "f32"));
}

#[test]
fn one_vector_of_a_text_is_pooled_as_asked() {
    let embed = FeatureExtraction::from_pretrained(&folder("bert-features")).unwrap();
    let tokens = embed.call("Sarah Connor").unwrap();
    let rows: Vec<&[f32]> = tokens.vectors().collect();
    let pooled = |pooling, normalize| {
        let options = FeatureExtractionOptions {
            pooling: Some(pooling),
            normalize,
            ..FeatureExtractionOptions::default()
        };
        embed.call_with("Sarah Connor", &options).map(|features| features.values)
    };
    assert_eq!(pooled(Pooling::Cls, false).unwrap(), rows[0]);
    assert_eq!(pooled(Pooling::Last, false).unwrap(), rows[rows.len() - 1]);
    let mean = pooled(Pooling::Mean, false).unwrap();
    let expected: f32 = rows.iter().map(|row| row[3]).sum::<f32>() / rows.len() as f32;
    assert!((mean[3] - expected).abs() < 1e-6);
    let unit = pooled(Pooling::Mean, true).unwrap();
    assert!((unit.iter().map(|value| value * value).sum::<f32>() - 1.0).abs() < 1e-5);
    assert_eq!(pooled(Pooling::Auto, false).unwrap_err().kind(), ErrorKind::Parameter);
}

#[test]
fn documents_are_ranked_by_the_scores_of_their_pairs() {
    let query = "What is the capital of Germany?";
    let documents = [
        "The capital of Germany is Berlin.",
        "I love this movie!",
        "Hi",
        "Angela Merkel visited Paris in March 2019.",
        "我爱北京天安门。",
        "10:30",
    ];
    let reranker = TextClassification::from_pretrained(&folder("bert-reranker")).unwrap();
    let pair = |document: &str| TextInput::Pair { text: query.into(), text_pair: document.into() };
    let mut alone: Vec<f32> =
        documents.iter().map(|document| reranker.call(pair(document)).unwrap()[0].score).collect();
    let ranked = reranker.rerank(query, documents, None).unwrap();
    assert_eq!(ranked.len(), documents.len());
    for one in &ranked {
        assert!((one.score - alone[one.index]).abs() < 1e-6, "{one:?}");
    }
    alone.sort_by(|left, right| right.total_cmp(left));
    assert!(ranked.iter().zip(&alone).all(|(one, score)| (one.score - score).abs() < 1e-6));
    let best = reranker.clone().with_batch_size(4).rerank(query, documents, Some(2)).unwrap();
    assert_eq!(best.iter().map(|one| one.index).collect::<Vec<_>>(), [ranked[0].index, ranked[1].index]);
    // Longer than the model's 90 positions and the tokenizer's 40: cut, not refused.
    let long = query.repeat(30);
    assert_eq!(reranker.rerank(query, [long.as_str()], None).unwrap().len(), 1);

    let several = TextClassification::from_pretrained(&folder("bert-sentiment")).unwrap();
    assert_eq!(several.rerank(query, documents, None).unwrap_err().kind(), ErrorKind::MissingHead);
}

#[test]
fn the_function_that_a_reranker_names_makes_its_scores() {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(folder("bert-reranker")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let path = copy.path().join("config.json");
    let config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let load = |key: &str, value: Value| {
        let mut config = config.clone();
        config[key] = value;
        std::fs::write(&path, config.to_string()).unwrap();
        TextClassification::from_pretrained(&copy.path().display().to_string()).unwrap()
    };
    let documents = ["Berlin", "Paris"];
    let plain = TextClassification::from_pretrained(&folder("bert-reranker")).unwrap();
    let sigmoids = plain.rerank("Where?", documents, None).unwrap();
    let identity = "torch.nn.modules.linear.Identity";
    for reranker in [
        load("sentence_transformers", json!({"activation_fn": identity})),
        load("sbert_ce_default_activation_function", json!(identity)),
    ] {
        let logits = reranker.rerank("Where?", documents, None).unwrap();
        for (logit, sigmoid) in logits.iter().zip(&sigmoids) {
            assert_eq!(logit.index, sigmoid.index);
            assert!((1.0 / (1.0 + (-logit.score).exp()) - sigmoid.score).abs() < 1e-6);
        }
    }
    let other = load("sentence_transformers", json!({"activation_fn": "torch.nn.modules.activation.Tanh"}));
    assert_eq!(other.rerank("Where?", documents, None).unwrap_err().kind(), ErrorKind::Config);
}
