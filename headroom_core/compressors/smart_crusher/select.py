"""Select the rows of a frame to keep when the others can be retrieved."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from headroom_core.compressors.base import Hints
from headroom_core.compressors.smart_crusher.error_rows import find_error_rows
from headroom_core.compressors.smart_crusher.evidence import (
    ColumnStats,
    compute_column_stats,
    find_change_points,
    find_distinct_values,
    find_outliers,
    find_rare_rows,
)
from headroom_core.compressors.smart_crusher.hits import (
    DEFAULT_BM25_PARAMETERS,
    BM25Parameters,
    QueryHits,
    find_hits,
)
from headroom_core.compressors.smart_crusher.row_text import RowTextIndex
from headroom_core.config import SmartCrusherConfig
from headroom_core.relevance.base import Scorer, score_and_validate
from headroom_core.tables.frame import Frame
from headroom_core.text.exact_json import dumps

CHARACTERS_PER_TOKEN = 3.2
"""Characters of a token in rows of data, which have fewer of them than prose."""

# Kept regardless of their size.
_MIN_HITS = 3
_MIN_ERROR_ROWS = 1
# Budgets in tokens never exceed this share of all rows.
_MAX_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class _CharacterBudget:
    """Limit on the size of one kind of rows: a share of all rows or, in small tables, some tokens.

    Attributes:
        share: The share of all rows.
        tokens: The tokens that may be used even if they exceed the share.
    """

    share: float
    tokens: int = 0

    def compute(self, size: int) -> float:
        """Return the budget in characters for rows of a size."""
        return max(self.share * size, min(self.tokens * CHARACTERS_PER_TOKEN, _MAX_SHARE * size))


# A query that points at a few rows leaves less room for other rows.
_HITS_BUDGET = _CharacterBudget(0.10, 600)
_ERRORS_BUDGET = _CharacterBudget(0.50)
_TARGETED_ERRORS_BUDGET = _CharacterBudget(0.06, 60)
_UNUSUAL_BUDGET = _CharacterBudget(0.12, 400)
_TARGETED_UNUSUAL_BUDGET = _CharacterBudget(0.03, 150)
_MAX_UNUSUAL_ROWS = 60
_MAX_TARGETED_UNUSUAL_ROWS = 12
_SAMPLE_BUDGET = _CharacterBudget(0.03, 250)
_TARGETED_SAMPLE_BUDGET = _CharacterBudget(0.01, 100)
_MAX_SAMPLE_TOKENS = 1500
_MAX_DUPLICATED_ROWS = 5
# First and last rows are kept beyond any budget if the rows are at most this long on average.
_SMALL_ROW_CHARACTERS = 160
_REFERENCE_CHARACTERS = 4


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows to keep.

    Attributes:
        kept: Indices of the kept rows, in order.
        stats: The statistics of the columns over all rows.
        duplicates: For kept rows with identical others, the number of identical rows; rows that
            report errors first, then those with the most duplicates.
        size: Number of characters of all rows.
        kept_size: Number of characters of the kept rows.
        is_targeted: Whether the query points at so few rows that little else is relevant.
    """

    kept: list[int]
    stats: list[ColumnStats]
    duplicates: dict[int, int]
    size: int
    kept_size: int
    is_targeted: bool


def select_rows(
    frame: Frame,
    query: str,
    config: SmartCrusherConfig,
    hints: Hints | None,
    *,
    scorer: Scorer | None = None,
    bm25: BM25Parameters = DEFAULT_BM25_PARAMETERS,
) -> Selection:
    """Select the rows that the query asks for, errors, outliers, rare values, the first and last.

    Args:
        frame: The rows.
        query: The query to score the rows against; may be empty.
        config: How many rows of each kind to keep.
        hints: Hints from earlier retrievals. Defaults to none.
        scorer: Scores the rows against the query. Defaults to words alone.
        bm25: The parameters for scoring words.
    """
    selector = _RowSelector(frame, config, _follow_hints(hints, config))
    hits = selector.find_hits(query, scorer, bm25)
    return selector.select(hits)


