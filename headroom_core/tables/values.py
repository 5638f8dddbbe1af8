"""Split values into frames and the text between them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable

from headroom_core.tables.aligned import ArrayLengths, are_series, link_aligned, measure
from headroom_core.tables.frame import Frame, place_frame
from headroom_core.tables.json_strings import build_opened_frame
from headroom_core.tables.maps import contains_containers, is_map
from headroom_core.tables.members import MemberRun, find_member_runs
from headroom_core.tables.named_rows import build_named_frame
from headroom_core.tables.names import DocumentNames, Path
from headroom_core.tables.notation import Notation, notation_of
from headroom_core.tables.strings import MIN_STRING_CHARACTERS, STRING_END, string_start
from headroom_core.text.exact_json import Value
from headroom_core.text.python_literal import CLASS_KEY, SOURCE_SIGN
from headroom_core.text.spelling import COMPACT, Spelling

TextPart = str | Frame
"""A frame, or the text between two of them."""

# Two objects are enough for a header to pay: it writes the keys once instead of twice.
_MIN_TABLE_ROWS = 2
# An array with fewer rows is split up instead if most of it is longer lists, which then become
# tables of their own.
_MIN_OUTER_ROWS = 5
# Scalars have no keys to save, so a few of them stay JSON.
_MIN_SCALARS = 5
_MAJORITY = 0.5
# Brackets around a key or around other brackets, in a string.
_DATA_START = re.compile(r"""\{\s*["']|\[\s*[\[{(]""")


StringReader = Callable[[str], "list[TextPart] | None"]
"""Returns the parts of the text of a string, or None if it holds no data."""


def parse_value(
    value: Value,
    *,
    is_python: bool = False,
    spelling: Spelling = COMPACT,
    read_string: StringReader | None = None,
) -> list[TextPart]:
    """Split a value into its arrays of rows as frames and the text around them.

    Args:
        value: The parsed value.
        is_python: Whether to write Python literals around the frames instead of JSON.
        spelling: How to write JSON around them.
        read_string: Splits strings that hold data. Defaults to leaving them whole.
    """
    splitter = _ValueSplitter(
        value, is_python=is_python, spelling=spelling, read_string=read_string
    )
    splitter.append(value, ())
    link_aligned(splitter.frames)
    return merge_strings(splitter.parts)


def merge_strings(parts: Iterable[TextPart]) -> list[TextPart]:
    """Join neighboring strings; the result begins and ends with a string."""
    merged: list[TextPart] = []
    pending: list[str] = []
    for part in parts:
        if isinstance(part, str):
            pending.append(part)
            continue
        merged += ["".join(pending), part]
        pending = []
    return [*merged, "".join(pending)]


class _ValueSplitter:
    """Splitter of one document.

    Args:
        document: The document.
        is_python: Whether it is written as a Python literal.
        spelling: How JSON is written.
        read_string: Splits strings that hold data.

    Attributes:
        parts: The parts so far.
        frames: The frames among them, without those in strings.
    """

    def __init__(
        self,
        document: Value,
        *,
        is_python: bool,
        spelling: Spelling,
        read_string: StringReader | None,
    ) -> None:
        self.parts: list[TextPart] = []
        self.frames: list[Frame] = []
        self._names = DocumentNames(document)
        self._lengths = ArrayLengths(document)
        self._sizes = _NestedSizes()
        self._is_python = is_python
        self._spelling = spelling
        self._read_string = read_string

    def append(self, value: Value, path: Path) -> None:
        """Append the parts of a value.

        Args:
            value: The value.
            path: Where it is in the document.
        """
        if type(value) is str and len(value) >= MIN_STRING_CHARACTERS:
            self._append_string(value)
        elif type(value) is dict:
            self._append_object(value, path)
        elif type(value) is list:
            frame = self._build_frame(value, path)
            if frame:
                self._append_frame(frame, path)
            else:
                self._append_list(value, path)
        else:
            self.parts.append(self._notation_at(path).dumps(value))

    def _notation_at(self, path: Path) -> Notation:
        return notation_of(self._is_python, self._spelling.at(len(path)))

    def _append_string(self, value: str) -> None:
        is_source = self._is_python and value.startswith(SOURCE_SIGN)
        parts = None if is_source or not self._read_string else self._read_string(value)
        if parts:
            start = string_start(self._is_python, self._spelling)
            self.parts += [start, *parts, f"\n{STRING_END}"]
        else:
            self.parts.append(self._notation_at(()).dumps(value))

    def _build_frame(self, items: list[Value], path: Path) -> Frame | None:
        """Return the frame of a list, or None if it is not an array of rows."""
        if are_series(items, self._lengths):
            return None
        frame = build_named_frame(items, path, self._names)
        if frame is None and _is_array_of_rows(items, self._sizes):
            frame = build_opened_frame(items)
        return frame

    def _append_frame(self, frame: Frame, path: Path) -> None:
        frame.is_python = self._is_python
        frame.spelling = self._spelling.at(len(path))
        place_frame(frame, path)
        self.frames.append(frame)
        self.parts.append(frame)

    def _append_list(self, items: list[Value], path: Path) -> None:
        notation = self._notation_at(path)
        sign, closing = "[", "]"
        if not self._is_python:
            sign, closing = self._spelling.at(len(path)).enclose("[]", items)
        for index, item in enumerate(items):
            self.parts.append(sign)
            self.append(item, (*path, index))
            sign = notation.comma
        self.parts.append(closing if items else sign + closing)

    def _append_object(self, value: dict[str, Value], path: Path) -> None:
        is_object = self._is_python and CLASS_KEY in value
        runs = [] if is_object else find_member_runs(value, path, self._names)
        if not runs and not is_object and is_map(value):
            frame = build_opened_frame(list(value.values()), "object", keys=list(value))
            self._append_frame(frame, path)
        else:
            self._append_members(value, path, runs)

    def _append_members(self, value: dict[str, Value], path: Path, runs: list[MemberRun]) -> None:
        notation = self._notation_at(path)
        run_at = {run.start: run for run in runs}
        sign, entries, closing = notation.open_dict(value)
        end = 0
        keys = [key for key in value if not (self._is_python and key == CLASS_KEY)]
        for index, (key, (start, item)) in enumerate(zip(keys, entries)):
            if index < end:
                continue
            if index in run_at:
                self.parts.append(sign)
                self._append_frame(run_at[index].frame, path)
                end = run_at[index].end
            else:
                self.parts.append(f"{sign}{start}")
                self.append(item, (*path, key))
            sign = notation.comma
        self.parts.append(closing if entries else sign + closing)


class _NestedSizes:
    """Sizes of the tables in values of one document, each measured once, however deep it is."""

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}

    def is_mostly_nested(self, items: list[Value]) -> bool:
        """Return whether a few items are little more than containers of longer lists."""
        return sum(map(self._size_in, items)) > _MAJORITY * measure(items)

    def _size_in(self, item: Value) -> int:
        """Return the size of the longer lists, arrays of one length and strings of such lists."""
        if _is_table(item) or _may_hold_data(item):
            return measure(item)
        if type(item) not in (list, dict):
            return 0
        size = self._sizes.get(id(item))
        if size is None:
            size = self._sizes[id(item)] = self._add_sizes(item)
        return size

    def _add_sizes(self, item: list[Value] | dict[str, Value]) -> int:
        if type(item) is not dict:
            return sum(map(self._size_in, item))
        arrays = [value for value in item.values() if _is_array(value)]
        counts = Counter(map(len, arrays))
        alike = sum(measure(value) for value in arrays if counts[len(value)] > 1)
        return alike + sum(self._size_in(value) for value in item.values() if not _is_array(value))


def _is_array_of_rows(items: list[Value], sizes: _NestedSizes) -> bool:
    objects = sum(type(item) is dict for item in items)
    if objects >= max(_MIN_TABLE_ROWS, _MAJORITY * len(items)):
        return len(items) >= _MIN_OUTER_ROWS or not sizes.is_mostly_nested(items)
    if objects or len(items) < _MIN_SCALARS:
        return False
    return not any(map(contains_containers, items))


def _is_table(item: Value) -> bool:
    return type(item) is list and len(item) >= _MIN_OUTER_ROWS and type(item[0]) in (dict, list)


def _may_hold_data(item: Value) -> bool:
    return (
        type(item) is str
        and len(item) >= MIN_STRING_CHARACTERS
        and _DATA_START.search(item) is not None
    )


def _is_array(value: Value) -> bool:
    return (
        type(value) is list
        and len(value) >= _MIN_OUTER_ROWS
        and not any(type(item) in (dict, list) for item in value)
    )
