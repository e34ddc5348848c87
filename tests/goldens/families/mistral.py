"""mistral and mixtral: Llama's tokenizer, sliding windows, and experts."""

from __future__ import annotations

from typing import Any

import cases as C
from decoder_tokenizers import llama_tokenizer
from table import FEATURES, GENERATION, decoder, pick

MISTRAL: dict[str, Any] = dict(
    hidden_size=16,
    num_attention_heads=4,
    num_key_value_heads=2,
    num_hidden_layers=3,
    intermediate_size=27,
    max_position_embeddings=128,
    rms_norm_eps=1e-3,
    rope_theta=900.0,
)
SHARED: dict[str, Any] = dict(make_tokenizer=llama_tokenizer, quiet=(3, 259))
PADDING: dict[str, Any] = dict(legacy=False, pad_token="<unk>", padding_side="left")
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
)

decoder(
    "mistral-generation",
    GENERATION,
    [
        *C.short_text_generation_cases(),
        *C.short_chat_cases(),
        C.greedy("chat_system", C.CHATS[1:2], error=True),
        C.greedy("lookup", C.PROMPTS[:4], prompt_lookup_num_tokens=2, max_new_tokens=12),
    ],
    model_type="mistral",
    config={**MISTRAL, "head_dim": 6, "sliding_window": 6},
    tokenizer={**PADDING, "chat_template": TEMPLATE},
    **SHARED,
)
decoder(
    "mistral-generation-full",
    GENERATION,
    C.short_text_generation_cases(),
    model_type="mistral",
    config={**MISTRAL, "num_key_value_heads": 4, "sliding_window": None, "tie_word_embeddings": True, "hidden_act": "gelu"},
    tokenizer=PADDING,
    **SHARED,
)
decoder(
    "mistral-features",
    FEATURES,
    C.short_feature_cases("mistral"),
    model_type="mistral",
    config={**MISTRAL, "sliding_window": 3, "rms_norm_eps": 0.05},
    tokenizer=PADDING,
    **SHARED,
)
decoder(
    "mixtral-generation",
    GENERATION,
    C.short_text_generation_cases(),
    model_type="mixtral",
    config={**MISTRAL, "num_hidden_layers": 2, "num_local_experts": 4, "num_experts_per_tok": 2},
    tokenizer=PADDING,
    **SHARED,
)
decoder(
    "mixtral-generation-sliding",
    GENERATION,
    pick(C.short_text_generation_cases(), "greedy", "greedy_20", "no_repeat", "beams"),
    model_type="mixtral",
    config={
        **MISTRAL,
        "num_hidden_layers": 2,
        "head_dim": 6,
        "sliding_window": 5,
        "num_local_experts": 5,
        "num_experts_per_tok": 3,
    },
    tokenizer=PADDING,
    **SHARED,
)
decoder(
    "mixtral-features",
    FEATURES,
    C.short_feature_cases("mixtral"),
    model_type="mixtral",
    config={**MISTRAL, "num_hidden_layers": 2, "num_local_experts": 3, "num_experts_per_tok": 1, "rms_norm_eps": 0.05},
    tokenizer=PADDING,
    **SHARED,
)
