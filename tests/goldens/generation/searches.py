"""Makes searches.json: what `generate()` answers for a toy language model, for every decoding method.

    python searches.py

The model's logits come from seeded tables of the last two tokens. The tables are written into the file too, so
that the tests compute the same logits and compare what is chosen from them. Its cache holds the tokens
themselves, so that a search that mixes rows up gets other logits.

Contrastive search is no part of transformers 4.56.2 any more (`generate()` loads it from the Hub): contrastive.py asks
the last version that had it.
"""

from __future__ import annotations

import json
import logging
import os
import warnings
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import torch
from transformers import (
    DynamicCache,
    GenerationConfig,
    GenerationMixin,
    LogitsProcessor,
    LogitsProcessorList,
    PretrainedConfig,
    PreTrainedModel,
    StoppingCriteria,
    StoppingCriteriaList,
)
from transformers.modeling_outputs import CausalLMOutputWithPast

HERE = Path(__file__).resolve().parent
VOCABULARY, HIDDEN, PAD = 20, 5, 19
Tables = dict[str, list[list[float]]]


def tables(seed: int, like: Tables | None = None, peak: float = 1.5) -> Tables:
    """Tables of three decimals; `like` gives a model that mostly agrees with another one."""
    generator = torch.Generator().manual_seed(seed)

    def table(name: str, columns: int, scale: float) -> list[list[float]]:
        values = torch.randn((VOCABULARY, columns), generator=generator) * scale
        if like is not None and name != "hidden":
            values = 0.35 * values + torch.tensor(like[name])
        if name == "last":
            values.fill_diagonal_(-2.0)
            values[:, PAD] = -30.0
            if like is None:
                values[:, 1:3] += torch.tensor([1.2, 0.8])
        return [[round(value, 3) for value in row] for row in values.tolist()]

    sizes = {"last": (VOCABULARY, peak), "previous": (VOCABULARY, 1.1), "hidden": (HIDDEN, 1.0)}
    return {name: table(name, columns, scale) for name, (columns, scale) in sizes.items()}


class ToyConfig(PretrainedConfig):
    model_type = "toy"

    def __init__(self, **kwargs: Any):
        self.num_hidden_layers = 1
        self.num_attention_heads = 1
        self.hidden_size = HIDDEN
        self.vocab_size = VOCABULARY
        super().__init__(**kwargs)


class Toy(PreTrainedModel, GenerationMixin):
    config_class = ToyConfig
    main_input_name = "input_ids"

    def __init__(self, values: Tables):
        super().__init__(ToyConfig())
        self.anchor = torch.nn.Parameter(torch.zeros(1))
        self.values = {name: torch.tensor(table) for name, table in values.items()}
        self.passes = self.tokens = 0
        self.memoryless = False

    def forward(
        self,
        input_ids: torch.Tensor,
        past_key_values: Any = None,
        use_cache: bool = True,
        return_dict: bool = True,
        attention_mask: torch.Tensor | None = None,
        **_: Any,
    ) -> CausalLMOutputWithPast:
        self.passes += 1
        self.tokens += input_ids.shape[1]
        cache = past_key_values if past_key_values is not None else DynamicCache()
        keys = input_ids.to(torch.float32)[:, None, :, None]
        tokens = cache.update(keys, keys, 0)[0][:, 0, :, 0].long()
        new = input_ids.shape[1]
        earlier = torch.nn.functional.pad(tokens, (1, 0), value=-1)[:, :-1][:, -new:]
        seen = torch.ones_like(tokens) if attention_mask is None else attention_mask[:, : tokens.shape[1]]
        earlier_is_seen = torch.nn.functional.pad(seen, (1, 0), value=0)[:, :-1][:, -new:]
        there = ((earlier >= 0) & (earlier_is_seen > 0))[..., None]
        before = self.values["previous"][earlier.clamp(min=0)] * there * (not self.memoryless)
        hidden = self.values["hidden"][input_ids] + self.values["hidden"][earlier.clamp(min=0)] * there * 0.5
        logits = self.values["last"][input_ids] + before
        return CausalLMOutputWithPast(
            logits=logits, past_key_values=cache if use_cache else None, hidden_states=(hidden,)
        )


class CountPenalty(LogitsProcessor):
    """Takes `penalty` off a token's score for every time that it is in the row."""

    def __init__(self, penalty: float):
        self.penalty = penalty

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        counts = torch.zeros_like(scores).scatter_add_(1, input_ids, torch.ones_like(input_ids, dtype=scores.dtype))
        return scores - self.penalty * counts


class StopPair(StoppingCriteria):
    """Ends a row with two tokens, one after the other."""

    def __init__(self, pair: list[int]):
        self.pair = torch.tensor(pair)

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        return (input_ids[:, -2:] == self.pair).all(dim=1)


