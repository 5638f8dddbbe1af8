"""Compress diffs: every changed line stays where nothing tells what to leave out.

Lossless, the four lines above the changes of a file are written as one, with the path once:

    diff src/app.py index 6f5dc6a5..b023941b 100644

Selecting, where the query names files, the others stand behind marks with their path and the number
of lines added and removed; else context that is not next to a change is left out, and headers are
as in the lossless form.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from headroom_core.compressors.base import Compressed, Request
from headroom_core.compressors.lines.gaps import write_kept_lines
from headroom_core.compressors.lines.hits import query_terms
from headroom_core.compressors.lines.top import STRONG_RISK, write_under_marker
from headroom_core.kinds import TextKind
from headroom_core.text.text_lines import TextLines

_MIN_LINES = 15
_HEAD = re.compile(
    r"^diff --git a/(?P<path>[^\n]{1,400}) b/(?P=path)\n"
    r"(?:(?P<made>new|deleted) file mode (?P<mode>\d{6})\n)?"
    r"index (?P<index>[0-9a-f]{4,64}\.\.[0-9a-f]{4,64}(?: \d{6})?)\n"
    r"--- (?P<old>[^\n]{1,400})\n\+\+\+ (?P<new>[^\n]{1,400})\n(?=@@ )",
    re.MULTILINE,
)
_SHORT = re.compile(
    r"^diff (?P<path>(?!--git )[^\n]{1,400}?)(?: (?P<made>new|deleted) (?P<mode>\d{6}))?"
    r" index (?P<index>[0-9a-f]{4,64}\.\.[0-9a-f]{4,64}(?: \d{6})?)$",
    re.MULTILINE,
)
_START = re.compile(
    r"^(?:diff --(?:git|cc|combined) |Index: |commit [0-9a-f]{7,64}\b|From [0-9a-f]{40} )", re.M
)
_PLAIN_START = re.compile(r"^--- [^\n]{1,400}\n\+\+\+ ", re.MULTILINE)
_PATH = re.compile(r"^(?:\+\+\+ (?:b/)?|Index: |diff --(?:cc|combined) )([^\t\n]{1,400})", re.M)
_GIT_PATH = re.compile(r"diff --git a/[^\n]{1,400} b/([^\n]{1,400})")
_OLD_PATH = re.compile(r"^--- (?:a/)?([^\t\n]{1,400})", re.MULTILINE)
_AROUND = 1
_MAX_DESCRIBED = 40
_CONTEXT_RISK = 0.1


@dataclass(frozen=True, slots=True)
class _File:
    """The changes of a file: its lines, its path, and what they add and remove."""

    first: int
    end: int
    path: str
    body: int
    added: int
    removed: int

    def __str__(self) -> str:
        return f"{self.path} +{self.added} -{self.removed}"


class DiffCompressor:
    """Compressor for diffs and patches, with a commit's message above them or not."""

    name = "diff"
    fingerprint = "diff 3"
    keeps_lines = True

    def accepts(self, kind: TextKind) -> bool:
        """Return whether a text is a diff of some length."""
        return kind.line_count >= _MIN_LINES and kind.name == "diff"

    def compress(self, text: str, request: Request) -> Compressed | None:
        """Shorten the headers, and leave out other files or context where that is allowed."""
        if not request.selecting:
            return None if request.verbatim else self._shorten(text)
        lines = TextLines(text)
        files = _read_files(lines)
        named = _find_named(files, request.query)
        if named:
            return _keep_named(lines, files, named, request)
        return _keep_changes(lines, files, request)

    def _shorten(self, text: str) -> Compressed | None:
        short = _HEAD.sub(_write_short, text)
        if len(short) >= len(text) or self.restore(short) != text:
            return None
        return Compressed(short, lossless=True, reason="the path of each file written once")

    def restore(self, text: str) -> str:
        """Return the diff with its headers as Git writes them."""
        return _SHORT.sub(_write_head, text)


def _write_short(head: re.Match[str]) -> str:
    path, made, mode = head["path"], head["made"], head["mode"]
    short = f"diff {path}{f' {made} {mode}' if made else ''} index {head['index']}"
    match = _SHORT.fullmatch(short)
    return f"{short}\n" if match and f"{_write_head(match)}\n" == head[0] else head[0]


