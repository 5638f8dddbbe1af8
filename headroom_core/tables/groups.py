"""Groups of columns whose values always come together: each combination is written once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Cells = list[str]

# In fewer rows, a combination rarely repeats often enough to pay for its own line.
_MIN_ROWS = 8
# A column with more distinct cells than this share of the rows saves next to nothing.
_MAX_DISTINCT_SHARE = 0.8
# Every candidate is compared with all columns. This bounds the work for wide tables.
_MAX_CANDIDATES = 12
# A group costs the reader a lookup in every row, so it has to save this share of the characters.
_MIN_GAIN_SHARE = 0.03
# Longer repeated cells are replaced by references to the legend anyway.
_MIN_LEGEND_CHARACTERS = 30
_REFERENCE_CHARACTERS = 4


def find_group(columns: Sequence[Cells]) -> list[int]:
    """Find the group of columns, all determined by one of them, whose combinations save most.

    Returns:
        The indices of the columns, or an empty list if no group saves enough.

    Example:
        >>> cities = ["Bergamo", "Bolzano", "Bergamo", "Bolzano"] * 3
        >>> airports = [f"airport of {city}" for city in cities]
        >>> find_group([[str(n) for n in range(12)], cities, airports])
        [1, 2]
    """
    rows = len(columns[0]) if columns else 0
    if rows < _MIN_ROWS:
        return []
    distinct = [len(set(cells)) for cells in columns]
    repetitive = [
        index for index, count in enumerate(distinct) if count <= _MAX_DISTINCT_SHARE * rows
    ]
    costs = {index: _estimate_cost(columns[index]) for index in repetitive}
    best_group: list[int] = []
    best_gain = _MIN_GAIN_SHARE * sum(costs.values())
    for leader in sorted(repetitive, key=lambda index: -costs[index])[:_MAX_CANDIDATES]:
        group = [
            index
            for index in repetitive
            if distinct[index] <= distinct[leader] and _determines(columns[leader], columns[index])
        ]
        cost = sum(costs[index] for index in group)
        gain = _estimate_gain(columns[leader], [columns[index] for index in group], cost)
        if len(group) > 1 and gain > best_gain:
            best_group, best_gain = group, gain
    return best_group


def _estimate_cost(cells: Iterable[str]) -> int:
    """Return approximately how many characters the cells take, each with a separator."""
    return sum(
        [
            1 + (size if size < _MIN_LEGEND_CHARACTERS else _REFERENCE_CHARACTERS)
            for size in map(len, cells)
        ]
    )


def _determines(leader: Cells, cells: Cells) -> bool:
    """Return whether equal cells of the leader always come with equal cells of the other column."""
    seen: dict[str, str] = {}
    # Lazily, because most pairs of columns disagree within a few rows.
    return all(seen.setdefault(lead, cell) == cell for lead, cell in zip(leader, cells))


def _estimate_gain(leader: Cells, group: Sequence[Cells], current_cost: int) -> float:
    """Return approximately how many characters are saved by writing each combination once."""
    first_rows: dict[str, int] = {}
    for row, cell in enumerate(leader):
        first_rows.setdefault(cell, row)
    cost_once = sum(_estimate_cost([cells[row] for row in first_rows.values()]) for cells in group)
    return current_cost - cost_once - _REFERENCE_CHARACTERS * (len(first_rows) + len(leader))


def extract_combinations(columns: Sequence[Cells]) -> tuple[Cells, list[tuple[str, ...]]]:
    """Replace the columns of a group by a single column of references.

    Returns:
        The references, and the combinations of cells that they refer to.

    Example:
        >>> extract_combinations([["a", "b", "a"], ["1", "2", "1"]])
        (['&1', '&2', '&1'], [('a', '1'), ('b', '2')])
    """
    numbers: dict[tuple[str, ...], int] = {}
    references = [
        f"&{numbers.setdefault(combination, len(numbers) + 1)}" for combination in zip(*columns)
    ]
    return references, list(numbers)