BESIDE = ("count_penalty", "stop_pair", "assistant", "negative", "steps", "memoryless", "padding")
PROMPTS = [[3, 7, 4], [5], [8, 9, 8, 9, 8], [16, 2, 11, 6, 11, 6], [10, 12]]
EOS: list[Any] = [1, [1, 2], None, [6, 1, 14], [16, 2, 5, 12, 18, 9]]


def cases() -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []

    def add(prompt: int, eos: int = 0, **parameters: Any) -> None:
        beside = {key: parameters.pop(key) for key in BESIDE if key in parameters}
        parameters.setdefault("max_new_tokens", 12)
        parameters["eos_token_id"] = EOS[eos]
        parameters.setdefault("pad_token_id", PAD)
        out.append({"prompt": PROMPTS[prompt], "parameters": parameters, **beside})

    for prompt in range(5):
        for eos in range(4):
            add(prompt, eos)
            add(prompt, eos, count_penalty=0.9)
    add(0, 2, stop_pair=[2, 1], max_new_tokens=16)
    add(1, steps=True, count_penalty=0.5, output_logits=True)
    add(4, max_length=7, max_new_tokens=None)

    # Beams.
    for beams in (2, 3, 5):
        for early_stopping in (False, True, "never"):
            for length_penalty in (1.0, 0.0, -1.0, 2.5):
                add(beams % 5, beams % 4, num_beams=beams, early_stopping=early_stopping, length_penalty=length_penalty)
                add((beams + 1) % 5, 1, num_beams=beams, early_stopping=early_stopping, length_penalty=length_penalty,
                    count_penalty=0.8, num_return_sequences=2, max_new_tokens=15)
    for prompt in range(5):
        add(prompt, num_beams=4, num_return_sequences=4, count_penalty=1.1)
        add(prompt, 3, num_beams=5, num_return_sequences=5)
    add(0, num_beams=3, max_new_tokens=1, num_return_sequences=3)
    add(2, num_beams=3, stop_pair=[2, 16], count_penalty=0.6, num_return_sequences=2)
    add(3, 1, num_beams=3, num_return_sequences=2, steps=True, output_logits=True, count_penalty=0.8, max_new_tokens=8)


    # Groups.
    for beams, groups in ((4, 2), (6, 3), (6, 2), (4, 4)):
        for early_stopping in (False, True, "never"):
            for diversity_penalty in (0.4, 2.0):
                prompt = (beams + groups + len(out)) % 5
                add(prompt, len(out) % 4, num_beams=beams, num_beam_groups=groups, early_stopping=early_stopping,
                    diversity_penalty=diversity_penalty, num_return_sequences=min(3, beams),
                    length_penalty=1.0 + diversity_penalty / 2, count_penalty=0.7, max_new_tokens=10)

    # Groups that are done are filled with padding, which others are charged for: here the end.
    for prompt in range(5):
        for beams, groups in ((4, 2), (6, 3)):
            add(prompt, prompt % 2, num_beams=beams, num_beam_groups=groups, diversity_penalty=1.5, pad_token_id=None,
                early_stopping=prompt < 3, num_return_sequences=4)

    # Many ends, so that more of the best continuations end.
    for prompt in range(5):
        add(prompt, 4, num_beams=2, num_return_sequences=2)
        add(prompt, 4, num_beams=4, num_return_sequences=4, length_penalty=2.0)
        add(prompt, 4, num_beams=4, num_beam_groups=2, diversity_penalty=0.5, num_return_sequences=3)
        add(prompt, 4, num_beams=3, force_words_ids=[[4, 3]], num_return_sequences=2, length_penalty=2.0)

    # Words that must be made.
    words: list[Any] = [
        [[5, 9]],
        [[[4, 12], [15]]],
        [[7, 7, 3], [[2, 13], [2, 14, 5], [16]]],
        [[[10, 11], [10, 12], [10, 13, 4]]],
        [[3], [8, 4]],
        [[1, 5], [17]],
    ]
    for place, force_words_ids in enumerate(words):
        for beams in (2, 4):
            for early_stopping in (False, True):
                add((place + beams) % 5, (place + beams) % 4, num_beams=beams, force_words_ids=force_words_ids,
                    early_stopping=early_stopping, num_return_sequences=2, max_new_tokens=12)
                add((place + beams + 1) % 5, 1, num_beams=beams, force_words_ids=force_words_ids, count_penalty=0.9,
                    early_stopping=early_stopping, max_new_tokens=14, length_penalty=0.3)
    add(2, num_beams=3, force_words_ids=words[0], early_stopping="never", steps=True, max_new_tokens=6)

    # A small model that proposes tokens.
    for schedule in ("constant", "heuristic", "heuristic_transient"):
        for threshold in (0.0, 0.4, 0.8):
            for proposed in (1, 3, 7):
                add(len(out) % 5, len(out) % 4, assistant=True, num_assistant_tokens=proposed,
                    num_assistant_tokens_schedule=schedule, assistant_confidence_threshold=threshold,
                    max_new_tokens=17, count_penalty=0.4 * (proposed == 3))
    add(0, assistant=True, num_assistant_tokens=4, steps=True, output_logits=True, count_penalty=0.5)

    # Tokens that stand in the prompt already.
    for proposed in (1, 3, 10):
        for ngram in (None, 1, 3):
            for prompt in (2, 3):
                # Without an end, Python's look-up fails.
                add(prompt, (0, 1, 3)[len(out) % 3], prompt_lookup_num_tokens=proposed,
                    max_matching_ngram_size=ngram, max_new_tokens=17)
    add(3, prompt_lookup_num_tokens=4, count_penalty=0.6, max_new_tokens=20)

    # Guidance.
    for scale in (1.5, 0.4, 3.0):
        for negative in (None, [4, 5], [7, 8, 9, 10]):
            add(len(out) % 5, len(out) % 4, guidance_scale=scale, negative=negative, count_penalty=0.3)
    add(1, guidance_scale=2.0, steps=True, output_logits=True, max_new_tokens=6)

    # Python's rows without the prompt do not follow their beams: without memory that makes no difference.
    for beams in (2, 4):
        for scale in (1.5, 0.6):
            add(len(out) % 5, len(out) % 4, guidance_scale=scale, num_beams=beams, num_return_sequences=2,
                memoryless=True, count_penalty=0.3)

    # Padding before the prompt: it counts, and nobody sees it.
    add(0, 1, padding=4, count_penalty=0.5)
    add(3, 1, padding=2, max_length=14, max_new_tokens=None)
    add(2, 1, num_beams=3, num_return_sequences=2, padding=3, count_penalty=0.6)
    add(3, prompt_lookup_num_tokens=4, padding=2, max_new_tokens=17)
    add(0, guidance_scale=1.5, padding=3, count_penalty=0.2)

    # All rows of all steps: groups that are done run on.
    for early_stopping in (False, True):
        add(0, 1, num_beams=4, num_beam_groups=2, diversity_penalty=0.8, early_stopping=early_stopping, steps=True,
            output_logits=True, num_return_sequences=4, max_new_tokens=7)
    return out


