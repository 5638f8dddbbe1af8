"""The rows of an original, from which some can be retrieved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from headroom_core.tables.codec import parse_text, walk_frames
from headroom_core.tables.csv import split_record, unquote_cell
from headroom_core.tables.frame import Frame
from headroom_core.tables.values import TextPart
from headroom_core.tables.writer import write_table
from headroom_core.text.exact_json import to_plain
from headroom_core.text.json_spans import MIN_JSON_LINES


@dataclass(frozen=True, slots=True)
class RowSet:
    """Rows of one array or table in a text.

    Attributes:
        name: Distinguishes it from the other row sets of the text; empty if it is the only one.
        values: The rows in ordinary Python types, in order.
        frame: The rows split into columns.
    """

    name: str
    values: list[Any]
    frame: Frame

    def render(self, indices: Sequence[int]) -> str:
        """Return a table of the rows with these indices; rows are numbered from 0."""
        return write_table(self.frame, list(indices))


def find_rows(text: str) -> list[RowSet]:
    """Find the rows in a text: in JSON, Python literals, JSON lines, CSV and TSV.

    A list inside the rows that gets a table of its own when the text is compressed is also a row
    set of its own.

    Example:
        >>> text = '[{"id": 1, "name": "Elbe"}, {"id": 2, "name": "Oder"}, {"id": 3, "name": "Po"}]'
        >>> rows, = find_rows(text)
        >>> print(rows.render([1]), end="")
        [table 1 of 3 rows; # = row number from 0: #,id,name]
        1,2,Oder
    """
    frames = _collect_frames(text) or _collect_frames(_join_few_lines(text))
    has_many = len(frames) > 1
    return [
        RowSet(f"table {number}" if has_many else "", _to_plain_rows(frame), frame)
        for number, frame in enumerate(frames, 1)
    ]


def _join_few_lines(text: str) -> str:
    """Return JSON lines too few to be taken for a table as an array; empty for any other text."""
    lines = text.split("\n")
    if len(lines) >= MIN_JSON_LINES:
        return ""
    if not all(line.startswith("{") and line.endswith("}") for line in lines):
        return ""
    return f"[{', '.join(lines)}]"


def _collect_frames(text: str) -> list[Frame]:
    return list(_walk_parts(parse_text(text) or []))


def _walk_parts(parts: list[TextPart]) -> Iterator[Frame]:
    for part in parts:
        if isinstance(part, Frame):
            yield from walk_frames(part)


def _to_plain_rows(frame: Frame) -> list[Any]:
    if frame.form == "csv":
        names = [column.path[0] for column in frame.columns]
        return [
            dict(zip(names, map(unquote_cell, split_record(row, frame.separator))))
            for row in frame.source
        ]
    values = [to_plain(row) for row in frame.source]
    if frame.keys is None:
        return values
    return [_add_key(key, value) for key, value in zip(frame.keys, values)]


def _add_key(key: str, value: Any) -> Any:
    """Add the key of an object's entry under the name that it has in the table."""
    return {"@": key, **value} if isinstance(value, dict) else value
