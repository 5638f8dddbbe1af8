"""Scores how important the parts of a conversation are for its further course."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple, Protocol

from headroom_core._internal.caches import process_caches
from headroom_core._internal.lru import LRUCache, text_key
from headroom_core.config import ScoringWeights
from headroom_core.messages import OUTPUT_KINDS, Block, Draft, original_text
from headroom_core.relevance import Scorer
from headroom_core.transforms.windows.turns import Turns, TurnUnit

# A run of 5 to 200 characters that may be a value: a word, id, number, path, price or address. It
# ends in a letter, digit or underscore (punctuation after it is not part of the match), and never
# begins in the middle of a word.
_VALUE = re.compile(r"(?<![A-Za-z0-9_$#@])[A-Za-z0-9_$#@][A-Za-z0-9_./@:$#-]{3,198}[A-Za-z0-9_]")

# A sign that a short run is a name or a number: a digit, a joining character, or camel case. Plain
# lower-case words and words with a capital in front do not match.
_NAME_SIGN = re.compile(r"[0-9_/.:@#]|[a-z][A-Z]")

_MIN_WORD_VALUE_LENGTH = 8
"""Plain words count as values from this length on; most shorter ones are everyday words."""

# Whole words that report a failure. Not parts of other words: "errors" and "no_error" do not match.
_ERROR = re.compile(r"\b(?:error|exception|traceback|failed|failure|fatal)\b", re.IGNORECASE)

_RECENT_MESSAGES = 4
"""How many of the last messages tell the topic of the conversation."""

_MAX_REFERENCES = 5
"""Number of references from which on `forward_reference` is 1."""

_MIN_REPORTED_SIGNAL = 0.005
"""Smaller weighted signals would be displayed as 0.00."""

_MAX_CACHED_TEXTS = 4096
_BYTES_PER_TEXT, _BYTES_PER_VALUE = 500, 100
_CACHE_SHARE = 0.04


class ImportanceSource(Protocol):
    """A source of learned statistics on how often the outputs of a tool are retrieved."""

    def importance(self, tool: str | None) -> tuple[float, float]:
        """Return the importance of a tool's outputs and its confidence, each from 0 to 1."""
        ...


@dataclass(frozen=True, slots=True)
class ImportanceSignals:
    """The signals of a unit, each from 0 to 1, under the names of `ScoringWeights`."""

    recency: float
    semantic_similarity: float
    toin_importance: float
    error_indicator: float
    forward_reference: float
    token_density: float

    def weighted(self, weights: ScoringWeights) -> float:
        """Return the importance: the weighted sum of the signals."""
        return math.fsum(self._weighted_signals(weights).values())

    def describe(self, weights: ScoringWeights) -> str:
        """Return the importance and the signals that contribute to it, as text."""
        signals = [
            (signal, name)
            for name, signal in self._weighted_signals(weights).items()
            if signal >= _MIN_REPORTED_SIGNAL
        ]
        total = f"importance {self.weighted(weights):.2f}"
        if not signals:
            return total
        parts = ", ".join(f"{name} {signal:.2f}" for signal, name in sorted(signals, reverse=True))
        return f"{total} ({parts})"

    def _weighted_signals(self, weights: ScoringWeights) -> dict[str, float]:
        return {
            signal.name: getattr(self, signal.name) * getattr(weights, signal.name)
            for signal in fields(self)
        }


