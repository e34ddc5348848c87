//! XLM-RoBERTa: RoBERTa over a hundred languages, with a SentencePiece tokenizer.
//!
//! Paper: <https://arxiv.org/abs/1911.02116>. Reference: `modeling_xlm_roberta.py` of transformers
//! 4.56.2, which is RoBERTa's to the letter, down to the `roberta.` of its keys.
//!
//! Heads: encoder, masked LM, question answerer, sequence classifier, token classifier.

use burnpipe_nn::Architecture;

use crate::roberta;

/// What this architecture offers.
pub(crate) const ARCHITECTURE: Architecture =
    Architecture { model_type: "xlm-roberta", heads: roberta::HEADS };
