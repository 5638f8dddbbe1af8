"""Read the parts of a content that hold text, in whatever format they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from headroom_core.dialects.access import as_items, compact_json, get_field
from headroom_core.dialects.base import CallTracker
from headroom_core.messages import Block

CITED = "citations are enabled: answers cite places in this text"

_MAX_DEPTH = 4
"""Levels of parts inside parts that are read. A part may refer to itself."""

_OPAQUE_TYPES = frozenset(
    (
        "thinking",
        "redacted_thinking",
        "reasoning",
        "reasoning_content",
        "compaction",
        "guard_content",
        "executable_code",
        "code_execution_result",
    )
)
"""Types of parts whose texts belong to the model or its provider, and are carried."""


def read_part(part: Any, place: Block, depth: int = _MAX_DEPTH) -> Iterator[Block]:
    """Yield the texts of a part.

    These are the `text` of a part of any type or of none, the texts of documents, search results
    and embedded resources, and JSON values in parts of type `json`, as compact JSON. Parts of type
    `non_standard` hold another part. A text of which answers may cite places is pinned.

    Args:
        part: The part, or a string.
        place: A block without text at the path of the part.
        depth: Levels of parts inside parts to read.

    Example:
        >>> place = Block(0, ("content", 1), "tool_result", "")
        >>> part = {"type": "resource", "resource": {"uri": "a.txt", "text": "42"}}
        >>> [block.path for block in read_part(part, place)]
        [('content', 1, 'resource', 'text')]
    """
    if isinstance(part, str):
        yield from read_string(part, place)
        return
    part_type = get_field(part, "type")
    is_known = part_type is None or isinstance(part_type, str)
    if not (is_known and depth) or part_type in _OPAQUE_TYPES:
        return
    if part_type == "document":
        yield from read_document(part, place)
    elif part_type == "search_result":
        place = as_document(part, below(place, "content"))
        yield from read_parts(get_field(part, "content"), place, depth - 1)
    elif part_type == "resource":
        yield from read_part(get_field(part, "resource"), below(place, "resource"), depth - 1)
    elif part_type == "json":
        yield from read_json(get_field(part, "json"), below(place, "json"))
    elif part_type == "non_standard":
        yield from read_part(get_field(part, "value"), below(place, "value"), depth - 1)
    else:
        yield from read_string(get_field(part, "text"), below(place, "text"))


def read_parts(content: Any, place: Block, depth: int = _MAX_DEPTH) -> Iterator[Block]:
    """Yield the texts of a content, which is a string or a list of parts."""
    yield from read_string(content, place)
    for position, part in enumerate(as_items(content)):
        yield from read_part(part, below(place, position), depth)


def read_document(part: Any, place: Block) -> Iterator[Block]:
    """Yield the texts of a document of Anthropic's Messages API."""
    source = get_field(part, "source")
    place = as_document(part, below(place, "source"))
    if get_field(source, "type") == "text":
        yield from read_string(get_field(source, "data"), below(place, "data"))
    elif get_field(source, "type") == "content":
        yield from read_parts(get_field(source, "content"), below(place, "content"), depth=1)


def read_json(value: Any, place: Block) -> Iterator[Block]:
    """Yield a JSON value as compact JSON, or a string as it is."""
    if isinstance(value, (dict, list, tuple)):
        value = compact_json(value)
    yield from read_string(value, place)


def read_string(value: Any, place: Block) -> Iterator[Block]:
    """Yield a value, if it is a string with text in it."""
    if isinstance(value, str) and value:
        yield with_text(place, value)


def as_document(holder: Any, place: Block) -> Block:
    """Return a block for a text of a document, which is pinned if answers may cite places in it."""
    is_cited = get_field(get_field(holder, "citations"), "enabled")
    return replace(place, kind="document", pinned=CITED if is_cited else place.pinned)


def read_tool_use(call: Any, place: Block, calls: CallTracker, *, id_field: str) -> Iterator[Block]:
    """Yield the `input` of a tool use as compact JSON, and add the call to the calls.

    Args:
        call: Holds the tool's name and input.
        place: A block without text at the path of the input.
        calls: The calls so far.
        id_field: Field of the call's id.
    """
    name = get_field(call, "name")
    tool = name if isinstance(name, str) else None
    value = get_field(call, "input")
    arguments = None if value is None else compact_json(value)
    calls.record_call(get_field(call, id_field), tool, arguments)
    if arguments is not None:
        yield replace(place, kind="tool_call", text=arguments, tool=tool)


def with_text(place: Block, text: str) -> Block:
    """Return a block at the same place, with a text that was received."""
    # Several times faster than `replace`, and every text of a conversation passes here.
    return Block(
        place.message,
        place.path,
        place.kind,
        text,
        tool=place.tool,
        call=place.call,
        pinned=place.pinned,
        is_error=place.is_error,
    )


def below(place: Block, key: str | int) -> Block:
    """Return a block whose path is longer by a key."""
    return Block(
        place.message,
        (*place.path, key),
        place.kind,
        place.text,
        tool=place.tool,
        call=place.call,
        pinned=place.pinned,
        is_error=place.is_error,
    )
