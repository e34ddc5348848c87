//! CamemBERT: RoBERTa over French, with a SentencePiece tokenizer.
//!
//! Paper: <https://arxiv.org/abs/1911.03894>. Reference: `modeling_camembert.py` of transformers 4.56.2,
//! which is RoBERTa's to the letter, down to the `roberta.` of its keys. (Its config differs by the default
//! of `vocab_size`, which no checkpoint leaves out.)
//!
//! Heads: encoder, masked LM, question answerer, sequence classifier, token classifier.

use burnpipe_nn::Architecture;

use crate::roberta;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture = Architecture { model_type: "camembert", heads: roberta::HEADS };
