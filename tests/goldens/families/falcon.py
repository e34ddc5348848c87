"""falcon: one key for all heads or one for a group, attention beside the feed-forward or before it, rotated or by distance."""

from __future__ import annotations

from functools import partial
from typing import Any

from tokenizers import Regex, Tokenizer, pre_tokenizers
from transformers import PreTrainedTokenizerFast

import cases as C
import tokenizer_variants as V
from decoder_tokenizers import byte_tokenizer
from table import FEATURES, GENERATION, decoder, pick

FALCON: dict[str, Any] = dict(
    hidden_size=20,
    num_attention_heads=5,
    num_hidden_layers=2,
    max_position_embeddings=128,
    layer_norm_epsilon=1e-3,
    rope_theta=700.0,
    ffn_hidden_size=44,
)
SPECIALS = [">>TITLE<<", ">>ABSTRACT<<", ">>INTRODUCTION<<", ">>SUMMARY<<", "<|endoftext|>"]


def split_as_falcon(backend: Tokenizer) -> None:
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Punctuation(behavior="contiguous"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
            pre_tokenizers.Digits(individual_digits=False),
            pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), behavior="isolated"),
        ]
    )


SHARED: dict[str, Any] = dict(
    model_type="falcon",
    make_tokenizer=partial(
        byte_tokenizer,
        made=PreTrainedTokenizerFast,
        before=SPECIALS,
        after=[],
        edit=split_as_falcon,
        bos_token="<|endoftext|>",
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        padding_side="left",
        model_input_names=["input_ids", "attention_mask"],
    ),
    quiet=(99, 261),
)
SPLITS = C.greedy("splits", ["In 123456 they paid $3.50!!", "(a) -- b..c", ">>TITLE<< Hi"], max_new_tokens=5)
SOME = ("greedy", "greedy_20", "no_repeat", "beams")

decoder(
    "falcon-generation",
    GENERATION,
    [*C.short_text_generation_cases(), SPLITS],
    config=FALCON,
    rewrite=[V.set_config(num_kv_heads=None, num_ln_in_parallel_attn=None, activation=None, rope_scaling=None)],
    **SHARED,
)
decoder(
    "falcon-generation-groups",
    GENERATION,
    C.short_text_generation_cases(),
    config={
        **FALCON,
        "new_decoder_architecture": True,
        "hidden_size": 24,
        "num_attention_heads": 6,
        "num_kv_heads": 2,
        "bias": True,
    },
    **SHARED,
)
decoder(
    "falcon-generation-one-norm",
    GENERATION,
    pick(C.short_text_generation_cases(), *SOME),
    config={
        **FALCON,
        "new_decoder_architecture": True,
        "hidden_size": 16,
        "num_attention_heads": 4,
        "num_kv_heads": 4,
        "num_ln_in_parallel_attn": 1,
        "activation": "relu",
        "tie_word_embeddings": False,
        "rope_scaling": {"rope_type": "linear", "factor": 2.0},
    },
    **SHARED,
)
decoder(
    "falcon-generation-alibi",
    GENERATION,
    [*C.short_text_generation_cases(), *C.PADDED_PROMPTS],
    config={**FALCON, "alibi": True, "multi_query": False, "parallel_attn": False, "bias": True, "ffn_hidden_size": None},
    rewrite=[V.set_config(ffn_hidden_size=None, num_kv_heads=None)],
    **SHARED,
)
decoder(
    "falcon-generation-in-turn",
    GENERATION,
    pick(C.short_text_generation_cases(), *SOME),
    config={**FALCON, "multi_query": True, "parallel_attn": False},
    **SHARED,
)
decoder("falcon-features", FEATURES, C.short_feature_cases("falcon"), config={**FALCON, "layer_norm_epsilon": 0.05}, **SHARED)
decoder("falcon-features-alibi", FEATURES, C.short_feature_cases("falcon"), config={**FALCON, "alibi": True}, **SHARED)
