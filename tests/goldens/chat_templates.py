"""Makes chat_templates.json: what transformers' `apply_chat_template` makes of conversations.

    python chat_templates.py

The templates in chat_templates/ have the shape of published ones; each is rendered over conversations that it
takes and some that it refuses. chat_snippets.py holds small templates, each for one detail of Jinja, of Python's
strings or of transformers' environment. The clock stands still.
"""

from __future__ import annotations

import datetime
import json
import os
import tempfile
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

from transformers import AutoTokenizer
from transformers.utils import chat_template_utils

from chat_conversations import CONVERSATIONS, DOCUMENTS, TOOLS
from chat_snippets import MESSAGES, SNIPPETS

HERE = Path(__file__).resolve().parent
NOW = datetime.datetime(2025, 3, 7, 5, 4, 9, 60708)

TOKENIZER = {
    "version": "1.0",
    "added_tokens": [],
    "model": {"type": "WordLevel", "vocab": {"<unk>": 0, "hello": 1}, "unk_token": "<unk>"},
}
LLAMA = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
LLAMA_3 = {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}
CHATML = {"bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
SNIPPET_TOKENS = {
    **LLAMA,
    "additional_special_tokens": ["<a>", "<b>"],
    "extra_special_tokens": {"image_token": "<i>"},
}
COHERE = {"bos_token": "<BOS_TOKEN>", "eos_token": "<|END_OF_TURN_TOKEN|>"}
DEEPSEEK = {"bos_token": "<｜begin▁of▁sentence｜>", "eos_token": "<｜end▁of▁sentence｜>"}

# The template files of a checkpoint by their names in it, and its special tokens.
CHECKPOINTS: dict[str, tuple[dict[str, str] | str, dict[str, Any]]] = {
    "command_r": (
        {"default": "command_r", "tool_use": "command_r_tool_use", "rag": "command_r_rag"},
        COHERE,
    ),
    "deepseek_r1": ("deepseek_r1", DEEPSEEK),
    "falcon": ("falcon", {"eos_token": "<|endoftext|>"}),
    "gemma": ("gemma", {"bos_token": "<bos>", "eos_token": "<eos>"}),
    "gemma3": ("gemma3", {"bos_token": {"__type": "AddedToken", "content": "<bos>", "special": True}}),
    "gpt_oss": ("gpt_oss", {"bos_token": "<|startoftext|>", "eos_token": "<|return|>"}),
    "hermes3": ({"default": "qwen2", "tool_use": "hermes3_tool_use"}, LLAMA_3),
    "llama2": ("llama2", LLAMA),
    "llama3": ("llama3", LLAMA_3),
    "llama3_2": ("llama3_2", LLAMA_3),
    "mistral_v1": ("mistral_v1", LLAMA),
    "mistral_v3": ("mistral_v3", LLAMA),
    "phi3": ("phi3", {"bos_token": "<s>", "eos_token": "<|endoftext|>"}),
    "qwen2": ("qwen2", CHATML),
    "qwen2_5": ("qwen2_5", CHATML),
    "qwen3": ("qwen3", CHATML),
    "smollm2": ("smollm2", CHATML),
    "smollm3": ("smollm3", CHATML),
    "stablelm": ("stablelm", {"eos_token": "<|endoftext|>"}),
    "zephyr": ("zephyr", LLAMA),
}
PLAIN = ["user", "system", "turns", "no_system", "wrong_order", "unicode", "prefill", "prefill_spaces"]
TOOL_CHATS = ["call", "calls", "call_arguments_text"]
LISTS = ["parts", "parts_prefill"]

# Conversations that only some checkpoints are asked for.
MORE: dict[str, list[str]] = {
    "command_r": ["calls"],
    "deepseek_r1": ["thinking", "call"],
    "gemma3": LISTS,
    "gpt_oss": ["thinking", "call_no_content", "calls"],
    "hermes3": ["call_no_content", "calls", "call_arguments_text"],
    "llama3_2": ["call", "calls"],
    "mistral_v3": TOOL_CHATS,
    "qwen2_5": TOOL_CHATS,
    "qwen3": ["thinking", "reasoning", *TOOL_CHATS, *LISTS],
    "smollm3": ["thinking", "no_think", "override", "call"],
}
# More arguments: (checkpoint, conversation, arguments).
EXTRA: list[tuple[str, str, dict[str, Any]]] = [
    ("command_r", "turns", {"chat_template": "rag", "documents": DOCUMENTS, "citation_mode": "accurate"}),
    ("command_r", "user", {"chat_template": "rag", "documents": []}),
    ("command_r", "user", {"chat_template": "tool_use", "tools": [TOOLS[2]]}),
    ("command_r", "user", {"tools": []}),
    ("command_r", "user", {"chat_template": "{{ messages[0].content }}|{{ eos_token }}|{{ tools }}"}),
    ("llama2", "no_system", {"USE_DEFAULT_PROMPT": True}),
    ("llama3_2", "call", {"tools": TOOLS[:2], "tools_in_user_message": False}),
    ("llama3_2", "user", {"date_string": "26 Jul 2024"}),
    ("llama3_2", "user", {"bos_token": "<begin>"}),
    ("qwen3", "thinking", {"enable_thinking": False, "add_generation_prompt": True}),
    ("qwen3", "turns", {"enable_thinking": True, "add_generation_prompt": True}),
    ("qwen2", "prefill", {"continue_final_message": True, "add_generation_prompt": True}),
    ("qwen2", "empty_final", {"continue_final_message": True}),
    ("qwen2", "space_final", {"continue_final_message": True}),
    ("gpt_oss", "turns", {"reasoning_effort": "high", "model_identity": "You are a test."}),
    ("smollm3", "turns", {"xml_tools": TOOLS[:1], "python_tools": ["def f(x):\n    pass"]}),
    ("smollm3", "turns", {"enable_thinking": False}),
    ("deepseek_r1", "thinking", {"continue_final_message": True}),
    ("qwen3", "parts_no_text", {"continue_final_message": True}),
]


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz: Any = None) -> datetime.datetime:
        return NOW


