"""Groups messages that must be kept or dropped together, and assigns them to turns."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from typing import Literal

from headroom_core.messages import Outline

TurnUnitKind = Literal["system", "user", "assistant", "step", "unknown"]

_KINDS: dict[str | None, TurnUnitKind] = {
    "system": "system",
    "user": "user",
    "assistant": "assistant",
    None: "unknown",
}


@dataclass(slots=True, eq=False)
class TurnUnit:
    """Messages that are kept or dropped together.

    Attributes:
        kind: `step` for tool calls with all their results; otherwise the speaker of its only
            message.
        turn: Number of the turn it belongs to: how many user messages there are up to its first
            message or, if a user speaks in it, up to the last of those.
        messages: Indices of its messages, in order.
        tokens: Number of tokens of its messages.
        output_tokens: Number of tokens of those of its messages that contain outputs.
        pending_calls: Ids of its tool calls that have no result yet.
        has_user_text: Whether a user speaks in it, possibly along with tool results.
        dropped: Whether it has been dropped. Results that arrive later do not join it.
    """

    kind: TurnUnitKind
    turn: int
    messages: list[int] = field(default_factory=list)
    tokens: int = 0
    output_tokens: int = 0
    pending_calls: set[str] = field(default_factory=set)
    has_user_text: bool = False
    dropped: bool = False

    @property
    def is_plain_step(self) -> bool:
        """Whether it is a tool call with its results, in which no user speaks."""
        return self.kind == "step" and not self.has_user_text


class Turns:
    """The units of a conversation, built message by message without looking ahead.

    A tool result belongs to the unit of the latest call with its id, however late it arrives,
    unless that has been dropped.

    Attributes:
        units: The units, in the order of their first messages.
        unit_of: The unit of each message.
        turn_count: Number of user messages so far.
        request_count: Number of messages by the model so far.
        last_user_unit: The unit of the last user message.
        message_of_call: Index of the latest message that makes the call, by the call's id.
        newest_reply: Index of the first message of the model after the latest from a user or tool
            that it replied to.

    Example:
        >>> turns = Turns()
        >>> turns.add(Outline("user"))
        >>> turns.add(Outline("assistant", calls=("a", "b")))
        >>> turns.add(Outline("tool_result", answers=("a",)))
        >>> [(unit.kind, unit.messages, sorted(unit.pending_calls)) for unit in turns.units]
        [('user', [0], []), ('step', [1, 2], ['b'])]
    """

    def __init__(self) -> None:
        self.units: list[TurnUnit] = []
        self.unit_of: list[TurnUnit] = []
        self.turn_count = 0
        self.request_count = 0
        self.last_user_unit: TurnUnit | None = None
        self.message_of_call: dict[str, int] = {}
        self.newest_reply = 0
        self._others_spoke = True

    def is_waiting(self, unit: TurnUnit) -> bool:
        """Return whether a unit has tool calls that may still get results.

        Once the model has gone on, older calls without a result were interrupted. Calls that it
        makes in several messages in a row belong together.
        """
        return bool(unit.pending_calls) and unit.messages[-1] >= self.newest_reply

    def age(self, unit: TurnUnit) -> int:
        """Return how many units follow a unit."""
        return len(self.units) - 1 - self._position(unit)

    def answered_units(self, outline: Outline) -> list[TurnUnit]:
        """Return the units whose calls a message answers, without dropped units."""
        calls = (self.message_of_call.get(call) for call in outline.answers)
        answered = dict.fromkeys(self.unit_of[index] for index in calls if index is not None)
        return [unit for unit in answered if not unit.dropped]

    def add(self, outline: Outline) -> None:
        """Add the next message of the conversation."""
        index = len(self.unit_of)
        if outline.kind == "user":
            self.turn_count += 1
        elif outline.kind == "assistant":
            self.request_count += 1
            if self._others_spoke:
                self.newest_reply = index
        if outline.kind in ("user", "assistant", "tool_result"):
            self._others_spoke = outline.kind != "assistant"
        unit = self._find_or_create_unit(outline)
        unit.messages.append(index)
        unit.pending_calls.update(outline.calls)
        self.message_of_call.update(dict.fromkeys(outline.calls, index))
        self.unit_of.append(unit)
        if outline.kind == "user":
            self.last_user_unit = unit
            # User text along with results of the previous turn still opens the next turn.
            unit.has_user_text = True
            unit.turn = self.turn_count

    def _find_or_create_unit(self, outline: Outline) -> TurnUnit:
        """Return the unit whose calls the message answers, or a new unit."""
        units = self.answered_units(outline)
        if not units:
            return self._create_unit(outline)
        unit = units[0] if len(units) == 1 else self._merge(units)
        unit.pending_calls.difference_update(outline.answers)
        return unit

    def _create_unit(self, outline: Outline) -> TurnUnit:
        kind: TurnUnitKind = "step"
        if not (outline.calls or outline.answers):
            kind = _KINDS.get(outline.kind, "step")
        unit = TurnUnit(kind, self.turn_count)
        self.units.append(unit)
        return unit

    def _merge(self, units: list[TurnUnit]) -> TurnUnit:
        """Merge units, because a single message answers calls of all, and return the result.

        The largest takes in the others, so that few messages move however often units are merged.
        """
        first = min(units, key=_first_message)
        largest = max(units, key=_count_entries)
        position, turn = self._position(first), first.turn
        for unit in units:
            if unit is not first:
                del self.units[self._position(unit)]
        self.units[position] = largest
        for unit in units:
            if unit is not largest:
                self._move_contents(unit, largest)
        largest.turn = turn
        return largest

    def _move_contents(self, unit: TurnUnit, into: TurnUnit) -> None:
        for message in unit.messages:
            insort(into.messages, message)
            self.unit_of[message] = into
        into.pending_calls |= unit.pending_calls
        into.tokens += unit.tokens
        into.output_tokens += unit.output_tokens
        into.has_user_text = into.has_user_text or unit.has_user_text
        if self.last_user_unit is unit:
            self.last_user_unit = into

    def _position(self, unit: TurnUnit) -> int:
        return bisect_left(self.units, unit.messages[0], key=_first_message)


def _first_message(unit: TurnUnit) -> int:
    return unit.messages[0]


def _count_entries(unit: TurnUnit) -> int:
    return len(unit.messages) + len(unit.pending_calls)
