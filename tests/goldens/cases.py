"""The cases of the tasks: inputs and call parameters. Python's answers are added by generate.py."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corpus import CONTROL, LONG, LONG_2, MIXED, SPECIALS_BERT, SPECIALS_ROBERTA, UNICODE, UNKNOWN


@dataclass(frozen=True)
class Case:
    name: str
    inputs: list[Any]
    params: dict[str, Any] = field(default_factory=dict)
    error: bool = False  # Python raises, and so should we


WORDS: list[list[str]] = [
    ["Sarah", "lives", "in", "New", "York", "."],
    ["Angela", "Merkel", "visited", "the", "United", "Nations"],
    ["Jürgen", "wohnt", "in", "Düsseldorf", "😀", "我爱北京", "e\u0301tude"],
    ["un-believable", "O'Brien", "walkingtalking", "ꙮ", "two words"],
    ["Paris"],
]
STRATEGIES = ["simple", "first", "average", "max"]


def specials(model_type: str) -> list[str]:
    return SPECIALS_BERT if model_type in ("bert", "distilbert") else SPECIALS_ROBERTA


def token_cases(
    model_type: str,
    *,
    stride: bool = True,
    words: bool = True,
    ignored: tuple[list[str], list[str]] = (["O", "B-PER", "I-LOC"], ["O", "PER", "ORG"]),
) -> list[Case]:
    """Everything that the call of token-classification takes. `ignored`: labels for none, groups for the others."""
    cases = [
        Case("default", MIXED),
        Case("all_labels", MIXED, {"ignore_labels": []}),
        Case("none_explicit", MIXED[:3], {"aggregation_strategy": "none"}),
        Case("upper_case_strategy", MIXED[:3], {"aggregation_strategy": "SIMPLE"}),
        Case("ignore_several_none", MIXED, {"ignore_labels": ignored[0]}),
        Case("ignore_several_simple", MIXED, {"aggregation_strategy": "simple", "ignore_labels": ignored[1]}),
        Case("ignore_several_max", MIXED, {"aggregation_strategy": "max", "ignore_labels": ignored[1]}),
        Case("ignore_absent_label", MIXED[:2], {"aggregation_strategy": "simple", "ignore_labels": ["nothing"]}),
        Case("grouped", MIXED[:4], {"grouped_entities": True}),
        Case("grouped_ignore_subwords", MIXED, {"grouped_entities": True, "ignore_subwords": True}),
        Case("grouped_no_ignore_subwords", MIXED[:4], {"grouped_entities": True, "ignore_subwords": False}),
        Case("grouped_false", MIXED[:3], {"grouped_entities": False}),
        Case("ignore_subwords_alone", MIXED[:3], {"ignore_subwords": True}),
        Case("grouped_beats_strategy", MIXED[:3], {"grouped_entities": True, "aggregation_strategy": "max"}),
        Case("unicode_none", UNICODE, {"ignore_labels": []}),
        Case("unicode_default", UNICODE),
        Case("control_none", CONTROL, {"ignore_labels": []}),
        Case("control_first", CONTROL, {"aggregation_strategy": "first", "ignore_labels": []}),
        Case("unknown_none", UNKNOWN, {"ignore_labels": []}),
        Case("special_tokens_none", specials(model_type), {"ignore_labels": []}),
        Case("special_tokens_simple", specials(model_type), {"aggregation_strategy": "simple"}),
        Case("empty", ["", " ", "\n\t"], {"ignore_labels": []}),
        Case("empty_simple", ["", " "], {"aggregation_strategy": "simple"}),
        Case("empty_average", ["", " "], {"aggregation_strategy": "average"}),
        Case("long_truncated", [LONG, LONG_2], {"aggregation_strategy": "simple", "ignore_labels": []}),
        Case("long_truncated_none", [LONG, LONG_2]),
        # Python takes the first mapping for every input, so one input only.
        Case(
            "offset_mapping",
            ["Paris in Berlin"],
            {"offset_mapping": [[[0, 0], [0, 2], [2, 8], [9, 15], *([[0, 5]] * 20)]]},
        ),
        Case("bad_strategy", ["Paris"], {"aggregation_strategy": "mean"}, error=True),
        Case("unknown_parameter", ["Paris"], {"top_k": 3}, error=True),
        Case("words_without_flag", [["Paris", "Berlin"]], {}, error=True),
        Case("no_inputs", [], {}, error=True),
    ]
    for strategy in STRATEGIES:
        cases += [
            Case(strategy, MIXED[:6], {"aggregation_strategy": strategy}),
            Case(f"{strategy}_all_labels", MIXED, {"aggregation_strategy": strategy, "ignore_labels": []}),
            Case(f"unicode_{strategy}", UNICODE, {"aggregation_strategy": strategy, "ignore_labels": []}),
            Case(f"unknown_{strategy}", UNKNOWN, {"aggregation_strategy": strategy, "ignore_labels": []}),
        ]
    if stride:
        texts = [LONG, MIXED[0], LONG_2, MIXED[6]]
        for strategy in STRATEGIES:
            cases += [
                Case(f"stride_{strategy}", texts, {"aggregation_strategy": strategy, "stride": 5}),
                Case(
                    f"stride_{strategy}_all_labels",
                    texts,
                    {"aggregation_strategy": strategy, "stride": 5, "ignore_labels": []},
                ),
            ]
        cases += [
            Case("stride_zero", [LONG_2], {"aggregation_strategy": "simple", "stride": 0, "ignore_labels": []}),
            Case("stride_large", [MIXED[2]], {"aggregation_strategy": "first", "stride": 17}),
            # Without a strategy in the call Python does not complain.
            Case("stride_default_strategy", texts, {"stride": 5, "ignore_labels": []}),
            Case("stride_grouped", texts[:2], {"stride": 5, "grouped_entities": True}),
            Case("stride_empty", ["", MIXED[8]], {"aggregation_strategy": "simple", "stride": 2}),
            Case("stride_none", [LONG], {"aggregation_strategy": "none", "stride": 4}, error=True),
            Case("stride_too_large", [LONG], {"aggregation_strategy": "simple", "stride": 4096}, error=True),
        ]
    if words:
        split = {"is_split_into_words": True}
        cases += [
            Case("words_none", WORDS, {**split, "ignore_labels": []}),
            Case("words_default", WORDS, split),
            Case("words_no_delimiter", WORDS, {**split, "delimiter": "", "ignore_labels": []}),
            Case("words_hyphen", WORDS, {**split, "delimiter": "-", "aggregation_strategy": "simple"}),
            Case("words_hyphen_first", WORDS, {**split, "delimiter": "-", "aggregation_strategy": "first"}),
            Case(
                "words_long_delimiter",
                WORDS,
                {**split, "delimiter": " ☃ ", "aggregation_strategy": "average", "ignore_labels": []},
            ),
            Case("words_null_delimiter", WORDS[:2], {**split, "delimiter": None, "aggregation_strategy": "max"}),
            Case("words_empty_word", [["Sarah", "", "Paris", " "]], {**split, "ignore_labels": []}),
            Case(
                "words_long",
                [LONG.split(" ")],
                {**split, "aggregation_strategy": "simple", "ignore_labels": []},
            ),
            Case("words_flag_false", MIXED[:2], {"is_split_into_words": False, "delimiter": "-"}),
        ]
        for strategy in STRATEGIES:
            cases.append(
                Case(f"words_{strategy}", WORDS, {**split, "aggregation_strategy": strategy, "ignore_labels": []})
            )
        if stride:
            cases.append(
                Case(
                    "words_stride",
                    [LONG.split(" "), WORDS[0]],
                    {**split, "aggregation_strategy": "first", "stride": 4, "ignore_labels": []},
                )
            )
    return cases


def short_token_cases(model_type: str, *, stride: bool = False) -> list[Case]:
    """For checkpoints that vary the model or its files rather than the task."""
    cases = [
        Case("default", MIXED[:4]),
        Case("all_labels", MIXED, {"ignore_labels": []}),
        Case("simple", MIXED, {"aggregation_strategy": "simple", "ignore_labels": []}),
        Case("first", MIXED[:6], {"aggregation_strategy": "first", "ignore_labels": []}),
        Case("average", MIXED[:6], {"aggregation_strategy": "average"}),
        Case("max", MIXED[:6], {"aggregation_strategy": "max"}),
        Case("unicode", UNICODE[:9] + specials(model_type)[:1], {"ignore_labels": []}),
    ]
    if stride:
        cases.append(Case("stride", [LONG_2, LONG], {"aggregation_strategy": "simple", "stride": 4}))
    return cases


PAIRS: list[Any] = [
    {"text": "The food was good.", "text_pair": "I hate this movie."},
    {"text": "What is the capital of Germany?", "text_pair": "Berlin"},
    {"text": "我爱北京", "text_pair": "Straße in Köln 😀"},
    {"text": "", "text_pair": "Paris"},
    {"text": "Paris", "text_pair": ""},
]
LONG_PAIR: dict[str, str] = {
    "text": "My name is Sarah Connor and I live in Los Angeles, California.",
    "text_pair": "Angela Merkel visited Paris in March 2019 with the president of France.",
}


def text_cases(
    model_type: str, *, pairs: bool = True, limit: bool = True, pad: bool = True, words: bool = False
) -> list[Case]:
    """Everything that the call of text-classification takes.

    `limit`: the tokenizer has a model_max_length and the model can hold somewhat more.
    """
    truncated = {"truncation": True, "max_length": 12}
    bert_like = model_type in ("bert", "distilbert")
    cases = [
        Case("default", MIXED),
        Case("top_k_null", MIXED, {"top_k": None}),
        Case("top_k_1", MIXED[:3], {"top_k": 1}),
        Case("top_k_2", MIXED[:3], {"top_k": 2}),
        Case("top_k_100", MIXED[:3], {"top_k": 100}),
        Case("top_k_0", MIXED[:2], {"top_k": 0}),
        Case("return_all_scores", MIXED[:3], {"return_all_scores": True}),
        Case("return_all_scores_false", MIXED[:3], {"return_all_scores": False}),
        Case("top_k_beats_all_scores", MIXED[:2], {"return_all_scores": True, "top_k": 1}),
        Case("unicode", UNICODE + CONTROL, {"top_k": None}),
        Case("unknown_words", UNKNOWN, {"top_k": None}),
        Case("special_tokens", specials(model_type), {"top_k": None}),
        Case("empty", ["", " ", "\n"], {"top_k": None}),
        Case("truncation_max_length", [LONG, *MIXED[:2]], {**truncated, "top_k": None}),
        Case("only_first", [LONG, MIXED[2]], {"truncation": "only_first", "max_length": 9, "top_k": None}),
        Case("longest_first", [LONG, MIXED[2]], {"truncation": "longest_first", "max_length": 9, "top_k": None}),
        Case("truncation_false", MIXED[:2], {"truncation": False, "top_k": None}),
        Case("do_not_truncate", MIXED[:2], {"truncation": "do_not_truncate", "max_length": 4, "top_k": None}),
        Case("no_special_tokens", MIXED, {"add_special_tokens": False, "top_k": None}),
        Case("no_attention_mask", MIXED[:2], {"return_attention_mask": False, "top_k": None}),
        Case("list_of_texts", [["Paris", "Berlin", "Rome"]], {}, error=True),
        Case("over_the_limit", [LONG + " " + LONG_2], {}, error=True),
        Case("bad_function", ["Paris"], {"function_to_apply": "relu"}, error=True),
        Case("bad_truncation", ["Paris"], {"truncation": "first"}, error=True),
        Case("only_second_without_pair", [LONG], {"truncation": "only_second", "max_length": 9}, error=True),
    ]
    if pad:
        cases += [
            Case("padding_true", MIXED[:3], {"padding": True, "top_k": None}),
            Case("padding_longest", MIXED[:3], {"padding": "longest", "top_k": None}),
            Case("padding_max_length", MIXED, {"padding": "max_length", **truncated, "top_k": None}),
            Case("padding_multiple", MIXED[:3], {"padding": True, "pad_to_multiple_of": 8, "top_k": None}),
            Case(
                "padding_left",
                MIXED[:3],
                {"padding": "max_length", **truncated, "padding_side": "left", "top_k": None},
            ),
            Case("padding_do_not", MIXED[:2], {"padding": "do_not_pad", "top_k": None}),
        ]
    for function in ("sigmoid", "softmax", "none", "SoftMax"):
        cases += [
            Case(f"function_{function}", MIXED[:4], {"function_to_apply": function}),
            Case(f"function_{function}_all", MIXED[:4], {"function_to_apply": function, "top_k": None}),
        ]
    if limit:
        cases += [
            Case("truncation_default_limit", [LONG, LONG_2], {"truncation": True, "top_k": None}),
            Case("long_between_limits", [MIXED[2] + " " + MIXED[2]], {"top_k": None}),
        ]
        if pad:
            cases.append(
                Case("padding_default_limit", MIXED[:2], {"padding": "max_length", "truncation": True, "top_k": None})
            )
    if pairs:
        cases += [
            Case("pairs", PAIRS, {"top_k": None}),
            Case("pairs_default", PAIRS),
            Case("pairs_and_texts", [PAIRS[0], MIXED[0], PAIRS[2], {"text": "Paris"}], {"top_k": None}),
            Case("pairs_8", [*PAIRS, LONG_PAIR, MIXED[1], MIXED[5]], {"top_k": None}),
            Case("pair_as_lists", [[["Paris is good.", "Berlin is bad."]]], {"top_k": None}),
            Case("text_pair_argument", MIXED[:3], {"text_pair": "Berlin", "top_k": None}),
            Case("pairs_true", [LONG_PAIR], {"truncation": True, "max_length": 15, "top_k": None}),
            Case("pairs_only_first", [LONG_PAIR], {"truncation": "only_first", "max_length": 34 if bert_like else 75, "top_k": None}),
            Case("pairs_only_second", [LONG_PAIR], {"truncation": "only_second", "max_length": 38 if bert_like else 75, "top_k": None}),
            Case("pairs_longest_first", [LONG_PAIR], {"truncation": "longest_first", "max_length": 16, "top_k": None}),
            Case("pairs_longest_odd", [LONG_PAIR], {"truncation": "longest_first", "max_length": 17, "top_k": None}),
            Case("pairs_no_special_tokens", PAIRS[:3], {"add_special_tokens": False, "top_k": None}),
            Case("pairs_no_type_ids", PAIRS[:3], {"return_token_type_ids": False, "top_k": None}),
        ]
        if pad:
            cases.append(
                Case("pairs_padded", PAIRS, {"padding": "max_length", "max_length": 24, "truncation": True, "top_k": None})
            )
    if words:
        cases.append(
            Case("words", [{"text": ["Sarah", "lives", "in", "Paris"]}], {"is_split_into_words": True, "top_k": None})
        )
    return cases


def short_text_cases(model_type: str, *, pairs: bool = True) -> list[Case]:
    cases = [
        Case("default", MIXED),
        Case("top_k_null", MIXED, {"top_k": None}),
        Case("top_k_1", MIXED[:2], {"top_k": 1}),
        Case("return_all_scores", MIXED[:2], {"return_all_scores": True}),
        Case("return_all_scores_false", MIXED[:2], {"return_all_scores": False}),
        Case("unicode", UNICODE[:6] + specials(model_type)[:1], {"top_k": None}),
    ]
    for function in ("sigmoid", "softmax", "none"):
        cases.append(Case(f"function_{function}", MIXED[:3], {"function_to_apply": function, "top_k": None}))
    if pairs:
        cases.append(Case("pairs", PAIRS[:3], {"top_k": None}))
    return cases


# For models that take the last token that is no padding.
PADDED_TEXTS = Case("padded", MIXED[:6], {"padding": "max_length", "truncation": True, "max_length": 30, "top_k": None})


def pair_cases() -> list[Case]:
    """What rerankers and other models of pairs are asked: many pairs, in each of the shapes they may have."""
    pairs: list[Any] = [{"text": MIXED[7], "text_pair": text} for text in MIXED] + [*PAIRS, LONG_PAIR]
    lists = [[[pair["text"], pair["text_pair"]]] for pair in pairs]
    return [
        Case("pairs", pairs),
        Case("pairs_all", pairs, {"top_k": None}),
        Case("pairs_none", pairs, {"function_to_apply": "none"}),
        Case("pairs_none_all", pairs[:4], {"function_to_apply": "none", "top_k": None}),
        Case("pairs_sigmoid", pairs[:4], {"function_to_apply": "sigmoid", "top_k": None}),
        Case("pairs_softmax", pairs[:4], {"function_to_apply": "softmax", "top_k": None}),
        Case("pairs_truncated", [LONG_PAIR, *pairs[:9]], {"truncation": True, "max_length": 26, "function_to_apply": "none"}),
        Case("lists_of_pairs", lists),
        Case("lists_of_pairs_none", lists[:9], {"function_to_apply": "none", "top_k": None}),
        Case("lists_objects_and_texts", [lists[0], pairs[1], MIXED[2], lists[3], *MIXED[:5]], {"top_k": None}),
        Case("pair_without_its_list", [["What?", "Berlin"]], error=True),
        Case("two_pairs_in_a_list", [[["What?", "Berlin"], ["Where?", "Paris"]]], error=True),
        Case("three_texts_in_a_list", [[["What?", "Berlin", "Paris"]]], error=True),
        Case("pair_without_text", [{"text_pair": "Berlin"}], error=True),
    ]


def feature_cases(model_type: str, *, limit: bool = True) -> list[Case]:
    """Everything that the call of feature-extraction takes."""
    short = MIXED[0]
    cases = [
        Case("default", [MIXED[i] for i in (0, 1, 2, 3, 4, 6, 7, 8)]),
        Case("empty", ["", " "]),
        Case("unicode", UNICODE[1:4] + CONTROL[:1]),
        Case("special_tokens", specials(model_type)[:1]),
        Case("truncation_false", [short], {"truncation": False}),
        Case("max_length", [LONG, MIXED[1]], {"truncation": True, "tokenize_kwargs": {"max_length": 7}}),
        Case("truncation_inside", [LONG], {"tokenize_kwargs": {"max_length": 6, "truncation": True}}),
        Case("only_first", [LONG], {"tokenize_kwargs": {"max_length": 5, "truncation": "only_first"}}),
        Case(
            "padding_max_length",
            [MIXED[1], MIXED[4]],
            {"tokenize_kwargs": {"max_length": 11, "truncation": True, "padding": "max_length"}},
        ),
        Case("padding_multiple", [short], {"tokenize_kwargs": {"padding": True, "pad_to_multiple_of": 8}}),
        Case(
            "padding_left",
            [MIXED[1]],
            {"tokenize_kwargs": {"max_length": 9, "padding": "max_length", "padding_side": "left"}},
        ),
        Case("no_special_tokens", [short], {"tokenize_kwargs": {"add_special_tokens": False}}),
        Case("no_attention_mask", [short], {"tokenize_kwargs": {"return_attention_mask": False}}),
        Case("text_pair_argument", [MIXED[1]], {"tokenize_kwargs": {"text_pair": "Berlin"}}),
        Case("return_tensors", [MIXED[1]], {"return_tensors": True}),
        Case("return_tensors_false", [MIXED[1]], {"return_tensors": False}),
        Case(
            "truncation_twice",
            [short],
            {"truncation": True, "tokenize_kwargs": {"truncation": True}},
            error=True,
        ),
        Case("over_the_limit", [LONG + " " + LONG_2], {}, error=True),
    ]
    if limit:
        cases.append(Case("truncation", [LONG], {"truncation": True}))
    return cases


def short_feature_cases(model_type: str) -> list[Case]:
    return [
        Case("default", MIXED[:2] + [MIXED[4], MIXED[3]]),
        Case("padded", [MIXED[1]], {"tokenize_kwargs": {"max_length": 7, "padding": "max_length"}}),
    ]


def masked(mask: str) -> list[str]:
    """Texts with one mask each, of mixed lengths."""
    return [
        f"Sarah lives in {mask}.",
        mask,
        f"Angela Merkel visited the {mask} Nations in New York, and then the president of France called her in Berlin.",
        f"I love this {mask}!",
        f"我爱{mask}天安门。",
        f"The food was {mask} good at all, but the service in Zürich was excellent.",
        f"x {mask}",
        f"What is the capital of {mask}?",
        f"Der schnelle {mask} wohnt in Düsseldorf 😀 bei François.",
    ]


def mask_cases(mask: str, *, limit: bool = True, pair: bool = True) -> list[Case]:
    """Everything that the call of fill-mask takes.

    `limit`: the tokenizer has a model_max_length and the model can hold no more than that. `pair`: the tokenizer
    takes a second text.
    """
    texts = masked(mask)
    pad, sep = ("[PAD]", "[SEP]") if mask == "[MASK]" else ("<pad>", "</s>")
    two = [f"{mask} visited {mask} in March 2019.", f"Berlin {mask}{mask}"]
    far = f"I live in {mask}. " + " ".join(["The food was good."] * 9)
    cases = [
        Case("default", texts),
        Case("alone", texts[:1]),
        Case("top_k_1", texts[:4], {"top_k": 1}),
        Case("top_k_2", texts[:4], {"top_k": 2}),
        Case("top_k_12", texts[:4], {"top_k": 12}),
        Case("top_k_0", texts[:2], {"top_k": 0}),
        Case("top_k_0_two_masks", two, {"top_k": 0}),
        Case("top_k_null", texts[:2], {"top_k": None}),
        Case("two_masks", two, {"top_k": 3}),
        Case("one_and_two_masks", [texts[0], *two, texts[1]], {"top_k": 2}),
        Case("many_masks", [mask * 7, f"{mask} {mask}, {mask}."], {"top_k": 1}),
        Case("alone_two_masks", two[:1], {"top_k": 2}),
        Case("unicode", [f"{text} {mask}" for text in UNICODE], {"top_k": 2}),
        Case("unicode_before", [f"{mask}{text}" for text in UNICODE], {"top_k": 1}),
        Case("control", [f"{text} {mask}" for text in CONTROL], {"top_k": 2}),
        Case("unknown_words", [f"{mask} {text}" for text in UNKNOWN], {"top_k": 2}),
        Case("special_tokens", [f"a {mask} in {sep} Paris {pad} x {pad}{pad}"], {"top_k": 3}),
        Case("special_tokens_two_masks", [f"{sep}{mask} x {pad} {mask}"], {"top_k": 2}),
        Case("spaces", [f"  {mask}  in   Paris  ", f"\t{mask}\n"], {"top_k": 2}),
        Case("targets", texts[:3], {"targets": ["the", "in"]}),
        Case("targets_text", texts[:3], {"targets": "the"}),
        Case("targets_alone", texts[:1], {"targets": ["the", "in", "of"]}),
        Case("targets_null", texts[:2], {"targets": None}),
        Case("targets_twice", texts[:2], {"targets": ["the", "in", "the"]}),
        Case("targets_top_k_1", texts[:3], {"targets": ["the", "in", "of"], "top_k": 1}),
        Case("targets_top_k_0", texts[:2], {"targets": ["the", "in", "of"], "top_k": 0}),
        Case("targets_top_k_100", texts[:2], {"targets": ["the", "in", "of"], "top_k": 100}),
        Case("targets_7", texts[:3], {"targets": ["the", "in", "of", "a", "at", "and", "is"]}),
        Case("targets_two_masks", two, {"targets": ["the", "in", "of"]}),
        Case("targets_in_pieces", texts[:3], {"targets": ["Unbelievable", "Düsseldorf", "two words"]}),
        Case("targets_with_space", texts[:3], {"targets": [" the", "the ", "\u0120the", "\u2581the"]}),
        Case("targets_unknown", texts[:3], {"targets": ["☃", "ꙮ", "我"]}),
        Case("targets_upper_case", texts[:3], {"targets": ["THE", "Paris"]}),
        Case("targets_special", texts[:3], {"targets": [pad, sep, mask, "the"]}),
        Case("targets_special_two_masks", two, {"targets": [pad, sep, mask, "the"]}),
        Case("targets_one_empty", texts[:2], {"targets": ["", "the"]}),
        Case("truncation", [far], {"tokenizer_kwargs": {"truncation": True, "max_length": 16}}),
        Case("max_length_alone", [far], {"tokenizer_kwargs": {"max_length": 16}}),
        Case(
            "truncation_sides",
            [f"{LONG} {mask}", mask],
            {"tokenizer_kwargs": {"truncation": "only_first", "max_length": 200, "truncation_side": "left"}},
            error=True,  # no argument of this version's tokenizers
        ),
        Case("padding", texts[:3], {"tokenizer_kwargs": {"padding": "max_length", "max_length": 42}}),
        Case(
            "padding_left",
            texts[:2],
            {"tokenizer_kwargs": {"padding": "max_length", "max_length": 21, "padding_side": "left"}},
        ),
        Case("padding_multiple", texts[:2], {"tokenizer_kwargs": {"padding": True, "pad_to_multiple_of": 8}}),
        Case("no_special_tokens", texts[:4], {"tokenizer_kwargs": {"add_special_tokens": False}}),
        Case(
            "no_mask_nor_type_ids",
            texts[:2],
            {"tokenizer_kwargs": {"return_attention_mask": False, "return_token_type_ids": False}},
        ),
        Case("tokenizer_kwargs_null", texts[:2], {"tokenizer_kwargs": None}),
        Case("in_a_list", [[texts[0]]]),
        Case("no_mask", ["Paris"], error=True),
        Case("one_without_mask", [texts[0], "Paris"], error=True),
        Case("empty", [""], error=True),
        Case("blank", [" "], error=True),
        Case("cut_off_mask", [f"Paris is a city in {mask}."], {"tokenizer_kwargs": {"max_length": 4}}, error=True),
        Case("split_mask", [mask], {"tokenizer_kwargs": {"split_special_tokens": True}}, error=True),
        Case("over_the_limit", [f"{LONG} {LONG_2} {mask}"], error=True),
        Case("top_k_past_vocabulary", texts[:1], {"top_k": 100_000}, error=True),
        Case("top_k_negative", texts[:1], {"top_k": -1}, error=True),
        Case("top_k_text", texts[:1], {"top_k": "3"}, error=True),
        Case("top_k_float", texts[:1], {"top_k": 2.5}, error=True),
        Case("targets_none", texts[:1], {"targets": []}, error=True),
        Case("targets_empty", texts[:1], {"targets": ""}, error=True),
        Case("targets_empty_in_list", texts[:1], {"targets": ["", ""]}, error=True),
        Case("targets_number", texts[:1], {"targets": [5]}, error=True),
        Case("not_a_text", [5], error=True),
        Case("an_object", [{"text": texts[0]}], error=True),
        Case("unknown_parameter", texts[:1], {"topk": 3}, error=True),
        Case("unknown_tokenizer_argument", texts[:1], {"tokenizer_kwargs": {"truncate": True}}, error=True),
    ]
    if limit:
        cases += [
            Case("truncation_default_limit", [f"{mask} {LONG} {LONG_2}"], {"tokenizer_kwargs": {"truncation": True}}),
            Case(
                "truncation_false",
                [f"{mask} {LONG} {LONG_2}"],
                {"tokenizer_kwargs": {"truncation": False}},
                error=True,
            ),
        ]
    if pair:
        cases += [
            Case("text_pair", texts[:2], {"tokenizer_kwargs": {"text_pair": "Berlin"}}),
            Case("text_pair_mask", ["Paris", texts[0]], {"tokenizer_kwargs": {"text_pair": mask}, "top_k": 2}),
        ]
    return cases


def short_mask_cases(mask: str) -> list[Case]:
    """For checkpoints that vary the model rather than the task fill-mask."""
    texts = masked(mask)
    return [
        Case("default", texts),
        Case("top_k_2", texts[:4], {"top_k": 2}),
        Case("two_masks", [f"{mask} visited {mask} in March 2019.", f"Berlin {mask}{mask}"], {"top_k": 3}),
        Case("targets", texts[:3], {"targets": ["the", "in"]}),
    ]


TOPICS: list[str] = ["food", "movie", "Berlin", "music", "sport", "workers", "river", "love", "baby", "eggs", "office", "bread"]

CONTEXT: str = (
    "Angela Merkel visited Paris in March 2019 with the president of France. Sarah Connor lives in Los Angeles, California. "
    "The capital of Germany is Berlin, and the United Nations opened an office in Geneva."
)
QUESTIONS: list[dict[str, str]] = [
    {"question": "Who visited Paris?", "context": CONTEXT},
    {"question": "Where does Sarah live?", "context": "Sarah lives in Paris."},
    {"question": "What is the capital of Germany?", "context": CONTEXT},
    {"question": "Was ist schön?", "context": "Größe, Straße, Übung, Köln, München und Zürich sind schöne Wörter 😀."},
    {"question": "我爱什么?", "context": "我爱北京天安门。北京是中国的首都。"},
    {"question": "?", "context": "x"},
    {"question": "When?", "context": "In 1998 they paid $3.50 for 12 eggs, in 2024 it is 100% more."},
    {"question": "Où habite Amélie?", "context": "Je m'appelle Amélie et j'habite à Montréal avec François."},
]


LONG_CONTEXTS: list[dict[str, str]] = [
    {"question": "Who lives near the river bank?", "context": LONG + " " + LONG_2},
    {"question": "Where was the service excellent?", "context": LONG_2},
    {"question": "Quelle est la capitale?", "context": "  " + LONG},
]


def question_cases(model_type: str) -> list[Case]:
    """Everything that the call of question-answering takes.

    The tokenizer's model_max_length is to be about 70, and the model must hold 112 tokens.
    """
    one, two = QUESTIONS[0], QUESTIONS[1]
    windows = {"max_seq_len": 48, "doc_stride": 10}
    odd = [{"question": "Which city?", "context": text} for text in UNICODE]
    cases = [
        Case("default", QUESTIONS),
        Case("eight", [*QUESTIONS[1:6], *LONG_CONTEXTS]),
        Case("one", [one]),
        Case("lists", [{"question": ["Who?", "Where?", "When?"], "context": [CONTEXT, CONTEXT[:71], "In 1998."]}]),
        Case("lists_of_one", [{"question": ["Who?"], "context": [CONTEXT]}]),
        Case("top_k_1", [one, two], {"top_k": 1}),
        Case("top_k_2", QUESTIONS[:5], {"top_k": 2}),
        Case("top_k_10", [one, QUESTIONS[2]], {"top_k": 10}),
        Case("top_k_one_input", [one], {"top_k": 3}),
        Case("topk", [one, two], {"topk": 3}),
        Case("top_k_beats_topk", [one, two], {"topk": 3, "top_k": 2}),
        Case("nulls", [one, two], {"top_k": None, "topk": None, "doc_stride": None, "max_seq_len": None, "align_to_words": None}),
        Case("max_answer_len_1", QUESTIONS, {"max_answer_len": 1}),
        Case("max_answer_len_3", QUESTIONS[:4], {"max_answer_len": 3, "top_k": 3}),
        Case("max_answer_len_100", QUESTIONS[:4], {"max_answer_len": 100}),
        Case("windows_default", LONG_CONTEXTS),
        Case("windows", LONG_CONTEXTS, windows),
        Case("windows_top_k", LONG_CONTEXTS, {**windows, "top_k": 4}),
        Case("windows_stride_0", LONG_CONTEXTS, {"max_seq_len": 50, "doc_stride": 0, "top_k": 2}),
        Case("windows_default_stride", LONG_CONTEXTS[1:], {"max_seq_len": 70}),
        Case("windows_impossible", LONG_CONTEXTS, {**windows, "handle_impossible_answer": True, "top_k": 3}),
        Case("window_too_small", [two], {"max_seq_len": 3}),
        Case("max_seq_len_112", LONG_CONTEXTS[:2], {"max_seq_len": 112}),
        Case("impossible", QUESTIONS, {"handle_impossible_answer": True}),
        Case("impossible_top_k", QUESTIONS[:5], {"handle_impossible_answer": True, "top_k": 3}),
        Case("impossible_false", [one], {"handle_impossible_answer": False}),
        Case("not_aligned", QUESTIONS, {"align_to_words": False}),
        Case("not_aligned_top_k", QUESTIONS[:4], {"align_to_words": False, "top_k": 4}),
        Case("not_aligned_windows", LONG_CONTEXTS, {**windows, "align_to_words": False, "top_k": 2}),
        Case("not_aligned_impossible", QUESTIONS[:4], {"align_to_words": False, "handle_impossible_answer": True}),
        Case("max_question_len", [one, two], {"max_question_len": 2}),
        Case("unicode", odd),
        Case("unicode_not_aligned", odd, {"align_to_words": False}),
        Case("control", [{"question": "Who\u0000?", "context": text} for text in CONTROL]),
        Case("unknown", [{"question": "☃?", "context": text} for text in UNKNOWN[:2]]),
        Case("special_tokens", [{"question": "Who is [CLS] <s>?", "context": text} for text in specials(model_type)]),
        Case("same_text_twice", [{"question": "Who?", "context": "Paris PARIS paris Berlin berlin Paris"}], {"top_k": 2}),
        Case("blank", [{"question": "Who?", "context": " \n "}], {"handle_impossible_answer": True, "top_k": 3}),
        Case("spaces", [{"question": " ", "context": "  Paris   is \n nice  "}, {"question": "?", "context": "Sarah\tConnor"}]),
        Case("padding_true", [two, LONG_CONTEXTS[1]], {**windows, "padding": True}),
        Case("padding_longest", [two, LONG_CONTEXTS[1]], {**windows, "padding": "longest", "top_k": 2}),
        Case("padding_do_not", [two, LONG_CONTEXTS[1]], {**windows, "padding": "do_not_pad"}),
        Case("padding_false", [two], {"padding": False}),
        Case("empty_question", [{"question": "", "context": "Paris"}], {}, error=True),
        Case("empty_context", [one, {"question": "Who?", "context": ""}], {}, error=True),
        Case("null_context", [{"question": "Who?", "context": None}], {}, error=True),
        Case("no_context", [{"question": "Who?"}], {}, error=True),
        Case("no_question", [{"context": "Paris"}], {}, error=True),
        Case("unknown_key", [{**one, "answer": "Paris"}], {}, error=True),
        Case("text", ["Who?"], {}, error=True),
        Case("texts", ["Who?", CONTEXT], {}, error=True),
        Case("pairs_in_lists", [["Who?", CONTEXT], ["Where?", CONTEXT]], {}, error=True),
        Case("lists_among_others", [one, {"question": ["Who?"], "context": ["Paris"]}], {}, error=True),
        Case("top_k_0", [one], {"top_k": 0}, error=True),
        Case("topk_0", [one], {"topk": 0}, error=True),
        Case("max_answer_len_0", [one], {"max_answer_len": 0}, error=True),
        Case("stride_over_length", [one], {"max_seq_len": 20, "doc_stride": 21}, error=True),
        Case("stride_over_default_length", [one], {"doc_stride": 300}, error=True),
        Case("stride_negative", [one], {"doc_stride": -1}, error=True),
        Case("question_too_long", [{"question": LONG, "context": CONTEXT}], {}, error=True),
        Case("bad_padding", [one], {"padding": "shortest"}, error=True),
        Case("over_the_limit", [LONG_CONTEXTS[0]], {"max_seq_len": 4000}, error=True),
    ]
    return cases


def short_question_cases() -> list[Case]:
    """For checkpoints that vary the model rather than the task question-answering."""
    return [
        Case("default", QUESTIONS),
        Case("top_k_3", QUESTIONS[:4], {"top_k": 3}),
        Case("windows", QUESTIONS[:3], {"max_seq_len": 60, "doc_stride": 12, "max_question_len": 20}),
        Case("impossible", QUESTIONS[:4], {"handle_impossible_answer": True, "top_k": 2}),
    ]


def zero_shot_cases(*, limit: bool = True) -> list[Case]:
    """Everything that the call of zero-shot-classification takes.

    `limit`: the tokenizer has a model_max_length of about 36, and the model can hold about 60 tokens.
    """
    labels = ["food", "travel", "politics"]
    cases = [
        Case("default", MIXED, {"candidate_labels": labels}),
        Case("multi_label", MIXED, {"candidate_labels": labels, "multi_label": True}),
        Case("multi_label_false", MIXED[:3], {"candidate_labels": labels, "multi_label": False}),
        Case("multi_label_null", MIXED[:2], {"candidate_labels": labels, "multi_label": None}),
        Case("multi_class", MIXED[:3], {"candidate_labels": labels, "multi_class": True}),
        Case("multi_class_beats_multi_label", MIXED[:2], {"candidate_labels": labels, "multi_class": False, "multi_label": True}),
        Case("multi_class_null", MIXED[:2], {"candidate_labels": labels, "multi_class": None, "multi_label": True}),
        Case("one_input", MIXED[:1], {"candidate_labels": labels}),
        Case("one_label", MIXED[:4], {"candidate_labels": ["food"]}),
        Case("one_label_in_text", MIXED[:4], {"candidate_labels": "food"}),
        Case("one_label_multi", MIXED[:2], {"candidate_labels": ["food"], "multi_label": True}),
        Case("two_labels", MIXED[:4], {"candidate_labels": ["gut", "schlecht"]}),
        Case("twelve_labels", MIXED[:4], {"candidate_labels": TOPICS}),
        Case("twelve_labels_multi", MIXED[2:5], {"candidate_labels": TOPICS, "multi_label": True}),
        Case("text_of_labels", MIXED[:4], {"candidate_labels": "food, travel,politics"}),
        Case("text_of_labels_trimmed", MIXED[:3], {"candidate_labels": "  food ,\u00a0travel\u3000,,\tpolitics\n, ,\x1cnew york\x1f"}),
        Case("label_with_comma", MIXED[:3], {"candidate_labels": ["food, drink", "travel"]}),
        Case("labels_untrimmed", MIXED[:3], {"candidate_labels": [" food ", "food", "travel"]}),
        Case("same_label_twice", MIXED[:3], {"candidate_labels": ["food", "travel", "food"]}),
        Case("empty_label", MIXED[:3], {"candidate_labels": ["", "travel"]}),
        Case("unicode_labels", UNICODE[:8], {"candidate_labels": ["Größe", "北京", "e\u0301tude", "😀", "القاهرة"]}),
        Case("unicode", UNICODE + CONTROL, {"candidate_labels": labels}),
        Case("unknown_words", UNKNOWN, {"candidate_labels": ["ꙮ", "ჯორჯია", "☃ food"]}),
        Case("blank_text", [" ", "\n"], {"candidate_labels": labels}),
        Case("template", MIXED[:4], {"candidate_labels": labels, "hypothesis_template": "Dieser Text handelt von {}."}),
        Case("template_only", MIXED[:4], {"candidate_labels": labels, "hypothesis_template": "{}"}),
        # A hypothesis of no words is still the second text of a pair.
        Case("template_only_empty_label", MIXED[:4], {"candidate_labels": ["", "food"], "hypothesis_template": "{}"}),
        Case("template_twice", MIXED[:4], {"candidate_labels": labels, "hypothesis_template": "{0} is {0}."}),
        Case("template_braces", MIXED[:4], {"candidate_labels": labels, "hypothesis_template": "{{{}}} is {{0}}"}),
        Case("template_only_braces", MIXED[:2], {"candidate_labels": labels, "hypothesis_template": "{{}} is good"}),
        Case("label_with_braces", MIXED[:2], {"candidate_labels": ["{0} food", "{}"], "hypothesis_template": "{}!"}),
        Case("no_placeholder", MIXED[:1], {"candidate_labels": labels, "hypothesis_template": "This is it."}, error=True),
        Case("label_is_the_placeholder", MIXED[:1], {"candidate_labels": ["{}"]}, error=True),
        Case("empty_template", MIXED[:1], {"candidate_labels": labels, "hypothesis_template": ""}, error=True),
        Case("template_two_fields", MIXED[:1], {"candidate_labels": labels, "hypothesis_template": "{} is {}"}, error=True),
        Case("template_second", MIXED[:1], {"candidate_labels": labels, "hypothesis_template": "{1}"}, error=True),
        Case("template_name", MIXED[:1], {"candidate_labels": labels, "hypothesis_template": "{label}"}, error=True),
        Case("template_mixed", MIXED[:1], {"candidate_labels": labels, "hypothesis_template": "{} {0}"}, error=True),
        Case("template_open", MIXED[:1], {"candidate_labels": labels, "hypothesis_template": "about {"}, error=True),
        Case("template_close", MIXED[:1], {"candidate_labels": labels, "hypothesis_template": "about {} }"}, error=True),
        Case("template_null", MIXED[:1], {"candidate_labels": labels, "hypothesis_template": None}, error=True),
        Case("no_labels", MIXED[:1], {"candidate_labels": []}, error=True),
        Case("no_labels_in_text", MIXED[:1], {"candidate_labels": " , "}, error=True),
        Case("labels_null", MIXED[:1], {"candidate_labels": None}, error=True),
        Case("labels_left_out", MIXED[:1], {}, error=True),
        Case("empty_text", [""], {"candidate_labels": labels}, error=True),
        Case("too_long", [LONG], {"candidate_labels": [LONG]}, error=True),
        Case("no_inputs", [], {"candidate_labels": labels}),
    ]
    if limit:
        cases += [
            Case("long_truncated", [LONG, LONG_2, MIXED[2]], {"candidate_labels": labels}),
            Case("long_truncated_multi", [LONG, LONG_2], {"candidate_labels": labels, "multi_label": True}),
            # The hypothesis alone is over the limit: nothing is cut.
            Case("hypothesis_over_the_limit", ["Hi", "Paris."], {"candidate_labels": [MIXED[2], "food"]}),
        ]
    return cases


def short_zero_shot_cases() -> list[Case]:
    """For checkpoints that vary the model rather than the task zero-shot-classification."""
    labels = ["food", "travel", "politics"]
    return [
        Case("default", MIXED[:8], {"candidate_labels": labels}),
        Case("multi_label", MIXED[:3], {"candidate_labels": labels, "multi_label": True}),
        Case("template", MIXED[2:5], {"candidate_labels": "Essen, Reise", "hypothesis_template": "Das ist {}."}),
    ]


# Prompts of very mixed lengths, some of more tokens than any sliding window, one with spaces that decoding cleans up.
PROMPTS: list[str] = [
    "Sarah lives in Paris.",
    "The quick brown fox",
    "Angela Merkel visited the United Nations in New York, and then the president of France called her",
    "x",
    "I love this movie, it was really",
    "我爱北京",
    "Don 't say hello , it is n't polite . Der schnelle braune Fuchs",
    "10:30 😀",
    "What is the capital of Germany? The capital of Germany is Berlin. What is the capital of France?",
    "Москва большой",
]
CHATS: list[list[dict[str, str]]] = [
    [{"role": "user", "content": "What is the capital of Germany?"}],
    [
        {"role": "system", "content": "Answer in one word."},
        {"role": "user", "content": " Hi! "},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Where is Köln?"},
    ],
    [{"role": "user", "content": "Who is Sarah?"}, {"role": "assistant", "content": "Sarah Connor is"}],
]


def greedy(name: str, inputs: list[Any], error: bool = False, **params: Any) -> Case:
    """A case without sampling, of 8 new tokens unless `params` says otherwise."""
    if "max_new_tokens" not in params:
        params["max_new_tokens"] = 8
    return Case(name, inputs, {"do_sample": False, **params}, error)


def text_generation_cases(
    seen: list[int], word: list[int], other: list[int], eos: int, stop: str
) -> list[Case]:
    """Everything that the call of text-generation takes.

    `seen`: ids that greedy search gives for the prompts; `word` and `other`: ids of two words of two tokens or more;
    `stop`: a text one of whose tokens is given.
    The context should be about 96 tokens, and the tokenizer's model_max_length 40.
    """
    few, one = PROMPTS[:4], PROMPTS[:1]
    beams: dict[str, Any] = {"num_beams": 3, "max_new_tokens": 6}
    cases = [
        greedy("greedy", PROMPTS),
        greedy("greedy_16", PROMPTS, max_new_tokens=16),
        greedy("one_token", few, max_new_tokens=1),
        greedy("unicode", UNICODE[:6], max_new_tokens=5),
        greedy("empty_prompt", [""]),
        greedy("blank_prompts", [" ", "\n", "  \t "]),
        greedy("empty_among_others", ["Hi", "", "x"], max_new_tokens=4),
        greedy("special_tokens", ["Hi<|endoftext|>there", "<|endoftext|>"], max_new_tokens=4),
        greedy("special_tokens_kept", ["Hi<|endoftext|>there"], max_new_tokens=4, skip_special_tokens=False),
        greedy("no_inputs", [], error=True),
        # What is returned.
        greedy("full_text", few, return_full_text=True),
        greedy("new_text", PROMPTS, return_full_text=False),
        greedy("return_text", few, return_text=True),
        greedy("return_text_false", one, return_text=False),
        greedy("tensors", few, return_tensors=True),
        # Whatever the value is, it asks for them.
        greedy("tensors_false", one, return_tensors=False),
        greedy("tensors_empty_prompt", [""], return_tensors=True),
        greedy("full_text_and_text", one, error=True, return_full_text=True, return_text=True),
        greedy("full_text_and_tensors", one, error=True, return_full_text=False, return_tensors=True),
        greedy("text_and_tensors", one, error=True, return_text=True, return_tensors=True),
        greedy("no_clean_up", PROMPTS[5:], clean_up_tokenization_spaces=False),
        greedy("new_text_no_clean_up", PROMPTS[5:], clean_up_tokenization_spaces=False, return_full_text=False),
        greedy("new_text_clean_up", PROMPTS[5:], clean_up_tokenization_spaces=True, return_full_text=False),
        # The prompt.
        greedy("prefix", few, prefix="Angela Merkel: "),
        greedy("prefix_new_text", few, prefix="München ", return_full_text=False),
        greedy("prefix_empty", one, prefix=""),
        greedy("prefix_max_length", one, prefix="Hi there ", max_new_tokens=None, max_length=30),
        greedy("prefix_min_length", one, prefix="Hi there ", min_length=22, eos_token_id=seen),
        greedy("add_special_tokens", few, add_special_tokens=True),
        greedy("truncation_max_length", PROMPTS, truncation=True, max_length=9),
        greedy("truncation_default_limit", PROMPTS, truncation=True),
        greedy("encode_kwargs", PROMPTS, tokenizer_encode_kwargs={"truncation": True, "max_length": 5}),
        greedy("padding_max_length", few, padding="max_length", max_length=20, pad_token_id=0, error=True),
        greedy("hole", PROMPTS, handle_long_generation="hole"),
        greedy("hole_max_length", PROMPTS[:2], handle_long_generation="hole", max_new_tokens=None, max_length=20, error=True),
        greedy("hole_30", PROMPTS[:3], handle_long_generation="hole", max_new_tokens=30),
        greedy("hole_too_wide", one, handle_long_generation="hole", max_new_tokens=40, error=True),
        greedy("hole_unknown", one, handle_long_generation="cut", error=True),
        # Lengths and ends.
        greedy("max_length", PROMPTS[:2], max_new_tokens=None, max_length=20),
        greedy("max_length_beaten", PROMPTS[:2], max_new_tokens=4, max_length=20),
        greedy("max_length_too_short", PROMPTS[2:3], max_new_tokens=None, max_length=20, error=True),
        greedy("max_new_tokens_0", one, max_new_tokens=0, error=True),
        greedy("over_the_context", PROMPTS[2:3], max_new_tokens=60, error=True),
        greedy("eos", PROMPTS, eos_token_id=seen[0], max_new_tokens=10),
        greedy("eos_several", PROMPTS, eos_token_id=seen, max_new_tokens=10),
        greedy("eos_several_tensors", few, eos_token_id=seen, max_new_tokens=10, return_tensors=True),
        greedy("eos_null", few, eos_token_id=None),
        greedy("min_new_tokens", PROMPTS, eos_token_id=seen, min_new_tokens=3),
        greedy("min_length", PROMPTS, eos_token_id=seen, min_length=18),
        greedy("min_over_max", one, eos_token_id=seen, min_new_tokens=12, max_new_tokens=4),
        greedy("forced_eos", few, forced_eos_token_id=eos, max_new_tokens=4, return_tensors=True),
        greedy("forced_eos_several", one, forced_eos_token_id=[eos, seen[0]], max_new_tokens=4, return_tensors=True),
        greedy("forced_bos", ["x", "Hi there"], forced_bos_token_id=seen[0], max_new_tokens=4, return_tensors=True),
        # Every token of it ends the text.
        greedy("stop_sequence", PROMPTS, stop_sequence=stop, max_new_tokens=10),
        greedy("stop_sequence_beats_eos", PROMPTS, stop_sequence=stop, eos_token_id=seen[1], max_new_tokens=10),
        # Scores changed.
        greedy("repetition_penalty", PROMPTS, repetition_penalty=1.4),
        greedy("repetition_reward", few, repetition_penalty=0.7),
        greedy("repetition_penalty_0", one, repetition_penalty=0.0, error=True),
        greedy("no_repeat_1", PROMPTS, no_repeat_ngram_size=1),
        greedy("no_repeat_2", PROMPTS, no_repeat_ngram_size=2, max_new_tokens=16),
        greedy("no_repeat_negative", one, no_repeat_ngram_size=-2),
        greedy("encoder_repetition_penalty", PROMPTS, encoder_repetition_penalty=2.0),
        greedy("encoder_no_repeat_2", PROMPTS, encoder_no_repeat_ngram_size=2),
        greedy("bad_words", PROMPTS, bad_words_ids=[[seen[0]], [seen[1]], word, [eos]]),
        greedy("bad_words_flat", one, bad_words_ids=[seen[0], seen[1]], error=True),
        greedy("bad_words_empty", one, bad_words_ids=[], error=True),
        greedy("suppress", PROMPTS, suppress_tokens=seen),
        greedy("begin_suppress", PROMPTS, begin_suppress_tokens=seen),
        greedy("sequence_bias", PROMPTS, sequence_bias=[[[seen[0]], -6.0], [word[:2], 9.5], [word[:1], 4.0]]),
        greedy("sequence_bias_empty", one, sequence_bias=[], error=True),
        greedy("exponential_decay", PROMPTS, exponential_decay_length_penalty=[2, 1.6], max_new_tokens=12, return_tensors=True),
        greedy("renormalize", few, renormalize_logits=True),
        greedy("remove_invalid", few, remove_invalid_values=True),
        greedy("guidance", PROMPTS, guidance_scale=1.7),
        greedy("guidance_no_cache", few, guidance_scale=1.7, use_cache=False),
        greedy("guidance_1", one, guidance_scale=1.0),
        greedy("several_together", PROMPTS, repetition_penalty=1.3, no_repeat_ngram_size=2, suppress_tokens=seen[:1], min_new_tokens=2),
        greedy("no_cache", few, use_cache=False),
        greedy("low_memory", few, low_memory=True),
        greedy("temperature_ignored", few, temperature=0.3, top_k=5, top_p=0.5),
        # Sampling that leaves one token to take.
        *(
            Case(f"sample_{name}", few, {"max_new_tokens": 8, **params})
            for name, params in {
                "top_k_1": {"top_k": 1},
                "top_p": {"top_p": 1e-6, "top_k": 0},
                "min_p": {"min_p": 1.0},
                "typical": {"typical_p": 1e-6, "temperature": 1.9, "top_k": None},
                "epsilon": {"epsilon_cutoff": 0.9999},
                "eta": {"eta_cutoff": 0.9999, "temperature": 1e-3},
                "cold": {"do_sample": True, "temperature": 1e-5},
                "penalty": {"top_k": 1, "repetition_penalty": 1.5, "num_return_sequences": 2},
                "temperature_0": {"temperature": 0.0, "do_sample": False},
            }.items()
        ),
        # Several beams.
        greedy("beams", PROMPTS, **beams),
        greedy("beams_2_of_3", PROMPTS, num_return_sequences=2, **beams),
        greedy("beams_4_of_4", few, num_beams=4, num_return_sequences=4, return_full_text=False),
        greedy("beams_tensors", few, num_return_sequences=2, return_tensors=True, eos_token_id=seen[:2], **beams),
        greedy("beams_eos", PROMPTS, eos_token_id=seen, num_return_sequences=3, **beams),
        greedy("beams_early", PROMPTS, eos_token_id=seen, early_stopping=True, num_return_sequences=2, **beams),
        greedy("beams_never", PROMPTS, eos_token_id=seen, early_stopping="never", num_return_sequences=2, **beams),
        greedy("beams_never_long", few, eos_token_id=seen, early_stopping="never", length_penalty=1.5, **beams),
        greedy("beams_early_unknown", one, early_stopping="soon", error=True, **beams),
        greedy("beams_short", PROMPTS, eos_token_id=seen, length_penalty=-1.0, num_return_sequences=2, **beams),
        greedy("beams_long", PROMPTS, eos_token_id=seen, length_penalty=2.5, num_return_sequences=2, **beams),
        greedy("beams_length_penalty_0", few, eos_token_id=seen, length_penalty=0.0, num_return_sequences=2, **beams),
        greedy("beams_min_new_tokens", few, eos_token_id=seen, min_new_tokens=4, **beams),
        greedy("beams_repetition_penalty", few, repetition_penalty=1.4, **beams),
        greedy("beams_no_repeat", few, no_repeat_ngram_size=1, **beams),
        greedy("beams_bad_words", few, bad_words_ids=[seen[:1], word], **beams),
        greedy("beams_renormalize", few, renormalize_logits=True, repetition_penalty=1.4, **beams),
        greedy("beams_forced_eos", few, forced_eos_token_id=eos, return_tensors=True, **beams),
        greedy("beams_stop_sequence", few, stop_sequence=stop, **beams),
        greedy("beams_prefix_hole", PROMPTS[1:3], prefix="Hi ", handle_long_generation="hole", **beams),
        greedy("beams_no_cache", few[:2], use_cache=False, **beams),
        greedy("beams_guidance", few[:2], guidance_scale=1.5, **beams),
        greedy("beams_empty_prompt", [""], num_return_sequences=2, **beams),
        greedy("beams_too_many_returned", one, num_return_sequences=4, error=True, **beams),
        greedy("one_beam_two_returned", one, num_return_sequences=2, error=True),
        greedy("beams_0", one, num_beams=0, error=True),
        # Groups of them.
        greedy("groups", PROMPTS, num_beams=4, num_beam_groups=2, diversity_penalty=0.8, max_new_tokens=6),
        greedy("groups_returned", few, num_beams=6, num_beam_groups=3, diversity_penalty=2.0, num_return_sequences=4),
        greedy("groups_of_one", few, num_beams=3, num_beam_groups=3, diversity_penalty=1.5, num_return_sequences=3),
        greedy(
            "groups_eos",
            few,
            num_beams=4,
            num_beam_groups=2,
            diversity_penalty=0.5,
            eos_token_id=seen,
            num_return_sequences=2,
            early_stopping=True,
        ),
        greedy("groups_odd", one, num_beams=3, num_beam_groups=2, diversity_penalty=0.8, error=True),
        greedy("groups_alike", one, num_beams=4, num_beam_groups=2, error=True),
        greedy("groups_sampled", one, num_beams=4, num_beam_groups=2, diversity_penalty=0.8, do_sample=True, error=True),
        # Words that must be there.
        greedy("force_word", PROMPTS, num_beams=3, force_words_ids=[word]),
        greedy("force_two_words", few, num_beams=4, force_words_ids=[word, other], max_new_tokens=10),
        greedy("force_one_of", few, num_beams=4, force_words_ids=[[word, other]], num_return_sequences=2),
        greedy("force_both_kinds", few[:2], num_beams=4, force_words_ids=[seen[:1], [word, other]], max_new_tokens=10),
        greedy("force_word_eos", few, num_beams=3, force_words_ids=[word], eos_token_id=seen, max_new_tokens=10),
        greedy("force_one_beam", one, force_words_ids=[word], error=True),
        greedy("force_nothing", one, num_beams=3, force_words_ids=[], error=True),
        greedy("force_sampled", one, num_beams=3, force_words_ids=[word], do_sample=True, error=True),
        # The prompt's own words as guesses: the same as greedy search.
        greedy("prompt_lookup", PROMPTS, prompt_lookup_num_tokens=3, max_new_tokens=16),
        greedy("prompt_lookup_ngram", few, prompt_lookup_num_tokens=2, max_matching_ngram_size=1, max_new_tokens=16),
        greedy("prompt_lookup_eos", few, prompt_lookup_num_tokens=4, eos_token_id=seen, max_new_tokens=16),
        greedy("unknown_parameter", one, max_tokens=5, error=True),
    ]
    return cases


def chat_cases() -> list[Case]:
    """Chats as inputs of text-generation, for tokenizers with a chat template."""
    prefilled = CHATS[2:]
    return [
        greedy("chats", CHATS),
        greedy("chats_new_text", CHATS, return_full_text=False),
        greedy("chats_tensors", CHATS, return_tensors=True, max_new_tokens=3),
        greedy("chats_beams", CHATS[:2], num_beams=3, num_return_sequences=2, max_new_tokens=5),
        greedy("chats_specials_kept", CHATS, skip_special_tokens=False, max_new_tokens=4),
        greedy("chats_continued", prefilled, continue_final_message=True),
        greedy("chats_continued_new_text", prefilled, continue_final_message=True, return_full_text=False),
        greedy("chats_not_continued", prefilled, continue_final_message=False),
        greedy("chats_user_continued", CHATS[:1], continue_final_message=True),
        greedy("chats_prefix_ignored", CHATS[:1], prefix="Hi there "),
        greedy("chats_add_special_tokens", CHATS[:1], add_special_tokens=True),
        greedy("chats_truncated", CHATS, truncation=True, max_length=12, max_new_tokens=4),
        greedy("chats_hole", CHATS, handle_long_generation="hole", max_new_tokens=12),
        greedy("chat_without_content", [[{"role": "user"}]], error=True),
        greedy("chat_without_role", [[{"content": "Hi"}]], error=True),
        greedy("chat_empty", [[]], error=True),
    ]


def short_chat_cases() -> list[Case]:
    """For checkpoints whose chat template is their family's."""
    return [
        greedy("chats", CHATS[:1] + CHATS[2:]),
        greedy("chats_tensors", CHATS[:1] + CHATS[2:], return_tensors=True, max_new_tokens=3),
        greedy("chats_new_text", CHATS[:1] + CHATS[2:], return_full_text=False, max_new_tokens=5),
    ]


