"""Makes the tiny tokenizers of the other text encoders."""

import json

from folders import CORPUS, TOKENIZERS, folder, make_vocabulary, token, train_sentencepiece, without_mask, write_json
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer

# `(piece, type)` of SentencePiece: 3 is for control symbols, 4 for user-defined ones.
CONTROL, USER_DEFINED = 3, 4


def make():
    albert()
    camembert()
    deberta()
    deberta_v2()
    modernbert()
    mpnet()
    roberta_like()
    sentencepiece_relatives()
    wordpiece_relatives()
    xlnet()


def sentencepiece_model(kind="unigram", **arguments):
    size = {"vocab_size": 300, "hard_vocab_limit": False} if kind == "unigram" else {"vocab_size": 350}
    return train_sentencepiece(model_type=kind, **size, **arguments)


def saved(name, slow, without=(), mask=True, **arguments):
    """The folder as the fast tokenizer saves it, without the slow files."""
    target = TOKENIZERS / name
    tokenizer = AutoTokenizer.from_pretrained(slow, **arguments)
    tokenizer.save_pretrained(target)
    for file in ("spiece.model", "spm.model", "sentencepiece.model", "sentencepiece.bpe.model", "vocab.txt", "vocab.json", "merges.txt", *without):
        (target / file).unlink(missing_ok=True)
    if not mask:
        # The class then adds its own.
        library, settings = (json.loads((target / file).read_text()) for file in ("tokenizer.json", "tokenizer_config.json"))
        mask = tokenizer.mask_token
        library["added_tokens"] = [token for token in library["added_tokens"] if token["content"] != mask]
        settings["added_tokens_decoder"] = {id: token for id, token in settings["added_tokens_decoder"].items() if token["content"] != mask}
        settings.pop("mask_token")
        write_json(target / "tokenizer.json", library)
        write_json(target / "tokenizer_config.json", settings)
    return target


def add_pieces(proto, pieces, score):
    present = {piece.piece for piece in proto.pieces}
    for piece in pieces:
        if piece not in present:
            proto.pieces.add(piece=piece, score=score)
    return proto


# ALBERT and XLNet split some of these at the comma: Python's `isdigit` says which.
NUMBER_COMMAS = ["5,", "▁12,", *"²½٣①Ⅷ⑩x,", *(f"{character}," for character in "²½٣①Ⅷ⑩x")]


def albert():
    config = {"config.json": {"model_type": "albert"}}
    symbols = {"pad_id": 0, "unk_id": 1, "bos_id": -1, "eos_id": -1, "control_symbols": ["[CLS]", "[SEP]", "[MASK]"]}
    model = add_pieces(sentencepiece_model(rules=True, **symbols), NUMBER_COMMAS, -2.0).SerializeToString()
    slow = folder("albert-slow", {**config, "spiece.model": model})
    saved("albert-fast", slow, without=["special_tokens_map.json"], mask=False, model_max_length=32)

    # Accents stay, and so does case; the mask token is named with rules of its own.
    settings = {
        "tokenizer_class": "AlbertTokenizer",
        "do_lower_case": False,
        "keep_accents": True,
        "remove_space": False,
        "mask_token": {"__type": "AddedToken", "content": "[MASK]", "rstrip": True, "normalized": True},
        "additional_special_tokens": ["[NEW]"],
        "model_max_length": 24,
    }
    folder("albert-slow-cased", {"tokenizer_config.json": settings, "spiece.model": model})
    # `[CLS]` and its like are not in the vocabulary, and accents are asked for with `null`.
    settings = {"tokenizer_class": "AlbertTokenizerFast", "do_lower_case": None, "keep_accents": None, "truncation_side": "left"}
    model = add_pieces(sentencepiece_model("bpe", normalization_rule_name="identity"), NUMBER_COMMAS, -400.0)
    folder("albert-slow-bpe", {"tokenizer_config.json": settings, "spiece.model": model.SerializeToString()})
    folder("nystromformer-slow", {"config.json": {"model_type": "nystromformer"}, "spiece.model": model.SerializeToString()})


def camembert():
    config = {"config.json": {"model_type": "camembert"}}
    model = sentencepiece_model(rules=True, user_defined_symbols=["<tag>"], control_symbols=["[NEW]"]).SerializeToString()
    slow = folder("camembert-slow", {**config, "sentencepiece.bpe.model": model})
    saved("camembert-fast", slow, mask=False, model_max_length=32)

    # As on the Hub today.
    settings = {
        "tokenizer_class": "CamembertTokenizer",
        "added_tokens_decoder": {
            "0": token("<s>NOTUSED", special=True),
            "1": token("<pad>", special=True),
            "2": token("</s>NOTUSED", special=True),
            "4": token("<unk>NOTUSED", special=True),
            "5": token("<s>", special=True),
            "6": token("</s>", special=True),
            "300": token("<mask>", special=True, lstrip=True),
        },
        "additional_special_tokens": ["<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"],
        "model_max_length": 24,
        "clean_up_tokenization_spaces": True,
    }
    folder("camembert-slow-hub", {**config, "tokenizer_config.json": settings, "sentencepiece.bpe.model": model})
    # From before added_tokens_decoder, and a model of the other kind that has its own padding.
    settings = {"tokenizer_class": "CamembertTokenizer", "additional_special_tokens": None, "padding_side": "left", "cls_token": "<tag>"}
    files = {"special_tokens_map.json": {"eos_token": "</s>"}, "added_tokens.json": {"[NEW]": 400}, "tokenizer_config.json": settings}
    model = sentencepiece_model("bpe", normalization_rule_name="identity", pad_id=3)
    folder("camembert-slow-bpe", {**files, "sentencepiece.bpe.model": model.SerializeToString()})


