"""Rows of an original with the child rows that belong to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, chain, islice, takewhile
from operator import add
from typing import Any, NamedTuple

from headroom_core.retrieval.comparisons import leaves
from headroom_core.tables.rows import RowSet
from headroom_core.text.exact_json import map_alike

# Deeper values in values are measured one by one.
_MAX_DEPTH_AT_ONCE = 20

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
        sizes = accumulate(row_sizes([values[index] for index in indices]))
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


def row_sizes(rows: list[Any]) -> list[int]:
    """Return the number of characters of all values of each row, with a space between two.

    Example:
        >>> row_sizes([{"id": 10, "tags": ["a", "b"]}, {"id": 2, "tags": []}])
        [6, 1]
    """
    return [max(0, size - 1) for size in _measure(rows, _MAX_DEPTH_AT_ONCE)]


def _measure(values: list[Any], depth: int) -> list[int]:
    """Return the number of characters of values, with a space for each; of all of a field at once.

    Args:
        values: Values that are mostly alike.
        depth: Down to how many values in values they are taken together.
    """
    kinds = set(map(type, values))
    if kinds.isdisjoint((dict, list)):
        return [len(text) + 1 for text in map(str, values)]
    sizes = None
    if depth and kinds == {dict}:
        sizes = map_alike(values, lambda objects: _measure_objects(objects, depth))
    elif depth and kinds == {list}:
        rest = iter(_measure(list(chain.from_iterable(values)), depth - 1))
        sizes = [sum(islice(rest, len(value))) for value in values]
    if sizes is None:
        sizes = [sum([len(str(leaf)) + 1 for leaf in leaves(value)]) for value in values]
    return sizes


def _measure_objects(objects: list[dict[str, Any]], depth: int) -> list[int]:
    """Return the number of characters of the values of objects with the same keys."""
    sizes = [0] * len(objects)
    for column in zip(*map(dict.values, objects)):
        sizes = list(map(add, sizes, _measure(list(column), depth - 1)))
    return sizes
