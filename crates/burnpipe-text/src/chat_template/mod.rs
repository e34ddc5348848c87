//! Chat templates: a conversation as the one text that the model continues.
//!
//! Reference: `get_chat_template` and `apply_chat_template` in `tokenization_utils_base.py`,
//! `render_jinja_template` in `utils/chat_template_utils.py`.
//!
//! # Where it differs from Python
//!
//! Templates are rendered by minijinja. What published templates use prints the same; these do not:
//!
//! - Some mistakes that Python raises an error for are none here: a loop over `none`, `1 < 'a'`,
//!   `{% do %}`.
//! - Errors here: `'%s' % value` (the filter `format` is there), more arguments than a macro names (`varargs`,
//!   `kwargs`), the filters `int` and `float` of a text that is no number, the filters `center`, `filesizeformat`,
//!   `random`, `striptags`, `truncate`, `urlencode`, `wordcount`, `wordwrap` and `xmlattr`, and rare methods such as
//!   `casefold`, `encode`, `expandtabs` and `isdecimal`.
//! - `~` writes very large and very small floats out in digits, and leaves invisible characters in lists as they are;
//!   printing, `string`, `join` and `tojson` write what Python writes. `isdigit` takes all that is numeric for digits.
//! - `dict.items` without a call is Python's method for what comes from JSON, but not for dicts that the template
//!   makes; `dict['items']` without such a key is undefined and not the method; `map(attribute='items')` is the method
//!   and not the key. Methods of texts and lists are undefined until they are called.
//! - Whole numbers of the conversation beyond 64 bits become floats.
//! - `chat_template.json`, which only Python's processors read, is the last place where a template is looked for.
//! - Loops, recursion, long texts and what is printed have limits, and reaching one is an error. There is none for
//!   comparing lists that hold one another a great many times, or joining them by `~`, which takes as long as in
//!   Python; and dropping a list that is nested 100000 times overflows the stack.

mod clock;
mod environment;
mod filters;
mod generation;
mod methods;
mod python_text;
mod source;
mod to_json;
mod value;

use std::sync::OnceLock;

use burnpipe_core::{Error, ErrorKind, ModelFiles, Result};
use serde_json::{Map, Value};

pub use clock::LocalTime;
use environment::{Compiled, Failure, LONGEST_OUTPUT};
pub(crate) use python_text::strip;
use source::DEFAULT;

use crate::added_token::SpecialTokens;
use crate::files::TOKENIZER_CONFIG;

/// The template that Python takes when there are tools.
const TOOL_USE: &str = "tool_use";

/// The chat templates of a checkpoint: one, or several by their names.
#[derive(Debug)]
pub struct ChatTemplate {
    model: String,
    templates: Vec<Template>,
}

#[derive(Debug)]
struct Template {
    name: String,
    source: String,
    /// Parsed when first asked for, since most users of a tokenizer never do.
    compiled: OnceLock<Compiled>,
}

/// What a template is given besides the conversation: the arguments of Python's `apply_chat_template`.
///
/// ```
/// use burnpipe_text::ChatTemplateOptions;
/// use serde_json::json;
///
/// let mut options = ChatTemplateOptions { add_generation_prompt: true, ..Default::default() };
/// options.template_kwargs.insert("enable_thinking".to_owned(), json!(false));
/// ```
#[derive(Clone, Debug, Default)]
pub struct ChatTemplateOptions {
    /// The name of one of the checkpoint's templates, or a template. When it is not given: `tool_use` if
    /// there are tools and such a template, else `default`.
    pub chat_template: Option<String>,
    /// The functions that the model may call, as JSON schemas.
    pub tools: Option<Vec<Value>>,
    /// The documents that the model may quote: objects, mostly with `title` and `text`.
    pub documents: Option<Vec<Value>>,
    /// End with what begins an answer of the assistant.
    pub add_generation_prompt: bool,
    /// Cut the text off after the content of the last message, which the model then goes on with.
    pub continue_final_message: bool,
    /// More variables of the template, such as `enable_thinking`; they go before special tokens of that name.
    pub template_kwargs: Map<String, Value>,
    /// What the template takes for the time now; the clock's when not given.
    pub now: Option<LocalTime>,
}