def byte_level_bpe(special, vocab_size=390):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=special, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def byte_level_files(special):
    model = json.loads(byte_level_bpe(special).to_str())["model"]
    merges = "#version: 0.2\n" + "\n".join(" ".join(merge) for merge in model["merges"]) + "\n"
    return {"vocab.json": model["vocab"], "merges.txt": merges}


BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def deberta():
    files = byte_level_files(BERT_SPECIAL)
    config = {"config.json": {"model_type": "deberta"}, "tokenizer_config.json": {"do_lower_case": False, "vocab_type": "gpt2"}}
    slow = folder("deberta-slow", {**files, **config})
    saved("deberta-fast", slow, model_max_length=32)
    fast = saved("deberta-fast-prefix", slow, mask=False, without=["special_tokens_map.json"])
    settings = json.loads((fast / "tokenizer_config.json").read_text())
    write_json(fast / "tokenizer_config.json", {**settings, "add_prefix_space": True, "truncation_side": "left"})
    # Its special tokens are not in the vocabulary.
    settings = {"tokenizer_class": "DebertaTokenizer", "add_prefix_space": True, "cls_token": "[START]", "additional_special_tokens": ["[NEW]"]}
    folder("deberta-slow-tokens", {**byte_level_files(ROBERTA_SPECIAL), "tokenizer_config.json": settings})


def deberta_v2():
    config = {"config.json": {"model_type": "deberta-v2"}}
    symbols = {"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3, "pad_piece": "[PAD]", "bos_piece": "[CLS]", "eos_piece": "[SEP]", "unk_piece": "[UNK]"}
    model = sentencepiece_model(rules=True, user_defined_symbols=["<tag>"], **symbols)
    # As in DeBERTa-v3, whose mask token comes after a gap.
    files = {"added_tokens.json": {"[MASK]": len(model.pieces)}, "tokenizer_config.json": {"do_lower_case": False, "vocab_type": "spm"}}
    slow = folder("deberta-v2-slow", {**config, **files, "spm.model": model.SerializeToString()})
    saved("deberta-v2-fast", slow, mask=False, model_max_length=32)
    settings = {"tokenizer_class": "DebertaV2TokenizerFast", "do_lower_case": True, "split_by_punct": True, "model_max_length": 24}
    split = folder("deberta-v2-slow-split", {"tokenizer_config.json": settings, "spm.model": model.SerializeToString()})
    saved("deberta-v2-fast-split", split)
    # SentencePiece's own names for its symbols, so that BERT's come after the vocabulary; and no class anywhere.
    model = sentencepiece_model("bpe", normalization_rule_name="identity").SerializeToString()
    settings = {"tokenizer_class": "DebertaV2Tokenizer", "split_by_punct": True, "unk_token": "<unk>", "padding_side": "left"}
    folder("deberta-v2-slow-bpe", {"tokenizer_config.json": settings, "spm.model": model})


def modernbert():
    tokenizer = byte_level_bpe(["|||IP_ADDRESS|||", "<|padding|>", "[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"])
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing("[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 $B:0 [SEP]:0", [("[CLS]", 3), ("[SEP]", 4)])
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "added_tokens_decoder": {
            "0": token("|||IP_ADDRESS|||", normalized=True),
            "1": token("<|padding|>", special=True),
            "2": token("[UNK]", special=True),
            "3": token("[CLS]", special=True),
            "4": token("[SEP]", special=True),
            "5": token("[PAD]", special=True),
            "6": token("[MASK]", special=True, lstrip=True),
            **{str(392 - count): token(" " * count, normalized=True) for count in (3, 2)},
        },
        "cls_token": "[CLS]",
        "mask_token": "[MASK]",
        "pad_token": "[PAD]",
        "sep_token": "[SEP]",
        "unk_token": "[UNK]",
        "clean_up_tokenization_spaces": True,
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": 32,
    }
    library = json.loads(tokenizer.to_str())
    folder("modernbert-fast", {"config.json": {"model_type": "modernbert"}, "tokenizer_config.json": settings, "tokenizer.json": library})


