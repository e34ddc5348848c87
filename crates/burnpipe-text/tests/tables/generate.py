"""Makes the tiny tokenizers and the cases of this folder with transformers 4.56.2.

    python generate.py

- <tokenizer>/: files of a TapasTokenizer
- tables.json: tables by name
- cases.json: what the tokenizers make of tables and questions
- numbers.json: the numbers and dates that TAPAS finds in texts

Nothing in there comes from burnpipe.
"""

import json
import logging
import os
import random
import shutil
import warnings
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["USE_TORCH"] = os.environ["USE_TF"] = "0"

import pandas as pd
import transformers
from transformers import AutoTokenizer
from transformers.models.tapas.tokenization_tapas import normalize_for_match, parse_text

assert transformers.__version__ == "4.56.2", transformers.__version__
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

HERE = Path(__file__).parent
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
WORDS = (
    "the of in to who how many is was name age city year total points date born team score rank first second two "
    "january february march april may june july august september october november december jan feb mar apr jun jul "
    "aug sep oct nov dec monday sunday brad pitt george clooney zurich 19 20 199 ##98 ##99 ##00 ##th ##st ##ing won"
).split()
OTHERS = list(".,-+:;!?/()[]%$&#_'\"") + list("äöüéßçñ") + list("北京中国日") + ["м", "о", "с", "к", "в", "а", "٣", "½", "🙂"]
VOCABULARY = (
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[EMPTY]"]
    + list(LETTERS)
    + [f"##{letter}" for letter in LETTERS]
    + list("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    + OTHERS
    + [f"##{letter}" for letter in "äöüéмоскв"]
    + WORDS
)

ACTORS = {
    "Name": ["Brad Pitt", "Leonardo DiCaprio", "George Clooney"],
    "Age": ["56", "45", "59"],
    "Movies": ["87", "53", "69"],
    "Born": ["18 December 1963", "11 November 1974", "6 May 1961"],
}
MIXED = {
    "Größe [m]": ["1,234.5", "-3", " +7 ", "n/a", "", "½"],
    "date": ["2001-02-30", "May 5, 2000", "03.04.1999", "june 2004", "Monday, Jul 4", "1999"],
    "北京 x": ["北京中国", "e\u0301e\u0300", "İI\u0307", "🙂🇩🇪", "\u200bzero\u00a0\u3000wide", "a\x00b\ufffd\x1fc"],
    "": ["?", "nan", "N/A", "NaN ", "_", " - "],
    "rank": ["1st", "2nd", "third", "4th place", "no 5", "٣"],
    "[MASK] [EMPTY] [CLS]x": ["[MASK]", "a[SEP]b", "[EMPTY]", "[mask]", "##ing", "never_split x"],
}
YEARS = {
    "Year": [str(1990 + at % 37) for at in range(60)],
    "Winner": [("Brad Pitt won in the second", "x", "", "averyveryverylongword", "a b c d e f g")[at % 5] for at in range(60)],
    "Points": [f"{at * 37 % 101}.5" for at in range(60)],
}
WIDE = {f"column {at}": [str(at), "x y", ""] for at in range(40)}
SAME = {"a": ["5", "5.0", "05", "7"], "b": ["1", "two", "x", "3"], "c": ["may", "1 may", "5 june", "y"], "d": ["1", "2", "3", "x y"]}
TABLES = {"actors": ACTORS, "mixed": MIXED, "years": YEARS, "wide": WIDE, "same": SAME, "one": {"": [""]}, "space": {" ": [" "]}}

QUESTIONS = [
    "How many movies has George Clooney played in?",
    "who was born before 6 may 1961, or in november 1970?",
    "",
    "?",
    "Is the total more than 56, 5.0 or two? in 1999",
    "[MASK] of [EMPTY] the İSTANBUL 北京 e\u0301 1.5e1 [NEW]x newx NEW",
    "x",
]

OPTIONS = {
    "plain": {},
    "short": {"model_max_length": 60},
    "trimmed": {"cell_trim_length": 2, "model_max_length": 90, "min_question_length": 3, "max_question_length": 14},
    "trimmed-to-nothing": {"cell_trim_length": 0, "model_max_length": 64},
    "cased": {"do_lower_case": False, "strip_accents": True, "tokenize_chinese_chars": False, "padding_side": "left"},
    "no-basic": {"do_basic_tokenize": False, "strip_column_names": True, "model_max_length": 128},
    "limits": {"max_row_id": 30, "max_column_id": 6, "strip_accents": False},
    "tokens": {
        "never_split": ["never_split", "Brad"],
        "additional_special_tokens": ["[NEW]"],
        "empty_token": "[NONE]",
        "unk_token": "[MASK]",
        "model_max_length": 100,
    },
}


def main():
    for path in HERE.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    write(HERE / "tables.json", TABLES)
    write(HERE / "cases.json", [case for name, options in OPTIONS.items() for case in cases(name, folder(name, options))])
    write(HERE / "numbers.json", [[text, numbers(text)] for text in texts()])


def folder(name, options):
    """The files of a tokenizer: without tokenizer_config.json where there are no options."""
    target = HERE / name
    target.mkdir()
    (target / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    (target / "config.json").write_text('{"model_type": "tapas"}\n')
    if options:
        config = {"tokenizer_class": "TapasTokenizer", **options}
        if name == "tokens":
            flags = {"lstrip": False, "normalized": True, "rstrip": False, "single_word": False, "special": False}
            config["added_tokens_decoder"] = {
                "400": {**flags, "content": "NEW", "single_word": True},
                "401": {**flags, "content": "[NEW]", "normalized": False, "special": True, "rstrip": True, "lstrip": True},
            }
        write(target / "tokenizer_config.json", config)
    if name == "no-basic":
        write(target / "special_tokens_map.json", {"additional_special_tokens": ["[EMPTY]"], "mask_token": "[MASK]"})
        write(target / "added_tokens.json", {"[TABLE]": len(VOCABULARY), "ageless": len(VOCABULARY) + 1})
    return target


def cases(name, path):
    tokenizer = AutoTokenizer.from_pretrained(path)
    assert type(tokenizer).__name__ == "TapasTokenizer"
    for table in TABLES:
        questions = QUESTIONS[1::3] if table in ("years", "wide") else QUESTIONS
        yield case(tokenizer, name, table, questions, {"truncation": True, "padding": True})
    yield case(tokenizer, name, "years", QUESTIONS[:1], {"truncation": "do_not_truncate", "padding": False})
    yield case(tokenizer, name, "actors", QUESTIONS[:1], {"truncation": "drop_rows_to_fit", "padding": "max_length"})
    yield case(tokenizer, name, "mixed", QUESTIONS[4:6], {"truncation": False, "padding": "longest"})


def case(tokenizer, name, table, questions, arguments):
    """`windows` has per question: ids, the seven kinds of types, the attention mask."""
    entry = {"tokenizer": name, "table": table, "questions": questions, "arguments": arguments}
    try:
        encoded = tokenizer(pd.DataFrame(TABLES[table]), list(questions), **arguments)
    except ValueError as error:
        return {**entry, "error": str(error)}
    windows = []
    for ids, types, mask in zip(encoded["input_ids"], encoded["token_type_ids"], encoded["attention_mask"]):
        lists = [ids, *map(list, zip(*types)), mask] if ids else [[]] * 9
        windows.append([runs(values) for values in lists])
    return {**entry, "windows": windows}


def runs(values):
    """Numbers as text, those that repeat as `value*times`."""
    out = []
    for value in values:
        if out and out[-1][0] == value:
            out[-1][1] += 1
        else:
            out.append([value, 1])
    return " ".join(str(value) if times == 1 else f"{value}*{times}" for value, times in out)


PIECES = (
    "1 2 3 5 12 13 31 32 29 28 30 00 0 01 09 007 1999 2010 2016 2017 1699 1700 1904 1900 12345 1,234 12,34 1,234,567 ,5 .5 5. "
    "1.5.2 1e5 1e400 1e-5 inf infinity nan 1_000 -5 +5 - + -- --5 +-5 1st 2nd 3rd 4th 11th st th two Two twelve thirteen "
    "zeroth first second seconds Sept sept sep september may May MAY mayx jan january jan. feb february Monday monday, "
    "Tuesday, tue 1990s 1990's 2000S 05-06-2000 5-6-2000 2000-5-6 2000-05 2000-13 13-05-2000 5.6.2000 31.2.2001 29.2.2000 "
    "29.02.1900 , . : / % $ ( ) x a1 1a ab12cd ٣ ٢٠١٠ １２ ½ ² 1² ³rd 1٧ ٧1 3٠ 𝟙𝟡𝟡𝟡 Ⅷ é e\u0301 İ ß 北 五 🙂 \u00a0 \u2003 \t _ #5 5# ' 99999999999999999999999 0.1 "
    "0.30000000000000004 1.7976931348623157e308 of the and to"
).split(" ")
FIXED = [
    "", " ", "-", "5", " 5 ", "- 5", "a -5", "a-5", "5-5", "5 - 5", "+5.5", "a +.5", "1,2,3", "1,234,56", "1,2345", "1.2.3.4",
    "february 29", "february 29, 2000", "february 29, 1999", "feb 29", "feb 28", "29 february 2004", "may 5", "5 may", "may 05",
    "may 005", "may 5, 2000", "may 5,2000", "may 5 , 2000", "may  5,   2000", "5 may 2000", "5 sept 2000", "Sept 5, 2000",
    "September 31", "april 31", "april 30", "monday, may 5", "monday, january 31", "mon, may 5", "friday, june 31", "Monday, feb 29",
    "2000-02-30", "2000-2-3", "2000-02", "02-2000", "2000 may", "may 2000", "jan 2000", "january 1699", "january 1700",
    "january 2016", "january 2017", "1999-2000", "12-12-1999 12", "between 5 may 2000 and 6 june 2001 or july",
    "second of may", "the first twelve of thirteen", "five-and-twenty", "22nd", "1,000th", "1.5th", "1th2", "3st", "inf", "nan", "infinity",
    "may 1٧", "may ٧", "٥ may", "may 3٠", "٢٠١٠-٠٥", "٢٠١٠-05-06", "1e5 1E5 e5 5e", "0x10", "1_0", "jan 1 feb 2 mar 3",
    "a.5", "5.", "5.a", ".5.", "..5", "5..5", "$1,234.56 (50%)", "+49 30 1234567", "12:30", "1/2", "auguſt 5", "\u212Aay 5", "may\u00a05,\u20032000",
    "may_5", "5_may", "_5_", "5,may", "maẏ 5", "9" * 400, "-" + "9" * 400, "a -" + "9" * 310, "december 25, 1999, december 26",
]


def texts():
    rng = random.Random(7)
    made = [rng.choice([" ", " ", "", ", "]).join(rng.choice(PIECES) for _ in range(rng.randint(1, 6))) for _ in range(420)]
    return list(dict.fromkeys(FIXED + made))


def numbers(text):
    """Per span: its values, a number as Python writes it or year, month and day."""
    spans = parse_text(normalize_for_match(text))
    return [[repr(v.float_value) if v.date is None else [v.date.year, v.date.month, v.date.day] for v in span.values] for span in spans]


def write(path, value):
    if path.name in ("cases.json", "numbers.json"):
        lines = ",\n".join(json.dumps(item, ensure_ascii=False, separators=(",", ":")) for item in value)
        path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    else:
        path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
