"""The policy of a cut: which messages may be dropped, and how outputs are shortened first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from headroom_core.messages import Block, Change
from headroom_core.transforms.windows.turns import Turns, TurnUnit


@dataclass(frozen=True, slots=True)
class Candidate:
    """Units that may only be dropped together.

    Attributes:
        units: The units.
        reason: Why they are dropped if they are.
        loss_per_token: Importance that is lost with each of their tokens. None if candidates are
            dropped in the given order.
    """

    units: tuple[TurnUnit, ...]
    reason: str
    loss_per_token: float | None = None


@dataclass(frozen=True, slots=True)
class CutState:
    """The conversation as it stands at a cut.

    Attributes:
        turns: The units of all messages so far, including dropped messages.
        unprotected: The droppable units outside the last turns, and tool calls in them, in order.
    """

    turns: Turns
    unprotected: Sequence[TurnUnit]


@dataclass(frozen=True, slots=True)
class ShortenedBlock:
    """A block after shortening.

    Attributes:
        block: The block with its new text.
        change: The record of the change.
        originals: The texts that its markers refer to, by key.
    """

    block: Block
    change: Change
    originals: Mapping[str, str]


Rank = Callable[[CutState], Iterable[Candidate]]
"""Yields all unprotected units as candidates, in the order in which to drop them."""

Remember = Callable[[str, Callable[[], dict[int, str]]], dict[int, str]]
"""Returns the decision stored under a key, or calls the function to decide, and stores that."""

Shorten = Callable[[Block], ShortenedBlock | None]
"""Returns an output in fewer tokens, or None if it cannot be shortened."""


Truncate = Callable[[Block, int], ShortenedBlock | None]
"""Returns a block in at most so many tokens, or None if it must stay as it is."""


@dataclass(frozen=True, slots=True)
class CutPolicy:
    """The way in which a transform cuts a conversation.

    Attributes:
        name: Name of the transform, as recorded in the changes.
        settings: Everything besides the messages that `rank` depends on, as text.
        rank: Yields the candidates for dropping.
        protected_turns: Number of last turns whose spoken messages are dropped only to meet a limit
            that must be met, if dropping all other candidates does not suffice.
        keep_system: Whether system messages are never dropped.
        remember: Looks up and stores decisions that depend on more than messages and settings.
            None if there are no such decisions.
        shorten: Shortens outputs at a cut, before messages are dropped. None if they have been
            shortened already.
        shorten_within: Share of the limit: an excess up to that is met by shortening the oldest
            outputs only, a larger excess by shortening all outputs.
        truncate: Cuts a single text, where a limit that must be met cannot be met otherwise. None
            if texts stay whole.
    """

    name: str
    settings: str
    rank: Rank
    protected_turns: int
    keep_system: bool
    remember: Remember | None = None
    shorten: Shorten | None = None
    shorten_within: float = math.inf
    truncate: Truncate | None = None


def first_protected_turn(state: CutState, count: int) -> int:
    """Return the number of the first of the last `count` turns."""
    return state.turns.turn_count - count + 1


def protected_candidates(units: Iterable[TurnUnit]) -> Iterator[Candidate]:
    """Yield protected units, a turn at a time, the oldest first."""
    turn_of = attrgetter("turn")
    for _, turn in groupby(sorted(units, key=turn_of), key=turn_of):
        yield Candidate(tuple(turn), "in a protected turn: the limit could not be met otherwise")
