"""ConvNeXT: with and without scaled layers, in more and fewer stages."""

from __future__ import annotations

from typing import Any

from transformers import ConvNextImageProcessor

import cases as C
from cases import PICTURES, Case
from table import IMAGE_FEATURES, IMAGES, image

CONVNEXT: dict[str, Any] = dict(
    hidden_sizes=[6, 10, 14], depths=[1, 2, 1], num_stages=3, patch_size=3, layer_norm_eps=1e-3, layer_scale_init_value=0.1
)


def processor(**options: Any) -> ConvNextImageProcessor:
    return ConvNextImageProcessor(**{"size": {"shortest_edge": 33}, "crop_pct": 0.7, **options})


image(
    "convnext-images",
    IMAGES,
    C.short_image_cases(),
    config={**CONVNEXT, "hidden_act": "gelu"},
    labels=["a", "b", "c", "d", "e", "f"],
    processor=processor(),
)
image(
    "convnext-images-not-scaled",
    IMAGES,
    C.short_image_cases(),
    config={**CONVNEXT, "hidden_sizes": [7, 9], "depths": [2, 1], "num_stages": 2, "layer_scale_init_value": 0.0, "hidden_act": "relu"},
    labels=["a", "b", "c"],
    processor=processor(do_resize=False),
)
image(
    "convnext-image-features",
    IMAGE_FEATURES,
    [
        *C.short_image_feature_cases(),
        Case("too_small", PICTURES[:1], {"image_processor_kwargs": {"do_resize": True, "size": {"shortest_edge": 7}}}, error=True),
    ],
    config={**CONVNEXT, "patch_size": 2, "drop_path_rate": 0.2},
    processor=processor(do_resize=False),
)
