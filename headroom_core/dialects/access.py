"""Read and replace texts inside messages by path, and leave everything else alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

from headroom_core._internal.caches import process_caches
from headroom_core.messages import Block, Draft, original_text, to_mapping

TextPath = tuple[str | int, ...]
"""The keys and indices that lead from a message to a text in it."""

_MAX_PART_DEPTH = 4
"""Levels of parts inside parts: a tool's result holds documents, and these hold texts."""

_TEXT_ENDINGS: tuple[TextPath, ...] = (("text",), ("json",), ("document", "data"))
"""The ends of paths that lead from a part to the text that fills it."""

_MCP_CONTENT_TYPES = ("text", "image", "audio", "resource", "resource_link")


def get_field(holder: Any, key: str) -> Any:
    """Return the value of a field of a mapping, or of an object with `model_dump`.

    Args:
        holder: A mapping, an object with `model_dump`, or any other value.
        key: The name of the field.

    Returns:
        The value, or None if the field is missing or the holder has no fields.

    Example:
        >>> get_field({"role": "user"}, "role")
        'user'
        >>> get_field("not a message", "role") is None
        True
    """
    # Every field of every message is read here, and most messages are dicts.
    if type(holder) is dict or is_mapping(holder):
        return holder.get(key)
    if not hasattr(holder, "model_dump"):
        return None
    if _is_undeclared(holder.__class__, key) and key not in vars(holder):
        return (getattr(holder, "__pydantic_extra__", None) or {}).get(key)
    return getattr(holder, key, None)


def is_mapping(value: Any) -> bool:
    """Return whether a value is a mapping, in a tenth of the time that `isinstance` takes.

    Example:
        >>> is_mapping({}), is_mapping([])
        (True, False)
    """
    return _is_mapping_type(value.__class__)


@lru_cache(maxsize=1024)
def _is_mapping_type(cls: type) -> bool:
    return issubclass(cls, Mapping)


@lru_cache(maxsize=4096)
def _is_undeclared(cls: type, key: str) -> bool:
    """Return whether a pydantic class lacks a field or property, which pydantic is slow to say."""
    is_pydantic = getattr(getattr(cls, "__getattr__", None), "__module__", None) == "pydantic.main"
    return is_pydantic and not hasattr(cls, key) and key not in getattr(cls, "model_fields", ())


def as_items(value: Any) -> Sequence[Any]:
    """Return the items of a list or tuple, and no items for any other value."""
    return value if isinstance(value, (list, tuple)) else ()


def find_cache_breakpoints(part: Any, max_depth: int = _MAX_PART_DEPTH) -> list[Any]:
    """Return the caller's cache breakpoints in a content part, and in its result or document.

    Args:
        part: The part.
        max_depth: Levels of nested parts to look into. A part that refers to itself is read up to
            this level.

    Example:
        >>> breakpoint = {"type": "ephemeral"}
        >>> text = {"type": "text", "text": "42", "cache_control": breakpoint}
        >>> find_cache_breakpoints({"type": "tool_result", "content": [text]})
        [{'type': 'ephemeral'}]
    """
    if isinstance(part, str):
        return []
    breakpoints = []
    own = get_field(part, "cache_control")
    if own is not None:
        breakpoints.append(own)
    if max_depth:
        source = get_field(part, "source")
        contents = [get_field(part, "content")]
        if source is not None:
            contents.append(get_field(source, "content"))
        for content in contents:
            for inner in as_items(content):
                breakpoints += find_cache_breakpoints(inner, max_depth - 1)
    return breakpoints


_encode_compact = process_caches.memoized(
    json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
)


def compact_json(value: Any) -> str | None:
    """Return a value as compact JSON, or None if it cannot be written as JSON."""
    try:
        return _encode_compact(value)
    except (TypeError, ValueError, RecursionError):
        return None


