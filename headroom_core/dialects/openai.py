"""The messages of OpenAI's chat completions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from headroom_core.dialects.access import TextPath, as_items, get_field, render_draft
from headroom_core.dialects.base import (
    CallTracker,
    MessageReader,
    ParseState,
    Speaker,
    has_cache_breakpoint,
)
from headroom_core.dialects.counting import CHAT_FIELDS
from headroom_core.markers import pin_reason
from headroom_core.messages import Block, Draft, Outline

_SPEAKERS: dict[str, Speaker] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool_result",
    "function": "tool_result",
}
_TEXT_TYPES = ("text", "refusal")


class OpenAIDialect(MessageReader):
    """Dialect of chat completion messages: dicts, other mappings, or the SDK's own objects.

    Texts are the `content` (a string, or parts of type `text` and `refusal`), the `refusal`, and
    the arguments of calls. All else is carried: images, audio, files, unknown parts and roles.

    Example:
        >>> dialect = OpenAIDialect()
        >>> draft = dialect.parse([{"role": "user", "content": "hi"}])
        >>> draft.blocks[0].kind, draft.blocks[0].path
        ('user', ('content',))
    """

    name: str = "openai"
    counted_fields = CHAT_FIELDS

    def matches(self, messages: Sequence[Any]) -> bool:
        """Return whether any message has a role of this dialect."""
        return any(_speaker_of(message) is not None for message in messages)

    def read_message(self, index: int, message: Any, state: ParseState) -> Outline:
        """Add the texts and calls of one message to the state, and return its outline."""
        speaker = _speaker_of(message)
        if speaker is not None:
            state.blocks += _read_content(index, message, speaker, state.calls)
            state.blocks += _read_calls(index, message, state.calls)
        return state.calls.finish_message(speaker, has_breakpoint=_has_breakpoint(message))

    def render(self, draft: Draft) -> list[Any]:
        """Return the messages with the draft's texts."""
        return render_draft(draft)


def _speaker_of(message: Any) -> Speaker | None:
    role = get_field(message, "role")
    return _SPEAKERS.get(role) if isinstance(role, str) else None


def _read_content(index: int, message: Any, speaker: Speaker, calls: CallTracker) -> list[Block]:
    """Return the texts of the content and of the refusal."""
    tool = arguments = pinned = None
    if speaker == "tool_result":
        tool, arguments = calls.record_result(
            get_field(message, "tool_call_id"), _get_string(message, "name")
        )
        pinned = pin_reason(tool)
    return [
        Block(index, path, speaker, text, tool=tool, call=arguments, pinned=pinned)
        for path, text in _candidate_texts(message)
        if isinstance(text, str) and text
    ]


def _candidate_texts(message: Any) -> list[tuple[TextPath, Any]]:
    """Return the values that are texts if they are strings, with their paths."""
    content = get_field(message, "content")
    candidates: list[tuple[TextPath, Any]] = [(("content",), content)]
    for position, part in enumerate(as_items(content)):
        candidates.append((("content", position), part))
        part_type = get_field(part, "type")
        if part_type in _TEXT_TYPES:
            candidates.append((("content", position, part_type), get_field(part, part_type)))
    candidates.append((("refusal",), get_field(message, "refusal")))
    return candidates


def _read_calls(index: int, message: Any, calls: CallTracker) -> Iterator[Block]:
    """Record the calls of a message, and yield their arguments."""
    for call_id, function, path in _find_calls(message):
        tool = _get_string(function, "name")
        arguments = _get_string(function, str(path[-1]))
        calls.record_call(call_id, tool, arguments)
        if arguments:
            yield Block(index, path, "tool_call", arguments, tool=tool)


def _find_calls(message: Any) -> Iterator[tuple[Any, Any, TextPath]]:
    """Yield the id of each call, the function that it calls, and the path of its arguments."""
    for position, call in enumerate(as_items(get_field(message, "tool_calls"))):
        for call_type, key in (("function", "arguments"), ("custom", "input")):
            function = get_field(call, call_type)
            if function is not None:
                yield get_field(call, "id"), function, ("tool_calls", position, call_type, key)
    function = get_field(message, "function_call")
    if function is not None:
        yield None, function, ("function_call", "arguments")


def _has_breakpoint(message: Any) -> bool:
    """Return whether the message, a part of its content or one of its calls has a breakpoint."""
    return (
        get_field(message, "cache_control") is not None
        or has_cache_breakpoint(get_field(message, "content"))
        or has_cache_breakpoint(get_field(message, "tool_calls"))
    )


def _get_string(holder: Any, key: str) -> str | None:
    value = get_field(holder, key)
    return value if isinstance(value, str) else None
