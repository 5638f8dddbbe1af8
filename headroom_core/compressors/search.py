r"""Compress the results of a search: the matches of a file under its path, as ripgrep shows them.

    src/app.py
    12:def main():
    40-    return main

Lossless, no line is left out, and a file with one line keeps it as it was. Selecting, the path says
how many lines of the file are left out: `src/app.py (+3)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from headroom_core.compressors.base import Compressed, Request
from headroom_core.compressors.lines.hits import find_line_hits, query_terms
from headroom_core.compressors.lines.top import STRONG_RISK, WEAK_RISK, write_under_marker
from headroom_core.kinds import TextKind
from headroom_core.text.text_lines import TextLines

_MIN_LINES = 10
# `HEAD:src/app.py` and `C:\app.py` are paths too.
_MATCH = re.compile(r"([^:\n]{1,300}(?::[^:\n]{1,300}?)??):(?=\d{1,7}:)")
_NUMBERED = re.compile(r"\d{1,7}[:-]")
_CONTEXT = re.compile(r"\d{1,7}-")
_MAX_STRONG, _AROUND = 30, 5
_PER_FILE, _PER_FILE_UNDEFINED, _FULL_FILES = 2, 3, 20
# Longer lines are kept only where they are asked for.
_MAX_SAMPLE = 400
_NAME = re.compile(r"[A-Za-z_$][\w$]{1,80}")
_MAX_NAMES = 12
# The first word of a line that defines something. Must not match `return` and the like.
_DEFINING = (
    r"(?:(?:async|def|class|function|fn|func|fun|interface|struct|enum|trait|type|typedef|impl"
    r"|module|namespace|protocol|record|object|macro|sub|union|const|let|var|val|static|public"
    r"|private|protected|internal|abstract|final|sealed|override|extern|inline|virtual|export"
    r"|declare|pub(?:\(\w{1,20}\))?|unsafe|suspend|open|data|\#[ ]?define)[ ]"
    r"(?:\([^()\n]{1,60}\)[ ])?)"
)
_NO_CALL = r"(?!(?:if|for|while|switch|else|elif|return|await|new|catch|throw|raise|with|yield)\b)"
_START = r"\d{1,7}[:-](?:\d{1,5}:)?[ \t]*"


class Match(NamedTuple):
    """A line of a search's results.

    Attributes:
        path: The path before the line's number. Empty for other lines, such as `--`.
        text: The rest of the line, from its number on, or all of it.
    """

    path: str
    text: str


class SearchCompressor:
    """Compressor for the results of grep, ripgrep and `git grep`.

    Selecting, it keeps each file with its first lines, the lines where what is searched for is
    defined, and those that the query names.
    """

    name = "search"
    fingerprint = "search 2"

    def accepts(self, kind: TextKind) -> bool:
        """Return whether a text is the result of a search with some lines."""
        return kind.line_count >= _MIN_LINES and kind.name == "search"

    def compress(self, text: str, request: Request) -> Compressed | None:
        """Write each path once, and leave out lines of files with many where that is allowed."""
        matches = read_matches(self.restore(text))
        if not any(match.path for match in matches):
            return None
        if request.selecting:
            return _select(matches, request)
        short = _write(matches)
        if len(short) >= len(text) or self.restore(short) != text:
            return None
        return Compressed(short, lossless=True, reason="each path of the matches written once")

    def restore(self, text: str) -> str:
        """Return a result with a path on each line from one with paths as headings."""
        lines = text.split("\n")
        numbered = [bool(_NUMBERED.match(line)) for line in lines]
        flat: list[str] = []
        path = ""
        for index, line in enumerate(lines):
            if numbered[index]:
                sign = line[line.find("-" if _CONTEXT.match(line) else ":")]
                flat.append(f"{path}{sign}{line}" if path else line)
            elif (
                line
                and not (index and lines[index - 1])
                and numbered[index + 1 : index + 2] == [True]
            ):
                path = line
                if index:
                    flat.pop()
            else:
                flat.append(line)
        return "\n".join(flat)


def read_matches(text: str) -> list[Match]:
    r"""Return the lines of a search's results, with a path on each line, by path and rest.

    Example:
        >>> read_matches("a.py:3:x = 1\na.py-4-y = 2\n--\nb.py:7:x")
        [Match(path='a.py', text='3:x = 1'), Match(path='a.py', text='4-y = 2'),
         Match(path='', text='--'), Match(path='b.py', text='7:x')]
    """
    lines = text.split("\n")
    matches: list[Match] = []
    path = ""
    for line in lines:
        if path and line.startswith(path) and _is_context(line, path):
            matches.append(Match(path, line[len(path) + 1 :]))
        elif found := _MATCH.match(line):
            path = found[1]
            matches.append(Match(path, line[found.end() :]))
        else:
            matches.append(Match("", line))
    # The lines before the first match of a file are read once its path is known.
    following = ""
    for index in range(len(matches) - 1, -1, -1):
        match = matches[index]
        if match.path:
            following = match.path
        elif following and match.text.startswith(following) and _is_context(match.text, following):
            matches[index] = Match(following, match.text[len(following) + 1 :])
    return matches


def _is_context(line: str, path: str) -> bool:
    return line[len(path) : len(path) + 1] == "-" and bool(_CONTEXT.match(line, len(path) + 1))


def _write(matches: Sequence[Match], omitted: dict[str, int] | None = None) -> str:
    """Return matches with the path of a file with several lines as a heading."""
    parts: list[str] = []
    for path, group in groupby(matches, key=lambda match: match.path):
        texts = [match.text for match in group]
        more = (omitted or {}).pop(path, 0) if path else 0
        if not path:
            parts += texts
        elif len(texts) == 1 and not more:
            parts.append(f"{path}{_sign(texts[0])}{texts[0]}")
        else:
            heading = f"{path} (+{more})" if more else path
            parts += [*([""] if parts else []), heading, *filter(None, texts)]
    return "\n".join(parts)


def _sign(text: str) -> str:
    return "-" if _CONTEXT.match(text) else ":"


def _select(matches: Sequence[Match], request: Request) -> Compressed | None:
    """Return the first matches of each file, its definitions, and what the query names."""
    defined = _find_definitions(matches, request.query)
    strong = _find_strong(matches, request.query)
    kept = {index for first in {*defined, *strong} for index in _with_context(matches, first)}
    least = _PER_FILE if defined else _PER_FILE_UNDEFINED
    files = _group_by_path(matches)
    for number, indices in enumerate(files.values()):
        wanted = least if number < _FULL_FILES else 1
        wanted -= sum(index in kept for index in indices)
        kept.update(list(_samples(matches, indices))[: max(0, wanted)])
    total = sum(map(len, files.values()))
    omitted = {
        path: count
        for path, indices in files.items()
        if (count := sum(index not in kept for index in indices))
    }
    count = sum(omitted.values())
    if not count:
        return None
    shown = []
    for path, indices in files.items():
        shown += [matches[index] for index in indices if index in kept] or [Match(path, "")]
    other = [match for match in matches if not match.path and match.text.strip("-\r")]
    omission = (
        f"{count} of {total} lines left out, counted as (+n) behind the paths of their files; "
        f"{len(files)} files"
    )
    return write_under_marker(
        [_write([*shown, *other], dict(omitted))],
        omission,
        request,
        reason=f"{count} of {total} lines of a search left out",
        risk=STRONG_RISK if defined or strong else WEAK_RISK,
    )


def _group_by_path(matches: Sequence[Match]) -> dict[str, list[int]]:
    files: dict[str, list[int]] = {}
    for index, match in enumerate(matches):
        if match.path:
            files.setdefault(match.path, []).append(index)
    return files


def _samples(matches: Sequence[Match], indices: Sequence[int]) -> Iterator[int]:
    for index in indices:
        text = matches[index].text
        if len(text) <= _MAX_SAMPLE and not _CONTEXT.match(text):
            yield index


def _find_strong(matches: Sequence[Match], query: str) -> list[int]:
    lines = TextLines("\n".join(f"{match.path}:{match.text}" for match in matches))
    strongest = find_line_hits(lines, query).strongest(_MAX_STRONG)
    return [index for index in strongest if index < len(matches)]


def _find_definitions(matches: Sequence[Match], query: str) -> list[int]:
    """Return the lines that define something of a name in the query."""
    terms = dict.fromkeys(term for term in query_terms(query) if _NAME.fullmatch(term))
    names = "|".join(map(re.escape, list(terms)[:_MAX_NAMES]))
    if not names:
        return []
    named = rf"[\w$.:<>\[\],?*&@ \t]{{0,120}}?\b(?:{names})\b"
    defining = re.compile(rf"{_START}{_DEFINING}{named}(?![ ]?[.)])", re.IGNORECASE)
    # A method has no word in front of it in some languages, but a body.
    method = re.compile(rf"{_START}{_NO_CALL}{named}[ ]?\([^\n;]{{0,300}}$", re.IGNORECASE)
    found = [
        index
        for index, (path, text) in enumerate(matches)
        if path
        and (defining.match(text) or (text.rstrip().endswith(("{", ":")) and method.match(text)))
    ]
    return found[:_MAX_STRONG]


def _with_context(matches: Sequence[Match], index: int) -> Iterator[int]:
    """Return a line's index, and those of the lines around it that the search shows with it."""
    yield index
    for step in (-1, 1):
        for near in range(index + step, index + step * (_AROUND + 1), step):
            if not 0 <= near < len(matches) or matches[near].path != matches[index].path:
                break
            if not _CONTEXT.match(matches[near].text):
                break
            yield near
