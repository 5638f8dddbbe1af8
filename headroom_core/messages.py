"""The frozen values that travel through a compression: blocks, drafts and changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypedDict

Kind = Literal["system", "user", "assistant", "tool_call", "tool_result", "document"]
OUTPUT_KINDS: tuple[Kind, ...] = ("tool_result", "document")
"""The kinds of texts of which units may be left out."""

Action = Literal["kept", "rewritten", "selected", "moved", "dropped"]


@dataclass(frozen=True, slots=True)
class Block:
    """One text of a conversation, and where it stands.

    Attributes:
        message: the index of the message that holds it.
        path: the keys and indices that lead from the message to the text.
        kind: what the text is.
        text: the text as it is now.
        tool: the name of the tool that was called or that answered.
        call: the arguments of the call that a tool result answers, as text.
        pinned: why the text may not be changed, where it may not.
        original: the text as it came, where it has been changed.
    """

    message: int
    path: tuple[str | int, ...]
    kind: Kind
    text: str
    tool: str | None = None
    call: str | None = None
    pinned: str | None = None
    original: str | None = None

    def with_text(self, text: str) -> Block:
        """Return this block with another text, remembering the one that it came with."""
        came_with = original_text(self)
        before = None if text == came_with else came_with
        # `replace` takes three times as long, and every shortened text of a conversation passes here.
        return Block(
            self.message, self.path, self.kind, text, self.tool, self.call, self.pinned, before
        )


def original_text(block: Block) -> str:
    """Return a block's text as it came."""
    return block.text if block.original is None else block.original


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one block, and why.

    Attributes:
        message: the index of the block's message.
        path: where in the message the block stands.
        action: `kept` (the same text), `rewritten` (another text that says the same), `selected` (some units were
            left out behind a marker), `moved` (parts of it stand in another place of it) or `dropped` (the whole
            message was left out behind a marker; the path is then empty).
        by: the name of the compressor or transform that did it, empty when none did.
        reason: why, or why not.
        tokens_before: the block's tokens as it came.
        tokens_after: the block's tokens as it went.
        keys: the keys of the originals that its markers name.
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
    """Who speaks in a message, which calls it makes and which it answers.

    Attributes:
        kind: who speaks; None for a message that its dialect does not know.
        calls: the ids of the calls that it makes; where the format has none, the dialect makes them up.
        answers: the ids of the calls that it answers.
        mark: whether the caller has set a cache breakpoint in it.
    """

    kind: Literal["system", "user", "assistant", "tool_result"] | None
    calls: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    mark: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages that are left out, and what stands in their place: a user's message before the first of them.

    Attributes:
        messages: the indices of the messages, in order.
        marker: the text of the message that stands in their place.
        since: for each, the index of the message at which it was decided.
    """

    messages: tuple[int, ...]
    marker: str
    since: tuple[int, ...] = ()


def to_mapping(message: Any) -> Mapping[str, Any]:
    """Return a mapping as it is, and what any other message says of itself with `model_dump`.

    Example:
        >>> to_mapping({"role": "user", "content": "hi"})
        {'role': 'user', 'content': 'hi'}
    """
    if isinstance(message, Mapping):
        return message
    return dict(message.model_dump(mode="json", exclude_none=True))


def user_message(text: str) -> dict[str, str]:
    """Return a user's message with this text, in the form that most formats share.

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
        messages: the messages as they came, never altered.
        blocks: their texts, in reading order.
        changes: what was done so far.
        originals: the texts to be stored before any marker that names them is handed out, by key.
        warnings: what the caller should know.
        outlines: of each message, who speaks and which calls it makes and answers; empty where the dialect cannot
            tell, so that no message may be left out.
        gap: what is left out.
        plain: returns a message as JSON values, as it is kept where it is left out.
        note: returns a user's message with a text, which stands where messages are left out.
        counted: Tokens of every message as it was received. None if they were not counted.
        counter: Counts the messages. If None, the dialect that recognises the messages does.
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
    counted: tuple[int, ...] | None = None


def causal_queries(blocks: Sequence[Block]) -> list[str]:
    """Return, for every block, the query that it is scored against.

    That is the last user text before the block, and the arguments of the call that a tool result
    answers. Nothing that comes later counts, so a block's result never changes once it was sent.

    Example:
        >>> causal_queries([
        ...     Block(0, ("content",), "user", "who failed?"),
        ...     Block(2, ("content",), "tool_result", "[]", tool="jobs", call='{"day": 3}'),
        ... ])
        ['', 'who failed?\\n{"day": 3}']
    """
    queries: list[str] = []
    asked: list[str] = []
    asked_in = -1
    for block in blocks:
        before = asked if asked_in < block.message else []
        queries.append("\n".join([*before, block.call] if block.call else before))
        if block.kind == "user":
            asked = [*asked, block.text] if asked_in == block.message else [block.text]
            asked_in = block.message
    return queries


def require_list(name: str, values: Sequence[Any]) -> list[Any]:
    """Return the values as a list: a lone text or message would come apart into its letters or keys."""
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise TypeError(f"{name} is of type {type(values).__name__}: give a list of {name}")
    return list(values)


class SystemMessage(TypedDict):
    """A system message of the OpenAI format."""

    role: Literal["system", "developer"]
    content: str | list[dict[str, Any]]


class UserMessage(TypedDict):
    """A user's message of the OpenAI format."""

    role: Literal["user"]
    content: str | list[dict[str, Any]]


class _FromAssistant(TypedDict):
    role: Literal["assistant"]


class AssistantMessage(_FromAssistant, total=False):
    """A model's message of the OpenAI format, with the tools that it calls."""

    content: str | list[dict[str, Any]] | None
    tool_calls: list[dict[str, Any]]


class ToolMessage(TypedDict):
    """A tool's answer of the OpenAI format."""

    role: Literal["tool"]
    tool_call_id: str
    content: str | list[dict[str, Any]]
