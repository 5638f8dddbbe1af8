"""The units of a conversation that may be dropped, kept up to date message by message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from headroom_core.messages import Outline
from headroom_core.transforms.windows.turns import Turns, TurnUnit

_Bucket = dict[TurnUnit, None]


class _Filed(NamedTuple):
    """Where a unit is filed, and the tokens that were added to the totals with it."""

    bucket: _Bucket
    turn: int | None
    tokens: int
    output_tokens: int


class DroppableUnits:
    """The units whose messages are still kept, without those that must be.

    Must be kept: the newest message, the last user message, messages that the dialect does not
    know, and calls that may still get a result. A new message only files the units anew that it
    affects, so that a long conversation of messages that must be kept costs little.

    Args:
        turns: The units of the conversation, to which `add` adds.
        protected_turns: Number of last turns whose spoken messages are protected.
        keep_system: Whether system messages are kept, though their outputs may be shortened.

    Attributes:
        output_tokens: Number of tokens of all messages with outputs in droppable units.
    """

    def __init__(self, turns: Turns, protected_turns: int, *, keep_system: bool) -> None:
        self.output_tokens = 0
        self._turns = turns
        self._protected_turns = protected_turns
        self._keep_system = keep_system
        self._unprotected: _Bucket = {}
        self._system: _Bucket = {}
        self._protected: dict[int, _Bucket] = {}
        self._protected_tokens: dict[int, int] = {}
        self._waiting: _Bucket = {}
        self._filed: dict[TurnUnit, _Filed] = {}

    def __contains__(self, unit: TurnUnit) -> bool:
        return unit in self._filed

    @property
    def unprotected(self) -> Sequence[TurnUnit]:
        """Units outside the last turns, and tool calls in them, in order."""
        return _in_order(self._unprotected)

    @property
    def protected(self) -> Sequence[TurnUnit]:
        """Spoken messages of the last turns but the newest, in order."""
        return _in_order(
            unit
            for turn, units in self._protected.items()
            if turn < self._turns.turn_count
            for unit in units
        )

    @property
    def protected_tokens(self) -> int:
        """Number of tokens of all `protected` units."""
        newest = self._protected_tokens.get(self._turns.turn_count, 0)
        return sum(self._protected_tokens.values()) - newest

    def add(self, outline: Outline, tokens: int, *, has_outputs: bool) -> None:
        """Add the next message of the conversation to the turns.

        Args:
            outline: Its outline.
            tokens: Its number of tokens.
            has_outputs: Whether it contains outputs of tools.
        """
        turns = self._turns
        newest_reply, turn_count = turns.newest_reply, turns.turn_count
        affected = turns.answered_units(outline) + turns.unit_of[-1:]
        if turns.last_user_unit is not None:
            affected.append(turns.last_user_unit)
        for unit in affected:
            self.remove(unit)
        turns.add(outline)
        added = turns.unit_of[-1]
        added.tokens += tokens
        added.output_tokens += tokens if has_outputs else 0
        if turns.newest_reply != newest_reply:
            affected.extend(self._waiting)
            self._waiting.clear()
        if turns.turn_count != turn_count:
            affected.extend(self._protected.get(turns.turn_count - self._protected_turns, ()))
        for unit in affected:
            # A unit that was merged into another no longer holds its messages.
            if turns.unit_of[unit.messages[0]] is unit:
                self._file(unit)

    def resize(self, unit: TurnUnit, difference: int, *, is_output: bool) -> None:
        """Add a difference to the tokens of a unit, of which a text has been shortened."""
        unit.tokens += difference
        unit.output_tokens += difference if is_output else 0
        if unit in self._filed:
            self._file(unit)

    def remove(self, unit: TurnUnit) -> None:
        """Remove a unit, if it is there."""
        self._waiting.pop(unit, None)
        filed = self._filed.pop(unit, None)
        if filed is None:
            return
        del filed.bucket[unit]
        self.output_tokens -= filed.output_tokens
        if filed.turn is not None:
            self._protected_tokens[filed.turn] -= filed.tokens
            if not filed.bucket:
                del self._protected[filed.turn], self._protected_tokens[filed.turn]

    def _file(self, unit: TurnUnit) -> None:
        """File a unit by its present state, unless it must be kept."""
        self.remove(unit)
        turns = self._turns
        must_be_kept = unit is turns.unit_of[-1] or unit is turns.last_user_unit
        if unit.kind == "unknown" or unit.dropped or must_be_kept:
            return
        if turns.is_waiting(unit):
            self._waiting[unit] = None
            return
        turn: int | None = None
        if unit.kind == "system" and self._keep_system:
            bucket = self._system
        elif unit.is_plain_step or unit.turn <= turns.turn_count - self._protected_turns:
            bucket = self._unprotected
        else:
            turn = unit.turn
            bucket = self._protected.setdefault(turn, {})
            tokens = self._protected_tokens.get(turn, 0)
            self._protected_tokens[turn] = tokens + unit.tokens
        bucket[unit] = None
        self._filed[unit] = _Filed(bucket, turn, unit.tokens, unit.output_tokens)
        self.output_tokens += unit.output_tokens


def _in_order(units: Iterable[TurnUnit]) -> list[TurnUnit]:
    return sorted(units, key=lambda unit: unit.messages[0])
