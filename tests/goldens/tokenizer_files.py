"""The tokenizers: small, trained here on the corpus, the same on every run."""

from __future__ import annotations

import io
import json
import tempfile
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Sequence

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertTokenizerFast,
    DistilBertTokenizerFast,
    PreTrainedTokenizerFast,
    RobertaTokenizerFast,
    XLMRobertaTokenizer,
    XLMRobertaTokenizerFast,
)

from corpus import CORPUS

BERT_SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
# The order puts <pad> at id 3: position ids that assume 1 go wrong.
ROBERTA_SPECIALS = ["<s>", "</s>", "<unk>", "<pad>", "<mask>"]


@cache
def wordpiece_vocab(lower_case: bool, size: int, pad_id: int = 0) -> tuple[str, ...]:
    """A WordPiece vocabulary: specials, characters, then the most frequent words and pieces of words.

    Made by hand because the trainer of `tokenizers` walks over hash maps, so its ids differ from run to run.
    Characters that occur once are left out: they give [UNK].
    """
    normalizer = normalizers.BertNormalizer(lowercase=lower_case)
    pre = pre_tokenizers.BertPreTokenizer()
    words: Counter[str] = Counter()
    for line in CORPUS:
        words.update(word for word, _ in pre.pre_tokenize_str(normalizer.normalize_str(line)))

    first: Counter[str] = Counter()
    inner: Counter[str] = Counter()
    pieces: Counter[str] = Counter()
    for word, count in words.items():
        first[word[0]] += count
        for char in word[1:]:
            inner["##" + char] += count
        for length in range(2, len(word)):
            pieces[word[:length]] += count
            pieces["##" + word[-length:]] += count
        if len(word) > 1:
            pieces[word] += 3 * count
    # ASCII letters and digits are always there, so that plain words never become [UNK].
    ascii_chars = "abcdefghijklmnopqrstuvwxyz0123456789"
    chars = set(ascii_chars) | {c for c, n in first.items() if n > 1}
    chars |= {"##" + c for c in ascii_chars} | {c for c, n in inner.items() if n > 1}
    if not lower_case:
        chars |= {c.upper() for c in ascii_chars}

    specials = list(BERT_SPECIALS)
    specials.remove("[PAD]")
    specials.insert(pad_id, "[PAD]")
    vocab = specials + sorted(chars)
    ranked = sorted(pieces.items(), key=lambda item: (-item[1] * len(item[0]), item[0]))
    for piece, _ in ranked:
        if len(vocab) >= size:
            break
        if piece not in chars:
            vocab.append(piece)
    return tuple(vocab)


def write_vocab_txt(path: Path, vocab: tuple[str, ...]) -> None:
    path.write_text("".join(token + "\n" for token in vocab), encoding="utf-8")


