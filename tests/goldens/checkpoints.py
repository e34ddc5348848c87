"""The table of checkpoints. Config values are odd on purpose: a default that is hard-coded elsewhere must fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

import cases as C
from cases import Case
import weights as W

TOKENS, TEXTS, FEATURES = "token-classification", "text-classification", "feature-extraction"


@dataclass
class Checkpoint:
    name: str
    model_type: str
    task: str
    cases: list[Case]
    config: dict[str, Any] = field(default_factory=dict)
    tokenizer: dict[str, Any] = field(default_factory=dict)  # options of the builder in tokenizer_files.py
    labels: list[str] | None = None
    head: str | None = None  # another head than the task's, e.g. "MaskedLM"
    seed: int = 0
    std: float = 0.25
    head_std: float = 0.4
    rewrite: list[Callable[[Path], None]] = field(default_factory=list)  # run on the finished folder
    same_as: str | None = None  # a checkpoint whose answers must be these

    @property
    def case_path(self) -> str:
        return f"cases/{self.task}/{self.name}.json"


BIO = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]
MIXED_LABELS = ["Größe", "O", "PER", "地名", "B-", "I-X-Y", "b-per"]

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

CHECKPOINTS: list[Checkpoint] = []


def add(name: str, task: str, cases: list[Case], **fields: Any) -> None:
    model_type = next(t for t in ("xlm-roberta", "distilbert", "roberta", "bert") if name.startswith(t))
    CHECKPOINTS.append(
        Checkpoint(name, model_type, task, cases, seed=fields.pop("seed", len(CHECKPOINTS) + 1), **fields)
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
    C.text_cases("bert"),
    config={**BERT, "hidden_act": "silu", "type_vocab_size": 3},
    labels=["NEGATIVE", "POSITIVE", "NEUTRAL"],
    tokenizer={"model_max_length": 40},
)
