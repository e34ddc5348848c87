"""Makes the tiny tokenizers and the cases of this folder with transformers 4.56.2.

    python generate.py

- <tokenizer>/: files of a WhisperTokenizerFast, or of a WhisperTokenizer (`slow`)
- cases.json: the transcripts that `_decode_asr` makes of model outputs, and texts with marks of times
- alignments.json: the times that `_extract_token_timestamps` finds in cross-attentions

Nothing in there comes from burnpipe.
"""

import json
import os
import random
import shutil
from pathlib import Path
from types import SimpleNamespace

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, WhisperTokenizerFast
from transformers.models.whisper.generation_whisper import WhisperGenerationMixin

assert transformers.__version__ == "4.56.2", transformers.__version__

HERE = Path(__file__).parent
LANGUAGES = ["en", "zh", "de", "ja", "haw", "my"]
SPECIALS = (
    ["<|endoftext|>", "<|startoftranscript|>"]
    + [f"<|{code}|>" for code in LANGUAGES]
    + ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
)
TEXTS = [
    " And so my fellow Americans, ask not what your country can do for you: ask what you can do for your country.",
    " \"Don't,\" she said - (it's) [a] test... 'quoted' ¿Qué? ¡Sí! 100% {x} state-of-the-art, e.g. 3.14 / 2",
    " Der Hauptbahnhof in München liegt zwischen Straße und Ärztehaus.",
    "東京は日本の首都です。「はい」、と言いました！",
    "我爱北京天安门，太阳升。 👩‍👩‍👧‍👦 👍🏽",
    " the the the cat sat on the mat , and the dog . sat ( down ) ! n't 's",
]


