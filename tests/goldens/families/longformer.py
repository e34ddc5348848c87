"""Longformer: RoBERTa's files, with windows of attention, a width per layer, and tokens that see everything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import LongformerTokenizerFast

import cases as C
import tokenizer_files
from cases import Case
from table import BIO, FEATURES, MASKS, NLI, QUESTIONS, TEXTS, TOKENS, ZERO_SHOT, add


def tokenizer(scratch: Path, **options: Any) -> LongformerTokenizerFast:
    made = tokenizer_files.roberta_tokenizer(**options)
    options = {"add_prefix_space": False, **options}
    return LongformerTokenizerFast(tokenizer_object=made.backend_tokenizer, **options)


# Python wants windows that divide the widest, and at least 4. Texts of LONG are several blocks of queries long.
CONFIG: dict[str, Any] = dict(
    hidden_size=20,
    num_attention_heads=4,
    num_hidden_layers=3,
    intermediate_size=26,
    attention_window=[4, 16, 8],
    max_position_embeddings=84,
    layer_norm_eps=2e-3,
    type_vocab_size=1,
    bos_token_id=0,
    eos_token_id=1,
    sep_token_id=1,
)
LONG_CONFIG: dict[str, Any] = {**CONFIG, "max_position_embeddings": 520}
SHARED: dict[str, Any] = dict(model_type="longformer", make_tokenizer=tokenizer)

add(
    "longformer-features",
    FEATURES,
    C.feature_cases("roberta"),
    config={**CONFIG, "hidden_act": "gelu"},
    tokenizer={"model_max_length": 26, "add_prefix_space": True},
    **SHARED,
)
add(
    "longformer-features-long",
    FEATURES,
    [*C.short_feature_cases("roberta"), Case("long", [C.LONG, C.LONG + " " + C.LONG_2])],
    config={**LONG_CONFIG, "attention_window": 6, "hidden_size": 6, "num_attention_heads": 3, "hidden_act": "gelu_new", "type_vocab_size": 2},
    **SHARED,
)
add(
    "longformer-sentiment",
    TEXTS,
    [
        *C.short_text_cases("roberta"),
        Case("long", [C.LONG, C.LONG_2, C.LONG + " " + C.LONG_2], {"top_k": None}),
        Case("padding_max_length", C.MIXED[:3], {"padding": "max_length", "max_length": 30, "top_k": None}),
        # The first token is padding then, and no token sees everything.
        Case(
            "padding_left",
            C.MIXED[:3],
            {"padding": "max_length", "max_length": 60, "padding_side": "left", "top_k": None},
        ),
    ],
    config={**LONG_CONFIG, "hidden_act": "gelu"},
    labels=["bad", "so-so", "good"],
    **SHARED,
)
add(
    "longformer-ner",
    TOKENS,
    C.short_token_cases("roberta", stride=True),
    config={**CONFIG, "hidden_act": "silu", "attention_window": [12, 6, 4]},
    labels=BIO,
    tokenizer={"model_max_length": 44, "add_prefix_space": True},
    seed=20,
    **SHARED,
)
add(
    "longformer-mask",
    MASKS,
    [*C.short_mask_cases("<mask>"), Case("long", [f"{C.LONG} <mask> {C.LONG_2}"])],
    config={**LONG_CONFIG, "hidden_act": "relu"},
    **SHARED,
)
add(
    "longformer-mask-untied",
    MASKS,
    C.short_mask_cases("<mask>"),
    config={**CONFIG, "hidden_act": "gelu", "tie_word_embeddings": False},
    tokenizer={"model_max_length": 80},
    **SHARED,
)
add(
    "longformer-questions",
    QUESTIONS,
    [
        *C.short_question_cases(),
        Case("long", C.LONG_CONTEXTS, {"top_k": 2}),
        Case("long_padded", C.LONG_CONTEXTS[1:], {"padding": "max_length"}),
        # The question ends at the first of three separators: there must be three.
        Case("separator_in_text", [{"question": "Who?", "context": "Sarah </s> Connor"}], {}, error=True),
    ],
    config={**LONG_CONFIG, "hidden_act": "gelu"},
    head="QuestionAnswering",  # said, so that the model is not run on single texts to calibrate it
    seed=3,
    **SHARED,
)
add(
    "longformer-zero-shot",
    ZERO_SHOT,
    C.short_zero_shot_cases(),
    config={**LONG_CONFIG, "hidden_act": "gelu", "attention_window": 8},
    labels=NLI,
    **SHARED,
)
