"""Shared Hypothesis strategies for tool outputs and conversations with them."""

from __future__ import annotations

import csv
import io
import json
from random import Random
from typing import Any

from hypothesis import strategies as st

WORDS = (
    "the",
    "invoice",
    "payment",
    "failed",
    "at",
    "eu-3",
    "while",
    "retrying",
    "order-7f3a",
    "for",
    "Zoë",
    "30 s",
)
STATES = ("ok", "ok", "ok", "pending", "failed", "ERROR: timeout")

texts = st.text(max_size=60)
names = st.sampled_from(("search", "list_orders", "read_file", "get_logs"))
extra_fields = st.dictionaries(
    st.sampled_from(("x_trace", "metadata", "name_hint")), st.integers() | texts, max_size=2
)


@st.composite
def rows(draw: st.DrawFn, min_size: int = 5, max_size: int = 60) -> list[dict[str, Any]]:
    """Draw rows of an API: identifiers, numbers, states, nulls and nested values."""
    count = draw(st.integers(min_size, max_size))
    columns = draw(
        st.lists(st.sampled_from(("name", "amount", "state", "note", "at", "tags")), unique=True)
    )
    random = Random(draw(st.integers(0, 2**32)))
    cells = {
        "name": lambda: " ".join(random.choices(WORDS, k=2)),
        "amount": lambda: round(random.gauss(100, 20), 2),
        "state": lambda: random.choice(STATES),
        "note": lambda: random.choice((None, "", "see ticket 12", 'say "hi", twice')),
        "at": lambda: f"2024-03-{random.randint(1, 28):02}T08:{random.randint(0, 59):02}:00Z",
        "tags": lambda: {
            "zone": random.choice(("a", "b")),
            "ids": [random.randint(0, 9) for _ in range(2)],
        },
    }
    return [
        {"id": 1000 + number, **{column: cells[column]() for column in columns}}
        for number in range(count)
    ]


def as_json(table: list[dict[str, Any]]) -> str:
    return json.dumps(table, ensure_ascii=False)


