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
    compact_json,
    has_cache_breakpoint,
)
from headroom_core.markers import pin_reason
from headroom_core.messages import Block, Draft, Outline

_KINDS: dict[str, Speaker] = {"system": "system", "user": "user", "assistant": "assistant"}
_CALLS = ("tool_use", "server_tool_use", "mcp_tool_use")
_OWN_PARTS = (*_CALLS, "tool_result", "document", "search_result")
_FOREIGN_ROLES = ("tool", "function")


class AnthropicDialect(MessageReader):
    """Reads and writes messages of content blocks: dicts, other mappings, or the SDK's own objects.

    Text stands in strings, in blocks of type `text`, in tool results, and in documents and search results.
    The input of a tool use is shown as compact JSON and never written. All else is carried: images, thinking,
    redacted thinking, what the server's own tools returned, and blocks that are not known here.

    Example:
        >>> dialect = AnthropicDialect()
        >>> result = {"type": "tool_result", "tool_use_id": "t1", "content": "42"}
        >>> dialect.parse([{"role": "user", "content": [result]}]).blocks[0].path
        ('content', 0, 'content')
    """

    name: str = "anthropic"

    def matches(self, messages: Sequence[Any]) -> bool:
        """Return whether blocks that only this dialect reads come before any sign of another dialect.

        The first sign decides, so that a conversation keeps its dialect as it grows.
        """
        for message in messages:
            if get_field(message, "role") in _FOREIGN_ROLES or get_field(message, "tool_calls"):
                return False
            if any(
                get_field(part, "type") in _OWN_PARTS
                for part in as_items(get_field(message, "content"))
            ):
                return True
        return False

    def read_message(self, index: int, message: Any, state: ParseState) -> Outline:
        """Add the texts of the message at an index to a state, and return the message's outline."""
        role = get_field(message, "role")
        kind = _KINDS.get(role) if isinstance(role, str) else None
        if kind is not None:
            at, content = Block(index, ("content",), kind, ""), get_field(message, "content")
            state.blocks += _string(content, at)
            for position, part in enumerate(as_items(content)):
                state.blocks += parse_anthropic_part(part, _below(at, position), state.calls)
        return state.calls.outline(_speaker(message, kind), mark=_marked(message))

    def render(self, draft: Draft) -> list[Any]:
        """Return the messages with the draft's texts."""
        return render_draft(draft)


def _marked(message: Any) -> bool:
    return get_field(message, "cache_control") is not None or has_cache_breakpoint(
        get_field(message, "content")
    )


def _speaker(message: Any, kind: Speaker | None) -> Speaker | None:
    """Return who speaks: a tool where a user's message holds results and nothing else."""
    parts = as_items(get_field(message, "content")) if kind == "user" else ()
    return (
        "tool_result"
        if parts and all(get_field(part, "type") == "tool_result" for part in parts)
        else kind
    )


def parse_anthropic_part(part: Any, at: Block, calls: CallTracker) -> Iterator[Block]:
    """Yield the texts of one block of a message's content, which other dialects' messages may hold too.

    Args:
        part: the block, or a string.
        at: a block without text that stands where the part stands.
        calls: the calls so far; those of the part are added.

    Example:
        >>> found = {"type": "search_result", "source": "a.md", "content": [{"type": "text", "text": "42"}]}
        >>> [(text.path, text.kind) for text in parse_anthropic_part(found, Block(0, ("content", 1), "tool_result", ""), CallTracker())]
        [(('content', 1, 'content', 0, 'text'), 'document')]
    """
    kind = get_field(part, "type")
    if kind in _CALLS:
        yield from _call(part, _below(at, "input"), calls)
    elif kind == "tool_result":
        yield from _result(get_field(part, "content"), _answer(part, _below(at, "content"), calls))
    else:
        if (identifier := get_field(part, "tool_use_id")) is not None:
            # What one of the server's own tools returned: carried, but it goes with its call.
            calls.record_result(identifier, None)
        yield from _passage(part, at)


def _call(part: Any, at: Block, calls: CallTracker) -> Iterator[Block]:
    name, arguments = get_field(part, "name"), compact_json(get_field(part, "input"))
    tool = name if isinstance(name, str) else None
    calls.record_call(get_field(part, "id"), tool, arguments)
    if arguments is not None:
        yield replace(at, kind="tool_call", text=arguments, tool=tool)


def _answer(part: Any, at: Block, calls: CallTracker) -> Block:
    tool, call = calls.record_result(get_field(part, "tool_use_id"), None)
    return replace(at, kind="tool_result", tool=tool, call=call, pinned=pin_reason(tool))


def _result(content: Any, at: Block) -> Iterator[Block]:
    yield from _string(content, at)
    for position, part in enumerate(as_items(content)):
        yield from _passage(part, _below(at, position))


def _passage(part: Any, at: Block) -> Iterator[Block]:
    """Yield the texts of a text, a document or a search result."""
    kind = get_field(part, "type")
    if kind == "document":
        source = get_field(part, "source")
        inside = replace(_below(at, "source"), kind="document")
        if get_field(source, "type") == "text":
            yield from _string(get_field(source, "data"), _below(inside, "data"))
        elif get_field(source, "type") == "content":
            yield from _texts(get_field(source, "content"), _below(inside, "content"))
    elif kind == "search_result":
        yield from _texts(
            get_field(part, "content"), replace(_below(at, "content"), kind="document")
        )
    else:
        yield from _text(part, at)


def _texts(content: Any, at: Block) -> Iterator[Block]:
    yield from _string(content, at)
    for position, part in enumerate(as_items(content)):
        yield from _text(part, _below(at, position))


def _text(part: Any, at: Block) -> Iterator[Block]:
    yield from _string(part, at)
    if get_field(part, "type") == "text":
        yield from _string(get_field(part, "text"), _below(at, "text"))


def _string(value: Any, at: Block) -> Iterator[Block]:
    if isinstance(value, str) and value:
        yield Block(at.message, at.path, at.kind, value, at.tool, at.call, at.pinned)


def _below(at: Block, key: str | int) -> Block:
    # Several times faster than `replace`, and every text of a conversation passes here.
    return Block(at.message, (*at.path, key), at.kind, at.text, at.tool, at.call, at.pinned)
