"""Objects one after the other in a text: JSON lines, and the items of an array that is cut off."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from headroom_core.text.exact_json import Value
from headroom_core.text.line_style import BARE_LINES, LineStyle, free_name, split_affixes

MIN_JSON_LINES = 5
"""Minimum number of consecutive lines of JSON that are treated as one table."""

# With fewer items, an array that is cut off has no rows to choose from.
_MIN_ITEMS = 2
_BETWEEN_ITEMS = re.compile(r"\s*,\s*")
_MAX_AFFIX_CHARACTERS = 200
# More plain lines between two objects are no part of a list of objects.
_MAX_PLAIN_LINES = 3
_MAX_GAP_CHARACTERS = 2_000
# Around and between examples of code, lines are documentation.
_FENCES = ("```", "~~~")
# The share of the keys of all objects that an object has on average, if its line has other text.
_MIN_ALIKE = 0.5
# The share of the characters of such lines that are in objects.
_MIN_OBJECTS_SHARE = 0.2

SpanForm = Literal["value", "lines", "items"]
"""A single value; objects on lines; the items of an array without its brackets."""


@dataclass(frozen=True, slots=True)
class JSONSpan:
    """JSON value at a place in a text.

    Attributes:
        start: Index of its first character.
        end: Index after its last character.
        value: The parsed value; for lines and items, the list of the values. A string among lines
            is a line of text.
        form: How the value is written.
        style: The text around the objects of lines.
        is_python: Whether the value is written as a Python literal.
    """

    start: int
    end: int
    value: Value
    form: SpanForm = "value"
    style: LineStyle = BARE_LINES
    is_python: bool = False


def join_runs(spans: Sequence[JSONSpan], text: str) -> list[JSONSpan]:
    """Return the spans with each run of objects joined into one."""
    joined: list[JSONSpan] = []
    run: list[JSONSpan] = []
    run_form: SpanForm | None = None
    for span in spans:
        form = _find_form(run[-1], span, text) if run else None
        if run and (form is None or form != (run_form or form)):
            bounds = joined[-1].end if joined else 0, span.start
            joined += _join_run(run, run_form, text, bounds)
            run, form = [], None
        run.append(span)
        run_form = form
    bounds = joined[-1].end if joined else 0, len(text)
    return joined + _join_run(run, run_form, text, bounds)


def _find_form(previous: JSONSpan, span: JSONSpan, text: str) -> SpanForm | None:
    """Return the form of the run that continues with a span, or None if none does."""
    if type(span.value) is not dict or type(previous.value) is not dict:
        return None
    size = span.start - previous.end
    if span.is_python is not previous.is_python or size > _MAX_GAP_CHARACTERS:
        return None
    return _find_form_of_gap(text[previous.end : span.start])


@lru_cache(maxsize=256)
def _find_form_of_gap(gap: str) -> SpanForm | None:
    if gap == "\n":
        return "lines"
    if _BETWEEN_ITEMS.fullmatch(gap):
        return "items"
    if "\n" not in gap:
        return None
    first, *plain, last = gap.split("\n")
    if max(len(first), len(last)) > _MAX_AFFIX_CHARACTERS:
        return None
    has_too_many = len([line for line in plain if line.strip()]) > _MAX_PLAIN_LINES
    is_fenced = any(line.lstrip().startswith(_FENCES) for line in plain)
    return None if has_too_many or is_fenced else "lines"


def _join_run(
    run: list[JSONSpan], form: SpanForm | None, text: str, bounds: tuple[int, int]
) -> list[JSONSpan]:
    if form == "items" and len(run) >= _MIN_ITEMS:
        values = [span.value for span in run]
        return [_make_span(run, (run[0].start, run[-1].end), values, "items")]
    if form == "lines" and len(run) >= MIN_JSON_LINES:
        span = _join_lines(run, text, bounds)
        return [span] if span else run
    return run


def _make_span(
    run: Sequence[JSONSpan],
    place: tuple[int, int],
    values: list[Value],
    form: SpanForm,
    style: LineStyle = BARE_LINES,
) -> JSONSpan:
    return JSONSpan(*place, values, form=form, style=style, is_python=run[0].is_python)


def _join_lines(run: list[JSONSpan], text: str, bounds: tuple[int, int]) -> JSONSpan | None:
    """Return the lines of a run with the text around the objects, or None if they are no list."""
    gaps = [text[left.end : right.start] for left, right in pairwise(run)]
    objects = [span.value for span in run]
    if set(gaps) == {"\n"}:
        return _make_span(run, (run[0].start, run[-1].end), objects, "lines")
    end = _find_line_end(set(gaps))
    # Most gaps of a list are alike.
    parts_of = {gap: gap.split(end) for gap in set(gaps)}
    parts = [parts_of[gap] for gap in gaps]
    plain = [part[1:-1] for part in parts]
    if any(len(part) < 2 for part in parts_of.values()) or sum(map(len, plain)) > len(run):
        return None
    suffixes = [part[0] for part in parts]
    prefixes = [part[-1] for part in parts]
    first, last = _find_edges(text, run, prefixes, suffixes, bounds)
    if first is None or last is None or not _are_data(run, last - first):
        return None
    prefixes.insert(0, text[first : run[0].start])
    suffixes.append(text[run[-1].end : last])
    prefix, before = split_affixes(prefixes, free_name("prefix", objects))
    suffix, after = split_affixes(suffixes, free_name("suffix", objects))
    rows = [
        {
            **({prefix.column: before[index] or None} if before else {}),
            **item,
            **({suffix.column: after[index] or None} if after else {}),
        }
        for index, item in enumerate(objects)
    ]
    values = list(_interleave(rows, plain))
    return _make_span(run, (first, last), values, "lines", LineStyle(prefix, suffix, end))


def _interleave(rows: list[Value], plain: list[list[str]]) -> Iterator[Value]:
    for row, lines in zip(rows, [*plain, []]):
        yield row
        yield from lines


def _are_data(run: Sequence[JSONSpan], size: int) -> bool:
    """Return whether the objects of lines are alike, and not only a small part of the lines."""
    if sum(span.end - span.start for span in run) < _MIN_OBJECTS_SHARE * size:
        return False
    names = {name for span in run for name in span.value}
    return sum(len(span.value) for span in run) >= _MIN_ALIKE * len(names) * len(run)


def _find_line_end(gaps: Collection[str]) -> str:
    """Return the line end that all gaps have, with a blank line if there always is one."""
    end = "\r\n" if all(gap.count("\n") == gap.count("\r\n") for gap in gaps) else "\n"
    return end * 2 if all(end * 2 in gap for gap in gaps) else end


def _find_edges(
    text: str,
    run: Sequence[JSONSpan],
    prefixes: Sequence[str],
    suffixes: Sequence[str],
    bounds: tuple[int, int],
) -> tuple[int | None, int | None]:
    """Return where the first and the last line begin and end, each None if the line is shared."""
    start, stop = run[0].start, run[-1].end
    if len(set(prefixes)) == 1:
        first = start - len(prefixes[0])
        is_first_alike = first >= bounds[0] and text.startswith(prefixes[0], first)
    else:
        first = _find_line_start(text, start, min(prefix.count("\n") for prefix in prefixes))
        is_first_alike = first >= max(bounds[0], start - _MAX_AFFIX_CHARACTERS)
    if set(suffixes) == {""}:
        return first if is_first_alike else None, stop
    last = text.find("\n", stop, stop + _MAX_AFFIX_CHARACTERS)
    last = len(text) if last < 0 else last - (text[last - 1] == "\r")
    is_last_alike = last <= min(bounds[1], stop + _MAX_AFFIX_CHARACTERS)
    return first if is_first_alike else None, last if is_last_alike else None


def _find_line_start(text: str, position: int, lines_before: int) -> int:
    """Return the start of the line at a position, or of one that is so many lines before it."""
    for _ in range(lines_before + 1):
        position = text.rfind("\n", 0, position)
    return position + 1
