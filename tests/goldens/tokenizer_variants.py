"""Rewrites of a checkpoint's tokenizer files: old layouts, options in tokenizer_config.json, files that disagree. And of its config files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import tokenizer_files as T

Rewrite = Callable[[Path], None]
FAST_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")


def _clear(folder: Path) -> None:
    for file in FAST_FILES:
        (folder / file).unlink(missing_ok=True)


def _extra(folder: Path, files: dict[str, Any]) -> None:
    for name, value in files.items():
        _write(folder / name, value)


def vocab_txt(lower_case: bool, renamed: dict[str, str] | None = None, **files: Any) -> Rewrite:
    """Only vocab.txt, and what `files` says (tokenizer_config=..., added_tokens=...)."""

    def apply(folder: Path) -> None:
        _clear(folder)
        vocab = tuple((renamed or {}).get(token, token) for token in T.wordpiece_vocab(lower_case, 300))
        T.write_vocab_txt(folder / "vocab.txt", vocab)
        _extra(folder, {f"{name}.json": value for name, value in files.items()})

    return apply


def bpe_files(**files: Any) -> Rewrite:
    """Only vocab.json and merges.txt."""

    def apply(folder: Path) -> None:
        _clear(folder)
        T.write_bpe_files(folder)
        _extra(folder, {f"{name}.json": value for name, value in files.items()})

    return apply


def sentencepiece(rules: str = "small", **files: Any) -> Rewrite:
    """Only sentencepiece.bpe.model."""

    def apply(folder: Path) -> None:
        _clear(folder)
        (folder / "sentencepiece.bpe.model").write_bytes(T.sentencepiece_model(rules=rules))
        _extra(folder, {f"{name}.json": value for name, value in files.items()})

    return apply


def json_only(folder: Path) -> None:
    """tokenizer.json without the two files beside it."""
    (folder / "tokenizer_config.json").unlink()
    (folder / "special_tokens_map.json").unlink()


def set_options(**options: Any) -> Rewrite:
    """Sets or (None) removes keys of tokenizer_config.json."""

    def apply(folder: Path) -> None:
        path = folder / "tokenizer_config.json"
        config = json.loads(path.read_text(encoding="utf-8"))
        for key, value in options.items():
            if value is None:
                config.pop(key, None)
            else:
                config[key] = value
        _write(path, config)

    return apply


def edit_json(**parts: Any) -> Rewrite:
    """Replaces top-level parts of tokenizer.json."""

    def apply(folder: Path) -> None:
        path = folder / "tokenizer.json"
        value = json.loads(path.read_text(encoding="utf-8"))
        for key, part in parts.items():
            value[key] = part(value[key]) if callable(part) else part
        path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    return apply


def set_config(**options: Any) -> Rewrite:
    """Sets or (None) removes keys of config.json."""

    def apply(folder: Path) -> None:
        path = folder / "config.json"
        config = json.loads(path.read_text(encoding="utf-8"))
        for key, value in options.items():
            if value is None:
                config.pop(key, None)
            else:
                config[key] = value
        path.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    return apply


def generation_config(**settings: Any) -> Rewrite:
    """Sets or (None) removes keys of generation_config.json."""

    def apply(folder: Path) -> None:
        path = folder / "generation_config.json"
        config = {**json.loads(path.read_text(encoding="utf-8")), **settings}
        _write(path, {key: value for key, value in config.items() if value is not None})

    return apply
