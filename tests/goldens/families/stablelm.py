"""stablelm: layer norms, a part of each head rotated; smollm3: some layers that are not rotated."""

from __future__ import annotations

from functools import partial
from typing import Any

from tokenizers import normalizers
from transformers import GPTNeoXTokenizerFast

import cases as C
import tokenizer_variants as V
from decoder_tokenizers import CHATML, byte_tokenizer
from families.llama import llama_3_tokenizer
from table import FEATURES, GENERATION, decoder, pick

STABLE: dict[str, Any] = dict(
    hidden_size=24,
    num_attention_heads=3,
    num_key_value_heads=3,
    num_hidden_layers=2,
    intermediate_size=29,
    max_position_embeddings=128,
    layer_norm_eps=1e-3,
    rope_theta=900.0,
)
SHARED: dict[str, Any] = dict(
    model_type="stablelm",
    make_tokenizer=partial(
        byte_tokenizer,
        made=GPTNeoXTokenizerFast,
        normalizer=normalizers.NFC(),
        before=["<|endoftext|>", "<|padding|>"],
        after=[],
        pad_token="<|padding|>",
        padding_side="left",
    ),
    quiet=(96, 258),
)
SOME = ("greedy", "greedy_20", "no_repeat", "beams")
decoder("stablelm-generation", GENERATION, C.short_text_generation_cases(), config={**STABLE, "use_qkv_bias": True}, **SHARED)
decoder(
    "stablelm-generation-parallel",
    GENERATION,
    C.short_text_generation_cases(),
    config={
        **STABLE,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "qk_layernorm": True,
        "use_parallel_residual": True,
        "partial_rotary_factor": 0.75,
        "hidden_act": "gelu",
        "tie_word_embeddings": True,
    },
    **SHARED,
)
decoder(
    "stablelm-generation-norms",
    GENERATION,
    pick(C.short_text_generation_cases(), *SOME),
    config={
        **STABLE,
        "num_key_value_heads": 1,
        "qk_layernorm": True,
        "partial_rotary_factor": 0.5,
        "rope_scaling": {"rope_type": "linear", "factor": 2.0},
    },
    **SHARED,
)
decoder("stablelm-features", FEATURES, C.short_feature_cases("stablelm"), config={**STABLE, "layer_norm_eps": 0.05}, **SHARED)

SMOL: dict[str, Any] = dict(
    hidden_size=16,
    num_attention_heads=4,
    num_key_value_heads=2,
    num_hidden_layers=4,
    intermediate_size=27,
    max_position_embeddings=128,
    rms_norm_eps=1e-3,
    rope_theta=900.0,
    pad_token_id=405,
    bos_token_id=400,
    eos_token_id=404,
)
SMOL_SHARED: dict[str, Any] = dict(model_type="smollm3", make_tokenizer=llama_3_tokenizer, quiet=(94, 256))
LEFT: dict[str, Any] = dict(padding_side="left")
decoder(
    "smollm3-generation",
    GENERATION,
    [*C.short_text_generation_cases(), *C.short_chat_cases()],
    config={**SMOL, "no_rope_layer_interval": 2},
    tokenizer={**LEFT, "chat_template": CHATML},
    rewrite=[V.set_config(no_rope_layers=None, layer_types=None)],
    **SMOL_SHARED,
)
# The layers that are not rotated have the windows.
decoder(
    "smollm3-generation-sliding",
    GENERATION,
    C.short_text_generation_cases(),
    config={
        **SMOL,
        "num_hidden_layers": 3,
        "num_key_value_heads": 1,
        "no_rope_layers": [1, 0, 1],
        "use_sliding_window": True,
        "sliding_window": 6,
        "attention_bias": True,
        "mlp_bias": True,
        "tie_word_embeddings": False,
        "rope_scaling": {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 64},
    },
    tokenizer=LEFT,
    **SMOL_SHARED,
)
decoder(
    "smollm3-generation-layer-types",
    GENERATION,
    pick(C.short_text_generation_cases(), *SOME),
    config={
        **SMOL,
        "num_hidden_layers": 3,
        "no_rope_layers": [0, 1, 1],
        "use_sliding_window": True,
        "sliding_window": 5,
        "layer_types": ["full_attention", "sliding_attention", "full_attention"],
        "hidden_act": "relu",
    },
    tokenizer=LEFT,
    **SMOL_SHARED,
)
decoder("smollm3-features", FEATURES, C.short_feature_cases("smollm3"), config={**SMOL, "rms_norm_eps": 0.05}, tokenizer={}, **SMOL_SHARED)
