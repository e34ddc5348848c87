"""whisper: texts with marks for languages, tasks and times, written about a sound."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Sequence

from transformers import WhisperFeatureExtractor, WhisperTokenizerFast

import decoder_tokenizers
import tokenizer_variants as V
import weights as W
from cases import Case
from sound_cases import ARRAY, LONG, RAW, SHORT, STEREO, VOICE
from table import SPEECH, add, like, pick

END, START = "<|endoftext|>", "<|startoftranscript|>"
LANGUAGES = ["en", "zh", "de", "ja"]
MARKS = [
    END,
    START,
    *(f"<|{code}|>" for code in LANGUAGES),
    *("<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"),
]
# Bytes and some merges.
WORDS = 310
# Two seconds at once: marks of times from 0.00 to 2.00.
POSITIONS = 100
TIMES = [f"<|{place * 0.02:.2f}|>" for place in range(POSITIONS + 1)]
ID = {mark: WORDS + place for place, mark in enumerate([*MARKS, *TIMES])}


def make_tokenizer(scratch: Path, times: bool = True, **options: Any) -> WhisperTokenizerFast:
    extra = TIMES if times else []
    options.setdefault("additional_special_tokens", MARKS)
    return decoder_tokenizers.byte_tokenizer(scratch, WORDS, WhisperTokenizerFast, after=MARKS, extra=extra, **options)


def extractor(**options: Any) -> Callable[[], WhisperFeatureExtractor]:
    return lambda: WhisperFeatureExtractor(feature_size=10, chunk_length=2, **options)


def generation(**settings: Any) -> Callable[[Path], None]:
    """generation_config.json as OpenAI's files have it, and what the tokenizer does not need."""
    config: dict[str, Any] = {
        "alignment_heads": [[0, 1], [1, 3], [1, 0]],
        "begin_suppress_tokens": [5, ID[END]],
        "bos_token_id": ID[END],
        "decoder_start_token_id": ID[START],
        "eos_token_id": ID[END],
        "forced_decoder_ids": [[1, None], [2, ID["<|transcribe|>"]]],
        "is_multilingual": True,
        "lang_to_id": {f"<|{code}|>": ID[f"<|{code}|>"] for code in LANGUAGES},
        "max_initial_timestamp_index": 12,
        "max_length": 22,
        "no_timestamps_token_id": ID["<|notimestamps|>"],
        "pad_token_id": ID[END],
        "prev_sot_token_id": ID["<|startofprev|>"],
        "return_timestamps": False,
        "suppress_tokens": [1, 7, ID["<|translate|>"], ID["<|startofprev|>"], ID["<|nospeech|>"]],
        "task_to_id": {task: ID[f"<|{task}|>"] for task in ("transcribe", "translate")},
        "transformers_version": "4.56.2",
    }
    config.update(settings)
    config = {key: value for key, value in config.items() if value != "absent"}

    def apply(folder: Path) -> None:
        text = json.dumps(config, indent=2, sort_keys=True) + "\n"
        (folder / "generation_config.json").write_text(text, encoding="utf-8")
        for file in ("vocab.json", "merges.txt", "normalizer.json", "added_tokens.json"):
            (folder / file).unlink(missing_ok=True)

    return apply


WHISPER: dict[str, Any] = dict(
    d_model=24,
    num_mel_bins=10,
    encoder_layers=2,
    encoder_attention_heads=3,
    encoder_ffn_dim=30,
    decoder_layers=2,
    decoder_attention_heads=4,
    decoder_ffn_dim=34,
    max_source_positions=POSITIONS,
    max_target_positions=60,
    median_filter_width=5,
    vocab_size=WORDS + len(MARKS) + len(TIMES),
    bos_token_id=ID[END],
    eos_token_id=ID[END],
    decoder_start_token_id=ID[START],
    activation_function="gelu",
)
FILES = [VOICE, SHORT, STEREO]


def generate(**settings: Any) -> dict[str, Any]:
    return {"generate_kwargs": settings}


