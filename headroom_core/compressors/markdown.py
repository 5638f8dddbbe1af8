"""Compress Markdown: headings stay, and the sections that the query is about."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

from headroom_core.compressors.base import Compressed, Request
from headroom_core.compressors.lines.gaps import write_kept_lines
from headroom_core.compressors.lines.hits import LineHits, find_line_hits
from headroom_core.kinds import TextKind
from headroom_core.text.text_lines import TextLines, lines_around

_MIN_LINES = 40
_MAX_SECTIONS, _SECTION_SHARE = 5, 0.4
_HEADING_WEIGHT = 3.0
# A longer section keeps its beginning, and what stands around the lines that the query names.
_MAX_SECTION_LINES, _SECTION_HEAD, _AROUND, _MAX_HITS = 80, 6, 3, 40
_HEADING = re.compile(r"\s{0,3}\#{1,6}[ ]\S")
_FENCE = re.compile(r"\s{0,3}(```|~~~)")
_RULE = re.compile(r"\s*\|?[ :|-]*-[ :|-]*\|?\s*$")
_RISK = 0.2


class MarkdownCompressor:
    """Compressor for Markdown. Without a query, nothing is left out.

    All headings stay, and the sections with the words of the query; of long ones, the lines around
    those words. Tables keep their header.
    """

    name = "markdown"
    fingerprint = "markdown 1"
    keeps_lines = True

    def accepts(self, kind: TextKind) -> bool:
        """Return whether a text is Markdown of some length."""
        return kind.line_count >= _MIN_LINES and kind.name == "markdown"

    def compress(self, text: str, request: Request) -> Compressed | None:
        """Leave out the sections that the query is not about."""
        if not request.selecting or not request.query:
            return None
        lines = TextLines(text)
        hits = find_line_hits(lines, request.query)
        if not hits.weights:
            return None
        starts = _find_sections(lines.lines)
        kept = {0, len(lines) - 1, *(index for index in starts if index < len(lines))}
        for start, end in _choose_sections(starts, hits):
            kept.update(_choose_lines(lines.lines, range(start, end), hits))
        return write_kept_lines(
            lines.lines,
            kept,
            request,
            reason=f"{len(lines) - len(kept)} of {len(lines)} lines left out of other sections",
            risk=_RISK,
        )


def _find_sections(lines: Sequence[str]) -> list[int]:
    """Return the index of each heading, and of the first line, and the number of lines."""
    starts, fence = [0], ""
    for index, line in enumerate(lines):
        mark = _FENCE.match(line)
        if mark:
            fence = "" if fence == mark[1] else fence or mark[1]
        elif index and not fence and _HEADING.match(line):
            starts.append(index)
    return [*starts, len(lines)]


def _choose_sections(starts: Sequence[int], hits: LineHits) -> list[tuple[int, int]]:
    """Return the sections that the query is about, the best first."""
    scores: dict[tuple[int, int], float] = {}
    for start, end in pairwise(starts):
        own = sum(hits.weights.get(index, 0.0) for index in range(start, end))
        heading = hits.weights.get(start, 0.0) * _HEADING_WEIGHT
        scores[start, end] = heading + own / math.sqrt(max(1, end - start))
    ranked = sorted(scores, key=lambda section: (-scores[section], section))[:_MAX_SECTIONS]
    least = _SECTION_SHARE * scores[ranked[0]]
    strong = {section for section in scores if hits.strong & set(range(*section))}
    best = [section for section in ranked if scores[section] >= max(least, 1e-9)]
    return [*best, *sorted(strong - set(best))[:_MAX_SECTIONS]]


def _choose_lines(lines: Sequence[str], section: range, hits: LineHits) -> list[int]:
    """Return the lines of a section to keep: all, or those around the words of the query."""
    if len(section) <= _MAX_SECTION_LINES:
        return list(section)
    kept = set(section[:_SECTION_HEAD])
    named = sorted(
        (index for index in section if index in hits.weights),
        key=lambda index: (-hits.weights[index], index),
    )
    for index in named[:_MAX_HITS]:
        kept.update(lines_around(index, _AROUND, section))
    for index in section:
        if _RULE.match(lines[index]):
            kept.update(range(max(section.start, index - 1), index + 1))
    return sorted(kept)
