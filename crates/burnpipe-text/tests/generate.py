"""Makes the tiny tokenizers and the cases under data/ with transformers 4.56.2.

    python generate.py

Every folder of data/tokenizers is loaded by AutoTokenizer, and what it answers goes to
data/cases/<folder>.json. Nothing in there comes from burnpipe.
"""

import json
import os
import random
import re
import shutil
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
from transformers import AutoTokenizer

assert transformers.__version__ == "4.56.2", transformers.__version__

DATA = Path(__file__).parent / "data"
TOKENIZERS = DATA / "tokenizers"
CASES = DATA / "cases"

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

FRAGMENTS = [
    "Angela", "Merkel", "München", "Straße", "élève", "nin\u0303o", "e\u0301", "I\u0307stanbul", "İ", "ﬁancé",
    "Привет", "東京", "私は", "안녕", "\u1112\u1161\u11ab", "مرحبا", "שָׁלוֹם", "नमस्ते", "สวัสดี", "🙂", "👩‍👩‍👧‍👦",
    "🇩🇪", "👍🏽", "❤️", "１２３", "ＡＢＣ", "½", "ǅ", "Ω", "𝔘𝔫𝔦", "𠮷", "\u0000", "\u0007", "\u200b", "\u00a0",
    "\u3000", "\ufeff", "\u00ad", "\u2028", "\t", "\n", "\r\n", "  ", "   ", "'s", "n't", "...", "?!", "—", "«", "”",
    "don't", "token", "tokenization", "unbelievable", "lowest", "12345", "3.14", "[MASK]", "[CLS]", "<mask>", "<s>",
    " <mask> ", "[UNK]", "<unk>", "[NEW]", "<tag>", "http://x.y/z", "a", "Z", "_", "##ing", "▁", "Ġ", "\ufffd", "xyzzy",
]

FIXED_TEXTS = [
    "",
    " ",
    "   \t\n ",
    "hello",
    "Hello world",
    " hello  world ",
    "don't isn't it's we've you're I'm , . ! ?",
    "Ms. Angela Merkel lives in Berlin, and her number is +49 30 1234567.",
    "Der Hauptbahnhof in München liegt zwischen Straße und Ärztehaus.",
    "東京は日本の首都です。Hello東京",
    "e\u0301le\u0300ve cafe\u0301 naïve",
    "👩‍👩‍👧‍👦 family 👍🏽 ok",
    "a\u0000b \u0000",
    "[MASK] is <mask> and [CLS] [SEP] [sep] <s> </s>",
    "The[MASK]  ,the <mask>, [NEW] new [new] <tag>x x<tag> xNEWx NEW",
    "[CLS]",
    "<s></s>",
    "unbelievable" * 5,
    "ﬁne ＦＵＬＬ　ｗｉｄｔｈ ½ Ⅷ ™ \u00a0nbsp",
    "\u0301combining first",
    "🙂" * 4,
    "line one\nline two\r\n\r\nline three\r",
]

MAIN = ("bert-slow", "roberta-slow", "xlm-roberta-slow")

PAIR = ("Angela Merkel lives in Köln.", "Straße 東京 👍🏽 newest!")

KWARGS = [
    {},
    {"add_special_tokens": False},
    {"truncation": True, "max_length": 8},
    {"max_length": 8},
    {"max_length": 8, "truncation": False},
    {"max_length": 8, "padding": "do_not_pad"},
    {"truncation": True},
    {"padding": "max_length"},
    {"padding": "max_length", "max_length": 30, "truncation": None},
    {"padding": True, "pad_to_multiple_of": 8},
    {"padding": "longest", "max_length": 5},
    {"padding": "max_length", "max_length": 40, "padding_side": "left"},
    {"padding": True, "pad_to_multiple_of": 8, "truncation": True, "max_length": 12},
    {"padding": True, "pad_to_multiple_of": 4, "truncation": True, "max_length": 20, "return_overflowing_tokens": True},
    {"truncation": True, "max_length": 17, "stride": 2, "return_overflowing_tokens": True},
    {"truncation": "only_first", "max_length": 12, "stride": 3, "return_overflowing_tokens": True, "padding": "max_length"},
    {"truncation": "only_second", "max_length": 31, "stride": 1, "return_overflowing_tokens": True},
    {"truncation": "longest_first", "max_length": 19, "return_overflowing_tokens": True},
    {"truncation": "longest_first", "max_length": 19, "return_overflowing_tokens": True, "add_special_tokens": False},
    {"truncation": "only_second", "max_length": 6},
    {"truncation": True, "max_length": 0},
    {"truncation": True, "max_length": 1, "return_overflowing_tokens": True},
    {"truncation": True, "max_length": 2, "return_overflowing_tokens": True},
    {"truncation": True, "max_length": 3, "return_overflowing_tokens": True},
    {"truncation": True, "max_length": 7, "stride": 6, "return_overflowing_tokens": True},
    {"truncation": True, "max_length": 7, "stride": 5, "return_overflowing_tokens": True},
    {"truncation": "sometimes"},
    {"padding": "sometimes"},
    {"max_length": 8, "truncation": "do_not_truncate"},
    {"split_special_tokens": True},
]

