"""Compress source code: bodies that the query does not touch fold to their signature."""

from __future__ import annotations

import re
from collections.abc import Sequence

from headroom_core.compressors.base import Compressed, Request
from headroom_core.compressors.code.functions import Foldable, find_foldable, has_grammars
from headroom_core.compressors.lines.gaps import write_kept_lines
from headroom_core.compressors.lines.hits import LineHits, find_line_hits
from headroom_core.kinds import TextKind
from headroom_core.text.numbered import read_line_numbers
from headroom_core.text.text_lines import TextLines

_MIN_LINES = 40
_MISSING = "programs are read by the extra `code`: pip install headroom-integrations[code]"
_USES = re.compile(r"\b(?:call(?:s|ed|ers?)?|uses?|used|usages?|references?|invoked?)\b", re.I)
_WORD = re.compile(r"[A-Za-z_]\w*")
# Without a function that the query names, those with the most of its words stay.
_MAX_LIKELY, _LIKELY_SHARE = 3, 0.5
_MAX_NAMES = 4
_RISK = 0.2


class CodeCompressor:
    """Compressor for programs in Python, JavaScript, TypeScript, Go, Rust, Java, C, C++ and Ruby.

    Every line that stays is as it was. Functions that the query names stay whole; the
    bodies of the others, and long comments, are left out. Nothing is left out of a program that
    cannot be parsed without errors.
    """

    name = "code"
    keeps_lines = True

    def __init__(self) -> None:
        self._is_installed = has_grammars()
        self.fingerprint = f"code 1 {self._is_installed}"

    def accepts(self, kind: TextKind) -> bool:
        """Return whether a text is a program of some length."""
        return kind.line_count >= _MIN_LINES and kind.name == "code"

    def refusal(self, request: Request) -> str | None:
        """Return that the extra is missing, if it is."""
        return None if self._is_installed else _MISSING

    def compress(self, text: str, request: Request) -> Compressed | None:
        """Leave out the bodies that nothing names."""
        if not request.selecting or not request.query or not self._is_installed:
            return None
        lines = TextLines(text)
        numbered = read_line_numbers(lines.lines) is not None
        foldable = find_foldable(lines.lines, request.call, numbered=numbered)
        if not foldable:
            return None
        hits = find_line_hits(lines, request.query)
        whole = _choose_whole(foldable, hits, request.query)
        folded: dict[int, str] = {}
        for item in foldable:
            if any(_overlaps(item, other) for other in whole):
                continue
            folded |= dict.fromkeys(range(item.first, item.end), item.name)
        kept = [index for index in range(len(lines)) if index not in folded]
        return write_kept_lines(
            lines.lines,
            kept,
            request,
            reason=f"{len(folded)} of {len(lines)} lines of bodies that the query does not name",
            describe=lambda first, end: _name_gap(folded, first, end),
            risk=_RISK,
        )


def _choose_whole(foldable: Sequence[Foldable], hits: LineHits, query: str) -> list[Foldable]:
    """Return what stays whole: what the query names, or what has most of its words.

    These are the functions that the query names, with their callers if it asks for uses; without a
    name, those with the most words of the query, and one with a word that few lines have.
    """
    words = set(_WORD.findall(query))
    scores = {
        item: sum(hits.weights.get(line, 0.0) for line in range(item.head, item.end))
        for item in foldable
    }
    named = [item for item in foldable if item.name in words]
    ranked = sorted(foldable, key=lambda item: (-scores[item], item.head))
    telling = [item for item in ranked if hits.strong & set(range(item.first, item.end))]
    if named:
        return [*named, *(telling[:_MAX_LIKELY] if _USES.search(query) else [])]
    least = max(_LIKELY_SHARE * scores[ranked[0]], 1e-9)
    likely = [item for item in ranked[:_MAX_LIKELY] if scores[item] >= least]
    return [*likely, *telling[:1]]


def _overlaps(item: Foldable, other: Foldable) -> bool:
    """Return whether folding one would take lines of the other, which stays whole."""
    return item.first < other.end and other.head < item.end


def _name_gap(folded: dict[int, str], first: int, end: int) -> str:
    names = list(dict.fromkeys(folded[index] for index in range(first, end) if folded.get(index)))
    return ", ".join(names[:_MAX_NAMES]) + ("…" if len(names) > _MAX_NAMES else "")
