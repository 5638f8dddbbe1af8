"""The rows that a query names."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from headroom_core.compressors.exact_json import quote
from headroom_core.compressors.smart_crusher.evidence import ColumnStats
from headroom_core.compressors.smart_crusher.frame import Frame

_MAX_QUERY = 8000
_MIN_CELL = 3
_TERM = re.compile(r"[^\s\"'`“”‘’«»<>()\[\]{},;=]+")
_WORD = re.compile(r"\w+")
_EDGE = ".,:;!?…-–*_/\\&|"
_NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?![\w])")
_MONTHS = {name: at for at, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
_DAY_MONTH_YEAR = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th)?[ .-]+(?:of )?([a-z]{3})[a-z]*[ .,-]+(\d{4})\b")
_MONTH_DAY_YEAR = re.compile(r"\b([a-z]{3})[a-z]*\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})\b")
_RARE_ROWS, _RARE_SHARE = 2, 0.02
_K1, _B = 1.5, 0.75
_CELL_WEIGHT = 2.0


@dataclass(frozen=True, slots=True)
class Hits:
    """The rows that a query names.

    Attributes:
        rows: the rows that score at least the threshold's share of the best, the best first.
        strong: whether the query points at so few rows that little else is asked for.
    """

    rows: list[int]
    strong: bool


def find_hits(frame: Frame, stats: list[ColumnStats], texts: list[str], query: str, tier: str, threshold: float) -> Hits:
    """Score the rows against a query.

    A row scores for whole cells that stand in the query and, unless the tier is `none`, for its words
    (BM25). What many rows share counts little.

    Args:
        frame: the rows.
        stats: what the columns hold.
        texts: the rows' texts.
        query: what is asked.
        tier: `bm25` or `none`.
        threshold: the share of the best score from which a row is a hit.
    """
    asked = _with_iso_dates(_shortened(query).lower())
    if not asked.strip():
        return Hits([], False)
    rare = max(_RARE_ROWS, int(_RARE_SHARE * len(texts)))
    scores: dict[int, float] = defaultdict(float)
    pointed: set[int] = set()
    for rows, weight in _cell_matches(frame, stats, asked):
        _add(scores, pointed, rows, weight, rare)
    if tier == "bm25":
        _add_terms(scores, pointed, texts, asked, rare)
    if not scores:
        return Hits([], False)
    best = max(scores.values())
    ranked = sorted((row for row, score in scores.items() if score >= threshold * best), key=lambda r: (-scores[r], r))
    top = sum(score >= 0.999 * best for score in scores.values())
    return Hits(ranked, bool(pointed) or top <= rare)


def _shortened(query: str) -> str:
    return query if len(query) <= _MAX_QUERY else query[: _MAX_QUERY // 2] + "\n" + query[-_MAX_QUERY // 2 :]


def _with_iso_dates(query: str) -> str:
    """Return the query with the dates in it repeated as a table would write them."""
    dates = [(d, m, y) for d, m, y in _DAY_MONTH_YEAR.findall(query)]
    dates += [(d, m, y) for m, d, y in _MONTH_DAY_YEAR.findall(query)]
    iso = [f"{y}-{_MONTHS[m]:02}-{int(d):02}" for d, m, y in dates if m in _MONTHS]
    return " ".join([query, *iso])


def _cell_matches(frame: Frame, stats: list[ColumnStats], query: str) -> Iterator[tuple[list[int], float]]:
    """Yield the rows of every cell that stands whole in the query, with the cell's weight."""
    numbers = {float(found.replace(",", "")) for found in _NUMBER.findall(query)}
    total = len(frame.rows)
    for item in stats:
        wanted = _wanted_cells(item, query, numbers)
        if not wanted:
            continue
        by_cell: dict[str, list[int]] = {}
        for cell, row in zip(item.column.cells, frame.regular):
            if cell in wanted:
                by_cell.setdefault(cell, []).append(row)
        for cell, rows in by_cell.items():
            yield rows, _CELL_WEIGHT * _idf(total, len(rows)) * wanted[cell]