def _follow_hints(hints: Hints | None, config: SmartCrusherConfig) -> Hints:
    """Return the hints if they are trusted enough, else neutral hints."""
    if hints and config.use_feedback_hints and hints.confidence >= config.toin_confidence_threshold:
        return hints
    return Hints(confidence=0.0)


def _write_row_texts(frame: Frame) -> list[str]:
    """Return the text of every row, without the columns that are constant."""
    varying = [column.cells for column in frame.columns if len(set(column.cells)) > 1]
    if not varying:
        varying = [frame.columns[0].cells]
    lines = [frame.separator.join(cells) for cells in zip(*varying)]
    if len(lines) == len(frame.rows):
        return lines
    texts = [row if frame.form == "csv" else "" for row in frame.rows]
    for row, line in zip(frame.regular_rows, lines):
        texts[row] = line
    return [text or dumps(row) for text, row in zip(texts, frame.rows)]


def _estimate_size(columns: Iterable[Collection[str]]) -> int:
    """Return approximately how many characters a table takes, in which repeats are references."""
    size = 1
    for cells in columns:
        distinct = set(cells)
        if len(distinct) > 1:
            plain = sum(map(len, cells))
            referenced = sum(map(len, distinct)) + _REFERENCE_CHARACTERS * len(cells)
            size += len(cells) + min(plain, referenced)
    return size