def contrastive_cases() -> list[dict[str, Any]]:
    """Those of contrastive.py."""
    out: list[dict[str, Any]] = []

    def add(prompt: int, eos: int, **parameters: Any) -> None:
        beside = {key: parameters.pop(key) for key in BESIDE if key in parameters}
        parameters = {"max_new_tokens": 12, "eos_token_id": EOS[eos], "pad_token_id": PAD, **parameters}
        out.append({"prompt": PROMPTS[prompt], "parameters": parameters, **beside})

    for alpha in (0.1, 0.6):
        for top_k in (2, 4, 7):
            for prompt in range(5):
                add(prompt, (prompt + top_k) % 4, penalty_alpha=alpha, top_k=top_k, count_penalty=0.5 * (prompt % 2))
    add(0, 0, penalty_alpha=0.5, top_k=4, steps=True, output_logits=True, max_new_tokens=5)
    # Padding before the prompt is no context.
    add(0, 0, penalty_alpha=0.6, top_k=4, padding=3)
    add(1, 2, penalty_alpha=0.4, top_k=3, padding=1, stop_pair=[2, 1])
    return out


def rounded(values: torch.Tensor) -> list[float]:
    """Six digits; what is forbidden is so far down that JSON can write it."""
    return [float(f"{max(value, -1e30):.6g}") for value in values.tolist()]


def stripped(tokens: list[int], eos: Any) -> list[int]:
    """Without padding, which may be the first end too."""
    first = eos[0] if isinstance(eos, list) else eos
    while tokens and (tokens[-1] in (PAD, -1) or tokens[-2:] == [first, first]):
        tokens = tokens[:-1]
    return tokens


