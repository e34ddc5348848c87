"""Folders of sentence-transformers: one vector per text, by the modules that come after the encoder.

The answers are those of `SentenceTransformer.encode` (5.1.0), which is imported only when it is needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import torch

import cases as C
from cases import Case
from table import FEATURES, add

SMALL: dict[str, Any] = dict(
    hidden_size=18, num_attention_heads=3, num_hidden_layers=2, intermediate_size=22, max_position_embeddings=50
)


class SentencePipeline:
    """`SentenceTransformer.encode` with the face of a pipeline."""

    task = FEATURES

    def __init__(self, folder: Path) -> None:
        from sentence_transformers import SentenceTransformer

        self.model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)

    def __call__(self, inputs: list[str], batch_size: int, **params: Any) -> Any:
        assert params.pop("pooling") == "auto"
        normalize = params.pop("normalize", False)
        vectors = self.model.encode(inputs, batch_size=batch_size, normalize_embeddings=normalize, **params)
        return vectors.tolist()


def sentence_files(
    pooling: dict[str, bool], *after: Callable[[Any], Any], safe: bool = True, max_seq_length: int | None = None,
    lower: bool = False, **saved: Any,
) -> Callable[[Path], None]:
    """Makes a folder of sentence-transformers of a checkpoint; `after` make the modules after the pooling."""

    def apply(folder: Path) -> None:
        from sentence_transformers import SentenceTransformer, models

        torch.manual_seed(7)
        transformer = models.Transformer(str(folder), max_seq_length=max_seq_length, do_lower_case=lower)
        size = transformer.get_word_embedding_dimension()
        modules = [transformer, models.Pooling(size, pooling_mode=None, **{"pooling_mode_mean_tokens": False, **pooling})]
        modules += [make(models) for make in after]
        whole = SentenceTransformer(modules=modules, device="cpu", **saved)
        whole.save(str(folder), safe_serialization=safe, create_model_card=False)
        (folder / "vocab.txt").unlink(missing_ok=True)

    return apply


def dense(inputs: int, outputs: int, activation: Any, bias: bool = True) -> Callable[[Any], Any]:
    return lambda models: models.Dense(inputs, outputs, bias=bias, activation_function=activation)


def normalize(models: Any) -> Any:
    return models.Normalize()


def embedding_cases(*names: str) -> list[Case]:
    texts = ["  Sarah lives in Paris. ", *C.MIXED[1:8], C.LONG]
    auto = {"pooling": "auto"}
    return [
        Case("default", texts, auto),
        Case("prompt", texts[:3], {**auto, "prompt": "Represent this: "}),
        Case("no_prompt", texts[:2], {**auto, "prompt": ""}),
        Case("truncate_dim", texts[:4], {**auto, "truncate_dim": 5}),
        Case("truncate_dim_normalized", texts[:4], {**auto, "truncate_dim": 7, "normalize": True}),
        Case("truncate_dim_large", texts[:2], {**auto, "truncate_dim": 700}),
        *[Case(f"prompt_{name}", texts[:3], {**auto, "prompt_name": name}) for name in names],
        Case("unknown_prompt_name", texts[:1], {**auto, "prompt_name": "nobody"}, error=True),
    ]


def add_embeddings(name: str, cases: list[Case], files: Callable[[Path], None], **fields: Any) -> None:
    config = {**SMALL, **fields.pop("config", {})}
    add(name, FEATURES, cases, model_type="bert", config=config, rewrite=[files], answer=SentencePipeline, **fields)


add_embeddings(
    "bert-embeddings-dense",
    embedding_cases("query", "passage"),
    sentence_files(
        {"pooling_mode_mean_tokens": True},
        dense(18, 11, torch.nn.Tanh()),
        normalize,
        prompts={"query": "query: ", "passage": "passage: "},
    ),
)
add_embeddings(
    "bert-embeddings-several-poolings",
    embedding_cases("short"),
    sentence_files(
        {
            "pooling_mode_cls_token": True,
            "pooling_mode_max_tokens": True,
            "pooling_mode_mean_sqrt_len_tokens": True,
        },
        dense(54, 20, torch.nn.Identity(), bias=False),
        dense(20, 9, torch.nn.ReLU()),
        safe=False,
        max_seq_length=17,
        lower=True,
        prompts={"long": "Is it: ", "short": "Q "},
        default_prompt_name="long",
    ),
    tokenizer={"lower_case": False},
)
add_embeddings(
    "bert-embeddings-weighted",
    embedding_cases(),
    sentence_files({"pooling_mode_weightedmean_tokens": True, "pooling_mode_lasttoken": True}, normalize),
)
# As INSTRUCTOR has it: the prompt is read, and left out of the mean.
add_embeddings(
    "bert-embeddings-instructor",
    embedding_cases("query"),
    sentence_files(
        {"pooling_mode_mean_tokens": True, "include_prompt": False},
        dense(18, 12, torch.nn.Identity(), bias=False),
        normalize,
        prompts={"query": "Find the sentence that answers: ", "passage": "Read: "},
        default_prompt_name="passage",
    ),
)
add_embeddings(
    "bert-embeddings-max",
    embedding_cases("document"),
    sentence_files(
        {"pooling_mode_max_tokens": True, "include_prompt": False},
        prompts={"query": "", "document": "title: none | text: "},
        max_seq_length=20,
    ),
)
