"""The messages of OpenAI's chat completions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from headroom_core.dialects.access import as_items, get_field, render_draft
from headroom_core.dialects.base import (
    CallTracker,
    MessageReader,
    ParseState,
    Speaker,
    has_cache_breakpoint,
)
from headroom_core.markers import pin_reason
from headroom_core.messages import Block, Draft, Outline

_Path = tuple[str | int, ...]

_KINDS: dict[str, Speaker] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool_result",
    "function": "tool_result",
}
_TEXT_PARTS = ("text", "refusal")


class OpenAIDialect(MessageReader):
    """Reads and writes chat completion messages: dicts, other mappings, or the SDK's own objects.

    Text stands in `content` (a string, or parts of type `text` and `refusal`), in `refusal`, and in the
    arguments of calls. All else is carried: images, audio, files, parts and roles that are not known here.

    Example:
        >>> dialect = OpenAIDialect()
        >>> draft = dialect.parse([{"role": "user", "content": "hi"}])
        >>> draft.blocks[0].kind, draft.blocks[0].path
        ('user', ('content',))
    """

    name: str = "openai"

    def matches(self, messages: Sequence[Any]) -> bool:
        """Return whether any message has a role of this dialect."""
        return any(_kind(message) is not None for message in messages)

    def read_message(self, index: int, message: Any, state: ParseState) -> Outline:
        """Add the texts of the message at an index to a state, and return the message's outline."""
        kind = _kind(message)
        if kind is not None:
            state.blocks += _said(index, message, kind, state.calls)
            state.blocks += _called(index, message, state.calls)
        return state.calls.outline(kind, mark=_marked(message))

    def render(self, draft: Draft) -> list[Any]:
        """Return the messages with the draft's texts."""
        return render_draft(draft)


def _kind(message: Any) -> Speaker | None:
    role = get_field(message, "role")
    return _KINDS.get(role) if isinstance(role, str) else None


def _said(index: int, message: Any, kind: Speaker, calls: CallTracker) -> list[Block]:
    """Return the texts of the content, and of the refusal beside it."""
    tool = call = pinned = None
    if kind == "tool_result":
        tool, call = calls.record_result(
            get_field(message, "tool_call_id"), _string(message, "name")
        )
        pinned = pin_reason(tool)
    texts = _texts(message)
    return [
        Block(index, path, kind, text, tool, call, pinned)
        for path, text in texts
        if isinstance(text, str) and text
    ]


def _texts(message: Any) -> list[tuple[_Path, Any]]:
    content = get_field(message, "content")
    texts: list[tuple[_Path, Any]] = [(("content",), content)]
    for position, part in enumerate(as_items(content)):
        texts.append((("content", position), part))
        if (key := get_field(part, "type")) in _TEXT_PARTS:
            texts.append((("content", position, key), get_field(part, key)))
    texts.append((("refusal",), get_field(message, "refusal")))
    return texts


def _called(index: int, message: Any, calls: CallTracker) -> Iterator[Block]:
    """Yield the arguments of the calls that the message makes."""
    for identifier, call, path in _calls(message):
        name, arguments = _string(call, "name"), _string(call, str(path[-1]))
        calls.record_call(identifier, name, arguments)
        if arguments:
            yield Block(index, path, "tool_call", arguments, name)


def _calls(message: Any) -> Iterator[tuple[Any, Any, _Path]]:
    """Yield of every call its id, what is called, and where its arguments stand."""
    for position, call in enumerate(as_items(get_field(message, "tool_calls"))):
        for form, key in (("function", "arguments"), ("custom", "input")):
            if (made := get_field(call, form)) is not None:
                yield get_field(call, "id"), made, ("tool_calls", position, form, key)
    if (made := get_field(message, "function_call")) is not None:
        yield None, made, ("function_call", "arguments")


def _marked(message: Any) -> bool:
    """Return whether the message, a part of its content or one of its calls holds a cache breakpoint."""
    if get_field(message, "cache_control") is not None or has_cache_breakpoint(
        get_field(message, "content")
    ):
        return True
    return has_cache_breakpoint(get_field(message, "tool_calls"))


def _string(holder: Any, key: str) -> str | None:
    value = get_field(holder, key)
    return value if isinstance(value, str) else None
