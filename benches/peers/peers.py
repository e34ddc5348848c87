"""The peers of `cargo xtask bench --peers`: the same models and texts through PyTorch and ONNX Runtime.

    python peers.py make FOLDER [--bundled FOLDER]    models (real dimensions, seeded weights), ONNX, texts
    python peers.py families FOLDER                   a classifier of every text-encoder family, all of one size
    python peers.py images FOLDER                     the models of images, and photos (`make` makes them as well)
    python peers.py generation FOLDER                 the models that write text (`make` makes them as well)
    python peers.py run PEER MODEL TEXTS ...          one measurement, printed as a JSON object
    python peers.py generate PEER MODEL PROMPT ...    one measurement of text generation, see generation.py
    python peers.py pipeline TASK MODEL TEXT          one answer by transformers' pipeline(), to time from outside
    python peers.py sgemm                             what this machine multiplies, by numpy and by torch
    python peers.py bandwidth                         what this machine reads and copies

PEER is `torch`, `torch-compile` or `onnxruntime`. A run is one pass over all texts: tokenized, in batches
padded to their longest, in the order they come, as a caller of the library would write it; `--sorted` sorts
by length first. Nothing of the peers' `pipeline()` is in the measured time.
"""

import argparse
import inspect
import json
import os
import random
import resource
import sys
import time
from pathlib import Path

import generation
import images

WORDS = 20_000


def words(count, rng):
    return " ".join(f"w{rng.randrange(WORDS)}" for _ in range(count))


def make(folder, bundled):
    import torch
    import transformers as hf

    folder.mkdir(parents=True, exist_ok=True)
    small = dict(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536)
    made = {
        "distilbert-base": (hf.DistilBertConfig(), hf.DistilBertForSequenceClassification),
        "bert-base": (hf.BertConfig(), hf.BertForSequenceClassification),
        "minilm-l6": (hf.BertConfig(**small), hf.BertModel),
        "xlm-roberta-base": (
            hf.XLMRobertaConfig(
                vocab_size=250_002, max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5
            ),
            hf.XLMRobertaForSequenceClassification,
        ),
    }
    for name, (config, model_class) in made.items():
        target = folder / name
        if (target / "onnx" / "model.onnx").exists():
            continue
        torch.manual_seed(0)
        model_class(config).eval().save_pretrained(target)
        write_tokenizer(target, roberta=config.model_type == "xlm-roberta")
        export(target, "feature-extraction" if model_class is hf.BertModel else "text-classification")
    if bundled:
        target = folder / "bundled"
        if not (target / "onnx" / "model.onnx").exists():
            target.mkdir(exist_ok=True)
            for file in Path(bundled).iterdir():
                if file.is_file():
                    (target / file.name).write_bytes(file.read_bytes())
            export(target, "token-classification")
    write_texts(folder)


def write_texts(folder):
    rng = random.Random(0)
    texts = {
        "16": [words(14, rng)],
        "128": [words(126, rng)],
        "8x128": [words(126, rng) for _ in range(8)],
        "2000": [words(rng.randint(3, 198), rng) for _ in range(2000)],
    }
    for name, rows in texts.items():
        (folder / f"{name}.txt").write_text("\n".join(rows) + "\n")


def write_tokenizer(target, roberta):
    """One token per word, with BERT's special tokens or RoBERTa's."""
    import transformers as hf
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    special = ["<s>", "<pad>", "</s>", "<unk>"] if roberta else ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {word: index for index, word in enumerate(special + [f"w{index}" for index in range(WORDS)])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>" if roberta else "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    first, last = ("<s>", "</s>") if roberta else ("[CLS]", "[SEP]")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}",
        special_tokens=[(first, vocabulary[first]), (last, vocabulary[last])],
    )
    names = dict(cls_token=first, sep_token=last, unk_token="<unk>" if roberta else "[UNK]")
    names["pad_token"] = "<pad>" if roberta else "[PAD]"
    fast = hf.PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=512, **names)
    fast.save_pretrained(target)


