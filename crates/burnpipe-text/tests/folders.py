"""Makes the tiny tokenizers of BERT, RoBERTa, XLM-RoBERTa and of no class at all, and what the others need."""

import json
import os
import random
import re
from collections import Counter
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RUST_BACKTRACE"] = "0"
os.environ["USE_TORCH"] = os.environ["USE_TF"] = "0"

import sentencepiece
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from sentencepiece import sentencepiece_model_pb2
from transformers import AutoTokenizer

assert transformers.__version__ == "4.56.2", transformers.__version__

DATA = Path(__file__).parent / "data"
TOKENIZERS = DATA / "tokenizers"

CORPUS = """
Ms. Angela Merkel lives in Berlin, and her number is +49 30 1234567.
The quick brown fox doesn't jump over 3 lazy dogs; it's 'sleeping' - isn't it?
Der Hauptbahnhof in München liegt zwischen Straße und Ärztehaus, nicht in Köln.
Les élèves français étudient à l'école où le garçon a mangé une crêpe.
El niño pequeño comió mañana en España; ¿qué pasó después?
Привет, мир! Москва и Санкт-Петербург — большие города России.
東京は日本の首都です。私は学生です。北京是中国的首都。
안녕하세요 세계 서울은 한국의 수도입니다
مرحبا بالعالم القاهرة مدينة كبيرة
שלום עולם תל אביב
नमस्ते दुनिया दिल्ली भारत की राजधानी है
สวัสดีชาวโลก กรุงเทพ
tokenization tokenizers token unbelievable believable played playing player plays
hello world hello there world peace lower lowest newer newest wider widest
2023-10-05 12:34:56 user@example.com https://example.com/path?q=1&x=2 $1,234.56 50%
""".strip().split("\n")


def make():
    bert(make_vocabulary())
    roberta()
    xlm_roberta()
    plain()


