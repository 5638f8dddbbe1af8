"""The rows that a query names."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from statistics import median

from headroom_core.compressors.smart_crusher.evidence import ColumnStats
from headroom_core.compressors.smart_crusher.query import ParsedQuery
from headroom_core.compressors.smart_crusher.row_text import Haystack
from headroom_core.relevance.bm25 import DEFAULT_B, DEFAULT_K1, add_term_scores, idf
from headroom_core.tables.frame import Frame
from headroom_core.text.exact_json import quote

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_RARE_ROWS, _RARE_SHARE = 2, 0.02
_GIVEN_WEIGHT, _CELL_WEIGHT, _SCORER_WEIGHT = 4.0, 2.0, 1.0
_IDENTIFIER_FROM = 4

Scores = dict[int, float]


@dataclass(frozen=True, slots=True)
class Weights:
    """How the words of a query count.

    Attributes:
        k1: how much a word's repetition counts.
        b: how much a long row is held against it.
    """

    k1: float = DEFAULT_K1
    b: float = DEFAULT_B


STANDARD = Weights()


@dataclass(frozen=True, slots=True)
class Hits:
    """The rows that a query names.

    Attributes:
        rows: the rows that score at least the threshold's share of the best, the best first.
        strong: whether the query points at so few rows that little else is asked for.
    """

    rows: list[int]
    strong: bool


def find_hits(
    frame: Frame,
    stats: list[ColumnStats],
    haystack: Haystack,
    text: str,
    tier: str,
    threshold: float,
    scored: Sequence[float] | None = None,
    weights: Weights = STANDARD,
) -> Hits:
    """Score the rows against a query.

    A row scores for the values that the query gives for its fields, for whole cells that stand in the query
    and, unless the tier is `none`, for its words (BM25). What many rows share counts little. Where a scorer
    has scored the rows, its scores count in the place of plain words; ids and numbers count as they stand.

    Args:
        frame: the rows.
        stats: what the columns hold.
        haystack: the rows' texts.
        text: what is asked.
        tier: `none` looks at no words; the others do.
        threshold: the share of the best score from which a row is a hit.
        scored: what a scorer gave each row, from 0 to 1.
        weights: how the words count.
    """
    query = _read_once(text)
    if not text.strip():
        return Hits([], False)
    scores: Scores = defaultdict(float)
    rare = max(_RARE_ROWS, int(_RARE_SHARE * len(frame.rows)))
    signs = [
        _add_given(scores, frame, stats, query, rare),
        _add_cells(scores, frame, stats, query, rare),
    ]
    if tier != "none":
        asked = (
            query.terms()
            if scored is None
            else [term for term in query.terms() if not term.isalpha()]
        )
        terms = asked if frame.form == "csv" else [quote(term)[1:-1] for term in asked]
        signs.append(_add_terms(scores, haystack, terms, rare, weights))
    if scored is not None:
        _add_scored(scores, scored)
    if not scores:
        return Hits([], False)
    best = max(scores.values())
    ranked = sorted(
        (row for row, score in scores.items() if score >= threshold * best),
        key=lambda r: (-scores[r], r),
    )
    return Hits(ranked, any(signs))


@lru_cache(maxsize=16)
def _read_once(text: str) -> ParsedQuery:
    """Return the query of a text, which is the same for all arrays of a block."""
    return ParsedQuery(text)


def _add_given(
    scores: Scores, frame: Frame, stats: list[ColumnStats], query: ParsedQuery, rare: int
) -> bool:
    """Add the scores of rows that have values which the query gives, and return whether few have the most of them."""
    met: Counter[int] = Counter()
    for item in stats:
        name = item.name.lower()
        given = {
            value
            for field, value in query.given
            if name and f" {field}".endswith((f" {name}", f".{name}"))
        }
        cells = {cell for cell in item.counts if given and _bare(cell) in given}
        if not cells:
            continue
        for cell, row in zip(item.cells, item.rows):
            if cell in cells:
                met[row] += 1
                scores[row] += _GIVEN_WEIGHT * idf(len(frame.rows), item.counts[cell])
    most = max(met.values(), default=0)
    return 0 < sum(count == most for count in met.values()) <= rare


def _add_cells(
    scores: Scores, frame: Frame, stats: list[ColumnStats], query: ParsedQuery, rare: int
) -> bool:
    """Add the scores of cells that stand whole in the query, and return whether one points at few rows."""
    pointed = False
    for item in stats:
        wanted = _wanted_cells(item, query)
        if not wanted:
            continue
        for cell, row in zip(item.cells, item.rows):
            if cell in wanted:
                scores[row] += _CELL_WEIGHT * idf(len(frame.rows), item.counts[cell]) * wanted[cell]
        pointed = pointed or any(
            item.counts[cell] <= rare and query.points_at(_bare(cell)) for cell in wanted
        )
    return pointed


def _wanted_cells(item: ColumnStats, query: ParsedQuery) -> dict[str, float]:
    """Return the cells of a column that stand in the query, with how telling each is."""
    if item.numbers:
        return {
            cell: 1.0 for cell in item.counts if query.numbers and _as_float(cell) in query.numbers
        }
    named = {
        cell: bare
        for cell in item.counts
        if query.may_hold(cell) and query.names(bare := _bare(cell))
    }
    return {cell: min(3.0, 1.0 + len(bare) / 20) for cell, bare in named.items()}


def _bare(cell: str) -> str:
    """Return what a cell says in lower case, as a query would put it."""
    if cell[:1] == '"' and len(cell) > 1:
        cell = cell[1:-1].replace('\\"', '"').replace('""', '"').replace("\\\\", "\\")
    return cell.strip().lower()


def _as_float(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _add_scored(scores: Scores, scored: Sequence[float]) -> None:
    """Add what a scorer gave the rows, as far as it is more than half of them got: embeddings are never far apart."""
    usual = median(scored)
    most = max(scored) - usual
    weight = _SCORER_WEIGHT * idf(len(scored), 1)
    for row, score in enumerate(scored):
        if score > usual:
            scores[row] += weight * (score - usual) / most


def _add_terms(
    scores: Scores, haystack: Haystack, terms: list[str], rare: int, weights: Weights
) -> bool:
    """Add the BM25 scores of the terms, found by scanning the rows' texts once a term.

    Returns:
        Whether an identifier, or two words that meet in a row, point at few rows.
    """
    starts = haystack.starts
    lengths = [end - start for start, end in pairwise(starts)]
    total = len(lengths)
    mean = starts[-1] / total
    pointing: Counter[int] = Counter()
    for term in terms:
        # A time goes on behind its date with a letter.
        counts = haystack.rows_of(term, most=max(rare, total // 4), whole=not _DATE.fullmatch(term))
        if not counts:
            continue
        weight = idf(total, len(counts))
        add_term_scores(
            scores, counts, lengths, weight, average_length=mean, k1=weights.k1, b=weights.b
        )
        if len(counts) <= rare and len(term) >= _IDENTIFIER_FROM:
            pointing.update(dict.fromkeys(counts, 1 if term.isalpha() else 2))
    return any(strength > 1 for strength in pointing.values())