# What every family is measured at; each config gets the names that it has of these.
LAYERS, HIDDEN, HEADS, INNER, VOCABULARY = 4, 768, 12, 3072, 30_522
SIZES = {
    "hidden_size": HIDDEN, "d_model": HIDDEN, "dim": HIDDEN,
    "num_hidden_layers": LAYERS, "n_layer": LAYERS, "n_layers": LAYERS, "encoder_layers": LAYERS, "decoder_layers": LAYERS,
    "num_attention_heads": HEADS, "n_head": HEADS, "n_heads": HEADS, "encoder_attention_heads": HEADS,
    "decoder_attention_heads": HEADS,
    "intermediate_size": INNER, "d_inner": INNER, "hidden_dim": INNER, "encoder_ffn_dim": INNER, "decoder_ffn_dim": INNER,
    "vocab_size": VOCABULARY,
}
FAMILIES = [
    "albert", "bart", "bert", "camembert", "deberta", "deberta-v2", "distilbert", "electra", "longformer", "mobilebert",
    "modernbert", "mpnet", "roberta", "xlm-roberta", "xlnet",
]
# What the published base models of a family have and its config's defaults do not.
USUAL = {
    "deberta": dict(relative_attention=True, pos_att_type=["c2p", "p2c"], position_biased_input=False, type_vocab_size=0),
    "deberta-v2": dict(
        relative_attention=True, pos_att_type=["p2c", "c2p"], position_biased_input=False, type_vocab_size=0,
        position_buckets=256, share_att_key=True, norm_rel_ebd="layer_norm",
    ),
    "electra": dict(embedding_size=HIDDEN),
    "longformer": dict(attention_window=512),
    "mobilebert": dict(num_hidden_layers=24, hidden_size=512, intermediate_size=512, num_attention_heads=4),
    "modernbert": dict(intermediate_size=1152, pad_token_id=0, bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3),
}


def families(folder):
    import torch
    import transformers as hf

    for model_type in FAMILIES:
        target = folder / "families" / model_type
        if (target / "tokenizer.json").exists():
            continue
        config_class = type(hf.AutoConfig.for_model(model_type))
        known = set(config_class().to_dict()) | set(config_class.attribute_map)
        sizes = {name: value for name, value in SIZES.items() if name in known and name not in config_class.attribute_map}
        config = config_class(**{**sizes, **USUAL.get(model_type, {})})
        torch.manual_seed(0)
        hf.AutoModelForSequenceClassification.from_config(config).eval().save_pretrained(target)
        write_tokenizer(target, roberta=config.pad_token_id == 1)
    write_texts(folder)


def export(target, task):
    from optimum.exporters.onnx import main_export

    main_export(str(target), output=target / "onnx", task=task, do_validation=False)


def loader(arguments):
    """Tokenizer, and what turns a batch of texts into logits or mean vectors; of images see images.py."""
    if arguments.head == "image":
        return images.loader(arguments)
    if arguments.peer == "onnxruntime":
        import numpy as np
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = arguments.threads
        session = onnxruntime.InferenceSession(str(arguments.model / "onnx" / "model.onnx"), options)
        wanted = [entry.name for entry in session.get_inputs()]
        tokenizer = Tokenizer.from_file(str(arguments.model / "tokenizer.json"))
        pad = json.loads((arguments.model / "config.json").read_text()).get("pad_token_id") or 0
        tokenizer.enable_padding(pad_id=pad)
        tokenizer.enable_truncation(512)

        def run(texts):
            encodings = tokenizer.encode_batch(texts)
            inputs = {
                "input_ids": np.array([encoding.ids for encoding in encodings], np.int64),
                "attention_mask": np.array([encoding.attention_mask for encoding in encodings], np.int64),
                "token_type_ids": np.array([encoding.type_ids for encoding in encodings], np.int64),
            }
            answer = session.run(None, {name: inputs[name] for name in wanted})[0]
            if arguments.mean:
                mask = inputs["attention_mask"][..., None]
                return (answer * mask).sum(1) / mask.sum(1)
            return answer

        return run
    import torch
    import transformers as hf

    torch.set_num_threads(arguments.threads)
    by_task = {"token": hf.AutoModelForTokenClassification, "text": hf.AutoModelForSequenceClassification}
    model_class = hf.AutoModel if arguments.mean else by_task[arguments.head]
    model = model_class.from_pretrained(arguments.model, dtype=torch.float32).eval()
    tokenizer = hf.AutoTokenizer.from_pretrained(arguments.model)
    forward = torch.compile(model) if arguments.peer == "torch-compile" else model

    known = inspect.signature(model.forward).parameters

    def run(texts):
        with torch.inference_mode():
            inputs = tokenizer(texts, padding=True, truncation=True, max_length=512, return_tensors="pt")
            inputs = {name: values for name, values in inputs.items() if name in known}
            answer = forward(**inputs)[0]
            if arguments.mean:
                mask = inputs["attention_mask"].unsqueeze(-1)
                return (answer * mask).sum(1) / mask.sum(1)
            return answer

    return run


