"""The messages of OpenAI's chat completions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
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
from headroom_core.dialects.joined import join_rows
from headroom_core.dialects.parts import below, read_part, read_string
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


class OpenAIDialect(MessageReader):
    """Dialect of chat completion messages: dicts, other mappings, or the SDK's own objects.

    Texts are the `content` (a string, or parts with `text`, `json`, a document or a resource), the
    `refusal`, and the arguments of calls. All else is carried: images, audio, files, unknown parts
    and roles.

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
            state.blocks += self._read_content(index, message, speaker, state.calls)
            state.blocks += _read_calls(index, message, state.calls)
        return state.calls.finish_message(speaker, has_breakpoint=_has_breakpoint(message))

    def read_part(self, part: Any, place: Block) -> Iterator[Block]:
        """Yield the texts of a part of a content.

        Args:
            part: The part, or a string.
            place: A block without text at the path of the part.
        """
        if get_field(part, "type") == "refusal":
            yield from read_string(get_field(part, "refusal"), below(place, "refusal"))
        else:
            yield from read_part(part, place)

    def _read_content(
        self, index: int, message: Any, speaker: Speaker, calls: CallTracker
    ) -> Iterator[Block]:
        """Yield the texts of the content and of the refusal."""
        tool = arguments = pinned = None
        if speaker == "tool_result":
            tool, arguments = calls.record_result(
                get_field(message, "tool_call_id"), get_string(message, "name")
            )
            pinned = pin_reason(tool)
        content = get_field(message, "content")
        place = Block(index, ("content",), speaker, "", tool=tool, call=arguments, pinned=pinned)
        yield from read_string(content, place)
        parts = [
            block
            for position, part in enumerate(as_items(content))
            for block in self.read_part(part, below(place, position))
        ]
        yield from join_rows(message, parts)
        yield from read_string(get_field(message, "refusal"), replace(place, path=("refusal",)))

    def render(self, draft: Draft) -> list[Any]:
        """Return the messages with the draft's texts."""
        return render_draft(draft)


def _speaker_of(message: Any) -> Speaker | None:
    role = get_field(message, "role")
    return _SPEAKERS.get(role) if isinstance(role, str) else None


def _read_calls(index: int, message: Any, calls: CallTracker) -> Iterator[Block]:
    """Record the calls of a message, and yield their arguments."""
    for call_id, function, path in _find_calls(message):
        tool = get_string(function, "name")
        arguments = get_string(function, str(path[-1]))
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


def get_string(holder: Any, key: str) -> str | None:
    """Return the value of a field if it is a string."""
    value = get_field(holder, key)
    return value if isinstance(value, str) else None
