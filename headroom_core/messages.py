"""The frozen values of a conversation on its way: blocks, drafts and changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypedDict

Kind = Literal["system", "user", "assistant", "tool_call", "tool_result", "document"]

OUTPUT_KINDS: tuple[Kind, ...] = ("tool_result", "document")
"""The kinds of blocks whose rows, lines and other units may be left out."""

Action = Literal["kept", "rewritten", "selected", "moved", "dropped"]


@dataclass(frozen=True, slots=True)
class Block:
    """A text of a conversation, and its place.

    Attributes:
        message: Index of the message that holds it.
        path: Keys and indices that lead from the message to the text.
        kind: Kind of the text.
        text: The text as it is now.
        tool: Name of the tool that was called, or that returned the text.
        call: Arguments of the call that returned the text, as text.
        pinned: Reason why the text must not be changed. None if it may be.
        is_error: Whether a tool returned it as an error.
        original: The text as it was received. None if it has not changed.
        span: Number of parts of a content that the text stands for, from the one at the path on.
    """

    message: int
    path: tuple[str | int, ...]
    kind: Kind
    text: str
    tool: str | None = None
    call: str | None = None
    pinned: str | None = None
    is_error: bool = False
    original: str | None = None
    span: int = 1

    def with_text(self, text: str) -> Block:
        """Return this block with another text, keeping the text that was received."""
        received = original_text(self)
        # Not `dataclasses.replace`, which takes three times as long for every shortened text.
        return Block(
            message=self.message,
            path=self.path,
            kind=self.kind,
            text=text,
            tool=self.tool,
            call=self.call,
            pinned=self.pinned,
            is_error=self.is_error,
            original=None if text == received else received,
            span=self.span,
        )


def original_text(block: Block) -> str:
    """Return the text of a block as it was received."""
    return block.text if block.original is None else block.original


@dataclass(frozen=True, slots=True)
class Change:
    """The change of one block, or of one message, and the reason for it.

    Attributes:
        message: Index of the message, from 0.
        path: Path of the block in the message. Empty for a whole message.
        action: `kept` for the same text, `rewritten` for another text that says the same,
            `selected` if units were left out behind a marker, `moved` if parts of the text moved
            to another place in it, `dropped` if the message was left out behind a marker.
        by: Name of the compressor or transform that made it. Empty if none did.
        reason: Why, or why not.
        tokens_before: Number of tokens of the block as it was received.
        tokens_after: Number of tokens of the block as it will be sent.
        keys: Keys of the originals that markers in the text name.
    """

    message: int
    path: tuple[str | int, ...]
    action: Action
    by: str
    reason: str
    tokens_before: int
    tokens_after: int
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outline:
    """The role of a message, and the tool calls that it makes and answers.

    Attributes:
        kind: The speaker. None if the dialect does not know the message.
        calls: Ids of the calls that it makes. Dialects of formats without ids invent them.
        answers: Ids of the calls that it answers.
        mark: Whether the caller set a cache breakpoint in it.
    """

    kind: Literal["system", "user", "assistant", "tool_result"] | None
    calls: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    mark: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """Dropped messages. A user's message with a marker stands where the first of them stood.

    Attributes:
        messages: Indices of the dropped messages, in order.
        marker: Text of the message that stands there.
        since: For each dropped message, the index of the message at which that was decided.
    """

    messages: tuple[int, ...]
    marker: str
    since: tuple[int, ...] = ()


def to_mapping(message: Any) -> Mapping[str, Any]:
    """Return a message as a mapping: itself, or the fields that its `model_dump` returns.

    Example:
        >>> to_mapping({"role": "user", "content": "hi"})
        {'role': 'user', 'content': 'hi'}
    """
    if isinstance(message, Mapping):
        return message
    return dict(message.model_dump(mode="json", exclude_none=True))


def user_message(text: str) -> dict[str, str]:
    """Return a user's message with a text, in the form that most formats share.

    Example:
        >>> user_message("hi")
        {'role': 'user', 'content': 'hi'}
    """
    return {"role": "user", "content": text}


class MessageCounter(Protocol):
    """Counts the tokens of one format's messages."""

    def count(self, message: Any, count_text: Callable[[str], int]) -> int:
        """Count the tokens of a message, given a function that counts those of a text."""
        ...


