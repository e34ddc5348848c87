"""XLNet: a sentencepiece model, the special tokens after the text, and padding before it."""

from __future__ import annotations

import io
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from transformers import XLNetTokenizer, XLNetTokenizerFast

import cases as C
from cases import Case
from corpus import CORPUS, MIXED, UNICODE
from table import BIO, FEATURES, MIXED_LABELS, NLI, QUESTIONS, TEXTS, TOKENS, ZERO_SHOT, add
from tokenizer_files import NORMALIZATION_RULES


@cache
def sentencepiece_model(size: int) -> bytes:
    """A Unigram model in the layout of XLNet: <unk> 0, <s> 1, </s> 2, then its control symbols."""
    out = io.BytesIO()
    with tempfile.TemporaryDirectory() as scratch:
        table = Path(scratch) / "rules.tsv"
        lines = [
            " ".join(f"{ord(c):X}" for c in source) + "\t" + " ".join(f"{ord(c):X}" for c in target)
            for source, target in sorted(NORMALIZATION_RULES.items())
        ]
        table.write_text("\n".join(lines) + "\n", encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(CORPUS),
            model_writer=out,
            model_type="unigram",
            vocab_size=size,
            character_coverage=0.995,
            num_threads=1,
            minloglevel=2,
            unk_id=0,
            bos_id=1,
            eos_id=2,
            pad_id=-1,
            control_symbols=["<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"],
            normalization_rule_tsv=str(table),
        )
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(out.getvalue())
    model.normalizer_spec.normalization_rule_tsv = ""  # the path of a temporary file
    return bytes(model.SerializeToString(deterministic=True))


def tokenizer(scratch: Path, size: int = 300, **options: Any) -> XLNetTokenizerFast:
    """Fast tokenizer converted from the sentencepiece model by transformers itself."""
    path = scratch / "spiece.model"
    path.write_bytes(sentencepiece_model(size))
    slow = XLNetTokenizer(str(path), **options)
    made = XLNetTokenizerFast(__slow_tokenizer=slow, **options)
    made.vocab_file = None  # so that save_pretrained leaves the sentencepiece file out
    return made


CONFIG: dict[str, Any] = dict(d_model=24, n_layer=2, n_head=3, d_inner=34, layer_norm_eps=1e-3)
SHARED: dict[str, Any] = dict(model_type="xlnet", make_tokenizer=tokenizer)
# Padding has types and a side of its own, and its tokens see themselves.
PADDED = {"padding": "max_length", "truncation": True, "max_length": 24}
PADDED_TEXTS = [
    Case("padded", MIXED[:4], {**PADDED, "top_k": None}),
    Case("padded_right", MIXED[:4], {**PADDED, "padding_side": "right", "top_k": None}),
    Case("no_type_ids", MIXED[:4], {"return_token_type_ids": False, "top_k": None}),
    Case("no_special_tokens", MIXED[:4], {"add_special_tokens": False, "top_k": None}),
]
PADDED_FEATURES = [
    Case("many", [*MIXED[:5], *UNICODE[:4]]),
    Case("far_padding", [MIXED[1], MIXED[0]], {"tokenize_kwargs": {"max_length": 20, "padding": "max_length"}}),
    Case(
        "padding_right",
        [MIXED[1], MIXED[0]],
        {"tokenize_kwargs": {"max_length": 20, "padding": "max_length", "padding_side": "right"}},
    ),
]

add(
    "xlnet-ner",
    TOKENS,
    C.short_token_cases("xlnet", stride=True),
    config={**CONFIG},
    labels=BIO,
    tokenizer={"model_max_length": 36},
    **SHARED,
)
add(
    "xlnet-ner-uni",
    TOKENS,
    C.short_token_cases("xlnet"),
    config={**CONFIG, "attn_type": "uni", "clamp_len": 3, "ff_activation": "relu"},
    labels=MIXED_LABELS,
    tokenizer={"do_lower_case": True, "keep_accents": True},
    **SHARED,
)
add(
    "xlnet-sentiment",
    TEXTS,
    C.short_text_cases("xlnet") + PADDED_TEXTS,
    config={**CONFIG, "ff_activation": "gelu_new"},
    labels=["NEGATIVE", "POSITIVE", "NEUTRAL"],
    **SHARED,
)
add(
    "xlnet-text-first",
    TEXTS,
    C.short_text_cases("xlnet") + PADDED_TEXTS,
    config={**CONFIG, "summary_type": "first", "summary_use_proj": False, "summary_activation": "gelu", "clamp_len": 4},
    labels=["schlecht", "gut"],
    **SHARED,
)
add(
    "xlnet-text-mean",
    TEXTS,
    C.short_text_cases("xlnet") + PADDED_TEXTS,
    config={**CONFIG, "summary_type": "mean", "summary_activation": None, "ff_activation": "silu", "n_layer": 1},
    labels=["一", "二", "三"],
    **SHARED,
)
add(
    "xlnet-features",
    FEATURES,
    C.short_feature_cases("xlnet") + PADDED_FEATURES,
    config={**CONFIG, "d_model": 20, "n_head": 5, "untie_r": False},
    **SHARED,
)
# Without memories, each token of it sees only itself.
add(
    "xlnet-features-same-length",
    FEATURES,
    C.short_feature_cases("xlnet") + PADDED_FEATURES,
    config={**CONFIG, "d_model": 16, "n_head": 2, "attn_type": "uni", "same_length": True},
    head="CausalLM",
    **SHARED,
)
add("xlnet-questions", QUESTIONS, C.short_question_cases(), config={**CONFIG}, **SHARED)
add(
    "xlnet-zero-shot",
    ZERO_SHOT,
    C.short_zero_shot_cases(),
    config={**CONFIG, "summary_type": "cls_index", "mem_len": 5, "reuse_len": 2},
    labels=NLI,
    **SHARED,
)
