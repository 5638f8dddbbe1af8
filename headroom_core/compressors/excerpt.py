"""Cut a text of any kind to a number of tokens, because a limit must be met.

The lines that matter most stay: those that the query or the call names, the first and the last,
errors, and headings. Nothing else is known of the text, so this is the last resort.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from headroom_core.compressors.base import Compressed, Request
from headroom_core.compressors.lines.gaps import write_kept_lines
from headroom_core.compressors.lines.hits import find_line_hits
from headroom_core.text.numbered import read_line_numbers
from headroom_core.text.text_lines import TextLines, lines_around

MIN_EXCERPT_TOKENS = 120
"""Tokens that the marker of an excerpt takes, with a line or two."""

_REASON = (
    "cut to meet a limit: first and last lines, what the query names, errors and headings stay"
)
_RISK = 0.5
# Longer lines are divided into parts, behind blanks and commas where there are some.
_MAX_LINE_CHARACTERS = 600
_PART = re.compile(r"[^\n]{1,399}[\s,;]|[^\n]{1,400}\n?|\n")
# What the marker takes, and the mark of a gap.
_MARKER_TOKENS, _GAP_TOKENS = 70, 16
# Shares of the tokens: of each end, of hits, errors and headings. The ends get the rest, too.
_END_SHARE, _HIT_SHARE, _ERROR_SHARE, _HEADING_SHARE = 0.12, 0.45, 0.2, 0.1
_AROUND_HITS, _AROUND_ERRORS = 3, 2
_MAX_HITS = 200
_ERROR = re.compile(
    r"\b(?:error|fatal|failed|failure|fail|exception|panic|traceback|critical|denied|refused"
    r"|timed out|warning)\b",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"^(?:\#{1,6}[ ]\S|[A-Z][^\n]{0,80}:[ ]?$|(?:class|def|func|fn|function)\s\w)", re.MULTILINE
)
_DIGITS = re.compile(r"\d+")


def make_excerpt(text: str, request: Request, max_tokens: int) -> Compressed | None:
    """Return the lines of a text that matter most, in about as many tokens as are given.

    Tokens are estimated from those of the whole text. A caller that must meet a limit counts those
    of the result.

    Args:
        text: The text.
        request: Its tokens and the query.
        max_tokens: Number of tokens of the excerpt, with its markers.

    Returns:
        The excerpt, or None if the text is within the limit.

    Example:
        >>> text = "\\n".join(f"step {n} of the long way home" for n in range(1000))
        >>> request = Request("0" * 24, tokens=8000, query="step 417")
        >>> "step 417 of" in make_excerpt(text, request, 400).text
        True
    """
    if request.tokens <= max_tokens:
        return None
    whole = TextLines(text).lines
    numbers = read_line_numbers(whole) or range(1, len(whole) + 1)
    parts, numbers = _divide_long_lines(whole, numbers)
    characters_per_token = len(text) / request.tokens
    room = max(0, max_tokens - _MARKER_TOKENS) * characters_per_token
    kept = _choose(parts, request.query, room, characters_per_token)
    unit = "line" if len(parts) == len(whole) else "part"
    return write_kept_lines(
        parts, kept, request, reason=_REASON, numbers=numbers, unit=unit, risk=_RISK
    )


def _divide_long_lines(lines: Sequence[str], numbers: Sequence[int]) -> tuple[list[str], list[int]]:
    """Return the lines, long ones in parts, and the number of the line of each."""
    parts: list[str] = []
    part_numbers: list[int] = []
    for line, number in zip(lines, numbers, strict=True):
        pieces = _PART.findall(line) if len(line) > _MAX_LINE_CHARACTERS else [line]
        parts += pieces
        part_numbers += [number] * len(pieces)
    return parts, part_numbers


def _choose(parts: Sequence[str], query: str, room: float, characters_per_token: float) -> set[int]:
    """Return the indices of the parts to keep.

    Args:
        parts: The lines, or parts of lines.
        query: The query.
        room: Number of characters that they may have in all, with those of the gaps' marks.
        characters_per_token: Average of the text.
    """
    choice = _Choice(parts, room, _GAP_TOKENS * characters_per_token)
    lines = TextLines("".join(part if part.endswith("\n") else f"{part}\n" for part in parts))
    total = len(parts)
    choice.add(range(total), _END_SHARE)
    choice.add(range(total - 1, -1, -1), _END_SHARE)
    hits = find_line_hits(lines, query)
    best = hits.best(_MAX_HITS, share=0.3)
    ranked = sorted(best, key=lambda index: index not in hits.strong)
    choice.add_around(ranked, _AROUND_HITS, _HIT_SHARE)
    choice.add_around(_find_kinds_of_errors(lines), _AROUND_ERRORS, _ERROR_SHARE)
    choice.add(lines.find_all(_HEADING), _HEADING_SHARE)
    choice.add(range(total), choice.rest_share / 2)
    choice.add(range(total - 1, -1, -1), choice.rest_share)
    return choice.kept


def _find_kinds_of_errors(lines: TextLines) -> list[int]:
    """Return the lines that report errors, first those that differ in more than numbers."""
    found = lines.find_all(_ERROR)
    kinds: dict[str, int] = {}
    for index in found:
        kinds.setdefault(_DIGITS.sub("#", lines.lines[index]), index)
    first = set(kinds.values())
    return [*kinds.values(), *(index for index in found if index not in first)]


class _Choice:
    """The parts that are kept so far, and the room that is left.

    Args:
        parts: All parts.
        room: Number of characters that the kept parts may have in all.
        gap: Number of characters that the mark of a gap takes.

    Attributes:
        kept: Indices of the kept parts.
    """

    def __init__(self, parts: Sequence[str], room: float, gap: float) -> None:
        self.kept: set[int] = set()
        self._parts, self._room, self._rest, self._gap = parts, room, room, gap

    @property
    def rest_share(self) -> float:
        """The share of the room that is left."""
        return self._rest / self._room if self._room else 0.0

    def add(self, indices: Iterable[int], share: float) -> None:
        """Keep parts in order, as far as a share of the room allows."""
        least = self._rest - share * self._room
        for index in indices:
            if not self._keep((index,), least):
                return

    def add_around(self, indices: Iterable[int], around: int, share: float) -> None:
        """Keep parts with those around them, or alone, as far as a share of the room allows."""
        every = range(len(self._parts))
        least = self._rest - share * self._room
        for index in indices:
            surrounded = lines_around(index, around, every)
            if not (self._keep(surrounded, least) or self._keep((index,), least)):
                return

    def _keep(self, group: Sequence[int], least: float) -> bool:
        """Keep parts that stand together if that leaves enough room; return whether it does."""
        new = [index for index in group if index not in self.kept]
        cost: float = sum(len(self._parts[index]) for index in new)
        if not {group[0] - 1, group[-1] + 1} & self.kept:
            cost += self._gap
        if new and self._rest - cost < max(0.0, least):
            return False
        self._rest -= cost if new else 0.0
        self.kept.update(new)
        return True
