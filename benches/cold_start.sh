#!/usr/bin/env bash
# Process start to printed answer, and peak memory: burnpipe and Python in turn, on the bundled model.
# usage: benches/cold_start.sh [RUNS]   (BURNPIPE_PYTHON: a Python with transformers 4.56.2 and torch)
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-5}
python=${BURNPIPE_PYTHON:-python3}
target=${CARGO_TARGET_DIR:-target}
text="My name is Sarah Connor, I live at 42 Oak Street in Los Angeles, call me at 415-555-0132 or sarah.connor@example.com."

cargo build --release
script=$(mktemp)
trap 'rm -f "$script" "$script.time"' EXIT
cat >"$script" <<'PYTHON'
import sys
import torch
from transformers import pipeline
ner = pipeline("ner", model="models/rampart-bert-pii", aggregation_strategy="simple", dtype=torch.float32)
print(ner(sys.argv[1]))
PYTHON

measure() {
  local name=$1
  shift
  HF_HUB_OFFLINE=1 /usr/bin/time -f "%e %M" -o "$script.time" "$@" >/dev/null 2>&1
  awk -v name="$name" '{ printf "%-9s %6.2f s %7.0f MB\n", name, $1, $2 / 1024 }' "$script.time"
}

for _ in $(seq "$runs"); do
  measure burnpipe "$target/release/burnpipe" run ner --model bundled --params '{"aggregation_strategy": "simple"}' "$text"
  measure python "$python" "$script" "$text"
done
