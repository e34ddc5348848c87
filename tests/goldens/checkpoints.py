"""The table of checkpoints. Config values are odd on purpose: a default that is hard-coded elsewhere must fail.

Newer families have a file each in families/.
"""

from __future__ import annotations

from typing import Any

import torch

import cases as C
import tokenizer_variants as V
import weights as W
from cases import Case
from table import (  # noqa: F401
    BIO,
    CHECKPOINTS,
    FEATURES,
    MASKS,
    MIXED_LABELS,
    NLI,
    QUESTIONS,
    TEXTS,
    TOKENS,
    ZERO_SHOT,
    Checkpoint,
    add,
    like,
    pick,
    short_copy,
)

BERT: dict[str, Any] = dict(
    hidden_size=36,
    num_attention_heads=3,
    num_hidden_layers=2,
    intermediate_size=52,
    max_position_embeddings=64,
    layer_norm_eps=1e-3,
)
SMALL: dict[str, Any] = dict(
    hidden_size=12,
    num_attention_heads=3,
    num_hidden_layers=2,
    intermediate_size=22,
    max_position_embeddings=48,
    layer_norm_eps=1e-5,
)

# --- bert -----------------------------------------------------------------------------------------------------------

add(
    "bert-ner",
    TOKENS,
    C.token_cases("bert"),
    config={**BERT, "hidden_act": "gelu"},
    labels=BIO,
    tokenizer={"model_max_length": 32},
)
add(
    "bert-sentiment",
    TEXTS,
    C.text_cases("bert", words=True),
    config={**BERT, "hidden_act": "silu", "type_vocab_size": 3},
    labels=["NEGATIVE", "POSITIVE", "NEUTRAL"],
    tokenizer={"model_max_length": 40},
)
add(
    "bert-ner-cased-relative-key",
    TOKENS,
    C.short_token_cases("bert", stride=True)
    + pick(C.token_cases("bert", ignored=(["Größe", "b-per"], ["", "per"])), "ignore_several_none", "ignore_several_max"),
    config={**BERT, "hidden_act": "gelu_new", "position_embedding_type": "relative_key", "num_hidden_layers": 3},
    labels=MIXED_LABELS,
    tokenizer={"lower_case": False, "model_max_length": 24},
)
add(
    "bert-ner-decoder",
    TOKENS,
    C.short_token_cases("bert"),
    config={**BERT, "hidden_act": "relu", "is_decoder": True, "type_vocab_size": 1},
    labels=BIO,
    tokenizer={"model_max_length": 48},
)
add(
    "bert-text-relative-key-query",
    TEXTS,
    C.short_text_cases("bert"),
    config={
        **BERT,
        "hidden_size": 40,
        "num_attention_heads": 5,
        "hidden_act": "gelu_pytorch_tanh",
        "position_embedding_type": "relative_key_query",
        "return_all_scores": True,
        "problem_type": "single_label_classification",
    },
    labels=["schlecht", "gut", "très bien", "好", "ok"],
    tokenizer={"pad_id": 4, "model_max_length": 40},
)
add(
    "bert-text-all-scores-false",
    TEXTS,
    C.short_text_cases("bert", pairs=False),
    config={**SMALL, "hidden_act": "swish", "return_all_scores": False},
    labels=["a", "b"],
)
add(
    "bert-text-multi-label",
    TEXTS,
    C.short_text_cases("bert"),
    config={**BERT, "hidden_act": "tanh", "problem_type": "multi_label_classification", "chunk_size_feed_forward": 1},
    labels=["toxic", "Größe", "安", "obscene"],
)
add(
    "bert-text-regression",
    TEXTS,
    C.short_text_cases("bert"),
    config={**SMALL, "hidden_act": "gelu", "problem_type": "regression"},
    labels=["quality"],
)
add(
    "bert-text-regression-3",
    TEXTS,
    C.short_text_cases("bert"),
    config={**SMALL, "hidden_act": "relu", "problem_type": "regression"},
    labels=["x", "y", "z"],
)
add("bert-text-one-label", TEXTS, C.short_text_cases("bert"), config={**SMALL, "hidden_act": "relu"}, labels=["score"])
# Two labels without names: config.json says nothing, so LABEL_0 and LABEL_1.
add("bert-text-default-labels", TEXTS, C.short_text_cases("bert"), config={**SMALL, "hidden_act": "gelu"})
add(
    "bert-text-num-labels",
    TEXTS,
    C.short_text_cases("bert"),
    config={**SMALL, "num_labels": 5},
    rewrite=[V.set_config(id2label=None, label2id=None, num_labels=5)],
)
# Everything that may be left out of config.json is left out; sizes that have defaults use them where that is cheap.
add(
    "bert-text-short-config",
    TEXTS,
    C.short_text_cases("bert"),
    config={**SMALL, "layer_norm_eps": 1e-12},
    labels=["no", "yes"],
    rewrite=[
        V.set_config(
            **dict.fromkeys(
                "layer_norm_eps hidden_act type_vocab_size pad_token_id position_embedding_type dtype architectures "
                "use_cache initializer_range hidden_dropout_prob attention_probs_dropout_prob classifier_dropout "
                "transformers_version label2id".split()
            )
        )
    ],
)
add(
    "bert-features",
    FEATURES,
    C.feature_cases("bert"),
    config={**BERT, "hidden_size": 20, "num_attention_heads": 5, "hidden_act": "gelu", "type_vocab_size": 3},
    tokenizer={"model_max_length": 28},
)
add(
    "bert-features-pruned-heads",
    FEATURES,
    C.short_feature_cases("bert"),
    config={**SMALL, "pruned_heads": {0: [1], 1: [0, 2]}},
)
ACTIVATIONS = {
    "gelu_10": 3.5,
    "gelu_accurate": 0.25,
    "gelu_fast": 0.25,
    "gelu_python": 0.25,
    "laplace": 0.4,
    "leaky_relu": 0.25,
    "linear": 0.25,
    "mish": 0.25,
    "prelu": 0.25,
    "quick_gelu": 0.25,
    "relu2": 0.25,
    "relu6": 1.8,
    "sigmoid": 0.4,
    "xielu": 0.25,
}
for activation, std in ACTIVATIONS.items():
    add(
        f"bert-features-{activation.replace('_', '-')}",
        FEATURES,
        C.short_feature_cases("bert"),
        config={**SMALL, "hidden_act": activation},
        inner_std=std,
    )