def make_vocabulary():
    """A vocabulary of letters, frequent word parts and words. (The trainer's own depends on hashing.)"""
    counts = Counter()
    for line in CORPUS:
        for word in re.findall(r"\w+|[^\w\s]", line + " " + line.lower()):
            for end in range(1, len(word) + 1):
                counts[word[:end]] += 1
                for start in range(1, end):
                    counts["##" + word[start:end]] += 1
    letters = sorted(token for token in counts if len(token.removeprefix("##")) == 1)
    rng = random.Random(1)
    kept = set(rng.sample(letters, 190)) | set("abcdefghijklmnopqrstuvwxyz.,!?") | {f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz"}
    parts = sorted((token for token in counts if token not in letters), key=lambda token: (-counts[token] * len(token), token))
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return special + sorted(kept) + parts[: 395 - len(kept)]


def bert(vocabulary):
    text = "\n".join(vocabulary) + "\n"
    slow = folder("bert-slow", {"config.json": {"model_type": "bert"}, "vocab.txt": text})
    fast = TOKENIZERS / "bert-fast"
    AutoTokenizer.from_pretrained(slow, model_max_length=40).save_pretrained(fast)
    (fast / "vocab.txt").unlink()
    library = json.loads((fast / "tokenizer.json").read_text())

    settings = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": False,
        "strip_accents": True,
        "tokenize_chinese_chars": False,
        "model_max_length": 24,
        "padding_side": "left",
        "truncation_side": "left",
        "additional_special_tokens": ["[NEW]"],
        "clean_up_tokenization_spaces": False,
    }
    # Lines end as on Windows, and one word comes twice.
    folder("bert-slow-cased", {"tokenizer_config.json": settings, "vocab.txt": text.replace("\n", "\r\n") + "hello\r\n"})

    settings = {
        "tokenizer_class": "DistilBertTokenizer",
        "do_basic_tokenize": False,
        "never_split": ["hello"],
        "cls_token": "[START]",
        # `normalized` is open: it is settled before the token becomes special.
        "sep_token": {"__type": "AddedToken", "content": "[SEP]"},
        "mask_token": {"__type": "AddedToken", "content": "[MASK]", "normalized": False},
        "max_len": 64,
    }
    folder("distilbert-slow", {"tokenizer_config.json": settings, "vocab.txt": text})

    saved = {
        **library,
        "truncation": {"direction": "Left", "max_length": 6, "strategy": "LongestFirst", "stride": 0},
        "padding": {
            "strategy": {"Fixed": 10},
            "direction": "Left",
            "pad_to_multiple_of": None,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "[PAD]",
        },
    }
    settings = {
        "tokenizer_class": "BertTokenizerFast",
        "do_lower_case": False,
        "clean_up_tokenization_spaces": True,
        "model_max_length": 1000000000000000019884624838656,
        "model_input_names": ["input_ids", "attention_mask"],
        "mask_token": {"__type": "AddedToken", "content": "[MASK]", "lstrip": True, "rstrip": False, "normalized": False, "single_word": False},
        "extra_special_tokens": {"image_token": "<tag>"},
        "added_tokens_decoder": {
            "0": token("[PAD]", special=True),
            "1": token("[UNK]", special=True),
            "2": token("[CLS]", special=True),
            "3": token("[SEP]", special=True),
            "4": token("[MASK]", special=True, lstrip=True),
            "901": token("NEW", normalized=True),
            "900": token("[NEW]", rstrip=True, single_word=True),
        },
    }
    folder("bert-fast-settings", {"tokenizer_config.json": settings, "tokenizer.json": saved})

    # From before added_tokens_decoder: tokens spread over three files.
    special = {
        "unk_token": "[UNK]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "cls_token": "[CLS]",
        "mask_token": {"content": "[MASK]", "lstrip": True, "rstrip": True, "normalized": False, "single_word": False},
        "additional_special_tokens": ["[NEW]", {"content": "<tag>", "lstrip": True, "rstrip": False, "normalized": False, "single_word": False}],
    }
    settings = {"do_lower_case": True, "model_max_length": 20}
    files = {"special_tokens_map.json": special, "added_tokens.json": {"[NEW]": 500, "NEW": 501}, "config.json": {"model_type": "bert"}}
    folder("bert-fast-legacy", {**files, "tokenizer_config.json": settings, "tokenizer.json": library})
    folder("bert-slow-legacy", {**files, "tokenizer_config.json": settings, "vocab.txt": text})


def roberta():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(
        vocab_size=390, special_tokens=special, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    merges = "#version: 0.2\n" + "\n".join(" ".join(merge) for merge in model["merges"]) + "\n"
    files = {"vocab.json": model["vocab"], "merges.txt": merges}

    slow = folder("roberta-slow", {**files, "config.json": {"model_type": "roberta"}})
    settings = {"tokenizer_class": "RobertaTokenizer", "add_prefix_space": True, "model_max_length": 24}
    folder("roberta-slow-prefix", {**files, "tokenizer_config.json": settings})
    settings = {"tokenizer_class": "RobertaTokenizer", "mask_token": "[MASK]", "bos_token": None, "additional_special_tokens": ["[NEW]"]}
    folder("roberta-slow-tokens", {**files, "tokenizer_config.json": settings})

    fast = TOKENIZERS / "roberta-fast"
    AutoTokenizer.from_pretrained(slow).save_pretrained(fast)
    for name in ("vocab.json", "merges.txt"):
        (fast / name).unlink()
    library = json.loads((fast / "tokenizer.json").read_text())
    without_mask(library)
    settings = {"tokenizer_class": "RobertaTokenizer", "add_prefix_space": True, "trim_offsets": False, "truncation_side": "left"}
    folder("roberta-fast-prefix", {"tokenizer_config.json": settings, "tokenizer.json": library})
    # No class anywhere: the pre-tokenizer loses its prefix space, and there are no special tokens.
    library["pre_tokenizer"]["add_prefix_space"] = True
    folder("plain-byte-level", {"tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast"}, "tokenizer.json": library})


