"""Which settings a call ends up with, and which it is refused.

Pipelines run up to the place where processors are made, on checkpoints written to a temporary folder.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    GenerationConfig,
    GPT2Config,
    PreTrainedTokenizerFast,
    T5Config,
)
from transformers.pipelines import SummarizationPipeline, Text2TextGenerationPipeline, TextGenerationPipeline

from lists import tiny

PROMPT = "a b c"
GPT2 = {"model_type": "gpt2", "vocab_size": 24, "n_positions": 64, "n_embd": 8, "n_layer": 1, "n_head": 1, "bos_token_id": 1, "eos_token_id": 2}
T5 = {
    "model_type": "t5", "vocab_size": 24, "d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2,
    "decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1, "is_encoder_decoder": True,
}  # fmt: skip
CHAT = {"do_sample": True, "temperature": 0.6, "top_p": 0.9, "eos_token_id": [2, 5], "bos_token_id": 1}
OLD, NEW = {"transformers_version": "4.41.0"}, {"transformers_version": "4.51.3"}
EDGE = {"transformers_version": "4.50.0.dev0"}
SUMMARY = {"summarization": {"length_penalty": 2.0, "max_length": 30, "min_length": 5, "num_beams": 3, "prefix": "summarize: "}}

# Task, what config.json has besides, generation_config.json, keywords of pipeline(), keywords of the call.
MERGES: list[tuple[str, dict[str, Any], dict[str, Any] | None, dict[str, Any], dict[str, Any]]] = [
    ("text-generation", {}, None, {}, {}),
    ("text-generation", {}, None, {}, {"max_length": 20}),
    ("text-generation", {}, None, {}, {"max_length": 20, "max_new_tokens": None}),
    ("text-generation", {}, None, {}, {"max_new_tokens": None}),
    ("text-generation", {"n_positions": 12}, None, {}, {"max_new_tokens": None}),
    ("text-generation", {}, None, {}, {"max_new_tokens": 4, "min_new_tokens": 2, "min_length": 3}),
    ("text-generation", {}, None, {}, {"min_length": 9, "top_k": None, "temperature": 1.0}),
    ("text-generation", {"repetition_penalty": 1.2, "max_length": 40, "top_k": 7}, None, {}, {}),
    ("text-generation", {"repetition_penalty": 1.2, "max_length": 40}, {"bos_token_id": 1, **OLD}, {}, {}),
    ("text-generation", {"task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}}}, None, {}, {}),
    ("text-generation", {}, {**CHAT, **OLD}, {}, {}),
    ("text-generation", {}, {**CHAT, **NEW}, {}, {}),
    ("text-generation", {}, {**CHAT, **NEW}, {}, {"temperature": 0.3, "eos_token_id": 4, "pad_token_id": 3}),
    ("text-generation", {}, {**CHAT, **NEW, "top_k": None}, {}, {}),
    ("text-generation", {}, {**CHAT, **NEW, "temperature": 0.0}, {}, {}),
    ("text-generation", {}, {"max_length": 33, **OLD}, {}, {}),
    ("text-generation", {}, {"max_length": 33, "max_new_tokens": 11, **OLD}, {}, {}),
    ("text-generation", {}, {"max_length": 33, "max_new_tokens": 11, **NEW}, {}, {}),
    ("text-generation", {}, {"max_length": 33, "max_new_tokens": 11, **EDGE}, {}, {"max_length": 9}),
    ("text-generation", {}, {"max_new_tokens": 11, **NEW}, {}, {}),
    ("text-generation", {}, {"num_beams": 3, "early_stopping": True, **NEW}, {}, {"do_sample": False}),
    ("text-generation", {"task_specific_params": {"text-generation": {"num_beams": 1}}}, {"num_beams": 3, **OLD}, {}, {}),
    ("text-generation", {"task_specific_params": {"text-generation": {"num_beams": 1}}}, {"num_beams": 3, **NEW}, {}, {}),
    ("text-generation", {}, None, {"max_new_tokens": 6, "top_p": 0.8}, {"top_p": 0.7}),
    ("text-generation", {}, {"max_length": 33, **NEW}, {"max_new_tokens": 6, "do_sample": False, "temperature": 1.0}, {}),
    ("text-generation", {}, {**CHAT, **NEW}, {}, {"generation_config": {"max_new_tokens": 5, "top_p": 0.5}, "top_k": 3}),
    ("text-generation", {}, {**CHAT, **OLD}, {}, {"generation_config": {"max_new_tokens": 5}}),
    ("text-generation", {}, {**CHAT, **OLD}, {}, {"generation_config": {"temperature": 0.0, "max_length": 40}}),
    ("text2text-generation", {}, None, {}, {}),
    ("text2text-generation", {"num_beams": 2, "max_length": 25}, None, {}, {}),
    ("text2text-generation", {}, {"num_beams": 2, "decoder_start_token_id": 0, "no_repeat_ngram_size": 3, **NEW}, {}, {}),
    ("text2text-generation", {}, {"num_beams": 2, "decoder_start_token_id": 0, **OLD}, {}, {"num_beams": 1, "do_sample": True}),
    ("summarization", {"task_specific_params": SUMMARY}, None, {}, {}),
    ("summarization", {"task_specific_params": SUMMARY, "max_length": 25}, None, {}, {"min_length": 2}),
    ("summarization", {"task_specific_params": SUMMARY}, {"decoder_start_token_id": 0, "num_beams": 1, **NEW}, {}, {"max_new_tokens": 8}),
]
MODEL_CONFIGS: list[dict[str, Any]] = [
    {**GPT2, "do_sample": True, "top_k": 4, "bad_words_ids": [[3]], "temperature": None, "use_cache": False},
    {
        "model_type": "encoder-decoder", "is_encoder_decoder": True, "num_beams": 3, "max_length": 20,
        "encoder": {"model_type": "bert", "num_beams": 9},
        "decoder": {"model_type": "bert", "num_beams": 5, "max_length": 70, "pad_token_id": 3, "is_decoder": True},
    },
    {"model_type": "vision-encoder-decoder", "decoder_start_token_id": 9, "encoder": {"model_type": "vit"},
     "decoder": {"model_type": "trocr", "decoder_start_token_id": 4, "eos_token_id": 6, "bos_token_id": 5, "pad_token_id": 7, "top_p": 0.5}},
    {"model_type": "llava", "text_config": {"model_type": "llama", "eos_token_id": [3, 4], "bos_token_id": 9, "temperature": 0.2},
     "vision_config": {"model_type": "clip_vision_model", "eos_token_id": 8}},
]  # fmt: skip

# Keywords of a call, refused or not.
CALLS: list[dict[str, Any]] = [
    {},
    {"num_beams": 2, "num_return_sequences": 3},
    {"num_beams": 3, "num_return_sequences": 3},
    {"num_return_sequences": 2},
    {"num_return_sequences": 2, "do_sample": True},
    {"num_beams": 4, "num_beam_groups": 3, "diversity_penalty": 0.5},
    {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5, "trust_remote_code": True},
    {"num_beams": 4, "num_beam_groups": 2},
    {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5, "do_sample": True},
    {"num_beams": 4, "diversity_penalty": 0.5},
    {"diversity_penalty": 0.5},
    {"num_beam_groups": 2},
    {"num_beams": 3, "force_words_ids": [[3]], "do_sample": True},
    {"num_beams": 4, "force_words_ids": [[3]], "num_beam_groups": 2},
    {"num_beams": 1, "force_words_ids": [[3]]},
    {"num_beams": 3, "force_words_ids": []},
    {"num_beams": 3, "force_words_ids": [[]]},
    {"num_beams": 3, "force_words_ids": [[[3], [4, 5]], [6]]},
    {"max_new_tokens": 0},
    {"max_new_tokens": -1},
    {"max_length": 3},
    {"max_length": 4},
    {"min_length": 99},
    {"min_new_tokens": 99},
    {"early_stopping": "sometimes"},
    {"early_stopping": "never", "num_beams": 2},
    {"do_sample": True, "temperature": 0.0},
    {"do_sample": True, "temperature": -1.0},
    {"do_sample": False, "temperature": 0.0},
    {"do_sample": True, "top_k": -1},
    {"do_sample": True, "top_p": -0.1},
    {"do_sample": True, "top_p": 1.5},
    {"do_sample": True, "min_p": 1.5},
    {"do_sample": True, "typical_p": 0.0},
    {"do_sample": True, "typical_p": -0.5},
    {"do_sample": True, "epsilon_cutoff": 2.0},
    {"do_sample": True, "eta_cutoff": 2.0},
    {"repetition_penalty": 0.0},
    {"encoder_repetition_penalty": -1.0},
    {"bad_words_ids": []},
    {"bad_words_ids": [[-1]]},
    {"bad_words_ids": [[0]]},
    {"bad_words_ids": [[]]},
    {"sequence_bias": []},
    {"sequence_bias": [[[99], 1.0]]},
    {"sequence_bias": [[[], 1.0]]},
    {"exponential_decay_length_penalty": [1, 1.1], "eos_token_id": None},
    {"prompt_lookup_num_tokens": 2, "num_return_sequences": 2, "do_sample": True},
    {"prompt_lookup_num_tokens": 0},
    {"prompt_lookup_num_tokens": 2},
    {"stop_strings": ["a"]},
    {"cache_implementation": "nothing"},
    {"num_bems": 4},
]


class Reached(Exception):
    """Carries the settings out of `generate`."""


def tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {token: at for at, token in enumerate(["<pad>", "a", "b", "c", "<unk>"])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", pad_token="<pad>")


def merged(task: str, added: dict, generation: dict | None, init: dict, call: dict) -> dict[str, Any]:
    decoder_alone = task == "text-generation"
    base, auto = (GPT2, AutoModelForCausalLM) if decoder_alone else (T5, AutoModelForSeq2SeqLM)
    config = {**base, **added}
    folder = Path(tempfile.mkdtemp())
    sizes = {key: value for key, value in added.items() if key == "n_positions"}
    model = auto.from_config((GPT2Config if decoder_alone else T5Config)(**{**base, **sizes}))
    model.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "generation_config.json").unlink(missing_ok=True)
    if generation is not None:
        (folder / "generation_config.json").write_text(json.dumps(generation))
    model = auto.from_pretrained(folder)
    shutil.rmtree(folder)
    kind = {
        "text-generation": TextGenerationPipeline,
        "text2text-generation": Text2TextGenerationPipeline,
        "summarization": SummarizationPipeline,
    }[task]
    pipeline = kind(model=model, tokenizer=tokenizer(), task=task, device="cpu", **init)
    reached: dict[str, Any] = {}

    def reach(generation_config: GenerationConfig, input_ids_seq_length: int, **_: Any) -> None:
        reached.update(settings=generation_config, prompt_length=input_ids_seq_length)
        raise Reached

    model._get_logits_processor = reach
    arguments = dict(call)
    if "generation_config" in arguments:
        arguments["generation_config"] = GenerationConfig(**arguments["generation_config"])
    try:
        pipeline(PROMPT, **arguments)
    except Reached:
        pass
    settings = reached["settings"]
    for name in ("bos", "eos", "pad", "decoder_start"):
        prepared = getattr(settings, f"_{name}_token_tensor")
        setattr(settings, f"{name}_token_id", None if prepared is None else prepared.tolist())
        delattr(settings, f"_{name}_token_tensor")
    return {
        "task": task,
        "pipeline": kind._default_generation_config.to_diff_dict(),
        "config": config,
        "generation_config": generation,
        "init": init,
        "call": call,
        "pad_token_id": 0,
        "prompt_length": reached["prompt_length"],
        "expected": settings.to_diff_dict(),
    }


def merges() -> list[dict[str, Any]]:
    cases = [merged(*case) for case in MERGES]
    for config in MODEL_CONFIGS:
        folder = Path(tempfile.mkdtemp())
        (folder / "config.json").write_text(json.dumps(config))
        loaded = AutoConfig.from_pretrained(folder)
        shutil.rmtree(folder)
        settings = GenerationConfig.from_model_config(loaded)
        cases.append({"config": config, "expected": settings.to_diff_dict()})
    for case in cases:
        case["expected"].pop("transformers_version", None)
        case.get("pipeline", {}).pop("transformers_version", None)
    return cases


def failures() -> list[dict[str, Any]]:
    cases = []
    for call in CALLS:
        model = tiny()
        error = None
        try:
            model.generate(torch.tensor([[1, 3, 4]]), **{"max_new_tokens": 2, **call} if "max_length" not in call else call)
        except Exception as raised:
            error = f"{type(raised).__name__}: {str(raised).splitlines()[0]}"
        cases.append({"call": call, "error": error})
    return cases