# --- distilbert -----------------------------------------------------------------------------------------------------

DISTIL: dict[str, Any] = dict(dim=36, n_heads=3, n_layers=2, hidden_dim=54, max_position_embeddings=76)
DISTIL_SMALL: dict[str, Any] = dict(dim=15, n_heads=5, n_layers=3, hidden_dim=22, max_position_embeddings=48)

add(
    "distilbert-ner",
    TOKENS,
    C.short_token_cases("distilbert", stride=True)
    + pick(
        C.token_cases("distilbert"),
        "grouped_ignore_subwords",
        "ignore_several_simple",
        "unknown_max",
        "stride_first",
        "stride_average",
        "words_none",
        "words_average",
        "empty",
        "long_truncated",
    ),
    config={**DISTIL, "activation": "gelu"},
    labels=["B-LOC", "I-LOC", "O", "B-PER", "I-PER"],
    tokenizer={"lower_case": False, "model_max_length": 30},
)
add(
    "distilbert-sentiment",
    TEXTS,
    C.text_cases("distilbert"),
    config={**DISTIL, "activation": "relu"},
    labels=["NEGATIVE", "POSITIVE"],
    tokenizer={"model_max_length": 40},
)
add(
    "distilbert-text-sinusoidal",
    TEXTS,
    C.short_text_cases("distilbert"),
    # The positions in the file are random: they win over the sine and cosine values.
    config={**DISTIL, "activation": "gelu_new", "sinusoidal_pos_embds": True, "problem_type": "multi_label_classification"},
    labels=["eins", "zwei", "drei"],
)
add(
    "distilbert-text-one-label",
    TEXTS,
    C.short_text_cases("distilbert"),
    config={**DISTIL_SMALL, "activation": "silu", "chunk_size_feed_forward": 1},
    labels=["score"],
)
add(
    "distilbert-text-regression",
    TEXTS,
    C.short_text_cases("distilbert"),
    config={**DISTIL_SMALL, "activation": "gelu", "problem_type": "regression"},
    labels=["value"],
)
add(
    "distilbert-features",
    FEATURES,
    C.feature_cases("distilbert"),
    config={**DISTIL, "dim": 20, "n_heads": 5, "activation": "gelu_pytorch_tanh"},
    tokenizer={"model_max_length": 26, "lower_case": False},
)

# --- roberta --------------------------------------------------------------------------------------------------------

