"""The sounds in media/: seeded tones, sweeps and noise. `python sounds.py` writes them again (FLAC by ffmpeg)."""

from __future__ import annotations

import subprocess
import wave
from pathlib import Path

import numpy as np

MEDIA = Path(__file__).resolve().parent / "media"
RATE = 16_000


def voice(seconds: float, seed: int, rate: int = RATE) -> np.ndarray:
    """Syllables: harmonics of a pitch that moves, under formants that jump, with hissing between them; from -1 to 1."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    pitch = 120 + 40 * np.sin(2 * np.pi * 0.7 * time + seed)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    sound = np.zeros_like(time)
    for start in np.arange(0.0, seconds, 0.17):
        inside = (time >= start) & (time < start + 0.17)
        envelope = np.sin(np.pi * (time[inside] - start) / 0.17) ** 2
        if random.random() < 0.25:
            sound[inside] += 0.3 * envelope * random.standard_normal(inside.sum())
            continue
        formants = random.uniform([300, 900, 2200], [800, 2100, 3400])
        for harmonic in range(1, 24):
            strength = sum(np.exp(-(((harmonic * 140 - formant) / 180) ** 2)) for formant in formants) + 0.02
            sound[inside] += strength * envelope * np.sin(harmonic * phase[inside])
    sound += 0.002 * random.standard_normal(len(time))
    return 0.8 * sound / np.abs(sound).max()


def to_16_bits(samples: np.ndarray) -> np.ndarray:
    return np.round(samples * 32767).astype("<i2")


def write_wav(path: Path, samples: np.ndarray, rate: int = RATE) -> None:
    """Samples `[length]` or `[length, channels]`."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(to_16_bits(samples).tobytes())


def write_flac(path: Path, samples: np.ndarray) -> None:
    raw = to_16_bits(samples).tobytes()
    command = ["ffmpeg", "-y", "-loglevel", "error", "-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", "pipe:0"]
    subprocess.run([*command, "-bitexact", str(path)], input=raw, check=True)


def array(seconds: float, seed: int) -> list[float]:
    """Samples for inputs that are given as numbers."""
    return [round(float(sample), 3) for sample in voice(seconds, seed)]


def main() -> None:
    MEDIA.mkdir(exist_ok=True)
    write_wav(MEDIA / "voice.wav", voice(1.3, 1))
    write_flac(MEDIA / "voice-long.flac", voice(2.1, 2))
    write_wav(MEDIA / "voice-short.wav", voice(0.21, 3))
    write_wav(MEDIA / "voice-8k.wav", voice(0.9, 4, 8_000), 8_000)
    stereo = np.stack([voice(0.7, 5), 0.5 * voice(0.7, 6)], axis=1)
    write_wav(MEDIA / "voice-stereo.wav", stereo)


if __name__ == "__main__":
    main()
