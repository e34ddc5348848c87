"""gpt2: a byte-level BPE whose one special token is its last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import pipeline

import cases as C
import tokenizer_variants as V
import weights as W
from cases import Case
from decoder_tokenizers import byte_tokenizer
from table import BIO, FEATURES, GENERATION, TEXTS, TOKENS, decoder, like, pick

GPT2: dict[str, Any] = dict(n_embd=20, n_head=4, n_layer=3, n_positions=96, layer_norm_epsilon=1e-3)
# The bytes that are no ASCII come up less often.
SHARED: dict[str, Any] = dict(model_type="gpt2", make_tokenizer=byte_tokenizer, quiet=(94, 256))
PADDING: dict[str, Any] = dict(pad_token="<|pad|>", padding_side="left")
TEMPLATE = (
    "{% for message in messages %}{{ message.role + ': ' + message.content.strip() + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}"
)

decoder(
    "gpt2-generation",
    GENERATION,
    C.text_generation_cases([310, 319, 391], [391, 83], [288, 350, 357], 400, "au 1") + C.chat_cases() + C.returned_scores(),
    config=GPT2,
    tokenizer={"model_max_length": 40, "chat_template": TEMPLATE},
    **SHARED,
)


def add_tokenizer(folder: Path) -> Any:
    """Python's pipeline gives `stop_strings` no tokenizer to work with: here it does."""
    pipe = pipeline(GENERATION, model=str(folder), torch_dtype=torch.float32, device="cpu")
    pipe._forward_params["tokenizer"] = pipe.tokenizer
    return pipe


like(
    "gpt2-generation",
    "gpt2-generation-stop-strings",
    [
        C.greedy("one", C.PROMPTS, stop_strings="au", max_new_tokens=12),
        C.greedy("several", C.PROMPTS, stop_strings=["u ", "1 1", "you", "天"], max_new_tokens=12),
        C.greedy("several_tensors", C.PROMPTS[:4], stop_strings=["o", "ss"], max_new_tokens=12, return_tensors=True),
        C.greedy("in_the_prompt", C.PROMPTS[:4], stop_strings=["in", "brown", "you"], max_new_tokens=12),
        C.greedy("across_the_prompt", C.PROMPTS[1:4], stop_strings=["xou", "foxyou", "rañ"], max_new_tokens=12),
        C.greedy("new_text", C.PROMPTS, stop_strings=["at", "añ"], max_new_tokens=12, return_full_text=False),
        C.greedy("beams", C.PROMPTS[:3], stop_strings=["au", "you"], num_beams=3, max_new_tokens=6),
        C.greedy("with_eos", C.PROMPTS[:5], stop_strings=["天"], eos_token_id=[310, 391], max_new_tokens=12),
    ],
    answer=add_tokenizer,
)


