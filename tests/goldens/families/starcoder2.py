"""starcoder2 and olmo2: byte-level BPE; layer norms and biases, norms of all heads together."""

from __future__ import annotations

from functools import partial
from typing import Any

from transformers import GPT2TokenizerFast

import cases as C
from decoder_tokenizers import byte_tokenizer
from table import FEATURES, GENERATION, decoder, pick

SIZES: dict[str, Any] = dict(
    hidden_size=16,
    num_attention_heads=4,
    num_key_value_heads=2,
    num_hidden_layers=3,
    intermediate_size=27,
    max_position_embeddings=128,
    rope_theta=900.0,
)
SHARED: dict[str, Any] = dict(
    make_tokenizer=partial(
        byte_tokenizer,
        made=GPT2TokenizerFast,
        before=["<|endoftext|>", "<|pad|>"],
        after=[],
        pad_token="<|pad|>",
        padding_side="left",
    ),
    quiet=(96, 258),
)
SOME = ("greedy", "greedy_20", "beams")

STARCODER: dict[str, Any] = {**SIZES, "norm_epsilon": 1e-3}
decoder(
    "starcoder2-generation",
    GENERATION,
    C.short_text_generation_cases(),
    model_type="starcoder2",
    config={**STARCODER, "sliding_window": 6},
    **SHARED,
)
decoder(
    "starcoder2-generation-no-biases",
    GENERATION,
    pick(C.short_text_generation_cases(), *SOME),
    model_type="starcoder2",
    config={
        **STARCODER,
        "num_key_value_heads": 1,
        "use_bias": False,
        "hidden_act": "relu",
        "tie_word_embeddings": False,
        "rope_scaling": {"rope_type": "linear", "factor": 2.0},
    },
    **SHARED,
)
decoder(
    "starcoder2-features",
    FEATURES,
    C.short_feature_cases("starcoder2"),
    model_type="starcoder2",
    config={**STARCODER, "sliding_window": 3},
    **SHARED,
)

OLMO: dict[str, Any] = {**SIZES, "rms_norm_eps": 1e-3}
decoder("olmo2-generation", GENERATION, C.short_text_generation_cases(), model_type="olmo2", config=OLMO, **SHARED)
decoder(
    "olmo2-generation-biases",
    GENERATION,
    pick(C.short_text_generation_cases(), *SOME),
    model_type="olmo2",
    config={
        **OLMO,
        "num_key_value_heads": 4,
        "attention_bias": True,
        "hidden_act": "gelu",
        "tie_word_embeddings": True,
        "rope_scaling": {"type": "dynamic", "factor": 2.0},
    },
    **SHARED,
)
decoder("olmo2-features", FEATURES, C.short_feature_cases("olmo2"), model_type="olmo2", config=OLMO, **SHARED)
