"""ALBERT: one layer's weights for many layers, over a sentencepiece model with BERT's special tokens."""

from __future__ import annotations

import io
import tempfile
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from transformers import AlbertTokenizer, AlbertTokenizerFast

import cases as C
from corpus import CORPUS
from table import BIO, FEATURES, MASKS, NLI, QUESTIONS, TEXTS, TOKENS, ZERO_SHOT, add
from tokenizer_files import NORMALIZATION_RULES


def lowered(text: str) -> str:
    """As AlbertTokenizer cleans texts before sentencepiece sees them."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).lower()


@cache
def sentencepiece_model(size: int, lower_case: bool) -> bytes:
    """A Unigram model in the layout of ALBERT: <pad> 0, <unk> 1, then [CLS], [SEP], [MASK]."""
    out = io.BytesIO()
    with tempfile.TemporaryDirectory() as scratch:
        table = Path(scratch) / "rules.tsv"
        lines = [
            " ".join(f"{ord(c):X}" for c in source) + "\t" + " ".join(f"{ord(c):X}" for c in target)
            for source, target in sorted(NORMALIZATION_RULES.items())
        ]
        table.write_text("\n".join(lines) + "\n", encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([lowered(line) for line in CORPUS] if lower_case else CORPUS),
            model_writer=out,
            model_type="unigram",
            vocab_size=size,
            character_coverage=0.99,
            num_threads=1,
            minloglevel=2,
            pad_id=0,
            unk_id=1,
            bos_id=-1,
            eos_id=-1,
            control_symbols=["[CLS]", "[SEP]", "[MASK]"],
            user_defined_symbols=["(", ")", '"', "-", ".", "–", "£", "€"],
            normalization_rule_tsv=str(table),
        )
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(out.getvalue())
    model.normalizer_spec.normalization_rule_tsv = ""  # the path of a temporary file
    return bytes(model.SerializeToString(deterministic=True))


def tokenizer(scratch: Path, size: int = 280, **options: Any) -> AlbertTokenizerFast:
    """Fast tokenizer converted from the sentencepiece model by transformers itself."""
    path = scratch / "spiece.model"
    path.write_bytes(sentencepiece_model(size, bool(options.get("do_lower_case", True))))
    slow = AlbertTokenizer(str(path), **options)
    made = AlbertTokenizerFast(__slow_tokenizer=slow, **options)
    made.vocab_file = None  # so that save_pretrained leaves the sentencepiece file out
    return made


CONFIG: dict[str, Any] = dict(
    embedding_size=14,
    hidden_size=20,
    num_attention_heads=4,
    num_hidden_layers=3,
    intermediate_size=27,
    max_position_embeddings=100,
    layer_norm_eps=2e-3,
)
SHARED: dict[str, Any] = dict(model_type="albert", make_tokenizer=tokenizer)

add(
    "albert-ner",
    TOKENS,
    C.short_token_cases("bert", stride=True),
    config={**CONFIG},
    labels=BIO,
    tokenizer={"model_max_length": 34},
    seed=17,
    **SHARED,
)
# Groups that do not divide the layers, two layers in each, and pruned heads of the four layers that there are.
add(
    "albert-ner-groups",
    TOKENS,
    C.short_token_cases("bert"),
    config={
        **CONFIG,
        "num_hidden_layers": 5,
        "num_hidden_groups": 2,
        "inner_group_num": 2,
        "hidden_act": "silu",
        "type_vocab_size": 3,
        "pruned_heads": {1: [2], 2: [0, 1], 3: [3]},
    },
    labels=BIO,
    std=0.12,
    tokenizer={"do_lower_case": False, "keep_accents": True},
    **SHARED,
)
add(
    "albert-sentiment",
    TEXTS,
    C.short_text_cases("bert"),
    config={**CONFIG, "hidden_act": "gelu", "embedding_size": 20},
    labels=["bad", "so-so", "good"],
    tokenizer={"model_max_length": 80},
    **SHARED,
)
add(
    "albert-sentiment-relative-key",
    TEXTS,
    C.short_text_cases("bert"),
    config={**CONFIG, "hidden_act": "relu", "embedding_size": 23, "position_embedding_type": "relative_key"},
    labels=["a", "b"],
    **SHARED,
)
add(
    "albert-features",
    FEATURES,
    C.feature_cases("bert"),
    config={**CONFIG, "hidden_act": "gelu_new"},
    tokenizer={"model_max_length": 40},
    **SHARED,
)
# As it was pre-trained: the heads for words and for the order of sentences are left out.
add(
    "albert-features-pretrained",
    FEATURES,
    C.short_feature_cases("bert"),
    config={**CONFIG, "num_hidden_groups": 3, "position_embedding_type": "relative_key_query"},
    head="PreTraining",
    **SHARED,
)
add(
    "albert-mask",
    MASKS,
    C.short_mask_cases("[MASK]"),
    config={**CONFIG, "hidden_act": "relu"},
    tokenizer={"model_max_length": 90},
    **SHARED,
)
add(
    "albert-mask-untied",
    MASKS,
    C.short_mask_cases("[MASK]"),
    config={**CONFIG, "tie_word_embeddings": False},
    **SHARED,
)
add(
    "albert-questions",
    QUESTIONS,
    C.short_question_cases(),
    config={**CONFIG, "max_position_embeddings": 128},
    tokenizer={"model_max_length": 96},
    **SHARED,
)
add(
    "albert-zero-shot",
    ZERO_SHOT,
    C.short_zero_shot_cases(),
    config={**CONFIG, "hidden_act": "gelu"},
    labels=NLI,
    tokenizer={"model_max_length": 64},
    **SHARED,
)
