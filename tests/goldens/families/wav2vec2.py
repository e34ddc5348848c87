"""wav2vec 2.0 and HuBERT: letters of a sound, and labels of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import torch
from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor

import sound_cases as C
import tokenizer_variants as V
import weights as W
from table import AUDIO, SPEECH, add, like

LETTERS = "<pad> <s> </s> <unk> | E T A O N I' H".split(" ")


def ctc_tokenizer(scratch: Path, letters: list[str] = LETTERS, **options: Any) -> Wav2Vec2CTCTokenizer:
    path = scratch / "vocab.json"
    path.write_text(json.dumps({letter: index for index, letter in enumerate(letters)}), encoding="utf-8")
    return Wav2Vec2CTCTokenizer(str(path), **options)


def extractor(**options: Any) -> Callable[[], Wav2Vec2FeatureExtractor]:
    return lambda: Wav2Vec2FeatureExtractor(**options)


# 4 steps of strides make 320 samples of a step, as in the large models.
SMALL: dict[str, Any] = dict(
    hidden_size=24,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=30,
    layer_norm_eps=1e-3,
    conv_dim=[10, 12, 9, 14],
    conv_kernel=[11, 6, 5, 3],
    conv_stride=[8, 5, 4, 2],
    num_conv_pos_embeddings=6,
    num_conv_pos_embedding_groups=4,
    hidden_act="gelu_new",
    num_codevectors_per_group=4,
    codevector_dim=8,
    proj_codevector_dim=8,
)
LAYER: dict[str, Any] = {
    **SMALL,
    "feat_extract_norm": "layer",
    "conv_bias": True,
    "do_stable_layer_norm": True,
    "feat_extract_activation": "relu",
    "num_conv_pos_embeddings": 5,
    "num_conv_pos_embedding_groups": 2,
    "hidden_act": "gelu",
}
SPEAKS: dict[str, Any] = {"make_tokenizer": ctc_tokenizer, "processor": extractor()}


def rename(old: str, new: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        state = W.read_state(folder)
        W.write_safetensors(folder, {name.replace(old, new): value for name, value in state.items()})

    return apply


def old_weight_norm(folder: Path) -> None:
    """The names of torch before 2.0."""
    rename("parametrizations.weight.original0", "weight_g")(folder)
    rename("parametrizations.weight.original1", "weight_v")(folder)


def add_pretraining(folder: Path) -> None:
    """What pre-training leaves in a checkpoint."""
    state = W.read_state(folder)
    for name, shape in {"quantizer.codevectors": (1, 8, 4), "project_q.weight": (8, 8), "project_hid.bias": (8,)}.items():
        state[name] = torch.zeros(shape)
    W.write_safetensors(folder, state)


def no_delimiter(folder: Path) -> None:
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["word_delimiter_token"] = None
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def trained_statistics(folder: Path) -> None:
    """Means and variances of batch norms, which start at 0 and 1."""
    state = W.read_state(folder)
    generator = torch.Generator().manual_seed(5)
    for name in sorted(state):
        if name.endswith("running_mean"):
            state[name] = 0.3 * torch.randn(state[name].shape, generator=generator)
        if name.endswith("running_var"):
            state[name] = 0.5 + torch.rand(state[name].shape, generator=generator)
    W.write_safetensors(folder, state)


COMMANDS = ["yes", "no", "Größe", "停", "_silence_", "up"]
HEARS: dict[str, Any] = {"labels": COMMANDS, "processor": extractor()}

for family in ("wav2vec2", "hubert"):
    add(f"{family}-ctc", SPEECH, C.ctc_cases(), model_type=family, config=SMALL, **SPEAKS)
    add(f"{family}-commands", AUDIO, C.classification_cases(), model_type=family, config={**SMALL, "classifier_proj_size": 11}, **HEARS)
    add(
        f"{family}-ctc-stable",
        SPEECH,
        C.short_ctc_cases(),
        model_type=family,
        config=LAYER,
        make_tokenizer=ctc_tokenizer,
        processor=extractor(do_normalize=False, return_attention_mask=True),
        tokenizer={"do_lower_case": True},
    )
    add(
        f"{family}-commands-stable-weighted",
        AUDIO,
        C.short_classification_cases(),
        model_type=family,
        config={**LAYER, "classifier_proj_size": 7, "use_weighted_layer_sum": True, "num_hidden_layers": 3},
        labels=COMMANDS[:3],
        processor=extractor(return_attention_mask=True),
    )
    like(f"{family}-ctc", f"{family}-ctc-old-names", C.short_ctc_cases(), old_weight_norm, add_pretraining, same_as=f"{family}-ctc")

add(
    "wav2vec2-commands-weighted",
    AUDIO,
    C.short_classification_cases(),
    model_type="wav2vec2",
    config={**SMALL, "use_weighted_layer_sum": True, "feat_extract_activation": "silu"},
    **HEARS,
)
add(
    "wav2vec2-ctc-adapter",
    SPEECH,
    C.short_ctc_cases(),
    model_type="wav2vec2",
    config={
        **SMALL,
        "add_adapter": True,
        "num_adapter_layers": 1,
        "adapter_kernel_size": 4,
        "adapter_stride": 2,
        "output_hidden_size": 20,
    },
    **SPEAKS,
)
add(
    "wav2vec2-ctc-adapter-same-size",
    SPEECH,
    C.short_ctc_cases(),
    model_type="wav2vec2",
    config={**SMALL, "add_adapter": True, "num_adapter_layers": 2, "adapter_kernel_size": 3, "adapter_stride": 1},
    **SPEAKS,
)


def several_languages(folder: Path) -> None:
    """vocab.json of a model of many languages: the letters of each."""
    path = folder / "vocab.json"
    letters = json.loads(path.read_text(encoding="utf-8"))
    other = {letter: index for index, letter in enumerate(reversed(letters))}
    path.write_text(json.dumps({"deu": other, "eng": letters}), encoding="utf-8")
    V.set_options(target_lang="eng")(folder)


add(
    "wav2vec2-ctc-language-adapter",
    SPEECH,
    C.short_ctc_cases(),
    model_type="wav2vec2",
    config={**LAYER, "adapter_attn_dim": 5},
    rewrite=[several_languages],
    **SPEAKS,
)
# Some checkpoints name their special tokens beside vocab.json, which does not hold them all.
add(
    "wav2vec2-ctc-added-tokens",
    SPEECH,
    C.short_ctc_cases(),
    model_type="wav2vec2",
    config={**SMALL, "pad_token_id": 9},
    make_tokenizer=ctc_tokenizer,
    processor=extractor(),
    tokenizer={
        "letters": ["ß", "e", "n", " ", ".", "ch", "'s", "i", "_", "[PAD]", "[UNK]"],
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "word_delimiter_token": "_",
        "replace_word_delimiter_char": "-",
        "clean_up_tokenization_spaces": True,
    },
)
add(
    "wav2vec2-ctc-no-delimiter",
    SPEECH,
    C.short_ctc_cases(),
    model_type="wav2vec2",
    config=SMALL,
    make_tokenizer=ctc_tokenizer,
    processor=extractor(),
    rewrite=[no_delimiter],
)


def only_vocabulary(folder: Path) -> None:
    for file in ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"):
        (folder / file).unlink(missing_ok=True)


like("wav2vec2-ctc", "wav2vec2-ctc-vocabulary-only", C.short_ctc_cases(), only_vocabulary, same_as="wav2vec2-ctc")

add(
    "hubert-ctc-batch-norm",
    SPEECH,
    C.short_ctc_cases(),
    model_type="hubert",
    config={**SMALL, "conv_pos_batch_norm": True, "feat_proj_layer_norm": False},
    rewrite=[trained_statistics],
    **SPEAKS,
)
# Everything that may be left out of config.json is left out; sizes that have defaults use them where that is cheap.
add(
    "wav2vec2-commands-short-config",
    AUDIO,
    C.short_classification_cases(),
    model_type="wav2vec2",
    config={
        **{key: value for key, value in SMALL.items() if key not in ("layer_norm_eps", "hidden_act", "num_conv_pos_embedding_groups")},
        "hidden_size": 48,
        "classifier_proj_size": 256,
    },
    rewrite=[
        V.set_config(
            **dict.fromkeys(
                "layer_norm_eps hidden_act feat_extract_norm feat_extract_activation conv_bias do_stable_layer_norm "
                "num_conv_pos_embedding_groups use_weighted_layer_sum classifier_proj_size add_adapter vocab_size "
                "adapter_attn_dim output_hidden_size num_adapter_layers adapter_stride adapter_kernel_size dtype".split()
            )
        )
    ],
    **HEARS,
)
