"""Records of separated values, and their cells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import islice

# A quoted cell that is open for more lines than this was not meant as one.
_MAX_RECORD_LINES = 1_000


def join_records(lines: Iterable[str], separator: str) -> Iterator[str]:
    r"""Join lines into records, as far as they are asked for: a quoted cell may span several lines.

    Example:
        >>> list(join_records(['7,"in flood', 'since May"', "8,dry"], ","))
        ['7,"in flood\nsince May"', '8,dry']
    """
    opening = _compile_opening_pattern(separator)
    open_lines: list[str] = []
    for line in lines:
        # An odd number of quotes opens or closes a cell; a doubled quote inside a cell is even.
        toggles_quote = '"' in line and line.count('"') % 2 == 1
        if open_lines:
            open_lines.append(line)
            if toggles_quote:
                yield "\n".join(open_lines)
                open_lines = []
            elif len(open_lines) > _MAX_RECORD_LINES:
                yield from open_lines
                open_lines = []
        elif toggles_quote and opening.search(line):
            open_lines = [line]
        else:
            yield line
    yield from open_lines


def take_records(text: str, start: int, count: int, separator: str) -> tuple[list[str], int]:
    """Return the next records of a text, and the index after them.

    Raises:
        ValueError: If there are fewer records.
    """
    records = list(islice(join_records(_iterate_lines(text, start), separator), count))
    if len(records) < count:
        raise ValueError(f"the header announces {count} records, but {len(records)} follow")
    return records, start + sum(len(record) + 1 for record in records)


def _iterate_lines(text: str, start: int) -> Iterator[str]:
    """Yield the lines from an index on that have a line end."""
    while (end := text.find("\n", start)) >= 0:
        yield text[start:end]
        start = end + 1


@cache
def _compile_opening_pattern(separator: str) -> re.Pattern[str]:
    # A quoted cell that does not end on its line, at the start of a line or of a row, of a legend
    # line or of an irregular row in a table. Must not match a lone quote inside a cell: `5" pipe`.
    sign = re.escape(separator)
    return re.compile(rf'(?:^(?:!|[*&]\d+ )?|{sign}) ?"[^"]*(?:""[^"]*)*$')


@cache
def _compile_cell_pattern(separator: str) -> re.Pattern[str]:
    # A cell, quoted or not, and the separator or the end that follows it. Must not match a quoted
    # cell with text after its closing quote.
    sign = re.escape(separator)
    return re.compile(
        rf'( ?"[^"]*(?:""[^"]*)*"(?:\r\Z)?|[^{sign}"][^{sign}]*|)(?:{sign}|\Z)', re.DOTALL
    )


def split_record(record: str, separator: str) -> list[str]:
    """Split a record into its cells, quotes included; return no cells if quotes do not match."""
    if '"' not in record:
        return record.split(separator)
    cells: list[str] = _compile_cell_pattern(separator).findall(record)
    joined = separator.join(cells)
    # There is an empty match behind a last cell that is not empty.
    if len(joined) > len(record):
        del cells[-1]
        joined = joined[:-1]
    # Anything between two matches is missing here: quotes that do not match.
    return cells if joined == record else []


def unquote_cell(cell: str) -> str:
    """Return the text of a cell without its quotes and the spaces around it."""
    text = cell.strip(" \r")
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1].replace('""', '"')
    return text


def unquote_cells(cells: Sequence[str]) -> list[str]:
    """Return the texts of cells as `unquote_cell` does."""
    joined = "\n".join(cells)
    if '"' in joined or " " in joined or "\r" in joined:
        return list(map(unquote_cell, cells))
    return list(cells)
