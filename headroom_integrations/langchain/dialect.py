"""LangChain's messages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from headroom_core.messages import Block, Draft, Kind, why_pinned
from headroom_core.paths import get, items, rendered

_Call = tuple[str | None, str | None]

_KINDS: tuple[tuple[type[BaseMessage], Kind], ...] = (
    (SystemMessage, "system"),
    (HumanMessage, "user"),
    (AIMessage, "assistant"),
    (ToolMessage, "tool_result"),
    (FunctionMessage, "tool_result"),
)
_ROLES: dict[str, Kind] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "tool": "tool_result",
    "function": "tool_result",
}


class LangChainDialect:
    """Reads and writes LangChain messages, chunks included.

    Text stands in `content`: a string, or a list of strings and blocks of type `text` and `text-plain` (a
    document). The arguments of tool calls are shown as compact JSON and never written. A changed message is
    a copy with another `content`; its id, name, artifact, status and all else stay. What is not a LangChain
    message is carried.

    Example:
        >>> draft = LangChainDialect().parse([ToolMessage("42", tool_call_id="c1", name="answer")])
        >>> draft.blocks[0].kind, draft.blocks[0].tool
        ('tool_result', 'answer')
    """

    name: str = "langchain"

    def matches(self, messages: Sequence[Any]) -> bool:
        """Return whether any message is LangChain's."""
        return any(isinstance(message, BaseMessage) for message in messages)

    def parse(self, messages: Sequence[Any]) -> Draft:
        """Return the messages' texts as blocks."""
        blocks: list[Block] = []
        calls: dict[str | None, _Call] = {}
        for index, message in enumerate(messages):
            kind = _kind(message)
            if kind is None:
                continue
            blocks.extend(_said(index, message, kind, calls))
            if isinstance(message, AIMessage):
                blocks.extend(_called(index, message, calls))
        return Draft(tuple(messages), tuple(blocks))

    def note(self, text: str) -> Any:
        """Return a user's message with this text."""
        return HumanMessage(text)

    def render(self, draft: Draft) -> list[Any]:
        """Return the messages with the draft's texts."""
        return rendered(draft, self.note)


def _kind(message: Any) -> Kind | None:
    if isinstance(message, ChatMessage):
        return _ROLES.get(message.role)
    return next((kind for cls, kind in _KINDS if isinstance(message, cls)), None)


def _said(index: int, message: BaseMessage, kind: Kind, calls: dict[str | None, _Call]) -> Iterator[Block]:
    tool, call = _answered(message, calls) if kind == "tool_result" else (None, None)
    pinned = why_pinned(tool)
    for path, here, text in _texts(message.content, kind):
        if isinstance(text, str) and text:
            yield Block(index, path, here, text, tool, call, pinned)


def _texts(content: Any, kind: Kind) -> Iterator[tuple[tuple[str | int, ...], Kind, Any]]:
    yield ("content",), kind, content
    for position, part in enumerate(items(content)):
        yield ("content", position), kind, part
        if (form := get(part, "type")) in ("text", "text-plain"):
            yield ("content", position, "text"), "document" if form == "text-plain" else kind, get(part, "text")


def _answered(message: BaseMessage, calls: dict[str | None, _Call]) -> _Call:
    """Return the name and the arguments of the call that a result answers, as far as they are known."""
    name, call = calls.get(getattr(message, "tool_call_id", None), (None, None))
    return name or message.name, call


def _called(index: int, message: AIMessage, calls: dict[str | None, _Call]) -> Iterator[Block]:
    for invalid in message.invalid_tool_calls:
        calls[invalid["id"]] = invalid["name"], invalid["args"]
    for position, made in enumerate(message.tool_calls):
        arguments = _compact(made["args"])
        calls[made["id"]] = made["name"], arguments
        if arguments is not None:
            yield Block(index, ("tool_calls", position, "args"), "tool_call", arguments, made["name"])


def _compact(arguments: dict[str, Any]) -> str | None:
    """Return arguments as compact JSON, None when they are not JSON."""
    try:
        return json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return None