def returned_scores() -> list[Case]:
    """What the pipeline puts beside a text."""
    one = PROMPTS[1:2]
    returned: dict[str, Any] = {"return_dict_in_generate": True, "output_scores": True, "output_logits": True}
    scores = {**returned, "output_logits": False}
    return [
        greedy("scores", one, max_new_tokens=2, **returned),
        greedy("scores_without_dict", one, max_new_tokens=2, output_scores=True, output_logits=True),
        greedy("scores_of_ids", one, return_tensors=True, max_new_tokens=2, **returned),
        greedy("scores_of_a_chat", CHATS[:1], max_new_tokens=1, **scores),
        # Infinities.
        greedy("scores_suppressed", one, suppress_tokens=[1, 2, 3], max_new_tokens=1, **scores),
        Case("scores_sampled", one, {"top_k": 1, "num_return_sequences": 2, "max_new_tokens": 1, **scores}),
        greedy("scores_prompt_lookup", one, prompt_lookup_num_tokens=2, max_new_tokens=2, **scores),
        # Of as many beams as texts: those of the beams.
        greedy("beams_scores", one, num_beams=2, num_return_sequences=2, max_new_tokens=2, **returned),
        greedy("beams_scores_of_some", one, num_beams=3, num_return_sequences=2, max_new_tokens=3, **returned),
        greedy("beams_scores_of_one", PROMPTS[:4], num_beams=3, max_new_tokens=5, **returned),
        greedy("beams_logits_of_one", PROMPTS[:4], num_beams=3, max_new_tokens=5, **{**returned, "output_scores": False}),
        greedy("beams_dict", PROMPTS[:4], num_beams=3, max_new_tokens=5, return_dict_in_generate=True),
        greedy("groups_scores", one, num_beams=2, num_beam_groups=2, diversity_penalty=0.9, num_return_sequences=2, max_new_tokens=2, **scores),
    ]


