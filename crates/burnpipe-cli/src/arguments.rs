//! The command line, and its mistakes as one line.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use burnpipe::{Error, ErrorKind};
use clap::error::ErrorKind as UsageError;
use clap::{Args, Parser, Subcommand, ValueEnum};

const EXAMPLES: &str = r#"Examples:
  burnpipe run ner --model bundled "My name is Sarah Connor and I live in Los Angeles."
  burnpipe run sentiment-analysis "I love it" "I hate it"
  burnpipe run ner --inputs mails.jsonl --column body --batch-size 16 --output names.jsonl
  burnpipe run text-generation --model openai-community/gpt2 "Once upon a time"
  burnpipe chat --model HuggingFaceTB/SmolLM2-135M-Instruct
  burnpipe doctor

Exit codes: 0 all went well; 1 a fault of burnpipe; 2 bad usage, input or model; 130 Ctrl-C."#;

const RUN_EXAMPLES: &str = r#"Examples:
  burnpipe run ner --model bundled --params '{"aggregation_strategy": "simple"}' "I am Sarah Connor"
  burnpipe run text-classification --model ./my-model --params '{"top_k": null}' "fine, thanks"
  burnpipe run feature-extraction --inputs sentences.txt --format json > vectors.json
  burnpipe run ner --inputs mails.csv --column body --on-error skip --output names.jsonl
  cat lines.txt | burnpipe run ner --model bundled

Inputs from a file or from standard input:
  .json    one array of inputs, or a single input
  .jsonl   one JSON value per line: a string, or an object such as {"text": "...", "text_pair": "..."}
  .csv     with a header; `--column` names the column, else `text`, or `question` and `context`
  .txt     one text per line
  Anything else, and `-` for standard input, is read as jsonl when its first line is a JSON object,
  array or string, and as one text per line otherwise; `--input-format` settles it.
  Without any input, what is piped in is read as if by `--inputs -`.

Answers come in the order of the inputs, each as soon as it is there: as a table on a terminal, as one
JSON line per input elsewhere. With `--on-error skip` an input that failed has `null` in its place."#;

const CHAT_EXAMPLES: &str = r#"Examples:
  burnpipe chat --model HuggingFaceTB/SmolLM2-135M-Instruct
  burnpipe chat --model ./my-model --system "Answer in one sentence." --params '{"do_sample": false}'

A line is a message. /reset begins a new conversation, /exit or Ctrl-D ends, Ctrl-C stops an answer."#;

const BENCH_EXAMPLES: &str = r#"Examples:
  burnpipe bench ner --model bundled --inputs mails.jsonl --batch-size 16
  burnpipe bench text-classification --model ./my-model --runs 50 --format json "fine, thanks"

A run is one call over all inputs. The first is reported by itself, then come the warm-up runs, which are
not counted, then the runs that are. Percentiles are nearest ranks; inputs and tokens per second are those
of the median run. Memory is the most that the whole process held (Linux). Of tasks that write text the
time to the first token, tokens of prompts per second and new tokens per second are measured as well, by
runs that write one token."#;

