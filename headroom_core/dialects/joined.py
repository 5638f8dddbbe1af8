"""Rows that arrive as many parts of one content, an object each, read as one array."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from typing import Any

from headroom_core.dialects.access import get_field, is_mapping, part_spot, value_at
from headroom_core.messages import Block
from headroom_core.text import python_literal

_MIN_ROWS = 5
"""Number of parts from which they are taken for the rows of one array."""

_PLAIN_FIELDS = frozenset(("type", "block_type", "text", "json", "id", "index", "annotations"))
"""Fields of a part that has nothing but a text. Frameworks make up the ids of parts."""

# The start of a dict as Python writes it.
_PYTHON_START = re.compile(r"\{\s*'")

_PLAIN_DOCUMENT_FIELDS = ("data",)
"""Fields of a document that has nothing but data. Answers cite the id of one that has an id."""


def join_rows(holder: Any, blocks: Sequence[Block], skipped: int = 0) -> Iterator[Block]:
    """Yield the blocks of a tool's result, with parts that hold one object each as one array.

    The objects are JSON, or dicts as Python writes them. MCP servers return a part for each item.
    Read as one array, the items become one table.

    Args:
        holder: The message, or a part of it, that the blocks were read from.
        blocks: The blocks.
        skipped: Number of keys in the blocks' paths that lead to the holder.

    Example:
        >>> parts = [{"type": "text", "text": f'{{"id": {n}}}'} for n in range(5)]
        >>> blocks = [
        ...     Block(0, ("content", n, "text"), "tool_result", part["text"])
        ...     for n, part in enumerate(parts)
        ... ]
        >>> [joined] = join_rows({"content": parts}, blocks)
        >>> joined.span, json.loads(joined.text)
        (5, [{'id': 0}, {'id': 1}, {'id': 2}, {'id': 3}, {'id': 4}])
    """
    if len(blocks) < _MIN_ROWS:
        yield from blocks
        return
    run: list[Block] = []
    for block in blocks:
        is_row = _is_row(holder, block, skipped)
        if run and not (is_row and _is_next(run[-1], block)):
            yield from _join(run)
            run = []
        if is_row:
            run.append(block)
        else:
            yield block
    yield from _join(run)


def _join(run: list[Block]) -> list[Block]:
    if len(run) < _MIN_ROWS:
        return run
    text = "[" + ",\n".join(block.text for block in run) + "]"
    return [replace(run[0], text=text, span=len(run))]


def _is_row(holder: Any, block: Block, skipped: int) -> bool:
    """Return whether a block is the object that a part without anything else holds."""
    text = block.text
    if block.kind != "tool_result" or block.pinned or not (text[0] == "{" and text[-1] == "}"):
        return False
    spot = part_spot(block.path)
    if spot is None:
        return False
    part = value_at(holder, (*spot[0], spot[1])[skipped:])
    return _is_plain(part) and _is_object(text)


def _is_next(last: Block, block: Block) -> bool:
    spot, next_spot = part_spot(last.path), part_spot(block.path)
    return bool(spot and next_spot and next_spot == (spot[0], spot[1] + 1))


def _is_plain(part: Any) -> bool:
    if isinstance(part, str):
        return True
    document = get_field(part, "document")
    if document is not None:
        return _has_only(part, ("type", "document")) and _has_only(document, _PLAIN_DOCUMENT_FIELDS)
    return _has_only(part, _PLAIN_FIELDS) and not get_field(part, "annotations")


def _has_only(part: Any, names: Container[str]) -> bool:
    fields = part if is_mapping(part) else getattr(part, "__dict__", {})
    return all(name in names or fields[name] is None for name in fields)


def _is_object(text: str) -> bool:
    """Return whether a text is an object as JSON, or a dict as Python writes it."""
    try:
        if _PYTHON_START.match(text):
            value, end = python_literal.read(text, 0)
            return type(value) is dict and end == len(text)
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
