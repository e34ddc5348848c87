"""qwen2 and qwen3: a byte-level BPE over composed letters, more rows than words, windows in some of the layers."""

from __future__ import annotations

from functools import partial
from typing import Any

from tokenizers import normalizers
from transformers import Qwen2TokenizerFast

import cases as C
import tokenizer_variants as V
from decoder_tokenizers import CHATML, QWEN_2, byte_tokenizer
from table import BIO, FEATURES, GENERATION, TEXTS, TOKENS, decoder, pick

QWEN: dict[str, Any] = dict(
    hidden_size=16,
    num_attention_heads=4,
    num_key_value_heads=2,
    num_hidden_layers=3,
    intermediate_size=27,
    max_position_embeddings=128,
    rms_norm_eps=1e-3,
    rope_theta=800.0,
    # The tokenizer has 403.
    vocab_size=416,
)
WINDOWS: dict[str, Any] = dict(use_sliding_window=True, sliding_window=7, max_window_layers=1)
tokenizer = partial(
    byte_tokenizer,
    made=Qwen2TokenizerFast,
    pattern=QWEN_2,
    normalizer=normalizers.NFC(),
    after=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
    unk_token=None,
    bos_token=None,
    eos_token="<|im_end|>",
    pad_token="<|endoftext|>",
)
SHARED: dict[str, Any] = dict(make_tokenizer=tokenizer, quiet=(94, 256))
CHAT = {"chat_template": CHATML, "padding_side": "left"}
SOME = ("greedy", "greedy_20", "no_repeat", "beams")
SPECIALS = C.greedy("special_tokens", ["Hi<|im_end|> there <|endoftext|>", "cafe\u0301 und Gro\u0308ße"], max_new_tokens=4)

decoder(
    "qwen2-generation",
    GENERATION,
    [
        *C.short_text_generation_cases(),
        *C.chat_cases(),
        SPECIALS,
        C.greedy("empty", [""], error=True),
        C.greedy("config_penalty_off", C.PROMPTS[:4], repetition_penalty=1.0),
    ],
    model_type="qwen2",
    # A window that is not used.
    config={**QWEN, "tie_word_embeddings": True, "use_sliding_window": False, "sliding_window": 4, "max_window_layers": 1},
    tokenizer={**CHAT, "model_max_length": 64},
    # As Qwen's own files.
    rewrite=[
        V.set_config(sliding_window=4, layer_types=None),
        V.generation_config(
            pad_token_id=400,
            do_sample=True,
            eos_token_id=[402, 400],
            repetition_penalty=1.1,
            temperature=0.7,
            top_p=0.8,
            top_k=20,
        )
    ],
    **SHARED,
)
decoder(
    "qwen2-generation-sliding",
    GENERATION,
    C.short_text_generation_cases(),
    model_type="qwen2",
    config={
        **QWEN,
        **WINDOWS,
        "num_key_value_heads": 1,
        "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32},
    },
    tokenizer=CHAT,
    rewrite=[V.set_config(layer_types=None)],
    **SHARED,
)
decoder(
    "qwen2-generation-layer-types",
    GENERATION,
    pick(C.short_text_generation_cases(), *SOME),
    model_type="qwen2",
    config={
        **QWEN,
        **WINDOWS,
        "sliding_window": 5,
        "num_key_value_heads": 4,
        "hidden_act": "relu",
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    },
    tokenizer=CHAT,
    **SHARED,
)
decoder(
    "qwen3-generation",
    GENERATION,
    [*C.short_text_generation_cases(), *C.short_chat_cases(), SPECIALS],
    model_type="qwen3",
    config={**QWEN, "head_dim": 10, "attention_bias": True, "tie_word_embeddings": True},
    tokenizer=CHAT,
    **SHARED,
)
decoder(
    "qwen3-generation-sliding",
    GENERATION,
    C.short_text_generation_cases(),
    model_type="qwen3",
    config={
        **QWEN,
        **WINDOWS,
        "head_dim": 6,
        "max_window_layers": 2,
        "num_key_value_heads": 1,
        "rope_scaling": {"rope_type": "linear", "factor": 3.0},
    },
    tokenizer=CHAT,
    rewrite=[V.set_config(layer_types=None)],
    **SHARED,
)

for model_type, config in (("qwen2", QWEN), ("qwen3", {**QWEN, "head_dim": 6})):
    one: dict[str, Any] = {**SHARED, "model_type": model_type}
    decoder(f"{model_type}-features", FEATURES, C.short_feature_cases("qwen"), config={**config, "rms_norm_eps": 0.05}, tokenizer={}, **one)
    decoder(
        f"{model_type}-features-sliding",
        FEATURES,
        C.short_feature_cases("qwen"),
        config={**config, **WINDOWS, "sliding_window": 3},
        tokenizer=CHAT,
        head="CausalLM",
        **one,
    )
    decoder(
        f"{model_type}-sentiment",
        TEXTS,
        [*C.short_text_cases("qwen"), C.PADDED_TEXTS],
        config=config,
        labels=["negative", "neutral", "positive"],
        tokenizer={},
        **one,
    )
    decoder(
        f"{model_type}-text-one-label",
        TEXTS,
        [*C.short_text_cases("qwen"), C.PADDED_TEXTS],
        config={**config, "num_hidden_layers": 2},
        labels=["score"],
        tokenizer=CHAT,
        **one,
    )
    decoder(f"{model_type}-ner", TOKENS, C.short_token_cases("qwen"), config=config, labels=BIO, tokenizer={}, **one)
