"""ViT, and everything that the tasks over images take."""

from __future__ import annotations

from typing import Any

import torch
from transformers import ViTImageProcessor

import cases as C
import weights as W
from table import IMAGE_FEATURES, IMAGES, image, like, short_copy

VIT: dict[str, Any] = dict(
    hidden_size=20,
    num_attention_heads=5,
    num_hidden_layers=2,
    intermediate_size=34,
    image_size=24,
    patch_size=8,
    layer_norm_eps=1e-3,
)
LABELS = ["Katze", "dog, hound", "鳥", "fish", "bee", "cow", "ant"]


def processor(height: int = 24, width: int = 24, **options: Any) -> ViTImageProcessor:
    return ViTImageProcessor(**{"size": {"height": height, "width": width}, **options})


image("vit-images", IMAGES, C.image_cases(), config={**VIT, "hidden_act": "gelu"}, labels=LABELS, processor=processor())
image(
    "vit-images-oblong",
    IMAGES,
    C.short_image_cases(),
    config={**VIT, "image_size": [30, 44], "patch_size": [5, 11], "hidden_act": "quick_gelu", "qkv_bias": False},
    labels=LABELS[:4],
    processor=processor(30, 44, image_mean=[0.4, 0.5, 0.6], image_std=[0.2, 0.3, 0.25]),
)
image(
    "vit-images-multi-label",
    IMAGES,
    C.short_image_cases(),
    config={**VIT, "hidden_act": "relu", "problem_type": "multi_label_classification", "pruned_heads": {1: [0, 3]}},
    labels=LABELS[:3],
    processor=processor(),
)
image(
    "vit-images-one-label",
    IMAGES,
    C.short_image_cases(),
    # 27 pixels hold three patches of 8, and something is left over.
    config={**VIT, "hidden_act": "gelu_new", "image_size": 27, "layer_norm_eps": 1e-6},
    labels=["score"],
    processor=processor(27, 27, rescale_factor=1 / 128),
)
image(
    "vit-images-regression",
    IMAGES,
    C.short_image_cases(),
    config={**VIT, "problem_type": "regression", "chunk_size_feed_forward": 1},
    labels=["x", "y", "z"],
    processor=processor(),
)
image(
    "vit-image-features",
    IMAGE_FEATURES,
    C.image_feature_cases(),
    config={**VIT, "hidden_size": 12, "num_attention_heads": 3, "pooler_output_size": 7, "pooler_act": "sigmoid"},
    processor=processor(),
)
image(
    "vit-image-features-mask",
    IMAGE_FEATURES,
    C.short_image_feature_cases(),
    config={**VIT, "hidden_size": 12, "num_attention_heads": 2, "patch_size": 12},
    processor=processor(),
    # Pre-trained by hiding patches: what that took stays in the file.
    rewrite=[W.copy_weights(embeddings__mask_token="embeddings.cls_token")],
)
like("vit-images", "vit-images-f16", short_copy("vit-images", "default", "none"), W.cast(torch.float16))
