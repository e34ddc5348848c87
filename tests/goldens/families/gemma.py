"""gemma, gemma2 and gemma3_text: sentencepiece BPE without a space in front, norms around zero, windows and soft caps."""

from __future__ import annotations

from typing import Any

import cases as C
import tokenizer_variants as V
from decoder_tokenizers import gemma_tokenizer
from table import FEATURES, GENERATION, decoder, pick

GEMMA: dict[str, Any] = dict(
    hidden_size=16,
    head_dim=6,
    num_attention_heads=4,
    num_key_value_heads=2,
    num_hidden_layers=3,
    intermediate_size=27,
    max_position_embeddings=128,
    rms_norm_eps=1e-3,
    rope_theta=600.0,
)
# Embeddings are multiplied by the root of their size. <0x00> to <0xFF> come up less often.
SHARED: dict[str, Any] = dict(make_tokenizer=gemma_tokenizer, embedding_std=0.2, quiet=(4, 264))
LEFT: dict[str, Any] = dict(padding_side="left")
TEMPLATE = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}"
)
SOME = ("greedy", "greedy_20", "no_repeat", "beams")

decoder(
    "gemma-generation",
    GENERATION,
    [
        *C.short_text_generation_cases(),
        *C.short_chat_cases(),
        C.greedy("chat_system", C.CHATS[1:2], error=True),
        C.greedy("special_tokens", ["Hi<eos> there", "<start_of_turn>user\nHi", "a\n\nb  c\td"], max_new_tokens=4),
        C.greedy("blank_prompts", ["", " ", "\n"]),
    ],
    model_type="gemma",
    config={**GEMMA, "num_key_value_heads": 1},
    tokenizer={"chat_template": TEMPLATE},
    **SHARED,
)
# Python takes `hidden_act`, and reads `hidden_activation` no more.
decoder(
    "gemma-generation-biases",
    GENERATION,
    pick(C.short_text_generation_cases(), *SOME),
    model_type="gemma",
    config={
        **GEMMA,
        "attention_bias": True,
        "hidden_act": "relu",
        "hidden_activation": "gelu",
        "tie_word_embeddings": False,
    },
    tokenizer=LEFT,
    **SHARED,
)
GEMMA_2: dict[str, Any] = {**GEMMA, "query_pre_attn_scalar": 11, "sliding_window": 6}
decoder(
    "gemma2-generation",
    GENERATION,
    [*C.short_text_generation_cases(), *C.short_chat_cases()],
    model_type="gemma2",
    config={**GEMMA_2, "final_logit_softcapping": 1.2, "attn_logit_softcapping": 1.5},
    tokenizer={"chat_template": TEMPLATE, **LEFT},
    # As Gemma's own files; the cache is the usual one all the same.
    rewrite=[V.set_config(layer_types=None, cache_implementation="hybrid"), V.generation_config(cache_implementation="hybrid")],
    **SHARED,
)
decoder(
    "gemma2-generation-layer-types",
    GENERATION,
    pick(C.short_text_generation_cases(), *SOME),
    model_type="gemma2",
    config={
        **GEMMA_2,
        "attention_bias": True,
        "hidden_activation": "silu",
        "final_logit_softcapping": None,
        "attn_logit_softcapping": None,
        "layer_types": ["full_attention", "full_attention", "sliding_attention"],
        "tie_word_embeddings": False,
    },
    tokenizer=LEFT,
    **SHARED,
)
GEMMA_3: dict[str, Any] = {**GEMMA_2, "rope_local_base_freq": 40.0, "query_pre_attn_scalar": 8}
decoder(
    "gemma3-text-generation",
    GENERATION,
    [*C.short_text_generation_cases(), *C.short_chat_cases()],
    model_type="gemma3_text",
    # Every third layer sees all.
    config={
        **GEMMA_3,
        "num_hidden_layers": 4,
        "sliding_window_pattern": 3,
        "rope_scaling": {"rope_type": "linear", "factor": 4.0},
    },
    tokenizer={"chat_template": TEMPLATE, **LEFT},
    rewrite=[V.set_config(layer_types=None, _sliding_window_pattern=None, sliding_window_pattern=3)],
    **SHARED,
)
decoder(
    "gemma3-text-generation-layer-types",
    GENERATION,
    pick(C.short_text_generation_cases(), *SOME),
    model_type="gemma3_text",
    config={
        **GEMMA_3,
        "attention_bias": True,
        "hidden_activation": "relu",
        "final_logit_softcapping": 3.0,
        "attn_logit_softcapping": 2.0,
        "num_key_value_heads": 4,
        "sliding_window": 5,
        "layer_types": ["full_attention", "sliding_attention", "full_attention"],
        "tie_word_embeddings": False,
    },
    tokenizer=LEFT,
    **SHARED,
)
for model_type, name, config in (
    ("gemma", "gemma", GEMMA),
    ("gemma2", "gemma2", {**GEMMA_2, "sliding_window": 3, "attn_logit_softcapping": 1.5}),
    ("gemma3_text", "gemma3-text", {**GEMMA_3, "sliding_window": 3, "sliding_window_pattern": 2}),
):
    decoder(
        f"{name}-features",
        FEATURES,
        C.short_feature_cases("gemma"),
        model_type=model_type,
        config={**config, "rms_norm_eps": 0.05},
        tokenizer={},
        **SHARED,
    )