ROBERTA: dict[str, Any] = dict(
    hidden_size=36,
    num_attention_heads=3,
    num_hidden_layers=2,
    intermediate_size=50,
    max_position_embeddings=68,
    layer_norm_eps=1e-4,
    type_vocab_size=1,
    bos_token_id=0,
    eos_token_id=1,
)
ROBERTA_SMALL = {**ROBERTA, "hidden_size": 18, "intermediate_size": 26, "max_position_embeddings": 60}

add(
    "roberta-ner",
    TOKENS,
    C.token_cases("roberta"),
    config={**ROBERTA, "hidden_act": "gelu"},
    labels=BIO,
    tokenizer={"add_prefix_space": True, "model_max_length": 32},
)
add(
    "roberta-ner-no-prefix-space",
    TOKENS,
    C.short_token_cases("roberta", stride=True)
    + [Case("words", C.WORDS, {"is_split_into_words": True}, error=True)],
    config={**ROBERTA, "hidden_act": "gelu_fast", "position_embedding_type": "relative_key", "type_vocab_size": 2},
    labels=MIXED_LABELS,
    tokenizer={"add_prefix_space": False, "model_max_length": 36},
)
add(
    "roberta-ner-decoder",
    TOKENS,
    C.short_token_cases("roberta"),
    config={**ROBERTA_SMALL, "max_position_embeddings": 120, "is_decoder": True, "use_cache": False},
    labels=BIO,
)
add(
    "roberta-sentiment",
    TEXTS,
    C.text_cases("roberta"),
    config={**ROBERTA, "hidden_act": "gelu", "max_position_embeddings": 140},
    labels=["negative", "neutral", "positive"],
    tokenizer={"model_max_length": 40},
)
add(
    "roberta-text-multi-label",
    TEXTS,
    C.short_text_cases("roberta"),
    config={
        **ROBERTA_SMALL,
        "max_position_embeddings": 90,
        "hidden_act": "relu",
        "position_embedding_type": "relative_key_query",
        "problem_type": "multi_label_classification",
    },
    labels=["joie", "colère", "tristesse"],
)
add(
    "roberta-text-regression",
    TEXTS,
    C.short_text_cases("roberta"),
    config={**ROBERTA_SMALL, "max_position_embeddings": 90, "problem_type": "regression", "layer_norm_eps": 1e-3},
    labels=["similarity"],
)
add(
    "roberta-text-one-label",
    TEXTS,
    C.short_text_cases("roberta"),
    config={**ROBERTA_SMALL, "max_position_embeddings": 90, "hidden_act": "quick_gelu"},
    labels=["score"],
)
add(
    "roberta-features",
    FEATURES,
    C.feature_cases("roberta"),
    config={**ROBERTA, "hidden_size": 20, "num_attention_heads": 4, "hidden_act": "mish", "type_vocab_size": 3},
    tokenizer={"model_max_length": 26, "add_prefix_space": True},
)

# --- xlm-roberta ----------------------------------------------------------------------------------------------------

XLMR = {**ROBERTA, "eos_token_id": 2, "intermediate_size": 44}
XLMR_SMALL = {**ROBERTA_SMALL, "eos_token_id": 2, "max_position_embeddings": 90}

add(
    "xlm-roberta-ner",
    TOKENS,
    C.token_cases("xlm-roberta"),
    config={**XLMR, "hidden_act": "gelu"},
    labels=BIO,
    tokenizer={"model_max_length": 32},
)
add(
    "xlm-roberta-ner-relative-key-query",
    TOKENS,
    C.short_token_cases("xlm-roberta", stride=True),
    config={**XLMR, "hidden_act": "gelu_new", "position_embedding_type": "relative_key_query", "type_vocab_size": 2},
    labels=MIXED_LABELS,
    tokenizer={"model_max_length": 40},
)
add(
    "xlm-roberta-sentiment",
    TEXTS,
    C.text_cases("xlm-roberta"),
    config={**XLMR, "hidden_act": "silu", "max_position_embeddings": 130},
    labels=["negativ", "positiv"],
    tokenizer={"model_max_length": 40},
)
add(
    "xlm-roberta-text-relative-key",
    TEXTS,
    C.short_text_cases("xlm-roberta"),
    config={**XLMR_SMALL, "position_embedding_type": "relative_key", "problem_type": "multi_label_classification"},
    labels=["одно", "два", "三"],
)
add(
    "xlm-roberta-text-other-padding",
    TEXTS,
    C.short_text_cases("xlm-roberta"),
    # Not the tokenizer's: </s> counts as padding for the position ids.
    config={**XLMR_SMALL, "pad_token_id": 2, "problem_type": "single_label_classification"},
    labels=["eins", "zwei"],
)
add(
    "xlm-roberta-text-regression",
    TEXTS,
    C.short_text_cases("xlm-roberta"),
    config={**XLMR_SMALL, "problem_type": "regression", "hidden_act": "tanh"},
    labels=["v"],
)
add(
    "xlm-roberta-text-one-label",
    TEXTS,
    C.short_text_cases("xlm-roberta"),
    config={**XLMR_SMALL, "hidden_act": "relu"},
    labels=["score"],
)
add(
    "xlm-roberta-features",
    FEATURES,
    C.feature_cases("xlm-roberta"),
    config={**XLMR, "hidden_size": 20, "num_attention_heads": 4, "hidden_act": "gelu_pytorch_tanh"},
    tokenizer={"model_max_length": 24},
)

