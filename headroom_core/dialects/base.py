"""The contract of a dialect, and what all of them share: pairs of calls and answers, outlines, and JSON."""

from __future__ import annotations

import json
import marshal
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from headroom_core._internal.caches import process_caches
from headroom_core.dialects.access import find_cache_breakpoints
from headroom_core.dialects.counting import CHAT_FIELDS, CountedFields, CountText
from headroom_core.messages import Block, Draft, Outline

Speaker = Literal["system", "user", "assistant", "tool_result"]


@runtime_checkable
class Dialect(Protocol):
    """Reads and writes one family of message formats.

    Rendering a draft in which no block was changed gives back the very objects that were parsed. A
    changed block changes that text alone: images, thinking, signatures, cache breakpoints and fields
    that nobody here knows stay in the message that they came in.

    Attributes:
        name: how the dialect is called in `compress(dialect=…)`.
    """

    name: str

    def matches(self, messages: Sequence[Any]) -> bool:
        """Return whether the messages are of this dialect."""
        ...

    def parse(self, messages: Sequence[Any]) -> Draft:
        """Return the messages' texts as blocks, and an outline of each message."""
        ...

    def render(self, draft: Draft) -> list[Any]:
        """Return the messages with the draft's texts, and the note of its gap in the place of what is left out."""
        ...


Fingerprint = tuple[bytes, str | None]

_PLAIN: dict[Speaker | None, Outline] = {
    kind: Outline(kind) for kind in (None, "system", "user", "assistant", "tool_result")
}
"""Most messages make no call and answer none: their outlines are shared, since making one takes longer."""


class CallTracker:
    """The calls of a conversation so far, and which answer belongs to which.

    An id names the latest call that was made with it. Where the call or its answer has no id, an answer belongs
    to the oldest call of its tool that is still unanswered.

    Example:
        >>> calls = CallTracker()
        >>> calls.record_call("c1", "jobs", '{"day":3}')
        >>> calls.outline("assistant", mark=False).calls
        ('c1',)
        >>> calls.record_result(None, "jobs")
        ('jobs', '{"day":3}')
        >>> calls.outline("tool_result", mark=False).answers
        ('c1',)

    Attributes:
        events: the calls and answers, as they were noted.
    """

    def __init__(self) -> None:
        self._calls: dict[str, tuple[str | None, str | None]] = {}
        self._unanswered: dict[str | None, dict[str, None]] = {}
        self._made_up = 0
        self._here: tuple[list[str], list[str]] = [], []
        self.events: list[tuple[Literal["made", "answered"], Any, str | None, str | None]] = []

    def copy_up_to(self, events: int) -> CallTracker:
        """Return the calls as they were when so many calls and answers had been noted."""
        calls = CallTracker()
        for note, identifier, name, arguments in self.events[:events]:
            if note == "made":
                calls.record_call(identifier, name, arguments)
            else:
                calls.record_result(identifier, name)
        calls._here = [], []
        return calls

    def record_call(self, identifier: Any, name: str | None, arguments: str | None) -> None:
        """Note a call; where it has no id, one is made up."""
        self.events.append(("made", identifier, name, arguments))
        key = identifier if isinstance(identifier, str) else self._new()
        self._calls[key] = name, arguments
        self._unanswered.setdefault(name, {})[key] = None
        self._here[0].append(key)

    def record_result(self, identifier: Any, name: str | None) -> tuple[str | None, str | None]:
        """Note an answer; return the name and the arguments of its call, as far as they are known."""
        self.events.append(("answered", identifier, name, None))
        key = self._answered(identifier, name)
        tool, arguments = self._calls.get(key, (None, None))
        if (unanswered := self._unanswered.get(tool)) is not None:
            unanswered.pop(key, None)
        self._here[1].append(key)
        return tool or name, arguments

    def outline(self, kind: Speaker | None, *, mark: bool) -> Outline:
        """Return the outline of a message: the calls and answers that were noted since the last one.

        A call that is answered in its own message, by one of the server's tools, binds it to no other message.
        """
        calls, answers = self._here
        if not (calls or answers or mark):
            return _PLAIN[kind]
        self._here = [], []
        if calls and answers:
            inside = {*calls}.intersection(answers)
            calls, answers = (
                [key for key in keys if key not in inside] for keys in (calls, answers)
            )
        return Outline(kind, tuple(calls), tuple(answers), mark)

    def _answered(self, identifier: Any, name: str | None) -> str:
        if isinstance(identifier, str) and identifier in self._calls:
            return identifier
        oldest = next(iter(self._unanswered.get(name, ())), None)
        if not isinstance(identifier, str):
            return oldest or self._new()
        return oldest if oldest and oldest.startswith("\0") else identifier

    def _new(self) -> str:
        # No API hands out an id that begins with this character.
        self._made_up += 1
        return f"\0{self._made_up}"


