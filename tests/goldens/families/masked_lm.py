"""fill-mask over the families of checkpoints.py."""

import cases as C
import weights as W
from cases import Case
from checkpoints import BERT, DISTIL, DISTIL_SMALL, ROBERTA, ROBERTA_SMALL, SMALL, XLMR, XLMR_SMALL
from table import MASKS, add, like, short_copy

add(
    "bert-mask",
    MASKS,
    C.mask_cases("[MASK]"),
    config={**BERT, "hidden_act": "gelu", "type_vocab_size": 2},
    tokenizer={"model_max_length": 64},
    seed=3,
)
# An output layer of its own; the activation of the head is the layers'.
add(
    "bert-mask-untied",
    MASKS,
    C.short_mask_cases("[MASK]"),
    config={**SMALL, "hidden_act": "relu", "tie_word_embeddings": False, "layer_norm_eps": 1e-2},
    tokenizer={"lower_case": False, "pad_id": 4},
)
# More rows than the tokenizer has tokens, as in checkpoints whose table was rounded up: they are answered as no text.
add(
    "bert-mask-padded-table",
    MASKS,
    [*C.short_mask_cases("[MASK]"), Case("top_k_60", C.masked("[MASK]")[:2], {"top_k": 60})],
    config={**SMALL, "hidden_act": "gelu", "vocab_size": 330},
)
# Norms by their old names, and the table of words once more as the output layer.
like(
    "bert-mask",
    "bert-mask-old-names",
    short_copy("bert-mask", "default", "two_masks"),
    W.old_norm_names,
    W.copy_weights(
        cls__predictions__decoder__weight="bert.embeddings.word_embeddings.weight",
        cls__predictions__decoder__bias="cls.predictions.bias",
    ),
    same_as="bert-mask",
)

add(
    "distilbert-mask",
    MASKS,
    C.short_mask_cases("[MASK]"),
    config={**DISTIL, "activation": "silu"},
    tokenizer={"lower_case": False, "model_max_length": 64},
)
add(
    "distilbert-mask-untied",
    MASKS,
    C.short_mask_cases("[MASK]"),
    config={**DISTIL_SMALL, "activation": "gelu", "tie_word_embeddings": False},
    seed=2,
)
like(
    "distilbert-mask",
    "distilbert-mask-old-names",
    short_copy("distilbert-mask", "default", "two_masks"),
    W.old_norm_names,
    W.copy_weights(vocab_projector__weight="distilbert.embeddings.word_embeddings.weight"),
    same_as="distilbert-mask",
)

add(
    "roberta-mask",
    MASKS,
    C.mask_cases("<mask>"),
    config={**ROBERTA, "hidden_act": "relu", "max_position_embeddings": 130},
    tokenizer={"model_max_length": 110},
)
add(
    "roberta-mask-untied",
    MASKS,
    C.short_mask_cases("<mask>"),
    config={**ROBERTA_SMALL, "hidden_act": "gelu", "max_position_embeddings": 90, "tie_word_embeddings": False, "layer_norm_eps": 1e-2},
    tokenizer={"add_prefix_space": True},
    seed=3,
)
like(
    "roberta-mask",
    "roberta-mask-old-names",
    short_copy("roberta-mask", "default", "two_masks"),
    W.old_norm_names,
    W.copy_weights(
        lm_head__decoder__weight="roberta.embeddings.word_embeddings.weight", lm_head__decoder__bias="lm_head.bias"
    ),
    same_as="roberta-mask",
)

add(
    "xlm-roberta-mask",
    MASKS,
    C.short_mask_cases("<mask>"),
    config={**XLMR, "hidden_act": "gelu"},
    tokenizer={"model_max_length": 64},
)
add(
    "xlm-roberta-mask-untied",
    MASKS,
    C.short_mask_cases("<mask>"),
    config={**XLMR_SMALL, "hidden_act": "silu", "tie_word_embeddings": False, "position_embedding_type": "relative_key"},
    seed=2,
)