def run(case: dict[str, Any], model: Toy, assistant: Toy) -> dict[str, Any]:
    prompt, given = case["prompt"], dict(case["parameters"])
    model.passes = model.tokens = assistant.passes = 0
    model.memoryless = bool(case.get("memoryless"))
    if case.get("assistant"):
        assistant.generation_config = GenerationConfig()
        for key in ("num_assistant_tokens", "num_assistant_tokens_schedule", "assistant_confidence_threshold"):
            if key in given:
                setattr(assistant.generation_config, key, given[key])
        given["assistant_model"] = assistant
    if case.get("negative"):
        given["negative_prompt_ids"] = torch.tensor([case["negative"]])
    if case.get("count_penalty"):
        given["logits_processor"] = LogitsProcessorList([CountPenalty(case["count_penalty"])])
    if "stop_pair" in case:
        given["stopping_criteria"] = StoppingCriteriaList([StopPair(case["stop_pair"])])
    model.generation_config = GenerationConfig()
    padding = case.get("padding", 0)
    prompt = case["prompt"] = [PAD] * padding + prompt
    ids = torch.tensor([prompt])
    if padding:
        given["attention_mask"] = (torch.arange(len(prompt)) >= padding).long()[None]
    try:
        output = model.generate(ids, **given, return_dict_in_generate=True, output_scores=True)
    except RuntimeError:
        # Where too few beams have all words, Python cannot give scores.
        assert "force_words_ids" in given
        output = model.generate(ids, **given, return_dict_in_generate=True)
    case["sequences"] = [stripped(row[len(prompt) :], given["eos_token_id"]) for row in output.sequences.tolist()]
    if output.get("sequences_scores") is not None:
        case["sequences_scores"] = rounded(output.sequences_scores)
    if case.get("assistant") or "prompt_lookup_num_tokens" in given:
        case["passes"] = [model.passes, assistant.passes, model.tokens]
    if case.get("steps"):
        # The row that every token of a sequence came from. (Of groups of beams Python tells the wrong ones.)
        indices = output["beam_indices"].tolist() if "beam_indices" in output else None
        groups = "num_beam_groups" in given
        if indices and not groups:
            case["beam_indices"] = [[beam for beam in beams if beam >= 0] for beams in indices]
        for name in ("scores", "logits"):
            if name not in output or output[name] is None:
                continue
            if indices and ("force_words_ids" not in given or name != "scores"):
                case[f"beam_{name}"] = [[rounded(row) for row in step] for step in output[name]]
            if groups:
                continue
            case[name] = []
            for place, tokens in enumerate(case["sequences"]):
                rows = indices[place] if indices else [place] * len(tokens)
                steps = [output[name][step][rows[step]] for step in range(len(tokens))]
                if "force_words_ids" in given and name == "scores":
                    # Python's have the sum of the tokens before in them here.
                    sums = [0.0, *(step[token].item() for step, token in zip(steps, tokens))]
                    steps = [step - before for step, before in zip(steps, sums)]
                case[name].append([rounded(step) for step in steps])
    return case


SAMPLING: list[dict[str, Any]] = [
    {"top_k": 0},
    {"temperature": 0.7, "top_k": 6},
    {"temperature": 1.7, "top_p": 0.8, "top_k": None},
    {"min_p": 0.1, "top_k": 12},
    {"typical_p": 0.7, "top_k": 0, "temperature": 1.3},
    {"epsilon_cutoff": 0.04, "top_k": 0},
    {"eta_cutoff": 0.2, "top_k": 0, "repetition_penalty": 1.4},
    {"top_k": 9, "top_p": 0.9, "temperature": 1.2, "suppress_tokens": [2], "renormalize_logits": True},
]


def sampling(model: Toy) -> list[dict[str, Any]]:
    """What the first token of sampling is drawn by: the softmax of the processed scores."""
    out = []
    for parameters in SAMPLING:
        model.generation_config = GenerationConfig()
        given = {"do_sample": True, "max_new_tokens": 1, "pad_token_id": PAD, **parameters}
        output = model.generate(torch.tensor([PROMPTS[0]]), **given, return_dict_in_generate=True, output_scores=True)
        probabilities = torch.softmax(output.scores[0][0].double(), dim=-1)
        out.append({"prompt": PROMPTS[0], "parameters": given, "probabilities": rounded(probabilities)})
    return out


def main() -> None:
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    model_tables = tables(7)
    assistant_tables = tables(8, like=model_tables)
    model, assistant = Toy(model_tables).eval(), Toy(assistant_tables).eval()
    with torch.no_grad():
        done = [run(case, model, assistant) for case in cases()]
        drawn = sampling(model)

    def line(value: Any) -> str:
        return json.dumps(value, sort_keys=True, separators=(",", ":"))

    def lines(values: list[Any]) -> str:
        return ",\n".join(line(value) for value in values)

    tables_of = f'"model":{line(model_tables)},\n"assistant":{line(assistant_tables)}'
    text = f'{{{tables_of},\n"cases":[\n{lines(done)}\n],\n"sampling":[\n{lines(drawn)}\n]}}\n'
    (HERE / "searches.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
