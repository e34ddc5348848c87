"""llama: sentencepiece BPE with bytes for unknown letters, and the byte-level BPE of Llama 3."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast, pipeline

import cases as C
import tokenizer_variants as V
import weights as W
from decoder_tokenizers import LLAMA_3, byte_tokenizer, llama_tokenizer
from table import BIO, FEATURES, GENERATION, TEXTS, TOKENS, decoder, pick

LLAMA: dict[str, Any] = dict(
    hidden_size=20,
    num_attention_heads=5,
    num_hidden_layers=3,
    intermediate_size=35,
    max_position_embeddings=128,
    rms_norm_eps=1e-3,
    rope_theta=700.0,
)
# <0x00> to <0xFF> come up less often.
SHARED: dict[str, Any] = dict(model_type="llama", make_tokenizer=llama_tokenizer, quiet=(3, 259))
PADDING: dict[str, Any] = dict(pad_token="<unk>", padding_side="left")
TEMPLATE = (
    "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}"
    "{% set system_message = '<<SYS>>\n' + messages[0]['content'] + '\n<</SYS>>\n\n' %}"
    "{% else %}{% set loop_messages = messages %}{% set system_message = '' %}{% endif %}"
    "{% for message in loop_messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if loop.index0 == 0 %}{% set content = system_message + message['content'] %}"
    "{% else %}{% set content = message['content'] %}{% endif %}"
    "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
TEMPLATE_3 = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
SPECIALS_3 = [
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<|finetune_right_pad_id|>",
]
llama_3_tokenizer = partial(
    byte_tokenizer,
    made=PreTrainedTokenizerFast,
    pattern=LLAMA_3,
    after=SPECIALS_3,
    start="<|begin_of_text|>",
    ignore_merges=True,
    bos_token="<|begin_of_text|>",
    eos_token="<|eot_id|>",
    pad_token="<|finetune_right_pad_id|>",
    model_input_names=["input_ids", "attention_mask"],
    clean_up_tokenization_spaces=True,
)
SPECIALS = C.greedy("special_tokens", ["Hi</s> there <s>x", "<unk> y", "[INST] Hi [/INST]"], max_new_tokens=4)
NO_SPECIALS = C.greedy("no_special_tokens", C.PROMPTS[:4], add_special_tokens=False)
EMPTY = C.greedy("blank_prompts", ["", " ", "\n", "  x"])
HOLE = C.greedy("hole", C.PROMPTS[:4], handle_long_generation="hole")

decoder(
    "llama-generation",
    GENERATION,
    [*C.short_text_generation_cases(), *C.chat_cases(), SPECIALS, NO_SPECIALS, EMPTY, HOLE],
    config={**LLAMA, "num_key_value_heads": 5},
    tokenizer={"legacy": False, "model_max_length": 40, "chat_template": TEMPLATE},
    # Files as old as the first Llama's.
    rewrite=[
        V.set_config(
            **dict.fromkeys(
                "attention_bias attention_dropout head_dim hidden_act mlp_bias num_key_value_heads rope_scaling".split()
            )
        ),
        W.add_buffers(3, "model.layers.{}.self_attn.rotary_emb.inv_freq"),
    ],
    **SHARED,
)
decoder(
    "llama-generation-3",
    GENERATION,
    [
        *C.short_text_generation_cases(),
        *C.chat_cases(),
        C.greedy("special_tokens", ["Hi<|eot_id|> there", "<|end_of_text|>"], max_new_tokens=4),
        NO_SPECIALS,
        EMPTY,
        C.greedy("unicode", C.UNICODE, max_new_tokens=4),
    ],
    model_type="llama",
    make_tokenizer=llama_3_tokenizer,
    quiet=(94, 256),
    config={
        **LLAMA,
        "head_dim": 6,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "attention_bias": True,
        "tie_word_embeddings": True,
        "rope_scaling": {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 24,
        },
    },
    tokenizer={"model_max_length": 64, "chat_template": TEMPLATE_3},
    rewrite=[V.generation_config(eos_token_id=[401, 404], do_sample=True, temperature=0.6, top_p=0.9)],
)
decoder(
    "llama-generation-linear",
    GENERATION,
    [*C.short_text_generation_cases(), SPECIALS, EMPTY, *C.PADDED_PROMPTS],
    config={
        **LLAMA,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "mlp_bias": True,
        "hidden_act": "gelu",
        # As older files say it.
        "rope_scaling": {"type": "linear", "factor": 2.5},
    },
    tokenizer={"legacy": True, **PADDING},
    **SHARED,
)
decoder(
    "llama-generation-yarn",
    GENERATION,
    C.short_text_generation_cases(),
    config={
        **LLAMA,
        "head_dim": 10,
        "num_attention_heads": 3,
        "num_key_value_heads": 3,
        "rope_scaling": {
            "rope_type": "yarn",
            "factor": 4.0,
            "original_max_position_embeddings": 32,
            "beta_fast": 8,
            "beta_slow": 0.5,
        },
    },
    tokenizer={"legacy": False, **PADDING},
    **SHARED,
)
decoder(
    "llama-generation-yarn-factor",
    GENERATION,
    pick(C.short_text_generation_cases(), "greedy", "greedy_20", "no_repeat"),
    config={
        **LLAMA,
        "num_hidden_layers": 2,
        "rope_scaling": {"rope_type": "yarn", "factor": 3.0, "attention_factor": 1.3, "original_max_position_embeddings": 48},
    },
    tokenizer={"legacy": False, **PADDING},
    **SHARED,
)


class Forgetful:
    """Answers each input as the first one of all: Python's rotary tables else keep the length of a longer text before."""

    def __init__(self, folder: Path) -> None:
        self.pipe = pipeline(GENERATION, model=str(folder), torch_dtype=torch.float32, device="cpu")
        self.model, self.task = self.pipe.model, self.pipe.task
        self.rotary = self.model.model.rotary_emb

    def __call__(self, inputs: list[Any], **params: Any) -> list[Any]:
        answers: list[Any] = []
        for one in inputs:
            self.rotary.register_buffer("inv_freq", self.rotary.original_inv_freq, persistent=False)
            self.rotary.max_seq_len_cached = self.rotary.original_max_seq_len
            answers += self.pipe([one], **params)
        return answers


