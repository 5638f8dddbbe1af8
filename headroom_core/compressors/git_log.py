"""Compress the output of `git log`: whole commits stay, and one marker says what the others are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from headroom_core.compressors.base import Compressed, Request
from headroom_core.compressors.lines.hits import find_line_hits
from headroom_core.compressors.lines.top import STRONG_RISK, WEAK_RISK, write_under_marker
from headroom_core.kinds import TextKind
from headroom_core.text.text_lines import TextLines

_MIN_LINES = 12
_GRAPH = r"[*|\\/_ .-]{0,40}"
_BLOCK = re.compile(rf"{_GRAPH}commit [0-9a-f]{{7,64}}\b")
_ONE_LINE = re.compile(rf"{_GRAPH}[0-9a-f]{{7,64}}\b")
_BEST, _LEAST_SHARE, _FIRST, _LAST = 15, 0.35, 3, 1
# Without a word of the query in any commit, the newest say most.
_NEWEST = 30
_DATE = re.compile(r"\d{4}-\d\d-\d\d|\b[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}")
_AUTHOR = re.compile(r"^Author: {1,5}([^<\n]{1,80}?)(?: <|$)", re.MULTILINE)
_MAX_AUTHORS = 3


class GitLogCompressor:
    """Compressor for lists of commits, a line or a block each.

    It keeps the commits that the query names best, the newest and the oldest.
    """

    name = "git_log"
    fingerprint = "git_log 1"

    def accepts(self, kind: TextKind) -> bool:
        """Return whether a text is a list of some commits."""
        return kind.line_count >= _MIN_LINES and kind.name == "git_log"

    def compress(self, text: str, request: Request) -> Compressed | None:
        """Leave out the commits that the query does not name."""
        if not request.selecting:
            return None
        lines = TextLines(text)
        starts = _find_starts(lines)
        if len(starts) < 2:
            return None
        commits = ["".join(lines.lines[a:b]) for a, b in zip(starts, [*starts[1:], len(lines)])]
        weights = _weigh(lines, starts, request.query)
        best = _find_best(weights)
        kept = {*range(_FIRST if best else _NEWEST), *best, len(commits) - _LAST}
        omitted = [commit for index, commit in enumerate(commits) if index not in kept]
        if not omitted:
            return None
        count = f"{len(omitted)} of {len(commits)} commits"
        return write_under_marker(
            ["".join(lines.lines[: starts[0]])]
            + [commit for index, commit in enumerate(commits) if index in kept],
            f"{count} left out{_describe(omitted)}",
            request,
            reason=f"{count} left out",
            risk=STRONG_RISK if best else WEAK_RISK,
        )


def _find_starts(lines: TextLines) -> list[int]:
    """Return the index of each commit's first line."""
    blocks = [index for index, line in enumerate(lines.lines) if _BLOCK.match(line)]
    return blocks or [index for index, line in enumerate(lines.lines) if _ONE_LINE.match(line)]


def _weigh(lines: TextLines, starts: Sequence[int], query: str) -> dict[int, float]:
    """Return the weight of the best line of each commit that the query names."""
    commit_of = [-1] * len(lines)
    for number, (first, end) in enumerate(zip(starts, [*starts[1:], len(lines)])):
        commit_of[first:end] = [number] * (end - first)
    weights: dict[int, float] = {}
    for index, weight in find_line_hits(lines, query).weights.items():
        number = commit_of[index]
        if number >= 0:
            weights[number] = max(weights.get(number, 0.0), weight)
    return weights


def _find_best(weights: dict[int, float]) -> list[int]:
    ranked = sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:_BEST]
    return [number for number, weight in ranked if weight >= _LEAST_SHARE * ranked[0][1]]


def _describe(commits: Sequence[str]) -> str:
    """Return the dates of some commits, and who made most of them."""
    dates = [date[0] for commit in commits if (date := _DATE.search(commit[:600]))]
    about = [f"{dates[0]} to {dates[-1]}"] if dates else []
    authors = Counter(author[1] for commit in commits if (author := _AUTHOR.search(commit[:600])))
    about += [f"{count} by {name}" for name, count in authors.most_common(_MAX_AUTHORS)]
    return f" ({'; '.join(about)})" if about else ""
