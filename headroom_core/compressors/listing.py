"""Compress listings of files: what the query names stays, with counts of the rest by directory."""

from __future__ import annotations

import re
from collections.abc import Sequence

from headroom_core.compressors.base import Compressed, Request
from headroom_core.compressors.lines.hits import find_line_hits
from headroom_core.compressors.lines.top import (
    STRONG_RISK,
    WEAK_RISK,
    count_by_directory,
    write_under_marker,
)
from headroom_core.kinds import TextKind
from headroom_core.text.signs import FILE_MODE, TREE_BRANCH
from headroom_core.text.text_lines import TextLines

_MIN_LINES = 40
_BEST, _LEAST_SHARE, _FIRST, _LAST = 20, 0.35, 3, 1
# Without a word of the query in any line, lines from all over the listing say most.
_SPREAD, _SPREAD_SHARE = 60, 0.2
_HEADING = re.compile(r"[^\n]{1,400}:\r?$")
_TREE = re.compile(rf"[\s│|]{{0,200}}{TREE_BRANCH}")
_LONG = re.compile(FILE_MODE)
_BLOB = re.compile(r"\d{6} (?:blob|tree|commit) [0-9a-f]{7,64}[ \t\d-]{1,20}\t")
_STATE = re.compile(r"[ MADRCU?!]{2} (?=\S)|\t?(?:new file|modified|deleted|renamed|both \w+): +")
_WORD_STARTS = re.compile(r"(?<=[a-z\d])(?=[A-Z])")


class ListingCompressor:
    """Compressor for listings of files.

    It keeps the lines that the query names best, the headings above them, the first and the last.
    """

    name = "listing"
    fingerprint = "listing 2"
    keeps_lines = True

    def accepts(self, kind: TextKind) -> bool:
        """Return whether a text is a listing of some length."""
        return kind.line_count >= _MIN_LINES and kind.name == "listing"

    def compress(self, text: str, request: Request) -> Compressed | None:
        """Leave out the lines that the query does not name."""
        if not request.selecting:
            return None
        lines = TextLines(text)
        total = len(lines)
        best = _find_best(lines, request.query)
        kept = {*range(_FIRST), *range(total - _LAST, total), *best}
        if not best:
            most = max(1, min(_SPREAD, int(_SPREAD_SHARE * total)))
            kept.update(range(0, total, -(-total // most)))
        kept |= _find_headings(lines.lines, kept)
        omitted = [index for index in range(total) if index not in kept]
        if not omitted:
            return None
        paths = _read_paths(lines.lines)
        counts = count_by_directory([paths[index] for index in omitted if paths[index]])
        count = f"{len(omitted)} of {total} lines"
        return write_under_marker(
            [lines.lines[index] for index in sorted(kept)],
            f"{count} left out{f' ({counts})' if counts else ''}",
            request,
            reason=f"{count} of a listing left out",
            risk=STRONG_RISK if best else WEAK_RISK,
        )


def _split_names(text: str) -> str:
    """Return a text with the words of its names apart, on the same lines."""
    return _WORD_STARTS.sub(" ", text.replace("_", " ").replace("-", " "))


def _find_best(lines: TextLines, query: str) -> list[int]:
    """Return the lines that the query names best, of equal ones the shortest."""
    if not query:
        return []
    weights = dict(find_line_hits(lines, query).weights)
    words = find_line_hits(TextLines(_split_names(lines.text)), _split_names(query)).weights
    for index, weight in words.items():
        weights[index] = weights.get(index, 0.0) + weight
    ranked = sorted(weights, key=lambda index: (-weights[index], len(lines.lines[index]), index))
    return [i for i in ranked[:_BEST] if weights[i] >= _LEAST_SHARE * weights[ranked[0]]]


def _find_headings(lines: Sequence[str], kept: set[int]) -> set[int]:
    """Return the nearest heading above each line, and in a tree the directories above it."""
    headings: set[int] = set()
    heading = -1
    above: list[tuple[int, int]] = []
    for index, line in enumerate(lines):
        if _HEADING.match(line):
            heading = index
        if tree := _TREE.match(line):
            while above and above[-1][0] >= tree.end():
                above.pop()
            above.append((tree.end(), index))
        if index in kept:
            headings.update([heading] if heading >= 0 else [])
            headings.update(number for _, number in above)
    return headings


def _read_paths(lines: Sequence[str]) -> list[str]:
    """Return the path in each line, empty for lines with none."""
    paths: list[str] = []
    directory = ""
    above: list[tuple[int, str]] = []
    for line in lines:
        text = line.rstrip()
        if text.endswith(":"):
            directory = f"{text[:-1].removesuffix('/')}/" if " " not in text else ""
            paths.append("")
        elif tree := _TREE.match(text):
            while above and above[-1][0] >= tree.end():
                above.pop()
            above.append((tree.end(), text[tree.end() :].strip()))
            paths.append("/".join(name for _, name in above))
        elif _LONG.match(text):
            name = text.split(None, 8)[-1]
            paths.append(directory + name)
        elif not text or text.startswith("total "):
            paths.append("")
        else:
            start = _BLOB.match(text) or _STATE.match(text)
            paths.append(directory + text[start.end() if start else 0 :])
    return paths