def result_values(result: Any) -> Iterator[tuple[TextPath, Any]]:
    """Yield the values of a tool's structured result that stand on their own, with their paths.

    These are the values under the result's keys. If a value, or the result itself, is the result
    of an MCP server, every text in its list of content stands on its own as well, and content
    of other types is skipped.

    Example:
        >>> list(result_values({"rows": [{"id": 1}], "total": 1}))
        [(('rows',), [{'id': 1}]), (('total',), 1)]
        >>> mcp = {"content": [{"type": "text", "text": "hi"}], "isError": False}
        >>> list(result_values({"result": mcp}))
        [(('result', 'content', 0, 'text'), 'hi'), (('result', 'isError'), False)]
    """
    for key, value in _string_items(result):
        if _is_mcp_content(get_field(value, "content")):
            for inner_key, inner_value in _string_items(value):
                yield from _split_content((key, inner_key), inner_value)
        else:
            yield from _split_content((key,), value)


def _string_items(value: Any) -> list[tuple[str, Any]]:
    items = value.items() if isinstance(value, (dict, Mapping)) else ()
    return [(key, item) for key, item in items if isinstance(key, str)]


def _split_content(path: tuple[str, ...], value: Any) -> Iterator[tuple[TextPath, Any]]:
    """Yield the texts of an MCP server's content, and any other value as it is."""
    if not _is_mcp_content(value):
        yield path, value
        return
    for position, part in enumerate(value):
        if part["type"] == "text":
            yield (*path, position, "text"), part.get("text")


def _is_mcp_content(value: Any) -> bool:
    """Return whether a value is a list of content as MCP servers return it, with a text in it."""
    parts = as_items(value)
    has_only_content = all(
        isinstance(part, dict) and part.get("type") in _MCP_CONTENT_TYPES for part in parts
    )
    return has_only_content and any(isinstance(part.get("text"), str) for part in parts)


def replace_text(holder: Any, path: TextPath, text: str, *, instead_of_json: bool = False) -> Any:
    """Return the holder with another text at the end of a path.

    Args:
        holder: A mapping, an object with `model_dump`, a list, a tuple or a string.
        path: The keys and indices that lead to the text.
        text: The new text.
        instead_of_json: Whether the text may also replace a list or dict, which was shown as JSON.

    Returns:
        A copy of everything on the path, which shares all else with the holder; or the holder
        itself if there is neither a string nor such JSON at the end of the path. Mappings become
        dicts of the same order, and models are copied with `model_copy`. A model without that
        method becomes the dict of its `model_dump`.

    Example:
        >>> message = {"role": "user", "content": [{"text": "long", "id": 7}]}
        >>> replace_text(message, ("content", 0, "text"), "short")
        {'role': 'user', 'content': [{'text': 'short', 'id': 7}]}
    """
    replaceable = (str, dict, list, tuple) if instead_of_json else str
    return _replace_at(holder, path, lambda item: text if isinstance(item, replaceable) else item)


def _replace_at(holder: Any, path: TextPath, change: Callable[[Any], Any]) -> Any:
    """Return the holder with the value at the end of a path replaced by what `change` returns."""
    if not path:
        return change(holder)
    item = _item_of(holder, path[0])
    changed = _replace_at(item, path[1:], change)
    return holder if changed is item else _with_item(holder, path[0], changed)


def _item_of(holder: Any, key: str | int) -> Any:
    return holder[key] if isinstance(key, int) else get_field(holder, key)


def value_at(holder: Any, path: TextPath) -> Any:
    """Return the value at the end of a path.

    Example:
        >>> value_at({"content": [{"text": "42"}]}, ("content", 0, "text"))
        '42'
    """
    for key in path:
        holder = _item_of(holder, key)
    return holder


def _with_item(holder: Any, key: str | int, item: Any) -> Any:
    if isinstance(key, int):
        copied = [*holder[:key], item, *holder[key + 1 :]]
        return tuple(copied) if isinstance(holder, tuple) else copied
    if isinstance(holder, Mapping):
        return {**holder, key: item}
    if hasattr(holder, "model_copy"):
        return holder.model_copy(update={key: item})
    return {**holder.model_dump(), key: item}


