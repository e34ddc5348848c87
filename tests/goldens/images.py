"""Makes the images of media/, a few kB each and of every kind that tasks must take.

    python images.py
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image

MEDIA = Path(__file__).resolve().parent / "media"


def picture(width: int, height: int, seed: int, channels: int = 3) -> np.ndarray:
    """Smooth colours with an edge and some noise, `[height, width, channels]`."""
    generator = np.random.Generator(np.random.PCG64(seed))
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    waves = []
    for channel in range(channels):
        angle = 0.7 * seed + 1.9 * channel
        along = x * math.cos(angle) + y * math.sin(angle)
        waves.append(120 + 80 * np.sin(along / (4 + seed % 5) + channel))
    values = np.stack(waves, axis=-1)
    # A disc of another colour, so that there is an edge.
    disc = (x - 0.6 * width) ** 2 + (y - 0.4 * height) ** 2 < (0.25 * min(width, height)) ** 2
    values[disc] = values[disc] * 0.3 + generator.uniform(0, 160, size=channels)
    values += generator.normal(0, 6, size=values.shape)
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def write_images() -> None:
    MEDIA.mkdir(exist_ok=True)
    Image.fromarray(picture(42, 30, 1)).save(MEDIA / "rgb.jpg", quality=90)
    Image.fromarray(picture(33, 47, 2, channels=4)).save(MEDIA / "rgba.png")
    Image.fromarray(picture(28, 28, 3, channels=1)[:, :, 0]).save(MEDIA / "grey.png")
    Image.fromarray(picture(50, 20, 4)).quantize(16).save(MEDIA / "palette.gif")
    # A camera that was held upright: readers must turn it.
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture(45, 24, 5)).save(MEDIA / "rotated.jpg", quality=85, subsampling=2, exif=exif)
    Image.fromarray(picture(61, 13, 6)).save(MEDIA / "wide.webp", lossless=True)
    Image.fromarray(picture(19, 64, 7)).save(MEDIA / "tall.bmp")
    Image.fromarray(picture(37, 37, 8)).save(MEDIA / "square.tiff", compression="tiff_lzw")
    Image.fromarray(np.array([[[200, 30, 90]]], dtype=np.uint8)).save(MEDIA / "dot.png")
    (MEDIA / "no_image.txt").write_text("This is a text, whatever it is called.\n", encoding="utf-8")


if __name__ == "__main__":
    write_images()
