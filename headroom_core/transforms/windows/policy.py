"""What a window decides with: what may go at a cut, and how it is shortened before."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from headroom_core.messages import Block, Change
from headroom_core.transforms.windows.turns import Turns, TurnUnit


@dataclass(frozen=True, slots=True)
class Candidate:
    """Units that go at once.

    Attributes:
        units: the units.
        reason: why they go.
        worth: what is lost with each of their tokens; None where the order alone decides.
    """

    units: tuple[TurnUnit, ...]
    reason: str
    worth: float | None = None


@dataclass(frozen=True, slots=True)
class CutState:
    """What is known at a cut.

    Attributes:
        turns: the units of all messages so far, also of those that are gone.
        present: the units that may go: nothing of them is gone, every call is answered, and neither the newest
            message nor the last user's is in them.
        sizes: the tokens of every message so far.
    """

    turns: Turns
    present: tuple[TurnUnit, ...]
    sizes: Sequence[int]


@dataclass(frozen=True, slots=True)
class ShortenedBlock:
    """A block in fewer tokens.

    Attributes:
        block: the block with its new text.
        change: what became of it.
        originals: the texts that its markers name, by key.
    """

    block: Block
    change: Change
    originals: Mapping[str, str]


Rank = Callable[[CutState], Iterable[Candidate]]
"""Names what may go, what should go first at the start; what it does not name is protected."""

Remember = Callable[[str, Callable[[], dict[int, str]]], dict[int, str]]
"""Returns what was decided before under a key, else asks for a decision and keeps it."""

Shorten = Callable[[Block], ShortenedBlock | None]
"""Returns an output in fewer tokens, None where there is no such form."""


@dataclass(frozen=True, slots=True)
class CutPolicy:
    """How a transform cuts.

    Attributes:
        name: the transform's name, which stands in the changes.
        settings: what its rank depends on beside the messages, as text.
        rank: names what goes first.
        remember: keeps decisions that rest on more than that; None where they do not.
        shorten: shortens outputs at a cut, before anything is left out; None where that was done before.
        shorten_within: the share of the limit up to which an excess is met by shortening some, the oldest first;
            beyond it, all are shortened.
    """

    name: str
    settings: str
    rank: Rank
    remember: Remember | None = None
    shorten: Shorten | None = None
    shorten_within: float = math.inf


def first_kept_turn(moment: CutState, turns: int) -> int:
    """Return the number of the first of the last so many turns."""
    return moment.turns.turn - turns + 1