decoder(
    "llama-generation-dynamic",
    GENERATION,
    C.short_text_generation_cases(),
    config={
        **LLAMA,
        "max_position_embeddings": 18,
        "rope_scaling": {"rope_type": "dynamic", "factor": 3.0},
    },
    tokenizer={"legacy": False, **PADDING},
    answer=Forgetful,
    **SHARED,
)

# --- other tasks ----------------------------------------------------------------------------------------------------

decoder(
    "llama-features",
    FEATURES,
    C.short_feature_cases("llama"),
    config={**LLAMA, "rms_norm_eps": 0.05},
    tokenizer={"legacy": False, "pad_token": "<unk>"},
    **SHARED,
)
decoder(
    "llama-features-lm",
    FEATURES,
    C.short_feature_cases("llama"),
    config={**LLAMA, "num_key_value_heads": 1},
    tokenizer={"legacy": False, **PADDING},
    head="CausalLM",
    **SHARED,
)
decoder(
    "llama-sentiment",
    TEXTS,
    [*C.short_text_cases("llama"), C.PADDED_TEXTS],
    config=LLAMA,
    labels=["negative", "neutral", "positive"],
    tokenizer={"legacy": False, "pad_token": "<unk>"},
    **SHARED,
)
decoder(
    "llama-text-one-label",
    TEXTS,
    [*C.short_text_cases("llama"), C.PADDED_TEXTS],
    config={**LLAMA, "num_key_value_heads": 1},
    labels=["score"],
    tokenizer={"legacy": False, **PADDING},
    **SHARED,
)
decoder(
    "llama-ner",
    TOKENS,
    C.short_token_cases("llama"),
    config=LLAMA,
    labels=BIO,
    tokenizer={"legacy": False, "pad_token": "<unk>"},
    **SHARED,
)