def load(folder: Path, template: Any, tokens: dict[str, Any]) -> Any:
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", **tokens}
    if template is not None:
        config["chat_template"] = template
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return AutoTokenizer.from_pretrained(folder)


def outcome(tokenizer: Any, messages: list[Any], arguments: dict[str, Any]) -> dict[str, str]:
    try:
        return {"text": tokenizer.apply_chat_template(messages, tokenize=False, **arguments)}
    except Exception as error:  # what Python raises is part of the golden
        return {"raised": type(error).__name__, "message": str(error)}


def runs(name: str) -> list[tuple[str, dict[str, Any]]]:
    """The conversations of one checkpoint with their arguments."""
    out: list[tuple[str, dict[str, Any]]] = []
    for place, chat in enumerate(PLAIN + MORE.get(name, [])):
        if chat.endswith("prefill") or chat == "prefill_spaces":
            out.append((chat, {"continue_final_message": True}))
            continue
        # Both for the first ones, then in turn.
        prompts = [False, True] if place < 2 else [place % 2 == 1]
        out.extend((chat, {"add_generation_prompt": prompt}) for prompt in prompts)
    if MORE.get(name, []) and {"call", "calls"} & set(MORE[name]):
        out.append(("user", {"tools": TOOLS[:2], "add_generation_prompt": True}))
        out.append(("calls", {"tools": TOOLS[:2]}))
        out.append(("call_no_content", {"tools": TOOLS[:1]}))
    return out + [(chat, arguments) for asked, chat, arguments in EXTRA if asked == name]


def read(template: str) -> str:
    return (HERE / "chat_templates" / f"{template}.jinja").read_text()


def cases() -> list[dict[str, Any]]:
    out = []
    for name, (templates, tokens) in CHECKPOINTS.items():
        if isinstance(templates, str):
            template: Any = read(templates)
        else:
            template = [{"name": key, "template": read(file)} for key, file in templates.items()]
        with tempfile.TemporaryDirectory() as folder:
            tokenizer = load(Path(folder), template, tokens)
            for chat, arguments in runs(name):
                answer = outcome(tokenizer, CONVERSATIONS[chat], arguments)
                out.append({"checkpoint": name, "conversation": chat, "arguments": arguments, **answer})
    return out


def snippets() -> list[dict[str, Any]]:
    out = []
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = load(Path(folder), None, SNIPPET_TOKENS)
        for template, variables in SNIPPETS:
            answer = outcome(tokenizer, MESSAGES, {"chat_template": template, **variables})
            out.append({"template": template, "variables": variables, **answer})
    return out


def main() -> None:
    chat_template_utils.datetime = Clock
    checkpoints = {
        name: {"templates": templates, "tokens": tokens} for name, (templates, tokens) in CHECKPOINTS.items()
    }
    goldens = {
        "now": [NOW.year, NOW.month, NOW.day, NOW.hour, NOW.minute, NOW.second, NOW.microsecond],
        "tokenizer": TOKENIZER,
        "checkpoints": checkpoints,
        "conversations": CONVERSATIONS,
        "cases": cases(),
        "messages": MESSAGES,
        "snippet_tokens": SNIPPET_TOKENS,
        "snippets": snippets(),
    }
    lines = json.dumps(goldens, ensure_ascii=False, separators=(",", ":"))
    lines = lines.replace(',{"checkpoint"', ',\n{"checkpoint"').replace(',{"template"', ',\n{"template"')
    (HERE / "chat_templates.json").write_text(lines + "\n")


if __name__ == "__main__":
    main()
