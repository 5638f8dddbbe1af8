"""Write a document without the rows that are left out, in the notation of its source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from headroom_core.tables.codec import render_source
from headroom_core.tables.frame import Frame, replace_value
from headroom_core.tables.values import TextPart
from headroom_core.text.exact_json import Value


def render_kept_rows(parts: Iterable[TextPart], kept: Iterable[tuple[Frame, Sequence[int]]]) -> str:
    """Return the text of a document with only the kept rows.

    Args:
        parts: The parts of the document.
        kept: The frames from which rows are left out, with the indices of the kept rows.
    """
    indices = {id(frame): rows for frame, rows in kept}
    return "".join(
        part if isinstance(part, str) else _render_frame(part, indices) for part in parts
    )


def _render_frame(frame: Frame, kept: dict[int, Sequence[int]]) -> str:
    keys = frame.keys and [frame.keys[index] for index in _kept_indices(frame, kept)]
    return render_source(replace(frame, keys=keys), _collect_rows(frame, kept))


def _kept_indices(frame: Frame, kept: dict[int, Sequence[int]]) -> Sequence[int]:
    return kept.get(id(frame), range(len(frame.source)))


def _collect_rows(frame: Frame, kept: dict[int, Sequence[int]]) -> list[Value]:
    """Return the kept rows of a frame, whose lists hold the kept rows of its child frames."""
    rows = list(frame.source)
    for column in frame.columns:
        if column.child is None or column.child.parents is None:
            continue
        items_of: dict[int, list[Value]] = {parent: [] for parent in column.child.parents}
        items = _collect_rows(column.child, kept)
        for index, item in zip(_kept_indices(column.child, kept), items):
            items_of[column.child.parents[index]].append(item)
        for parent, of_parent in items_of.items():
            rows[parent] = replace_value(rows[parent], column.path, of_parent)
    return [rows[index] for index in _kept_indices(frame, kept)]
