"""Answers of real checkpoints: the bundled model, and those that fetch_real.py lays out.

    python real.py --bundled FOLDER --models DIR [--check]

Writes real/*.json in the format of cases/, with more fields in minilm.json.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import generate
import torch
import transformers
from cases import Case
from table import FEATURES, GENERATION, SPEECH, TOKENS

HERE = Path(__file__).resolve().parent

SARAH = (
    "My name is Sarah Connor, I live at 42 Oak Street in Los Angeles, "
    "call me at 415-555-0132 or sarah.connor@example.com."
)
PERSONAL: list[str] = [
    SARAH,
    "Please send the invoice to Dr. Émile Zola-Dupré, 7 Rue d'Orsel, Apt 3B, Springfield, IL 62704 before Friday.",
    "Passport K1234567 and driver's licence D123-4567-8901 belong to Nguyễn Văn An \U0001F600.",
    "Wire it to account 000123456789, routing number 021000021, tax id 12-3456789.",
    "The quick brown fox jumps over the lazy dog.",
    "“Jürgen O’Neil” — see https://example.org/~jo?id=1 — lives in San José, CA\t95112…",
    "e\u0301mile@cafe\u0301.fr wrote to 山田太郎 at +81 3-1234-5678",
    "",
]
PERSONAL_LONG: str = " ".join(
    [
        SARAH,
        "Her brother Michael O'Connor moved from Denver, Colorado to 1600 Pennsylvania Avenue NW, Washington, DC 20500.",
        "His phone is (202) 456-1111 and his e-mail is mike_oc+news@mail.example.org.",
        "Their friend Anna-Lena Müller-Lüdenscheidt works for a bank; account 998877665544, routing 026009593.",
        "Nothing else in this paragraph is of any interest to anyone, it is only here to make the text longer.",
    ]
)


def bundled_cases() -> list[Case]:
    cases = [
        Case("none", PERSONAL),
        Case("none_all_labels", PERSONAL[:2], {"ignore_labels": []}),
        Case("ignore_several", PERSONAL, {"aggregation_strategy": "simple", "ignore_labels": ["O", "EMAIL", "PHONE"]}),
        Case("long", [PERSONAL_LONG], {"aggregation_strategy": "first"}),
        # The tokenizer has no limit, so there is one window.
        Case("stride", [PERSONAL_LONG, SARAH], {"aggregation_strategy": "simple", "stride": 16}),
        Case(
            "words",
            [["My", "name", "is", "Sarah", "Connor", "."]],
            {"is_split_into_words": True, "aggregation_strategy": "simple"},
        ),
    ]
    return cases + [Case(s, PERSONAL, {"aggregation_strategy": s}) for s in ("simple", "first", "average", "max")]


# Corrections rather than entities: the label says what to do with the token.
GRAMMAR: list[str] = [
    "I has an apple",
    "She go to school every days.",
    "He don't likes it",
    "Their is a dogs in the garden.",
    "This sentence is fine.",
    "Yesterday I go to Zürich with François and buyed three book.",
]
GRAMMAR_CASES = [
    Case("none", GRAMMAR, {"ignore_labels": ["$KEEP"]}),
    Case("all_labels", GRAMMAR[:2], {"ignore_labels": []}),
    Case("first", GRAMMAR, {"aggregation_strategy": "first", "ignore_labels": ["$KEEP"]}),
    Case("average", GRAMMAR, {"aggregation_strategy": "average", "ignore_labels": ["$KEEP"]}),
]

SENTENCES = ["A man is eating food.", "A man is eating a piece of bread.", "The girl is carrying a baby."]
EMBEDDED = [*SENTENCES, "Zürich ist schön \U0001F600", "", "我爱北京天安门 " * 60]


GENERATED = {"do_sample": False, "max_new_tokens": 24}
CHATS = [
    [{"role": "user", "content": "What is the capital of France?"}],
    [
        {"role": "system", "content": "You answer in one short sentence."},
        {"role": "user", "content": "Why is the sky blue?"},
    ],
]
PROMPTS = ["The capital of France is", "Once upon a time, in Zürich,", "def fibonacci(n):"]
SMOLLM2_CASES = [
    Case("chats", CHATS, GENERATED),
    Case("prompts", PROMPTS, GENERATED),
    Case("beams", PROMPTS[:2], {"do_sample": False, "max_new_tokens": 12, "num_beams": 3, "num_return_sequences": 2}),
    Case("penalties", PROMPTS, {**GENERATED, "repetition_penalty": 1.2, "no_repeat_ngram_size": 3}),
]
JFK = ["media/jfk.flac"]
WHISPER_CASES = [
    Case("default", JFK),
    Case("segments", JFK, {"return_timestamps": True}),
    Case("words", JFK, {"return_timestamps": "word"}),
    Case("words_greedy", JFK, {"return_timestamps": "word", "generate_kwargs": {"num_beams": 1}}),
    Case("chunks_words", JFK, {"chunk_length_s": 5, "return_timestamps": "word", "generate_kwargs": {"num_beams": 1}}),
]


def embeddings(pipe: Any, texts: list[str], limit: int) -> torch.Tensor:
    """Mean over the tokens, then length 1, one text at a time; the limit is sentence-transformers' max_seq_length."""
    rows = []
    for text in texts:
        inputs = pipe.tokenizer(text, truncation=True, max_length=limit, return_tensors="pt")
        with torch.no_grad():
            rows.append(pipe.model(**inputs).last_hidden_state[0].mean(dim=0))
    return torch.nn.functional.normalize(torch.stack(rows), dim=-1)


