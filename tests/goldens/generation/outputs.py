"""Makes outputs.json: the scores and logits that `generate()` returns for some of the tiny checkpoints.

    python outputs.py

Those of a sequence are of the rows that its tokens came from: of beams, by `beam_indices`. What is forbidden is null.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = Path(__file__).resolve().parent
CHECKPOINTS = ["gpt2-generation", "llama-generation"]
PROMPT = "The quick brown fox"
CALLS: list[dict[str, Any]] = [
    {"do_sample": False, "max_new_tokens": 3, "repetition_penalty": 1.3},
    {"do_sample": False, "num_beams": 3, "num_return_sequences": 2, "max_new_tokens": 3},
    {"do_sample": True, "temperature": 0.7, "top_k": 20, "top_p": 0.9, "max_new_tokens": 1},
]


def written(row: torch.Tensor) -> list[float | None]:
    return [float(f"{value:.6g}") if value > -1e30 else None for value in row.tolist()]


def answer(checkpoint: str, call: dict[str, Any]) -> dict[str, Any]:
    folder = HERE.parent / "models" / checkpoint
    model = AutoModelForCausalLM.from_pretrained(folder, torch_dtype=torch.float32).eval()
    ids = AutoTokenizer.from_pretrained(folder)(PROMPT, return_tensors="pt").input_ids
    output = model.generate(ids, **call, return_dict_in_generate=True, output_scores=True, output_logits=True)
    sequences = []
    for place, tokens in enumerate(output.sequences[:, ids.shape[1] :].tolist()):
        beams = output.beam_indices[place].tolist() if "beam_indices" in output else None
        rows = beams or [place] * len(tokens)
        sequence: dict[str, Any] = {
            name: [written(output[name][step][rows[step]]) for step in range(len(tokens))] for name in ("scores", "logits")
        }
        if beams:
            sequence |= {"beam_indices": beams, "score": output.sequences_scores[place].item()}
        # Drawn tokens are any.
        sequences.append({**sequence, **({} if call["do_sample"] else {"tokens": tokens})})
    return {"model": checkpoint, "prompt": PROMPT, "parameters": call, "sequences": sequences}


def main() -> None:
    torch.set_num_threads(1)
    with torch.no_grad():
        done = [answer(checkpoint, call) for checkpoint in CHECKPOINTS for call in CALLS]
    lines = ",\n".join(json.dumps(case, sort_keys=True, separators=(",", ":")) for case in done)
    (HERE / "outputs.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