KWARGS_TEXTS = [
    "hello",
    "Angela Merkel lives in Berlin, isn't she?",
    "The [MASK] <mask> [NEW] 👍🏽 東京",
]

# Repeated up to 50,000 code points.
LONG = ("hello 東京 é👍🏽, ", "a", "x" * 99 + " ")

DECODE_IDS = [[], [0, 1, 2, 3, 4], [5, 100000, 6, 7]]


def main():
    shutil.rmtree(DATA, ignore_errors=True)
    CASES.mkdir(parents=True)
    make_tokenizers()
    texts = FIXED_TEXTS + random_texts(random.Random(2), 35)
    for folder in sorted(TOKENIZERS.iterdir()):
        tokenizer = AutoTokenizer.from_pretrained(folder)
        assert tokenizer.is_fast
        case = describe(tokenizer, texts, KWARGS_TEXTS) if folder.name in MAIN else describe(tokenizer, texts[:20], KWARGS_TEXTS[1:2])
        write_json(CASES / f"{folder.name}.json", case)
        write_json(DATA / "inputs.json", INPUTS.distinct)
        write_json(DATA / "arguments.json", ARGUMENTS.distinct)
        print(folder.name, type(tokenizer).__name__, len(tokenizer))


# The tokenizers.


def make_tokenizers():
    vocabulary = make_vocabulary()
    bert(vocabulary)
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


def xlm_roberta():
    rules = {"ﬁ": "fi", "½": "1/2", "™": "tm", "\u00a0": " ", "\u3000": " ", "\t": " ", "\n": " ", "e\u0301": "é", "\u200b": ""}
    rules.update({chr(0xFF01 + i): chr(0x21 + i) for i in range(94)})
    table = DATA / "rules.tsv"
    hexadecimal = lambda text: " ".join(f"{ord(character):X}" for character in text)
    table.write_text("".join(f"{hexadecimal(source)}\t{hexadecimal(target)}\n" for source, target in rules.items()))
    corpus = DATA / "corpus.txt"
    corpus.write_text("\n".join(CORPUS))
    config = {"config.json": {"model_type": "xlm-roberta"}}

    def train(name, **arguments):
        sentencepiece.SentencePieceTrainer.train(
            input=str(corpus), model_prefix=str(DATA / "spm"), character_coverage=0.98, minloglevel=2, **arguments
        )
        target = folder(name, {**config, "sentencepiece.bpe.model": (DATA / "spm.model").read_bytes()})
        for file in ("spm.model", "spm.vocab"):
            (DATA / file).unlink()
        return target

    unigram = train(
        "xlm-roberta-slow", vocab_size=300, hard_vocab_limit=False, model_type="unigram", normalization_rule_tsv=str(table),
        user_defined_symbols=["<tag>"], control_symbols=["[NEW]"],
    )
    train("xlm-roberta-slow-bpe", vocab_size=350, model_type="bpe", normalization_rule_name="identity")
    table.unlink()
    corpus.unlink()

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


# The cases.


def random_texts(rng, count):
    texts = []
    words = " ".join(CORPUS).split()
    for _ in range(count):
        pieces = [rng.choice(FRAGMENTS if rng.random() < 0.5 else words) for _ in range(rng.randint(1, 7))]
        texts.append(rng.choice(["", " "]).join(pieces) if rng.random() < 0.5 else " ".join(pieces))
    return texts


def describe(tokenizer, texts, kwargs_texts):
    windows = Windows()
    encode = [encode_one(windows, tokenizer, {"text": text}, {}) for text in texts]
    encode += encode_variants(windows, tokenizer, kwargs_texts)
    return {
        "properties": properties(tokenizer),
        "long": encode_long(tokenizer, LONG if len(kwargs_texts) > 1 else LONG[:1]),
        "decode": decode(tokenizer, texts[4:12]),
        "join": join(tokenizer, texts[3:9]),
        "encode": encode,
        "windows": windows.distinct,
    }


class Places:
    """Distinct values, so that cases only have their places."""

    def __init__(self):
        self.places = {}
        self.distinct = []

    def place(self, value):
        key = json.dumps(value)
        if key not in self.places:
            self.places[key] = len(self.distinct)
            self.distinct.append(value)
        return self.places[key]


