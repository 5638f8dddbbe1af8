"""Reading and replacing texts inside messages, by path, without touching anything beside the path."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from headroom_core.messages import Draft


def get(holder: Any, key: str) -> Any:
    """Return what a mapping, or an object with `model_dump`, holds under a key; None when it holds nothing.

    Example:
        >>> get({"role": "user"}, "role")
        'user'
        >>> get("not a message", "role") is None
        True
    """
    # A dict is told from its type several times faster than any mapping is.
    if isinstance(holder, (dict, Mapping)):
        return holder.get(key)
    return getattr(holder, key, None) if hasattr(holder, "model_dump") else None


def items(value: Any) -> Sequence[Any]:
    """Return the items of a list or tuple; nothing for any other value."""
    return value if isinstance(value, (list, tuple)) else ()


def with_text(holder: Any, path: tuple[str | int, ...], text: str) -> Any:
    """Return the holder with another text at the end of a path.

    Args:
        holder: a mapping, an object with `model_dump`, a list, a tuple or a string.
        path: the keys and indices that lead to the text.
        text: the new text.

    Returns:
        A copy of what lies on the path; all else is shared. The holder itself when no string stands at
        the end of the path, since only strings are ever replaced. Mappings are copied to dicts with their
        order, models with `model_copy`, and where a model has none, it becomes the dict of its `model_dump`.

    Example:
        >>> with_text({"role": "user", "content": [{"text": "long", "id": 7}]}, ("content", 0, "text"), "short")
        {'role': 'user', 'content': [{'text': 'short', 'id': 7}]}
    """
    if not path:
        return text if isinstance(holder, str) else holder
    key = path[0]
    held = holder[key] if isinstance(key, int) else get(holder, key)
    changed = with_text(held, path[1:], text)
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


def rendered(draft: Draft, note: Callable[[str], Any]) -> list[Any]:
    """Return the draft's messages with the texts of its changed blocks, the others as the same objects.

    Args:
        draft: the draft.
        note: makes the message that stands in the place of those that are left out.

    Example:
        >>> from headroom_core.messages import Block
        >>> said, answered = {"content": "hi"}, {"content": "a long answer"}
        >>> block = Block(1, ("content",), "tool_result", "a long answer").with_text("short")
        >>> messages = rendered(Draft((said, answered), (block,)), note=str)
        >>> messages
        [{'content': 'hi'}, {'content': 'short'}]
        >>> messages[0] is said
        True
    """
    messages = list(draft.messages)
    for block in draft.blocks:
        if block.original is not None:
            messages[block.message] = with_text(messages[block.message], block.path, block.text)
    if draft.gap is None:
        return messages
    first, gone = draft.gap.messages[0], set(draft.gap.messages)
    stays = [message for index, message in enumerate(messages) if index not in gone]
    return [*stays[:first], note(draft.gap.marker), *stays[first:]]
