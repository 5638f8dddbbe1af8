"""The dialect protocol, and the base class of dialects that read message by message."""

from __future__ import annotations

import marshal
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from headroom_core.dialects.access import find_cache_breakpoints
from headroom_core.dialects.counting import CHAT_FIELDS, CountedFields, CountText
from headroom_core.messages import Block, Draft, Outline

Speaker = Literal["system", "user", "assistant", "tool_result"]

Fingerprint = tuple[bytes, str | None]
"""Plain values of a message in bytes, and at most one long text, which is not copied."""


@runtime_checkable
class Dialect(Protocol):
    """Reads and writes one family of message formats.

    Rendering a draft without a changed block returns the very objects that were parsed. A changed
    block changes its text alone: images, thinking, signatures, cache breakpoints and unknown fields
    stay in their message.

    A dialect may also have `count(message, count_text)`, which returns the tokens of a message.
    Without it, messages count as chat messages do.

    Attributes:
        name: The name of the dialect in `compress(dialect=…)`.
    """

    name: str

    def matches(self, messages: Sequence[Any]) -> bool:
        """Return whether the messages are in this dialect's format."""
        ...

    def parse(self, messages: Sequence[Any]) -> Draft:
        """Return the texts of the messages as blocks, and an outline of each message."""
        ...

    def render(self, draft: Draft) -> list[Any]:
        """Return the messages with the draft's texts.

        If messages are left out, the note of the draft's gap replaces them.
        """
        ...


# Most messages make no call and answer none: they share outlines, which are slow to create.
_BARE_OUTLINES: dict[Speaker | None, Outline] = {
    None: Outline(None),
    "system": Outline("system"),
    "user": Outline("user"),
    "assistant": Outline("assistant"),
    "tool_result": Outline("tool_result"),
}


_Event = tuple[Literal["call", "result"], Any, str | None, str | None, Any]
"""A call or a result: its id, the name of its tool, and the arguments and other id of a call."""


class CallTracker:
    """The tool calls of a conversation so far, and the results that belong to them.

    An id names the latest call that was made with it. If a call or its result has no id, a result
    belongs to the oldest call of its tool without a result.

    Attributes:
        events: The calls and results in the order in which they were recorded.

    Example:
        >>> calls = CallTracker()
        >>> calls.record_call("c1", "jobs", '{"day":3}')
        >>> calls.finish_message("assistant").calls
        ('c1',)
        >>> calls.record_result(None, "jobs")
        ('jobs', '{"day":3}')
        >>> calls.finish_message("tool_result").answers
        ('c1',)
    """

    def __init__(self) -> None:
        self._calls: dict[str, tuple[str | None, str | None]] = {}
        self._other_ids: dict[str, str] = {}
        self._unanswered: dict[str | None, dict[str, None]] = {}
        self._generated_ids = 0
        self._message_calls: list[str] = []
        self._message_answers: list[str] = []
        self.events: list[_Event] = []

    def copy_up_to(self, events: int) -> CallTracker:
        """Return a tracker that has recorded only this many of the calls and results."""
        calls = CallTracker()
        for event, identifier, tool, arguments, other_id in self.events[:events]:
            if event == "call":
                calls.record_call(identifier, tool, arguments, other_id)
            else:
                calls.record_result(identifier, tool)
        calls._message_calls = []
        calls._message_answers = []
        return calls

    def record_call(
        self, identifier: Any, tool: str | None, arguments: str | None, other_id: Any = None
    ) -> None:
        """Record a call of a tool.

        Args:
            identifier: The id of the call. If it is not a string, an id is generated.
            tool: The name of the tool.
            arguments: The arguments of the call as text.
            other_id: A second id by which a result may name the call.
        """
        self.events.append(("call", identifier, tool, arguments, other_id))
        key = identifier if isinstance(identifier, str) else self._generate_id()
        if isinstance(other_id, str):
            self._other_ids[other_id] = key
        self._calls[key] = tool, arguments
        self._unanswered.setdefault(tool, {})[key] = None
        self._message_calls.append(key)

    def record_result(self, identifier: Any, tool: str | None) -> tuple[str | None, str | None]:
        """Record the result of a call.

        Args:
            identifier: The id of the call that the result answers, if it has one.
            tool: The name of the tool, if the result has one.

        Returns:
            The name of the tool and the arguments of its call, as far as they are known.
        """
        self.events.append(("result", identifier, tool, None, None))
        key = self._find_call(identifier, tool)
        called_tool, arguments = self._calls.get(key, (None, None))
        unanswered = self._unanswered.get(called_tool)
        if unanswered is not None:
            unanswered.pop(key, None)
        self._message_answers.append(key)
        return called_tool or tool, arguments

    def known_id(self, identifier: Any) -> str | None:
        """Return the id of the call that an id names, None if it names no call."""
        if not isinstance(identifier, str):
            return None
        key = self._other_ids.get(identifier, identifier)
        return key if key in self._calls else None

    def finish_message(self, kind: Speaker | None, *, has_breakpoint: bool = False) -> Outline:
        """Return the outline of a message, with the calls and results recorded since the last.

        A call that is answered in its own message, by one of the server's tools, binds the message
        to no other.

        Args:
            kind: Who speaks in the message.
            has_breakpoint: Whether the caller has set a cache breakpoint in the message.
        """
        calls, answers = self._message_calls, self._message_answers
        if not (calls or answers or has_breakpoint):
            return _BARE_OUTLINES[kind]
        self._message_calls = []
        self._message_answers = []
        if calls and answers:
            inside = set(calls).intersection(answers)
            calls = [key for key in calls if key not in inside]
            answers = [key for key in answers if key not in inside]
        return Outline(kind, tuple(calls), tuple(answers), has_breakpoint)

    def _find_call(self, identifier: Any, tool: str | None) -> str:
        known = self.known_id(identifier)
        if known is not None:
            return known
        oldest = next(iter(self._unanswered.get(tool, ())), None)
        if not isinstance(identifier, str):
            return oldest or self._generate_id()
        # A result with an unknown id may only answer a call that came without an id.
        return oldest if oldest and oldest.startswith("\0") else identifier

    def _generate_id(self) -> str:
        # No API hands out an id that begins with this character.
        self._generated_ids += 1
        return f"\0{self._generated_ids}"


