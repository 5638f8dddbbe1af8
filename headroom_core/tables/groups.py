"""Columns whose values always come together, so that each combination need stand only once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Cells = list[str]

_ROWS_FROM = 8
_MOST_DISTINCT = 0.8
_MOST_CANDIDATES = 12
_LEAST_GAIN = 0.03
_LONG, _REFERENCE = 30, 4


def find_group(columns: Sequence[Cells]) -> list[int]:
    """Return the indices of the columns that one of them determines, where that saves most; none when nothing is saved.

    Example:
        >>> cities = ["Bergamo", "Bolzano", "Bergamo", "Bolzano"] * 3
        >>> find_group([[str(n) for n in range(12)], cities, [f"airport of {city}" for city in cities]])
        [1, 2]
    """
    rows = len(columns[0]) if columns else 0
    if rows < _ROWS_FROM:
        return []
    distinct = [len(set(cells)) for cells in columns]
    able = [at for at, count in enumerate(distinct) if count <= _MOST_DISTINCT * rows]
    weights = {at: _cost(columns[at]) for at in able}
    least = _LEAST_GAIN * sum(weights.values())
    best: tuple[float, list[int]] = (least, [])
    for leader in sorted(able, key=lambda at: -weights[at])[:_MOST_CANDIDATES]:
        led = [
            at
            for at in able
            if distinct[at] <= distinct[leader] and _leads(columns[leader], columns[at])
        ]
        gain = _gain(columns[leader], [columns[at] for at in led], sum(weights[at] for at in led))
        if len(led) > 1 and gain > best[0]:
            best = (gain, led)
    return best[1]


def _cost(cells: Iterable[str]) -> int:
    """Return about the characters that cells take: a long one that repeats stands in the legend anyway."""
    return sum([1 + (size if size < _LONG else _REFERENCE) for size in map(len, cells)])


def _leads(leader: Cells, cells: Cells) -> bool:
    """Return whether equal cells of the leader always come with equal cells of the other column."""
    seen: dict[str, str] = {}
    # Most pairs of columns disagree within a few rows.
    return all(seen.setdefault(lead, cell) == cell for lead, cell in zip(leader, cells))


def _gain(leader: Cells, led: Sequence[Cells], now: int) -> float:
    """Return about the characters that are saved when the columns that cost so much now stand once."""
    first = list({lead: row for row, lead in reversed(list(enumerate(leader)))}.values())
    once = sum(_cost([cells[row] for row in first]) for cells in led)
    return now - once - _REFERENCE * (len(first) + len(leader))


def take_out(columns: Sequence[Cells]) -> tuple[Cells, list[tuple[str, ...]]]:
    """Return a column of references in the place of a group's columns, and the combinations they refer to.

    Example:
        >>> take_out([["a", "b", "a"], ["1", "2", "1"]])
        (['&1', '&2', '&1'], [('a', '1'), ('b', '2')])
    """
    number: dict[tuple[str, ...], int] = {}
    references = [
        f"&{number.setdefault(combination, len(number) + 1)}" for combination in zip(*columns)
    ]
    return references, list(number)
