"""bart: an encoder and a decoder, read by the decoder's last hidden state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import BartTokenizerFast

import cases as C
import tokenizer_files
import tokenizer_variants as V
import weights as W
from cases import Case
from table import FEATURES, NLI, QUESTIONS, TEXTS, ZERO_SHOT, add, like, pick


def make_tokenizer(scratch: Path, add_prefix_space: bool = False, **options: Any) -> BartTokenizerFast:
    vocab_text, merges_text = tokenizer_files.byte_bpe()
    vocab = json.loads(vocab_text)
    merges = [tuple(line.split(" ")) for line in merges_text.splitlines()[1:]]
    backend = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.RobertaProcessing(
        sep=("</s>", vocab["</s>"]), cls=("<s>", vocab["<s>"]), trim_offsets=True, add_prefix_space=add_prefix_space
    )
    return BartTokenizerFast(tokenizer_object=backend, add_prefix_space=add_prefix_space, **options)


BART: dict[str, Any] = dict(
    d_model=20,
    encoder_layers=2,
    encoder_attention_heads=5,
    encoder_ffn_dim=34,
    decoder_layers=1,
    decoder_attention_heads=4,
    decoder_ffn_dim=26,
    max_position_embeddings=150,
    bos_token_id=0,
    eos_token_id=1,
    decoder_start_token_id=1,
    forced_eos_token_id=1,
)
# Python's cache has as many layers as the encoder, so that it cannot be used with more of the decoder.
DEEP_DECODER: dict[str, Any] = dict(encoder_layers=1, decoder_layers=2, use_cache=False)
NO_EOS = Case("no_special_tokens", ["Hi", "Sarah lives in Paris."], {"add_special_tokens": False}, error=True)
SPECIALS = Case("special_tokens", C.SPECIALS_ROBERTA + ["</s> x </s></s>"], {"top_k": None})


def bart(name: str, task: str, cases: list[Case], **fields: Any) -> None:
    add(name, task, cases, model_type="bart", make_tokenizer=make_tokenizer, **fields)


bart(
    "bart-features",
    FEATURES,
    C.feature_cases("bart"),
    config={**BART, "scale_embedding": True, "decoder_start_token_id": 4, "activation_function": "gelu_new"},
    tokenizer={"model_max_length": 26},
)
# Saved by the model that writes texts: prefixed keys, those of the head left over; other names of two sizes;
# switches of 2020, which Python reads no more.
bart(
    "bart-features-seq2seq",
    FEATURES,
    C.short_feature_cases("bart"),
    head="Seq2SeqLM",
    config={**BART, **DEEP_DECODER, "activation_function": "relu", "decoder_start_token_id": 0},
    rewrite=[
        V.set_config(
            d_model=None,
            hidden_size=20,
            encoder_attention_heads=None,
            num_attention_heads=5,
            normalize_before=True,
            normalize_embedding=False,
            add_final_layer_norm=True,
            static_position_embeddings=True,
            add_bias_logits=True,
            extra_pos_embeddings=1,
        )
    ],
)


def tables(*names: str, factor: float = 1.0) -> Callable[[Path], None]:
    """Stores the table of words under these names, each after the first times `factor`."""

    def apply(folder: Path) -> None:
        state = W.read_state(folder)
        table = state.pop("shared.weight")
        for place, name in enumerate(names):
            state[name] = table * factor**place
        W.write_safetensors(folder, state)

    return apply


ENCODERS, DECODERS = "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"
same = dict(same_as="bart-features")
some = pick(C.feature_cases("bart"), "default", "empty", "padding_left")
like("bart-features", "bart-features-all-tables", some, tables("shared.weight", ENCODERS, DECODERS), **same)
like("bart-features", "bart-features-decoders-table", some, tables(DECODERS), **same)
like("bart-features", "bart-features-torch", some, tables("shared.weight", ENCODERS, DECODERS), W.torch_zip, **same)
# The tied table wins over those beside it; untied, each has its own.
like("bart-features", "bart-features-tied-tables", some, tables("shared.weight", ENCODERS, DECODERS, factor=1.5), **same)
like(
    "bart-features",
    "bart-features-untied-tables",
    some,
    tables("shared.weight", ENCODERS, DECODERS, factor=1.5),
    V.set_config(tie_word_embeddings=False),
)
bart(
    "bart-sentiment",
    TEXTS,
    C.short_text_cases("bart")
    + pick(
        C.text_cases("bart"),
        "empty",
        "truncation_max_length",
        "truncation_default_limit",
        "padding_max_length",
        "padding_left",
        "pairs_8",
        "pairs_padded",
        "over_the_limit",
    )
    + [NO_EOS, SPECIALS],
    config={**BART, "activation_function": "silu", "scale_embedding": True},
    labels=["negative", "neutral", "positive"],
    tokenizer={"model_max_length": 40},
)
bart(
    "bart-text-one-label",
    TEXTS,
    C.short_text_cases("bart"),
    config={**BART, **DEEP_DECODER, "activation_function": "gelu"},
    labels=["score"],
)
bart(
    "bart-tok-bpe",
    TEXTS,
    C.short_text_cases("bart") + [SPECIALS],
    config={**BART, "decoder_ffn_dim": 10},
    labels=["a", "b"],
    tokenizer={"add_prefix_space": True},
    rewrite=[V.bpe_files(tokenizer_config={"add_prefix_space": True})],
)
bart(
    "bart-zero-shot",
    ZERO_SHOT,
    C.short_zero_shot_cases()
    + pick(C.zero_shot_cases(), "long_truncated", "template_only_empty_label", "hypothesis_over_the_limit", "unicode_labels"),
    config={**BART, "activation_function": "gelu"},
    labels=NLI,
    tokenizer={"model_max_length": 60},
    spread=4.0,
)
bart(
    "bart-questions",
    QUESTIONS,
    C.short_question_cases(),
    config={**BART, **DEEP_DECODER, "activation_function": "gelu"},
)
