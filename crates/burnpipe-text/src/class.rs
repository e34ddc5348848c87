//! Which of Python's tokenizer classes a checkpoint is loaded with, and what that class adds.

use burnpipe_core::{Error, ErrorKind, ModelFiles, Result};
use serde_json::{Map, Value};

use crate::Side;
use crate::files;

/// How a class treats its files. Each is named after the first of its classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// SentencePiece over `spiece.model`, lower-cased and without accents.
    Albert,
    /// SentencePiece over `sentencepiece.bpe.model`, in its own order.
    Barthez,
    /// As [`Roberta`](Self::Roberta); only the rules for finding special tokens differ.
    Bart,
    /// WordPiece over `vocab.txt`; `do_lower_case` and its like beat what tokenizer.json says.
    Bert,
    /// SentencePiece over `spiece.model`.
    BigBird,
    /// SentencePiece over `sentencepiece.bpe.model`, with fairseq's first tokens before it.
    Camembert,
    /// Byte-level BPE over `vocab.json` and `merges.txt`, with BERT's special tokens.
    Deberta,
    /// SentencePiece over `spm.model`.
    DebertaV2,
    /// As [`Albert`](Self::Albert), but with case and accents.
    FNet,
    /// As [`Bert`](Self::Bert), with a type id of its own for the first token.
    Funnel,
    /// SentencePiece over `tokenizer.model` with bytes; what goes around a text, `add_bos_token` and `add_eos_token` say
    /// and not tokenizer.json.
    Gemma,
    /// As [`Gemma`](Self::Gemma), with other special tokens.
    Llama,
    /// As [`Bert`](Self::Bert), with RoBERTa's special tokens.
    MPNet,
    /// As [`Bart`](Self::Bart); only the rules for finding special tokens differ.
    Mvp,
    /// SentencePiece over `sentencepiece.model`.
    RemBert,
    /// Byte-level BPE over `vocab.json` and `merges.txt`; `add_prefix_space` and `trim_offsets` beat
    /// what tokenizer.json says.
    Roberta,
    /// Byte-level BPE over `vocab.json` and `merges.txt`, with marks for languages and tasks before a text.
    Whisper,
    /// SentencePiece over `sentencepiece.bpe.model`, in fairseq's order.
    XlmRoberta,
    /// SentencePiece over `spiece.model`, with the special tokens at the end and padding at the start.
    XLNet,
    /// Python's `PreTrainedTokenizerFast`: what tokenizer.json says, and nothing else.
    Plain,
}

/// One tokenizer class of Python.
#[derive(Debug)]
pub(crate) struct TokenizerClass {
    /// Its name without `Fast`.
    pub(crate) name: &'static str,
    pub(crate) family: Family,
    pub(crate) model_input_names: &'static [&'static str],
    /// The model types that use it when the files name no class.
    model_types: &'static [&'static str],
}

const WITH_TYPE_IDS: &[&str] = &["input_ids", "token_type_ids", "attention_mask"];
const WITHOUT_TYPE_IDS: &[&str] = &["input_ids", "attention_mask"];

