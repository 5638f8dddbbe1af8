"""Render the arrays of a text with rows left out, and markers in their place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

from headroom_core.compressors.base import UNCERTAIN_RISK, Request
from headroom_core.compressors.smart_crusher.hits import BM25Parameters
from headroom_core.compressors.smart_crusher.rows_marker import write_rows_marker
from headroom_core.compressors.smart_crusher.select import (
    CHARACTERS_PER_TOKEN,
    RowSelector,
    Selection,
    are_members,
    describe_part,
    follow_hints,
)
from headroom_core.config import SmartCrusherConfig
from headroom_core.relevance import Scorer
from headroom_core.tables.aligned import join_aligned
from headroom_core.tables.codec import is_table, render_part, selection_round_trips
from headroom_core.tables.frame import Frame
from headroom_core.tables.values import TextPart
from headroom_core.tables.writer import write_table

# Smaller tables are sent whole: a marker and a possible retrieval would cost more than they save.
_MIN_SELECTION_CHARACTERS = 800
_MIN_SAVED_SHARE = 0.10
_MARKER_CHARACTERS = 120
# Probability that dropped rows are asked for although the query pointed at others.
_TARGETED_RISK = 0.1


_Selections = list[tuple[Frame, Selection | None]]
"""A frame and its descendants, each with its selection, None to keep all rows."""


@dataclass(frozen=True, slots=True)
class RowSelectionResult:
    """Text from which rows were dropped.

    Attributes:
        text: The text, markers included.
        markers: The markers in the text.
        kept: Each array from which rows were dropped, with the indices of the kept rows.
        reason: A description of the change.
        risk: Probability that the dropped rows are asked for.
        saved: Estimate of the tokens of the dropped rows in a lossless table.
    """

    text: str
    markers: list[str]
    kept: list[tuple[Frame, list[int]]]
    reason: str
    risk: float
    saved: int


@dataclass(slots=True)
class SelectionRenderer:
    """Renderer of the arrays of one text with rows dropped.

    Attributes:
        config: How to compress.
        request: The query, and the key for markers.
        scorer: Scores rows against the query, or None to score by words.
        bm25: The parameters for scoring words.
        markers: The markers so far.
        kept: Each array from which rows were dropped, with the indices of the kept rows.
        written: Each frame that was written as a table, with the kept rows, None for all.
        saved_size: Number of characters that the dropped rows would take in tables.
        is_targeted: Whether the query points at a few rows of every array that lost rows.
        aligned: The selection for each array that shares it with others, by identity.
    """

    config: SmartCrusherConfig
    request: Request
    scorer: Scorer | None
    bm25: BM25Parameters
    markers: list[str] = field(default_factory=list)
    kept: list[tuple[Frame, list[int]]] = field(default_factory=list)
    written: list[tuple[Frame, Sequence[int] | None]] = field(default_factory=list)
    saved_size: int = 0
    is_targeted: bool = True
    aligned: dict[int, Selection | None] = field(default_factory=dict)

    def render(self, parts: list[TextPart]) -> RowSelectionResult | None:
        """Render the parts of a text; None if no row can be left out."""
        text = "".join(
            render_part(part) if isinstance(part, str) else self._render(part) for part in parts
        )
        if not self.markers or not selection_round_trips(text, self.written):
            return None
        return RowSelectionResult(
            text=text,
            markers=self.markers,
            kept=self.kept,
            reason=self.reason,
            risk=_TARGETED_RISK if self.is_targeted else UNCERTAIN_RISK,
            saved=int(self.saved_size / CHARACTERS_PER_TOKEN),
        )

    @property
    def reason(self) -> str:
        """A description of the change."""
        total = sum(len(frame.rows) for frame, _ in self.kept)
        dropped = total - sum(len(kept) for _, kept in self.kept)
        return f"{dropped} of {total} rows left out"

    def _render(self, frame: Frame) -> str:
        """Render a frame with its child frames."""
        if frame.aligned:
            selections: _Selections = [(frame, self._select_aligned(frame))]
        else:
            selections = self._select_with_children(frame)
        if any(selection for _, selection in selections):
            return "".join(self._render_one(item, selection) for item, selection in selections)
        text = render_part(frame)
        if is_table(text):
            self.written += [(item, None) for item, _ in selections]
        return text

    def _select_aligned(self, frame: Frame) -> Selection | None:
        """Select the same rows of all frames that are aligned."""
        if id(frame) not in self.aligned:
            (_, selection), *_ = self._select_with_children(join_aligned(frame.aligned))
            for part in frame.aligned:
                self.aligned[id(part)] = selection and describe_part(selection, part)
        return self.aligned[id(frame)]

    def _select_with_children(self, frame: Frame) -> _Selections:
        """Select rows of a frame and of its descendants; kept rows keep what belongs to them."""
        config = self.config
        if len(frame.rows) < config.min_items_to_analyze or frame.size < _MIN_SELECTION_CHARACTERS:
            children = [self._select_with_children(child) for child in frame.children]
            return [(frame, None), *chain.from_iterable(children)]
        selector = RowSelector(frame, config, follow_hints(self.request.hints, config))
        others = {
            id(child): self._select_with_children(child)
            for node in selector.walk()
            for child in node.frame.children
            if not are_members(child)
        }
        hits = selector.find_hits(self.request.query, self.scorer, self.bm25)
        selector.select(hits)
        selector.kept |= _find_rows_above(selector, others)
        selector.keep_members()
        size = sum(node.own_size for node in selector.walk())
        kept_size = sum(node.estimate_kept_size() for node in selector.walk())
        if kept_size + _MARKER_CHARACTERS > (1 - _MIN_SAVED_SHARE) * size:
            for node in selector.walk():
                node.kept = set(range(len(node.frame.rows)))
        return _list_selections(selector, hits.is_targeted, others)

    def _render_one(self, frame: Frame, selection: Selection | None) -> str:
        if selection is None:
            self.written.append((frame, None))
            return write_table(frame, title=frame.title)
        self.written.append((frame, selection.kept))
        self.kept.append((frame, selection.kept))
        self.saved_size += selection.size - selection.kept_size
        self.is_targeted = self.is_targeted and selection.is_targeted
        marker = write_rows_marker(frame, selection, self.request.key)
        self.markers.append(marker)
        table = write_table(frame, selection.kept, title=frame.title)
        return f"{table}{marker}\n"


def _find_rows_above(selector: RowSelector, others: dict[int, _Selections]) -> set[int]:
    """Return the rows that kept rows of child frames belong to, directly or through others.

    Args:
        selector: The selector of the rows.
        others: The selections of the child frames that are selected by themselves.
    """
    rows: set[int] = set()
    for child in selector.frame.children:
        selection = others[id(child)][0][1] if id(child) in others else None
        if selection:
            rows |= child.find_parents(selection.kept)
    for member in selector.members:
        member.kept |= _find_rows_above(member, others)
        rows |= set(member.lift(member.kept))
    return rows


def _list_selections(
    selector: RowSelector, is_targeted: bool, others: dict[int, _Selections]
) -> _Selections:
    """Return the selection of a frame and of its descendants, in the order of their tables."""
    is_whole = len(selector.kept) == len(selector.frame.rows)
    selections: _Selections = [
        (selector.frame, None if is_whole else selector.describe(is_targeted))
    ]
    members = {id(member.frame): member for member in selector.members}
    for child in selector.frame.children:
        if id(child) in members:
            selections += _list_selections(members[id(child)], is_targeted, others)
        else:
            selections += others[id(child)]
    return selections
