"""Makes contrastive.json: what contrastive search of transformers 4.55.4 answers for the toy model of searches.py.

    pip download --no-deps transformers==4.55.4 && unzip transformers-4.55.4-*.whl -d old
    PYTHONPATH=old python contrastive.py

It is the last version that has the method: 4.56.2 loads it from the Hub (`transformers-community/contrastive-search`),
which is the same code.
"""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path

import torch
import transformers

from searches import Toy, contrastive_cases, run, tables

HERE = Path(__file__).resolve().parent


def main() -> None:
    assert transformers.__version__ == "4.55.4", transformers.__version__
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    model_tables = tables(7)
    model, assistant = Toy(model_tables).eval(), Toy(tables(8, like=model_tables)).eval()
    with torch.no_grad():
        done = [run(case, model, assistant) for case in contrastive_cases()]
    lines = ",\n".join(json.dumps(case, sort_keys=True, separators=(",", ":")) for case in done)
    (HERE / "contrastive.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
