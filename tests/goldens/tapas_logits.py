"""Makes tapas_logits.json: what the models of tapas give before answers are made of it.

    python tapas_logits.py

Answers are cells and names, so that a small error of the model may not show in them; logits show it. With
`select_one_column: false` Python's pipeline raises, and its model gives logits only when it is given labels.
"""

from __future__ import annotations

import json
import logging
import os
import warnings
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import pandas as pd
import torch
from transformers import TapasConfig, TapasForQuestionAnswering, TapasTokenizer

from families.tapas import ACTORS, CITIES, LONG, MATCHES

HERE = Path(__file__).resolve().parent
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("tapas-wtq", {}),
    ("tapas-sqa", {}),
    ("tapas-wikisql-options", {}),
    ("tapas-no-labels", {}),
    ("tapas-sqa", {"select_one_column": False, "average_logits_per_cell": False}),
    ("tapas-sqa", {"select_one_column": False, "average_logits_per_cell": True, "max_num_rows": 4}),
]
ASKED: list[tuple[Any, str]] = [
    (ACTORS, "who is older than 50?"),
    (CITIES, "Which city has more than 1,000,000 people?"),
    (MATCHES, "What was the score before July 2000?"),
    (LONG, "who won in 1998, 2001 and 1963?"),
]


def rounded(values: torch.Tensor) -> list[float]:
    return [float(f"{value:.7g}") for value in values.tolist()]


def rows(checkpoint: str, changes: dict[str, Any]) -> list[dict[str, Any]]:
    folder = HERE / "models" / checkpoint
    config = TapasConfig.from_pretrained(folder, **changes)
    model = TapasForQuestionAnswering.from_pretrained(folder, config=config).eval()
    tokenizer = TapasTokenizer.from_pretrained(folder)
    out = []
    for table, question in ASKED:
        batch = tokenizer(pd.DataFrame(table), question, truncation="drop_rows_to_fit", return_tensors="pt")
        labels = {} if config.select_one_column else {"labels": torch.zeros(batch["input_ids"].shape)}
        with torch.no_grad():
            output = model(**batch, **labels)
        aggregation = output.logits_aggregation
        out.append(
            {
                "input_ids": batch["input_ids"][0].tolist(),
                "type_ids": ["".join(chr(48 + id) for id in ids) for ids in batch["token_type_ids"][0].T.tolist()],
                "logits": rounded(output.logits[0]),
                "aggregation": [] if aggregation is None else rounded(aggregation[0]),
            }
        )
    return out


def main() -> None:
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    lines = []
    for checkpoint, changes in VARIANTS:
        line = {"checkpoint": checkpoint, "config": changes, "rows": rows(checkpoint, changes)}
        lines.append(json.dumps(line, ensure_ascii=False, sort_keys=True, separators=(",", ":")))
    (HERE / "tapas_logits.json").write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
