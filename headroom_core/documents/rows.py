"""Cutting of JSON and tables to the rows that fit into a number of tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headroom_core.documents.ranking import RankingQuery
from headroom_core.tables.codec import parse_text, selection_round_trips
from headroom_core.tables.frame import Frame
from headroom_core.tables.values import TextPart
from headroom_core.tables.writer import UNITS, write_table
from headroom_core.text.exact_json import dumps
from headroom_core.text.sentences import ELLIPSIS
from headroom_core.tokens.tokenizer import Tokenizer

# Share of the way from the lowest score of a row to the highest from which a row matches. Names of
# columns and other common words give all rows some score.
_MATCHING_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class RowCut:
    """Table with some of the rows of a text.

    Attributes:
        text: Text of the table, and of what belongs to its rows.
        fits: How many of the rows it has, for readers.
    """

    text: str
    fits: str


class RowCutter:
    """Cuts the longest table of a text to the rows that match a query best.

    A row stays whole, with its child rows, and the table says how many rows there were.

    Args:
        text: Text with JSON or a table.
        query: Query that rows are ranked by.
        tokenizer: Tokenizer to count with.

    Attributes:
        is_structured: Whether most of the text is a table.
    """

    def __init__(self, text: str, query: RankingQuery, tokenizer: Tokenizer) -> None:
        self._query, self._tokenizer = query, tokenizer
        self._parts: Sequence[TextPart] = parse_text(text) or []
        frames = [part for part in self._parts if not isinstance(part, str)]
        self._frame = max(frames, key=_count_rows, default=None)
        prose = sum(len(part.strip()) for part in self._parts if isinstance(part, str))
        self.is_structured = self._frame is not None and 2 * prose < len(text)

    def cut(self, room: int, min_rows: int) -> RowCut | None:
        """Return the best rows that fit, in their order, or None if none does.

        Rows that do not match the query take at most half of the room, unless none matches.

        Args:
            room: Maximum number of tokens.
            min_rows: Number of rows to keep even if they do not fit.
        """
        frame = self._frame
        if frame is None or (room < 1 and not min_rows):
            return None
        order, matching = self._best_first(frame)
        # Every row has at least a token. The most rows that fit are found by halving.
        best, low, high = None, 0, min(len(order), max(room, min_rows))
        while low < high:
            count = (low + high + 1) // 2
            cut = self._write(frame, sorted(order[:count]))
            if cut is None:
                return None
            limit = room if count <= matching else room // 2
            if count <= min_rows or self._tokenizer.count_text(cut.text) <= limit:
                best, low = cut, count
            else:
                high = count - 1
        return best

    def _best_first(self, frame: Frame) -> tuple[list[int], int]:
        """Return the indices of the rows, the best first, and how many of them match."""
        scores = self._query.score_texts(_row_texts(frame))
        lowest, highest = min(scores), max(scores)
        threshold = lowest + _MATCHING_SHARE * (highest - lowest)
        best_first = sorted(range(len(scores)), key=lambda index: -scores[index])
        return best_first, sum(score >= threshold for score in scores)

    def _write(self, frame: Frame, kept: Sequence[int]) -> RowCut | None:
        """Write the rows to keep, or return None if they could not be read back."""
        written = list(_with_children(frame, kept))
        tables = "".join(write_table(item, rows) for item, rows in written)
        if not selection_round_trips(tables, written):
            return None
        fits = f"{len(kept)} of {len(frame.rows)} {UNITS[frame.form]} fit"
        return RowCut(tables + ELLIPSIS, fits)


def _count_rows(frame: Frame) -> int:
    return len(frame.rows)


def _row_texts(frame: Frame) -> list[str]:
    """Return the text of every row; of a list in it all items, where the source has them."""
    rows = frame.rows if frame.is_rearranged else frame.source
    texts = [row if isinstance(row, str) else dumps(row) for row in rows]
    if frame.keys is None or len(frame.keys) != len(texts):
        return texts
    return [f"{key} {text}" for key, text in zip(frame.keys, texts)]


def _with_children(
    frame: Frame, kept: Sequence[int]
) -> Iterator[tuple[Frame, Sequence[int] | None]]:
    """Yield a frame and its descendants, each with the rows that belong to the kept ones."""
    yield frame, kept
    parents = frozenset(kept)
    for child in frame.children:
        owners = child.parents or []
        yield from _with_children(
            child, [row for row, parent in enumerate(owners) if parent in parents]
        )