def cases() -> list[Case]:
    times, words = {"return_timestamps": True}, {"return_timestamps": "word"}
    return [
        Case("default", FILES),
        Case("greedy", FILES, generate(num_beams=1)),
        Case("beams", FILES, generate(num_beams=3, length_penalty=0.5)),
        Case("max_new_tokens", FILES, generate(max_new_tokens=5, num_beams=2)),
        Case("max_length", FILES[:2], generate(max_length=9)),
        Case("max_length_20", FILES[:1], generate(max_length=20, num_beams=1)),
        Case("processors", FILES, generate(num_beams=1, repetition_penalty=1.3, no_repeat_ngram_size=2, min_new_tokens=8)),
        Case("timestamps", FILES, times),
        Case("timestamps_greedy", FILES, {**times, **generate(num_beams=1)}),
        Case("timestamps_conditioned", FILES, {**times, **generate(num_beams=1, condition_on_prev_tokens=True)}),
        Case("timestamps_false", FILES[:1], {"return_timestamps": False}),
        Case("words", FILES, words),
        Case("words_greedy", FILES, {**words, **generate(num_beams=1)}),
        Case("languages", FILES, {"return_language": True}),
        Case("languages_times", FILES, {**times, "return_language": True}),
        Case("languages_words", FILES[:2], {**words, "return_language": True}),
        Case("german", FILES, generate(language="german")),
        Case("german_code", FILES[:2], {**times, **generate(language="DE", num_beams=1)}),
        Case("german_token", FILES[:1], generate(language="<|de|>")),
        Case("one_language_of_a_list", FILES[:1], generate(language=["ja"])),
        Case("translate", FILES, generate(task="translate")),
        Case("translate_from_chinese", FILES, {**times, **generate(task="translate", language="mandarin")}),
        Case("words_japanese", FILES, {**words, "return_language": True, **generate(language="japanese", num_beams=2)}),
        Case("cold", FILES[:2], generate(temperature=0.0, num_beams=2)),
        Case("chunks", [VOICE, LONG, SHORT], {"chunk_length_s": 0.8}),
        Case("chunks_strides", [LONG], {"chunk_length_s": 1.1, "stride_length_s": [0.3, 0.1]}),
        Case("chunks_times", [LONG, VOICE], {"chunk_length_s": 0.9, **times}),
        Case("chunks_words", [LONG, VOICE], {"chunk_length_s": 0.9, "stride_length_s": 0.2, **words}),
        Case("chunks_of_all", [LONG], {"chunk_length_s": 2, "stride_length_s": 0.5, "return_language": True, **times}),
        Case("array", [ARRAY, {**RAW, "id": 3}], times),
        Case("long_times", [LONG], times),
        Case("long_words", [LONG], {**words, **generate(num_beams=1)}),
        Case("long", [LONG], error=True),
        Case("char", FILES[:1], {"return_timestamps": "char"}, error=True),
        Case("klingon", FILES[:1], generate(language="klingon"), error=True),
        Case("french", FILES[:1], generate(language="french"), error=True),
        Case("another_task", FILES[:1], generate(task="summarize"), error=True),
        Case("two_languages", FILES[:1], generate(language=["de", "ja"]), error=True),
        Case("too_many_tokens", FILES[:1], generate(max_new_tokens=58), error=True),
        Case("unknown_keyword", FILES[:1], generate(num_beam=3), error=True),
    ]


def short_cases(*more: str) -> list[Case]:
    return pick(cases(), "default", "greedy", "timestamps", "chunks_times", *more)


def whisper(name: str, cases: Sequence[Case], *rewrite: Callable[[Path], None], **fields: Any) -> None:
    fields = {
        "make_tokenizer": make_tokenizer,
        "processor": extractor(),
        "config": WHISPER,
        "std": 0.45,
        "quiet": (ID["<|0.00|>"], ID["<|2.00|>"] + 1),
        **fields,
    }
    add(name, SPEECH, list(cases), model_type="whisper", head="SpeechSeq2Seq", decoder=True, rewrite=list(rewrite), **fields)


def untied(folder: Path) -> None:
    """An output layer of its own."""
    state = W.read_state(folder)
    table = state["model.decoder.embed_tokens.weight"]
    state["proj_out.weight"] = table.flip(0).contiguous()
    W.write_safetensors(folder, state)


whisper("whisper-speech", cases(), generation())
# English only, as OpenAI's `.en` files; tokenizer.json alone, which does not know the marks of times.
ENGLISH_ERRORS = [
    Case("language", FILES[:1], generate(language="en"), error=True),
    Case("task", FILES[:1], generate(task="transcribe"), error=True),
]


def only_tokenizer_json(folder: Path) -> None:
    for file in ("tokenizer_config.json", "special_tokens_map.json"):
        (folder / file).unlink()


whisper(
    "whisper-speech-english",
    short_cases("words", "languages", "long_times") + ENGLISH_ERRORS,
    generation(
        is_multilingual=False,
        lang_to_id="absent",
        task_to_id="absent",
        forced_decoder_ids="absent",
        prev_sot_token_id="absent",
        suppress_tokens=None,
        max_initial_timestamp_index=None,
        pad_token_id=ID["<|nospeech|>"],
        alignment_heads=[[0, 0]],
        num_beams=2,
        return_timestamps=True,
    ),
    only_tokenizer_json,
    config={
        **WHISPER,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 2,
        "decoder_layers": 1,
        "activation_function": "relu",
        "scale_embedding": True,
        "median_filter_width": 3,
    },
    tokenizer={"times": False},
)
# Before there was generation_config.json, config.json said how to begin.
whisper(
    "whisper-speech-old",
    [
        # The model's length is less than the pipeline's, and nothing else says how much to write.
        Case("default", FILES[:1], error=True),
        Case("greedy", FILES, generate(max_new_tokens=9, num_beams=1)),
        Case("beams", FILES, generate(max_new_tokens=7)),
        Case("languages", FILES, {"return_language": True, **generate(max_new_tokens=6)}),
        Case("chunks", [LONG, SHORT], {"chunk_length_s": 0.8, **generate(max_new_tokens=6, num_beams=2)}),
        Case("timestamps", FILES[:1], {"return_timestamps": True}, error=True),
        Case("words", FILES[:1], {"return_timestamps": "word"}, error=True),
        Case("language", FILES[:1], generate(language="de"), error=True),
    ],
    generation(),
    lambda folder: (folder / "generation_config.json").unlink(),
    config={
        **WHISPER,
        "forced_decoder_ids": [[1, ID["<|de|>"]], [2, ID["<|transcribe|>"]], [3, ID["<|notimestamps|>"]]],
        "max_length": 17,
        "begin_suppress_tokens": [9, ID[END]],
        "suppress_tokens": [2, 3],
    },
)
like(
    "whisper-speech",
    "whisper-speech-untied",
    short_cases(),
    untied,
    V.set_config(tie_word_embeddings=False),
)
