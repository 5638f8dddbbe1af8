"""Lines of an original, with the numbers by which they can be asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from headroom_core.errors import ValidationError
from headroom_core.text.numbered import read_line_numbers

MAX_LINE_CHARS = 8_000
"""A longer line, usually minified code or data, is split into pieces: it would fill pages alone."""

# A piece ends after a space or a comma if there is any, else anywhere.
_PIECE = re.compile(rf"(?s:.{{1,{MAX_LINE_CHARS - 1}}}[\s,]|.{{1,{MAX_LINE_CHARS}}})")

_MAX_REQUESTED_RANGES = 100
_MAX_QUOTED_CHARS = 40

# A line number or a range, as models spell them: `7`, `L7`, `1-5`, `1–5`, `1:5`, `1..5`.
_LINE_RANGE = re.compile(r"L?(\d{1,12})(?:(?:-|–|:|\.\.)L?(\d{1,12}))?", re.IGNORECASE)

NumberedLine = tuple[int, str]
"""Number of a line, and its text or a piece of it."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of a text.

    Attributes:
        numbered: Each line with its line end, or each piece of a very long line, and its number.
        count: Number of lines.
        is_view: Whether the lines carry their numbers, which are those of the file that they show.
            Otherwise, lines are counted from 1.
    """

    numbered: list[NumberedLine]
    count: int
    is_view: bool

    @property
    def has_pieces(self) -> bool:
        """Whether a line is split into pieces."""
        return len(self.numbered) > self.count

    @property
    def last(self) -> int:
        """The highest number, 0 if there is no line."""
        return self.numbered[-1][0] if self.numbered else 0

    def describe(self) -> str:
        """Return which lines there are: their number or, in a view, the first and the last."""
        if not self.is_view:
            return str(self.last)
        first = next(number for number, _ in self.numbered if number)
        return f"lines {first} to {self.last}"


def split_lines(text: str) -> Lines:
    """Split a text into lines.

    Example:
        >>> split_lines("    56\\tx = 1\\n    57\\ty = 2\\n    58\\tz = 3\\n").numbered[1]
        (57, '    57\\ty = 2\\n')
    """
    *complete, last = text.split("\n")
    lines = [f"{line}\n" for line in complete]
    if last:
        lines.append(last)
    carried = read_line_numbers(lines)
    numbers = range(1, len(lines) + 1) if carried is None else carried
    pieces = [
        (number, piece) for number, line in zip(numbers, lines) for piece in _split_line(line)
    ]
    return Lines(pieces, len(lines), carried is not None)


def _split_line(line: str) -> list[str]:
    return _PIECE.findall(line) if len(line) > MAX_LINE_CHARS else [line]


def parse_ranges(lines: str) -> list[range]:
    """Parse numbers and ranges of lines.

    Raises:
        ValidationError: A part is not a range, is empty or has the line 0, or there are too many.
    """
    parts = lines.split(",", _MAX_REQUESTED_RANGES)
    if len(parts) > _MAX_REQUESTED_RANGES:
        raise _invalid_lines(lines)
    ranges = []
    for part in parts:
        match = _LINE_RANGE.fullmatch("".join(part.split()))
        numbers = range(0)
        if match:
            numbers = range(int(match[1]), int(match[2] or match[1]) + 1)
        if not numbers or not numbers.start:
            raise _invalid_lines(lines)
        ranges.append(numbers)
    return ranges


def _invalid_lines(lines: str) -> ValidationError:
    return ValidationError(
        f"lines = {lines[:_MAX_QUOTED_CHARS]!r}: expected numbers counted from 1, "
        f"such as '120-180' or '1-5,90', and at most {_MAX_REQUESTED_RANGES} ranges of them",
        {"lines": lines},
    )
