"""Makes processors.json: what transformers' own classes make of scores, token texts and settings.

    python processors.py            # two runs give the same bytes

Infinities and NaN are written as strings. Scores are f32, written with as few digits as bring them back.

torch's sort of more than 16 numbers leaves equal ones in an order of its own. Which of equally likely tokens a warper
keeps at its edge is chance then, so that the goldens are made with torch's stable sort.
"""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import torch
import transformers
from transformers.generation import logits_process

from layers import failures, merges
from lists import lists
from stop_strings import stop_strings

HERE = Path(__file__).resolve().parent
INFINITY = float("inf")


def written(value: float) -> float | str:
    """A number as JSON can hold it."""
    value = np.float32(value)
    if np.isnan(value):
        return "nan"
    if np.isinf(value):
        return "inf" if value > 0 else "-inf"
    return float(str(value))


def spread(random: np.random.Generator, vocabulary: int) -> list[float]:
    return [round(float(score), 3) for score in random.normal(0, 3, vocabulary)]


def tied(random: np.random.Generator, vocabulary: int) -> list[float]:
    return [float(score) / 2 for score in random.integers(-4, 5, vocabulary)]


def gaps(random: np.random.Generator, vocabulary: int) -> list[float]:
    """Some tokens ruled out already."""
    scores = spread(random, vocabulary)
    return [-INFINITY if random.random() < 0.3 else score for score in scores]