# --- pairs: rerankers, and several labels at once --------------------------------------------------------------------

add(
    "bert-reranker",
    TEXTS,
    C.pair_cases(),
    config={**SMALL, "hidden_act": "gelu", "max_position_embeddings": 90},
    labels=["LABEL_0"],
    tokenizer={"model_max_length": 40},
)
add(
    "bert-pairs-multi-label",
    TEXTS,
    C.pair_cases(),
    config={**SMALL, "hidden_act": "gelu", "max_position_embeddings": 90, "problem_type": "multi_label_classification"},
    labels=["relevant", "neu", "richtig"],
)
add("xlm-roberta-reranker", TEXTS, C.pair_cases(), config={**XLMR_SMALL, "max_position_embeddings": 150}, labels=["LABEL_0"])
# --- questions ------------------------------------------------------------------------------------------------------

# Where there are fewer spans than wanted, Python adds spans of score 0 in no certain order: here one alone, the empty one.
ALL_SPANS = Case("top_k_over_all", [C.QUESTIONS[5], {"question": "?", "context": "x y z"}], {"top_k": 30})
add(
    "bert-questions",
    QUESTIONS,
    [*C.question_cases("bert"), ALL_SPANS],
    config={**BERT, "hidden_act": "gelu", "max_position_embeddings": 112},
    tokenizer={"model_max_length": 70},
)
PADDED_QUESTIONS = [
    Case("padding_max_length", C.QUESTIONS[1:4], {"padding": "max_length", "max_seq_len": 48, "doc_stride": 10})
]
# Here the text stands first, and the question behind it. Python moves the answers by the padding tokens, which is of no
# use and left out, as are spans of score 0, which have no certain order.
add(
    "bert-questions-left",
    QUESTIONS,
    [
        case
        for case in C.question_cases("bert")
        if case.name not in ("padding_true", "padding_longest", "special_tokens", "blank")
    ],
    config={**BERT, "hidden_act": "gelu_new", "max_position_embeddings": 112, "type_vocab_size": 3},
    tokenizer={"model_max_length": 70, "padding_side": "left", "lower_case": False},
)
add(
    "bert-questions-cased",
    QUESTIONS,
    [*C.short_question_cases(), *PADDED_QUESTIONS],
    config={**SMALL, "hidden_act": "relu", "max_position_embeddings": 400, "position_embedding_type": "relative_key"},
    tokenizer={"lower_case": False, "truncation_side": "left"},
)

# --- zero-shot-classification ----------------------------------------------------------------------------------------