impl ChatTemplate {
    /// Reads the templates; `config` is tokenizer_config.json.
    pub(crate) fn read(model: &dyn ModelFiles, config: &Map<String, Value>) -> Result<Self> {
        let templates = source::read(model, config)?.into_iter().map(|(name, source)| Template {
            name,
            source,
            compiled: OnceLock::new(),
        });
        Ok(Self { model: model.model_name().to_owned(), templates: templates.collect() })
    }

    /// The names of the templates; that of a single one is `default`.
    pub fn names(&self) -> Vec<&str> {
        self.templates.iter().map(|template| template.name.as_str()).collect()
    }

    /// The Jinja template of this name.
    pub fn source(&self, name: &str) -> Option<&str> {
        self.find(name).map(|template| template.source.as_str())
    }

    /// Renders a conversation.
    pub(crate) fn apply(
        &self,
        special: &SpecialTokens,
        messages: &[Value],
        options: &ChatTemplateOptions,
    ) -> Result<String> {
        check(messages, options)?;
        let variables = variables(special, messages, options);
        let given = options.chat_template.as_deref();
        let rendered = match given.filter(|given| self.find(given).is_none() && looks_like_jinja(given)) {
            Some(source) => Compiled::new(source).and_then(|compiled| compiled.render(variables)),
            None => self.choose(given, options.tools.is_some())?.render(variables),
        };
        let text = rendered.map_err(|failure| self.explain(failure))?;
        if options.continue_final_message { cut_after_final_message(text, messages) } else { Ok(text) }
    }

    fn find(&self, name: &str) -> Option<&Template> {
        // Python's dict keeps the last one of a name.
        self.templates.iter().rfind(|template| template.name == name)
    }

    fn choose(&self, name: Option<&str>, has_tools: bool) -> Result<&Template> {
        if self.templates.is_empty() {
            return Err(self.no_template());
        }
        let found = match name {
            Some(name) => self.find(name),
            None => {
                Some(TOOL_USE).filter(|_| has_tools).and_then(|name| self.find(name)).or(self.find(DEFAULT))
            }
        };
        found.ok_or_else(|| self.unknown(name.unwrap_or(DEFAULT)))
    }

    fn no_template(&self) -> Error {
        let message = format!(
            "`{}` has no chat template; looked for `chat_template` in `{TOKENIZER_CONFIG}`, `{}`, `{}/*.jinja` and \
             `{}`; give one as `chat_template`, or give the model a text instead of messages",
            self.model,
            source::CHAT_TEMPLATE,
            source::FOLDER,
            source::LEGACY
        );
        Error::new(ErrorKind::Unsupported, message)
    }

    fn unknown(&self, name: &str) -> Error {
        let mut names = self.names();
        names.sort_unstable();
        let names = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let message = format!("`{}` has no chat template named `{name}`; it has {names}", self.model);
        Error::new(ErrorKind::Parameter, message)
    }

    fn explain(&self, failure: Failure) -> Error {
        let model = &self.model;
        match failure {
            Failure::Raised(message) => {
                let message = format!("the chat template of `{model}` refuses the conversation: {message}");
                Error::new(ErrorKind::Input, message)
            }
            Failure::TooMuch => {
                let most = LONGEST_OUTPUT >> 20;
                let message = format!(
                    "the chat template of `{model}` takes too many steps or prints more than {most} MiB; is the \
                     template broken, or the conversation very long?"
                );
                Error::new(ErrorKind::Input, message)
            }
            Failure::Syntax(what, line) => {
                let message = format!("cannot parse the chat template of `{model}`{}: {what}", at(line));
                Error::new(ErrorKind::Tokenizer, message)
            }
            Failure::Other(what, line) => {
                let message = format!(
                    "the chat template of `{model}` cannot render this conversation{}: {what}",
                    at(line)
                );
                Error::new(ErrorKind::Input, message)
            }
        }
    }
}

