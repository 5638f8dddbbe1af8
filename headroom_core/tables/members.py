"""Members of an object that are columns: arrays of one length, or objects with the same keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from headroom_core.tables.frame import Frame, build_frame
from headroom_core.tables.header import Field
from headroom_core.tables.names import DocumentNames, Path, name_values
from headroom_core.tables.restore import restore_members, restore_rows
from headroom_core.text.exact_json import Value, fingerprint

# Shorter arrays are as long as others by chance.
_MIN_ROWS = 5
# So are two arrays with values of one type, up to this length, and any two arrays.
_MIN_ROWS_OF_PAIR = 20
_MIN_ARRAYS = 3
# Objects with the same keys are columns rather than rows if there are this many times as many keys.
_MIN_KEYS_PER_COLUMN = 3
# What stands between columns is written into the header if it is not larger.
_MAX_ASIDE_BYTES = 1_000
_CONTAINERS = frozenset((dict, list))


@dataclass(frozen=True, slots=True)
class MemberRun:
    """Members of an object that form a table.

    Attributes:
        start: Index of the first member.
        end: Index after the last member.
        frame: The rows, each across all columns.
    """

    start: int
    end: int
    frame: Frame


def find_member_runs(value: dict[str, Value], path: Path, names: DocumentNames) -> list[MemberRun]:
    """Find the members of an object that are the columns of tables, in order.

    A run extends from the first to the last column; what stands between them stays as it is, unless
    it is large: there a run ends, and another one may begin.

    Args:
        value: The object.
        path: Where the object is in its document.
        names: The names that the document has.
    """
    runs: list[MemberRun] = []
    keys = list(value)
    for indices in _group_members(value):
        columns = _collect_columns(value, indices, path, names)
        if columns is None:
            continue
        indices = [index for index in indices if keys[index] in columns.values]
        for piece in _split_at_large(list(value.values()), indices):
            start, end = piece[0], piece[-1] + 1
            if any(start < run.end and run.start < end for run in runs):
                continue
            frame = _build_frame(value, (start, end), columns.take([keys[n] for n in piece]))
            if frame:
                runs.append(MemberRun(start, end, frame))
    return sorted(runs, key=lambda run: run.start)


def _split_at_large(members: list[Value], indices: list[int]) -> list[list[int]]:
    """Split the indices of columns where a large member stands between; drop lone columns."""
    pieces = [indices[:1]]
    for before, index in pairwise(indices):
        between = members[before + 1 : index]
        if any(len(fingerprint(item)) > _MAX_ASIDE_BYTES for item in between):
            pieces.append([])
        pieces[-1].append(index)
    return [piece for piece in pieces if len(piece) > 1]


def _group_members(value: dict[str, Value]) -> list[list[int]]:
    """Return the indices of members of one kind and length, the largest group first."""
    groups: dict[object, list[int]] = {}
    for index, item in enumerate(value.values()):
        if type(item) in _CONTAINERS and len(item) >= _MIN_ROWS:
            kind = len(item) if type(item) is list else tuple(item)
            groups.setdefault(kind, []).append(index)
    found = [indices for indices in groups.values() if len(indices) > 1]
    members = list(value.values())
    return sorted(found, key=lambda indices: -len(indices) * len(members[indices[0]]))


@dataclass(frozen=True, slots=True)
class _Columns:
    """Columns of a table that stand side by side.

    Attributes:
        values: The values of each column, by its name.
        lists: The columns whose values are lists with a name for each place.
        keys: The keys of the values, or None if the columns are arrays.
    """

    values: dict[str, list[Value]]
    lists: frozenset[str]
    keys: list[str] | None

    def take(self, names: Sequence[str]) -> _Columns:
        """Return some of the columns."""
        return replace(self, values={name: self.values[name] for name in names})


def _collect_columns(
    value: dict[str, Value], indices: Sequence[int], path: Path, names: DocumentNames
) -> _Columns | None:
    members = list(value.items())
    group = {members[index][0]: members[index][1] for index in indices}
    if type(members[indices[0]][1]) is dict:
        columns = {key: list(item.values()) for key, item in group.items()}
        keys = list(members[indices[0]][1])
        return _Columns(columns, frozenset(), keys) if _are_columns(columns, keys) else None
    columns = {key: item for key, item in group.items() if _holds_cells(item)}
    kinds = {key: _find_kinds(item) for key, item in columns.items()}
    tables = {
        key: named
        for key, item in columns.items()
        if (named := _name_rows(item, (*path, key), names))
    }
    uniform = [kind for kind in kinds.values() if len(kind) == 1 and kind != {dict}]
    if not _are_aligned(uniform, len(next(iter(group.values())))):
        return None
    return _Columns({**columns, **tables}, frozenset(tables), None)


def _holds_cells(values: list[Value]) -> bool:
    """Return whether values are cells of a table: lists in them are no longer than it, on average.

    Longer lists are rather the rows themselves.
    """
    lists = [len(value) for value in values if type(value) is list]
    return sum(lists) <= len(values) * len(lists)


def _find_kinds(values: list[Value]) -> frozenset[type]:
    """Return the types of the values, other than null."""
    return frozenset(map(type, values)) - {type(None)}


def _are_aligned(kinds: Sequence[frozenset[type]], length: int) -> bool:
    """Return whether arrays of one length belong together, judging by the types in each."""
    if len(kinds) < 2:
        return False
    return len(kinds) >= _MIN_ARRAYS or len(set(kinds)) > 1 or length >= _MIN_ROWS_OF_PAIR


def _are_columns(columns: dict[str, list[Value]], keys: list[str]) -> bool:
    """Return whether objects with the same keys are columns and not rows."""
    kinds = [_find_kinds(values) for values in columns.values()]
    if not all(kinds) or any(kind & _CONTAINERS for kind in kinds):
        return False
    if keys == [str(n) for n in range(len(keys))]:
        return True
    if any(len(kind) > 1 for kind in kinds):
        return False
    return len(set(kinds)) > 1 or len(keys) >= _MIN_KEYS_PER_COLUMN * len(columns)


def _name_rows(
    rows: list[Value], path: Path, names: DocumentNames
) -> list[dict[str, Value]] | None:
    """Return rows that are lists as objects, if something names their places."""
    if set(map(type, rows)) != {list} or len(set(map(len, rows))) > 1 or not rows[0]:
        return None
    columns = names.find(path, "", len(rows[0]))
    return [name_values(row, columns) for row in rows] if columns else None


def _build_frame(value: dict[str, Value], span: tuple[int, int], columns: _Columns) -> Frame | None:
    """Return the frame of columns, or None if it would not give the members back exactly."""
    rows: list[Value] = [
        dict(zip(columns.values, cells)) for cells in zip(*columns.values.values())
    ]
    wrappers: dict[str | None, str | None] = dict.fromkeys(columns.lists & columns.values.keys())
    frame = build_frame(rows, "columns", columns.keys, wrappers=wrappers)
    field_of = {item.name: item for item in frame.fields}
    members = dict(list(value.items())[slice(*span)])
    frame.fields = [
        field_of[key] if key in field_of else Field(key, aside=item)
        for key, item in members.items()
    ]
    restored = restore_members(restore_rows(rows, frame.fields), frame.fields, frame.keys)
    return frame if fingerprint(restored) == fingerprint(members) else None
