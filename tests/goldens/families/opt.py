"""opt: learned positions from the third row on; bloom: no positions but distances."""

from __future__ import annotations

from functools import partial
from typing import Any

from tokenizers import Tokenizer, processors
from transformers import BloomTokenizerFast

import cases as C
import tokenizer_variants as V
import weights as W
from decoder_tokenizers import BLOOM, byte_tokenizer
from table import FEATURES, GENERATION, decoder, pick

OPT: dict[str, Any] = dict(
    hidden_size=20,
    num_attention_heads=4,
    num_hidden_layers=2,
    ffn_dim=33,
    max_position_embeddings=96,
)


def start_with_end(backend: Tokenizer) -> None:
    backend.post_processor = processors.TemplateProcessing(
        single="</s> $A", pair="</s> $A </s> $B", special_tokens=[("</s>", backend.token_to_id("</s>"))]
    )


SHARED: dict[str, Any] = dict(
    model_type="opt",
    make_tokenizer=partial(
        byte_tokenizer,
        before=["<s>", "<pad>", "</s>"],
        after=[],
        edit=start_with_end,
        bos_token="</s>",
        eos_token="</s>",
        unk_token="</s>",
        pad_token="<pad>",
        add_bos_token=True,
        padding_side="left",
    ),
    quiet=(97, 259),
)
SOME = ("greedy", "greedy_20", "no_repeat", "beams")
EMPTY = C.greedy("blank_prompts", ["", " ", "</s>", "a</s>b"], max_new_tokens=5)
decoder(
    "opt-generation",
    GENERATION,
    [*C.short_text_generation_cases(), EMPTY, *C.PADDED_PROMPTS],
    config=OPT,
    rewrite=[W.drop_prefix("model."), V.set_config(enable_bias=None, layer_norm_elementwise_affine=None)],
    **SHARED,
)
# As the one of 350M: smaller words than layers, norms behind.
decoder(
    "opt-generation-projected",
    GENERATION,
    C.short_text_generation_cases(),
    config={
        **OPT,
        "word_embed_proj_dim": 14,
        "do_layer_norm_before": False,
        "activation_function": "gelu",
        "tie_word_embeddings": False,
    },
    **SHARED,
)
decoder(
    "opt-generation-plain",
    GENERATION,
    pick(C.short_text_generation_cases(), *SOME),
    config={
        **OPT,
        "num_hidden_layers": 3,
        "enable_bias": False,
        "layer_norm_elementwise_affine": False,
        "_remove_final_layer_norm": True,
    },
    **SHARED,
)
decoder("opt-features", FEATURES, C.short_feature_cases("opt"), config={**OPT, "word_embed_proj_dim": 12}, **SHARED)

BLOOM_CONFIG: dict[str, Any] = dict(hidden_size=20, n_head=5, n_layer=2, layer_norm_epsilon=1e-3)
BLOOM_SHARED: dict[str, Any] = dict(
    model_type="bloom",
    make_tokenizer=partial(
        byte_tokenizer,
        made=BloomTokenizerFast,
        pattern=BLOOM,
        before=["<unk>", "<s>", "</s>", "<pad>"],
        after=[],
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        padding_side="left",
    ),
    quiet=(98, 260),
)
# No prefix, and other names of two sizes, as in BigScience's files.
decoder(
    "bloom-generation",
    GENERATION,
    [*C.short_text_generation_cases(), *C.PADDED_PROMPTS],
    config=BLOOM_CONFIG,
    std=0.9,
    rewrite=[
        W.drop_prefix("transformer."),
        V.set_config(hidden_size=None, n_embed=20, n_head=None, num_attention_heads=5, slow_but_exact=None),
    ],
    **BLOOM_SHARED,
)
decoder(
    "bloom-generation-residual",
    GENERATION,
    C.short_text_generation_cases(),
    config={
        **BLOOM_CONFIG,
        "hidden_size": 24,
        "n_head": 4,
        "n_layer": 3,
        "apply_residual_connection_post_layernorm": True,
        "tie_word_embeddings": False,
    },
    std=0.6,
    **BLOOM_SHARED,
)
decoder("bloom-features", FEATURES, C.short_feature_cases("bloom"), config={**BLOOM_CONFIG, "n_head": 10, "layer_norm_epsilon": 0.05}, **BLOOM_SHARED)
