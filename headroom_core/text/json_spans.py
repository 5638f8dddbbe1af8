"""Find JSON, and Python literals with the same meaning, in a text.

The data may be the whole text, fenced, one value per line, or follow a label.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from headroom_core.text import python_literal
from headroom_core.text.exact_json import Value, scan

# Indentation, a byte order mark, and a label such as `Result of step 2: `. Must not match code or
# JSON before a bracket: a label has no double quotes, commas, equals signs or brackets, and at
# most 60 characters, which also keeps the search linear.
LABEL_BEFORE_JSON = r"^[ \t\ufeff]*(?:[\w .()#/'-]{1,60}:[ \t]*)?"
"""Matches the start of a line up to the JSON in it, label included. For use with `re.MULTILINE`."""

_CANDIDATE = re.compile(LABEL_BEFORE_JSON + r"([\[{])", re.MULTILINE)
# Brackets followed by a single quote or a word of Python. Must not match the start of any JSON.
_ONLY_PYTHON = re.compile(r"[\[{]+(?:'|True|False|None)")
# A whole line, up to its last bracket, that may be a Python literal. Must not match brackets that
# are followed by a name, as in code: `[x for x in y]`.
_PYTHON_LINE = re.compile(r"""[\[{]+['"\dTFN-].*[\]}](?=[ \t\r]*$)""", re.MULTILINE)
_LINE_END = re.compile(r"[ \t\r]*(?=\n|\Z)")
# Shorter values are rarely data, and never worth a table.
_MIN_CHARACTERS = 40

MIN_JSON_LINES = 5
"""Minimum number of consecutive lines of JSON that are treated as one table."""

# Every failed attempt reads up to where the text stops being JSON. The share bounds the characters
# that all failed attempts together may read, relative to the text.
_MAX_WASTED_SHARE = 4
# Counting lines is this many times as fast as parsing.
_LINE_COUNTING_SPEEDUP = 32


@dataclass(frozen=True, slots=True)
class JSONSpan:
    """JSON value at a place in a text.

    Attributes:
        start: Index of its first character.
        end: Index after its last character.
        value: The parsed value; for JSON lines, the list of the values of the lines.
        is_json_lines: Whether the value is a run of JSON lines.
        is_python: Whether the value is written as a Python literal.
    """

    start: int
    end: int
    value: Value
    is_json_lines: bool = False
    is_python: bool = False


def find_json(text: str) -> list[JSONSpan]:
    """Find the JSON arrays and objects in a text, in order.

    A value begins at the start of a line or after a label that ends with a colon, and ends at the
    end of a line. Python lists and dicts that JSON can represent count too, if they are on a
    single line.

    Example:
        >>> text = 'Result: {"name": "Elbe", "length_km": 1094, "mouth": "North Sea"}'
        >>> span, = find_json(text)
        >>> span.start, span.value["name"]
        (8, 'Elbe')
    """
    spans: list[JSONSpan] = []
    position = 0
    waste_left = _MAX_WASTED_SHARE * len(text)
    while waste_left >= 0:
        match = _CANDIDATE.search(text, position)
        if match is None:
            break
        start = match.start(1)
        try:
            span, wasted = _read(text, start, prefer_python=bool(spans) and spans[-1].is_python)
        except RecursionError:
            break
        waste_left -= wasted
        if span and _LINE_END.match(text, span.end):
            spans.append(span)
        position = _find_next_line(text, span.end - 1 if span else start)
    spans = _join_json_lines(spans, text)
    return [span for span in spans if span.end - span.start >= _MIN_CHARACTERS]


_ReadAttempt = tuple[JSONSpan | None, int]
"""The value, or None, and the approximate number of characters that were read for nothing."""


def _read(text: str, start: int, *, prefer_python: bool) -> _ReadAttempt:
    """Read the value at a position, trying the more likely notation first."""
    if _ONLY_PYTHON.match(text, start):
        return _read_python(text, start)
    first, second = _read_json, _read_python
    if prefer_python:
        first, second = second, first
    span, wasted = first(text, start)
    if span:
        return span, wasted
    span, wasted_again = second(text, start)
    return span, wasted + wasted_again


def _read_json(text: str, start: int) -> _ReadAttempt:
    try:
        value, end = scan(text, start)
    except StopIteration as stop:
        return None, int(stop.value) - start
    except json.JSONDecodeError as error:
        # Creating this error counted the lines of the whole text before it, which is not free.
        return None, error.pos - start + error.pos // _LINE_COUNTING_SPEEDUP
    return JSONSpan(start, end, value), 0


def _read_python(text: str, start: int) -> _ReadAttempt:
    match = _PYTHON_LINE.match(text, start)
    if match is None:
        return None, 0
    try:
        value = python_literal.parse(match[0])
    except (ValueError, RecursionError):
        return None, len(match[0])
    return JSONSpan(start, match.end(), value, is_python=True), 0


def _find_next_line(text: str, position: int) -> int:
    """Return the index at which the line after the one at a position begins."""
    end = text.find("\n", position)
    return len(text) if end < 0 else end + 1


def _join_json_lines(spans: list[JSONSpan], text: str) -> list[JSONSpan]:
    """Return the spans with each run of objects on consecutive lines joined into one."""
    joined: list[JSONSpan] = []
    run: list[JSONSpan] = []
    for span in spans:
        if run and not _continues_run(run[-1], span, text):
            joined += _join_run(run)
            run = []
        run.append(span)
    return joined + _join_run(run)


def _continues_run(previous: JSONSpan, span: JSONSpan, text: str) -> bool:
    return (
        type(span.value) is dict
        and span.is_python is previous.is_python
        and text[previous.end : span.start] == "\n"
    )


def _join_run(run: list[JSONSpan]) -> list[JSONSpan]:
    if len(run) < MIN_JSON_LINES or type(run[0].value) is not dict:
        return run
    values = [span.value for span in run]
    span = JSONSpan(
        run[0].start, run[-1].end, values, is_json_lines=True, is_python=run[0].is_python
    )
    return [span]