/// Hugging Face pipelines in one program: any model of the Hub or a local folder in, the answers of
/// Python's `pipeline()` out.
#[derive(Debug, Parser)]
#[command(name = "burnpipe", version, after_help = EXAMPLES, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a task on texts, or on a file of inputs
    #[command(after_help = RUN_EXAMPLES)]
    Run(Box<RunArguments>),
    /// Talk with a model
    #[command(after_help = CHAT_EXAMPLES)]
    Chat(Box<ChatArguments>),
    /// Measure how fast a task is answered
    #[command(after_help = BENCH_EXAMPLES)]
    Bench(Box<BenchArguments>),
    /// List the tasks, or show one with its parameters
    Tasks {
        /// Show only this task
        task: Option<String>,
        #[command(flatten)]
        list: ListArguments,
    },
    /// List the architectures that models may have
    Models {
        /// Only those that can do this task
        task: Option<String>,
        #[command(flatten)]
        list: ListArguments,
    },
    /// List the devices of this machine that this build can use
    Devices {
        #[command(flatten)]
        list: ListArguments,
    },
    /// Download a model into the cache that it shares with Python, and print its folder
    Download {
        /// The model's id on the Hub, such as `dslim/bert-base-NER`
        id: String,
        /// A branch, a tag or a commit
        #[arg(long)]
        revision: Option<String>,
    },
    /// List the downloaded models, or remove one
    Cache {
        #[command(subcommand)]
        action: Option<CacheAction>,
        #[command(flatten)]
        list: ListArguments,
    },
    /// Show what this build and this machine can do, and what is missing
    Doctor,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CacheAction {
    /// List the downloaded models
    List {
        #[command(flatten)]
        list: ListArguments,
    },
    /// Remove a downloaded model
    Remove {
        /// The model's id on the Hub
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// How to print the list
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ListFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// For people
    #[default]
    Table,
    /// One JSON array
    Json,
}

/// What is asked of which model.
#[derive(Debug, Args)]
pub(crate) struct CallArguments {
    /// The task, by Hugging Face's name or alias: `ner`, `sentiment-analysis`, ... (see `burnpipe tasks`)
    pub(crate) task: String,
    #[command(flatten)]
    pub(crate) inputs: InputArguments,
    #[command(flatten)]
    pub(crate) model: ModelArguments,
    /// The task's parameters by Python's names, as JSON or `@FILE`: '{"top_k": 3}'
    #[arg(long, value_name = "JSON|@FILE")]
    pub(crate) params: Option<String>,
    /// How many pieces go through the model at once [default: 1]; answers do not depend on it
    #[arg(long, value_name = "N")]
    pub(crate) batch_size: Option<NonZeroUsize>,
    /// How many CPU threads to use, instead of all
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) call: CallArguments,
    /// What an input that cannot be answered does to the others
    #[arg(long, value_enum, default_value_t)]
    pub(crate) on_error: OnError,
    /// Print the text as it is made, as on a terminal; for tasks that write text
    #[arg(long, conflicts_with_all = ["format", "output", "output_dir"])]
    pub(crate) stream: bool,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ChatArguments {
    #[command(flatten)]
    pub(crate) model: ModelArguments,
    /// What the model is told before the conversation
    #[arg(long, value_name = "TEXT")]
    pub(crate) system: Option<String>,
    /// Parameters of `text-generation`, as JSON or `@FILE`: '{"max_new_tokens": 500}'
    #[arg(long, value_name = "JSON|@FILE")]
    pub(crate) params: Option<String>,
    /// How many CPU threads to use, instead of all
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
}

#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    #[command(flatten)]
    pub(crate) call: CallArguments,
    /// How many runs are made after the first and not counted
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) warmup: usize,
    /// How many runs are counted
    #[arg(long, value_name = "N", default_value = "10")]
    pub(crate) runs: NonZeroUsize,
    /// How to print the result; `json` is one object
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: ListFormat,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct InputArguments {
    /// Texts to run the task on; for images and sounds paths, patterns such as `photos/*.jpg`, addresses
    #[arg(value_name = "INPUT", conflicts_with = "inputs")]
    pub(crate) texts: Vec<String>,
    /// Read the inputs from a .json, .jsonl, .csv or .txt file, or from standard input: `-`
    #[arg(long, value_name = "FILE")]
    pub(crate) inputs: Option<PathBuf>,
    /// What the file is, instead of what its name says
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) input_format: Option<InputFormat>,
    /// Which column of the csv, or field of the JSON objects, is the input
    #[arg(long, value_name = "NAME")]
    pub(crate) column: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InputFormat {
    /// One array of inputs, or a single input
    Json,
    /// One JSON value per line
    Jsonl,
    /// Comma-separated values with a header
    Csv,
    /// One text per line
    Text,
}

