"""DeiT: two tokens beside the patches, and one head or two."""

from __future__ import annotations

from typing import Any

from transformers import DeiTImageProcessor

import cases as C
from table import IMAGE_FEATURES, IMAGES, image

DEIT: dict[str, Any] = dict(
    hidden_size=18,
    num_attention_heads=3,
    num_hidden_layers=2,
    intermediate_size=26,
    image_size=20,
    patch_size=5,
    layer_norm_eps=1e-4,
)


def processor(**options: Any) -> DeiTImageProcessor:
    sizes = {"size": {"height": 26, "width": 26}, "crop_size": {"height": 20, "width": 20}}
    return DeiTImageProcessor(**{**sizes, **options})


image(
    "deit-images",
    IMAGES,
    C.short_image_cases(),
    config={**DEIT, "hidden_act": "gelu"},
    labels=["a", "b", "c", "d", "e", "f"],
    processor=processor(),
    model_class="DeiTForImageClassificationWithTeacher",
)
image(
    "deit-images-no-teacher",
    IMAGES,
    C.short_image_cases(),
    config={**DEIT, "hidden_act": "silu", "qkv_bias": False, "patch_size": 10},
    labels=["a", "b", "c"],
    processor=processor(do_rescale=True, do_center_crop=True),
)
# Not the model's size, but as many patches, which is all that DeiT looks at.
image(
    "deit-images-other-size",
    IMAGES,
    C.short_image_cases(),
    config={**DEIT, "hidden_act": "gelu"},
    labels=["a", "b"],
    processor=processor(crop_size={"height": 22, "width": 24}),
)
image(
    "deit-image-features",
    IMAGE_FEATURES,
    C.short_image_feature_cases(),
    config={**DEIT, "hidden_size": 12, "pooler_act": "relu"},
    processor=processor(),
)
