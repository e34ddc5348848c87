//! Which of Python's tokenizer classes a checkpoint is loaded with, and what that class adds.

use burnpipe_core::{Error, ErrorKind, ModelFiles, Result};
use serde_json::{Map, Value};

use crate::files;

/// How a class treats its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// WordPiece over `vocab.txt`; `do_lower_case` and its like beat what tokenizer.json says.
    Bert,
    /// Byte-level BPE over `vocab.json` and `merges.txt`; `add_prefix_space` and `trim_offsets` beat
    /// what tokenizer.json says.
    Roberta,
    /// SentencePiece over `sentencepiece.bpe.model`.
    XlmRoberta,
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
    class("BartTokenizer", Family::Roberta, WITHOUT_TYPE_IDS, &["bart"]),
    class("BertTokenizer", Family::Bert, WITH_TYPE_IDS, BERT_MODEL_TYPES),
    class("ConvBertTokenizer", Family::Bert, WITH_TYPE_IDS, &["convbert"]),
    class("DistilBertTokenizer", Family::Bert, WITHOUT_TYPE_IDS, &["distilbert"]),
    class("ElectraTokenizer", Family::Bert, WITH_TYPE_IDS, &["electra"]),
    class("LayoutLMTokenizer", Family::Bert, WITH_TYPE_IDS, &["layoutlm"]),
    class("LongformerTokenizer", Family::Roberta, WITHOUT_TYPE_IDS, &["longformer"]),
    class("LxmertTokenizer", Family::Bert, WITH_TYPE_IDS, &["lxmert"]),
    class("MobileBertTokenizer", Family::Bert, WITH_TYPE_IDS, &["mobilebert"]),
    class("RobertaTokenizer", Family::Roberta, WITHOUT_TYPE_IDS, ROBERTA_MODEL_TYPES),
    class("SqueezeBertTokenizer", Family::Bert, WITH_TYPE_IDS, &["squeezebert"]),
    class("XLMRobertaTokenizer", Family::XlmRoberta, WITHOUT_TYPE_IDS, XLM_ROBERTA_MODEL_TYPES),
];

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
    by_files(model)
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
        let message = format!("tokenizer class `{name}` is not supported: it exists in Python code only");
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
    ] {
        if model.read(file)?.is_some() {
            return by_name(name);
        }
    }
    Ok(&PLAIN)
}

impl TokenizerClass {
    /// The files of its slow tokenizer; none for a class that only knows tokenizer.json.
    pub(crate) fn slow_files(&self) -> &'static [&'static str] {
        match self.family {
            Family::Bert => &["vocab.txt"],
            Family::Roberta => &["vocab.json", "merges.txt"],
            Family::XlmRoberta => &["sentencepiece.bpe.model"],
            Family::Plain => &[],
        }
    }

    /// The special tokens that the class has when the files name no others.
    pub(crate) fn special_tokens(&self) -> &'static [(&'static str, &'static str)] {
        match self.family {
            Family::Bert => &[
                ("unk_token", "[UNK]"),
                ("sep_token", "[SEP]"),
                ("pad_token", "[PAD]"),
                ("cls_token", "[CLS]"),
                ("mask_token", "[MASK]"),
            ],
            Family::Roberta | Family::XlmRoberta => &[
                ("bos_token", "<s>"),
                ("eos_token", "</s>"),
                ("unk_token", "<unk>"),
                ("sep_token", "</s>"),
                ("pad_token", "<pad>"),
                ("cls_token", "<s>"),
                ("mask_token", "<mask>"),
            ],
            Family::Plain => &[],
        }
    }
}
