"""Makes the tiny tokenizers and the cases under data/ with transformers 4.56.2.

    python generate.py

Every folder of data/tokenizers is loaded by AutoTokenizer, and what it answers goes to
data/cases/<folder>.json. Nothing in there comes from burnpipe.
"""

import json
import random
import shutil
import time

import decoder_folders
import encoder_folders
import folders
from folders import CORPUS, DATA, TOKENIZERS, write_json
from transformers import AutoTokenizer

CASES = DATA / "cases"

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

# With every text and every choice of arguments.
MAIN = ("bert-slow", "roberta-slow", "xlm-roberta-slow")
MAIN_ENCODERS = ("albert-slow", "camembert-slow", "deberta-slow", "deberta-v2-slow", "mpnet-slow", "xlnet-slow")
MAIN_DECODERS = ("gemma-slow", "llama-slow", "llama-slow-new")
# With long texts of every kind.
HOSTILE = (*MAIN_ENCODERS, "albert-slow-bpe", "camembert-slow-bpe", "deberta-v2-slow-split", "electra-slow", "modernbert-fast")

# Only for the families of encoder_folders.py.
SPECIAL_TEXTS = [
    "<s>NOTUSED <eop><eod> </s>NOTUSED <cls> <sep> <pad>x [PAD] <unk>NOTUSED",
    "[MASK].[MASK] ,<mask>! <MASK> [mask] x<mask>x",
]
HOSTILE_TEXTS = [
    "``hello'' ''world`` `` ''",
    "5, 12, 1,234 ², ½, ٣, ①, Ⅷ, ⑩, x, ,",
    "he said مرحبا بالعالم (123) and left \u202bשָׁלוֹם\u202c!",
    "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324a\u0334\u0355\u0332\u0312\u0351l\u0341\u0323g\u0335\u035e o",
    "👩‍👩‍👧‍👦👩🏽‍🚀🏳️‍🌈🇩🇪🇫🇷1️⃣ 👍🏽👍🏽",
    "\u0000\u0000 a\u0000\u0001\u0002b \u007f\u0085",
    "ÀÉÎ İstanbul ΑΣ ẞ ǅ ﬃ \u1e9b\u0323 Å",
    *SPECIAL_TEXTS,
    "日本語です。Hello,world!(ok)-fine…¿qué?",
    " trailing and  double   spaces   ",
    "\u00a0 \u2003 \u3000x\u200b\u200d\ufe0f",
]

# Only for those of decoder_folders.py.
SPACED_TEXTS = [
    "\t\t\tdef f(x):\n\t\treturn  x\n\n\n    # four  spaces",
    " <s> Hello</s>x<unk> <begin>y <|user|>  z",
    "<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn> model<bos><eos><pad>",
    "▁▁ Hello▁world ▁",
    "<0x09><0x41> \u0085 \U0001F9A9 12345 007",
    " leading and trailing  ",
]

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

BRIEF_KWARGS = [
    {},
    {"truncation": True},
    {"padding": "max_length", "max_length": 40},
    {"padding": "max_length", "max_length": 40, "padding_side": "left"},
    {"padding": True, "pad_to_multiple_of": 4, "truncation": True, "max_length": 20, "return_overflowing_tokens": True},
    {"truncation": "only_first", "max_length": 20, "stride": 3, "return_overflowing_tokens": True, "padding": "max_length"},
    {"truncation": "only_second", "max_length": 31, "stride": 1, "return_overflowing_tokens": True},
    {"split_special_tokens": True},
]

KWARGS_TEXTS = [
    "hello",
    "Angela Merkel lives in Berlin, isn't she?",
    "The [MASK] <mask> [NEW] 👍🏽 東京",
]

# Repeated up to 50,000 code points; the hostile ones up to 10,000, to keep the test short.
LONG = ("hello 東京 é👍🏽, ", "a", "x" * 99 + " ")
HOSTILE_LONG = (
    "\u0301", "e\u0301", "``", " ", "\n", "👩‍👩‍👧‍👦", "🇩🇪", "שָׁלוֹם مرحبا ", "\u0000", "12,", ".", "<mask>", "[MASK] ", "▁", "東", "İ"
)

DECODER_LONG = ("\u0301", " ", "\n", "\t", "👩‍👩‍👧‍👦", "\u0000", "<s>", "東", "İ")

DECODE_IDS = [[], [0, 1, 2, 3, 4], [5, 100000, 6, 7]]


def main():
    shutil.rmtree(DATA, ignore_errors=True)
    CASES.mkdir(parents=True)
    folders.make()
    first = sorted(TOKENIZERS.iterdir())
    encoder_folders.make()
    texts = FIXED_TEXTS + random_texts(random.Random(2), 35)
    for folder in first:
        whole = folder.name in MAIN
        write_cases(folder, texts if whole else texts[:20], KWARGS_TEXTS if whole else KWARGS_TEXTS[1:2], LONG if whole else LONG[:1])
    second = sorted(set(TOKENIZERS.iterdir()) - set(first))
    decoder_folders.make()
    for folder in second:
        whole = folder.name in MAIN_ENCODERS
        long = LONG + HOSTILE_LONG if folder.name in HOSTILE else LONG[:1]
        write_cases(folder, texts + HOSTILE_TEXTS if whole else texts[6:20:2] + HOSTILE_TEXTS, KWARGS_TEXTS if whole else [], long)
    for folder in sorted(set(TOKENIZERS.iterdir()) - set(first) - set(second)):
        whole = folder.name in MAIN_DECODERS
        write_cases(folder, texts + HOSTILE_TEXTS if whole else texts[4:20:2] + SPACED_TEXTS, KWARGS_TEXTS if whole else [], LONG + DECODER_LONG if whole else LONG[:1])
    write_json(DATA / "inputs.json", INPUTS.distinct)
    write_json(DATA / "arguments.json", ARGUMENTS.distinct)


def write_cases(folder, texts, kwargs_texts, long):
    start = time.time()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.is_fast
    write_json(CASES / f"{folder.name}.json", describe(tokenizer, texts, kwargs_texts, long))
    print(f"{folder.name} {type(tokenizer).__name__} {len(tokenizer)} {time.time() - start:.1f} s")


# The cases.


def random_texts(rng, count):
    texts = []
    words = " ".join(CORPUS).split()
    for _ in range(count):
        pieces = [rng.choice(FRAGMENTS if rng.random() < 0.5 else words) for _ in range(rng.randint(1, 7))]
        texts.append(rng.choice(["", " "]).join(pieces) if rng.random() < 0.5 else " ".join(pieces))
    return texts


def describe(tokenizer, texts, kwargs_texts, long):
    windows = Windows()
    encode = [encode_one(windows, tokenizer, {"text": text}, {}) for text in texts]
    encode += encode_variants(windows, tokenizer, kwargs_texts)
    return {
        "properties": properties(tokenizer),
        "long": encode_long(tokenizer, long),
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
    cases = [encode_one(windows, tokenizer, input, kwargs) for input in inputs for kwargs in (KWARGS if texts else BRIEF_KWARGS)]
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
    if not texts:
        cases += [encode_one(windows, tokenizer, {"text": text}, {"split_special_tokens": True}) for text in SPECIAL_TEXTS]
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
        count = (10_000 if unit in HOSTILE_LONG else 50_000) // len(unit)
        start = time.time()
        encoding = tokenizer(unit * count).encodings[0]
        if time.time() - start > 0.5:
            print(f"    {unit!r} {count} times: {time.time() - start:.1f} s")
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


if __name__ == "__main__":
    main()