def write(root: Path, name: str, task: str, model: str, folder: Path, cases: list[Case]) -> None:
    pipe = generate.load(task, folder)
    header: dict[str, Any] = {
        "task": task,
        "model": model,
        "model_type": pipe.model.config.model_type,
        "transformers": generate.VERSION,
    }
    entries = generate.answers(pipe, cases, 7 if task == FEATURES else 9, name)
    if name == "minilm":
        vectors = embeddings(pipe, EMBEDDED, 256)
        header["sentence_embeddings"] = {
            "inputs": EMBEDDED,
            "pooling": "mean",
            "normalize": True,
            "max_seq_length": 256,
            "expected": generate.plain(vectors, 7),
        }
        header["cosines"] = [
            {"left": SENTENCES[0], "right": SENTENCES[1], "expected": float(vectors[0] @ vectors[1])},
            {"left": SENTENCES[0], "right": SENTENCES[2], "expected": float(vectors[0] @ vectors[2])},
        ]
    path = root / "real" / f"{name}.json"
    generate.write_cases(path, header, entries)
    print(f"{name}: {len(entries)} cases, {path.stat().st_size // 1000} kB")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundled", type=Path, help="folder of the bundled model")
    parser.add_argument("--models", type=Path, help="folder that fetch_real.py filled")
    parser.add_argument("--check", action="store_true", help="change nothing; report what differs")
    arguments = parser.parse_args()
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")

    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) if arguments.check else HERE
        if arguments.bundled:
            write(root, "bundled-ner", TOKENS, "bundled", arguments.bundled, bundled_cases())
        if arguments.models:
            folder = arguments.models / "all-MiniLM-L6-v2"
            # Whole token vectors of 384 numbers are big: two short texts.
            features = [Case("default", [SENTENCES[0], "Zürich \U0001F600"])]
            write(root, "minilm", FEATURES, "all-MiniLM-L6-v2", folder, features)
            write(root, "quire-grammar", TOKENS, "quire-grammar", arguments.models / "quire-grammar", GRAMMAR_CASES)
            folder = arguments.models / "SmolLM2-135M-Instruct"
            write(root, "smollm2", GENERATION, "SmolLM2-135M-Instruct", folder, SMOLLM2_CASES)
            write(root, "whisper-tiny-en", SPEECH, "whisper-tiny.en", arguments.models / "whisper-tiny.en", WHISPER_CASES)
        if not arguments.check:
            return 0
        different = [
            path.name
            for path in sorted((root / "real").glob("*.json"))
            if path.read_bytes() != (HERE / "real" / path.name).read_bytes()
        ]
    print(f"differ: {', '.join(different)}" if different else "the same")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
