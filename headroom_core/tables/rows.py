"""The rows of an original, from which some can be retrieved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from headroom_core.tables.aligned import join_aligned
from headroom_core.tables.codec import parse_text
from headroom_core.tables.csv.records import split_record, unquote_cell, unquote_cells
from headroom_core.tables.frame import Frame
from headroom_core.tables.writer import write_table
from headroom_core.text.exact_json import dumps, to_plain_all
from headroom_core.text.json_runs import MIN_JSON_LINES
from headroom_core.text.python_literal import to_bare


class Ancestor(NamedTuple):
    """Rows that the rows of a set belong to, directly or through others.

    Attributes:
        numbers: For each row of the set, the index of the row that it belongs to.
        rows: The rows that they belong to.
    """

    numbers: list[int]
    rows: list[Any]


@dataclass(frozen=True, slots=True)
class RowSet:
    """Rows of one array or table in a text.

    Attributes:
        name: Distinguishes it from the other row sets of the text: its path, or a number. Empty if
            it is the only one.
        values: The rows in ordinary Python types, in order.
        frame: The rows split into columns.
        above: Row set that the rows belong to, or None if they are no items of nested lists.
    """

    name: str
    values: list[Any]
    frame: Frame
    above: RowSet | None = None

    @property
    def tables(self) -> list[tuple[str, ...]]:
        """Keys by which a condition may name the rows: paths and names of their tables."""
        frames = [self.frame, *self.frame.aligned]
        paths = [tuple(map(str, frame.path)) for frame in frames]
        names = [(frame.name,) for frame in frames if frame.name]
        return list(dict.fromkeys([*paths, *names]))

    @property
    def ancestors(self) -> list[Ancestor]:
        """The rows that the rows belong to, the nearest first."""
        found: list[Ancestor] = []
        numbers, row_set = list(range(len(self.values))), self
        while row_set.above is not None and row_set.frame.parents is not None:
            parents = row_set.frame.parents
            numbers, row_set = [parents[number] for number in numbers], row_set.above
            found.append(Ancestor(numbers, row_set.values))
        return found

    def own_text(self, index: int) -> str:
        """Return a row as text, without the child rows that belong to it."""
        row = self.frame.rows[index]
        return row if isinstance(row, str) else dumps(row)

    def render(self, indices: Sequence[int]) -> str:
        """Return a table of the rows with these indices; rows are numbered from 0."""
        return write_table(self.frame, list(indices))


def find_rows(text: str, *, is_declared: bool = False) -> list[RowSet]:
    """Find the rows in a text: in JSON, Python literals, JSON lines, CSV and TSV.

    A list inside the rows that gets a table of its own when the text is compressed is also a row
    set of its own.

    Args:
        text: The text.
        is_declared: Whether the text is said to have rows. Separated values then need less
            evidence.

    Example:
        >>> text = '[{"id": 1, "name": "Elbe"}, {"id": 2, "name": "Oder"}, {"id": 3, "name": "Po"}]'
        >>> rows, = find_rows(text)
        >>> print(rows.render([1]), end="")
        [table 1 of 3 rows; # = row number from 0: #,id,name]
        1,2,Oder
    """
    frames = _collect_frames(text) or _collect_frames(_join_few_lines(text))
    if is_declared and not frames:
        frames = _collect_frames(text, is_declared=True)
    row_sets: list[RowSet] = []
    for frame, above in frames:
        name = frame.name if len(frames) > 1 else ""
        parent = None if above is None else row_sets[above]
        row_sets.append(RowSet(name, _to_plain_rows(frame), frame, parent))
    return row_sets


def _join_few_lines(text: str) -> str:
    """Return JSON lines too few to be taken for a table as an array; empty for any other text."""
    lines = text.split("\n")
    if len(lines) >= MIN_JSON_LINES:
        return ""
    if not all(line.startswith("{") and line.endswith("}") for line in lines):
        return ""
    return f"[{', '.join(lines)}]"


def _collect_frames(text: str, *, is_declared: bool = False) -> list[tuple[Frame, int | None]]:
    """Return the frames of a text, parents first, each with the index of its parent."""
    found: list[tuple[Frame, int | None]] = []
    for part in parse_text(text, is_declared=is_declared) or []:
        if not isinstance(part, Frame):
            continue
        if not part.aligned:
            _append_frame(part, None, found)
        elif part is part.aligned[0]:
            found.append((join_aligned(part.aligned), None))
    return found


def _append_frame(frame: Frame, above: int | None, found: list[tuple[Frame, int | None]]) -> None:
    position = len(found)
    found.append((frame, above))
    for child in frame.children:
        _append_frame(child, position, found)


def _to_plain_rows(frame: Frame) -> list[Any]:
    if frame.form == "csv":
        return _to_records(frame)
    source = list(map(to_bare, frame.source)) if frame.is_python else frame.source
    values = to_plain_all(source)
    if frame.keys is None:
        return values
    return [_add_key(key, value) for key, value in zip(frame.keys, values)]


def _to_records(frame: Frame) -> list[Any]:
    """Return the records of separated values as objects; a name that repeats has all its cells."""
    names = [column.path[0] for column in frame.columns]
    regular = zip(*[unquote_cells(column.source) for column in frame.columns])
    rows: Iterable[Iterable[str]] = regular
    if len(frame.regular_rows) < len(frame.source):
        cells_of = dict(zip(frame.regular_rows, regular))
        rows = [
            cells_of.get(number) or map(unquote_cell, split_record(record, frame.separator))
            for number, record in enumerate(frame.source)
        ]
    if len(set(names)) == len(names):
        return [dict(zip(names, row)) for row in rows]
    repeated = set(_find_repeated(names))
    return [_gather(zip(names, row), repeated) for row in rows]


def _find_repeated(names: list[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def _gather(cells: Iterable[tuple[str, str]], repeated: set[str]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, cell in cells:
        if name in repeated:
            row.setdefault(name, []).append(cell)
        else:
            row[name] = cell
    return row


def _add_key(key: str, value: Any) -> Any:
    """Add the key of an object's entry under the name that it has in the table."""
    entry = value if isinstance(value, dict) else {"value": value}
    return {"@": key} | entry | {"@": key}
