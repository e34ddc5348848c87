"""MobileBERT: BERT's files; every config switch of the family is off somewhere below."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import MobileBertTokenizerFast

import cases as C
import tokenizer_files
from table import BIO, FEATURES, MASKS, NLI, QUESTIONS, TEXTS, TOKENS, ZERO_SHOT, add


def tokenizer(scratch: Path, **options: Any) -> MobileBertTokenizerFast:
    made = tokenizer_files.bert_tokenizer(**options)
    options = {name: value for name, value in options.items() if name not in ("size", "pad_id", "lower_case", "extra")}
    return MobileBertTokenizerFast(
        tokenizer_object=made.backend_tokenizer, do_lower_case=made.do_lower_case, **options
    )


CONFIG: dict[str, Any] = dict(
    embedding_size=10,
    hidden_size=22,
    num_attention_heads=3,
    num_hidden_layers=2,
    intermediate_size=17,
    intra_bottleneck_size=12,
    num_feedforward_networks=3,
    max_position_embeddings=70,
    layer_norm_eps=2e-3,
)
# Without norms between the layers numbers grow, unless weights are small.
SHARED: dict[str, Any] = dict(model_type="mobilebert", make_tokenizer=tokenizer, std=0.15)

# Padding in the inputs: the last token's neighbour is then the padding token, elsewhere it is none.
add(
    "mobilebert-features",
    FEATURES,
    C.feature_cases("bert"),
    config={**CONFIG, "hidden_act": "relu"},
    tokenizer={"model_max_length": 30},
    **SHARED,
)
# As it was pre-trained; the values, too, come from the bottleneck.
add(
    "mobilebert-features-pretrained",
    FEATURES,
    C.short_feature_cases("bert"),
    config={**CONFIG, "use_bottleneck_attention": True, "normalization_type": "layer_norm", "hidden_act": "gelu"},
    head="PreTraining",
    **SHARED,
)
# No bottleneck at all, nor anything between embeddings and layers.
add(
    "mobilebert-features-plain",
    FEATURES,
    C.short_feature_cases("bert"),
    config={
        **CONFIG,
        "embedding_size": 21,
        "hidden_size": 21,
        "trigram_input": False,
        "use_bottleneck": False,
        "num_feedforward_networks": 1,
        "pruned_heads": {1: [0, 2]},
    },
    **SHARED,
)
add(
    "mobilebert-ner",
    TOKENS,
    C.short_token_cases("bert", stride=True),
    config={**CONFIG, "num_feedforward_networks": 4, "pruned_heads": {0: [1]}},
    labels=BIO,
    tokenizer={"model_max_length": 28},
    **SHARED,
)
# Queries and keys are not bottlenecked, so that they must be as narrow as what is.
add(
    "mobilebert-ner-unshared",
    TOKENS,
    C.short_token_cases("bert"),
    config={
        **CONFIG,
        "hidden_size": 15,
        "intra_bottleneck_size": 15,
        "key_query_shared_bottleneck": False,
        "normalization_type": "layer_norm",
        "type_vocab_size": 3,
        "hidden_act": "silu",
    },
    labels=BIO,
    tokenizer={"lower_case": False},
    **SHARED,
)
add(
    "mobilebert-sentiment",
    TEXTS,
    C.short_text_cases("bert"),
    config={**CONFIG, "trigram_input": False, "num_feedforward_networks": 2},
    labels=["bad", "so-so", "good"],
    tokenizer={"model_max_length": 60},
    **SHARED,
)
add(
    "mobilebert-sentiment-not-activated",
    TEXTS,
    C.short_text_cases("bert"),
    config={**CONFIG, "classifier_activation": False, "key_query_shared_bottleneck": False, "use_bottleneck_attention": True},
    labels=["a", "b"],
    tokenizer={"pad_id": 4},
    **SHARED,
)
add(
    "mobilebert-mask",
    MASKS,
    C.short_mask_cases("[MASK]"),
    config={**CONFIG, "hidden_act": "gelu"},
    tokenizer={"model_max_length": 64},
    **SHARED,
)
add(
    "mobilebert-mask-untied",
    MASKS,
    C.short_mask_cases("[MASK]"),
    config={**CONFIG, "tie_word_embeddings": False, "embedding_size": 14, "hidden_size": 15},
    tokenizer={"model_max_length": 64},
    **SHARED,
)
add(
    "mobilebert-questions",
    QUESTIONS,
    C.short_question_cases(),
    config={**CONFIG, "max_position_embeddings": 128},
    tokenizer={"model_max_length": 96},
    **SHARED,
)
add(
    "mobilebert-zero-shot",
    ZERO_SHOT,
    C.short_zero_shot_cases(),
    config={**CONFIG},
    labels=NLI,
    tokenizer={"model_max_length": 64},
    **SHARED,
)
