"""The tokenizers of decoders: byte-level BPE in the manner of GPT-2, and sentencepiece BPE with bytes for unknown letters."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path
from typing import Any, Callable, Sequence

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    GemmaTokenizer,
    GemmaTokenizerFast,
    GPT2TokenizerFast,
    LlamaTokenizer,
    LlamaTokenizerFast,
    PreTrainedTokenizerFast,
)

from corpus import CORPUS

# How the real files split texts into words.
LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN_2 = LLAMA_3.replace(r"\p{N}{1,3}", r"\p{N}")
BLOOM = r" ?[^(\s|[.,!?…。，、।۔،])]+"

# A simple chat template of the kind that Qwen has.
CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def split_by(pattern: str) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


@cache
def trained_bytes(size: int, pattern: str | None, specials: tuple[str, ...]) -> str:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = split_by(pattern) if pattern else pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(specials),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator(CORPUS, trainer)
    return backend.to_str()


def byte_tokenizer(
    _scratch: Path,
    size: int = 400,
    made: type[PreTrainedTokenizerFast] = GPT2TokenizerFast,
    pattern: str | None = None,
    before: Sequence[str] = (),
    after: Sequence[str] = ("<|endoftext|>",),
    extra: Sequence[str] = (),
    start: str | None = None,
    normalizer: normalizers.Normalizer | None = None,
    ignore_merges: bool = False,
    edit: Callable[[Tokenizer], None] | None = None,
    **options: Any,
) -> PreTrainedTokenizerFast:
    """A byte-level BPE with special tokens `before` and `after` the others and `extra` ones that are not special.

    `start` is put before every text; `edit` has the last word.
    """
    model = json.loads(trained_bytes(size, pattern, tuple(before)))["model"]
    merges = [tuple(pair) if isinstance(pair, list) else tuple(pair.split(" ")) for pair in model["merges"]]
    backend = Tokenizer(models.BPE(vocab=model["vocab"], merges=merges, ignore_merges=ignore_merges))
    if normalizer is not None:
        backend.normalizer = normalizer
    add_prefix_space = bool(options.get("add_prefix_space", False))
    backend.pre_tokenizer = split_by(pattern) if pattern else pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([*before, *after])
    backend.add_tokens([AddedToken(token, normalized=False, special=False) for token in extra])
    backend.post_processor = processors.ByteLevel(trim_offsets=False)
    if start is not None:
        template = processors.TemplateProcessing(
            single=f"{start} $A", pair=f"{start} $A {start}:1 $B:1", special_tokens=[(start, backend.token_to_id(start))]
        )
        backend.post_processor = processors.Sequence([backend.post_processor, template])
    if edit is not None:
        edit(backend)
    return made(tokenizer_object=backend, **options)


@cache
def sentencepiece_bpe(size: int, gemma: bool, extra: tuple[str, ...]) -> bytes:
    """A sentencepiece BPE in the layout of Llama (<unk> 0, <s> 1, </s> 2) or Gemma (<pad> 0, <eos> 1, <bos> 2, <unk> 3)."""
    out = io.BytesIO()
    layout: dict[str, Any] = dict(unk_id=0, bos_id=1, eos_id=2, pad_id=-1)
    if gemma:
        layout = dict(pad_id=0, eos_id=1, bos_id=2, unk_id=3, bos_piece="<bos>", eos_piece="<eos>", add_dummy_prefix=False)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS),
        model_writer=out,
        model_type="bpe",
        vocab_size=size,
        character_coverage=0.98,
        byte_fallback=True,
        split_digits=True,
        allow_whitespace_only_pieces=True,
        remove_extra_whitespaces=False,
        normalization_rule_name="identity",
        user_defined_symbols=list(extra),
        num_threads=1,
        minloglevel=2,
        **layout,
    )
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(out.getvalue())
    return bytes(model.SerializeToString(deterministic=True))


def llama_tokenizer(
    scratch: Path, size: int = 500, extra: Sequence[str] = (), specials: Sequence[AddedToken] = (), **options: Any
) -> LlamaTokenizerFast:
    """Fast tokenizer converted from the sentencepiece model by transformers itself."""
    path = scratch / "tokenizer.model"
    path.write_bytes(sentencepiece_bpe(size, False, tuple(extra)))
    slow = LlamaTokenizer(str(path), **options)
    made = LlamaTokenizerFast(__slow_tokenizer=slow, **options)
    made.add_special_tokens({"additional_special_tokens": list(specials)} if specials else {})
    made.vocab_file = None  # so that save_pretrained leaves the sentencepiece file out
    return made


def gemma_tokenizer(scratch: Path, size: int = 500, **options: Any) -> GemmaTokenizerFast:
    """As `llama_tokenizer`."""
    path = scratch / "tokenizer.model"
    path.write_bytes(sentencepiece_bpe(size, True, ("<start_of_turn>", "<end_of_turn>", "\n", "\t")))
    slow = GemmaTokenizer(str(path), **options)
    made = GemmaTokenizerFast(__slow_tokenizer=slow, **options)
    made.vocab_file = None
    return made
