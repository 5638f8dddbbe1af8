"""How important the parts of a conversation are for what is still to come."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple, Protocol

from headroom_core._internal.caches import process_caches
from headroom_core._internal.lru import LRUCache, text_key
from headroom_core.config import ScoringWeights
from headroom_core.messages import OUTPUT_KINDS, Block, Draft, original_text
from headroom_core.relevance import Scorer
from headroom_core.transforms.windows.turns import Turns, TurnUnit

_VALUE = re.compile(r"(?<![A-Za-z0-9_$#@])[A-Za-z0-9_$#@][A-Za-z0-9_./@:$#-]{3,198}[A-Za-z0-9_]")
_NAME = re.compile(r"[0-9_/.:@#]|[a-z][A-Z]")
_LONG = 8
_REMEMBERED = 4096
_ERROR = re.compile(r"\b(?:error|exception|traceback|failed|failure|fatal)\b", re.IGNORECASE)
_RECENT_MESSAGES = 4
_MANY_REFERENCES = 5


class ImportanceSource(Protocol):
    """Knows how often what a tool returned was asked for again."""

    def importance(self, tool: str | None) -> tuple[float, float]:
        """Return a number from 0 to 1, and how far it is to be trusted, from 0 to 1."""
        ...


@dataclass(frozen=True, slots=True)
class ImportanceSignals:
    """What speaks for a unit, each from 0 to 1; the names are those of `ScoringWeights`."""

    recency: float
    semantic_similarity: float
    toin_importance: float
    error_indicator: float
    forward_reference: float
    token_density: float

    def weighed(self, weights: ScoringWeights) -> float:
        """Return the importance: the weighted sum."""
        return math.fsum(self._shares(weights).values())

    def told(self, weights: ScoringWeights) -> str:
        """Return the importance and what it is made of, in words."""
        shares = self._shares(weights)
        most = sorted(
            ((share, name) for name, share in shares.items() if share >= 0.005), reverse=True
        )
        parts = ", ".join(f"{name} {share:.2f}" for share, name in most)
        return f"importance {self.weighed(weights):.2f}" + (f" ({parts})" if parts else "")

    def _shares(self, weights: ScoringWeights) -> dict[str, float]:
        return {
            sign.name: getattr(self, sign.name) * getattr(weights, sign.name)
            for sign in fields(self)
        }


class ImportanceScorer:
    """Looks at messages as they arrive, each once, and tells what speaks for a unit.

    Args:
        draft: the conversation.
        decay: how fast recency falls: by a factor of e over 1 / decay units.
        tool: what a tool counts for, from 0 to 1.
        scorer: scores similarity to the recent messages. None: by the values that they share.
    """

    def __init__(
        self, draft: Draft, decay: float, tool: Callable[[str | None], float], scorer: Scorer | None
    ) -> None:
        self._decay = decay
        self._tool = tool
        self._scorer = scorer
        self._blocks: dict[int, list[Block]] = {}
        for block in draft.blocks:
            self._blocks.setdefault(block.message, []).append(block)
        self._outlines = draft.outlines
        self._seen = 0
        self._first: dict[str, int] = {}
        self._last: dict[str, int] = {}
        self._references: dict[int, int] = {}

    def signs(
        self, units: Sequence[TurnUnit], turns: Turns, sizes: Sequence[int]
    ) -> list[ImportanceSignals]:
        """Return what speaks for each of the units.

        Args:
            units: the units to weigh.
            turns: the messages so far.
            sizes: the tokens of every message so far.
        """
        for message in range(self._seen, len(turns.of)):
            self._look_at(message)
        self._seen = len(turns.of)
        age = {id(unit): number for number, unit in enumerate(reversed(turns.units))}
        near = self._similarities(units)
        return [
            ImportanceSignals(
                recency=math.exp(-self._decay * age[id(unit)]),
                semantic_similarity=similar,
                toin_importance=max(
                    (self._tool(block.tool) for block in self._answers(unit)), default=0.0
                ),
                error_indicator=float(
                    any(text_contents(original_text(block)).error for block in self._answers(unit))
                ),
                forward_reference=self._referenced(unit),
                token_density=self._density(unit, sizes),
            )
            for unit, similar in zip(units, near)
        ]

    def _look_at(self, message: int) -> None:
        values = self._values(message)
        if self._outlines[message].kind == "assistant":
            for source in {self._first[value] for value in values if value in self._first}:
                self._references[source] = self._references.get(source, 0) + 1
        for value in values:
            self._first.setdefault(value, message)
            self._last[value] = message

    def _values(self, message: int) -> frozenset[str]:
        return frozenset().union(
            *(text_contents(original_text(block)).values for block in self._blocks.get(message, ()))
        )

    def _answers(self, unit: TurnUnit) -> list[Block]:
        return [
            block
            for message in unit.messages
            for block in self._blocks.get(message, ())
            if block.kind in OUTPUT_KINDS
        ]

    def _referenced(self, unit: TurnUnit) -> float:
        count = sum(
            self._references.get(message, 0)
            for message in unit.messages
            if message < self._seen and self._outlines[message].kind != "assistant"
        )
        return min(1.0, count / _MANY_REFERENCES)

    def _density(self, unit: TurnUnit, sizes: Sequence[int]) -> float:
        """Return how many values it is the last to hold, by its tokens, both on a scale of logarithms."""
        end = unit.messages[-1]
        held = frozenset().union(
            *(text_contents(original_text(block)).values for block in self._answers(unit))
        )
        alone = sum(self._last.get(value, 0) <= end for value in held)
        tokens = sum(sizes[message] for message in unit.messages)
        return min(1.0, math.log1p(alone) / math.log(2 + tokens))

    def _similarities(self, units: Sequence[TurnUnit]) -> list[float]:
        recent = range(max(0, self._seen - _RECENT_MESSAGES), self._seen)
        said = [
            message for message in recent if self._outlines[message].kind in ("user", "assistant")
        ]
        if self._scorer is not None:
            texts = [self._text(unit.messages) for unit in units]
            return self._scorer.score_items(texts, self._text(said))
        asked = frozenset().union(*(self._values(message) for message in said))
        if not asked:
            return [0.0] * len(units)
        held = (
            frozenset().union(*(self._values(message) for message in unit.messages))
            for unit in units
        )
        return [len(values & asked) / len(asked) for values in held]

    def _text(self, messages: Sequence[int]) -> str:
        return "\n".join(
            original_text(block) for message in messages for block in self._blocks.get(message, ())
        )


class TextContents(NamedTuple):
    """What a text holds.

    Attributes:
        values: what looks like an id, a name, a path or a number.
        error: whether it tells of an error.
    """

    values: frozenset[str]
    error: bool


_contents: LRUCache[tuple[int, int], TextContents] = process_caches.lru(_REMEMBERED)
"""The contents of the texts that were read last, so that a conversation which grows is not read again."""


def text_contents(text: str) -> TextContents:
    """Return what a text holds.

    Example:
        >>> sorted(text_contents("order W2378156 for mei_kovacs was sent").values)
        ['W2378156', 'mei_kovacs']
    """
    return _contents.get_or_compute(text_key(text), lambda: _read(text))


def _read(text: str) -> TextContents:
    values = frozenset(
        value for value in _VALUE.findall(text) if len(value) >= _LONG or _NAME.search(value)
    )
    return TextContents(values, _ERROR.search(text) is not None)