def mpnet():
    # The vocabulary of microsoft/mpnet-base: RoBERTa's first tokens, then BERT's.
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", *make_vocabulary()[1:4], *make_vocabulary()[5:], "<mask>"]
    text = "\n".join(vocabulary) + "\n"
    slow = folder("mpnet-slow", {"config.json": {"model_type": "mpnet"}, "vocab.txt": text})
    saved("mpnet-fast", slow, mask=False, model_max_length=32)
    settings = {
        "tokenizer_class": "MPNetTokenizer",
        "do_lower_case": False,
        "strip_accents": True,
        "tokenize_chinese_chars": False,
        "unk_token": "<unk>",
        "mask_token": {"__type": "AddedToken", "content": "<mask>", "lstrip": True, "rstrip": True, "normalized": True},
        "padding_side": "left",
    }
    folder("mpnet-slow-cased", {"tokenizer_config.json": settings, "vocab.txt": text})
    # The class leaves what tokenizer.json says of Chinese.
    fast = saved("mpnet-fast-cased", slow)
    settings = json.loads((fast / "tokenizer_config.json").read_text())
    write_json(fast / "tokenizer_config.json", {**settings, "do_lower_case": False, "tokenize_chinese_chars": False})


def roberta_like():
    files = byte_level_files(ROBERTA_SPECIAL)
    for model_type in ("bart", "led", "longformer", "mvp"):
        slow = folder(f"{model_type}-slow", {**files, "config.json": {"model_type": model_type}})
        if model_type != "led":
            fast = saved(f"{model_type}-fast", slow, mask=False, without=["special_tokens_map.json"])
            settings = json.loads((fast / "tokenizer_config.json").read_text())
            write_json(fast / "tokenizer_config.json", {**settings, "add_prefix_space": model_type == "mvp", "trim_offsets": model_type != "mvp"})


def sentencepiece_relatives():
    # BARThez has RoBERTa's first tokens in the model itself.
    symbols = {"bos_id": 0, "pad_id": 1, "eos_id": 2, "unk_id": 3}
    model = sentencepiece_model(rules=True, **symbols).SerializeToString()
    slow = folder("barthez-slow", {"config.json": {"model_type": "bart", "tokenizer_class": "BarthezTokenizer"}, "sentencepiece.bpe.model": model})
    saved("barthez-fast", slow, mask=False)

    symbols = {"pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 100, "user_defined_symbols": ["[SEP]", "[MASK]", "[CLS]"]}
    model = sentencepiece_model(rules=True, **symbols).SerializeToString()
    slow = folder("big-bird-slow", {"config.json": {"model_type": "big_bird"}, "spiece.model": model})
    saved("big-bird-fast", slow, mask=False)

    symbols = {"pad_id": 0, "unk_id": 1, "bos_id": -1, "eos_id": -1, "control_symbols": ["[CLS]", "[SEP]", "[MASK]"], "pad_piece": "[PAD]", "unk_piece": "[UNK]"}
    model = sentencepiece_model("bpe", rules=True, **symbols).SerializeToString()
    slow = folder("rembert-slow", {"config.json": {"model_type": "rembert"}, "sentencepiece.model": model})
    saved("rembert-fast", slow, mask=False)
    # The defaults of the fast class are not those of the slow one.
    settings = {"do_lower_case": True, "keep_accents": False, "tokenizer_class": "RemBertTokenizer"}
    folder("rembert-slow-lower", {"tokenizer_config.json": settings, "sentencepiece.model": model})

    symbols = {**symbols, "pad_piece": "<pad>", "unk_piece": "<unk>"}
    model = sentencepiece_model(rules=True, **symbols).SerializeToString()
    slow = folder("fnet-slow", {"config.json": {"model_type": "fnet"}, "spiece.model": model})
    saved("fnet-fast", slow, mask=False)


def wordpiece_relatives():
    text = "\n".join(make_vocabulary()) + "\n"
    for model_type in ("electra", "mobilebert"):
        settings = {"do_lower_case": model_type == "electra", "model_max_length": 24}
        slow = folder(f"{model_type}-slow", {"config.json": {"model_type": model_type}, "tokenizer_config.json": settings, "vocab.txt": text})
    saved("mobilebert-fast", slow)
    vocabulary = ["<pad>", "<unk>", "<cls>", "<sep>", "<mask>", *make_vocabulary()[5:], "<s>", "</s>"]
    slow = folder("funnel-slow", {"config.json": {"model_type": "funnel"}, "vocab.txt": "\n".join(vocabulary)})
    saved("funnel-fast", slow, mask=False)


def xlnet():
    config = {"config.json": {"model_type": "xlnet"}}
    symbols = {"unk_id": 0, "bos_id": 1, "eos_id": 2, "control_symbols": ["<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"]}
    model = add_pieces(sentencepiece_model(rules=True, **symbols), NUMBER_COMMAS, -2.0).SerializeToString()
    slow = folder("xlnet-slow", {**config, "spiece.model": model})
    saved("xlnet-fast", slow, mask=False, model_max_length=32)
    settings = {
        "tokenizer_class": "XLNetTokenizer",
        "do_lower_case": True,
        "keep_accents": True,
        "padding_side": "right",
        "additional_special_tokens": ["<eop>", "[NEW]"],
        "sep_token": "</s>",
    }
    model = add_pieces(sentencepiece_model("bpe", normalization_rule_name="identity"), NUMBER_COMMAS, -400.0)
    folder("xlnet-slow-bpe", {"tokenizer_config.json": settings, "spiece.model": model.SerializeToString()})