/// The classes with rules of their own; every other class is loaded as [`PLAIN`].
const CLASSES: &[TokenizerClass] = &[
    class("AlbertTokenizer", Family::Albert, WITH_TYPE_IDS, &["albert", "nystromformer", "yoso"]),
    class("BartTokenizer", Family::Bart, WITHOUT_TYPE_IDS, &["bart"]),
    class("BarthezTokenizer", Family::Barthez, WITHOUT_TYPE_IDS, &[]),
    class("BertTokenizer", Family::Bert, WITH_TYPE_IDS, BERT_MODEL_TYPES),
    class("BigBirdTokenizer", Family::BigBird, WITHOUT_TYPE_IDS, &["big_bird"]),
    class("CamembertTokenizer", Family::Camembert, WITHOUT_TYPE_IDS, &["camembert"]),
    class("ConvBertTokenizer", Family::Bert, WITH_TYPE_IDS, &["convbert"]),
    class("DebertaTokenizer", Family::Deberta, DEBERTA_INPUTS, &["deberta"]),
    class("DebertaV2Tokenizer", Family::DebertaV2, WITH_TYPE_IDS, &["deberta-v2"]),
    class("DistilBertTokenizer", Family::Bert, WITHOUT_TYPE_IDS, &["distilbert"]),
    class("ElectraTokenizer", Family::Bert, WITH_TYPE_IDS, &["electra"]),
    class("FNetTokenizer", Family::FNet, FNET_INPUTS, &["fnet"]),
    class("FunnelTokenizer", Family::Funnel, WITH_TYPE_IDS, &["funnel"]),
    class("GemmaTokenizer", Family::Gemma, WITHOUT_TYPE_IDS, GEMMA_MODEL_TYPES),
    class("LEDTokenizer", Family::Bart, WITHOUT_TYPE_IDS, &["led"]),
    class("LayoutLMTokenizer", Family::Bert, WITH_TYPE_IDS, &["layoutlm"]),
    class("LlamaTokenizer", Family::Llama, WITHOUT_TYPE_IDS, LLAMA_MODEL_TYPES),
    class("LongformerTokenizer", Family::Roberta, WITHOUT_TYPE_IDS, &["longformer"]),
    class("LxmertTokenizer", Family::Bert, WITH_TYPE_IDS, &["lxmert"]),
    class("MPNetTokenizer", Family::MPNet, WITHOUT_TYPE_IDS, &["mpnet"]),
    class("MobileBertTokenizer", Family::Bert, WITH_TYPE_IDS, &["mobilebert"]),
    class("MvpTokenizer", Family::Mvp, WITHOUT_TYPE_IDS, &["mvp"]),
    class("RemBertTokenizer", Family::RemBert, WITH_TYPE_IDS, &["rembert"]),
    class("RobertaTokenizer", Family::Roberta, WITHOUT_TYPE_IDS, ROBERTA_MODEL_TYPES),
    class("SqueezeBertTokenizer", Family::Bert, WITH_TYPE_IDS, &["squeezebert"]),
    class("WhisperTokenizer", Family::Whisper, WITHOUT_TYPE_IDS, &["whisper"]),
    class("XLMRobertaTokenizer", Family::XlmRoberta, WITHOUT_TYPE_IDS, XLM_ROBERTA_MODEL_TYPES),
    class("XLNetTokenizer", Family::XLNet, WITH_TYPE_IDS, &["xlnet"]),
];

const DEBERTA_INPUTS: &[&str] = &["input_ids", "attention_mask", "token_type_ids"];
const FNET_INPUTS: &[&str] = &["input_ids", "token_type_ids"];

const GEMMA_MODEL_TYPES: &[&str] =
    &["gemma", "gemma2", "gemma3", "gemma3_text", "recurrent_gemma", "shieldgemma2"];
const LLAMA_MODEL_TYPES: &[&str] = &["llama", "mistral", "mixtral", "phi3"];

const BERT_MODEL_TYPES: &[&str] = &[
    "align",
    "bark",
    "bert",
    "blip",
    "bros",
    "chinese_clip",
    "ernie",
    "git",
    "grounding-dino",
    "megatron-bert",
    "mm-grounding-dino",
    "nezha",
    "qdqbert",
    "tvp",
    "vilt",
    "visual_bert",
];

const ROBERTA_MODEL_TYPES: &[&str] =
    &["bridgetower", "clap", "data2vec-text", "ibert", "mega", "mra", "roberta", "roberta-prelayernorm"];

const XLM_ROBERTA_MODEL_TYPES: &[&str] = &["kosmos-2", "metaclip_2", "xlm-roberta", "xlm-roberta-xl", "xmod"];

static PLAIN: TokenizerClass = class("PreTrainedTokenizer", Family::Plain, WITH_TYPE_IDS, &[]);

/// Classes that Python has in Python only: it does not read a tokenizer.json for them, so that
/// reading one could give other tokens.
const PYTHON_ONLY: &[&str] = &[
    "BartphoTokenizer",
    "BertGenerationTokenizer",
    "BertJapaneseTokenizer",
    "BertweetTokenizer",
    "BioGptTokenizer",
    "BlenderbotSmallTokenizer",
    "ByT5Tokenizer",
    "CTRLTokenizer",
    "CanineTokenizer",
    "EsmTokenizer",
    "FSMTTokenizer",
    "FlaubertTokenizer",
    "LukeTokenizer",
    "M2M100Tokenizer",
    "MLukeTokenizer",
    "MarianTokenizer",
    "PLBartTokenizer",
    "PerceiverTokenizer",
    "PhobertTokenizer",
    "ProphetNetTokenizer",
    "RoCBertTokenizer",
    "RoFormerTokenizer",
    "SiglipTokenizer",
    "Speech2TextTokenizer",
    "SpeechT5Tokenizer",
    "TapasTokenizer",
    "TapexTokenizer",
    "VitsTokenizer",
    "Wav2Vec2CTCTokenizer",
    "XLMTokenizer",
];

const fn class(
    name: &'static str,
    family: Family,
    model_input_names: &'static [&'static str],
    model_types: &'static [&'static str],
) -> TokenizerClass {
    TokenizerClass { name, family, model_input_names, model_types }
}

