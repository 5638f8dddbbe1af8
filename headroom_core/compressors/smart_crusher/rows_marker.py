"""Write the marker that stands for the rows that were left out of a table."""

from __future__ import annotations

from collections.abc import Iterator

from headroom_core.compressors.smart_crusher.evidence import ColumnStats
from headroom_core.compressors.smart_crusher.select import Selection
from headroom_core.compressors.smart_crusher.summary import (
    are_names_useful,
    find_naming_column,
    list_row_names,
    summarize_columns,
)
from headroom_core.markers import retrieve_call, write_marker
from headroom_core.tables.conditions import write_condition, write_path
from headroom_core.tables.frame import Frame
from headroom_core.tables.table_names import write_frame_path
from headroom_core.tables.writer import UNITS
from headroom_core.text.exact_json import is_number

_MAX_DUPLICATED_ROWS = 5
# The example in a marker is one of the first rows that were left out, if it is this short.
_MAX_CANDIDATES = 20
_MAX_EXAMPLE_CHARACTERS = 80


def write_rows_marker(frame: Frame, selection: Selection, key: str) -> str:
    """Return the marker below the table of a frame.

    Args:
        frame: The rows.
        selection: The rows that were kept.
        key: The key of the original, empty if it is not stored.
    """
    total = len(frame.rows)
    dropped = sorted(set(range(total)).difference(selection.kept))
    naming_column = find_naming_column(selection.stats)
    summaries = [
        summarize_columns(selection.stats, selection.size),
        _summarize_duplicates(selection.duplicates),
        _summarize_cuts(selection.cut_parents),
    ]
    summary = "; ".join(filter(None, summaries))
    about = ""
    if summary:
        # Rows that are not objects have no part in the statistics.
        described = len(selection.stats[0].rows)
        rows = f"all {total}" if described == total else f"{described} of {total}"
        about = f" (over {rows}: {summary})"
    if naming_column and are_names_useful(naming_column, selection.is_targeted):
        names = list_row_names(naming_column, set(dropped), selection.size)
        if names:
            about += f"; their {names}"
    omission = f"{len(dropped)} of {total} {UNITS[frame.form]} left out here{about}"
    if not key:
        return write_marker(omission)
    where = _write_where_example(frame, selection, naming_column, dropped)
    arguments = {"where": where} if where else {}
    return write_marker(omission, [retrieve_call(key, **arguments)])


def _summarize_duplicates(duplicates: dict[int, int]) -> str:
    described = list(duplicates.items())[:_MAX_DUPLICATED_ROWS]
    texts = [f"row {row} occurs {count} times" for row, count in described]
    others = list(duplicates.values())[_MAX_DUPLICATED_ROWS:]
    if others:
        rows = "1 other row" if len(others) == 1 else f"{len(others)} other rows"
        texts.append(f"{rows} {sum(others)} times")
    return ", ".join(texts)


def _summarize_cuts(cut_parents: dict[int, tuple[int, int]]) -> str:
    return ", ".join(
        f"of row {parent} above, {kept} of {total} are here"
        for parent, (kept, total) in list(cut_parents.items())[:_MAX_DUPLICATED_ROWS]
    )


def _write_where_example(
    frame: Frame, selection: Selection, naming_column: ColumnStats | None, dropped: list[int]
) -> str:
    """Return an expression that selects one of the dropped rows, or all of one row above."""
    table = _write_table_name(frame)
    if frame.parents is not None:
        parent = next(iter(selection.cut_parents), frame.parents[dropped[0]])
        return f"{table}^ == {parent}"
    candidates = filter(None, _write_conditions(frame, naming_column, dropped[:_MAX_CANDIDATES]))
    shortest = min(candidates, key=_rate_example, default="")
    return shortest if 0 < len(shortest) <= _MAX_EXAMPLE_CHARACTERS else f"{table}# == {dropped[0]}"


def _write_table_name(frame: Frame) -> str:
    """Return the name of a table as it stands before a sign; empty if there is no other table."""
    if not frame.name:
        return ""
    is_path = frame.name == write_frame_path(frame.path)
    return f"{write_path(frame.path if is_path else (frame.name,))}."


def _write_conditions(
    frame: Frame, naming_column: ColumnStats | None, rows: list[int]
) -> Iterator[str]:
    """Yield an expression for each row that can be named, and an empty string for others."""
    if frame.keys is not None:
        yield from (write_condition(("@",), frame.keys[row]) for row in rows)
    elif naming_column is not None:
        index_of = {row: index for index, row in enumerate(frame.regular_rows)}
        column = naming_column.column
        values = [column.values[index_of[row]] for row in rows if row in index_of]
        if frame.form == "csv":
            # The cells of CSV are text, also where they are numbers.
            values = [value[0] if is_number(value) else value for value in values]
        yield from (write_condition(column.path, value) for value in values)


def _rate_example(condition: str) -> tuple[bool, int]:
    """Rate how easily a condition is copied: the first without escapes is the best."""
    return "\\" in condition or "''" in condition, len(condition) > _MAX_EXAMPLE_CHARACTERS
