"""Chooses which rows of a frame stay when the others can be brought back."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from headroom_core.compressors.base import Hints
from headroom_core.compressors.smart_crusher.evidence import (
    ColumnStats,
    alarms,
    change_points,
    column_stats,
    distinct_values,
    outliers,
    rare_kinds,
)
from headroom_core.compressors.smart_crusher.hits import STANDARD, Weights, find_hits
from headroom_core.compressors.smart_crusher.row_text import Haystack
from headroom_core.config import SmartCrusherConfig
from headroom_core.relevance.base import Scorer, score_and_validate
from headroom_core.tables.frame import Frame
from headroom_core.text.exact_json import dumps

_CHARACTERS_A_TOKEN = 3.2
_HITS_ALWAYS = 3
_ALARMS_ALWAYS = 1
_MOST_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class _Budget:
    """How much one kind of evidence may cost: a share of all rows, or some tokens unless those are most of them."""

    share: float
    tokens: int = 0

    def characters(self, size: int) -> float:
        return max(self.share * size, min(self.tokens * _CHARACTERS_A_TOKEN, _MOST_SHARE * size))


# What a query points at plainly leaves less room for what nobody asked for.
_HITS = _Budget(0.10, 600)
_ALARMS, _ALARMS_IF_STRONG = _Budget(0.50), _Budget(0.06, 60)
_UNUSUAL, _UNUSUAL_IF_STRONG = _Budget(0.12, 400), _Budget(0.03, 150)
_UNUSUAL_ROWS, _UNUSUAL_ROWS_IF_STRONG = 60, 12
_FILL, _FILL_IF_STRONG = _Budget(0.03, 250), _Budget(0.01, 100)
_FILL_MOST = 1500
_TWINS = 5
# A row of more characters counts against the budget even where it is the second or the last but one.
_SMALL_ROW = 160
_REFERENCE = 4


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows that stay.

    Attributes:
        kept: their indices, in order.
        stats: what the columns of all rows hold.
        twins: how many identical rows a kept row stands for, by its index; alarms first, then the most.
        size: the characters of all rows.
        kept_size: the characters of the rows that stay.
        strong: whether the query points at so few rows that little else is asked for.
    """

    kept: list[int]
    stats: list[ColumnStats]
    twins: dict[int, int]
    size: int
    kept_size: int
    strong: bool


def select_rows(
    frame: Frame,
    query: str,
    config: SmartCrusherConfig,
    hints: Hints | None,
    scorer: Scorer | None = None,
    weights: Weights = STANDARD,
) -> Selection:
    """Choose the rows that stay: what the query names, errors, outliers, rare kinds, the first and the last."""
    return _Selector(frame, query, config, _followed(hints, config), scorer, weights).select()


def _row_texts(frame: Frame) -> list[str]:
    varying = [column.cells for column in frame.columns if len(set(column.cells)) > 1] or [
        frame.columns[0].cells
    ]
    lines = [frame.separator.join(cells) for cells in zip(*varying)]
    if len(lines) == len(frame.rows):
        return lines
    texts = [row if frame.form == "csv" else "" for row in frame.rows]
    for row, line in zip(frame.regular, lines):
        texts[row] = line
    return [text or dumps(row) for text, row in zip(texts, frame.rows)]


def _written_size(columns: Iterable[Collection[str]]) -> int:
    """Return about the characters of columns of cells as a table, in which what repeats stands once."""
    size = 1
    for cells in columns:
        distinct = set(cells)
        if len(distinct) > 1:
            size += len(cells) + min(
                sum(map(len, cells)), sum(map(len, distinct)) + _REFERENCE * len(cells)
            )
    return size


def _followed(hints: Hints | None, config: SmartCrusherConfig) -> Hints:
    if hints and config.use_feedback_hints and hints.confidence >= config.toin_confidence_threshold:
        return hints
    return Hints(confidence=0.0)


