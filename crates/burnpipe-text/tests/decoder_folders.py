"""Makes the tiny tokenizers of decoders that have SentencePiece's `tokenizer.model` and nothing else."""

import json

from encoder_folders import CONTROL, USER_DEFINED
from folders import TOKENIZERS, folder, token, train_sentencepiece, write_json
from transformers import AutoTokenizer


def make():
    llama()
    gemma()


def sentencepiece_model(kind="bpe", **arguments):
    """As those of LLaMA and Gemma: every byte is a piece, and spaces are kept."""
    size = {"vocab_size": 620} if kind == "bpe" else {"vocab_size": 560, "hard_vocab_limit": False}
    return train_sentencepiece(
        model_type=kind, byte_fallback=True, split_digits=True, allow_whitespace_only_pieces=True,
        remove_extra_whitespaces=False, normalization_rule_name="identity", **size, **arguments,
    )


def llama():
    proto = sentencepiece_model()
    model = proto.SerializeToString()
    slow = folder("llama-slow", {"config.json": {"model_type": "llama"}, "tokenizer.model": model})
    # As newer ones on the Hub; the first tokens have other names than the pieces.
    settings = {
        "tokenizer_class": "LlamaTokenizer",
        "legacy": False,
        "add_eos_token": True,
        "added_tokens_decoder": {
            "0": token("<unk>", special=True),
            "1": token("<begin>", special=True),
            "2": token("</s>", special=True),
            str(len(proto.pieces)): token("<|user|>", special=True, rstrip=True),
            str(len(proto.pieces) + 1): token("[NEW]", normalized=True),
        },
        "bos_token": "<begin>",
        "pad_token": "[PAD]",
        "model_max_length": 24,
    }
    folder("llama-slow-new", {"tokenizer_config.json": settings, "tokenizer.model": model})
    # As Mistral's: nothing is put before the first word.
    settings = {"tokenizer_class": "LlamaTokenizerFast", "add_prefix_space": None, "add_bos_token": False, "additional_special_tokens": ["[NEW]"]}
    folder("mistral-slow", {"config.json": {"model_type": "mistral"}, "tokenizer_config.json": settings, "tokenizer.model": model})
    settings = {"add_prefix_space": False, "legacy": False, "padding_side": "right", "pad_token": "</s>"}
    folder("phi3-slow", {"config.json": {"model_type": "phi3"}, "tokenizer_config.json": settings, "tokenizer.model": model})
    unigram = sentencepiece_model("unigram", user_defined_symbols=["<tag>"], control_symbols=["[NEW]"]).SerializeToString()
    folder("llama-slow-unigram", {"tokenizer_config.json": {"tokenizer_class": "LlamaTokenizer"}, "tokenizer.model": unigram})
    # `add_prefix_space` makes the fast tokenizer anew from `tokenizer.model`, whatever tokenizer.json says.
    anew = TOKENIZERS / "llama-fast-anew"
    AutoTokenizer.from_pretrained(slow).save_pretrained(anew)
    settings = json.loads((anew / "tokenizer_config.json").read_text())
    write_json(anew / "tokenizer_config.json", {**settings, "add_prefix_space": True, "legacy": False})


def gemma():
    symbols = {"pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 3, "bos_piece": "<bos>", "eos_piece": "<eos>"}
    turns = ["<start_of_turn>", "<end_of_turn>", "<tag>", "\n\n", "  "]
    proto = sentencepiece_model(user_defined_symbols=turns, **symbols)
    # The tab is a byte only, as in older ones, and two of them are a piece.
    proto.pieces.add(piece="\t\t", score=-0.5)
    slow = folder("gemma-slow", {"config.json": {"model_type": "gemma"}, "tokenizer.model": proto.SerializeToString()})
    proto.pieces.add(piece="\t", score=-700.0, type=USER_DEFINED)
    proto.pieces.add(piece="<hidden>", score=0.0, type=CONTROL)
    settings = {"tokenizer_class": "GemmaTokenizer", "add_eos_token": True, "bos_token": "<tag>", "additional_special_tokens": ["[NEW]"], "model_max_length": 24}
    folder("gemma-slow-tab", {"tokenizer_config.json": settings, "tokenizer.model": proto.SerializeToString()})
    fast = TOKENIZERS / "gemma-fast"
    AutoTokenizer.from_pretrained(slow).save_pretrained(fast)
    (fast / "tokenizer.model").unlink()
