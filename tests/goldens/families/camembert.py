"""CamemBERT: RoBERTa's model with fairseq's first tokens before a SentencePiece vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import CamembertTokenizer, CamembertTokenizerFast

import cases as C
from table import BIO, FEATURES, MASKS, NLI, QUESTIONS, TEXTS, TOKENS, ZERO_SHOT, add, pick
from tokenizer_files import sentencepiece_model


def camembert_tokenizer(
    scratch: Path, size: int = 320, rules: str = "small", **options: Any
) -> CamembertTokenizerFast:
    """Fast tokenizer converted from the sentencepiece model by transformers itself."""
    path = scratch / "sentencepiece.bpe.model"
    path.write_bytes(sentencepiece_model(size, rules))
    slow = CamembertTokenizer(str(path), **options)
    tokenizer = CamembertTokenizerFast(__slow_tokenizer=slow, **options)
    tokenizer.vocab_file = None  # so that save_pretrained leaves the sentencepiece file out
    return tokenizer


SMALL: dict[str, Any] = dict(
    hidden_size=18,
    num_attention_heads=3,
    num_hidden_layers=2,
    intermediate_size=26,
    max_position_embeddings=150,
    layer_norm_eps=1e-4,
    type_vocab_size=1,
)


def camembert(name: str, task: str, cases: list[C.Case], config: dict[str, Any], **fields: Any) -> None:
    add(
        name,
        task,
        cases,
        model_type="camembert",
        make_tokenizer=camembert_tokenizer,
        config={**SMALL, **config},
        **fields,
    )


FEATURE_CASES = pick(C.feature_cases("roberta"), "default", "empty", "padding_max_length", "text_pair_argument")
camembert("camembert-features", FEATURES, FEATURE_CASES, {"hidden_act": "gelu"})
camembert("camembert-mask", MASKS, C.short_mask_cases("<mask>"), {"hidden_act": "relu", "layer_norm_eps": 1e-2})
camembert(
    "camembert-mask-untied",
    MASKS,
    C.short_mask_cases("<mask>"),
    {"hidden_act": "gelu", "tie_word_embeddings": False, "position_embedding_type": "relative_key_query"},
)
camembert(
    "camembert-ner",
    TOKENS,
    C.short_token_cases("roberta", stride=True),
    {"hidden_act": "gelu", "num_hidden_layers": 3},
    labels=BIO,
    tokenizer={"model_max_length": 60},
    seed=3,
)
camembert("camembert-questions", QUESTIONS, C.short_question_cases(), {"hidden_act": "gelu"})
camembert(
    "camembert-sentiment",
    TEXTS,
    C.short_text_cases("roberta"),
    {"hidden_act": "silu"},
    labels=["négatif", "neutre", "positif"],
)
camembert("camembert-zero-shot", ZERO_SHOT, C.short_zero_shot_cases(), {"hidden_act": "gelu"}, labels=NLI)
