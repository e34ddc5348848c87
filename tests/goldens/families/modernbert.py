"""modernbert: a byte-level BPE with BERT's special tokens, in tokenizer.json only."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

import cases as C
from cases import Case
from corpus import CORPUS, MIXED, UNICODE
from table import BIO, FEATURES, MASKS, MIXED_LABELS, NLI, QUESTIONS, TEXTS, TOKENS, ZERO_SHOT, add

# As in real files: at the end of the vocabulary, and the padding token is none of its ends.
SPECIALS = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]


@cache
def trained(size: int) -> str:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False
    )
    backend.train_from_iterator(CORPUS, trainer)
    return backend.to_str()


def tokenizer(_scratch: Path, size: int = 320, **options: Any) -> PreTrainedTokenizerFast:
    trained_model = json.loads(trained(size))["model"]
    merges = [tuple(pair) if isinstance(pair, list) else tuple(pair.split(" ")) for pair in trained_model["merges"]]
    backend = Tokenizer(models.BPE(vocab=trained_model["vocab"], merges=merges))
    backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True)
    backend.decoder = decoders.ByteLevel(add_prefix_space=True, trim_offsets=True)
    # Runs of spaces are tokens of their own and no special ones.
    backend.add_tokens([AddedToken(" " * count, normalized=True, special=False) for count in (4, 2)])
    backend.add_special_tokens([*SPECIALS[:4], AddedToken("[MASK]", lstrip=True, special=True, normalized=False)])
    cls, sep = (backend.token_to_id(token) for token in ("[CLS]", "[SEP]"))
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", cls), ("[SEP]", sep)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        mask_token="[MASK]",
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=True,
        **options,
    )


MODERN: dict[str, Any] = dict(
    hidden_size=24,
    num_attention_heads=3,
    num_hidden_layers=4,
    intermediate_size=20,
    global_attn_every_n_layers=3,
    local_attention=6,
    global_rope_theta=700.0,
    local_rope_theta=30.0,
    norm_eps=1e-3,
    max_position_embeddings=96,
    cls_token_id=None,
    sep_token_id=None,
    bos_token_id=None,
    eos_token_id=None,
)
# Everything that may have a bias has one, or has none against its default.
BIASED: dict[str, Any] = dict(norm_bias=True, attention_bias=True, mlp_bias=True, classifier_bias=True, decoder_bias=False)
# Far from every text: with a window of one, whole stretches of padding see nothing.
PADDED = Case("far_padding", [MIXED[1], MIXED[0]], {"tokenize_kwargs": {"max_length": 20, "padding": "max_length"}})
SPACES = ["Sarah  lives    in  Paris .", "x  y", "Größe    cafe\u0301 [MASK] in Köln"]


def checkpoint(name: str, task: str, cases: list[Case], config: dict[str, Any], **fields: Any) -> None:
    add(
        f"modernbert-{name}",
        task,
        cases,
        model_type="modernbert",
        make_tokenizer=tokenizer,
        config={**MODERN, **config},
        **fields,
    )


checkpoint(
    "ner",
    TOKENS,
    C.short_token_cases("modernbert", stride=True) + [Case("spaces", SPACES, {"ignore_labels": []})],
    {"hidden_activation": "gelu", "classifier_activation": "silu"},
    labels=BIO,
    tokenizer={"model_max_length": 40},
)
checkpoint(
    "ner-biases",
    TOKENS,
    C.short_token_cases("modernbert"),
    {
        **BIASED,
        "hidden_activation": "gelu_pytorch_tanh",
        "local_rope_theta": None,
        "global_attn_every_n_layers": 2,
        "local_attention": 9,
        "num_hidden_layers": 3,
    },
    labels=MIXED_LABELS,
)
checkpoint(
    "sentiment",
    TEXTS,
    C.short_text_cases("modernbert")
    + [Case("padded", MIXED[:3], {"padding": "max_length", "truncation": True, "max_length": 24, "top_k": None})],
    {"classifier_pooling": "mean", "classifier_activation": "tanh"},
    labels=["NEGATIVE", "POSITIVE", "NEUTRAL"],
)
checkpoint(
    "text-cls",
    TEXTS,
    C.short_text_cases("modernbert"),
    {**BIASED, "hidden_activation": "relu", "classifier_activation": "gelu", "global_attn_every_n_layers": 1},
    labels=["schlecht", "gut"],
)
checkpoint(
    "features",
    FEATURES,
    [*C.short_feature_cases("modernbert"), Case("many", [*MIXED[:5], *UNICODE[:4]]), PADDED],
    {"hidden_size": 20, "num_attention_heads": 5, "hidden_activation": "silu", "local_attention": 2},
)
checkpoint(
    "features-masked-lm",
    FEATURES,
    [*C.short_feature_cases("modernbert"), PADDED],
    {**BIASED, "hidden_size": 16, "num_attention_heads": 4, "local_attention": 1, "num_hidden_layers": 2},
    head="MaskedLM",
)
checkpoint("mask", MASKS, C.short_mask_cases("[MASK]"), {"hidden_activation": "gelu"})
checkpoint(
    "mask-untied",
    MASKS,
    C.short_mask_cases("[MASK]"),
    {**BIASED, "tie_word_embeddings": False, "sparse_prediction": True, "num_hidden_layers": 2, "classifier_activation": "relu"},
)
checkpoint("questions", QUESTIONS, C.short_question_cases(), {"num_hidden_layers": 3})
checkpoint("zero-shot", ZERO_SHOT, C.short_zero_shot_cases(), {"classifier_pooling": "mean"}, labels=NLI)