add(
    "bert-zero-shot",
    ZERO_SHOT,
    C.zero_shot_cases(),
    config={**BERT, "hidden_act": "gelu"},
    labels=NLI,
    tokenizer={"model_max_length": 36},
    spread=4.0,
)
# The first label: the last one is then what it is compared with.
add(
    "roberta-zero-shot",
    ZERO_SHOT,
    C.zero_shot_cases(limit=False),
    config={**ROBERTA, "hidden_act": "gelu", "max_position_embeddings": 190},
    labels=["ENTAILMENT", "Neutral", "Contradiction"],
    tokenizer={"model_max_length": 60},
    spread=4.0,
)
add(
    "bert-zero-shot-two-classes",
    ZERO_SHOT,
    C.short_zero_shot_cases(),
    config={**SMALL, "hidden_act": "relu"},
    labels=["entailment", "not_entailment"],
    spread=4.0,
)
# No label is called entailment: the last is.
add(
    "bert-zero-shot-other-names",
    ZERO_SHOT,
    C.short_zero_shot_cases(),
    config={**SMALL, "hidden_act": "gelu"},
    labels=["nein", "vielleicht", "no entailment", "ja"],
    spread=4.0,
)
add("bert-zero-shot-default-labels", ZERO_SHOT, C.short_zero_shot_cases(), config={**SMALL, "hidden_act": "silu"}, spread=4.0)
add("bert-zero-shot-one-class", ZERO_SHOT, C.short_zero_shot_cases(), config={**SMALL, "hidden_act": "silu"}, labels=["entailment"], spread=4.0)
# Two begin with it: the first of the file's `label2id` is taken, whatever the ids are.
add(
    "bert-zero-shot-label2id",
    ZERO_SHOT,
    C.short_zero_shot_cases(),
    config={**SMALL, "hidden_act": "gelu"},
    labels=["entail", "Entailed", "neutral", "no", "entailment"],
    rewrite=[V.set_config(label2id={"no": 3, "neutral": 2, "Entailed": 1, "entailment": 4, "entail": 0})],
    spread=4.0,
)
# `label2id` has other labels than `id2label`.
add(
    "bert-zero-shot-label2id-differs",
    ZERO_SHOT,
    C.short_zero_shot_cases(),
    config={**SMALL, "hidden_act": "gelu"},
    labels=["entailment", "b", "c"],
    rewrite=[V.set_config(label2id={"x": 0, "ENTAILS": 1, "z": 2})],
    spread=4.0,
)
add("distilbert-zero-shot", ZERO_SHOT, C.short_zero_shot_cases(), config={**DISTIL_SMALL, "activation": "relu"}, labels=NLI, spread=4.0)
add("xlm-roberta-zero-shot", ZERO_SHOT, C.short_zero_shot_cases(), config={**XLMR_SMALL, "hidden_act": "gelu"}, labels=NLI, spread=4.0)
add(
    "distilbert-questions",
    QUESTIONS,
    C.short_question_cases(),
    config={**DISTIL, "activation": "gelu", "max_position_embeddings": 120},
    tokenizer={"model_max_length": 100, "lower_case": False},
)
add(
    "roberta-questions",
    QUESTIONS,
    C.question_cases("roberta"),
    config={**ROBERTA, "hidden_act": "gelu", "max_position_embeddings": 116},
    tokenizer={"model_max_length": 74, "add_prefix_space": True},
)
add(
    "roberta-questions-no-prefix-space",
    QUESTIONS,
    C.short_question_cases(),
    config={**ROBERTA_SMALL, "max_position_embeddings": 400, "hidden_act": "silu", "type_vocab_size": 2},
)
add(
    "xlm-roberta-questions",
    QUESTIONS,
    C.short_question_cases(),
    config={**XLMR, "max_position_embeddings": 140, "hidden_act": "gelu_new"},
    tokenizer={"model_max_length": 110},
)

# --- weight files ---------------------------------------------------------------------------------------------------

NER_SHORT = ("all_labels", "average")
TEXT_SHORT = ("top_k_null", "pairs")
like("bert-ner", "bert-ner-f16", short_copy("bert-ner", *NER_SHORT), W.cast(torch.float16))
like("bert-ner", "bert-ner-bf16", short_copy("bert-ner", *NER_SHORT), W.cast(torch.bfloat16))
for name, rewrite in {
    "shards": W.shard_safetensors,
    "torch-zip": W.torch_zip,
    "torch-legacy": W.torch_legacy,
    "torch-shared-storage": W.torch_shared,
    "torch-shards": W.shard_torch,
    "gamma-beta": W.old_norm_names,
    "position-ids": W.add_position_ids,
}.items():
    like("bert-sentiment", f"bert-sentiment-{name}", short_copy("bert-sentiment", *TEXT_SHORT), rewrite, same_as="bert-sentiment")
like("bert-sentiment", "bert-sentiment-torch-mixed-types", short_copy("bert-sentiment", *TEXT_SHORT), W.torch_half)
like(
    "roberta-sentiment",
    "roberta-sentiment-position-ids",
    short_copy("roberta-sentiment", *TEXT_SHORT),
    W.add_position_ids,
    same_as="roberta-sentiment",
)
like(
    "distilbert-sentiment",
    "distilbert-sentiment-shards",
    short_copy("distilbert-sentiment", *TEXT_SHORT),
    W.shard_safetensors,
    same_as="distilbert-sentiment",
)
# Checkpoints of other heads used for their base: prefixed keys, keys of the head and the pooler left over.
for model_type, config, prefix in (
    ("bert", {**SMALL, "type_vocab_size": 2}, "bert."),
    ("distilbert", DISTIL_SMALL, "distilbert."),
    ("roberta", ROBERTA_SMALL, "roberta."),
    ("xlm-roberta", XLMR_SMALL, "roberta."),
):
    masked = f"{model_type}-features-masked-lm"
    add(masked, FEATURES, C.short_feature_cases(model_type), config=config, head="MaskedLM")
    like(
        masked,
        f"{model_type}-features-no-prefix",
        C.short_feature_cases(model_type),
        W.drop_prefix(prefix),
        same_as=masked,
    )
