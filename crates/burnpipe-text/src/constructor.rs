//! What the constructors of Python's tokenizer classes make of the special tokens: those that the files
//! do not name, and the rules for finding those that the files give as plain text.

use crate::added_token::{AddedToken, SpecialToken, SpecialTokens};
use crate::class::Family;

/// Which of a class's two constructors.
///
/// Without tokenizer.json Python makes the slow tokenizer first, and the fast one takes over what the
/// slow one's constructor has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Constructor {
    Slow,
    Fast,
}

type Names = &'static [(&'static str, &'static str)];

/// BERT's names.
const BERT: Names = &[
    ("unk_token", "[UNK]"),
    ("sep_token", "[SEP]"),
    ("pad_token", "[PAD]"),
    ("cls_token", "[CLS]"),
    ("mask_token", "[MASK]"),
];

/// BERT's names, which also begin and end a text.
const DEBERTA: Names = &[
    ("bos_token", "[CLS]"),
    ("eos_token", "[SEP]"),
    ("unk_token", "[UNK]"),
    ("sep_token", "[SEP]"),
    ("pad_token", "[PAD]"),
    ("cls_token", "[CLS]"),
    ("mask_token", "[MASK]"),
];

/// BERT's names, with SentencePiece's for what is unknown and for padding.
const ALBERT: Names = &[
    ("bos_token", "[CLS]"),
    ("eos_token", "[SEP]"),
    ("unk_token", "<unk>"),
    ("sep_token", "[SEP]"),
    ("pad_token", "<pad>"),
    ("cls_token", "[CLS]"),
    ("mask_token", "[MASK]"),
];

const BIG_BIRD: Names = &[
    ("bos_token", "<s>"),
    ("eos_token", "</s>"),
    ("unk_token", "<unk>"),
    ("sep_token", "[SEP]"),
    ("pad_token", "<pad>"),
    ("cls_token", "[CLS]"),
    ("mask_token", "[MASK]"),
];

const FNET: Names = &[
    ("unk_token", "<unk>"),
    ("sep_token", "[SEP]"),
    ("pad_token", "<pad>"),
    ("cls_token", "[CLS]"),
    ("mask_token", "[MASK]"),
];

const GEMMA: Names =
    &[("bos_token", "<bos>"), ("eos_token", "<eos>"), ("unk_token", "<unk>"), ("pad_token", "<pad>")];

const LLAMA: Names = &[("bos_token", "<s>"), ("eos_token", "</s>"), ("unk_token", "<unk>")];

const MPNET: Names = &[
    ("bos_token", "<s>"),
    ("eos_token", "</s>"),
    ("unk_token", "[UNK]"),
    ("sep_token", "</s>"),
    ("pad_token", "<pad>"),
    ("cls_token", "<s>"),
    ("mask_token", "<mask>"),
];

const ROBERTA: Names = &[
    ("bos_token", "<s>"),
    ("eos_token", "</s>"),
    ("unk_token", "<unk>"),
    ("sep_token", "</s>"),
    ("pad_token", "<pad>"),
    ("cls_token", "<s>"),
    ("mask_token", "<mask>"),
];

const WHISPER: Names =
    &[("bos_token", "<|endoftext|>"), ("eos_token", "<|endoftext|>"), ("unk_token", "<|endoftext|>")];

const XLNET: Names = &[
    ("bos_token", "<s>"),
    ("eos_token", "</s>"),
    ("unk_token", "<unk>"),
    ("sep_token", "<sep>"),
    ("pad_token", "<pad>"),
    ("cls_token", "<cls>"),
    ("mask_token", "<mask>"),
];

/// Sets the special tokens that the files do not name.
pub(crate) fn set_defaults(family: Family, constructor: Constructor, special: &mut SpecialTokens) {
    for (name, token) in names(family, constructor) {
        special.set_default(name, SpecialToken::Text((*token).to_owned()));
    }
    special.additional.get_or_insert_with(|| {
        additional(family).iter().map(|token| SpecialToken::Text((*token).to_owned())).collect()
    });
}

