"""ParseState and replacing texts inside messages, by path, without touching anything beside the path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from headroom_core.messages import Draft

_DEEPEST = 4
"""The levels of parts inside a part: a tool's result holds documents, and these hold texts."""
_MCP_CONTENT = ("text", "image", "audio", "resource", "resource_link")


def get_field(holder: Any, key: str) -> Any:
    """Return what a mapping, or an object with `model_dump`, holds under a key; None when it holds nothing.

    Example:
        >>> get_field({"role": "user"}, "role")
        'user'
        >>> get_field("not a message", "role") is None
        True
    """
    # Every field of every message is read here, mostly of dicts.
    if type(holder) is dict or is_mapping(holder):
        return holder.get(key)
    if not hasattr(holder, "model_dump"):
        return None
    if _is_undeclared(holder.__class__, key) and key not in vars(holder):
        return (getattr(holder, "__pydantic_extra__", None) or {}).get(key)
    return getattr(holder, key, None)


def is_mapping(value: Any) -> bool:
    """Return whether a value is a mapping, told from its class in a tenth of the time.

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
    """Return whether a class is pydantic's and knows no such field or property: pydantic itself is slow to say so."""
    pydantic = getattr(getattr(cls, "__getattr__", None), "__module__", None) == "pydantic.main"
    return pydantic and not hasattr(cls, key) and key not in getattr(cls, "model_fields", ())


def as_items(value: Any) -> Sequence[Any]:
    """Return the items of a list or tuple; nothing for any other value."""
    return value if isinstance(value, (list, tuple)) else ()


def find_cache_breakpoints(part: Any, levels: int = _DEEPEST) -> list[Any]:
    """Return the caller's cache breakpoints in a part of a content, and in the parts of its result or document.

    Args:
        part: the part.
        levels: how deep to look; what refers to itself comes to an end.

    Example:
        >>> mark = {"type": "ephemeral"}
        >>> find_cache_breakpoints({"type": "tool_result", "content": [{"type": "text", "text": "42", "cache_control": mark}]})
        [{'type': 'ephemeral'}]
    """
    if isinstance(part, str):
        return []
    mark, source = get_field(part, "cache_control"), get_field(part, "source")
    found = [] if mark is None else [mark]
    if levels:
        for content in (
            get_field(part, "content"),
            None if source is None else get_field(source, "content"),
        ):
            if isinstance(content, (list, tuple)):
                for inner in content:
                    found += find_cache_breakpoints(inner, levels - 1)
    return found


def result_values(answer: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield the values of a tool's structured answer that stand on their own, each with the path to it.

    Those are the values under the answer's keys. Where an MCP server's result stands there, or is the answer, the
    texts in its list of content stand on their own as well, and its other content is left out.

    Example:
        >>> list(result_values({"rows": [{"id": 1}], "total": 1}))
        [(('rows',), [{'id': 1}]), (('total',), 1)]
        >>> list(result_values({"result": {"content": [{"type": "text", "text": "hi"}], "isError": False}}))
        [(('result', 'content', 0, 'text'), 'hi'), (('result', 'isError'), False)]
    """
    for key, value in _entries(answer):
        if _is_content(get_field(value, "content")):
            for inner, held in _entries(value):
                yield from _under((key, inner), held)
        else:
            yield from _under((key,), value)


def _entries(value: Any) -> list[tuple[str, Any]]:
    held = value.items() if isinstance(value, (dict, Mapping)) else ()
    return [(key, item) for key, item in held if isinstance(key, str)]


def _under(path: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if not _is_content(value):
        yield path, value
        return
    for position, part in enumerate(value):
        if part["type"] == "text":
            yield (*path, position, "text"), part.get("text")


def _is_content(value: Any) -> bool:
    """Return whether a value is a list of content as MCP servers return it, with a text in it."""
    parts = as_items(value)
    return all(
        isinstance(part, dict) and part.get("type") in _MCP_CONTENT for part in parts
    ) and any(isinstance(part.get("text"), str) for part in parts)


def replace_text(
    holder: Any, path: tuple[str | int, ...], text: str, *, instead_of_json: bool = False
) -> Any:
    """Return the holder with another text at the end of a path.

    Args:
        holder: a mapping, an object with `model_dump`, a list, a tuple or a string.
        path: the keys and indices that lead to the text.
        text: the new text.
        instead_of_json: whether the text also takes the place of a list or dict, which was shown as JSON.

    Returns:
        A copy of what lies on the path; all else is shared. The holder itself when neither a string nor such
        JSON stands at the end of the path, since nothing else is ever replaced. Mappings are copied to dicts
        with their order, models with `model_copy`, and where a model has none, it becomes the dict of its
        `model_dump`.

    Example:
        >>> replace_text({"role": "user", "content": [{"text": "long", "id": 7}]}, ("content", 0, "text"), "short")
        {'role': 'user', 'content': [{'text': 'short', 'id': 7}]}
    """
    if not path:
        written = (str, dict, list, tuple) if instead_of_json else str
        return text if isinstance(holder, written) else holder
    key = path[0]
    held = holder[key] if isinstance(key, int) else get_field(holder, key)
    changed = replace_text(held, path[1:], text, instead_of_json=instead_of_json)
    return holder if changed is held else _with_item(holder, key, changed)


def _with_item(holder: Any, key: str | int, item: Any) -> Any:
    if isinstance(key, int):
        copied = [*holder[:key], item, *holder[key + 1 :]]
        return tuple(copied) if isinstance(holder, tuple) else copied
    if isinstance(holder, Mapping):
        return {**holder, key: item}
    if hasattr(holder, "model_copy"):
        return holder.model_copy(update={key: item})
    return {**holder.model_dump(), key: item}


def render_draft(draft: Draft) -> list[Any]:
    """Return the draft's messages with the texts of its changed blocks, the others as the same objects.

    In the place of what is left out stands a note with the marker.

    Example:
        >>> from headroom_core.messages import Block
        >>> said, answered = {"content": "hi"}, {"content": "a long answer"}
        >>> block = Block(1, ("content",), "tool_result", "a long answer").with_text("short")
        >>> messages = render_draft(Draft((said, answered), (block,)))
        >>> messages
        [{'content': 'hi'}, {'content': 'short'}]
        >>> messages[0] is said
        True
    """
    messages = list(draft.messages)
    for block in draft.blocks:
        if block.original is not None:
            # What a tool returned may be JSON values: the text takes their place. A call's arguments must stay JSON.
            messages[block.message] = replace_text(
                messages[block.message],
                block.path,
                block.text,
                instead_of_json=block.kind == "tool_result",
            )
    if draft.gap is None:
        return messages
    first, gone = draft.gap.messages[0], set(draft.gap.messages)
    stays = [message for index, message in enumerate(messages) if index not in gone]
    return [*stays[:first], draft.note(draft.gap.marker), *stays[first:]]
