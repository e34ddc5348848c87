"""DeBERTa (v1): a byte-level BPE with BERT's special tokens; every switch of the attention."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import DebertaTokenizerFast

import cases as C
import tokenizer_files
import tokenizer_variants as V
from cases import Case
from corpus import LONG, MIXED
from table import BIO, FEATURES, MASKS, MIXED_LABELS, NLI, QUESTIONS, TEXTS, TOKENS, ZERO_SHOT, add

SPECIALS = {"<s>": "[CLS]", "</s>": "[SEP]", "<unk>": "[UNK]", "<pad>": "[PAD]", "<mask>": "[MASK]"}


def tokenizer(_: Path, add_prefix_space: bool = False, **options: Any) -> DebertaTokenizerFast:
    vocab_text, merges_text = tokenizer_files.byte_bpe(340)
    vocab = {SPECIALS.get(token, token): index for token, index in json.loads(vocab_text).items()}
    merges = [tuple(line.split(" ")) for line in merges_text.splitlines()[1:]]
    backend = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocab["[CLS]"]), ("[SEP]", vocab["[SEP]"])],
    )
    return DebertaTokenizerFast(tokenizer_object=backend, add_prefix_space=add_prefix_space, **options)


def checkpoint(name: str, task: str, cases: list[Case], config: dict[str, Any], **fields: Any) -> None:
    config = {**SIZES, **config}
    add(f"deberta-{name}", task, cases, model_type="deberta", make_tokenizer=tokenizer, config=config, **fields)


SIZES: dict[str, Any] = dict(
    hidden_size=36,
    num_attention_heads=3,
    num_hidden_layers=2,
    intermediate_size=52,
    max_position_embeddings=110,
    layer_norm_eps=1e-3,
)
# What deberta-base has, in small.
V1: dict[str, Any] = dict(
    relative_attention=True,
    pos_att_type=["c2p", "p2c"],
    max_relative_positions=-1,
    position_biased_input=False,
    type_vocab_size=0,
)

checkpoint(
    "sentiment",
    TEXTS,
    C.short_text_cases("bert"),
    {**V1, "hidden_act": "gelu", "pooler_hidden_act": "gelu"},
    labels=["NEGATIVE", "POSITIVE", "NEUTRAL"],
    rewrite=[V.set_config(pos_att_type="c2p|p2c")],
)
# Texts are longer than the positions it knows.
checkpoint(
    "ner",
    TOKENS,
    C.short_token_cases("bert", stride=True),
    {**V1, "max_position_embeddings": 20, "hidden_act": "silu", "num_hidden_layers": 3},
    labels=BIO,
    tokenizer={"model_max_length": 60, "add_prefix_space": True},
    seed=2,
)
checkpoint(
    "ner-talking-heads",
    TOKENS,
    C.short_token_cases("bert"),
    {**V1, "talking_head": True, "type_vocab_size": 3, "num_attention_heads": 4, "hidden_act": "gelu_new"},
    labels=MIXED_LABELS,
)
checkpoint(
    "text-c2p",
    TEXTS,
    C.short_text_cases("bert"),
    {
        "relative_attention": True,
        "pos_att_type": ["c2p"],
        "max_relative_positions": 30,
        "type_vocab_size": 2,
        "hidden_act": "relu",
        "pooler_hidden_act": "tanh",
    },
    labels=["schlecht", "gut"],
)
checkpoint(
    "features",
    FEATURES,
    [*C.short_feature_cases("bert"), Case("long", [LONG]), Case("eight", MIXED[:8])],
    {
        "relative_attention": True,
        "pos_att_type": ["p2c"],
        "max_relative_positions": 11,
        "type_vocab_size": 2,
        "embedding_size": 20,
        "max_position_embeddings": 340,
    },
)
# No positions in the attention; but its kinds still divide the scores, known or not.
checkpoint(
    "features-absolute",
    FEATURES,
    C.short_feature_cases("bert"),
    {"pos_att_type": ["c2p", "p2c", "p2p"], "talking_head": True, "hidden_act": "gelu"},
    head="MaskedLM",
)
checkpoint("zero-shot", ZERO_SHOT, C.short_zero_shot_cases(), {**V1, "hidden_act": "gelu"}, labels=NLI)
checkpoint("mask", MASKS, C.short_mask_cases("[MASK]"), {**V1, "hidden_act": "gelu"})
checkpoint(
    "mask-new-head",
    MASKS,
    C.short_mask_cases("[MASK]"),
    {**V1, "legacy": False, "tie_word_embeddings": False, "hidden_act": "gelu"},
)
checkpoint("questions", QUESTIONS, C.short_question_cases(), {**V1, "hidden_act": "gelu", "max_position_embeddings": 150})