fn names(family: Family, constructor: Constructor) -> Names {
    match family {
        Family::Albert => ALBERT,
        Family::Bert => BERT,
        Family::BigBird => BIG_BIRD,
        Family::Deberta | Family::DebertaV2 => DEBERTA,
        Family::FNet => FNET,
        Family::Funnel | Family::XLNet => XLNET,
        Family::Gemma => GEMMA,
        Family::Llama => LLAMA,
        Family::MPNet => MPNET,
        // The two constructors do not agree.
        Family::RemBert if constructor == Constructor::Slow => DEBERTA,
        Family::RemBert => ALBERT,
        Family::Bart
        | Family::Barthez
        | Family::Camembert
        | Family::Mvp
        | Family::Roberta
        | Family::XlmRoberta => ROBERTA,
        Family::Whisper => WHISPER,
        Family::Plain => &[],
    }
}

fn additional(family: Family) -> &'static [&'static str] {
    match family {
        Family::Camembert => &["<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"],
        Family::XLNet => &["<eop>", "<eod>"],
        _ => &[],
    }
}

/// Gives the special tokens that are plain text the rules that the constructor gives them.
pub(crate) fn wrap(family: Family, constructor: Constructor, special: &mut SpecialTokens) {
    for (name, token) in &mut special.named {
        if let Some(SpecialToken::Text(text)) = token
            && let Some(added) = wrapped(family, constructor, name, text)
        {
            *token = Some(SpecialToken::Added(added));
        }
    }
}

/// The token with its rules, or `None` where the constructor leaves it plain text.
fn wrapped(family: Family, constructor: Constructor, name: &str, text: &str) -> Option<AddedToken> {
    let plain = AddedToken::new(text);
    let special = AddedToken { special: true, ..plain.clone() };
    // Most mask tokens take the space before them along.
    let mask = AddedToken { lstrip: true, ..plain.clone() };
    let special_mask = AddedToken { special: true, ..mask.clone() };
    let raw_mask = AddedToken { normalized: Some(false), ..mask.clone() };
    let is_slow = constructor == Constructor::Slow;
    let token = match (family, name) {
        (Family::Albert | Family::Roberta, "mask_token") => raw_mask,
        (Family::Bart, "mask_token") if !is_slow => AddedToken { normalized: Some(true), ..special_mask },
        (Family::Bart | Family::BigBird | Family::RemBert, "mask_token") => mask,
        (Family::Camembert, "mask_token") => special_mask,
        (
            Family::Barthez | Family::FNet | Family::MPNet | Family::Mvp | Family::XlmRoberta | Family::XLNet,
            "mask_token",
        ) => {
            if is_slow {
                special_mask
            } else {
                mask
            }
        }
        (Family::Deberta, "mask_token") if is_slow => mask,
        (Family::Deberta, _) if is_slow => special,
        (Family::DebertaV2, "unk_token") if is_slow => AddedToken { normalized: Some(true), ..special },
        (Family::Gemma | Family::Llama, "bos_token" | "eos_token" | "unk_token" | "pad_token") if is_slow => {
            AddedToken { normalized: Some(false), ..special }
        }
        (Family::Bart | Family::Roberta, _) if is_slow => plain,
        (Family::Whisper, _) if is_slow => AddedToken { normalized: Some(false), ..special },
        (Family::BigBird, _) => plain,
        (Family::FNet, "cls_token" | "sep_token") | (Family::MPNet | Family::Mvp, _) => {
            if is_slow {
                special
            } else {
                plain
            }
        }
        _ => return None,
    };
    Some(token)
}

/// What the fast tokenizer takes over from the slow one: a deep copy, which settles `normalized`. That
/// is why `<s>` of a converted RoBERTa is matched in normalized text and that of a tokenizer.json is not.
pub(crate) fn pin(special: &mut SpecialTokens) {
    let named = special.named.values_mut().flatten();
    let extra = special.extra.iter_mut().map(|(_, token)| token);
    for token in named.chain(special.additional.iter_mut().flatten()).chain(extra) {
        if let SpecialToken::Added(added) = token {
            *token = SpecialToken::Added(added.clone().pinned());
        }
    }
}
