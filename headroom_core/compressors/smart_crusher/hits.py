"""The rows that a query names."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from dataclasses import dataclass

from headroom_core.compressors.exact_json import quote
from headroom_core.compressors.smart_crusher.evidence import ColumnStats
from headroom_core.compressors.smart_crusher.frame import Frame
from headroom_core.compressors.smart_crusher.haystack import Haystack

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


def find_hits(
    frame: Frame, stats: list[ColumnStats], haystack: Haystack, query: str, tier: str, threshold: float
) -> Hits:
    """Score the rows against a query.

    A row scores for whole cells that stand in the query and, unless the tier is `none`, for its words
    (BM25). What many rows share counts little.

    Args:
        frame: the rows.
        stats: what the columns hold.
        haystack: the rows' texts.
        query: what is asked.
        tier: `bm25` or `none`.
        threshold: the share of the best score from which a row is a hit.
    """
    asked = _with_iso_dates(_shortened(query))
    if not asked.strip():
        return Hits([], False)
    scores: dict[int, float] = defaultdict(float)
    rare = max(_RARE_ROWS, int(_RARE_SHARE * len(frame.rows)))
    pointed = _add_cells(scores, frame, stats, asked, rare)
    if tier == "bm25":
        as_written = str if frame.form == "csv" else _as_json
        pointed |= _add_terms(scores, haystack, [as_written(term) for term in _terms(asked.lower())], rare)
    if not scores:
        return Hits([], False)
    best = max(scores.values())
    ranked = sorted((row for row, score in scores.items() if score >= threshold * best), key=lambda r: (-scores[r], r))
    return Hits(ranked, pointed)


def _shortened(query: str) -> str:
    return query if len(query) <= _MAX_QUERY else query[: _MAX_QUERY // 2] + "\n" + query[-_MAX_QUERY // 2 :]


def _with_iso_dates(query: str) -> str:
    """Return the query with the dates in it repeated as a table would write them."""
    lower = query.lower()
    dates = [(d, m, y) for d, m, y in _DAY_MONTH_YEAR.findall(lower)]
    dates += [(d, m, y) for m, d, y in _MONTH_DAY_YEAR.findall(lower)]
    iso = [f"{y}-{_MONTHS[m]:02}-{int(d):02}" for d, m, y in dates if m in _MONTHS]
    return " ".join([query, *iso])


def _add_cells(scores: dict[int, float], frame: Frame, stats: list[ColumnStats], query: str, rare: int) -> bool:
    """Add the scores of cells that stand whole in the query, and return whether one points at few rows."""
    numbers = {float(found.replace(",", "")) for found in _NUMBER.findall(query)}
    lower = query.lower()
    starts = _cell_starts(lower)
    pointed = False
    for item in stats:
        wanted = _wanted_cells(item, lower, starts, numbers)
        if not wanted:
            continue
        for cell, row in zip(item.column.cells, frame.regular):
            if cell in wanted:
                scores[row] += _CELL_WEIGHT * _idf(len(frame.rows), item.counts[cell]) * wanted[cell]
        pointed = pointed or any(item.counts[cell] <= rare and _points(_bare(cell), query) for cell in wanted)
    return pointed


def _points(text: str, query: str) -> bool:
    """Return whether a text in a query is a name: not just a word that happens to stand in both."""
    if len(text) <= _MIN_CELL or not text.isalpha():
        return len(text) > _MIN_CELL
    at = query.lower().find(text)
    return query[at].isupper() or query[max(0, at - 1)] in "\"'`“‘«"


def _wanted_cells(item: ColumnStats, query: str, starts: set[str], numbers: set[float]) -> dict[str, float]:
    """Return the cells of a column that stand in the query, with how telling each is."""
    if item.numbers:
        return {cell: 1.0 for cell in item.counts if numbers and _as_float(cell) in numbers}
    wanted: dict[str, float] = {}
    for cell in item.counts:
        if cell[:_MIN_CELL].lower() not in starts and cell[:1] != '"':
            continue
        bare = _bare(cell)
        named = len(bare) >= _MIN_CELL and bare in query and bare not in _STOP_WORDS
        if named and _stands_alone(bare, query):
            wanted[cell] = min(3.0, 1.0 + len(bare) / 20)
    return wanted


def _cell_starts(query: str) -> set[str]:
    """Return how a cell that stands in the query could begin."""
    inside = {at for at in range(1, len(query)) if query[at - 1].isalnum() and query[at].isalnum()}
    return {query[at : at + _MIN_CELL] for at in range(len(query)) if at not in inside}


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


def _add_terms(scores: dict[int, float], haystack: Haystack, terms: list[str], rare: int) -> bool:
    """Add the BM25 scores of the terms, found by scanning the rows' texts once a term.

    Returns:
        Whether an identifier, or two words that meet in a row, point at few rows.
    """
    starts = haystack.starts
    total = len(starts) - 1
    mean = starts[-1] / total
    pointing: Counter[int] = Counter()
    for term in terms:
        counts = haystack.rows_of(term, most=max(rare, total // 4))
        if not counts:
            continue
        weight = _idf(total, len(counts))
        for row, count in counts.items():
            length = _K1 * (1 - _B + _B * (starts[row + 1] - starts[row]) / mean)
            scores[row] += weight * count * (_K1 + 1) / (count + length)
        if len(counts) <= rare and len(term) > _MIN_CELL:
            pointing.update(dict.fromkeys(counts, 1 if term.isalpha() else 2))
    return any(strength > 1 for strength in pointing.values())


def _as_json(term: str) -> str:
    return quote(term)[1:-1]


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