add("bert-features-pretraining", FEATURES, C.short_feature_cases("bert"), config=SMALL, head="PreTraining")
add("bert-features-classifier", FEATURES, C.short_feature_cases("bert"), config=SMALL, head="SequenceClassification")

# --- tokenizer files ------------------------------------------------------------------------------------------------

TOKENIZER_CASES = [
    Case("all_labels", C.MIXED[:3] + C.UNICODE + C.CONTROL + C.UNKNOWN, {"ignore_labels": []}),
    Case("first", C.MIXED[2:6] + C.UNICODE[:7], {"aggregation_strategy": "first", "ignore_labels": []}),
]
ROBERTA_TOKENIZER_CASES = [*TOKENIZER_CASES, Case("specials", C.SPECIALS_ROBERTA, {"ignore_labels": []})]
BERT_TOKENIZER_CASES = [*TOKENIZER_CASES, Case("specials", C.SPECIALS_BERT, {"ignore_labels": []})]
STRIDE_CASE = Case("stride", [C.LONG, C.MIXED[0]], {"aggregation_strategy": "simple", "stride": 5, "ignore_labels": []})
LONG_CASE = Case("long", [C.LONG, C.LONG_2], {"ignore_labels": []})

BERT_TINY = {**SMALL, "max_position_embeddings": 130}
add("bert-tok-vocab", TOKENS, BERT_TOKENIZER_CASES, config=BERT_TINY, labels=BIO, rewrite=[V.vocab_txt(True)])
add(
    "bert-tok-vocab-cased",
    TOKENS,
    [*BERT_TOKENIZER_CASES, STRIDE_CASE, LONG_CASE],
    config=BERT_TINY,
    labels=BIO,
    tokenizer={"lower_case": False},
    rewrite=[V.vocab_txt(False, tokenizer_config={"do_lower_case": False, "model_max_length": 24})],
)
add(
    "bert-tok-vocab-keep-accents",
    TOKENS,
    BERT_TOKENIZER_CASES,
    config=BERT_TINY,
    labels=BIO,
    rewrite=[V.vocab_txt(True, tokenizer_config={"do_lower_case": True, "strip_accents": False})],
)
add(
    "bert-tok-vocab-strip-accents",
    TOKENS,
    BERT_TOKENIZER_CASES,
    config=BERT_TINY,
    labels=BIO,
    tokenizer={"lower_case": False},
    rewrite=[
        V.vocab_txt(
            False,
            tokenizer_config={"do_lower_case": False, "strip_accents": True, "tokenize_chinese_chars": False},
        )
    ],
)
add(
    "bert-tok-vocab-old-config",
    TOKENS,
    [*BERT_TOKENIZER_CASES, LONG_CASE],
    config=BERT_TINY,
    labels=BIO,
    tokenizer={"lower_case": False},
    # As files of 2019 look like: max_len, and the class named.
    rewrite=[
        V.vocab_txt(
            False,
            tokenizer_config={
                "do_lower_case": False,
                "max_len": 20,
                "do_basic_tokenize": True,
                "never_split": None,
                "tokenizer_class": "BertTokenizer",
                "special_tokens_map_file": None,
                "name_or_path": "somewhere/else",
            },
            special_tokens_map={
                "cls_token": "[CLS]",
                "mask_token": "[MASK]",
                "pad_token": "[PAD]",
                "sep_token": "[SEP]",
                "unk_token": "[UNK]",
            },
        )
    ],
)
RENAMED = {"[CLS]": "<start>", "[SEP]": "<end>", "[PAD]": "<fill>", "[UNK]": "<?>", "[MASK]": "<gap>"}
RENAMED_MAP = {
    "cls_token": "<start>",
    "sep_token": {"content": "<end>", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False},
    "pad_token": "<fill>",
    "unk_token": "<?>",
    "mask_token": "<gap>",
}
RENAMED_CASE = Case("renamed_specials", ["a <gap> in <end> Paris <start>", "[MASK] ꙮ"], {"ignore_labels": []})
add(
    "bert-tok-vocab-renamed-specials",
    TOKENS,
    [*TOKENIZER_CASES, RENAMED_CASE],
    config=BERT_TINY,
    labels=BIO,
    rewrite=[V.vocab_txt(True, RENAMED, special_tokens_map=RENAMED_MAP)],
)
ADDED_CASE = Case(
    "added_tokens",
    ["Burnpipe and burnpipe in Parisburnpipe", "[ENT] x[ENT]y", "émile burn-pipe [ent]"],
    {"ignore_labels": []},
)
add(
    "bert-tok-vocab-added-tokens",
    TOKENS,
    [*TOKENIZER_CASES, ADDED_CASE],
    config={**BERT_TINY, "vocab_size": 303},
    labels=BIO,
    rewrite=[
        V.vocab_txt(
            True,
            added_tokens={"burnpipe": 300, "[ENT]": 301, "émile": 302},
            special_tokens_map={"additional_special_tokens": ["[ENT]"]},
        )
    ],
)
add(
    "bert-tok-json-added-tokens",
    TOKENS,
    [*TOKENIZER_CASES, ADDED_CASE],
    config={**BERT_TINY, "vocab_size": 303},
    labels=BIO,
    tokenizer={"extra": ["burnpipe", "émile"], "additional_special_tokens": ["[ENT]"]},
)
# tokenizer_config.json (or its absence: do_lower_case is true then) wins over tokenizer.json.
add(
    "bert-tok-json-only",
    TOKENS,
    BERT_TOKENIZER_CASES,
    config=BERT_TINY,
    labels=BIO,
    tokenizer={"lower_case": False},
    rewrite=[V.json_only],
)
add(
    "bert-tok-json-disagrees",
    TOKENS,
    BERT_TOKENIZER_CASES,
    config=BERT_TINY,
    labels=BIO,
    tokenizer={"lower_case": True},
    rewrite=[V.set_options(do_lower_case=False, strip_accents=True, tokenize_chinese_chars=False)],
)
# The generic class leaves tokenizer.json as it is, and gives token type ids.
add(
    "bert-tok-json-generic",
    TEXTS,
    C.short_text_cases("bert"),
    config={**SMALL, "type_vocab_size": 2},
    labels=["a", "b", "c"],
    tokenizer={"lower_case": False},
    rewrite=[V.set_options(tokenizer_class="PreTrainedTokenizerFast", do_lower_case=True)],
)
add(
    "bert-tok-json-input-names",
    TEXTS,
    C.short_text_cases("bert"),
    config={**SMALL, "type_vocab_size": 2},
    labels=["a", "b", "c"],
    rewrite=[V.set_options(model_input_names=["input_ids", "attention_mask"])],
)
BAKED_TRUNCATION = {"direction": "Left", "max_length": 9, "strategy": "LongestFirst", "stride": 2}
BAKED_PADDING = {
    "strategy": {"Fixed": 14},
    "direction": "Left",
    "pad_to_multiple_of": None,
    "pad_id": 0,
    "pad_type_id": 0,
    "pad_token": "[PAD]",
}
BAKED_CASES = pick(
    C.text_cases("bert"),
    "default",
    "padding_max_length",
    "padding_true",
    "truncation_max_length",
    "pairs",
    "pairs_true",
    "pairs_padded",
    "padding_left",
)
# Truncation and padding inside tokenizer.json are not applied, but their sides become the tokenizer's.
add(
    "bert-tok-json-baked",
    TEXTS,
    BAKED_CASES,
    config=BERT_TINY,
    labels=["a", "b", "c"],
    rewrite=[V.edit_json(truncation=BAKED_TRUNCATION, padding=BAKED_PADDING)],
)
SIDE_CASES = [
    *BAKED_CASES,
    *pick(
        C.text_cases("roberta"),
        "truncation_default_limit",
        "padding_default_limit",
        "only_first",
        "pairs_only_second",
        "pairs_longest_odd",
    ),
]
add(
    "bert-tok-vocab-sides",
    TEXTS,
    SIDE_CASES,
    config={**BERT_TINY, "type_vocab_size": 2},
    labels=["a", "b", "c"],
    rewrite=[
        V.vocab_txt(
            True,
            tokenizer_config={"padding_side": "left", "truncation_side": "left", "model_max_length": 20},
        )
    ],
)
add(
    "distilbert-tok-vocab",
    TOKENS,
    BERT_TOKENIZER_CASES,
    config={**DISTIL_SMALL, "max_position_embeddings": 130},
    labels=BIO,
    rewrite=[V.vocab_txt(True)],
)
add(
    "distilbert-tok-vocab-cased",
    TOKENS,
    [*BERT_TOKENIZER_CASES, STRIDE_CASE],
    config={**DISTIL_SMALL, "max_position_embeddings": 130},
    labels=BIO,
    tokenizer={"lower_case": False},
    rewrite=[
        V.vocab_txt(False, tokenizer_config={"do_lower_case": False, "model_max_length": 22, "padding_side": "left"})
    ],
)