# Padding that is asked for counts for lengths and processors, and stands in the ids.
PADDED_PROMPTS = [
    greedy("padded", PROMPTS[:4], padding="max_length", max_length=24),
    greedy("padded_ids", PROMPTS[3:6], padding="max_length", max_length=24, return_tensors=True, max_new_tokens=3),
    greedy("padded_specials_kept", PROMPTS[3:4], padding="max_length", max_length=24, skip_special_tokens=False),
    greedy("padded_penalty", PROMPTS[:4], padding="max_length", max_length=24, repetition_penalty=1.4),
    greedy("padded_beams", PROMPTS[1:4], padding="max_length", max_length=24, num_beams=3, max_new_tokens=5),
    greedy("padded_lookup", PROMPTS[1:4], padding="max_length", max_length=24, prompt_lookup_num_tokens=2, max_new_tokens=12),
    greedy("padded_guidance", PROMPTS[1:4], padding="max_length", max_length=24, guidance_scale=1.6),
    greedy("padded_length", PROMPTS[1:2], max_new_tokens=None, max_length=26, tokenizer_encode_kwargs={"padding": "max_length", "max_length": 22}),
    greedy("padded_longest", PROMPTS[1:3], padding=True),
]


def short_text_generation_cases() -> list[Case]:
    """For checkpoints that vary the model rather than the task text-generation."""
    return [
        greedy("greedy", PROMPTS),
        greedy("greedy_20", PROMPTS[:4], max_new_tokens=20, return_full_text=False),
        # No token twice, where a model would else give the same ones again and again.
        greedy("no_repeat", PROMPTS[:5], no_repeat_ngram_size=1, max_new_tokens=14),
        greedy("tensors", PROMPTS[4:6], return_tensors=True, max_new_tokens=4),
        greedy("beams", PROMPTS[1:5], num_beams=3, num_return_sequences=2, max_new_tokens=6),
        greedy("no_cache", PROMPTS[:3], use_cache=False, max_new_tokens=12),
    ]


