"""Models of images for `peers.py`: real dimensions, seeded weights, photos of a camera's shape.

Measured from the files on: read, decoded and resized by Pillow, as transformers does, and then the model.
"""

from __future__ import annotations

import numpy as np

PHOTOS = 8


def make(folder, export):
    import torch
    import transformers as hf

    labels = dict(num_labels=1000)
    made = {
        "vit-base": (hf.ViTConfig(**labels), hf.ViTForImageClassification, hf.ViTImageProcessor()),
        "resnet-50": (
            hf.ResNetConfig(**labels),
            hf.ResNetForImageClassification,
            hf.ConvNextImageProcessor(size={"shortest_edge": 224}, crop_pct=0.875),
        ),
    }
    for name, (config, model_class, processor) in made.items():
        target = folder / name
        if (target / "onnx" / "model.onnx").exists():
            continue
        torch.manual_seed(0)
        model_class(config).eval().save_pretrained(target)
        processor.save_pretrained(target)
        export(target, "image-classification")
    write_photos(folder)


def write_photos(folder):
    """Photos of 640 x 480 and the lists that `--inputs` reads."""
    from PIL import Image

    generator = np.random.Generator(np.random.PCG64(0))
    paths = []
    for index in range(PHOTOS):
        # Noise that is smooth at the size of things and rough at that of pixels, so that JPEG has work to do.
        coarse = Image.fromarray(generator.integers(0, 256, (15, 20, 3), dtype=np.uint8)).resize((640, 480))
        fine = generator.normal(0, 8, (480, 640, 3))
        path = folder / f"photo-{index}.jpg"
        Image.fromarray(np.clip(np.asarray(coarse) + fine, 0, 255).astype(np.uint8)).save(path, quality=90)
        paths.append(str(path.resolve()))
    (folder / "1-photo.txt").write_text(paths[0] + "\n")
    (folder / f"{PHOTOS}-photos.txt").write_text("\n".join(paths) + "\n")


def loader(arguments):
    """What turns a batch of paths into logits."""
    from PIL import Image
    from transformers import AutoImageProcessor

    processor = AutoImageProcessor.from_pretrained(arguments.model, use_fast=False)

    def pixels(paths, kind):
        return processor([Image.open(path).convert("RGB") for path in paths], return_tensors=kind)["pixel_values"]

    if arguments.peer == "onnxruntime":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = arguments.threads
        session = onnxruntime.InferenceSession(str(arguments.model / "onnx" / "model.onnx"), options)
        return lambda paths: session.run(None, {"pixel_values": pixels(paths, "np")})[0]
    import torch
    import transformers as hf

    torch.set_num_threads(arguments.threads)
    model = hf.AutoModelForImageClassification.from_pretrained(arguments.model, dtype=torch.float32).eval()
    forward = torch.compile(model) if arguments.peer == "torch-compile" else model

    def run(paths):
        with torch.inference_mode():
            return forward(pixels(paths, "pt"))[0]

    return run
