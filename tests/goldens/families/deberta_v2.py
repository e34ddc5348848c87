"""DeBERTa v2 and v3: a sentencepiece vocabulary with BERT's special tokens; every switch of the attention."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from sentencepiece import sentencepiece_model_pb2
from transformers import DebertaV2Tokenizer, DebertaV2TokenizerFast

import cases as C
import tokenizer_files
import tokenizer_variants as V
from cases import Case
from corpus import LONG, MIXED
from table import BIO, FEATURES, MASKS, MIXED_LABELS, NLI, QUESTIONS, TEXTS, TOKENS, ZERO_SHOT, add


@cache
def sentencepiece_model() -> bytes:
    """The shared model in the layout of DeBERTa: [PAD], [CLS], [SEP], [UNK]."""
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(tokenizer_files.sentencepiece_model(size=280))
    piece = sentencepiece_model_pb2.ModelProto.SentencePiece
    unknown, *_ = pieces = list(model.pieces)
    special = [piece(piece=name, score=0.0, type=piece.CONTROL) for name in ("[PAD]", "[CLS]", "[SEP]")]
    unknown.piece = "[UNK]"
    del model.pieces[:]
    model.pieces.extend([*special, unknown, *pieces[3:]])
    spec = model.trainer_spec
    spec.pad_id, spec.bos_id, spec.eos_id, spec.unk_id = range(4)
    spec.pad_piece, spec.bos_piece, spec.eos_piece, spec.unk_piece = "[PAD]", "[CLS]", "[SEP]", "[UNK]"
    return bytes(model.SerializeToString(deterministic=True))


def tokenizer(scratch: Path, **options: Any) -> DebertaV2TokenizerFast:
    path = scratch / "spm.model"
    path.write_bytes(sentencepiece_model())
    slow = DebertaV2Tokenizer(str(path), **options)
    fast = DebertaV2TokenizerFast(__slow_tokenizer=slow, **options)
    fast.vocab_file = None  # so that save_pretrained leaves the sentencepiece file out
    return fast


def checkpoint(name: str, task: str, cases: list[Case], config: dict[str, Any], **fields: Any) -> None:
    config = {**SIZES, **config}
    add(f"deberta-v2-{name}", task, cases, model_type="deberta-v2", make_tokenizer=tokenizer, config=config, **fields)


SIZES: dict[str, Any] = dict(
    hidden_size=36,
    num_attention_heads=3,
    num_hidden_layers=2,
    intermediate_size=52,
    max_position_embeddings=80,
    layer_norm_eps=1e-3,
)
# What deberta-v3-* have, in small.
V3: dict[str, Any] = dict(
    relative_attention=True,
    share_att_key=True,
    pos_att_type=["p2c", "c2p"],
    position_buckets=12,
    max_relative_positions=-1,
    norm_rel_ebd="layer_norm",
    position_biased_input=False,
    type_vocab_size=0,
)

checkpoint(
    "sentiment",
    TEXTS,
    C.short_text_cases("bert"),
    {**V3, "hidden_act": "gelu", "pooler_hidden_act": "gelu", "pooler_hidden_size": 36},
    labels=["NEGATIVE", "POSITIVE", "NEUTRAL"],
    rewrite=[V.set_config(pos_att_type=" P2C|c2p ")],
)
# deberta-v2-xlarge, with a convolution beside the first layer; texts are longer than the positions it knows.
checkpoint(
    "ner",
    TOKENS,
    C.short_token_cases("bert", stride=True),
    {
        **V3,
        "num_hidden_layers": 3,
        "max_position_embeddings": 20,
        "position_buckets": 10,
        "conv_kernel_size": 3,
        "conv_act": "gelu",
        "hidden_act": "silu",
    },
    labels=BIO,
    tokenizer={"model_max_length": 40},
    seed=3,
)
checkpoint(
    "ner-lower-case-p2c",
    TOKENS,
    C.short_token_cases("bert"),
    {
        "relative_attention": True,
        "pos_att_type": ["p2c"],
        "max_relative_positions": 9,
        "type_vocab_size": 3,
        "conv_kernel_size": 5,
        "conv_groups": 3,
        "embedding_size": 20,
        "hidden_act": "gelu_new",
    },
    labels=MIXED_LABELS,
    tokenizer={"do_lower_case": True, "split_by_punct": True},
    seed=2,
)
checkpoint(
    "text-c2p",
    TEXTS,
    C.short_text_cases("bert"),
    {
        "relative_attention": True,
        "pos_att_type": ["c2p"],
        "position_buckets": 7,
        "max_relative_positions": 40,
        "norm_rel_ebd": "none|layer_norm",
        "type_vocab_size": 2,
        "hidden_act": "relu",
        "pooler_hidden_act": "tanh",
        "num_attention_heads": 4,
    },
    labels=["schlecht", "gut"],
)
checkpoint(
    "features",
    FEATURES,
    [*C.short_feature_cases("bert"), Case("long", [LONG]), Case("eight", MIXED[:8])],
    {**V3, "share_att_key": False, "position_buckets": -1, "max_relative_positions": 16, "hidden_act": "gelu"},
)
# No positions in the attention; but its kinds still divide the scores.
checkpoint(
    "features-absolute",
    FEATURES,
    C.short_feature_cases("bert"),
    {"pos_att_type": ["c2p", "p2c"], "type_vocab_size": 2, "embedding_size": 24, "norm_rel_ebd": "layer_norm"},
)
# Vectors of distances that nothing looks at, no position at all, and an encoder taken out of a masked LM.
checkpoint(
    "features-no-positions",
    FEATURES,
    C.short_feature_cases("bert"),
    {"relative_attention": True, "position_biased_input": False, "conv_kernel_size": 3, "conv_act": "relu"},
    head="MaskedLM",
)
checkpoint("zero-shot", ZERO_SHOT, C.short_zero_shot_cases(), {**V3, "hidden_act": "gelu"}, labels=NLI)
checkpoint("mask", MASKS, C.short_mask_cases("[MASK]"), {**V3, "embedding_size": 28, "hidden_act": "gelu"}, seed=2)
checkpoint(
    "mask-untied", MASKS, C.short_mask_cases("[MASK]"), {**V3, "tie_word_embeddings": False, "hidden_act": "relu"}
)
# The head that deberta-v3's own checkpoints have. Python puts the table of words into its layer `dense`, where it
# does not fit, unless the config says that nothing is tied.
checkpoint(
    "mask-new-head",
    MASKS,
    C.short_mask_cases("[MASK]"),
    {**V3, "legacy": False, "tie_word_embeddings": False, "hidden_act": "gelu"},
)
checkpoint("questions", QUESTIONS, C.short_question_cases(), {**V3, "hidden_act": "gelu", "type_vocab_size": 2})
