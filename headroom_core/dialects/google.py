"""The contents of Google's Gemini API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from headroom_core.dialects.access import (
    TextPath,
    compact_json,
    get_field,
    render_draft,
    result_values,
)
from headroom_core.dialects.base import (
    CallTracker,
    MessageReader,
    ParseState,
    Speaker,
)
from headroom_core.dialects.counting import CHAT_FIELDS, CountedFields
from headroom_core.dialects.joined import join_rows
from headroom_core.dialects.parts import read_json
from headroom_core.markers import pin_reason
from headroom_core.messages import Block, Draft, Outline

_SPEAKERS: dict[str | None, Speaker] = {
    None: "user",
    "system": "system",
    "user": "user",
    "model": "assistant",
    "function": "tool_result",
    "tool": "tool_result",
}

# The name of a field in the SDK's objects and in dicts, then the name in the API's JSON.
_CALL_NAMES = ("function_call", "functionCall")
_RESPONSE_NAMES = ("function_response", "functionResponse")
_SIGNATURE_NAMES = ("thought_signature", "thoughtSignature")

_SIGNED = "the model has signed this text"
_UNDECIDED = "the speaker of a string before the first content is not known yet"

GOOGLE_FIELDS = CountedFields(
    texts=(
        "parts",
        "text",
        "name",
        *_CALL_NAMES,
        *_RESPONSE_NAMES,
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


class GoogleDialect(MessageReader):
    """Dialect of contents made of parts: dicts, other mappings, strings, or the SDK's own objects.

    Texts are strings, parts with `text`, and the responses of functions. Each text in a response is
    a block of its own, even inside the result of an MCP server, and so is each list or object under
    one of its keys, shown as compact JSON; if it is rewritten, a string replaces it. The arguments
    of a call are shown in the same way and never written, and neither is a text that the model has
    signed. All else is carried: thoughts, media, executed code, and unknown parts.

    Example:
        >>> response = {"name": "jobs", "response": {"result": [{"id": 1}], "total": 1}}
        >>> content = {"role": "user", "parts": [{"function_response": response}]}
        >>> block = GoogleDialect().parse([content]).blocks[0]
        >>> block.path, block.text
        (('parts', 0, 'function_response', 'response', 'result'), '[{"id":1}]')
    """

    name: str = "google"
    # Chat messages may stand among the contents. They are carried, and paid for as well.
    counted_fields = CHAT_FIELDS | GOOGLE_FIELDS

    def matches(self, messages: Sequence[Any]) -> bool:
        """Return whether the first message with a role or parts is in this dialect's format."""
        for message in messages:
            if get_field(message, "parts") is not None or get_field(message, "role") == "model":
                return get_field(message, "content") is None
            if get_field(message, "role") is not None:
                return False
        return False

    def read_message(self, index: int, message: Any, state: ParseState) -> Outline:
        """Add the texts and calls of one content to the state, and return its outline."""
        speaker = _speaker_of(message)
        parts = _parts_of(message)
        if speaker is not None:
            state.only_strings = state.only_strings and isinstance(message, str)
            pinned = _UNDECIDED if state.only_strings else None
            for path, part in parts:
                place = Block(index, path, speaker, "", pinned=pinned)
                state.blocks += _read_part(part, place, state.calls)
        outline = state.calls.finish_message(speaker)
        if outline.kind == "user" and 0 < len(parts) == len(outline.answers):
            # A content of nothing but responses is a tool's.
            return replace(outline, kind="tool_result")
        return outline

    def build_draft(self, messages: Sequence[Any], state: ParseState) -> Draft:
        """Return the draft of contents that the state has read."""
        return replace(super().build_draft(messages, state), note=_write_note)

    def render(self, draft: Draft) -> list[Any]:
        """Return the contents with the draft's texts."""
        return render_draft(draft)


def _write_note(text: str) -> dict[str, Any]:
    return {"role": "user", "parts": [{"text": text}]}


def _speaker_of(message: Any) -> Speaker | None:
    if isinstance(message, str):
        return "user"
    role = get_field(message, "role")
    if get_field(message, "parts") is None and role != "model":
        return None
    return _SPEAKERS.get(role) if role is None or isinstance(role, str) else None


def _parts_of(message: Any) -> list[tuple[TextPath, Any]]:
    if isinstance(message, str):
        return [((), message)]
    parts = get_field(message, "parts")
    if isinstance(parts, (list, tuple)):
        return [(("parts", position), part) for position, part in enumerate(parts)]
    return [(("parts",), parts)]


def _read_part(part: Any, place: Block, calls: CallTracker) -> Iterator[Block]:
    """Yield the texts of one part.

    Args:
        part: The part, or a string.
        place: A block without text at the path of the part.
        calls: The calls so far. Those of the part are added.
    """
    if isinstance(part, str):
        yield from _read_string(part, place, place.path, place.pinned)
        return
    name = _find_name(part, _CALL_NAMES)
    if name is not None:
        yield from _read_call(name, get_field(part, name), place, calls)
        return
    name = _find_name(part, _RESPONSE_NAMES)
    if name is not None:
        yield from _read_response(name, get_field(part, name), place, calls)
        return
    if not get_field(part, "thought"):
        is_signed = _find_name(part, _SIGNATURE_NAMES) is not None
        pinned = _SIGNED if is_signed else None
        yield from _read_string(get_field(part, "text"), place, (*place.path, "text"), pinned)


def _read_string(text: Any, place: Block, path: TextPath, pinned: str | None) -> Iterator[Block]:
    if text and isinstance(text, str):
        yield Block(place.message, path, place.kind, text, pinned=pinned)


def _read_call(name: str, call: Any, place: Block, calls: CallTracker) -> Iterator[Block]:
    tool, args = _tool_of(call), get_field(call, "args")
    arguments = None if args is None else compact_json(args)
    calls.record_call(get_field(call, "id"), tool, arguments)
    if arguments is not None:
        path = (*place.path, name, "args")
        yield Block(place.message, path, "tool_call", arguments, tool=tool)


def _read_response(name: str, response: Any, place: Block, calls: CallTracker) -> Iterator[Block]:
    tool, arguments = calls.record_result(get_field(response, "id"), _tool_of(response))
    pinned = pin_reason(tool)
    place = Block(
        place.message,
        (*place.path, name, "response"),
        "tool_result",
        "",
        tool=tool,
        call=arguments,
        pinned=pinned,
    )
    values = get_field(response, "response")
    blocks = [
        block
        for path, value in result_values(values)
        if value
        for block in read_json(
            value, replace(place, path=(*place.path, *path), is_error=_is_error(values, path))
        )
    ]
    yield from join_rows(values, blocks, skipped=len(place.path))


def _is_error(values: Any, path: TextPath) -> bool:
    """Return whether a value of a response is an error, as Google or an MCP server marks one."""
    return (
        path[0] == "error"
        or get_field(values, "isError") is True
        or get_field(get_field(values, str(path[0])), "isError") is True
    )


def _find_name(part: Any, names: tuple[str, str]) -> str | None:
    """Return the name under which a part has a field. Only mappings have the second name."""
    for name in names if isinstance(part, (dict, Mapping)) else names[:1]:
        if get_field(part, name) is not None:
            return name
    return None


def _tool_of(holder: Any) -> str | None:
    name = get_field(holder, "name")
    return name if isinstance(name, str) else None
