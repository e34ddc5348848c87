"""Makes whisper.json: what WhisperTimeStampLogitsProcessor makes of scores.

    python whisper.py               # two runs give the same bytes
"""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import torch
from transformers import GenerationConfig
from transformers.generation.logits_process import WhisperTimeStampLogitsProcessor

from processors import HERE, SHAPES, written

# 12 tokens of text, the end of one, two marks, then times.
EOS, NO_TIMESTAMPS, VOCABULARY = 12, 14, 24
START = [13, 11]
HISTORIES = [
    [],
    [15],
    [3],
    [15, 3],
    [15, 3, 18],
    [15, 3, 18, 18],
    [16, 3, 18, 18, 4, 5],
    [15, 3, 18, 12],
    [15, 23],
    [3, 23],
    [3, 4, 20, 20],
    [13, 14, 15],
]


def cases() -> list[dict[str, Any]]:
    random = np.random.default_rng(22)
    made = []
    for latest, new, shape in itertools.product((None, 0, 3), HISTORIES, SHAPES.values()):
        if latest is not None and new:
            continue
        config = GenerationConfig(eos_token_id=EOS, no_timestamps_token_id=NO_TIMESTAMPS, max_initial_timestamp_index=latest)
        processor = WhisperTimeStampLogitsProcessor(config, begin_index=len(START))
        scores = shape(random, VOCABULARY)
        tokens = START + new
        expected = processor(torch.tensor([tokens]), torch.tensor([scores], dtype=torch.float32))[0]
        made.append(
            {
                "no_timestamps_token_id": NO_TIMESTAMPS,
                "eos_token_id": EOS,
                "begin_index": len(START),
                "max_initial_timestamp_index": latest,
                "tokens": tokens,
                "scores": [written(score) for score in scores],
                "expected": [written(score) for score in expected],
            }
        )
    return made


def main() -> None:
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases())
    (HERE / "whisper.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
