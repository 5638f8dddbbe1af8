"""What of a text stays or goes as a whole: its sentences, and the lines of what is not prose."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from headroom_core.text.sentences import split_sentences

Span = tuple[int, int]

_DATA = re.compile(r"""[{}|]|\S\t|\[["']""")
"""What stands in lines of data and code, whose stops are parts of values."""

_SIGN = re.compile(
    r"""(?x)
    [;\\([]\s*$ | [)\]][;:,]\s*$ | \(\)\s*$                                # what statements end with
    | ^(?:[ ]{4,}|[ ]*\t)[^\s*\d-].{0,119}$                                # indented code
    | ,[^\s\d].*,[^\s\d]                                                   # values between commas
    | ^\s*(?:
        (?:(?:const|let|var|export)\s)?[\w.[\]]+\s*[-+*/|:?]?=[^=]         # an assignment, or a setting
        | [\w.]+\(.*\)\s*$                                                 # a call
        | (?:-[ ])?[a-z_][\w.-]*:(?:\s|$)                                  # YAML
        | (?:def|class|return|raise|elif|async|func|fn|public|private|static|void|package)\s\S+[(.:]
        | [<@]\w | </ | <! | // | /\* | \*/ | >>>\s | \$\s\w | @@\s | [+]\w  # tags, comments, shells, diffs
        | [\[(]?(?:\d{4}[-/]\d\d[-/]\d\d\b | \d\d:\d\d:\d\d | [A-Z][a-z]{2}[ ][ \d]\d[ ]\d\d:\d\d)
        | [\[(]?(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|CRITICAL)\b
        | \d{1,3}(?:\.\d{1,3}){3}\s
      )
    """
)
"""Signs of code, markup and logs. Prose bears them here and there."""

_FENCE = re.compile(r"\s*(`{3,}(?![^\n]*`)|~{3,})")
_RULE = frozenset("|:-+= \t\r")
_TABBED_FROM = 3


@dataclass(frozen=True, slots=True)
class TextUnit:
    """What of a text stays or goes as a whole.

    Attributes:
        text: it, with the space that follows.
        needs: the places of the units that stay where it stays: a table's header and rule, the fences around code.
    """

    text: str
    needs: tuple[int, ...] = ()


def split_units(text: str, blocks: Iterable[Span] = ()) -> list[TextUnit]:
    """Return the units of a text, which together are the text.

    Prose comes apart into sentences. Of what looks like code, data, markup or a log each line is a unit: lines that
    hold a brace, `|` or a tab, those between fences, and those where half of the lines bear other signs.

    Args:
        text: the text.
        blocks: where what is one unit although it has several lines begins and ends, from left to right.

    Example:
        >>> [unit.text for unit in split_units("It is blue. It is long.\\n\\n| a. B | c |")]
        ['It is blue. ', 'It is long.\\n\\n', '| a. B | c |']
    """
    lines = split_lines(text, blocks)
    ends = [*(line.start for line in lines[1:]), len(text)]
    parts = [
        [text[line.start : end]] if line.is_atomic else split_sentences(text[line.start : end])
        for line, end in zip(lines, ends, strict=False)
    ]
    places = [0]
    for own in parts:
        places.append(places[-1] + len(own))
    found = [
        TextUnit(part, tuple(places[need] for need in line.needs))
        for line, own in zip(lines, parts, strict=True)
        for part in own
    ]
    return found or [TextUnit(part) for part in split_sentences(text)]


@dataclass(slots=True)
class TextLine:
    """A line that is not blank, or a block of lines.

    Attributes:
        text: the line, indentation included.
        start: where it begins, indentation left out; the text's first line begins with the text.
        paragraph: which run of lines it stands in; blank lines part them.
        is_atomic: whether it is one unit.
        needs: the lines that stay where it stays.
    """

    text: str
    start: int
    paragraph: int
    is_atomic: bool
    needs: tuple[int, ...] = ()


def split_lines(text: str, blocks: Iterable[Span] = ()) -> list[TextLine]:
    """Return the lines of a text that are not blank, each with what it needs.

    Args:
        text: the text.
        blocks: where what is one line although it has several begins and ends, from left to right.

    Example:
        >>> [(line.text, line.paragraph, line.is_atomic) for line in split_lines("It is long.\\n\\n| b | c |")]
        [('It is long.', 0, False), ('| b | c |', 1, True)]
    """
    lines = _split(text, blocks)
    for mark in (_mark_fenced, _mark_tables, _mark_signs):
        mark(lines)
    return lines


def _split(text: str, blocks: Iterable[Span]) -> list[TextLine]:
    lines: list[TextLine] = []
    spans = iter(blocks)
    begin, end = next(spans, (len(text), len(text)))
    at = paragraph = 0
    for line in text.split("\n"):
        while end <= at < len(text):
            begin, end = next(spans, (len(text), len(text)))
        if not line.strip():
            paragraph += 1
        elif begin >= at:
            start = at + len(line) - len(line.lstrip()) if lines else 0
            lines.append(TextLine(line, start, paragraph, begin < at + len(line)))
        at += len(line) + 1
    return lines


def _bind(lines: Iterable[TextLine], needs: tuple[int, ...]) -> None:
    for line in lines:
        line.is_atomic, line.needs = True, needs


def _mark_fenced(lines: Sequence[TextLine]) -> None:
    """Keep the lines of fenced code whole, and with their fences; a fence that is never closed reaches to the end."""
    start, fence = 0, ""
    for at, line in enumerate(lines):
        found = _FENCE.match(line.text)
        if found and not fence:
            start, fence = at, found[1]
        elif found and found[1].startswith(fence):
            _bind(lines[start : at + 1], (start, at))
            fence = ""
    if fence:
        _bind(lines[start:], (start,))


def _mark_tables(lines: Sequence[TextLine]) -> None:
    """Keep the rows of tables whole, and with their header and rule."""
    for _, run in groupby(range(len(lines)), lambda at: lines[at].paragraph):
        rows = [at for at in run if not lines[at].needs]
        rule = next(
            (at for at in rows[1:] if _is_rule(lines[at].text) and "|" in lines[at - 1].text), None
        )
        if rule is not None:
            _bind(
                (lines[at] for at in rows if at >= rule - 1 and "|" in lines[at].text),
                (rule - 1, rule),
            )
            _bind(lines[rule : rule + 1], (rule - 1, rule))
        elif len(rows) >= _TABBED_FROM and _is_tabbed([lines[at].text for at in rows]):
            _bind((lines[at] for at in rows), (rows[0],))


def _is_rule(line: str) -> bool:
    return "--" in line and _RULE.issuperset(line)


def _is_tabbed(rows: Sequence[str]) -> bool:
    return "\t" in rows[0].strip() and len({row.count("\t") for row in rows}) == 1


def _mark_signs(lines: Sequence[TextLine]) -> None:
    """Keep lines of data whole, and the others where at least half of them bear signs: in a paragraph or all in all."""
    for line in lines:
        line.is_atomic = line.is_atomic or bool(_DATA.search(line.text))
    others = [line for line in lines if not line.is_atomic]
    signs = {line.start: bool(_SIGN.search(line.text)) for line in others}
    everywhere = 2 * sum(signs.values()) >= len(others)
    for _, run in groupby(others, lambda line: line.paragraph):
        paragraph = list(run)
        whole = everywhere or 2 * sum(signs[line.start] for line in paragraph) >= len(paragraph)
        for line in paragraph:
            line.is_atomic = whole
