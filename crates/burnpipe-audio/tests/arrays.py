"""What torchaudio's `resample` makes of arrays, for tests/arrays.rs.

    OMP_NUM_THREADS=1 python arrays.py    # with torch 2.8, torchaudio 2.8 and transformers 4.56.2 (for features.py)
"""

import json
from pathlib import Path

import torch
from torchaudio import functional

from features import sound

RESAMPLED = [(8000, 16000, 1001), (44100, 16000, 4410), (48000, 16000, 3000), (22050, 16000, 2000), (16000, 8000, 777)]
RESAMPLED += [(11025, 16000, 20), (16000, 22050, 400), (16000, 16000, 50), (96000, 16000, 1), (8000, 44100, 300)]


def main():
    resampled = [
        {
            "from": source,
            "to": target,
            "length": length,
            "samples": [
                float(f"{value:.9g}")
                for value in functional.resample(torch.from_numpy(sound("speech", length)), source, target).tolist()[::7]
            ],
            "resampled_length": len(functional.resample(torch.zeros(length), source, target)),
        }
        for source, target, length in RESAMPLED
    ]
    rows = ",\n".join(json.dumps(row) for row in resampled)
    Path(__file__).with_name("arrays.json").write_text(f"[\n{rows}\n]\n")


if __name__ == "__main__":
    main()
