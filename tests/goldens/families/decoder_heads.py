"""What language models do beside generation: a checkpoint for every task."""

from __future__ import annotations

from typing import Any

import cases as C
from families import falcon, gemma, gpt2, gpt_neo, gptj, llama, mistral, opt, phi, qwen, stablelm, starcoder2
from table import BIO, NLI, QUESTIONS, TEXTS, TOKENS, ZERO_SHOT, decoder, pick

LABELS = ["negative", "neutral", "positive"]
LONG: dict[str, Any] = dict(max_position_embeddings=400)
# With a few cases each: the config, what makes the tokenizer, and the tasks beside text-classification and zero-shot
# that there are classes for.
BRIEF: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = {
    "bloom": (opt.BLOOM_CONFIG, opt.BLOOM_SHARED, (QUESTIONS, TOKENS)),
    "falcon": (falcon.FALCON, falcon.SHARED, (QUESTIONS, TOKENS)),
    "gpt-neo": ({**gpt_neo.NEO, **LONG}, gpt_neo.SHARED, (QUESTIONS, TOKENS)),
    "gpt-neox": (gpt_neo.NEOX, gpt_neo.NEOX_SHARED, (QUESTIONS, TOKENS)),
    "gptj": ({**gptj.GPTJ, "n_positions": 400}, gptj.SHARED, (QUESTIONS,)),
    "opt": ({**opt.OPT, **LONG, "word_embed_proj_dim": 14}, opt.SHARED, (QUESTIONS,)),
    "phi": (phi.PHI, phi.PHI_SHARED, (TOKENS,)),
    "stablelm": (stablelm.STABLE, stablelm.SHARED, (TOKENS,)),
}
EXPERTS: dict[str, Any] = {"num_hidden_layers": 2, "num_local_experts": 4, "num_experts_per_tok": 2}
LLAMA: dict[str, Any] = {**llama.SHARED, "tokenizer": {"legacy": False, "pad_token": "<unk>"}}
MISTRAL: dict[str, Any] = {**mistral.SHARED, "tokenizer": mistral.PADDING}
# With the short cases of each task: the tasks, the config, and what makes the tokenizer.
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

for name, (config, shared, tasks) in BRIEF.items():
    model_type = shared["model_type"]
    decoder(
        f"{name}-sentiment",
        TEXTS,
        pick(C.short_text_cases(model_type), "default", "top_k_null", "pairs"),
        config=config,
        labels=LABELS,
        **shared,
    )
    decoder(
        f"{name}-zero-shot", ZERO_SHOT, pick(C.short_zero_shot_cases(), "default"), config=config, labels=NLI, **shared
    )
    if QUESTIONS in tasks:
        cases = pick(C.short_question_cases(), "default", "top_k_3")
        decoder(f"{name}-questions", QUESTIONS, cases, config=config, **shared)
    if TOKENS in tasks:
        cases = pick(C.short_token_cases(model_type), "all_labels", "simple")
        decoder(f"{name}-ner", TOKENS, cases, config=config, labels=BIO, **shared)

for family, (tasks, config, shared) in FAMILIES.items():
    line: dict[str, Any] = {**shared, "model_type": family, "config": config}
    if QUESTIONS in tasks:
        decoder(f"{family}-questions", QUESTIONS, C.short_question_cases(), **line)
    if TEXTS in tasks:
        decoder(f"{family}-sentiment", TEXTS, [*C.short_text_cases(family), C.PADDED_TEXTS], labels=LABELS, **line)
    if TOKENS in tasks:
        decoder(f"{family}-ner", TOKENS, C.short_token_cases(family), labels=BIO, **line)
    if ZERO_SHOT in tasks:
        decoder(f"{family}-zero-shot", ZERO_SHOT, C.short_zero_shot_cases(), labels=NLI, **line)
