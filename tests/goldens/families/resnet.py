"""ResNet: both kinds of layers, and every place to make images smaller at."""

from __future__ import annotations

from typing import Any

from transformers import ConvNextImageProcessor

import cases as C
import weights as W
from table import IMAGE_FEATURES, IMAGES, image, like, short_copy

RESNET: dict[str, Any] = dict(embedding_size=6, hidden_sizes=[8, 12, 20], depths=[2, 1, 2])


def processor(**options: Any) -> ConvNextImageProcessor:
    return ConvNextImageProcessor(**{"size": {"shortest_edge": 32}, "crop_pct": 0.8, **options})


image(
    "resnet-images",
    IMAGES,
    C.short_image_cases(),
    config={**RESNET, "layer_type": "bottleneck"},
    labels=["a", "b", "c", "d", "e", "f"],
    processor=processor(),
)
image(
    "resnet-images-uncropped",
    IMAGES,
    C.short_image_cases(),
    config={**RESNET, "layer_type": "bottleneck", "downsample_in_bottleneck": True, "downsample_in_first_stage": True},
    labels=["a", "b", "c", "d"],
    # Images of all sizes.
    processor=processor(do_resize=False),
)
image(
    "resnet-images-basic",
    IMAGES,
    C.short_image_cases(),
    config={"embedding_size": 5, "hidden_sizes": [5, 9], "depths": [2, 2], "layer_type": "basic", "hidden_act": "gelu"},
    labels=["a", "b", "c"],
    processor=processor(size={"shortest_edge": 37}),
)
image(
    "resnet-image-features",
    IMAGE_FEATURES,
    C.short_image_feature_cases(),
    config={**RESNET, "layer_type": "basic", "downsample_in_first_stage": True, "hidden_act": "silu"},
    processor=processor(do_resize=False),
)
like("resnet-images", "resnet-images-torch", short_copy("resnet-images", "default"), W.torch_zip)
