"""Makes the golden checkpoints and the answers that transformers gives with them.

    python generate.py                 everything, in place
    python generate.py --only NAME     one checkpoint (may be given several times)
    python generate.py --check         everything into a temporary folder, then report what differs

Two runs on a machine give the same bytes; on another one, scores may differ in their last digits. See requirements.txt for the versions.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import filecmp
import json
import logging
import os
import shutil
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any, Iterator

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import torch
import transformers
from transformers import AutoConfig, pipeline
from transformers.image_utils import load_image
from transformers.modeling_utils import no_init_weights

import sounds
import tokenizer_files
import weights
from cases import PICTURES, Case
from checkpoints import CHECKPOINTS, Checkpoint
from table import (
    AUDIO,
    FEATURES,
    GENERATION,
    IMAGE_FEATURES,
    IMAGES,
    MASKS,
    QUESTIONS,
    SPEECH,
    TABLES,
    TEXTS,
    TOKENS,
    ZERO_SHOT,
)
from corpus import MIXED, UNICODE

VERSION = "4.56.2"
HERE = Path(__file__).resolve().parent
HEADS = {
    AUDIO: "AudioClassification",
    FEATURES: "",
    GENERATION: "CausalLM",
    IMAGE_FEATURES: "",
    IMAGES: "ImageClassification",
    MASKS: "MaskedLM",
    QUESTIONS: "QuestionAnswering",
    SPEECH: "CTC",
    TABLES: "TableQuestionAnswering",
    TEXTS: "SequenceClassification",
    TOKENS: "TokenClassification",
    ZERO_SHOT: "SequenceClassification",
}
SLOW_FILES = ("vocab.txt", "vocab.json", "merges.txt", "sentencepiece.bpe.model", "spiece.model", "spm.model")
SOUNDS = (AUDIO, SPEECH)
PICTURED = (IMAGES, IMAGE_FEATURES)
# Given a list of one input, these return its answer and no list.
UNWRAPPING = (MASKS, QUESTIONS, TABLES)


def make_config(spec: Checkpoint, tokenizer: Any) -> Any:
    """The config object: the tokenizer's sizes and ids, then what the table says."""
    values = dict(spec.config)
    if tokenizer is not None:
        values.setdefault("vocab_size", len(tokenizer))
        values.setdefault("pad_token_id", tokenizer.pad_token_id)
    if spec.decoder:
        values.setdefault("bos_token_id", tokenizer.bos_token_id)
        values.setdefault("eos_token_id", tokenizer.eos_token_id)
    if spec.labels is not None:
        values["id2label"] = dict(enumerate(spec.labels))
        values["label2id"] = {label: i for i, label in enumerate(spec.labels)}
    return AutoConfig.for_model(spec.model_type, **values)


def make_tokenizer(spec: Checkpoint, scratch: Path) -> Any:
    options = dict(spec.tokenizer)
    if spec.make_tokenizer is not None:
        return spec.make_tokenizer(scratch, **options)
    if spec.task == AUDIO or spec.task in PICTURED:
        return None
    if spec.model_type in ("bert", "distilbert"):
        return tokenizer_files.bert_tokenizer(distil=spec.model_type == "distilbert", **options)
    if spec.model_type == "roberta":
        return tokenizer_files.roberta_tokenizer(**options)
    return tokenizer_files.xlm_roberta_tokenizer(scratch, **options)


def make_model(spec: Checkpoint, config: Any, tokenizer: Any) -> Any:
    head = HEADS[spec.task] if spec.head is None else spec.head
    automatic = getattr(transformers, f"AutoModelFor{head}" if head else "AutoModel")
    model_class = automatic._model_mapping[type(config)]
    # Some configs stand for several classes of the same head: the first is what pipelines load, unless the table says.
    if isinstance(model_class, (list, tuple)):
        model_class = next((each for each in model_class if each.__name__ == spec.model_class), model_class[0])
    torch.manual_seed(spec.seed)
    # Some decoders cannot give first values to norms without a bias: none are needed.
    with no_init_weights() if spec.decoder else contextlib.nullcontext():
        model = model_class(config).float().eval()
    if spec.decoder:
        model.tie_weights()
        weights.reinitialise_decoder(model, spec.seed, spec.std, spec.head_std, spec.embedding_std, spec.quiet)
    elif spec.task in PICTURED:
        weights.reinitialise_by_fan_in(model, spec.seed, spec.std, spec.head_std)
    else:
        weights.reinitialise(model, spec.seed, spec.std, spec.head_std, spec.inner_std or spec.std)
    if spec.task in SOUNDS and spec.head is None:
        assert spec.processor is not None
        weights.calibrate(model, list(hearings(spec.processor())), spec.spread)
    elif spec.task in PICTURED:
        if spec.task == IMAGES:
            assert spec.processor is not None
            weights.calibrate(model, list(sights(spec.processor())), spec.spread)
    elif spec.head is None and spec.task not in (FEATURES, GENERATION, MASKS, TABLES):
        inputs = [tokenizer(text, truncation=True, max_length=30, return_tensors="pt") for text in MIXED + UNICODE]
        weights.calibrate(model, [item for item in inputs if item["input_ids"].numel()], spec.spread)
    return model


