"""What reads texts with the decoders that are otherwise there for text-generation: a checkpoint for every task."""

from __future__ import annotations

from typing import Any

import cases as C
from families import falcon, gpt_neo, gptj, opt, phi, stablelm
from table import BIO, NLI, QUESTIONS, TEXTS, TOKENS, ZERO_SHOT, decoder, pick

LONG: dict[str, Any] = dict(max_position_embeddings=400)
# The config, what makes the tokenizer, and the tasks beside text-classification and zero-shot that there are classes for.
FAMILIES: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = {
    "bloom": (opt.BLOOM_CONFIG, opt.BLOOM_SHARED, (QUESTIONS, TOKENS)),
    "falcon": (falcon.FALCON, falcon.SHARED, (QUESTIONS, TOKENS)),
    "gpt-neo": ({**gpt_neo.NEO, **LONG}, gpt_neo.SHARED, (QUESTIONS, TOKENS)),
    "gpt-neox": (gpt_neo.NEOX, gpt_neo.NEOX_SHARED, (QUESTIONS, TOKENS)),
    "gptj": ({**gptj.GPTJ, "n_positions": 400}, gptj.SHARED, (QUESTIONS,)),
    "opt": ({**opt.OPT, **LONG, "word_embed_proj_dim": 14}, opt.SHARED, (QUESTIONS,)),
    "phi": (phi.PHI, phi.PHI_SHARED, (TOKENS,)),
    "stablelm": (stablelm.STABLE, stablelm.SHARED, (TOKENS,)),
}

for name, (config, shared, tasks) in FAMILIES.items():
    model_type = shared["model_type"]
    decoder(
        f"{name}-sentiment",
        TEXTS,
        pick(C.short_text_cases(model_type), "default", "top_k_null", "pairs"),
        config=config,
        labels=["negative", "neutral", "positive"],
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
