"""DINOv2: positions that are stretched to the image, layers that are scaled, a gate."""

from __future__ import annotations

from typing import Any

from transformers import BitImageProcessor

import cases as C
from cases import PICTURES, Case
from table import IMAGE_FEATURES, IMAGES, image

DINO: dict[str, Any] = dict(
    hidden_size=20,
    num_attention_heads=4,
    num_hidden_layers=2,
    mlp_ratio=3,
    image_size=35,
    patch_size=7,
    layer_norm_eps=1e-4,
    layerscale_value=0.7,
)
# Every image keeps its shape.
UNCROPPED: dict[str, Any] = dict(size={"shortest_edge": 23}, do_center_crop=False)


def processor(**options: Any) -> BitImageProcessor:
    return BitImageProcessor(**{"size": {"shortest_edge": 40}, "crop_size": {"height": 35, "width": 35}, **options})


image(
    "dinov2-images",
    IMAGES,
    C.short_image_cases(),
    config={**DINO, "hidden_act": "gelu"},
    labels=["a", "b", "c", "d", "e", "f"],
    processor=processor(),
)
image(
    "dinov2-images-stretched",
    IMAGES,
    C.short_image_cases(),
    config={**DINO, "hidden_act": "gelu_new", "use_mask_token": False, "drop_path_rate": 0.3},
    labels=["a", "b", "c"],
    processor=processor(**UNCROPPED),
)
image(
    "dinov2-images-gate",
    IMAGES,
    C.short_image_cases(),
    # 10 of 15 elements, which the gate rounds up to 16.
    config={**DINO, "use_swiglu_ffn": True, "hidden_size": 15, "num_attention_heads": 3, "mlp_ratio": 1, "qkv_bias": False},
    labels=["a", "b", "c", "d"],
    processor=processor(crop_size={"height": 28, "width": 21}),
)
image(
    "dinov2-image-features",
    IMAGE_FEATURES,
    [
        *C.short_image_feature_cases(),
        Case("larger", PICTURES[:2], {"image_processor_kwargs": {"crop_size": {"height": 49, "width": 56}}}),
        Case("uncropped", PICTURES, {"image_processor_kwargs": UNCROPPED, "pool": True}),
        Case("smaller_than_a_patch", PICTURES[:1], {"image_processor_kwargs": {**UNCROPPED, "size": {"shortest_edge": 5}}}, error=True),
    ],
    config={**DINO, "hidden_size": 12},
    processor=processor(),
)
