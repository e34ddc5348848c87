"""Makes the goldens of burnpipe-image: small files, and what Pillow and transformers make of them.

    OMP_NUM_THREADS=1 python generate.py

Needs transformers 4.56.2, Pillow 13.0.0, torch 2.8.0, torchvision 0.23.0. Everything is seeded. `data/files/` holds
the images; `data/decode.json`, `data/resize.json` and `data/processors.json` what is expected of them, pixels as
SHA-256 of their bytes. The two photographs lie in `tests/samples` of the repository.
"""

import hashlib
import inspect
import io
import json
import struct
import tempfile
import warnings
import zlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from transformers import AutoImageProcessor
from transformers.image_processing_utils_fast import BaseImageProcessorFast

HERE = Path(__file__).parent
FILES = HERE / "data" / "files"
SAMPLES = HERE.parents[2] / "tests" / "samples"
RANDOM = np.random.default_rng(20)
warnings.simplefilter("ignore")
torch.set_num_threads(1)


def picture(width, height):
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(x / 7 + y / 13) * 100 + 128, (np.cos(x / 5) * 90 + y * 2) % 256, (x * y / 9) % 256], -1)
    return Image.fromarray((waves + RANDOM.normal(0, 9, waves.shape)).clip(0, 255).astype(np.uint8))


def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def load(path):
    """`transformers.image_utils.load_image` of a path."""
    return ImageOps.exif_transpose(Image.open(path)).convert("RGB")


def exif(orientation):
    tags = Image.Exif()
    tags[0x112] = orientation
    return tags


def noise(count):
    return RANDOM.integers(0, 256, count, dtype=np.uint8).tobytes()


