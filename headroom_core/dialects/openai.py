"""The messages of OpenAI's chat completions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from headroom_core.messages import Block, Draft, Kind, why_pinned
from headroom_core.paths import get, items, rendered

_Call = tuple[str | None, str | None]
_Path = tuple[str | int, ...]

_KINDS: dict[str, Kind] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool_result",
    "function": "tool_result",
}
_TEXT_PARTS = ("text", "refusal")


class OpenAIDialect:
    """Reads and writes chat completion messages: dicts, other mappings, or the SDK's own objects.

    Text stands in `content` (a string, or parts of type `text` and `refusal`), in `refusal`, and in the
    arguments of calls. All else is carried: images, audio, files, parts and roles that are not known here.

    Example:
        >>> dialect = OpenAIDialect()
        >>> draft = dialect.parse([{"role": "user", "content": "hi"}])
        >>> draft.blocks[0].kind, draft.blocks[0].path
        ('user', ('content',))
    """

    name: str = "openai"

    def matches(self, messages: Sequence[Any]) -> bool:
        """Return whether any message has a role of this dialect."""
        return any(_kind(message) is not None for message in messages)

    def parse(self, messages: Sequence[Any]) -> Draft:
        """Return the messages' texts as blocks."""
        blocks: list[Block] = []
        calls: dict[str, _Call] = {}
        for index, message in enumerate(messages):
            kind = _kind(message)
            if kind is None:
                continue
            blocks.extend(_said(index, message, kind, calls))
            for key, tool, arguments, path in _calls(message):
                calls[key] = tool, arguments
                if arguments:
                    blocks.append(Block(index, path, "tool_call", arguments, tool))
        return Draft(tuple(messages), tuple(blocks))

    def note(self, text: str) -> Any:
        """Return a user's message with this text."""
        return {"role": "user", "content": text}

    def render(self, draft: Draft) -> list[Any]:
        """Return the messages with the draft's texts."""
        return rendered(draft, self.note)


def _kind(message: Any) -> Kind | None:
    role = get(message, "role")
    return _KINDS.get(role) if isinstance(role, str) else None


def _said(index: int, message: Any, kind: Kind, calls: dict[str, _Call]) -> Iterator[Block]:
    """Yield the texts of the content, and of the refusal beside it."""
    tool, call = _answered(message, calls) if kind == "tool_result" else (None, None)
    pinned = why_pinned(tool)
    for path, text in _texts(message):
        if isinstance(text, str) and text:
            yield Block(index, path, kind, text, tool, call, pinned)


def _texts(message: Any) -> Iterator[tuple[_Path, Any]]:
    content = get(message, "content")
    yield ("content",), content
    for position, part in enumerate(items(content)):
        yield ("content", position), part
        if get(part, "type") in _TEXT_PARTS:
            key = get(part, "type")
            yield ("content", position, key), get(part, key)
    yield ("refusal",), get(message, "refusal")


def _answered(message: Any, calls: dict[str, _Call]) -> _Call:
    """Return the name and the arguments of the call that a result answers, as far as they are known."""
    name, identifier = _string(message, "name"), _string(message, "tool_call_id")
    key = f"name {name}" if identifier is None else f"id {identifier}"
    return calls.get(key, (name, None))


def _calls(message: Any) -> Iterator[tuple[str, str | None, str | None, _Path]]:
    """Yield of every call the key under which a result finds it, its name, its arguments and where they stand."""
    for position, call in enumerate(items(get(message, "tool_calls"))):
        for form, key in (("function", "arguments"), ("custom", "input")):
            if (made := get(call, form)) is not None:
                path = ("tool_calls", position, form, key)
                yield f"id {get(call, 'id')}", _string(made, "name"), _string(made, key), path
    if (made := get(message, "function_call")) is not None:
        name = _string(made, "name")
        yield f"name {name}", name, _string(made, "arguments"), ("function_call", "arguments")


def _string(holder: Any, key: str) -> str | None:
    value = get(holder, key)
    return value if isinstance(value, str) else None
