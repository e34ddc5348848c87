"""gpt2: a byte-level BPE whose one special token is its last."""

from __future__ import annotations

import json
from functools import cache, partial
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import GPT2TokenizerFast

import cases as C
import weights as W
from corpus import CORPUS
from table import GENERATION, add

@cache
def trained(size: int) -> str:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False
    )
    backend.train_from_iterator(CORPUS, trainer)
    return backend.to_str()


def tokenizer(_scratch: Path, size: int = 400, **options: Any) -> GPT2TokenizerFast:
    model = json.loads(trained(size))["model"]
    merges = [tuple(pair) if isinstance(pair, list) else tuple(pair.split(" ")) for pair in model["merges"]]
    backend = Tokenizer(models.BPE(vocab=model["vocab"], merges=merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=bool(options.get("add_prefix_space", False)))
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.ByteLevel(trim_offsets=False)
    backend.add_special_tokens(["<|endoftext|>"])
    return GPT2TokenizerFast(tokenizer_object=backend, **options)


# The bytes that are no ASCII.
fill = partial(W.reinitialise_decoder, quiet=(94, 256))
GPT2: dict[str, Any] = dict(n_embd=20, n_head=4, n_layer=3, n_positions=96, layer_norm_epsilon=1e-3)
TEMPLATE = (
    "{% for message in messages %}{{ message.role + ': ' + message.content.strip() + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}"
)
add(
    "gpt2-generation",
    GENERATION,
    C.text_generation_cases([310, 319, 391], [391, 83], [288, 350, 357], 400, "au 1") + C.chat_cases(),
    model_type="gpt2",
    make_tokenizer=tokenizer,
    tokenizer={"model_max_length": 40, "chat_template": TEMPLATE},
    config={**GPT2, "bos_token_id": 400, "eos_token_id": 400},
    fill=fill,
    std=0.45,
    head_std=0.5,
)