def png(width, height, depth, color, interlace=0, before=b"", after=b""):
    """A PNG of noise, in forms that Pillow does not write."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def rows(width, height):
        length = (width * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color] * depth + 7) // 8
        return b"".join(b"\0" + noise(length) for _ in range(height)) if width else b""

    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    grids = passes if interlace else [(0, 0, 1, 1)]
    pixels = b"".join(rows(-((x - width) // dx), -((y - height) // dy)) for x, y, dx, dy in grids)
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace)
    palette = chunk(b"PLTE", noise(3 << depth)) if color == 3 else b""
    before, after = ([chunk(*part) for part in parts] for parts in (before, after))
    parts = [chunk(b"IHDR", header), palette, *before, chunk(b"IDAT", zlib.compress(pixels)), *after, chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def bmp(width, height, bits, compression=0, masks=b"", palette=b"", header=40, is_upside_down=False):
    data = noise((width * bits + 31) // 32 * 4 * height)
    info = struct.pack(
        "<IiiHHIIiiII", header, width, -height if is_upside_down else height, 1, bits, compression, len(data), 0, 0,
        len(palette) // 4, 0,
    )
    info += (masks + bytes(header - 40 - len(masks))) if header > 40 else masks
    offset = 14 + len(info) + len(palette)
    return b"BM" + struct.pack("<IHHI", offset + len(data), 0, 0, offset) + info + palette + data


def gif(screen, image, at, **options):
    """A GIF whose frame lies somewhere on its screen."""
    buffer = io.BytesIO()
    image.save(buffer, "GIF", **options)
    data = bytearray(buffer.getvalue())
    data[6:10] = struct.pack("<HH", *screen)
    place = 13 + (3 * (2 << (data[10] & 7)) if data[10] & 128 else 0)
    while data[place] != 0x2C:
        place += 2
        while data[place]:
            place += data[place] + 1
        place += 1
    data[place + 1 : place + 5] = struct.pack("<HH", *at)
    return bytes(data)


def tiff(width, height, photometric, bits, order="<", **more):
    """An uncompressed TIFF of noise, in forms that Pillow does not write."""
    samples = len(bits)
    planes = samples if more.get("planar") == 2 else 1
    data = noise(((width * sum(bits) // planes + 7) // 8) * height * planes)
    if more.get("format") == 3:
        data = (RANDOM.random((height, width)) * 400 - 50).astype(order + "f4").tobytes()
    tags = {256: [width], 257: [height], 258: bits, 259: [1], 262: [photometric], 273: None, 277: [samples]}
    tags |= {278: [height], 279: [len(data) // planes] * planes, 284: [more.get("planar", 1)]}
    tags |= {274: [more["orientation"]]} if "orientation" in more else {}
    tags |= {338: more["extra"]} if "extra" in more else {}
    tags |= {339: [more["format"]] * samples} if "format" in more else {}
    tags |= {320: [int(value) for value in RANDOM.integers(0, 65536, 3 << bits[0])]} if photometric == 3 else {}
    wide = (256, 257, 273, 278, 279)
    tags[273] = [0] * planes

    def packed(tag):
        return b"".join(struct.pack(order + ("I" if tag in wide else "H"), value) for value in tags[tag])

    behind = 8 + 2 + 12 * len(tags) + 4
    start = behind + sum(len(packed(tag)) for tag in tags if len(packed(tag)) > 4)
    tags[273] = [start + plane * (len(data) // planes) for plane in range(planes)]
    entries, values = b"", b""
    for tag in sorted(tags):
        value = packed(tag)
        if len(value) > 4:
            value, values = struct.pack(order + "I", behind + len(values)), values + value
        entries += struct.pack(order + "HHI", tag, 4 if tag in wide else 3, len(tags[tag])) + value.ljust(4, b"\0")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(tags))
    return head + entries + struct.pack(order + "I", 0) + values + data


class Decoding:
    """The files, and what Pillow reads in them."""

    def __init__(self):
        self.cases = []

    def save(self, name, image, **options):
        image.save(FILES / name, **options)
        self.expect(name)

    def write(self, name, data):
        (FILES / name).write_bytes(data)
        self.expect(name)

    def expect(self, name, path=None):
        try:
            image = load(path or FILES / name)
        except Exception as error:
            self.cases.append({"file": name, "error": f"{type(error).__name__}: {error}".replace(str(FILES), "")})
            return
        pixels = np.array(image)
        case = {"file": name, "width": image.width, "height": image.height, "sha256": digest(pixels)}
        self.cases.append(case | {"first": pixels.reshape(-1)[:6].tolist(), "last": pixels.reshape(-1)[-6:].tolist()})


def jpegs(decoding):
    for index, (width, height) in enumerate([(1, 1), (7, 5), (16, 16), (33, 17)]):
        image = picture(width, height)
        for subsampling in ["4:4:4", "4:2:2", "4:2:0"]:
            for progressive in [False, True]:
                name = f"{index}-{subsampling.replace(':', '')}{'-progressive' if progressive else ''}.jpg"
                decoding.save(name, image, quality=80, subsampling=subsampling, progressive=progressive)
        for mode in ["L", "CMYK"]:
            decoding.save(f"{index}-{mode}.jpg", image.convert(mode), quality=75)
    image = picture(21, 13)
    decoding.save("restarts.jpg", image, quality=60, restart_marker_blocks=1)
    decoding.save("rgb.jpg", image, quality=60, keep_rgb=True)
    for orientation in range(1, 9):
        decoding.save(f"exif-{orientation}.jpg", image, exif=exif(orientation), quality=40)
    decoding.save("xmp.jpg", image, xmp=b'<x tiff:Orientation="6"/>', quality=40)
    data = (FILES / "exif-6.jpg").read_bytes()
    decoding.write("cut.jpg", data[: len(data) * 2 // 3])
    decoding.write("no-end.jpg", data[:-2])
    decoding.write("behind-the-end.jpg", data + b"more")
    decoding.write("really-a.png", data)
    # Fill bytes before every marker, and before a segment that holds the end of another image.
    filled = data.replace(b"\xff\xdb", b"\xff\xff\xff\xdb").replace(b"\xff\xda", b"\xff\xff\xda")
    decoding.write("filled.jpg", filled)
    comment = b"\xff\xff\xff\xfe\x00\x06\xff\xd8\xff\xd9"
    decoding.write("filled-with-an-end.jpg", data[:2] + comment + data[2:])
    decoding.write("filled-with-an-end-cut.jpg", data[:2] + comment + data[2:-2])
    data = (FILES / "3-420-progressive.jpg").read_bytes()
    decoding.write("no-end-progressive.jpg", data[:-2])
    decoding.write("only-a-header.jpg", data[:100])


def pngs(decoding):
    for color, depths in {0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16]}.items():
        for depth in depths:
            for interlace in [0, 1]:
                decoding.write(f"{color}-{depth}-{interlace}.png", png(13, 9, depth, color, interlace))
            transparent = {0: struct.pack(">H", 1), 2: struct.pack(">HHH", 1, 2, 3), 3: b"\0\x80"}.get(color)
            if transparent:
                data = png(13, 9, depth, color, before=[(b"tRNS", transparent)])
                decoding.write(f"{color}-{depth}-transparent.png", data)
    tags = exif(6).tobytes()[6:]
    profile = b"\nexif\n%8d\n" % (len(tags) + 6) + (b"Exif\0\0" + tags).hex().encode() + b"\n"
    xmp = b'XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation="8"/>'
    decoding.write("exif-before.png", png(5, 3, 8, 2, before=[(b"eXIf", tags)]))
    decoding.write("exif-behind.png", png(5, 3, 8, 2, after=[(b"eXIf", tags)]))
    decoding.write("profile.png", png(5, 3, 8, 2, before=[(b"tEXt", b"Raw profile type exif\0" + profile)]))
    compressed = b"Raw profile type exif\0\0" + zlib.compress(profile)
    decoding.write("compressed-profile.png", png(5, 3, 8, 2, before=[(b"zTXt", compressed)]))
    decoding.write("xmp.png", png(5, 3, 8, 2, before=[(b"iTXt", xmp)]))
    data = png(13, 9, 8, 2)
    decoding.write("cut.png", data[:-60])
    decoding.write("wrong-sum.png", data[:30] + bytes([data[30] ^ 1]) + data[31:])
    decoding.write("bomb.png", png(1, 1, 8, 2)[:16] + struct.pack(">II", 20_000, 20_000) + data[24:])
    decoding.write("flat.png", png(20_000, 10, 1, 0))
    first, second = picture(12, 7), picture(12, 7)
    decoding.save("animated.png", first, save_all=True, append_images=[second])


def webps(decoding):
    image, alpha = picture(31, 17), Image.fromarray(RANDOM.integers(0, 256, (17, 31), dtype=np.uint8))
    transparent = image.copy()
    transparent.putalpha(alpha)
    for name, image in {"rgb": image, "rgba": transparent}.items():
        decoding.save(f"{name}-lossless.webp", image, lossless=True, exact=True)
        decoding.save(f"{name}-80.webp", image, quality=80)
        decoding.save(f"{name}-10.webp", image, quality=10)
        decoding.save(f"{name}-exif.webp", image, quality=50, exif=exif(5))
        decoding.save(f"{name}-animated.webp", image, save_all=True, append_images=[transparent], quality=60)
    data = (FILES / "rgb-80.webp").read_bytes()
    decoding.write("cut.webp", data[: len(data) // 2])


def gifs(decoding):
    indexed, grey = picture(12, 7).quantize(9), picture(12, 7).convert("L")
    for name, image in {"p": indexed, "l": grey}.items():
        decoding.save(f"{name}.gif", image)
        decoding.save(f"{name}-interlaced.gif", image, interlace=1)
        decoding.write(f"{name}-on-more.gif", gif((20, 20), image, (3, 4)))
        decoding.write(f"{name}-on-more-transparent.gif", gif((20, 20), image, (3, 4), transparency=3))
        decoding.write(f"{name}-on-less.gif", gif((6, 4), image, (2, 1)))
        decoding.write(f"{name}-on-nothing.gif", gif((0, 0), image, (0, 0)))
    decoding.save("animated.gif", indexed, save_all=True, append_images=[picture(12, 7).quantize(30)])
    data = (FILES / "p.gif").read_bytes()
    decoding.write("cut.gif", data[:-10])
    decoding.write("only-a-header.gif", data[:13])


def bmps(decoding):
    for bits in [1, 4, 8]:
        decoding.write(f"{bits}.bmp", bmp(13, 9, bits, palette=noise(4 << bits)))
    for bits in [16, 24, 32]:
        decoding.write(f"{bits}.bmp", bmp(13, 9, bits))
        decoding.write(f"{bits}-upside-down.bmp", bmp(13, 9, bits, is_upside_down=True))
    for name, masks in {"565": (0xF800, 0x7E0, 0x1F), "555": (0x7C00, 0x3E0, 0x1F)}.items():
        decoding.write(f"{name}.bmp", bmp(13, 9, 16, 3, struct.pack("<III", *masks)))
    decoding.write("rgba.bmp", bmp(13, 9, 32, 3, struct.pack("<IIII", 0xFF, 0xFF00, 0xFF0000, 0xFF000000), header=124))
    decoding.write("cut.bmp", bmp(13, 9, 24)[:-10])


def tiffs(decoding):
    for order, end in {"<": "little", ">": "big"}.items():
        for bits in [1, 2, 4, 8, 16]:
            decoding.write(f"grey-{bits}-{end}.tif", tiff(13, 9, 1, [bits], order))
        for bits in [1, 2, 4, 8]:
            decoding.write(f"white-is-zero-{bits}-{end}.tif", tiff(13, 9, 0, [bits], order))
            decoding.write(f"palette-{bits}-{end}.tif", tiff(13, 9, 3, [bits], order))
        for bits in [8, 16]:
            decoding.write(f"rgb-{bits}-{end}.tif", tiff(13, 9, 2, [bits] * 3, order))
            decoding.write(f"cmyk-{bits}-{end}.tif", tiff(13, 9, 5, [bits] * 4, order))
            for extra in [0, 1, 2]:
                decoding.write(f"rgba-{bits}-{extra}-{end}.tif", tiff(13, 9, 2, [bits] * 4, order, extra=[extra]))
        decoding.write(f"planes-{end}.tif", tiff(13, 9, 2, [8] * 3, order, planar=2))
        decoding.write(f"alpha-{end}.tif", tiff(13, 9, 1, [8] * 2, order, extra=[2]))
        decoding.write(f"float-{end}.tif", tiff(13, 9, 1, [32], order, format=3))
        decoding.write(f"signed-16-{end}.tif", tiff(13, 9, 1, [16], order, format=2))
        decoding.write(f"signed-32-{end}.tif", tiff(13, 9, 1, [32], order, format=2))
    for orientation in [3, 6]:
        decoding.write(f"orientation-{orientation}.tif", tiff(5, 3, 2, [8] * 3, orientation=orientation))
    # Tags of a type that they never have: text.
    for name, tag in {"orientation-6": 274, "rgba-8-1-little": 338}.items():
        data = (FILES / f"{name}.tif").read_bytes()
        decoding.write(f"{name}-odd.tif", data.replace(struct.pack("<HH", tag, 3), struct.pack("<HH", tag, 2)))
    image = picture(31, 17)
    for compression in ["tiff_lzw", "tiff_adobe_deflate", "packbits"]:
        decoding.save(f"{compression}.tif", image, compression=compression)
        decoding.save(f"{compression}-palette.tif", image.quantize(30), compression=compression)
    decoding.save("predictor.tif", image, compression="tiff_lzw", tiffinfo={317: 2})
    decoding.save("group4.tif", image.convert("1"), compression="group4")
    decoding.write("cut.tif", tiff(13, 9, 2, [8] * 3)[:-5])


def decode():
    decoding = Decoding()
    for sample in ["china.jpg", "flower.jpg"]:
        decoding.expect(sample, SAMPLES / sample)
    for kind in [jpegs, pngs, webps, gifs, bmps, tiffs]:
        kind(decoding)
    decoding.write("empty.png", b"")
    decoding.write("text.png", b"this is no image")
    return decoding.cases


def resize():
    cases = []
    black_and_white = Image.fromarray((RANDOM.random((60, 81, 3)) > 0.5).astype(np.uint8) * 255)
    images = {"resize-wave.png": picture(64, 48), "resize-hard.png": black_and_white, "resize-dot.png": picture(1, 1)}
    images |= {"resize-line.png": picture(90, 1)}
    for name, image in images.items():
        image.save(FILES / name, optimize=True)
        for width, height in [(1, 1), (2, 1), (7, 3), (64, 48), (64, 20), (31, 48), (63, 47), (80, 20), (33, 90), (224, 224)]:
            for resample in range(6):
                pixels = np.array(image.resize((width, height), resample))
                cases.append({"file": name, "size": [width, height], "resample": resample, "sha256": digest(pixels)})
    china = Image.open(SAMPLES / "china.jpg")
    for width, height in [(224, 224), (335, 224), (518, 100), (1000, 700)]:
        for resample in range(6):
            pixels = np.array(china.resize((width, height), resample))
            cases.append({"file": "china.jpg", "size": [width, height], "resample": resample, "sha256": digest(pixels)})
    return cases


CLASSES = ["Beit", "Bit", "Blip", "CLIP", "ChineseCLIP", "ConvNext", "DINOv3ViT", "DeiT", "EfficientNet", "Levit"]
CLASSES += ["MobileNetV1", "MobileNetV2", "MobileViT", "PoolFormer", "Pvt", "Segformer", "Siglip", "ViT"]
COLORS = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 0.7, 0.9]}
SQUARE = {"size": {"height": 30, "width": 30}, "crop_size": 29}
SETTINGS = [
    {},
    {"do_resize": False, "do_center_crop": False},
    {"size": {"height": 31, "width": 45}, "crop_size": {"height": 27, "width": 50}, **COLORS},
    {"size": {"shortest_edge": 33}, "crop_size": {"height": 41, "width": 29}},
    {"size": 40, "crop_size": 36, "resample": 2},
    {"size": [30, 44], "crop_size": 20, "resample": 0, "do_center_crop": True},
    {"do_rescale": False, **SQUARE},
    {"do_normalize": False, **SQUARE},
    {"rescale_factor": 0.0123, "do_center_crop": True, **SQUARE},
    {"size": {"shortest_edge": 30, "longest_edge": 50}},
    {"size": {"max_height": 30, "max_width": 50}},
    {"size": {"longest_edge": 50}},
    {"resample": 1, **SQUARE},
    {"resample": 5, **SQUARE},
    {"do_resize": None, "size": None, "image_mean": None, "do_center_crop": None, "crop_size": None, "crop_pct": None},
    {"crop_pct": 0.7, "size": {"height": 50, "width": 50}},
    {"crop_pct": 0.8, "size": {"shortest_edge": 50}},
    {"size": {"shortest_edge": 390}},
    {"rescale_offset": True, "include_top": False, "do_flip_channel_order": False, **SQUARE},
    {"image_mean": 0.5, "image_std": 0.25, **SQUARE},
]
CALLS = [
    {"size": {"height": 20, "width": 26}},
    {"do_normalize": False, "do_resize": False},
    {"size": {"shortest_edge": 24}, "crop_size": 20, "resample": 2},
    {"image_mean": [0.3, 0.2, 0.1], "image_std": None},
]


def processor(config):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "preprocessor_config.json").write_text(json.dumps(config))
        return AutoImageProcessor.from_pretrained(folder)


def unknown(image_processor, call):
    """The settings of a call that a processor does not have, which it leaves out with a warning."""
    if isinstance(image_processor, BaseImageProcessorFast):
        known = image_processor._valid_kwargs_names
    else:
        known = inspect.signature(type(image_processor).preprocess).parameters
    return [key for key in call if key not in known]


def processors():
    files = {"processor-wide.png": picture(64, 48), "processor-high.png": picture(37, 90)}
    for name, image in files.items():
        image.save(FILES / name, optimize=True)
    cases = []
    for name in CLASSES:
        for fast in ["", "Fast"]:
            class_name = f"{name}ImageProcessor{fast}"
            if class_name == "DINOv3ViTImageProcessor":
                continue
            runs = [(settings, {}) for settings in SETTINGS] + [({}, call) for call in CALLS]
            for index, (settings, call) in enumerate(runs):
                config = {"image_processor_type": class_name, **settings}
                file = list(files)[index % 2]
                if name == "DINOv3ViT" and not settings:
                    config |= {"size": {"height": 15, "width": 21}}
                case = {"config": config, "call": call, "file": file}
                try:
                    image_processor = processor(config)
                    if left_out := unknown(image_processor, call):
                        case |= {"unknown": left_out}
                    values = image_processor(files[file], return_tensors="pt", **call)["pixel_values"][0].float().numpy()
                except Exception as error:
                    cases.append(case | {"error": f"{type(error).__name__}: {error}"})
                    continue
                case |= {"shape": list(values.shape), "sha256": digest(values.astype("<f4"))}
                case["first"] = [float(value) for value in values.reshape(-1)[:4]]
                if name == "DINOv3ViT":
                    case["stride"] = values.size // 300 + 1
                    case["values"] = [round(float(value), 7) for value in values.reshape(-1)[:: case["stride"]]]
                cases.append(case)
    return cases


def main():
    FILES.mkdir(parents=True, exist_ok=True)
    for old in FILES.iterdir():
        old.unlink()
    for make in [decode, resize, processors]:
        lines = ",\n".join(json.dumps(case) for case in make())
        (HERE / "data" / f"{make.__name__}.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