def measure(arguments):
    texts = arguments.texts.read_text().splitlines()
    if arguments.sorted:
        texts.sort(key=len)
    batches = [texts[at : at + arguments.batch_size] for at in range(0, len(texts), arguments.batch_size)]
    start = time.perf_counter()
    run = loader(arguments)
    load = time.perf_counter() - start

    def once():
        start = time.perf_counter()
        for batch in batches:
            run(batch)
        return time.perf_counter() - start

    first = once() * 1e3
    for _ in range(arguments.warmup):
        once()
    times = sorted(once() for _ in range(arguments.runs)) or [first / 1e3]
    print(
        json.dumps(
            {
                "peer": arguments.peer,
                "load_ms": load * 1e3,
                "first_ms": first,
                "latency_ms": {"p50": times[len(times) // 2] * 1e3},
                "inputs_per_s": len(texts) / times[len(times) // 2],
                "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            }
        )
    )


def answer(arguments):
    from transformers import pipeline

    print(pipeline(arguments.task, model=str(arguments.model))(arguments.text))


def sgemm():
    import numpy as np
    import torch

    torch.set_num_threads(2)
    size = 2048
    left, right = torch.randn(size, size), torch.randn(size, size)
    rates = {}
    for name, multiply in [
        ("torch", lambda: left @ right),
        ("numpy", lambda: np.matmul(left.numpy(), right.numpy())),
    ]:
        times = []
        for _ in range(12):
            start = time.perf_counter()
            multiply()
            times.append(time.perf_counter() - start)
        rates[name] = 2 * size**3 / sorted(times)[len(times) // 2] / 1e9
    print(json.dumps(rates))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make")
    making.add_argument("folder", type=Path)
    making.add_argument("--bundled", type=Path)
    related = commands.add_parser("families")
    related.add_argument("folder", type=Path)
    picturing = commands.add_parser("images")
    picturing.add_argument("folder", type=Path)
    running = commands.add_parser("run")
    running.add_argument("peer", choices=["torch", "torch-compile", "onnxruntime"])
    running.add_argument("model", type=Path)
    running.add_argument("texts", type=Path)
    running.add_argument("--head", choices=["image", "text", "token"], default="text")
    running.add_argument("--mean", action="store_true", help="mean vectors instead of a head's logits")
    running.add_argument("--sorted", action="store_true")
    running.add_argument("--batch-size", type=int, default=1)
    running.add_argument("--threads", type=int, default=2)
    running.add_argument("--warmup", type=int, default=3)
    running.add_argument("--runs", type=int, default=20)
    answering = commands.add_parser("pipeline")
    answering.add_argument("task")
    answering.add_argument("model", type=Path)
    answering.add_argument("text")
    commands.add_parser("sgemm")
    generation.add_commands(commands)
    arguments = parser.parse_args()
    if arguments.command == "make":
        make(arguments.folder, arguments.bundled)
        images.make(arguments.folder, export)
        generation.make(arguments.folder)
    elif arguments.command == "images":
        images.make(arguments.folder, export)
    elif arguments.command == "generation":
        generation.make(arguments.folder)
    elif arguments.command == "generate":
        generation.measure(arguments)
    elif arguments.command == "bandwidth":
        generation.bandwidth(arguments.threads)
    elif arguments.command == "families":
        families(arguments.folder)
    elif arguments.command == "pipeline":
        answer(arguments)
    elif arguments.command == "sgemm":
        sgemm()
    else:
        measure(arguments)


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    sys.exit(main())
