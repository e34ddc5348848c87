"""Sounds in many formats and what Python's `ffmpeg_read` makes of them, for tests/decoding.rs.

    python decoding.py    # with ffmpeg 5.1, numpy and transformers 4.56.2

Writes the files of tests/files and decoding.json. Of large results every so manieth sample is kept, and the sums
of all samples and of their squares.
"""

import json
import struct
import subprocess
from pathlib import Path

import numpy as np
from transformers.pipelines.audio_utils import ffmpeg_read

from features import sound

FOLDER = Path(__file__).with_name("files")
SAMPLES = Path(__file__).resolve().parents[3] / "tests" / "samples"
KEPT = 200


def wav(name, channels, rate, kind="s16", tag=None, mask=None, data_size=None):
    """A WAV file by hand, so that what stands in its header is known."""
    frames = np.stack(channels, axis=1)
    if kind == "s16":
        bits, data = 16, np.round(frames * 32767).astype("<i2").tobytes()
    elif kind == "f32":
        bits, data, tag = 32, frames.astype("<f4").tobytes(), tag or 3
    count = len(channels)
    head = struct.pack("<HHIIHH", tag or 1, count, rate, rate * count * bits // 8, count * bits // 8, bits)
    if mask is not None:
        head = struct.pack("<H", 0xFFFE) + head[2:] + struct.pack("<HHI", 22, bits, mask)
        head += struct.pack("<H", tag or 1) + bytes.fromhex("000000001000800000aa00389b71")
    size = len(data) if data_size is None else data_size
    chunks = b"WAVEfmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", size) + data
    content = b"RIFF" + struct.pack("<I", min(len(chunks), 0xFFFFFFFF)) + chunks
    Path(FOLDER, name).write_bytes(content)


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-y", "-loglevel", "error", "-bitexact", *arguments], check=True, cwd=FOLDER)


def channels(count, length):
    """Channels that differ: sounds of their own, delayed and damped."""
    whole = sound("speech", length + 997 * count)
    return [whole[997 * channel : 997 * channel + length] * (0.9 - 0.1 * channel) for channel in range(count)]


def make_sounds():
    FOLDER.mkdir(exist_ok=True)
    wav("mono-16k.wav", channels(1, 4001), 16000)
    wav("mono-8k.wav", channels(1, 3000), 8000)
    wav("stereo-44k1.wav", channels(2, 8000), 44100)
    wav("mono-22k05.wav", channels(1, 5003), 22050)
    wav("mono-48k-f32.wav", channels(1, 6000), 48000, "f32")
    wav("mono-44k1-of-200.wav", channels(1, 200), 44100)
    wav("stereo-11k025.wav", channels(2, 3001), 11025)
    wav("stereo-16k.wav", channels(2, 2000), 16000)
    wav("three-16k.wav", channels(3, 1000), 16000)
    wav("four-16k.wav", channels(4, 1000), 16000)
    wav("five-16k.wav", channels(5, 1000), 16000)
    wav("six-16k.wav", channels(6, 1000), 16000)
    wav("seven-16k.wav", channels(7, 800), 16000)
    wav("eight-16k.wav", channels(8, 800), 16000)
    wav("front-16k-extensible.wav", channels(3, 1000), 16000, mask=0x7)
    wav("quad-16k-extensible.wav", channels(4, 1000), 16000, mask=0x33)
    wav("side-16k-extensible.wav", channels(6, 1000), 16000, mask=0x60F)
    wav("without-a-size.wav", channels(1, 1500), 16000, data_size=0xFFFFFFFF)
    wav("size-of-zero.wav", channels(1, 1500), 16000, data_size=0)
    wav("cut.wav", channels(1, 1500), 16000, data_size=9999)
    source = ["-i", "stereo-44k1.wav"]
    mono = ["-i", "mono-16k.wav"]
    for name, codec, rate in [
        ("u8.wav", "pcm_u8", 8000),
        ("s24.wav", "pcm_s24le", 48000),
        ("s32.wav", "pcm_s32le", 16000),
        ("f64.wav", "pcm_f64le", 16000),
        ("alaw.wav", "pcm_alaw", 8000),
        ("mulaw.wav", "pcm_mulaw", 8000),
        ("ima.wav", "adpcm_ima_wav", 16000),
        ("ms.wav", "adpcm_ms", 16000),
        ("s16.aiff", "pcm_s16be", 16000),
    ]:
        ffmpeg(*mono, "-c:a", codec, "-ar", str(rate), name)
    ffmpeg(*mono, "-c:a", "flac", "mono-16k.flac")
    ffmpeg(*source, "-c:a", "flac", "-sample_fmt", "s32", "-ar", "48000", "stereo-24bit.flac")
    ffmpeg("-i", "six-16k.wav", "-c:a", "flac", "six-16k.flac")
    ffmpeg(*source, "-c:a", "libmp3lame", "-b:a", "64k", "stereo-44k1.mp3")
    ffmpeg(*mono, "-c:a", "libmp3lame", "-b:a", "24k", "mono-16k.mp3")
    ffmpeg(*mono, "-c:a", "libmp3lame", "-b:a", "24k", "-write_xing", "0", "no-tag.mp3")
    # Of a sound that fits in one page ffmpeg loses a part.
    speech = ["-t", "1.5", "-i", str(SAMPLES / "jfk.flac")]
    ffmpeg(*speech, "-c:a", "libvorbis", "-b:a", "64k", "stereo-44k1.ogg")
    ffmpeg(*speech, "-c:a", "libvorbis", "-ar", "16000", "-ac", "1", "mono-16k.ogg")
    ffmpeg(*source, "-c:a", "aac", "-b:a", "64k", "stereo-44k1.m4a")
    ffmpeg(*mono, "-c:a", "aac", "-b:a", "32k", "-movflags", "+faststart", "mono-16k.m4a")
    ffmpeg(*mono, "-c:a", "aac", "-b:a", "32k", "-f", "adts", "mono-16k.aac")
    ffmpeg(*source, "-c:a", "alac", "-movflags", "+faststart", "alac.m4a")
    ffmpeg(*mono, "-c:a", "libopus", "-ar", "48000", "opus.ogg")


def main():
    make_sounds()
    cases = []
    for path in [*sorted(FOLDER.iterdir()), SAMPLES / "jfk.flac"]:
        if path.name == "opus.ogg":
            continue
        rates = [16000, 8000, 44100] if path.name in ("mono-48k-f32.wav", "mono-22k05.wav") else [16000]
        if path.name in ("mono-8k.wav", "mono-16k.wav"):
            rates = [16000, 22050, 44101]
        for rate in rates:
            samples = ffmpeg_read(path.read_bytes(), rate)
            every = max(1, len(samples) // KEPT) | 1
            wide = samples.astype(np.float64)
            cases.append(
                {
                    "file": path.name,
                    "rate": rate,
                    "length": len(samples),
                    "sum": float(wide.sum()),
                    "squares": float((wide**2).sum()),
                    "every": every,
                    "samples": [float(f"{value:.9g}") for value in samples[::every]],
                }
            )
    lines = ",\n".join(json.dumps(case) for case in cases)
    Path(__file__).with_name("decoding.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
