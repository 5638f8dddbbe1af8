"""Columns whose values always come together, so that each combination need stand only once."""

from __future__ import annotations

from collections.abc import Sequence

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
    weights = [sum(map(_cost, cells)) for cells in columns]
    candidates = [at for at, count in enumerate(distinct) if count <= _MOST_DISTINCT * rows]
    candidates.sort(key=lambda at: -weights[at])
    best: tuple[float, list[int]] = (_LEAST_GAIN * sum(weights), [])
    for leader in candidates[:_MOST_CANDIDATES]:
        led = [at for at in candidates if distinct[at] <= distinct[leader] and _leads(columns[leader], columns[at])]
        gain = _gain(columns[leader], [columns[at] for at in led], sum(weights[at] for at in led))
        if len(led) > 1 and gain > best[0]:
            best = (gain, sorted(led))
    return best[1]


def _cost(cell: str) -> int:
    """Return about the characters that a cell takes: a long one that repeats stands in the legend anyway."""
    return 1 + (len(cell) if len(cell) < _LONG else _REFERENCE)


def _leads(leader: Cells, cells: Cells) -> bool:
    """Return whether equal cells of the leader always come with equal cells of the other column."""
    seen: dict[str, str] = {}
    # Most pairs of columns disagree within a few rows.
    return all(seen.setdefault(lead, cell) == cell for lead, cell in zip(leader, cells))


def _gain(leader: Cells, led: Sequence[Cells], now: int) -> float:
    combinations = len(set(leader))
    first = {lead: row for row, lead in reversed(list(enumerate(leader)))}
    once = sum(_cost(cells[row]) for cells in led for row in first.values())
    return now - once - _REFERENCE * (combinations + len(leader))


def take_out(columns: Sequence[Cells]) -> tuple[Cells, list[tuple[str, ...]]]:
    """Return a column of references in the place of a group's columns, and the combinations they refer to.

    Example:
        >>> take_out([["a", "b", "a"], ["1", "2", "1"]])
        (['&1', '&2', '&1'], [('a', '1'), ('b', '2')])
    """
    number: dict[tuple[str, ...], int] = {}
    references = [f"&{number.setdefault(combination, len(number) + 1)}" for combination in zip(*columns)]
    return references, list(number)