_Checkpoint = tuple[int, int, bool]
"""The numbers of blocks and of events after a message, and whether there were only strings.

It is a plain tuple, because creating a named tuple for every message takes six times as long.
"""


class ParseState:
    """The part of a conversation that was read so far.

    Attributes:
        blocks: The texts.
        outlines: The outline of each message.
        calls: The calls, and their results.
        only_strings: Whether all messages so far are plain strings.
        checkpoints: The length of the state after each message.
    """

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.outlines: list[Outline] = []
        self.calls = CallTracker()
        self.only_strings = True
        self.checkpoints: list[_Checkpoint] = []

    def copy_up_to(self, messages: int) -> ParseState:
        """Return an independent state that has read only this many of the messages."""
        state = ParseState()
        if messages:
            blocks, events, state.only_strings = self.checkpoints[messages - 1]
            state.blocks = self.blocks[:blocks]
            state.outlines = self.outlines[:messages]
            state.calls = self.calls.copy_up_to(events)
            state.checkpoints = self.checkpoints[:messages]
        return state


class MessageReader:
    """Base class of dialects that read message by message.

    Of a conversation that has grown, only the new messages are read.

    How a message is read may depend on the message, on those before it and on the dialect's class,
    and on nothing else.

    Attributes:
        counted_fields: Fields of the format that a model reads, at any depth of a message.
    """

    counted_fields: ClassVar[CountedFields] = CHAT_FIELDS

    def parse(self, messages: Sequence[Any]) -> Draft:
        """Return the texts of the messages as blocks, and an outline of each message."""
        return self.build_draft(messages, self.read_new(ParseState(), messages))

    def read_new(self, state: ParseState, messages: Sequence[Any]) -> ParseState:
        """Read the messages of a conversation that the state has not read yet.

        Args:
            state: The state after the first messages. It is extended in place.
            messages: All messages of the conversation.

        Returns:
            The same state.
        """
        for index in range(len(state.outlines), len(messages)):
            state.outlines.append(self.read_message(index, messages[index], state))
            state.checkpoints.append(
                (len(state.blocks), len(state.calls.events), state.only_strings)
            )
        return state

    def read_message(self, index: int, message: Any, state: ParseState) -> Outline:
        """Add the texts and calls of one message to the state.

        Args:
            index: The index of the message in the conversation.
            message: The message.
            state: The state after the messages before it.

        Returns:
            The outline of the message.
        """
        raise NotImplementedError

    def build_draft(self, messages: Sequence[Any], state: ParseState) -> Draft:
        """Return the draft of a conversation that the state has read."""
        return Draft(
            tuple(messages), tuple(state.blocks), outlines=tuple(state.outlines), counter=self
        )

    def count(self, message: Any, count_text: CountText) -> int:
        """Count the tokens of a message.

        Args:
            message: The message.
            count_text: Counts the tokens of a text.
        """
        return self.counted_fields.count(message, count_text)

    def fingerprint(self, message: Any) -> Fingerprint:
        """Return a value that is equal only for messages that are read and counted the same way.

        Raises:
            ValueError: The message holds a value that is not plain data.
        """
        text = message.get("content") if type(message) is dict else None
        if type(text) is str:
            return fingerprint_of({**message, "content": None}, text)
        return fingerprint_of(message)


def fingerprint_of(value: Any, text: str | None = None) -> Fingerprint:
    """Return the fingerprint of a plain value, and of a further text that may be long.

    Raises:
        ValueError: The value is not plain data.
    """
    # Later versions of the format depend on the number of references to a value.
    return marshal.dumps(value, 2), text


def has_cache_breakpoint(content: Any) -> bool:
    """Return whether a part of a message's content, at any depth, has a cache breakpoint.

    Example:
        >>> part = {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}
        >>> has_cache_breakpoint([part])
        True
    """
    return isinstance(content, (list, tuple)) and any(map(find_cache_breakpoints, content))