class ImportanceScorer:
    """Scores the units of a conversation that grows; each message is read once.

    Args:
        draft: The conversation.
        decay: Rate at which recency decays: by a factor of e over 1 / decay units.
        tool_importance: Returns the importance of a tool's outputs, from 0 to 1.
        scorer: Scores the similarity to the recent messages. Defaults to the share of their values
            that a unit contains.
    """

    def __init__(
        self,
        draft: Draft,
        decay: float,
        tool_importance: Callable[[str | None], float],
        scorer: Scorer | None,
    ) -> None:
        self._decay = decay
        self._tool_importance = tool_importance
        self._scorer = scorer
        self._blocks_of: dict[int, list[Block]] = {}
        for block in draft.blocks:
            self._blocks_of.setdefault(block.message, []).append(block)
        self._outlines = draft.outlines
        self._read_count = 0
        # The first and the last message that contains a value, by the value.
        self._first_message: dict[str, int] = {}
        self._last_message: dict[str, int] = {}
        # How many later messages of the model use a value that the message introduced.
        self._references: dict[int, int] = {}

    def score(self, units: Sequence[TurnUnit], turns: Turns) -> list[ImportanceSignals]:
        """Return the signals of each unit.

        Args:
            units: The units to score.
            turns: The conversation so far.
        """
        for message in range(self._read_count, len(turns.unit_of)):
            self._read_message(message)
        self._read_count = len(turns.unit_of)
        return [
            self._signals(unit, turns.age(unit), similarity)
            for unit, similarity in zip(units, self._similarities(units))
        ]

    def _signals(self, unit: TurnUnit, age: int, similarity: float) -> ImportanceSignals:
        outputs = self._outputs(unit)
        has_error = any(_contents_of(block).has_error for block in outputs)
        return ImportanceSignals(
            recency=math.exp(-self._decay * age),
            semantic_similarity=similarity,
            toin_importance=max(
                (self._tool_importance(block.tool) for block in outputs), default=0.0
            ),
            error_indicator=1.0 if has_error else 0.0,
            forward_reference=self._forward_reference(unit),
            token_density=self._token_density(unit, outputs),
        )

    def _read_message(self, message: int) -> None:
        values = self._values_of([message])
        if self._outlines[message].kind == "assistant":
            sources = {
                self._first_message[value] for value in values if value in self._first_message
            }
            for source in sources:
                self._references[source] = self._references.get(source, 0) + 1
        for value in values:
            self._first_message.setdefault(value, message)
            self._last_message[value] = message

    def _blocks(self, messages: Iterable[int]) -> list[Block]:
        return [block for message in messages for block in self._blocks_of.get(message, ())]

    def _outputs(self, unit: TurnUnit) -> list[Block]:
        return [block for block in self._blocks(unit.messages) if block.kind in OUTPUT_KINDS]

    def _values_of(self, messages: Iterable[int]) -> frozenset[str]:
        return _union_of_values(self._blocks(messages))

    def _text_of(self, messages: Iterable[int]) -> str:
        return "\n".join(original_text(block) for block in self._blocks(messages))

    def _forward_reference(self, unit: TurnUnit) -> float:
        """Score how often the model used values that the unit introduced."""
        count = sum(
            self._references.get(message, 0)
            for message in unit.messages
            if message < self._read_count and self._outlines[message].kind != "assistant"
        )
        return min(1.0, count / _MAX_REFERENCES)

    def _token_density(self, unit: TurnUnit, outputs: Sequence[Block]) -> float:
        """Score how many values would be lost with the unit, relative to its tokens.

        Both are taken on a logarithmic scale.
        """
        end = unit.messages[-1]
        values = _union_of_values(outputs)
        lost_count = sum(1 for value in values if self._last_message.get(value, 0) <= end)
        return min(1.0, math.log1p(lost_count) / math.log(2 + unit.tokens))

    def _similarities(self, units: Sequence[TurnUnit]) -> list[float]:
        """Score the similarity of each unit to the recent messages of the user and the model."""
        last = range(max(0, self._read_count - _RECENT_MESSAGES), self._read_count)
        recent = [
            message for message in last if self._outlines[message].kind in ("user", "assistant")
        ]
        if self._scorer is not None:
            texts = [self._text_of(unit.messages) for unit in units]
            return self._scorer.score_items(texts, self._text_of(recent))
        topic = self._values_of(recent)
        if not topic:
            return [0.0] * len(units)
        return [len(self._values_of(unit.messages) & topic) / len(topic) for unit in units]


class TextContents(NamedTuple):
    """The contents of a text that matter for its importance.

    Attributes:
        values: Words that look like ids, names, paths or numbers.
        has_error: Whether the text reports an error.
    """

    values: frozenset[str]
    has_error: bool


def _contents_bytes(contents: TextContents) -> int:
    return _BYTES_PER_TEXT + sum(_BYTES_PER_VALUE + len(value) for value in contents.values)


_contents: LRUCache[tuple[int, int], TextContents] = process_caches.lru(
    _MAX_CACHED_TEXTS, _contents_bytes, _CACHE_SHARE
)
"""Contents of recent texts. They save reading the texts of a growing conversation again."""


def text_contents(text: str) -> TextContents:
    """Return the contents of a text.

    Example:
        >>> sorted(text_contents("order W2378156 for mei_kovacs was sent").values)
        ['W2378156', 'mei_kovacs']
    """
    return _contents.get_or_compute(text_key(text), lambda: _read_contents(text))


def _read_contents(text: str) -> TextContents:
    values = frozenset(
        value
        for value in _VALUE.findall(text)
        if len(value) >= _MIN_WORD_VALUE_LENGTH or _NAME_SIGN.search(value)
    )
    return TextContents(values, _ERROR.search(text) is not None)


def _contents_of(block: Block) -> TextContents:
    return text_contents(original_text(block))


def _union_of_values(blocks: Iterable[Block]) -> frozenset[str]:
    return frozenset().union(*(_contents_of(block).values for block in blocks))
