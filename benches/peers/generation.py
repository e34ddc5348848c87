"""Text generation through the peers: a prompt, and 64 new tokens after it, greedy. `peers.py` is the command.

The models have the dimensions of GPT-2 (124M) and Qwen2-0.5B and seeded weights, stored as f32 and as bf16. Token N
is the word `wN`, so a prompt has as many tokens as words, and the answers of the peers can be compared by id. A run is
measured twice, with one new token and with all of them, as `burnpipe bench` does: the first is the time to the first
token, the difference is what the other tokens took.
"""

import json
import random
import resource
import shutil
import time
from pathlib import Path

END_OF_TEXT = "<|endoftext|>"
PROMPTS = (16, 512)
# Words of a prompt are drawn from the first tokens of both vocabularies.
WORDS = 50_000


def configs():
    import transformers as hf

    qwen2 = dict(
        vocab_size=151_936, hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14,
        num_key_value_heads=2, max_position_embeddings=32_768, rope_theta=1_000_000.0, tie_word_embeddings=True,
    )
    return {
        "gpt2": hf.GPT2Config(),
        "qwen2-0.5b": hf.Qwen2Config(**qwen2, bos_token_id=151_643, eos_token_id=151_643),
    }


def make(folder):
    """Models, their ONNX and GGUF files, and prompts; what is there is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, config in configs().items():
        for stored in ("float32", "bfloat16"):
            target = folder / (name if stored == "float32" else f"{name}-bf16")
            # Written last; without it, what there is was broken off.
            if (target / "model.gguf").exists():
                continue
            shutil.rmtree(target, ignore_errors=True)
            write_model(target, config, stored)
            if stored == "float32":
                export(target)
            write_gguf(target, config, stored)
    rng = random.Random(1)
    for length in PROMPTS:
        prompt = " ".join(f"w{rng.randrange(WORDS)}" for _ in range(length))
        (folder / f"prompt-{length}.txt").write_text(prompt + "\n")


def write_model(target, config, stored):
    import torch
    import transformers as hf

    torch.manual_seed(0)
    model = hf.AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    # The bf16 copy is the same model, rounded.
    model.to(getattr(torch, stored)).save_pretrained(target)
    write_tokenizer(target, config)


def write_tokenizer(target, config):
    """A token per word, without special tokens around a text."""
    import transformers as hf
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {f"w{index}": index for index in range(config.vocab_size) if index != config.eos_token_id}
    vocabulary[END_OF_TEXT] = config.eos_token_id
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=END_OF_TEXT))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    names = dict(bos_token=END_OF_TEXT, eos_token=END_OF_TEXT, unk_token=END_OF_TEXT, pad_token=END_OF_TEXT)
    fast = hf.PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=1024, **names)
    fast.save_pretrained(target)


def export(target):
    from optimum.exporters.onnx import main_export

    main_export(str(target), output=target / "onnx", task="text-generation-with-past", do_validation=False)


def write_gguf(target, config, stored):
    """The same tensors under llama.cpp's names. Of its tokenizer only the ids are used, so it has no real merges."""
    import gguf
    import torch
    from gguf import TokenType
    from safetensors.torch import load_file

    architecture = gguf.MODEL_ARCH.GPT2 if config.model_type == "gpt2" else gguf.MODEL_ARCH.QWEN2
    writer = gguf.GGUFWriter(target / "model.gguf.part", gguf.MODEL_ARCH_NAMES[architecture])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2" if config.model_type == "gpt2" else "qwen2")
    writer.add_token_list([END_OF_TEXT if index == config.eos_token_id else f"w{index}" for index in range(config.vocab_size)])
    writer.add_token_types([TokenType.CONTROL if index == config.eos_token_id else TokenType.NORMAL for index in range(config.vocab_size)])
    writer.add_token_merges(["w 0"])
    writer.add_bos_token_id(config.bos_token_id)
    writer.add_eos_token_id(config.eos_token_id)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    if config.model_type == "gpt2":
        writer.add_feed_forward_length(4 * config.hidden_size)
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
    else:
        writer.add_feed_forward_length(config.intermediate_size)
        writer.add_head_count_kv(config.num_key_value_heads)
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        writer.add_rope_freq_base(config.rope_theta)
    names = gguf.get_tensor_name_map(architecture, config.num_hidden_layers)
    for name, tensor in load_file(target / "model.safetensors").items():
        if config.model_type == "gpt2" and name.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight")):
            # Conv1D keeps inputs by outputs.
            tensor = tensor.t().contiguous()
        own_name = names.get_name(name, try_suffixes=(".weight", ".bias"))
        # llama.cpp takes norms and biases as f32 alone, and adds positions as f32.
        if stored == "bfloat16" and tensor.dim() == 2 and "position" not in own_name:
            bits = tensor.view(torch.uint16).numpy()
            writer.add_tensor(own_name, bits, raw_dtype=gguf.GGMLQuantizationType.BF16)
        else:
            writer.add_tensor(own_name, tensor.float().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    (target / "model.gguf.part").rename(target / "model.gguf")


def torch_generator(arguments):
    """What turns a prompt into ids of new tokens, by `generate` of transformers."""
    import torch
    import transformers as hf

    torch.set_num_threads(arguments.threads)
    model = hf.AutoModelForCausalLM.from_pretrained(arguments.model, dtype="auto").eval()
    tokenizer = hf.AutoTokenizer.from_pretrained(arguments.model)

    def run(text, new_tokens):
        inputs = tokenizer(text, return_tensors="pt", return_token_type_ids=False)
        limits = dict(max_new_tokens=new_tokens, min_new_tokens=new_tokens)
        with torch.inference_mode():
            sequence = model.generate(**inputs, do_sample=False, pad_token_id=tokenizer.pad_token_id, **limits)[0]
        tokenizer.decode(sequence)
        return inputs["input_ids"].shape[1], sequence[inputs["input_ids"].shape[1] :].tolist()

    return run


def onnxruntime_generator(arguments):
    """The same by a loop over optimum's export; the cache stays in ONNX Runtime's own memory."""
    import numpy as np
    import onnxruntime
    from tokenizers import Tokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    session = onnxruntime.InferenceSession(str(arguments.model / "onnx" / "model.onnx"), options)
    tokenizer = Tokenizer.from_file(str(arguments.model / "tokenizer.json"))
    wanted = {entry.name: entry.shape for entry in session.get_inputs()}
    outputs = [entry.name for entry in session.get_outputs()]
    value = onnxruntime.OrtValue.ortvalue_from_numpy
    empty = {}
    for name, shape in wanted.items():
        if name.startswith("past_key_values"):
            empty[name] = value(np.zeros([1, shape[1], 0, shape[3]], np.float32))

    def run(text, new_tokens):
        prompt = tokenizer.encode(text).ids
        cache, step, length, written = empty, prompt, 0, []
        for _ in range(new_tokens):
            length += len(step)
            inputs = {
                "input_ids": value(np.array([step], np.int64)),
                "attention_mask": value(np.ones([1, length], np.int64)),
                "position_ids": value(np.arange(length - len(step), length, dtype=np.int64)[None]),
            }
            inputs = {name: values for name, values in inputs.items() if name in wanted}
            answers = session.run_with_ort_values(outputs, {**inputs, **cache})
            answers = dict(zip(outputs, answers))
            step = [int(answers.pop("logits").numpy()[0, -1].argmax())]
            written += step
            cache = {name.replace("present", "past_key_values"): values for name, values in answers.items()}
        tokenizer.decode(written)
        return len(prompt), written

    return run


GENERATORS = {"torch": torch_generator, "onnxruntime": onnxruntime_generator}


def add_commands(commands):
    making = commands.add_parser("generation")
    making.add_argument("folder", type=Path)
    generating = commands.add_parser("generate")
    generating.add_argument("peer", choices=GENERATORS)
    generating.add_argument("model", type=Path)
    generating.add_argument("prompt", type=Path)
    generating.add_argument("new_tokens", type=int)
    generating.add_argument("runs", type=int)
    generating.add_argument("threads", type=int)
    reading = commands.add_parser("bandwidth")
    reading.add_argument("--threads", type=int, default=2)


def measure(arguments):
    """One measurement, printed as `burnpipe bench` and the other peers print it."""
    text = arguments.prompt.read_text().strip()
    start = time.perf_counter()
    run = GENERATORS[arguments.peer](arguments)
    load = time.perf_counter() - start

    def once(new_tokens):
        start = time.perf_counter()
        answer = run(text, new_tokens)
        return time.perf_counter() - start, answer

    first, (prompt_tokens, written) = once(arguments.new_tokens)
    whole = median([once(arguments.new_tokens)[0] for _ in range(arguments.runs)])
    one = median([once(1)[0] for _ in range(arguments.runs)])
    report = {
        "peer": arguments.peer,
        "load_ms": load * 1e3,
        "first_ms": first * 1e3,
        "latency_ms": {"p50": whole * 1e3},
        "first_token_ms": one * 1e3,
        "prompt_tokens_per_s": prompt_tokens / one,
        "new_tokens_per_s": (len(written) - 1) / (whole - one),
        "new_tokens": len(written),
        "generated_token_ids": written,
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    print(json.dumps(report))


def median(times):
    return sorted(times)[len(times) // 2]


def bandwidth(threads):
    """GB/s at which two threads read (and copy) 1 GB, the best of several ways and times."""
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np
    import torch

    torch.set_num_threads(threads)
    values = torch.ones(1 << 28)
    copy = torch.empty_like(values)
    parts = np.array_split(values.numpy(), threads)
    size = values.numel() * values.element_size() / 1e9

    def best(call):
        times = []
        for _ in range(7):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
        return min(times)

    with ThreadPoolExecutor(threads) as pool:
        reads = {
            "torch_sum": size / best(values.sum),
            "numpy_max": size / best(lambda: list(pool.map(np.max, parts))),
        }
    copied = 2 * size / best(lambda: copy.copy_(values))
    print(json.dumps({"read_gb_per_s": max(reads.values()), "copy_gb_per_s": copied, **reads}))