def openai_files(folder: Path) -> None:
    """The files as OpenAI's were converted: no prefix, masks among the weights, settings in config.json only."""
    state = {name.removeprefix("transformer."): value for name, value in W.read_state(folder).items()}
    for layer in range(3):
        state[f"h.{layer}.attn.bias"] = torch.tril(torch.ones(96, 96)).bool().view(1, 1, 96, 96).to(torch.uint8)
        state[f"h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    W.write_safetensors(folder, state)
    (folder / "generation_config.json").unlink()


# Without `do_sample` it is the config's, which leaves one token to take.
DEFAULTS = [
    Case("defaults", C.PROMPTS, {"max_new_tokens": 9}),
    Case("default_length", C.PROMPTS[:2] + C.PROMPTS[3:4], {"max_new_tokens": None}),
    Case("default_length_prefix", C.PROMPTS[1:2], {"max_new_tokens": None, "prefix": "Hi there "}),
    Case("other_repeats", C.PROMPTS[:4], {"max_new_tokens": 20, "no_repeat_ngram_size": 0}),
]
decoder(
    "gpt2-generation-task-params",
    GENERATION,
    [*C.short_text_generation_cases(), *DEFAULTS, *C.PADDED_PROMPTS],
    config={
        **GPT2,
        "n_inner": 33,
        "activation_function": "relu",
        "scale_attn_by_inverse_layer_idx": True,
        "reorder_and_upcast_attn": True,
        "task_specific_params": {
            "text-generation": {"do_sample": True, "max_length": 40, "top_k": 1, "no_repeat_ngram_size": 2},
            "summarization": {"num_beams": 4, "prefix": "summarize: "},
        },
    },
    tokenizer=PADDING,
    rewrite=[openai_files],
    **SHARED,
)


# A max_length other than 20 takes the place of the pipeline's 256 new tokens; its temperature is the pipeline's.
CONFIGURED = [
    Case("defaults", C.PROMPTS, {"max_new_tokens": 9}),
    Case("default_length", [*C.PROMPTS[:2], C.PROMPTS[3]]),
    Case("default_length_prefix", C.PROMPTS[1:2], {"prefix": "Hi there "}),
    Case("default_length_min_length", C.PROMPTS[1:2], {"prefix": "Hi there ", "min_length": 18, "eos_token_id": [310, 319]}),
    Case("max_length", C.PROMPTS[:2], {"max_length": 18}),
    Case("hole", C.PROMPTS, {"handle_long_generation": "hole", "max_length": 18}, error=True),
    Case("hole_max_length", C.PROMPTS[:2], {"handle_long_generation": "hole", "max_length": 18}),
    Case("too_long", C.PROMPTS[2:3], {}, error=True),
    Case("other_eos", C.PROMPTS[:4], {"max_new_tokens": 16, "eos_token_id": 400}),
    Case("no_penalty", C.PROMPTS[:4], {"max_new_tokens": 9, "repetition_penalty": 1.0}),
    Case("no_penalty_beams", C.PROMPTS[:4], {"max_new_tokens": 5, "do_sample": False, "num_beams": 3, "repetition_penalty": None}),
]
decoder(
    "gpt2-generation-config",
    GENERATION,
    [*C.short_text_generation_cases(), *CONFIGURED],
    config={
        **GPT2,
        "n_embd": 24,
        "n_head": 3,
        "n_layer": 2,
        "activation_function": "gelu",
        "scale_attn_weights": False,
        "tie_word_embeddings": False,
    },
    tokenizer=PADDING,
    rewrite=[
        V.generation_config(
            eos_token_id=[400, 391, 56], top_k=1, temperature=0.3, repetition_penalty=1.2, max_length=24, do_sample=False
        )
    ],
    **SHARED,
)

# --- weight files ---------------------------------------------------------------------------------------------------

some = pick(C.text_generation_cases([310, 319, 391], [391, 83], [288, 350, 357], 400, "au 1"), "greedy", "beams_tensors")
like("gpt2-generation", "gpt2-generation-f16", some, W.cast(torch.float16))
like("gpt2-generation", "gpt2-generation-bf16", some, W.cast(torch.bfloat16))
like("gpt2-generation", "gpt2-generation-shards", some, W.shard_safetensors, same_as="gpt2-generation")
like("gpt2-generation", "gpt2-generation-torch", some, W.torch_zip, same_as="gpt2-generation")

# --- other tasks ----------------------------------------------------------------------------------------------------

decoder("gpt2-features", FEATURES, C.short_feature_cases("gpt2"), config={**GPT2, "layer_norm_epsilon": 0.05}, tokenizer=PADDING, **SHARED)
decoder("gpt2-features-lm", FEATURES, C.short_feature_cases("gpt2"), config=GPT2, tokenizer=PADDING, head="CausalLM", **SHARED)
decoder(
    "gpt2-sentiment",
    TEXTS,
    [*C.short_text_cases("gpt2"), C.PADDED_TEXTS],
    config=GPT2,
    labels=["negative", "neutral", "positive"],
    tokenizer={"pad_token": "<|pad|>"},
    **SHARED,
)
decoder(
    "gpt2-text-one-label",
    TEXTS,
    [*C.short_text_cases("gpt2"), C.PADDED_TEXTS],
    config={**GPT2, "n_layer": 2},
    labels=["score"],
    tokenizer=PADDING,
    **SHARED,
)
decoder(
    "gpt2-ner",
    TOKENS,
    C.short_token_cases("gpt2"),
    config={**GPT2, "n_positions": 128},
    labels=BIO,
    tokenizer={"pad_token": "<|pad|>"},
    **SHARED,
)
