"""gpt_neo: every second layer sees near tokens only; gpt_neox: attention beside the feed-forward, a part of it rotated."""

from __future__ import annotations

from functools import partial
from typing import Any

from tokenizers import normalizers
from transformers import GPTNeoXTokenizerFast

import cases as C
import tokenizer_variants as V
import weights as W
from decoder_tokenizers import byte_tokenizer
from table import FEATURES, GENERATION, decoder, pick

NEO: dict[str, Any] = dict(
    hidden_size=20,
    num_heads=4,
    num_layers=3,
    attention_types=[[["global", "local"], 1], [["local"], 1]],
    window_size=6,
    max_position_embeddings=96,
    layer_norm_epsilon=1e-3,
)
PADDING: dict[str, Any] = dict(pad_token="<|pad|>", padding_side="left")
SHARED: dict[str, Any] = dict(model_type="gpt_neo", make_tokenizer=byte_tokenizer, quiet=(94, 256), tokenizer=PADDING)
SOME = ("greedy", "greedy_20", "no_repeat", "beams")
decoder(
    "gpt-neo-generation",
    GENERATION,
    [*C.short_text_generation_cases(), *C.PADDED_PROMPTS],
    config=NEO,
    rewrite=[
        V.set_config(attention_layers=None),
        W.add_buffers(3, "transformer.h.{}.attn.attention.bias", "transformer.h.{}.attn.attention.masked_bias"),
    ],
    **SHARED,
)
decoder(
    "gpt-neo-generation-untied",
    GENERATION,
    C.short_text_generation_cases(),
    config={
        **NEO,
        "num_layers": 2,
        "attention_types": [[["local", "global"], 1]],
        "window_size": 4,
        "intermediate_size": 33,
        "activation_function": "relu",
        "tie_word_embeddings": False,
    },
    **SHARED,
)
decoder("gpt-neo-features", FEATURES, C.short_feature_cases("gpt_neo"), config={**NEO, "window_size": 3, "layer_norm_epsilon": 0.05}, **SHARED)

NEOX: dict[str, Any] = dict(
    hidden_size=24,
    num_attention_heads=3,
    num_hidden_layers=2,
    intermediate_size=37,
    max_position_embeddings=128,
    layer_norm_eps=1e-3,
    rotary_emb_base=900,
)
NEOX_SHARED: dict[str, Any] = dict(
    model_type="gpt_neox",
    make_tokenizer=partial(
        byte_tokenizer,
        made=GPTNeoXTokenizerFast,
        normalizer=normalizers.NFC(),
        before=["<|endoftext|>", "<|padding|>"],
        after=[],
        extra=["    ", "  "],
        pad_token="<|padding|>",
        padding_side="left",
    ),
    quiet=(96, 258),
)
SPACES = C.greedy("spaces", ["a  b   c    d", "cafe\u0301  und"], max_new_tokens=5)
decoder(
    "gpt-neox-generation",
    GENERATION,
    [*C.short_text_generation_cases(), SPACES],
    config=NEOX,
    rewrite=[
        V.set_config(**dict.fromkeys("attention_bias partial_rotary_factor rope_scaling rope_theta".split())),
        W.add_buffers(
            2,
            "gpt_neox.layers.{}.attention.bias",
            "gpt_neox.layers.{}.attention.masked_bias",
            "gpt_neox.layers.{}.attention.rotary_emb.inv_freq",
        ),
    ],
    **NEOX_SHARED,
)
decoder(
    "gpt-neox-generation-in-turn",
    GENERATION,
    C.short_text_generation_cases(),
    config={
        **NEOX,
        "use_parallel_residual": False,
        "rotary_pct": 0.75,
        "attention_bias": False,
        "hidden_act": "relu",
        "rope_scaling": {"type": "linear", "factor": 2.0},
    },
    **NEOX_SHARED,
)
decoder(
    "gpt-neox-generation-tied",
    GENERATION,
    pick(C.short_text_generation_cases(), *SOME),
    config={**NEOX, "rotary_pct": 1.0, "tie_word_embeddings": True, "hidden_act": "gelu_fast"},
    **NEOX_SHARED,
)
decoder("gpt-neox-features", FEATURES, C.short_feature_cases("gpt_neox"), config={**NEOX, "rotary_pct": 0.5, "layer_norm_eps": 0.05}, **NEOX_SHARED)
