"""Where `StopStringCriteria` stops, over tokenizers made here."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast
from transformers.generation.stopping_criteria import StopStringCriteria

PREFIX = "abcdef"
TEXT = [
    "The top stopper stops at the station; the opera stopped.\n\nUser: non-stop, please stop!\n\nEND",
    "Stop words: the, a, an, at. École, élève, naïve. stop stop stopstop",
]
STOPS = [["stop"], ["\n\n", "END"], ["the "], ["é"], ["a"], ["e, a", "opera"], ["op", "stopstop"], ["top stopper stops"], [""]]


def byte_level() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted({letter for text in [*TEXT, PREFIX] for letter, _ in pieces(text)})
    trainer = trainers.BpeTrainer(vocab_size=130, special_tokens=["<end>"], initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(TEXT, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>")


def pieces(text: str) -> list[tuple[str, Any]]:
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return [(letter, None) for piece, _ in level.pre_tokenize_str(text) for letter in piece]


def word_piece() -> PreTrainedTokenizerFast:
    # Not trained: the trainer takes equally frequent pieces in any order.
    letters = sorted({letter for text in [*TEXT, PREFIX] for letter in text if not letter.isspace()})
    joined = [f"##{piece}" for piece in [*letters, "op", "top", "stop", "per", "ped", "er", "words", "on"]]
    pieces = ["[UNK]", *letters, *joined, "stop", "st", "the", "The", "opera", "station", "at", "an", "top"]
    tokenizer = Tokenizer(models.WordPiece({piece: at for at, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]")


def sequences(tokenizer: PreTrainedTokenizerFast, random: np.random.Generator) -> list[list[int]]:
    size = len(tokenizer)
    made = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in (*TEXT, "stop", "non-stop at")]
    vocabulary = tokenizer.get_vocab()
    # Tokens that hold parts of the stop strings, in any order.
    parts = sorted(at for token, at in vocabulary.items() if any(part in token for part in ("st", "op", "s", "o", "p", "t")))
    made += [[int(token) for token in random.choice(parts, 40)] for _ in range(2)]
    made.append([int(token) for token in random.integers(0, size + 3, 30)])
    if "<end>" in vocabulary:
        s, top = vocabulary["s"], tokenizer("top", add_special_tokens=False)["input_ids"]
        made += [[s, vocabulary["<end>"], *top], [s, *top, vocabulary["<end>"]]]
    return made


def stop_strings() -> dict[str, Any]:
    random = np.random.default_rng(5)
    vocabularies, cases = {}, []
    for name, tokenizer in {"byte-level": byte_level(), "word-piece": word_piece()}.items():
        size = len(tokenizer)
        base = tokenizer(PREFIX, add_special_tokens=False)["input_ids"]
        base = [tokenizer._convert_id_to_token(token) for token in base]
        decoded = [tokenizer.convert_tokens_to_string([*base, tokenizer._convert_id_to_token(token)]) for token in range(size)]
        texts, ids = StopStringCriteria.clean_tokenizer_vocab(tokenizer)
        by_id = dict(zip(ids, texts))
        vocabularies[name] = {"decoded": decoded, "texts": [by_id[token] for token in range(size)]}
        for stops in STOPS:
            try:
                criterion = StopStringCriteria(tokenizer, stops)
            except ValueError:
                continue
            for tokens in sequences(tokenizer, random):
                stopped = [
                    length
                    for length in range(1, len(tokens) + 1)
                    if bool(criterion(torch.tensor([tokens[:length]]), None)[0])
                ]
                cases.append({"vocabulary": name, "stop_strings": stops, "tokens": tokens, "stops_at": stopped})
    return {"vocabularies": vocabularies, "stop_strings": cases}