class _Selector:
    def __init__(
        self,
        frame: Frame,
        query: str,
        config: SmartCrusherConfig,
        hints: Hints,
        scorer: Scorer | None,
        weights: Weights,
    ) -> None:
        self.frame, self.config, self.hints = frame, config, hints
        self.texts = texts = _row_texts(frame)
        self.stats = stats = column_stats(frame)
        self.size = _written_size(item.cells for item in stats)
        self.mean = self.size / len(texts)
        self.haystack = Haystack(texts)
        self.kept: set[int] = set()
        self.alarms: set[int] = set()
        self.twins = self._twins() if config.dedup_identical_items else {}
        tier, threshold = config.relevance_tier, config.relevance_threshold
        scored = (
            score_and_validate(scorer, texts, query)
            if scorer and tier != "none" and query.strip()
            else None
        )
        self.hits = find_hits(frame, stats, self.haystack, query, tier, threshold, scored, weights)

    def select(self) -> Selection:
        config, strong = self.config, self.hits.strong
        count = len(self.texts)
        self._keep([0] * bool(config.keep_first) + [count - 1] * bool(config.keep_last))
        edges = [*range(config.keep_first), *range(count - config.keep_last, count)]
        self._keep(
            edges, math.inf if self.mean <= _SMALL_ROW else _FILL_IF_STRONG.characters(self.size)
        )
        self._keep(self.hits.rows[:_HITS_ALWAYS])
        self._keep(self.hits.rows, _HITS.characters(self.size))
        self._keep(distinct_values(self.stats, config.preserve_fields))
        # Of a field with a value of its own in nearly every row, nobody can tell which is asked for next.
        shared = [item for item in self.stats if 2 * len(item.counts) <= len(item.rows)]
        self._keep(distinct_values(shared, self.hints.fields), _HITS.characters(self.size))
        if config.preserve_errors:
            self._keep_alarms((_ALARMS_IF_STRONG if strong else _ALARMS).characters(self.size))
        if self.alarms <= self.kept:
            self._keep_unusual()
            self._fill((_FILL_IF_STRONG if strong else _FILL).characters(self.size))
        kept = sorted(self.kept)
        kept_size = _written_size(
            [cell for cell, row in zip(item.cells, item.rows) if row in self.kept]
            for item in self.stats
        )
        told = sorted(
            self.kept & self.twins.keys(),
            key=lambda row: (row not in self.alarms, -self.twins[row], row),
        )
        twins = {row: self.twins[row] for row in told}
        return Selection(kept, self.stats, twins, self.size, kept_size, strong)

    def _keep_alarms(self, budget: float) -> None:
        """Keep one row of every kind of alarm, then the others, as far as the budget goes."""
        found = alarms(self.frame, self.stats, self.haystack)
        exemplars = sorted({told: row for row, told in reversed(found.items())}.values())
        self.alarms = {row for row in found if self.twins.get(row) != 0}
        self._keep(exemplars[:_ALARMS_ALWAYS])
        self._keep([*exemplars, *sorted(found)], budget)

    def _keep_unusual(self) -> None:
        strong, threshold = self.hits.strong, self.config.anomaly_std_threshold
        rows = sorted(
            (row for row, count in self.twins.items() if count > 1),
            key=lambda row: -self.twins[row],
        )
        rows = rows[:_TWINS] + outliers(self.stats, threshold)
        rows += change_points(self.stats) if self.config.preserve_change_points else []
        rows += rare_kinds(self.frame, self.stats)
        most = _UNUSUAL_ROWS_IF_STRONG if strong else _UNUSUAL_ROWS
        budget = (_UNUSUAL_IF_STRONG if strong else _UNUSUAL).characters(self.size)
        self._keep(rows[:most], budget)

    def _fill(self, budget: float) -> None:
        """Keep rows spread evenly between the first and the last, up to the number of items that is wanted."""
        count, config = len(self.texts), self.config
        budget = min(budget, _FILL_MOST * _CHARACTERS_A_TOKEN) * self.hints.keep
        budget -= (config.keep_first + config.keep_last) * self.mean
        room = int(config.max_items_after_crush * self.hints.keep) - len(self.kept)
        wanted = min(room, int(budget / self.mean))
        if wanted > 0:
            step = count / (wanted + 1)
            self._keep([int(step * at) for at in range(1, wanted + 1)])

    def _keep(self, rows: Iterable[int], budget: float = math.inf) -> None:
        """Keep the rows as far as the budget, in characters, goes."""
        for row in rows:
            if not 0 <= row < len(self.texts) or row in self.kept or self.twins.get(row) == 0:
                continue
            cost = len(self.texts[row]) + 1
            if cost > budget:
                return
            budget -= cost
            self.kept.add(row)

    def _twins(self) -> dict[int, int]:
        """Return how many identical rows each row stands for, where several are; 0 for the later ones."""
        first: dict[str, int] = {}
        twins: dict[int, int] = {}
        if len(set(self.texts)) == len(self.texts):
            return twins
        for row, text in enumerate(self.texts):
            if text in first:
                twins[first[text]] = twins.get(first[text], 1) + 1
                twins[row] = 0
            else:
                first[text] = row
        return twins
