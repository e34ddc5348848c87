"""What language models do beside generation: the heads of the families whose files have none of them."""

from __future__ import annotations

from typing import Any

import cases as C
from families import gemma, gpt2, llama, mistral, phi, qwen, stablelm, starcoder2
from table import BIO, NLI, QUESTIONS, TEXTS, TOKENS, ZERO_SHOT, decoder

EXPERTS: dict[str, Any] = {"num_hidden_layers": 2, "num_local_experts": 4, "num_experts_per_tok": 2}
LLAMA: dict[str, Any] = {**llama.SHARED, "tokenizer": {"legacy": False, "pad_token": "<unk>"}}
MISTRAL: dict[str, Any] = {**mistral.SHARED, "tokenizer": mistral.PADDING}
FAMILIES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "gemma": (f"{TEXTS} {TOKENS} {ZERO_SHOT}", gemma.GEMMA, gemma.SHARED),
    "gemma2": (f"{TEXTS} {TOKENS} {ZERO_SHOT}", {**gemma.GEMMA_2, "attn_logit_softcapping": 1.5}, gemma.SHARED),
    "gpt2": (f"{QUESTIONS} {ZERO_SHOT}", {**gpt2.GPT2, "n_positions": 300}, gpt2.SHARED),
    "llama": (f"{QUESTIONS} {ZERO_SHOT}", llama.LLAMA, LLAMA),
    "mistral": (f"{QUESTIONS} {TEXTS} {TOKENS} {ZERO_SHOT}", {**mistral.MISTRAL, "sliding_window": 6}, MISTRAL),
    "mixtral": (f"{QUESTIONS} {TEXTS} {TOKENS} {ZERO_SHOT}", {**mistral.MISTRAL, **EXPERTS}, MISTRAL),
    "phi3": (f"{TEXTS} {TOKENS} {ZERO_SHOT}", phi.PHI_3, phi.PHI_3_SHARED),
    "qwen2": (f"{QUESTIONS} {ZERO_SHOT}", qwen.QWEN, qwen.SHARED),
    "qwen3": (f"{QUESTIONS} {ZERO_SHOT}", {**qwen.QWEN, "head_dim": 6}, qwen.SHARED),
    "smollm3": (f"{QUESTIONS} {TEXTS} {TOKENS} {ZERO_SHOT}", stablelm.SMOL, stablelm.SMOL_SHARED),
    "starcoder2": (f"{TEXTS} {TOKENS} {ZERO_SHOT}", starcoder2.STARCODER, starcoder2.SHARED),
}

for family, (tasks, config, shared) in FAMILIES.items():
    line: dict[str, Any] = {**shared, "model_type": family, "config": config}
    if QUESTIONS in tasks:
        decoder(f"{family}-questions", QUESTIONS, C.short_question_cases(), **line)
    if TEXTS in tasks:
        labels = ["negative", "neutral", "positive"]
        decoder(f"{family}-sentiment", TEXTS, [*C.short_text_cases(family), C.PADDED_TEXTS], labels=labels, **line)
    if TOKENS in tasks:
        decoder(f"{family}-ner", TOKENS, C.short_token_cases(family), labels=BIO, **line)
    if ZERO_SHOT in tasks:
        decoder(f"{family}-zero-shot", ZERO_SHOT, C.short_zero_shot_cases(), labels=NLI, **line)