def sights(processor: Any) -> Iterator[dict[str, Any]]:
    """Images as a model sees them."""
    for path in PICTURES:
        yield processor(load_image(find_media(path)), return_tensors="pt")


def hearings(processor: Any) -> Iterator[dict[str, Any]]:
    """Sounds as a model hears them."""
    for seed in range(20, 24):
        yield processor(sounds.voice(1.0, seed), sampling_rate=sounds.RATE, return_tensors="pt")


def write_checkpoint(spec: Checkpoint, folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer = make_tokenizer(spec, Path(scratch))
        if tokenizer is not None:
            tokenizer.save_pretrained(folder)
        # The tokenizers of letters have no other file.
        for file in SLOW_FILES if spec.task != SPEECH else ():
            (folder / file).unlink(missing_ok=True)
    if spec.processor is not None:
        spec.processor().save_pretrained(folder)
    config = make_config(spec, tokenizer)
    model = make_model(spec, config, tokenizer)
    model.save_pretrained(folder, safe_serialization=True)
    reorder_labels(folder / "config.json")
    for rewrite in spec.rewrite:
        rewrite(folder)


def reorder_labels(path: Path) -> None:
    """Puts the label map into an order that is not the order of its ids."""
    config = json.loads(path.read_text(encoding="utf-8"))
    if "id2label" in config:
        items = list(config["id2label"].items())
        config["id2label"] = dict(items[1::2] + items[0::2][::-1])
        path.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def plain(value: Any, digits: int | None) -> Any:
    """Python's result as JSON values; `digits` rounds floats to that many significant digits."""
    if isinstance(value, (torch.Tensor, np.ndarray)):
        value = value.tolist()
    if isinstance(value, dict):
        return {key: plain(item, digits) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, digits) for item in value]
    if isinstance(value, (np.floating, float)) and not np.isfinite(value):
        return None  # as JSON has no infinities
    if isinstance(value, (np.floating, float)):
        return float(value) if digits is None else float(f"{float(value):.{digits}g}")
    if isinstance(value, np.integer):
        return int(value)
    return value


def same_shape(left: Any, right: Any, tolerance: float) -> bool:
    """Equal but for the floats, which may differ a little."""
    if isinstance(left, float) and isinstance(right, float):
        return abs(left - right) <= tolerance * max(1.0, abs(left))
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same_shape(left[k], right[k], tolerance) for k in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(same_shape(a, b, tolerance) for a, b in zip(left, right))
    return bool(left == right)


def find_media(value: Any) -> Any:
    """Whole paths for all that begin with `media/`, wherever they stand in an input; the runner does the same."""
    if isinstance(value, str) and value.startswith("media/"):
        return str(HERE / value)
    if isinstance(value, dict):
        return {key: find_media(item) for key, item in value.items()}
    if isinstance(value, list):
        return [find_media(item) for item in value]
    return value


def as_arrays(value: Any) -> Any:
    """Samples as Python takes them."""
    if isinstance(value, list):
        return [as_arrays(item) for item in value]
    if isinstance(value, dict):
        for key in {"array", "raw"} & value.keys():
            value[key] = np.array(value[key], dtype=np.float32)
    return value


def call(pipe: Any, case: Case) -> Any:
    # A deep copy: pipelines write into their arguments.
    copy = json.loads(json.dumps({"inputs": find_media(case.inputs), "params": case.params}))
    if pipe.task in SOUNDS:
        copy["inputs"] = as_arrays(copy["inputs"])
    with torch.no_grad():
        return pipe(copy["inputs"], batch_size=1, **copy["params"])