class Windows(Places):
    def place(self, encoding, whole):
        digits = lambda values: "".join("-" if value is None else str(value) for value in values)
        fields = [
            " ".join(map(str, encoding.ids)),
            " ".join(f"{start}-{end}" for start, end in encoding.offsets),
            " ".join("-" if id is None else str(id) for id in encoding.word_ids),
        ]
        if whole:
            masks = [encoding.type_ids, encoding.attention_mask, encoding.special_tokens_mask, encoding.sequence_ids]
            fields += [*map(digits, masks), encoding.tokens]
        return super().place(fields)


# Shared by the files of all tokenizers.
INPUTS = Places()
ARGUMENTS = Places()


def properties(tokenizer):
    names = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"]
    limit = tokenizer.model_max_length
    return {
        "vocab_size": len(tokenizer),
        "model_max_length": limit if limit < 1e20 else None,
        "padding_side": tokenizer.padding_side,
        "truncation_side": tokenizer.truncation_side,
        "pad_token_type_id": tokenizer.pad_token_type_id,
        "special_tokens": {name: getattr(tokenizer, name) for name in names},
        "special_ids": {f"{name}_id": getattr(tokenizer, f"{name}_id") for name in names},
        "all_special_tokens": tokenizer.all_special_tokens,
        "all_special_ids": [id for id in tokenizer.all_special_ids if id is not None],
        "model_input_names": tokenizer.model_input_names,
        "continuing_subword_prefix": getattr(tokenizer._tokenizer.model, "continuing_subword_prefix", None) or None,
        "num_special_tokens_to_add": [tokenizer.num_special_tokens_to_add(False), tokenizer.num_special_tokens_to_add(True)],
        "added_tokens": {id: token.content for id, token in tokenizer.added_tokens_decoder.items()},
    }


def encode_variants(windows, tokenizer, texts):
    inputs = [{"text": text} for text in texts] + [{"text": PAIR[0], "text_pair": PAIR[1]}]
    cases = [encode_one(windows, tokenizer, input, kwargs) for input in inputs for kwargs in KWARGS]
    words = ["Angela", "Merkel's", "", " ", "東京", "[MASK]", "👍🏽", "newest"]
    same = "hello hello hello hello"
    for limit in (10, 11):
        kwargs = {"truncation": True, "max_length": limit}
        cases.append(encode_one(windows, tokenizer, {"text": same, "text_pair": same}, kwargs))
    others = [
        {"text": PAIR[0], "text_pair": ""},
        {"text": "", "text_pair": PAIR[1]},
        {"words": words},
        {"words": []},
        {"words": words, "words_pair": ["hello", "world"]},
        {"words": words, "words_pair": []},
    ]
    overflow = {"truncation": True, "max_length": 16, "stride": 1, "return_overflowing_tokens": True}
    return cases + [encode_one(windows, tokenizer, input, kwargs) for input in others for kwargs in ({}, overflow)]


def encode_one(windows, tokenizer, input, kwargs):
    arguments = {"text_pair": input.get("text_pair", input.get("words_pair")), **kwargs}
    case = [INPUTS.place(input), ARGUMENTS.place(kwargs)]
    try:
        if "words" in input:
            answer = tokenizer(input["words"], is_split_into_words=True, **arguments)
        else:
            answer = tokenizer(input["text"], **arguments)
    except BaseException as error:  # a panic of the library is not an Exception
        return [*case, f"{type(error).__name__}: {error}"]
    encodings = answer.encodings if kwargs.get("return_overflowing_tokens") else answer.encodings[:1]
    whole = case[0] < 14 or "text" not in input or "text_pair" in input
    return [*case, [windows.place(encoding, whole) for encoding in encodings]]


def encode_long(tokenizer, units):
    cases = []
    for unit in units:
        count = 50_000 // len(unit)
        encoding = tokenizer(unit * count).encodings[0]
        checksum = 0
        for id, (start, end) in zip(encoding.ids, encoding.offsets):
            checksum = (checksum * 31 + id * 7 + start * 3 + end) % 2**32
        cases.append({"unit": unit, "count": count, "tokens": len(encoding.ids), "checksum": checksum})
    return cases


def decode(tokenizer, texts):
    cases = []
    for ids in DECODE_IDS + [tokenizer(text)["input_ids"] for text in texts]:
        for skip in (False, True):
            for clean in (None, False, True):
                text = tokenizer.decode(ids, skip_special_tokens=skip, clean_up_tokenization_spaces=clean)
                cases.append({"ids": ids, "skip_special_tokens": skip, "clean_up_tokenization_spaces": clean, "text": text})
    # Where the choices change nothing, one case says it.
    plain = {json.dumps(case["ids"]): case for case in reversed(cases)}
    return [case for case in cases if case is plain[json.dumps(case["ids"])] or case["text"] != plain[json.dumps(case["ids"])]["text"]]


def join(tokenizer, texts):
    cases = []
    for text in texts:
        tokens = tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"])
        for part in (tokens[1:-1], tokens[2:5]):
            cases.append({"tokens": part, "text": tokenizer.convert_tokens_to_string(part)})
    return cases


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
