"""The messages of Anthropic's Messages API."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from headroom_core.dialects.access import as_items, get_field, render_draft
from headroom_core.dialects.base import (
    CallTracker,
    MessageReader,
    ParseState,
    Speaker,
    has_cache_breakpoint,
)
from headroom_core.dialects.counting import CHAT_FIELDS
from headroom_core.dialects.joined import join_rows
from headroom_core.dialects.parts import (
    below,
    read_part,
    read_parts,
    read_string,
    read_tool_use,
)
from headroom_core.markers import pin_reason
from headroom_core.messages import Block, Draft, Outline

_SPEAKERS: dict[str, Speaker] = {"system": "system", "user": "user", "assistant": "assistant"}
_CALL_TYPES = ("tool_use", "server_tool_use", "mcp_tool_use")

# Signs by which a conversation is recognised: parts that no other format here has, and roles that
# this format does not have.
_OWN_TYPES = (*_CALL_TYPES, "tool_result", "document", "search_result")
_FOREIGN_ROLES = ("developer", "tool", "function")


class AnthropicDialect(MessageReader):
    """Dialect of messages made of content blocks: dicts, other mappings, or the SDK's own objects.

    Texts are strings, tool results, documents and search results, and the `text` and `json` of all
    other blocks. The input of a tool use is shown as compact JSON and never written. All else is
    carried: images, thinking, redacted thinking, the results of the server's own tools, and
    documents of which answers cite places.

    Example:
        >>> dialect = AnthropicDialect()
        >>> result = {"type": "tool_result", "tool_use_id": "t1", "content": "42"}
        >>> dialect.parse([{"role": "user", "content": [result]}]).blocks[0].path
        ('content', 0, 'content')
    """

    name: str = "anthropic"
    counted_fields = CHAT_FIELDS

    def matches(self, messages: Sequence[Any]) -> bool:
        """Return whether a part of this dialect comes before any sign of another dialect.

        The first sign decides, so a conversation keeps its dialect as it grows.
        """
        for message in messages:
            if get_field(message, "role") in _FOREIGN_ROLES or get_field(message, "tool_calls"):
                return False
            parts = as_items(get_field(message, "content"))
            if any(get_field(part, "type") in _OWN_TYPES for part in parts):
                return True
        return False

    def read_message(self, index: int, message: Any, state: ParseState) -> Outline:
        """Add the texts and calls of one message to the state, and return its outline."""
        role = get_field(message, "role")
        speaker = _SPEAKERS.get(role) if isinstance(role, str) else None
        content = get_field(message, "content")
        if speaker is not None:
            place = Block(index, ("content",), speaker, "")
            state.blocks += read_string(content, place)
            for position, part in enumerate(as_items(content)):
                state.blocks += parse_anthropic_part(part, below(place, position), state.calls)
        if speaker == "user" and _has_only_results(content):
            speaker = "tool_result"
        has_breakpoint = get_field(message, "cache_control") is not None
        return state.calls.finish_message(
            speaker, has_breakpoint=has_breakpoint or has_cache_breakpoint(content)
        )

    def render(self, draft: Draft) -> list[Any]:
        """Return the messages with the draft's texts."""
        return render_draft(draft)


def _has_only_results(content: Any) -> bool:
    parts = as_items(content)
    return bool(parts) and all(get_field(part, "type") == "tool_result" for part in parts)


def parse_anthropic_part(part: Any, place: Block, calls: CallTracker) -> Iterator[Block]:
    """Yield the texts of one part of a content, which messages of other formats may hold too.

    Args:
        part: The part, or a string.
        place: A block without text at the path of the part.
        calls: The calls so far. Those of the part are added.

    Example:
        >>> text = {"type": "text", "text": "42"}
        >>> part = {"type": "search_result", "source": "a.md", "content": [text]}
        >>> place = Block(0, ("content", 1), "tool_result", "")
        >>> [(block.path, block.kind) for block in parse_anthropic_part(part, place, CallTracker())]
        [(('content', 1, 'content', 0, 'text'), 'document')]
    """
    part_type = get_field(part, "type")
    if part_type in _CALL_TYPES:
        yield from read_tool_use(part, below(place, "input"), calls, id_field="id")
    elif part_type == "tool_result":
        yield from _read_result(part, below(place, "content"), calls)
    else:
        call_id = get_field(part, "tool_use_id")
        if call_id is not None:
            # The result of one of the server's own tools: carried, but it goes with its call.
            calls.record_result(call_id, None)
        yield from read_part(part, place)


def _read_result(part: Any, place: Block, calls: CallTracker) -> Iterator[Block]:
    tool, arguments = calls.record_result(get_field(part, "tool_use_id"), None)
    place = replace(
        place,
        kind="tool_result",
        tool=tool,
        call=arguments,
        pinned=pin_reason(tool),
        is_error=get_field(part, "is_error") is True,
    )
    yield from join_rows(
        part, [*read_parts(get_field(part, "content"), place)], skipped=len(place.path) - 1
    )
