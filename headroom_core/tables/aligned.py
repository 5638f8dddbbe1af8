"""Tables that stand apart in a document, but whose rows belong together by their numbers.

A chart has the times of its points at one place and each series at another:

    {"labels": ["Mon", "Tue"], "datasets": [{"data": [1, 2]}, {"data": [5, 7]}]}
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import takewhile
from typing import Any

from headroom_core.tables.frame import Frame, build_frame
from headroom_core.tables.table_names import write_frame_path
from headroom_core.text.exact_json import Value, fingerprint

# Shorter arrays are as long as others by chance.
_MIN_ROWS = 20
_MAX_SEARCHED_ITEMS = 64


def link_aligned(frames: Iterable[Frame]) -> None:
    """Let the arrays of a document that are equally long know each other.

    Arrays of objects and of lists with names are left out: each of their rows is complete.

    Args:
        frames: The frames of the document.
    """
    groups: dict[int, list[Frame]] = {}
    for frame in frames:
        if len(frame.rows) >= _MIN_ROWS and _has_columns(frame):
            groups.setdefault(len(frame.rows), []).append(frame)
    for group in groups.values():
        if len(group) > 1:
            for frame in group:
                frame.aligned = group


def _has_columns(frame: Frame) -> bool:
    """Return whether the rows are bare values, or made of columns, rather than complete."""
    if frame.keys is not None or frame.children or len(frame.regular_rows) < len(frame.rows):
        return False
    return frame.form == "columns" or (frame.form == "array" and frame.is_scalar)


def join_aligned(frames: Sequence[Frame]) -> Frame:
    """Return a frame of whole rows: each has the cells of all aligned frames, at their paths.

    Args:
        frames: The frames, none of which lies within another.
    """
    common = find_common_path([frame.path for frame in frames])
    rows: list[Value] = [{} for _ in frames[0].rows]
    for frame in frames:
        path = list(map(str, frame.path[len(common) :]))
        for row, value in zip(rows, frame.source):
            _put(row, path, value if frame.is_scalar else dict(value))
    joined = build_frame(rows)
    joined.path, joined.is_python, joined.aligned = common, frames[0].is_python, frames
    joined.name = write_frame_path(common) or frames[0].name
    return joined


def find_common_path(paths: Sequence[tuple[str | int, ...]]) -> tuple[str | int, ...]:
    """Return the beginning that all paths share."""
    steps = takewhile(lambda step: len(set(step)) == 1, zip(*paths))
    return tuple(step[0] for step in steps)


def _put(row: dict[str, Any], path: list[str], value: Value) -> None:
    """Put a value into a row at a path; objects at one place are merged."""
    for key in path[:-1] if type(value) is not dict else path:
        row = row.setdefault(key, {})
    if type(value) is dict:
        row |= value
    else:
        row[path[-1]] = value


class ArrayLengths:
    """How many longer arrays of each length a document has.

    Args:
        document: The document.
    """

    def __init__(self, document: Value) -> None:
        self._document = document

    @cached_property
    def counts(self) -> Counter[int]:
        """The number of arrays of each length; counted once, when first asked for."""
        return Counter(map(len, _find_arrays(self._document)))


def are_series(items: Sequence[Value], lengths: ArrayLengths) -> bool:
    """Return whether objects mostly hold series: longer arrays, whose items are the rows.

    Arrays of lists are series of points. Arrays of numbers may be vectors as well, unless the
    document has an array of as many names or times for them.

    Args:
        items: The items of an array.
        lengths: The lengths of the arrays in their document.
    """
    if not items or type(items[0]) is not dict:
        return False
    members = [value for item in items if type(item) is dict for value in item.values()]
    arrays = [value for value in members if type(value) is list and _is_array(value)]
    series = [array for array in arrays if len(array) >= len(items)]
    if not series or 2 * sum(map(measure, series)) <= sum(map(measure, items)):
        return False
    wanted = {len(array) for array in series if type(array[0]) is not list}
    if not wanted:
        return True
    own = Counter(map(len, arrays))
    return all(lengths.counts[length] > own[length] for length in wanted)


def _find_arrays(value: Value) -> Iterator[list[Value]]:
    """Yield the longer arrays of scalars or lists in a value, without those in them."""
    stack = [value]
    while stack:
        value = stack.pop()
        if type(value) is dict:
            stack += value.values()
        elif type(value) is list:
            if _is_array(value):
                yield value
            elif len(value) <= _MAX_SEARCHED_ITEMS:
                stack += value


def _is_array(value: Value) -> bool:
    return type(value) is list and len(value) >= _MIN_ROWS and dict not in set(map(type, value))


def measure(value: Value) -> int:
    """Return about how large a value is."""
    return len(fingerprint(value))
