"""Compress texts whose lines belong to lines above them: configuration, blocks, statements."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from headroom_core.compressors.base import Compressed, Request
from headroom_core.compressors.lines.gaps import write_kept_lines
from headroom_core.compressors.lines.hits import asks_for_list, find_line_hits
from headroom_core.kinds import TextKind
from headroom_core.relevance.stop_words import ROW_STOP_WORDS
from headroom_core.text.text_lines import TextLines, lines_around

_MIN_LINES = 30
_MIN_SAVED_CHARACTERS = 2400
# Shares of the text that an outline may take, without and with a query that names lines.
_OUTLINE_SHARE, _NAMED_OUTLINE_SHARE = 0.28, 0.1
_MAX_BEST, _MAX_LISTED = 14, 60
_MAX_CHILDREN, _AROUND = 30, 2
_PARENT_WEIGHT, _CALLED_WEIGHT = 0.5, 1.6
_BLOCK_HEAD = 4
_GAP_WORD, _MAX_GAP_NAMES = re.compile(r"[\w./-]{2,40}"), 3
_KEY_AND_VALUE = re.compile(
    r"\s*([A-Za-z][^:=\d\n]{1,60}?)(?:[ ]*[:=][ ]*|[ ]{2,}|[ ](?=\d))(\S.{0,80})"
)
_INTEGER = re.compile(r"\d{1,18}")
_MIN_BLOCKS, _MAX_UNUSUAL = 4, 40
_PARTS = re.compile(r",|;|:|\?|\n|\band\b|\bof\b|\bthe\b")
_WORDS = re.compile(r"[a-z0-9]{2,40}")
_KEY_END = re.compile(r"[:=]|\s{3,}")
_MAX_QUERY, _MAX_PARTS, _MAX_KEYED = 2000, 40, 12
_NAME = re.compile(
    r"""\s*-[ ]["']?[\w.-]{1,40}["']?:[ ]\S
    |\s*(?:-[ ])?["'<]?(?:name|id|title|kind|key|hostname|interface)\b["']?\s*[:=>]""",
    re.IGNORECASE | re.VERBOSE,
)
_COMMENT = re.compile(r"\s*(?:\#|//|;|--)")
_SECTION = re.compile(r"\s*\[")
_STATEMENT = re.compile(r"(?:CREATE|ALTER|INSERT|DROP|COMMENT|GRANT|SET|BEGIN|COMMIT)\b", re.I)
_TABLE = re.compile(r"CREATE\s(?:\w+\s){0,2}TABLE\b", re.IGNORECASE)
_CLOSING = re.compile(r"\s*(?:[\])}]|</)")
_ERROR = re.compile(r"\b(?:error|fail(?:ed|ure)?|fatal|exception)\b", re.IGNORECASE)
_MAX_ERRORS = 30
_RISK = 0.2


def _by_indent(lines: Sequence[str]) -> list[int]:
    """Return the level of each line by its indentation; an item of a list is half deeper."""
    levels: list[int] = []
    for line in lines:
        bare = line.lstrip(" \t-")
        indent = 2 * (len(line) - len(line.lstrip())) + (line.lstrip().startswith("- "))
        levels.append(levels[-1] if not bare.strip() and levels else indent)
    return levels


def _by_stanza(lines: Sequence[str]) -> list[int]:
    """Return the levels of blocks: the first line behind a blank one stands above the others."""
    levels: list[int] = []
    after_blank = True
    for line in lines:
        if not line.strip():
            levels.append(levels[-1] if levels else 0)
            after_blank = True
            continue
        indent = len(line) - len(line.lstrip())
        levels.append(2 * indent if after_blank or indent else 1)
        after_blank = False
    return levels


def _by_section(lines: Sequence[str]) -> list[int]:
    return [0 if _SECTION.match(line) else 1 + len(line) - len(line.lstrip()) for line in lines]


def _by_statement(lines: Sequence[str]) -> list[int]:
    return [0 if _STATEMENT.match(line) else 1 + len(line) - len(line.lstrip()) for line in lines]


_LEVELS: Mapping[str, Callable[[Sequence[str]], list[int]]] = {
    "blocks": _by_stanza,
    "settings": _by_section,
    "sql": _by_statement,
    "terraform": _by_indent,
    "xml": _by_indent,
    "yaml": _by_indent,
}
OUTLINE_KINDS = tuple(_LEVELS)
"""The kinds of text that are compressed by the levels of their lines."""


class OutlineCompressor:
    """Compressor for YAML, XML, TOML and INI, SQL, Terraform, and blocks of keys and values.

    Lines that the query names stay, with all that is above them and what belongs to them, and an
    outline of the rest: its upper levels and the names in it.

    Args:
        kind: Name of the kind of text, one of `OUTLINE_KINDS`.
    """

    name = "outline"
    keeps_lines = True

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.fingerprint = f"outline 1 {kind}"

    def accepts(self, kind: TextKind) -> bool:
        """Return whether a text is of this kind, and of some length."""
        return kind.line_count >= _MIN_LINES and kind.name == self.kind

    def compress(self, text: str, request: Request) -> Compressed | None:
        """Leave out what is far from the query and deep in the outline."""
        if not request.selecting:
            return None
        lines = TextLines(text)
        levels = _LEVELS[self.kind](lines.lines)
        parents = _find_parents(levels)
        kept = {0, 1, len(lines) - 1}
        named = _find_named(lines, parents, levels, request.query)
        share = _NAMED_OUTLINE_SHARE if named else _OUTLINE_SHARE
        named |= _find_keys(lines, request.query)
        kept |= named | _find_outline(lines.lines, levels, int(share * len(text)))
        if self.kind == "blocks":
            kept |= _find_unusual(lines.lines, levels)
        errors = lines.find_all(_ERROR)
        if len(errors) <= _MAX_ERRORS:
            kept.update(errors)
        for index in list(kept):
            while (index := parents[index]) >= 0 and index not in kept:
                kept.add(index)
        saved = len(text) - sum(len(lines.lines[index]) for index in kept)
        if saved < _MIN_SAVED_CHARACTERS:
            return None
        return write_kept_lines(
            lines.lines,
            kept,
            request,
            reason=f"{len(lines) - len(kept)} of {len(lines)} lines left out of an outline",
            describe=_GapNames(lines.lines, levels),
            risk=_RISK,
        )


def _find_parents(levels: Sequence[int]) -> list[int]:
    """Return for each line the line that it belongs to, -1 for none."""
    parents: list[int] = []
    above: list[int] = []
    for index, level in enumerate(levels):
        while above and levels[above[-1]] >= level:
            above.pop()
        parents.append(above[-1] if above else -1)
        above.append(index)
    return parents


def _find_named(
    lines: TextLines, parents: Sequence[int], levels: Sequence[int], query: str
) -> set[int]:
    """Return the lines that a query names, with those that belong to them."""
    own = find_line_hits(lines, query).weights
    if not own:
        return set()
    totals = [0.0] * len(parents)
    for index, parent in enumerate(parents):
        inherited = totals[parent] * _PARENT_WEIGHT if parent >= 0 else 0.0
        totals[index] = own.get(index, 0.0) + inherited
    for index in own:
        # What is called so outranks a line that mentions it.
        totals[index] *= _CALLED_WEIGHT if _has_children(levels, index) else 1.0
    ranked = sorted(own, key=lambda index: (-totals[index], index))
    is_list = asks_for_list(query)
    least = totals[ranked[0]] * (0.4 if is_list else 0.6)
    most = _MAX_LISTED if is_list else _MAX_BEST
    named: set[int] = set()
    tables = [index for index in ranked if _TABLE.match(lines.lines[index])][:_MAX_BEST]
    for index in [*tables, *[index for index in ranked if totals[index] >= least][:most]]:
        end = index + 1
        while end < len(levels) and levels[end] > levels[index]:
            end += 1
        named.update(range(index, min(end, index + _MAX_CHILDREN)))
        near = lines_around(index, _AROUND, range(len(levels)))
        named.update(place for place in near if parents[place] == parents[index])
        top = parents[index]
        if top >= 0:
            # The first lines of a block say which it is.
            named.update(range(top, min(index, top + _BLOCK_HEAD)))
    return named


def _has_children(levels: Sequence[int], index: int) -> bool:
    return index + 1 < len(levels) and levels[index + 1] > levels[index]


def _find_keys(lines: TextLines, query: str) -> set[int]:
    """Return the lines whose key holds all words of a part of the query: `tx bias, voltage`."""
    found: set[int] = set()
    for part in _PARTS.split(query.lower()[:_MAX_QUERY])[:_MAX_PARTS]:
        words = [word for word in _WORDS.findall(part) if word not in ROW_STOP_WORDS]
        if not words:
            continue
        keyed: list[int] = []
        for index in lines.find_text(max(words, key=len)):
            key = _KEY_END.split(lines.lines[index].lower(), maxsplit=1)[0]
            if all(word in key for word in words):
                keyed.append(index)
            if len(keyed) > _MAX_KEYED:
                break
        else:
            found.update(keyed)
    return found


def _find_unusual(lines: Sequence[str], levels: Sequence[int]) -> set[int]:
    """Return the lines with values that no other block has, or with the largest numbers."""
    by_key: dict[str, list[tuple[int, str]]] = {}
    for index, line in enumerate(lines):
        match = _KEY_AND_VALUE.match(line)
        if match:
            by_key.setdefault(match[1].strip(), []).append((index, match[2].strip()))
    unusual: dict[int, None] = {}
    for found in by_key.values():
        if len(found) < _MIN_BLOCKS:
            continue
        counts = Counter(value for _, value in found)
        most = counts.most_common(1)[0][1]
        if most >= len(found) / 2:
            unusual |= dict.fromkeys(index for index, value in found if counts[value] == 1)
        numbers = [
            (int(match[0]), index) for index, value in found if (match := _INTEGER.match(value))
        ]
        if len(numbers) > len(found) / 2 and len({number for number, _ in numbers}) > 1:
            unusual[max(numbers)[1]] = None
    kept = set(list(unusual)[:_MAX_UNUSUAL])
    # The first lines of a block say which it is.
    for index in list(kept):
        head = index
        while head and levels[head]:
            head -= 1
        kept.update(range(head, min(index, head + 2)))
    return kept


def _find_outline(lines: Sequence[str], levels: Sequence[int], room: int) -> set[int]:
    """Return the upper levels, and names, as far as there is room."""

    def rank(index: int) -> tuple[int, int]:
        line = lines[index]
        if _TABLE.match(line):
            return -2, index
        if not levels[index]:
            return -1, index
        return levels[index] // (6 if _NAME.match(line) else 1), index

    wanted = [
        index
        for index, line in enumerate(lines)
        if line.strip() and not _COMMENT.match(line) and not _CLOSING.match(line)
    ]
    chosen: set[int] = set()
    for index in sorted(wanted, key=rank):
        room -= len(lines[index])
        if room < 0:
            break
        chosen.add(index)
    return chosen


class _GapNames:
    """Names what is in a gap, by the first words of its upper lines; the same names only once."""

    def __init__(self, lines: Sequence[str], levels: Sequence[int]) -> None:
        self._lines, self._levels = lines, levels
        self._named: set[str] = set()

    def __call__(self, first: int, end: int) -> str:
        """Return the names of a gap, empty if an earlier one had the same."""
        top = min(self._levels[first:end])
        names: dict[str, None] = {}
        for index in range(first, end):
            if self._levels[index] == top and (word := _GAP_WORD.search(self._lines[index][:200])):
                names[word[0]] = None
                if len(names) > _MAX_GAP_NAMES:
                    break
        shown = ", ".join([*names][:_MAX_GAP_NAMES])
        if shown in self._named:
            return ""
        self._named.add(shown)
        return f"{shown}…" if len(names) > _MAX_GAP_NAMES else shown