def part_spot(path: TextPath) -> tuple[TextPath, int] | None:
    """Return the path of a list of parts and the index in it, for a text that fills a part.

    Example:
        >>> part_spot(("content", 3, "text")), part_spot(("content",))
        ((('content',), 3), None)
    """
    for ending in _TEXT_ENDINGS:
        if path[-len(ending) :] == ending:
            path = path[: -len(ending)]
            break
    index = path[-1] if path else None
    return (path[:-1], index) if isinstance(index, int) else None


def received_texts(message: Any, block: Block) -> list[str]:
    """Return the texts of a message that a block stands for: more than one if it was joined.

    Args:
        message: The message as it was received.
        block: The block.
    """
    spot = part_spot(block.path)
    if block.span == 1 or spot is None:
        return [original_text(block)]
    path, first = spot
    return [_text_of(part) for part in value_at(message, path)[first : first + block.span]]


def _text_of(part: Any) -> str:
    """Return the text that fills a part."""
    values = [part, *(value_at(part, ending) for ending in _TEXT_ENDINGS)]
    text = next((value for value in values if isinstance(value, str) and value), None)
    return text or compact_json(get_field(part, "json")) or ""


def write_blocks(message: Any, blocks: Sequence[Block]) -> Any:
    """Return a message with the texts of its changed blocks, which are given in reading order."""
    # Backwards, because parts that were joined make way, and those behind them move up.
    for block in reversed(blocks):
        message = _write_block(message, block)
    return message


def _write_block(message: Any, block: Block) -> Any:
    """Return a message with the text of a changed block."""
    path = block.path
    if path[-1:] == ("json",) and (isinstance(path[-2], int) or path[-2] == "value"):
        # A text in place of data would be no JSON: the part becomes one of text.
        message = _replace_at(message, path[:-1], lambda part: _as_text_part(part, block.text))
    else:
        # A tool may have returned JSON values, which a text may replace. The arguments of a call
        # must stay JSON.
        is_result = block.kind == "tool_result"
        message = replace_text(message, path, block.text, instead_of_json=is_result)
    spot = part_spot(path)
    if block.span == 1 or spot is None:
        return message
    parts_path, first = spot

    def without_joined(parts: Any) -> Any:
        return type(parts)([*parts[: first + 1], *parts[first + block.span :]])

    return _replace_at(message, parts_path, without_joined)


def _as_text_part(part: Any, text: str) -> dict[str, Any]:
    changed = {"type": "text", "json": text}
    return {
        "text" if key == "json" else key: changed.get(key, value)
        for key, value in to_mapping(part).items()
    }


def render_draft(draft: Draft) -> list[Any]:
    """Return a draft's messages, with the texts of its changed blocks.

    Messages without a changed block are the same objects. A note with the marker replaces messages
    that are left out.

    Example:
        >>> from headroom_core.messages import Block
        >>> question, result = {"content": "hi"}, {"content": "a long result"}
        >>> block = Block(1, ("content",), "tool_result", "a long result").with_text("short")
        >>> messages = render_draft(Draft((question, result), (block,)))
        >>> messages
        [{'content': 'hi'}, {'content': 'short'}]
        >>> messages[0] is question
        True
    """
    messages = list(draft.messages)
    changed = [block for block in draft.blocks if block.original is not None]
    for index, blocks in groupby(changed, lambda block: block.message):
        messages[index] = write_blocks(messages[index], [*blocks])
    if draft.gap is None:
        return messages
    first, dropped = draft.gap.messages[0], set(draft.gap.messages)
    kept = [message for index, message in enumerate(messages) if index not in dropped]
    return [*kept[:first], draft.note(draft.gap.marker), *kept[first:]]
