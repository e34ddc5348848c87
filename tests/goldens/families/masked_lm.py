"""fill-mask over the families of checkpoints.py."""

import cases as C
import weights as W
from checkpoints import BERT, SMALL
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
