"""MPNet: BERT's WordPiece with RoBERTa's special tokens, and scores by distance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import MPNetTokenizerFast

import cases as C
import weights as W
from cases import Case
from corpus import LONG, LONG_2, MIXED
from table import BIO, FEATURES, MASKS, NLI, QUESTIONS, TEXTS, TOKENS, ZERO_SHOT, add, like, pick, short_copy
from tokenizer_files import BERT_SPECIALS, wordpiece_vocab

SPECIALS = ("<s>", "<pad>", "</s>", "[UNK]", "<mask>")
# Positions are counted from id 1 whatever the padding id is.
SPECIALS_OTHER = ("<s>", "[UNK]", "</s>", "<mask>", "<pad>")


def mpnet_tokenizer(
    scratch: Path,
    lower_case: bool = True,
    size: int = 300,
    specials: tuple[str, ...] = SPECIALS,
    **options: Any,
) -> MPNetTokenizerFast:
    vocab = specials + tuple(token for token in wordpiece_vocab(lower_case, size) if token not in BERT_SPECIALS)
    backend = Tokenizer(models.WordPiece({token: i for i, token in enumerate(vocab)}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=lower_case)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(prefix="##")
    backend.post_processor = processors.TemplateProcessing(
        single="<s>:0 $A:0 </s>:0",
        pair="<s>:0 $A:0 </s>:0 </s>:0 $B:1 </s>:1",
        special_tokens=[("<s>", vocab.index("<s>")), ("</s>", vocab.index("</s>"))],
    )
    return MPNetTokenizerFast(tokenizer_object=backend, do_lower_case=lower_case, **options)


MPNET: dict[str, Any] = dict(
    hidden_size=18,
    num_attention_heads=3,
    num_hidden_layers=2,
    intermediate_size=26,
    max_position_embeddings=60,
    layer_norm_eps=1e-3,
)


def mpnet(name: str, task: str, cases: list[Case], config: dict[str, Any], **fields: Any) -> None:
    add(name, task, cases, model_type="mpnet", make_tokenizer=mpnet_tokenizer, config={**MPNET, **config}, **fields)


FEATURE_CASES = pick(
    C.feature_cases("roberta"), "default", "empty", "padding_max_length", "padding_left", "text_pair_argument"
)
mpnet("mpnet-features", FEATURES, FEATURE_CASES, {"hidden_act": "gelu"})
mpnet("mpnet-mask", MASKS, C.short_mask_cases("<mask>"), {"hidden_act": "relu", "max_position_embeddings": 70})
# The encoder alone of a file with a head, and the output layer saved once more.
mpnet("mpnet-features-masked-lm", FEATURES, FEATURE_CASES[:1], {"hidden_act": "relu"}, head="MaskedLM")
like(
    "mpnet-mask",
    "mpnet-mask-old-names",
    short_copy("mpnet-mask", "default", "two_masks"),
    W.old_norm_names,
    W.copy_weights(
        lm_head__decoder__weight="mpnet.embeddings.word_embeddings.weight", lm_head__decoder__bias="lm_head.bias"
    ),
    same_as="mpnet-mask",
)
# Padding is id 4, and the id 1 that positions leave out is an unknown word's.
mpnet(
    "mpnet-mask-untied",
    MASKS,
    C.short_mask_cases("<mask>"),
    {"hidden_act": "gelu", "tie_word_embeddings": False, "relative_attention_num_buckets": 40},
    tokenizer={"specials": SPECIALS_OTHER, "lower_case": False},
    seed=5,
)
mpnet(
    "mpnet-ner",
    TOKENS,
    C.short_token_cases("roberta", stride=True),
    {"hidden_act": "gelu_new", "num_hidden_layers": 3, "max_position_embeddings": 90},
    labels=BIO,
    tokenizer={"lower_case": False, "model_max_length": 32},
    seed=2,
)
mpnet("mpnet-questions", QUESTIONS, C.short_question_cases(), {"hidden_act": "gelu", "max_position_embeddings": 150})
# Texts longer than the distance from which on all share a bucket.
mpnet(
    "mpnet-sentiment",
    TEXTS,
    [*C.short_text_cases("roberta"), Case("long", [f"{LONG} {LONG_2}", LONG, MIXED[1]], {"top_k": None})],
    {"hidden_act": "silu", "max_position_embeddings": 240, "layer_norm_eps": 1e-12},
    labels=["bad", "so so", "good"],
    tokenizer={"specials": SPECIALS_OTHER},
)
mpnet("mpnet-zero-shot", ZERO_SHOT, C.short_zero_shot_cases(), {"hidden_act": "gelu"}, labels=NLI)