def _wanted_cells(item: ColumnStats, query: str, numbers: set[float]) -> dict[str, float]:
    """Return the cells of a column that stand in the query, with how telling each is."""
    if item.numbers:
        return {cell: 1.0 for cell in item.counts if numbers and _as_float(cell) in numbers}
    wanted: dict[str, float] = {}
    for cell in item.counts:
        bare = _bare(cell)
        if _MIN_CELL <= len(bare) <= len(query) and bare in query and _stands_alone(bare, query):
            wanted[cell] = min(3.0, 1.0 + len(bare) / 20)
    return wanted


def _bare(cell: str) -> str:
    """Return what a cell says in lower case, as a query would put it."""
    if cell[:1] == '"' and len(cell) > 1:
        cell = cell[1:-1].replace('\\"', '"').replace('""', '"').replace("\\\\", "\\")
    return cell.strip().lower()


def _stands_alone(text: str, query: str) -> bool:
    """Return whether the text stands in the query with no word going on before or behind it."""
    at = query.find(text)
    while at >= 0:
        end = at + len(text)
        before_ok = at == 0 or not (query[at - 1].isalnum() and text[0].isalnum())
        if before_ok and (end == len(query) or not (query[end].isalnum() and text[-1].isalnum())):
            return True
        at = query.find(text, at + 1)
    return False


def _as_float(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _idf(total: int, holding: int) -> float:
    return math.log(1 + (total - holding + 0.5) / (holding + 0.5))


def _add(scores: dict[int, float], pointed: set[int], rows: list[int], weight: float, rare: int) -> None:
    for row in rows:
        scores[row] += weight
    if len(rows) <= rare:
        pointed.update(rows)


def _add_terms(scores: dict[int, float], pointed: set[int], texts: list[str], query: str, rare: int) -> None:
    """Add the BM25 scores of the query's terms, found by scanning the rows' texts once a term."""
    haystack = _Haystack(texts)
    mean = len(haystack.text) / len(texts)
    for term in _terms(query):
        counts = haystack.rows_of(term, most=max(rare, len(texts) // 4))
        if not counts:
            continue
        weight = _idf(len(texts), len(counts))
        for row, count in counts.items():
            length = _K1 * (1 - _B + _B * len(texts[row]) / mean)
            scores[row] += weight * count * (_K1 + 1) / (count + length)
        if len(counts) <= rare and len(term) > _MIN_CELL:
            pointed.update(counts)


def _terms(query: str) -> list[str]:
    whole = [term.strip(_EDGE) for term in _TERM.findall(query)]
    words = [word for term in whole for word in _WORD.findall(term)]
    return [term for term in dict.fromkeys(whole + words) if len(term) >= _MIN_CELL and term not in _STOP_WORDS]


_STOP_WORDS = frozenset(
    "the and for with that this from what which who whom whose when where why how are was were has have had its his her"
    " their our your you they them she him not but can could would should will shall may might must does did done been"
    " being into onto over under than then there here about any all each every some such only also just more most other"
    " give find show list get tell please record row item entry value field me of in on at to is it a an".split()
)


class _Haystack:
    """Rows as one text in lower case, in which terms are found without looking at every row."""

    def __init__(self, texts: list[str]) -> None:
        self.text = "\n".join(texts).lower()
        self.starts = [0]
        for text in texts:
            self.starts.append(self.starts[-1] + len(text) + 1)

    def rows_of(self, term: str, most: int) -> dict[int, int]:
        """Return how often the term stands in which rows; nothing when more than `most` rows hold it."""
        escaped = quote(term)[1:-1]
        pattern = re.compile(rf"(?<!\w){re.escape(escaped)}(?!\w)" if term[0].isalnum() else re.escape(escaped))
        counts: dict[int, int] = {}
        row = 0
        for found in pattern.finditer(self.text):
            row = bisect_right(self.starts, found.start(), row) - 1
            counts[row] = counts.get(row, 0) + 1
            if len(counts) > most:
                return {}
        return counts
