"""Select the rows of a frame to keep when the others can be retrieved."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate

from headroom_core.compressors.base import Hints
from headroom_core.compressors.smart_crusher.error_rows import asks_for_errors, find_error_rows
from headroom_core.compressors.smart_crusher.evidence import (
    ColumnStats,
    compute_column_stats,
    find_change_points,
    find_distinct_values,
    find_extremes,
    find_outliers,
    find_rare_rows,
)
from headroom_core.compressors.smart_crusher.hits import (
    BM25Parameters,
    QueryHits,
    find_hits,
)
from headroom_core.compressors.smart_crusher.row_text import RowTextIndex
from headroom_core.config import SmartCrusherConfig
from headroom_core.relevance.base import Scorer, score_and_validate
from headroom_core.tables.frame import Frame
from headroom_core.text.exact_json import dumps, fingerprint

CHARACTERS_PER_TOKEN = 3.2
"""Characters of a token in rows of data, which have fewer of them than prose."""

# Child rows are kept with the row above if there are at least this many rows with any, and no more
# child rows than this for each on average.
_MIN_GROUPS = 10
_MAX_MEAN_MEMBERS = 20
# The first child rows of a row are kept up to this size, even if it has far more than others.
_MAX_MEMBER_CHARACTERS = 3000
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
# Rows of few columns, such as a time series, are kept for the extremes of their numbers.
_MAX_EXTREME_ROW_CHARACTERS = 100
_MAX_EXTREME_ROWS = 12
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
        cut_parents: Rows above of which only some child rows are kept, with the number of the kept
            ones and of all.
    """

    kept: list[int]
    stats: list[ColumnStats]
    duplicates: dict[int, int]
    size: int
    kept_size: int
    is_targeted: bool
    cut_parents: dict[int, tuple[int, int]]


def are_members(frame: Frame) -> bool:
    """Return whether child rows are few enough for each row above to be kept with all of its own.

    Otherwise they are selected by themselves, and the rows above only group them.
    """
    groups = set(frame.parents or ())
    return len(groups) >= _MIN_GROUPS and len(frame.rows) <= _MAX_MEAN_MEMBERS * len(groups)


def follow_hints(hints: Hints | None, config: SmartCrusherConfig) -> Hints:
    """Return the hints if they are trusted enough, else neutral hints."""
    if hints and config.use_feedback_hints and hints.confidence >= config.toin_confidence_threshold:
        return hints
    return Hints(confidence=0.0)


def _write_row_texts(frame: Frame) -> list[str]:
    """Return the text of every row with its key, without the columns that are constant."""
    texts = _join_cells(frame)
    keys = frame.shown_keys
    if keys is None:
        return texts
    return [f"{key}{frame.separator}{text}" for key, text in zip(keys, texts)]


def _join_cells(frame: Frame) -> list[str]:
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


def describe_part(selection: Selection, frame: Frame) -> Selection:
    """Return the selection of joined frames for one of them."""
    stats, kept = compute_column_stats(frame), set(selection.kept)
    return replace(
        selection,
        stats=stats,
        size=_estimate_size(column.cells for column in stats),
        kept_size=_estimate_size(column.cells_of(kept) for column in stats),
    )


