"""How separated values are written around their cells, and the names of their columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from headroom_core.tables.csv.records import split_record
from headroom_core.text.separated import SEPARATORS

UNNAMED = "$n = column n without a name"
"""Note in the header of a table: `$3` stands for the third column. If all are, there is no header
record."""

QUOTED_NAMES = "names in quotes"
"""Note in the header of a table whose header record has quotes around all names."""

WRITTEN_NAMES = "names as written"
"""Note in the header of a table whose names have the quotes that they have in the header record."""

_NAME_NOTES = frozenset((UNNAMED, QUOTED_NAMES, WRITTEN_NAMES))
_LINE_ENDS = {"\r\n": "CRLF", "\r": "CR"}
_SEPARATOR_NOTE = re.compile(r"; cells end with (\w+)")


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything about separated values but their cells.

    Attributes:
        separator: The character between the cells of a record.
        line_end: The line end between records.
        header: The header record. None if there is none.
    """

    separator: str = ","
    line_end: str = "\n"
    header: str | None = None

    def describe(self) -> list[str]:
        """Return the notes on it in the header of a table, without those on names."""
        notes = []
        if self.separator != ",":
            notes.append(f"cells end with {SEPARATORS[self.separator]}")
        if self.line_end in _LINE_ENDS:
            notes.append(f"lines end with {_LINE_ENDS[self.line_end]}")
        return notes

    def write(self, records: Iterable[str]) -> str:
        """Return the text with these records below the header."""
        lines = records if self.header is None else [self.header, *records]
        if self.line_end == "\r":
            return "\n".join(lines).replace("\n", "\r")
        return self.line_end.join(lines)


def read_layout(names: Sequence[str], notes: str) -> Layout:
    """Read the layout from the names and the notes in the header of a table.

    Raises:
        ValueError: If the separator is unknown.
    """
    described = set(notes.split("; "))
    separator = read_separator(notes)
    line_ends = (end for end, name in _LINE_ENDS.items() if f"lines end with {name}" in described)
    header = restore_header(names, described & _NAME_NOTES, separator)
    return Layout(separator, next(line_ends, "\n"), header)


def read_separator(notes: str) -> str:
    """Read the separator from the notes in the header of a table.

    Raises:
        ValueError: If it is unknown.
    """
    match = _SEPARATOR_NOTE.search(notes)
    if match is None:
        return ","
    separators = {name: sign for sign, name in SEPARATORS.items()}
    if match[1] not in separators:
        raise ValueError(f"unknown separator {match[1]!r}: expected one of {', '.join(separators)}")
    return separators[match[1]]


def name_columns(header: str | None, width: int, separator: str) -> tuple[list[str], list[str]]:
    """Return the name of each column for the header of a table, and the notes on the names.

    Args:
        header: The header record. None if there is none.
        width: Number of columns.
        separator: The character between cells.

    Example:
        >>> name_columns('"","river","km"', 3, ",")
        (['$1', 'river', 'km'], ['names in quotes', '$n = column n without a name'])
    """
    cells = [""] * width if header is None else split_record(header, separator)
    for notes in ([], [QUOTED_NAMES]):
        names = [_unquote(cell) or _placeholder(number) for number, cell in enumerate(cells, 1)]
        if not all(map(_unquote, cells)):
            notes.append(UNNAMED)
        if restore_header(names, notes, separator) == header:
            return names, notes
    return cells, [WRITTEN_NAMES]


def restore_header(names: Sequence[str], notes: Iterable[str], separator: str) -> str | None:
    """Return the header record of the names and notes of `name_columns`."""
    if WRITTEN_NAMES in notes:
        return separator.join(names)
    if UNNAMED in notes:
        names = [
            "" if name == _placeholder(number) else name for number, name in enumerate(names, 1)
        ]
        if not any(names):
            return None
    is_quoted = QUOTED_NAMES in notes
    return separator.join(
        f'''"{name.replace('"', '""')}"''' if is_quoted or _needs_quotes(name, separator) else name
        for name in names
    )


def column_keys(names: Sequence[str]) -> list[str]:
    """Return the key of each column in rows: its name, or its number if it is blank.

    Example:
        >>> column_keys([" river", "  ", "km"])
        ['river', '$2', 'km']
    """
    return [name.strip() or _placeholder(number) for number, name in enumerate(names, 1)]


def _placeholder(number: int) -> str:
    return f"${number}"


def _unquote(cell: str) -> str:
    """Return the name in a cell of the header, with its spaces."""
    if len(cell) > 1 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"')
    return cell


def _needs_quotes(name: str, separator: str) -> bool:
    return separator in name or '"' in name or "\n" in name