# Of every kind and shape that images come in; images.py makes them.
PICTURES = [
    f"media/{name}"
    for name in "rgb.jpg rgba.png grey.png palette.gif rotated.jpg wide.webp tall.bmp square.tiff".split()
]


def encoded(name: str) -> str:
    return base64.b64encode((Path(__file__).resolve().parent / "media" / name).read_bytes()).decode()


def image_cases() -> list[Case]:
    """Everything that the call of image-classification takes."""
    few = PICTURES[:3]
    return [
        Case("default", PICTURES),
        Case("one", PICTURES[:1]),
        *(Case(f"top_k_{count}", few, {"top_k": count}) for count in (0, 1, 2, 1000)),
        Case("top_k_null", few, {"top_k": None}),
        *(Case(name.lower(), PICTURES[:4], {"function_to_apply": name}) for name in ("sigmoid", "SoftMax", "NONE")),
        Case("function_null", few, {"function_to_apply": None}),
        Case("timeout", few, {"timeout": 0.5}),
        Case("data_uri", ["data:image/gif;base64," + encoded("palette.gif"), PICTURES[3]]),
        Case("base64", [encoded("grey.png"), encoded("palette.gif")]),
        Case("bad_function", few, {"function_to_apply": "tanh"}, error=True),
        Case("unknown_parameter", few, {"top": 3}, error=True),
        Case("no_file", ["media/nothing.png"], error=True),
        Case("no_image", ["media/no_image.txt"], error=True),
        Case("no_path", [""], error=True),
        Case("number", [3], error=True),
    ]


