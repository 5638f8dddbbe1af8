"""Runs of records with equally many cells, and those among them that are tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from headroom_core.tables.csv.decision import has_header, is_headerless
from headroom_core.tables.csv.evidence import Evidence, rate_names
from headroom_core.tables.csv.layout import Layout, column_keys, name_columns
from headroom_core.tables.csv.records import join_records, split_record, unquote_cell
from headroom_core.tables.csv.totals import without_totals
from headroom_core.tables.csv.values import is_decimal, parse_cells
from headroom_core.tables.frame import Column, Frame
from headroom_core.tables.header import Field
from headroom_core.text.exact_json import Value
from headroom_core.text.separated import MIN_RECORDS

# The share of records that must have as many cells as the header. The rest are written as they are.
_MIN_REGULAR_SHARE = 0.9
# More lines in a row with another number of cells end a table.
_MAX_GAP = 3
# Above the header, there may be lines that happen to have as many separators.
_MAX_LINES_ABOVE = 2
# Runs of records without evidence of a table, after which the rest of a text is not looked at.
_MAX_MISSES = 5
_SAMPLE_RECORDS = 30
_BYTE_ORDER_MARK = "\ufeff"
_COMMENT_STARTS = ("#", "//", "--", "%")


@dataclass(frozen=True, slots=True)
class FoundTable:
    """Table in a text.

    Attributes:
        start: Index of its first character.
        end: Index after its last character, without the last line end.
        frame: The frame.
    """

    start: int
    end: int
    frame: Frame

    def shift(self, distance: int) -> FoundTable:
        """Return the table at another place."""
        return FoundTable(self.start + distance, self.end + distance, self.frame)


class TextRecords:
    """The records of a text, and their cells.

    Args:
        text: The text.
        separator: The character between cells.
    """

    def __init__(self, text: str, separator: str) -> None:
        self.text = text
        self.separator = separator
        self.has_cr = "\n" not in text and "\r" in text
        if self.has_cr:
            text = text.replace("\r", "\n")
        self.first = 1 if text.startswith(_BYTE_ORDER_MARK) else 0
        lines = text[self.first :].split("\n")
        self.records = list(join_records(lines, separator)) if '"' in text else lines
        self.starts = list(
            accumulate([len(record) + 1 for record in self.records], initial=self.first)
        )
        self.cells = [split_record(record, separator) for record in self.records]
        self.widths = [
            0 if not record or record.isspace() else len(cells)
            for record, cells in zip(self.records, self.cells)
        ]

    def find_tables(self, *, is_declared: bool) -> Iterator[FoundTable]:
        """Yield the tables, in order; give up after many runs of other records."""
        misses = 0
        for first, last in self._find_runs():
            table = self._parse_run(first, last, is_declared=is_declared)
            if table:
                yield table
            else:
                misses += 1
            if misses == _MAX_MISSES:
                return

    def _find_runs(self) -> Iterator[tuple[int, int]]:
        """Yield the first and the last of enough records with equally many cells."""
        index = 0
        while index < len(self.records):
            last = self._find_last(index)
            if last is not None:
                yield index, last
                index = last
            index += 1

    def have_evidence(self, *, is_declared: bool, is_inner: bool) -> bool:
        """Return whether a sample has evidence of a table.

        Args:
            is_declared: Whether the text is said to be a table.
            is_inner: Whether the sample is from inside the text, where no header is to be seen.
        """
        return any(
            self._are_alike(regular)
            if is_inner
            else self._find_header(regular, is_declared=is_declared) is not None
            or self._is_headerless(regular, is_declared=is_declared)
            for regular in (self._find_regular(*run) for run in self._find_runs())
        )

    def _are_alike(self, regular: Sequence[int]) -> bool:
        """Return whether the cells of records are alike enough to look for a header."""
        if not regular:
            return False
        evidence = self._weigh(regular)
        return evidence.alikeness >= 1 and not (evidence.is_log() or evidence.splits_brackets())

    def _find_last(self, first: int) -> int | None:
        """Return the last of the records with as many cells as the first, if they are enough."""
        width = self.widths[first]
        following = self.widths[first + 1 : first + 2 + MIN_RECORDS]
        if width < 2 or following.count(width) < MIN_RECORDS:
            return None
        last, gap = first, 0
        for index in range(first + 1, len(self.records)):
            if self.widths[index] == width:
                last, gap = index, 0
            elif self.widths[index]:
                gap += 1
                if gap > _MAX_GAP:
                    break
            elif not self._goes_on(first, last, index):
                break
        return last

    def _goes_on(self, first: int, last: int, blank: int) -> bool:
        """Return whether the record below a blank line continues the table above it."""
        end = min(blank + _MAX_GAP, len(self.widths))
        following = next((index for index in range(blank, end) if self.widths[index]), None)
        if following is None or self.widths[following] != self.widths[first]:
            return False
        pairs = zip(self.cells[last], self.cells[following])
        return self.cells[following] != self.cells[first] and all(
            not after or is_decimal(after) or not is_decimal(before) for before, after in pairs
        )

    def _parse_run(self, first: int, last: int, *, is_declared: bool) -> FoundTable | None:
        """Return the table in a run of records, or None if there is no evidence of one."""
        regular = self._find_regular(first, last)
        header = self._find_header(regular, is_declared=is_declared)
        if header is not None:
            return self._build(header + 1, last, regular, header)
        if self._may_begin(first) and self._is_headerless(regular, is_declared=is_declared):
            return self._build(first, last, regular, None)
        return None

    def _may_begin(self, first: int) -> bool:
        """Return whether no record with another number of cells is right above a record."""
        if not first or self.widths[first - 1] < 2:
            return True
        return self.records[first - 1].startswith(_COMMENT_STARTS)

    def _find_regular(self, first: int, last: int) -> list[int]:
        """Return the records with as many cells as the first, none if they are too few."""
        width = self.widths[first]
        run = range(first, last + 1)
        regular = [
            index
            for index in run
            if self.widths[index] == width and not self.records[index].startswith("!")
        ]
        filled = sum([self.widths[index] > 0 for index in run])
        return regular if len(regular) >= max(MIN_RECORDS, _MIN_REGULAR_SHARE * filled) else []

    def _is_headerless(self, regular: Sequence[int], *, is_declared: bool) -> bool:
        if not regular:
            return False
        evidence = self._weigh(regular)
        return not evidence.splits_brackets() and is_headerless(evidence, is_declared=is_declared)

    def _find_header(self, regular: Sequence[int], *, is_declared: bool) -> int | None:
        """Return the record that names the columns: the first, or one below comments."""
        commented = None
        for place, index in enumerate(regular[: 1 + _MAX_LINES_ABOVE]):
            records = regular[place + 1 :]
            if len(records) < MIN_RECORDS:
                break
            is_comment = self.records[index].startswith(_COMMENT_STARTS)
            has_names = rate_names(self.cells[index]) >= 0
            if has_names and self._is_header(index, records, is_declared=is_declared):
                if not is_comment:
                    return index
                commented = index if commented is None else commented
            elif has_names and not is_comment:
                break
        return commented

    def _is_header(self, header: int, records: Sequence[int], *, is_declared: bool) -> bool:
        evidence = self._weigh(records)
        if evidence.splits_brackets():
            return False
        return has_header(evidence, self.cells[header], is_declared=is_declared)

    def _weigh(self, indices: Sequence[int]) -> Evidence:
        """Return the evidence in a sample of records."""
        rest = indices[_SAMPLE_RECORDS:]
        step = max(1, len(rest) // _SAMPLE_RECORDS)
        sample = [*indices[:_SAMPLE_RECORDS], *rest[::step]]
        return Evidence([self.cells[index] for index in sample], self.separator)

    def _build(
        self, first: int, last: int, regular: Sequence[int], header: int | None
    ) -> FoundTable | None:
        """Build the frame of the records from the first to the last, below a header."""
        start = self.starts[first if header is None else header]
        end = self.starts[last + 1] - 1
        records = self.records[first : last + 1]
        title = None if header is None else self.records[header]
        line_end = self._find_line_end(first if header is None else header, last)
        if line_end == "\r\n":
            records = [record.removesuffix("\r") for record in records]
            title = title and title.removesuffix("\r")
            end -= self.records[last].endswith("\r")
        layout = Layout(self.separator, line_end, title)
        if layout.write(records) != self.text[start:end]:
            return None
        cells = self.cells[first : last + 1]
        if line_end == "\r\n":
            cells = [split_record(record, self.separator) for record in records]
        regular_rows = without_totals([index - first for index in regular if index >= first], cells)
        rows = [cells[row] for row in regular_rows]
        return FoundTable(start, end, _build_frame(layout, records, regular_rows, rows))

    def _find_line_end(self, first: int, last: int) -> str:
        if self.has_cr:
            return "\r"
        is_last = last == len(self.records) - 1
        records = self.records[first : last + 1 - is_last]
        return "\r\n" if all(record.endswith("\r") for record in records) else "\n"


def _build_frame(
    layout: Layout, records: list[str], regular_rows: list[int], rows: list[list[str]]
) -> Frame:
    width = len(rows[0])
    names, notes = name_columns(layout.header, width, layout.separator)
    titles = [""] * width
    if layout.header is not None:
        titles = [unquote_cell(cell) for cell in split_record(layout.header, layout.separator)]
    columns = [
        Column((key,), Field(name), [*cells], parse=parse_cells, write=list)
        for key, name, cells in zip(column_keys(titles), names, zip(*rows))
    ]
    source: list[Value] = list(records)
    return Frame(
        source=source,
        rows=source,
        fields=[column.field for column in columns],
        columns=columns,
        regular_rows=regular_rows,
        form="csv",
        layout=layout,
        notes=notes,
    )
