"""ELECTRA: BERT's files, with embeddings narrower than the encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import ElectraTokenizerFast

import cases as C
import tokenizer_files
from table import BIO, FEATURES, MASKS, NLI, QUESTIONS, TEXTS, TOKENS, ZERO_SHOT, add


def tokenizer(scratch: Path, **options: Any) -> ElectraTokenizerFast:
    made = tokenizer_files.bert_tokenizer(**options)
    options = {name: value for name, value in options.items() if name not in ("size", "pad_id", "lower_case", "extra")}
    return ElectraTokenizerFast(
        tokenizer_object=made.backend_tokenizer, do_lower_case=made.do_lower_case, **options
    )


CONFIG: dict[str, Any] = dict(
    embedding_size=14,
    hidden_size=20,
    num_attention_heads=4,
    num_hidden_layers=2,
    intermediate_size=27,
    max_position_embeddings=70,
    layer_norm_eps=2e-3,
)
SHARED: dict[str, Any] = dict(model_type="electra", make_tokenizer=tokenizer)

add(
    "electra-ner",
    TOKENS,
    C.short_token_cases("bert", stride=True),
    config={**CONFIG, "hidden_act": "gelu"},
    labels=BIO,
    tokenizer={"model_max_length": 28},
    seed=2,
    **SHARED,
)
# As wide as the encoder: nothing between embeddings and layers. Pruned heads, more token types, and a token sees none
# that is later.
add(
    "electra-ner-wide",
    TOKENS,
    C.short_token_cases("bert"),
    config={
        **CONFIG,
        "embedding_size": 20,
        "hidden_act": "silu",
        "type_vocab_size": 3,
        "is_decoder": True,
        "pruned_heads": {0: [2], 1: [0, 1]},
    },
    labels=BIO,
    tokenizer={"lower_case": False},
    **SHARED,
)
# The activation of this head is GELU whatever the config says.
add(
    "electra-sentiment",
    TEXTS,
    C.short_text_cases("bert"),
    config={**CONFIG, "hidden_act": "relu", "embedding_size": 23},
    labels=["bad", "so-so", "good"],
    tokenizer={"model_max_length": 60},
    **SHARED,
)
add(
    "electra-sentiment-relative-key",
    TEXTS,
    C.short_text_cases("bert"),
    config={**CONFIG, "hidden_act": "gelu_new", "position_embedding_type": "relative_key"},
    labels=["a", "b"],
    tokenizer={"pad_id": 4},
    **SHARED,
)
add(
    "electra-features",
    FEATURES,
    C.short_feature_cases("bert"),
    config={**CONFIG, "num_hidden_layers": 3, "position_embedding_type": "relative_key_query"},
    tokenizer={"model_max_length": 32},
    **SHARED,
)
# A discriminator as it was pre-trained: its own head is left out.
add(
    "electra-features-pretrained",
    FEATURES,
    C.feature_cases("bert"),
    config={**CONFIG, "hidden_act": "tanh"},
    tokenizer={"model_max_length": 30},
    head="PreTraining",
    **SHARED,
)
# The activation of this head is GELU whatever the config says.
add(
    "electra-mask",
    MASKS,
    C.short_mask_cases("[MASK]"),
    config={**CONFIG, "hidden_act": "relu"},
    tokenizer={"model_max_length": 64},
    **SHARED,
)
add(
    "electra-mask-untied",
    MASKS,
    C.short_mask_cases("[MASK]"),
    config={**CONFIG, "hidden_act": "gelu", "tie_word_embeddings": False, "embedding_size": 20},
    tokenizer={"model_max_length": 64},
    **SHARED,
)
add(
    "electra-questions",
    QUESTIONS,
    C.short_question_cases(),
    config={**CONFIG, "hidden_act": "gelu", "max_position_embeddings": 128},
    tokenizer={"model_max_length": 96},
    seed=2,
    **SHARED,
)
add(
    "electra-zero-shot",
    ZERO_SHOT,
    C.short_zero_shot_cases(),
    config={**CONFIG, "hidden_act": "gelu"},
    labels=NLI,
    tokenizer={"model_max_length": 64},
    **SHARED,
)