_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Draft:
    """A conversation on its way through the transforms.

    Attributes:
        messages: The messages as they were received. They are never altered.
        blocks: Their texts, in reading order.
        changes: The changes so far.
        originals: Texts to be stored, by key, before any marker that names them is sent.
        warnings: Warnings for the caller.
        outlines: The outline of each message. Empty if the dialect cannot tell: then no message
            may be dropped.
        gap: The dropped messages. None if there are none.
        plain: Returns a message as JSON values, as it is stored when it is dropped.
        note: Returns a user's message with a text, for the marker of dropped messages.
        counter: Counts the messages. Defaults to the dialect that recognises them.
    """

    messages: tuple[Any, ...]
    blocks: tuple[Block, ...]
    changes: tuple[Change, ...] = ()
    originals: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    warnings: tuple[str, ...] = ()
    outlines: tuple[Outline, ...] = ()
    gap: Gap | None = None
    plain: Callable[[Any], Mapping[str, Any]] = to_mapping
    note: Callable[[str], Any] = user_message
    counter: MessageCounter | None = field(default=None, compare=False)


def causal_queries(blocks: Sequence[Block]) -> list[str]:
    """Return the query that each block is scored against.

    It is the last user text before the block, with the arguments of the call that a tool result
    answers. Later messages do not count, so the result of a block that was sent never changes.

    Example:
        >>> causal_queries([
        ...     Block(0, ("content",), "user", "who failed?"),
        ...     Block(2, ("content",), "tool_result", "[]", tool="jobs", call='{"day": 3}'),
        ... ])
        ['', 'who failed?\\n{"day": 3}']
    """
    queries: list[str] = []
    user_texts: list[str] = []
    user_message_index = -1
    for block in blocks:
        parts = user_texts if user_message_index < block.message else []
        queries.append("\n".join([*parts, block.call] if block.call else parts))
        if block.kind == "user":
            is_same_message = user_message_index == block.message
            user_texts = [*user_texts, block.text] if is_same_message else [block.text]
            user_message_index = block.message
    return queries


def require_list(name: str, values: Sequence[Any]) -> list[Any]:
    """Return values as a list.

    Raises:
        TypeError: They are a single text or message, which would come apart into letters or keys.
    """
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        kind = type(values).__name__
        raise TypeError(f"{name} must be a list, got {kind}; give a list of {name}")
    return list(values)


class SystemMessage(TypedDict):
    """A system message of the OpenAI format."""

    role: Literal["system", "developer"]
    content: str | list[dict[str, Any]]


class UserMessage(TypedDict):
    """A user message of the OpenAI format."""

    role: Literal["user"]
    content: str | list[dict[str, Any]]


class _AssistantRole(TypedDict):
    role: Literal["assistant"]


class AssistantMessage(_AssistantRole, total=False):
    """An assistant message of the OpenAI format, with the tools that it calls."""

    content: str | list[dict[str, Any]] | None
    tool_calls: list[dict[str, Any]]


class ToolMessage(TypedDict):
    """A tool result of the OpenAI format."""

    role: Literal["tool"]
    tool_call_id: str
    content: str | list[dict[str, Any]]


def stored_originals(draft: Draft) -> dict[str, str]:
    """Return the originals of the blocks that lost units, by the keys in their markers."""
    texts = {(block.message, block.path): original_text(block) for block in draft.blocks}
    return {
        key: texts[change.message, change.path]
        for change in draft.changes
        if change.action == "selected" and (change.message, change.path) in texts
        for key in change.keys
    }
