"""Warnings of messages, and of values in them, that the dialect of a conversation does not read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from headroom_core.dialects.access import TextPath, get_field, is_mapping
from headroom_core.dialects.base import Dialect, MessageReader
from headroom_core.dialects.counting import CountedFields
from headroom_core.messages import Draft

_KIND = re.compile(r"[A-Za-z][\w.-]{0,39}")
"""A role or a type as formats name them. Anything else may be a text of the user."""

_CONTENT_FIELDS = ("content", "output", "parts")
_COUNTED_TYPES = (str, int, float)
"""Types of values that are texts, or that take no room."""

_RESULT_FIELDS = ("toolResult",)
_MAX_DEPTH = 3
"""Levels of contents inside contents: a part holds a result, and that has a content."""


def unread_warnings(draft: Draft, dialect: Dialect) -> Iterator[str]:
    """Yield a warning of all messages that a dialect does not know, and one of all odd values.

    The warnings hold nothing of the texts.

    Args:
        draft: The messages as the dialect read them.
        dialect: The dialect.

    Example:
        >>> from headroom_core.dialects.openai import OpenAIDialect
        >>> dialect = OpenAIDialect()
        >>> draft = dialect.parse([{"role": "tool", "content": {"rows": [1, 2]}}])
        >>> [warning[:42] for warning in unread_warnings(draft, dialect)]
        ['values were passed through unread, and cou']
    """
    unread = [
        _kind_of(message)
        for message, outline in zip(draft.messages, draft.outlines)
        if outline.kind is None
    ]
    if unread:
        yield (
            f"messages were passed through unread, because the format {dialect.name} does not know "
            f"them: {_join(unread)}; give them a role of the format, or name another with dialect="
        )
    odd = _odd_values(draft, dialect.counted_fields) if isinstance(dialect, MessageReader) else []
    if odd:
        yield (
            "values were passed through unread, and count by an estimate, because the format "
            f"{dialect.name} has none of their type: {_join(odd)}; give texts, or parts with a type"
        )


def _join(kinds: list[str]) -> str:
    return ", ".join(dict.fromkeys(kinds))


def _kind_of(message: Any) -> str:
    """Return how a message names its kind, without any of its texts."""
    for name in ("role", "type"):
        value = get_field(message, name)
        if isinstance(value, str) and _KIND.fullmatch(value):
            return f"{name} {value!r}"
    return type(message).__name__


def _odd_values(draft: Draft, counted: CountedFields) -> list[str]:
    """Return the kinds of the values in contents that are neither texts nor parts.

    Parts are mappings or objects that name their type, or have a field that a model reads.
    """
    odd = [
        (index, path, value)
        for index, (message, outline) in enumerate(zip(draft.messages, draft.outlines))
        # Most contents are strings, and hold no other values.
        if outline.kind is not None and not isinstance(get_field(message, "content"), str)
        for path, value in _unread_below(message, (), counted, _MAX_DEPTH)
    ]
    # A dialect may read them all the same.
    lengths = {len(path) for _, path, _ in odd}
    read = {(block.message, block.path[:length]) for block in draft.blocks for length in lengths}
    return [
        f"{path[0]} of type {type(value).__name__}"
        for index, path, value in odd
        if (index, path) not in read
    ]


def _unread_below(
    holder: Any, path: TextPath, counted: CountedFields, depth: int
) -> Iterator[tuple[TextPath, Any]]:
    for name in _CONTENT_FIELDS:
        content = get_field(holder, name)
        if not content or isinstance(content, _COUNTED_TYPES):
            continue
        place = (*path, name)
        if not isinstance(content, (list, tuple)):
            # A message has a list of parts. Only in parts and outputs may one stand by itself.
            if not _is_part(content, counted) or (name == "content" and not path):
                yield place, content
            continue
        for position, part in enumerate(content):
            if not part or isinstance(part, _COUNTED_TYPES):
                continue
            if not _is_part(part, counted):
                yield (*place, position), part
            elif depth:
                yield from _unread_below(part, (*place, position), counted, depth - 1)
    for name in _RESULT_FIELDS:
        result = get_field(holder, name)
        if result is not None and depth:
            yield from _unread_below(result, (*path, name), counted, depth - 1)


def _is_part(value: Any, counted: CountedFields) -> bool:
    if not is_mapping(value) and not hasattr(value, "model_dump"):
        return False
    return isinstance(get_field(value, "type"), str) or counted.knows(value)
