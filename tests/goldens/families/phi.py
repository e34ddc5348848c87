"""phi: a part of each head is rotated; phi3: fused weights and two sets of rotary factors, for short and long texts."""

from __future__ import annotations

from functools import partial
from typing import Any

from tokenizers import AddedToken
from transformers import CodeGenTokenizerFast

import cases as C
import tokenizer_variants as V
from decoder_tokenizers import byte_tokenizer, llama_tokenizer
from table import FEATURES, GENERATION, decoder, pick

PHI: dict[str, Any] = dict(
    hidden_size=24,
    num_attention_heads=3,
    num_hidden_layers=2,
    intermediate_size=37,
    max_position_embeddings=128,
    layer_norm_eps=1e-3,
    rope_theta=900.0,
)
SOME = ("greedy", "greedy_20", "no_repeat", "beams")
PHI_SHARED: dict[str, Any] = dict(
    model_type="phi",
    make_tokenizer=partial(byte_tokenizer, made=CodeGenTokenizerFast, pad_token="<|endoftext|>", extra=["    ", "  "]),
    quiet=(94, 256),
)
SPACES = C.greedy("spaces", ["def f(x):\n    return x", "a  b   c    d"], max_new_tokens=5)
decoder(
    "phi-generation",
    GENERATION,
    [*C.short_text_generation_cases(), SPACES],
    config=PHI,
    tokenizer={"padding_side": "left"},
    rewrite=[V.set_config(num_key_value_heads=None, rope_scaling=None, qk_layernorm=None)],
    **PHI_SHARED,
)
decoder(
    "phi-generation-norms",
    GENERATION,
    C.short_text_generation_cases(),
    config={
        **PHI,
        "num_key_value_heads": 1,
        "qk_layernorm": True,
        "partial_rotary_factor": 0.8,
        "hidden_act": "relu",
        "rope_scaling": {"rope_type": "linear", "factor": 2.0},
    },
    tokenizer={"padding_side": "left"},
    **PHI_SHARED,
)
decoder(
    "phi-features",
    FEATURES,
    C.short_feature_cases("phi"),
    config={**PHI, "partial_rotary_factor": 0.25, "layer_norm_eps": 0.05},
    tokenizer={},
    **PHI_SHARED,
)

PHI_3: dict[str, Any] = dict(
    hidden_size=16,
    num_attention_heads=2,
    num_hidden_layers=3,
    intermediate_size=27,
    max_position_embeddings=128,
    original_max_position_embeddings=128,
    rms_norm_eps=1e-3,
    rope_theta=900.0,
    bos_token_id=1,
    # <|endoftext|>, and further ends in generation_config.json.
    eos_token_id=500,
    pad_token_id=500,
)
SPECIALS_3 = ["<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>"]
TEMPLATE_3 = (
    "{% for message in messages %}{% if message['role'] == 'system' %}{{'<|system|>\n' + message['content'] + '<|end|>\n'}}"
    "{% elif message['role'] == 'user' %}{{'<|user|>\n' + message['content'] + '<|end|>\n'}}"
    "{% elif message['role'] == 'assistant' %}{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
PHI_3_SHARED: dict[str, Any] = dict(
    model_type="phi3",
    make_tokenizer=partial(
        llama_tokenizer,
        specials=[AddedToken(token, rstrip=token != "<|endoftext|>", normalized=False, special=True) for token in SPECIALS_3],
        legacy=False,
        add_bos_token=False,
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        padding_side="left",
    ),
    quiet=(3, 259),
)
SPECIALS = C.greedy(
    "special_tokens", ["<|user|>\nHi <|end|> \n<|assistant|>", "Hi<|end|> there", "x <|endoftext|> y"], max_new_tokens=4
)
decoder(
    "phi3-generation",
    GENERATION,
    [
        *C.short_text_generation_cases(),
        *pick(C.chat_cases(), "chats", "chats_new_text", "chats_tensors", "chats_not_continued"),
        SPECIALS,
    ],
    config={**PHI_3, "num_attention_heads": 4, "num_key_value_heads": 2},
    tokenizer={"chat_template": TEMPLATE_3},
    rewrite=[V.generation_config(eos_token_id=[500, 501, 503, 504])],
    **PHI_3_SHARED,
)
# Short prompts grow over the length at which the factors change; then Python computes the whole text anew.
GROWING = [
    C.greedy("growing", C.PROMPTS, max_new_tokens=24),
    C.greedy("growing_beams", C.PROMPTS[:4], num_beams=2, num_return_sequences=2, max_new_tokens=16),
    C.greedy("growing_no_cache", C.PROMPTS[:4], use_cache=False, max_new_tokens=24),
]
decoder(
    "phi3-generation-longrope",
    GENERATION,
    [*C.short_text_generation_cases(), *GROWING],
    config={
        **PHI_3,
        "original_max_position_embeddings": 22,
        "rope_scaling": {
            "type": "longrope",
            "short_factor": [1.0, 1.2, 1.5, 1.9],
            "long_factor": [1.1, 2.5, 4.0, 7.5],
        },
    },
    **PHI_3_SHARED,
)
decoder(
    "phi3-generation-longrope-partial",
    GENERATION,
    [*pick(C.short_text_generation_cases(), *SOME), *GROWING],
    config={
        **PHI_3,
        "original_max_position_embeddings": 26,
        "num_key_value_heads": 1,
        "partial_rotary_factor": 0.75,
        "tie_word_embeddings": True,
        "hidden_act": "gelu",
        # An older name of it.
        "rope_scaling": {"type": "su", "short_factor": [1.0, 1.3, 1.7], "long_factor": [1.5, 3.0, 6.0]},
    },
    **PHI_3_SHARED,
)
decoder(
    "phi3-generation-sliding",
    GENERATION,
    C.short_text_generation_cases(),
    config={**PHI_3, "sliding_window": 6, "partial_rotary_factor": 0.5},
    **PHI_3_SHARED,
)
decoder(
    "phi3-features",
    FEATURES,
    C.short_feature_cases("phi3"),
    config={**PHI_3, "sliding_window": 4, "rms_norm_eps": 0.05},
    std=0.3,
    **PHI_3_SHARED,
)
