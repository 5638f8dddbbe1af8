"""What goes together when messages are left out: a call with all its results, and whose turn it is."""

from __future__ import annotations

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


@dataclass(slots=True)
class TurnUnit:
    """Messages that stay or go together.

    Attributes:
        kind: `step` for calls with all their results, else who speaks in its one message.
        turn: which turn it belongs to: the number of users' messages up to it, or to the last one in it.
        messages: the indices of its messages, in order.
        unanswered: the ids of its calls that have no result yet.
        spoken: whether a user speaks in it, beside results.
    """

    kind: TurnUnitKind
    turn: int
    messages: list[int] = field(default_factory=list)
    unanswered: set[str] = field(default_factory=set)
    spoken: bool = False


class Turns:
    """The units of a conversation as its messages arrive, without a look at those that are still to come.

    A result belongs to the unit of the latest call with its id, however late it arrives.

    Attributes:
        units: the units, in the order of their first messages.
        of: the unit of each message.
        turn: the number of users' messages so far.
        spoke: the unit of the last user's message.
        requests: how often the model has spoken.
        callers: the message of the latest call with each id.

    Example:
        >>> turns = Turns()
        >>> turns.arrive(Outline("user"))
        >>> turns.arrive(Outline("assistant", calls=("a", "b")))
        >>> turns.arrive(Outline("tool_result", answers=("a",)))
        >>> [(unit.kind, unit.messages, sorted(unit.unanswered)) for unit in turns.units]
        [('user', [0], []), ('step', [1, 2], ['b'])]
    """

    def __init__(self) -> None:
        self.units: list[TurnUnit] = []
        self.of: list[TurnUnit] = []
        self.turn = 0
        self.spoke: TurnUnit | None = None
        self.requests = 0
        self.callers: dict[str, int] = {}

    def arrive(self, outline: Outline) -> None:
        """Take in the next message."""
        self.turn += outline.kind == "user"
        self.requests += outline.kind == "assistant"
        unit = self._answered(outline)
        unit.messages.append(len(self.of))
        unit.unanswered.update(outline.calls)
        self.callers.update(dict.fromkeys(outline.calls, len(self.of)))
        self.of.append(unit)
        if outline.kind == "user":
            self.spoke = unit
            # What a user says belongs to the turn that it opens, also beside results of the turn before.
            unit.spoken, unit.turn = True, self.turn

    def _answered(self, outline: Outline) -> TurnUnit:
        """Return the unit whose calls the message answers, or a new one."""
        asked = [self.of[self.callers[key]] for key in outline.answers if key in self.callers]
        units = list({id(unit): unit for unit in asked}.values())
        if not units:
            kind = "step" if outline.calls or outline.answers else _KINDS.get(outline.kind, "step")
            self.units.append(TurnUnit(kind, self.turn))
            return self.units[-1]
        first = min(units, key=lambda unit: unit.messages[0])
        for unit in units:
            unit.unanswered.difference_update(outline.answers)
            if unit is not first:
                self._join(first, unit)
        return first

    def _join(self, first: TurnUnit, other: TurnUnit) -> None:
        first.messages = sorted([*first.messages, *other.messages])
        first.unanswered |= other.unanswered
        first.spoken |= other.spoken
        self.units = [unit for unit in self.units if unit is not other]
        self.spoke = first if self.spoke is other else self.spoke
        self.of = [first if unit is other else unit for unit in self.of]