#[derive(Debug, Args)]
pub(crate) struct ModelArguments {
    /// A model of the Hub, a folder, or `bundled`; else the task's default model
    #[arg(long, value_name = "ID|DIR|bundled")]
    pub(crate) model: Option<String>,
    /// A branch, a tag or a commit of the model
    #[arg(long)]
    pub(crate) revision: Option<String>,
    /// A small model with the same tokenizer that proposes tokens, for tasks that write text
    #[arg(long, value_name = "ID|DIR")]
    pub(crate) assistant_model: Option<String>,
    /// Where to compute: auto, cpu, wgpu, cuda:0, ... (see `burnpipe devices`)
    #[arg(long, default_value = "auto", allow_negative_numbers = true)]
    pub(crate) device: String,
    /// The number type to compute in: auto, f32, f16 or bf16
    #[arg(long, default_value = "auto")]
    pub(crate) dtype: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnError {
    /// End the run; the answers before it are kept
    #[default]
    Stop,
    /// Report it, put `null` in its place and go on
    Skip,
}

#[derive(Debug, Args)]
pub(crate) struct OutputArguments {
    /// How to print the answers [default: table on a terminal, else jsonl]
    #[arg(long, value_enum)]
    pub(crate) format: Option<AnswerFormat>,
    /// Write the answers to a file instead; `.json` makes it one array, `.srt` and `.vtt` subtitles
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Write the subtitles of every input to a file in this folder, called as the input is
    #[arg(long, value_name = "DIR", conflicts_with = "output")]
    pub(crate) output_dir: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AnswerFormat {
    /// For people
    Table,
    /// One array, an element per input
    Json,
    /// One line per input
    Jsonl,
    /// Subtitles of what is said, for most players
    Srt,
    /// Subtitles of what is said, for the web
    Vtt,
}

impl AnswerFormat {
    /// How files of subtitles end; `None` for other formats.
    pub(crate) fn subtitles(self) -> Option<&'static str> {
        match self {
            Self::Srt => Some("srt"),
            Self::Vtt => Some("vtt"),
            Self::Table | Self::Json | Self::Jsonl => None,
        }
    }
}

/// What the command line asks for.
pub(crate) enum Asked {
    /// To run a command.
    Run(Command),
    /// To show this text: the help, or the version.
    Show(String),
}

/// Reads the command line.
pub(crate) fn read(line: impl IntoIterator<Item = OsString>) -> Result<Asked, Error> {
    match Arguments::try_parse_from(line) {
        Ok(arguments) => Ok(Asked::Run(arguments.command)),
        Err(error) => match error.kind() {
            UsageError::DisplayHelp
            | UsageError::DisplayVersion
            | UsageError::DisplayHelpOnMissingArgumentOrSubcommand => {
                Ok(Asked::Show(error.render().ansi().to_string()))
            }
            kind => Err(usage_error(kind, &error.to_string())),
        },
    }
}

/// Joins clap's paragraphs into one line and leaves out the usage and the way to the help.
fn usage_error(kind: UsageError, rendered: &str) -> Error {
    let body = rendered.split("\nUsage:").next().unwrap_or(rendered);
    let body = body.split("\nFor more information").next().unwrap_or(body);
    let mut message = String::new();
    for line in body.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let line = line.trim_start_matches("error: ");
        if !message.is_empty() {
            message.push_str(if message.ends_with(':') { " " } else { "; " });
        }
        message.push_str(line);
    }
    // Clap quotes names with `'`.
    let mut message = message.replace('\'', "`");
    if kind == UsageError::UnknownArgument {
        message.push_str("; parameters of the task go into `--params`");
    }
    Error::new(ErrorKind::Parameter, message)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn message(line: &[&str]) -> String {
        let line = std::iter::once("burnpipe").chain(line.iter().copied());
        match read(line.map(OsString::from)) {
            Err(error) => error.report(),
            Ok(_) => String::new(),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn usage_errors_are_one_line_that_names_the_argument() {
        let cases: [(&[&str], &[&str]); 6] = [
            (&["run"], &["<TASK>"]),
            (&["runs"], &["`runs`", "`run`"]),
            (&["run", "ner", "--top-k", "3"], &["`--top-k`", "`--params`"]),
            (&["run", "ner", "--batch-size", "0", "text"], &["`--batch-size", "`0`"]),
            (&["run", "ner", "--format", "yaml", "text"], &["`yaml`", "table", "jsonl"]),
            (&["run", "ner", "text", "--inputs", "file.json"], &["--inputs", "cannot be used with"]),
        ];
        for (line, parts) in cases {
            let message = message(line);
            assert!(!message.contains(['\n', '\'']), "{message}");
            for part in parts {
                assert!(message.contains(part), "`{part}` is not in `{message}`");
            }
        }
    }
}
