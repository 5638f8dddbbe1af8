"""The dialect of LangChain's messages."""

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
    OpenAIDialect,
    Outline,
    ParseState,
    Speaker,
    as_items,
    compact_json,
    fingerprint_of,
    get_field,
    has_cache_breakpoint,
    join_rows,
    parse_anthropic_part,
    pin_reason,
    render_draft,
    to_mapping,
)

_SPEAKERS: tuple[tuple[type[BaseMessage], Speaker], ...] = (
    (SystemMessage, "system"),
    (HumanMessage, "user"),
    (AIMessage, "assistant"),
    (ToolMessage, "tool_result"),
    (FunctionMessage, "tool_result"),
)

# A `ChatMessage` names its role itself.
_SPEAKERS_BY_ROLE: dict[str, Speaker] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "tool": "tool_result",
    "function": "tool_result",
}

# All other messages have a type, for which providers read a role.
_ROLES_BY_TYPE = {
    "human": "user",
    "ai": "assistant",
    "system": "system",
    "tool": "tool",
    "function": "function",
}

# Fields that are neither read nor counted, and may hold any object.
_UNREAD_FIELDS = dict.fromkeys(("artifact", "id", "response_metadata", "usage_metadata"))
_UNREAD_KWARGS = {"parsed": None}

_CHAT = OpenAIDialect()
"""Reads the dicts that may stand among the messages."""

_MODEL_FIELDS = ("content", "tool_calls", "invalid_tool_calls", "tool_call_id", "status")
"""Fields that a model reads, besides role and name."""


class LangChainDialect(MessageReader):
    """Dialect of LangChain messages, chunks included.

    Texts are the `content`, or its strings, the `text` and `json` of its blocks, blocks of type
    `text-plain` (a document) and, for Anthropic's models, `document`, `search_result` and
    `tool_result`. The arguments of
    tool calls are shown as compact JSON and never written. All other blocks are carried: reasoning,
    images, audio, files, server tools, citations, and other providers' own. A changed message is
    a copy with another `content`, and keeps its id, name, artifact, status and all other fields.
    Other messages among them are read as chat messages of OpenAI.

    Example:
        >>> draft = LangChainDialect().parse([ToolMessage("42", tool_call_id="c1", name="answer")])
        >>> draft.blocks[0].kind, draft.blocks[0].tool
        ('tool_result', 'answer')
    """

    name: str = "langchain"
    # Blocks and calls keep the form of the provider whose model wrote them.
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
        """Add the texts and calls of one message to the state, and return its outline."""
        if not isinstance(message, BaseMessage):
            return _CHAT.read_message(index, message, state)
        speaker = _speaker_of(message)
        if speaker is not None:
            place = Block(index, ("content",), speaker, "")
            state.blocks += _read_content(message, place, state.calls)
        if isinstance(message, AIMessage):
            state.blocks += _read_calls(index, message, state.calls)
        has_breakpoint = speaker is not None and _has_breakpoint(message)
        return state.calls.finish_message(speaker, has_breakpoint=has_breakpoint)

    def build_draft(self, messages: Sequence[Any], state: ParseState) -> Draft:
        """Return the draft of messages that the state has read."""
        draft = super().build_draft(messages, state)
        return replace(draft, plain=_to_plain, note=HumanMessage)

    def count(self, message: Any, count_text: CountText) -> int:
        """Count the tokens of a message, with a call that it holds twice counted once.

        Args:
            message: The message.
            count_text: Counts the tokens of a text.
        """
        if not isinstance(message, BaseMessage):
            return _CHAT.count(message, count_text)
        tokens = self.counted_fields.count(message, count_text)
        role = _role_of(message)
        if role is not None:
            tokens += count_text(role)
        repeated = _repeated_calls(message)
        if repeated:
            tokens -= self.counted_fields.count_value(repeated, count_text)
        return tokens

    def fingerprint(self, message: Any) -> Fingerprint:
        """Return a value that is equal only for messages that are read and counted the same way.

        Raises:
            ValueError: The message holds a value that is not plain data.
        """
        if not isinstance(message, BaseMessage):
            return super().fingerprint(message)
        cls = type(message)
        text = message.content if type(message.content) is str else None
        fields = {
            **vars(message),
            **_UNREAD_FIELDS,
            "additional_kwargs": {**message.additional_kwargs, **_UNREAD_KWARGS},
        }
        if text is not None:
            fields["content"] = None
        return fingerprint_of((id(cls), cls.__qualname__, fields, message.model_extra), text)

    def render(self, draft: Draft) -> list[Any]:
        """Return the messages with the draft's texts."""
        return render_draft(draft)