def steep(random: np.random.Generator, vocabulary: int) -> list[float]:
    """One token so likely that the others' probabilities are 0 in f32."""
    scores = spread(random, vocabulary)
    scores[vocabulary // 2] = 300.0
    return scores


def level(_random: np.random.Generator, vocabulary: int) -> list[float]:
    return [0.25] * vocabulary


SHAPES = {"spread": spread, "tied": tied, "gaps": gaps, "steep": steep, "level": level}
WARPERS: list[tuple[str, list[dict[str, Any]]]] = [
    ("TemperatureLogitsWarper", [{"temperature": 0.7}, {"temperature": 2.5}]),
    ("TopKLogitsWarper", [{"top_k": 1}, {"top_k": 5}, {"top_k": 3, "min_tokens_to_keep": 4}, {"top_k": 99}]),
    ("TopPLogitsWarper", [{"top_p": 0.9}, {"top_p": 0.3}, {"top_p": 0.0, "min_tokens_to_keep": 3}, {"top_p": 1.0}]),
    ("MinPLogitsWarper", [{"min_p": 0.1}, {"min_p": 1.0}, {"min_p": 0.5, "min_tokens_to_keep": 5}]),
    ("TypicalLogitsWarper", [{"mass": 0.9}, {"mass": 0.2}, {"mass": 0.1, "min_tokens_to_keep": 4}]),
    ("EpsilonLogitsWarper", [{"epsilon": 0.02}, {"epsilon": 0.9}, {"epsilon": 0.3, "min_tokens_to_keep": 2}]),
    ("EtaLogitsWarper", [{"epsilon": 0.02}, {"epsilon": 0.4, "min_tokens_to_keep": 2}]),
    ("LogitNormalization", [{}]),
]
ENCODER = [[4, 2, 7, 2, 4, 9, 4, 2]]
BIASES = [[[3], 1.5], [[1, 2], -2.25], [[5, 1, 2], 4.0], [[9, 3], -0.5], [[1, 2], 0.75], [[8, 8, 8, 8, 8, 8, 6], 1.0]]
BAD_WORDS = [[3], [1, 2], [5, 1, 6], [7], [10, 1, 4]]
PROCESSORS: list[tuple[str, list[dict[str, Any]]]] = [
    ("RepetitionPenaltyLogitsProcessor", [{"penalty": 1.3}, {"penalty": 0.5}, {"penalty": 2.0, "prompt_ignore_length": 3}]),
    ("EncoderRepetitionPenaltyLogitsProcessor", [{"penalty": 1.3, "encoder_input_ids": ENCODER}]),
    ("NoRepeatNGramLogitsProcessor", [{"ngram_size": size} for size in (1, 2, 3, 6)]),
    ("EncoderNoRepeatNGramLogitsProcessor", [{"encoder_ngram_size": size, "encoder_input_ids": ENCODER} for size in (1, 2, 3, 6)]),
    ("SequenceBiasLogitsProcessor", [{"sequence_bias": BIASES}]),
    ("NoBadWordsLogitsProcessor", [{"bad_words_ids": BAD_WORDS, "eos_token_id": [7, 8]}]),
    ("MinLengthLogitsProcessor", [{"min_length": 5, "eos_token_id": [2, 99]}, {"min_length": 1, "eos_token_id": [2]}]),
    (
        "MinNewTokensLengthLogitsProcessor",
        [{"prompt_length_to_skip": 3, "min_new_tokens": tokens, "eos_token_id": [2, 4]} for tokens in (1, 3)],
    ),
    ("ForcedBOSTokenLogitsProcessor", [{"bos_token_id": 6}]),
    ("ForcedEOSTokenLogitsProcessor", [{"max_length": length, "eos_token_id": [2, 4]} for length in (2, 6, 9)]),
    (
        "ExponentialDecayLengthPenalty",
        [
            {"exponential_decay_length_penalty": [start, factor], "eos_token_id": [1, 3, 1], "input_ids_seq_length": 2}
            for start, factor in ((1, 1.1), (2, 1.5), (-3, 0.9))
        ],
    ),
    ("SuppressTokensLogitsProcessor", [{"suppress_tokens": [0, 3, 99]}]),
    ("SuppressTokensAtBeginLogitsProcessor", [{"begin_suppress_tokens": [0, 3], "begin_index": index} for index in (1, 5)]),
]
HISTORIES = [[4], [5, 1], [4, 2, 5, 1, 4], [10, 1, 10, 1, 2, 4, 2, 7], [9, 9, 9, 9, 9]]


def construct(name: str, arguments: dict[str, Any]) -> logits_process.LogitsProcessor:
    arguments = dict(arguments)
    if "encoder_input_ids" in arguments:
        arguments["encoder_input_ids"] = torch.tensor(arguments["encoder_input_ids"])
    return getattr(logits_process, name)(**arguments)


def case(name: str, arguments: dict[str, Any], tokens: list[int], scores: list[float]) -> dict[str, Any]:
    processor = construct(name, arguments)
    expected = processor(torch.tensor([tokens]), torch.tensor([scores], dtype=torch.float32))[0]
    return {
        "class": name,
        "arguments": arguments,
        "tokens": tokens,
        "scores": [written(score) for score in scores],
        "expected": [written(score) for score in expected],
    }


def single() -> list[dict[str, Any]]:
    random = np.random.default_rng(4562)
    cases = []
    for name, settings in WARPERS:
        for arguments in settings:
            for at, shape in enumerate(SHAPES.values()):
                cases.append(case(name, arguments, [1], shape(random, (12, 40, 17, 20, 16)[at])))
    for name, settings in PROCESSORS:
        for arguments in settings:
            for at, tokens in enumerate(HISTORIES):
                shape = (spread, tied)[at % 2]
                cases.append(case(name, arguments, tokens, shape(random, 12)))
    invalid = [1.5, float("nan"), INFINITY, -INFINITY, -2.0, 0.0]
    cases.append(case("InfNanRemoveLogitsProcessor", {}, [1], invalid))
    return cases


def diversity() -> list[dict[str, Any]]:
    """Three groups of two beams; the third one's turn."""
    random = np.random.default_rng(11)
    cases = []
    for tokens in ([3, 5, 7, 1], [3, 3, 3, 1], [2, 0, 0, 2]):
        processor = logits_process.HammingDiversityLogitsProcessor(0.7, num_beams=6, num_beam_groups=3)
        scores = spread(random, 12)
        both = torch.tensor([scores, scores])
        current = torch.tensor([*tokens, 9, 9])
        expected = processor(torch.tensor([[1], [1]]), both, current, beam_group_idx=2)[0]
        cases.append({"current_tokens": tokens, "scores": scores, "expected": [written(score) for score in expected]})
    return cases


def allowed() -> list[dict[str, Any]]:
    random = np.random.default_rng(12)
    cases = []
    for tokens in ([3, 5, 5], [0], [11, 2]):
        processor = logits_process.PrefixConstrainedLogitsProcessor(lambda _batch, _tokens: tokens, num_beams=1)
        scores = spread(random, 12)
        expected = processor(torch.tensor([[1]]), torch.tensor([scores]))[0]
        cases.append({"allowed": tokens, "scores": scores, "expected": [written(score) for score in expected]})
    return cases


def lines(sections: dict[str, Any]) -> str:
    """JSON with a line for each case."""
    parts = []
    for name, section in sections.items():
        if isinstance(section, list):
            rows = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in section)
            parts.append(f"{json.dumps(name)}: [\n{rows}\n]")
        else:
            parts.append(f"{json.dumps(name)}: {json.dumps(section, ensure_ascii=False, separators=(',', ':'))}")
    return "{" + ",\n".join(parts) + "}\n"


def main() -> None:
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    torch.sort = functools.partial(torch.sort, stable=True)
    torch.argsort = functools.partial(torch.argsort, stable=True)
    sections = {
        "transformers": transformers.__version__,
        "processors": single(),
        "diversity": diversity(),
        "allowed": allowed(),
        "lists": lists(),
        **stop_strings(),
        "merges": merges(),
        "failures": failures(),
    }
    (HERE / "processors.json").write_text(lines(sections), encoding="utf-8")


if __name__ == "__main__":
    main()