class RowSelector:
    """Step-by-step selection of the rows of a frame, each together with its child rows.

    Args:
        frame: The rows.
        config: How many rows of each kind to keep.
        hints: Hints from earlier retrievals that are followed.
    """

    def __init__(self, frame: Frame, config: SmartCrusherConfig, hints: Hints) -> None:
        self.frame, self.config, self.hints = frame, config, hints
        self.members = [
            RowSelector(child, config, hints) for child in frame.children if are_members(child)
        ]
        self.texts = _write_row_texts(frame)
        self.stats = compute_column_stats(frame)
        self.own_size = _estimate_size(column.cells for column in self.stats)
        self.size: int = self.own_size + sum(member.size for member in self.members)
        self.mean_size = self.size / len(self.texts)
        self.costs = [len(text) + 1 for text in self.texts]
        for member in self.members:
            for parent, cost in zip(member.frame.parents or (), member.costs):
                self.costs[parent] += cost
        self.index = RowTextIndex(self.texts)
        self.kept: set[int] = set()
        self.error_rows: set[int] = set()
        self.asks_for_errors = False
        self.important: set[int] = set()
        self.cut_parents: dict[int, tuple[int, int]] = {}
        self.duplicates: dict[int, int] = {}
        self.first_of: dict[int, int] = {}
        if config.dedup_identical_items:
            self._find_duplicates()

    def find_hits(self, query: str, scorer: Scorer | None, bm25: BM25Parameters) -> QueryHits:
        """Return the rows that the query asks for, or whose child rows it asks for."""
        config = self.config
        row_scores = None
        if scorer and config.relevance_tier != "none" and query.strip():
            row_scores = score_and_validate(scorer, self.texts, query)
        own = find_hits(
            self.frame,
            self.stats,
            self.index,
            query,
            tier=config.relevance_tier,
            threshold=config.relevance_threshold,
            row_scores=row_scores,
            bm25=bm25,
        )
        self.important.update(own.rows)
        self.asks_for_errors = asks_for_errors(query)
        found = [own]
        for member in self.members:
            hits = member.find_hits(query, scorer, bm25)
            found.append(QueryHits(member.lift(hits.rows), hits.is_targeted))
        # What the query points at comes first.
        found.sort(key=lambda hits: not hits.is_targeted)
        rows = dict.fromkeys(row for hits in found for row in hits.rows)
        return QueryHits(list(rows), is_targeted=any(hits.is_targeted for hits in found))

    def lift(self, rows: Iterable[int]) -> list[int]:
        """Return the rows above that rows belong to, each once, in order."""
        parents = self.frame.parents or []
        return list(dict.fromkeys(parents[row] for row in rows))

    def select(self, hits: QueryHits) -> None:
        """Keep rows in the order of their importance, each kind within its budget."""
        config, is_targeted = self.config, hits.is_targeted
        self._keep_edges()
        self._keep(hits.rows[:_MIN_HITS])
        self._keep(hits.rows, _HITS_BUDGET.compute(self.size))
        self._keep(self._find_distinct(config.preserve_fields))
        # If nearly every row has a different value, nothing says which value is requested next.
        shared = [column for column in self.stats if 2 * len(column.counts) <= len(column.rows)]
        hinted_rows = find_distinct_values(shared, self.hints.fields)
        self._keep(hinted_rows, _HITS_BUDGET.compute(self.size))
        if config.preserve_errors:
            self._keep_errors(_TARGETED_ERRORS_BUDGET if is_targeted else _ERRORS_BUDGET)
        # If the errors do not fit, nothing less important is kept.
        if self.error_rows <= self.kept:
            self._keep_extremes()
            self._keep_unusual(is_targeted)
            self._keep_sample(_TARGETED_SAMPLE_BUDGET if is_targeted else _SAMPLE_BUDGET)

    def walk(self) -> Iterator[RowSelector]:
        """Yield this selector and those of child rows that are kept with the rows above."""
        yield self
        for member in self.members:
            yield from member.walk()

    def keep_members(self) -> None:
        """Keep the child rows of the kept rows, and theirs."""
        for member in self.members:
            member._keep_children_of(self.kept)
            member.keep_members()

    def _keep_children_of(self, parents: set[int]) -> None:
        """Keep the child rows of some rows above, the first up to a size for each."""
        groups: dict[int, list[int]] = {}
        for row, parent in enumerate(self.frame.parents or ()):
            if parent in parents:
                groups.setdefault(parent, []).append(row)
        important = self.kept | self.important
        self.kept = set()
        for parent, rows in groups.items():
            sizes = accumulate(self.costs[row] for row in rows)
            count = max(1, sum(size <= _MAX_MEMBER_CHARACTERS for size in sizes))
            kept = {*rows[:count], *important.intersection(rows)}
            self.kept |= kept
            if len(kept) < len(rows):
                self.cut_parents[parent] = (len(kept), len(rows))

    def describe(self, is_targeted: bool) -> Selection:
        """Return the rows that are kept so far."""
        return Selection(
            kept=sorted(self.kept),
            stats=self.stats,
            duplicates=self._describe_duplicates(),
            size=self.own_size,
            kept_size=self.estimate_kept_size(),
            is_targeted=is_targeted,
            cut_parents=self.cut_parents,
        )

    def _find_distinct(self, names: Collection[str]) -> list[int]:
        rows = find_distinct_values(self.stats, names)
        for member in self.members:
            rows += member.lift(member._find_distinct(names))
        return rows

    def _keep_edges(self) -> None:
        """Keep the first and the last rows."""
        config, count = self.config, len(self.texts)
        # The first and the last also where they are identical to others.
        self.kept |= {0} if config.keep_first else set()
        self.kept |= {count - 1} if config.keep_last else set()
        budget = math.inf
        if self.mean_size > _SMALL_ROW_CHARACTERS:
            budget = _TARGETED_SAMPLE_BUDGET.compute(self.size)
        self._keep([*range(config.keep_first), *range(count - config.keep_last, count)], budget)

    def _keep_errors(self, budget: _CharacterBudget) -> None:
        """Keep one row of every kind of error, then the others, within a budget."""
        kinds = self._find_errors()
        # Reversed: the first row of each kind wins.
        exemplars = sorted({kind: row for row, kind in reversed(kinds.items())}.values())
        self.error_rows = {row for row in kinds if row not in self.first_of}
        self._keep(exemplars[:_MIN_ERROR_ROWS])
        self._keep([*exemplars, *sorted(kinds)], budget.compute(self.size))

    def _find_errors(self) -> dict[int, str]:
        kinds = find_error_rows(self.frame, self.stats, self.index, is_asked=self.asks_for_errors)
        self.important.update(kinds)
        for member in self.members:
            for row, kind in member._find_errors().items():
                kinds.setdefault(member.lift([row])[0], kind)
        return kinds

    def _find_unusual(self) -> list[int]:
        rows = find_outliers(self.stats, self.config.anomaly_std_threshold)
        if self.config.preserve_change_points:
            rows += find_change_points(self.stats)
        rows += find_rare_rows(self.frame, self.stats)
        for member in self.members:
            rows += member.lift(member._find_unusual())
        return rows

    def _keep_extremes(self) -> None:
        """Keep the rows with the highest and lowest numbers, of which the marker has the range."""
        if self.mean_size <= _MAX_EXTREME_ROW_CHARACTERS:
            self._keep(find_extremes(self.stats)[:_MAX_EXTREME_ROWS])

    def _keep_unusual(self, is_targeted: bool) -> None:
        """Keep rows with many duplicates, outliers, change points and rare values."""
        rows = sorted(self.duplicates, key=lambda row: -self.duplicates[row])
        rows = rows[:_MAX_DUPLICATED_ROWS] + self._find_unusual()
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
            # The first of identical rows stands for all of them.
            exemplar = self.first_of.get(row, row)
            if not 0 <= exemplar < len(self.texts) or {row, exemplar} & self.kept:
                continue
            if self.costs[exemplar] > budget:
                return
            budget -= self.costs[exemplar]
            self.kept.add(exemplar)

    def estimate_kept_size(self) -> int:
        """Return approximately how many characters the kept rows take, without child rows."""
        return _estimate_size(column.cells_of(self.kept) for column in self.stats)

    def _find_duplicates(self) -> None:
        """Find for each row the first that is identical, and how many each of these stands for."""
        if len(set(self.texts)) == len(self.texts):
            return
        first_rows: dict[tuple[object, ...], int] = {}
        has_children, parents = bool(self.frame.children), self.frame.parents
        for row, text in enumerate(self.texts):
            # Rows with different child rows or rows above are not identical.
            children = fingerprint(self.frame.source[row]) if has_children else None
            identity = (text, children, parents[row] if parents else None)
            first_row = first_rows.setdefault(identity, row)
            if first_row != row:
                self.first_of[row] = first_row
                self.duplicates[first_row] = self.duplicates.get(first_row, 1) + 1

    def _describe_duplicates(self) -> dict[int, int]:
        rows = sorted(
            self.kept & self.duplicates.keys(),
            key=lambda row: (row not in self.error_rows, -self.duplicates[row], row),
        )
        return {row: self.duplicates[row] for row in rows}