class ParseState:
    """What was read of a conversation so far.

    Attributes:
        blocks: the texts.
        outlines: of each message, the outline.
        calls: the calls, and which of them were answered.
        leading: whether no message has told yet who speaks.
        ends: how many blocks and events there were after each message, and whether it was still leading.
    """

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.outlines: list[Outline] = []
        self.calls = CallTracker()
        self.leading = True
        self.ends: list[tuple[int, int, bool]] = []

    def copy_up_to(self, messages: int) -> ParseState:
        """Return a state of its own that goes on behind so many of the messages."""
        state = ParseState()
        if messages:
            blocks, events, state.leading = self.ends[messages - 1]
            state.blocks, state.calls = self.blocks[:blocks], self.calls.copy_up_to(events)
            state.outlines, state.ends = self.outlines[:messages], self.ends[:messages]
        return state


class MessageReader:
    """A dialect that reads message after message, so that a conversation which grew need not be read anew.

    What a message is read as depends on it, on those before it and on the class of the dialect alone.

    Attributes:
        counted_fields: The fields of the format that a model reads.
    """

    counted_fields: ClassVar[CountedFields] = CHAT_FIELDS

    def parse(self, messages: Sequence[Any]) -> Draft:
        """Return the messages' texts as blocks, and an outline of each message."""
        return self.build_draft(messages, self.read_new(ParseState(), messages))

    def read_new(self, state: ParseState, messages: Sequence[Any]) -> ParseState:
        """Read the messages that the state does not know yet, and return it."""
        for index in range(len(state.outlines), len(messages)):
            state.outlines.append(self.read_message(index, messages[index], state))
            state.ends.append((len(state.blocks), len(state.calls.events), state.leading))
        return state

    def read_message(self, index: int, message: Any, state: ParseState) -> Outline:
        """Add the texts of the message at an index to a state, and return the message's outline."""
        raise NotImplementedError

    def build_draft(self, messages: Sequence[Any], state: ParseState) -> Draft:
        """Return the draft of messages that were read."""
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
        """Return what is equal only where messages are read, and counted, in the same way.

        Raises:
            ValueError: there is no such thing, because the message holds something else than plain values.
        """
        text = message.get("content") if type(message) is dict else None
        return (
            fingerprint_of({**message, "content": None}, text)
            if type(text) is str
            else fingerprint_of(message)
        )


def fingerprint_of(value: Any, text: str | None = None) -> Fingerprint:
    """Return the image of a value beside a text, which may be long and is not copied.

    Raises:
        ValueError: the value holds something else than plain values.
    """
    return marshal.dumps(
        value, 2
    ), text  # Later versions tell apart how often a value is referred to.


_encoded = process_caches.memoized(
    json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
)


def has_cache_breakpoint(content: Any) -> bool:
    """Return whether a part of a message's content, or a part inside of it, holds a cache breakpoint.

    Example:
        >>> has_cache_breakpoint([{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}])
        True
    """
    return isinstance(content, (list, tuple)) and any(map(find_cache_breakpoints, content))


def compact_json(value: Any) -> str | None:
    """Return a value as compact JSON, None when it is not JSON."""
    try:
        return _encoded(value)
    except (TypeError, ValueError, RecursionError):
        return None