def answering(spec: Checkpoint, folder: Path) -> Any:
    """What answers the checkpoint's cases."""
    return load(spec.task, folder) if spec.answer is None else spec.answer(folder)


def load(task: str, folder: Path, dtype: torch.dtype = torch.float32) -> Any:
    return pipeline(task, model=str(folder), torch_dtype=dtype, device="cpu")


def run_cases(pipe: Any, cases: list[Case], digits: int | None, label: str) -> list[dict[str, Any]]:
    """The cases with Python's answers or errors."""
    assert len({case.name for case in cases}) == len(cases), f"{label}: two cases have the same name"
    out: list[dict[str, Any]] = []
    for case in cases:
        entry: dict[str, Any] = {"name": case.name, "inputs": case.inputs, "params": case.params}
        try:
            result = plain(call(pipe, case), digits)
        except Exception as error:
            if not case.error:
                raise RuntimeError(f"{label}: {case.name}") from error
            entry["error"] = str(error)
        else:
            if case.error:
                raise RuntimeError(f"{label}: {case.name} should raise, but gave {result}")
            if pipe.task in UNWRAPPING and len(case.inputs) == 1:
                entry["unwrapped"] = True
                result = [result]
            assert len(result) == len(case.inputs), (label, case.name)
            entry["expected"] = result
        out.append(entry)
    return out


def fragile_inputs(pipe: Any, cases: list[Case], entries: list[dict[str, Any]]) -> Iterator[tuple[str, int]]:
    """Names of cases and places of inputs whose strings, order or offsets (or floats, by much) change under small weight
    noise."""
    for seed in (1, 2, 3):
        undo = weights.disturbed(pipe.model, seed)
        try:
            for case, entry in zip(cases, entries):
                if "expected" not in entry:
                    continue
                found = plain(call(pipe, case), None)
                for place, expected in enumerate(entry["expected"]):
                    if not same_shape(expected, found if entry.get("unwrapped") else found[place], 2e-2):
                        yield case.name, place
        finally:
            undo()


def answers(pipe: Any, cases: list[Case], digits: int | None, label: str) -> list[dict[str, Any]]:
    """The cases with Python's answers, without the fragile ones; of texts written, without the fragile inputs."""
    entries = run_cases(pipe, cases, digits, label)
    fragile: dict[str, set[int]] = {}
    for name, place in fragile_inputs(pipe, cases, entries):
        fragile.setdefault(name, set()).add(place)
    kept: list[dict[str, Any]] = []
    for entry in entries:
        places = set(range(len(entry["inputs"]))) - fragile.get(entry["name"], set())
        whole = entry["name"] not in fragile
        if not whole and pipe.task in (GENERATION, SPEECH) and places:
            entry["inputs"] = [entry["inputs"][place] for place in sorted(places)]
            entry["expected"] = [entry["expected"][place] for place in sorted(places)]
            whole = True
        if whole:
            kept.append(entry)
    if fragile:
        lost = [f"{name} {sorted(places)}" for name, places in sorted(fragile.items())]
        print(f"  {label}: left out as fragile: {', '.join(lost)}")
    return kept


def write_cases(path: Path, header: dict[str, Any], entries: list[dict[str, Any]]) -> None:
    """One line per case, so that differences are readable."""
    path.parent.mkdir(parents=True, exist_ok=True)

    # The columns of a table stand in their order.
    sort_keys = header["task"] != TABLES

    def line(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, sort_keys=sort_keys, allow_nan=False, separators=(",", ":"))

    lines = ",\n".join("    " + line(entry) for entry in entries)
    fields = "".join(f",\n  {line(key)}: {line(header[key])}" for key in sorted(header))
    path.write_text(f'{{\n  "cases": [\n{lines}\n  ]{fields}\n}}\n', encoding="utf-8")


