"""Compress a text of lines of which nothing else is known, where the query names some of them."""

from __future__ import annotations

import re

from headroom_core.compressors.base import Compressed, Request
from headroom_core.compressors.lines.gaps import write_kept_lines
from headroom_core.compressors.lines.hits import find_line_hits
from headroom_core.kinds import TextKind
from headroom_core.text.text_lines import TextLines, lines_around

_MIN_LINES = 60
_HEAD, _TAIL, _AROUND = 10, 10, 12
# A query that names lines all over a text does not tell what to leave out.
_MAX_STRONG_SHARE = 0.1
_ERROR = re.compile(r"\b(?:error|fatal|failed|failure|exception|panic|traceback)\b", re.IGNORECASE)


class AnyTextCompressor:
    """Compressor for texts of no known kind.

    It keeps the lines around those that the query names by words that few lines have, the first
    and the last lines, and lines that report errors. Without such words, nothing is left out.
    """

    name = "any_text"
    fingerprint = "any_text 1"
    keeps_lines = True

    def accepts(self, kind: TextKind) -> bool:
        """Return whether a text has many lines and is of no known kind."""
        return kind.line_count >= _MIN_LINES and kind.name == "unknown"

    def compress(self, text: str, request: Request) -> Compressed | None:
        """Leave out the lines that are far from all that the query names."""
        if not request.selecting or not request.query:
            return None
        lines = TextLines(text)
        strong = find_line_hits(lines, request.query).strong
        total = len(lines)
        if not strong or len(strong) > _MAX_STRONG_SHARE * total:
            return None
        kept = {*range(_HEAD), *range(total - _TAIL, total), *lines.find_all(_ERROR)}
        for index in strong:
            kept.update(lines_around(index, _AROUND, range(total)))
        reason = "lines far from what the query names left out"
        return write_kept_lines(lines.lines, kept, request, reason=reason)