/// Python's `AutoTokenizer`: the class named in tokenizer_config.json, else in config.json, else the
/// class of the model type. Where Python would give up, the slow files that are there decide.
pub(crate) fn choose(
    model: &dyn ModelFiles,
    tokenizer_config: &Map<String, Value>,
) -> Result<&'static TokenizerClass> {
    if let Some(name) = text(tokenizer_config, "tokenizer_class") {
        return by_name(name);
    }
    let config = files::read_object(model, "config.json", ErrorKind::Config)?.unwrap_or_default();
    if let Some(name) = text(&config, "tokenizer_class") {
        return by_name(name);
    }
    let model_type = text(&config, "model_type");
    if let Some(class) =
        model_type.and_then(|model_type| find(|class| class.model_types.contains(&model_type)))
    {
        return Ok(class);
    }
    let class = by_files(model)?;
    if class.family == Family::Plain && model_type.is_none() {
        for file in AMBIGUOUS {
            // Of LLaMA's and Gemma's, tokenizer.json says nearly all.
            let is_needed = file != LLAMA_FILE || model.read(files::TOKENIZER_JSON)?.is_none();
            if is_needed && model.read(file)?.is_some() {
                return Err(ambiguous(model, file));
            }
        }
    }
    Ok(class)
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str()
}

fn find(matches: impl Fn(&TokenizerClass) -> bool) -> Option<&'static TokenizerClass> {
    CLASSES.iter().find(|class| matches(class))
}

fn by_name(name: &str) -> Result<&'static TokenizerClass> {
    let slow_name = name.strip_suffix("Fast").unwrap_or(name);
    if PYTHON_ONLY.contains(&slow_name) {
        let reason = match slow_name {
            "TapasTokenizer" => "it takes questions about tables, and no texts",
            _ => "it exists in Python code only",
        };
        let message = format!("tokenizer class `{name}` is not supported: {reason}");
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    Ok(find(|class| class.name == slow_name).unwrap_or(&PLAIN))
}

fn by_files(model: &dyn ModelFiles) -> Result<&'static TokenizerClass> {
    if model.read(files::TOKENIZER_JSON)?.is_some() {
        return Ok(&PLAIN);
    }
    for (file, name) in [
        ("vocab.txt", "BertTokenizer"),
        ("vocab.json", "RobertaTokenizer"),
        ("sentencepiece.bpe.model", "XLMRobertaTokenizer"),
        ("spm.model", "DebertaV2Tokenizer"),
    ] {
        if model.read(file)?.is_some() {
            return by_name(name);
        }
    }
    Ok(&PLAIN)
}

/// The file of ALBERT's, BigBird's, XLNet's and other slow tokenizers, and that of LLaMA's and Gemma's, which read it in
/// different ways.
const AMBIGUOUS: [&str; 2] = ["spiece.model", LLAMA_FILE];

/// The file of LLaMA's and Gemma's slow tokenizers.
pub(crate) const LLAMA_FILE: &str = "tokenizer.model";

fn ambiguous(model: &dyn ModelFiles, file: &str) -> Error {
    let message = format!(
        "`{file}` of `{}` does not say which tokenizer it is for; name the class as `tokenizer_class` in \
         `{}`, or the model as `model_type` in `config.json`",
        model.model_name(),
        files::TOKENIZER_CONFIG
    );
    Error::new(ErrorKind::Tokenizer, message)
}

impl TokenizerClass {
    /// The files of its slow tokenizer; none for a class that only knows tokenizer.json.
    pub(crate) fn slow_files(&self) -> &'static [&'static str] {
        match self.family {
            Family::Albert | Family::BigBird | Family::FNet | Family::XLNet => &["spiece.model"],
            Family::Barthez | Family::Camembert | Family::XlmRoberta => &["sentencepiece.bpe.model"],
            Family::Bart | Family::Deberta | Family::Mvp | Family::Roberta | Family::Whisper => {
                &["vocab.json", "merges.txt"]
            }
            Family::Bert | Family::Funnel | Family::MPNet => &["vocab.txt"],
            Family::DebertaV2 => &["spm.model"],
            Family::RemBert => &["sentencepiece.model"],
            Family::Gemma | Family::Llama => &[LLAMA_FILE],
            Family::Plain => &[],
        }
    }

    /// Where padding goes when the files do not say.
    pub(crate) fn padding_side(&self) -> Side {
        match self.family {
            Family::Gemma | Family::Llama | Family::XLNet => Side::Left,
            _ => Side::Right,
        }
    }

    /// The type id of padding.
    pub(crate) fn pad_token_type_id(&self) -> u32 {
        if self.family == Family::XLNet { 3 } else { 0 }
    }
}