def as_csv(table: list[dict[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=list(table[0]))
    writer.writeheader()
    writer.writerows(table)
    return buffer.getvalue()


@st.composite
def log_texts(draw: st.DrawFn) -> str:
    random = Random(draw(st.integers(0, 2**32)))
    levels = ("INFO", "INFO", "INFO", "WARN", "ERROR")
    return "\n".join(
        f"2024-03-01 08:{number // 60:02}:{number % 60:02} {random.choice(levels)} "
        f"worker-{random.randint(1, 4)} " + " ".join(random.choices(WORDS, k=6))
        for number in range(draw(st.integers(1, 80)))
    )


prose = st.lists(st.sampled_from(WORDS), min_size=1, max_size=80).map(" ".join)
tool_outputs = st.one_of(
    rows().map(as_json), rows().map(str), rows().map(as_csv), log_texts(), prose, texts
)
"""Outputs of tools: JSON rows, Python literals, CSV, logs, prose and any text."""

arguments = st.dictionaries(
    st.sampled_from(("query", "day", "path")), st.integers(0, 9) | texts, max_size=2
)


def _message(role: str, content: Any, **fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    return extra_fields.map(lambda extra: {"role": role, "content": content, **fields, **extra})


def _openai_parts(text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    image = st.just(
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    )
    unknown = st.fixed_dictionaries(
        {"type": st.just("x_unknown"), "text": texts, "deep": st.just({"list": [1, None]})}
    )
    part = text.map(lambda value: {"type": "text", "text": value})
    return st.lists(part | image | unknown, max_size=3) | st.lists(part, max_size=2).map(tuple)


@st.composite
def _openai_turn(draw: st.DrawFn, number: int) -> list[dict[str, Any]]:
    """Draw a question, calls with their results, and a reply."""
    turn = [draw(_message("user", draw(texts | _openai_parts(texts))))]
    identifiers = [f"call_{number}_{call}" for call in range(draw(st.integers(0, 2)))]
    if identifiers:
        calls = [
            {
                "id": call,
                "type": "function",
                "function": {"name": draw(names), "arguments": json.dumps(draw(arguments))},
            }
            for call in identifiers
        ]
        turn.append(draw(_message("assistant", draw(st.none() | texts), tool_calls=calls)))
    for call in identifiers:
        content = draw(tool_outputs | _openai_parts(tool_outputs))
        turn.append(draw(_message("tool", content, tool_call_id=call)))
    refusal = st.fixed_dictionaries({"type": st.just("refusal"), "refusal": texts})
    return [*turn, draw(_message("assistant", draw(texts | st.lists(refusal, max_size=1))))]


@st.composite
def openai_conversations(draw: st.DrawFn, max_turns: int = 4) -> list[dict[str, Any]]:
    """Draw chat completion messages with calls, results, parts, images and unknown fields."""
    role = draw(st.sampled_from(("system", "developer")))
    system = [draw(_message(role, draw(prose)))] if draw(st.booleans()) else []
    turns = [draw(_openai_turn(number)) for number in range(draw(st.integers(1, max_turns)))]
    return [*system, *(message for turn in turns for message in turn)]


_IMAGE = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
}
_THINKING = (
    {"type": "thinking", "thinking": "look at the rows first", "signature": "c2ln"},
    {"type": "redacted_thinking", "data": "cmVkYWN0ZWQ="},
)


def _text_block(text: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    cached = st.sampled_from(({}, {"cache_control": {"type": "ephemeral"}}))
    return st.tuples(text, cached).map(lambda pair: {"type": "text", "text": pair[0], **pair[1]})


def _document(text: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    plain = text.map(lambda data: {"type": "text", "media_type": "text/plain", "data": data})
    parts = st.lists(_text_block(text), max_size=2).map(
        lambda content: {"type": "content", "content": content}
    )
    pdf = st.just({"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="})
    return (plain | parts | pdf).map(
        lambda source: {"type": "document", "source": source, "title": "a title"}
    )


def _anthropic_parts(text: st.SearchStrategy[str], max_size: int = 3) -> st.SearchStrategy[Any]:
    unknown = st.just({"type": "x_unknown", "content": "left alone"})
    return st.lists(
        _text_block(text) | _document(text) | st.just(_IMAGE) | unknown, max_size=max_size
    )


@st.composite
def _anthropic_turn(draw: st.DrawFn, number: int) -> list[dict[str, Any]]:
    turn = [draw(_message("user", draw(texts | _anthropic_parts(prose))))]
    identifiers = [f"toolu_{number}_{call}" for call in range(draw(st.integers(0, 2)))]
    if identifiers:
        thinking = draw(st.lists(st.sampled_from(_THINKING), max_size=2))
        texts_before = [draw(_text_block(texts))] if draw(st.booleans()) else []
        uses = [
            {"type": "tool_use", "id": use, "name": draw(names), "input": draw(arguments)}
            for use in identifiers
        ]
        turn.append(draw(_message("assistant", [*thinking, *texts_before, *uses])))
        turn.append(draw(_message("user", [draw(_anthropic_result(use)) for use in identifiers])))
    return [*turn, draw(_message("assistant", draw(texts)))]


@st.composite
def _anthropic_result(draw: st.DrawFn, use: str) -> dict[str, Any]:
    content = draw(st.none() | tool_outputs | _anthropic_parts(tool_outputs, max_size=2))
    extra = draw(
        st.sampled_from(({}, {"is_error": True}, {"cache_control": {"type": "ephemeral"}}))
    )
    return {"type": "tool_result", "tool_use_id": use, "content": content, **extra}


@st.composite
def anthropic_conversations(draw: st.DrawFn, max_turns: int = 4) -> list[dict[str, Any]]:
    """Draw messages of content blocks, with tools, documents, images and unknown blocks."""
    turns = [draw(_anthropic_turn(number)) for number in range(draw(st.integers(1, max_turns)))]
    return [message for turn in turns for message in turn]


_THOUGHT = {"text": "look at the rows first", "thought": True, "thought_signature": "c2ln"}
_GOOGLE_OTHERS = (
    {"inline_data": {"mime_type": "image/png", "data": "iVBORw0KGgo="}},
    {"file_data": {"file_uri": "gs://bucket/a.pdf", "mime_type": "application/pdf"}},
    {"executable_code": {"language": "PYTHON", "code": "print(1)"}},
    {"code_execution_result": {"outcome": "OUTCOME_OK", "output": "1"}},
    {"x_unknown": {"deep": [1, None]}},
)


def _google_parts(text: st.SearchStrategy[str], max_size: int = 3) -> st.SearchStrategy[list[Any]]:
    part = text.map(lambda value: {"text": value})
    return st.lists(part | text | st.sampled_from(_GOOGLE_OTHERS), max_size=max_size)


def _google_responses() -> st.SearchStrategy[dict[str, Any]]:
    """Return the responses of functions: texts, values and results of MCP servers."""
    keys = st.sampled_from(("result", "output", "content", "error"))
    mcp = tool_outputs.map(
        lambda text: {"content": [{"type": "text", "text": text}], "isError": False}
    )
    value = tool_outputs | rows(max_size=20) | arguments | mcp
    side_by_side = rows(max_size=20).map(
        lambda table: {"rows": table, "total": len(table), "next": None}
    )
    return st.dictionaries(keys, value, max_size=2) | side_by_side | mcp


@st.composite
def _google_turn(draw: st.DrawFn, number: int) -> list[dict[str, Any]]:
    turn = [draw(st.builds(lambda parts: {"role": "user", "parts": parts}, _google_parts(prose)))]
    call, answer = draw(
        st.sampled_from(
            (("function_call", "function_response"), ("functionCall", "functionResponse"))
        )
    )
    names_drawn = draw(st.lists(names, max_size=2))
    ids = [
        {"id": f"{number}-{n}"} if draw(st.booleans()) else {} for n, _ in enumerate(names_drawn)
    ]
    if names_drawn:
        calls = [
            {call: {"name": name, "args": draw(arguments), **ids[n]}}
            for n, name in enumerate(names_drawn)
        ]
        answers = [
            {answer: {"name": name, "response": draw(_google_responses()), **ids[n]}}
            for n, name in enumerate(names_drawn)
        ]
        turn.append(
            {"role": "model", "parts": [*draw(st.lists(st.just(_THOUGHT), max_size=1)), *calls]}
        )
        turn.append({"role": draw(st.sampled_from(("user", "function", "tool"))), "parts": answers})
    return [*turn, {"role": "model", "parts": draw(_google_parts(texts))}]


@st.composite
def google_conversations(draw: st.DrawFn, max_turns: int = 4) -> list[dict[str, Any]]:
    """Draw contents with calls and responses, thoughts, media and unknown parts."""
    turns = [draw(_google_turn(number)) for number in range(draw(st.integers(1, max_turns)))]
    return [message for turn in turns for message in turn]
