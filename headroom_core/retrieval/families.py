"""Rows of an original with the child rows that belong to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, takewhile
from typing import Any, NamedTuple

from headroom_core.retrieval.comparisons import leaves
from headroom_core.tables.rows import RowSet

RowLocation = tuple[int, int]
"""Index of a row set, and index of the row in it."""


class Family(NamedTuple):
    """Row with the child rows that belong to it, directly or through others.

    Attributes:
        row: Location of the row.
        descendants: Locations of the child rows, table by table.
    """

    row: RowLocation
    descendants: list[RowLocation]


class Rest(NamedTuple):
    """Child rows of a row that have no room.

    Attributes:
        shown: Number of the child rows that have room.
        total: Number of all of them.
        where: Condition that selects the others.
    """

    shown: int
    total: int
    where: str


def gather_families(row_sets: Sequence[RowSet], rows: Iterable[RowLocation]) -> list[Family]:
    """Return a family for each of some rows that belongs to none of the others, in order."""
    wanted = set(rows)
    families: dict[RowLocation, Family] = {}
    heads: list[dict[int, RowLocation]] = []
    places = {id(row_set): number for number, row_set in enumerate(row_sets)}
    for number, row_set in enumerate(row_sets):
        above = places.get(id(row_set.above))
        parents = row_set.frame.parents if above is not None else None
        head_of: dict[int, RowLocation] = {}
        for index in range(len(row_set.values)):
            location = (number, index)
            if above is not None and parents and parents[index] in heads[above]:
                head_of[index] = heads[above][parents[index]]
                families[head_of[index]].descendants.append(location)
            elif location in wanted:
                head_of[index] = location
                families[location] = Family(location, [])
        heads.append(head_of)
    return list(families.values())


def fit_family(
    row_sets: Sequence[RowSet], family: Family, max_chars: int
) -> tuple[list[RowLocation], list[Rest]]:
    """Return the rows of a family that have room, and the others of each table.

    The row itself always has room, and so has the first child row of each table.

    Args:
        row_sets: Row sets of the original.
        family: Row with its child rows.
        max_chars: Maximum number of characters of the rows.
    """
    tables: dict[int, list[int]] = {}
    for number, index in family.descendants:
        tables.setdefault(number, []).append(index)
    room = max_chars // max(1, len(tables))
    shown, rests = [family.row], []
    for number, indices in tables.items():
        values = row_sets[number].values
        sizes = accumulate(len(row_text(values[index])) for index in indices)
        count = max(1, sum(1 for _ in takewhile(lambda size: size <= room, sizes)))
        shown += [(number, index) for index in indices[:count]]
        if count < len(indices):
            path = ".".join("^" * _count_levels(row_sets[number], row_sets[family.row[0]]))
            where = f"{path} == {family.row[1]} and # > {indices[count - 1]}"
            rests.append(Rest(count, len(indices), where))
    return shown, rests


def _count_levels(row_set: RowSet, ancestor: RowSet) -> int:
    levels = 0
    while row_set is not ancestor and row_set.above is not None:
        levels, row_set = levels + 1, row_set.above
    return levels


def row_text(row: Any) -> str:
    """Return the values of a row, in any order."""
    return " ".join(map(str, leaves(row)))