def train_sentencepiece(**arguments):
    """A SentencePiece model of the corpus. `rules` stands for the rules below."""
    if arguments.pop("rules", False):
        rules = {"ﬁ": "fi", "½": "1/2", "™": "tm", "\u00a0": " ", "\u3000": " ", "\t": " ", "\n": " ", "e\u0301": "é", "\u200b": ""}
        rules.update({chr(0xFF01 + i): chr(0x21 + i) for i in range(94)})
        hexadecimal = lambda text: " ".join(f"{ord(character):X}" for character in text)
        table = DATA / "rules.tsv"
        table.write_text("".join(f"{hexadecimal(source)}\t{hexadecimal(target)}\n" for source, target in rules.items()))
        arguments["normalization_rule_tsv"] = str(table)
    corpus, model = DATA / "corpus.txt", DATA / "spm.model"
    corpus.write_text("\n".join(CORPUS))
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(model.with_suffix("")), character_coverage=0.98, minloglevel=2, **arguments
    )
    proto = sentencepiece_model_pb2.ModelProto.FromString(model.read_bytes())
    # The paths of this machine.
    for field in ("input", "model_prefix"):
        proto.trainer_spec.ClearField(field)
    proto.normalizer_spec.ClearField("normalization_rule_tsv")
    for file in DATA.glob("spm.*"):
        file.unlink()
    for file in (corpus, DATA / "rules.tsv"):
        file.unlink(missing_ok=True)
    return proto


def xlm_roberta():
    def train(name, **arguments):
        model = train_sentencepiece(**arguments).SerializeToString()
        return folder(name, {"config.json": {"model_type": "xlm-roberta"}, "sentencepiece.bpe.model": model})

    unigram = train(
        "xlm-roberta-slow", vocab_size=300, hard_vocab_limit=False, model_type="unigram", rules=True,
        user_defined_symbols=["<tag>"], control_symbols=["[NEW]"],
    )
    train("xlm-roberta-slow-bpe", vocab_size=350, model_type="bpe", normalization_rule_name="identity")

    fast = TOKENIZERS / "xlm-roberta-fast"
    AutoTokenizer.from_pretrained(unigram, model_max_length=32).save_pretrained(fast)
    (fast / "sentencepiece.bpe.model").unlink()
    (fast / "special_tokens_map.json").unlink()
    library, settings = (json.loads((fast / name).read_text()) for name in ("tokenizer.json", "tokenizer_config.json"))
    without_mask(library)
    settings["added_tokens_decoder"] = {id: token for id, token in settings["added_tokens_decoder"].items() if token["content"] != "<mask>"}
    write_json(fast / "tokenizer.json", library)
    write_json(fast / "tokenizer_config.json", settings)


def without_mask(library):
    """The class then adds its mask token, which takes the space before it along."""
    library["added_tokens"] = [token for token in library["added_tokens"] if token["content"] != "<mask>"]


def plain():
    words = {word: place for place, word in enumerate(["<pad>", "<unk>", "hello", "world", "the", "token", ",", "."])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_tokens([AddedToken("The World", normalized=True), AddedToken("<tag>", normalized=False, lstrip=True, rstrip=True)])
    tokenizer.enable_padding(direction="left", pad_id=0, pad_token="<pad>", length=9)
    tokenizer.enable_truncation(max_length=5, direction="left")
    folder("plain-word-level", {"tokenizer.json": json.loads(tokenizer.to_str()), "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>"}})


def token(content, **flags):
    return {"content": content, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": False, **flags}


def folder(name, files):
    target = TOKENIZERS / name
    target.mkdir(parents=True)
    for file, content in files.items():
        if isinstance(content, bytes):
            (target / file).write_bytes(content)
        elif isinstance(content, str):
            (target / file).write_text(content, newline="")
        else:
            write_json(target / file, content)
    return target


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")