def short_image_cases() -> list[Case]:
    """For checkpoints that vary the model rather than the task image-classification."""
    return [Case("default", PICTURES), Case("none", PICTURES[2:5], {"function_to_apply": "none", "top_k": 2})]


def image_feature_cases() -> list[Case]:
    """Everything that the call of image-feature-extraction takes, for a model whose processor is ViT's."""
    few = PICTURES[:2]
    return [
        Case("default", PICTURES),
        Case("pool", PICTURES, {"pool": True}),
        Case("pool_false", few, {"pool": False}),
        Case("return_tensors", few, {"return_tensors": True}),
        Case("timeout", few, {"timeout": 3}),
        Case("not_normalized", few, {"image_processor_kwargs": {"do_normalize": False}, "pool": True}),
        Case("other_mean", few, {"image_processor_kwargs": {"image_mean": [0.1, 0.2, 0.3]}, "pool": True}),
        Case("no_kwargs", few, {"image_processor_kwargs": None, "pool": True}),
        Case("other_size", few, {"image_processor_kwargs": {"size": {"height": 12, "width": 12}}}, error=True),
        Case("not_resized", few, {"image_processor_kwargs": {"do_resize": False}}, error=True),
        Case("no_file", ["media/nothing.png"], error=True),
    ]


def short_image_feature_cases() -> list[Case]:
    """For checkpoints that vary the model rather than the task image-feature-extraction."""
    return [Case("default", PICTURES[:4]), Case("pool", PICTURES, {"pool": True})]
