"""Conversations, tools and documents for chat_templates.py."""

from __future__ import annotations

from typing import Any

WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "The city, e.g. \"Köln\" & <São Paulo>"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "description": "The unit"},
                "days": {"type": "integer", "description": "How many days", "default": 1},
            },
            "required": ["city"],
        },
        "return": {"type": "object", "description": "The weather"},
    },
}
SEARCH: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "search",
        "description": "Search for items.",
        "parameters": {
            "type": "object",
            "properties": {
                "items": {"type": "array", "items": {"type": "string"}, "description": "What to look for"},
                "where": {
                    "type": ["string", "integer"],
                    "description": "Where to look",
                },
                "limits": {
                    "type": "object",
                    "description": "Limits",
                    "properties": {"price": {"type": "number"}, "new": {"type": "boolean"}},
                    "additionalProperties": {"type": "number"},
                },
            },
            "required": ["items"],
        },
    },
}
OLD_STYLE: dict[str, Any] = {
    "name": "internet_search",
    "description": "Returns a list of relevant document snippets.",
    "parameter_definitions": {
        "query": {"description": "Query to search the internet with", "type": "str", "required": True},
        "count": {"description": "How many", "type": "int", "required": False},
    },
}
TOOLS = [WEATHER, SEARCH, OLD_STYLE]
DOCUMENTS = [
    {"title": "Tall penguins", "text": "Emperor penguins are the tallest."},
    {"title": "Penguin habitats", "text": "Emperor penguins only live in Antarctica.", "page": 7},
]


def says(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def call(identity: str, name: str, arguments: Any) -> dict[str, Any]:
    return {"type": "function", "id": identity, "function": {"name": name, "arguments": arguments}}


HELLO = says("user", "Hello, how are you?")
FINE = says("assistant", "I'm fine. ")
SYSTEM = says("system", "You are a pirate.")
NASTY = "  <b>\"Größe\" & 'Ünïcödé'</b> 日本語 🦀\n\n\\n {{ messages }} {% if %}\t|\r\n end\u2028 \n"

CONVERSATIONS: dict[str, list[Any]] = {
    "user": [HELLO],
    "system": [SYSTEM, HELLO],
    "turns": [SYSTEM, HELLO, FINE, says("user", "Tell me a joke.")],
    "no_system": [HELLO, FINE, says("user", "And\nnow?"), says("assistant", "Still fine.")],
    "wrong_order": [says("assistant", "I speak first."), HELLO, HELLO],
    "unicode": [says("system", NASTY), says("user", NASTY), says("assistant", NASTY), says("user", NASTY)],
    "prefill": [HELLO, says("assistant", "I am")],
    "prefill_spaces": [HELLO, says("assistant", " I am \n")],
    "empty_final": [HELLO, says("assistant", "")],
    "space_final": [HELLO, says("assistant", " \n")],
    "call": [
        says("user", "What's the weather in Köln?"),
        says("assistant", None, tool_calls=[call("call12345", "get_weather", {"city": "Köln", "days": 2})]),
        says("tool", "{\"temperature\": 21.5}", name="get_weather", tool_call_id="call12345"),
        says("assistant", "It is 21.5 degrees."),
    ],
    "calls": [
        SYSTEM,
        says("user", "Compare <Köln> and \"Bonn\"."),
        says(
            "assistant",
            "Let me see.",
            tool_calls=[
                call("call00001", "get_weather", {"city": "<Köln>", "unit": None, "exact": True, "at": 1.5}),
                call("call00002", "search", {"items": ["a", "b"], "limits": {}, "deep": [{"x": []}]}),
            ],
        ),
        says("tool", "21", tool_call_id="call00001"),
        says("tool", "22", tool_call_id="call00002"),
    ],
    "call_no_content": [
        HELLO,
        {"role": "assistant", "tool_calls": [call("call12345", "search", {"items": ["é"]})]},
        says("tool", "nothing", tool_call_id="call12345"),
        FINE,
    ],
    "call_arguments_text": [
        HELLO,
        says("assistant", "", tool_calls=[call("call12345", "search", "{\"items\": [\"é\"]}")]),
        says("tool", "nothing", tool_call_id="call12345"),
    ],
    "parts": [
        says("system", [{"type": "text", "text": "You see."}]),
        says("user", [{"type": "image", "url": "cat.png"}, {"type": "text", "text": " What is it? "}]),
        says("assistant", [{"type": "text", "text": "A cat."}]),
    ],
    "parts_prefill": [
        says("user", [{"type": "text", "text": "What is it?"}]),
        says("assistant", [{"type": "text", "text": "It is "}, {"type": "image"}]),
    ],
    "parts_no_text": [HELLO, says("assistant", [{"type": "image"}])],
    "thinking": [
        HELLO,
        says("assistant", "<think>\nThey greet me.\n</think>\n\nHello!"),
        says("user", "2+2?"),
        says("assistant", "<think>\nEasy.\n</think>\n\n4"),
    ],
    "reasoning": [
        SYSTEM,
        says("user", "2+2?"),
        says("assistant", "4", reasoning_content="\nEasy.\n"),
        says("user", "3+3?"),
        says("assistant", "6", reasoning_content="Harder."),
    ],
    "no_think": [says("system", "Be brief. /no_think"), HELLO, FINE],
    "override": [says("system", "Be brief. /system_override"), HELLO],
}
