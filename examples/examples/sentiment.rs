//! Labels of texts, with a model from a local folder; the task is taken from the folder too.
//!
//! `cargo run -p burnpipe-examples --example sentiment -- path/to/model "I like it" "I do not"`

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let model = arguments.next().unwrap_or_else(|| "tests/goldens/models/bert-sentiment".into());
    let mut texts: Vec<String> = arguments.collect();
    if texts.is_empty() {
        texts = vec!["I like it".into(), "I do not".into()];
    }

    let classify = burnpipe::pipeline(None).model(model).batch_size(8).load()?;
    println!("{} on {}", classify.about().task, classify.device());
    let labels = classify.call(texts.clone())?;
    for (text, label) in texts.iter().zip(labels.as_array().into_iter().flatten()) {
        println!("{:<12} {:.4}  {text}", label["label"].as_str().unwrap_or_default(), label["score"]);
    }
    Ok(())
}