def _write_head(short: re.Match[str]) -> str:
    path, made, mode = short["path"], short["made"], short["mode"]
    lines = [f"diff --git a/{path} b/{path}"]
    if made:
        lines.append(f"{made} file mode {mode}")
    lines += [
        f"index {short['index']}",
        "--- /dev/null" if made == "new" else f"--- a/{path}",
        "+++ /dev/null" if made == "deleted" else f"+++ b/{path}",
    ]
    return "\n".join(lines)


def _read_files(lines: TextLines) -> list[_File]:
    """Return the files of a diff."""
    starts = lines.find_all(_START)
    if not any(lines.lines[index].startswith(("diff ", "Index: ")) for index in starts):
        starts = sorted({*starts, *lines.find_all(_PLAIN_START)})
    files = []
    for first, end in zip(starts, [*starts[1:], len(lines)]):
        own = lines.lines[first:end]
        if own[0].startswith(("commit ", "From ")):
            continue
        body = next((i for i, line in enumerate(own) if line.startswith("@@")), len(own))
        head = "".join(own[:body])
        path = _read_path(head)
        added = sum(line.startswith("+") for line in own[body:])
        removed = sum(line.startswith("-") for line in own[body:])
        files.append(_File(first, end, path, first + body, added, removed))
    return files


def _read_path(head: str) -> str:
    found = _PATH.search(head)
    if found and found[1] != "/dev/null":
        return found[1].strip()
    git = _GIT_PATH.match(head) or _OLD_PATH.search(head)
    return git[1].strip() if git else ""


def _find_named(files: Sequence[_File], query: str) -> list[_File]:
    """Return the files that a query names by their path, or by their name alone."""
    terms = {term.strip("/") for term in query_terms(query)}
    paths = {term for term in terms if "/" in term or "." in term}
    by_path = [
        file
        for file in files
        if file.path.lower() in paths
        or any("/" in path and file.path.lower().endswith(f"/{path}") for path in paths)
    ]
    return by_path or [
        file for file in files if PurePosixPath(file.path).name.lower() in paths and file.path
    ]


def _keep_named(
    lines: TextLines, files: Sequence[_File], named: Sequence[_File], request: Request
) -> Compressed | None:
    """Return the named files whole, with marks in place of the others."""
    whole = {file.first for file in named}
    others = {file.first: file for file in files if file.first not in whole}
    left_out = {index for file in others.values() for index in range(file.first, file.end)}

    def describe(first: int, end: int) -> str:
        inside = [str(others[index]) for index in range(first, end) if index in others]
        more = len(inside) - _MAX_DESCRIBED
        return ", ".join(inside[:_MAX_DESCRIBED]) + (f" and {more} more files" if more > 0 else "")

    is_one_gap = bool(left_out) and max(left_out) - min(left_out) + 1 == len(left_out)
    return write_kept_lines(
        lines.lines,
        [index for index in range(len(lines)) if index not in left_out],
        request,
        reason=f"{len(others)} of {len(files)} files left out, which the query does not name",
        summary=describe(min(left_out), max(left_out) + 1) if is_one_gap else "",
        describe=describe,
        risk=STRONG_RISK,
    )


def _keep_changes(lines: TextLines, files: Sequence[_File], request: Request) -> Compressed | None:
    """Return every change with the lines next to it."""
    left_out: set[int] = set()
    for file in files:
        body = range(file.body, file.end)
        near = {
            index + step
            for index in body
            if lines.lines[index][:1] in "+-@\\"
            for step in range(-_AROUND, _AROUND + 1)
            if not (step and lines.lines[index][:1] == "@")
        }
        left_out.update(
            index for index in body if index not in near and lines.lines[index][:1] == " "
        )
    if not left_out:
        return None
    count = f"{len(left_out)} of {len(lines)} lines"
    text = "".join(line for index, line in enumerate(lines.lines) if index not in left_out)
    return write_under_marker(
        [text if request.verbatim else _HEAD.sub(_write_short, text)],
        f"{count} left out, context of the changes beyond {_AROUND} line; "
        "numbers after @@ count them",
        request,
        reason=f"{count} left out: context of the changes",
        risk=_CONTEXT_RISK,
    )
