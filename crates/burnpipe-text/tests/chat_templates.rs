//! Conversations become the text that Python makes of them (`tests/goldens/chat_templates.json`).

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burnpipe_core::{ErrorKind, ModelFiles, Result};
use burnpipe_text::{ChatTemplateOptions, LocalTime, Tokenizer};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// A model whose files are in memory.
#[derive(Default)]
struct InMemory(BTreeMap<String, Vec<u8>>);

impl ModelFiles for InMemory {
    fn model_name(&self) -> &str {
        "org/model"
    }

    fn read(&self, file: &str) -> Result<Option<Cow<'static, [u8]>>> {
        Ok(self.0.get(file).cloned().map(Cow::Owned))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>> {
        let inside = self.0.keys().filter_map(|file| file.strip_prefix(folder)?.strip_prefix('/'));
        Ok(inside.map(str::to_owned).collect())
    }
}

#[derive(Deserialize)]
struct Goldens {
    now: (i16, i8, i8, i8, i8, i8, i32),
    tokenizer: Value,
    checkpoints: BTreeMap<String, Checkpoint>,
    conversations: BTreeMap<String, Vec<Value>>,
    cases: Vec<Case>,
    messages: Vec<Value>,
    snippet_tokens: Map<String, Value>,
    snippets: Vec<Snippet>,
}

#[derive(Deserialize)]
struct Checkpoint {
    templates: Templates,
    tokens: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Templates {
    One(String),
    Named(BTreeMap<String, String>),
}

#[derive(Deserialize)]
struct Case {
    checkpoint: String,
    conversation: String,
    arguments: Map<String, Value>,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Deserialize)]
struct Snippet {
    template: String,
    variables: Map<String, Value>,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Deserialize)]
struct Outcome {
    text: Option<String>,
    raised: Option<String>,
    message: Option<String>,
}

