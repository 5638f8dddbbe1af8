"""The rows of an original, for those who want some of them back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from headroom_core.tables.codec import Part, parse_text, walk_frames
from headroom_core.tables.csv import split_record, unquote_cell
from headroom_core.tables.frame import Frame
from headroom_core.tables.writer import write_table
from headroom_core.text.exact_json import to_plain
from headroom_core.text.json_spans import MIN_JSON_LINES


@dataclass(frozen=True, slots=True)
class RowSet:
    """The rows of one array or table in a text.

    Attributes:
        name: what tells it from the other row sets of the text; empty when there is only one.
        values: the rows in ordinary Python types, in order.
        frame: the rows as columns.
    """

    name: str
    values: list[Any]
    frame: Frame

    def render(self, indices: Sequence[int]) -> str:
        """Return a table of the rows with these indices, each with its row number, counted from 0."""
        return write_table(self.frame, list(indices))


def find_rows(text: str) -> list[RowSet]:
    """Return the rows that a text holds: of JSON, also as Python writes it, JSON lines, CSV and TSV.

    A list inside the rows that was a table of its own when the text was shortened is one here too.

    Example:
        >>> rows, = find_rows('[{"id": 1, "name": "Elbe"}, {"id": 2, "name": "Oder"}, {"id": 3, "name": "Ems"}]')
        >>> print(rows.render([1]), end="")
        [table 1 of 3 rows; # = row number from 0: #,id,name]
        1,2,Oder
    """
    frames = list(_frames(parse_text(text) or [])) or list(
        _frames(parse_text(_as_array(text)) or [])
    )
    many = len(frames) > 1
    return [
        RowSet(f"table {n}" if many else "", _values(frame), frame)
        for n, frame in enumerate(frames, 1)
    ]


def _as_array(text: str) -> str:
    """Return a few lines of JSON, too few to be taken for a table, as an array; nothing for any other text."""
    lines = text.split("\n")
    few = len(lines) < MIN_JSON_LINES and all(
        line.startswith("{") and line.endswith("}") for line in lines
    )
    return f"[{', '.join(lines)}]" if few else ""


def _frames(parts: list[Part]) -> Iterator[Frame]:
    for part in parts:
        if isinstance(part, Frame):
            yield from walk_frames(part)


def _values(frame: Frame) -> list[Any]:
    if frame.form != "csv":
        values = [to_plain(row) for row in frame.source]
        return (
            values
            if frame.keys is None
            else [_keyed(key, value) for key, value in zip(frame.keys, values)]
        )
    names = [column.path[0] for column in frame.columns]
    return [
        dict(zip(names, map(unquote_cell, split_record(row, frame.separator))))
        for row in frame.source
    ]


def _keyed(key: str, value: Any) -> Any:
    """Return an entry of an object with its key, as the table shows it."""
    return {"@": key, **value} if isinstance(value, dict) else value
