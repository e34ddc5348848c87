"""The processors that `_get_logits_processor` makes for settings, and what they make of scores together."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from transformers import GenerationConfig, GPT2Config, GPT2LMHeadModel
from transformers.generation import LogitsProcessorList

VOCABULARY = 24
SAMPLE = {"do_sample": True, "eos_token_id": 2}
ALL_WARPERS = {
    **SAMPLE, "temperature": 0.8, "top_k": 12, "top_p": 0.9, "min_p": 0.02,
    "typical_p": 0.95, "epsilon_cutoff": 0.01, "eta_cutoff": 0.01,
}  # fmt: skip
PENALTIES = {
    "encoder_repetition_penalty": 1.2, "repetition_penalty": 1.3, "no_repeat_ngram_size": 2,
    "encoder_no_repeat_ngram_size": 3, "sequence_bias": [[[4], 1.0], [[3, 5], -2.0]], "bad_words_ids": [[6], [5, 7]],
}  # fmt: skip
LENGTHS = {
    "min_length": 8, "min_new_tokens": 4, "forced_bos_token_id": 5, "forced_eos_token_id": 2, "max_length": 9,
    "exponential_decay_length_penalty": [3, 1.2], "suppress_tokens": [9], "begin_suppress_tokens": [10, 11],
}  # fmt: skip
SETTINGS: list[tuple[dict[str, Any], list[int], list[int]]] = [
    # Settings, prompt, new tokens.
    ({}, [1, 3], [4]),
    (SAMPLE, [1, 3], [4]),
    (ALL_WARPERS, [1, 3], [4]),
    ({**ALL_WARPERS, "do_sample": False}, [1, 3], [4]),
    ({**ALL_WARPERS, "num_beams": 3}, [1, 3], [4]),
    ({**ALL_WARPERS, "num_beams": 3, "eos_token_id": [2, 3, 4, 5, 6]}, [1, 3], [4]),
    ({**SAMPLE, "num_beams": 3, "eos_token_id": None, "top_k": 1}, [1, 3], [4]),
    ({**SAMPLE, "top_k": 0, "top_p": 0.5, "renormalize_logits": True}, [1, 3], [4]),
    ({**SAMPLE, "top_k": None, "top_p": None, "temperature": 1.0, "epsilon_cutoff": 0.0, "typical_p": None}, [1], []),
    (PENALTIES, [1, 3, 5, 1], [3, 5, 3]),
    ({**PENALTIES, **LENGTHS, "eos_token_id": [2, 13]}, [1, 3, 5, 1], [3, 5]),
    ({**PENALTIES, **LENGTHS, "eos_token_id": 2}, [1], []),
    ({**LENGTHS, "eos_token_id": 2}, [1], [5]),
    ({**LENGTHS, "eos_token_id": 2, "forced_bos_token_id": None}, [1], []),
    ({**LENGTHS, "eos_token_id": 2, "min_length": 0}, [1, 2, 3, 4], [8, 8, 7, 7]),
    ({**PENALTIES, **LENGTHS, **ALL_WARPERS, "remove_invalid_values": True, "renormalize_logits": True}, [1, 3], [4]),
    ({**PENALTIES, "num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5, "eos_token_id": 2}, [1, 3], [4]),
    ({"min_length": 5, "min_new_tokens": 3}, [1, 3], [4]),
]


def tiny() -> GPT2LMHeadModel:
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=VOCABULARY, n_positions=64, n_embd=8, n_layer=1, n_head=1, bos_token_id=0, eos_token_id=0)
    return GPT2LMHeadModel(config).eval()


def lists() -> list[dict[str, Any]]:
    from processors import written

    model = tiny()
    random = np.random.default_rng(33)
    cases = []
    for settings, prompt, new in SETTINGS:
        config = GenerationConfig(**settings)
        model._prepare_special_tokens(config, device="cpu")
        processors = model._get_logits_processor(config, len(prompt), torch.tensor([prompt]), None, None, "cpu")
        names = [type(processor).__name__ for processor in processors]
        alone = LogitsProcessorList(p for p in processors if type(p).__name__ != "HammingDiversityLogitsProcessor")
        scores = [round(float(score), 3) for score in random.normal(0, 2, VOCABULARY)]
        expected = alone(torch.tensor([prompt + new]), torch.tensor([scores]))[0]
        cases.append(
            {
                "settings": settings,
                "prompt": prompt,
                "new": new,
                "classes": names,
                "scores": scores,
                "expected": [written(score) for score in expected],
            }
        )
    return cases
