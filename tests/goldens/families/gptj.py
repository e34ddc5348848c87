"""gptj: attention beside the feed-forward, neighbouring numbers of a head rotated together."""

from __future__ import annotations

from typing import Any

import cases as C
from decoder_tokenizers import byte_tokenizer
from table import FEATURES, GENERATION, decoder

GPTJ: dict[str, Any] = dict(
    n_embd=24,
    n_head=3,
    n_layer=2,
    n_positions=96,
    rotary_dim=4,
    n_inner=37,
    layer_norm_epsilon=1e-3,
)
SHARED: dict[str, Any] = dict(
    model_type="gptj",
    make_tokenizer=byte_tokenizer,
    tokenizer=dict(pad_token="<|pad|>", padding_side="left"),
    quiet=(94, 256),
)
decoder("gptj-generation", GENERATION, C.short_text_generation_cases(), config=GPTJ, **SHARED)
# All of the only head is rotated.
decoder(
    "gptj-generation-tied",
    GENERATION,
    C.short_text_generation_cases(),
    config={**GPTJ, "n_head": 1, "rotary_dim": None, "n_inner": None, "activation_function": "relu", "tie_word_embeddings": True},
    **SHARED,
)
decoder("gptj-features", FEATURES, C.short_feature_cases("gptj"), config={**GPTJ, "rotary_dim": 8}, **SHARED)