ROBERTA_TINY = {**ROBERTA_SMALL, "max_position_embeddings": 230}
WORDS_CASE = Case("words", C.WORDS, {"is_split_into_words": True, "ignore_labels": []})
add("roberta-tok-bpe", TOKENS, ROBERTA_TOKENIZER_CASES, config=ROBERTA_TINY, labels=BIO, rewrite=[V.bpe_files()])
add(
    "roberta-tok-bpe-prefix-space",
    TOKENS,
    [*ROBERTA_TOKENIZER_CASES, WORDS_CASE, STRIDE_CASE],
    config=ROBERTA_TINY,
    labels=BIO,
    tokenizer={"add_prefix_space": True},
    rewrite=[V.bpe_files(tokenizer_config={"add_prefix_space": True, "model_max_length": 28})],
)
add(
    "roberta-tok-bpe-untrimmed",
    TOKENS,
    [*ROBERTA_TOKENIZER_CASES, LONG_CASE],
    config=ROBERTA_TINY,
    labels=BIO,
    rewrite=[
        V.bpe_files(
            tokenizer_config={"trim_offsets": False, "model_max_length": 25, "truncation_side": "left"},
            special_tokens_map={
                "bos_token": "<s>",
                "cls_token": "<s>",
                "eos_token": "</s>",
                "mask_token": {"content": "<mask>", "lstrip": True, "normalized": False, "rstrip": False, "single_word": False},
                "pad_token": "<pad>",
                "sep_token": "</s>",
                "unk_token": "<unk>",
            },
        )
    ],
)
add(
    "roberta-tok-json-disagrees",
    TOKENS,
    ROBERTA_TOKENIZER_CASES,
    config=ROBERTA_TINY,
    labels=BIO,
    tokenizer={"add_prefix_space": True},
    rewrite=[V.set_options(add_prefix_space=None, trim_offsets=False)],
)
add(
    "roberta-tok-json-only",
    TEXTS,
    C.short_text_cases("roberta"),
    config=XLMR_SMALL | {"eos_token_id": 1},
    labels=["a", "b", "c"],
    rewrite=[V.json_only],
)
add(
    "roberta-tok-bpe-sides",
    TEXTS,
    SIDE_CASES,
    config=ROBERTA_TINY,
    labels=["a", "b", "c"],
    rewrite=[
        V.bpe_files(tokenizer_config={"padding_side": "left", "truncation_side": "left", "model_max_length": 20})
    ],
)

