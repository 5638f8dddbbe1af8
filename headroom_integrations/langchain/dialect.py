"""LangChain's messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
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

from headroom_core import Block, Draft
from headroom_core.adapters import (
    CHAT_FIELDS,
    GOOGLE_FIELDS,
    CallTracker,
    CountedFields,
    CountText,
    Fingerprint,
    MessageReader,
    Outline,
    ParseState,
    Speaker,
    as_items,
    compact_json,
    fingerprint_of,
    get_field,
    has_cache_breakpoint,
    parse_anthropic_part,
    pin_reason,
    render_draft,
    to_mapping,
)

_KINDS: tuple[tuple[type[BaseMessage], Speaker], ...] = (
    (SystemMessage, "system"),
    (HumanMessage, "user"),
    (AIMessage, "assistant"),
    (ToolMessage, "tool_result"),
    (FunctionMessage, "tool_result"),
)
_ROLES: dict[str, Speaker] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "tool": "tool_result",
    "function": "tool_result",
}
_ROLES_BY_TYPE = {
    "human": "user",
    "ai": "assistant",
    "system": "system",
    "tool": "tool",
    "function": "function",
}
"""Roles in OpenAI's words, by the type of a message. A `ChatMessage` has a role of its own."""

_CARRIED = dict.fromkeys(("artifact", "id", "response_metadata", "usage_metadata"))
_PARSED = {"parsed": None}
"""What is neither read nor counted, and may hold any object."""

_KEPT = ("content", "tool_calls", "invalid_tool_calls", "tool_call_id", "status")


class LangChainDialect(MessageReader):
    """Reads and writes LangChain messages, chunks included.

    Text stands in `content`: a string, or a list of strings and blocks of type `text`, `text-plain` (a document)
    and, as Anthropic's models take them, `document`, `search_result` and `tool_result`. The arguments of tool
    calls are shown as compact JSON and never written. All other blocks are carried: reasoning, images, audio,
    files, server tools, citations, other providers' own. A changed message is a copy with another `content`; its
    id, name, artifact, status and all else stay. What is not a LangChain message is carried.

    Example:
        >>> draft = LangChainDialect().parse([ToolMessage("42", tool_call_id="c1", name="answer")])
        >>> draft.blocks[0].kind, draft.blocks[0].tool
        ('tool_result', 'answer')
    """

    name: str = "langchain"
    # Parts and calls keep the form of the provider whose model wrote them.
    counted_fields = (
        CHAT_FIELDS
        | GOOGLE_FIELDS
        | CountedFields(
            texts=("invalid_tool_calls",),
            values=("args",),
            selected={"additional_kwargs": ("function_call", "tool_calls")},
        )
    )

    def matches(self, messages: Sequence[Any]) -> bool:
        """Return whether any message is LangChain's."""
        return any(isinstance(message, BaseMessage) for message in messages)

    def read_message(self, index: int, message: Any, state: ParseState) -> Outline:
        """Add the texts of the message at an index to a state, and return the message's outline."""
        kind, calls = _kind(message), state.calls
        if kind is not None:
            state.blocks += _said(message, Block(index, ("content",), kind, ""), calls)
        if isinstance(message, AIMessage):
            state.blocks += _called(index, message, calls)
        return calls.finish_message(kind, has_breakpoint=kind is not None and _marked(message))

    def build_draft(self, messages: Sequence[Any], state: ParseState) -> Draft:
        """Return the draft of messages that were read."""
        return replace(super().build_draft(messages, state), plain=_plain, note=HumanMessage)

    def fingerprint(self, message: Any) -> Fingerprint:
        """Return what is equal only where messages are read, and counted, in the same way.

        Raises:
            ValueError: there is no such thing, because the message holds something else than plain values.
        """
        if not isinstance(message, BaseMessage):
            return super().fingerprint(message)
        cls, text = type(message), message.content if type(message.content) is str else None
        held = {
            **vars(message),
            **_CARRIED,
            "additional_kwargs": {**message.additional_kwargs, **_PARSED},
        }
        if text is not None:
            held["content"] = None
        return fingerprint_of((id(cls), cls.__qualname__, held, message.model_extra), text)

    def count(self, message: Any, count_text: CountText) -> int:
        """Count the tokens of a message, of which a call that stands in two places counts once.

        Args:
            message: The message.
            count_text: Counts the tokens of a text.
        """
        tokens = self.counted_fields.count(message, count_text)
        if not isinstance(message, BaseMessage):
            return tokens
        role = _role_of(message)
        if role is not None:
            tokens += count_text(role)
        if repeated := _repeated_calls(message):
            tokens -= self.counted_fields.count_value(repeated, count_text)
        return tokens

    def render(self, draft: Draft) -> list[Any]:
        """Return the messages with the draft's texts."""
        return render_draft(draft)