def bert_tokenizer(
    lower_case: bool = True,
    size: int = 300,
    pad_id: int = 0,
    distil: bool = False,
    extra: Sequence[str] = (),
    **options: object,
) -> PreTrainedTokenizerFast:
    """A BertTokenizerFast (or DistilBertTokenizerFast) over `wordpiece_vocab`, and `extra` tokens."""
    vocab = wordpiece_vocab(lower_case, size, pad_id)
    backend = Tokenizer(models.WordPiece({token: i for i, token in enumerate(vocab)}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(
        lowercase=lower_case,
        strip_accents=options.get("strip_accents"),
        handle_chinese_chars=options.get("tokenize_chinese_chars", True),
    )
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(prefix="##")
    cls, sep = vocab.index("[CLS]"), vocab.index("[SEP]")
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", cls), ("[SEP]", sep)],
    )
    made = DistilBertTokenizerFast if distil else BertTokenizerFast
    tokenizer = made(tokenizer_object=backend, do_lower_case=lower_case, **options)
    tokenizer.add_tokens(list(extra))
    return tokenizer


@cache
def byte_bpe(size: int = 380) -> tuple[str, str]:
    """A trained byte-level BPE as the texts of vocab.json and merges.txt."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=ROBERTA_SPECIALS,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator(CORPUS, trainer)
    model = json.loads(backend.to_str())["model"]
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    vocab = json.dumps(model["vocab"], ensure_ascii=False)
    return vocab, "#version: 0.2\n" + "\n".join(merges) + "\n"


def write_bpe_files(folder: Path, size: int = 380) -> None:
    vocab, merges = byte_bpe(size)
    (folder / "vocab.json").write_text(vocab, encoding="utf-8")
    (folder / "merges.txt").write_text(merges, encoding="utf-8")


def roberta_tokenizer(add_prefix_space: bool = False, size: int = 380, **options: object) -> RobertaTokenizerFast:
    vocab_text, merges_text = byte_bpe(size)
    vocab = json.loads(vocab_text)
    merges = [tuple(line.split(" ")) for line in merges_text.splitlines()[1:]]
    backend = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.RobertaProcessing(
        sep=("</s>", vocab["</s>"]),
        cls=("<s>", vocab["<s>"]),
        trim_offsets=bool(options.get("trim_offsets", True)),
        add_prefix_space=add_prefix_space,
    )
    return RobertaTokenizerFast(tokenizer_object=backend, add_prefix_space=add_prefix_space, **options)


# A few rules of nmt_nfkc: the whole table is 240 kB. From -> to, as code points.
NORMALIZATION_RULES: dict[str, str] = {
    "\ufb01": "fi",
    "\u00bd": "1\u20442",
    "\u2116": "No",
    "\u2167": "VIII",
    "\u2026": "...",
    "\u00a0": " ",
    "\u3000": " ",
    "\u2003": " ",
    "\u200b": " ",
    "\ufeff": " ",
    "\t": " ",
    "\n": " ",
    "\r": " ",
    "e\u0301": "\u00e9",
    "e\u0300": "\u00e8",
    "a\u0300": "\u00e0",
    "u\u0302": "\u00fb",
    "u\u0308": "\u00fc",
    "\u01c4": "D\u017d",
    "\u0001": "",
    "\u0007": "",
    "\u007f": "",
} | {chr(0xFF21 + i): chr(0x41 + i) for i in range(26)}


@cache
def sentencepiece_model(size: int = 320, rules: str = "small") -> bytes:
    """A real sentencepiece Unigram model in the layout of XLM-RoBERTa (unk 0, bos 1, eos 2).

    `rules`: "small" is the table above, "nmt_nfkc" is what real checkpoints have, "identity" has no table.
    """
    out = io.BytesIO()
    with tempfile.TemporaryDirectory() as scratch:
        normalization: dict[str, str] = {"normalization_rule_name": rules}
        if rules == "small":
            table = Path(scratch) / "rules.tsv"
            lines = [
                " ".join(f"{ord(c):X}" for c in source) + "\t" + " ".join(f"{ord(c):X}" for c in target)
                for source, target in sorted(NORMALIZATION_RULES.items())
            ]
            table.write_text("\n".join(lines) + "\n", encoding="utf-8")
            normalization = {"normalization_rule_tsv": str(table)}
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(CORPUS),
            model_writer=out,
            model_type="unigram",
            vocab_size=size,
            character_coverage=0.995,
            num_threads=1,
            minloglevel=2,
            unk_id=0,
            bos_id=1,
            eos_id=2,
            pad_id=-1,
            **normalization,
        )
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(out.getvalue())
    model.normalizer_spec.normalization_rule_tsv = ""  # the path of a temporary file
    return bytes(model.SerializeToString(deterministic=True))


def xlm_roberta_tokenizer(
    scratch: Path, size: int = 320, rules: str = "small", **options: object
) -> XLMRobertaTokenizerFast:
    """Fast tokenizer converted from the sentencepiece model by transformers itself."""
    path = scratch / "sentencepiece.bpe.model"
    path.write_bytes(sentencepiece_model(size, rules))
    slow = XLMRobertaTokenizer(str(path), **options)
    tokenizer = XLMRobertaTokenizerFast(__slow_tokenizer=slow, **options)
    tokenizer.vocab_file = None  # so that save_pretrained leaves the sentencepiece file out
    return tokenizer