def _role_of(message: BaseMessage) -> str | None:
    """Return the role that the message's type stands for, or None if the message names a role."""
    if (message.model_extra or {}).get("role"):
        return None
    return _ROLES_BY_TYPE.get(message.type.removesuffix("MessageChunk").lower())


def _repeated_calls(message: BaseMessage) -> list[Any]:
    """Return the blocks and additional arguments that repeat one of the message's tool calls."""
    candidates = [
        *as_items(message.content),
        *as_items(message.additional_kwargs.get("tool_calls")),
    ]
    if not candidates:
        return []
    ids = [call["id"] for call in _calls_of(message) if call["id"]]
    if not ids:
        return []
    return [
        candidate
        for candidate in candidates
        if (get_field(candidate, "call_id") or get_field(candidate, "id")) in ids
    ]


def _to_plain(message: Any) -> Mapping[str, Any]:
    """Return the fields that a model reads, without artifacts and metadata."""
    if not isinstance(message, BaseMessage):
        return to_mapping(message)
    speaker = _speaker_of(message)
    role = "tool" if speaker == "tool_result" else speaker or message.type
    fields = {"role": role, "name": message.name}
    fields |= {name: getattr(message, name, None) for name in _MODEL_FIELDS}
    return {name: value for name, value in fields.items() if value}


def _speaker_of(message: Any) -> Speaker | None:
    if isinstance(message, ChatMessage):
        return _SPEAKERS_BY_ROLE.get(message.role)
    return _speaker_of_class(message.__class__)


@lru_cache(maxsize=1024)
def _speaker_of_class(cls: type[Any]) -> Speaker | None:
    return next((speaker for base, speaker in _SPEAKERS if issubclass(cls, base)), None)


def _read_content(message: BaseMessage, place: Block, calls: CallTracker) -> Iterator[Block]:
    """Yield the texts of the content.

    Args:
        message: The message.
        place: A block without text at the path of the content.
        calls: The calls so far. Those in the content are added.
    """
    tool = arguments = pinned = None
    if place.kind == "tool_result":
        call_id = getattr(message, "tool_call_id", None)
        tool, arguments = calls.record_result(call_id, message.name)
        pinned = pin_reason(tool)
    text = message.content if isinstance(message.content, str) else ""
    # Not `replace`, which takes three times as long: every message passes here.
    place = Block(
        place.message,
        place.path,
        place.kind,
        text,
        tool=tool,
        call=arguments,
        pinned=pinned,
        is_error=getattr(message, "status", None) == "error",
    )
    if text:
        yield place
    listed_ids = {call["id"] for call in _calls_of(message)}
    blocks = [
        block
        for position, part in enumerate(as_items(message.content))
        for block in _read_part(part, replace(place, path=("content", position)), calls, listed_ids)
    ]
    yield from join_rows(message, blocks)


def _read_part(
    part: Any, place: Block, calls: CallTracker, listed_ids: set[str | None]
) -> Iterator[Block]:
    """Yield the texts of one block of a content, unless the message lists it as a call."""
    part_type = get_field(part, "type")
    if part_type in ("tool_call", "tool_use") and get_field(part, "id") in listed_ids:
        return
    text = get_field(part, "text")
    if part_type == "text-plain" and text:
        yield replace(place, path=(*place.path, "text"), kind="document", text=text)
    elif part_type == "tool_call":
        arguments = compact_json(get_field(part, "args"))
        calls.record_call(get_field(part, "id"), get_field(part, "name"), arguments)
    else:
        yield from parse_anthropic_part(part, place, calls)


def _calls_of(message: BaseMessage) -> list[Any]:
    if not isinstance(message, AIMessage):
        return []
    return [*message.tool_calls, *message.invalid_tool_calls]


def _read_calls(index: int, message: AIMessage, calls: CallTracker) -> Iterator[Block]:
    """Record the calls that a message lists, and yield their arguments."""
    for invalid in message.invalid_tool_calls:
        calls.record_call(invalid["id"], invalid["name"], invalid["args"])
    for position, call in enumerate(message.tool_calls):
        arguments = compact_json(call["args"])
        calls.record_call(call["id"], call["name"], arguments)
        if arguments is not None:
            path = ("tool_calls", position, "args")
            yield Block(index, path, "tool_call", arguments, tool=call["name"])
    legacy = message.additional_kwargs.get("function_call")
    if legacy is not None:
        calls.record_call(None, get_field(legacy, "name"), get_field(legacy, "arguments"))


def _has_breakpoint(message: BaseMessage) -> bool:
    """Return whether the message has a cache breakpoint.

    Anthropic's is a field of a part, and Bedrock's a part of its own.
    """
    if "cache_control" in message.additional_kwargs or has_cache_breakpoint(message.content):
        return True
    return any(
        get_field(part, "cachePoint") or get_field(get_field(part, "extras"), "cache_control")
        for part in as_items(message.content)
    )