def _role_of(message: BaseMessage) -> str | None:
    """Return the role that the message's type stands for, None if the message names a role."""
    if (message.model_extra or {}).get("role"):
        return None
    return _ROLES_BY_TYPE.get(message.type.removesuffix("MessageChunk").lower())


def _repeated_calls(message: BaseMessage) -> list[Any]:
    """Return the parts and additional arguments that repeat one of the message's tool calls."""
    candidates = [
        *as_items(message.content),
        *as_items(message.additional_kwargs.get("tool_calls")),
    ]
    if not candidates:
        return []
    ids = [call["id"] for call in _calls(message) if call["id"]]
    if not ids:
        return []
    return [
        candidate
        for candidate in candidates
        if (get_field(candidate, "call_id") or get_field(candidate, "id")) in ids
    ]


def _plain(message: Any) -> Mapping[str, Any]:
    """Return what a model reads of a message: artifacts and metadata are not for it."""
    if not isinstance(message, BaseMessage):
        return to_mapping(message)
    kind = _kind(message)
    held = {"role": "tool" if kind == "tool_result" else kind or message.type, "name": message.name}
    held |= {key: getattr(message, key, None) for key in _KEPT}
    return {key: value for key, value in held.items() if value}


def _kind(message: Any) -> Speaker | None:
    if isinstance(message, ChatMessage):
        return _ROLES.get(message.role)
    return _kind_of(message.__class__)


@lru_cache(maxsize=1024)
def _kind_of(cls: type[Any]) -> Speaker | None:
    return next((kind for base, kind in _KINDS if issubclass(cls, base)), None)


def _said(message: BaseMessage, at: Block, calls: CallTracker) -> Iterator[Block]:
    """Yield the texts of the content; `at` is a block without text that stands where the content stands."""
    if at.kind == "tool_result":
        tool, call = calls.record_result(getattr(message, "tool_call_id", None), message.name)
        at = Block(at.message, at.path, at.kind, "", tool, call, pin_reason(tool))
    if isinstance(message.content, str):
        if message.content:
            yield Block(at.message, at.path, at.kind, message.content, at.tool, at.call, at.pinned)
        return
    made = {call["id"] for call in _calls(message)}
    for position, part in enumerate(message.content):
        here, form = replace(at, path=("content", position)), get_field(part, "type")
        if form == "text-plain" and (text := get_field(part, "text")):
            yield replace(here, path=(*here.path, "text"), kind="document", text=text)
        elif form == "tool_call" and get_field(part, "id") not in made:
            calls.record_call(
                get_field(part, "id"),
                get_field(part, "name"),
                compact_json(get_field(part, "args")),
            )
        elif form != "tool_use" or get_field(part, "id") not in made:
            yield from parse_anthropic_part(part, here, calls)


def _calls(message: BaseMessage) -> list[Any]:
    return (
        [*message.tool_calls, *message.invalid_tool_calls] if isinstance(message, AIMessage) else []
    )


def _called(index: int, message: AIMessage, calls: CallTracker) -> Iterator[Block]:
    for invalid in message.invalid_tool_calls:
        calls.record_call(invalid["id"], invalid["name"], invalid["args"])
    for position, made in enumerate(message.tool_calls):
        arguments = compact_json(made["args"])
        calls.record_call(made["id"], made["name"], arguments)
        if arguments is not None:
            yield Block(
                index, ("tool_calls", position, "args"), "tool_call", arguments, made["name"]
            )
    if (legacy := message.additional_kwargs.get("function_call")) is not None:
        calls.record_call(None, get_field(legacy, "name"), get_field(legacy, "arguments"))


def _marked(message: BaseMessage) -> bool:
    """Return whether the message holds a cache breakpoint of Anthropic's or, as a part of its own, of Bedrock's."""
    if "cache_control" in message.additional_kwargs or has_cache_breakpoint(message.content):
        return True
    return any(
        get_field(part, "cachePoint") or get_field(get_field(part, "extras"), "cache_control")
        for part in as_items(message.content)
    )
