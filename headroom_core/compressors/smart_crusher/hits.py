"""Find the rows that a query asks for."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from statistics import median

from headroom_core._internal.caches import process_caches
from headroom_core.compressors.smart_crusher.evidence import ColumnStats
from headroom_core.compressors.smart_crusher.query import ParsedQuery
from headroom_core.compressors.smart_crusher.row_text import RowTextIndex
from headroom_core.relevance.bm25 import DEFAULT_B, DEFAULT_K1, add_term_scores, idf
from headroom_core.relevance.words import singular
from headroom_core.tables.frame import Frame
from headroom_core.text.exact_json import quote

# The date and the time of an ISO timestamp. As terms they may stand within a word:
# `2024-03-07T08:00Z`.
_PART_OF_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d|t\d\d:\d\d(?::\d\d)?")
# A value is rare if this many rows, or this share of them, have it.
_MAX_RARE_ROWS = 2
_MAX_RARE_SHARE = 0.02
# A value given for a field is stronger evidence than a cell in the query, and that is stronger
# than a word.
_GIVEN_VALUE_WEIGHT = 4.0
_CELL_WEIGHT = 2.0
_SCORER_WEIGHT = 1.0
# Shorter terms occur by chance too often to point at a row.
_MIN_IDENTIFIER_CHARACTERS = 4

Scores = dict[int, float]


@dataclass(frozen=True, slots=True)
class BM25Parameters:
    """Parameters of the BM25 formula.

    Attributes:
        k1: How much repetitions of a word count.
        b: How much the length of a row counts against it.
    """

    k1: float = DEFAULT_K1
    b: float = DEFAULT_B


DEFAULT_BM25_PARAMETERS = BM25Parameters()


@dataclass(frozen=True, slots=True)
class QueryHits:
    """Rows that a query asks for.

    Attributes:
        rows: Indices of the rows that reach the threshold, best first.
        is_targeted: Whether the query points at so few rows that little else is relevant.
    """

    rows: list[int]
    is_targeted: bool


def find_hits(
    frame: Frame,
    stats: list[ColumnStats],
    index: RowTextIndex,
    text: str,
    *,
    tier: str,
    threshold: float,
    row_scores: Sequence[float] | None = None,
    bm25: BM25Parameters = DEFAULT_BM25_PARAMETERS,
) -> QueryHits:
    """Score the rows against a query.

    A row scores for values that the query gives for its fields, for complete cells that the query
    contains and, unless the tier is `none`, for its words (BM25). Whatever many rows share counts
    little. If a scorer has scored the rows, its scores replace those of plain words; identifiers
    and numbers still count.

    Args:
        frame: The rows.
        stats: The statistics of the columns.
        index: The texts of the rows.
        text: The query.
        tier: The relevance tier; `none` ignores words.
        threshold: The share of the best score from which a row is a hit.
        row_scores: A scorer's score for each row, from 0 to 1. Defaults to words alone.
        bm25: The parameters for scoring words.
    """
    query = _parse_query(text)
    if not text.strip():
        return QueryHits([], is_targeted=False)
    scores: Scores = defaultdict(float)
    max_rare = max(_MAX_RARE_ROWS, int(_MAX_RARE_SHARE * len(frame.rows)))
    points_at_few = [
        _add_given_values(scores, frame, stats, query, max_rare=max_rare),
        _add_cells(scores, frame, stats, query, max_rare=max_rare),
    ]
    if tier != "none":
        terms = [*dict.fromkeys(map(singular, query.collect_terms()))]
        if row_scores is not None:
            terms = [term for term in terms if not term.isalpha()]
        if frame.form != "csv":
            # The rows are JSON, so the terms are searched for as JSON writes them.
            terms = [quote(term)[1:-1] for term in terms]
        points_at_few.append(_add_terms(scores, index, terms, bm25, max_rare=max_rare))
    if row_scores is not None:
        _add_row_scores(scores, row_scores)
    if not scores:
        return QueryHits([], is_targeted=False)
    min_score = threshold * max(scores.values())
    hits = [row for row, score in scores.items() if score >= min_score]
    ranked = sorted(hits, key=lambda row: (-scores[row], row))
    return QueryHits(ranked, is_targeted=any(points_at_few))


@lru_cache(maxsize=16)
def _parse_query(text: str) -> ParsedQuery:
    """Parse a query; cached because it is the same for all arrays of a block."""
    return ParsedQuery(text)


process_caches.on_clear(_parse_query.cache_clear)


def _add_given_values(
    scores: Scores, frame: Frame, stats: list[ColumnStats], query: ParsedQuery, *, max_rare: int
) -> bool:
    """Score the rows for values that the query gives for their fields.

    Returns:
        Whether few rows match the highest number of these values.
    """
    matches: Counter[int] = Counter()
    for column in stats:
        given = _find_given_values(column.name.lower(), query)
        if not given:
            continue
        cells = {cell for cell in column.counts if _normalize_cell(cell) in given}
        if not cells:
            continue
        for cell, row in zip(column.cells, column.rows):
            if cell in cells:
                matches[row] += 1
                weight = idf(len(frame.rows), column.counts[cell])
                scores[row] += _GIVEN_VALUE_WEIGHT * weight
    highest = max(matches.values(), default=0)
    return 0 < sum(count == highest for count in matches.values()) <= max_rare


def _find_given_values(name: str, query: ParsedQuery) -> set[str]:
    """Return the values that the query gives for a field; other words may precede its name."""
    if not name:
        return set()
    return {value for field, value in query.given if f" {field}".endswith((f" {name}", f".{name}"))}


def _add_cells(
    scores: Scores, frame: Frame, stats: list[ColumnStats], query: ParsedQuery, *, max_rare: int
) -> bool:
    """Score the rows for cells that the query contains.

    Returns:
        Whether one of these cells is a name that few rows have.
    """
    is_targeted = False
    for column in stats:
        weights = _weigh_cells(column, query)
        if not weights:
            continue
        for cell, row in zip(column.cells, column.rows):
            if cell in weights:
                rarity = idf(len(frame.rows), column.counts[cell])
                scores[row] += _CELL_WEIGHT * rarity * weights[cell]
        is_targeted = is_targeted or any(
            column.counts[cell] <= max_rare and query.is_name(_normalize_cell(cell))
            for cell in weights
        )
    return is_targeted


def _weigh_cells(column: ColumnStats, query: ParsedQuery) -> dict[str, float]:
    """Return the cells of a column that the query contains, with a weight for each."""
    if column.numbers:
        if not query.numbers:
            return {}
        return {cell: 1.0 for cell in column.counts if _parse_float(cell) in query.numbers}
    weights: dict[str, float] = {}
    for cell in column.counts:
        if not query.may_contain(cell):
            continue
        text = _normalize_cell(cell)
        if query.contains(text):
            # The longer the text, the less likely it is in the query by chance.
            weights[cell] = min(3.0, 1.0 + len(text) / 20)
    return weights


def _normalize_cell(cell: str) -> str:
    """Return the text of a cell as a query would write it: unquoted, in lowercase."""
    if cell[:1] == '"' and len(cell) > 1:
        # Quotes are escaped with a backslash in JSON, and doubled in CSV.
        cell = cell[1:-1].replace('\\"', '"').replace('""', '"').replace("\\\\", "\\")
    return cell.strip().lower()


def _parse_float(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _add_row_scores(scores: Scores, row_scores: Sequence[float]) -> None:
    """Score the rows by how far a scorer puts them above the median.

    Scores of embeddings are all close together, so only the part above the median counts.
    """
    middle = median(row_scores)
    span = max(row_scores) - middle
    weight = _SCORER_WEIGHT * idf(len(row_scores), 1)
    for row, score in enumerate(row_scores):
        if score > middle:
            scores[row] += weight * (score - middle) / span


def _add_terms(
    scores: Scores,
    index: RowTextIndex,
    terms: list[str],
    bm25: BM25Parameters,
    *,
    max_rare: int,
) -> bool:
    """Add the BM25 scores of terms, each found by a single scan of all rows.

    Returns:
        Whether an identifier, or two words that meet in a row, point at few rows.
    """
    lengths = [end - start for start, end in pairwise(index.starts)]
    total = len(lengths)
    average_length = index.starts[-1] / total
    # An identifier is worth two words: see the return value.
    strengths: Counter[int] = Counter()
    # A term in more than a quarter of the rows says nothing about any of them.
    max_rows = max(max_rare, total // 4)
    for term in terms:
        is_part = _PART_OF_TIMESTAMP.fullmatch(term) is not None
        counts = index.count_by_row(term, max_rows, whole_word=not is_part)
        if not counts:
            continue
        weight = idf(total, len(counts))
        add_term_scores(
            scores,
            counts,
            lengths,
            weight,
            average_length=average_length,
            k1=bm25.k1,
            b=bm25.b,
        )
        if len(counts) <= max_rare and len(term) >= _MIN_IDENTIFIER_CHARACTERS:
            strength = 1 if term.isalpha() else 2
            strengths.update(dict.fromkeys(counts, strength))
    return any(strength > 1 for strength in strengths.values())
