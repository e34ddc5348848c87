"""Features as transformers 4.56.2 makes them, for tests/features.rs.

    OMP_NUM_THREADS=1 python features.py    # with torch, numpy and transformers 4.56.2, without torchaudio

The sounds are made of whole numbers, so that both sides have the same samples without a file. Of large results
every so manieth value is kept, and the mean of all. `noise` is how far torch is from the exact features.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
from transformers import AutoFeatureExtractor
from transformers.models.whisper import feature_extraction_whisper
from transformers.utils import is_speech_available

KEPT = 600


def sound(kind, length):
    """Samples of f32; `sound` of features.rs makes the same."""
    n = np.arange(length, dtype=np.int64)
    if kind == "constant":
        return np.full(length, 3277 / 32768, dtype=np.float32)
    if kind == "silence":
        return np.zeros(length, dtype=np.float32)
    noise, state = np.empty(length, dtype=np.int64), 1
    for index in range(length):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        noise[index] = (state >> 16) - 16384
    tone = (np.abs(n * 7 % 200 - 100) - 50) * 200
    overtone = (np.abs(n * 31 % 64 - 32) - 16) * 150
    envelope = np.abs(n % 8000 - 4000)
    values = (tone + overtone) * envelope // 4000 + noise * (n // 3000 % 4) // 64
    if kind == "hum":
        values = values // 64 + 9000
    return (values / 32768).astype(np.float32)


W2V = "Wav2Vec2FeatureExtractor"
WHISPER = "WhisperFeatureExtractor"
AST = "ASTFeatureExtractor"
ODD_WHISPER = {
    "feature_extractor_type": WHISPER,
    "feature_size": 23,
    "sampling_rate": 8000,
    "hop_length": 90,
    "chunk_length": 2,
    "n_fft": 350,
    "padding_value": 0.01,
    "padding_side": "left",
}
PREPROCESSOR = "preprocessor_config.json"

# (name, files, kind of sound, samples, whole)
CASES = [
    ("wav2vec2", {PREPROCESSOR: {"feature_extractor_type": W2V, "sampling_rate": 16000}}, "speech", 20011, False),
    (
        "wav2vec2 as it is",
        {PREPROCESSOR: {"feature_extractor_type": W2V, "do_normalize": False, "sampling_rate": 22050}},
        "speech",
        4000,
        False,
    ),
    ("wav2vec2 of a constant", {PREPROCESSOR: {"feature_extractor_type": W2V}}, "constant", 1003, False),
    ("wav2vec2 of a hum", {PREPROCESSOR: {"feature_extractor_type": W2V}}, "hum", 70001, False),
    ("wav2vec2 of silence", {PREPROCESSOR: {"feature_extractor_type": W2V}}, "silence", 500, False),
    ("wav2vec2 of five samples", {PREPROCESSOR: {"feature_extractor_type": W2V}}, "speech", 5, False),
    (
        "wav2vec2 by model type",
        {PREPROCESSOR: {"do_normalize": True}, "config.json": {"model_type": "wavlm"}},
        "speech",
        3000,
        False,
    ),
    ("whisper", {PREPROCESSOR: {"feature_extractor_type": WHISPER}}, "speech", 100003, False),
    (
        "whisper of 128 bands, cut",
        {PREPROCESSOR: {"feature_extractor_type": WHISPER, "feature_size": 128}},
        "speech",
        481000,
        False,
    ),
    ("whisper of silence", {PREPROCESSOR: {"feature_extractor_type": WHISPER}}, "silence", 16000, False),
    ("whisper of nothing", {PREPROCESSOR: {"feature_extractor_type": WHISPER}}, "silence", 0, False),
    ("whisper with odd settings", {PREPROCESSOR: ODD_WHISPER}, "speech", 9001, False),
    ("whisper with odd settings, whole", {PREPROCESSOR: ODD_WHISPER}, "speech", 40003, True),
    (
        "whisper in processor_config.json, whole",
        {"processor_config.json": {"feature_extractor": {"feature_extractor_type": WHISPER, "chunk_length": 1}}},
        "speech",
        30001,
        True,
    ),
    ("ast", {PREPROCESSOR: {"feature_extractor_type": AST}}, "speech", 50003, False),
    (
        "ast with odd settings, cut",
        {
            PREPROCESSOR: {
                "feature_extractor_type": AST,
                "num_mel_bins": 41,
                "max_length": 77,
                "mean": -3.1,
                "std": 2.7,
            }
        },
        "speech",
        20000,
        False,
    ),
    (
        "ast at 8 kHz, not normalised",
        {
            PREPROCESSOR: {
                "feature_extractor_type": AST,
                "num_mel_bins": 30,
                "max_length": 60,
                "do_normalize": False,
                "sampling_rate": 8000,
            }
        },
        "hum",
        8000,
        False,
    ),
    ("ast of silence", {PREPROCESSOR: {"feature_extractor_type": AST, "max_length": 9}}, "silence", 1000, False),
    ("ast of 300 samples", {PREPROCESSOR: {"feature_extractor_type": AST, "max_length": 9}}, "speech", 300, False),
]


def features(files, samples, whole):
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            Path(folder, name).write_text(json.dumps(content))
        extractor = AutoFeatureExtractor.from_pretrained(folder)
    options = {"truncation": False, "padding": "longest"} if whole else {}
    result = extractor(samples, sampling_rate=extractor.sampling_rate, return_tensors="np", **options)
    return extractor.sampling_rate, result[extractor.model_input_names[0]][0].astype(np.float32)


def noise_of_f32(files, samples, whole, values):
    """How far torch's features, in f32, are from those that transformers makes in f64 where there is no torch."""
    with_torch = feature_extraction_whisper.is_torch_available
    feature_extraction_whisper.is_torch_available = lambda: False
    try:
        _, exact = features(files, samples, whole)
    finally:
        feature_extraction_whisper.is_torch_available = with_torch
    return float(np.abs(values - exact).max())


def main():
    assert not is_speech_available(), "the goldens are those of an environment without torchaudio"
    cases = []
    for name, files, kind, length, whole in CASES:
        samples = sound(kind, length)
        sampling_rate, values = features(files, samples, whole)
        flat = values.reshape(-1)
        every = max(1, len(flat) // KEPT) | 1
        case = {
            "name": name,
            "files": files,
            "sound": kind,
            "samples": length,
            "whole": whole,
            "sampling_rate": sampling_rate,
            "shape": list(values.shape),
            "mean": float(flat.astype(np.float64).mean()),
            "noise": noise_of_f32(files, samples, whole, values) if WHISPER in json.dumps(files) else 0.0,
            "every": every,
            "values": [float(f"{value:.8g}") for value in flat[::every]],
        }
        cases.append(case)
    lines = ",\n".join(json.dumps(case) for case in cases)
    Path(__file__).with_name("features.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