def generate(spec: Checkpoint, root: Path) -> None:
    folder = root / "models" / spec.name
    write_checkpoint(spec, folder)
    pipe = answering(spec, folder)
    digits = 7 if spec.task in (FEATURES, IMAGE_FEATURES) else 9  # 9 are enough for every f32
    entries = answers(pipe, spec.cases, digits, spec.name)
    header = {
        "task": spec.task,
        "model": f"models/{spec.name}",
        "model_type": spec.model_type,
        "transformers": VERSION,
    }
    write_cases(root / spec.case_path, header, entries)
    size = sum(file.stat().st_size for file in folder.rglob("*"))
    assert size <= 300_000, f"{spec.name} has {size} bytes"
    print(f"{spec.name}: {len(entries)} cases, {size // 1000} kB")
    if spec.same_as is not None:
        path = Path("cases") / spec.task / f"{spec.same_as}.json"
        there = root / path if (root / path).exists() else HERE / path
        other = json.loads(there.read_text(encoding="utf-8"))
        theirs = {entry["name"]: entry for entry in other["cases"]}
        for entry in entries:
            if not same_shape(entry, theirs.get(entry["name"]), 1e-5):
                raise RuntimeError(f"{spec.name}: {entry['name']} differs from {spec.same_as}")


def find_seeds(chosen: list[Checkpoint]) -> None:
    """Prints lines for SEEDS in checkpoints.py."""
    for spec in chosen:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "model"
            for seed in [spec.seed, *range(1, 200)]:
                write_checkpoint(dataclasses.replace(spec, seed=seed), folder)
                pipe = answering(spec, folder)
                entries = run_cases(pipe, spec.cases, None, spec.name)
                if next(fragile_inputs(pipe, spec.cases, entries), None) is None:
                    print(f'    "{spec.name}": {seed},', flush=True)
                    break
            else:
                print(f"    # {spec.name}: every seed has fragile cases", flush=True)


def remove_strangers() -> None:
    """Deletes checkpoints and case files that are not in the table."""
    known = {spec.case_path for spec in CHECKPOINTS} | {f"models/{spec.name}" for spec in CHECKPOINTS}
    for path in [*HERE.glob("models/*"), *HERE.glob("cases/*/*.json")]:
        if str(path.relative_to(HERE)) not in known:
            print(f"removed {path.relative_to(HERE)}")
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def differences(left: Path, right: Path) -> list[str]:
    """Files that are in one folder only, or that differ: cases by more than another machine's rounding, the
    rest by a byte."""

    def files(root: Path) -> set[str]:
        return {
            str(path.relative_to(root))
            for part in ("models", "cases")
            for path in sorted((root / part).rglob("*"))
            if path.is_file()
        }

    ours, theirs = files(left), files(right)
    out = [f"only there: {name}" for name in sorted(theirs - ours)] + [
        f"only here: {name}" for name in sorted(ours - theirs)
    ]

    def same(name: str) -> bool:
        if filecmp.cmp(left / name, right / name, shallow=False):
            return True
        if not name.startswith("cases/"):
            return False
        ours, theirs = (json.loads((root / name).read_text(encoding="utf-8")) for root in (left, right))
        return same_shape(ours, theirs, 5e-5)

    return out + [f"differs: {name}" for name in sorted(ours & theirs) if not same(name)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; report what differs")
    parser.add_argument("--find-seeds", action="store_true", help="print seeds with which no case is fragile, for SEEDS")
    parser.add_argument("--only", action="append", metavar="NAME", help="this checkpoint only")
    arguments = parser.parse_args()

    assert transformers.__version__ == VERSION, f"transformers {VERSION} is needed, not {transformers.__version__}"
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")

    chosen = [spec for spec in CHECKPOINTS if not arguments.only or spec.name in arguments.only]
    unknown = set(arguments.only or []) - {spec.name for spec in chosen}
    if unknown:
        parser.error(f"no such checkpoint: {', '.join(sorted(unknown))}")
    if arguments.find_seeds:
        find_seeds(chosen)
        return 0
    if not arguments.check:
        failed = 0
        for spec in chosen:
            try:
                generate(spec, HERE)
            except Exception as error:
                failed += 1
                print(f"FAILED {error}: {error.__cause__}")
        if not arguments.only:
            remove_strangers()
        return 1 if failed else 0

    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        for spec in chosen:
            generate(spec, root)
        found = differences(HERE, root)
        if arguments.only:
            names = tuple(f"models/{spec.name}/" for spec in chosen) + tuple(spec.case_path for spec in chosen)
            found = [line for line in found if line.split(": ")[1].startswith(names)]
    for line in found:
        print(line)
    print("the same" if not found else f"{len(found)} differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
