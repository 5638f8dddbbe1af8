"""Units of a text that are kept or dropped whole: sentences of prose, lines of anything else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from headroom_core.text.sentences import split_sentences
from headroom_core.text.signs import DATA_LINE, NON_PROSE_LINE

# The start of a line that opens or closes a fenced block. Must not match inline code, which has
# another backtick on its line. Not the pattern of `markdown`: any fence at least as long as the
# open one closes a block here, even with an info string; otherwise a missing closing fence would
# bind the rest of a text together.
_FENCE = re.compile(r"\s*(`{3,}(?![^\n]*`)|~{3,})")
_RULE_CHARACTERS = frozenset("|:-+= \t\r")
# Two lines with the same number of tabs happen by chance.
_MIN_TABBED_ROWS = 3


@dataclass(frozen=True, slots=True)
class TextUnit:
    """Piece of a text that is kept or dropped as a whole.

    Attributes:
        text: The text of the unit, with the whitespace that follows it.
        needs: Indices of the units that must be kept along with it: a table's header and rule, or
            the fences around code.
    """

    text: str
    needs: tuple[int, ...] = ()


def split_units(text: str, blocks: Iterable[tuple[int, int]] = ()) -> list[TextUnit]:
    """Split a text into units; joined, they are the text.

    Prose is split into sentences. Code, data, markup and logs are split into lines: these are
    lines with a brace, `|` or a tab, lines between fences, and lines where at least half of those
    around have other signs of such text.

    Args:
        text: The text to split.
        blocks: Start and end of each run of lines that forms a single unit, in order.

    Example:
        >>> [unit.text for unit in split_units("It is blue. It is long.\\n\\n| a. B | c |")]
        ['It is blue. ', 'It is long.\\n\\n', '| a. B | c |']
    """
    lines = split_lines(text, blocks)
    if not lines:
        return [TextUnit(part) for part in split_sentences(text)]
    ends = [*(line.start for line in lines[1:]), len(text)]
    parts_by_line: list[list[str]] = []
    for line, end in zip(lines, ends):
        piece = text[line.start : end]
        parts_by_line.append([piece] if line.is_atomic else split_sentences(piece))
    # The index of each line's first unit: lines refer to lines, units to units.
    first_units = [0]
    for parts in parts_by_line:
        first_units.append(first_units[-1] + len(parts))
    units: list[TextUnit] = []
    for line, parts in zip(lines, parts_by_line):
        needs = tuple(first_units[index] for index in line.needs)
        for part in parts:
            units.append(TextUnit(part, needs))
    return units


@dataclass(slots=True)
class TextLine:
    """Line that is not blank, or a block of several lines.

    Attributes:
        text: The line with its indentation; of a block, the first line.
        start: Index of the line in the text, after its indentation. The first line of a text
            starts where the text does.
        paragraph: Number of the paragraph that it belongs to; blank lines separate paragraphs.
        is_atomic: Whether it is a single unit.
        needs: Indices of the lines that must be kept along with it.
    """

    text: str
    start: int
    paragraph: int
    is_atomic: bool
    needs: tuple[int, ...] = ()


def split_lines(text: str, blocks: Iterable[tuple[int, int]] = ()) -> list[TextLine]:
    """Split a text into the lines that are not blank.

    Args:
        text: The text to split.
        blocks: Start and end of each run of lines to treat as a single line, in order.

    Example:
        >>> lines = split_lines("It is long.\\n\\n| b | c |")
        >>> [(line.text, line.paragraph, line.is_atomic) for line in lines]
        [('It is long.', 0, False), ('| b | c |', 1, True)]
    """
    lines = _collect_lines(text, blocks)
    _mark_fenced_lines(lines)
    _mark_table_rows(lines)
    _mark_signs(lines)
    return lines


def _collect_lines(text: str, blocks: Iterable[tuple[int, int]]) -> list[TextLine]:
    lines: list[TextLine] = []
    spans = iter(blocks)
    no_block = (len(text), len(text))
    block_start, block_end = next(spans, no_block)
    position = paragraph = 0
    for line in text.split("\n"):
        while block_end <= position < len(text):
            block_start, block_end = next(spans, no_block)
        if not line.strip():
            paragraph += 1
        elif block_start >= position:
            indentation = len(line) - len(line.lstrip())
            start = position + indentation if lines else 0
            starts_block = block_start < position + len(line)
            lines.append(TextLine(line, start, paragraph, starts_block))
        position += len(line) + 1
    return lines


def _bind(lines: Iterable[TextLine], needs: tuple[int, ...]) -> None:
    for line in lines:
        line.is_atomic, line.needs = True, needs


def _mark_fenced_lines(lines: Sequence[TextLine]) -> None:
    """Bind the lines of fenced code to their fences; an unclosed fence extends to the end."""
    start, fence = 0, ""
    for index, line in enumerate(lines):
        match = _FENCE.match(line.text)
        if match and not fence:
            start, fence = index, match[1]
        elif match and match[1].startswith(fence):
            _bind(lines[start : index + 1], (start, index))
            fence = ""
    if fence:
        _bind(lines[start:], (start,))


def _mark_table_rows(lines: Sequence[TextLine]) -> None:
    """Bind the rows of each table to its header and rule."""
    for _, run in groupby(range(len(lines)), lambda index: lines[index].paragraph):
        rows = [index for index in run if not lines[index].needs]
        rule = _find_rule(lines, rows)
        if rule is not None:
            header = rule - 1
            bar_rows = [index for index in rows if index >= header and "|" in lines[index].text]
            _bind((lines[index] for index in bar_rows), (header, rule))
            _bind([lines[rule]], (header, rule))
        elif len(rows) >= _MIN_TABBED_ROWS and _is_tabbed([lines[index].text for index in rows]):
            _bind((lines[index] for index in rows), (rows[0],))


def _find_rule(lines: Sequence[TextLine], rows: Sequence[int]) -> int | None:
    """Return the first line that rules off a table's header, or None if there is none."""
    for index in rows[1:]:
        if _is_rule(lines[index].text) and "|" in lines[index - 1].text:
            return index
    return None


def _is_rule(line: str) -> bool:
    return "--" in line and _RULE_CHARACTERS.issuperset(line)


def _is_tabbed(rows: Sequence[str]) -> bool:
    return "\t" in rows[0].strip() and len({row.count("\t") for row in rows}) == 1


def _mark_signs(lines: Sequence[TextLine]) -> None:
    """Make lines of data atomic, and the others where at least half have signs of non-prose.

    Half of the paragraph is enough, and so is half of all lines.
    """
    for line in lines:
        line.is_atomic = line.is_atomic or bool(DATA_LINE.search(line.text))
    others = [line for line in lines if not line.is_atomic]
    has_sign = {line.start: bool(NON_PROSE_LINE.search(line.text)) for line in others}
    is_mostly_signs = 2 * sum(has_sign.values()) >= len(others)
    for _, run in groupby(others, lambda line: line.paragraph):
        paragraph = list(run)
        signs = sum(has_sign[line.start] for line in paragraph)
        is_atomic = is_mostly_signs or 2 * signs >= len(paragraph)
        for line in paragraph:
            line.is_atomic = is_atomic