def backend() -> tuple[Tokenizer, list[tuple[str, str]]]:
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=390, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False
    )
    trained.train_from_iterator(TEXTS * 2, trainer)
    model = json.loads(trained.to_str())["model"]
    merges = [tuple(pair) if isinstance(pair, list) else tuple(pair.split(" ")) for pair in model["merges"]]
    made = Tokenizer(models.BPE(vocab=model["vocab"], merges=merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.post_processor = processors.ByteLevel(trim_offsets=False)
    return made, merges


def write_tokenizers() -> None:
    for old in HERE.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
    # As OpenAI's: all marks are special but those of times, which are known.
    made, merges = backend()
    made.add_special_tokens(SPECIALS)
    times = [AddedToken(f"<|{place * 0.02:.2f}|>", normalized=False, special=False) for place in range(101)]
    made.add_tokens(times)
    options = dict(additional_special_tokens=SPECIALS, pad_token="<|endoftext|>", clean_up_tokenization_spaces=True)
    WhisperTokenizerFast(tokenizer_object=made, **options).save_pretrained(HERE / "full")
    for file in ("vocab.json", "merges.txt", "added_tokens.json"):
        (HERE / "full" / file).unlink()
    # tokenizer.json alone: only the end of a text is special, and times are not known.
    made, merges = backend()
    made.add_special_tokens(SPECIALS)
    bare = HERE / "bare"
    bare.mkdir()
    made.save(str(bare / "tokenizer.json"))
    (bare / "config.json").write_text('{"model_type": "whisper"}\n', encoding="utf-8")
    # The files of the slow tokenizer, and a language of its own.
    made, merges = backend()
    slow = HERE / "slow"
    slow.mkdir()
    vocabulary = json.dumps(made.get_vocab(), ensure_ascii=False, sort_keys=True)
    (slow / "vocab.json").write_text(vocabulary + "\n", encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (slow / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    size = len(made.get_vocab())
    # "<|startofprev|>" and its like come by the added tokens.
    added = {token: size + place for place, token in enumerate(SPECIALS)}
    (slow / "added_tokens.json").write_text(json.dumps(added) + "\n", encoding="utf-8")
    config = {
        "tokenizer_class": "WhisperTokenizer",
        "additional_special_tokens": SPECIALS[1:],
        "language": "japanese",
        "task": "transcribe",
    }
    (slow / "tokenizer_config.json").write_text(json.dumps(config) + "\n", encoding="utf-8")
    for path in HERE.rglob("*.json"):
        if path.name == "tokenizer.json":
            path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")), ensure_ascii=False) + "\n", encoding="utf-8")


def output(tokens: list[int], stride: list[float] | None, times: list[float]) -> dict:
    made: dict = {"tokens": tokens, "token_timestamps": times}
    if stride is not None:
        made["stride"] = stride
    return made


def rising(random_: random.Random, count: int, until: float) -> list[float]:
    """Times of tokens: never falling, some alike, as f32 numbers."""
    times = sorted(random_.choice(range(int(until / 0.02) + 1)) * 0.02 for _ in range(count))
    return torch.tensor(times, dtype=torch.float32).tolist()


def random_outputs(random_: random.Random, tokenizer, begin: int) -> list[dict]:
    """Chunks that overlap, with times in pairs or not, prompts, languages in the middle, cut characters."""
    words = tokenizer("".join(random_.sample(TEXTS, 2)), add_special_tokens=False)["input_ids"]
    count = random_.choice([1, 1, 2, 3, 4])
    length = 2.0
    left, right = random_.choice([(0.3, 0.3), (0.5, 0.1), (0.0, 0.4), (0.34, 0.34)])
    with_stride = count > 1 or random_.random() < 0.3
    at, outputs = 0, []
    for chunk in range(count):
        size = random_.randint(0, 24)
        start = max(0, at - random_.randint(0, 6))
        text = words[start : start + size]
        at = start + size
        tokens: list[int] = []
        if random_.random() < 0.15:
            tokens += [tokenizer.convert_tokens_to_ids("<|startofprev|>"), *words[:3]]
            if random_.random() < 0.8:
                tokens.append(tokenizer.convert_tokens_to_ids("<|startoftranscript|>"))
        if random_.random() < 0.4:
            tokens.append(tokenizer.convert_tokens_to_ids(f"<|{random_.choice(LANGUAGES)}|>"))
        kind = random_.choice(["none", "whole", "pairs", "wild", "windows"])
        time = random_.randint(0, 20)
        if kind != "none":
            tokens.append(begin + time)
        for token in text:
            tokens.append(token)
            if kind == "pairs" and random_.random() < 0.2:
                time = min(100, time + random_.randint(0, 20))
                tokens += [begin + time, begin + min(100, time + random_.randint(0, 2))]
            elif kind == "wild" and random_.random() < 0.2:
                tokens.append(begin + random_.randint(0, 100))
            elif kind == "windows" and random_.random() < 0.2:
                time = random_.randint(0, 100)
                tokens += [begin + time, begin + random_.choice([0, 0, time])]
            elif random_.random() < 0.02:
                tokens.append(tokenizer.convert_tokens_to_ids(random_.choice(SPECIALS)))
        if kind in ("whole", "pairs") and random_.random() < 0.7:
            tokens.append(begin + random_.randint(time, 100))
        if random_.random() < 0.2:
            tokens.append(tokenizer.eos_token_id)
        stride = [length, 0.0 if chunk == 0 else left, 0.0 if chunk == count - 1 else right] if with_stride else None
        outputs.append(output(tokens, stride, rising(random_, len(tokens), length)))
    return outputs


def hand_made(tokenizer, begin: int) -> list[list[dict]]:
    def ids(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    def evenly(count: int) -> list[float]:
        return torch.tensor([0.1 * place for place in range(count)], dtype=torch.float32).tolist()

    def one(*parts: list[int], stride: list[float] | None = None) -> dict:
        tokens = [token for part in parts for token in part]
        return output(tokens, stride, evenly(len(tokens)))

    t = lambda seconds: [begin + round(seconds / 0.02)]
    language = lambda code: [tokenizer.convert_tokens_to_ids(f"<|{code}|>")]
    fellow = ids(TEXTS[0])
    return [
        [one()],
        [one(fellow)],
        [one(t(0), fellow, t(1.2))],
        [one(t(0), fellow[:8], t(0.5), t(0.5), fellow[8:], t(1.5))],
        # The same time twice, and no end.
        [one(t(0), t(0), fellow, t(0.5), t(0.5), ids(" the cat"))],
        # Windows: times begin anew.
        [one(t(0), fellow[:5], t(1.9), t(0), fellow[5:9], t(0.3))],
        [one(t(0.1), fellow[:5], t(1), t(1), fellow[5:7], t(0), fellow[5:9], t(0.3))],
        [one(language("en"), ids(" the cat"), language("de"), ids(" Straße"), language("de"), ids(" und"))],
        [one(language("ja"), t(0), ids(TEXTS[3]), t(1))],
        [one(language("zh"), ids(TEXTS[4]))],
        # A character that is cut.
        [one(ids(TEXTS[4])[:-1])],
        [one(ids(" 👍")[:-1], ids(" the"))],
        [one(ids(TEXTS[1]))],
        [one(ids(TEXTS[5]))],
        # Overlaps, with a wrong token inside.
        [
            one(fellow[:14], stride=[2.0, 0.0, 0.5]),
            one(fellow[10:12], fellow[:1], fellow[13:24], stride=[2.0, 0.5, 0.5]),
            one(fellow[20:], stride=[1.1, 0.5, 0.0]),
        ],
        [
            one(t(0), fellow[:9], t(1), t(1), fellow[9:14], t(1.9), stride=[2.0, 0.0, 0.5]),
            one(t(0), fellow[10:14], t(0.4), t(0.4), fellow[14:20], t(1.2), stride=[2.0, 0.5, 0.0]),
        ],
        [one(t(0), fellow[:9], t(1.6), t(1.6), fellow[9:12], t(1.9), stride=[2.0, 0.0, 0.5]), one(stride=[2.0, 0.5, 0.0])],
        [one(stride=[2.0, 0.0, 0.5]), one(fellow[:3], stride=[2.0, 0.5, 0.0])],
    ]


def answer(tokenizer, outputs: list[dict], times: bool | str | None, language: bool | None) -> dict:
    model_outputs = []
    for made in outputs:
        entry = {
            "tokens": torch.tensor([made["tokens"]], dtype=torch.long),
            "token_timestamps": torch.tensor([made["token_timestamps"]], dtype=torch.float32),
        }
        if "stride" in made:
            entry["stride"] = tuple(made["stride"])
        model_outputs.append(entry)
    text, optional = tokenizer._decode_asr(
        model_outputs, return_timestamps=times, return_language=language, time_precision=0.02
    )
    return {"text": text, **optional}


def cases() -> list[dict]:
    made = []
    for name in ("full", "bare", "slow"):
        tokenizer = AutoTokenizer.from_pretrained(HERE / name)
        begin = tokenizer.convert_tokens_to_ids("<|notimestamps|>") + 1
        random_ = random.Random(name)
        lists = hand_made(tokenizer, begin)
        lists += [random_outputs(random_, tokenizer, begin) for _ in range(60 if name == "full" else 15)]
        for outputs in lists:
            entry: dict = {"tokenizer": name, "outputs": outputs, "expected": []}
            for times in (None, True, "word"):
                for language in (None, True):
                    try:
                        result = answer(tokenizer, outputs, times, language)
                    except IndexError:
                        # Python looks past the end of a text whose last character is cut.
                        result = None
                    entry["expected"].append(result)
            whole = [token for made_ in outputs for token in made_["tokens"]]
            entry["with_timestamps"] = tokenizer.decode(whole, decode_with_timestamps=True)
            made.append(entry)
    return made


class Outputs(dict):
    __getattr__ = dict.__getitem__


def alignments() -> list[dict]:
    """Weights with a ridge that goes from the first token and position to the last, and with none."""
    made = []
    generator = torch.Generator().manual_seed(3)
    for heads, tokens, positions, frames, width, ridge in [
        (3, 6, 20, 40, 7, 2.0),
        (3, 6, 20, 31, 7, 2.0),
        (2, 9, 17, 34, 3, 1.0),
        (1, 4, 12, 24, 1, 1.0),
        (2, 5, 9, 18, 5, 0.0),
        (4, 12, 8, 16, 7, 1.0),
        (2, 3, 3, 6, 7, 1.0),
        (2, 1, 12, 24, 7, 1.0),
        (2, 5, 9, 1, 7, 1.0),
        (2, 0, 9, 18, 7, 1.0),
        (2, 5, 9, -4, 7, 1.0),
    ]:
        scores = torch.randn(heads, tokens + 2, positions, generator=generator)
        for token in range(tokens):
            scores[:, token + 2, (token * positions) // tokens] += 2 * ridge
            scores[:, token + 2, min(positions - 1, (token * positions) // tokens + 1)] += ridge
        weights = scores.softmax(-1)
        steps = [weights[None, :, :2]] + [weights[None, :, at : at + 1] for at in range(2, tokens + 2)]
        outputs = Outputs(cross_attentions=[(step,) for step in steps], sequences=torch.zeros(1, tokens + 3))
        model = SimpleNamespace(config=SimpleNamespace(decoder_layers=1, median_filter_width=width))
        times = WhisperGenerationMixin._extract_token_timestamps(
            model, outputs, [[0, head] for head in range(heads)], num_frames=torch.tensor([frames]), num_input_ids=2
        )
        # What the slice [: frames // 2] leaves; it is taken twice, which shows below nought.
        kept = len(range(positions)[: frames // 2][: frames // 2])
        made.append(
            {
                "weights": [float(f"{weight:.9g}") for weight in weights[:, 2:].flatten().tolist()],
                "tokens": tokens,
                "positions": positions,
                "kept": kept,
                "median_filter_width": width,
                "expected": [float(f"{time:.9g}") for time in times[0, 2:].tolist()],
            }
        )
    return made


def main() -> None:
    write_tokenizers()
    lines = [json.dumps(case, separators=(",", ":")) for case in alignments()]
    (HERE / "alignments.json").write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
    lines = [json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases()]
    (HERE / "cases.json").write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