impl Outcome {
    /// How ours differs, if it does.
    fn difference(&self, ours: Result<String>) -> Option<String> {
        match (&self.text, ours) {
            (Some(text), Ok(ours)) if *text == ours => None,
            (Some(text), ours) => Some(format!("  Python {text:?}\n  ours   {ours:?}")),
            (None, Ok(ours)) => Some(format!("  Python raised {:?}\n  ours   {ours:?}", self.message)),
            (None, Err(error)) => {
                // What the template says is the same; what Jinja says is in its own words.
                let says = self.message.as_deref().unwrap_or_default();
                let is_own = self.raised.as_deref() == Some("TemplateError");
                (is_own && !error.to_string().ends_with(&format!(": {says}")))
                    .then(|| format!("  Python {says:?}\n  ours   {error}"))
            }
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/goldens")
}

fn goldens() -> Goldens {
    serde_json::from_str(&std::fs::read_to_string(folder().join("chat_templates.json")).unwrap()).unwrap()
}

fn template(name: &str) -> String {
    std::fs::read_to_string(folder().join(format!("chat_templates/{name}.jinja"))).unwrap()
}

impl Goldens {
    fn tokenizer(&self, tokens: &Map<String, Value>, template: Option<Value>) -> Tokenizer {
        let mut config = tokens.clone();
        config.insert("tokenizer_class".to_owned(), json!("PreTrainedTokenizerFast"));
        config.extend(template.map(|template| ("chat_template".to_owned(), template)));
        let mut files = InMemory::default();
        files.0.insert("tokenizer.json".to_owned(), self.tokenizer.to_string().into_bytes());
        files.0.insert("tokenizer_config.json".to_owned(), Value::from(config).to_string().into_bytes());
        Tokenizer::load(&files).unwrap()
    }

    fn options(&self, arguments: &Map<String, Value>) -> ChatTemplateOptions {
        let (year, month, day, hour, minute, second, microsecond) = self.now;
        let now = LocalTime::new(year, month, day, hour, minute, second, microsecond).unwrap();
        let mut options = ChatTemplateOptions { now: Some(now), ..Default::default() };
        for (name, value) in arguments {
            let list = || Some(value.as_array().unwrap().clone());
            match name.as_str() {
                "chat_template" => options.chat_template = Some(value.as_str().unwrap().to_owned()),
                "tools" => options.tools = list(),
                "documents" => options.documents = list(),
                "add_generation_prompt" => options.add_generation_prompt = value.as_bool().unwrap(),
                "continue_final_message" => options.continue_final_message = value.as_bool().unwrap(),
                _ => {
                    options.template_kwargs.insert(name.clone(), value.clone());
                }
            }
        }
        options
    }
}

#[test]
fn conversations_become_the_text_that_python_makes() {
    let goldens = goldens();
    let tokenizers: BTreeMap<&str, Tokenizer> = goldens
        .checkpoints
        .iter()
        .map(|(name, checkpoint)| {
            let templates = match &checkpoint.templates {
                Templates::One(file) => json!(template(file)),
                Templates::Named(files) => files
                    .iter()
                    .map(|(name, file)| json!({"name": name, "template": template(file)}))
                    .collect(),
            };
            (name.as_str(), goldens.tokenizer(&checkpoint.tokens, Some(templates)))
        })
        .collect();
    let mut differences = Vec::new();
    for case in &goldens.cases {
        let messages = &goldens.conversations[&case.conversation];
        let ours = tokenizers[case.checkpoint.as_str()]
            .apply_chat_template(messages, &goldens.options(&case.arguments));
        if let Some(difference) = case.outcome.difference(ours) {
            let arguments = serde_json::to_string(&case.arguments).unwrap();
            differences.push(format!("{} {} {arguments}\n{difference}", case.checkpoint, case.conversation));
        }
    }
    assert!(goldens.cases.len() > 200, "the goldens are missing");
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn small_templates_print_what_python_prints() {
    let goldens = goldens();
    let tokenizer = goldens.tokenizer(&goldens.snippet_tokens, None);
    let mut differences = Vec::new();
    for snippet in &goldens.snippets {
        let mut options = goldens.options(&snippet.variables);
        options.chat_template = Some(snippet.template.clone());
        let ours = tokenizer.apply_chat_template(&goldens.messages, &options);
        if let Some(difference) = snippet.outcome.difference(ours) {
            differences.push(format!("{}\n{difference}", snippet.template));
        }
    }
    assert!(goldens.snippets.len() > 150, "the goldens are missing");
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}

fn files(list: &[(&str, &str)]) -> InMemory {
    let mut files = InMemory::default();
    files.0.insert("tokenizer.json".to_owned(), goldens().tokenizer.to_string().into_bytes());
    let class = json!({"tokenizer_class": "PreTrainedTokenizerFast"}).to_string();
    files.0.insert("tokenizer_config.json".to_owned(), class.into_bytes());
    files.0.extend(list.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())));
    files
}

fn load(list: &[(&str, &str)]) -> Tokenizer {
    Tokenizer::load(&files(list)).unwrap()
}

fn hello() -> [Value; 1] {
    [json!({"role": "user", "content": "Hello"})]
}

const CONFIG: (&str, &str) = ("tokenizer_config.json", r#"{"chat_template": "config"}"#);
const JINJA: (&str, &str) = ("chat_template.jinja", "jinja");
const LEGACY: (&str, &str) = ("chat_template.json", r#"{"chat_template": "legacy"}"#);
const TOOL_USE: (&str, &str) = ("additional_chat_templates/tool_use.jinja", "tools {{ tools|length }}");
const RAG: (&str, &str) = ("additional_chat_templates/rag.jinja", "rag");
const NOT_JINJA: (&str, &str) = ("additional_chat_templates/readme.md", "no");

#[test]
fn files_of_templates_go_before_the_config() {
    let text =
        |list: &[(&str, &str)]| load(list).apply_chat_template(&hello(), &ChatTemplateOptions::default());
    assert_eq!(text(&[CONFIG]).unwrap(), "config");
    assert_eq!(text(&[CONFIG, LEGACY]).unwrap(), "config");
    assert_eq!(text(&[LEGACY]).unwrap(), "legacy");
    assert_eq!(text(&[CONFIG, JINJA, LEGACY]).unwrap(), "jinja");
    assert_eq!(text(&[CONFIG, JINJA, TOOL_USE]).unwrap(), "jinja");

    let tokenizer = load(&[CONFIG, JINJA, TOOL_USE, RAG, NOT_JINJA]);
    let templates = tokenizer.chat_template().unwrap();
    assert_eq!(templates.names(), ["default", "rag", "tool_use"]);
    assert_eq!(templates.source("rag"), Some("rag"));
    assert_eq!(templates.source("nope"), None);
    let with_tools = ChatTemplateOptions { tools: Some(vec![json!({})]), ..Default::default() };
    assert_eq!(tokenizer.apply_chat_template(&hello(), &with_tools).unwrap(), "tools 1");
    let named = ChatTemplateOptions { chat_template: Some("rag".to_owned()), ..with_tools };
    assert_eq!(tokenizer.apply_chat_template(&hello(), &named).unwrap(), "rag");

    let without_default = load(&[CONFIG, RAG]);
    let error = without_default.apply_chat_template(&hello(), &ChatTemplateOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "`org/model` has no chat template named `default`; it has `rag`");
}

#[test]
fn what_is_wrong_is_named() {
    let fails = |list: &[(&str, &str)], messages: &[Value], options: ChatTemplateOptions| {
        let error = load(list).apply_chat_template(messages, &options).unwrap_err();
        (error.kind(), error.to_string())
    };
    let given = |template: &str| ChatTemplateOptions {
        chat_template: Some(template.to_owned()),
        ..Default::default()
    };

    assert!(load(&[]).chat_template().is_none());
    let (kind, message) = fails(&[], &hello(), ChatTemplateOptions::default());
    assert_eq!(kind, ErrorKind::Unsupported);
    for part in ["`org/model` has no chat template", "`chat_template.jinja`", "give one as `chat_template`"] {
        assert!(message.contains(part), "{message}");
    }

    let (kind, message) = fails(&[JINJA, RAG], &hello(), given("tool_use"));
    assert_eq!(kind, ErrorKind::Parameter);
    assert_eq!(message, "`org/model` has no chat template named `tool_use`; it has `default`, `rag`");

    let (kind, message) =
        fails(&[("chat_template.jinja", "a\nb\n{% if %}")], &hello(), ChatTemplateOptions::default());
    assert_eq!(kind, ErrorKind::Tokenizer);
    assert!(message.starts_with("cannot parse the chat template of `org/model` (line 3): "), "{message}");

    let (kind, message) = fails(&[], &hello(), given("{{ raise_exception('No, ' ~ messages[0].role) }}"));
    assert_eq!(kind, ErrorKind::Input);
    assert_eq!(message, "the chat template of `org/model` refuses the conversation: No, user");

    let (kind, message) = fails(&[], &hello(), given("\n{{ messages[0].content.text.strip() }}"));
    assert_eq!(kind, ErrorKind::Input);
    assert!(
        message.starts_with("the chat template of `org/model` cannot render this conversation (line 2): ")
    );

    let (kind, _) = fails(&[JINJA], &[], ChatTemplateOptions::default());
    assert_eq!(kind, ErrorKind::Input);
    let tools = ChatTemplateOptions { tools: Some(vec![json!("get_weather")]), ..Default::default() };
    assert_eq!(fails(&[JINJA], &hello(), tools).0, ErrorKind::Parameter);
    let documents = ChatTemplateOptions { documents: Some(vec![json!("text")]), ..Default::default() };
    assert_eq!(fails(&[JINJA], &hello(), documents).0, ErrorKind::Parameter);
    let mut taken = ChatTemplateOptions::default();
    taken.template_kwargs.insert("messages".to_owned(), json!([]));
    assert_eq!(fails(&[JINJA], &hello(), taken).0, ErrorKind::Parameter);
    assert!(LocalTime::new(2024, 2, 30, 0, 0, 0, 0).is_err());
}

#[test]
fn broken_template_files_are_named() {
    for (file, text) in [
        ("tokenizer_config.json", r#"{"chat_template": 5}"#),
        ("tokenizer_config.json", r#"{"chat_template": [{"name": "default"}]}"#),
        ("chat_template.json", r#"{"chat_template": {}}"#),
        ("chat_template.json", "{"),
    ] {
        let error = Tokenizer::load(&files(&[(file, text)])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tokenizer);
        assert!(error.to_string().contains(&format!("`{file}`")), "{error}");
    }
}

#[test]
fn templates_that_do_not_end_are_errors() {
    let tokenizer = load(&[]);
    for template in [
        "{% for i in range(10**9) %}x{% endfor %}",
        "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x.replace('a', ns.x) %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x|tojson }}",
        "{% set ns = namespace(x=[]) %}{% for i in range(999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
        "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
        "{{ 'a' * 10**12 }}",
        "{{ ('a' * 10**6)|tojson(indent='x' * 10**6) }}{{ range(9999)|list|tojson(indent='x' * 10**6) }}",
        "{{ range(9999)|join('x' * 10**6) }}",
        "{{ ('x' * 10**6).join(['a'] * 9999) }}",
        "{{ ('a\\n' * 99999)|indent('x' * 10**6) }}",
    ] {
        let options = ChatTemplateOptions { chat_template: Some(template.to_owned()), ..Default::default() };
        let error = tokenizer.apply_chat_template(&hello(), &options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input, "{template}");
    }
}

#[test]
fn a_long_conversation_is_not_too_much() {
    let goldens = goldens();
    let tokenizer = goldens.tokenizer(&Map::new(), Some(json!(template("qwen3"))));
    let text = "word ".repeat(200);
    let turn = |place: usize| json!({"role": (if place.is_multiple_of(2) { "user" } else { "assistant" }), "content": text});
    let messages: Vec<Value> = (0..4000).map(turn).collect();
    let rendered = tokenizer.apply_chat_template(&messages, &ChatTemplateOptions::default()).unwrap();
    assert!(rendered.len() > 4_000_000);
}
