"""Weights: seeded values that keep scores well apart, and the many ways in which checkpoints store them."""

from __future__ import annotations

import collections
import json
import pickle
from pathlib import Path
from typing import Callable

import torch
from safetensors.torch import load_file, save_file
from torch import nn

State = dict[str, torch.Tensor]


def reinitialise(model: nn.Module, seed: int, std: float, head_std: float, inner_std: float) -> None:
    """Fills every parameter: matrices with `std`, heads with `head_std`, biases and norms away from 0 and 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            lower = name.lower()
            if "norm." in lower or "layernorm_embedding." in lower:
                value = 1.0 + 0.3 * noise if name.endswith("weight") else 0.2 * noise
            elif name.endswith("bias"):
                value = 0.2 * noise
            elif "embedding" in lower:
                value = 0.5 * noise
            elif lower.startswith(("classifier", "pre_classifier")):
                value = head_std * noise
            elif "intermediate" in lower or "lin1" in lower:
                value = inner_std * noise
            else:
                value = std * noise
            parameter.copy_(value)


def reinitialise_decoder(
    model: nn.Module, seed: int, std: float, head_std: float, embedding_std: float, quiet: tuple[int, int]
) -> None:
    """Fills every parameter of a decoder by the kind of its module, for their names are too many.

    Random decoders like to give one token for ever. Here no word is longer than another, embeddings are small beside what
    the layers add (`std` is best 0.4 to 0.5), and biases small beside both. The words of the ids from `quiet[0]` to before
    `quiet[1]` are shorter: bytes that are no text of their own come up less often.
    """
    kinds: dict[str, str] = {}
    for path, module in model.named_modules():
        kind = type(module).__name__
        if "norm" in kind.lower():
            # The weights of Gemma's norms are added to one.
            kind = "norm around 0" if kind.startswith("Gemma") else "norm around 1"
        elif isinstance(module, nn.Embedding):
            kind = "embedding"
        for name, _ in module.named_parameters(recurse=False):
            kinds[f"{path}.{name}" if path else name] = kind
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            words = name.startswith(("lm_head", "embed_out")) and noise.dim() == 2
            if name.endswith("bias"):
                value = 0.1 * noise
            elif kinds[name].startswith("norm"):
                value = float(kinds[name][-1]) + 0.3 * noise
            elif words or kinds[name] == "embedding":
                size = head_std if words else embedding_std
                value = size * noise * noise.shape[-1] ** 0.5 / noise.norm(dim=-1, keepdim=True)
                value[slice(*quiet)] *= 0.6
            elif name.startswith(("score", "classifier")):
                value = head_std * noise
            else:
                value = std * noise
            parameter.copy_(value)


def reinitialise_by_fan_in(model: nn.Module, seed: int, gain: float, head_std: float) -> None:
    """Fills every parameter and every running statistic of a model of images: weights by how many numbers they add up."""
    generator = torch.Generator().manual_seed(seed)
    norms = {
        path for path, module in model.named_modules() if "norm" in type(module).__name__.lower() or hasattr(module, "lambda1")
    }
    values = [*model.named_parameters(), *((name, value) for name, value in model.named_buffers() if value.is_floating_point())]
    with torch.no_grad():
        for name, parameter in sorted(values):
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith(("bias", "running_mean")):
                value = 0.2 * noise
            elif name.endswith("running_var"):
                value = 0.5 + noise.abs()
            elif name.rpartition(".")[0] in norms or name.endswith("layer_scale_parameter"):
                value = 1.0 + 0.3 * noise
            elif name.startswith(("classifier", "cls_classifier", "distillation_classifier")):
                value = head_std * noise
            elif noise.dim() in (2, 4):
                value = gain * noise / noise[0].numel() ** 0.5
            else:
                value = 0.5 * noise
            parameter.copy_(value)


def last_layers(model: nn.Module) -> list[nn.Linear]:
    """The layer that gives the scores, or those whose mean is the scores."""
    if hasattr(model, "cls_classifier"):
        return [model.cls_classifier, model.distillation_classifier]
    return [last_layer(model)]


def last_layer(model: nn.Module) -> nn.Linear:
    """The layer that gives the scores, whatever the model calls it."""
    for name in ("classifier", "classification_head", "qa_outputs", "logits_proj", "score", "lm_head"):
        layer = getattr(model, name, None)
        if isinstance(layer, nn.Sequential):
            return layer[-1]
        if layer is not None:
            inner = ("out_proj", "dense")
            return layer if isinstance(layer, nn.Linear) else next(getattr(layer, n) for n in inner if hasattr(layer, n))
    raise AttributeError(f"{type(model).__name__}: which is its last layer?")


def scores(model: nn.Module, item: dict[str, torch.Tensor]) -> torch.Tensor:
    """All scores of an input, one row per token or text."""
    output = model(**item)
    if "start_logits" in output:
        return torch.stack([output.start_logits, output.end_logits], dim=-1)
    return output.logits


def calibrate(model: nn.Module, inputs: list[dict[str, torch.Tensor]], spread: float) -> None:
    """Moves and scales the last layer so that over `inputs` every label has the mean score 0 and all the std `spread`.

    Without it a random model gives the same label nearly everywhere.
    """
    layers = last_layers(model)
    with torch.no_grad():
        rows = torch.cat([scores(model, item).reshape(-1, layers[0].out_features) for item in inputs])
        mean = rows.mean(dim=0)
        scale = round(spread / float((rows - mean).std()), 2)
        for last in layers:
            last.weight.mul_(scale)
            if last.bias is None:
                continue
            # Rounded, so that another CPU's last bits do not show.
            last.bias.mul_(scale).sub_((scale * mean * 100).round() / 100)


def disturbed(model: nn.Module, seed: int, amount: float = 1e-4) -> Callable[[], None]:
    """Multiplies every weight by 1 + amount * noise; the result undoes it."""
    generator = torch.Generator().manual_seed(seed)
    kept = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            parameter.mul_(1.0 + amount * torch.randn(parameter.shape, generator=generator))

    def undo() -> None:
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(kept[name])

    return undo


def read_state(folder: Path) -> State:
    return load_file(folder / "model.safetensors")


def write_safetensors(folder: Path, state: State) -> None:
    state = {name: state[name].contiguous() for name in sorted(state)}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


# Variants: each takes a folder with model.safetensors and rewrites its weights.


def cast(dtype: torch.dtype) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        write_safetensors(folder, {name: value.to(dtype) for name, value in read_state(folder).items()})
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config["dtype"] = str(dtype).removeprefix("torch.")
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")

    return apply


def _shards(state: State, count: int) -> list[State]:
    names = sorted(state)
    # Round robin, so that the parts of one layer lie in different files.
    return [{name: state[name] for name in names[i::count]} for i in range(count)]


def _write_index(path: Path, files: dict[str, State]) -> None:
    size = sum(value.numel() * value.element_size() for part in files.values() for value in part.values())
    weight_map = {name: file for file, part in files.items() for name in part}
    index = {"metadata": {"total_size": size}, "weight_map": dict(sorted(weight_map.items()))}
    path.write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def shard_safetensors(folder: Path) -> None:
    parts = _shards(read_state(folder), 3)
    files = {f"model-{i + 1:05}-of-00003.safetensors": part for i, part in enumerate(parts)}
    for file, part in files.items():
        save_file(part, folder / file, metadata={"format": "pt"})
    _write_index(folder / "model.safetensors.index.json", files)
    (folder / "model.safetensors").unlink()


def torch_zip(folder: Path) -> None:
    torch.save(read_state(folder), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def torch_legacy(folder: Path) -> None:
    """The format before torch 1.6. torch writes memory addresses as storage keys; numbers here, for equal bytes."""
    state = read_state(folder)
    storages: dict[int, tuple[str, torch.UntypedStorage, int]] = {}

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj: object) -> tuple[object, ...] | None:
            if not isinstance(obj, torch.storage.TypedStorage):
                return None
            storage = obj._untyped_storage
            key, _, _ = storages.setdefault(
                storage._cdata, (f"{94000000000000 + 64 * len(storages)}", storage, obj._element_size())
            )
            return ("storage", getattr(torch, obj._pickle_storage_type()), key, "cpu", obj._size(), None)

    sizes = {"short": 2, "int": 4, "long": 4}
    with open(folder / "pytorch_model.bin", "wb") as file:
        pickle.dump(0x1950A86A20F9469CFC6C, file, protocol=2)
        pickle.dump(1001, file, protocol=2)
        pickle.dump({"protocol_version": 1001, "little_endian": True, "type_sizes": sizes}, file, protocol=2)
        Pickler(file, protocol=2).dump(collections.OrderedDict(sorted(state.items())))
        pickle.dump(sorted(key for key, _, _ in storages.values()), file, protocol=2)
        file.flush()
        for _, storage, element_size in sorted(storages.values(), key=lambda item: item[0]):
            storage._write_file(file, False, True, element_size)
    (folder / "model.safetensors").unlink()


def torch_shared(folder: Path) -> None:
    """One storage for all tensors: offsets, and a transposed view with strides, as real files have them."""
    state = read_state(folder)
    flat = torch.cat([value.flatten() for value in state.values()])
    views: State = {}
    offset = 0
    for name, value in state.items():
        view = flat[offset : offset + value.numel()].view(value.shape)
        if value.dim() == 2 and name.endswith("query.weight"):
            view.copy_(value.t().reshape(value.shape))
            view = flat[offset : offset + value.numel()].view(value.shape[1], value.shape[0]).t()
        views[name] = view
        offset += value.numel()
    torch.save(views, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def torch_half(folder: Path) -> None:
    """A zip file with f16, bf16 and f32 tensors together."""
    state = read_state(folder)
    for i, name in enumerate(sorted(state)):
        state[name] = state[name].to((torch.float16, torch.bfloat16, torch.float32)[i % 3])
    torch.save(state, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def shard_torch(folder: Path) -> None:
    parts = _shards(read_state(folder), 2)
    files = {f"pytorch_model-{i + 1:05}-of-00002.bin": part for i, part in enumerate(parts)}
    for file, part in files.items():
        torch.save(part, folder / file)
    _write_index(folder / "pytorch_model.bin.index.json", files)
    (folder / "model.safetensors").unlink()


def old_norm_names(folder: Path) -> None:
    def old(name: str) -> str:
        return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")

    write_safetensors(folder, {old(name): value for name, value in read_state(folder).items()})


def add_position_ids(folder: Path) -> None:
    """Buffers that old versions of transformers saved."""
    state = read_state(folder)
    for name in list(state):
        if name.endswith("embeddings.position_embeddings.weight"):
            count = state[name].shape[0]
            prefix = name.removesuffix("position_embeddings.weight")
            state[prefix + "position_ids"] = torch.arange(count).expand(1, -1).contiguous()
            state[prefix + "token_type_ids"] = torch.zeros(1, count, dtype=torch.long)
    write_safetensors(folder, state)


def copy_weights(**copies: str) -> Callable[[Path], None]:
    """Saves weights once more under other names, `__` for a dot: `{"lm_head__decoder__weight": "x.y.weight"}`."""

    def apply(folder: Path) -> None:
        state = read_state(folder)
        state.update({copy.replace("__", "."): state[name].clone() for copy, name in copies.items()})
        write_safetensors(folder, state)

    return apply


def add_buffers(layers: int, *names: str) -> Callable[[Path], None]:
    """Adds masks and tables that old versions of transformers saved with every layer; `{}` is the layer."""

    def apply(folder: Path) -> None:
        state = read_state(folder)
        for layer in range(layers):
            state.update({name.format(layer): torch.full((4,), 7.0) for name in names})
        write_safetensors(folder, state)

    return apply


def drop_prefix(prefix: str) -> Callable[[Path], None]:
    """`bert.encoder...` -> `encoder...`; what does not start with the prefix (the head) goes."""

    def apply(folder: Path) -> None:
        state = read_state(folder)
        kept = {n.removeprefix(prefix): v for n, v in state.items() if n.startswith(prefix)}
        write_safetensors(folder, kept)

    return apply