XLMR_TINY = {**XLMR_SMALL, "max_position_embeddings": 200}
add("xlm-roberta-tok-spm", TOKENS, ROBERTA_TOKENIZER_CASES, config=XLMR_TINY, labels=BIO, rewrite=[V.sentencepiece()])
add(
    "xlm-roberta-tok-spm-nfkc",
    TOKENS,
    ROBERTA_TOKENIZER_CASES,
    config={**XLMR_TINY, "hidden_size": 9, "max_position_embeddings": 180, "num_hidden_layers": 1},
    labels=BIO,
    rewrite=[V.sentencepiece("nmt_nfkc")],
)
add(
    "xlm-roberta-tok-spm-identity",
    TOKENS,
    [*ROBERTA_TOKENIZER_CASES, WORDS_CASE, STRIDE_CASE, LONG_CASE],
    config=XLMR_TINY,
    labels=BIO,
    tokenizer={"rules": "identity"},
    rewrite=[
        V.sentencepiece(
            "identity",
            tokenizer_config={"model_max_length": 26, "tokenizer_class": "XLMRobertaTokenizer"},
            special_tokens_map={"mask_token": {"content": "<mask>", "lstrip": True, "normalized": True, "rstrip": False, "single_word": False}},
        )
    ],
)
add(
    "xlm-roberta-tok-spm-sides",
    TEXTS,
    SIDE_CASES,
    config=XLMR_TINY,
    labels=["a", "b", "c"],
    rewrite=[
        V.sentencepiece(
            tokenizer_config={"padding_side": "left", "truncation_side": "left", "model_max_length": 20}
        )
    ],
)

import families  # noqa: E402,F401 - each file of it adds to the table