impl Template {
    fn render(&self, variables: minijinja::Value) -> Result<String, Failure> {
        let compiled = match self.compiled.get() {
            Some(compiled) => compiled,
            None => {
                let compiled = Compiled::new(&self.source)?;
                self.compiled.get_or_init(|| compiled)
            }
        };
        compiled.render(variables)
    }
}

fn at(line: Option<usize>) -> String {
    line.map(|line| format!(" (line {line})")).unwrap_or_default()
}

/// A template that prints something has a tag; what has none is a mistyped name.
fn looks_like_jinja(given: &str) -> bool {
    given.contains("{{") || given.contains("{%")
}

fn check(messages: &[Value], options: &ChatTemplateOptions) -> Result<()> {
    let wrong = |kind: ErrorKind, message: &str| Err(Error::new(kind, message));
    if messages.is_empty() {
        return wrong(ErrorKind::Input, "the conversation has no messages");
    }
    if options.continue_final_message && options.add_generation_prompt {
        return wrong(
            ErrorKind::Parameter,
            "`continue_final_message` and `add_generation_prompt` do not go together: the first has the model go on \
             with the final message, the second begin a new one",
        );
    }
    if options.tools.iter().flatten().any(|tool| !tool.is_object()) {
        return wrong(ErrorKind::Parameter, "`tools` takes objects: the JSON schemas of functions");
    }
    if options.documents.iter().flatten().any(|document| !document.is_object()) {
        return wrong(ErrorKind::Parameter, "`documents` takes objects, with `title` and `text`");
    }
    let taken = ["messages", "tools", "documents", "add_generation_prompt"];
    match taken.iter().find(|name| options.template_kwargs.contains_key(**name)) {
        Some(name) => wrong(
            ErrorKind::Parameter,
            &format!("`{name}` is an argument of its own and not one for the template"),
        ),
        None => Ok(()),
    }
}

/// The variables of the template, those that go before others of the same name last.
fn variables(special: &SpecialTokens, messages: &[Value], options: &ChatTemplateOptions) -> minijinja::Value {
    let list = |values: &[Value]| values.iter().map(value::from_json).collect::<minijinja::Value>();
    let optional = |values: &Option<Vec<Value>>| values.as_deref().map_or(minijinja::Value::from(()), list);
    let now = options.now;
    let strftime_now = move |format: &str| now.unwrap_or_else(LocalTime::now).strftime(format);
    let mut variables = vec![("strftime_now", minijinja::Value::from_function(strftime_now))];
    variables.extend(special.contents().map(|(name, content)| (name, content.into())));
    if let Some(additional) = special.additional.as_ref().filter(|tokens| !tokens.is_empty()) {
        let contents = additional.iter().map(|token| minijinja::Value::from(token.content()));
        variables.push(("additional_special_tokens", contents.collect()));
    }
    variables
        .extend(options.template_kwargs.iter().map(|(name, given)| (name.as_str(), value::from_json(given))));
    variables.extend([
        ("messages", list(messages)),
        ("tools", optional(&options.tools)),
        ("documents", optional(&options.documents)),
        ("add_generation_prompt", options.add_generation_prompt.into()),
    ]);
    minijinja::Value::from_pairs(variables)
}

/// The text up to the end of what the final message says.
fn cut_after_final_message(mut text: String, messages: &[Value]) -> Result<String> {
    let wrong = |message: &str| Error::new(ErrorKind::Input, message);
    let content = messages.last().and_then(|message| message.get("content"));
    let content = match content {
        Some(Value::Array(parts)) => parts.iter().rev().find_map(|part| part.get("text")),
        content => content,
    };
    let content = content.and_then(Value::as_str).ok_or_else(|| {
        wrong("`continue_final_message` needs a final message with text; its `content` has none")
    })?;
    let stripped = python_text::strip(content);
    let place = text.rfind(stripped).ok_or_else(|| {
        wrong(
            "`continue_final_message` is set, but the chat template does not print the final message as it is; \
             some templates drop a part of it, such as thoughts",
        )
    })?;
    // Where the template kept the spaces at its end, they are kept.
    let kept = if text[place..].starts_with(content) { content } else { stripped };
    text.truncate(place + kept.len());
    Ok(text)
}
