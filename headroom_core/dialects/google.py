"""The contents of Google's Gemini API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from headroom_core.dialects.access import get_field, render_draft, result_values
from headroom_core.dialects.base import (
    CallTracker,
    MessageReader,
    ParseState,
    Speaker,
    compact_json,
)
from headroom_core.dialects.counting import CHAT_FIELDS, CountedFields
from headroom_core.markers import pin_reason
from headroom_core.messages import Block, Draft, Outline

_KINDS: dict[str | None, Speaker] = {
    None: "user",
    "system": "system",
    "user": "user",
    "model": "assistant",
    "function": "tool_result",
    "tool": "tool_result",
}
_CALLS = ("function_call", "functionCall")
_ANSWERS = ("function_response", "functionResponse")
GOOGLE_FIELDS = CountedFields(
    texts=(
        "parts",
        "text",
        "name",
        *_CALLS,
        *_ANSWERS,
        "executable_code",
        "executableCode",
        "code",
        "code_execution_result",
        "codeExecutionResult",
        "output",
    ),
    values=("args",),
    results=("response",),
    media=("inline_data", "inlineData", "file_data", "fileData"),
)
"""Fields of Google's contents that a model reads."""

_SIGNATURES = ("thought_signature", "thoughtSignature")
_SIGNED = "the model has signed this text"
_LEADING = "a string before the first content does not tell yet whose message it is"


class GoogleDialect(MessageReader):
    """Reads and writes contents made of parts: dicts, other mappings, plain strings, or the SDK's own objects.

    Text stands in strings, in parts with `text`, and in the responses of functions: each text in a response is a
    block of its own, also where it is a part of what an MCP server returned, and so is each list or object that
    stands under one of its keys, shown as compact JSON. Where such JSON is rewritten, a string takes its place.
    The arguments of a call are shown in the same way and never written, and a text that the model has signed is
    not written either. All else is carried: thoughts, media, executed code, and parts that are not known here.

    Example:
        >>> response = {"name": "jobs", "response": {"result": [{"id": 1}], "total": 1}}
        >>> draft = GoogleDialect().parse([{"role": "user", "parts": [{"function_response": response}]}])
        >>> draft.blocks[0].path, draft.blocks[0].text
        (('parts', 0, 'function_response', 'response', 'result'), '[{"id":1}]')
    """

    name: str = "google"
    # Messages of other formats may stand among the contents: they are carried, and cost as much.
    counted_fields = CHAT_FIELDS | GOOGLE_FIELDS

    def matches(self, messages: Sequence[Any]) -> bool:
        """Return whether the first message that has a role or parts is one of this dialect."""
        for message in messages:
            if get_field(message, "parts") is not None or get_field(message, "role") == "model":
                return get_field(message, "content") is None
            if get_field(message, "role") is not None:
                return False
        return False

    def read_message(self, index: int, message: Any, state: ParseState) -> Outline:
        """Add the texts of the message at an index to a state, and return the message's outline."""
        kind, parts = _kind(message), _parts(message)
        if kind is not None:
            state.leading = state.leading and isinstance(message, str)
            pinned = _LEADING if state.leading else None
            for path, part in parts:
                state.blocks += _part(
                    part, Block(index, path, kind, "", pinned=pinned), state.calls
                )
        return _outline(state.calls.outline(kind, mark=False), len(parts))

    def build_draft(self, messages: Sequence[Any], state: ParseState) -> Draft:
        """Return the draft of messages that were read."""
        return replace(super().build_draft(messages, state), note=_note)

    def render(self, draft: Draft) -> list[Any]:
        """Return the contents with the draft's texts."""
        return render_draft(draft)


def _note(text: str) -> dict[str, Any]:
    return {"role": "user", "parts": [{"text": text}]}


def _kind(message: Any) -> Speaker | None:
    if isinstance(message, str):
        return "user"
    role = get_field(message, "role")
    if get_field(message, "parts") is None and role != "model":
        return None
    return _KINDS.get(role) if role is None or isinstance(role, str) else None


def _outline(outline: Outline, parts: int) -> Outline:
    """Return a user's outline as that of a tool where all its parts are answers."""
    answers_alone = outline.kind == "user" and 0 < parts == len(outline.answers)
    return replace(outline, kind="tool_result") if answers_alone else outline


def _parts(message: Any) -> list[tuple[tuple[str | int, ...], Any]]:
    if isinstance(message, str):
        return [((), message)]
    parts = get_field(message, "parts")
    if isinstance(parts, (list, tuple)):
        return [(("parts", position), part) for position, part in enumerate(parts)]
    return [(("parts",), parts)]


def _part(part: Any, at: Block, calls: CallTracker) -> Iterator[Block]:
    """Yield the texts of one part; `at` is a block without text that stands where it stands."""
    if isinstance(part, str):
        yield from _said(part, at, at.path, at.pinned)
    elif (held := _held(part, _CALLS)) is not None:
        yield from _call(*held, at, calls)
    elif (held := _held(part, _ANSWERS)) is not None:
        yield from _answer(*held, at, calls)
    elif not get_field(part, "thought"):
        pinned = None if _held(part, _SIGNATURES) is None else _SIGNED
        yield from _said(get_field(part, "text"), at, (*at.path, "text"), pinned)


def _said(text: Any, at: Block, path: tuple[str | int, ...], pinned: str | None) -> Iterator[Block]:
    if text and isinstance(text, str):
        yield Block(at.message, path, at.kind, text, pinned=pinned)


def _call(key: str, call: Any, at: Block, calls: CallTracker) -> Iterator[Block]:
    tool, given = _name(call), get_field(call, "args")
    arguments = None if given is None else compact_json(given)
    calls.record_call(get_field(call, "id"), tool, arguments)
    if arguments is not None:
        yield Block(at.message, (*at.path, key, "args"), "tool_call", arguments, tool)


def _answer(key: str, answer: Any, at: Block, calls: CallTracker) -> Iterator[Block]:
    tool, call = calls.record_result(get_field(answer, "id"), _name(answer))
    pinned = pin_reason(tool)
    for path, value in result_values(get_field(answer, "response")):
        text = compact_json(value) if isinstance(value, (dict, list, tuple)) else value
        if value and isinstance(text, str):
            below = (*at.path, key, "response", *path)
            yield Block(at.message, below, "tool_result", text, tool, call, pinned)


def _held(part: Any, names: tuple[str, str]) -> tuple[str, Any] | None:
    """Return under which of its two names a part holds something, and what; only mappings have the second name."""
    for name in names if isinstance(part, (dict, Mapping)) else names[:1]:
        if (value := get_field(part, name)) is not None:
            return name, value
    return None


def _name(holder: Any) -> str | None:
    name = get_field(holder, "name")
    return name if isinstance(name, str) else None