class _RowSelector:
    """Step-by-step selection of the rows of a frame."""

    def __init__(self, frame: Frame, config: SmartCrusherConfig, hints: Hints) -> None:
        self.frame, self.config, self.hints = frame, config, hints
        self.texts = _write_row_texts(frame)
        self.stats = compute_column_stats(frame)
        self.size = _estimate_size(column.cells for column in self.stats)
        self.mean_size = self.size / len(self.texts)
        self.index = RowTextIndex(self.texts)
        self.kept: set[int] = set()
        self.error_rows: set[int] = set()
        self.duplicates: dict[int, int] = {}
        if config.dedup_identical_items:
            self.duplicates = self._count_duplicates()

    def find_hits(self, query: str, scorer: Scorer | None, bm25: BM25Parameters) -> QueryHits:
        """Return the rows that the query asks for."""
        config = self.config
        row_scores = None
        if scorer and config.relevance_tier != "none" and query.strip():
            row_scores = score_and_validate(scorer, self.texts, query)
        return find_hits(
            self.frame,
            self.stats,
            self.index,
            query,
            tier=config.relevance_tier,
            threshold=config.relevance_threshold,
            row_scores=row_scores,
            bm25=bm25,
        )

    def select(self, hits: QueryHits) -> Selection:
        """Select rows in the order of their importance, each kind within its budget."""
        config, is_targeted = self.config, hits.is_targeted
        self._keep_edges()
        self._keep(hits.rows[:_MIN_HITS])
        self._keep(hits.rows, _HITS_BUDGET.compute(self.size))
        self._keep(find_distinct_values(self.stats, config.preserve_fields))
        # If nearly every row has a different value, nothing says which value is requested next.
        shared = [column for column in self.stats if 2 * len(column.counts) <= len(column.rows)]
        hinted_rows = find_distinct_values(shared, self.hints.fields)
        self._keep(hinted_rows, _HITS_BUDGET.compute(self.size))
        if config.preserve_errors:
            self._keep_errors(_TARGETED_ERRORS_BUDGET if is_targeted else _ERRORS_BUDGET)
        # If the errors do not fit, nothing less important is kept.
        if self.error_rows <= self.kept:
            self._keep_unusual(is_targeted)
            self._keep_sample(_TARGETED_SAMPLE_BUDGET if is_targeted else _SAMPLE_BUDGET)
        return Selection(
            kept=sorted(self.kept),
            stats=self.stats,
            duplicates=self._describe_duplicates(),
            size=self.size,
            kept_size=self._estimate_kept_size(),
            is_targeted=is_targeted,
        )

    def _keep_edges(self) -> None:
        """Keep the first and the last rows."""
        config, count = self.config, len(self.texts)
        if config.keep_first:
            self._keep([0])
        if config.keep_last:
            self._keep([count - 1])
        budget = math.inf
        if self.mean_size > _SMALL_ROW_CHARACTERS:
            budget = _TARGETED_SAMPLE_BUDGET.compute(self.size)
        self._keep([*range(config.keep_first), *range(count - config.keep_last, count)], budget)

    def _keep_errors(self, budget: _CharacterBudget) -> None:
        """Keep one row of every kind of error, then the others, within a budget."""
        kinds = find_error_rows(self.frame, self.stats, self.index)
        # Reversed: the first row of each kind wins.
        exemplars = sorted({kind: row for row, kind in reversed(kinds.items())}.values())
        self.error_rows = {row for row in kinds if not self._is_duplicate(row)}
        self._keep(exemplars[:_MIN_ERROR_ROWS])
        self._keep([*exemplars, *sorted(kinds)], budget.compute(self.size))

    def _keep_unusual(self, is_targeted: bool) -> None:
        """Keep rows with many duplicates, outliers, change points and rare values."""
        config = self.config
        rows = [row for row, count in self.duplicates.items() if count > 1]
        rows = sorted(rows, key=lambda row: -self.duplicates[row])[:_MAX_DUPLICATED_ROWS]
        rows += find_outliers(self.stats, config.anomaly_std_threshold)
        if config.preserve_change_points:
            rows += find_change_points(self.stats)
        rows += find_rare_rows(self.frame, self.stats)
        max_rows = _MAX_TARGETED_UNUSUAL_ROWS if is_targeted else _MAX_UNUSUAL_ROWS
        budget = _TARGETED_UNUSUAL_BUDGET if is_targeted else _UNUSUAL_BUDGET
        self._keep(rows[:max_rows], budget.compute(self.size))

    def _keep_sample(self, budget: _CharacterBudget) -> None:
        """Keep evenly spaced rows, up to the requested number of items."""
        count, config = len(self.texts), self.config
        room = min(budget.compute(self.size), _MAX_SAMPLE_TOKENS * CHARACTERS_PER_TOKEN)
        room *= self.hints.keep
        room -= (config.keep_first + config.keep_last) * self.mean_size
        items_left = int(config.max_items_after_crush * self.hints.keep) - len(self.kept)
        wanted = min(items_left, int(room / self.mean_size))
        if wanted > 0:
            step = count / (wanted + 1)
            self._keep([int(step * number) for number in range(1, wanted + 1)])

    def _keep(self, rows: Iterable[int], budget: float = math.inf) -> None:
        """Keep rows until a budget, in characters, is exhausted."""
        for row in rows:
            if not 0 <= row < len(self.texts) or row in self.kept or self._is_duplicate(row):
                continue
            cost = len(self.texts[row]) + 1
            if cost > budget:
                return
            budget -= cost
            self.kept.add(row)

    def _estimate_kept_size(self) -> int:
        return _estimate_size(
            [cell for cell, row in zip(column.cells, column.rows) if row in self.kept]
            for column in self.stats
        )

    def _count_duplicates(self) -> dict[int, int]:
        """Return the number of identical rows for the first of each, and 0 for the others.

        Rows that are unique are not included.
        """
        duplicates: dict[int, int] = {}
        if len(set(self.texts)) == len(self.texts):
            return duplicates
        first_rows: dict[str, int] = {}
        for row, text in enumerate(self.texts):
            first_row = first_rows.setdefault(text, row)
            if first_row != row:
                duplicates[first_row] = duplicates.get(first_row, 1) + 1
                duplicates[row] = 0
        return duplicates

    def _is_duplicate(self, row: int) -> bool:
        """Return whether an earlier row is identical."""
        return self.duplicates.get(row) == 0

    def _describe_duplicates(self) -> dict[int, int]:
        rows = sorted(
            self.kept & self.duplicates.keys(),
            key=lambda row: (row not in self.error_rows, -self.duplicates[row], row),
        )
        return {row: self.duplicates[row] for row in rows}
