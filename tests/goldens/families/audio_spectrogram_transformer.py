"""Audio spectrogram transformer: labels of a sound."""

from __future__ import annotations

from typing import Any, Callable

from transformers import ASTFeatureExtractor

import sound_cases as C
import tokenizer_variants as V
from table import AUDIO, add

MODEL_TYPE = "audio-spectrogram-transformer"
LABELS = ["Speech", "Music", "Größe", "鳥", "Siren, alarm"]


def extractor(**options: Any) -> Callable[[], ASTFeatureExtractor]:
    return lambda: ASTFeatureExtractor(**options)


SMALL: dict[str, Any] = dict(
    hidden_size=20,
    num_hidden_layers=2,
    num_attention_heads=5,
    intermediate_size=26,
    hidden_act="gelu_new",
    layer_norm_eps=1e-3,
    patch_size=7,
    frequency_stride=6,
    time_stride=9,
    max_length=90,
    num_mel_bins=26,
)

add(
    "ast-sounds",
    AUDIO,
    C.classification_cases(),
    model_type=MODEL_TYPE,
    config=SMALL,
    labels=LABELS,
    processor=extractor(num_mel_bins=26, max_length=90, mean=-5.2, std=3.1),
)
add(
    "ast-sounds-no-bias",
    AUDIO,
    C.short_classification_cases(),
    model_type=MODEL_TYPE,
    config={**SMALL, "qkv_bias": False, "num_hidden_layers": 1, "time_stride": 7, "frequency_stride": 7, "patch_size": 5},
    labels=LABELS[:2],
    processor=extractor(num_mel_bins=26, max_length=90, do_normalize=False),
    rewrite=[V.set_config(label2id=None)],
)
add(
    "ast-sounds-short-config",
    AUDIO,
    C.short_classification_cases(),
    model_type=MODEL_TYPE,
    config={**SMALL, "layer_norm_eps": 1e-12, "hidden_act": "gelu", "patch_size": 16, "frequency_stride": 10, "time_stride": 10},
    labels=LABELS,
    processor=extractor(num_mel_bins=26, max_length=90),
    rewrite=[
        V.set_config(**dict.fromkeys("layer_norm_eps hidden_act patch_size frequency_stride time_stride qkv_bias dtype".split()))
    ],
)
